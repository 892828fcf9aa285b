//! Forms as they are posted (`application/x-www-form-urlencoded`): what was typed, kept to be
//! shown again, and the input that it makes.

use std::fmt;

use carafe_model::draft::Input;
use carafe_model::fault::Code;
use carafe_model::field::{Field, Raw};
use carafe_model::kind::Kind;
use carafe_model::record::Record;
use carafe_model::resource::Resource;
use carafe_model::value::Value;
use http::StatusCode;
use serde_json::value::RawValue;

use crate::error::{self, Problem};
use crate::query::pairs;

/// The hidden input that proves that a form came from one of our pages.
pub const TOKEN: &str = "csrf_token";

/// The hidden input with the version of the record that is edited.
pub const VERSION: &str = "_version";

/// Pairs that a form may have; more are refused before any is kept.
pub const PAIRS_MAX: usize = 1000;

/// What a form is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    New,
    Edit,
}

/// What stands in the inputs of a record's form, as text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Typed {
    /// By the position of the field; `None` where the form had no such input.
    pub fields: Vec<Option<String>>,
    /// The key, where clients name it.
    pub key: Option<String>,
    /// The state of the record that the form was filled from.
    pub version: Option<Edition>,
    /// Positions of the fields that were sent more than once.
    repeated: Vec<usize>,
}

/// Which state of which record a form was filled from. The number of the row tells a record
/// from another that has come to the same key meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edition {
    version: i64,
    id: i64,
}

impl Edition {
    #[must_use]
    pub fn of(record: &Record) -> Self {
        Self {
            version: record.version,
            id: record.id,
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (version, id) = text.split_once('.')?;
        Some(Self {
            version: version.parse().ok()?,
            id: id.parse().ok()?,
        })
    }
}

impl fmt::Display for Edition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.version, self.id)
    }
}

/// The value of the first [`TOKEN`] in a form's body.
#[must_use]
pub fn token(body: &[u8]) -> Option<String> {
    let mut pairs = pairs(body).take(PAIRS_MAX);
    let found = pairs.find(|(name, _)| name == TOKEN);
    found.map(|(_, value)| value.into_owned())
}

impl Typed {
    /// The defaults of a new record.
    #[must_use]
    pub fn blank(resource: &Resource) -> Self {
        let default = |field: &Field| match &field.default {
            Some(value) => text(field, value),
            None => String::new(),
        };
        Self {
            fields: resource.fields.iter().map(default).map(Some).collect(),
            ..Self::default()
        }
    }

    /// What a record holds, but passwords.
    #[must_use]
    pub fn of(resource: &Resource, record: &Record) -> Self {
        let fields = resource.fields.iter().zip(&record.values);
        Self {
            fields: fields
                .map(|(field, value)| Some(text(field, value)))
                .collect(),
            version: Some(Edition::of(record)),
            ..Self::default()
        }
    }

    /// Reads a form's body. Inputs that are no fields are ignored; line ends become LF.
    ///
    /// # Errors
    ///
    /// 400 when it has more than [`PAIRS_MAX`] pairs.
    pub fn parse(resource: &Resource, body: &[u8]) -> Result<Self, Problem> {
        let mut typed = Self {
            fields: vec![None; resource.fields.len()],
            ..Self::default()
        };
        for (index, (name, value)) in pairs(body).enumerate() {
            if index == PAIRS_MAX {
                let error = format!("A form has at most {PAIRS_MAX} values");
                return Err(Problem::new(
                    error::Kind::BadForm,
                    StatusCode::BAD_REQUEST,
                    error,
                ));
            }
            match resource.position(&name) {
                Some(position) => typed.take(resource, position, &value),
                None if name == VERSION => typed.version = Edition::parse(&value),
                None if name == resource.key.field.as_str() => {
                    typed.key = Some(value.into_owned());
                }
                None => {}
            }
        }
        Ok(typed)
    }

