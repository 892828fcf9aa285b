//! Values as TOML.

use carafe_model::key::KeyKind;
use carafe_model::{decimal, number, time};
use carafe_store::inspect::Held;

/// A default value of a field, as TOML; `None` where a field of that type cannot have it.
pub(super) fn default(held: &Held, text: &str) -> Option<String> {
    match held {
        Held::Integer => number::integer(text).map(|value| value.to_string()),
        Held::Number => {
            let value = number::float(text)?;
            Some(format!("{value:?}"))
        }
        Held::Decimal { scale } => {
            let units = decimal::parse(text, *scale)?;
            Some(quoted(&decimal::format(units, *scale)))
        }
        Held::Boolean => match text.to_ascii_lowercase().as_str() {
            "true" | "t" | "1" => Some("true".to_owned()),
            "false" | "f" | "0" => Some("false".to_owned()),
            _ => None,
        },
        Held::Date => time::parse_date(text).map(|date| quoted(&date)),
        Held::Datetime => time::parse_datetime(text, true).map(|moment| quoted(&moment)),
        Held::Uuid => KeyKind::Uuid
            .parse(text)
            .map(|uuid| quoted(&uuid.to_string())),
        Held::Json => json(&serde_json::from_str(text).ok()?),
        Held::String { max_length } => {
            let fits = max_length.is_none_or(|max| text.chars().count() <= max as usize);
            (fits && is_line(text)).then(|| quoted(text))
        }
        Held::Text => {
            let is_plain = |c: char| !c.is_control() || matches!(c, '\t' | '\n' | '\r');
            (is_trimmed(text) && text.chars().all(is_plain)).then(|| quoted(text))
        }
        Held::Choice(values) => {
            let known = values.iter().any(|value| value == text);
            known.then(|| quoted(text))
        }
        Held::Email | Held::Url | Held::Password | Held::Reference(_) | Held::Unknown => None,
    }
}

/// A text that is one line, and neither empty nor with white space at its ends.
pub(super) fn is_line(text: &str) -> bool {
    is_trimmed(text) && !text.chars().any(char::is_control)
}

fn is_trimmed(text: &str) -> bool {
    !text.is_empty() && text.trim() == text
}

/// A JSON value as TOML, which has no null and no numbers beyond 64 bits.
fn json(value: &serde_json::Value) -> Option<String> {
    Some(match value {
        serde_json::Value::Null => return None,
        serde_json::Value::Bool(value) => value.to_string(),
        serde_json::Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(value), _) => value.to_string(),
            (None, Some(value)) => format!("{value:?}"),
            (None, None) => return None,
        },
        serde_json::Value::String(text) => quoted(text),
        serde_json::Value::Array(values) => {
            let values: Vec<String> = values.iter().map(json).collect::<Option<_>>()?;
            format!("[{}]", values.join(", "))
        }
        serde_json::Value::Object(members) => {
            let members = members
                .iter()
                .map(|(name, value)| Some(format!("{} = {}", quoted(name), json(value)?)));
            let members: Vec<String> = members.collect::<Option<_>>()?;
            match members.is_empty() {
                true => "{}".to_owned(),
                false => format!("{{ {} }}", members.join(", ")),
            }
        }
    })
}

/// A basic string (TOML 1.0, "String").
pub(super) fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            c if c.is_control() => quoted.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// `["a", "b"]`
pub(super) fn list<'t>(texts: impl Iterator<Item = &'t str>) -> String {
    let texts: Vec<String> = texts.map(quoted).collect();
    format!("[{}]", texts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_values_of_their_type() {
        let cases = [
            (Held::Integer, "-7", Some("-7")),
            (Held::Integer, "7.5", None),
            (Held::Number, "1", Some("1.0")),
            (Held::Number, "1e300", Some("1e300")),
            (Held::Decimal { scale: 2 }, "0", Some("\"0.00\"")),
            (Held::Decimal { scale: 2 }, "0.005", None),
            (Held::Boolean, "1", Some("true")),
            (Held::Boolean, "f", Some("false")),
            (Held::Boolean, "maybe", None),
            (Held::Date, "2026-01-31", Some("\"2026-01-31\"")),
            (Held::Date, "infinity", None),
            (
                Held::Datetime,
                "2026-01-31 12:00:00",
                Some("\"2026-01-31T12:00:00.000000Z\""),
            ),
            (Held::Json, "{}", Some("{}")),
            (
                Held::Json,
                r#"{"a b": [1, true, "x"]}"#,
                Some(r#"{ "a b" = [1, true, "x"] }"#),
            ),
            (Held::Json, "null", None),
            (Held::Text, "it's \"so\"", Some(r#""it's \"so\"""#)),
            (Held::Text, "", None),
            (
                Held::String {
                    max_length: Some(2),
                },
                "abc",
                None,
            ),
            (Held::Choice(vec!["a".to_owned()]), "a", Some("\"a\"")),
            (Held::Choice(vec!["a".to_owned()]), "b", None),
        ];
        for (held, text, expected) in cases {
            assert_eq!(
                default(&held, text).as_deref(),
                expected,
                "{held:?}: {text:?}"
            );
        }
    }
}
