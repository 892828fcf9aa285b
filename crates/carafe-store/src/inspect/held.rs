//! What the types of both databases hold.

use carafe_model::decimal;

use super::table::Held;

const AS_TEXT: Option<&str> = Some("kept as text");
const NOT_EXACT: Option<&str> = Some("kept as a float, which is not exact");

/// A type without what stands in parentheses, and the numbers there: `numeric(10,2)`.
fn split(type_name: &str) -> (String, Vec<u32>) {
    let mut words = type_name.to_lowercase();
    let mut numbers = Vec::new();
    if let Some(start) = words.find('(') {
        let end = words[start..]
            .find(')')
            .map_or(words.len(), |end| start + end + 1);
        let inner = words[start..end].trim_matches(['(', ')']);
        numbers = inner
            .split(',')
            .filter_map(|number| number.trim().parse().ok())
            .collect();
        words.replace_range(start..end, " ");
    }
    let words: Vec<&str> = words.split_whitespace().collect();
    (words.join(" "), numbers)
}

fn string(numbers: &[u32]) -> Held {
    let max_length = numbers.first().copied().filter(|&length| length > 0);
    Held::String { max_length }
}

/// `numeric(p, s)`: exact where a decimal has as many digits.
fn numeric(numbers: &[u32]) -> (Held, Option<&'static str>) {
    let scale = numbers.get(1).copied().unwrap_or(0);
    match (numbers.first(), u8::try_from(scale)) {
        (Some(&digits), Ok(scale))
            if digits <= decimal::DIGITS_MAX && u32::from(scale) <= decimal::DIGITS_MAX =>
        {
            (Held::Decimal { scale }, None)
        }
        _ => (Held::Number, NOT_EXACT),
    }
}

/// The type of a column of PostgreSQL, as `format_type` writes it.
pub(super) fn of_postgres(type_name: &str) -> (Held, Option<&'static str>) {
    if type_name.ends_with("[]") {
        return (Held::Unknown, None);
    }
    let (words, numbers) = split(type_name);
    // A type of an extension in another schema has that before its name.
    let word = words.rsplit('.').next().unwrap_or(&words);
    let held = match word {
        "smallint" | "integer" | "bigint" | "oid" => Held::Integer,
        "real" | "double precision" => Held::Number,
        "numeric" => return numeric(&numbers),
        "money" => Held::Decimal { scale: 2 },
        "boolean" => Held::Boolean,
        "date" => Held::Date,
        "timestamp without time zone" | "timestamp with time zone" => Held::Datetime,
        "uuid" => Held::Uuid,
        "json" | "jsonb" => Held::Json,
        "character varying" | "character" => string(&numbers),
        "name" => string(&[63]),
        "\"char\"" => string(&[1]),
        "text" | "citext" => Held::Text,
        "xml" => return (Held::Text, AS_TEXT),
        "time without time zone"
        | "time with time zone"
        | "interval"
        | "inet"
        | "cidr"
        | "macaddr"
        | "macaddr8" => return (string(&[]), AS_TEXT),
        _ => Held::Unknown,
    };
    (held, None)
}

/// The type of a column of SQLite, as it is declared; after the names that are known, by the
/// rules of affinity (SQLite documentation, "Datatypes In SQLite", 3.1).
pub(super) fn of_sqlite(type_name: &str) -> (Held, Option<&'static str>) {
    let (words, numbers) = split(type_name);
    let held = match words.as_str() {
        "" => return (Held::Text, Some("without a type; text is a guess")),
        "boolean" | "bool" => Held::Boolean,
        "tinyint" if numbers == [1] => Held::Boolean,
        "date" => Held::Date,
        "datetime"
        | "timestamp"
        | "timestamptz"
        | "timestamp with time zone"
        | "timestamp without time zone" => Held::Datetime,
        "time" => return (string(&[]), AS_TEXT),
        "uuid" | "guid" | "uniqueidentifier" => Held::Uuid,
        "json" | "jsonb" => Held::Json,
        "decimal" | "numeric" | "dec" => return numeric(&numbers),
        "money" => Held::Decimal { scale: 2 },
        "string" => string(&numbers),
        "text" | "clob" if !numbers.is_empty() => string(&numbers),
        words if words.contains("int") => Held::Integer,
        words if words.contains("text") || words.contains("clob") => Held::Text,
        words if words.contains("char") => string(&numbers),
        words if words.contains("real") || words.contains("floa") || words.contains("doub") => {
            Held::Number
        }
        _ => Held::Unknown,
    };
    (held, None)
}

/// The type that Carafe has made a column for, as `_carafe_schema` says; what is not kept there
/// is as the column has it.
pub(super) fn of_kind(kind: &str, held: Held) -> (Held, Option<&'static str>) {
    if let Some(scale) = kind.strip_prefix("decimal with scale ") {
        let scale = scale.parse().ok();
        return (scale.map_or(held, |scale| Held::Decimal { scale }), None);
    }
    if let Some(to) = kind.strip_prefix("reference to ") {
        return (Held::Reference(to.to_owned()), None);
    }
    let held = match kind {
        "string" => string(&[]),
        "text" => Held::Text,
        "integer" => Held::Integer,
        "number" => Held::Number,
        "boolean" => Held::Boolean,
        "date" => Held::Date,
        "datetime" => Held::Datetime,
        "email" => Held::Email,
        "url" => Held::Url,
        "uuid" => Held::Uuid,
        "password" => Held::Password,
        "json" => Held::Json,
        "choice" => {
            return (
                string(&[]),
                Some("a choice, whose values the database does not have"),
            );
        }
        _ => held,
    };
    (held, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn string_of(max_length: u32) -> Held {
        Held::String {
            max_length: Some(max_length),
        }
    }

    #[test]
    fn types_of_postgres() {
        let cases = [
            ("bigint", Held::Integer),
            ("numeric(10,2)", Held::Decimal { scale: 2 }),
            ("numeric(5)", Held::Decimal { scale: 0 }),
            ("numeric(20,2)", Held::Number),
            ("numeric(5,-2)", Held::Decimal { scale: 0 }),
            ("numeric", Held::Number),
            ("timestamp(3) without time zone", Held::Datetime),
            ("character varying(20)", string_of(20)),
            ("character varying", Held::String { max_length: None }),
            ("character(3)", string_of(3)),
            ("public.citext", Held::Text),
            ("text[]", Held::Unknown),
            ("bytea", Held::Unknown),
            ("geometry(Point,4326)", Held::Unknown),
        ];
        for (type_name, expected) in cases {
            assert_eq!(of_postgres(type_name).0, expected, "type: {type_name}");
        }
    }

    #[test]
    fn types_of_sqlite() {
        let cases = [
            ("INTEGER", Held::Integer),
            ("UNSIGNED BIG INT", Held::Integer),
            ("TINYINT(1)", Held::Boolean),
            ("TINYINT", Held::Integer),
            ("VARCHAR(20)", string_of(20)),
            ("NATIVE CHARACTER ( 70 )", string_of(70)),
            ("TEXT", Held::Text),
            ("DOUBLE PRECISION", Held::Number),
            ("DECIMAL(10, 2)", Held::Decimal { scale: 2 }),
            ("DATETIME", Held::Datetime),
            ("BLOB", Held::Unknown),
            ("", Held::Text),
        ];
        for (type_name, expected) in cases {
            assert_eq!(of_sqlite(type_name).0, expected, "type: {type_name:?}");
        }
    }
}
