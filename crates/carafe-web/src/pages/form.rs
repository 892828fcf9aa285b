//! A record's form as templates see it, with the members that a form of WTForms has:
//! `form.title`, `form.title.errors`, `form.hidden_tag()` and so on.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;

use carafe_model::fault::{Fault, Place};
use carafe_model::field::Field;
use carafe_model::key::KeyKind;
use carafe_model::kind::{Choice, Kind};
use carafe_model::resource::Resource;
use carafe_model::value::Value as Stored;
use minijinja::value::{Enumerator, Kwargs, Object, ObjectRepr, Value, ValueKind, from_args};
use minijinja::{Error, ErrorKind, State};

use crate::escape;
use crate::form::{Edition, Purpose, TOKEN, Typed, VERSION, is_editable};

/// What a select offers, by the position of its field.
pub type Options = HashMap<usize, Vec<Choice>>;

/// What a form is made of.
pub struct Parts<'a> {
    pub resource: &'a Resource,
    pub purpose: Purpose,
    pub typed: &'a Typed,
    /// What an edit form is filled from.
    pub version: Option<Edition>,
    pub faults: &'a [Fault],
    /// The records that the reference fields can choose from, where they are few.
    pub options: &'a Options,
    pub csrf_token: &'a str,
}

/// A form. Iterating gives its visible fields.
#[derive(Debug)]
pub struct FormView {
    pub(super) csrf_token: String,
    pub(super) version: Option<Edition>,
    /// Names and values of inputs that nobody sees, besides the token and the version.
    pub(super) hidden: Vec<(String, String)>,
    pub(super) fields: Vec<Arc<FieldView>>,
    /// Messages that belong to no field.
    pub(super) errors: Vec<String>,
}

/// One input of a form. Shown or called (`form.title(class="wide")`) it is its HTML.
#[derive(Debug)]
pub struct FieldView {
    /// The same as the name, unless several inputs have that.
    id: String,
    name: String,
    label: Arc<LabelView>,
    help: Option<String>,
    placeholder: Option<String>,
    control: Control,
    /// What stands in it.
    text: String,
    required: bool,
    errors: Vec<String>,
}

/// The label of an input. Shown or called it is its HTML; `text` is its text.
#[derive(Debug)]
pub struct LabelView {
    target: String,
    text: String,
}

#[derive(Debug)]
enum Control {
    /// `<input>` of a type, with attributes.
    Line(&'static str, Vec<(&'static str, String)>),
    /// `<textarea>` of so many lines.
    Area(usize),
    Checkbox,
    Select(Vec<Choice>),
    /// A password, which never stands in a page.
    Password,
}

impl FormView {
    #[must_use]
    pub fn new(parts: &Parts<'_>) -> Self {
        let resource = parts.resource;
        let mut fields = Vec::with_capacity(resource.fields.len() + 1);
        if resource.key.kind == KeyKind::String && parts.purpose == Purpose::New {
            fields.push(Arc::new(key_field(parts)));
        }
        for position in 0..resource.fields.len() {
            if is_editable(resource, position) {
                fields.push(Arc::new(field(parts, position)));
            }
        }
        let shown = |name: &str| fields.iter().any(|field| field.name == name);
        let errors = parts.faults.iter().filter(|fault| match &fault.place {
            Place::Field(name) => !shown(name),
            Place::Pointer(_) | Place::Parameter(_) | Place::Header(_) => true,
        });
        Self {
            csrf_token: parts.csrf_token.to_owned(),
            hidden: Vec::new(),
            version: match parts.purpose {
                Purpose::New => None,
                Purpose::Edit => parts.version,
            },
            errors: errors.map(|fault| fault.message.clone()).collect(),
            fields,
        }
    }

