//! Examples that validate: a value for every field, within the limits that can be seen.

use carafe_model::document::Members;
use carafe_model::field::Field;
use carafe_model::key::KeyKind;
use carafe_model::kind::Kind;
use carafe_model::resource::Resource;
use carafe_model::value::Value;

use super::schema::{Purpose, json};
use super::tree::{Json, Object};

/// A body for a record.
#[must_use]
pub(super) fn input(resource: &Resource, purpose: Purpose) -> Object {
    let mut example = Object::new();
    if resource.key.kind == KeyKind::String && purpose == Purpose::Create {
        example.set(resource.key.field.to_string(), "first");
    }
    let parent = resource.parent.as_ref().map(|parent| parent.field);
    for (position, field) in resource.fields.iter().enumerate() {
        let can_be_set = field.set.is_none() && parent != Some(position);
        if let Some(value) = can_be_set.then(|| of(field)).flatten() {
            example.set(field.name.to_string(), value);
        }
        if purpose != Purpose::Create && purpose != Purpose::Replace && !example.is_empty() {
            break;
        }
    }
    example
}

/// A document.
#[must_use]
pub(super) fn document(members: &Members) -> Object {
    let value = of(&members.value).unwrap_or(Json::Null);
    match value {
        Json::Null => Object::new(),
        value => Object::new().with("first", value),
    }
}

/// A value that `field` accepts; `None` where none is found that its rules allow, and null
/// where it refers to a record that may not be there.
#[must_use]
pub(super) fn of(field: &Field) -> Option<Json> {
    if let Some(default) = &field.default {
        return Some(json(field, default));
    }
    let candidates: Vec<Value> = match &field.kind {
        Kind::Reference(_) if field.optional => return Some(Json::Null),
        Kind::Reference(reference) => {
            return Some(match reference.key {
                KeyKind::Integer => 1_i64.into(),
                KeyKind::Uuid => UUID.into(),
                KeyKind::String => "first".into(),
            });
        }
        Kind::String | Kind::Text | Kind::Password => texts(field),
        Kind::Integer | Kind::Decimal { .. } => {
            let mut numbers = vec![1, 0];
            for bound in [&field.rules.min, &field.rules.max] {
                if let Some(Value::Integer(value)) = bound {
                    numbers.push(*value);
                }
            }
            numbers.into_iter().map(Value::Integer).collect()
        }
        Kind::Number => {
            let mut numbers = vec![1.5, 0.0];
            for bound in [&field.rules.min, &field.rules.max] {
                if let Some(Value::Number(value)) = bound {
                    numbers.push(*value);
                }
            }
            numbers.into_iter().map(Value::Number).collect()
        }
        Kind::Boolean => vec![Value::Boolean(true)],
        Kind::Date => with_bounds(field, "2026-01-31"),
        Kind::Datetime => with_bounds(field, "2026-01-31T12:00:00.000000Z"),
        Kind::Email => texts_of(&["ann@example.org"]),
        Kind::Url => texts_of(&["https://example.org/"]),
        Kind::Uuid => texts_of(&[UUID]),
        Kind::Choice(choices) => choices
            .first()
            .map(|choice| Value::Text(choice.value.clone()))
            .into_iter()
            .collect(),
        Kind::Json => texts_of(&["{\"any\":\"JSON\"}"]),
    };
    let accepted = candidates
        .into_iter()
        .find(|value| field.check(value.clone()).as_ref() == Ok(value));
    accepted.map(|value| json(field, &value))
}

const UUID: &str = "01939f3e-0b7a-7c3e-9d1b-2f6d4c5e8a10";

fn texts_of(texts: &[&str]) -> Vec<Value> {
    let texts = texts.iter().map(|text| Value::Text((*text).to_owned()));
    texts.collect()
}

fn with_bounds(field: &Field, text: &str) -> Vec<Value> {
    let mut values = texts_of(&[text]);
    let bounds = [&field.rules.min, &field.rules.max];
    values.extend(bounds.into_iter().flatten().cloned());
    values
}

/// The label, cut or repeated to the lengths that are asked for, and shorter words that patterns
/// often allow.
fn texts(field: &Field) -> Vec<Value> {
    let least = field.rules.length_min.unwrap_or(1).max(1);
    let fitted = |text: &str| {
        let cut = text.chars().take(field.rules.length_max.unwrap_or(1000));
        let mut text: String = cut.collect();
        while text.chars().count() < least {
            text.push('a');
        }
        text
    };
    let words = [field.label.as_str(), "a", "A", "0", "abc", "ABC", "123"];
    words.iter().map(|word| Value::Text(fitted(word))).collect()
}
