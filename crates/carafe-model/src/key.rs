//! How a record is addressed.

use std::fmt;

use crate::name::Name;
use crate::value::{Cell, Value};

/// Which kind of key a resource has, and the name it has in JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySpec {
    pub field: Name,
    pub kind: KeyKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// Given by the server, from 1 upwards, never used twice.
    Integer,
    /// Given by the server: UUID version 7 (RFC 9562, section 5.7).
    Uuid,
    /// Named by the client in the URL: 1 to 255 characters, none of them a control character;
    /// not `.` or `..`.
    String,
}

/// The key of one record. A UUID is `Text` in its canonical small letters.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Key {
    Integer(i64),
    Text(String),
}

impl KeyKind {
    pub const CHARACTERS_MAX: usize = 255;

    /// Reads a key as it stands in a URL (percent-decoded) in its one canonical form: `7`, not
    /// `07` or `+7`. `None` means that no record can have it.
    #[must_use]
    pub fn parse(self, text: &str) -> Option<Key> {
        match self {
            KeyKind::Integer => {
                let canonical = !text.is_empty()
                    && !text.starts_with('0')
                    && text.bytes().all(|b| b.is_ascii_digit());
                canonical.then(|| text.parse().ok().map(Key::Integer))?
            }
            KeyKind::Uuid => {
                let uuid = uuid::Uuid::try_parse(text).ok()?.hyphenated().to_string();
                uuid.eq_ignore_ascii_case(text).then_some(Key::Text(uuid))
            }
            KeyKind::String => {
                let length = text.chars().count();
                // `.` and `..` are no names in a path: clients take them as the way up (RFC 3986,
                // section 5.2.4).
                let fits = !matches!(text, "." | "..")
                    && (1..=Self::CHARACTERS_MAX).contains(&length)
                    && !text.chars().any(char::is_control);
                fits.then(|| Key::Text(text.to_owned()))
            }
        }
    }
}

impl Key {
    /// The key in a cell of a row. Panics on a cell that no key column can have.
    #[must_use]
    pub fn from_cell(cell: Cell<'_>) -> Self {
        match cell {
            Cell::Integer(id) => Key::Integer(id),
            Cell::Text(text) => Key::Text(text.to_owned()),
            Cell::Null | Cell::Number(_) => panic!("a key column is an integer or text"),
        }
    }

    #[must_use]
    pub fn to_value(&self) -> Value {
        match self {
            Key::Integer(id) => Value::Integer(*id),
            Key::Text(text) => Value::Text(text.clone()),
        }
    }

    #[must_use]
    pub fn as_cell(&self) -> Cell<'_> {
        match self {
            Key::Integer(id) => Cell::Integer(*id),
            Key::Text(text) => Cell::Text(text),
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Key::Integer(id) => write!(f, "{id}"),
            Key::Text(text) => f.write_str(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_one_form() {
        let cases = [
            (KeyKind::Integer, "7", true),
            (KeyKind::Integer, "07", false),
            (KeyKind::Integer, "+7", false),
            (KeyKind::Integer, "-1", false),
            (KeyKind::Integer, "0", false),
            (KeyKind::Integer, "1e3", false),
            (KeyKind::Integer, "9223372036854775807", true),
            (KeyKind::Integer, "18446744073709551616", false),
            (KeyKind::Uuid, "01939f3e-0b7a-7c3e-9d1b-2f6d4c5e8a10", true),
            (KeyKind::Uuid, "01939F3E-0B7A-7C3E-9D1B-2F6D4C5E8A10", true),
            (KeyKind::Uuid, "01939f3e0b7a7c3e9d1b2f6d4c5e8a10", false),
            (KeyKind::String, "a/b é", true),
            (KeyKind::String, "", false),
            (KeyKind::String, "..", false),
            (KeyKind::String, "...", true),
            (KeyKind::String, "a\0", false),
        ];
        for (kind, text, expected) in cases {
            assert_eq!(kind.parse(text).is_some(), expected, "{kind:?}: {text:?}");
        }
    }
}
