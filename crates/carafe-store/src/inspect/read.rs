//! Reading the catalogs of a database as it is: nothing is made or changed.

use std::path::Path;

use carafe_model::decimal;
use carafe_model::value::Value;

use crate::database::Options;
use crate::error::{Cause, Error, Result};
use crate::postgres::database::Postgres;
use crate::sqlite::connection::{self, Place};
use crate::sqlite::read::snapshot;
use crate::sqlite::transaction::{SqliteTransaction, now};

use super::held;
use super::table::{DefaultValue, Held, Table};
use super::token::{TokenKind, bare};
use super::{postgres, sqlite};

/// The tables of a database, by name: all of a SQLite file, or those of the schema that is
/// current in PostgreSQL. `url` is as for [`Database::open`](crate::store::Database::open).
///
/// Tables of Carafe's own are left out, and so are their columns that begin with `_`.
///
/// # Errors
///
/// `Unavailable` or `Other`; a file that is not there is no database, and is not made.
pub async fn tables(url: &str) -> Result<Vec<Table>> {
    let mut tables = if Postgres::is_url(url) {
        let database = Postgres::open(url, Options::default())?;
        let tables = database.read_only(async |tx| postgres::tables(tx).await);
        let tables = tables.await;
        database.close().await;
        tables?
    } else {
        let Some(Place::File(path)) = Place::parse(url) else {
            let text = format!("{url:?} is neither a file of SQLite nor a database of PostgreSQL");
            return Err(Error::Unavailable(Cause::from(text)));
        };
        let read = tokio::task::spawn_blocking(move || of_file(&path)).await;
        read.map_err(|err| Error::Other(Box::new(err)))??
    };
    tables.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(tables)
}

fn of_file(path: &Path) -> Result<Vec<Table>> {
    let connection = connection::reader(path)?;
    snapshot(&connection, || {
        now(sqlite::tables(&mut SqliteTransaction(&connection)))
    })
}

/// A row of `_carafe_schema`: resource, field and kind.
pub(super) type Kind = [String; 3];

/// Makes of tables that Carafe has made what their declaration said, as far as the database
/// knows it.
pub(super) fn recognise(tables: &mut Vec<Table>, kinds: &[Kind]) {
    if !tables.iter().any(|table| table.name == "_carafe_schema") {
        return;
    }
    let histories: Vec<String> = tables
        .iter()
        .filter_map(|table| table.name.strip_suffix("__history").map(str::to_owned))
        .collect();
    tables.retain(|table| !table.name.starts_with("_carafe") && !table.name.contains("__"));
    for table in tables {
        let kinds = || {
            kinds
                .iter()
                .filter(|[resource, ..]| *resource == table.name)
        };
        if kinds().next().is_none() || table.column("_version").is_none() {
            continue;
        }
        for [_, field, kind] in kinds() {
            let column = table
                .columns
                .iter_mut()
                .find(|column| column.name == *field);
            if let Some(column) = column {
                (column.held, column.note) = held::of_kind(kind, column.held.clone());
                column.default = scaled(&column.held, column.default.clone());
            }
        }
        table.has_history = histories.contains(&table.name);
        recognise_table(table);
    }
}

/// The default of a decimal, which Carafe writes in units of the last digit: `150` in SQLite,
/// `150 * 1e-2` in PostgreSQL.
fn scaled(held: &Held, default: DefaultValue) -> DefaultValue {
    let (Held::Decimal { scale }, DefaultValue::Literal(text) | DefaultValue::Expression(text)) =
        (held, &default)
    else {
        return default;
    };
    let units = match bare(text).as_slice() {
        [TokenKind::Symbol('-'), TokenKind::Number(units), ..] => format!("-{units}"),
        [TokenKind::Number(units) | TokenKind::Text(units), ..] => units.clone(),
        _ => return default,
    };
    match units.parse() {
        Ok(units) => DefaultValue::Literal(decimal::format(units, *scale)),
        Err(_) => default,
    }
}

fn recognise_table(table: &mut Table) {
    table.is_ours = true;
    table.is_soft = table.column("_deleted_at").is_some();
    table.columns.retain(|column| !column.name.starts_with('_'));
    let key = format!("{}__key", table.name);
    if let Some(key) = table.indexes.iter().find(|index| index.name == key) {
        table.primary_key.clone_from(&key.columns);
    }
    let declared = [
        format!("{}__unique__", table.name),
        format!("{}__index__", table.name),
    ];
    table.indexes.retain(|index| {
        declared
            .iter()
            .any(|start| index.name.starts_with(start.as_str()))
    });
    // Its condition is that a row is not deleted.
    for index in &mut table.indexes {
        index.is_plain = !index.columns.is_empty();
    }
    table.checks.clear();
}

/// The text in a column of a row, `None` for null.
pub(super) fn text(row: &[Value], index: usize) -> Option<String> {
    match row.get(index) {
        Some(Value::Text(text)) => Some(text.clone()),
        Some(Value::Null | Value::Boolean(_) | Value::Integer(_) | Value::Number(_)) | None => None,
    }
}

/// Whether a column of a row is true.
pub(super) fn flag(row: &[Value], index: usize) -> bool {
    matches!(row.get(index), Some(Value::Integer(value)) if *value != 0)
}