    /// The inputs that nobody sees: the token, and the version of a record that is edited.
    #[must_use]
    pub fn hidden(&self) -> String {
        let mut html = token_input(&self.csrf_token);
        if let Some(version) = self.version {
            write!(
                html,
                "<input type=\"hidden\" name=\"{VERSION}\" value=\"{version}\">"
            )
            .expect("a String takes all that is written");
        }
        for (name, value) in &self.hidden {
            html.push_str("<input type=\"hidden\"");
            attribute(&mut html, "name", name);
            attribute(&mut html, "value", value);
            html.push('>');
        }
        html
    }

    fn field(&self, name: &str) -> Option<&Arc<FieldView>> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// Names with their messages.
    fn errors(&self) -> Value {
        let faulty = self.fields.iter().filter(|field| !field.errors.is_empty());
        Value::from_pairs(
            faulty.map(|field| (field.name.as_str(), Value::from(field.errors.clone()))),
        )
    }
}

fn token_input(token: &str) -> String {
    format!(
        "<input type=\"hidden\" name=\"{TOKEN}\" value=\"{}\">",
        escape::html(token)
    )
}

fn messages(faults: &[Fault], name: &str) -> Vec<String> {
    let own = faults
        .iter()
        .filter(|fault| matches!(&fault.place, Place::Field(field) if field == name));
    own.map(|fault| fault.message.clone()).collect()
}

fn label(name: &str, text: &str) -> Arc<LabelView> {
    Arc::new(LabelView {
        target: name.to_owned(),
        text: text.to_owned(),
    })
}

/// The input for a key that the client names.
fn key_field(parts: &Parts<'_>) -> FieldView {
    let key = &parts.resource.key.field;
    let text = parts.typed.key.clone().unwrap_or_default();
    let errors = messages(parts.faults, key.as_str());
    FieldView::line(key.as_str(), key.as_str(), &key.to_label(), text, errors)
}

fn field(parts: &Parts<'_>, position: usize) -> FieldView {
    let field = &parts.resource.fields[position];
    let typed = parts.typed.fields[position].as_deref().unwrap_or_default();
    let options = parts.options.get(&position).map(Vec::as_slice);
    let (control, text) = control(field, typed, options);
    let kept = parts.purpose == Purpose::Edit && field.kind == Kind::Password;
    FieldView {
        id: field.name.as_str().to_owned(),
        name: field.name.as_str().to_owned(),
        label: label(field.name.as_str(), &field.label),
        help: help(field, kept),
        placeholder: field.placeholder.clone(),
        required: field.is_required() && !kept && !matches!(control, Control::Checkbox),
        errors: messages(parts.faults, field.name.as_str()),
        control,
        text,
    }
}

fn help(field: &Field, kept: bool) -> Option<String> {
    let ours = match field.kind {
        Kind::Datetime => Some("In UTC."),
        Kind::Password if kept => Some("Leave it empty to keep the present one."),
        _ => None,
    };
    match (&field.help, ours) {
        (Some(help), Some(ours)) => Some(format!("{help} {ours}")),
        (help, ours) => help.clone().or_else(|| ours.map(str::to_owned)),
    }
}

