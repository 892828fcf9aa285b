//! The whole application, resolved.

use std::time::Duration;

use crate::declaration::reserved;
use crate::deprecation::Deprecation;
use crate::resource::Resource;

/// An application as its declaration resolves it.
#[derive(Clone, Debug)]
pub struct Schema {
    /// Shown on pages and in the OpenAPI document.
    pub name: String,
    /// Roots of the JSON API, each `""` or a path such as `/api`; at least one.
    pub prefixes: Vec<String>,
    /// Those of the prefixes that clients are to leave.
    pub deprecated_prefixes: Vec<(String, Deprecation)>,
    /// Origins that browsers may call the API from.
    pub cors: Cors,
    /// Whether there are pages for people.
    pub pages: bool,
    pub limits: Limits,
    pub resources: Vec<Resource>,
}

impl Schema {
    /// The resource called `name`.
    #[must_use]
    pub fn resource(&self, name: &str) -> Option<&Resource> {
        self.resources
            .iter()
            .find(|resource| resource.name.as_str() == name)
    }

    /// What is said of a prefix of the API that clients are to leave. A resource has its own:
    /// [`Resource::deprecated`].
    #[must_use]
    pub fn deprecation_of(&self, prefix: &str) -> Option<&Deprecation> {
        let mut deprecated = self.deprecated_prefixes.iter();
        deprecated
            .find(|(known, _)| known == prefix)
            .map(|(_, deprecation)| deprecation)
    }

    /// What else answers at `path` or below its first part, in words; nothing where a page of
    /// the application's own can be there.
    #[must_use]
    pub fn owner_of(&self, path: &str) -> Option<String> {
        let first = path.split('/').nth(1).unwrap_or_default();
        let within = |prefix: &&String| {
            let rest = path.strip_prefix(prefix.as_str());
            !prefix.is_empty() && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        if reserved::PATHS.contains(&first) {
            return Some("a path of Carafe's own".to_owned());
        }
        if self.prefixes.iter().any(|prefix| within(&prefix)) {
            return Some("within the API".to_owned());
        }
        let at_root = self.prefixes.iter().any(String::is_empty);
        let has_place = |resource: &&Resource| {
            resource.name.as_str() == first && (at_root || resource.pages.is_some())
        };
        let has_form = |resource: &&Resource| {
            resource
                .pages
                .as_ref()
                .is_some_and(|pages| pages.new_path == path)
        };
        if let Some(resource) = self.resources.iter().find(has_place) {
            return Some(format!("a path of the resource `{}`", resource.name));
        }
        let form = self.resources.iter().find(has_form)?;
        Some(format!("the form of the resource `{}`", form.name))
    }
}

/// Which other origins may call the API from a browser. Never with credentials.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Cors {
    #[default]
    None,
    Any,
    Origins(Vec<String>),
}

/// Limits of requests and replies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a request's body; more is 413.
    pub body_bytes_max: usize,
    /// Records on a page of a list.
    pub per_page_max: usize,
    /// Entries of the map of a document resource.
    pub documents_max: usize,
    /// From the end of a request's header to the end of its reply.
    pub request_time_max: Duration,
    /// Nesting of arrays and objects in a JSON body.
    pub json_depth_max: usize,
    /// What one client may send; more is 429.
    pub rate: Option<Rate>,
    /// The same for requests that write.
    pub write_rate: Option<Rate>,
}

/// So many requests in a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// At least 1.
    pub requests: u32,
    /// A second, a minute or an hour.
    pub period: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes_max: 1024 * 1024,
            per_page_max: 100,
            documents_max: 10_000,
            request_time_max: Duration::from_secs(30),
            json_depth_max: 64,
            rate: None,
            write_rate: None,
        }
    }
}
