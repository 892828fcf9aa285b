//! A field of a resource, and the one place where a value is checked against it.

use std::borrow::Cow;

use crate::decimal;
use crate::fault::{Code, Fault};
use crate::key::{Key, KeyKind};
use crate::kind::Kind;
use crate::name::Name;
use crate::number;
use crate::time;
use crate::value::Value;

/// A field as the declaration resolves it.
#[derive(Clone, Debug)]
pub struct Field {
    pub name: Name,
    pub label: String,
    pub help: Option<String>,
    pub placeholder: Option<String>,
    /// What it was called before: its column is renamed.
    pub was: Option<Name>,
    pub kind: Kind,
    /// Null is allowed.
    pub optional: bool,
    pub default: Option<Value>,
    /// The server sets it, clients cannot.
    pub set: Option<Set>,
    /// No two records that are not deleted have the same value.
    pub unique: bool,
    /// There is an index for filters.
    pub index: bool,
    pub rules: Rules,
}

/// When the server sets a field itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Set {
    /// The time of the creation.
    Create,
    /// The time of the last change.
    Update,
}

/// The limits of a field's values.
#[derive(Clone, Debug)]
pub struct Rules {
    /// In characters (Unicode scalar values).
    pub length_min: Option<usize>,
    /// In characters (Unicode scalar values).
    pub length_max: Option<usize>,
    pub pattern: Option<Pattern>,
    /// White space at the ends is removed before anything is checked.
    pub trim: bool,
    /// Inclusive, in the form the database keeps.
    pub min: Option<Value>,
    /// Inclusive, in the form the database keeps.
    pub max: Option<Value>,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            length_min: None,
            length_max: None,
            pattern: None,
            trim: true,
            min: None,
            max: None,
        }
    }
}

/// A regular expression that runs in linear time and is valid in JSON Schema (ECMA-262) too.
/// It is searched for, not anchored, as JSON Schema's `pattern` is.
#[derive(Clone, Debug)]
pub struct Pattern {
    pub text: String,
    pub regex: regex::Regex,
}

