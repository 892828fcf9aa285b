//! What templates see of records: rows as objects, without a tree in between.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use carafe_model::key::Key;
use carafe_model::kind::Kind;
use carafe_model::query::Total;
use carafe_model::record::Record;
use carafe_model::resource::{Column, Resource};
use carafe_model::value::Value as Stored;
use carafe_service::document::Document;
use jiff::civil;
use jiff::fmt::strtime;
use jiff::tz::TimeZone;
use minijinja::value::{Enumerator, Kwargs, Object, ObjectRepr, Value, from_args};
use minijinja::{Error, State};

use crate::escape;
use crate::link::{Links, Target};
use crate::pages::column::ColumnView;
use crate::template::{mistake, shorten};

/// Characters of a value in a cell of a list.
const CELL_CHARACTERS_MAX: usize = 100;

/// What stands for a value that is not there.
const NOTHING: &str = "—";

/// Room for the cells of a row.
const CELLS_BYTES: usize = 512;

/// Characters of a record's heading.
const HEADING_CHARACTERS_MAX: usize = 80;

/// Headings of the records that others refer to, by the position of their resource and by key.
pub type Headings = HashMap<(usize, Key), String>;

/// What the records of one page have in common.
#[derive(Debug)]
pub struct Shared {
    pub links: Arc<Links>,
    /// The position of their resource.
    pub resource: usize,
    /// The record whose path they are under.
    pub parent: Option<Key>,
    pub headings: Headings,
}

/// A record in a template: `note.title`, `note.id`; with the filters `heading`, `cell` and
/// `shown`, and `url_for(note)`.
#[derive(Debug)]
pub struct RecordView {
    pub shared: Arc<Shared>,
    pub record: Record,
}

impl RecordView {
    fn resource(&self) -> &Resource {
        &self.shared.links.schema.resources[self.shared.resource]
    }

    /// One of the record's own pages.
    #[must_use]
    pub fn path(&self, target: Target) -> String {
        let parent = self.shared.parent.as_ref();
        self.shared
            .links
            .record(self.resource(), parent, &self.record.key, target)
    }

    /// The record in a few words.
    #[must_use]
    pub fn heading(&self) -> String {
        heading(self.resource(), &self.record)
    }

    /// The column called `name` as a list shows it: short, without links of its own.
    ///
    /// # Errors
    ///
    /// Where the record has no such column.
    pub fn cell(&self, name: &str) -> Result<Value, Error> {
        self.html(name, Size::Short)
    }

    /// The column called `name` as the record's own page shows it: whole.
    ///
    /// # Errors
    ///
    /// As [`cell`](Self::cell).
    pub fn shown(&self, name: &str) -> Result<Value, Error> {
        self.html(name, Size::Whole)
    }

    fn html(&self, name: &str, size: Size) -> Result<Value, Error> {
        let mut html = String::new();
        self.write(self.column(name)?, size, &mut html);
        Ok(Value::from_safe_string(html))
    }

    fn column(&self, name: &str) -> Result<Column, Error> {
        let column = self.resource().column(name);
        column.ok_or_else(|| mistake("the record has no such field".to_owned()))
    }

    /// The cells of a table's row, one for each of `columns`, which have `name` and `class`: a
    /// `th` that leads to the record's page, or to its restoration, and a `td` for each other.
    ///
    /// # Errors
    ///
    /// Where something among them is no column of the record's.
    pub fn cells(&self, columns: &Value) -> Result<Value, Error> {
        let mut html = String::with_capacity(CELLS_BYTES);
        for (index, given) in columns.try_iter()?.enumerate() {
            let class;
            let view = given.downcast_object_ref::<ColumnView>();
            let (column, class) = match view.filter(|view| view.resource == self.shared.resource) {
                Some(view) => (view.column, view.class),
                None => {
                    let name = given.get_attr("name")?;
                    class = given.get_attr("class")?;
                    let column = self.column(name.as_str().unwrap_or_default())?;
                    (column, class.as_str().unwrap_or_default())
                }
            };
            if index == 0 {
                self.write_leading_cell(column, &mut html);
                continue;
            }
            html.push_str("<td");
            if !class.is_empty() {
                html.push_str(" class=\"");
                escape::push(&mut html, class);
                html.push('"');
            }
            html.push('>');
            self.write(column, Size::Short, &mut html);
            html.push_str("</td>\n");
        }
        Ok(Value::from_safe_string(html))
    }