/// Which control a field has, and the text in it. What a typed control (`number`, `date` and
/// so on) cannot show, because it was mistyped, is shown as plain text: nothing is lost.
fn control(field: &Field, typed: &str, options: Option<&[Choice]>) -> (Control, String) {
    let trimmed = typed.trim();
    let value = field.read_text(trimmed);
    let fits = trimmed.is_empty() || value.is_ok();
    let line = |kind, attributes| (Control::Line(kind, attributes), trimmed.to_owned());
    let mistyped = |mode: &str| line("text", vec![("inputmode", mode.to_owned())]);
    match &field.kind {
        Kind::String | Kind::Uuid => (Control::Line("text", Vec::new()), typed.to_owned()),
        Kind::Text => (Control::Area(10), typed.to_owned()),
        Kind::Json => (Control::Area(6), typed.to_owned()),
        Kind::Password => (Control::Password, String::new()),
        Kind::Boolean if field.optional => {
            let choices = [("true", "Yes"), ("false", "No")].map(|(value, label)| Choice {
                value: value.to_owned(),
                label: label.to_owned(),
            });
            (select(field, choices.to_vec(), trimmed), trimmed.to_owned())
        }
        Kind::Boolean => {
            let ticked = matches!(value, Ok(Stored::Boolean(true)));
            let text = if ticked { "true" } else { "" };
            (Control::Checkbox, text.to_owned())
        }
        Kind::Choice(choices) => (select(field, choices.clone(), trimmed), trimmed.to_owned()),
        Kind::Reference(reference) => match options {
            Some(options) => (select(field, options.to_vec(), trimmed), trimmed.to_owned()),
            None if reference.key == KeyKind::Integer => mistyped("numeric"),
            None => line("text", Vec::new()),
        },
        Kind::Integer if fits && is_short_number(trimmed) => line("number", limits(field, "1")),
        Kind::Integer => mistyped("numeric"),
        Kind::Number if fits && is_short_number(trimmed) => line("number", limits(field, "any")),
        Kind::Number => mistyped("decimal"),
        Kind::Decimal { scale } if fits && is_short_number(trimmed) => {
            let step = match scale {
                0 => "1".to_owned(),
                scale => format!("0.{:0>1$}", 1, usize::from(*scale)),
            };
            line("number", limits(field, &step))
        }
        Kind::Decimal { .. } => mistyped("decimal"),
        Kind::Email if fits => line("email", Vec::new()),
        Kind::Email => mistyped("email"),
        Kind::Url if fits => line("url", Vec::new()),
        Kind::Url => mistyped("url"),
        Kind::Date if fits => {
            let mut attributes = limits(field, "");
            attributes.retain(|(name, _)| *name != "step");
            line("date", attributes)
        }
        Kind::Date => line("text", Vec::new()),
        Kind::Datetime => match value.ok().as_ref().map(local_time) {
            Some(Some(text)) => {
                let step = ("step", "any".to_owned());
                (Control::Line("datetime-local", vec![step]), text)
            }
            _ => line("text", Vec::new()),
        },
    }
}

/// A moment as `<input type="datetime-local">` takes it, which is to the millisecond; `None`
/// where that would cut something off.
fn local_time(value: &Stored) -> Option<String> {
    match value {
        Stored::Null => Some(String::new()),
        Stored::Text(text) => {
            let (seconds, fraction) = text.trim_end_matches('Z').split_once('.')?;
            match fraction.strip_suffix("000")? {
                "000" => Some(seconds.to_owned()),
                millis => Some(format!("{seconds}.{millis}")),
            }
        }
        Stored::Boolean(_) | Stored::Integer(_) | Stored::Number(_) => None,
    }
}

/// Whether a browser, which counts in 64-bit floats, keeps every digit of it.
fn is_short_number(text: &str) -> bool {
    text.bytes().filter(u8::is_ascii_digit).count() <= 15
}

fn limits(field: &Field, step: &str) -> Vec<(&'static str, String)> {
    let mut attributes = vec![("step", step.to_owned())];
    let bounds = [("min", &field.rules.min), ("max", &field.rules.max)];
    for (name, bound) in bounds {
        if let Some(bound) = bound {
            attributes.push((name, field.show(bound)));
        }
    }
    attributes
}

/// A select of `choices`. An empty one comes first where nothing is chosen or nothing may be,
/// and where something must be, because HTML wants one in a required select. A text that is
/// none of them is offered too, so that saving changes nothing unseen.
fn select(field: &Field, mut choices: Vec<Choice>, text: &str) -> Control {
    if !text.is_empty() && !choices.iter().any(|choice| choice.value == text) {
        choices.insert(
            0,
            Choice {
                value: text.to_owned(),
                label: text.to_owned(),
            },
        );
    }
    if field.optional || field.is_required() || text.is_empty() {
        let label = if field.optional { "—" } else { "Choose…" };
        choices.insert(
            0,
            Choice {
                value: String::new(),
                label: label.to_owned(),
            },
        );
    }
    Control::Select(choices)
}

