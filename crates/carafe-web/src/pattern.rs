//! The routes of an application as patterns, such as `/api/notes/{id}`. Logs, metrics and traces
//! name a request by its pattern: there are as many as the declaration makes, whatever is asked.

use std::sync::Arc;

use carafe_model::name::Name;
use carafe_model::resource::Resource;
use carafe_model::schema::Schema;

use crate::deprecation;
use crate::health::Probe;
use crate::metrics::{Metrics, RouteMetrics};
use crate::route::{ApiPlace, At, Of, PagePlace, Place};

/// What is behind a resource in the API, in the order of [`api`]. `{}` is the name of the key.
const API: [&str; 6] = [
    "",
    "/search",
    "/{}",
    "/{}/history",
    "/{}/{field}",
    "/{}/{member}",
];

/// The same for pages, in the order of [`page`].
const PAGES: [&str; 6] = ["", "/new", "/{}", "/{}/edit", "/{}/delete", "/{}/restore"];

/// What every application has, in the order of [`Patterns::of`].
const FIXED: [&str; 8] = [
    UNMATCHED,
    "/",
    "/static/{path}",
    "/problems/{slug}",
    "/health/live",
    "/health/ready",
    "/api/openapi.json",
    "/docs",
];

/// In place of a pattern, where nothing is.
pub const UNMATCHED: &str = "unmatched";

/// All patterns of an application. Each place has a position, which is computed and not looked up.
#[derive(Debug)]
pub struct Patterns {
    all: Vec<Pattern>,
    /// What is said of an address under a prefix where no route is.
    deprecated: Vec<(String, deprecation::Fields)>,
    resources: usize,
    prefixes: usize,
}

/// The pattern of a route, and the resource that it leads to.
#[derive(Clone, Debug)]
pub struct Pattern {
    pub text: String,
    pub resource: Option<Name>,
    /// Header fields of every answer.
    pub deprecated: deprecation::Fields,
    /// What is counted of its requests, if anything is.
    pub(crate) metrics: Option<Arc<RouteMetrics>>,
}

/// The position of a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position(u32);

impl Patterns {
    /// `own` are the paths of the application's own pages, by their positions.
    #[must_use]
    pub fn new(schema: &Schema, own: &[&str]) -> Self {
        let fixed = FIXED.into_iter().map(Pattern::of_none);
        let api = schema.prefixes.iter().flat_map(|prefix| {
            let resources = schema.resources.iter();
            resources.flat_map(move |resource| {
                let deprecated = deprecation::Fields::of(schema, prefix, Some(resource));
                below(schema, prefix, resource, &API, &deprecated)
            })
        });
        let pages = schema.resources.iter().flat_map(|resource| {
            let mut patterns = below(
                schema,
                "",
                resource,
                &PAGES,
                &deprecation::Fields::default(),
            );
            if let (Some(pages), None) = (&resource.pages, &resource.parent) {
                patterns[1].text.clone_from(&pages.new_path);
            }
            patterns
        });
        let deprecated = schema.deprecated_prefixes.iter().map(|(prefix, _)| {
            let fields = deprecation::Fields::of(schema, prefix, None);
            (prefix.clone(), fields)
        });
        let own = own.iter().copied().map(Pattern::of_none);
        Self {
            all: fixed.chain(api).chain(pages).chain(own).collect(),
            deprecated: deprecated.collect(),
            resources: schema.resources.len(),
            prefixes: schema.prefixes.len(),
        }
    }

    /// Has the requests of every route counted.
    pub(crate) fn measure(&mut self, metrics: &Metrics) {
        for pattern in &mut self.all {
            pattern.metrics = Some(metrics.route(&pattern.text));
        }
    }

    /// The pattern of a place, or of none.
    #[must_use]
    pub fn of(&self, schema: &Schema, place: Option<&Place<'_>>) -> Position {
        let position = match place {
            None => 0,
            Some(Place::Page(PagePlace::Home)) => 1,
            Some(Place::Static(_)) => 2,
            Some(Place::Problem(_)) => 3,
            Some(Place::Health(Probe::Live)) => 4,
            Some(Place::Health(Probe::Ready)) => 5,
            Some(Place::Document) => 6,
            Some(Place::Docs) => 7,
            Some(Place::Api(place)) => {
                let (at, kind) = api(place);
                let prefix = schema.prefixes.iter().position(|known| known == at.prefix);
                let resource = prefix.unwrap_or(0) * self.resources + at.resource.index;
                FIXED.len() + resource * API.len() + kind
            }
            Some(Place::Page(place)) => match page(place) {
                Some((of, kind)) => self.pages() + of.resource.index * PAGES.len() + kind,
                None => 1,
            },
            Some(Place::Own(page)) => self.pages() + self.resources * PAGES.len() + page.position,
        };
        Position(u32::try_from(position).unwrap_or(0))
    }

    #[must_use]
    pub fn get(&self, position: Position) -> &Pattern {
        &self.all[position.0 as usize]
    }

