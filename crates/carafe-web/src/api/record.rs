//! One record over JSON.

use std::sync::Mutex;

use carafe_model::draft::Input;
use carafe_model::fault::{Code, Fault, Place};
use carafe_model::key::{Key, KeyKind};
use carafe_model::record::{Record, column};
use carafe_model::resource::{Deleted, Method, Put, Resource, Strictness};
use carafe_model::value::{Cell, Row};
use carafe_service::access::Action;
use carafe_service::error::Error;
use carafe_service::record::{Change, Guard, refuse_empty};
use http::header::{ALLOW, CONTENT_RANGE, ETAG, IF_MATCH, IF_NONE_MATCH, LOCATION};
use http::{HeaderName, HeaderValue, StatusCode};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::api::patch;
use crate::call::{Body, Call, Response, empty, json, not_modified};
use crate::condition::{self, EntityTag, Intent, Media, Outcome};
use crate::content_type::ContentType;
use crate::error::{Kind, Problem};
use crate::json::{Encoder, read_input, write_string};
use crate::negotiate::Coding;
use crate::prefer::{PREFERENCE_APPLIED, Return};
use crate::route::At;

/// The media types of PATCH that are registered; `application/json` is taken as a merge patch.
pub const ACCEPT_PATCH: &str = "application/merge-patch+json, application/json-patch+json";

const ACCEPT_PATCH_NAME: HeaderName = HeaderName::from_static("accept-patch");
const ACCEPT_POST_NAME: HeaderName = HeaderName::from_static("accept-post");

/// What a path segment may have unescaped (RFC 3986, section 3.3, `pchar` without sub-delims).
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'@')
    .remove(b':');

/// `GET /api/{resource}/{key}`
pub async fn show(call: &Call, at: &At<'_>, key: &Key) -> Result<Response, Problem> {
    let chosen = chosen_fields(call, at.resource)?;
    let encoder = chosen
        .as_ref()
        .unwrap_or(&call.app.plan(at.resource).encoder);
    let read = |row: &dyn Row| {
        if !belongs(at, row) {
            return Err(Problem::no_record(at.resource, Method::Get));
        }
        let tag = tag_of(at.resource, encoder, row);
        answer(call, &tag, || {
            let mut body = Vec::with_capacity(512);
            encoder.write(&mut body, row, url(call, at, row).as_deref());
            json(StatusCode::OK, body)
        })
    };
    let found = call
        .app
        .service
        .get(&call.actor, at.resource, key, read)
        .await;
    found.map_err(|error| Problem::from_service(error, at.resource, Method::Get))?
}

/// The encoder for `?fields=`, the only parameter that one record has.
fn chosen_fields(call: &Call, resource: &Resource) -> Result<Option<Encoder>, Problem> {
    if call.query().is_empty() {
        return Ok(None);
    }
    let columns = super::list::fields_parameter(call, resource)?;
    Ok(columns.map(|columns| Encoder::of(resource, columns)))
}

/// `POST /api/{resource}`
pub async fn create<B: Body>(call: &Call, at: &At<'_>, body: B) -> Result<Response, Problem> {
    let refused = |error| Problem::from_service(error, at.resource, Method::Post);
    call.app
        .service
        .may_create(&call.actor, at.resource)
        .map_err(refused)?;
    let content = read_body(call, body, is_json, JSON_TYPES).await?;
    refuse_parameters(call, at.resource)?;
    let mut input = read_input(at.resource, &content, call.app.schema.limits.json_depth_max)?;
    give_parent(at, &mut input);
    let record = call
        .app
        .service
        .create(&call.actor, at.resource, None, input)
        .await
        .map_err(refused)?;
    Ok(created(call, at, &record))
}

