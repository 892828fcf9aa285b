//! The catalogs of PostgreSQL (its documentation, chapter "System Catalogs"), of the schema that
//! is current.

use std::collections::BTreeMap;

use carafe_model::value::Value;

use crate::dialect::Dialect;
use crate::error::Result;
use crate::statement::Statement;
use crate::transaction::Transaction;

use super::read::{Kind, flag, recognise, text};
use super::table::{Column, DefaultValue, ForeignKey, Held, Index, OnDelete, Relation, Table};
use super::{check, default, held};

const RELATIONS: &str = "SELECT c.relname::text, c.relkind::text, c.relispartition, \
     EXISTS (SELECT 1 FROM pg_depend d WHERE d.classid = 'pg_class'::regclass \
     AND d.objid = c.oid AND d.deptype = 'e') \
     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
     WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'p', 'v', 'm', 'f')";

/// A domain is what it is based on.
const COLUMNS: &str = "SELECT c.relname::text, a.attname::text, CASE t.typtype \
     WHEN 'd' THEN format_type(t.typbasetype, t.typtypmod) \
     ELSE format_type(a.atttypid, a.atttypmod) END, a.attnotnull OR t.typnotnull, \
     pg_get_expr(d.adbin, d.adrelid), a.attidentity <> '', a.attgenerated <> '', \
     CASE t.typtype WHEN 'e' THEN t.oid::bigint WHEN 'd' THEN t.typbasetype::bigint END \
     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
     JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped \
     JOIN pg_type t ON t.oid = a.atttypid \
     LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum \
     WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'p') ORDER BY c.oid, a.attnum";

const LABELS: &str =
    "SELECT enumtypid::bigint, enumlabel::text FROM pg_enum ORDER BY enumtypid, enumsortorder";

/// A row for each column of an index; its name is null where it is an expression, but for the
/// hash of a column that Carafe indexes in its place.
const INDEXES: &str = "SELECT t.relname::text, i.relname::text, x.indisunique, x.indisprimary, \
     x.indpred IS NULL AND m.amname = 'btree', coalesce(a.attname::text, \
     substring(pg_get_indexdef(x.indexrelid, k.n, TRUE) FROM '^md5\\((?:\"?)([a-z0-9_]+)(?:\"?)\\)$')), \
     a.attname IS NOT NULL \
     FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_class t ON t.oid = x.indrelid \
     JOIN pg_namespace n ON n.oid = t.relnamespace JOIN pg_am m ON m.oid = i.relam \
     CROSS JOIN LATERAL generate_series(1, x.indnkeyatts::integer) AS k(n) \
     LEFT JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 \
     AND a.attnum = x.indkey[k.n - 1] \
     WHERE n.nspname = current_schema() AND x.indisvalid ORDER BY i.oid, k.n";

const FOREIGN_KEYS: &str = "SELECT t.relname::text, o.oid::bigint, CASE f.relnamespace \
     WHEN t.relnamespace THEN f.relname::text ELSE o.confrelid::regclass::text END, \
     o.confdeltype::text, a.attname::text, b.attname::text \
     FROM pg_constraint o JOIN pg_class t ON t.oid = o.conrelid \
     JOIN pg_namespace n ON n.oid = t.relnamespace JOIN pg_class f ON f.oid = o.confrelid \
     CROSS JOIN LATERAL unnest(o.conkey, o.confkey) WITH ORDINALITY AS k(own, other, n) \
     JOIN pg_attribute a ON a.attrelid = o.conrelid AND a.attnum = k.own \
     JOIN pg_attribute b ON b.attrelid = o.confrelid AND b.attnum = k.other \
     WHERE n.nspname = current_schema() AND o.contype = 'f' ORDER BY o.conname, o.oid, k.n";

const CHECKS: &str = "SELECT t.relname::text, pg_get_constraintdef(o.oid) \
     FROM pg_constraint o JOIN pg_class t ON t.oid = o.conrelid \
     JOIN pg_namespace n ON n.oid = t.relnamespace \
     WHERE n.nspname = current_schema() AND o.contype = 'c' ORDER BY o.conname, o.oid";

