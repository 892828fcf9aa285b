//! A resource: what kind of records there are, and what may be done with them.

use std::path::PathBuf;

use crate::deprecation::Deprecation;
use crate::document::Members;
use crate::field::Field;
use crate::key::KeySpec;
use crate::kind::OnDelete;
use crate::name::Name;

/// A resource as the declaration resolves it. Nothing in it is still to be looked up.
#[derive(Clone, Debug)]
pub struct Resource {
    /// The position in [`Schema::resources`](crate::schema::Schema::resources).
    pub index: usize,
    pub name: Name,
    /// What it was called before: its table is renamed.
    pub was: Option<Name>,
    /// One record, for people: `Note`.
    pub label: String,
    /// Many records, for people: `Notes`.
    pub label_plural: String,
    pub key: KeySpec,
    pub parent: Option<Parent>,
    /// What the objects of a document resource hold; `None` for records. A document is a record
    /// with one field, its object.
    pub members: Option<Members>,
    pub fields: Vec<Field>,
    /// Total: its last column is the key.
    pub order: Vec<Order>,
    /// Positions of the fields that `q` looks through.
    pub search: Vec<usize>,
    /// Clients are to leave it.
    pub deprecated: Option<Deprecation>,
    pub put: Put,
    pub delete: Delete,
    pub history: bool,
    /// Sets of fields (positions) unique together among records that are not deleted, those of
    /// a single `unique` field first.
    pub unique: Vec<Vec<usize>>,
    pub methods: Methods,
    pub require_if_match: bool,
    pub links: bool,
    pub lists: Lists,
    pub pagination: Pagination,
    pub input: Strictness,
    /// First records, loaded once when the table is made. Absolute, or relative to where the
    /// program runs.
    pub initial: Option<PathBuf>,
    pub pages: Option<Pages>,
    pub flash: Flash,
    pub reply: Reply,
    pub errors: Errors,
    /// References of other resources to this one.
    pub referrers: Vec<Referrer>,
}

impl Resource {
    /// The position of the field called `name`.
    #[must_use]
    pub fn position(&self, name: &str) -> Option<usize> {
        self.fields
            .iter()
            .position(|field| field.name.as_str() == name)
    }

    /// Whether a path of Carafe's own stands where the record with this key would be; such
    /// paths win.
    #[must_use]
    pub fn is_fixed_path(&self, key: &str) -> bool {
        let own_form = self
            .pages
            .as_ref()
            .and_then(|pages| pages.new_path.strip_prefix('/'));
        let own_form =
            own_form.and_then(|path| path.strip_prefix(self.name.as_str())?.strip_prefix('/'));
        (key == "search" && !self.search.is_empty())
            || (key == "new" && self.pages.is_some() && self.parent.is_some())
            || own_form == Some(key)
    }

    /// The column called `name`, be it a field or the key.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<Column> {
        match self.position(name) {
            Some(position) => Some(Column::Field(position)),
            None => (self.key.field.as_str() == name).then_some(Column::Key),
        }
    }

    /// The name of a column in JSON, queries and forms.
    #[must_use]
    pub fn column_name(&self, column: Column) -> &Name {
        match column {
            Column::Key => &self.key.field,
            Column::Field(position) => &self.fields[position].name,
        }
    }
}

/// A column that lists can be sorted and filtered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Column {
    Key,
    /// The field at this position.
    Field(usize),
}

/// One step of an order. Null comes first when ascending; text is ordered by code point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Order {
    pub column: Column,
    pub descending: bool,
}

/// The resource that a sub-resource's records are part of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parent {
    pub resource: Name,
    pub index: usize,
    /// Position of the field that refers to the parent.
    pub field: usize,
}

/// A reference to a resource, seen from the resource it leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Referrer {
    /// Position of the resource that refers.
    pub resource: usize,
    /// Position of its field.
    pub field: usize,
    pub on_delete: OnDelete,
}

/// What PUT means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// The whole record is replaced; 404 if it is not there.
    Replace,
    /// Replaced, or created where it is not there: for client-named keys.
    Upsert,
    /// Only the fields sent are changed.
    Merge,
}

/// What DELETE does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delete {
    /// The record is hidden everywhere, kept, and can be restored.
    Soft,
    /// The record is gone.
    Hard,
}

/// The shape of lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lists {
    /// An object with the records under the resource's name and the paging beside them.
    Page,
    /// A bare array.
    Array,
}

/// How the pages of a list are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pagination {
    /// By number, with the total.
    Page,
    /// By a cursor that the page before gave, without a total.
    Cursor,
}

/// What becomes of names that are not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strictness {
    /// An unknown field, or an unknown or malformed parameter, is refused.
    Strict,
    /// Unknown ones are ignored; malformed paging counts as the default.
    Lenient,
}

/// The methods that the API answers, GET with HEAD and OPTIONS always beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Methods {
    pub collection: Vec<Method>,
    pub item: Vec<Method>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Method {
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

impl Method {
    pub const ALL: [Method; 5] = [
        Method::Get,
        Method::Post,
        Method::Put,
        Method::Patch,
        Method::Delete,
    ];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Patch => "PATCH",
            Method::Delete => "DELETE",
        }
    }
}

impl Default for Methods {
    fn default() -> Self {
        Self {
            collection: vec![Method::Get, Method::Post],
            item: vec![Method::Get, Method::Put, Method::Patch, Method::Delete],
        }
    }
}

impl Methods {
    /// Those of a document resource, whose records are made at their own address.
    #[must_use]
    pub fn of_documents() -> Self {
        Self {
            collection: vec![Method::Get],
            item: Method::ALL.to_vec(),
        }
    }
}

/// How a resource's pages look.
#[derive(Clone, Debug)]
pub struct Pages {
    /// Total: its last column is the key.
    pub order: Vec<Order>,
    /// Records on a page of the list.
    pub per_page: usize,
    /// Columns of the list.
    pub columns: Vec<Column>,
    /// Where the form for a new record is, from the root: `/notes/new`.
    pub new_path: String,
    pub after_create: AfterCreate,
}

/// Where a person is led after creating a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterCreate {
    Record,
    Form,
}

/// The messages that pages show once after a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flash {
    pub created: String,
    pub updated: String,
    pub deleted: String,
    pub restored: String,
}

/// What the API answers in place of the record, where the declaration says so.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reply {
    pub created: Option<String>,
    pub replaced: Option<String>,
    pub updated: Option<String>,
    pub deleted: Deleted,
}

/// What the API answers to a DELETE.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Deleted {
    /// 204 without a body.
    #[default]
    Nothing,
    /// 200 with the record as it was.
    Record,
    /// 200 with `{"message": …}`.
    Message(String),
}

/// Sentences that stand in `error` where the declaration has its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Errors {
    /// By method; an entry without a method holds for all others.
    pub not_found: Vec<(Option<Method>, String)>,
    pub taken: Option<String>,
    /// 409 unless the declaration says 400.
    pub taken_status: Option<u16>,
}

impl Errors {
    /// The sentence for a record that is not there, if the declaration has one.
    #[must_use]
    pub fn not_found(&self, method: Method) -> Option<&str> {
        let with =
            |wanted: Option<Method>| self.not_found.iter().find(|(method, _)| *method == wanted);
        with(Some(method))
            .or_else(|| with(None))
            .map(|(_, text)| text.as_str())
    }
}