impl FieldView {
    /// A required line of text.
    pub(super) fn line(
        id: &str,
        name: &str,
        label_text: &str,
        text: String,
        errors: Vec<String>,
    ) -> Self {
        Self {
            id: id.to_owned(),
            name: name.to_owned(),
            label: label(id, label_text),
            help: None,
            placeholder: None,
            control: Control::Line("text", Vec::new()),
            text,
            required: true,
            errors,
        }
    }

    /// An input for a value of `field` with an id and a label of its own.
    pub(super) fn value(
        id: &str,
        field: &Field,
        label_text: &str,
        typed: &str,
        errors: Vec<String>,
    ) -> Self {
        // A checkbox that is not ticked is not sent; a select says that nothing was chosen.
        let optional = Field {
            optional: true,
            ..field.clone()
        };
        let (control, text) = control(&optional, typed, None);
        Self {
            id: id.to_owned(),
            name: field.name.as_str().to_owned(),
            label: label(id, label_text),
            help: help(field, false),
            placeholder: field.placeholder.clone(),
            required: true,
            control,
            text,
            errors,
        }
    }

    /// The same without the need to fill it in.
    pub(super) fn optional(mut self, help: Option<&str>) -> Self {
        self.required = false;
        self.help = match (self.help.take(), help) {
            (Some(own), Some(more)) => Some(format!("{own} {more}")),
            (own, more) => own.or_else(|| more.map(str::to_owned)),
        };
        self
    }

    /// The HTML of the input, with `more` attributes.
    fn html(&self, more: &[(String, Option<String>)]) -> String {
        let mut html = String::new();
        let open = |html: &mut String, tag: &str| {
            html.push('<');
            html.push_str(tag);
            attribute(html, "id", &self.id);
            attribute(html, "name", &self.name);
        };
        match &self.control {
            Control::Line(kind, attributes) => {
                open(&mut html, "input");
                attribute(&mut html, "type", kind);
                for (name, value) in attributes {
                    attribute(&mut html, name, value);
                }
                attribute(&mut html, "value", &self.text);
            }
            Control::Password => {
                open(&mut html, "input");
                attribute(&mut html, "type", "password");
                attribute(&mut html, "autocomplete", "new-password");
            }
            Control::Checkbox => {
                open(&mut html, "input");
                attribute(&mut html, "type", "checkbox");
                attribute(&mut html, "value", "true");
                if !self.text.is_empty() {
                    html.push_str(" checked");
                }
            }
            Control::Area(rows) => {
                open(&mut html, "textarea");
                if !more.iter().any(|(name, _)| name == "rows") {
                    attribute(&mut html, "rows", &rows.to_string());
                }
            }
            Control::Select(_) => open(&mut html, "select"),
        }
        self.close(&mut html, more);
        html
    }

    /// The attributes that all inputs have, and what follows the start tag.
    fn close(&self, html: &mut String, more: &[(String, Option<String>)]) {
        let takes_placeholder = match &self.control {
            Control::Line(kind, _) => !matches!(*kind, "date" | "datetime-local"),
            Control::Area(_) | Control::Password => true,
            Control::Checkbox | Control::Select(_) => false,
        };
        let own = |name: &str| !more.iter().any(|(given, _)| given == name);
        if let Some(placeholder) = self.placeholder.as_ref().filter(|_| takes_placeholder)
            && own("placeholder")
        {
            attribute(html, "placeholder", placeholder);
        }
        if self.required && own("required") {
            html.push_str(" required");
        }
        if !self.errors.is_empty() && own("aria-invalid") {
            attribute(html, "aria-invalid", "true");
        }
        for (name, value) in more {
            match value {
                Some(value) => attribute(html, name, value),
                None => {
                    html.push(' ');
                    html.push_str(name);
                }
            }
        }
        html.push('>');
        match &self.control {
            // The first line feed after the tag is dropped by browsers.
            Control::Area(_) => {
                html.push('\n');
                escape::push(html, &self.text);
                html.push_str("</textarea>");
            }
            Control::Select(choices) => {
                for choice in choices {
                    html.push_str("<option");
                    attribute(html, "value", &choice.value);
                    if choice.value == self.text {
                        html.push_str(" selected");
                    }
                    html.push('>');
                    escape::push(html, &choice.label);
                    html.push_str("</option>");
                }
                html.push_str("</select>");
            }
            Control::Line(..) | Control::Checkbox | Control::Password => {}
        }
    }