/// `PUT /api/{resource}/{key}`: replaces the record or, where clients name the keys, creates it.
/// A write that lost a race against the record's creation or deletion starts again.
pub async fn replace<B: Body>(
    call: &Call,
    at: &At<'_>,
    key: &Key,
    body: B,
) -> Result<Response, Problem> {
    let refused = |error| Problem::from_service(error, at.resource, Method::Put);
    let mut current = find_or_none(call, at, key).await?;
    if current.is_none() {
        call.app
            .service
            .may_create(&call.actor, at.resource)
            .map_err(refused)?;
    }
    let content = read_body(call, body, is_json, JSON_TYPES).await?;
    for _ in 0..RACES_MAX {
        let guard = precondition(
            call,
            at.resource,
            &call.app.plan(at.resource).encoder,
            current.as_ref(),
        )?;
        if call.headers().contains_key(CONTENT_RANGE) {
            let text = "PUT replaces the whole record: Content-Range is not taken";
            return Err(Problem::plain(StatusCode::BAD_REQUEST, text));
        }
        refuse_parameters(call, at.resource)?;
        let mut input = read_input(at.resource, &content, call.app.schema.limits.json_depth_max)?;
        give_parent(at, &mut input);
        let written = match current {
            Some(current) => overwrite(call, at, current, guard, input, &content).await,
            None => {
                let service = &call.app.service;
                let made = service
                    .create(&call.actor, at.resource, Some(key.clone()), input)
                    .await;
                made.map(|record| created(call, at, &record))
            }
        };
        match written {
            Err(Error::NotFound { .. }) if at.resource.put == Put::Upsert => {}
            Err(Error::Taken(faults)) if is_of_key(at.resource, &faults) => {}
            Err(error) => {
                return Err(refuse_write(
                    call,
                    at,
                    key,
                    &call.app.plan(at.resource).encoder,
                    error,
                    Method::Put,
                )
                .await);
            }
            Ok(response) => return Ok(response),
        }
        current = find_or_none(call, at, key).await?;
    }
    Err(refused(Error::Unavailable(
        "others kept creating and deleting the record".into(),
    )))
}

/// How often a PUT starts again because the record came or went meanwhile.
const RACES_MAX: usize = 100;

/// The record to replace; `None` where there is none and PUT creates it.
async fn find_or_none(call: &Call, at: &At<'_>, key: &Key) -> Result<Option<Record>, Problem> {
    match find(call, at, Action::Update, key, Method::Put).await {
        Ok(record) => Ok(Some(record)),
        Err(problem)
            if problem.status == StatusCode::NOT_FOUND && at.resource.put == Put::Upsert =>
        {
            Ok(None)
        }
        Err(problem) => Err(problem),
    }
}

fn is_of_key(resource: &Resource, faults: &[Fault]) -> bool {
    let key = Place::Field(resource.key.field.to_string());
    faults.iter().any(|fault| fault.place == key)
}

async fn overwrite(
    call: &Call,
    at: &At<'_>,
    current: Record,
    guard: Guard,
    input: Input,
    content: &[u8],
) -> Result<Response, Error> {
    let change = match at.resource.put {
        Put::Replace | Put::Upsert => Change::Replace(input),
        Put::Merge => {
            refuse_empty(at.resource, &input)?;
            Change::Merge(input)
        }
    };
    let service = &call.app.service;
    let record = service
        .update(&call.actor, at.resource, current, guard, &change)
        .await?;
    let mut response = changed(call, at, &record, at.resource.reply.replaced.as_deref());
    // RFC 9110, section 9.3.4: no validator unless the record is stored just as it was sent.
    if !is_same_json(content, &body_of(call, at, &record)) {
        response.headers_mut().remove(ETAG);
    }
    Ok(response)
}

/// `PATCH /api/{resource}/{key}`
pub async fn merge<B: Body>(
    call: &Call,
    at: &At<'_>,
    key: &Key,
    body: B,
) -> Result<Response, Problem> {
    let current = find(call, at, Action::Update, key, Method::Patch).await?;
    let content = read_body(call, body, is_patch, ACCEPT_PATCH).await?;
    let guard = precondition(
        call,
        at.resource,
        &call.app.plan(at.resource).encoder,
        Some(&current),
    )?;
    refuse_parameters(call, at.resource)?;
    let written = if ContentType::of(call.headers()) == ContentType::JsonPatch {
        apply_patch(call, at, current, guard, &content).await?
    } else {
        let mut input = read_merge_patch(call, at.resource, &content)?;
        give_parent(at, &mut input);
        let change = Change::Patch(input);
        call.app
            .service
            .update(&call.actor, at.resource, current, guard, &change)
            .await
    };
    match written {
        Ok(record) => Ok(changed(
            call,
            at,
            &record,
            at.resource.reply.updated.as_deref(),
        )),
        Err(error) => Err(refuse_write(
            call,
            at,
            key,
            &call.app.plan(at.resource).encoder,
            error,
            Method::Patch,
        )
        .await),
    }
}

