//! The members of documents over JSON, each at an address of its own. A whole document is
//! answered like a [`record`](super::record), and all of them by a [`map`](super::map).

use std::sync::Mutex;

use carafe_model::document::{CONTENT, Members};
use carafe_model::draft::Input;
use carafe_model::fault::Fault;
use carafe_model::key::Key;
use carafe_model::record::Record;
use carafe_model::resource::{Deleted, Method, Put, Resource};
use carafe_model::value::Row;
use carafe_service::access::Action;
use carafe_service::document::Document;
use carafe_service::error::Error;
use carafe_service::record::Change;
use http::header::{ETAG, LOCATION};
use http::{HeaderValue, StatusCode};
use percent_encoding::utf8_percent_encode;

use super::precondition::{precondition, refuse_write};
use super::record::is_same_json;
use super::reply::{SEGMENT, answer, applied, message, path_of, tag_of};
use super::request::{
    JSON_TYPES, MERGE_PATCH, find, is_json, is_merge_patch, read_body, refuse_parameters,
    refuse_range,
};
use crate::call::{Body, Call, Response, empty, json};
use crate::error::{Kind, Problem};
use crate::json::{Encoder, read_member_value};
use crate::negotiate::Coding;
use crate::prefer::Return;
use crate::route::At;

/// The methods that a member answers: those of the document but POST.
#[must_use]
pub fn methods(resource: &Resource) -> Vec<Method> {
    let methods = resource.methods.item.iter().copied();
    methods.filter(|method| *method != Method::Post).collect()
}

/// `GET /api/{resource}/{key}/{member}`
///
/// # Errors
///
/// 404 where the document or the member is not there; 412; what the service refuses.
pub async fn show(call: &Call, at: &At<'_>, key: &Key, name: &str) -> Result<Response, Problem> {
    refuse_parameters(call, at.resource)?;
    let encoder = Encoder::of_member(name);
    let read = |row: &dyn Row| {
        if Document::of(row).get(name).is_none() {
            return Err(no_member(members(at.resource), Method::Get));
        }
        let tag = tag_of(at.resource, &encoder, row);
        answer(call, &tag, || value(StatusCode::OK, &encoder, row))
    };
    let service = &call.app.service;
    let found = service.get(&call.actor, at.resource, key, read).await;
    found.map_err(|error| Problem::from_service(error, at.resource, Method::Get))?
}

/// `PUT` and `PATCH /api/{resource}/{key}/{member}`: the body is the value, or a merge patch of
/// it. With `put = "upsert"` a member that is not there is added (201).
///
/// # Errors
///
/// 404 where the document is not there, or the member and it cannot be added; 412; 400 for a
/// value that the declaration does not allow; what the service refuses.
pub async fn write<B: Body>(
    call: &Call,
    at: &At<'_>,
    key: &Key,
    name: &str,
    method: Method,
    body: B,
) -> Result<Response, Problem> {
    let members = members(at.resource);
    let current = find(call, at, Action::Update, key, method).await?;
    let creates = at.resource.put == Put::Upsert;
    let has = |record: &Record| Document::of(record).get(name).is_some();
    if !creates && !has(&current) {
        return Err(no_member(members, method));
    }
    let content = match method {
        Method::Patch => read_body(call, body, is_merge_patch, MERGE_PATCH).await?,
        _ => read_body(call, body, is_json, JSON_TYPES).await?,
    };
    let encoder = Encoder::of_member(name);
    let guard = precondition(
        call,
        at.resource,
        &encoder,
        Some(&current).filter(|r| has(r)),
    )?;
    refuse_range(call, method)?;
    refuse_parameters(call, at.resource)?;
    members
        .check_name(at.resource, name)
        .map_err(|fault| Problem::invalid(Kind::Validation, vec![fault]))?;
    let depth_max = call.app.schema.limits.json_depth_max;
    // The merged value is checked with the record that is there; whether it was, is known then.
    let outcome = Mutex::new(Outcome::default());
    let derive = |record: &Record| {
        let mut document = Document::of(record);
        let before = document.get(name).map(str::to_owned);
        let read = match (method, &before) {
            (Method::Patch, Some(before)) => merged(members, name, before, &content, depth_max),
            _ => read(members, name, &content, depth_max),
        };
        let mut outcome = outcome.lock().expect("nobody panics with the lock");
        *outcome = Outcome {
            added: before.is_none(),
            ..Outcome::default()
        };
        let value = match (read, before.is_some() || creates) {
            (Ok(value), true) => value,
            (Ok(_), false) => return Err(outcome.refuse(no_member(members, method))),
            (Err(problem), _) => return Err(outcome.refuse(problem)),
        };
        document.set(name, value);
        let mut input = Input::new(at.resource);
        input.give_value(CONTENT, document.into_value());
        Ok(input)
    };
    let service = &call.app.service;
    let change = Change::Derive(&derive);
    let written = service
        .update(&call.actor, at.resource, current, guard, &change)
        .await;
    let outcome = outcome.into_inner().expect("nobody panics with the lock");
    match (written, outcome.problem) {
        (Ok(record), _) => {
            let mut response = answered(call, at, name, &encoder, &record, method, outcome.added);
            let stored = Document::of(&record)
                .get(name)
                .unwrap_or_default()
                .to_owned();
            // RFC 9110, section 9.3.4: no validator unless it is stored just as it was sent.
            if method == Method::Put && !outcome.added && !is_same_json(&content, stored.as_bytes())
            {
                response.headers_mut().remove(ETAG);
            }
            Ok(response)
        }
        (Err(Error::Invalid(_)), Some(problem)) => Err(problem),
        (Err(error), _) => Err(refuse_write(call, at, key, &encoder, error, method).await),
    }
}

