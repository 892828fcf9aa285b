//! What others must know of a resource before it is written: its name, its key and its fields.

use carafe_model::declaration;
use carafe_model::key::KeyKind;
use carafe_model::name::Name;
use carafe_store::inspect::{Column, Held, Relation, Table};

use super::name;

/// A table as the resource that it becomes.
pub(super) struct Outline<'t> {
    pub(super) table: &'t Table,
    pub(super) name: Name,
    pub(super) key: Name,
    pub(super) key_kind: KeyKind,
    /// The column that the key is; `None` for a key that the table does not have.
    pub(super) key_column: Option<&'t Column>,
    /// The other columns, with the names that fields for them have.
    pub(super) columns: Vec<(&'t Column, Name)>,
}

/// The outlines of tables, without views and the like.
pub(super) fn outlines(tables: &[Table]) -> Vec<Outline<'_>> {
    let tables = tables
        .iter()
        .filter(|table| table.relation == Relation::Table);
    let names = name::unique(tables.clone().map(|table| table.name.as_str()), |name| {
        declaration::resource_fault(name).is_none()
    });
    tables
        .zip(names)
        .map(|(table, name)| Outline::new(table, name))
        .collect()
}

/// Whether there can be a field for a column.
pub(super) fn has_counterpart(column: &Column) -> bool {
    column.held != Held::Unknown && !column.is_generated
}

impl<'t> Outline<'t> {
    fn new(table: &'t Table, name: Name) -> Self {
        let allowed = |name: &str| name != declaration::DELETED_AT;
        let names = name::unique(
            table.columns.iter().map(|column| column.name.as_str()),
            allowed,
        );
        let key = key(table);
        let mut key_name = None;
        let mut columns = Vec::new();
        for (column, name) in table.columns.iter().zip(names) {
            match key {
                Some((found, _)) if found.name == column.name => key_name = Some(name),
                _ => columns.push((column, name)),
            }
        }
        let taken = |name: &Name| columns.iter().any(|(_, other)| other == name);
        let key_name = key_name.unwrap_or_else(|| {
            ["id", "record_id", "key"]
                .into_iter()
                .map(str::to_owned)
                .chain((2..).map(|number| format!("id_{number}")))
                .map(|text| Name::repair(&text))
                .find(|name| !taken(name))
                .expect("one of the numbers is free")
        });
        Self {
            table,
            name,
            key: key_name,
            key_kind: key.map_or(KeyKind::Integer, |(_, kind)| kind),
            key_column: key.map(|(column, _)| column),
            columns,
        }
    }

    /// Whether there is anything to keep in its records.
    pub(super) fn is_resource(&self) -> bool {
        self.columns
            .iter()
            .any(|(column, _)| has_counterpart(column))
    }

    /// The name that the field for a column has.
    pub(super) fn field(&self, column: &str) -> Option<&Name> {
        let mut columns = self.columns.iter();
        let (column, name) = columns.find(|(known, _)| known.name == column)?;
        has_counterpart(column).then_some(name)
    }
}

/// The column of a primary key that a record can be addressed by.
fn key(table: &Table) -> Option<(&Column, KeyKind)> {
    let [name] = table.primary_key.as_slice() else {
        return None;
    };
    let column = table.column(name)?;
    let kind = match column.held {
        _ if column.is_generated => return None,
        Held::Integer => KeyKind::Integer,
        Held::Uuid => KeyKind::Uuid,
        Held::String { .. } | Held::Text | Held::Choice(_) | Held::Email | Held::Url => {
            KeyKind::String
        }
        Held::Number
        | Held::Decimal { .. }
        | Held::Boolean
        | Held::Date
        | Held::Datetime
        | Held::Json
        | Held::Password
        | Held::Reference(_)
        | Held::Unknown => return None,
    };
    Some((column, kind))
}
