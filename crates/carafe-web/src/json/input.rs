//! JSON in: bodies to [`Input`].

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;
use std::mem;

use carafe_model::draft::Input;
use carafe_model::fault::{Code, Fault};
use carafe_model::field::{Field, Raw};
use carafe_model::kind::Kind as FieldKind;
use carafe_model::number;
use carafe_model::resource::Resource;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::document;
use crate::error::{Kind, Problem};
use crate::scan::plain_bytes;

/// What a body that is an object means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// The whole record, or those of its fields that are given.
    Whole,
    /// A merge patch (RFC 7396), in which null removes.
    Patch,
}

/// Reads a body as a record's input. No body and `null` give an input that says nothing;
/// faults of single members are noted in it, for the rules to be reported with them.
///
/// # Errors
///
/// A problem where the body as a whole is not JSON, nests deeper than `depth_max`, or is
/// neither an object nor null.
pub fn read_input(resource: &Resource, body: &[u8], depth_max: usize) -> Result<Input, Problem> {
    read(resource, body, depth_max, Meaning::Whole)
}

/// Reads a body as a merge patch of a record.
///
/// # Errors
///
/// As [`read_input`], and where the body is null.
pub fn read_patch(resource: &Resource, body: &[u8], depth_max: usize) -> Result<Input, Problem> {
    let input = read(resource, body, depth_max, Meaning::Patch)?;
    match input.empty && !body.contains(&b'{') {
        true => Err(no_object()),
        false => Ok(input),
    }
}

fn read(
    resource: &Resource,
    body: &[u8],
    depth_max: usize,
    meaning: Meaning,
) -> Result<Input, Problem> {
    let mut input = Input::new(resource);
    let text = checked(body, depth_max)?;
    match text.bytes().next() {
        None => {}
        Some(b'{') => {
            let mut deserializer = serde_json::Deserializer::from_str(text);
            let read = match &resource.members {
                None => deserializer.deserialize_map(Members {
                    resource,
                    input: &mut input,
                }),
                Some(members) => deserializer
                    .deserialize_map(document::Members::new(resource, members, meaning))
                    .map(|object| object.give(&mut input)),
            };
            read.and_then(|()| deserializer.end())
                .map_err(|e| syntax(&e))?;
        }
        Some(_) => {
            serde_json::from_str::<IgnoredAny>(text).map_err(|e| syntax(&e))?;
            if text != "null" {
                return Err(no_object());
            }
        }
    }
    Ok(input)
}

fn no_object() -> Problem {
    let text = "The body must be a JSON object";
    Problem::body(Kind::Validation, Code::Type, text)
}

/// Reads a body as the value of the field at `position`; `None` where there is no body.
///
/// # Errors
///
/// A problem where the body is not JSON or nests deeper than `depth_max`.
pub fn read_member(
    resource: &Resource,
    position: usize,
    body: &[u8],
    depth_max: usize,
) -> Result<Option<Input>, Problem> {
    let text = checked(body, depth_max)?;
    if text.is_empty() {
        return Ok(None);
    }
    let raw: &RawValue = serde_json::from_str(text).map_err(|e| syntax(&e))?;
    let mut input = Input::new(resource);
    give(&mut input, resource, position, raw.get());
    Ok(Some(input))
}

/// Reads a body as any JSON value, for a JSON Patch.
///
/// # Errors
///
/// A problem where the body is not JSON, nests deeper than `depth_max`, or has a name twice in
/// one object.
pub fn read_value(body: &[u8], depth_max: usize) -> Result<serde_json::Value, Problem> {
    let text = checked(body, depth_max)?;
    let value = serde_json::from_str(text).map_err(|e| syntax(&e))?;
    match json_fault(text) {
        Some((code, rest)) => Err(Problem::body(
            Kind::Validation,
            code,
            &format!("The body {rest}"),
        )),
        None => Ok(value),
    }
}