/// `DELETE /api/{resource}/{key}/{member}`
///
/// # Errors
///
/// 404 where the document or the member is not there; 412; what the service refuses.
pub async fn delete(call: &Call, at: &At<'_>, key: &Key, name: &str) -> Result<Response, Problem> {
    let members = members(at.resource);
    let current = find(call, at, Action::Update, key, Method::Delete).await?;
    let was = Encoder::of_member(name);
    if Document::of(&current).get(name).is_none() {
        return Err(no_member(members, Method::Delete));
    }
    let guard = precondition(call, at.resource, &was, Some(&current))?;
    refuse_parameters(call, at.resource)?;
    let outcome = Mutex::new(Outcome::default());
    let derive = |record: &Record| {
        let mut document = Document::of(record);
        let mut outcome = outcome.lock().expect("nobody panics with the lock");
        outcome.before = document.get(name).unwrap_or_default().to_owned();
        if !document.remove(name) {
            return Err(outcome.refuse(no_member(members, Method::Delete)));
        }
        let mut input = Input::new(at.resource);
        input.give_value(CONTENT, document.into_value());
        Ok(input)
    };
    let service = &call.app.service;
    let written = service
        .update(
            &call.actor,
            at.resource,
            current,
            guard,
            &Change::Derive(&derive),
        )
        .await;
    let outcome = outcome.into_inner().expect("nobody panics with the lock");
    let before = || outcome.before.clone().into_bytes();
    match (written, outcome.problem) {
        (Ok(_), _) => Ok(match (&members.reply.deleted, Return::of(call.headers())) {
            (_, Some(Return::Minimal)) => applied(empty(StatusCode::NO_CONTENT), Return::Minimal),
            (_, Some(Return::Representation)) => {
                applied(json(StatusCode::OK, before()), Return::Representation)
            }
            (Deleted::Nothing, None) => empty(StatusCode::NO_CONTENT),
            (Deleted::Record, None) => json(StatusCode::OK, before()),
            (Deleted::Message(text), None) => message(StatusCode::OK, text),
        }),
        (Err(Error::Invalid(_)), Some(problem)) => Err(problem),
        (Err(error), _) => Err(refuse_write(call, at, key, &was, error, Method::Delete).await),
    }
}

/// What the last attempt of a write came to.
#[derive(Default)]
struct Outcome {
    added: bool,
    /// The value that was there.
    before: String,
    problem: Option<Problem>,
}

impl Outcome {
    fn refuse(&mut self, problem: Problem) -> Vec<Fault> {
        let faults = problem.faults.clone();
        self.problem = Some(problem);
        faults
    }
}

/// The value that a body is.
fn read(
    members: &Members,
    name: &str,
    content: &[u8],
    depth_max: usize,
) -> Result<String, Problem> {
    match read_member_value(members, name, content, depth_max)? {
        Some(Ok(value)) => Ok(value),
        Some(Err(fault)) => Err(Problem::invalid(Kind::Validation, vec![at_the_body(fault)])),
        None => {
            let fault = at_the_body(members.fault(name, &members.value.required()));
            let problem = Problem::invalid(Kind::Validation, vec![fault]);
            Err(Problem {
                error: "No data provided".to_owned(),
                ..problem
            })
        }
    }
}

/// What a merge patch (RFC 7396) makes of the value that is there.
fn merged(
    members: &Members,
    name: &str,
    before: &str,
    content: &[u8],
    depth_max: usize,
) -> Result<String, Problem> {
    if !content.trim_ascii_start().starts_with(b"{") {
        return read(members, name, content, depth_max);
    }
    let patch = read(members, name, content, depth_max)?;
    let merged = carafe_service::merge::merge(before, &patch)
        .map_err(|error| Problem::internal(error.into()))?;
    read(members, name, merged.as_bytes(), depth_max)
}

/// The body is the value itself, so that it has no member of that name.
fn at_the_body(fault: Fault) -> Fault {
    Fault::body(fault.code, fault.message)
}

fn answered(
    call: &Call,
    at: &At<'_>,
    name: &str,
    encoder: &Encoder,
    record: &Record,
    method: Method,
    added: bool,
) -> Response {
    let reply = &members(at.resource).reply;
    let (status, minimal, text) = match (added, method) {
        (true, _) => (StatusCode::CREATED, StatusCode::CREATED, &reply.created),
        (false, Method::Patch) => (StatusCode::OK, StatusCode::NO_CONTENT, &reply.updated),
        (false, _) => (StatusCode::OK, StatusCode::NO_CONTENT, &reply.replaced),
    };
    let mut response = match (text, Return::of(call.headers())) {
        (_, Some(Return::Minimal)) => applied(empty(minimal), Return::Minimal),
        (_, Some(Return::Representation)) => {
            applied(value(status, encoder, record), Return::Representation)
        }
        (Some(text), None) => message(status, text),
        (None, None) => value(status, encoder, record),
    };
    let headers = response.headers_mut();
    let tag = tag_of(at.resource, encoder, record);
    headers.insert(ETAG, tag.header_value(Coding::Identity));
    let path = format!(
        "{}/{}",
        path_of(at, &record.key),
        utf8_percent_encode(name, SEGMENT)
    );
    if let (true, Ok(path)) = (added, HeaderValue::from_str(&path)) {
        headers.insert(LOCATION, path);
    }
    response
}

fn value(status: StatusCode, encoder: &Encoder, row: &dyn Row) -> Response {
    let mut body = Vec::with_capacity(64);
    encoder.write(&mut body, row, None);
    json(status, body)
}

fn members(resource: &Resource) -> &Members {
    let members = resource.members.as_ref();
    members.expect("only documents have places of members")
}

fn no_member(members: &Members, method: Method) -> Problem {
    Problem::no_record_by(&members.errors, method)
}
