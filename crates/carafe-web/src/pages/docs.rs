//! The OpenAPI document as a page: every operation in words, with a form to try it where there
//! is a script.

use http::StatusCode;
use minijinja::value::Value;

use crate::openapi::tree::{Json, Object};
use crate::pages::visit::{PageResult, View, Visit};

/// `GET /docs`
///
/// # Errors
///
/// 500 where the template fails.
pub fn show(visit: &Visit<'_>) -> PageResult {
    let document = &visit.call.app.document().tree;
    let reader = Reader {
        components: object(document, "components"),
    };
    visit.render(View {
        status: StatusCode::OK,
        template: "docs.html",
        title: "API".to_owned(),
        resource: None,
        values: vec![
            ("description", text(object(document, "info"), "description")),
            ("groups", reader.groups(document)),
        ],
    })
}

/// Reads the parts of a document, with the components that they refer to.
struct Reader<'a> {
    components: Option<&'a Object>,
}

impl<'a> Reader<'a> {
    /// The operations, by tag and in the order of the document.
    fn groups(&self, document: &'a Object) -> Value {
        let mut groups: Vec<(&str, Vec<Value>)> = Vec::new();
        for (path, item) in members(object(document, "paths")) {
            let shared = array(item, "parameters");
            for (method, operation) in members(Some(item)) {
                if method == "parameters" {
                    continue;
                }
                let tag = array(operation, "tags").iter().find_map(as_text);
                let tag = tag.unwrap_or_default();
                let described = self.operation(path, method, shared, operation);
                match groups.iter_mut().find(|(known, _)| *known == tag) {
                    Some((_, operations)) => operations.push(described),
                    None => groups.push((tag, vec![described])),
                }
            }
        }
        let groups = groups.into_iter().map(|(name, operations)| {
            Value::from_pairs([
                ("name", Value::from(name)),
                ("operations", Value::from(operations)),
            ])
        });
        groups.collect()
    }

    fn operation(
        &self,
        path: &str,
        method: &str,
        shared: &'a [Json],
        operation: &'a Object,
    ) -> Value {
        let own = array(operation, "parameters");
        let parameters = shared.iter().chain(own).filter_map(as_object);
        // Filters are many and alike.
        let is_filter = |parameter: &&Object| {
            as_str(parameter, "in") == "query" && as_str(parameter, "name").contains("__")
        };
        let (filters, parameters): (Vec<_>, Vec<_>) = parameters.partition(is_filter);
        let described = |parameters: Vec<&'a Object>| -> Value {
            let described = parameters.into_iter().map(|p| self.parameter(p));
            described.collect()
        };
        let bodies = object(operation, "requestBody").and_then(|body| object(body, "content"));
        let bodies = members(bodies).map(|(kind, media)| self.body(kind, media));
        let responses = members(object(operation, "responses"));
        let responses = responses.map(|(status, response)| self.response(status, response));
        Value::from_pairs([
            ("id", text(Some(operation), "operationId")),
            ("method", Value::from(method.to_uppercase())),
            ("path", Value::from(path)),
            ("summary", text(Some(operation), "summary")),
            ("description", text(Some(operation), "description")),
            (
                "deprecated",
                Value::from(operation.get("deprecated") == Some(&Json::Boolean(true))),
            ),
            ("parameters", described(parameters)),
            ("filters", described(filters)),
            ("bodies", bodies.collect()),
            ("responses", responses.collect()),
        ])
    }

    fn parameter(&self, parameter: &'a Object) -> Value {
        let schema = object(parameter, "schema");
        Value::from_pairs([
            ("name", text(Some(parameter), "name")),
            ("place", text(Some(parameter), "in")),
            (
                "required",
                Value::from(parameter.get("required") == Some(&Json::Boolean(true))),
            ),
            ("kind", Value::from(schema.map(kind))),
            ("description", text(Some(parameter), "description")),
        ])
    }

    fn body(&self, media_type: &str, media: &'a Object) -> Value {
        let schema = object(media, "schema").map(|schema| self.resolve(schema));
        // Of several schemas, the first is the usual one.
        let first = schema.and_then(|schema| array(schema, "anyOf").iter().find_map(as_object));
        let schema = first.map(|schema| self.resolve(schema)).or(schema);
        let example = schema
            .and_then(|schema| array(schema, "examples").first())
            .map_or(String::new(), pretty);
        let required: Vec<&str> = schema.map_or_else(Vec::new, |schema| {
            array(schema, "required")
                .iter()
                .filter_map(as_text)
                .collect()
        });
        let fields = schema.and_then(|schema| object(schema, "properties"));
        let fields = members(fields).filter(|(_, field)| field.get("type").is_some());
        let fields = fields.map(|(name, field)| {
            Value::from_pairs([
                ("name", Value::from(name)),
                ("kind", Value::from(kind(field))),
                ("required", Value::from(required.contains(&name))),
                ("description", text(Some(field), "description")),
            ])
        });
        Value::from_pairs([
            ("type", Value::from(media_type)),
            ("example", Value::from(example)),
            ("fields", fields.collect()),
        ])
    }

    fn response(&self, status: &str, response: &'a Object) -> Value {
        let response = self.resolve(response);
        Value::from_pairs([
            ("status", Value::from(status)),
            ("description", text(Some(response), "description")),
        ])
    }

    /// What a reference leads to.
    fn resolve(&self, part: &'a Object) -> &'a Object {
        let reference = as_str(part, "$ref");
        let mut steps = reference.trim_start_matches("#/components/").split('/');
        let found = match (steps.next(), steps.next(), self.components) {
            (Some(kind), Some(name), Some(components)) => {
                object(components, kind).and_then(|kind| object(kind, name))
            }
            _ => None,
        };
        found.unwrap_or(part)
    }
}

