//! A record, read.

use crate::key::Key;
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
