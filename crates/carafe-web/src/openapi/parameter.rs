//! Parameters of paths, queries and headers.

use carafe_model::field::Field;
use carafe_model::key::KeyKind;
use carafe_model::kind::Kind;
use carafe_model::query::{CURSOR, DELETED, ONLY, PAGE_MAX};
use carafe_model::resource::{Column, Delete, Pagination, Resource, Strictness};

use super::schema::typed;
use super::text;
use super::tree::Object;

/// A segment of the path.
#[must_use]
pub(super) fn path(name: &str, schema: Object, description: String) -> Object {
    parameter("path", name, schema)
        .with("required", true)
        .with("description", description)
}

fn query(name: &str, schema: Object, description: impl Into<String>) -> Object {
    parameter("query", name, schema).with("description", description.into())
}

fn header(name: &str, schema: Object, description: &'static str) -> Object {
    parameter("header", name, schema).with("description", description)
}

fn parameter(place: &'static str, name: &str, schema: Object) -> Object {
    Object::new()
        .with("name", name.to_owned())
        .with("in", place)
        .with("schema", schema)
}

/// Names with commas between.
fn list(parameter: Object) -> Object {
    parameter.with("style", "form").with("explode", false)
}

/// Which page of a list, and in which order.
#[must_use]
pub(super) fn paging(resource: &Resource, per_page: u64, per_page_max: u64) -> Vec<Object> {
    let lenient = resource.input == Strictness::Lenient;
    let number = |max: u64, default: u64| {
        let schema = match lenient {
            // What is no number in the range counts as one that is.
            true => Object::new(),
            false => typed("integer", false)
                .with("minimum", 1_i64)
                .with("maximum", i64::try_from(max).unwrap_or(i64::MAX)),
        };
        schema.with("default", i64::try_from(default).unwrap_or(i64::MAX))
    };
    let mut parameters = Vec::new();
    match resource.pagination {
        Pagination::Page => parameters.push(query(
            "page",
            number(PAGE_MAX, 1),
            "The page, from 1. Past the end the list is empty.",
        )),
        Pagination::Cursor => parameters.push(query(
            CURSOR,
            typed("string", false),
            "Where the page starts: the `next` of the page before, with the same filters and order.",
        )),
    }
    parameters.push(query(
        "per_page",
        number(per_page_max, per_page),
        format!("Records on a page, at most {per_page_max}."),
    ));
    let columns: Vec<String> = comparable(resource)
        .into_iter()
        .map(|column| resource.column_name(column).to_string())
        .collect();
    let steps = columns
        .iter()
        .flat_map(|name| [name.clone(), format!("-{name}")])
        .collect();
    let sort = query(
        "sort",
        match lenient {
            true => names(lenient, steps),
            false => names(lenient, steps).with("uniqueItems", true),
        },
        "Fields to sort by, with commas between; `-` in front for descending. The key is the last tie-breaker.",
    );
    parameters.push(list(sort));
    parameters
}

/// Names of a closed set; any where what is not known is ignored.
fn names(lenient: bool, known: Vec<String>) -> Object {
    let item = match lenient {
        true => typed("string", false),
        false => typed("string", false).with("enum", known),
    };
    let schema = Object::new().with("type", "array").with("items", item);
    match lenient {
        true => schema,
        false => schema.with("minItems", 1_i64),
    }
}

/// The members that are answered.
#[must_use]
pub(super) fn fields(resource: &Resource) -> Vec<Object> {
    if resource.members.is_some() {
        return Vec::new();
    }
    let visible = resource
        .fields
        .iter()
        .filter(|field| field.kind != Kind::Password)
        .map(|field| field.name.to_string());
    let known: Vec<String> = std::iter::once(resource.key.field.to_string())
        .chain(visible)
        .collect();
    let described = format!(
        "The members that are answered, with commas between, of: {}.",
        known.join(", ")
    );
    let fields = query(
        "fields",
        names(resource.input == Strictness::Lenient, known),
        described,
    );
    vec![list(fields)]
}

