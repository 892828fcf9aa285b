//! What the handlers of records answer: bodies, entity tags, addresses.

use carafe_model::key::{Key, KeyKind};
use carafe_model::record::{Record, column};
use carafe_model::resource::Resource;
use carafe_model::value::{Cell, Row};
use http::header::{ETAG, LOCATION};
use http::{HeaderValue, StatusCode};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC};

use crate::api::request::{ACCEPT_PATCH_NAME, ACCEPT_POST_NAME, JSON_TYPES};
use crate::call::{Call, Response, allowed, empty, json, not_modified};
use crate::condition::{self, EntityTag, Intent, Media, Outcome};
use crate::error::{Kind, Problem};
use crate::json::{Encoder, write_string};
use crate::link::{PATH_BYTES, push_key, push_name};
use crate::negotiate::Coding;
use crate::prefer::{PREFERENCE_APPLIED, Return};
use crate::route::At;

/// What a path segment may have unescaped (RFC 3986, section 3.3, `pchar` without sub-delims).
pub(super) const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'@')
    .remove(b':');

/// 304 or 412 where the request's preconditions say so (RFC 9110, section 13.2.2), else the
/// reply with its entity tag.
pub(super) fn answer(
    call: &Call,
    tag: &EntityTag,
    reply: impl FnOnce() -> Response,
) -> Result<Response, Problem> {
    match condition::evaluate(call.headers(), Intent::Read, Some(tag)) {
        Outcome::NotModified(coding) => Ok(not_modified(tag.header_value(coding))),
        Outcome::Failed => {
            let text = "It is in another version than If-Match names";
            let problem = Problem::new(Kind::Stale, StatusCode::PRECONDITION_FAILED, text);
            Err(problem.header(ETAG, tag.header_value(Coding::Identity)))
        }
        Outcome::Proceed => {
            let mut response = reply();
            response
                .headers_mut()
                .insert(ETAG, tag.header_value(Coding::Identity));
            Ok(response)
        }
    }
}

/// `OPTIONS` of a place: its methods, and what it takes as a PATCH and as a POST where it does.
#[must_use]
pub fn options(allow: &HeaderValue, patch: Option<&'static str>, post: bool) -> Response {
    let mut response = allowed(allow);
    let headers = response.headers_mut();
    if let Some(types) = patch {
        headers.insert(ACCEPT_PATCH_NAME, HeaderValue::from_static(types));
    }
    if post {
        headers.insert(ACCEPT_POST_NAME, HeaderValue::from_static(JSON_TYPES));
    }
    response
}

pub(super) fn created(call: &Call, at: &At<'_>, record: &Record) -> Response {
    let mut response = match (&at.resource.reply.created, Return::of(call.headers())) {
        (_, Some(Return::Minimal)) => applied(empty(StatusCode::CREATED), Return::Minimal),
        (Some(text), None) => message(StatusCode::CREATED, text),
        (_, Some(Return::Representation)) => applied(
            json(StatusCode::CREATED, body_of(call, at, record)),
            Return::Representation,
        ),
        (None, None) => json(StatusCode::CREATED, body_of(call, at, record)),
    };
    let headers = response.headers_mut();
    headers.insert(
        ETAG,
        tag_of(at.resource, &call.app.plan(at.resource).encoder, record)
            .header_value(Coding::Identity),
    );
    if let Ok(location) = HeaderValue::from_str(&path_of(at, &record.key)) {
        headers.insert(LOCATION, location);
    }
    response
}

pub(super) fn changed(call: &Call, at: &At<'_>, record: &Record, text: Option<&str>) -> Response {
    let mut response = match (text, Return::of(call.headers())) {
        (_, Some(Return::Minimal)) => applied(empty(StatusCode::NO_CONTENT), Return::Minimal),
        (Some(text), None) => message(StatusCode::OK, text),
        (_, Some(Return::Representation)) => applied(
            json(StatusCode::OK, body_of(call, at, record)),
            Return::Representation,
        ),
        (None, None) => json(StatusCode::OK, body_of(call, at, record)),
    };
    let tag = tag_of(at.resource, &call.app.plan(at.resource).encoder, record);
    response
        .headers_mut()
        .insert(ETAG, tag.header_value(Coding::Identity));
    response
}

/// Says that a preference of the client was followed (RFC 7240, section 3).
pub(super) fn applied(mut response: Response, preference: Return) -> Response {
    response
        .headers_mut()
        .insert(PREFERENCE_APPLIED, preference.applied());
    response
}

pub(super) fn message(status: StatusCode, text: &str) -> Response {
    let mut body = b"{\"message\":".to_vec();
    write_string(&mut body, text);
    body.push(b'}');
    json(status, body)
}

pub(super) fn body_of(call: &Call, at: &At<'_>, record: &Record) -> Vec<u8> {
    let mut body = Vec::with_capacity(512);
    call.app
        .plan(at.resource)
        .encoder
        .write(&mut body, record, url(call, at, record).as_deref());
    body
}

/// The entity tag of a row's JSON.
pub(super) fn tag_of(resource: &Resource, encoder: &Encoder, row: &dyn Row) -> EntityTag {
    let integer = |index| match row.cell(index) {
        Cell::Integer(value) => value,
        Cell::Null | Cell::Number(_) | Cell::Text(_) => 0,
    };
    // A key that clients name can come back with another record behind it.
    let id = (resource.key.kind == KeyKind::String).then(|| integer(column::ID));
    let shape = id.map_or(encoder.shape, |id| {
        condition::fingerprint(
            &[encoder.shape.to_le_bytes().as_slice(), &id.to_le_bytes()].concat(),
        )
    });
    let version = integer(column::VERSION).unsigned_abs();
    EntityTag::Record {
        version,
        shape,
        media: Media::Json,
    }
}

/// The record's absolute address, where the resource has `links`.
pub(super) fn url(call: &Call, at: &At<'_>, row: &dyn Row) -> Option<String> {
    let links = at.resource.links;
    links.then(|| {
        format!(
            "{}{}",
            crate::origin::of(call).unwrap_or_default(),
            path_of(at, &Key::from_cell(row.cell(column::KEY)))
        )
    })
}

/// The record's path under the prefix that was asked.
pub(super) fn path_of(at: &At<'_>, key: &Key) -> String {
    let mut path = String::with_capacity(PATH_BYTES);
    path.push_str(at.prefix);
    if let (Some(parent), Some(parent_key)) = (&at.resource.parent, &at.parent) {
        push_name(&mut path, &parent.resource);
        push_key(&mut path, parent_key, SEGMENT);
    }
    push_name(&mut path, &at.resource.name);
    push_key(&mut path, key, SEGMENT);
    path
}
