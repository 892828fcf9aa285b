//! Queries of lists: filters, search, order and page, parsed from query parameters.

use std::borrow::Cow;

use crate::cursor::Cursor;
use crate::fault::{Code, Fault};
use crate::field::Field;
use crate::fold::fold;
use crate::key::KeyKind;
use crate::kind::Kind;
use crate::near::nearest;
use crate::resource::{Column, Delete, Order, Pagination, Resource, Strictness};
use crate::value::Value;

/// What a list shows.
#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    /// All must hold.
    pub filters: Vec<Filter>,
    pub search: Option<Search>,
    /// Total: its last column is the key.
    pub order: Vec<Order>,
    /// From 1.
    pub page: u64,
    /// From 1 to the limit.
    pub per_page: u64,
    /// Whether `page` or `per_page` was given.
    pub paged: bool,
    /// The columns that are answered, all if `None`.
    pub fields: Option<Vec<Column>>,
    /// Those that are deleted softly, in place of the others.
    pub deleted: bool,
    /// Where the page starts, in place of its number; nothing is counted then.
    pub cursor: Option<Cursor>,
}

/// How many records match a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Total {
    pub count: u64,
    /// False where there are more: a search ends counting [`COUNTED_BEHIND`] records behind its
    /// page.
    pub is_exact: bool,
}

/// Records behind the page that a search counts. To count all hits of a common word takes longer
/// than to find a page of them by far.
pub const COUNTED_BEHIND: u64 = 100;

impl Total {
    #[must_use]
    pub fn exact(count: u64) -> Self {
        Self {
            count,
            is_exact: true,
        }
    }

    /// What `count` says, which went one beyond [`Query::counted_max`] where there are more.
    #[must_use]
    pub fn counted(query: &Query, count: u64) -> Self {
        match query.counted_max() {
            Some(max) if count > max => Self {
                count: max,
                is_exact: false,
            },
            _ => Self::exact(count),
        }
    }
}

/// A text to look for in the fields that `search` names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Search {
    /// As it was given, trimmed; never empty.
    pub text: String,
    /// As [`fold`] makes it.
    pub folded: String,
}

impl Search {
    /// `None` where `text` is empty or white space.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let fits = !text.is_empty() && !text.contains('\0');
        fits.then(|| Self {
            text: text.to_owned(),
            folded: fold(text).into_owned(),
        })
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct Filter {
    pub column: Column,
    pub test: Test,
}

/// A test of one column. Null passes no comparison but `IsNull(true)` and `NotEqual`.
#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    /// Never null: that is `IsNull`.
    Equal(Value),
    /// True of null too: what is not there is not equal.
    NotEqual(Value),
    Less(Value),
    AtMost(Value),
    Greater(Value),
    AtLeast(Value),
    In(Vec<Value>),
    /// The folded text is a part of the folded value.
    Contains(String),
    IsNull(bool),
}

/// Parameters that lists have whatever their fields are called. A field of such a name is
/// filtered as `page__eq=`.
pub const PARAMETERS: [&str; 7] = ["page", "per_page", "sort", "fields", "q", CURSOR, DELETED];

/// The parameter that stands in place of `page` where a list is paged by cursors.
pub const CURSOR: &str = "cursor";

/// The parameter that asks for deleted records, where the resource keeps them; its one value is
/// `only`.
pub const DELETED: &str = "deleted";

/// The value of [`DELETED`] at a list; at a record it may also be the time of its deletion.
pub const ONLY: &str = "only";

/// The most filters of one query.
pub const FILTERS_MAX: usize = 250;

/// The most values of one `__in`.
pub const IN_MAX: usize = 100;

const OPERATORS: [&str; 9] = [
    "eq", "ne", "lt", "lte", "gt", "gte", "in", "contains", "isnull",
];

/// How a query is read: which order, page size and strictness hold where it says nothing.
#[derive(Clone, Debug)]
pub struct Defaults<'a> {
    pub order: &'a [Order],
    pub per_page: u64,
    pub per_page_max: u64,
    pub pagination: Pagination,
    pub strictness: Strictness,
}

impl Query {
    /// Whether this is the first page of all live records, in whatever order.
    #[must_use]
    pub fn is_first_of_all(&self) -> bool {
        self.page == 1
            && !self.deleted
            && self.filters.is_empty()
            && self.search.is_none()
            && self.cursor.is_none()
    }

