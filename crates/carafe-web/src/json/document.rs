//! Documents in JSON: objects whose members are each checked.

use std::collections::HashSet;
use std::fmt;

use carafe_model::document::{self, CONTENT};
use carafe_model::draft::{FAULTS_MAX, Input};
use carafe_model::fault::{Code, Fault};
use carafe_model::field::Field;
use carafe_model::kind::Kind as FieldKind;
use carafe_model::resource::Resource;
use carafe_model::value::Value;
use carafe_service::document::Document;
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::encoder;
use super::input::{self, Meaning, TextSeed};
use crate::error::Problem;

/// Visits the members of a document's object.
pub(super) struct Members<'a> {
    resource: &'a Resource,
    members: &'a document::Members,
    meaning: Meaning,
}

/// An object that was read: what it holds, and all that is wrong with it.
#[derive(Debug, Default)]
pub(super) struct Object {
    document: Document,
    faults: Vec<Fault>,
}

impl<'a> Members<'a> {
    pub(super) fn new(
        resource: &'a Resource,
        members: &'a document::Members,
        meaning: Meaning,
    ) -> Self {
        Self {
            resource,
            members,
            meaning,
        }
    }

    fn member(&self, object: &mut Object, name: String, text: &str) {
        let checked = self.members.check_name(self.resource, &name);
        let value = match (text, self.meaning) {
            ("null", Meaning::Patch) => checked.map(|()| text.to_owned()),
            _ => checked.and_then(|()| value(self.members, &name, text)),
        };
        match value {
            Ok(value) => object.document.push(name, value),
            Err(fault) => object.fault(fault),
        }
    }
}

impl Object {
    fn fault(&mut self, fault: Fault) {
        if self.faults.len() < FAULTS_MAX {
            self.faults.push(fault);
        }
    }

    /// Gives `input` the object, and its faults.
    pub(super) fn give(self, input: &mut Input) {
        input.give_value(CONTENT, self.document.into_value());
        for fault in self.faults {
            input.fault(fault);
        }
    }
}

impl<'de> Visitor<'de> for Members<'_> {
    type Value = Object;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
        let mut object = Object::default();
        let mut seen = HashSet::new();
        while let Some(name) = map.next_key_seed(TextSeed)? {
            let raw: &RawValue = map.next_value()?;
            if seen.insert(name.clone()) {
                self.member(&mut object, name.into_owned(), raw.get());
            } else {
                let message = format!("{name:?} is given twice");
                let fault = Fault::field(&name, Code::Duplicate, message);
                object.fault(fault);
            }
        }
        Ok(object)
    }
}

/// The JSON text of a member's value that a person has typed, in its one form.
///
/// # Errors
///
/// The first rule that it breaks.
pub fn typed_value(
    members: &document::Members,
    typed: &str,
    depth_max: usize,
) -> Result<String, Fault> {
    let field = &members.value;
    if field.kind == FieldKind::Json && !typed.trim().is_empty() {
        let looks_like_json = typed.trim_start().starts_with(['{', '[', '"']);
        return match input::checked(typed.as_bytes(), depth_max.saturating_sub(1)) {
            Ok(text) if serde_json::from_str::<IgnoredAny>(text).is_ok() => sent_value(field, text),
            _ if looks_like_json => Err(field.fault(Code::Type, "must be JSON")),
            // People leave out the quotes of a text.
            _ => Ok(serde_json::Value::from(typed.trim()).to_string()),
        };
    }
    match field.read_text(typed)? {
        Value::Null => Err(field.required()),
        value => Ok(encoder::text(field, &value)),
    }
}

/// The JSON text of a member's value as a person types it: a text without its quotes, where that
/// is read as the same text again.
#[must_use]
pub fn value_to_type(members: &document::Members, json: &str, depth_max: usize) -> String {
    let plain = match json.starts_with('"') {
        true => serde_json::from_str(json).unwrap_or_else(|_| json.to_owned()),
        false => json.to_owned(),
    };
    match typed_value(members, &plain, depth_max) {
        Ok(read) if read == json => plain,
        _ if members.value.kind == FieldKind::Json => json.to_owned(),
        _ => plain,
    }
}

/// The JSON text of a member's value in its one form, from the text that was sent.
fn value(members: &document::Members, name: &str, text: &str) -> Result<String, Fault> {
    sent_value(&members.value, text).map_err(|fault| members.fault(name, &fault))
}

fn sent_value(field: &Field, text: &str) -> Result<String, Fault> {
    match field.read(input::raw(field, text)?)? {
        Value::Null => Err(field.required()),
        value => Ok(encoder::text(field, &value)),
    }
}

/// Reads a body as the value of the member `name`; `None` where there is no body. The outer
/// error is of the body as a whole, the inner one of the value.
///
/// # Errors
///
/// A problem where the body is not JSON or nests deeper than `depth_max`.
pub fn read_value(
    members: &document::Members,
    name: &str,
    body: &[u8],
    depth_max: usize,
) -> Result<Option<Result<String, Fault>>, Problem> {
    // The value is one level below the document.
    let text = input::checked(body, depth_max.saturating_sub(1))?;
    if text.is_empty() {
        return Ok(None);
    }
    let raw: &RawValue = serde_json::from_str(text).map_err(|e| input::syntax(&e))?;
    Ok(Some(value(members, name, raw.get())))
}

/// `current` with the members of `after` that differ from those of `before` in their place:
/// what did not change keeps its place and every digit.
///
/// # Errors
///
/// A fault for each name and value that a document of `resource` cannot have.
pub fn with_changes(
    resource: &Resource,
    members: &document::Members,
    current: &Document,
    before: &serde_json::Map<String, serde_json::Value>,
    after: &serde_json::Map<String, serde_json::Value>,
) -> Result<Document, Vec<Fault>> {
    let mut changed = Document::default();
    let mut faults = Vec::new();
    let sent = |name: &str, sent: &serde_json::Value| {
        members.check_name(resource, name)?;
        value(members, name, &sent.to_string())
    };
    let kept = current.members().filter_map(|(name, value)| {
        let after = after.get(name)?;
        let same = before.get(name) == Some(after);
        let value = if same {
            Ok(value.to_owned())
        } else {
            sent(name, after)
        };
        Some((name, value))
    });
    let added = after.iter().filter(|(name, _)| !before.contains_key(*name));
    let added = added.map(|(name, value)| (name.as_str(), sent(name, value)));
    for (name, value) in kept.chain(added) {
        match value {
            Ok(value) => changed.push(name.to_owned(), value),
            Err(fault) if faults.len() < FAULTS_MAX => faults.push(fault),
            Err(_) => {}
        }
    }
    match faults.is_empty() {
        true => Ok(changed),
        false => Err(faults),
    }
}
