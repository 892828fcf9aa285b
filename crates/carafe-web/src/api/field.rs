//! One field of a record over JSON: its value has an address of its own.

use carafe_model::draft::Input;
use carafe_model::fault::Code;
use carafe_model::key::Key;
use carafe_model::kind::Kind as FieldKind;
use carafe_model::resource::{Method, Resource};
use carafe_model::value::Row;
use carafe_service::access::Action;
use carafe_service::record::Change;
use http::StatusCode;

use crate::api::precondition::{precondition, refuse_write};
use crate::api::reply::{answer, tag_of};
use crate::api::request::{
    JSON_TYPES, belongs, find, is_json, read_body, refuse_parameters, refuse_range,
};
use crate::call::{Body, Call, Response, empty, json};
use crate::error::{Kind, Problem};
use crate::json::{Encoder, read_member};
use crate::route::At;

/// The methods that the field at `position` answers: those of the record, DELETE where it may
/// be null, and only GET where the server sets it.
#[must_use]
pub fn methods(resource: &Resource, position: usize) -> Vec<Method> {
    let field = &resource.fields[position];
    let allows = |method| resource.methods.item.contains(&method);
    let changes = field.set.is_none() && (allows(Method::Put) || allows(Method::Patch));
    [
        (Method::Get, allows(Method::Get)),
        (Method::Put, changes),
        (Method::Delete, changes && field.optional),
    ]
    .into_iter()
    .filter_map(|(method, answered)| answered.then_some(method))
    .collect()
}

/// Whether the field has an address: a password has none.
#[must_use]
pub fn is_addressed(resource: &Resource, position: usize) -> bool {
    resource.fields[position].kind != FieldKind::Password
}

/// `GET /api/{resource}/{key}/{field}`
pub async fn show(
    call: &Call,
    at: &At<'_>,
    key: &Key,
    position: usize,
) -> Result<Response, Problem> {
    refuse_parameters(call, at.resource)?;
    let encoder = Encoder::of_field(at.resource, position);
    let read = |row: &dyn Row| {
        if !belongs(at, row) {
            return Err(Problem::no_record(at.resource, Method::Get));
        }
        let tag = tag_of(at.resource, &encoder, row);
        answer(call, &tag, || value(&encoder, row))
    };
    let found = call
        .app
        .service
        .get(&call.actor, at.resource, key, read)
        .await;
    found.map_err(|error| Problem::from_service(error, at.resource, Method::Get))?
}

/// `PUT /api/{resource}/{key}/{field}`: the body is the new value. The other fields stay.
pub async fn replace<B: Body>(
    call: &Call,
    at: &At<'_>,
    key: &Key,
    position: usize,
    body: B,
) -> Result<Response, Problem> {
    let current = find(call, at, Action::Update, key, Method::Put).await?;
    let content = read_body(call, body, is_json, JSON_TYPES).await?;
    let depth_max = call.app.schema.limits.json_depth_max;
    let input = |call: &Call| {
        refuse_parameters(call, at.resource)?;
        match read_member(at.resource, position, &content, depth_max)? {
            Some(input) => Ok(input),
            None => Err(no_data(at.resource, position)),
        }
    };
    write(call, at, key, position, current, Method::Put, input).await
}

/// `DELETE /api/{resource}/{key}/{field}`: the field is null then.
pub async fn clear(
    call: &Call,
    at: &At<'_>,
    key: &Key,
    position: usize,
) -> Result<Response, Problem> {
    let current = find(call, at, Action::Update, key, Method::Delete).await?;
    let input = |call: &Call| {
        refuse_parameters(call, at.resource)?;
        let mut input = Input::new(at.resource);
        input.give_value(position, carafe_model::value::Value::Null);
        Ok(input)
    };
    write(call, at, key, position, current, Method::Delete, input).await?;
    Ok(empty(StatusCode::NO_CONTENT))
}

/// Changes the field of a record that is there: precondition first (412), then what was sent.
async fn write(
    call: &Call,
    at: &At<'_>,
    key: &Key,
    position: usize,
    current: carafe_model::record::Record,
    method: Method,
    input: impl FnOnce(&Call) -> Result<Input, Problem>,
) -> Result<Response, Problem> {
    let encoder = Encoder::of_field(at.resource, position);
    let guard = precondition(call, at.resource, &encoder, Some(&current))?;
    refuse_range(call, method)?;
    let change = Change::Merge(input(call)?);
    let service = &call.app.service;
    match service
        .update(&call.actor, at.resource, current, guard, &change)
        .await
    {
        Ok(record) => Ok(value(&encoder, &record)),
        Err(error) => Err(refuse_write(call, at, key, &encoder, error, method).await),
    }
}

fn value(encoder: &Encoder, row: &dyn Row) -> Response {
    let mut body = Vec::with_capacity(64);
    encoder.write(&mut body, row, None);
    json(StatusCode::OK, body)
}

fn no_data(resource: &Resource, position: usize) -> Problem {
    let fault = resource.fields[position].fault(Code::Required, "is required");
    let problem = Problem::invalid(Kind::Validation, vec![fault]);
    Problem {
        error: "No data provided".to_owned(),
        ..problem
    }
}