/// One value as an input has it, before it is known what its field is.
#[derive(Clone, Debug, PartialEq)]
pub enum Raw<'a> {
    Null,
    Boolean(bool),
    /// The number as it was written.
    Number(&'a str),
    Text(Cow<'a, str>),
    /// An array or an object, as it was written.
    Compound(&'a str),
    /// Whatever JSON value stands there, as compact text: only for a `json` field.
    Json(Cow<'a, str>),
}

impl Field {
    /// Whether a record cannot be made without a value for it.
    #[must_use]
    pub fn is_required(&self) -> bool {
        !self.optional && self.default.is_none() && self.set.is_none()
    }

    /// What stands in a new record where nothing was sent, `None` where that is a fault.
    #[must_use]
    pub fn absent_value(&self) -> Option<Value> {
        match &self.default {
            Some(value) => Some(value.clone()),
            None => (self.optional || self.set.is_some()).then_some(Value::Null),
        }
    }

    /// Reads and checks a value of a JSON body. Null is returned as [`Value::Null`]; whether
    /// it is allowed depends on the method and is for the caller to say.
    ///
    /// # Errors
    ///
    /// The first rule that the value breaks.
    pub fn read(&self, raw: Raw<'_>) -> Result<Value, Fault> {
        let value = match (&self.kind, raw) {
            (_, Raw::Null) => return Ok(Value::Null),
            (Kind::Json, Raw::Json(text)) => Value::Text(text.into_owned()),
            (Kind::Boolean, Raw::Boolean(value)) => Value::Boolean(value),
            (Kind::Integer, Raw::Number(text)) => match number::integer(text) {
                Some(value) => Value::Integer(value),
                None if is_whole(text) => {
                    return Err(
                        self.fault(Code::TooLarge, "must be a whole number of at most 64 bits")
                    );
                }
                None => return Err(self.type_fault()),
            },
            (Kind::Number, Raw::Number(text)) => match number::float(text) {
                Some(value) => Value::Number(value),
                None if !number::is_number(text) => return Err(self.type_fault()),
                None => {
                    return Err(self.fault(
                        Code::TooLarge,
                        "has more digits or is larger than a 64-bit number can hold",
                    ));
                }
            },
            (Kind::Reference(reference), Raw::Number(text))
                if reference.key == KeyKind::Integer =>
            {
                match number::integer(text) {
                    Some(id) => Value::Integer(id),
                    None => return Err(self.type_fault()),
                }
            }
            (Kind::Reference(reference), Raw::Text(text)) if reference.key != KeyKind::Integer => {
                return self.read_text(&text);
            }
            (
                Kind::String
                | Kind::Text
                | Kind::Decimal { .. }
                | Kind::Date
                | Kind::Datetime
                | Kind::Email
                | Kind::Url
                | Kind::Uuid
                | Kind::Choice(_)
                | Kind::Password,
                Raw::Text(text),
            ) => {
                let empty = text.trim().is_empty();
                return match !empty
                    || matches!(self.kind, Kind::String | Kind::Text | Kind::Password)
                {
                    true => self.read_string(&text, false),
                    // Null says that there is none.
                    false => Err(self.fault(Code::Format, self.kind_words())),
                };
            }
            _ => return Err(self.type_fault()),
        };
        self.check(value)
    }

    /// Reads and checks a value written as text: an input of a form, a query parameter, a
    /// column of a file, an argument of a command. Empty text is null where text cannot be
    /// empty.
    ///
    /// # Errors
    ///
    /// The first rule that the value breaks.
    pub fn read_text(&self, text: &str) -> Result<Value, Fault> {
        let trimmed = text.trim();
        let value = match &self.kind {
            Kind::String | Kind::Text | Kind::Password => return self.read_string(text, true),
            _ if trimmed.is_empty() => return Ok(Value::Null),
            Kind::Integer | Kind::Number => return self.read(Raw::Number(trimmed)),
            Kind::Boolean => match trimmed {
                "true" | "1" | "on" | "yes" => Value::Boolean(true),
                "false" | "0" | "off" | "no" => Value::Boolean(false),
                _ => return Err(self.type_fault()),
            },
            Kind::Reference(reference) => match reference.key.parse(trimmed) {
                Some(Key::Integer(id)) => Value::Integer(id),
                Some(Key::Text(key)) => Value::Text(key),
                None => return Err(self.type_fault()),
            },
            Kind::Json => Value::Text(text.to_owned()),
            Kind::Decimal { .. }
            | Kind::Date
            | Kind::Datetime
            | Kind::Email
            | Kind::Url
            | Kind::Uuid
            | Kind::Choice(_) => {
                return self.read_string(trimmed, true);
            }
        };
        self.check(value)
    }

    fn read_string(&self, text: &str, local: bool) -> Result<Value, Fault> {
        // As browsers do with `maxlength`: white space that is trimmed away counts.
        self.check_length_max(text)?;
        let text = if self.rules.trim && self.kind != Kind::Password {
            text.trim()
        } else {
            text
        };
        let canonical = match &self.kind {
            Kind::Decimal { scale } => match decimal::parse(text, *scale) {
                Some(units) => return self.check(Value::Integer(units)),
                None => None,
            },
            Kind::Date => time::parse_date(text),
            Kind::Datetime => time::parse_datetime(text, local),
            Kind::Uuid => match KeyKind::Uuid.parse(text) {
                Some(Key::Text(uuid)) => Some(uuid),
                _ => None,
            },
            Kind::Email => is_email(text).then(|| text.to_owned()),
            Kind::Url => is_url(text).then(|| text.to_owned()),
            Kind::String
            | Kind::Text
            | Kind::Choice(_)
            | Kind::Password
            | Kind::Integer
            | Kind::Number
            | Kind::Boolean
            | Kind::Reference(_)
            | Kind::Json => Some(text.to_owned()),
        };
        match canonical {
            _ if text.is_empty() => self.check(Value::Text(String::new())),
            Some(text) => self.check(Value::Text(text)),
            None => Err(self.fault(Code::Format, self.kind_words())),
        }
    }

    /// Checks a value of the right type against the field's rules. Text that trimming left
    /// empty is [`Code::Required`] where the field is not optional, and null where it is.
    ///
    /// # Errors
    ///
    /// The first rule that the value breaks.
    pub fn check(&self, value: Value) -> Result<Value, Fault> {
        if let Value::Text(text) = &value {
            if text.is_empty() && (self.rules.trim || !self.kind.is_written_text()) {
                return if self.optional {
                    Ok(Value::Null)
                } else {
                    Err(self.required())
                };
            }
            self.check_text(text)?;
        }
        if let Some(min) = &self.rules.min
            && less(&value, min)
        {
            return Err(self.fault(
                Code::TooSmall,
                format!("must be at least {}", self.show(min)),
            ));
        }
        if let Some(max) = &self.rules.max
            && less(max, &value)
        {
            return Err(self.fault(
                Code::TooLarge,
                format!("must be at most {}", self.show(max)),
            ));
        }
        Ok(value)
    }

    fn check_text(&self, text: &str) -> Result<(), Fault> {
        if let Kind::Choice(choices) = &self.kind
            && !choices.iter().any(|choice| choice.value == text)
        {
            let values: Vec<_> = choices.iter().map(|choice| choice.value.as_str()).collect();
            return Err(self.fault(
                Code::Choice,
                format!("must be one of {}", values.join(", ")),
            ));
        }
        match &self.kind {
            Kind::String if has_control(text, &[]) => {
                return Err(self.fault(
                    Code::Character,
                    "must be one line without control characters",
                ));
            }
            Kind::Text | Kind::Password if has_control(text, &['\t', '\n', '\r']) => {
                return Err(self.fault(Code::Character, "must not have control characters"));
            }
            _ => {}
        }
        if let Some(min) = self.rules.length_min
            && text.chars().count() < min
        {
            return Err(self.fault(
                Code::TooShort,
                format!("must have at least {}", characters(min)),
            ));
        }
        self.check_length_max(text)?;
        match &self.rules.pattern {
            Some(pattern) if !pattern.regex.is_match(text) => Err(self.fault(
                Code::Pattern,
                format!("must match the pattern {}", pattern.text),
            )),
            _ => Ok(()),
        }
    }

    fn check_length_max(&self, text: &str) -> Result<(), Fault> {
        match self.rules.length_max {
            // No text has more characters than bytes.
            Some(max) if text.len() > max && text.chars().count() > max => Err(self.fault(
                Code::TooLong,
                format!("must have at most {}", characters(max)),
            )),
            _ => Ok(()),
        }
    }

    /// `Title is required`.
    #[must_use]
    pub fn required(&self) -> Fault {
        self.fault(Code::Required, "is required")
    }

    /// `Title` and what is wrong with it.
    #[must_use]
    pub fn fault(&self, code: Code, rest: impl AsRef<str>) -> Fault {
        Fault::field(
            self.name.as_str(),
            code,
            format!("{} {}", self.label, rest.as_ref()),
        )
    }

    fn type_fault(&self) -> Fault {
        self.fault(Code::Type, self.kind_words())
    }

    fn kind_words(&self) -> String {
        match &self.kind {
            Kind::String | Kind::Text | Kind::Password => "must be text".to_owned(),
            Kind::Integer => "must be a whole number".to_owned(),
            Kind::Number => "must be a number".to_owned(),
            Kind::Decimal { scale: 0 } => {
                "must be a whole number in a string, such as \"12\"".to_owned()
            }
            Kind::Decimal { scale } => {
                format!(
                    "must be a number in a string with at most {scale} digits behind the point, such as \"12.5\""
                )
            }
            Kind::Boolean => "must be true or false".to_owned(),
            Kind::Date => "must be a date, such as 2026-01-31".to_owned(),
            Kind::Datetime => {
                "must be a date and time with an offset, such as 2026-01-31T12:00:00Z".to_owned()
            }
            Kind::Email => "must be an e-mail address, such as ann@example.org".to_owned(),
            Kind::Url => "must be a web address that starts with http:// or https://".to_owned(),
            Kind::Uuid => "must be a UUID, such as 01939f3e-0b7a-7c3e-9d1b-2f6d4c5e8a10".to_owned(),
            Kind::Choice(_) => "must be text".to_owned(),
            Kind::Reference(reference) => match reference.key {
                KeyKind::Integer => format!("must be the number of a record of {}", reference.to),
                KeyKind::Uuid | KeyKind::String => {
                    format!("must be the key of a record of {}", reference.to)
                }
            },
            Kind::Json => "must be JSON".to_owned(),
        }
    }

    /// A value as people and URLs read it, without JSON's quotes.
    #[must_use]
    pub fn show(&self, value: &Value) -> String {
        match (&self.kind, value) {
            (_, Value::Null) => String::new(),
            (Kind::Decimal { scale }, Value::Integer(units)) => decimal::format(*units, *scale),
            (_, Value::Boolean(value)) => value.to_string(),
            (_, Value::Integer(value)) => value.to_string(),
            (_, Value::Number(value)) => value.to_string(),
            (_, Value::Text(value)) => value.clone(),
        }
    }
}

/// Whether `text` has a control character but those that are `allowed`.
fn has_control(text: &str, allowed: &[char]) -> bool {
    // Most texts are printable ASCII. Without a way out in the middle many bytes are compared at
    // once.
    let is_printable = |all, byte| all & (b' '..0x7f).contains(&byte);
    !text.bytes().fold(true, is_printable)
        && text
            .chars()
            .any(|c| c.is_control() && !allowed.contains(&c))
}

fn characters(count: usize) -> String {
    match count {
        1 => "1 character".to_owned(),
        _ => format!("{count} characters"),
    }
}

fn is_whole(text: &str) -> bool {
    text.strip_prefix('-')
        .unwrap_or(text)
        .bytes()
        .all(|b| b.is_ascii_digit())
}

fn less(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Integer(a), Value::Integer(b)) => a < b,
        (Value::Number(a), Value::Number(b)) => a < b,
        (Value::Text(a), Value::Text(b)) => a < b,
        _ => false,
    }
}

/// A valid e-mail address of the HTML Standard, which browsers check in the same way.
fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else {
        return false;
    };
    let local_ok = !local.is_empty()
        && local
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b".!#$%&'*+/=?^_`{|}~-".contains(&b));
    let label_ok = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    local_ok && text.len() <= 254 && domain.split('.').all(label_ok)
}

