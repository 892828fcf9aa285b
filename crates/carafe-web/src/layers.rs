//! What happens around every request, in order, as one function: id, URL map, deadline, panics,
//! problems, compression, header fields, a line in the log.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use carafe_model::actor::Actor;
use carafe_model::name::Name;
use carafe_service::freshness;
use http::header::{
    CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ETAG, EXPECT, RETRY_AFTER, VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Version};
use http_body::Body as _;
use http_body_util::BodyExt;
use tokio::time::Instant;

use crate::app::App;
use crate::call::{Body, Call, Response};
use crate::content::Content;
use crate::content_type::ContentType;
use crate::error::{self, Kind, Problem};
use crate::exchange::{Cause, Exchange};
use crate::negotiate::{Accept, AcceptEncoding, Coding};
use crate::rate::Admission;
use crate::route::{self, ApiPlace, Errors, Found, PagePlace, Place};
use crate::{coding, cors, headers, position, problem, wire};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const VARY_API: HeaderValue = HeaderValue::from_static("Accept, Accept-Encoding, Prefer");
const VARY_PAGE: HeaderValue = HeaderValue::from_static("Accept, Accept-Encoding, Cookie");

/// How a connection came in.
#[derive(Clone, Copy, Debug)]
pub struct Connection {
    /// Encrypted, by us or by a declared proxy.
    pub secure: bool,
    /// The address that was connected to.
    pub local: Option<std::net::IpAddr>,
    /// The address of the client, behind declared proxies.
    pub client: Option<std::net::IpAddr>,
}

/// Answers one request. Never fails: what goes wrong is an answer too.
pub async fn handle<B: Body>(
    app: Arc<App>,
    request: Request<B>,
    connection: Connection,
) -> Response {
    let started = Instant::now();
    let refusal = wire::refuse_early(&request);
    let server_wide = wire::is_server_wide(&request);
    let (parts, mut body) = request.into_parts();
    let Connection {
        secure,
        local,
        client,
    } = connection;
    let call = Call {
        actor: Actor::Anonymous,
        id: app.ids.next(app.service.clock()),
        app,
        parts,
        secure,
        local,
    };
    let (api, mut place) = match call.app.site.own.find(call.path()) {
        Some(page) => (false, Some(Place::Own(page))),
        None => choose(&call, route::find(&call.app.schema, call.path())),
    };
    let _in_flight = call
        .app
        .observers
        .metrics
        .as_ref()
        .map(|metrics| metrics.begin());
    let pattern = call.app.patterns.of(&call.app.schema, place.as_ref());
    let admission = match place {
        Some(Place::Static(_) | Place::Problem(_) | Place::Health(_)) => Admission::default(),
        _ => call.app.rates.admit(client, call.method()),
    };
    let outcome = match refusal {
        Some(refusal) => Err(early(refusal)),
        None if admission.is_refused() => Err(admission.to_problem()),
        None if server_wide => Ok(crate::call::empty(StatusCode::NO_CONTENT)),
        None if call.app.service.has_replica() => {
            Box::pin(beside_replica(&call, &mut place, &mut body, started)).await
        }
        None => guarded(&call, &mut place, &mut body, started).await,
    };
    let mut response = outcome.unwrap_or_else(|problem| refuse(&call, api, problem));
    finish(&call, api, &mut response);
    call.app.rates.set(&admission, response.headers_mut());
    if api {
        let deprecated = call.app.patterns.deprecated(pattern, call.path());
        deprecated.add(response.headers_mut());
    }
    if !body.is_end_stream() && !drain(&call, body).await && call.parts.version <= Version::HTTP_11
    {
        response
            .headers_mut()
            .insert(CONNECTION, HeaderValue::from_static("close"));
    }
    let pattern = call.app.patterns.get(pattern);
    let exchange = Exchange {
        app: &call.app,
        id: call.id,
        context: call.app.observers.context(call.headers()),
        started,
        method: call.method(),
        route: &pattern.text,
        metrics: pattern.metrics.as_deref(),
        path: call.path(),
        resource: pattern.resource.as_ref().map(Name::as_str),
        actor: &call.actor,
        status: response.status(),
        bytes: response.body().size_hint().exact(),
        cause: response.extensions_mut().remove(),
    };
    exchange.tell();
    response
}