/// Applies a JSON Patch. It is applied anew to what is there each time that the write loses a
/// race, and refused in its own words where it cannot be.
async fn apply_patch(
    call: &Call,
    at: &At<'_>,
    current: Record,
    guard: Guard,
    content: &[u8],
) -> Result<Result<Record, Error>, Problem> {
    let limits = &call.app.schema.limits;
    let patch = patch::read(content, limits.json_depth_max)?;
    let encoder = &call.app.plan(at.resource).encoder;
    let refusal = Mutex::new(None);
    let derive = |record: &Record| match patch::apply(encoder, record, &patch, limits) {
        Ok((before, after)) => {
            let mut input = patch::difference(at.resource, record, &before, &after, limits)?;
            give_parent(at, &mut input);
            Ok(input)
        }
        Err(problem) => {
            let faults = problem.faults.clone();
            *refusal.lock().expect("nobody panics with the lock") = Some(problem);
            Err(faults)
        }
    };
    let change = Change::Derive(&derive);
    let written = call
        .app
        .service
        .update(&call.actor, at.resource, current, guard, &change)
        .await;
    match refusal.into_inner().expect("nobody panics with the lock") {
        Some(problem) if matches!(written, Err(Error::Invalid(_))) => Err(problem),
        _ => Ok(written),
    }
}

fn read_merge_patch(call: &Call, resource: &Resource, content: &[u8]) -> Result<Input, Problem> {
    let input = read_input(resource, content, call.app.schema.limits.json_depth_max)?;
    if input.empty && !content.contains(&b'{') {
        return Err(Problem::body(
            Kind::Validation,
            Code::Type,
            "The body must be a JSON object",
        ));
    }
    Ok(input)
}

/// `DELETE /api/{resource}/{key}`; a body is not looked at.
pub async fn delete(call: &Call, at: &At<'_>, key: &Key) -> Result<Response, Problem> {
    let current = find(call, at, Action::Delete, key, Method::Delete).await?;
    let guard = precondition(
        call,
        at.resource,
        &call.app.plan(at.resource).encoder,
        Some(&current),
    )?;
    refuse_parameters(call, at.resource)?;
    let service = &call.app.service;
    let record = match service
        .delete(&call.actor, at.resource, current, guard)
        .await
    {
        Ok(record) => record,
        Err(error) => {
            return Err(refuse_write(
                call,
                at,
                key,
                &call.app.plan(at.resource).encoder,
                error,
                Method::Delete,
            )
            .await);
        }
    };
    let preferred = Return::of(call.headers());
    let whole = || json(StatusCode::OK, body_of(call, at, &record));
    Ok(match (&at.resource.reply.deleted, preferred) {
        (_, Some(Return::Minimal)) => applied(empty(StatusCode::NO_CONTENT), Return::Minimal),
        (_, Some(Return::Representation)) => applied(whole(), Return::Representation),
        (Deleted::Nothing, None) => empty(StatusCode::NO_CONTENT),
        (Deleted::Record, None) => whole(),
        (Deleted::Message(text), None) => message(StatusCode::OK, text),
    })
}

/// `DELETE /api/{resource}`: all records that match the query's filters, which are always read
/// strictly, because a mistyped one that is ignored would delete everything.
pub async fn delete_all(call: &Call, at: &At<'_>) -> Result<Response, Problem> {
    condition_of_all(call, at.resource)?;
    let query = super::list::read_selection(call, at)?;
    let deleted = call
        .app
        .service
        .delete_all(&call.actor, at.resource, &query)
        .await;
    deleted.map_err(|error| Problem::from_service(error, at.resource, Method::Delete))?;
    Ok(match &at.resource.reply.deleted {
        Deleted::Nothing | Deleted::Record => empty(StatusCode::NO_CONTENT),
        Deleted::Message(text) => message(StatusCode::OK, text),
    })
}

