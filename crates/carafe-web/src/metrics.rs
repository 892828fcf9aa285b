//! Requests in numbers: how many, by route, method and status, and how long they take. They
//! outlive a declaration, which a changed one takes the place of.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use carafe_model::histogram::{Counts, Histogram};
use http::{Method, StatusCode};

/// Upper bounds of a request's time, microseconds.
const MICROS: &[u64] = &[
    250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000,
    2_500_000, 5_000_000, 10_000_000,
];

/// The methods that are told apart; whatever else a client sends is `other`.
const METHODS: [&str; 10] = [
    "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "other",
];

/// Statuses have three digits (RFC 9110, section 15).
const STATUS_MIN: u16 = 100;
const STATUSES: usize = 900;

/// What is counted of all requests.
#[derive(Debug, Default)]
pub struct Metrics {
    routes: RwLock<BTreeMap<String, Arc<RouteMetrics>>>,
    /// A clone for each request that is under way.
    in_flight: Arc<()>,
}

/// What is counted of the requests of one route.
#[derive(Debug, Default)]
pub struct RouteMetrics {
    methods: [OnceLock<MethodMetrics>; METHODS.len()],
}

#[derive(Debug)]
struct MethodMetrics {
    time: Histogram,
    statuses: Box<[AtomicU64]>,
}

/// The requests of one route and method.
#[derive(Clone, Debug)]
pub struct Requests {
    pub route: String,
    pub method: &'static str,
    /// Microseconds.
    pub time: Counts,
    /// How many had each status, without those that none had.
    pub statuses: Vec<(u16, u64)>,
}

/// A request that is under way, until it is dropped.
#[derive(Debug)]
pub(crate) struct InFlight(#[expect(dead_code, reason = "its clones are counted")] Arc<()>);

impl Metrics {
    /// The numbers of a route, by its pattern. There must be no more patterns than a declaration
    /// and its program make.
    #[must_use]
    pub fn route(&self, pattern: &str) -> Arc<RouteMetrics> {
        let known = self.routes.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(route) = known.get(pattern) {
            return Arc::clone(route);
        }
        drop(known);
        let mut routes = self.routes.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(routes.entry(pattern.to_owned()).or_default())
    }

    pub(crate) fn begin(&self) -> InFlight {
        InFlight(Arc::clone(&self.in_flight))
    }

    /// Requests that are under way.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        Arc::strong_count(&self.in_flight) - 1
    }

    /// All requests that were answered so far, by route and method.
    #[must_use]
    pub fn requests(&self) -> Vec<Requests> {
        let routes = self.routes.read().unwrap_or_else(PoisonError::into_inner);
        let routes = routes.iter().flat_map(|(route, metrics)| {
            let methods = METHODS.iter().zip(&metrics.methods);
            methods.filter_map(move |(method, metrics)| {
                let metrics = metrics.get()?;
                Some(Requests {
                    route: route.clone(),
                    method,
                    time: metrics.time.counts(),
                    statuses: metrics.statuses(),
                })
            })
        });
        routes.collect()
    }
}

impl RouteMetrics {
    pub(crate) fn record(&self, method: &Method, status: StatusCode, took: Duration) {
        let other = METHODS.len() - 1;
        let known = METHODS.iter().position(|known| *known == method.as_str());
        let method = self.methods[known.unwrap_or(other)].get_or_init(MethodMetrics::new);
        method.time.record_micros(took);
        let status = usize::from(status.as_u16() - STATUS_MIN);
        method.statuses[status].fetch_add(1, Ordering::Relaxed);
    }
}

impl MethodMetrics {
    fn new() -> Self {
        Self {
            time: Histogram::new(MICROS),
            statuses: (0..STATUSES).map(|_| AtomicU64::new(0)).collect(),
        }
    }

    fn statuses(&self) -> Vec<(u16, u64)> {
        let counts = self
            .statuses
            .iter()
            .map(|count| count.load(Ordering::Relaxed));
        let counts = (STATUS_MIN..).zip(counts);
        counts.filter(|(_, count)| *count > 0).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_counted_by_route_method_and_status() {
        let metrics = Metrics::default();
        let brew = Method::from_bytes(b"BREW").unwrap();
        for (route, method, status) in [
            ("/a", &Method::GET, StatusCode::OK),
            ("/a", &Method::GET, StatusCode::OK),
            ("/a", &Method::GET, StatusCode::NOT_FOUND),
            ("/b", &brew, StatusCode::NOT_IMPLEMENTED),
        ] {
            let took = Duration::from_micros(300);
            metrics.route(route).record(method, status, took);
        }
        let counted = metrics.requests();
        let counted: Vec<_> = counted
            .iter()
            .map(|one| (one.route.as_str(), one.method, one.statuses.as_slice()))
            .collect();
        assert_eq!(
            counted,
            [
                ("/a", "GET", [(200, 2), (404, 1)].as_slice()),
                ("/b", "other", [(501, 1)].as_slice()),
            ]
        );
        assert_eq!(metrics.requests()[0].time.sum, 900);
    }

    #[test]
    fn a_request_is_in_flight_until_it_is_dropped() {
        let metrics = Metrics::default();
        let (first, second) = (metrics.begin(), metrics.begin());
        assert_eq!(metrics.in_flight(), 2);
        drop(first);
        assert_eq!(metrics.in_flight(), 1);
        drop(second);
        assert_eq!(metrics.in_flight(), 0);
    }
}