/// What happens around a route of the application's own: refusals that do not depend on the
/// path, the deadline, panics, the header fields of every answer, and a line in the log.
/// `pattern` is that of the route. A route refuses by a [`Problem`] in the extensions of its
/// response, behind an `Arc`.
pub async fn around<B, R, F>(
    app: Arc<App>,
    request: Request<B>,
    connection: Connection,
    pattern: &str,
    route: impl FnOnce(Request<B>) -> F,
) -> http::Response<R>
where
    B: Send,
    R: From<bytes::Bytes> + http_body::Body,
    F: Future<Output = http::Response<R>>,
{
    let started = Instant::now();
    let id = app.ids.next(app.service.clock());
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let context = app.observers.context(request.headers());
    let _in_flight = app
        .observers
        .metrics
        .as_ref()
        .map(|metrics| metrics.begin());
    let admission = app.rates.admit(connection.client, &method);
    let answer = pin!(async {
        let path = percent_encoding::percent_decode_str(request.uri().path());
        let is_text = path.decode_utf8().is_ok();
        match wire::refuse_early(&request) {
            Some(refusal) => Err(early(refusal)),
            None if admission.is_refused() => Err(admission.to_problem()),
            None if !is_text => Err(Problem::not_found()),
            None => Ok(route(request).await),
        }
    });
    let outcome = within(started + app.schema.limits.request_time_max, answer).await;
    let problem = match &outcome {
        Ok(response) => response.extensions().get::<Arc<Problem>>().cloned(),
        Err(_) => None,
    };
    let mut cause = None;
    let mut refused = |problem: &Problem| {
        cause = log_cause(problem, id);
        let response = problem::to_json(problem, id);
        let (parts, body) = response.into_parts();
        let bytes = now(body.collect()).and_then(Result::ok);
        let bytes = bytes.map(http_body_util::Collected::to_bytes);
        http::Response::from_parts(parts, R::from(bytes.unwrap_or_default()))
    };
    let mut response = match (outcome, problem) {
        (_, Some(problem)) => refused(&problem),
        (Ok(response), None) => response,
        (Err(problem), None) => refused(&problem),
    };
    set_headers(connection.secure, id, response.headers_mut());
    let metrics = app
        .observers
        .metrics
        .as_ref()
        .map(|metrics| metrics.route(pattern));
    app.rates.set(&admission, response.headers_mut());
    let exchange = Exchange {
        app: &app,
        id,
        context,
        started,
        method: &method,
        route: pattern,
        metrics: metrics.as_deref(),
        path: uri.path(),
        resource: None,
        actor: &Actor::Anonymous,
        status: response.status(),
        bytes: response.body().size_hint().exact(),
        cause,
    };
    exchange.tell();
    response
}

/// The most that is read of a body that the answer did not need, and for how long.
const DRAINED_BYTES_MAX: usize = 2 * 1024 * 1024;
const DRAIN_TIME_MAX: Duration = Duration::from_millis(250);

/// Reads on to the end of a body that was refused unread, within limits: a client that is still
/// sending would lose the answer (RFC 9112, section 9.6; over HTTP/2 the stream is reset).
/// Returns whether the end was reached. A client that waits for `100 Continue` sends nothing.
async fn drain<B: Body>(call: &Call, mut body: B) -> bool {
    if call.headers().contains_key(EXPECT) {
        return false;
    }
    let read = async {
        let mut length = 0;
        while let Some(Ok(frame)) = body.frame().await {
            length += frame.data_ref().map_or(0, bytes::Bytes::len);
            if length > DRAINED_BYTES_MAX {
                return false;
            }
        }
        body.is_end_stream()
    };
    tokio::time::timeout(DRAIN_TIME_MAX, read)
        .await
        .unwrap_or(false)
}

/// A refusal that does not depend on the path.
fn early(refusal: wire::Refusal) -> Problem {
    let problem = Problem::plain(refusal.status, refusal.detail);
    match refusal.close {
        true => problem.header(CONNECTION, HeaderValue::from_static("close")),
        false => problem,
    }
}

