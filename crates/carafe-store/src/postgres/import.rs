//! An import: many rows with one statement, in one transaction.
//!
//! Where the server refuses a part, the part is halved until the rows at fault stand alone; a
//! savepoint keeps what was inserted before.

use std::sync::Arc;

use carafe_model::key::Key;
use carafe_model::kind::Kind;
use carafe_model::resource::Resource;
use carafe_model::value::Value;
use deadpool_postgres::Client;
use tokio::sync::mpsc::Receiver;

use crate::dialect::Dialect;
use crate::error::{Error, Result};
use crate::import::{ImportRow, Imported, Part, is_of_row};
use crate::plan::Plans;
use crate::postgres::failure;
use crate::postgres::pipeline;
use crate::statement::Text;
use crate::store::Stamp;
use crate::table;
use crate::write::{self, Action, InsertMany, Refusal};

/// While rows are read and checked, the transaction waits.
const BEGIN: &str = "BEGIN; SET LOCAL idle_in_transaction_session_timeout = 0";

const BEGIN_PART: &str = "SAVEPOINT part";

const END_PART: &str = "RELEASE part";

/// A savepoint outlives its rollback, and savepoints within savepoints exhaust the server.
const UNDO_PART: &str = "ROLLBACK TO part; RELEASE part";

/// Inserts the rows that come, in one transaction.
pub(crate) async fn run(
    client: &Client,
    plans: &Arc<Plans>,
    resource: usize,
    stamp: &Stamp,
    parts: &mut Receiver<Part<ImportRow>>,
) -> Result<Imported<Error>> {
    let resource = &plans.schema.resources[resource];
    let mut insertion = Insertion {
        client,
        plans,
        resource,
        stamp,
        insert: InsertMany::new(resource),
        insert_free: write::insert_free(resource).into_text(),
        imported: Imported::default(),
    };
    client.batch_execute(BEGIN).await?;
    let is_kept = insertion.fill(parts).await?;
    let end = match is_kept && insertion.imported.refused.is_empty() {
        true => "COMMIT",
        false => "ROLLBACK",
    };
    client.batch_execute(end).await?;
    Ok(insertion.imported)
}

struct Insertion<'c> {
    client: &'c Client,
    plans: &'c Arc<Plans>,
    resource: &'c Resource,
    stamp: &'c Stamp,
    insert: InsertMany,
    insert_free: Text,
    imported: Imported<Error>,
}

/// The rows of a part that refer to nothing: their position and the field.
type Dangling = Vec<(usize, usize)>;

