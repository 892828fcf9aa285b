//! One record over JSON.

use carafe_model::draft::Input;
use carafe_model::fault::Code;
use carafe_model::key::{Key, KeyKind};
use carafe_model::record::{Record, column};
use carafe_model::resource::{Deleted, Method, Put, Resource};
use carafe_model::value::{Cell, Row};
use carafe_service::access::Action;
use carafe_service::record::{Change, Guard, refuse_empty};
use http::header::{ALLOW, CONTENT_RANGE, ETAG, LOCATION};
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
        if let Outcome::NotModified(coding) =
            condition::evaluate(call.headers(), Intent::Read, Some(&tag))
        {
            return Ok(not_modified(tag.header_value(coding)));
        }
        let mut body = Vec::with_capacity(512);
        encoder.write(&mut body, row, url(call, at, row).as_deref());
        let mut response = json(StatusCode::OK, body);
        response
            .headers_mut()
            .insert(ETAG, tag.header_value(Coding::Identity));
        Ok(response)
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

/// `PUT /api/{resource}/{key}`
pub async fn replace<B: Body>(
    call: &Call,
    at: &At<'_>,
    key: &Key,
    body: B,
) -> Result<Response, Problem> {
    let refused = |error| Problem::from_service(error, at.resource, Method::Put);
    let current = match find(call, at, Action::Update, key, Method::Put).await {
        Err(problem)
            if problem.status == StatusCode::NOT_FOUND && at.resource.put == Put::Upsert =>
        {
            return upsert(call, at, key, body).await;
        }
        found => found?,
    };
    let content = read_body(call, body, is_json, JSON_TYPES).await?;
    let guard = precondition(call, at.resource, Some(&current))?;
    if call.headers().contains_key(CONTENT_RANGE) {
        return Err(Problem::plain(
            StatusCode::BAD_REQUEST,
            "PUT replaces the whole record: Content-Range is not taken",
        ));
    }
    let mut input = read_input(at.resource, &content, call.app.schema.limits.json_depth_max)?;
    give_parent(at, &mut input);
    let change = match at.resource.put {
        Put::Replace | Put::Upsert => Change::Replace(input),
        Put::Merge => {
            refuse_empty(at.resource, &input).map_err(refused)?;
            Change::Merge(input)
        }
    };
    let written = call
        .app
        .service
        .update(&call.actor, at.resource, current, guard, &change)
        .await;
    let record = written.map_err(refused)?;
    let mut response = changed(call, at, &record, at.resource.reply.replaced.as_deref());
    // RFC 9110, section 9.3.4: no validator unless the record is stored just as it was sent.
    if !is_same_json(&content, &body_of(call, at, &record)) {
        response.headers_mut().remove(ETAG);
    }
    Ok(response)
}

/// PUT to a key that no record has yet, where clients name the keys.
async fn upsert<B: Body>(
    call: &Call,
    at: &At<'_>,
    key: &Key,
    body: B,
) -> Result<Response, Problem> {
    let refused = |error| Problem::from_service(error, at.resource, Method::Put);
    call.app
        .service
        .may_create(&call.actor, at.resource)
        .map_err(refused)?;
    let content = read_body(call, body, is_json, JSON_TYPES).await?;
    precondition(call, at.resource, None)?;
    let mut input = read_input(at.resource, &content, call.app.schema.limits.json_depth_max)?;
    give_parent(at, &mut input);
    let record = call
        .app
        .service
        .create(&call.actor, at.resource, Some(key.clone()), input)
        .await
        .map_err(refused)?;
    Ok(created(call, at, &record))
}

