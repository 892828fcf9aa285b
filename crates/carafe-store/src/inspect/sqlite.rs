//! The catalogs of SQLite.

use carafe_model::value::Value;

use crate::dialect::Dialect;
use crate::error::Result;
use crate::statement::Statement;
use crate::transaction::Transaction;

use super::read::{Kind, flag, recognise, text};
use super::table::{Column, ForeignKey, Index, OnDelete, Relation, Table};
use super::{check, default, held};

/// Tables, views and virtual tables with their definitions. The tables in which virtual tables
/// keep what they have (`shadow`) are no tables of anybody's.
const TABLES: &str = "SELECT l.name, l.type, s.sql FROM pragma_table_list AS l \
     LEFT JOIN sqlite_schema AS s ON s.name = l.name AND s.type IN ('table', 'view') \
     WHERE l.schema = 'main' AND l.type <> 'shadow' \
     AND l.name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY l.name";

/// `hidden` is 2 or 3 for a column that is computed.
const COLUMNS: &str = "SELECT name, type, \"notnull\", dflt_value, pk, hidden > 1 \
     FROM pragma_table_xinfo(";

const FOREIGN_KEYS: &str = "SELECT id, \"table\", \"from\", \"to\", on_delete \
     FROM pragma_foreign_key_list(";

/// Without the index of the primary key; a row for each of its columns, whose name is null where
/// it is an expression.
const INDEXES: &str = "SELECT l.name, l.\"unique\", l.partial, c.name \
     FROM pragma_index_list(";

/// All tables, in the order of their names.
pub(super) async fn tables(tx: &mut impl Transaction) -> Result<Vec<Table>> {
    let mut tables = Vec::new();
    for row in tx.rows(&Statement::new(Dialect::Sqlite, TABLES)).await? {
        let name = text(&row, 0).unwrap_or_default();
        let relation = match text(&row, 1).as_deref() {
            Some("view") => Relation::View,
            Some("virtual") => Relation::Extension,
            _ => Relation::Table,
        };
        let mut table = Table::new(name, relation);
        if relation == Relation::Table {
            fill(tx, &mut table, &text(&row, 2).unwrap_or_default()).await?;
        }
        tables.push(table);
    }
    let kinds = kinds(tx, &tables).await?;
    recognise(&mut tables, &kinds);
    Ok(tables)
}

async fn kinds(tx: &mut impl Transaction, tables: &[Table]) -> Result<Vec<Kind>> {
    if !tables.iter().any(|table| table.name == "_carafe_schema") {
        return Ok(Vec::new());
    }
    let kinds = "SELECT resource, field, kind FROM _carafe_schema";
    let rows = tx.rows(&Statement::new(Dialect::Sqlite, kinds)).await?;
    let kind = |row: &Vec<Value>| [0, 1, 2].map(|index| text(row, index).unwrap_or_default());
    Ok(rows.iter().map(kind).collect())
}

async fn fill(tx: &mut impl Transaction, table: &mut Table, definition: &str) -> Result<()> {
    let mut keys = Vec::new();
    for row in of_table(tx, COLUMNS, &table.name, ")").await? {
        let name = text(&row, 0).unwrap_or_default();
        let type_name = text(&row, 1).unwrap_or_default();
        if let Some(Value::Integer(place @ 1..)) = row.get(4) {
            keys.push((*place, name.clone()));
        }
        let (held, note) = held::of_sqlite(&type_name);
        table.columns.push(Column {
            name,
            held,
            note,
            not_null: flag(&row, 2),
            default: default::read(text(&row, 3).as_deref()),
            is_generated: flag(&row, 5),
            type_name: type_name.to_lowercase(),
        });
    }
    keys.sort();
    table.primary_key = keys.into_iter().map(|(_, name)| name).collect();
    table.foreign_keys = foreign_keys(tx, &table.name).await?;
    table.indexes = indexes(tx, &table.name).await?;
    for condition in check::checks(definition) {
        if !check::take(table, condition) {
            table.checks.push(condition.to_owned());
        }
    }
    Ok(())
}

async fn foreign_keys(tx: &mut impl Transaction, table: &str) -> Result<Vec<ForeignKey>> {
    let mut found: Vec<(Value, ForeignKey)> = Vec::new();
    for mut row in of_table(tx, FOREIGN_KEYS, table, ") ORDER BY id DESC, seq").await? {
        let (to, own, other) = (text(&row, 1), text(&row, 2), text(&row, 3));
        let on_delete = match text(&row, 4).as_deref() {
            Some("CASCADE") => OnDelete::Cascade,
            Some("SET NULL") => OnDelete::SetNull,
            Some("SET DEFAULT") => OnDelete::SetDefault,
            _ => OnDelete::Restrict,
        };
        let number = row.swap_remove(0);
        if found.last().is_none_or(|(last, _)| *last != number) {
            let key = ForeignKey {
                columns: Vec::new(),
                to: to.unwrap_or_default(),
                to_columns: Vec::new(),
                on_delete,
            };
            found.push((number, key));
        }
        if let Some((_, key)) = found.last_mut() {
            key.columns.extend(own);
            // Without one, it is the primary key.
            key.to_columns.extend(other);
        }
    }
    Ok(found.into_iter().map(|(_, key)| key).collect())
}

async fn indexes(tx: &mut impl Transaction, table: &str) -> Result<Vec<Index>> {
    let columns = ") AS l JOIN pragma_index_info(l.name) AS c \
         WHERE l.origin <> 'pk' ORDER BY l.name, c.seqno";
    let mut indexes: Vec<Index> = Vec::new();
    for row in of_table(tx, INDEXES, table, columns).await? {
        let name = text(&row, 0).unwrap_or_default();
        if indexes.last().is_none_or(|last| last.name != name) {
            indexes.push(Index {
                name,
                columns: Vec::new(),
                is_unique: flag(&row, 1),
                is_plain: !flag(&row, 2),
            });
        }
        let Some(index) = indexes.last_mut() else {
            continue;
        };
        match text(&row, 3) {
            Some(column) => index.columns.push(column),
            None => index.is_plain = false,
        }
    }
    Ok(indexes)
}

/// The rows of a function of a table.
async fn of_table(
    tx: &mut impl Transaction,
    before: &'static str,
    table: &str,
    after: &'static str,
) -> Result<Vec<Vec<Value>>> {
    let mut sql = Statement::new(Dialect::Sqlite, before);
    sql.bind(table).push(after);
    tx.rows(&sql).await
}
