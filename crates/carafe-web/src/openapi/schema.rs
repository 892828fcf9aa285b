//! JSON Schemas (2020-12) of records, fields and documents, with the declaration's limits: what
//! a schema allows is accepted, and what it forbids is refused.

use carafe_model::field::{Field, Set};
use carafe_model::key::KeyKind;
use carafe_model::kind::Kind;
use carafe_model::query::COUNTED_BEHIND;
use carafe_model::resource::{Resource, Strictness};
use carafe_model::value::Value;

use super::bound;
use super::example;
use super::text;
use super::tree::{Json, Object};

/// What a body is sent for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// A new record.
    Create,
    /// The whole of a record that is there: a password that is not sent stays.
    Replace,
    /// Some fields of a record: a merge patch, where null removes; at least one for a PUT that
    /// merges.
    Merge { empty: bool },
}

/// A reference to a component.
#[must_use]
pub(super) fn reference(name: &str) -> Object {
    Object::new().with("$ref", format!("#/components/schemas/{name}"))
}

/// A record as it is answered. Where only some members are asked for, none is required.
#[must_use]
pub(super) fn record(resource: &Resource, whole: bool) -> Object {
    let mut properties = vec![(resource.key.field.to_string(), key_answered(resource))];
    for field in &resource.fields {
        if field.kind != Kind::Password {
            properties.push((field.name.to_string(), answered(field)));
        }
    }
    if resource.links {
        let url = typed("string", false)
            .with("format", "uri-reference")
            .with("description", "The record's absolute address");
        properties.push(("url".to_owned(), url));
    }
    object_of(properties, whole)
}

/// A deleted record as it is answered.
#[must_use]
pub(super) fn deleted(resource: &Resource, whole: bool) -> Object {
    let mut properties = vec![(resource.key.field.to_string(), key_answered(resource))];
    for field in &resource.fields {
        match (&resource.members, &field.kind) {
            (_, Kind::Password) => {}
            (Some(_), _) => properties.push((field.name.to_string(), document(resource))),
            (None, _) => properties.push((field.name.to_string(), answered(field))),
        }
    }
    let at = typed("string", false)
        .with("format", "date-time")
        .with("description", "When it was deleted; null restores it");
    properties.push(("deleted_at".to_owned(), at));
    object_of(properties, whole)
}

/// An object with these members and no others; all are required where `whole`.
#[must_use]
pub(super) fn object_of(properties: Vec<(String, Object)>, whole: bool) -> Object {
    match whole {
        true => object_with(properties, Vec::new()),
        false => object_with(Vec::new(), properties),
    }
}

/// An object with members that it always has, members that it may have, and no others.
#[must_use]
pub(super) fn object_with(
    required: Vec<(String, Object)>,
    optional: Vec<(String, Object)>,
) -> Object {
    let names: Vec<String> = required.iter().map(|(name, _)| name.clone()).collect();
    let properties: Object = required.into_iter().chain(optional).collect();
    let mut schema = Object::new().with("type", "object");
    if !names.is_empty() {
        schema.set("required", names);
    }
    schema
        .with("properties", properties)
        .with("additionalProperties", false)
}

/// The member that says that there are more than a search has counted.
#[must_use]
pub(super) fn not_exact(name: &str) -> (String, Object) {
    let flag = typed("boolean", false).with("enum", vec![false]).with(
        "description",
        format!("There where there are more: a search counts up to {COUNTED_BEHIND} records behind the page"),
    );
    (name.to_owned(), flag)
}