/// `PATCH /api/{resource}/{key}`
pub async fn merge<B: Body>(
    call: &Call,
    at: &At<'_>,
    key: &Key,
    body: B,
) -> Result<Response, Problem> {
    let refused = |error| Problem::from_service(error, at.resource, Method::Patch);
    let current = find(call, at, Action::Update, key, Method::Patch).await?;
    let content = read_body(call, body, is_patch, ACCEPT_PATCH).await?;
    let guard = precondition(call, at.resource, Some(&current))?;
    let limits = &call.app.schema.limits;
    let written = if ContentType::of(call.headers()) == ContentType::JsonPatch {
        let patch = patch::read(&content, limits.json_depth_max)?;
        let encoder = &call.app.plan(at.resource).encoder;
        // A patch that cannot be applied is refused in its own words before it is tried.
        patch::apply(encoder, &current, &patch, limits.body_bytes_max)?;
        let derive =
            |record: &Record| match patch::apply(encoder, record, &patch, limits.body_bytes_max) {
                Ok((before, after)) => patch::difference(at.resource, &before, &after),
                Err(problem) => Err(problem.faults),
            };
        call.app
            .service
            .update(
                &call.actor,
                at.resource,
                current,
                guard,
                &Change::Derive(&derive),
            )
            .await
    } else {
        let input = read_merge_patch(call, at.resource, &content)?;
        call.app
            .service
            .update(
                &call.actor,
                at.resource,
                current,
                guard,
                &Change::Patch(input),
            )
            .await
    };
    let record = written.map_err(refused)?;
    Ok(changed(
        call,
        at,
        &record,
        at.resource.reply.updated.as_deref(),
    ))
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
    let refused = |error| Problem::from_service(error, at.resource, Method::Delete);
    let current = find(call, at, Action::Delete, key, Method::Delete).await?;
    let guard = precondition(call, at.resource, Some(&current))?;
    let deleted = call
        .app
        .service
        .delete(&call.actor, at.resource, current, guard)
        .await;
    let record = deleted.map_err(refused)?;
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

/// `GET /api/{resource}/{key}/history`: the versions of a record, the newest first.
pub async fn history(call: &Call, at: &At<'_>, key: &Key) -> Result<Response, Problem> {
    let current = find(call, at, Action::Read, key, Method::Get).await?;
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
    Ok(json(StatusCode::OK, body))
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

const JSON_TYPES: &str = "application/json";

fn is_json(kind: ContentType) -> bool {
    matches!(kind, ContentType::Json)
}

fn is_patch(kind: ContentType) -> bool {
    matches!(
        kind,
        ContentType::Json | ContentType::MergePatch | ContentType::JsonPatch
    )
}

/// Reads the body (413), then asks for its type (415). Nothing sent has no type to be wrong.
async fn read_body<B: Body>(
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

/// Evaluates the preconditions of a write on `current`, `None` where no record is there.
///
/// # Errors
///
/// 412 with the current entity tag where one fails; 428 where the resource requires one.
fn precondition(
    call: &Call,
    resource: &Resource,
    current: Option<&Record>,
) -> Result<Guard, Problem> {
    let headers = call.headers();
    let tag = current.map(|record| tag_of(resource, &call.app.plan(resource).encoder, record));
    let given = condition::is_conditional(headers);
    match condition::evaluate(headers, Intent::Write, tag.as_ref()) {
        Outcome::Proceed if given => Ok(Guard::Unchanged),
        Outcome::Proceed if resource.require_if_match && current.is_some() => {
            let text = "Send If-Match with the entity tag of the version you have read";
            let problem = Problem::new(
                Kind::PreconditionRequired,
                StatusCode::PRECONDITION_REQUIRED,
                text,
            );
            Err(problem.header(
                http::header::CACHE_CONTROL,
                HeaderValue::from_static("no-store"),
            ))
        }
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
fn tag_of(resource: &Resource, encoder: &Encoder, row: &dyn Row) -> EntityTag {
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
fn belongs(at: &At<'_>, row: &dyn Row) -> bool {
    match (&at.resource.parent, &at.parent) {
        (Some(parent), Some(key)) => row.cell(column::FIELDS + parent.field) == key.as_cell(),
        _ => true,
    }
}

/// A record that is to be changed by `method`, if it is of the parent that the path names.
async fn find(
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
