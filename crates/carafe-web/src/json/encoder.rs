//! JSON out: rows to bytes, without a tree between.

use std::io::Write;

use carafe_model::decimal;
use carafe_model::document::CONTENT;
use carafe_model::field::Field;
use carafe_model::kind::Kind as FieldKind;
use carafe_model::record::column;
use carafe_model::resource::{Column, Resource};
use carafe_model::value::{Cell, Raw, Row, Value, valid};
use carafe_service::document::Document;

use crate::condition;
use crate::json::text::{write_stored, write_string};

/// How the rows of a resource are written as JSON: compiled once for the whole record, or for
/// what a request asks of it.
#[derive(Debug)]
pub struct Encoder {
    body: Body,
    /// Differs where the members differ, for entity tags.
    pub shape: u32,
}

#[derive(Debug)]
enum Body {
    /// An object of these members.
    Object(Vec<Member>),
    /// One value by itself.
    Value { column: usize, form: Form },
    /// The value of one member of a document.
    Member(String),
}

#[derive(Debug)]
struct Member {
    /// `{"title":` or `,"title":`.
    prefix: String,
    column: usize,
    form: Form,
}

/// How a cell is written.
#[derive(Clone, Copy, Debug)]
enum Form {
    Plain,
    Boolean,
    Decimal(u8),
    Json,
}

impl Encoder {
    /// The whole record: the key, then every field but passwords. A document is its object.
    #[must_use]
    pub fn new(resource: &Resource) -> Self {
        match resource.members {
            Some(_) => Self::of_field(resource, CONTENT),
            None => Self::of(resource, whole(resource)),
        }
    }

    /// A deleted record with the time of its deletion. A document has its key and its object as
    /// members beside that.
    #[must_use]
    pub fn of_deleted(resource: &Resource) -> Self {
        let mut encoder = Self::of(resource, whole(resource));
        if let Body::Object(members) = &mut encoder.body {
            members.push(Member {
                prefix: ",\"deleted_at\":".to_owned(),
                column: column::DELETED_AT,
                form: Form::Plain,
            });
            encoder.shape = shape(members);
        }
        encoder
    }

    /// The columns given, in their order; passwords are left out.
    #[must_use]
    pub fn of(resource: &Resource, columns: impl IntoIterator<Item = Column>) -> Self {
        let mut members: Vec<Member> = Vec::new();
        for column in columns {
            let Some((index, form)) = place(resource, column) else {
                continue;
            };
            let start = if members.is_empty() { '{' } else { ',' };
            let prefix = format!("{start}\"{}\":", resource.column_name(column));
            members.push(Member {
                prefix,
                column: index,
                form,
            });
        }
        Self {
            shape: shape(&members),
            body: Body::Object(members),
        }
    }

    /// The value of the field at `position`, without its name.
    #[must_use]
    pub fn of_field(resource: &Resource, position: usize) -> Self {
        let (column, form) =
            place(resource, Column::Field(position)).unwrap_or((column::KEY, Form::Plain));
        let name = &resource.fields[position].name;
        Self {
            shape: condition::fingerprint(format!("{name}{form:?}").as_bytes()),
            body: Body::Value { column, form },
        }
    }

    /// The value of one member of a document.
    #[must_use]
    pub fn of_member(name: &str) -> Self {
        Self {
            shape: condition::fingerprint(format!("member {name}").as_bytes()),
            body: Body::Member(name.to_owned()),
        }
    }

    /// Appends `row`, an object with a member `url` at its end if one is given.
    pub fn write(&self, out: &mut Vec<u8>, row: &dyn Row, url: Option<&str>) {
        let members = match &self.body {
            Body::Object(members) => members,
            Body::Value { column, form } => return form.write(out, row.raw(*column)),
            Body::Member(name) => {
                let document = Document::of(row);
                out.extend_from_slice(document.get(name).unwrap_or("null").as_bytes());
                return;
            }
        };
        for member in members {
            out.extend_from_slice(member.prefix.as_bytes());
            member.form.write(out, row.raw(member.column));
        }
        if let Some(url) = url {
            out.extend_from_slice(b",\"url\":");
            write_string(out, url);
        }
        out.push(b'}');
    }
}

/// The columns of a whole record.
fn whole(resource: &Resource) -> impl Iterator<Item = Column> {
    let fields = (0..resource.fields.len()).map(Column::Field);
    std::iter::once(Column::Key).chain(fields)
}

/// Where a column stands in a row and how it is written; `None` for a password.
fn place(resource: &Resource, column: Column) -> Option<(usize, Form)> {
    Some(match column {
        Column::Key => (column::KEY, Form::Plain),
        Column::Field(position) => (
            column::FIELDS + position,
            Form::of(&resource.fields[position])?,
        ),
    })
}

fn shape(members: &[Member]) -> u32 {
    let described: String = members
        .iter()
        .map(|member| format!("{}{:?}", &member.prefix[1..], member.form))
        .collect();
    condition::fingerprint(described.as_bytes())
}

/// The JSON text of a value that `field` has accepted.
pub(super) fn text(field: &Field, value: &Value) -> String {
    let mut out = Vec::new();
    let form = Form::of(field).unwrap_or(Form::Plain);
    form.write_cell(&mut out, value.as_cell());
    String::from_utf8(out).expect("JSON is written from texts")
}

impl Form {
    /// `None` for a password.
    fn of(field: &Field) -> Option<Self> {
        Some(match field.kind {
            FieldKind::Password => return None,
            FieldKind::Boolean => Form::Boolean,
            FieldKind::Decimal { scale } => Form::Decimal(scale),
            FieldKind::Json => Form::Json,
            FieldKind::String
            | FieldKind::Text
            | FieldKind::Integer
            | FieldKind::Number
            | FieldKind::Date
            | FieldKind::Datetime
            | FieldKind::Email
            | FieldKind::Url
            | FieldKind::Uuid
            | FieldKind::Choice(_)
            | FieldKind::Reference(_) => Form::Plain,
        })
    }

    fn write(self, out: &mut Vec<u8>, cell: Raw<'_>) {
        match (self, cell) {
            (Form::Json, Raw::Text(text)) => out.extend_from_slice(valid(text).as_bytes()),
            (_, Raw::Text(text)) => write_stored(out, text),
            (_, Raw::Other(cell)) => self.write_cell(out, cell),
        }
    }

    fn write_cell(self, out: &mut Vec<u8>, cell: Cell<'_>) {
        match (self, cell) {
            (_, Cell::Null) => out.extend_from_slice(b"null"),
            (Form::Boolean, Cell::Integer(value)) => {
                out.extend_from_slice(if value == 0 { b"false" } else { b"true" })
            }
            (Form::Decimal(scale), Cell::Integer(units)) => {
                let _ = write!(out, "\"{}\"", decimal::format(units, scale));
            }
            (_, Cell::Integer(value)) => {
                out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes())
            }
            (_, Cell::Number(value)) => {
                // `{:?}` is the shortest text that reads back the same, and valid JSON.
                let _ = write!(out, "{value:?}");
            }
            (Form::Json, Cell::Text(text)) => out.extend_from_slice(text.as_bytes()),
            (_, Cell::Text(text)) => write_string(out, text),
        }
    }
}