    /// Of a checkbox the last value holds, so that a hidden `false` may stand before it.
    fn take(&mut self, resource: &Resource, position: usize, value: &str) {
        let checkbox = resource.fields[position].kind == Kind::Boolean;
        let slot = &mut self.fields[position];
        if slot.is_some() && !checkbox && !self.repeated.contains(&position) {
            self.repeated.push(position);
        }
        *slot = Some(value.replace("\r\n", "\n").replace('\r', "\n"));
    }

    /// The input that the form makes. A checkbox that was not sent is not ticked; an empty
    /// input is null, or the default where the field cannot be null; an empty password of a
    /// record that is edited stays as it is. `json_depth_max` is the nesting that JSON may have.
    #[must_use]
    pub fn input(&self, resource: &Resource, purpose: Purpose, json_depth_max: usize) -> Input {
        let mut input = Input::new(resource);
        input.key = self
            .key
            .as_deref()
            .map(str::trim)
            .filter(|key| !key.is_empty())
            .map(str::to_owned);
        for (position, field) in resource.fields.iter().enumerate() {
            if !is_editable(resource, position) {
                continue;
            }
            let Some(text) = &self.fields[position] else {
                if field.kind == Kind::Boolean && !field.optional {
                    input.give_value(position, Value::Boolean(false));
                }
                continue;
            };
            if self.repeated.contains(&position) {
                input.fault(field.fault(Code::Duplicate, "is given twice"));
            }
            match (&field.default, &field.kind) {
                (_, Kind::Password) if text.is_empty() && purpose == Purpose::Edit => {}
                _ if !is_blank(field, text) => {
                    give(&mut input, resource, position, text, json_depth_max)
                }
                _ if field.optional => input.give_value(position, Value::Null),
                (Some(default), _) => input.give_value(position, default.clone()),
                (None, _) => input.give_text(resource, position, text),
            }
        }
        input
    }
}

/// Whether people fill in the field at `position`: the server sets some, and the parent is in
/// the path.
#[must_use]
pub fn is_editable(resource: &Resource, position: usize) -> bool {
    let parent = resource.parent.as_ref().map(|parent| parent.field);
    resource.fields[position].set.is_none() && parent != Some(position)
}

fn is_blank(field: &Field, text: &str) -> bool {
    match field.kind {
        Kind::Password => text.is_empty(),
        Kind::String | Kind::Text if !field.rules.trim => text.is_empty(),
        _ => text.trim().is_empty(),
    }
}

fn give(input: &mut Input, resource: &Resource, position: usize, text: &str, depth_max: usize) {
    if resource.fields[position].kind != Kind::Json {
        return input.give_text(resource, position, text);
    }
    match compact_json(text, depth_max) {
        Some(json) if json == "null" => input.give(resource, position, Raw::Null),
        Some(json) => input.give(resource, position, Raw::Json(json.into())),
        // No value that a JSON field takes: noted as its fault.
        None => input.give(resource, position, Raw::Compound(text)),
    }
}

/// `text` without the white space between its tokens, if it is JSON of at most `depth_max`
/// levels.
fn compact_json(text: &str, depth_max: usize) -> Option<String> {
    let json: &RawValue = serde_json::from_str(text).ok()?;
    let mut compact = String::with_capacity(json.get().len());
    let (mut in_string, mut escaped, mut depth) = (false, false, 0_usize);
    for c in json.get().chars() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => in_string = !in_string,
            _ if in_string => {}
            '[' | '{' => depth += 1,
            ']' | '}' => depth = depth.saturating_sub(1),
            ' ' | '\t' | '\n' | '\r' => continue,
            _ => {}
        }
        if depth > depth_max {
            return None;
        }
        compact.push(c);
    }
    Some(compact)
}

