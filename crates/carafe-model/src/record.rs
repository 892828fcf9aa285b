//! A record, read.

use crate::key::Key;
use crate::kind::Kind;
use crate::resource::Resource;
use crate::value::{Cell, Row, Value};

/// Positions of the columns that every row of a resource starts with; its fields follow in the
/// order of the declaration.
pub mod column {
    /// The key as clients know it.
    pub const KEY: usize = 0;
    /// 1 at creation, one more with each change.
    pub const VERSION: usize = 1;
    /// The database's own number of the row, never used twice; equal to an integer key.
    pub const ID: usize = 2;
    /// When it was deleted softly, null while it is not.
    pub const DELETED_AT: usize = 3;
    /// The first field.
    pub const FIELDS: usize = 4;
}

/// A record as the database has it, owned.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    pub key: Key,
    pub version: i64,
    pub id: i64,
    pub deleted_at: Option<String>,
    /// In the order of the resource's fields.
    pub values: Vec<Value>,
}

impl Record {
    /// Copies a row of `resource`.
    #[must_use]
    pub fn from_row(resource: &Resource, row: &dyn Row) -> Self {
        let integer = |index| match row.cell(index) {
            Cell::Integer(value) => value,
            Cell::Null | Cell::Number(_) | Cell::Text(_) => {
                panic!("the column {index} is an integer")
            }
        };
        let values = resource.fields.iter().enumerate().map(|(position, field)| {
            match (row.cell(column::FIELDS + position), &field.kind) {
                (Cell::Integer(value), Kind::Boolean) => Value::Boolean(value != 0),
                (cell, _) => cell.to_value(),
            }
        });
        Self {
            key: Key::from_cell(row.cell(column::KEY)),
            version: integer(column::VERSION),
            id: integer(column::ID),
            deleted_at: match row.cell(column::DELETED_AT) {
                Cell::Text(at) => Some(at.to_owned()),
                Cell::Null | Cell::Integer(_) | Cell::Number(_) => None,
            },
            values: values.collect(),
        }
    }
}

impl Row for Record {
    fn cell(&self, index: usize) -> Cell<'_> {
        match index {
            column::KEY => self.key.as_cell(),
            column::VERSION => Cell::Integer(self.version),
            column::ID => Cell::Integer(self.id),
            column::DELETED_AT => self.deleted_at.as_deref().map_or(Cell::Null, Cell::Text),
            _ => self.values[index - column::FIELDS].as_cell(),
        }
    }
}
