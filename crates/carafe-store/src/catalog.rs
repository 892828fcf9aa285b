//! What is in a database.

use std::collections::BTreeMap;

use carafe_model::name::Name;
use rusqlite::Connection;

use crate::error::Result;
use crate::statement::Statement;

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
    pub(crate) kind: String,
    /// The table it belongs to.
    pub(crate) table: String,
    pub(crate) definition: String,
}

/// A column as the database has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) storage: String,
    pub(crate) not_null: bool,
    pub(crate) has_default: bool,
    pub(crate) is_primary_key: bool,
}

impl Catalog {
    pub(crate) fn read(connection: &Connection) -> Result<Self> {
        let mut catalog = Self::default();
        let mut statement = connection.prepare(
            "SELECT name, type, tbl_name, sql FROM sqlite_schema \
             WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'",
        )?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let object = Object {
                kind: row.get(1)?,
                table: row.get(2)?,
                definition: row.get(3)?,
            };
            catalog.objects.insert(row.get(0)?, object);
        }
        if catalog.objects.contains_key("_carafe_schema") {
            let mut statement =
                connection.prepare("SELECT resource, field, kind FROM _carafe_schema")?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                catalog
                    .kinds
                    .insert((row.get(0)?, row.get(1)?), row.get(2)?);
            }
        }
        Ok(catalog)
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.objects.contains_key(name)
    }

    /// Whether the object is there with this very definition.
    pub(crate) fn has_same(&self, name: &str, statement: &Statement) -> bool {
        self.objects
            .get(name)
            .is_some_and(|object| object.definition == statement.text())
    }

    /// The indexes and triggers of a table that are ours, by their names.
    pub(crate) fn ours(&self, table: &Name, kind: &str) -> Vec<String> {
        let prefix = format!("{table}__");
        let ours = self.objects.iter().filter(|(name, object)| {
            object.kind == kind && object.table == table.as_str() && name.starts_with(&prefix)
        });
        ours.map(|(name, _)| name.clone()).collect()
    }
}

/// The columns of a table, in order.
pub(crate) fn columns(connection: &Connection, table: &Name) -> Result<Vec<Column>> {
    let mut statement = connection.prepare(
        "SELECT name, type, \"notnull\", dflt_value IS NOT NULL, pk > 0 FROM pragma_table_info(?)",
    )?;
    let mut rows = statement.query([table.as_str()])?;
    let mut columns = Vec::new();
    while let Some(row) = rows.next()? {
        columns.push(Column {
            name: row.get(0)?,
            storage: row.get(1)?,
            not_null: row.get(2)?,
            has_default: row.get(3)?,
            is_primary_key: row.get(4)?,
        });
    }
    Ok(columns)
}
