//! From a path to the place it names.

use std::borrow::Cow;

use carafe_model::key::Key;
use carafe_model::near::nearest;
use carafe_model::resource::{Delete, Resource};
use carafe_model::schema::Schema;
use percent_encoding::percent_decode_str;

use crate::health::Probe;
use crate::pages::own::OwnPage;

/// What a path names.
#[derive(Debug, PartialEq)]
pub enum Place<'a> {
    Api(ApiPlace<'a>),
    Page(PagePlace<'a>),
    /// A page of the application's own.
    Own(&'a OwnPage),
    /// Files that pages load.
    Static(String),
    /// The explanation of a kind of problem.
    Problem(String),
    /// What a probe asks.
    Health(Probe),
    /// The OpenAPI document.
    Document,
    /// The OpenAPI document as a page.
    Docs,
}

/// A place of the JSON API.
#[derive(Debug, PartialEq)]
pub enum ApiPlace<'a> {
    Collection(At<'a>),
    Search(At<'a>),
    Item(At<'a>, Key),
    /// The versions of a record, where the resource keeps them.
    History(At<'a>, Key),
    /// The field of a record at this position.
    Field(At<'a>, Key, usize),
    /// The member of a document with this name.
    Member(At<'a>, Key, String),
    /// A record's address with a key that no record can have.
    NoRecord(At<'a>),
}

/// A resource under one of the API's prefixes.
#[derive(Clone, Debug)]
pub struct At<'a> {
    pub prefix: &'a str,
    pub resource: &'a Resource,
    /// The key of the record that a sub-resource is under.
    pub parent: Option<Key>,
}

impl PartialEq for At<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.prefix == other.prefix
            && self.resource.index == other.resource.index
            && self.parent == other.parent
    }
}

/// A page for people.
#[derive(Debug, PartialEq)]
pub enum PagePlace<'a> {
    Home,
    List(Of<'a>),
    New(Of<'a>),
    Show(Of<'a>, Key),
    Edit(Of<'a>, Key),
    Delete(Of<'a>, Key),
    /// The question whether a deleted record is to come back.
    Restore(Of<'a>, Key),
}

impl<'a> PagePlace<'a> {
    /// The resource that the page is of; none for the home page.
    #[must_use]
    pub fn of(&self) -> Option<&Of<'a>> {
        match self {
            PagePlace::Home => None,
            PagePlace::List(of)
            | PagePlace::New(of)
            | PagePlace::Show(of, _)
            | PagePlace::Edit(of, _)
            | PagePlace::Delete(of, _)
            | PagePlace::Restore(of, _) => Some(of),
        }
    }

    /// Whether a form can be sent to it.
    #[must_use]
    pub fn takes_form(&self) -> bool {
        match self {
            PagePlace::New(_)
            | PagePlace::Edit(..)
            | PagePlace::Delete(..)
            | PagePlace::Restore(..) => true,
            PagePlace::Home | PagePlace::List(_) | PagePlace::Show(..) => false,
        }
    }

    /// The key of the record that a sub-resource's page is under.
    #[must_use]
    pub fn parent(&self) -> Option<Key> {
        self.of().and_then(|of| of.parent.clone())
    }
}

/// A resource that has pages.
#[derive(Clone, Debug)]
pub struct Of<'a> {
    pub resource: &'a Resource,
    /// The key of the record that a sub-resource is under.
    pub parent: Option<Key>,
}

impl PartialEq for Of<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.resource.index == other.resource.index && self.parent == other.parent
    }
}

/// What a path leads to.
#[derive(Debug)]
pub struct Found<'a> {
    pub place: Option<Place<'a>>,
    /// With an empty prefix one path may be a page too; then `Accept` decides.
    pub page: Option<PagePlace<'a>>,
    /// How it is said that nothing is there.
    pub errors: Errors,
}

/// Whether what is not there is told to a program or to a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Errors {
    /// Under a prefix of the API.
    Json,
    /// Outside of it.
    Page,
    /// The API has no prefix, so that a path does not tell.
    AsAccepted,
}

/// Finds what `path` (as sent, percent-encoded) names.
#[must_use]
pub fn find<'a>(schema: &'a Schema, path: &str) -> Found<'a> {
    let at_root = schema.prefixes.iter().any(String::is_empty);
    let outside = match (at_root, schema.pages) {
        (false, _) => Errors::Page,
        (true, true) => Errors::AsAccepted,
        (true, false) => Errors::Json,
    };
    let nothing = |errors| Found {
        place: None,
        page: None,
        errors,
    };
    let mut few = [""; FEW_SEGMENTS];
    let (decoded, many): (Vec<Cow<'_, str>>, Vec<&str>);
    let segments: &[&str] = if let Some(count) = plain_segments(path, &mut few) {
        &few[..count]
    } else if let Some(segments) = segments(path) {
        decoded = segments;
        many = decoded.iter().map(Cow::as_ref).collect();
        &many
    } else {
        let lossy = percent_decode_str(path).decode_utf8_lossy();
        let within = |prefix: &&String| {
            let rest = lossy.strip_prefix(prefix.as_str());
            !prefix.is_empty() && rest.is_some_and(|rest| rest.starts_with('/'))
        };
        let in_api = schema.prefixes.iter().any(|prefix| within(&prefix));
        return nothing(if in_api { Errors::Json } else { outside });
    };
    let found = |place| Found {
        place: Some(place),
        page: None,
        errors: outside,
    };
    match segments {
        ["static", rest @ ..] if !rest.is_empty() => return found(Place::Static(rest.join("/"))),
        ["health", "live"] => return found(Place::Health(Probe::Live)),
        ["health", "ready"] => return found(Place::Health(Probe::Ready)),
        ["health", ..] => return nothing(Errors::Json),
        ["problems", slug] => return found(Place::Problem((*slug).to_owned())),
        ["docs"] => return found(Place::Docs),
        _ => {}
    }
    if is_document(schema, segments) {
        return Found {
            place: Some(Place::Document),
            page: None,
            errors: Errors::Json,
        };
    }
    // Of `/api` and `/api/v1` the longer one is meant where both begin the path.
    let prefixes = schema.prefixes.iter().filter(|prefix| !prefix.is_empty());
    let under = prefixes.filter_map(|prefix| Some((prefix, strip(prefix, segments)?)));
    if let Some((prefix, rest)) = under.min_by_key(|(_, rest)| rest.len()) {
        return Found {
            place: find_api(schema, prefix, rest).map(Place::Api),
            page: None,
            errors: Errors::Json,
        };
    }
    let page = match schema.pages {
        true => find_page(schema, segments),
        false => None,
    };
    match at_root.then(|| find_api(schema, "", segments)).flatten() {
        Some(place) => Found {
            place: Some(Place::Api(place)),
            page,
            errors: outside,
        },
        None => Found {
            place: page.map(Place::Page),
            page: None,
            errors: outside,
        },
    }
}

/// Whether a path is of the OpenAPI document: `openapi.json` under each prefix of the API, and
/// under `/api` whatever they are.
fn is_document(schema: &Schema, segments: &[&str]) -> bool {
    let mut prefixes = schema.prefixes.iter().map(String::as_str).chain(["/api"]);
    segments.last() == Some(&"openapi.json")
        && prefixes.any(|prefix| strip(prefix, segments) == Some(&["openapi.json"]))
}

/// The segments behind a prefix such as `/api/v1`.
fn strip<'s>(prefix: &str, mut segments: &'s [&'s str]) -> Option<&'s [&'s str]> {
    for part in prefix.split('/').skip(1) {
        let (first, rest) = segments.split_first()?;
        segments = (*first == part).then_some(rest)?;
    }
    Some(segments)
}

fn find_api<'a>(schema: &'a Schema, prefix: &'a str, segments: &[&str]) -> Option<ApiPlace<'a>> {
    let (resource, parent, rest) = find_resource(schema, segments)?;
    let at = At {
        prefix,
        resource,
        parent,
    };
    match rest {
        [] => Some(ApiPlace::Collection(at)),
        ["search"] if !resource.search.is_empty() => Some(ApiPlace::Search(at)),
        [key] if !key.is_empty() => Some(match resource.key.kind.parse(key) {
            Some(key) => ApiPlace::Item(at, key),
            None => ApiPlace::NoRecord(at),
        }),
        [key, "history"] if resource.history => Some(match resource.key.kind.parse(key) {
            Some(key) => ApiPlace::History(at, key),
            None => ApiPlace::NoRecord(at),
        }),
        [key, name] if resource.members.is_some() && !name.is_empty() => {
            Some(match resource.key.kind.parse(key) {
                Some(key) => ApiPlace::Member(at, key, (*name).to_owned()),
                None => ApiPlace::NoRecord(at),
            })
        }
        [key, name] if resource.members.is_none() => {
            let position = resource.position(name)?;
            Some(match resource.key.kind.parse(key) {
                Some(key) => ApiPlace::Field(at, key, position),
                None => ApiPlace::NoRecord(at),
            })
        }
        _ => None,
    }
}

fn find_page<'a>(schema: &'a Schema, segments: &[&str]) -> Option<PagePlace<'a>> {
    // A look at the length spares most paths the comparison.
    let bytes: usize = segments.iter().map(|segment| 1 + segment.len()).sum();
    let is_path =
        |path: &str| path.len() == bytes && path.split('/').skip(1).eq(segments.iter().copied());
    let custom = |resource: &&Resource| {
        let pages = resource.pages.as_ref();
        resource.parent.is_none() && pages.is_some_and(|pages| is_path(&pages.new_path))
    };
    if let Some(resource) = schema.resources.iter().find(custom) {
        return Some(PagePlace::New(Of {
            resource,
            parent: None,
        }));
    }
    if segments == [""] {
        return Some(PagePlace::Home);
    }
    let (resource, parent, rest) = find_resource(schema, segments)?;
    resource.pages.as_ref()?;
    let of = Of { resource, parent };
    let key = |text: &str| resource.key.kind.parse(text);
    match rest {
        [] => Some(PagePlace::List(of)),
        ["new"] if of.parent.is_some() => Some(PagePlace::New(of)),
        [text] => Some(PagePlace::Show(of, key(text)?)),
        [text, "edit"] => Some(PagePlace::Edit(of, key(text)?)),
        [text, "delete"] => Some(PagePlace::Delete(of, key(text)?)),
        [text, "restore"] if resource.delete == Delete::Soft => {
            Some(PagePlace::Restore(of, key(text)?))
        }
        _ => None,
    }
}

/// The resource that a path begins with, the key of its parent, and the segments that follow:
/// `/users/5/emails/7` is e-mail 7 of user 5.
fn find_resource<'a, 's>(
    schema: &'a Schema,
    segments: &'s [&'s str],
) -> Option<(&'a Resource, Option<Key>, &'s [&'s str])> {
    let (name, rest) = segments.split_first()?;
    let resource = schema.resource(name)?;
    if let [key, child, rest @ ..] = rest {
        let is_child = |child: &&Resource| {
            child
                .parent
                .as_ref()
                .is_some_and(|parent| parent.index == resource.index)
        };
        if let Some(child) = schema.resource(child).filter(is_child) {
            return Some((child, Some(resource.key.kind.parse(key)?), rest));
        }
    }
    resource.parent.is_none().then_some((resource, None, rest))
}

/// Paths of so many segments are looked at without an allocation.
const FEW_SEGMENTS: usize = 8;

/// Puts the segments behind the first slash into `few` and counts them; `None` where there are
/// more, or one is percent-encoded.
fn plain_segments<'p>(path: &'p str, few: &mut [&'p str; FEW_SEGMENTS]) -> Option<usize> {
    let mut rest = path.strip_prefix('/')?;
    for (index, segment) in few.iter_mut().enumerate() {
        let end = rest.bytes().position(|byte| matches!(byte, b'/' | b'%'));
        match end {
            None => {
                *segment = rest;
                return Some(index + 1);
            }
            Some(end) => {
                *segment = &rest[..end];
                rest = rest[end..].strip_prefix('/')?;
            }
        }
    }
    None
}

/// The segments behind the first slash, decoded. `None` where one is no UTF-8.
fn segments(path: &str) -> Option<Vec<Cow<'_, str>>> {
    let rest = path.strip_prefix('/')?;
    rest.split('/')
        .map(|segment| percent_decode_str(segment).decode_utf8().ok())
        .collect()
}

/// A sentence that helps somebody who came to a path that is not there.
#[must_use]
pub fn hint(schema: &Schema, path: &str) -> Option<String> {
    if let Some(shorter) = path.strip_suffix('/').filter(|shorter| !shorter.is_empty()) {
        return Some(match find(schema, shorter).place {
            Some(_) => format!("The address has no slash at its end: {shorter}"),
            None => hint(schema, shorter)?,
        });
    }
    let known: Vec<String> = schema
        .prefixes
        .iter()
        .flat_map(|prefix| {
            schema
                .resources
                .iter()
                .map(move |resource| format!("{prefix}/{}", resource.name))
        })
        .collect();
    let head_end = path
        .match_indices('/')
        .nth(2)
        .map_or(path.len(), |(index, _)| index);
    nearest(&path[..head_end], known.iter().map(String::as_str))
        .filter(|near| *near != path)
        .map(|near| format!("Did you mean {near}?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema() -> Schema {
        let text = "
            [resources.users]
            history = true
            [resources.users.fields]
            name = { type = \"string\" }
            [resources.emails]
            parent = \"users\"
            search = [\"address\"]
            [resources.emails.fields]
            address = { type = \"email\" }
            [resources.drafts]
            kind = \"document\"
            history = true";
        carafe_model::declaration::parse(text, std::path::Path::new("/app")).expect("a declaration")
    }

    #[test]
    fn plain_segments_are_those_that_decoding_finds() {
        let long = "/a".repeat(FEW_SEGMENTS);
        let longer = "/a".repeat(FEW_SEGMENTS + 1);
        let paths = ["/", "//", "/a", "/a/", "/a/b", "/é/b", &long];
        for path in paths {
            let mut few = [""; FEW_SEGMENTS];
            let count = plain_segments(path, &mut few);
            let found = count.map(|count| few[..count].to_vec());
            let decoded = segments(path).unwrap();
            assert_eq!(
                found,
                Some(decoded.iter().map(Cow::as_ref).collect()),
                "{path}"
            );
        }
        for path in ["", "a", "*", "/a%2Fb", "/a/%", &longer] {
            assert_eq!(
                plain_segments(path, &mut [""; FEW_SEGMENTS]),
                None,
                "{path}"
            );
        }
    }

    #[test]
    fn paths_name_places() {
        let schema = schema();
        let cases = [
            ("/api/users", "api users - collection"),
            ("/api/users/5", "api users - item 5"),
            ("/api/users/05", "api users - no record"),
            ("/api/users/5/history", "api users - history 5"),
            ("/%61pi/users", "api users - collection"),
            ("/apis/users", "nothing"),
            ("/api/users/5/name", "api users - field 0 of 5"),
            ("/api/users/5/nothing", "nothing"),
            ("/api/users/5/emails/7/address", "api emails 5 field 1 of 7"),
            ("/api/users/5/emails", "api emails 5 collection"),
            ("/api/users/5/emails/7", "api emails 5 item 7"),
            ("/api/users/5/emails/search", "api emails 5 search"),
            ("/api/users/x/emails", "nothing"),
            ("/api/emails", "nothing"),
            ("/api/users/", "nothing"),
            ("/api/users/5/", "nothing"),
            (
                "/api/drafts/a%2Fb/%C3%A9%20",
                "api drafts - member é  of a/b",
            ),
            ("/api/drafts/a/content", "api drafts - member content of a"),
            ("/api/drafts/a/history", "api drafts - history a"),
            ("/api/drafts/a/", "nothing"),
            ("/api/drafts/a/b/c", "nothing"),
            ("/api/%ff", "nothing"),
            ("/api", "nothing"),
            ("/", "home"),
            ("/users", "page users - list"),
            ("/users/new", "page users - new"),
            ("/users/5", "page users - show 5"),
            ("/users/5/edit", "page users - edit 5"),
            ("/users/5/delete", "page users - delete 5"),
            ("/users/5/restore", "page users - restore 5"),
            ("/users/5/emails/new", "page emails 5 new"),
            ("/users/5/emails/7", "page emails 5 show 7"),
            ("/emails", "nothing"),
            ("/static/a/b.css", "static a/b.css"),
            ("/problems/stale", "problem stale"),
        ];
        for (path, expected) in cases {
            let place = find(&schema, path).place;
            assert_eq!(
                place.map_or("nothing".to_owned(), describe),
                expected,
                "path: {path}"
            );
        }
    }

    fn describe(place: Place<'_>) -> String {
        let api = |at: At<'_>, what: &str| {
            format!("api {} {} {what}", at.resource.name, parent(at.parent))
        };
        let page = |of: Of<'_>, what: &str| {
            format!("page {} {} {what}", of.resource.name, parent(of.parent))
        };
        match place {
            Place::Api(ApiPlace::Collection(at)) => api(at, "collection"),
            Place::Api(ApiPlace::Search(at)) => api(at, "search"),
            Place::Api(ApiPlace::Item(at, key)) => api(at, &format!("item {key}")),
            Place::Api(ApiPlace::History(at, key)) => api(at, &format!("history {key}")),
            Place::Api(ApiPlace::Field(at, key, position)) => {
                api(at, &format!("field {position} of {key}"))
            }
            Place::Api(ApiPlace::Member(at, key, name)) => {
                api(at, &format!("member {name} of {key}"))
            }
            Place::Api(ApiPlace::NoRecord(at)) => api(at, "no record"),
            Place::Page(PagePlace::Home) => "home".to_owned(),
            Place::Page(PagePlace::List(of)) => page(of, "list"),
            Place::Page(PagePlace::New(of)) => page(of, "new"),
            Place::Page(PagePlace::Show(of, key)) => page(of, &format!("show {key}")),
            Place::Page(PagePlace::Edit(of, key)) => page(of, &format!("edit {key}")),
            Place::Page(PagePlace::Delete(of, key)) => page(of, &format!("delete {key}")),
            Place::Page(PagePlace::Restore(of, key)) => page(of, &format!("restore {key}")),
            Place::Own(_) => "own".to_owned(),
            Place::Static(path) => format!("static {path}"),
            Place::Problem(slug) => format!("problem {slug}"),
            Place::Health(probe) => format!("health {probe:?}"),
            Place::Document => "document".to_owned(),
            Place::Docs => "docs".to_owned(),
        }
    }

    fn parent(key: Option<Key>) -> String {
        key.map_or("-".to_owned(), |key| key.to_string())
    }
}