/// A value as an input has it.
fn text(field: &Field, value: &Value) -> String {
    match (&field.kind, value) {
        (Kind::Password, _) => String::new(),
        (Kind::Boolean, Value::Boolean(false)) if !field.optional => String::new(),
        _ => field.show(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::fixture;

    const DEPTH_MAX: usize = 4;

    fn values(body: &str) -> Result<Vec<Value>, Vec<String>> {
        let (schema, index) = fixture::kitchen();
        let resource = &schema.resources[index];
        let typed = Typed::parse(resource, body.as_bytes()).unwrap();
        typed
            .input(resource, Purpose::New, DEPTH_MAX)
            .into_new(resource)
            .map_err(|faults| faults.into_iter().map(|fault| fault.message).collect())
    }

    #[test]
    fn each_kind_of_input_is_read() {
        let text = |text: &str| Value::Text(text.to_owned());
        let cases: [(&str, &str, Value); 12] = [
            ("title", "title=+a+b+", text("a b")),
            ("content", "content=a%0D%0Ab%0Dc", text("a\nb\nc")),
            ("done", "done=true", Value::Boolean(true)),
            ("done", "done=false&done=on", Value::Boolean(true)),
            ("done", "", Value::Boolean(false)),
            ("maybe", "maybe=", Value::Null),
            ("maybe", "maybe=false", Value::Boolean(false)),
            ("amount", "amount=12.5", Value::Integer(1250)),
            ("amount", "amount=", Value::Null),
            ("rank", "rank=", Value::Integer(3)),
            ("due", "due=2026-01-31", text("2026-01-31")),
            (
                "extra",
                "extra={ \"a b\" : [1, 2.50] }",
                text("{\"a b\":[1,2.50]}"),
            ),
        ];
        let (schema, index) = fixture::kitchen();
        for (name, body, expected) in cases {
            let body = match name {
                "title" | "content" => format!("title=x&content=y&{body}").replacen(
                    &format!("{name}={}", if name == "title" { "x" } else { "y" }),
                    "",
                    1,
                ),
                _ => format!("title=x&content=y&{body}"),
            };
            let position = schema.resources[index].position(name).unwrap();
            let values = values(&body).unwrap();
            assert_eq!(values[position], expected, "body: {body}");
        }
    }

    #[test]
    fn every_fault_of_a_form_is_told() {
        let cases: [(&str, &[&str]); 6] = [
            ("", &["Title is required", "Content is required"]),
            ("title=+&content=x", &["Title is required"]),
            ("title=a&content=x&rank=z", &["Rank must be a whole number"]),
            ("title=a&title=b&content=x", &["Title is given twice"]),
            ("title=a&content=x&extra={", &["Extra must be JSON"]),
            (
                "title=a&content=x&extra=[[[[[]]]]]",
                &["Extra must be JSON"],
            ),
        ];
        for (body, expected) in cases {
            assert_eq!(values(body).unwrap_err(), expected, "body: {body:?}");
        }
    }

    #[test]
    fn what_the_server_sets_and_what_it_does_not_know_is_ignored() {
        let (schema, index) = fixture::kitchen();
        let resource = &schema.resources[index];
        let body =
            b"title=a&content=b&created_at=2000-01-01T00:00:00Z&nope=1&csrf_token=t&_version=7.1";
        let typed = Typed::parse(resource, body).unwrap();
        let values = typed
            .input(resource, Purpose::New, DEPTH_MAX)
            .into_new(resource)
            .unwrap();
        assert_eq!(
            values[resource.position("created_at").unwrap()],
            Value::Null
        );
        assert_eq!(typed.version, Some(Edition { version: 7, id: 1 }));
        assert_eq!(token(body).as_deref(), Some("t"));
    }

    #[test]
    fn an_empty_password_of_an_edited_record_stays() {
        let (schema, index) = fixture::kitchen();
        let resource = &schema.resources[index];
        let position = resource.position("secret").unwrap();
        let record = fixture::kitchen_record(resource);
        for (body, expected) in [("secret=", "hash"), ("secret=new", "new")] {
            let typed = Typed::parse(resource, body.as_bytes()).unwrap();
            let values = typed
                .input(resource, Purpose::Edit, DEPTH_MAX)
                .into_merge(resource, &record)
                .unwrap();
            assert_eq!(values[position], Value::Text(expected.to_owned()), "{body}");
        }
    }

    #[test]
    fn a_form_of_too_many_values_is_refused() {
        let (schema, index) = fixture::kitchen();
        let body = "a=&".repeat(PAIRS_MAX + 1);
        let refused = Typed::parse(&schema.resources[index], body.as_bytes()).unwrap_err();
        assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    }
}
