//! How a database keeps the values of a field, and how they pass through SQL.
//!
//! In memory a value is an integer, a number, a boolean or a text
//! ([`Value`](carafe_model::value::Value)); SQLite keeps just those. PostgreSQL has types of
//! its own for times, exact decimals and UUIDs, which other programs on the same database
//! expect to find: a column is of that type there, and every statement converts as it reads
//! and binds.

use carafe_model::field::Field;
use carafe_model::key::KeyKind;
use carafe_model::kind::Kind;
use carafe_model::resource::{Column, Resource};

use crate::dialect::Dialect;
use crate::statement::Statement;

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Storage {
    Boolean,
    Integer,
    Number,
    /// An integer scaled by ten to the power of `scale` in memory and in SQLite, `numeric` in
    /// PostgreSQL.
    Decimal {
        scale: u32,
    },
    Text,
    /// `YYYY-MM-DD` in memory and in SQLite.
    Date,
    /// `YYYY-MM-DDTHH:MM:SS.ffffffZ` in memory and in SQLite.
    Datetime,
    /// In canonical small letters in memory and in SQLite.
    Uuid,
}

impl Storage {
    pub(crate) fn of(field: &Field) -> Self {
        Self::of_kind(&field.kind)
    }

    pub(crate) fn of_kind(kind: &Kind) -> Self {
        match kind {
            Kind::Boolean => Storage::Boolean,
            Kind::Integer => Storage::Integer,
            Kind::Decimal { scale } => Storage::Decimal {
                scale: u32::from(*scale),
            },
            Kind::Number => Storage::Number,
            Kind::Reference(reference) => Self::of_key(reference.key),
            Kind::Date => Storage::Date,
            Kind::Datetime => Storage::Datetime,
            Kind::Uuid => Storage::Uuid,
            Kind::String
            | Kind::Text
            | Kind::Email
            | Kind::Url
            | Kind::Choice(_)
            | Kind::Password
            | Kind::Json => Storage::Text,
        }
    }

    pub(crate) fn of_key(key: KeyKind) -> Self {
        match key {
            KeyKind::Integer => Storage::Integer,
            KeyKind::Uuid => Storage::Uuid,
            KeyKind::String => Storage::Text,
        }
    }

    pub(crate) fn of_column(resource: &Resource, column: Column) -> Self {
        match column {
            Column::Key => Self::of_key(resource.key.kind),
            Column::Field(position) => Self::of(&resource.fields[position]),
        }
    }

    /// The type of a column, in a STRICT table where it is SQLite's. Texts of PostgreSQL are
    /// ordered by code point, as in SQLite.
    pub(crate) fn write_type(self, sql: &mut Statement) {
        match (sql.dialect(), self) {
            (Dialect::Sqlite, Storage::Boolean | Storage::Integer | Storage::Decimal { .. }) => {
                sql.push("INTEGER")
            }
            (Dialect::Sqlite, Storage::Number) => sql.push("REAL"),
            (
                Dialect::Sqlite,
                Storage::Text | Storage::Date | Storage::Datetime | Storage::Uuid,
            ) => sql.push("TEXT"),
            (Dialect::Postgres, Storage::Boolean) => sql.push("boolean"),
            (Dialect::Postgres, Storage::Integer) => sql.push("bigint"),
            (Dialect::Postgres, Storage::Number) => sql.push("double precision"),
            (Dialect::Postgres, Storage::Decimal { scale }) => {
                sql.push("numeric(18,").number(scale).push(")")
            }
            (Dialect::Postgres, Storage::Text) => sql.push("text COLLATE \"C\""),
            (Dialect::Postgres, Storage::Date) => sql.push("date"),
            (Dialect::Postgres, Storage::Datetime) => sql.push("timestamp with time zone"),
            (Dialect::Postgres, Storage::Uuid) => sql.push("uuid"),
        };
    }

    /// The database's own word for the type.
    pub(crate) fn type_name(self, dialect: Dialect) -> String {
        let mut sql = Statement::new(dialect, "");
        self.write_type(&mut sql);
        sql.text().trim_end_matches(" COLLATE \"C\"").to_owned()
    }

    /// An expression of the column's type as it is in memory.
    pub(crate) fn write_conversion(
        self,
        sql: &mut Statement,
        expression: impl FnOnce(&mut Statement),
    ) {
        let (before, after) = match (sql.dialect(), self) {
            (Dialect::Postgres, Storage::Decimal { scale }) => {
                sql.push("(");
                expression(sql);
                sql.push(" * 1e").number(scale).push(")::bigint");
                return;
            }
            (Dialect::Postgres, Storage::Date) => ("to_char(", ", 'YYYY-MM-DD')"),
            (Dialect::Postgres, Storage::Datetime) => (
                "to_char(",
                " AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')",
            ),
            (Dialect::Postgres, Storage::Uuid) => ("", "::text"),
            (
                Dialect::Postgres,
                Storage::Boolean | Storage::Integer | Storage::Number | Storage::Text,
            )
            | (Dialect::Sqlite, _) => ("", ""),
        };
        sql.push(before);
        expression(sql);
        sql.push(after);
    }

    /// What turns a value, as the statement has it bound, into the column's type.
    pub(crate) fn write_cast(self, sql: &mut Statement) {
        if sql.dialect() == Dialect::Sqlite {
            return;
        }
        match self {
            Storage::Boolean => sql.push("::boolean"),
            Storage::Integer => sql.push("::bigint"),
            Storage::Number => sql.push("::double precision"),
            Storage::Decimal { scale } => sql.push("::bigint * 1e-").number(scale),
            Storage::Text => sql.push("::text"),
            Storage::Date => sql.push("::text::date"),
            Storage::Datetime => sql.push("::text::timestamp with time zone"),
            Storage::Uuid => sql.push("::text::uuid"),
        };
    }
}