    /// Reads query parameters, names and values percent-decoded, in the order sent.
    ///
    /// # Errors
    ///
    /// Every fault where the defaults are strict; where they are lenient, unknown parameters
    /// and malformed ones are ignored.
    pub fn parse<'a>(
        resource: &Resource,
        defaults: &Defaults<'_>,
        parameters: impl IntoIterator<Item = (Cow<'a, str>, Cow<'a, str>)>,
    ) -> Result<Self, Vec<Fault>> {
        let mut reader = Reader {
            resource,
            defaults,
            query: Query {
                filters: Vec::new(),
                search: None,
                order: defaults.order.to_vec(),
                page: 1,
                per_page: defaults.per_page,
                paged: false,
                fields: None,
                deleted: false,
                cursor: match defaults.pagination {
                    Pagination::Page => None,
                    Pagination::Cursor => Some(Cursor::Start),
                },
            },
            seen: Vec::new(),
            faults: Vec::new(),
        };
        for (name, value) in parameters {
            reader.parameter(&name, &value);
        }
        match defaults.strictness {
            Strictness::Strict if !reader.faults.is_empty() => Err(reader.faults),
            _ => Ok(reader.query),
        }
    }

    /// The first record in `order`; the rest is for the caller to say.
    #[must_use]
    pub fn all(order: &[Order]) -> Self {
        Self {
            filters: Vec::new(),
            search: None,
            order: order.to_vec(),
            page: 1,
            per_page: 1,
            paged: true,
            fields: None,
            deleted: false,
            cursor: None,
        }
    }

    /// How many records are counted at most; `None` for all.
    #[must_use]
    pub fn counted_max(&self) -> Option<u64> {
        let page_end = self.offset().saturating_add(self.per_page);
        self.search
            .is_some()
            .then(|| page_end.saturating_add(COUNTED_BEHIND))
    }

    /// How many records come before the page.
    #[must_use]
    pub fn offset(&self) -> u64 {
        (self.page - 1).saturating_mul(self.per_page)
    }
}

struct Reader<'a> {
    resource: &'a Resource,
    defaults: &'a Defaults<'a>,
    query: Query,
    seen: Vec<String>,
    faults: Vec<Fault>,
}

