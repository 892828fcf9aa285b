//! Calls from browsers on other origins (Fetch Standard, CORS protocol). Never with
//! credentials, so an origin is never more than any other program.

use carafe_model::schema::Cors;
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, ALLOW,
    ORIGIN, VARY,
};
use http::{HeaderMap, HeaderValue, Method};

const ANY: HeaderValue = HeaderValue::from_static("*");
const EXPOSED: HeaderValue = HeaderValue::from_static(
    "ETag, Link, Location, X-Total-Count, X-Request-Id, Preference-Applied, Retry-After, \
     Deprecation, Sunset, RateLimit, RateLimit-Policy, Carafe-Position",
);
const ALLOWED: HeaderValue = HeaderValue::from_static(
    "Accept, Carafe-Position, Content-Type, Idempotency-Key, If-Match, If-None-Match, Prefer",
);
/// Two hours, the longest that browsers keep a preflight's answer.
const MAX_AGE: HeaderValue = HeaderValue::from_static("7200");

/// Adds to an answer of the API what the browser of another origin needs to read it.
pub fn set(cors: &Cors, method: &Method, request: &HeaderMap, response: &mut HeaderMap) {
    let allowed = match (cors, request.get(ORIGIN)) {
        (Cors::None, _) => return,
        (Cors::Any, _) => Some(ANY),
        (Cors::Origins(_), None) => None,
        (Cors::Origins(known), Some(origin)) => known
            .iter()
            .any(|known| origin == known.as_str())
            .then(|| origin.clone()),
    };
    if matches!(cors, Cors::Origins(_)) {
        response.append(VARY, HeaderValue::from_static("Origin"));
    }
    let Some(origin) = allowed else { return };
    response.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    if method == Method::OPTIONS && request.contains_key(ACCESS_CONTROL_REQUEST_METHOD) {
        if let Some(allow) = response.get(ALLOW).cloned() {
            response.insert(ACCESS_CONTROL_ALLOW_METHODS, allow);
        }
        response.insert(ACCESS_CONTROL_ALLOW_HEADERS, ALLOWED);
        response.insert(ACCESS_CONTROL_MAX_AGE, MAX_AGE);
    } else {
        response.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
    }
}
