//! SQL text with the values that belong to it; the only place where the two meet.

use std::sync::Arc;

use carafe_model::name::Name;
use carafe_model::value::Value;

/// A statement: text made of literals and checked names only, and data that is bound.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Statement {
    text: String,
    parameters: Vec<Parameter>,
}

/// A name of ours beside a resource's: `notes__by__-created_at`. No resource can have it,
/// because their names hold no `__`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Identifier(String);

impl Identifier {
    pub(crate) fn new(name: &Name, ending: &'static str) -> Self {
        Self(format!("{name}{ending}"))
    }

    /// A name that was read from the database.
    pub(crate) fn found(name: &str) -> Self {
        Self(name.replace('"', "\"\""))
    }

    pub(crate) fn push(&mut self, mark: &'static str, part: &Name) {
        self.0.push_str("__");
        self.0.push_str(mark);
        self.0.push_str(part.as_str());
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// What is bound to a `?`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Parameter {
    Value(Value),
    /// The id that an earlier statement of the same write gave to its row.
    InsertedId,
}

impl From<Value> for Parameter {
    fn from(value: Value) -> Self {
        Parameter::Value(value)
    }
}

impl From<i64> for Parameter {
    fn from(value: i64) -> Self {
        Parameter::Value(Value::Integer(value))
    }
}

impl From<&str> for Parameter {
    fn from(value: &str) -> Self {
        Parameter::Value(Value::Text(value.to_owned()))
    }
}

impl From<Option<&str>> for Parameter {
    fn from(value: Option<&str>) -> Self {
        value.map_or(Parameter::Value(Value::Null), Parameter::from)
    }
}

/// The text of a statement whose parameters are given when it is run.
pub(crate) type Text = Arc<str>;

impl Statement {
    pub(crate) fn new(text: &'static str) -> Self {
        let mut sql = Self::default();
        sql.push(text);
        sql
    }

    pub(crate) fn push(&mut self, text: &'static str) -> &mut Self {
        self.text.push_str(text);
        self
    }

    /// A name in quotes.
    pub(crate) fn name(&mut self, name: &Name) -> &mut Self {
        self.name_with(name, "")
    }

    /// A name with an ending of ours, in quotes: `"notes__search"`.
    pub(crate) fn name_with(&mut self, name: &Name, ending: &'static str) -> &mut Self {
        self.text.push('"');
        self.text.push_str(name.as_str());
        self.text.push_str(ending);
        self.text.push('"');
        self
    }

    /// The name of an index, a trigger or a table of ours, in quotes.
    pub(crate) fn identifier(&mut self, identifier: &Identifier) -> &mut Self {
        self.text.push('"');
        self.text.push_str(&identifier.0);
        self.text.push('"');
        self
    }

    /// A name as a text in the SQL itself: `'notes'`. Names hold no quotes.
    pub(crate) fn name_text(&mut self, name: &Name) -> &mut Self {
        self.text.push('\'');
        self.text.push_str(name.as_str());
        self.text.push('\'');
        self
    }

    /// A `?` with its value.
    pub(crate) fn bind(&mut self, parameter: impl Into<Parameter>) -> &mut Self {
        self.text.push('?');
        self.parameters.push(parameter.into());
        self
    }

    /// A `?` whose value is given when the statement is run.
    pub(crate) fn hole(&mut self) -> &mut Self {
        self.push("?")
    }

    /// A value as an SQL literal, for `DEFAULT`: SQLite binds no values in the definition of a
    /// table.
    pub(crate) fn literal(&mut self, value: &Value) -> &mut Self {
        match value {
            Value::Null => self.text.push_str("NULL"),
            Value::Boolean(value) => self.text.push_str(if *value { "1" } else { "0" }),
            Value::Integer(value) => self.text.push_str(&value.to_string()),
            // The shortest decimal that reads back as the same number, and never an integer.
            Value::Number(value) => self.text.push_str(&format!("{value:?}")),
            Value::Text(value) => {
                self.text.push('\'');
                // SQL text ends at a NUL; no field lets one through.
                self.text
                    .push_str(&value.replace('\'', "''").replace('\0', ""));
                self.text.push('\'');
            }
        }
        self
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    pub(crate) fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    /// The text alone, to be run with other parameters.
    pub(crate) fn into_text(self) -> Text {
        self.text.into()
    }

    pub(crate) fn into_parts(self) -> (Text, Vec<Parameter>) {
        (self.text.into(), self.parameters)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_are_quoted() {
        let cases = [
            (Value::Null, "NULL"),
            (Value::Boolean(true), "1"),
            (Value::Integer(-7), "-7"),
            (Value::Number(1.0), "1.0"),
            (Value::Number(1e300), "1e300"),
            (Value::Text("it's; --".to_owned()), "'it''s; --'"),
        ];
        for (value, expected) in cases {
            assert_eq!(
                Statement::default().literal(&value).text(),
                expected,
                "value: {value:?}"
            );
        }
    }

    #[test]
    fn data_is_bound_in_order() {
        let mut sql = Statement::new("SELECT ");
        sql.bind(1)
            .push(", ")
            .bind("'")
            .push(", ")
            .bind(Parameter::InsertedId);
        assert_eq!(sql.text(), "SELECT ?, ?, ?");
        assert_eq!(sql.parameters().len(), 3);
    }
}