impl Reader<'_> {
    fn parameter(&mut self, name: &str, value: &str) {
        if self.seen.iter().any(|seen| seen == name) {
            return self.fault(name, Code::Duplicate, format!("{name} is given twice"));
        }
        if self.seen.len() >= FILTERS_MAX + PARAMETERS.len() {
            if self.seen.len() == FILTERS_MAX + PARAMETERS.len() {
                self.fault(
                    name,
                    Code::TooLarge,
                    format!("a query has at most {FILTERS_MAX} filters"),
                );
                self.seen.push(name.to_owned());
            }
            return;
        }
        self.seen.push(name.to_owned());
        match name {
            "page" if self.query.cursor.is_none() => self.page(value),
            CURSOR if self.query.cursor.is_some() => {
                self.query.cursor = Some(Cursor::Token(value.to_owned()));
            }
            "per_page" => self.per_page(value),
            "sort" => self.sort(value),
            "fields" if self.resource.members.is_none() => self.fields(value),
            DELETED if self.resource.delete == Delete::Soft => match value {
                ONLY => self.query.deleted = true,
                _ => self.fault(name, Code::Choice, "deleted must be only".to_owned()),
            },
            "q" if !self.resource.search.is_empty() => match value.contains('\0') {
                true => self.fault(
                    name,
                    Code::Character,
                    "q must not have control characters".to_owned(),
                ),
                false => self.query.search = Search::parse(value),
            },
            _ => self.filter(name, value),
        }
    }

    fn page(&mut self, value: &str) {
        self.query.paged = true;
        match whole(value) {
            Some(page) if (1..=PAGE_MAX).contains(&page) => self.query.page = page,
            _ => self.fault(
                "page",
                Code::TooSmall,
                format!("page must be a whole number from 1 to {PAGE_MAX}"),
            ),
        }
    }

    fn per_page(&mut self, value: &str) {
        self.query.paged = true;
        let max = self.defaults.per_page_max;
        match whole(value) {
            Some(0) | None => {
                self.fault(
                    "per_page",
                    Code::TooSmall,
                    format!("per_page must be a whole number from 1 to {max}"),
                );
            }
            Some(size) if size > max => {
                self.query.per_page = max;
                self.fault(
                    "per_page",
                    Code::TooLarge,
                    format!("per_page must be at most {max}"),
                );
            }
            Some(size) => self.query.per_page = size,
        }
    }

    fn sort(&mut self, value: &str) {
        let mut order: Vec<Order> = Vec::new();
        for part in value.split(',').map(str::trim) {
            let (name, descending) = match part.strip_prefix('-') {
                Some(name) => (name, true),
                None => (part, false),
            };
            match self.comparable(name) {
                Some(column) if order.iter().any(|step| step.column == column) => {
                    self.fault("sort", Code::Duplicate, format!("sort names {name} twice"));
                }
                Some(column) => order.push(Order { column, descending }),
                None => {
                    let message = self.not_a_field("sort", name);
                    self.fault("sort", Code::Unknown, message);
                }
            }
        }
        if let Some(last) = order.last() {
            let descending = last.descending;
            if !order.iter().any(|step| step.column == Column::Key) {
                order.push(Order {
                    column: Column::Key,
                    descending,
                });
            }
            self.query.order = order;
        }
    }

    fn fields(&mut self, value: &str) {
        let mut columns = Vec::new();
        for name in value.split(',').map(str::trim) {
            let visible = |column: &Column| match column {
                Column::Key => true,
                Column::Field(position) => self.resource.fields[*position].kind != Kind::Password,
            };
            match self.resource.column(name).filter(visible) {
                Some(column) if columns.contains(&column) => {}
                Some(column) => columns.push(column),
                None => {
                    let message = self.not_a_field("fields", name);
                    self.fault("fields", Code::Unknown, message);
                }
            }
        }
        if !columns.is_empty() {
            self.query.fields = Some(columns);
        }
    }

    fn filter(&mut self, name: &str, value: &str) {
        let (field, operator) = name.split_once("__").unwrap_or((name, "eq"));
        let Some(column) = self.comparable(field) else {
            let message = match nearest(field, self.parameters()) {
                Some(near) => {
                    format!("{name:?} is not a parameter of this list; did you mean {near:?}?")
                }
                None => format!("{name:?} is not a parameter of this list"),
            };
            return self.fault(name, Code::Unknown, message);
        };
        match self.test(column, operator, value) {
            Ok(test) => self.query.filters.push(Filter { column, test }),
            Err((code, message)) => self.fault(name, code, message),
        }
    }

    fn test(&self, column: Column, operator: &str, value: &str) -> Result<Test, (Code, String)> {
        let read = |text: &str| self.value(column, text);
        let order = |test: fn(Value) -> Test| match read(value)? {
            Value::Null => Err((Code::Required, "a comparison needs a value".to_owned())),
            value => Ok(test(value)),
        };
        match operator {
            "eq" => Ok(match read(value)? {
                Value::Null => Test::IsNull(true),
                value => Test::Equal(value),
            }),
            "ne" => Ok(match read(value)? {
                Value::Null => Test::IsNull(false),
                value => Test::NotEqual(value),
            }),
            "lt" => order(Test::Less),
            "lte" => order(Test::AtMost),
            "gt" => order(Test::Greater),
            "gte" => order(Test::AtLeast),
            "in" => {
                let values: Vec<Value> = value.split(',').map(read).collect::<Result<_, _>>()?;
                match values.len() {
                    count if count > IN_MAX => Err((
                        Code::TooLarge,
                        format!("__in takes at most {IN_MAX} values"),
                    )),
                    _ => Ok(Test::In(values)),
                }
            }
            "contains" => match column {
                Column::Field(position)
                    if self.resource.fields[position].kind.is_written_text() =>
                {
                    match value.contains('\0') {
                        true => Err((
                            Code::Character,
                            "__contains must not have control characters".to_owned(),
                        )),
                        false => Ok(Test::Contains(fold(value).into_owned())),
                    }
                }
                _ => Err((Code::Type, "__contains is for text fields only".to_owned())),
            },
            "isnull" => match value {
                "true" | "1" => Ok(Test::IsNull(true)),
                "false" | "0" => Ok(Test::IsNull(false)),
                _ => Err((Code::Type, "__isnull must be true or false".to_owned())),
            },
            _ => {
                let near = nearest(operator, OPERATORS);
                let hint = near
                    .map(|near| format!("; did you mean \"__{near}\"?"))
                    .unwrap_or_default();
                Err((
                    Code::Unknown,
                    format!("\"__{operator}\" is not an operator{hint}"),
                ))
            }
        }
    }

    /// A value to compare a column with: of the column's type, whatever its limits are.
    fn value(&self, column: Column, text: &str) -> Result<Value, (Code, String)> {
        let position = match column {
            Column::Field(position) => position,
            Column::Key => {
                return match (self.resource.key.kind, crate::number::integer(text)) {
                    (KeyKind::Integer, Some(id)) => Ok(Value::Integer(id)),
                    (KeyKind::Integer, None) => Err((
                        Code::Type,
                        format!("{} must be a whole number", self.resource.key.field),
                    )),
                    (KeyKind::Uuid, _) => match KeyKind::Uuid.parse(text) {
                        Some(key) => Ok(key.to_value()),
                        None => Err((
                            Code::Type,
                            format!("{} must be a UUID", self.resource.key.field),
                        )),
                    },
                    (KeyKind::String, _) if text.contains('\0') => Err((
                        Code::Character,
                        format!(
                            "{} must not have control characters",
                            self.resource.key.field
                        ),
                    )),
                    (KeyKind::String, _) => Ok(Value::Text(text.to_owned())),
                };
            }
        };
        let field = &self.resource.fields[position];
        if field.kind.is_written_text() || matches!(field.kind, Kind::Choice(_)) {
            return match text {
                "" if field.optional => Ok(Value::Null),
                _ if text.contains('\0') => Err((
                    Code::Character,
                    format!("{} must not have control characters", field.label),
                )),
                _ => Ok(Value::Text(text.to_owned())),
            };
        }
        let unlimited = Field {
            rules: crate::field::Rules::default(),
            ..field.clone()
        };
        unlimited
            .read_text(text)
            .map_err(|fault| (fault.code, fault.message))
    }

    fn comparable(&self, name: &str) -> Option<Column> {
        self.resource.column(name).filter(|column| match column {
            Column::Key => true,
            Column::Field(position) => self.resource.fields[*position].kind.is_comparable(),
        })
    }

    /// What the list can be asked: its filters and its own parameters.
    fn parameters(&self) -> impl Iterator<Item = &str> {
        let fields = self.resource.fields.iter();
        let own = PARAMETERS.into_iter();
        fields
            .filter(|field| field.kind.is_comparable())
            .map(|field| field.name.as_str())
            .chain([self.resource.key.field.as_str()])
            .chain(own.filter(|name| match *name {
                "q" => !self.resource.search.is_empty(),
                "page" => self.query.cursor.is_none(),
                CURSOR => self.query.cursor.is_some(),
                "fields" => self.resource.members.is_none(),
                DELETED => self.resource.delete == Delete::Soft,
                _ => true,
            }))
    }

    fn not_a_field(&self, parameter: &str, name: &str) -> String {
        let known = self
            .resource
            .fields
            .iter()
            .filter(|field| field.kind.is_comparable())
            .map(|field| field.name.as_str());
        match nearest(name, known.chain([self.resource.key.field.as_str()])) {
            Some(near) => {
                format!("{parameter}: {name:?} is not a field to use here; did you mean {near:?}?")
            }
            None => format!("{parameter}: {name:?} is not a field to use here"),
        }
    }

    fn fault(&mut self, parameter: &str, code: Code, message: String) {
        self.faults.push(Fault::parameter(parameter, code, message));
    }
}

