//! The addresses of pages, as paths from the root.

use std::sync::Arc;

use carafe_model::key::Key;
use carafe_model::name::Name;
use carafe_model::near::nearest;
use carafe_model::resource::Resource;
use carafe_model::schema::Schema;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::assets::Assets;

/// All but the unreserved characters of RFC 3986, section 2.3.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Room for most paths.
pub(crate) const PATH_BYTES: usize = 64;

/// Knows where everything is.
#[derive(Debug)]
pub struct Links {
    pub schema: Arc<Schema>,
    pub assets: Assets,
}

/// A page of a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    List,
    New,
    Detail,
    Edit,
    Delete,
    /// The question whether a deleted record is to come back.
    Restore,
}

impl Target {
    const ALL: [(&'static str, Target); 9] = [
        ("list", Target::List),
        ("index", Target::List),
        ("new", Target::New),
        ("create", Target::New),
        ("detail", Target::Detail),
        ("edit", Target::Edit),
        ("update", Target::Edit),
        ("delete", Target::Delete),
        ("restore", Target::Restore),
    ];

    /// The target that templates call `name`.
    ///
    /// # Errors
    ///
    /// A sentence with the nearest known name.
    pub fn parse(name: &str) -> Result<Self, String> {
        let found = Self::ALL.iter().find(|(known, _)| *known == name);
        found
            .map(|(_, target)| *target)
            .ok_or_else(|| unknown("page", name, Self::ALL.iter().map(|(known, _)| *known)))
    }

    /// Whether it is a page of one record.
    #[must_use]
    pub fn needs_key(self) -> bool {
        match self {
            Target::List | Target::New => false,
            Target::Detail | Target::Edit | Target::Delete | Target::Restore => true,
        }
    }
}

impl Links {
    pub const HOME: &'static str = "/";

    /// The list of `resource`, inside its parent `parent` where it has one.
    #[must_use]
    pub fn list(&self, resource: &Resource, parent: Option<&Key>) -> String {
        let mut path = String::with_capacity(PATH_BYTES);
        if let (Some(above), Some(key)) = (&resource.parent, parent) {
            push_name(&mut path, &above.resource);
            push_key(&mut path, key, RESERVED);
        }
        push_name(&mut path, &resource.name);
        path
    }

    /// The form for a new record.
    #[must_use]
    pub fn new_record(&self, resource: &Resource, parent: Option<&Key>) -> String {
        match &resource.pages {
            Some(pages) if resource.parent.is_none() => pages.new_path.clone(),
            _ => format!("{}/new", self.list(resource, parent)),
        }
    }

    /// One of the pages of a record.
    #[must_use]
    pub fn record(
        &self,
        resource: &Resource,
        parent: Option<&Key>,
        key: &Key,
        target: Target,
    ) -> String {
        let end = match target {
            Target::List => return self.list(resource, parent),
            Target::New => return self.new_record(resource, parent),
            Target::Detail => "",
            Target::Edit => "/edit",
            Target::Delete => "/delete",
            Target::Restore => "/restore",
        };
        let mut path = self.list(resource, parent);
        push_key(&mut path, key, RESERVED);
        path.push_str(end);
        path
    }

    /// A page of `resource` that is of no one record.
    pub(crate) fn record_less(
        &self,
        resource: &Resource,
        parent: Option<&Key>,
        target: Target,
    ) -> String {
        match target {
            Target::New => self.new_record(resource, parent),
            Target::List | Target::Detail | Target::Edit | Target::Delete | Target::Restore => {
                self.list(resource, parent)
            }
        }
    }

    /// The resource called `name`.
    ///
    /// # Errors
    ///
    /// A sentence with the nearest known name.
    pub fn resource(&self, name: &str) -> Result<&Resource, String> {
        self.schema.resource(name).ok_or_else(|| {
            let known = self.schema.resources.iter().map(|r| r.name.as_str());
            unknown("resource", name, known)
        })
    }

    /// The list of `resource` in the JSON API.
    #[must_use]
    pub fn api(&self, resource: &Resource) -> String {
        let prefix = self.schema.prefixes.first().map_or("", String::as_str);
        match &resource.parent {
            Some(above) => format!("{prefix}/{}/{{key}}/{}", above.resource, resource.name),
            None => format!("{prefix}/{}", resource.name),
        }
    }
}

/// The address that was asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Address<'a> {
    /// As sent, still percent-encoded.
    pub path: &'a str,
    /// As sent, without the question mark.
    pub query: &'a str,
}

impl Address<'_> {
    /// The same address without some parameters, up to where another goes.
    pub(crate) fn open(&self, without: &[&str]) -> String {
        let pairs = crate::query::pairs(self.query.as_bytes());
        let kept: Vec<_> = pairs
            .filter(|(name, _)| !without.contains(&name.as_ref()))
            .collect();
        let pairs = kept
            .iter()
            .map(|(name, value)| (name.as_ref(), value.as_ref()));
        let mut address = with_query(self.path.to_owned(), pairs);
        address.push(if kept.is_empty() { '?' } else { '&' });
        address
    }
}

/// `text` as one segment of a path.
pub(crate) fn segment(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

/// Appends a name, which has nothing to escape.
pub(crate) fn push_name(path: &mut String, name: &Name) {
    path.push('/');
    path.push_str(name.as_str());
}

/// Appends a key with those of its characters as references that are `escaped`.
pub(crate) fn push_key(path: &mut String, key: &Key, escaped: &'static AsciiSet) {
    path.push('/');
    match key {
        Key::Integer(id) => path.push_str(itoa::Buffer::new().format(*id)),
        Key::Text(text) => path.extend(utf8_percent_encode(text, escaped)),
    }
}

/// `path` with `pairs` as its query.
pub(crate) fn with_query<'a>(
    mut path: String,
    pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> String {
    let mut pairs = pairs.into_iter().peekable();
    if pairs.peek().is_none() {
        return path;
    }
    path.push('?');
    let start = path.len();
    let mut query = form_urlencoded::Serializer::for_suffix(path, start);
    query.extend_pairs(pairs);
    query.finish()
}

fn unknown<'a>(what: &str, name: &str, known: impl Iterator<Item = &'a str>) -> String {
    match nearest(name, known) {
        Some(near) => format!("there is no {what} {name:?}; did you mean {near:?}?"),
        None => format!("there is no {what} {name:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_open_for_one_more_parameter() {
        let cases = [
            ("", "/notes?"),
            ("page=2", "/notes?"),
            ("page=2&sort=-id&page=3", "/notes?"),
            (
                "q=a%26b&page=2&title=%C3%A9+x",
                "/notes?q=a%26b&title=%C3%A9+x&",
            ),
            ("a&&b=", "/notes?a=&b=&"),
        ];
        for (query, expected) in cases {
            let path = "/notes";
            let address = Address { path, query };
            assert_eq!(address.open(&["page", "sort"]), expected, "query: {query}");
        }
    }
}
