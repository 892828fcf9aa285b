//! A record that is deleted softly, for those who may restore it: `?deleted=only` at its address.

use carafe_model::fault::{Code, Fault};
use carafe_model::key::Key;
use carafe_model::query::DELETED;
use carafe_model::record::Record;
use carafe_model::resource::{Delete, Method, Resource, Strictness};
use http::StatusCode;
use serde_json::Value;

use super::precondition::precondition;
use super::reply::{answer, changed, tag_of};
use super::request::{MERGE_PATCH, belongs, is_merge_patch, read_body};
use crate::call::{Body, Call, Response, json};
use crate::error::{Kind, Problem};
use crate::json::{Encoder, read_value};
use crate::route::At;

/// The member that says when the record was deleted; null brings the record back.
const DELETED_AT: &str = "deleted_at";

/// Whether the request is about a deleted record.
#[must_use]
pub fn is_asked(call: &Call, resource: &Resource) -> bool {
    resource.delete == Delete::Soft
        && !call.query().is_empty()
        && call.parameters().any(|(name, _)| name == DELETED)
}

/// The methods that a deleted record answers: who may delete may restore.
#[must_use]
pub fn methods(resource: &Resource) -> Vec<Method> {
    let mut methods = vec![Method::Get];
    if resource.methods.item.contains(&Method::Delete) {
        methods.push(Method::Patch);
    }
    methods
}

/// `GET /api/{resource}/{key}?deleted=only`
///
/// # Errors
///
/// 404 where no deleted record has the key; what the service refuses.
pub async fn show(call: &Call, at: &At<'_>, key: &Key) -> Result<Response, Problem> {
    let record = find(call, at, key, Method::Get).await?;
    let encoder = Encoder::of_deleted(at.resource);
    answer(call, &tag_of(at.resource, &encoder, &record), || {
        let mut body = Vec::with_capacity(512);
        encoder.write(&mut body, &record, None);
        json(StatusCode::OK, body)
    })
}

/// `PATCH /api/{resource}/{key}?deleted=only` with `{"deleted_at": null}`: restores the record,
/// and what its deletion took along.
///
/// # Errors
///
/// 404 where no deleted record has the key; 412; 400 where something else is to change; 409
/// where a unique value is taken or a parent deleted; what the service refuses.
pub async fn restore<B: Body>(
    call: &Call,
    at: &At<'_>,
    key: &Key,
    body: B,
) -> Result<Response, Problem> {
    let record = find(call, at, key, Method::Patch).await?;
    let content = read_body(call, body, is_merge_patch, MERGE_PATCH).await?;
    let encoder = Encoder::of_deleted(at.resource);
    precondition(call, at.resource, &encoder, Some(&record))?;
    let sent = read_value(&content, call.app.schema.limits.json_depth_max)?;
    check(at.resource, &encoder, &record, &sent)?;
    let service = &call.app.service;
    let restored = service
        .restore(&call.actor, at.resource, &record)
        .await
        .map_err(|error| Problem::from_service(error, at.resource, Method::Patch))?;
    Ok(changed(call, at, &restored, None))
}

async fn find(call: &Call, at: &At<'_>, key: &Key, method: Method) -> Result<Record, Problem> {
    let service = &call.app.service;
    let record = service
        .find_deleted(&call.actor, at.resource, key)
        .await
        .map_err(|error| Problem::from_service(error, at.resource, method))?;
    if !belongs(at, &record) {
        return Err(Problem::no_record(at.resource, method));
    }
    let fault = |name: &str| match name {
        DELETED => Fault::parameter(name, Code::Choice, "deleted must be only".to_owned()),
        _ => Fault::parameter(
            name,
            Code::Unknown,
            format!("{name:?} is not a parameter of a deleted record"),
        ),
    };
    let is_wrong = |name: &str, value: &str| match name {
        DELETED => value != "only",
        _ => at.resource.input == Strictness::Strict,
    };
    let faults: Vec<Fault> = call
        .parameters()
        .filter(|(name, value)| is_wrong(name, value))
        .map(|(name, _)| fault(&name))
        .collect();
    match faults.is_empty() {
        true => Ok(record),
        false => Err(Problem::invalid(Kind::BadParameter, faults)),
    }
}

/// Refuses a body that does not say `"deleted_at": null`, or that changes something else: a
/// deleted record comes back as it was.
fn check(
    resource: &Resource,
    encoder: &Encoder,
    record: &Record,
    sent: &Value,
) -> Result<(), Problem> {
    let Value::Object(sent) = sent else {
        let text = "The body must be a JSON object";
        return Err(Problem::body(Kind::Validation, Code::Type, text));
    };
    let mut bytes = Vec::new();
    encoder.write(&mut bytes, record, None);
    let stored: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    let mut faults: Vec<Fault> = sent
        .iter()
        .filter(|(name, value)| *name != DELETED_AT && stored.get(name) != Some(value))
        .map(|(name, _)| {
            let message = format!("{name:?} cannot be changed while the record is deleted");
            Fault::field(name, Code::Unknown, message)
        })
        .collect();
    if resource.input == Strictness::Lenient {
        faults.clear();
    }
    if sent.get(DELETED_AT) != Some(&Value::Null) {
        let message = "deleted_at must be null, which restores the record".to_owned();
        faults.insert(0, Fault::field(DELETED_AT, Code::Required, message));
    }
    match faults.is_empty() {
        true => Ok(()),
        false => Err(Problem::invalid(Kind::Validation, faults)),
    }
}
