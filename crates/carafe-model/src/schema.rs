//! The whole application, resolved.

use std::time::Duration;

use crate::resource::Resource;

/// An application as its declaration resolves it.
#[derive(Clone, Debug)]
pub struct Schema {
    /// Shown on pages and in the OpenAPI document.
    pub name: String,
    /// Roots of the JSON API, each `""` or a path such as `/api`; at least one.
    pub prefixes: Vec<String>,
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
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes_max: 1024 * 1024,
            per_page_max: 100,
            documents_max: 10_000,
            request_time_max: Duration::from_secs(30),
            json_depth_max: 64,
        }
    }
}