/// Whether every number of a JSON text comes back the same from 64 bits, an integer or a float.
pub(crate) fn keeps_digits(text: &[u8]) -> bool {
    let is_part = |byte: &u8| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
    let (mut in_string, mut at) = (false, 0);
    while at < text.len() {
        match text[at] {
            b'\\' if in_string => at += 1,
            b'"' => in_string = !in_string,
            b'0'..=b'9' | b'-' if !in_string => {
                let length = text[at..].iter().take_while(|byte| is_part(byte)).count();
                let token = std::str::from_utf8(&text[at..at + length]).unwrap_or_default();
                if token.parse::<i64>().is_err()
                    && token.parse::<u64>().is_err()
                    && number::float(token).is_none()
                {
                    return false;
                }
                at += length - 1;
            }
            _ => {}
        }
        at += 1;
    }
    true
}

/// The body as text without the white space around it, if it is UTF-8 and not too deep.
pub(super) fn checked(body: &[u8], depth_max: usize) -> Result<&str, Problem> {
    let text = std::str::from_utf8(body).map_err(|error| {
        Problem::malformed(format!(
            "byte {} of the body is not UTF-8",
            error.valid_up_to() + 1
        ))
    })?;
    if depth(body) > depth_max {
        return Err(Problem::malformed(format!(
            "arrays and objects nest deeper than {depth_max}"
        )));
    }
    Ok(text.trim_matches([' ', '\t', '\n', '\r']))
}

/// How deep arrays and objects nest, brackets in strings aside.
pub(crate) fn depth(body: &[u8]) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let mut rest = body;
    while let Some((byte, behind)) = rest.split_first() {
        rest = behind;
        match byte {
            b'"' => rest = behind_string(behind),
            b'[' | b'{' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// What follows a string whose opening quote is before `text`.
fn behind_string(mut text: &[u8]) -> &[u8] {
    loop {
        let end = plain_bytes(text, |byte| (byte == b'"') | (byte == b'\\'));
        let is_quote = text.get(end) == Some(&b'"');
        // What is escaped is not looked at.
        let length = if is_quote { 1 } else { 2 };
        text = text.get(end + length..).unwrap_or_default();
        if is_quote || text.is_empty() {
            return text;
        }
    }
}

pub(super) fn syntax(error: &serde_json::Error) -> Problem {
    Problem::malformed(error.to_string())
}

/// Visits the members of a record's object.
struct Members<'a> {
    resource: &'a Resource,
    input: &'a mut Input,
}

impl<'de> Visitor<'de> for Members<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut given = vec![false; self.resource.fields.len()];
        let mut others = HashSet::new();
        self.input.empty = true;
        while let Some(name) = map.next_key_seed(TextSeed)? {
            let raw: &RawValue = map.next_value()?;
            let position = self.resource.position(&name);
            let is_again = match position {
                Some(position) => mem::replace(&mut given[position], true),
                None => !others.insert(name.clone()),
            };
            if is_again {
                let message = format!("{name:?} is given twice");
                self.input
                    .fault(Fault::field(&name, Code::Duplicate, message));
                continue;
            }
            match position {
                Some(position) => give(self.input, self.resource, position, raw.get()),
                None => {
                    if name == self.resource.key.field.as_str() {
                        self.input.key = string(raw.get()).map(Cow::into_owned);
                    }
                    self.input.unknown(self.resource, &name);
                }
            }
        }
        Ok(())
    }
}

/// Gives `input` the field at `position` from the JSON text of its value.
pub(crate) fn give(input: &mut Input, resource: &Resource, position: usize, text: &str) {
    match raw(&resource.fields[position], text) {
        Ok(raw) => input.give(resource, position, raw),
        Err(fault) => input.refuse(position, fault),
    }
}

/// The JSON text of a value for `field`, typed.
pub(super) fn raw<'a>(field: &Field, text: &'a str) -> Result<Raw<'a>, Fault> {
    Ok(match (&field.kind, text.as_bytes().first()) {
        (_, Some(b'n')) => Raw::Null,
        (FieldKind::Json, _) => match json_fault(text) {
            None => Raw::Json(compact(text)),
            Some((code, rest)) => return Err(field.fault(code, rest)),
        },
        (_, Some(b'"')) => match string(text) {
            Some(text) => Raw::Text(text),
            None => return Err(field.fault(Code::Character, HALF_CHARACTER)),
        },
        (_, Some(b't')) => Raw::Boolean(true),
        (_, Some(b'f')) => Raw::Boolean(false),
        (_, Some(b'[' | b'{') | None) => Raw::Compound(text),
        (_, Some(_)) => Raw::Number(text),
    })
}

