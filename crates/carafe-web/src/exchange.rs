//! What is told of a request once it is answered.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use carafe_model::actor::Actor;
use http::{HeaderMap, Method, StatusCode};
use percent_encoding::{CONTROLS, utf8_percent_encode};
use tokio::time::Instant;
use uuid::Uuid;

use crate::app::App;
use crate::metrics::{Metrics, RouteMetrics};
use crate::outbox::Outbox;
use crate::pattern::UNMATCHED;
use crate::span::{Context, Failure, Span};

/// Who is told of requests, beside the log; a cheap clone.
#[derive(Clone, Debug, Default)]
pub struct Observers {
    pub metrics: Option<Arc<Metrics>>,
    pub spans: Option<Outbox<Span>>,
    pub failures: Option<Outbox<Failure>>,
}

impl Observers {
    /// Which trace a request is part of, where somebody is told of that.
    pub(crate) fn context(&self, headers: &HeaderMap) -> Option<Context> {
        let asks = self.spans.is_some() || self.failures.is_some();
        asks.then(|| Context::of(headers))
    }
}

/// A request and its answer.
pub(crate) struct Exchange<'a> {
    pub(crate) app: &'a App,
    pub(crate) id: Uuid,
    pub(crate) context: Option<Context>,
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
    /// Why it failed, where that was ours.
    pub(crate) cause: Option<Cause>,
}

/// An error and its sources, a line.
#[derive(Clone, Debug)]
pub(crate) struct Cause(pub(crate) String);

impl Exchange<'_> {
    /// Tells of it, where somebody wants to know. Controls and what is not ASCII are shown
    /// percent-encoded, also where a client has sent them as they are.
    pub(crate) fn tell(mut self) {
        let took = self.started.elapsed();
        if let Some(metrics) = self.metrics {
            metrics.record(self.method, self.status, took);
        }
        tracing::info!(
            id = %self.id,
            trace_id = self.context.map(|context| tracing::field::display(context.trace)),
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
        let Some(context) = self.context else { return };
        let observers = &self.app.observers;
        if let (Some(failures), Some(Cause(cause))) = (&observers.failures, self.cause.take()) {
            let span = self.span(context, took);
            failures.put(Failure { span, cause });
        }
        if let Some(spans) = observers.spans.as_ref().filter(|_| context.is_sampled) {
            spans.put(self.span(context, took));
        }
    }

    fn span(&self, context: Context, took: Duration) -> Span {
        Span {
            context,
            request_id: self.id,
            method: self.method.clone(),
            route: (self.route != UNMATCHED).then(|| self.route.to_owned()),
            path: self.path.to_owned(),
            resource: self.resource.map(str::to_owned),
            status: self.status,
            bytes: self.bytes,
            ended_at: self.app.service.clock().timestamp(),
            took,
        }
    }
}

fn name(actor: &Actor) -> &'static str {
    match actor {
        Actor::Anonymous => "anonymous",
        Actor::Operator => "operator",
    }
}
