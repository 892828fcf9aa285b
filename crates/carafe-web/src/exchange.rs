//! What is told of a request once it is answered.

use std::borrow::Cow;
use std::time::Instant;

use carafe_model::actor::Actor;
use http::{Method, StatusCode};
use percent_encoding::{CONTROLS, utf8_percent_encode};
use uuid::Uuid;

use crate::metrics::RouteMetrics;

/// A request and its answer.
pub(crate) struct Exchange<'a> {
    pub(crate) id: Uuid,
    pub(crate) started: Instant,
    pub(crate) method: &'a Method,
    /// The pattern of the path.
    pub(crate) route: &'a str,
    /// What is counted of the route, if anything is.
    pub(crate) metrics: Option<&'a RouteMetrics>,
    /// The path as sent, without its query.
    pub(crate) path: &'a str,
    /// What the route leads to.
    pub(crate) resource: Option<&'a str>,
    pub(crate) actor: &'a Actor,
    pub(crate) status: StatusCode,
    /// Bytes of the answer's body; `None` while they are not known.
    pub(crate) bytes: Option<u64>,
}

impl Exchange<'_> {
    /// Tells of it, where somebody wants to know. Controls and what is not ASCII are shown
    /// percent-encoded, also where a client has sent them as they are.
    pub(crate) fn tell(&self) {
        let took = self.started.elapsed();
        if let Some(metrics) = self.metrics {
            metrics.record(self.method, self.status, took);
        }
        tracing::info!(
            id = %self.id,
            method = self.method.as_str(),
            route = self.route,
            path = &*Cow::from(utf8_percent_encode(self.path, CONTROLS)),
            status = self.status.as_u16(),
            duration_ms = took.as_micros() as f64 / 1000.0,
            bytes = self.bytes,
            actor = name(self.actor),
            resource = self.resource,
            "Answered"
        );
    }
}

fn name(actor: &Actor) -> &'static str {
    match actor {
        Actor::Anonymous => "anonymous",
        Actor::Operator => "operator",
    }
}
