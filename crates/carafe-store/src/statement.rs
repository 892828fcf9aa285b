//! SQL text with the values that belong to it; the only place where the two meet.

use std::sync::Arc;

use carafe_model::name::Name;
use carafe_model::value::Value;

use crate::dialect::Dialect;
use crate::storage::Storage;

/// A statement: text made of literals, numbers and checked names only, and data that is bound.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Statement {
    dialect: Dialect,
    text: String,
    parameters: Vec<Parameter>,
}

/// A name of ours beside a resource's: `notes__by__-created_at`. No resource can have it,
/// because their names hold no `__`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Identifier(String);

/// Bytes of a name in PostgreSQL (`NAMEDATALEN - 1`), which cuts longer ones off.
const POSTGRES_NAME_BYTES_MAX: usize = 63;

impl Identifier {
    pub(crate) fn new(dialect: Dialect, name: &Name, ending: &'static str) -> Self {
        Self::of(dialect, format!("{name}{ending}"))
    }

    /// A name and an ending with parts of marks and names behind it.
    pub(crate) fn with_parts<'n>(
        dialect: Dialect,
        name: &Name,
        ending: &'static str,
        parts: impl IntoIterator<Item = (&'static str, &'n Name)>,
    ) -> Self {
        let mut text = format!("{name}{ending}");
        for (mark, part) in parts {
            text.push_str("__");
            text.push_str(mark);
            text.push_str(part.as_str());
        }
        Self::of(dialect, text)
    }

    /// Names that are too long for PostgreSQL end in a hash of what is cut off.
    fn of(dialect: Dialect, text: String) -> Self {
        if dialect == Dialect::Sqlite || text.len() <= POSTGRES_NAME_BYTES_MAX {
            return Self(text);
        }
        // FNV-1a: the same in every version of the program.
        let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        // Names are ASCII.
        Self(format!(
            "{}__{hash:016x}",
            &text[..POSTGRES_NAME_BYTES_MAX - 18]
        ))
    }

    /// A name that was read from the database, where others can have given any.
    pub(crate) fn found(name: &str) -> Self {
        Self(name.to_owned())
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
    pub(crate) fn new(dialect: Dialect, text: &'static str) -> Self {
        let mut sql = Self {
            dialect,
            text: String::new(),
            parameters: Vec::new(),
        };
        sql.push(text);
        sql
    }

    pub(crate) fn dialect(&self) -> Dialect {
        self.dialect
    }

    pub(crate) fn push(&mut self, text: &'static str) -> &mut Self {
        self.text.push_str(text);
        self
    }

    /// What the two dialects write differently.
    pub(crate) fn push_either(
        &mut self,
        sqlite: &'static str,
        postgres: &'static str,
    ) -> &mut Self {
        self.push(match self.dialect {
            Dialect::Sqlite => sqlite,
            Dialect::Postgres => postgres,
        })
    }

    /// A whole number in the text itself.
    pub(crate) fn number(&mut self, number: u32) -> &mut Self {
        self.text.push_str(&number.to_string());
        self
    }

    /// A name in quotes; it holds none.
    pub(crate) fn name(&mut self, name: &Name) -> &mut Self {
        self.quoted(name.as_str())
    }

    /// A name with an ending of ours, in quotes: `"notes__search"`.
    pub(crate) fn name_with(&mut self, name: &Name, ending: &'static str) -> &mut Self {
        let identifier = Identifier::new(self.dialect, name, ending);
        self.identifier(&identifier)
    }

    /// The name of an index, a trigger or a table of ours, in quotes.
    pub(crate) fn identifier(&mut self, identifier: &Identifier) -> &mut Self {
        self.quoted(&identifier.0.replace('"', "\"\""))
    }

    /// Text without quotes, or with each of them twice.
    fn quoted(&mut self, text: &str) -> &mut Self {
        self.text.push('"');
        self.text.push_str(text);
        self.text.push('"');
        self
    }

    /// A name as a text in the SQL itself: `'notes'`. It holds no quotes.
    pub(crate) fn name_text(&mut self, name: &Name) -> &mut Self {
        self.text.push('\'');
        self.text.push_str(name.as_str());
        self.text.push('\'');
        self
    }

    /// A place for a value of ours, with the value.
    pub(crate) fn bind(&mut self, parameter: impl Into<Parameter>) -> &mut Self {
        let parameter = parameter.into();
        if self.dialect == Dialect::Postgres
            && let Parameter::Value(value) = &parameter
        {
            let storage = match value {
                // The type of a null that is bound would have to be guessed.
                Value::Null => return self.push("NULL"),
                Value::Boolean(_) => Storage::Boolean,
                Value::Integer(_) => Storage::Integer,
                Value::Number(_) => Storage::Number,
                Value::Text(_) => Storage::Text,
            };
            return self.bind_as(storage, parameter);
        }
        self.parameters.push(parameter);
        self.place()
    }

    /// A place for a value of a column, with the value.
    pub(crate) fn bind_as(
        &mut self,
        storage: Storage,
        parameter: impl Into<Parameter>,
    ) -> &mut Self {
        let parameter = match (storage, parameter.into()) {
            // As a row has it.
            (Storage::Boolean, Parameter::Value(Value::Integer(value))) => {
                Parameter::Value(Value::Boolean(value != 0))
            }
            (_, parameter) => parameter,
        };
        self.parameters.push(parameter);
        self.place();
        storage.write_cast(self);
        self
    }

    /// A place for the value of a column that is given when the statement is run. A statement
    /// has either such places or bound values.
    pub(crate) fn hole(&mut self, number: usize, storage: Storage) -> &mut Self {
        self.text.push(match self.dialect {
            Dialect::Sqlite => '?',
            Dialect::Postgres => '$',
        });
        self.text.push_str(&number.to_string());
        storage.write_cast(self);
        self
    }

    /// A place for the values of a column of many rows, in PostgreSQL: an array of them as they
    /// are in memory.
    pub(crate) fn array_hole(&mut self, number: usize, storage: Storage) -> &mut Self {
        self.text.push('$');
        self.text.push_str(&number.to_string());
        self.push(match storage {
            Storage::Boolean => "::boolean[]",
            Storage::Integer | Storage::Decimal { .. } => "::bigint[]",
            Storage::Number => "::double precision[]",
            Storage::Text | Storage::Date | Storage::Datetime | Storage::Uuid => "::text[]",
        })
    }

    /// `?`, or `$7`.
    fn place(&mut self) -> &mut Self {
        match self.dialect {
            Dialect::Sqlite => self.text.push('?'),
            Dialect::Postgres => {
                self.text.push('$');
                self.text.push_str(&self.parameters.len().to_string());
            }
        }
        self
    }

    /// A value as an SQL literal, where values cannot be bound: in the definition of a table.
    pub(crate) fn literal(&mut self, value: &Value) -> &mut Self {
        match value {
            Value::Null => self.text.push_str("NULL"),
            Value::Boolean(value) => self.text.push_str(match (self.dialect, *value) {
                (Dialect::Sqlite, true) => "1",
                (Dialect::Sqlite, false) => "0",
                (Dialect::Postgres, true) => "TRUE",
                (Dialect::Postgres, false) => "FALSE",
            }),
            Value::Integer(value) => self.text.push_str(&value.to_string()),
            // The shortest decimal that reads back as the same number, and never an integer.
            Value::Number(value) => self.text.push_str(&format!("{value:?}")),
            Value::Text(value) => {
                // A backslash means itself in both, as `standard_conforming_strings` is on.
                self.text.push('\'');
                // SQL text ends at a NUL; no field lets one through.
                self.text
                    .push_str(&value.replace('\'', "''").replace('\0', ""));
                self.text.push('\'');
            }
        }
        self
    }

    /// A value of a column as an SQL literal.
    pub(crate) fn literal_as(&mut self, storage: Storage, value: &Value) -> &mut Self {
        match (self.dialect, storage) {
            (Dialect::Postgres, Storage::Decimal { .. }) => {
                self.text.push('(');
                self.literal(value);
                storage.write_cast(self);
                self.text.push(')');
            }
            (Dialect::Postgres, Storage::Date | Storage::Datetime | Storage::Uuid) => {
                self.literal(value);
                storage.write_cast(self);
            }
            _ => {
                self.literal(value);
            }
        }
        self
    }

    /// A definition of an index that others need not wait for.
    pub(crate) fn concurrently(&self) -> Self {
        Self {
            text: self.text.replacen(" INDEX ", " INDEX CONCURRENTLY ", 1),
            ..self.clone()
        }
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
                Statement::new(Dialect::Sqlite, "").literal(&value).text(),
                expected,
                "value: {value:?}"
            );
        }
    }

    #[test]
    fn data_is_bound_in_order() {
        let [sqlite, postgres] = Dialect::ALL.map(|dialect| {
            let mut sql = Statement::new(dialect, "SELECT ");
            sql.bind(1)
                .push(", ")
                .bind("'")
                .push(", ")
                .bind_as(Storage::Decimal { scale: 2 }, 199);
            sql
        });
        assert_eq!(sqlite.text(), "SELECT ?, ?, ?");
        assert_eq!(
            postgres.text(),
            "SELECT $1::bigint, $2::text, $3::bigint * 1e-2"
        );
        assert_eq!(sqlite.parameters(), postgres.parameters());
    }

    #[test]
    fn long_names_stay_apart_in_postgres() {
        let name = Name::parse(&"n".repeat(60)).expect("a name");
        let [one, other] =
            ["__by", "__history"].map(|ending| Identifier::new(Dialect::Postgres, &name, ending));
        assert_ne!(one, other);
        assert!(one.as_str().len() <= POSTGRES_NAME_BYTES_MAX);
        assert_eq!(
            Identifier::new(Dialect::Sqlite, &name, "__by")
                .as_str()
                .len(),
            64
        );
    }
}