    fn write_leading_cell(&self, column: Column, html: &mut String) {
        html.push_str("<th scope=\"row\"><a href=\"");
        match &self.record.deleted_at {
            None => escape::push(html, &self.path(Target::Detail)),
            Some(at) => {
                escape::push(html, &self.path(Target::Restore));
                html.push_str("?deleted=");
                escape::push(html, at);
            }
        }
        html.push_str("\">");
        let start = html.len();
        self.write(column, Size::Short, html);
        if &html[start..] == NOTHING {
            html.truncate(start);
            escape::push(html, &self.heading());
        }
        html.push_str("</a></th>\n");
    }

    /// Appends what a column has, as HTML.
    fn write(&self, column: Column, size: Size, html: &mut String) {
        let position = match column {
            Column::Key => return escape::push(html, &self.record.key.to_string()),
            Column::Field(position) => position,
        };
        let field = &self.resource().fields[position];
        let value = &self.record.values[position];
        let text = match (&self.resource().members, value) {
            (Some(_), _) => Cow::from(members_text(&self.record)),
            (None, Stored::Text(text)) => Cow::from(text),
            (None, _) => Cow::from(field.show(value)),
        };
        if text.trim().is_empty() {
            return html.push_str(NOTHING);
        }
        let put = |html: &mut String| match size {
            Size::Short => escape::push(html, &shorten(&text, CELL_CHARACTERS_MAX, "…", false)),
            Size::Whole => escape::push(html, &text),
        };
        let mut put_between = |before: &str, after: &str| {
            html.push_str(before);
            put(html);
            html.push_str(after);
        };
        match (&field.kind, size) {
            (Kind::Boolean, _) => html.push_str(yes_or_no(value)),
            (Kind::Datetime | Kind::Date, _) => write_time(&text, html),
            (Kind::Choice(choices), _) => {
                match choices.iter().find(|choice| choice.value == text) {
                    Some(choice) => escape::push(html, &choice.label),
                    None => put(html),
                }
            }
            (Kind::Password, _) => html.push_str("••••••••"),
            (Kind::Reference(reference), size) => {
                self.write_reference(reference.index, value, size, html);
            }
            (Kind::Url, Size::Whole) if is_web_address(&text) => {
                put_between("<a href=\"", "\" rel=\"nofollow noopener noreferrer\">");
                put_between("", "</a>");
            }
            (Kind::Email, Size::Whole) => {
                let address = crate::link::segment(&text).replace("%40", "@");
                html.extend(["<a href=\"mailto:", &address, "\">"]);
                put(html);
                html.push_str("</a>");
            }
            (Kind::Json, Size::Short) if self.resource().members.is_none() => {
                put_between("<code>", "</code>");
            }
            (Kind::Json, Size::Whole) => put_between("<pre>\n", "</pre>"),
            (
                Kind::String
                | Kind::Text
                | Kind::Integer
                | Kind::Number
                | Kind::Decimal { .. }
                | Kind::Email
                | Kind::Url
                | Kind::Uuid
                | Kind::Json,
                _,
            ) => put(html),
        }
    }

