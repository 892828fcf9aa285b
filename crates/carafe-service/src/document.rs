//! The object of a document: its members in their order, each value as JSON text.

use carafe_model::document::CONTENT;
use carafe_model::record::column;
use carafe_model::value::{Cell, Row, Value};

use crate::merge::members;

/// What a document holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Document {
    members: Vec<(String, String)>,
}

impl Document {
    /// The document that a row of a document resource has.
    #[must_use]
    pub fn of(row: &dyn Row) -> Self {
        match row.cell(column::FIELDS + CONTENT) {
            Cell::Text(text) => Self::parse(text),
            Cell::Null | Cell::Integer(_) | Cell::Number(_) => Self::default(),
        }
    }

    /// Reads the JSON text of an object; anything else has no members.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let members = members(text).ok().flatten().unwrap_or_default();
        let owned = members
            .into_iter()
            .map(|(name, value)| (name, value.get().to_owned()));
        Self {
            members: owned.collect(),
        }
    }

    /// Names and values, in their order.
    pub fn members(&self) -> impl Iterator<Item = (&str, &str)> {
        let members = self.members.iter();
        members.map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The value of the member `name`, JSON text.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.members()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| value)
    }

    /// Appends a member that is not there yet.
    pub fn push(&mut self, name: String, value: String) {
        self.members.push((name, value));
    }

    /// Puts a value, JSON text, in the place of the one that is there, or at the end; returns
    /// whether there was one.
    pub fn set(&mut self, name: &str, value: String) -> bool {
        match self.members.iter_mut().find(|(known, _)| known == name) {
            Some(member) => {
                member.1 = value;
                true
            }
            None => {
                self.members.push((name.to_owned(), value));
                false
            }
        }
    }

    /// Takes a member out; returns whether it was there.
    pub fn remove(&mut self, name: &str) -> bool {
        let before = self.members.len();
        self.members.retain(|(known, _)| known != name);
        self.members.len() < before
    }

    /// The object as compact JSON text.
    #[must_use]
    pub fn into_text(self) -> String {
        let mut text = String::from("{");
        for (name, value) in &self.members {
            if text.len() > 1 {
                text.push(',');
            }
            text.push_str(&serde_json::Value::from(name.as_str()).to_string());
            text.push(':');
            text.push_str(value);
        }
        text.push('}');
        text
    }

    /// The value of the field that keeps it.
    #[must_use]
    pub fn into_value(self) -> Value {
        Value::Text(self.into_text())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_keep_their_order_and_every_digit() {
        let text = r#"{"b":1.50,"a \"":12345678901234567890,"":{"x":[1, 2]}}"#;
        let mut document = Document::parse(text);
        assert_eq!(document.get("a \""), Some("12345678901234567890"));
        assert!(document.set("b", "2".to_owned()));
        assert!(!document.set("c", "3".to_owned()));
        assert!(document.remove(""));
        assert!(!document.remove(""));
        assert_eq!(
            document.into_text(),
            r#"{"b":2,"a \"":12345678901234567890,"c":3}"#
        );
        assert_eq!(Document::parse("[1]"), Document::default());
    }
}