/// Decides between API and page where one path is both (an empty prefix), and whether errors
/// are JSON: `Accept` decides what is read, and only a form that was sent is for a page.
fn choose<'a>(call: &Call, found: Found<'a>) -> (bool, Option<Place<'a>>) {
    let reads = matches!(*call.method(), Method::GET | Method::HEAD);
    let wants_page = || reads && Accept::of(call.headers()).prefers_html();
    let sends_form = |page: &PagePlace<'_>| {
        *call.method() == Method::POST
            && page.takes_form()
            && ContentType::of(call.headers()) == ContentType::Form
    };
    match (found.place, found.page) {
        (Some(Place::Api(ApiPlace::NoRecord(_))), Some(page)) => (false, Some(Place::Page(page))),
        (Some(Place::Api(_)), Some(page)) if wants_page() || sends_form(&page) => {
            (false, Some(Place::Page(page)))
        }
        (Some(place @ (Place::Api(_) | Place::Health(_) | Place::Document)), _) => {
            (true, Some(place))
        }
        (Some(place), _) => (false, Some(place)),
        (None, _) => match found.errors {
            Errors::Json => (true, None),
            Errors::Page => (false, None),
            Errors::AsAccepted => (!wants_page(), None),
        },
    }
}

/// Runs the handler where a replica is behind the last write perhaps: what only reads may go
/// there, as far as the client cannot tell, and what writes says where it has got to.
async fn beside_replica<B: Body>(
    call: &Call,
    place: &mut Option<Place<'_>>,
    body: B,
    started: Instant,
) -> Result<Response, Problem> {
    if matches!(*call.method(), Method::GET | Method::HEAD) {
        let freshness = position::freshness(call.headers(), call.secure);
        return freshness::reading(freshness, guarded(call, place, body, started)).await;
    }
    let mut response = guarded(call, place, body, started).await?;
    if let Some(position) = call.app.service.position().await {
        position::set(position, call.secure, response.headers_mut());
    }
    Ok(response)
}

/// Runs the handler within the time limit; a panic in it is an internal error of this request
/// alone. The place is taken, and not handed over, which would copy it once more.
async fn guarded<B: Body>(
    call: &Call,
    place: &mut Option<Place<'_>>,
    body: B,
    started: Instant,
) -> Result<Response, Problem> {
    let answer = pin!(async {
        match place.take() {
            _ if !is_known(call.method()) => Err(unknown_method(call)),
            Some(place) => crate::answer(call, place, body).await,
            None => Err(nowhere(call)),
        }
    });
    within(started + call.app.schema.limits.request_time_max, answer).await
}

/// The outcome of a handler before its deadline. It is pinned by the caller: moved in here, it
/// would be copied.
async fn within<T>(
    deadline: Instant,
    answer: Pin<&mut impl Future<Output = Result<T, Problem>>>,
) -> Result<T, Problem> {
    match tokio::time::timeout_at(deadline, caught(answer)).await {
        Ok(outcome) => outcome,
        Err(_) => {
            let problem = Problem::new(
                Kind::Storage,
                StatusCode::SERVICE_UNAVAILABLE,
                "The answer took too long",
            );
            Err(problem.header(RETRY_AFTER, HeaderValue::from_static("5")))
        }
    }
}

/// The outcome of a handler; a panic in it is an internal problem.
async fn caught<T>(
    mut answer: Pin<&mut impl Future<Output = Result<T, Problem>>>,
) -> Result<T, Problem> {
    std::future::poll_fn(|context| {
        match catch_unwind(AssertUnwindSafe(|| answer.as_mut().poll(context))) {
            Ok(polled) => polled,
            Err(panic) => Poll::Ready(Err(Problem::internal(panic_text(&*panic).into()))),
        }
    })
    .await
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    format!("a handler panicked: {}", text.unwrap_or_default())
}

/// A safe method with a body, which no place here answers.
const QUERY: &str = "QUERY";

/// The methods of RFC 9110, RFC 5789 and `QUERY`; a place says itself which of them it answers.
fn is_known(method: &Method) -> bool {
    wire::METHODS.contains(method) || method == QUERY
}

fn unknown_method(call: &Call) -> Problem {
    Problem::plain(
        StatusCode::NOT_IMPLEMENTED,
        format!("{} is not a method that this server knows", call.method()),
    )
}

fn nowhere(call: &Call) -> Problem {
    let problem = Problem::not_found();
    match route::hint(&call.app.schema, call.path()) {
        Some(hint) => problem.detail(hint),
        None => problem,
    }
}

/// The answer, with the cause of a failure in its extensions until it is told of.
fn refuse(call: &Call, api: bool, problem: Problem) -> Response {
    let mut response = match api {
        true => problem::to_json(&problem, call.id),
        false => crate::pages::refuse(call, &problem),
    };
    if let Some(cause) = log_cause(&problem, call.id) {
        response.extensions_mut().insert(cause);
    }
    response
}

