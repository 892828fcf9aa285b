//! A JSON body for routes of an application's own.

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use carafe_model::schema::Limits;
use carafe_web::content_type::ContentType;
use carafe_web::error::Problem;
use carafe_web::json::read_value;
use http::StatusCode;
use serde_json::Value;

use crate::refusal::Refusal;

/// The body of a request as JSON, refused as the API refuses it: 413 where it is too large, 415
/// where it is of another type, 400 where it is no JSON, nests too deep, or has a name twice.
#[derive(Clone, Debug, PartialEq)]
pub struct JsonBody(pub Value);

impl<S: Send + Sync> FromRequest<S> for JsonBody {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        let kind = ContentType::of(request.headers());
        // Those of the declaration, which are put there before the routes.
        let limits = request.extensions().get::<Limits>().cloned();
        let depth_max = limits.unwrap_or_default().json_depth_max;
        let body = Bytes::from_request(request, state).await.map_err(|error| {
            let text = match error.status() {
                StatusCode::PAYLOAD_TOO_LARGE => "The body is too large",
                _ => "Bad request",
            };
            Refusal::new(Problem::plain(error.status(), text).detail(error.body_text()))
        })?;
        match kind {
            ContentType::Json | ContentType::MergePatch => {
                read_value(&body, depth_max).map(Self).map_err(Refusal::new)
            }
            _ => {
                let text = "The body must be JSON; send Content-Type: application/json";
                let problem = Problem::plain(StatusCode::UNSUPPORTED_MEDIA_TYPE, text);
                let json = http::HeaderValue::from_static("application/json");
                Err(Refusal::new(problem.header(http::header::ACCEPT, json)))
            }
        }
    }
}
