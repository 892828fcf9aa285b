//! Substring search: an index of trigrams that is kept off the path of writes, and reads that
//! are exact at every moment all the same.
//!
//! A trigger notes the id of each row whose text changes in `<name>__pending`, in the
//! transaction that changes it. The writer's thread indexes such rows in batches while nobody
//! writes, or when too many wait. A search asks the index for all rows but those, and reads
//! those.

use std::collections::HashSet;
use std::sync::Arc;

use carafe_model::query::Query;
use carafe_model::record::Record;
use carafe_model::resource::Resource;
use carafe_model::schema::Schema;
use rusqlite::Connection;

use crate::dialect::Dialect;
use crate::error::Result;
use crate::plan::Plans;
use crate::select;
use crate::sqlite::connection::{prepared, run};
use crate::sqlite::row::{SqliteRow, to_record};
use crate::sqlite::writer;
use crate::statement::Statement;
use crate::store::Scope;
use crate::table;
use crate::text::SEPARATOR;
use crate::write::{Work, Write};

/// Rows indexed at a time while nobody writes: some 20 ms, which a write that comes then waits.
const BATCH_ROWS: i64 = 400;

/// Rows indexed at a time when too many wait: larger batches are cheaper a row.
const BATCH_ROWS_LARGE: i64 = 1000;

/// Rows that may wait while writes keep coming. A search reads all of them.
const WAITING_MAX: u64 = 20_000;

/// Characters that the index can find.
const CHARACTERS_MIN: usize = 3;

/// Characters of a text that are looked up in the index; the rows found are compared with the
/// whole text where it has more.
const CHARACTERS_MAX: usize = 64;

/// Hits that are fetched by id and sorted; with more, the order is walked until the page is
/// full.
const FETCH_MAX: usize = 1000;

/// What the index is asked for a folded text; `None` where it cannot answer.
fn index_query(folded: &str) -> Option<(String, Exact)> {
    let ambiguous = |c: char| matches!(c, SEPARATOR..='\u{FFFF}' | '\0');
    let length = folded.chars().count();
    if length < CHARACTERS_MIN || folded.contains(ambiguous) {
        return None;
    }
    let head: String = folded.chars().take(CHARACTERS_MAX).collect();
    let exact = if length > CHARACTERS_MAX {
        Exact::No
    } else {
        Exact::Yes
    };
    Some((format!("\"{}\"", head.replace('"', "\"\"")), exact))
}

/// Whether each row that the index finds is a hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Exact {
    Yes,
    No,
}

/// Reads a page of the live records that match a query with a search, and counts all of them.
/// The caller has a transaction open, so that both are of one snapshot.
pub(crate) fn page(
    connection: &Connection,
    resource: &Resource,
    query: &Query,
) -> Result<(Vec<Record>, u64)> {
    let folded = query
        .search
        .as_ref()
        .map_or("", |search| search.folded.as_str());
    let Some((index_query, exact)) = index_query(folded) else {
        return scan(connection, resource, Scope::Live, query);
    };
    let hits = hits(connection, resource, folded, &index_query, exact)?;
    let total = match query.filters.is_empty() || query.cursor.is_some() {
        // With a cursor nothing is counted: as many as there can be.
        true => count(hits.len()),
        false => number(connection, &select::count_of(resource, query, &json(&hits)))?,
    };
    if hits.len() <= FETCH_MAX {
        let statement = select::page_of(resource, query, &json(&hits), query.offset());
        return Ok((records(connection, resource, &statement)?, total));
    }
    let page = walk(
        connection,
        resource,
        query,
        &hits.into_iter().collect(),
        total,
    )?;
    let statement = select::page_of(resource, query, &json(&page), 0);
    Ok((records(connection, resource, &statement)?, total))
}

/// Reads a page and counts by reading every row.
pub(crate) fn scan(
    connection: &Connection,
    resource: &Resource,
    scope: Scope,
    query: &Query,
) -> Result<(Vec<Record>, u64)> {
    let total = match &query.cursor {
        Some(_) => 0,
        None => number(
            connection,
            &select::count(Dialect::Sqlite, resource, scope, query),
        )?,
    };
    let records = records(
        connection,
        resource,
        &select::page(Dialect::Sqlite, resource, scope, query),
    )?;
    Ok((records, total))
}

/// The ids of the live rows that have the text.
fn hits(
    connection: &Connection,
    resource: &Resource,
    folded: &str,
    index_query: &str,
    exact: Exact,
) -> Result<Vec<i64>> {
    let mut hits = ids(connection, &indexed(resource, index_query))?;
    if exact == Exact::No {
        hits = ids(connection, &compared(resource, &json(&hits), folded))?;
    }
    hits.extend(ids(connection, &waiting(resource, folded))?);
    Ok(hits)
}

