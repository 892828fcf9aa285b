//! One record over JSON.

use std::sync::Mutex;

use carafe_model::draft::Input;
use carafe_model::fault::{Code, Fault, Place};
use carafe_model::key::Key;
use carafe_model::record::Record;
use carafe_model::resource::{Deleted, Method, Put, Resource};
use carafe_model::value::Row;
use carafe_service::access::Action;
use carafe_service::error::Error;
use carafe_service::record::{Change, Guard, refuse_empty};
use http::StatusCode;
use http::header::{CONTENT_RANGE, ETAG};

use crate::api::patch;
use crate::api::precondition::{condition_of_all, precondition, refuse_write};
use crate::api::reply::{answer, applied, body_of, changed, created, message, tag_of, url};
use crate::api::request::{
    ACCEPT_PATCH, JSON_TYPES, belongs, find, give_parent, is_json, is_patch, read_body,
    refuse_parameters,
};
use crate::call::{Body, Call, Response, empty, json};
use crate::condition::EntityTag;
use crate::content_type::ContentType;
use crate::error::{Kind, Problem};
use crate::json::{Encoder, read_input, write_string};
use crate::prefer::Return;
use crate::route::At;

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

fn is_same_json(sent: &[u8], stored: &[u8]) -> bool {
    let parse = |bytes| serde_json::from_slice::<serde_json::Value>(bytes).ok();
    parse(sent) == parse(stored)
}
