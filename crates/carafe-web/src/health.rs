//! What probes ask: whether the process answers, and whether it should get requests.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use carafe_service::readiness::Readiness;
use carafe_service::service::Service;
use http::header::{CACHE_CONTROL, RETRY_AFTER};
use http::{HeaderValue, Method, StatusCode};
use serde_json::json;
use tokio::sync::Mutex;

use crate::call::{self, Call, Response};
use crate::error::Problem;

/// How long an answer of the database holds, whoever asks: probes cannot be a load.
const KEPT: Duration = Duration::from_secs(1);

/// The state of a process, whatever declarations it serves one after another.
#[derive(Debug, Default)]
pub struct Health {
    is_stopping: AtomicBool,
    /// Locked while the database is asked, so that it is asked once.
    last: Mutex<Option<(Instant, Readiness)>>,
}

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Probe {
    /// `/health/live`: the process answers.
    Live,
    /// `/health/ready`: the database answers, its migrations are applied, and the server does
    /// not stop.
    Ready,
}

impl Health {
    /// From now on the server is not ready.
    pub fn stop(&self) {
        self.is_stopping.store(true, Ordering::Relaxed);
    }

    async fn readiness(&self, service: &Service) -> Readiness {
        let mut last = self.last.lock().await;
        match *last {
            Some((asked, found)) if asked.elapsed() < KEPT => found,
            _ => {
                let found = service.readiness().await;
                *last = Some((Instant::now(), found));
                found
            }
        }
    }
}

/// `GET /health/live` and `GET /health/ready`
pub(crate) async fn answer(call: &Call, probe: Probe) -> Result<Response, Problem> {
    let allow = &call.app.allow_get;
    match *call.method() {
        Method::GET | Method::HEAD => {}
        Method::OPTIONS => return Ok(call::allowed(allow)),
        _ => return Err(Problem::method_not_allowed(call.method(), allow)),
    }
    match probe {
        Probe::Live => Ok(reply(StatusCode::OK, &json!({ "status": "live" }))),
        Probe::Ready => Ok(ready(call).await),
    }
}

async fn ready(call: &Call) -> Response {
    let health = &call.app.health;
    let found = health.readiness(&call.app.service).await;
    let is_serving = !health.is_stopping.load(Ordering::Relaxed);
    let is_ready = found.database && found.migrations && is_serving;
    let word = |is_well| if is_well { "ok" } else { "failed" };
    let body = json!({
        "status": if is_ready { "ready" } else { "not ready" },
        "checks": {
            "database": word(found.database),
            "migrations": word(found.migrations),
            "serving": if is_serving { "ok" } else { "stopping" },
        },
    });
    if is_ready {
        return reply(StatusCode::OK, &body);
    }
    let mut response = reply(StatusCode::SERVICE_UNAVAILABLE, &body);
    let headers = response.headers_mut();
    headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

fn reply(status: StatusCode, body: &serde_json::Value) -> Response {
    let mut response = call::json(status, body.to_string().into_bytes());
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
