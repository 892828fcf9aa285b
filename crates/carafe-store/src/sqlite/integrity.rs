//! Whether a database is what it should be.

use rusqlite::Connection;

use crate::dialect::Dialect;
use crate::sqlite::read::number;
use crate::sqlite::search_index;
use crate::statement::{Identifier, Statement};

/// What is wrong, a line each.
pub(crate) fn check(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut complaints = texts(connection, "PRAGMA integrity_check")?;
    complaints.retain(|line| line != "ok");
    let mut statement = connection.prepare("PRAGMA foreign_key_check")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (table, target): (String, String) = (row.get(0)?, row.get(2)?);
        complaints.push(format!(
            "a row of {table} refers to one of {target} that is not there"
        ));
    }
    if has_counters(connection)? {
        for table in texts(connection, "SELECT resource FROM _carafe_count")? {
            check_table(connection, &table, &mut complaints)?;
        }
    }
    Ok(complaints)
}

/// Compares the counter and the search index with the table.
fn check_table(
    connection: &Connection,
    table: &str,
    complaints: &mut Vec<String>,
) -> rusqlite::Result<()> {
    if !exists(connection, table)? {
        return Ok(());
    }
    let columns = "SELECT name FROM pragma_table_info(?) WHERE name = '_deleted_at'";
    let soft = connection.prepare(columns)?.exists([table])?;
    let mut live = Statement::new(Dialect::Sqlite, "SELECT count(*) FROM ");
    live.identifier(&Identifier::found(table));
    live.push(if soft {
        " WHERE _deleted_at IS NULL"
    } else {
        ""
    });
    let live = number(connection, &live)?;
    let mut counter = Statement::new(
        Dialect::Sqlite,
        "SELECT live FROM _carafe_count WHERE resource = ",
    );
    counter.bind(table);
    let counted = number(connection, &counter)?;
    if live != counted {
        complaints.push(format!(
            "{table} has {live} records, but its counter says {counted}"
        ));
    }
    let (index, pending) = (format!("{table}__search"), format!("{table}__pending"));
    if exists(connection, &index)? && exists(connection, &pending)? {
        let [table_name, index, pending] = [table, &index, &pending].map(Identifier::found);
        let unknown = search_index::count_unknown(&table_name, &index, &pending);
        let unknown = number(connection, &unknown)?;
        if unknown > 0 {
            complaints.push(format!(
                "{table} has {unknown} records that its search index does not have"
            ));
        }
    }
    Ok(())
}

/// Whether the database is one of Carafe's.
pub(crate) fn has_counters(connection: &Connection) -> rusqlite::Result<bool> {
    exists(connection, "_carafe_count")
}

/// Each resource with its number of records that are not deleted, by name.
pub(crate) fn counters(connection: &Connection) -> rusqlite::Result<Vec<(String, u64)>> {
    let mut statement =
        connection.prepare("SELECT resource, live FROM _carafe_count ORDER BY resource")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?)))?;
    let rows = rows.map(|row| row.map(|(name, live)| (name, u64::try_from(live).unwrap_or(0))));
    rows.collect()
}

fn exists(connection: &Connection, table: &str) -> rusqlite::Result<bool> {
    let mut statement =
        connection.prepare("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?")?;
    statement.exists([table])
}

fn texts(connection: &Connection, text: &'static str) -> rusqlite::Result<Vec<String>> {
    let mut statement = connection.prepare(text)?;
    let lines = statement.query_map([], |row| row.get(0))?;
    lines.collect()
}
