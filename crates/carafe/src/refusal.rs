//! Why a verb was not carried out, as routes of an application's own see and answer it.

use std::fmt;
use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use carafe_model::fault::Fault;
use carafe_model::resource::{Method, Resource};
use carafe_service::error::Error;
use carafe_web::error::Problem;
use http::StatusCode;

/// A refusal, in the words of the declaration. As the answer of a route it is the same
/// `application/problem+json` (RFC 9457) that the API gives; shown, it is every message.
#[derive(Clone, Debug)]
pub struct Refusal {
    problem: Arc<Problem>,
}

impl Refusal {
    pub(crate) fn new(problem: Problem) -> Self {
        Self {
            problem: Arc::new(problem),
        }
    }

    pub(crate) fn from_service(error: Error, resource: &Resource, method: Method) -> Self {
        Self::new(Problem::from_service(error, resource, method))
    }

    /// The status that it is over HTTP: 404 where there is no such record, 400 for faults of
    /// the input, 409 for values that are taken, and so on.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.problem.status
    }

    /// Every fault of the input, with its field.
    #[must_use]
    pub fn faults(&self) -> &[Fault] {
        &self.problem.faults
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let detail = self.problem.detail.as_ref();
        f.write_str(detail.unwrap_or(&self.problem.error))
    }
}

impl std::error::Error for Refusal {}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        // Written where the request's id is known: in the layers around the route.
        let mut response = self.problem.status.into_response();
        response.extensions_mut().insert(self.problem);
        response
    }
}
