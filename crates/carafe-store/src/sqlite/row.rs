//! Rows, read in place and copied.

use carafe_model::key::Key;
use carafe_model::kind::Kind;
use carafe_model::record::{Record, column};
use carafe_model::resource::Resource;
use carafe_model::value::{Cell, Raw, Row, Value, valid};
use rusqlite::types::ValueRef;

/// A row in SQLite's own memory.
pub(crate) struct SqliteRow<'a, 's>(pub(crate) &'a rusqlite::Row<'s>);

impl Row for SqliteRow<'_, '_> {
    fn cell(&self, index: usize) -> Cell<'_> {
        match self.raw(index) {
            Raw::Text(text) => Cell::Text(valid(text)),
            Raw::Other(cell) => cell,
        }
    }

    fn raw(&self, index: usize) -> Raw<'_> {
        match self.0.get_ref(index) {
            Ok(ValueRef::Integer(value)) => Raw::Other(Cell::Integer(value)),
            Ok(ValueRef::Real(value)) => Raw::Other(Cell::Number(value)),
            Ok(ValueRef::Text(text)) => Raw::Text(text),
            // STRICT tables hold no blobs.
            Ok(ValueRef::Null | ValueRef::Blob(_)) => Raw::Other(Cell::Null),
            Err(err) => panic!("column {index}: {err}"),
        }
    }
}

/// Copies a row.
pub(crate) fn to_record(resource: &Resource, row: &dyn Row) -> Record {
    let whole = |index| match row.cell(index) {
        Cell::Integer(value) => value,
        Cell::Null | Cell::Number(_) | Cell::Text(_) => 0,
    };
    let values = resource.fields.iter().enumerate();
    Record {
        key: Key::from_cell(row.cell(column::KEY)),
        version: whole(column::VERSION),
        id: whole(column::ID),
        deleted_at: match row.cell(column::DELETED_AT) {
            Cell::Text(text) => Some(text.to_owned()),
            Cell::Null | Cell::Integer(_) | Cell::Number(_) => None,
        },
        values: values
            .map(|(position, field)| to_value(&field.kind, row.cell(column::FIELDS + position)))
            .collect(),
    }
}

/// Copies a cell of a column of this kind.
pub(crate) fn to_value(kind: &Kind, cell: Cell<'_>) -> Value {
    match cell {
        Cell::Null => Value::Null,
        Cell::Integer(value) if *kind == Kind::Boolean => Value::Boolean(value != 0),
        Cell::Integer(value) => Value::Integer(value),
        Cell::Number(value) => Value::Number(value),
        Cell::Text(text) => Value::Text(text.to_owned()),
    }
}