/// What a schema allows, in a few words.
fn kind(schema: &Object) -> String {
    let mut words = match schema.get("type") {
        Some(Json::Text(name)) => name.to_string(),
        Some(Json::Array(names)) => names
            .iter()
            .filter_map(as_text)
            .collect::<Vec<_>>()
            .join(" or "),
        _ => "any".to_owned(),
    };
    if let Some(format) = schema.get("format").and_then(as_text) {
        words.push_str(&format!(" ({format})"));
    }
    let number = |name: &str| match schema.get(name) {
        Some(Json::Number(value)) => Some(value.to_string()),
        _ => None,
    };
    // Those of 64 bits are no limits that anybody meets.
    let bound = |name: &str| number(name).filter(|value| value.len() < 18);
    for (value, before, after) in [
        (bound("minimum"), ", at least ", ""),
        (bound("maximum"), ", at most ", ""),
        (number("minLength"), ", at least ", " characters"),
        (number("maxLength"), ", at most ", " characters"),
    ] {
        if let Some(value) = value {
            words.push_str(&format!("{before}{value}{after}"));
        }
    }
    let values = array(schema, "enum").iter();
    let values: Vec<&str> = values.filter_map(as_text).collect();
    if !values.is_empty() {
        words.push_str(&format!(": {}", values.join(", ")));
    }
    words
}

fn pretty(example: &Json) -> String {
    serde_json::to_string_pretty(example).unwrap_or_default()
}

fn object<'a>(of: &'a Object, name: &str) -> Option<&'a Object> {
    of.get(name).and_then(as_object)
}

fn as_object(value: &Json) -> Option<&Object> {
    match value {
        Json::Object(object) => Some(object),
        _ => None,
    }
}

fn as_text(value: &Json) -> Option<&str> {
    match value {
        Json::Text(text) => Some(text),
        _ => None,
    }
}

fn as_str<'a>(of: &'a Object, name: &str) -> &'a str {
    of.get(name).and_then(as_text).unwrap_or_default()
}

fn text(of: Option<&Object>, name: &str) -> Value {
    let found = of.and_then(|object| object.get(name)).and_then(as_text);
    Value::from(found)
}

fn array<'a>(of: &'a Object, name: &str) -> &'a [Json] {
    match of.get(name) {
        Some(Json::Array(items)) => items,
        _ => &[],
    }
}

/// The members of an object that are objects.
fn members(of: Option<&Object>) -> impl Iterator<Item = (&str, &Object)> {
    let members = of.into_iter().flat_map(Object::iter);
    members.filter_map(|(name, value)| Some((name, as_object(value)?)))
}