    /// The ids of the texts that explain the input, for `aria-describedby`.
    fn described_by(&self) -> Option<String> {
        let help = self.help.as_ref().map(|_| format!("{}-help", self.id));
        let errors = (!self.errors.is_empty()).then(|| format!("{}-error", self.id));
        let ids: Vec<String> = errors.into_iter().chain(help).collect();
        (!ids.is_empty()).then(|| ids.join(" "))
    }

    fn type_name(&self) -> &'static str {
        match &self.control {
            Control::Line("number", _) => "DecimalField",
            Control::Line("date", _) => "DateField",
            Control::Line("datetime-local", _) => "DateTimeLocalField",
            Control::Line("email", _) => "EmailField",
            Control::Line("url", _) => "URLField",
            Control::Line(..) => "StringField",
            Control::Area(_) => "TextAreaField",
            Control::Checkbox => "BooleanField",
            Control::Select(_) => "SelectField",
            Control::Password => "PasswordField",
        }
    }
}

fn attribute(html: &mut String, name: &str, value: &str) {
    write!(html, " {name}=\"").expect("a String takes all that is written");
    escape::push(html, value);
    html.push('"');
}

/// The keyword arguments of a call as attributes: `class_` is `class`, `aria_label` is
/// `aria-label`, true is an attribute without a value, false and null are none.
fn attributes(args: &[Value]) -> Result<Vec<(String, Option<String>)>, Error> {
    let (kwargs,): (Kwargs,) = from_args(args)?;
    let mut attributes = Vec::new();
    for name in kwargs.args() {
        let value: Value = kwargs.peek(name)?;
        let name = name.trim_end_matches('_').replace('_', "-");
        let plain = name.starts_with(|c: char| c.is_ascii_alphabetic())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        if !plain {
            return Err(Error::new(
                ErrorKind::InvalidOperation,
                format!("{name:?} is no attribute"),
            ));
        }
        match value.kind() {
            ValueKind::None | ValueKind::Undefined => {}
            ValueKind::Bool if value.is_true() => attributes.push((name, None)),
            ValueKind::Bool => {}
            _ => attributes.push((name, Some(value.to_string()))),
        }
    }
    Ok(attributes)
}

/// The HTML of a value that is a piece of a form.
pub(crate) fn html(value: &Value) -> Option<String> {
    if let Some(field) = value.downcast_object_ref::<FieldView>() {
        return Some(field.html(&[]));
    }
    let label = value.downcast_object_ref::<LabelView>()?;
    Some(label.html(&[]))
}

impl LabelView {
    fn html(&self, more: &[(String, Option<String>)]) -> String {
        let mut html = "<label".to_owned();
        attribute(&mut html, "for", &self.target);
        for (name, value) in more {
            attribute(&mut html, name, value.as_deref().unwrap_or_default());
        }
        html.push('>');
        escape::push(&mut html, &self.text);
        html.push_str("</label>");
        html
    }
}

