//! Changing the type of a field: what each value becomes, in SQL.

use carafe_model::field::Field;
use carafe_model::kind::Kind;

use crate::dialect::Dialect;
use crate::statement::Statement;

/// The type that a column was made for, as far as conversion must know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Boolean,
    Integer,
    Number,
    Decimal { scale: u32 },
    Date,
    Datetime,
    Uuid,
    Text,
}

impl Form {
    /// That of a column, from the words that were noted for it; `None` where it is of no use but
    /// as it is.
    pub(crate) fn noted(kind: &str) -> Option<Self> {
        Some(match kind {
            "boolean" => Form::Boolean,
            "integer" => Form::Integer,
            "number" => Form::Number,
            "date" => Form::Date,
            "datetime" => Form::Datetime,
            "uuid" => Form::Uuid,
            "string" | "text" | "email" | "url" | "choice" => Form::Text,
            _ => Form::Decimal {
                scale: kind.strip_prefix("decimal with scale ")?.parse().ok()?,
            },
        })
    }

    fn of(kind: &Kind) -> Option<Self> {
        Some(match kind {
            Kind::Boolean => Form::Boolean,
            Kind::Integer => Form::Integer,
            Kind::Number => Form::Number,
            Kind::Decimal { scale } => Form::Decimal {
                scale: u32::from(*scale),
            },
            Kind::Date => Form::Date,
            Kind::Datetime => Form::Datetime,
            Kind::Uuid => Form::Uuid,
            Kind::String | Kind::Text | Kind::Email | Kind::Url | Kind::Choice(_) => Form::Text,
            Kind::Reference(_) | Kind::Password | Kind::Json => return None,
        })
    }

    /// The kind whose values a column holds, to read them with.
    pub(crate) fn kind(self) -> Kind {
        match self {
            Form::Boolean => Kind::Boolean,
            Form::Integer => Kind::Integer,
            Form::Number => Kind::Number,
            Form::Decimal { scale } => Kind::Decimal {
                scale: u8::try_from(scale).unwrap_or(0),
            },
            Form::Date => Kind::Date,
            Form::Datetime => Kind::Datetime,
            Form::Uuid => Kind::Uuid,
            Form::Text => Kind::Text,
        }
    }
}

/// Whether values of one form can become those of a field, and if so, from which form.
pub(crate) fn can_convert(from: Form, field: &Field) -> bool {
    let Some(to) = Form::of(&field.kind) else {
        return false;
    };
    let is_number = |form| {
        matches!(
            form,
            Form::Boolean | Form::Integer | Form::Number | Form::Decimal { .. }
        )
    };
    match (from, to) {
        (Form::Text, _) | (_, Form::Text) => true,
        // Neither tells how the other is meant.
        (Form::Number | Form::Decimal { .. }, Form::Boolean)
        | (Form::Boolean, Form::Number | Form::Decimal { .. }) => false,
        (from, to) => is_number(from) && is_number(to),
    }
}

/// The value of a column of one form as a field has it. It is known that every value fits.
pub(crate) fn write(
    sql: &mut Statement,
    column: impl Fn(&mut Statement),
    from: Form,
    field: &Field,
) {
    let Some(to) = Form::of(&field.kind) else {
        return column(sql);
    };
    match sql.dialect() {
        Dialect::Sqlite => write_sqlite(sql, column, from, to),
        Dialect::Postgres => write_postgres(sql, column, from, to),
    }
}

fn write_postgres(sql: &mut Statement, column: impl Fn(&mut Statement), from: Form, to: Form) {
    match (from, to) {
        (Form::Date, Form::Text) => around(sql, "to_char(", column, ", 'YYYY-MM-DD')"),
        (Form::Datetime, Form::Text) => around(
            sql,
            "to_char(",
            column,
            " AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')",
        ),
        (Form::Integer, Form::Boolean) => around(sql, "", column, " <> 0"),
        (Form::Boolean, Form::Integer) => around(sql, "", column, "::int::bigint"),
        (_, Form::Boolean) => around(sql, "", column, "::boolean"),
        (_, Form::Integer) => around(sql, "", column, "::bigint"),
        (_, Form::Number) => around(sql, "", column, "::double precision"),
        (_, Form::Decimal { scale }) => {
            column(sql);
            sql.push("::numeric(18,").number(scale).push(")");
        }
        (_, Form::Date) => around(sql, "", column, "::date"),
        (_, Form::Datetime) => around(sql, "", column, "::timestamp with time zone"),
        (_, Form::Uuid) => around(sql, "", column, "::uuid"),
        (_, Form::Text) => around(sql, "", column, "::text"),
    }
}

