//! Preconditions of writes (RFC 9110, section 13), and the answer to those that failed.

use carafe_model::key::Key;
use carafe_model::record::Record;
use carafe_model::resource::{Method, Resource};
use carafe_model::value::Row;
use carafe_service::error::Error;
use carafe_service::record::Guard;
use http::StatusCode;
use http::header::{ETAG, IF_MATCH, IF_NONE_MATCH};

use crate::api::reply::tag_of;
use crate::call::Call;
use crate::condition::{self, Intent, Outcome};
use crate::error::{Kind, Problem};
use crate::json::Encoder;
use crate::negotiate::Coding;
use crate::route::At;

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

/// A collection has no version that a write could name: `*` holds, any tag fails.
pub(super) fn condition_of_all(call: &Call, resource: &Resource) -> Result<(), Problem> {
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

pub(super) fn precondition_required(text: &str) -> Problem {
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
    if !stale {
        return problem;
    }
    let read = |row: &dyn Row| tag_of(at.resource, encoder, row);
    match call
        .app
        .service
        .get(&call.actor, at.resource, key, read)
        .await
    {
        Ok(tag) => problem.header(ETAG, tag.header_value(Coding::Identity)),
        Err(_) => problem,
    }
}