/// The highest page that can be asked for: beyond it an offset would not fit 64 bits.
pub const PAGE_MAX: u64 = 1_000_000_000_000;

fn whole(text: &str) -> Option<u64> {
    text.bytes()
        .all(|b| b.is_ascii_digit())
        .then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::declaration;

    #[test]
    fn a_hint_never_names_what_was_just_refused() {
        let text = "[resources.notes.fields]\n\
                    title = { type = \"string\" }\n\
                    extra = { type = \"json\" }\n";
        let schema = declaration::parse(text, Path::new("/app")).unwrap();
        let resource = &schema.resources[0];
        let defaults = Defaults {
            order: &resource.order,
            per_page: 10,
            per_page_max: 100,
            pagination: Pagination::Page,
            strictness: Strictness::Strict,
        };
        for (name, expected) in [
            ("extra", "\"extra\" is not a parameter of this list"),
            ("q", "\"q\" is not a parameter of this list"),
            (
                "titel",
                "\"titel\" is not a parameter of this list; did you mean \"title\"?",
            ),
        ] {
            let parameters = [(Cow::Borrowed(name), Cow::Borrowed("1"))];
            let faults = Query::parse(resource, &defaults, parameters).unwrap_err();
            let messages: Vec<_> = faults.iter().map(|fault| fault.message.as_str()).collect();
            assert_eq!(messages, [expected], "parameter: {name}");
        }
    }
}
