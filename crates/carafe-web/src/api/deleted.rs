//! A record that is deleted softly, for those who may restore it: `?deleted=only` at its address,
//! or the time of its deletion, where several had the same key.

use carafe_model::fault::{Code, Fault};
use carafe_model::key::Key;
use carafe_model::query::{DELETED, ONLY};
use carafe_model::record::Record;
use carafe_model::resource::{Delete, Method, Resource, Strictness};
use carafe_model::time;
use http::StatusCode;
use serde_json::Value;

use super::list::fields_parameter;
use super::precondition::precondition;
use super::reply::{answer, changed, tag_of};
use super::request::{MERGE_PATCH, belongs, is_merge_patch, read_body};
use crate::call::{Body, Call, Response, json};
use crate::error::{Kind, Problem};
use crate::json::{Encoder, read_value};
use crate::route::At;

/// The member that says when the record was deleted; null brings the record back.
const DELETED_AT: &str = "deleted_at";

/// Which deleted record a request is about: the last one that had the key, or the one that was
/// deleted at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Which {
    Last,
    At(String),
}

impl Which {
    /// What the value of the parameter asks for; `None` where it is neither.
    fn parse(value: &str) -> Option<Self> {
        match value {
            ONLY => Some(Which::Last),
            _ => time::parse_datetime(value, false).map(Which::At),
        }
    }

    /// What the parameters of a query ask for.
    pub(crate) fn of(call: &Call, resource: &Resource) -> Option<Self> {
        if resource.delete != Delete::Soft || call.query().is_empty() {
            return None;
        }
        let mut parameters = call.parameters();
        let (_, value) = parameters.find(|(name, _)| name == DELETED)?;
        Self::parse(&value)
    }

    /// The deleted record with `key`.
    pub(crate) async fn find(
        &self,
        call: &Call,
        resource: &Resource,
        key: &Key,
    ) -> carafe_service::error::Result<Record> {
        let service = &call.app.service;
        match self {
            Which::Last => service.find_deleted(&call.actor, resource, key).await,
            Which::At(at) => {
                service
                    .find_deleted_at(&call.actor, resource, key, at)
                    .await
            }
        }
    }
}

/// Whether the request is about a deleted record.
#[must_use]
pub fn is_asked(call: &Call, resource: &Resource) -> bool {
    Which::of(call, resource).is_some()
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
    let chosen = match at.resource.members {
        Some(_) => None,
        None => fields_parameter(call, at.resource)?,
    };
    refuse_others(call, at.resource, chosen.is_some())?;
    let encoder = match chosen {
        Some(columns) => Encoder::of(at.resource, columns),
        None => Encoder::of_deleted(at.resource),
    };
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
    refuse_others(call, at.resource, false)?;
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
    let which = Which::of(call, at.resource).unwrap_or(Which::Last);
    let record = which.find(call, at.resource, key).await;
    match record {
        Ok(record) if belongs(at, &record) => Ok(record),
        Ok(_) => Err(Problem::no_record(at.resource, method)),
        Err(error) => Err(Problem::from_service(error, at.resource, method)),
    }
}

/// Refuses parameters besides the one that asks for a deleted record, and perhaps the one that
/// chooses its members.
fn refuse_others(call: &Call, resource: &Resource, chooses: bool) -> Result<(), Problem> {
    let mut seen = false;
    let mut faults = Vec::new();
    for (name, _) in call.parameters() {
        if chooses && name == "fields" {
            continue;
        }
        if name != DELETED {
            let message = format!("{name:?} is not a parameter of a deleted record");
            faults.push(Fault::parameter(&name, Code::Unknown, message));
        } else if std::mem::replace(&mut seen, true) {
            let message = format!("{DELETED} is given twice");
            faults.push(Fault::parameter(&name, Code::Duplicate, message));
        }
    }
    match resource.input == Strictness::Lenient || faults.is_empty() {
        true => Ok(()),
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
