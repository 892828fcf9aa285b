//! Reads, run on a connection.

use carafe_model::key::Key;
use carafe_model::query::Query;
use carafe_model::record::Record;
use carafe_model::resource::Resource;
use carafe_model::value::{Cell, Row, Value};
use rusqlite::Connection;

use crate::error::Result;
use crate::plan::Walk;
use crate::sqlite::connection::{self, bind};
use crate::sqlite::ranks::Ranks;
use crate::sqlite::readers::Reader;
use crate::sqlite::row::{SqliteRow, to_record};
use crate::statement::Statement;

/// Reads one row by key.
pub(crate) fn one<T>(
    connection: &Connection,
    text: &str,
    key: &Key,
    read: impl FnOnce(&dyn Row) -> T,
) -> rusqlite::Result<Option<T>> {
    let mut statement = connection.prepare_cached(text)?;
    match key {
        Key::Integer(id) => statement.raw_bind_parameter(1, *id)?,
        Key::Text(text) => statement.raw_bind_parameter(1, text.as_str())?,
    }
    let mut rows = statement.raw_query();
    Ok(rows.next()?.map(|row| read(&SqliteRow(row))))
}

/// Reads a page of all live records where an index has the order, rows handed over in place,
/// and returns the total; `None` for one that is empty or far from where a walk can start.
pub(crate) fn walk_page(
    reader: &Reader,
    walk: &Walk,
    query: &Query,
    total_column: usize,
    each: &mut (dyn FnMut(&dyn Row) + Send),
) -> rusqlite::Result<Option<u64>> {
    let mut reads = false;
    let mut hand_over = |row: &dyn Row| {
        if !std::mem::replace(&mut reads, true) {
            // What takes long is the way to the first row. The rest is one page, and a row that
            // was handed over cannot be taken back.
            reader.lift_limit();
        }
        each(row);
    };
    if let Some(ranks) = walk.far_ranks(query) {
        return ranks.page(&reader.connection, query, &mut hand_over);
    }
    let is_quick = walk
        .through_table
        .as_ref()
        .is_some_and(|page| page.is_quick());
    walk_by(reader, walk, is_quick, query, total_column, &mut hand_over)
}

/// Walks the table where `is_quick` says so and it is a first page, else an index.
fn walk_by(
    reader: &Reader,
    walk: &Walk,
    is_quick: bool,
    query: &Query,
    total_column: usize,
    each: &mut dyn FnMut(&dyn Row),
) -> rusqlite::Result<Option<u64>> {
    let deep = query.offset() > 0;
    let through_table = walk.through_table.as_ref().filter(|_| !deep);
    let text = match through_table {
        _ if deep => &walk.deep_page,
        Some(page) if is_quick => &page.first_page,
        _ => &walk.first_page,
    };
    let mut statement = reader.connection.prepare_cached(text)?;
    bind(&mut statement, 1, &whole(query.per_page))?;
    if deep {
        bind(&mut statement, 2, &whole(query.offset()))?;
    }
    let mut rows = statement.raw_query();
    let mut total = None;
    while let Some(row) = rows.next()? {
        let row = SqliteRow(row);
        if total.is_none() {
            let count = |column| match row.cell(column) {
                Cell::Integer(count) => u64::try_from(count).unwrap_or(0),
                Cell::Null | Cell::Number(_) | Cell::Text(_) => 0,
            };
            total = Some(count(total_column));
            let stays_quick = through_table.is_none_or(|page| page.saw(count(total_column + 1)));
            if is_quick && !stays_quick {
                // Many are deleted meanwhile, and the next rows may lie behind all of them.
                return walk_by(reader, walk, false, query, total_column, each);
            }
        }
        each(&row);
    }
    Ok(total)
}

/// As [`walk_page`], far from where a walk can start, which is then found for the next time.
pub(crate) fn far_page(
    connection: &Connection,
    resource: &Resource,
    ranks: &Ranks,
    query: &Query,
) -> rusqlite::Result<(Vec<Record>, u64)> {
    let mut records = Vec::new();
    let mut each = |row: &dyn Row| records.push(to_record(resource, row));
    let total = ranks.learn(connection, query, &mut each)?;
    Ok((records, total))
}

fn whole(number: u64) -> Value {
    Value::Integer(i64::try_from(number).unwrap_or(i64::MAX))
}

/// The number that a statement gives: a count, an id; 0 where it gives none.
pub(crate) fn number(connection: &Connection, statement: &Statement) -> rusqlite::Result<i64> {
    let mut statement = connection::prepared(connection, statement)?;
    let mut rows = statement.raw_query();
    rows.next()?.map_or(Ok(0), |row| row.get(0))
}

/// What a statement counts.
pub(crate) fn count(connection: &Connection, statement: &Statement) -> rusqlite::Result<u64> {
    number(connection, statement).map(|count| u64::try_from(count).unwrap_or(0))
}

/// Runs reads that see one state of the database.
pub(crate) fn snapshot<T>(connection: &Connection, read: impl FnOnce() -> Result<T>) -> Result<T> {
    connection.prepare_cached("BEGIN")?.raw_execute()?;
    let outcome = read();
    if !connection.is_autocommit() {
        connection.prepare_cached("COMMIT")?.raw_execute()?;
    }
    outcome
}

/// Reads rows, up to the first at which their texts have `bytes_max` bytes.
pub(crate) fn rows(
    connection: &Connection,
    statement: &Statement,
    bytes_max: usize,
) -> rusqlite::Result<Vec<Vec<Value>>> {
    let mut statement = connection::prepared(connection, statement)?;
    let columns = statement.column_count();
    let mut rows = statement.raw_query();
    let (mut found, mut bytes) = (Vec::new(), 0);
    while bytes < bytes_max
        && let Some(row) = rows.next()?
    {
        let row = SqliteRow(row);
        let values = (0..columns).map(|index| row.cell(index).to_value());
        let values: Vec<Value> = values.collect();
        bytes += values.iter().map(Value::text_bytes).sum::<usize>();
        found.push(values);
    }
    Ok(found)
}
