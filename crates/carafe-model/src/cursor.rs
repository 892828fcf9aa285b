//! A place in an ordered list that the next page starts behind, whatever comes and goes before
//! it.

use crate::record::column;
use crate::resource::{Column, Order};
use crate::value::{Row, Value};

/// Where a page of a list with cursors starts.
#[derive(Clone, Debug, PartialEq)]
pub enum Cursor {
    /// At the first record.
    Start,
    /// Behind the place that this text of a client stands for, which is still to be checked.
    Token(String),
    /// Behind the record, there or not, with these values in the columns of the order.
    After(Vec<Value>),
}

impl Cursor {
    /// The place of a row in `order`.
    #[must_use]
    pub fn behind(order: &[Order], row: &dyn Row) -> Vec<Value> {
        let cell = |step: &Order| match step.column {
            Column::Key => row.cell(column::KEY),
            Column::Field(position) => row.cell(column::FIELDS + position),
        };
        order.iter().map(|step| cell(step).to_value()).collect()
    }
}