fn write_sqlite(sql: &mut Statement, column: impl Fn(&mut Statement), from: Form, to: Form) {
    match (from, to) {
        (Form::Decimal { scale: old }, Form::Decimal { scale: new }) => {
            column(sql);
            match new >= old {
                true => power(sql.push(" * "), new - old),
                false => power(sql.push(" / "), old - new),
            }
        }
        (Form::Integer, Form::Decimal { scale }) => {
            column(sql);
            power(sql.push(" * "), scale);
        }
        (Form::Decimal { scale }, Form::Integer) => {
            column(sql);
            power(sql.push(" / "), scale);
        }
        (Form::Decimal { scale }, Form::Number) => {
            around(sql, "CAST(", column, " AS REAL) / ");
            power(sql, scale);
        }
        (Form::Number, Form::Decimal { scale }) => {
            around(sql, "CAST(round(", column, " * ");
            power(sql, scale);
            sql.push(") AS INTEGER)");
        }
        (Form::Decimal { scale }, Form::Text) => decimal_text(sql, column, scale),
        (Form::Text, Form::Decimal { scale }) => decimal_value(sql, column, scale),
        (Form::Boolean, Form::Text) => around(
            sql,
            "CASE ",
            column,
            " WHEN 1 THEN 'true' WHEN 0 THEN 'false' END",
        ),
        (Form::Text, Form::Boolean) => around(sql, "(", column, " IN ('true', '1', 'on', 'yes'))"),
        (Form::Integer | Form::Number, Form::Text) => around(sql, "CAST(", column, " AS TEXT)"),
        (Form::Text | Form::Number, Form::Integer) => around(sql, "CAST(", column, " AS INTEGER)"),
        (Form::Text | Form::Integer, Form::Number) => around(sql, "CAST(", column, " AS REAL)"),
        (Form::Text, Form::Uuid) => around(sql, "lower(", column, ")"),
        // The same in SQLite.
        (_, _) => column(sql),
    }
}

/// `-1999` is `-19.99` with scale 2.
fn decimal_text(sql: &mut Statement, column: impl Fn(&mut Statement), scale: u32) {
    if scale == 0 {
        return around(sql, "CAST(", column, " AS TEXT)");
    }
    around(
        sql,
        "CASE WHEN ",
        &column,
        " IS NOT NULL THEN format('%s%d.%0",
    );
    sql.number(scale).push("d', CASE WHEN ");
    around(sql, "", &column, " < 0 THEN '-' ELSE '' END, abs(");
    around(sql, "", &column, ") / ");
    power(sql, scale);
    around(sql, ", abs(", &column, ") % ");
    power(sql, scale);
    sql.push(") END");
}

/// `-19.9` is `-1990` with scale 2: the digits, and as many zeros as are missing.
fn decimal_value(sql: &mut Statement, column: impl Fn(&mut Statement), scale: u32) {
    around(
        sql,
        "CAST(replace(",
        &column,
        ", '.', '') || substr('000000000000000000', 1, ",
    );
    sql.number(scale);
    around(
        sql,
        " - CASE instr(",
        &column,
        ", '.') WHEN 0 THEN 0 ELSE length(",
    );
    around(sql, "", &column, ") - instr(");
    around(sql, "", &column, ", '.') END) AS INTEGER)");
}

fn around(
    sql: &mut Statement,
    before: &'static str,
    column: impl Fn(&mut Statement),
    after: &'static str,
) {
    sql.push(before);
    column(sql);
    sql.push(after);
}

/// Ten to the power of `exponent`.
fn power(sql: &mut Statement, exponent: u32) {
    sql.push("1");
    for _ in 0..exponent {
        sql.push("0");
    }
}
