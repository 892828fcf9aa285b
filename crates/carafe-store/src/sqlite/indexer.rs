//! When rows are taken into the search indexes, on the writer's thread.
//!
//! A trigger notes the id of each row whose text changes in `<name>__pending`, in the
//! transaction that changes it. Such rows are taken in in batches while nobody writes, or when
//! too many wait.

use std::sync::Arc;

use carafe_model::resource::Resource;
use carafe_model::schema::Schema;
use rusqlite::Connection;

use crate::dialect::Dialect;
use crate::error::Result;
use crate::plan::Plans;
use crate::sqlite::connection::{prepared, run};
use crate::sqlite::read;
use crate::sqlite::search_index::{Taker, by_id, texts};
use crate::sqlite::writer;
use crate::statement::Statement;
use crate::write::{Work, Write};

/// Rows indexed at a time while nobody writes: some 10 ms, which a write that comes then waits.
const BATCH_ROWS: i64 = 1000;

/// Rows indexed at a time when too many wait: larger batches are cheaper a row.
const BATCH_ROWS_LARGE: i64 = 4096;

/// Rows that may wait while writes keep coming. A search reads all of them.
const WAITING_MAX: u64 = 20_000;

/// Keeps the search indexes of a schema, on the writer's thread.
#[derive(Default)]
pub(crate) struct Indexer {
    plans: Option<Arc<Plans>>,
    /// Whether rows may wait.
    awake: bool,
    /// About how many wait, from the writes of this process.
    waiting: u64,
}

impl Indexer {
    pub(crate) fn watch(&mut self, plans: Arc<Plans>) {
        self.plans = Some(plans);
        self.awake = true;
    }

    /// Looks for waiting rows when there is time.
    pub(crate) fn wake(&mut self) {
        self.awake = true;
    }

    pub(crate) fn has_work(&self) -> bool {
        self.awake && self.plans.is_some()
    }

    /// A write was committed.
    pub(crate) fn note(&mut self, write: &Write) {
        let resource = &write.plans.schema.resources[write.resource];
        let cascades = !matches!(write.work, Work::Steps(_));
        if cascades || !resource.search.is_empty() {
            self.awake = true;
            self.waiting += 1;
        }
    }

    /// Indexes a large batch if too many rows wait.
    pub(crate) fn catch_up(&mut self, connection: &Connection) {
        if self.waiting > WAITING_MAX {
            self.batch(connection, BATCH_ROWS_LARGE);
        }
    }

    /// Indexes a batch of rows, if any wait.
    pub(crate) fn step(&mut self, connection: &Connection) {
        self.batch(connection, BATCH_ROWS);
    }

    fn batch(&mut self, connection: &Connection, rows: i64) {
        let Some(plans) = self.plans.clone() else {
            return;
        };
        match index_some(connection, &plans, rows) {
            Ok(true) => self.waiting = self.waiting.saturating_sub(rows.unsigned_abs()),
            Ok(false) => {
                self.awake = false;
                self.waiting = 0;
            }
            Err(err) => {
                // The next write or search tries again; searches are exact meanwhile.
                tracing::warn!(error = %err, "The search index was not brought up to date");
                self.awake = false;
                self.waiting = 0;
            }
        }
    }
}

/// Whether rows wait for the index.
pub(crate) fn has_pending(connection: &Connection, resource: &Resource) -> rusqlite::Result<bool> {
    let mut sql = Statement::new(Dialect::Sqlite, "SELECT 1 FROM ");
    sql.name_with(&resource.name, "__pending").push(" LIMIT 1");
    Ok(prepared(connection, &sql)?.raw_query().next()?.is_some())
}

/// How many rows of all resources wait for the index.
pub(crate) fn count_pending(connection: &Connection, schema: &Schema) -> Result<u64> {
    let searched = schema.resources.iter();
    let searched = searched.filter(|resource| !resource.search.is_empty());
    let counts = searched.map(|resource| {
        let mut sql = Statement::new(Dialect::Sqlite, "SELECT count(*) FROM ");
        sql.name_with(&resource.name, "__pending");
        Ok(read::count(connection, &sql)?)
    });
    counts.sum()
}

/// Indexes a batch of the first resource that has waiting rows. False if none has.
fn index_some(connection: &Connection, plans: &Plans, rows: i64) -> Result<bool> {
    let mut failed = None;
    for resource in plans
        .schema
        .resources
        .iter()
        .filter(|resource| !resource.search.is_empty())
    {
        match index_batch(connection, resource, rows) {
            Ok(true) => return Ok(true),
            Ok(false) => {}
            // One that cannot be indexed keeps no other waiting.
            Err(err) => failed = Some(err),
        }
    }
    failed.map_or(Ok(false), |err| Err(err.into()))
}

fn index_batch(connection: &Connection, resource: &Resource, rows: i64) -> rusqlite::Result<bool> {
    if !has_pending(connection, resource)? {
        return Ok(false);
    }
    writer::begin(connection)?;
    match index(connection, resource, rows) {
        Ok(()) => writer::commit(connection)?,
        Err(err) => {
            writer::rollback(connection);
            return Err(err);
        }
    }
    Ok(true)
}

/// Takes waiting rows into the index, those that are deleted softly too; of the others that are
/// gone it has nothing to learn.
fn index(connection: &Connection, resource: &Resource, rows: i64) -> rusqlite::Result<()> {
    Taker::new(connection, resource)?.take(&batch(resource, rows))?;
    run(connection, &taken(resource, rows)).map(drop)
}

fn batch(resource: &Resource, rows: i64) -> Statement {
    let mut sql = texts(resource);
    first_pending(&mut sql, resource, rows);
    by_id(&mut sql, resource);
    sql
}

fn taken(resource: &Resource, rows: i64) -> Statement {
    let mut sql = Statement::new(Dialect::Sqlite, "DELETE FROM ");
    sql.name_with(&resource.name, "__pending").push(" WHERE id");
    first_pending(&mut sql, resource, rows);
    sql
}

fn first_pending(sql: &mut Statement, resource: &Resource, rows: i64) {
    sql.push(" IN (SELECT id FROM ")
        .name_with(&resource.name, "__pending");
    sql.push(" ORDER BY id LIMIT ").bind(rows).push(")");
}

#[cfg(test)]
mod tests {
    use carafe_model::kind::Kind;
    use insta::assert_snapshot;

    use super::*;
    use crate::draft::{field, resource, schema};

    #[test]
    fn statements() {
        let fields = vec![field("title", Kind::String), field("content", Kind::Text)];
        let schema = schema(vec![
            resource("notes", fields).search(&["title", "content"]),
        ]);
        let notes = &schema.resources[0];
        assert_snapshot!(batch(notes, 10).text(), @r#"SELECT "id", "title", "content" FROM "notes" WHERE "id" IN (SELECT id FROM "notes__pending" ORDER BY id LIMIT ?) ORDER BY "id""#);
        assert_snapshot!(taken(notes, 10).text(), @r#"DELETE FROM "notes__pending" WHERE id IN (SELECT id FROM "notes__pending" ORDER BY id LIMIT ?)"#);
    }
}
