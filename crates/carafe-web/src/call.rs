//! One request, as the handlers see it.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use carafe_model::actor::Actor;
use carafe_model::key::Key;
use carafe_model::resource::{Method as Verb, Resource};
use http::header::{ACCEPT_ENCODING, ALLOW, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG};
use http::{HeaderMap, HeaderValue, Method, StatusCode};

use crate::app::App;
use crate::body;
use crate::content::Content;
use crate::error::Problem;

/// What a handler reads a body from: of a connection, or of a test.
pub trait Body: http_body::Body<Data = Bytes> + Unpin + Send {}

impl<B: http_body::Body<Data = Bytes> + Unpin + Send> Body for B {}

/// What a handler answers.
pub type Response = http::Response<Content>;

/// One request without its body.
pub struct Call {
    pub app: Arc<App>,
    pub actor: Actor,
    /// The request id, a UUID: in `X-Request-Id`, in problem bodies and in the log.
    pub id: uuid::Uuid,
    pub parts: http::request::Parts,
    /// Whether the client's connection is encrypted, by us or by a declared proxy.
    pub secure: bool,
    /// The address that the connection came in at.
    pub local: Option<std::net::IpAddr>,
}

impl Call {
    #[must_use]
    pub fn method(&self) -> &Method {
        &self.parts.method
    }

    /// The path as sent, still percent-encoded.
    #[must_use]
    pub fn path(&self) -> &str {
        self.parts.uri.path()
    }

    /// The query as sent, without the question mark.
    #[must_use]
    pub fn query(&self) -> &str {
        self.parts.uri.query().unwrap_or_default()
    }

    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        &self.parts.headers
    }

    /// Reads the whole body, within the declaration's limits.
    ///
    /// # Errors
    ///
    /// 415 for a coding such as gzip, 413 where it is too large, 408 where it is too slow, 400
    /// where it ends early.
    pub async fn read<B: Body>(&self, body: B) -> Result<Bytes, Problem> {
        let limits = &self.app.schema.limits;
        let read = body::read(body, limits.body_bytes_max, limits.request_time_max).await;
        let content = read.map_err(|error| match error {
            body::Error::TooLarge { bytes_max } => {
                let text = format!("The body must be at most {bytes_max} bytes");
                Problem::plain(StatusCode::PAYLOAD_TOO_LARGE, text)
            }
            body::Error::TimedOut => Problem::plain(
                StatusCode::REQUEST_TIMEOUT,
                "The body did not arrive in time",
            ),
            body::Error::Broken => Problem::plain(StatusCode::BAD_REQUEST, "Bad request")
                .detail("The body ended early"),
        })?;
        let mut codings = self.headers().get_all(CONTENT_ENCODING).iter();
        if codings.all(|coding| coding.as_bytes().eq_ignore_ascii_case(b"identity")) {
            return Ok(content);
        }
        let problem = Problem::plain(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "The body must not be compressed",
        );
        Err(problem.header(ACCEPT_ENCODING, HeaderValue::from_static("identity")))
    }

    /// Finds the record that a sub-resource's path is under, where it is under one.
    ///
    /// # Errors
    ///
    /// 404 where it is not there.
    pub async fn require_parent(
        &self,
        resource: &Resource,
        key: Option<&Key>,
    ) -> Result<(), Problem> {
        let (Some(parent), Some(key)) = (&resource.parent, key) else {
            return Ok(());
        };
        let parent = &self.app.schema.resources[parent.index];
        let found = self.app.service.get(&self.actor, parent, key, |_| ()).await;
        found.map_err(|error| Problem::from_service(error, parent, Verb::Get))
    }

    /// The query's parameters, percent-decoded, in the order sent.
    pub fn parameters(&self) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
        crate::query::pairs(self.query().as_bytes())
    }
}

/// Room for the header fields that most answers have, so that it does not grow with them.
const FIELDS: usize = 12;

/// A reply with a JSON body that caches must ask about before they use it again.
#[must_use]
pub fn json(status: StatusCode, body: impl Into<Bytes>) -> Response {
    reply(status, HeaderValue::from_static("application/json"), body)
}

/// The answer to OPTIONS.
#[must_use]
pub fn allowed(allow: &HeaderValue) -> Response {
    let mut response = empty(StatusCode::NO_CONTENT);
    response.headers_mut().insert(ALLOW, allow.clone());
    response
}

/// 304: what the client has is still right.
#[must_use]
pub fn not_modified(tag: HeaderValue) -> Response {
    let mut response = empty(StatusCode::NOT_MODIFIED);
    response.headers_mut().insert(ETAG, tag);
    response
}

/// A reply without a body.
#[must_use]
pub fn empty(status: StatusCode) -> Response {
    let mut response = Response::default();
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.reserve(FIELDS);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

/// A reply with a body of a type.
#[must_use]
pub fn reply(status: StatusCode, content_type: HeaderValue, body: impl Into<Bytes>) -> Response {
    let mut response = Response::new(Content::from(body.into()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.reserve(FIELDS);
    headers.insert(CONTENT_TYPE, content_type);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}