    /// What is said of an address of the API that clients are to leave.
    pub(crate) fn deprecated(&self, position: Position, path: &str) -> &deprecation::Fields {
        let is_below = |prefix: &str| {
            let rest = path.strip_prefix(prefix);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let mut deprecated = self.deprecated.iter();
        let below = match position.0 {
            0 => deprecated.find(|(prefix, _)| is_below(prefix)),
            _ => None,
        };
        match below {
            Some((_, fields)) => fields,
            None => &self.get(position).deprecated,
        }
    }

    /// Where those of pages begin.
    fn pages(&self) -> usize {
        FIXED.len() + self.prefixes * self.resources * API.len()
    }
}

impl Pattern {
    fn of_none(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            resource: None,
            deprecated: deprecation::Fields::default(),
            metrics: None,
        }
    }
}

/// The patterns of a resource under a prefix. The key of a parent has the name of the field that
/// refers to it, so that no name comes twice.
fn below(
    schema: &Schema,
    prefix: &str,
    resource: &Resource,
    endings: &[&str],
    deprecated: &deprecation::Fields,
) -> Vec<Pattern> {
    let above = resource.parent.as_ref().map(|parent| {
        let field = &resource.fields[parent.field].name;
        format!("/{}/{{{field}}}", schema.resources[parent.index].name)
    });
    let start = format!("{prefix}{}/{}", above.unwrap_or_default(), resource.name);
    let key = format!("{{{}}}", resource.key.field);
    let patterns = endings.iter().map(|ending| Pattern {
        text: format!("{start}{}", ending.replace("{}", &key)),
        resource: Some(resource.name.clone()),
        deprecated: deprecated.clone(),
        metrics: None,
    });
    patterns.collect()
}

fn api<'p, 'a>(place: &'p ApiPlace<'a>) -> (&'p At<'a>, usize) {
    match place {
        ApiPlace::Collection(at) => (at, 0),
        ApiPlace::Search(at) => (at, 1),
        ApiPlace::Item(at, _) | ApiPlace::NoRecord(at) => (at, 2),
        ApiPlace::History(at, _) => (at, 3),
        ApiPlace::Field(at, ..) => (at, 4),
        ApiPlace::Member(at, ..) => (at, 5),
    }
}

fn page<'p, 'a>(place: &'p PagePlace<'a>) -> Option<(&'p Of<'a>, usize)> {
    Some(match place {
        PagePlace::Home => return None,
        PagePlace::List(of) => (of, 0),
        PagePlace::New(of) => (of, 1),
        PagePlace::Show(of, _) => (of, 2),
        PagePlace::Edit(of, _) => (of, 3),
        PagePlace::Delete(of, _) => (of, 4),
        PagePlace::Restore(of, _) => (of, 5),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route::find;

    #[test]
    fn a_place_has_the_pattern_of_its_path() {
        let declaration = r#"
            [api]
            prefix = ["/api", "/v1"]
            [resources.users]
            history = true
            search = ["name"]
            [resources.users.fields]
            name = { type = "string" }
            [resources.emails]
            parent = "users"
            [resources.emails.fields]
            address = { type = "email" }
            [resources.drafts]
            kind = "document"
            [resources.drafts.pages]
            paths = { new = "/compose" }"#;
        let schema = carafe_model::declaration::parse(declaration, std::path::Path::new("/app"));
        let schema = schema.unwrap();
        let patterns = Patterns::new(&schema, &[]);
        let cases = [
            ("/", "/"),
            ("/static/a/b.css", "/static/{path}"),
            ("/problems/stale", "/problems/{slug}"),
            ("/api/users", "/api/users"),
            ("/v1/users/search", "/v1/users/search"),
            ("/api/users/5", "/api/users/{id}"),
            ("/api/users/05", "/api/users/{id}"),
            ("/api/users/5/history", "/api/users/{id}/history"),
            ("/v1/users/5/name", "/v1/users/{id}/{field}"),
            ("/api/users/5/emails", "/api/users/{user}/emails"),
            ("/v1/users/5/emails/7", "/v1/users/{user}/emails/{id}"),
            ("/api/drafts/a/content", "/api/drafts/{name}/{member}"),
            ("/users", "/users"),
            ("/users/new", "/users/new"),
            ("/compose", "/compose"),
            ("/users/5/edit", "/users/{id}/edit"),
            ("/users/5/delete", "/users/{id}/delete"),
            ("/users/5/restore", "/users/{id}/restore"),
            ("/users/5/emails/new", "/users/{user}/emails/new"),
            ("/users/5/emails/7", "/users/{user}/emails/{id}"),
            ("/nothing", UNMATCHED),
        ];
        for (path, expected) in cases {
            let found = find(&schema, path);
            let position = patterns.of(&schema, found.place.as_ref());
            assert_eq!(patterns.get(position).text, expected, "path: {path}");
        }
    }
}
