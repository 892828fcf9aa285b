//! Names of resources and fields.

use std::fmt;

/// A resource or field name, safe as a URL segment, an SQL identifier and an HTML attribute.
///
/// 1 to 63 bytes of `a-z`, `0-9` and `_`, starting with a letter and without `__`, which
/// separates a field from an operator in a query. 63 is PostgreSQL's identifier limit
/// (`NAMEDATALEN - 1`), the smaller of our two databases'.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name(String);

/// The first rule that a text breaks as a [`Name`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    #[error("a name starts with a small letter, `a` to `z`")]
    Start,
    #[error("a name has small letters, digits and `_` only, not `{0}`")]
    Character(char),
    #[error("a name does not hold `__`, which separates a field from an operator in a query")]
    DoubleUnderscore,
    #[error("a name has at most 63 characters, not {0}")]
    Length(usize),
}

impl Name {
    pub const BYTES_MAX: usize = 63;

    /// Parses `text` as a name.
    ///
    /// # Errors
    ///
    /// The first rule that `text` breaks, as a [`NameError`].
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let allowed = |c: char| matches!(c, 'a'..='z' | '0'..='9' | '_');
        if !text.starts_with(|c: char| c.is_ascii_lowercase()) {
            return Err(NameError::Start);
        }
        if let Some(bad) = text.chars().find(|&c| !allowed(c)) {
            return Err(NameError::Character(bad));
        }
        if text.contains("__") {
            return Err(NameError::DoubleUnderscore);
        }
        if Self::BYTES_MAX < text.len() {
            return Err(NameError::Length(text.len()));
        }
        Ok(Self(text.to_owned()))
    }

    /// The name that comes nearest to `text`: `Blog-Posts` is `blog_posts`; `name` where it has
    /// nothing of a name.
    #[must_use]
    pub fn repair(text: &str) -> Self {
        let mut repaired = String::new();
        for c in text.chars() {
            let c = match c.to_ascii_lowercase() {
                c @ ('a'..='z' | '0'..='9') => c,
                _ => '_',
            };
            let follows = repaired.is_empty() || repaired.ends_with('_');
            if repaired.is_empty() && c.is_ascii_digit() {
                repaired.push('n');
            } else if c == '_' && follows {
                continue;
            }
            repaired.push(c);
        }
        repaired.truncate(Self::BYTES_MAX);
        Self::parse(repaired.trim_end_matches('_')).unwrap_or_else(|_| Self("name".to_owned()))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name as words for people: `created_at` is `Created at`.
    #[must_use]
    pub fn to_label(&self) -> String {
        let mut words = self.0.replace('_', " ");
        if let Some(first) = words.get_mut(0..1) {
            first.make_ascii_uppercase();
        }
        words
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_identifier_rules() {
        let too_long = "a".repeat(Name::BYTES_MAX + 1);
        let cases = [
            ("note_2", Ok(())),
            ("2notes", Err(NameError::Start)),
            ("", Err(NameError::Start)),
            ("Notes", Err(NameError::Start)),
            ("no te", Err(NameError::Character(' '))),
            ("no__te", Err(NameError::DoubleUnderscore)),
            (too_long.as_str(), Err(NameError::Length(64))),
        ];
        for (text, expected) in cases {
            assert_eq!(Name::parse(text).map(drop), expected, "name: {text:?}");
        }
    }

    #[test]
    fn a_wrong_name_is_repaired_to_the_nearest() {
        let cases = [
            ("Blog-Posts", "blog_posts"),
            ("2notes", "n2notes"),
            ("_private", "private"),
            ("a__b", "a_b"),
            ("", "name"),
            ("äöü", "name"),
            ("a ", "a"),
        ];
        for (text, expected) in cases {
            assert_eq!(Name::repair(text).as_str(), expected, "text: {text:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn every_text_can_be_repaired(text: String) {
            let repaired = Name::repair(&text);
            assert_eq!(Name::parse(repaired.as_str()).as_ref(), Ok(&repaired));
        }

        #[test]
        fn every_well_formed_name_parses(text in "[a-z]([a-z0-9]|_[a-z0-9]){0,31}") {
            assert!(Name::parse(&text).is_ok());
        }
    }
}
