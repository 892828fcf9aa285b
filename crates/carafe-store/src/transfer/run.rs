//! The way from one database to the other: look, make the tables, copy, compare, commit.

use carafe_model::schema::Schema;
use carafe_model::value::Value;

use crate::catalog::Catalog;
use crate::dialect::Dialect;
use crate::error::Result as StoreResult;
use crate::migrate::{self, Accept, untold};
use crate::postgres;
use crate::statement::Statement;
use crate::transaction::Transaction;

use super::batch::Batches;
use super::compare::compare;
use super::failure::Failure;
use super::ids;
use super::sheet::{Sheet, sheets};
use super::side::{Side, SideTransaction};

/// How far a move has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress<'p> {
    pub phase: Phase,
    /// What is moved just now: `notes`, `history of notes`.
    pub title: &'p str,
    /// Rows of all tables, in this phase.
    pub done: u64,
    /// Rows of all tables.
    pub total: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    Copy,
    Check,
}

/// What was moved of one table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// `notes`, `history of notes`, `remembered requests`
    pub title: String,
    pub rows: u64,
}

/// Copies all rows of the resources of `schema`, their history and the requests that are
/// remembered, from a database that fits it to one that has none of them, whose tables are made.
/// The URLs are as for [`Database::open`](crate::store::Database::open), but for databases in
/// memory.
///
/// The source is read in one state. The target is written in one transaction, which is committed
/// only after all rows were read again and compared: it has all or nothing, also if the process
/// ends halfway. SQLite is read and written on the thread that polls the future.
///
/// # Errors
///
/// Why nothing was moved.
pub async fn run(
    from: &str,
    to: &str,
    schema: &Schema,
    mut watch: impl FnMut(Progress<'_>),
) -> Result<Vec<Moved>, Failure> {
    let source = Side::source(from)
        .await
        .map_err(Failure::source("tables"))?;
    let outcome = from_source(&source, to, schema, &mut watch).await;
    source.close(false).await;
    outcome
}

async fn from_source(
    source: &Side,
    to: &str,
    schema: &Schema,
    watch: &mut impl FnMut(Progress<'_>),
) -> Result<Vec<Moved>, Failure> {
    let mut reading = source.transaction();
    let lines = migrate::shortcomings(&mut reading, schema).await;
    let lines = lines.map_err(Failure::reading("the tables"))?;
    if !lines.is_empty() {
        return Err(Failure::Unfit(lines));
    }
    let target = Side::target(to)
        .await
        .map_err(Failure::target("opening the target"))?;
    let transfer = Transfer {
        source: reading,
        target: target.transaction(),
        schema,
        watch,
    };
    let outcome = match transfer.run().await {
        Ok(moved) => target
            .commit()
            .await
            .map(|()| moved)
            .map_err(Failure::target("committing the target")),
        Err(failure) => Err(failure),
    };
    target.close(outcome.is_err()).await;
    outcome
}

struct Transfer<'a, W> {
    source: SideTransaction<'a>,
    target: SideTransaction<'a>,
    schema: &'a Schema,
    watch: &'a mut W,
}

impl<W: FnMut(Progress<'_>)> Transfer<'_, W> {
    async fn run(mut self) -> Result<Vec<Moved>, Failure> {
        let schema = self.schema;
        let from = sheets(self.source.dialect(), schema);
        let to = sheets(self.target.dialect(), schema);
        let taken = occupied(&mut self.target, &to).await;
        let taken = taken.map_err(Failure::target("looking into the target"))?;
        if !taken.is_empty() {
            return Err(Failure::Occupied(taken));
        }
        let known = async {
            let catalog = Catalog::read(&mut self.source).await?;
            migrate::known(&mut self.source, &catalog).await
        };
        let known = known.await.map_err(Failure::reading("the migrations"))?;
        let made = async {
            migrate::migrate(&mut self.target, schema, &[], Accept::Safe, &untold()).await?;
            migrate::replace_known(&mut self.target, &known).await
        };
        made.await
            .map_err(Failure::target("making tables in the target"))?;

        let mut total = 0;
        for sheet in &from {
            let rows = count(&mut self.source, sheet).await;
            total += rows.map_err(Failure::reading(&sheet.title))?;
        }
        let (mut moved, mut done) = (Vec::new(), 0);
        for (from, to) in from.iter().zip(&to) {
            let before = done;
            self.copy(from, to, &mut done, total).await?;
            moved.push(Moved {
                title: from.title.clone(),
                rows: done - before,
            });
        }
        self.give_ids().await?;
        let mut done = 0;
        for (from, to) in from.iter().zip(&to) {
            let (source, target) = ((&mut self.source, from), (&mut self.target, to));
            let watch = &mut self.watch;
            let each = |rows| {
                done += rows;
                watch(Progress {
                    phase: Phase::Check,
                    title: &from.title,
                    done,
                    total,
                });
            };
            compare(source, target, each).await?;
        }
        Ok(moved)
    }

    async fn copy(
        &mut self,
        from: &Sheet<'_>,
        to: &Sheet<'_>,
        done: &mut u64,
        total: u64,
    ) -> Result<(), Failure> {
        let title = from.title.as_str();
        let dropped = drop_search_index(&mut self.target, to).await;
        let dropped = dropped.map_err(Failure::writing(title))?;
        let (insert, storages) = (to.insert(), to.storages());
        let mut batches = Batches::new(from);
        loop {
            (self.watch)(Progress {
                phase: Phase::Copy,
                title,
                done: *done,
                total,
            });
            let rows = batches.next(&mut self.source).await;
            let mut rows = rows.map_err(Failure::reading(title))?;
            if rows.is_empty() {
                break;
            }
            to.complete(&mut rows);
            let filled = self.target.fill(&insert, &storages, &rows).await;
            filled.map_err(Failure::writing(title))?;
            *done += u64::try_from(rows.len()).unwrap_or(0);
        }
        let settled = settle(&mut self.target, to, dropped).await;
        settled.map_err(Failure::writing(title))
    }

    async fn give_ids(&mut self) -> Result<(), Failure> {
        for resource in &self.schema.resources {
            let title = resource.name.as_str();
            let given = ids::given(&mut self.source, resource).await;
            if let Some(id) = given.map_err(Failure::reading(title))? {
                let raised = ids::give(&mut self.target, resource, id).await;
                raised.map_err(Failure::writing(title))?;
            }
        }
        Ok(())
    }
}

/// The tables of the target that have rows, a line each.
async fn occupied(tx: &mut impl Transaction, sheets: &[Sheet<'_>]) -> StoreResult<Vec<String>> {
    let catalog = Catalog::read(tx).await?;
    let mut lines = Vec::new();
    for sheet in sheets {
        if catalog.has(sheet.table.as_str()) && !tx.rows(&sheet.any()).await?.is_empty() {
            lines.push(format!("it has rows already: {}", sheet.title));
        }
    }
    Ok(lines)
}

/// Drops the search index of PostgreSQL, and says whether it was there: without `pg_trgm` there
/// is none.
async fn drop_search_index(tx: &mut impl Transaction, sheet: &Sheet<'_>) -> StoreResult<bool> {
    let Some((_, index)) = sheet.search_index() else {
        return Ok(false);
    };
    let is_there = Catalog::read(tx).await?.has(index.name.as_str());
    if is_there {
        let mut drop = Statement::new(tx.dialect(), "DROP INDEX ");
        drop.identifier(&index.name);
        tx.run(&drop).await?;
    }
    Ok(is_there)
}

/// Makes of a table of PostgreSQL that was filled just now what one is that has grown: with its
/// search index, and known to the planner.
async fn settle(
    tx: &mut impl Transaction,
    sheet: &Sheet<'_>,
    search_index: bool,
) -> StoreResult<()> {
    if let Some((resource, index)) = sheet.search_index().filter(|_| search_index) {
        tx.run(&index.statement).await?;
        let noted = postgres::ddl::comment("INDEX", resource, &index);
        tx.run(&noted).await?;
    }
    if tx.dialect() == Dialect::Postgres {
        let mut analyze = Statement::new(tx.dialect(), "ANALYZE ");
        analyze.identifier(&sheet.table);
        tx.run(&analyze).await?;
    }
    Ok(())
}

async fn count(tx: &mut impl Transaction, sheet: &Sheet<'_>) -> StoreResult<u64> {
    let rows = tx.rows(&sheet.count()).await?;
    Ok(match rows.first().and_then(|row| row.first()) {
        Some(Value::Integer(count)) => u64::try_from(*count).unwrap_or(0),
        _ => 0,
    })
}