impl Insertion<'_> {
    /// Inserts all rows that can be, and returns whether they are to be kept.
    async fn fill(&mut self, parts: &mut Receiver<Part<ImportRow>>) -> Result<bool> {
        while let Some(part) = parts.recv().await {
            match part {
                Part::Rows(rows) => self.insert_part(rows).await?,
                Part::Keep => return Ok(true),
            }
        }
        Ok(false)
    }

    async fn insert_part(&mut self, rows: Vec<ImportRow>) -> Result<()> {
        // To find each of a million rows that are there already takes a quarter of an hour.
        if self.imported.refused.is_full() && self.count_part(&rows).await? {
            return Ok(());
        }
        let mut waiting = vec![rows];
        while let Some(rows) = waiting.pop() {
            self.client.batch_execute(BEGIN_PART).await?;
            let refused = match self.insert(&rows).await {
                Ok(dangling) if dangling.is_empty() => {
                    self.client.batch_execute(END_PART).await?;
                    self.imported.accepted += rows.len() as u64;
                    continue;
                }
                refused => refused,
            };
            self.client.batch_execute(UNDO_PART).await?;
            match refused {
                Ok(dangling) => waiting.push(self.without(rows, dangling)),
                Err(err) if !is_of_row(&err) => return Err(err),
                Err(err) => match <[ImportRow; 1]>::try_from(rows) {
                    Ok([row]) => {
                        let err = self.dangling_first(&row).await?.unwrap_or(err);
                        self.imported.refused.note(row.number, err);
                    }
                    Err(mut rows) => {
                        let second = rows.split_off(rows.len() / 2);
                        waiting.extend([second, rows]);
                    }
                },
            }
        }
        Ok(())
    }

    /// Inserts what it can of a part and counts the rest, nothing of which is to be told; not where
    /// a row refers to nothing. Nothing of the import will be kept.
    async fn count_part(&mut self, rows: &[ImportRow]) -> Result<bool> {
        self.client.batch_execute(BEGIN_PART).await?;
        let ids = self.fill_table(&self.insert_free, rows).await?;
        if !self.dangling(&ids).await?.is_empty() {
            self.client.batch_execute(UNDO_PART).await?;
            return Ok(false);
        }
        self.client.batch_execute(END_PART).await?;
        self.imported.accepted += ids.len() as u64;
        self.imported.refused.count((rows.len() - ids.len()) as u64);
        Ok(true)
    }

    /// Inserts rows, and their versions where none of them refers to nothing.
    async fn insert(&self, rows: &[ImportRow]) -> Result<Dangling> {
        let ids = self.fill_table(&self.insert.text, rows).await?;
        let dangling = self.dangling(&ids).await?;
        if self.resource.history && dangling.is_empty() {
            let remember = write::history_of_all(self.resource, Action::Create, &ids, self.stamp);
            pipeline::run(self.client, remember.text(), remember.parameters()).await?;
        }
        Ok(dangling)
    }

    /// Inserts rows, and returns the ids of those that are made.
    async fn fill_table(&self, insert: &str, rows: &[ImportRow]) -> Result<Vec<i64>> {
        let values: Vec<Vec<Value>> = rows.iter().map(|row| self.values(row)).collect();
        let made = pipeline::fill(self.client, insert, self.insert.arrays(&values)).await;
        let made = made.map_err(|err| failure::of_write(self.resource, err))?;
        Ok(made.iter().map(|row| row.get(0)).collect())
    }

    fn values(&self, row: &ImportRow) -> Vec<Value> {
        let key = row.key.as_ref().map(Key::to_value);
        let searched = table::has_search_column(Dialect::Postgres, self.resource).then(|| {
            Value::Text(write::searched_text(self.resource, |field| {
                &row.values[field]
            }))
        });
        let values = key.into_iter().chain(row.values.iter().cloned());
        values.chain(searched).collect()
    }

    async fn dangling(&self, ids: &[i64]) -> Result<Dangling> {
        let mut dangling = Vec::new();
        for (field, declared) in self.resource.fields.iter().enumerate() {
            let Kind::Reference(reference) = &declared.kind else {
                continue;
            };
            let target = &self.plans.schema.resources[reference.index];
            let find = write::dangling_among(self.resource, field, target, ids);
            let found = pipeline::run(self.client, find.text(), find.parameters()).await?;
            for row in found.rows {
                let id: i64 = row.get(0);
                let position = ids.iter().position(|known| *known == id);
                dangling.extend(position.map(|position| (position, field)));
            }
        }
        Ok(dangling)
    }

    /// The rows of a part that may be tried again, after those are noted that refer to nothing.
    fn without(&mut self, mut rows: Vec<ImportRow>, mut dangling: Dangling) -> Vec<ImportRow> {
        // Of several fields the first one tells, as for one record.
        dangling.sort_unstable();
        dangling.dedup_by_key(|(position, _)| *position);
        for &(position, field) in dangling.iter().rev() {
            let row = rows.remove(position);
            let err = Refusal::NoReference { field }.into();
            self.imported.refused.note(row.number, err);
        }
        rows
    }

    /// What one record is told first: a reference that leads nowhere, before a value that is taken.
    async fn dangling_first(&self, row: &ImportRow) -> Result<Option<Error>> {
        let guards = write::reference_guards(
            Dialect::Postgres,
            &self.plans.schema,
            self.resource,
            row.key.as_ref(),
            row.values.iter().enumerate(),
        );
        for guard in guards {
            let found = pipeline::run(self.client, &guard.text, &guard.parameters).await?;
            if found.rows.is_empty()
                && let write::Expect::Require(refusal) = guard.expect
            {
                return Ok(Some(refusal.into()));
            }
        }
        Ok(None)
    }
}
