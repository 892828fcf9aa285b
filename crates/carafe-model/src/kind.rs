//! The types that a field can have.

use crate::key::KeyKind;
use crate::name::Name;

/// The type of a field.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// One line of text: no control characters.
    String,
    /// Many lines of text: no control characters but tab, line feed and carriage return.
    Text,
    /// A whole number of 64 bits.
    Integer,
    /// A finite 64-bit float.
    Number,
    /// An exact decimal with this many digits behind the point, a string in JSON.
    Decimal {
        scale: u8,
    },
    Boolean,
    /// `YYYY-MM-DD`, years 1 to 9999.
    Date,
    /// A moment in UTC, `YYYY-MM-DDTHH:MM:SS.ffffffZ`.
    Datetime,
    /// What `<input type="email">` takes (HTML Standard, valid e-mail address).
    Email,
    /// An absolute URI (RFC 3986) of scheme `http` or `https`.
    Url,
    /// RFC 9562, in small letters.
    Uuid,
    Choice(Vec<Choice>),
    Reference(Reference),
    /// Stored as an Argon2id hash and never sent back.
    Password,
    /// Any JSON value, kept as compact text.
    Json,
}

/// One value that a `choice` field can have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    pub value: String,
    pub label: String,
}

/// Where a `reference` field leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    pub to: Name,
    /// The position of `to` in [`Schema::resources`](crate::schema::Schema::resources).
    pub index: usize,
    /// The kind of key that the records of `to` have.
    pub key: KeyKind,
    pub on_delete: OnDelete,
}

/// What becomes of records that refer to one that is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnDelete {
    /// The deletion is refused (409) while there are any.
    Restrict,
    /// They are deleted with it, in the way their own resource deletes.
    Cascade,
    /// Their reference becomes null; a restored record does not get it back.
    SetNull,
}

impl Kind {
    /// Whether `min_length`, `max_length`, `pattern` and `trim` apply, and `search` and
    /// `__contains` look into it.
    #[must_use]
    pub fn is_written_text(&self) -> bool {
        matches!(self, Kind::String | Kind::Text | Kind::Email | Kind::Url)
    }

    /// Whether `min` and `max` apply.
    #[must_use]
    pub fn is_measured(&self) -> bool {
        matches!(
            self,
            Kind::Integer | Kind::Number | Kind::Decimal { .. } | Kind::Date | Kind::Datetime
        )
    }

    /// Whether lists can be filtered and sorted by it.
    #[must_use]
    pub fn is_comparable(&self) -> bool {
        !matches!(self, Kind::Password | Kind::Json)
    }
}