    /// Appends the heading of the record that `value` refers to, as a link where it has a page.
    fn write_reference(&self, to: usize, value: &Stored, size: Size, html: &mut String) {
        let links = &self.shared.links;
        let resource = &links.schema.resources[to];
        let key = Key::from_cell(value.as_cell());
        let heading = self.shared.headings.get(&(to, key.clone()));
        let has_page = resource.pages.is_some() && resource.parent.is_none();
        let is_linked = size == Size::Whole && has_page && heading.is_some();
        if is_linked {
            let path = links.record(resource, None, &key, Target::Detail);
            html.extend(["<a href=\"", &path, "\">"]);
        }
        match heading {
            Some(heading) => escape::push(html, heading),
            None => escape::push(html, &format!("{} {key}", resource.label)),
        }
        if is_linked {
            html.push_str("</a>");
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Size {
    Short,
    Whole,
}

impl Object for RecordView {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        match self.resource().column(key) {
            Some(Column::Field(position)) => {
                let kind = &self.resource().fields[position].kind;
                Some(value(kind, &self.record.values[position]))
            }
            Some(Column::Key) => Some(key_value(&self.record.key)),
            None if key == "id" => Some(key_value(&self.record.key)),
            None if key == "deleted_at" => Some(match &self.record.deleted_at {
                Some(at) => Value::from_object(Moment(at.clone())),
                None => Value::from(()),
            }),
            None if key == "version" => Some(Value::from(self.record.version)),
            None if key == "members" && self.resource().members.is_some() => {
                Some(members(&self.record))
            }
            None => None,
        }
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        let fields = self.resource().fields.iter();
        let names = fields.map(|field| Value::from(field.name.as_str()));
        let key = Value::from(self.resource().key.field.as_str());
        Enumerator::Values(std::iter::once(key).chain(names).collect())
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.heading())
    }
}

/// A record in a few words: its first written text, else its label and key.
#[must_use]
pub fn heading(resource: &Resource, record: &Record) -> String {
    if resource.members.is_some() {
        let key = record.key.to_string();
        return shorten(&key, HEADING_CHARACTERS_MAX, "…", false).into_owned();
    }
    let mut texts = resource.fields.iter().zip(&record.values);
    let text = texts.find_map(|(field, value)| match value {
        Stored::Text(text) if field.kind.is_written_text() => {
            text.lines().map(str::trim).find(|line| !line.is_empty())
        }
        _ => None,
    });
    match text {
        Some(text) => shorten(text, HEADING_CHARACTERS_MAX, "…", false).into_owned(),
        None => format!("{} {}", resource.label, record.key),
    }
}

/// The members of a document in their order, as `name` and `value`.
fn members(record: &Record) -> Value {
    let document = Document::of(record);
    let members = document.members().map(|(name, value)| {
        Value::from_pairs([
            ("name", Value::from(name)),
            ("value", Value::from(plain(value))),
        ])
    });
    members.collect()
}

/// The members of a document on one line: `apple: 30, banana: 45`.
fn members_text(record: &Record) -> String {
    let document = Document::of(record);
    let members = document
        .members()
        .map(|(name, value)| format!("{name}: {}", plain(value)));
    members.collect::<Vec<_>>().join(", ")
}

/// A JSON text as people read it: a string without its quotes.
pub(super) fn plain(json: &str) -> String {
    match json.starts_with('"') {
        true => serde_json::from_str(json).unwrap_or_else(|_| json.to_owned()),
        false => json.to_owned(),
    }
}

fn key_value(key: &Key) -> Value {
    match key {
        Key::Integer(id) => Value::from(*id),
        Key::Text(text) => Value::from(text.as_str()),
    }
}

/// A stored value as a template sees it: a decimal as text, a time as a [`Moment`], JSON as
/// what it says, and of a password nothing.
fn value(kind: &Kind, stored: &Stored) -> Value {
    match (kind, stored) {
        (Kind::Password, _) | (_, Stored::Null) => Value::from(()),
        (Kind::Decimal { scale }, Stored::Integer(units)) => {
            Value::from(carafe_model::decimal::format(*units, *scale))
        }
        (Kind::Date | Kind::Datetime, Stored::Text(text)) => {
            Value::from_object(Moment(text.clone()))
        }
        (Kind::Json, Stored::Text(text)) => {
            serde_json::from_str(text).unwrap_or_else(|_| Value::from(text.as_str()))
        }
        (_, Stored::Boolean(value)) => Value::from(*value),
        (_, Stored::Integer(value)) => Value::from(*value),
        (_, Stored::Number(value)) => Value::from(*value),
        (_, Stored::Text(text)) => Value::from(text.as_str()),
    }
}

fn yes_or_no(value: &Stored) -> &'static str {
    match value {
        Stored::Boolean(true) => "Yes",
        _ => "No",
    }
}

/// Only such an address becomes a link: `javascript:` and the like run in the page.
fn is_web_address(text: &str) -> bool {
    text.starts_with("https://") || text.starts_with("http://")
}

/// A date (`YYYY-MM-DD`) or a moment in UTC, in its canonical text; in templates it has
/// `year` to `second`, `strftime(format)` and `isoformat()`.
#[derive(Debug)]
pub struct Moment(String);

impl Moment {
    /// The moment that a template has at hand, be it an object or text.
    #[must_use]
    pub fn from_value(value: &Value) -> Option<Self> {
        if value.is_none() || value.is_undefined() {
            return None;
        }
        Some(Self(value.to_string()))
    }

    /// `2026-01-02`
    #[must_use]
    pub fn day(&self) -> String {
        day(&self.0).to_owned()
    }

    /// `03:04`, nothing of a date.
    #[must_use]
    pub fn hour(&self) -> String {
        hour(&self.0).unwrap_or_default().to_owned()
    }

    /// `2026-01-02 03:04 UTC`
    #[must_use]
    pub fn words(&self) -> String {
        words(&self.0).concat()
    }

    /// The moment by a format of C's `strftime`.
    ///
    /// # Errors
    ///
    /// The format is not known, or the text is no moment.
    pub fn strftime(&self, format: &str) -> Result<String, String> {
        let formatted = match self.0.parse::<jiff::Timestamp>() {
            Ok(moment) => strtime::format(format, &moment.to_zoned(TimeZone::UTC)),
            Err(_) => match self.0.parse::<civil::Date>() {
                Ok(date) => strtime::format(format, date.to_datetime(civil::Time::midnight())),
                Err(_) => return Err(format!("{:?} is no date", self.0)),
            },
        };
        formatted.map_err(|error| error.to_string())
    }
}

