//! Rows as PostgreSQL sends them, and values as it takes them.

use bytes::BytesMut;
use carafe_model::value::{Cell, Row, Value};
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};

use crate::statement::Parameter;

/// A row in the memory of the message it came in.
pub(crate) struct PostgresRow<'r>(pub(crate) &'r tokio_postgres::Row);

impl Row for PostgresRow<'_> {
    fn cell(&self, index: usize) -> Cell<'_> {
        let row = self.0;
        match *row.columns()[index].type_() {
            Type::INT8 => row
                .get::<_, Option<i64>>(index)
                .map_or(Cell::Null, Cell::Integer),
            Type::INT4 => row
                .get::<_, Option<i32>>(index)
                .map_or(Cell::Null, |value| Cell::Integer(i64::from(value))),
            Type::FLOAT8 => row
                .get::<_, Option<f64>>(index)
                .map_or(Cell::Null, Cell::Number),
            Type::BOOL => row
                .get::<_, Option<bool>>(index)
                .map_or(Cell::Null, |value| Cell::Integer(i64::from(value))),
            Type::TEXT | Type::VARCHAR | Type::NAME => row
                .get::<_, Option<&str>>(index)
                .map_or(Cell::Null, Cell::Text),
            ref other => panic!("column {index} is of type {other}, which no statement selects"),
        }
    }
}

/// A row, copied.
pub(crate) fn values(row: &tokio_postgres::Row) -> Vec<Value> {
    let cells = PostgresRow(row);
    (0..row.len())
        .map(|index| cells.cell(index).to_value())
        .collect()
}

/// A value that is bound. Statements cast it to what they need, so that its type is its own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bound<'p>(pub(crate) &'p Value);

impl Bound<'_> {
    pub(crate) fn of(parameter: &Parameter) -> Bound<'_> {
        match parameter {
            Parameter::Value(value) => Bound(value),
            // Such an id is said in the text of a statement.
            Parameter::InsertedId => Bound(&Value::Null),
        }
    }

    pub(crate) fn type_(self) -> Type {
        match self.0 {
            // Left to the cast.
            Value::Null => Type::UNKNOWN,
            Value::Boolean(_) => Type::BOOL,
            Value::Integer(_) => Type::INT8,
            Value::Number(_) => Type::FLOAT8,
            Value::Text(_) => Type::TEXT,
        }
    }
}

impl ToSql for Bound<'_> {
    fn to_sql(
        &self,
        type_: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match self.0 {
            Value::Null => Ok(IsNull::Yes),
            Value::Boolean(value) => value.to_sql(type_, out),
            Value::Integer(value) => value.to_sql(type_, out),
            Value::Number(value) => value.to_sql(type_, out),
            Value::Text(value) => value.to_sql(type_, out),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}