/// A body for a record.
#[must_use]
pub(super) fn input(resource: &Resource, purpose: Purpose) -> Object {
    let named_by_client = resource.key.kind == KeyKind::String && purpose == Purpose::Create;
    let key = match named_by_client {
        true => key_of_path(resource),
        false => ignored("Given by the server; ignored where it is sent"),
    };
    let mut required: Vec<String> = named_by_client
        .then(|| resource.key.field.to_string())
        .into_iter()
        .collect();
    let mut properties = Object::new().with(resource.key.field.to_string(), key);
    let parent = resource.parent.as_ref().map(|parent| parent.field);
    for (position, field) in resource.fields.iter().enumerate() {
        let name = field.name.to_string();
        if field.set.is_some() {
            properties.set(name, ignored("Set by the server; ignored where it is sent"));
            continue;
        }
        // The path names the parent, whatever is sent.
        if parent == Some(position) {
            properties.set(name, ignored("The path names it; ignored where it is sent"));
            continue;
        }
        let stays = purpose == Purpose::Replace && field.kind == Kind::Password;
        if !matches!(purpose, Purpose::Merge { .. }) && field.is_required() && !stays {
            required.push(name.clone());
        }
        let removable = matches!(purpose, Purpose::Merge { .. }) && field.default.is_some();
        let mut value = sent(field, field.optional || removable);
        // What is not sent in a merge patch stays.
        if let (Some(default), Purpose::Create | Purpose::Replace) = (&field.default, purpose) {
            value.set("default", json(field, default));
        }
        properties.set(name, value);
    }
    properties.set("deleted_at", ignored("Ignored where it is sent"));
    if resource.links {
        properties.set("url", ignored("Ignored where it is sent"));
    }
    let mut schema = Object::new().with("type", "object");
    if !required.is_empty() {
        schema.set("required", required);
    }
    if !matches!(purpose, Purpose::Merge { empty: true }) {
        schema.set("minProperties", 1_i64);
    }
    schema
        .with("properties", properties)
        .with(
            "additionalProperties",
            resource.input == Strictness::Lenient,
        )
        .with("examples", vec![example::input(resource, purpose)])
}

/// The body that restores a deleted record.
#[must_use]
pub(super) fn restoration(resource: &Resource) -> Object {
    // Not of the type `null`, which generators of clients do not know by itself.
    let null = typed("string", true)
        .with("enum", vec![Json::Null])
        .with("description", "Null restores the record");
    Object::new()
        .with("type", "object")
        .with("required", vec!["deleted_at"])
        .with("properties", Object::new().with("deleted_at", null))
        .with(
            "additionalProperties",
            resource.input == Strictness::Lenient,
        )
        .with(
            "examples",
            vec![Object::new().with("deleted_at", Json::Null)],
        )
}

/// A document: an object whose members have any name that a path can hold.
#[must_use]
pub(super) fn document(resource: &Resource) -> Object {
    members(resource, false)
}

/// A merge patch of a document: null removes a member.
#[must_use]
pub(super) fn document_patch(resource: &Resource) -> Object {
    members(resource, true)
}

fn members(resource: &Resource, removable: bool) -> Object {
    let Some(members) = &resource.members else {
        return Object::new();
    };
    let names = Object::new().with("pattern", text::member(resource));
    Object::new()
        .with("type", "object")
        .with("propertyNames", names)
        .with("additionalProperties", sent(&members.value, removable))
        .with("examples", vec![example::document(members)])
}

/// The value of one member of a document.
#[must_use]
pub(super) fn member_value(resource: &Resource) -> Object {
    let value = resource.members.as_ref().map(|members| &members.value);
    value.map_or_else(Object::new, |value| sent(value, false))
}

/// A JSON Patch (RFC 6902) of a record: the operations that are always possible on its fields.
#[must_use]
pub(super) fn patch(resource: &Resource) -> Object {
    let mut operations = Vec::new();
    for field in &resource.fields {
        if field.set.is_some() || field.kind == Kind::Password {
            continue;
        }
        let path = Object::new()
            .with("type", "string")
            .with("const", format!("/{}", field.name));
        let nullable = field.optional || field.default.is_some();
        operations.push(operation(
            &["add", "replace"],
            path.clone(),
            Some(sent(field, nullable)),
        ));
        let tested = answered(field);
        operations.push(operation(&["test"], path.clone(), Some(tested)));
        if nullable {
            operations.push(operation(&["remove"], path, None));
        }
    }
    patch_of(operations)
}

