//! Merge patches (RFC 7396) inside of `json` fields, on the text, so that no digit of a number
//! is lost on the way.

use std::collections::HashMap;
use std::fmt;

use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::document::Document;

/// What `patch` makes of `target`, both JSON texts (RFC 7396, section 2). A `target` that is no
/// object counts as an empty one.
///
/// # Errors
///
/// Where a text is no JSON, which a `json` field never holds.
pub fn merge(target: &str, patch: &str) -> serde_json::Result<String> {
    let Some(changes) = members(patch)? else {
        return Ok(patch.to_owned());
    };
    let mut changes: HashMap<String, (usize, &RawValue)> = changes
        .into_iter()
        .enumerate()
        .map(|(position, (name, change))| (name, (position, change)))
        .collect();
    let mut merged = Document::default();
    for (name, value) in members(target)?.unwrap_or_default() {
        match changes.remove(&name).map(|(_, change)| change.get()) {
            None => merged.push(name, value.get().to_owned()),
            Some("null") => {}
            Some(change) => merged.push(name, merge(value.get(), change)?),
        }
    }
    let mut added: Vec<_> = changes.into_iter().collect();
    added.sort_unstable_by_key(|(_, (position, _))| *position);
    for (name, (_, change)) in added {
        if change.get() != "null" {
            merged.push(name, merge("{}", change.get())?);
        }
    }
    Ok(merged.into_text())
}

/// The members of a JSON text that is an object, in their order and with those that stand
/// twice; `None` for any other value.
///
/// # Errors
///
/// Where it is no JSON.
pub fn members(text: &str) -> serde_json::Result<Option<Vec<(String, &RawValue)>>> {
    if !text.starts_with('{') {
        return Ok(None);
    }
    serde_json::Deserializer::from_str(text)
        .deserialize_map(Members)
        .map(Some)
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Vec<(String, &'de RawValue)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_rfc_7396_hold() {
        let cases = [
            (r#"{"a":"b"}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
            (r#"{"a":"b"}"#, r#"{"b":"c"}"#, r#"{"a":"b","b":"c"}"#),
            (r#"{"a":"b"}"#, r#"{"a":null}"#, "{}"),
            (
                r#"{"a":{"b":"c"}}"#,
                r#"{"a":{"b":"d","c":null}}"#,
                r#"{"a":{"b":"d"}}"#,
            ),
            (r#"{"a":[{"b":"c"}]}"#, r#"{"a":[1]}"#, r#"{"a":[1]}"#),
            (r#"["a","b"]"#, r#"["c","d"]"#, r#"["c","d"]"#),
            (r#"{"a":"foo"}"#, "null", "null"),
            (r#"{"e":null}"#, r#"{"a":1}"#, r#"{"e":null,"a":1}"#),
            ("[1,2]", r#"{"a":"b","c":null}"#, r#"{"a":"b"}"#),
            ("{}", r#"{"a":{"bb":{"ccc":null}}}"#, r#"{"a":{"bb":{}}}"#),
            (
                r#"{"n":12345678901234567890123}"#,
                r#"{"m":0.10}"#,
                r#"{"n":12345678901234567890123,"m":0.10}"#,
            ),
        ];
        for (target, patch, expected) in cases {
            assert_eq!(
                merge(target, patch).unwrap(),
                expected,
                "{target} with {patch}"
            );
        }
    }
}
