//! What is in a database.

use std::collections::BTreeMap;

use carafe_model::field::Field;
use carafe_model::name::Name;
use carafe_model::resource::Resource;
use carafe_model::value::Value;

use crate::dialect::Dialect;
use crate::error::Result;
use crate::statement::Statement;
use crate::transaction::Transaction;

/// The tables, indexes and triggers that are there, and what their columns were made for.
#[derive(Debug, Default)]
pub(crate) struct Catalog {
    /// The definition of each table, index and trigger by name.
    pub(crate) objects: BTreeMap<String, Object>,
    /// The types that the columns of a resource's table were made for, by resource and field.
    pub(crate) kinds: BTreeMap<(String, String), String>,
}

#[derive(Debug)]
pub(crate) struct Object {
    /// `table`, `index` or `trigger`.
    pub(crate) kind: String,
    /// The table it belongs to.
    pub(crate) table: String,
    /// As it was written.
    pub(crate) definition: String,
}

/// A column as the database has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Column {
    pub(crate) name: String,
    /// The database's own word for its type.
    pub(crate) storage: String,
    pub(crate) not_null: bool,
    pub(crate) has_default: bool,
    pub(crate) is_primary_key: bool,
}

const SQLITE_OBJECTS: &str = "SELECT name, type, tbl_name, sql FROM sqlite_schema \
     WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'";

/// An index that was not finished, because making it was interrupted, is none.
const POSTGRES_OBJECTS: &str = "SELECT c.relname::text, \
     CASE c.relkind WHEN 'i' THEN 'index' ELSE 'table' END, coalesce(t.relname, c.relname)::text, \
     coalesce(obj_description(c.oid, 'pg_class'), '') \
     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
     LEFT JOIN pg_index i ON i.indexrelid = c.oid LEFT JOIN pg_class t ON t.oid = i.indrelid \
     WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'p', 'i', 'v', 'm', 'f') \
     AND i.indisvalid IS NOT FALSE \
     UNION ALL SELECT g.tgname::text, 'trigger', c.relname::text, \
     coalesce(obj_description(g.oid, 'pg_trigger'), '') \
     FROM pg_trigger g JOIN pg_class c ON c.oid = g.tgrelid \
     JOIN pg_namespace n ON n.oid = c.relnamespace \
     WHERE n.nspname = current_schema() AND NOT g.tgisinternal";

const SQLITE_COLUMNS: &str = "SELECT name, type, \"notnull\", dflt_value IS NOT NULL, pk > 0 \
     FROM pragma_table_info(";

const POSTGRES_COLUMNS: &str = "SELECT a.attname::text, format_type(a.atttypid, a.atttypmod), \
     a.attnotnull, a.atthasdef OR a.attidentity <> '', coalesce(a.attnum = ANY (i.indkey), FALSE) \
     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
     JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped \
     LEFT JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary \
     WHERE n.nspname = current_schema() AND c.relname = ";

impl Catalog {
    pub(crate) async fn read(tx: &mut impl Transaction) -> Result<Self> {
        let dialect = tx.dialect();
        let mut catalog = Self::default();
        let objects = Statement::new(
            dialect,
            match dialect {
                Dialect::Sqlite => SQLITE_OBJECTS,
                Dialect::Postgres => POSTGRES_OBJECTS,
            },
        );
        for row in tx.rows(&objects).await? {
            let [name, kind, table, definition] = texts(row);
            let object = Object {
                kind,
                table,
                definition,
            };
            catalog.objects.insert(name, object);
        }
        if catalog.has("_carafe_schema") {
            let kinds = Statement::new(dialect, "SELECT resource, field, kind FROM _carafe_schema");
            for row in tx.rows(&kinds).await? {
                let [resource, field, kind] = texts(row);
                catalog.kinds.insert((resource, field), kind);
            }
        }
        Ok(catalog)
    }

    /// The type that a field's column was made for.
    pub(crate) fn kind(&self, resource: &Resource, field: &Field) -> Option<&str> {
        let key = (resource.name.to_string(), field.name.to_string());
        self.kinds.get(&key).map(String::as_str)
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.objects.contains_key(name)
    }

    /// Whether the object is there with this very definition. An index names its table in it.
    pub(crate) fn has_same(&self, name: &str, statement: &Statement) -> bool {
        self.objects
            .get(name)
            .is_some_and(|object| object.definition == statement.text())
    }

    /// The indexes and triggers of a table that are ours, by their names.
    pub(crate) fn ours(&self, table: &Name, kind: &str) -> Vec<String> {
        // The part of it that is left in a name that was too long.
        let start = &table.as_str()[..table.as_str().len().min(45)];
        let ours = self.objects.iter().filter(|(name, object)| {
            object.kind == kind
                && object.table == table.as_str()
                && name.starts_with(start)
                && name[start.len()..].contains("__")
        });
        ours.map(|(name, _)| name.clone()).collect()
    }
}

/// The columns of a table, in order.
pub(crate) async fn columns(tx: &mut impl Transaction, table: &Name) -> Result<Vec<Column>> {
    let dialect = tx.dialect();
    let mut statement = match dialect {
        Dialect::Sqlite => Statement::new(dialect, SQLITE_COLUMNS),
        Dialect::Postgres => Statement::new(dialect, POSTGRES_COLUMNS),
    };
    statement
        .bind(table.as_str())
        .push_either(")", " ORDER BY a.attnum");
    let rows = tx.rows(&statement).await?;
    let is = |value: Option<&Value>| !matches!(value, Some(Value::Integer(0)) | None);
    let column = |row: Vec<Value>| {
        let flags = [2, 3, 4].map(|index| is(row.get(index)));
        let [name, storage] = texts(row);
        let [not_null, has_default, is_primary_key] = flags;
        Column {
            name,
            storage,
            not_null,
            has_default,
            is_primary_key,
        }
    };
    Ok(rows.into_iter().map(column).collect())
}

/// The first columns of a row, which are texts.
pub(crate) fn texts<const N: usize>(row: Vec<Value>) -> [String; N] {
    let mut texts = row.into_iter().map(|value| match value {
        Value::Text(text) => text,
        Value::Null | Value::Boolean(_) | Value::Integer(_) | Value::Number(_) => String::new(),
    });
    std::array::from_fn(|_| texts.next().unwrap_or_default())
}