/// A collection has no version that a write could name: `*` holds, any tag fails.
fn condition_of_all(call: &Call, resource: &Resource) -> Result<(), Problem> {
    let headers = call.headers();
    let is_any = |name| headers.get(name).is_some_and(|value| value == "*");
    if (headers.contains_key(IF_MATCH) && !is_any(IF_MATCH)) || is_any(IF_NONE_MATCH) {
        let text = format!(
            "{} are not in the state that the precondition names",
            resource.label_plural
        );
        return Err(Problem::new(
            Kind::Stale,
            StatusCode::PRECONDITION_FAILED,
            text,
        ));
    }
    match resource.require_if_match && !headers.contains_key(IF_MATCH) {
        true => Err(precondition_required(
            "Send If-Match: * if all are to be deleted whatever they are",
        )),
        false => Ok(()),
    }
}

/// `GET /api/{resource}/{key}/history`: the versions of a record, the newest first.
pub async fn history(call: &Call, at: &At<'_>, key: &Key) -> Result<Response, Problem> {
    let current = find(call, at, Action::Read, key, Method::Get).await?;
    refuse_parameters(call, at.resource)?;
    let refused = |error| Problem::from_service(error, at.resource, Method::Get);
    let revisions = call
        .app
        .service
        .history(at.resource, &current)
        .await
        .map_err(refused)?;
    let encoder = &call.app.plan(at.resource).encoder;
    let mut body = b"{\"history\":[".to_vec();
    for (index, revision) in revisions.into_iter().enumerate() {
        body.extend_from_slice(if index == 0 {
            b"{\"version\":"
        } else {
            b",{\"version\":"
        });
        body.extend_from_slice(itoa::Buffer::new().format(revision.version).as_bytes());
        for (name, text) in [
            (",\"at\":", Some(revision.at.as_str())),
            (",\"action\":", Some(revision.action.as_str())),
            (",\"actor\":", revision.actor.as_deref()),
        ] {
            body.extend_from_slice(name.as_bytes());
            match text {
                Some(text) => write_string(&mut body, text),
                None => body.extend_from_slice(b"null"),
            }
        }
        body.extend_from_slice(b",\"record\":");
        encoder.write(
            &mut body,
            &Record {
                values: revision.values,
                ..current.clone()
            },
            None,
        );
        body.push(b'}');
    }
    body.extend_from_slice(b"]}");
    let tag = EntityTag::of_content(&body);
    answer(call, &tag, || json(StatusCode::OK, body))
}

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

/// `OPTIONS` of a collection or a record.
#[must_use]
pub fn options(allow: &HeaderValue, resource: &Resource, item: bool) -> Response {
    let mut response = empty(StatusCode::NO_CONTENT);
    let headers = response.headers_mut();
    headers.insert(ALLOW, allow.clone());
    if item && resource.methods.item.contains(&Method::Patch) {
        headers.insert(ACCEPT_PATCH_NAME, HeaderValue::from_static(ACCEPT_PATCH));
    }
    if !item && resource.methods.collection.contains(&Method::Post) {
        headers.insert(ACCEPT_POST_NAME, HeaderValue::from_static(JSON_TYPES));
    }
    response
}

pub(super) const JSON_TYPES: &str = "application/json";

pub(super) fn is_json(kind: ContentType) -> bool {
    matches!(kind, ContentType::Json)
}