/// An absolute URI (RFC 3986) of scheme `http` or `https` with a host.
fn is_url(text: &str) -> bool {
    let lower = text.get(..8).unwrap_or(text).to_ascii_lowercase();
    let Some(start) = ["https://", "http://"]
        .iter()
        .find(|scheme| lower.starts_with(**scheme))
        .map(|s| s.len())
    else {
        return false;
    };
    let rest = &text[start..];
    let host_end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let host = rest[..host_end].rsplit('@').next().unwrap_or_default();
    let mut bytes = rest.bytes();
    while let Some(b) = bytes.next() {
        let fine = match b {
            b'%' => {
                bytes.next().is_some_and(|b| b.is_ascii_hexdigit())
                    && bytes.next().is_some_and(|b| b.is_ascii_hexdigit())
            }
            _ => b.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=".contains(&b),
        };
        if !fine {
            return false;
        }
    }
    !host.is_empty()
        && !host.starts_with(':')
        && rest.matches('#').count() <= 1
        && !rest[host_end..].contains(['[', ']'])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(kind: Kind) -> Field {
        Field {
            name: Name::parse("size").expect("a name"),
            label: "Size".to_owned(),
            help: None,
            placeholder: None,
            was: None,
            kind,
            optional: false,
            default: None,
            set: None,
            unique: false,
            index: false,
            rules: Rules::default(),
        }
    }

    fn text(text: &str) -> Raw<'_> {
        Raw::Text(text.into())
    }

    #[test]
    fn types_are_checked_strictly() {
        let cases = [
            (Kind::Integer, Raw::Number("1.0"), Ok(Value::Integer(1))),
            (Kind::Integer, text("1"), Err(Code::Type)),
            (Kind::Integer, Raw::Boolean(true), Err(Code::Type)),
            (Kind::Integer, Raw::Number("1.5"), Err(Code::Type)),
            (
                Kind::Integer,
                Raw::Number("12345678901234567890"),
                Err(Code::TooLarge),
            ),
            (Kind::Boolean, Raw::Number("1"), Err(Code::Type)),
            (
                Kind::Decimal { scale: 2 },
                Raw::Number("1.5"),
                Err(Code::Type),
            ),
            (
                Kind::Decimal { scale: 2 },
                text("1.5"),
                Ok(Value::Integer(150)),
            ),
            (Kind::String, Raw::Compound("[]"), Err(Code::Type)),
            (Kind::String, text(" a "), Ok(Value::Text("a".to_owned()))),
            (Kind::String, text("  "), Err(Code::Required)),
            (Kind::String, text("a\nb"), Err(Code::Character)),
            (Kind::Text, text("a\nb"), Ok(Value::Text("a\nb".to_owned()))),
            (Kind::Text, text("a\0b"), Err(Code::Character)),
            (Kind::Number, Raw::Number("1e400"), Err(Code::TooLarge)),
            (Kind::Date, text("2026-13-01"), Err(Code::Format)),
        ];
        for (kind, raw, expected) in cases {
            let found = field(kind.clone())
                .read(raw.clone())
                .map_err(|fault| fault.code);
            assert_eq!(found, expected, "{kind:?}: {raw:?}");
        }
    }

    #[test]
    fn lengths_count_characters() {
        let mut field = field(Kind::String);
        field.rules.length_max = Some(2);
        assert!(field.read(text("👩👩")).is_ok());
        let fault = field.read(text("abc")).expect_err("too long");
        assert_eq!(fault.message, "Size must have at most 2 characters");
    }

    #[test]
    fn addresses_are_what_browsers_take() {
        for (text, expected) in [
            ("a@b", true),
            ("a@b.c", true),
            ("a b@c", false),
            ("a@-b", false),
            ("@b", false),
            ("a@b@c", false),
        ] {
            assert_eq!(is_email(text), expected, "address: {text}");
        }
        for (text, expected) in [
            ("https://example.org/a?b#c", true),
            ("HTTP://x", true),
            ("http://[::1]:80/", true),
            ("javascript:alert(1)", false),
            ("http://", false),
            ("http:///a", false),
            ("http://a b", false),
            ("http://a/%zz", false),
            ("http://a/\u{e9}", false),
        ] {
            assert_eq!(is_url(text), expected, "URL: {text}");
        }
    }
}
