//! What the handlers of records have in common before their verb: the record that a path names,
//! the body, and what a request must not have.

use carafe_model::draft::Input;
use carafe_model::fault::{Code, Fault};
use carafe_model::key::Key;
use carafe_model::record::{Record, column};
use carafe_model::resource::{Method, Resource, Strictness};
use carafe_model::value::Row;
use carafe_service::access::Action;
use http::header::CONTENT_RANGE;
use http::{HeaderName, HeaderValue, StatusCode};

use crate::call::{Body, Call};
use crate::content_type::ContentType;
use crate::error::{Kind, Problem};
use crate::route::At;

/// The media types of PATCH that are registered; `application/json` is taken as a merge patch.
pub const ACCEPT_PATCH: &str = "application/merge-patch+json, application/json-patch+json";

/// What a part of a record takes as a PATCH.
pub const MERGE_PATCH: &str = "application/merge-patch+json";

pub(super) const ACCEPT_PATCH_NAME: HeaderName = HeaderName::from_static("accept-patch");
pub(super) const ACCEPT_POST_NAME: HeaderName = HeaderName::from_static("accept-post");

pub(super) const JSON_TYPES: &str = "application/json";

/// A record that is to be changed by `method`, if it is of the parent that the path names.
pub(super) async fn find(
    call: &Call,
    at: &At<'_>,
    action: Action,
    key: &Key,
    method: Method,
) -> Result<Record, Problem> {
    match call
        .app
        .service
        .find(&call.actor, action, at.resource, key)
        .await
    {
        Ok(record) if belongs(at, &record) => Ok(record),
        Ok(_) => Err(Problem::no_record(at.resource, method)),
        Err(error) => Err(Problem::from_service(error, at.resource, method)),
    }
}

/// Whether a row is of the parent that the path names.
pub(super) fn belongs(at: &At<'_>, row: &dyn Row) -> bool {
    match (&at.resource.parent, &at.parent) {
        (Some(parent), Some(key)) => row.cell(column::FIELDS + parent.field) == key.as_cell(),
        _ => true,
    }
}

/// Gives `input` the parent that the path names.
pub(super) fn give_parent(at: &At<'_>, input: &mut Input) {
    if let (Some(parent), Some(key), false) = (&at.resource.parent, &at.parent, input.empty) {
        input.give_value(parent.field, key.to_value());
    }
}

pub(super) fn is_json(kind: ContentType) -> bool {
    matches!(kind, ContentType::Json)
}

pub(super) fn is_merge_patch(kind: ContentType) -> bool {
    matches!(kind, ContentType::Json | ContentType::MergePatch)
}

pub(super) fn is_patch(kind: ContentType) -> bool {
    matches!(
        kind,
        ContentType::Json | ContentType::MergePatch | ContentType::JsonPatch
    )
}

/// Reads the body (413), then asks for its type (415). Nothing sent has no type to be wrong.
pub(super) async fn read_body<B: Body>(
    call: &Call,
    body: B,
    fits: fn(ContentType) -> bool,
    accepted: &'static str,
) -> Result<bytes::Bytes, Problem> {
    let kind = ContentType::of(call.headers());
    let content = call.read(body).await?;
    if fits(kind) || (kind == ContentType::Missing && content.is_empty()) {
        return Ok(content);
    }
    let name = if accepted != JSON_TYPES {
        ACCEPT_PATCH_NAME
    } else {
        ACCEPT_POST_NAME
    };
    let hint = match kind {
        ContentType::Missing => {
            "The request has no Content-Type header field; send Content-Type: application/json"
        }
        _ => "The body must be JSON; send Content-Type: application/json",
    };
    Err(Problem::plain(StatusCode::UNSUPPORTED_MEDIA_TYPE, hint)
        .header(http::header::ACCEPT, HeaderValue::from_static(accepted))
        .header(name, HeaderValue::from_static(accepted)))
}

/// Refuses a part of what a PUT is to replace (RFC 9110, section 14.5).
pub(super) fn refuse_range(call: &Call, method: Method) -> Result<(), Problem> {
    if method == Method::Put && call.headers().contains_key(CONTENT_RANGE) {
        let text = "PUT replaces the whole: Content-Range is not taken";
        return Err(Problem::plain(StatusCode::BAD_REQUEST, text));
    }
    Ok(())
}

/// Refuses query parameters, which a write does not have, where the resource is strict.
pub(super) fn refuse_parameters(call: &Call, resource: &Resource) -> Result<(), Problem> {
    let unknown = |name: &str| {
        Fault::parameter(
            name,
            Code::Unknown,
            format!("{name:?} is not a parameter here"),
        )
    };
    let faults: Vec<Fault> = match resource.input {
        Strictness::Strict => call.parameters().map(|(name, _)| unknown(&name)).collect(),
        Strictness::Lenient => Vec::new(),
    };
    match faults.is_empty() {
        true => Ok(()),
        false => Err(Problem::invalid(Kind::BadParameter, faults)),
    }
}