/// Logs the cause of a failure, and returns it.
fn log_cause(problem: &Problem, id: uuid::Uuid) -> Option<Cause> {
    let cause = error::chain(problem.cause.as_deref()?);
    let status = problem.status.as_u16();
    tracing::error!(%id, status, cause, "Could not answer");
    Some(Cause(cause))
}

/// The fields that every answer has.
fn set_headers(secure: bool, id: uuid::Uuid, headers: &mut HeaderMap) {
    let is_page = headers
        .get(CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
    match is_page {
        true => headers::set_page(headers),
        false => headers::set_api(headers),
    }
    if secure {
        headers::set_strict_transport_security(headers);
    }
    let mut buffer = uuid::Uuid::encode_buffer();
    let id = id.hyphenated().encode_lower(&mut buffer);
    headers.insert(
        REQUEST_ID,
        HeaderValue::from_str(id).expect("a UUID is visible ASCII"),
    );
}

fn finish(call: &Call, api: bool, response: &mut Response) {
    compress(call, response);
    let vary = if api { VARY_API } else { VARY_PAGE };
    let headers = response.headers_mut();
    headers.append(VARY, vary);
    set_headers(call.secure, call.id, headers);
    if api {
        cors::set(
            &call.app.schema.cors,
            call.method(),
            call.headers(),
            headers,
        );
    }
    if call.method() == Method::HEAD {
        let length = response.body().size_hint().exact();
        let has_content = !matches!(
            response.status(),
            StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED
        );
        if let (true, Some(length)) = (has_content, length) {
            response
                .headers_mut()
                .insert(CONTENT_LENGTH, HeaderValue::from(length));
        }
        *response.body_mut() = Content::default();
    }
}

/// Compresses what is worth it, and names the coding in a strong entity tag, which must differ
/// between representations (RFC 9110, section 8.8.3.3).
fn compress(call: &Call, response: &mut Response) {
    let large = response.body().size_hint().lower() >= coding::COMPRESSED_BYTES_MIN as u64;
    if !large || response.headers().contains_key(CONTENT_ENCODING) {
        return;
    }
    let wanted = AcceptEncoding::of(call.headers()).best();
    let kind = response.headers().get(CONTENT_TYPE).cloned();
    let (Some(kind), true) = (kind, wanted != Coding::Identity) else {
        return;
    };
    let Some(Ok(bytes)) = now(std::mem::take(response.body_mut()).collect()) else {
        return;
    };
    let (bytes, coding) = coding::encode(bytes.to_bytes(), kind.as_bytes(), wanted);
    *response.body_mut() = Content::from(bytes);
    if let Some(value) = coding.header_value() {
        let headers = response.headers_mut();
        headers.insert(CONTENT_ENCODING, value);
        let tag = headers
            .get(ETAG)
            .and_then(|tag| tag.to_str().ok())
            .filter(|tag| tag.starts_with('"'));
        if let Some(tag) =
            tag.map(|tag| format!("{}-{}\"", tag.trim_end_matches('"'), coding.as_str()))
        {
            headers.insert(
                ETAG,
                HeaderValue::from_str(&tag).expect("a tag is visible ASCII"),
            );
        }
    }
}

/// The output of a future that has nothing to wait for.
fn now<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match pin!(future).poll(&mut context) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// It is copied several times while a request is set up; the handlers that are not the
    /// shortest are boxed for that.
    #[test]
    fn the_state_of_a_request_is_small() {
        fn state<F>(_: &impl FnOnce(Arc<App>, Request<Body>, Connection) -> F) -> usize {
            size_of::<F>()
        }
        type Body = http_body_util::Empty<bytes::Bytes>;
        let bytes = state(&handle::<Body>);
        assert!(bytes <= STATE_BYTES_MAX, "{bytes} bytes");
    }

    const STATE_BYTES_MAX: usize = 2600;

    #[tokio::test]
    async fn a_panic_is_an_internal_problem_of_one_request() {
        let answer = async {
            tokio::task::yield_now().await;
            panic!("the cause is for the log")
        };
        let problem = caught::<Response>(pin!(answer))
            .await
            .expect_err("a problem");
        assert_eq!(
            (problem.status, problem.error.as_str()),
            (StatusCode::INTERNAL_SERVER_ERROR, "Internal server error")
        );
        assert!(
            problem
                .cause
                .is_some_and(|cause| cause.to_string().contains("for the log"))
        );
    }
}