/// The rows that the index finds, without those that have changed since.
fn indexed(resource: &Resource, index_query: &str) -> Statement {
    let mut sql = Statement::new(Dialect::Sqlite, "SELECT rowid FROM ");
    sql.name_with(&resource.name, "__search").push(" WHERE ");
    sql.name_with(&resource.name, "__search")
        .push(" MATCH ")
        .bind(index_query);
    sql.push(" AND rowid NOT IN (SELECT id FROM ")
        .name_with(&resource.name, "__pending")
        .push(")");
    sql
}

/// Those among some rows that have the text.
fn compared(resource: &Resource, ids: &str, folded: &str) -> Statement {
    let mut sql = Statement::new(Dialect::Sqlite, "SELECT ");
    table::id(&mut sql, resource);
    sql.push(" FROM ").name(&resource.name).push(" WHERE ");
    table::id(&mut sql, resource);
    sql.push(" IN (SELECT value FROM json_each(")
        .bind(ids)
        .push(")) AND ");
    select::contains(&mut sql, resource, folded);
    sql
}

/// Those among the rows that wait for the index that have the text.
fn waiting(resource: &Resource, folded: &str) -> Statement {
    let mut sql = Statement::new(Dialect::Sqlite, "SELECT ");
    table::id(&mut sql, resource);
    sql.push(" FROM ").name(&resource.name).push(" WHERE ");
    table::id(&mut sql, resource);
    sql.push(" IN (SELECT id FROM ")
        .name_with(&resource.name, "__pending")
        .push(") AND ");
    table::scope(&mut sql, resource, Scope::Live);
    sql.push(" AND ");
    select::contains(&mut sql, resource, folded);
    sql
}

/// The ids of the page, found by walking the records in order. It ends with the page or the
/// last hit.
fn walk(
    connection: &Connection,
    resource: &Resource,
    query: &Query,
    hits: &HashSet<i64>,
    total: u64,
) -> Result<Vec<i64>> {
    let mut page = Vec::new();
    let last = total.min(query.offset().saturating_add(query.per_page));
    let mut passed = 0;
    let mut statement = prepared(connection, &select::ids(resource, query))?;
    let mut rows = statement.raw_query();
    while passed < last
        && let Some(row) = rows.next()?
    {
        let id = row.get(0)?;
        if hits.contains(&id) {
            if passed >= query.offset() {
                page.push(id);
            }
            passed += 1;
        }
    }
    Ok(page)
}

/// Whether rows wait for the index.
pub(crate) fn has_pending(connection: &Connection, resource: &Resource) -> Result<bool> {
    let mut sql = Statement::new(Dialect::Sqlite, "SELECT 1 FROM ");
    sql.name_with(&resource.name, "__pending").push(" LIMIT 1");
    Ok(prepared(connection, &sql)?.raw_query().next()?.is_some())
}

/// How many rows of all resources wait for the index.
pub(crate) fn pending(connection: &Connection, schema: &Schema) -> Result<u64> {
    let searched = schema.resources.iter();
    let searched = searched.filter(|resource| !resource.search.is_empty());
    let counts = searched.map(|resource| {
        let mut sql = Statement::new(Dialect::Sqlite, "SELECT count(*) FROM ");
        sql.name_with(&resource.name, "__pending");
        number(connection, &sql)
    });
    counts.sum()
}

pub(crate) fn records(
    connection: &Connection,
    resource: &Resource,
    statement: &Statement,
) -> Result<Vec<Record>> {
    let mut statement = prepared(connection, statement)?;
    let mut rows = statement.raw_query();
    let mut records = Vec::new();
    while let Some(row) = rows.next()? {
        records.push(to_record(resource, &SqliteRow(row)));
    }
    Ok(records)
}

fn ids(connection: &Connection, statement: &Statement) -> Result<Vec<i64>> {
    let mut statement = prepared(connection, statement)?;
    let mut rows = statement.raw_query();
    let mut ids = Vec::new();
    while let Some(row) = rows.next()? {
        ids.push(row.get(0)?);
    }
    Ok(ids)
}

fn number(connection: &Connection, statement: &Statement) -> Result<u64> {
    let mut statement = prepared(connection, statement)?;
    let mut rows = statement.raw_query();
    let number: i64 = match rows.next()? {
        Some(row) => row.get(0)?,
        None => 0,
    };
    Ok(u64::try_from(number).unwrap_or(0))
}

fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

/// `[1,2,3]`
fn json(ids: &[i64]) -> String {
    let ids: Vec<String> = ids.iter().map(i64::to_string).collect();
    format!("[{}]", ids.join(","))
}

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
    failed.map_or(Ok(false), Err)
}

fn index_batch(connection: &Connection, resource: &Resource, rows: i64) -> Result<bool> {
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

fn index(connection: &Connection, resource: &Resource, rows: i64) -> Result<()> {
    for statement in index_statements(resource, rows) {
        run(connection, &statement)?;
    }
    Ok(())
}

/// Moves waiting rows into the index: out with what it has of them, in with what they are now.
fn index_statements(resource: &Resource, rows: i64) -> [Statement; 3] {
    let batch = |sql: &mut Statement| {
        sql.push(" IN (SELECT id FROM ")
            .name_with(&resource.name, "__pending");
        sql.push(" ORDER BY id LIMIT ").bind(rows).push(")");
    };
    let mut forget = Statement::new(Dialect::Sqlite, "DELETE FROM ");
    forget
        .name_with(&resource.name, "__search")
        .push(" WHERE rowid");
    batch(&mut forget);

    let mut learn = Statement::new(Dialect::Sqlite, "INSERT INTO ");
    learn
        .name_with(&resource.name, "__search")
        .push(" (rowid, text) SELECT ");
    table::id(&mut learn, resource);
    for (position, &field) in resource.search.iter().enumerate() {
        learn.push(if position == 0 {
            ", carafe_indexed("
        } else {
            ", "
        });
        learn.name(&resource.fields[field].name);
    }
    learn.push(") FROM ").name(&resource.name).push(" WHERE ");
    table::id(&mut learn, resource);
    batch(&mut learn);
    table::and_live(&mut learn, resource);

    let mut done = Statement::new(Dialect::Sqlite, "DELETE FROM ");
    done.name_with(&resource.name, "__pending")
        .push(" WHERE id");
    batch(&mut done);
    [forget, learn, done]
}

#[cfg(test)]
mod tests {
    use carafe_model::kind::Kind;
    use insta::assert_snapshot;

    use super::*;
    use crate::draft::{field, resource, schema};

    #[test]
    fn the_index_is_asked_only_what_it_can_answer() {
        let long = "x".repeat(CHARACTERS_MAX);
        let cases = [
            ("ab", None),
            ("éé", None),
            ("abc", Some(("\"abc\"".to_owned(), Exact::Yes))),
            ("a\"b%", Some(("\"a\"\"b%\"".to_owned(), Exact::Yes))),
            ("ab\u{FFFE}", None),
            (
                &format!("{long}yz"),
                Some((format!("\"{long}\""), Exact::No)),
            ),
        ];
        for (folded, expected) in cases {
            assert_eq!(index_query(folded), expected, "text: {folded:?}");
        }
    }

    #[test]
    fn statements() {
        let fields = vec![field("title", Kind::String), field("content", Kind::Text)];
        let schema = schema(vec![
            resource("notes", fields).search(&["title", "content"]),
        ]);
        let notes = &schema.resources[0];
        assert_snapshot!(indexed(notes, "\"abc\"").text(), @r#"SELECT rowid FROM "notes__search" WHERE "notes__search" MATCH ? AND rowid NOT IN (SELECT id FROM "notes__pending")"#);
        assert_snapshot!(compared(notes, "[1]", "abc").text(), @r#"SELECT "id" FROM "notes" WHERE "id" IN (SELECT value FROM json_each(?)) AND carafe_contains(?, "title", "content")"#);
        assert_snapshot!(waiting(notes, "abc").text(), @r#"SELECT "id" FROM "notes" WHERE "id" IN (SELECT id FROM "notes__pending") AND _deleted_at IS NULL AND carafe_contains(?, "title", "content")"#);
        let texts = index_statements(notes, 10).map(|statement| statement.text().to_owned());
        assert_snapshot!(texts.join("\n"), @r#"
        DELETE FROM "notes__search" WHERE rowid IN (SELECT id FROM "notes__pending" ORDER BY id LIMIT ?)
        INSERT INTO "notes__search" (rowid, text) SELECT "id", carafe_indexed("title", "content") FROM "notes" WHERE "id" IN (SELECT id FROM "notes__pending" ORDER BY id LIMIT ?) AND _deleted_at IS NULL
        DELETE FROM "notes__pending" WHERE id IN (SELECT id FROM "notes__pending" ORDER BY id LIMIT ?)
        "#);
    }
}
