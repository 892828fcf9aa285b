//! One record over JSON.

use std::sync::Mutex;

use carafe_model::draft::Input;
use carafe_model::fault::{Fault, Place};
use carafe_model::key::Key;
use carafe_model::record::Record;
use carafe_model::resource::{Deleted, Method, Put, Resource};
use carafe_model::value::Row;
use carafe_service::access::Action;
use carafe_service::error::Error;
use carafe_service::record::{Change, Guard, new_of_patch, refuse_empty};
use http::StatusCode;
use http::header::ETAG;

use crate::api::once;
use crate::api::patch as json_patch;
use crate::api::precondition::{condition_of_all, precondition, refuse_write};
use crate::api::reply::{answer, applied, body_of, changed, created, message, tag_of, url};
use crate::api::request::{
    ACCEPT_PATCH, JSON_TYPES, belongs, find, give_parent, is_json, is_patch, read_body,
    refuse_parameters, refuse_range,
};
use crate::call::{Body, Call, Response, empty, json};
use crate::condition::EntityTag;
use crate::content_type::ContentType;
use crate::error::{Kind, Problem};
use crate::json::{Encoder, read_input, read_patch, write_string};
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
    if resource.members.is_some() {
        refuse_parameters(call, resource)?;
        return Ok(None);
    }
    let columns = super::list::fields_parameter(call, resource)?;
    Ok(columns.map(|columns| Encoder::of(resource, columns)))
}

/// `POST /api/{resource}`, or `POST /api/{resource}/{key}` for a document.
pub async fn create<B: Body>(
    call: &Call,
    at: &At<'_>,
    key: Option<&Key>,
    body: B,
) -> Result<Response, Problem> {
    let refused = |error| Problem::from_service(error, at.resource, Method::Post);
    call.app
        .service
        .may_create(&call.actor, at.resource)
        .map_err(refused)?;
    let content = read_body(call, body, is_json, JSON_TYPES).await?;
    refuse_parameters(call, at.resource)?;
    let mut input = read_input(at.resource, &content, call.app.schema.limits.json_depth_max)?;
    give_parent(at, &mut input);
    let service = &call.app.service;
    let (actor, key) = (&call.actor, key.cloned());
    let record = match once::of(call, &content)? {
        None => service.create(actor, at.resource, key, input).await,
        Some(once) => {
            service
                .create_once(actor, at.resource, key, input, &once)
                .await
        }
    };
    Ok(created(call, at, &record.map_err(refused)?))
}

/// `PUT /api/{resource}/{key}`: replaces the record or, with `put = "upsert"`, creates it.
pub async fn replace<B: Body>(
    call: &Call,
    at: &At<'_>,
    key: &Key,
    body: B,
) -> Result<Response, Problem> {
    write(call, at, key, body, Method::Put).await
}

/// `PATCH /api/{resource}/{key}`: changes the record or, with `put = "upsert"`, creates it.
pub async fn merge<B: Body>(
    call: &Call,
    at: &At<'_>,
    key: &Key,
    body: B,
) -> Result<Response, Problem> {
    write(call, at, key, body, Method::Patch).await
}

/// PUT and PATCH: what is sent is read, checked and applied in one order for both. A write that
/// lost a race against the record's creation or deletion starts again.
async fn write<B: Body>(
    call: &Call,
    at: &At<'_>,
    key: &Key,
    body: B,
    method: Method,
) -> Result<Response, Problem> {
    let refused = |error| Problem::from_service(error, at.resource, method);
    let encoder = &call.app.plan(at.resource).encoder;
    let mut current = find_or_none(call, at, key, method).await?;
    if current.is_none() {
        call.app
            .service
            .may_create(&call.actor, at.resource)
            .map_err(refused)?;
    }
    let content = match method {
        Method::Patch => read_body(call, body, is_patch, ACCEPT_PATCH).await?,
        _ => read_body(call, body, is_json, JSON_TYPES).await?,
    };
    let mut taken = 0;
    for _ in 0..RACES_MAX {
        let guard = precondition(call, at.resource, encoder, current.as_ref())?;
        refuse_range(call, method)?;
        refuse_parameters(call, at.resource)?;
        let written = match (current, method) {
            (None, _) => create_at(call, at, key, &content, method).await?,
            (Some(current), Method::Patch) => patch(call, at, current, guard, &content).await?,
            (Some(current), _) => overwrite(call, at, current, guard, &content).await?,
        };
        match written {
            Err(Error::NotFound { .. }) if at.resource.put == Put::Upsert => {}
            // Another was quicker; or it is under another parent, where it stays.
            Err(Error::Taken(faults)) if is_of_key(at.resource, &faults) && taken < TAKEN_MAX => {
                taken += 1;
            }
            Err(error) => return Err(refuse_write(call, at, key, encoder, error, method).await),
            Ok(response) => return Ok(response),
        }
        current = find_or_none(call, at, key, method).await?;
    }
    Err(refused(Error::Unavailable(
        "others kept creating and deleting the record".into(),
    )))
}