/// The text to search for.
#[must_use]
pub(super) fn search(resource: &Resource, required: bool) -> Vec<Object> {
    if resource.search.is_empty() {
        return Vec::new();
    }
    let fields: Vec<&str> = resource
        .search
        .iter()
        .map(|position| resource.fields[*position].name.as_str())
        .collect();
    let text = typed("string", false);
    let text = match (resource.input, required) {
        // A text of nothing but white space is no text.
        (_, true) => text.with("pattern", text::SOMETHING),
        (Strictness::Lenient, false) => text,
        (Strictness::Strict, false) => text.with("pattern", text::WITHOUT_NUL),
    };
    let text = query(
        "q",
        text,
        format!(
            "A text to search for in {}: any part of them, in any capitalisation.",
            fields.join(", ")
        ),
    );
    vec![match required {
        true => text.with("required", true),
        false => text,
    }]
}

/// Deleted records in place of the others.
#[must_use]
pub(super) fn deleted(resource: &Resource, of_one: bool) -> Vec<Object> {
    if resource.delete != Delete::Soft {
        return Vec::new();
    }
    let schema = match (resource.input, of_one) {
        (Strictness::Lenient, _) => typed("string", false),
        (Strictness::Strict, false) => typed("string", false).with("enum", vec![ONLY]),
        (Strictness::Strict, true) => Object::new().with(
            "anyOf",
            vec![
                typed("string", false).with("enum", vec![ONLY]),
                typed("string", false).with("format", "date-time"),
            ],
        ),
    };
    let description = match of_one {
        true => {
            "`only`: the deleted record that had the key last; a time: the one that was deleted then."
        }
        false => "`only`: deleted records in place of the others.",
    };
    vec![query(DELETED, schema, description)]
}

/// Filters, for each column that can be compared.
#[must_use]
pub(super) fn filters(resource: &Resource, strictness: Strictness) -> Vec<Object> {
    let mut filters = Vec::new();
    for column in comparable(resource) {
        let name = resource.column_name(column).to_string();
        let label = match column {
            Column::Key => resource.key.field.to_label(),
            Column::Field(position) => resource.fields[position].label.clone(),
        };
        let of = |schema: Object| match strictness {
            Strictness::Strict => schema,
            Strictness::Lenient => typed("string", false),
        };
        let value = compared(resource, column, false);
        let value_or_none = compared(resource, column, true);
        let mut filter = |operator: &str, schema: Object, words: String| {
            let name = match operator {
                // A field that is called like a parameter of lists.
                "" if carafe_model::query::PARAMETERS.contains(&name.as_str()) => return,
                "" => name.clone(),
                operator => format!("{name}__{operator}"),
            };
            filters.push(query(&name, of(schema), words));
        };
        filter("", value_or_none.clone(), format!("{label} is this value"));
        filter(
            "eq",
            value_or_none.clone(),
            format!("{label} is this value"),
        );
        filter(
            "ne",
            value_or_none,
            format!("{label} is another value, or none"),
        );
        for (operator, words) in [
            ("lt", "less than"),
            ("lte", "at most"),
            ("gt", "greater than"),
            ("gte", "at least"),
        ] {
            filter(operator, value.clone(), format!("{label} is {words} this"));
        }
        filter(
            "in",
            typed("string", false).with("pattern", text::list_of(resource, column)),
            format!("{label} is one of these values, with commas between; at most 100"),
        );
        let is_text = matches!(column, Column::Field(position) if resource.fields[position].kind.is_written_text());
        if is_text {
            let schema = typed("string", false).with("pattern", text::WITHOUT_NUL);
            filter("contains", schema, format!("{label} has this text in it"));
        }
        let flag = typed("string", false).with("enum", vec!["true", "false", "1", "0"]);
        filter("isnull", flag, format!("{label} has no value"));
    }
    filters
}