fn is_patch(kind: ContentType) -> bool {
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
    let name = if accepted == ACCEPT_PATCH {
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

fn precondition_required(text: &str) -> Problem {
    Problem::new(
        Kind::PreconditionRequired,
        StatusCode::PRECONDITION_REQUIRED,
        text,
    )
}

/// A refused write of the record at `key`; where it has changed meanwhile, with its entity tag.
pub(super) async fn refuse_write(
    call: &Call,
    at: &At<'_>,
    key: &Key,
    encoder: &Encoder,
    error: Error,
    method: Method,
) -> Problem {
    let stale = matches!(error, Error::Stale);
    let problem = Problem::from_service(error, at.resource, method);
    let read = |row: &dyn Row| tag_of(at.resource, encoder, row);
    match call
        .app
        .service
        .get(&call.actor, at.resource, key, read)
        .await
    {
        Ok(tag) if stale => problem.header(ETAG, tag.header_value(Coding::Identity)),
        _ => problem,
    }
}

/// Evaluates the preconditions of a write on `current`, `None` where no record is there.
///
/// # Errors
///
/// 412 with the current entity tag where one fails; 428 where the resource requires one.
pub(super) fn precondition(
    call: &Call,
    resource: &Resource,
    encoder: &Encoder,
    current: Option<&Record>,
) -> Result<Guard, Problem> {
    let headers = call.headers();
    let tag = current.map(|record| tag_of(resource, encoder, record));
    let required =
        resource.require_if_match && current.is_some() && !condition::is_conditional(headers);
    match condition::evaluate(headers, Intent::Write, tag.as_ref()) {
        Outcome::Proceed if required => Err(precondition_required(
            "Send If-Match with the entity tag of the version you have read",
        )),
        Outcome::Proceed if condition::names_version(headers) => Ok(Guard::Unchanged),
        Outcome::Proceed => Ok(Guard::Latest),
        Outcome::NotModified(_) | Outcome::Failed => {
            let text = match &tag {
                Some(_) => format!(
                    "{} is in another version than the precondition names",
                    resource.label
                ),
                None => format!(
                    "{} is not there, as the precondition wants it",
                    resource.label
                ),
            };
            let problem = Problem::new(Kind::Stale, StatusCode::PRECONDITION_FAILED, text);
            Err(match tag {
                Some(tag) => problem.header(ETAG, tag.header_value(Coding::Identity)),
                None => problem,
            })
        }
    }
}

fn created(call: &Call, at: &At<'_>, record: &Record) -> Response {
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

fn changed(call: &Call, at: &At<'_>, record: &Record, text: Option<&str>) -> Response {
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
fn applied(mut response: Response, preference: Return) -> Response {
    response
        .headers_mut()
        .insert(PREFERENCE_APPLIED, preference.applied());
    response
}

fn message(status: StatusCode, text: &str) -> Response {
    let mut body = b"{\"message\":".to_vec();
    write_string(&mut body, text);
    body.push(b'}');
    json(status, body)
}

fn body_of(call: &Call, at: &At<'_>, record: &Record) -> Vec<u8> {
    let mut body = Vec::with_capacity(512);
    call.app
        .plan(at.resource)
        .encoder
        .write(&mut body, record, url(call, at, record).as_deref());
    body
}

fn is_same_json(sent: &[u8], stored: &[u8]) -> bool {
    let parse = |bytes| serde_json::from_slice::<serde_json::Value>(bytes).ok();
    parse(sent) == parse(stored)
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
fn path_of(at: &At<'_>, key: &Key) -> String {
    let key = key.to_string();
    let key = utf8_percent_encode(&key, SEGMENT);
    match (&at.resource.parent, &at.parent) {
        (Some(parent), Some(parent_key)) => {
            let parent_key = parent_key.to_string();
            let parent_key = utf8_percent_encode(&parent_key, SEGMENT);
            format!(
                "{}/{}/{parent_key}/{}/{key}",
                at.prefix, parent.resource, at.resource.name
            )
        }
        _ => format!("{}/{}/{key}", at.prefix, at.resource.name),
    }
}

/// Finds the record that a sub-resource's path is under.
///
/// # Errors
///
/// 404 where it is not there.
pub async fn require_parent(call: &Call, at: &At<'_>) -> Result<(), Problem> {
    let (Some(parent), Some(key)) = (&at.resource.parent, &at.parent) else {
        return Ok(());
    };
    let parent = &call.app.schema.resources[parent.index];
    let found = call.app.service.get(&call.actor, parent, key, |_| ()).await;
    found.map_err(|error| Problem::from_service(error, parent, Method::Get))
}

/// Whether a row is of the parent that the path names.
pub(super) fn belongs(at: &At<'_>, row: &dyn Row) -> bool {
    match (&at.resource.parent, &at.parent) {
        (Some(parent), Some(key)) => row.cell(column::FIELDS + parent.field) == key.as_cell(),
        _ => true,
    }
}

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

/// Gives `input` the parent that the path names.
fn give_parent(at: &At<'_>, input: &mut Input) {
    if let (Some(parent), Some(key), false) = (&at.resource.parent, &at.parent, input.empty) {
        input.give_value(parent.field, key.to_value());
    }
}