/// A JSON Patch of a document.
#[must_use]
pub(super) fn document_json_patch() -> Object {
    let path = typed("string", false).with("pattern", r"^/(?:[^~/]|~[01])+$");
    let text = typed("string", false);
    patch_of(vec![operation(&["test"], path, Some(text))])
}

fn patch_of(operations: Vec<Object>) -> Object {
    let mut operations = operations;
    let items = match operations.len() {
        0 => Json::Boolean(false),
        1 => operations.remove(0).into(),
        _ => Object::new().with("anyOf", operations).into(),
    };
    Object::new()
        .with("type", "array")
        .with("maxItems", crate::api::patch::OPERATIONS_MAX)
        .with("items", items)
}

fn operation(names: &[&'static str], path: Object, value: Option<Object>) -> Object {
    let mut required = vec!["op", "path"];
    if value.is_some() {
        required.push("value");
    }
    let op = Object::new()
        .with("type", "string")
        .with("enum", names.to_vec());
    let properties = Object::new()
        .with("op", op)
        .with("path", path)
        .with_some("value", value);
    Object::new()
        .with("type", "object")
        .with("required", required)
        .with("properties", properties)
}

/// A field's value as it is sent.
#[must_use]
pub(super) fn sent(field: &Field, nullable: bool) -> Object {
    let mut schema = shape(field, nullable);
    let mut patterns = text::patterns(field);
    patterns.extend(bound::patterns(field));
    match patterns.as_slice() {
        [] => {}
        [pattern] => schema.set("pattern", pattern.clone()),
        several => {
            let all = several
                .iter()
                .map(|pattern| Object::new().with("pattern", pattern.clone()));
            schema.set("allOf", all.collect::<Vec<_>>());
        }
    }
    if field.kind == Kind::Password {
        schema.set("writeOnly", true);
        schema.set("format", "password");
    }
    limits(field, &mut schema);
    schema
}

/// A field's value as it is answered.
#[must_use]
pub(super) fn answered(field: &Field) -> Object {
    let mut schema = shape(field, field.optional);
    if field.set == Some(Set::Update) || field.set == Some(Set::Create) {
        schema.set("readOnly", true);
    }
    schema
}

/// The type of a field's values, and what is said of them to people.
fn shape(field: &Field, nullable: bool) -> Object {
    let mut schema = match &field.kind {
        Kind::String | Kind::Text | Kind::Password => typed("string", nullable),
        Kind::Email => typed("string", nullable).with("format", "email"),
        Kind::Url => typed("string", nullable).with("format", "uri"),
        Kind::Decimal { .. } => typed("string", nullable),
        Kind::Date => typed("string", nullable).with("format", "date"),
        Kind::Datetime => typed("string", nullable).with("format", "date-time"),
        Kind::Uuid => typed("string", nullable).with("format", "uuid"),
        Kind::Integer => typed("integer", nullable).with("format", "int64"),
        Kind::Number => typed("number", nullable).with("format", "double"),
        Kind::Boolean => typed("boolean", nullable),
        Kind::Choice(choices) => {
            let mut values: Vec<Json> = choices
                .iter()
                .map(|choice| choice.value.clone().into())
                .collect();
            if nullable {
                values.push(Json::Null);
            }
            typed("string", nullable).with("enum", values)
        }
        Kind::Reference(reference) => {
            key_of(reference.key, nullable).with("x-reference", reference.to.to_string())
        }
        Kind::Json => match nullable {
            true => Object::new(),
            false => Object::new().with("not", typed("null", false)),
        },
    };
    schema.set("title", field.label.clone());
    if let Some(description) = description(field) {
        schema.set("description", description);
    }
    schema
}

fn description(field: &Field) -> Option<String> {
    let mut sentences: Vec<String> = field.help.clone().into_iter().collect();
    match &field.kind {
        Kind::Reference(reference) => {
            sentences.push(format!("The key of a record of {}.", reference.to));
        }
        Kind::Decimal { scale } => sentences.push(format!(
            "An exact decimal in a string, with {scale} digits behind the point."
        )),
        Kind::Datetime => sentences.push("Answered in UTC, with microseconds.".to_owned()),
        _ => {}
    }
    let measured = !matches!(field.kind, Kind::Integer | Kind::Number);
    if let (Some(min), true) = (&field.rules.min, measured) {
        sentences.push(format!("At least {}.", field.show(min)));
    }
    if let (Some(max), true) = (&field.rules.max, measured) {
        sentences.push(format!("At most {}.", field.show(max)));
    }
    if field.unique {
        sentences.push("Unique.".to_owned());
    }
    (!sentences.is_empty()).then(|| sentences.join(" "))
}

/// `min`, `max` and the lengths of a value that is sent.
fn limits(field: &Field, schema: &mut Object) {
    match field.kind {
        Kind::Integer => {
            let bound = |value: &Option<Value>, absent: i64| match value {
                Some(Value::Integer(value)) => *value,
                _ => absent,
            };
            schema.set("minimum", bound(&field.rules.min, i64::MIN));
            schema.set("maximum", bound(&field.rules.max, i64::MAX));
        }
        Kind::Number => {
            for (name, value) in [("minimum", &field.rules.min), ("maximum", &field.rules.max)] {
                if let Some(value) = value {
                    schema.set(name, json(field, value));
                }
            }
        }
        _ => {}
    }
    let is_text = matches!(field.kind, Kind::String | Kind::Text);
    let blank_is_null = field.optional && (field.rules.trim || field.kind == Kind::Password);
    let least = match is_text && field.rules.trim && !field.optional {
        true => Some(field.rules.length_min.unwrap_or(1).max(1)),
        false => field.rules.length_min.filter(|_| !blank_is_null),
    };
    if let Some(min) = least {
        schema.set("minLength", min);
    }
    let most = match field.kind {
        Kind::Email => Some(field.rules.length_max.unwrap_or(254).min(254)),
        _ => field.rules.length_max,
    };
    if let Some(max) = most {
        schema.set("maxLength", max);
    }
}

/// A value of a field as JSON.
#[must_use]
pub(super) fn json(field: &Field, value: &Value) -> Json {
    match (&field.kind, value) {
        (_, Value::Null) => Json::Null,
        (Kind::Decimal { .. }, _) => field.show(value).into(),
        (Kind::Json, Value::Text(text)) => {
            serde_json::from_str::<serde_json::Value>(text).map_or(Json::Null, Json::from)
        }
        (_, Value::Boolean(value)) => (*value).into(),
        (_, Value::Integer(value)) => (*value).into(),
        (_, Value::Number(value)) => (*value).into(),
        (_, Value::Text(text)) => text.clone().into(),
    }
}

/// A key as it is answered.
fn key_answered(resource: &Resource) -> Object {
    key_of(resource.key.kind, false)
        .with("title", resource.key.field.to_label())
        .with("readOnly", resource.key.kind != KeyKind::String)
}

/// A key as it stands in a path or, where clients name it, in the body of a new record.
#[must_use]
pub(super) fn key_of_path(resource: &Resource) -> Object {
    match resource.key.kind {
        KeyKind::Integer | KeyKind::Uuid => key_of(resource.key.kind, false),
        KeyKind::String => typed("string", false)
            .with("minLength", 1_i64)
            .with("maxLength", KeyKind::CHARACTERS_MAX)
            .with("pattern", text::key(resource)),
    }
}

fn key_of(kind: KeyKind, nullable: bool) -> Object {
    match kind {
        KeyKind::Integer => typed("integer", nullable)
            .with("format", "int64")
            .with("minimum", 1_i64)
            .with("maximum", i64::MAX),
        KeyKind::Uuid => typed("string", nullable).with("format", "uuid"),
        KeyKind::String => typed("string", nullable),
    }
}

/// A schema of one type, or null.
#[must_use]
pub(super) fn typed(name: &'static str, nullable: bool) -> Object {
    match nullable {
        true => Object::new().with("type", vec![name, "null"]),
        false => Object::new().with("type", name),
    }
}

fn ignored(description: &'static str) -> Object {
    Object::new().with("description", description)
}