/// The columns that lists are sorted and filtered by.
fn comparable(resource: &Resource) -> Vec<Column> {
    let fields = resource.fields.iter().enumerate();
    let fields = fields.filter(|(_, field)| field.kind.is_comparable());
    std::iter::once(Column::Key)
        .chain(fields.map(|(position, _)| Column::Field(position)))
        .collect()
}

/// A value that a column is compared with, as text of the query; perhaps none at all.
fn compared(resource: &Resource, column: Column, or_none: bool) -> Object {
    let text = || typed("string", false).with("pattern", text::WITHOUT_NUL);
    let (schema, empty) = match column {
        Column::Key => match resource.key.kind {
            KeyKind::Integer => (whole(), false),
            KeyKind::Uuid => (typed("string", false).with("format", "uuid"), false),
            KeyKind::String => (text(), true),
        },
        Column::Field(position) => of_field(&resource.fields[position]),
    };
    let is_optional = match column {
        Column::Key => false,
        Column::Field(position) => resource.fields[position].optional,
    };
    match (empty, or_none) {
        // Any text is a value; where null is one too, the empty text is null.
        (true, false) if is_optional => typed("string", false).with("pattern", r"^[^\u0000]+$"),
        (false, true) if matches!(column, Column::Field(_)) => {
            let none = typed("string", false).with("maxLength", 0_i64);
            Object::new().with("anyOf", vec![schema, none])
        }
        _ => schema,
    }
}

/// What a field is compared with, and whether the empty text is a value of it.
fn of_field(field: &Field) -> (Object, bool) {
    let text = typed("string", false);
    match &field.kind {
        Kind::String | Kind::Text | Kind::Email | Kind::Url | Kind::Choice(_) => {
            (text.with("pattern", text::WITHOUT_NUL), true)
        }
        Kind::Integer => (whole(), false),
        Kind::Number => (typed("number", false), false),
        Kind::Decimal { scale } => (text.with("pattern", text::decimal(*scale)), false),
        Kind::Boolean => {
            let words = ["true", "false", "1", "0", "on", "off", "yes", "no"];
            (text.with("enum", words.to_vec()), false)
        }
        Kind::Date => (text.with("format", "date"), false),
        Kind::Datetime => (text.with("format", "date-time"), false),
        Kind::Uuid => (text.with("format", "uuid"), false),
        Kind::Reference(reference) => match reference.key {
            KeyKind::Integer => (whole().with("minimum", 1_i64), false),
            KeyKind::Uuid => (text.with("format", "uuid"), false),
            KeyKind::String => (text.with("pattern", text::of_key(reference.key)), false),
        },
        Kind::Password | Kind::Json => (Object::new(), false),
    }
}

fn whole() -> Object {
    typed("integer", false)
        .with("minimum", i64::MIN)
        .with("maximum", i64::MAX)
}

/// The version that a read already has.
#[must_use]
pub(super) fn if_none_match() -> Object {
    header(
        "If-None-Match",
        typed("string", false),
        "Entity tags that the client has; with the current one among them the answer is 304.",
    )
}

/// The version that a write is about.
#[must_use]
pub(super) fn if_match(required: bool) -> Object {
    let parameter = header(
        "If-Match",
        typed("string", false),
        "The entity tag of the version that was read; if the record has another by now, the answer is 412 and nothing is changed.",
    );
    match required {
        true => parameter.with("required", true),
        false => parameter,
    }
}

/// A POST that may be repeated.
#[must_use]
pub(super) fn idempotency_key() -> Object {
    let schema = typed("string", false)
        .with("minLength", 3_i64)
        .with("maxLength", 257_i64)
        .with("pattern", r#"^"[ !#-\[\]-~]+"$"#);
    header(
        "Idempotency-Key",
        schema,
        "A name for this request, in quotes; sent again within 24 hours it creates nothing twice and gives the first answer.",
    )
}

/// How much of the result a write answers.
#[must_use]
pub(super) fn prefer() -> Object {
    header(
        "Prefer",
        typed("string", false),
        "`return=minimal` leaves the body out, `return=representation` answers the record (RFC 7240).",
    )
}