/// All tables of the current schema.
pub(super) async fn tables(tx: &mut impl Transaction) -> Result<Vec<Table>> {
    let mut tables = BTreeMap::new();
    for row in rows(tx, RELATIONS).await? {
        let relation = match text(&row, 1).as_deref() {
            _ if flag(&row, 3) => Relation::Extension,
            _ if flag(&row, 2) => Relation::Partition,
            Some("v" | "m") => Relation::View,
            Some("f") => Relation::Foreign,
            _ => Relation::Table,
        };
        let name = text(&row, 0).unwrap_or_default();
        tables.insert(name.clone(), Table::new(name, relation));
    }
    fill_columns(tx, &mut tables).await?;
    fill_indexes(tx, &mut tables).await?;
    fill_foreign_keys(tx, &mut tables).await?;
    for row in rows(tx, CHECKS).await? {
        let definition = text(&row, 1).unwrap_or_default();
        let Some(table) = table(&mut tables, &row) else {
            continue;
        };
        for condition in check::checks(&definition) {
            if !check::take(table, condition) {
                table.checks.push(condition.to_owned());
            }
        }
    }
    let kinds = match tables.contains_key("_carafe_schema") {
        true => rows(tx, "SELECT resource, field, kind FROM _carafe_schema").await?,
        false => Vec::new(),
    };
    let kind =
        |row: &Vec<Value>| -> Kind { [0, 1, 2].map(|index| text(row, index).unwrap_or_default()) };
    let kinds: Vec<Kind> = kinds.iter().map(kind).collect();
    let mut tables: Vec<Table> = tables.into_values().collect();
    recognise(&mut tables, &kinds);
    Ok(tables)
}

async fn rows(tx: &mut impl Transaction, text: &'static str) -> Result<Vec<Vec<Value>>> {
    tx.rows(&Statement::new(Dialect::Postgres, text)).await
}

/// The table that a row begins with, if its columns are looked at.
fn table<'t>(tables: &'t mut BTreeMap<String, Table>, row: &[Value]) -> Option<&'t mut Table> {
    let table = tables.get_mut(&text(row, 0)?)?;
    (table.relation == Relation::Table).then_some(table)
}

async fn fill_columns(
    tx: &mut impl Transaction,
    tables: &mut BTreeMap<String, Table>,
) -> Result<()> {
    let mut labels: BTreeMap<i64, Vec<String>> = BTreeMap::new();
    for row in rows(tx, LABELS).await? {
        if let (Some(Value::Integer(of)), Some(label)) = (row.first(), text(&row, 1)) {
            labels.entry(*of).or_default().push(label);
        }
    }
    for row in rows(tx, COLUMNS).await? {
        let Some(table) = table(tables, &row) else {
            continue;
        };
        let type_name = text(&row, 2).unwrap_or_default();
        let labels = match row.get(7) {
            Some(Value::Integer(of)) => labels.get(of),
            _ => None,
        };
        let (held, note) = match labels {
            Some(labels) => (Held::Choice(labels.clone()), None),
            None => held::of_postgres(&type_name),
        };
        let default = match flag(&row, 5) {
            true => DefaultValue::Given,
            false => default::read(text(&row, 4).as_deref()),
        };
        table.columns.push(Column {
            name: text(&row, 1).unwrap_or_default(),
            type_name,
            held,
            note,
            not_null: flag(&row, 3),
            default,
            is_generated: flag(&row, 6),
        });
    }
    Ok(())
}

async fn fill_indexes(
    tx: &mut impl Transaction,
    tables: &mut BTreeMap<String, Table>,
) -> Result<()> {
    for row in rows(tx, INDEXES).await? {
        let Some(table) = table(tables, &row) else {
            continue;
        };
        let (name, column) = (text(&row, 1).unwrap_or_default(), text(&row, 5));
        if flag(&row, 3) {
            table.primary_key.extend(column);
            continue;
        }
        if table.indexes.last().is_none_or(|last| last.name != name) {
            table.indexes.push(Index {
                name,
                columns: Vec::new(),
                is_unique: flag(&row, 2),
                is_plain: flag(&row, 4),
            });
        }
        if let Some(index) = table.indexes.last_mut() {
            index.columns.extend(column);
            index.is_plain &= flag(&row, 6);
        }
    }
    for table in tables.values_mut() {
        table.indexes.sort_by(|a, b| a.name.cmp(&b.name));
    }
    Ok(())
}

async fn fill_foreign_keys(
    tx: &mut impl Transaction,
    tables: &mut BTreeMap<String, Table>,
) -> Result<()> {
    let mut last = Value::Null;
    for row in rows(tx, FOREIGN_KEYS).await? {
        let Some(table) = table(tables, &row) else {
            continue;
        };
        let number = row.get(1).cloned().unwrap_or(Value::Null);
        if last != number {
            table.foreign_keys.push(ForeignKey {
                columns: Vec::new(),
                to: text(&row, 2).unwrap_or_default(),
                to_columns: Vec::new(),
                on_delete: match text(&row, 3).as_deref() {
                    Some("c") => OnDelete::Cascade,
                    Some("n") => OnDelete::SetNull,
                    Some("d") => OnDelete::SetDefault,
                    _ => OnDelete::Restrict,
                },
            });
            last = number;
        }
        if let Some(key) = table.foreign_keys.last_mut() {
            key.columns.extend(text(&row, 4));
            key.to_columns.extend(text(&row, 5));
        }
    }
    Ok(())
}
