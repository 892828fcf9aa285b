//! A client in the same process, for tests of an application without a server.

use axum::body::Body;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::Value;

use crate::app::IN_PROCESS;
use crate::routes::Served;

/// Calls an application directly; a cheap clone.
#[derive(Clone)]
pub struct Client {
    served: Served,
}

/// An answer, read whole.
#[derive(Clone, Debug)]
pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Client {
    pub(crate) fn new(served: Served) -> Self {
        Self { served }
    }

    pub async fn get(&self, path: &str) -> Reply {
        self.call("GET", path, None).await
    }

    /// `POST` with a JSON body.
    pub async fn post(&self, path: &str, body: &Value) -> Reply {
        self.call("POST", path, Some(body)).await
    }

    /// `PUT` with a JSON body.
    pub async fn put(&self, path: &str, body: &Value) -> Reply {
        self.call("PUT", path, Some(body)).await
    }

    /// `PATCH` with a JSON body, which is a merge patch.
    pub async fn patch(&self, path: &str, body: &Value) -> Reply {
        self.call("PATCH", path, Some(body)).await
    }

    pub async fn delete(&self, path: &str) -> Reply {
        self.call("DELETE", path, None).await
    }

    async fn call(&self, method: &str, path: &str, body: Option<&Value>) -> Reply {
        let mut request = Request::builder().method(method).uri(path);
        if body.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
        let request = request.body(body).expect("the path is one");
        self.send(request).await
    }

    /// Sends any request. One without `Host` is for `localhost`.
    ///
    /// # Panics
    ///
    /// Where the body of the answer fails, which those of Carafe do not.
    pub async fn send(&self, mut request: Request<Body>) -> Reply {
        let host = http::HeaderValue::from_static("localhost");
        request.headers_mut().entry(HOST).or_insert(host);
        let response = self.served.clone().answer(request, IN_PROCESS).await;
        let (parts, body) = response.into_parts();
        let body = body.collect().await.expect("the whole body");
        Reply {
            status: parts.status,
            headers: parts.headers,
            body: body.to_bytes(),
        }
    }
}

impl Reply {
    /// The value of a header field, empty where it is not there or no text.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or_default()
    }

    /// The body as text; what is no UTF-8 is replaced.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON, null where it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}