/// The day of a moment or date.
fn day(text: &str) -> &str {
    text.get(..10).unwrap_or(text)
}

/// Hour and minute of a moment; nothing of a date.
fn hour(text: &str) -> Option<&str> {
    text.get(11..16)
}

/// A moment or date for people, in parts.
fn words(text: &str) -> [&str; 4] {
    match hour(text) {
        Some(hour) => [day(text), " ", hour, " UTC"],
        None => [day(text), "", "", ""],
    }
}

/// Appends a moment or date as HTML: to the millisecond for machines. Other programs may have
/// stored what is neither.
fn write_time(text: &str, html: &mut String) {
    let put = match escape::is_plain(text) {
        true => String::push_str,
        false => escape::push,
    };
    html.push_str("<time datetime=\"");
    match text.split_at_checked(23) {
        Some((millis, _)) if text.ends_with('Z') => {
            put(html, millis);
            html.push('Z');
        }
        _ => put(html, text),
    }
    html.push_str("\">");
    for word in words(text) {
        put(html, word);
    }
    html.push_str("</time>");
}

impl Object for Moment {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let range = match key.as_str()? {
            "year" => 0..4,
            "month" => 5..7,
            "day" => 8..10,
            "hour" => 11..13,
            "minute" => 14..16,
            "second" => 17..19,
            _ => return None,
        };
        self.0.get(range)?.parse::<i64>().ok().map(Value::from)
    }

    fn call_method(
        self: &Arc<Self>,
        _state: &mut State<'_, '_>,
        method: &str,
        args: &[Value],
    ) -> Result<Value, Error> {
        match method {
            "strftime" => {
                let (format,): (&str,) = from_args(args)?;
                let text = self.strftime(format);
                text.map(Value::from)
                    .map_err(|text| Error::new(minijinja::ErrorKind::InvalidOperation, text))
            }
            "isoformat" => Ok(Value::from(self.0.as_str())),
            "date" => Ok(Value::from_object(Moment(self.day()))),
            _ => Err(Error::from(minijinja::ErrorKind::UnknownMethod)),
        }
    }

    fn custom_cmp(
        self: &Arc<Self>,
        other: &minijinja::value::DynObject,
    ) -> Option<std::cmp::Ordering> {
        other
            .downcast_ref::<Self>()
            .map(|other| self.0.cmp(&other.0))
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One page of a list, with the members that Flask-SQLAlchemy's `Pagination` has. Iterating
/// gives the records.
#[derive(Debug)]
pub struct Pagination {
    pub items: Vec<Value>,
    /// From 1.
    pub page: u64,
    pub per_page: u64,
    pub total: Total,
}

/// How many page numbers stand at the ends and around the current one.
#[derive(Clone, Copy, Debug)]
struct Edges {
    left_edge: u64,
    left_current: u64,
    right_current: u64,
    right_edge: u64,
}

impl Pagination {
    /// How many pages there are, at least where the total is not exact; none for an empty list.
    #[must_use]
    pub fn pages(&self) -> u64 {
        self.total.count.div_ceil(self.per_page.max(1))
    }

    /// The page before this one. From past the end it is the last page.
    #[must_use]
    pub fn previous(&self) -> Option<u64> {
        (self.page > 1).then(|| (self.page - 1).min(self.pages()).max(1))
    }

    #[must_use]
    pub fn next(&self) -> Option<u64> {
        (self.page < self.pages()).then(|| self.page + 1)
    }

    /// Page numbers to link to, `None` where some are left out.
    #[must_use]
    pub fn numbers(&self) -> Vec<Option<u64>> {
        self.iter_pages(Edges {
            left_edge: 1,
            left_current: 1,
            right_current: 1,
            right_edge: 1,
        })
    }

    fn iter_pages(&self, edges: Edges) -> Vec<Option<u64>> {
        let last = self.pages();
        let mut numbers = Vec::new();
        let ranges = [
            (1, edges.left_edge),
            (
                self.page.saturating_sub(edges.left_current),
                self.page.saturating_add(edges.right_current),
            ),
            (last.saturating_sub(edges.right_edge) + 1, last),
        ];
        let mut next = 1;
        for (from, to) in ranges {
            let (from, to) = (from.max(next), to.min(last));
            if from > to {
                continue;
            }
            if from > next {
                numbers.push(None);
            }
            numbers.extend((from..=to).map(Some));
            next = to + 1;
        }
        if next <= last {
            numbers.push(None);
        }
        numbers
    }
}

/// The most page numbers that a template can ask for on one side.
const EDGE_MAX: u64 = 100;

impl Object for Pagination {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Iterable
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        Some(match key.as_str()? {
            "items" => Value::from(self.items.clone()),
            "page" => Value::from(self.page),
            "per_page" => Value::from(self.per_page),
            "total" => Value::from(self.total.count),
            "total_is_exact" => Value::from(self.total.is_exact),
            "pages" => Value::from(self.pages()),
            "has_next" => Value::from(self.next().is_some()),
            "has_prev" => Value::from(self.previous().is_some()),
            "next_num" => Value::from(self.next()),
            "prev_num" => Value::from(self.previous()),
            "first" => Value::from(match self.items.len() {
                0 => 0,
                _ => (self.page - 1).saturating_mul(self.per_page) + 1,
            }),
            "last" => Value::from(match self.items.len() as u64 {
                0 => 0,
                count => (self.page - 1).saturating_mul(self.per_page) + count,
            }),
            _ => return None,
        })
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.items.clone())
    }

    fn call_method(
        self: &Arc<Self>,
        _state: &mut State<'_, '_>,
        method: &str,
        args: &[Value],
    ) -> Result<Value, Error> {
        if method != "iter_pages" {
            return Err(Error::from(minijinja::ErrorKind::UnknownMethod));
        }
        let (kwargs,): (Kwargs,) = from_args(args)?;
        let edge = |name: &str, default: u64| {
            let edge = kwargs.get::<Option<u64>>(name)?.unwrap_or(default);
            Ok::<_, Error>(edge.min(EDGE_MAX))
        };
        let edges = Edges {
            left_edge: edge("left_edge", 2)?,
            left_current: edge("left_current", 2)?,
            right_current: edge("right_current", 4)?,
            right_edge: edge("right_edge", 2)?,
        };
        kwargs.assert_all_used()?;
        Ok(self
            .iter_pages(edges)
            .into_iter()
            .map(Value::from)
            .collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_text_whatever_another_program_has_stored() {
        let cases = [
            (
                "2026-01-02T03:04:05.123456Z",
                "<time datetime=\"2026-01-02T03:04:05.123Z\">2026-01-02 03:04 UTC</time>",
            ),
            (
                "2026-01-02",
                "<time datetime=\"2026-01-02\">2026-01-02</time>",
            ),
            (
                "<i>\"now\"</i>",
                "<time datetime=\"&lt;i&gt;&#34;now&#34;&lt;/i&gt;\">&lt;i&gt;&#34;now&#34;&lt;/</time>",
            ),
            ("soon é", "<time datetime=\"soon é\">soon é</time>"),
        ];
        for (text, expected) in cases {
            let mut html = String::new();
            write_time(text, &mut html);
            assert_eq!(html, expected, "text: {text}");
        }
    }

    fn pagination(page: u64, total: u64) -> Pagination {
        Pagination {
            items: Vec::new(),
            page,
            per_page: 10,
            total: Total::exact(total),
        }
    }

    #[test]
    fn page_numbers_leave_out_what_is_far() {
        let cases = [
            ((1, 0), ""),
            ((1, 10), "1"),
            ((1, 95), "1 2 … 10"),
            ((5, 95), "1 … 4 5 6 … 10"),
            ((3, 95), "1 2 3 4 … 10"),
            ((10, 95), "1 … 9 10"),
            ((99, 95), "1 … 10"),
            (
                (1_000_000_000_000, u64::MAX),
                "1 … 999999999999 1000000000000 1000000000001 … 1844674407370955162",
            ),
        ];
        for ((page, total), expected) in cases {
            let numbers = pagination(page, total).numbers();
            let text: Vec<_> = numbers
                .iter()
                .map(|number| number.map_or("…".to_owned(), |number| number.to_string()))
                .collect();
            assert_eq!(text.join(" "), expected, "page {page} of {total}");
        }
    }

    #[test]
    fn a_page_past_the_end_leads_back_to_the_last() {
        let cases = [
            ((1, 95), (None, Some(2))),
            ((10, 95), (Some(9), None)),
            ((99, 95), (Some(10), None)),
            ((5, 0), (Some(1), None)),
        ];
        for ((page, total), expected) in cases {
            let pagination = pagination(page, total);
            let found = (pagination.previous(), pagination.next());
            assert_eq!(found, expected, "page {page} of {total}");
        }
    }
}