/// Whether a method at a record's address makes the record where it is not there.
pub fn creates(resource: &Resource, method: Method) -> bool {
    match method {
        Method::Post => resource.members.is_some(),
        Method::Put | Method::Patch => resource.put == Put::Upsert,
        Method::Get | Method::Delete => false,
    }
}

/// Why no record can be made at an address whose key none can have.
pub fn bad_key(call: &Call, resource: &Resource) -> Problem {
    let mut input = Input::new(resource);
    input.key = Some(String::new());
    let faults = call.app.service.faults_of_key(resource, &input);
    match faults.is_empty() {
        true => Problem::no_record(resource, Method::Put),
        false => Problem::invalid(Kind::Validation, faults),
    }
}

/// How often a key that is taken may turn out to be free.
const TAKEN_MAX: usize = 3;

/// How often a write starts again because the record came or went meanwhile.
const RACES_MAX: usize = 100;

/// The record to change; `None` where there is none and the write creates it.
async fn find_or_none(
    call: &Call,
    at: &At<'_>,
    key: &Key,
    method: Method,
) -> Result<Option<Record>, Problem> {
    match find(call, at, Action::Update, key, method).await {
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

/// What a write made of a record, or why the service refused it.
type Written = Result<Response, Error>;

/// Creates the record that a PUT or a merge patch names. A JSON Patch needs one to patch.
async fn create_at(
    call: &Call,
    at: &At<'_>,
    key: &Key,
    content: &[u8],
    method: Method,
) -> Result<Written, Problem> {
    let depth_max = call.app.schema.limits.json_depth_max;
    let mut input = match method {
        Method::Patch if ContentType::of(call.headers()) == ContentType::JsonPatch => {
            return Err(Problem::no_record(at.resource, method));
        }
        Method::Patch => {
            let patch = read_patch(at.resource, content, depth_max)?;
            new_of_patch(at.resource, patch)
                .map_err(|error| Problem::from_service(error, at.resource, method))?
        }
        _ => read_input(at.resource, content, depth_max)?,
    };
    give_parent(at, &mut input);
    let service = &call.app.service;
    let made = service
        .create(&call.actor, at.resource, Some(key.clone()), input)
        .await;
    Ok(made.map(|record| created(call, at, &record)))
}

async fn overwrite(
    call: &Call,
    at: &At<'_>,
    current: Record,
    guard: Guard,
    content: &[u8],
) -> Result<Written, Problem> {
    let mut input = read_input(at.resource, content, call.app.schema.limits.json_depth_max)?;
    give_parent(at, &mut input);
    let change = match at.resource.put {
        Put::Replace | Put::Upsert => Change::Replace(input),
        Put::Merge => {
            if let Err(error) = refuse_empty(at.resource, &input) {
                return Ok(Err(error));
            }
            match at.resource.members {
                // The members of a document stand one level below its field.
                Some(_) => Change::Patch(input),
                None => Change::Merge(input),
            }
        }
    };
    let service = &call.app.service;
    let written = service
        .update(&call.actor, at.resource, current, guard, &change)
        .await;
    Ok(written.map(|record| {
        let mut response = changed(call, at, &record, at.resource.reply.replaced.as_deref());
        // RFC 9110, section 9.3.4: no validator unless the record is stored just as it was sent.
        if !is_same_json(content, &body_of(call, at, &record)) {
            response.headers_mut().remove(ETAG);
        }
        response
    }))
}

async fn patch(
    call: &Call,
    at: &At<'_>,
    current: Record,
    guard: Guard,
    content: &[u8],
) -> Result<Written, Problem> {
    let written = if ContentType::of(call.headers()) == ContentType::JsonPatch {
        apply_patch(call, at, current, guard, content).await?
    } else {
        let depth_max = call.app.schema.limits.json_depth_max;
        let mut input = read_patch(at.resource, content, depth_max)?;
        give_parent(at, &mut input);
        let change = Change::Patch(input);
        call.app
            .service
            .update(&call.actor, at.resource, current, guard, &change)
            .await
    };
    let text = at.resource.reply.updated.as_deref();
    Ok(written.map(|record| changed(call, at, &record, text)))
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
    let patch = json_patch::read(content, limits.json_depth_max)?;
    let encoder = &call.app.plan(at.resource).encoder;
    let refusal = Mutex::new(None);
    let derive = |record: &Record| match json_patch::apply(encoder, record, &patch, limits) {
        Ok((before, after)) => {
            let mut input = json_patch::difference(at.resource, record, &before, &after, limits)?;
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

/// Whether what was sent is what is stored.
pub(super) fn is_same_json(sent: &[u8], stored: &[u8]) -> bool {
    let parse = |bytes| serde_json::from_slice::<serde_json::Value>(bytes).ok();
    parse(sent) == parse(stored)
}
