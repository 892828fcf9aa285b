//! Values as the database keeps them, and rows of them.

/// A value of a field, owned.
///
/// How a [`Kind`](crate::kind::Kind) uses it: `decimal` is an `Integer` scaled by ten to the
/// power of its scale; `date`, `datetime`, `uuid`, `email`, `url`, `choice` and `json` are
/// `Text` in their one canonical form, so that equal values are equal texts.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Null,
    Boolean(bool),
    Integer(i64),
    /// Finite, never `-0.0`.
    Number(f64),
    Text(String),
}

impl Value {
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }

    /// Bytes of a text, 0 of anything else.
    #[must_use]
    pub fn text_bytes(&self) -> usize {
        match self {
            Value::Text(text) => text.len(),
            Value::Null | Value::Boolean(_) | Value::Integer(_) | Value::Number(_) => 0,
        }
    }

    #[must_use]
    pub fn as_cell(&self) -> Cell<'_> {
        match self {
            Value::Null => Cell::Null,
            Value::Boolean(value) => Cell::Integer(i64::from(*value)),
            Value::Integer(value) => Cell::Integer(*value),
            Value::Number(value) => Cell::Number(*value),
            Value::Text(value) => Cell::Text(value),
        }
    }
}

/// A value in a row, borrowed from the database's own memory. A boolean is `Integer` 0 or 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cell<'a> {
    Null,
    Integer(i64),
    Number(f64),
    Text(&'a str),
}

impl Cell<'_> {
    /// The cell, owned. Whether an integer is a boolean is for the field to say.
    #[must_use]
    pub fn to_value(self) -> Value {
        match self {
            Cell::Null => Value::Null,
            Cell::Integer(value) => Value::Integer(value),
            Cell::Number(value) => Value::Number(value),
            Cell::Text(value) => Value::Text(value.to_owned()),
        }
    }
}

/// A cell whose text nobody has looked at yet.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Raw<'a> {
    /// UTF-8, unless another program has stored it; see [`valid`].
    Text(&'a [u8]),
    /// Not a text.
    Other(Cell<'a>),
}

/// A row of a resource: the columns of [`column`](crate::record::column), then its fields in
/// the order of the declaration.
pub trait Row {
    /// The cell at `index`. Panics if the row has fewer.
    fn cell(&self, index: usize) -> Cell<'_>;

    /// The same for those who look at every byte of a text themselves.
    fn raw(&self, index: usize) -> Raw<'_> {
        match self.cell(index) {
            Cell::Text(text) => Raw::Text(text.as_bytes()),
            cell => Raw::Other(cell),
        }
    }
}

/// The text up to the first byte that is not UTF-8: only another program can have stored such.
#[must_use]
pub fn valid(text: &[u8]) -> &str {
    match std::str::from_utf8(text) {
        Ok(text) => text,
        Err(err) => std::str::from_utf8(&text[..err.valid_up_to()]).unwrap_or_default(),
    }
}