impl Object for FormView {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Iterable
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let name = key.as_str()?;
        Some(match name {
            "errors" => self.errors(),
            "form_errors" => Value::from(self.errors.clone()),
            "has_errors" => Value::from(
                !self.errors.is_empty() || self.fields.iter().any(|field| !field.errors.is_empty()),
            ),
            "csrf_token" => Value::from_safe_string(token_input(&self.csrf_token)),
            _ => Value::from_dyn_object(self.field(name)?.clone()),
        })
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        let fields = self.fields.iter().cloned();
        Enumerator::Values(fields.map(Value::from_dyn_object).collect())
    }

    fn call_method(
        self: &Arc<Self>,
        _state: &mut State<'_, '_>,
        method: &str,
        _args: &[Value],
    ) -> Result<Value, Error> {
        match method {
            "hidden_tag" => Ok(Value::from_safe_string(self.hidden())),
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }
}

impl Object for FieldView {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        Some(match key.as_str()? {
            "id" => Value::from(self.id.as_str()),
            "name" | "short_name" => Value::from(self.name.as_str()),
            "label" => Value::from_dyn_object(self.label.clone()),
            "data" => match self.control {
                Control::Checkbox => Value::from(!self.text.is_empty()),
                _ => Value::from(self.text.as_str()),
            },
            "errors" => Value::from(self.errors.clone()),
            "help" | "description" => Value::from(self.help.as_deref().unwrap_or_default()),
            "described_by" => Value::from(self.described_by()),
            "required" => Value::from(self.required),
            "type" => Value::from(self.type_name()),
            "flags" => Value::from_pairs([("required", self.required)]),
            "widget" => Value::from_pairs([(
                "input_type",
                match &self.control {
                    Control::Line(kind, _) => kind,
                    Control::Checkbox => "checkbox",
                    Control::Password => "password",
                    Control::Select(_) => "select",
                    Control::Area(_) => "textarea",
                },
            )]),
            "choices" => match &self.control {
                Control::Select(choices) => choices
                    .iter()
                    .map(|choice| Value::from(vec![choice.value.clone(), choice.label.clone()]))
                    .collect(),
                _ => return None,
            },
            _ => return None,
        })
    }

    fn call(self: &Arc<Self>, _state: &mut State<'_, '_>, args: &[Value]) -> Result<Value, Error> {
        Ok(Value::from_safe_string(self.html(&attributes(args)?)))
    }
}

impl Object for LabelView {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        match key.as_str()? {
            "text" => Some(Value::from(self.text.as_str())),
            "field_id" => Some(Value::from(self.target.as_str())),
            _ => None,
        }
    }

    fn call(self: &Arc<Self>, _state: &mut State<'_, '_>, args: &[Value]) -> Result<Value, Error> {
        Ok(Value::from_safe_string(self.html(&attributes(args)?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::fixture;

    #[test]
    fn a_select_starts_with_an_empty_choice_unless_there_is_a_default() {
        let choices = [Choice {
            value: "red".to_owned(),
            label: "Red".to_owned(),
        }];
        let required = fixture::field("colour", Kind::Choice(choices.to_vec()));
        let optional = Field {
            optional: true,
            ..required.clone()
        };
        let with_default = Field {
            default: Some(Stored::Text("red".to_owned())),
            ..required.clone()
        };
        let cases = [
            (&required, "", vec!["Choose…", "Red"]),
            (&required, "red", vec!["Choose…", "Red"]),
            (&required, "blue", vec!["Choose…", "blue", "Red"]),
            (&optional, "", vec!["—", "Red"]),
            (&optional, "red", vec!["—", "Red"]),
            (&with_default, "red", vec!["Red"]),
        ];
        for (field, text, expected) in cases {
            let Control::Select(offered) = select(field, choices.to_vec(), text) else {
                panic!("no select");
            };
            let labels: Vec<&str> = offered.iter().map(|choice| choice.label.as_str()).collect();
            assert_eq!(labels, expected, "{text:?} in {field:?}");
        }
    }
}
