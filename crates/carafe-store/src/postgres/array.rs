//! The values of a column of many rows, bound as one array.

use bytes::BytesMut;
use carafe_model::key::Key;
use carafe_model::value::Value;
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};

use crate::statement::Statement;
use crate::storage::Storage;

#[derive(Debug)]
pub(crate) enum Array<'v> {
    Booleans(Vec<Option<bool>>),
    Integers(Vec<Option<i64>>),
    Numbers(Vec<Option<f64>>),
    Texts(Vec<Option<&'v str>>),
}

impl<'v> Array<'v> {
    /// The column at `position` of `rows`, as it is in memory. A value of another type is null.
    pub(crate) fn of_column(storage: Storage, rows: &'v [Vec<Value>], position: usize) -> Self {
        let values = rows.iter().map(|row| &row[position]);
        match storage {
            Storage::Boolean => Array::Booleans(values.map(boolean).collect()),
            Storage::Integer | Storage::Decimal { .. } => {
                Array::Integers(values.map(integer).collect())
            }
            Storage::Number => Array::Numbers(values.map(number).collect()),
            Storage::Text | Storage::Date | Storage::Datetime | Storage::Uuid => {
                Array::Texts(values.map(text).collect())
            }
        }
    }

    /// Keys of one kind.
    pub(crate) fn of_keys(keys: &'v [Key]) -> Self {
        match keys.first() {
            Some(Key::Text(_)) => Array::Texts(keys.iter().map(text_of).collect()),
            Some(Key::Integer(_)) | None => Array::Integers(keys.iter().map(id_of).collect()),
        }
    }

    pub(crate) fn type_(&self) -> Type {
        match self {
            Array::Booleans(_) => Type::BOOL_ARRAY,
            Array::Integers(_) => Type::INT8_ARRAY,
            Array::Numbers(_) => Type::FLOAT8_ARRAY,
            Array::Texts(_) => Type::TEXT_ARRAY,
        }
    }
}

fn text_of(key: &Key) -> Option<&str> {
    match key {
        Key::Text(text) => Some(text),
        Key::Integer(_) => None,
    }
}

fn id_of(key: &Key) -> Option<i64> {
    match key {
        Key::Integer(id) => Some(*id),
        Key::Text(_) => None,
    }
}

/// A boolean of a row is a number.
fn boolean(value: &Value) -> Option<bool> {
    match value {
        Value::Boolean(value) => Some(*value),
        Value::Integer(value) => Some(*value != 0),
        Value::Null | Value::Number(_) | Value::Text(_) => None,
    }
}

fn integer(value: &Value) -> Option<i64> {
    match value {
        Value::Integer(value) => Some(*value),
        Value::Null | Value::Boolean(_) | Value::Number(_) | Value::Text(_) => None,
    }
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(value) => Some(*value),
        Value::Null | Value::Boolean(_) | Value::Integer(_) | Value::Text(_) => None,
    }
}

fn text(value: &Value) -> Option<&str> {
    match value {
        Value::Text(text) => Some(text),
        Value::Null | Value::Boolean(_) | Value::Integer(_) | Value::Number(_) => None,
    }
}

/// Selects rows whose columns are bound as arrays, in their order, each converted into its
/// column's type and by a cast of its own.
pub(crate) fn select(sql: &mut Statement, columns: &[(Storage, &'static str)]) {
    sql.push("SELECT ");
    for (number, (storage, cast)) in (1..).zip(columns) {
        sql.push(if number == 1 { "c" } else { ", c" })
            .number(number);
        storage.write_cast(sql);
        sql.push(cast);
    }
    sql.push(" FROM unnest(");
    for (number, (storage, _)) in (1..).zip(columns) {
        sql.push(if number == 1 { "" } else { ", " })
            .array_hole(number, *storage);
    }
    sql.push(") AS moved (");
    for number in (1..).take(columns.len()) {
        sql.push(if number == 1 { "c" } else { ", c" })
            .number(number);
    }
    sql.push(")");
}

impl ToSql for Array<'_> {
    fn to_sql(
        &self,
        type_: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match self {
            Array::Booleans(values) => values.to_sql(type_, out),
            Array::Integers(values) => values.to_sql(type_, out),
            Array::Numbers(values) => values.to_sql(type_, out),
            Array::Texts(values) => values.to_sql(type_, out),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}