const HALF_CHARACTER: &str = "must not have half a character (an unpaired surrogate)";

/// A JSON string's content; `None` where an escape is half a surrogate pair.
fn string(text: &str) -> Option<Cow<'_, str>> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    TextSeed.deserialize(&mut deserializer).ok()
}

/// What a JSON value must not have to be kept: half characters (unpaired surrogates), numbers
/// that no 64-bit float comes near, and repeated names.
fn json_fault(text: &str) -> Option<(Code, String)> {
    let mut duplicate = None;
    let mut deserializer = serde_json::Deserializer::from_str(text);
    match (Audit {
        duplicate: &mut duplicate,
    })
    .deserialize(&mut deserializer)
    {
        Err(error) => Some((Code::Format, format!("cannot be kept: {error}"))),
        Ok(()) => duplicate.map(|name| {
            (
                Code::Duplicate,
                format!("has the name {name:?} twice in one object"),
            )
        }),
    }
}

/// The text without white space outside of strings.
fn compact(text: &str) -> Cow<'_, str> {
    let (mut in_string, mut escaped) = (false, false);
    let mut keep = |c: &char| {
        match c {
            _ if escaped => escaped = false,
            '\\' if in_string => escaped = true,
            '"' => in_string = !in_string,
            ' ' | '\t' | '\n' | '\r' => return in_string,
            _ => {}
        }
        true
    };
    match text.bytes().any(|b| b.is_ascii_whitespace()) {
        true => Cow::Owned(text.chars().filter(|c| keep(c)).collect()),
        false => Cow::Borrowed(text),
    }
}

/// Reads a string, borrowed where it has no escapes.
pub(super) struct TextSeed;

impl<'de> DeserializeSeed<'de> for TextSeed {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for TextSeed {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
}

/// Reads any JSON value to the end and notes the first name that an object has twice.
struct Audit<'a> {
    duplicate: &'a mut Option<String>,
}

impl<'de> DeserializeSeed<'de> for Audit<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Audit<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while seq
            .next_element_seed(Audit {
                duplicate: self.duplicate,
            })?
            .is_some()
        {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut seen = HashSet::new();
        while let Some(name) = map.next_key_seed(TextSeed)? {
            if !seen.insert(name.clone()) && self.duplicate.is_none() {
                *self.duplicate = Some(name.into_owned());
            }
            map.next_value_seed(Audit {
                duplicate: self.duplicate,
            })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_counts_brackets_outside_of_strings() {
        for (text, expected) in [
            ("", 0),
            ("{}", 1),
            ("[[[]]]", 3),
            (r#"{"a":"[[[\"[["}"#, 1),
            (r#"{"a":"\\","b":[{}]}"#, 3),
            (r#"["[[\"#, 1),
            (r#"["[["#, 1),
            ("[[[", 3),
            ("]]", 0),
        ] {
            assert_eq!(depth(text.as_bytes()), expected, "text: {text}");
        }
    }

    #[test]
    fn compact_text_keeps_strings() {
        assert_eq!(
            compact("{ \"a b\" : [ 1 , \"x \\\" y\" ] }\n"),
            "{\"a b\":[1,\"x \\\" y\"]}"
        );
    }

    #[test]
    fn json_is_audited_to_the_leaves() {
        let cases = [
            (r#"{"a":{"b":1,"c":[{"d":1}]}}"#, None),
            (r#"{"a":{"b":1,"b":2}}"#, Some(Code::Duplicate)),
            (r#"["\ud800"]"#, Some(Code::Format)),
            (r#"{"\ud83d\ude00":1e99}"#, None),
            ("[1e999]", Some(Code::Format)),
        ];
        for (text, expected) in cases {
            assert_eq!(
                json_fault(text).map(|(code, _)| code),
                expected,
                "text: {text}"
            );
        }
    }
}
