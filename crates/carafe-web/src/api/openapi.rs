//! The OpenAPI document over HTTP.

use http::{Method, StatusCode};

use super::reply::answer;
use crate::call::{Call, Response, allowed, json};
use crate::error::Problem;

/// `GET /api/openapi.json`
///
/// # Errors
///
/// 405 for another method; 412.
pub fn show(call: &Call) -> Result<Response, Problem> {
    match *call.method() {
        Method::GET | Method::HEAD => {
            let document = call.app.document();
            answer(call, &document.tag, || {
                json(StatusCode::OK, document.json.to_vec())
            })
        }
        Method::OPTIONS => Ok(allowed(&call.app.allow_get)),
        _ => Err(Problem::method_not_allowed(
            call.method(),
            &call.app.allow_get,
        )),
    }
}
