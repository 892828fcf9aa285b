//! JSON Patch (RFC 6902) on a record: the patch is applied to what the client would read, and
//! what differs then is the input.

use carafe_model::document::CONTENT;
use carafe_model::draft::Input;
use carafe_model::fault::{Code, Fault, Place};
use carafe_model::field::Raw;
use carafe_model::kind::Kind as FieldKind;
use carafe_model::record::Record;
use carafe_model::resource::Resource;
use carafe_model::schema::Limits;
use carafe_model::value::Value as Stored;
use carafe_service::document::Document;
use http::StatusCode;
use json_patch::{Patch, PatchErrorKind, PatchOperation};
use serde_json::Value;

use crate::error::{Kind, Problem};
use crate::json::{self, Encoder};

/// The most operations of one patch.
pub const OPERATIONS_MAX: usize = 200;

/// Reads a body as a patch.
///
/// # Errors
///
/// A problem where the body is not JSON, is no patch, or has too many operations.
pub fn read(body: &[u8], depth_max: usize) -> Result<Patch, Problem> {
    let value = json::read_value(body, depth_max)?;
    if !json::keeps_digits(body) {
        let message =
            "A number of the patch has more digits than a JSON Patch can keep; use a merge patch";
        return Err(Problem::body(Kind::BadPatch, Code::TooLarge, message));
    }
    let patch: Patch = serde_json::from_value(value).map_err(|error| {
        Problem::body(
            Kind::BadPatch,
            Code::Patch,
            "The body must be a JSON Patch: an array of operations",
        )
        .detail(format!("The body is no JSON Patch (RFC 6902): {error}"))
    })?;
    if patch.0.len() > OPERATIONS_MAX {
        let message = format!("A patch has at most {OPERATIONS_MAX} operations");
        return Err(Problem::body(Kind::BadPatch, Code::TooLarge, &message));
    }
    Ok(patch)
}

/// What `patch` makes of `record`: its JSON before and after.
///
/// # Errors
///
/// 409 where a `test` fails, 400 where another operation cannot be done or the result would
/// be larger than `bytes_max`.
pub fn apply(
    encoder: &Encoder,
    record: &Record,
    patch: &Patch,
    limits: &Limits,
) -> Result<(Value, Value), Problem> {
    let mut bytes = Vec::new();
    encoder.write(&mut bytes, record, None);
    let before: Value =
        serde_json::from_slice(&bytes).map_err(|error| Problem::internal(error.into()))?;
    let mut after = before.clone();
    let mut size = bytes.len();
    for (index, operation) in patch.0.iter().enumerate() {
        // Copies of copies grow by doubling, and measuring the whole each time would take long.
        if let PatchOperation::Copy(copy) = operation {
            let copied = after.pointer(copy.from.as_str());
            size += copied.map_or(0, |value| value.to_string().len());
            if size > limits.body_bytes_max {
                return Err(Problem::body(
                    Kind::BadPatch,
                    Code::TooLarge,
                    "The patched record would be too large",
                ));
            }
        }
        json_patch::patch(&mut after, std::slice::from_ref(operation))
            .map_err(|error| refusal(index, &error.kind))?;
    }
    Ok((before, after))
}

fn refusal(index: usize, kind: &PatchErrorKind) -> Problem {
    let message = format!("Operation {} of the patch: {kind}", index + 1);
    let fault = Fault {
        place: Place::Pointer(format!("/{index}")),
        code: Code::Patch,
        message,
    };
    let problem = Problem::invalid(Kind::BadPatch, vec![fault]);
    match kind {
        PatchErrorKind::TestFailed => Problem {
            status: StatusCode::CONFLICT,
            ..problem
        },
        _ => problem,
    }
}

/// The members of `record` that differ between `before` and `after`, as input. One that is gone
/// is null.
///
/// # Errors
///
/// A fault for each member that is not open to change, for JSON that nests too deep or has
/// digits that would be lost, and where `after` is no object.
pub fn difference(
    resource: &Resource,
    record: &Record,
    before: &Value,
    after: &Value,
    limits: &Limits,
) -> Result<Input, Vec<Fault>> {
    let mut input = Input::new(resource);
    input.empty = false;
    let (Value::Object(before), Value::Object(after)) = (before, after) else {
        return Err(vec![Fault::body(
            Code::Type,
            "The patched record must be a JSON object",
        )]);
    };
    if let Some(members) = &resource.members {
        let current = Document::of(record);
        let text = match &record.values[CONTENT] {
            Stored::Text(text) => text.as_str(),
            _ => "{}",
        };
        if before != after && !json::keeps_digits(text.as_bytes()) {
            let message = "A number of the document has more digits than a JSON Patch can keep; \
                           use a merge patch";
            return Err(vec![Fault::body(Code::TooLarge, message)]);
        }
        if json::depth(serde_json::json!(after).to_string().as_bytes()) > limits.json_depth_max {
            let message = format!("The document nests deeper than {}", limits.json_depth_max);
            return Err(vec![Fault::body(Code::Format, message)]);
        }
        let changed = json::with_changes(resource, members, &current, before, after)?;
        input.give_value(CONTENT, changed.into_value());
        return Ok(input);
    }
    let names = after
        .keys()
        .chain(before.keys().filter(|name| !after.contains_key(*name)));
    for name in names {
        if before.get(name) == after.get(name) {
            continue;
        }
        let position = resource.position(name);
        let Some(position) = position.filter(|&position| resource.fields[position].set.is_none())
        else {
            input.fault(Fault::field(
                name,
                Code::Unknown,
                format!("{name:?} cannot be changed"),
            ));
            continue;
        };
        match after.get(name) {
            None => input.give(resource, position, Raw::Null),
            Some(value) => match refuse_value(resource, record, position, value, limits) {
                Some(fault) => input.refuse(position, fault),
                None => json::give(&mut input, resource, position, &value.to_string()),
            },
        }
    }
    Ok(input)
}

/// Why the patched value of a `json` field cannot be kept, if it cannot.
fn refuse_value(
    resource: &Resource,
    record: &Record,
    position: usize,
    value: &Value,
    limits: &Limits,
) -> Option<Fault> {
    let field = &resource.fields[position];
    if field.kind != FieldKind::Json {
        return None;
    }
    // The field is one level below the record.
    if json::depth(value.to_string().as_bytes()) >= limits.json_depth_max {
        return Some(field.fault(
            Code::Format,
            format!("nests deeper than {}", limits.json_depth_max - 1),
        ));
    }
    let loses = |text: &str| !json::keeps_digits(text.as_bytes());
    let rest = "has a number with more digits than a JSON Patch can keep; use a merge patch";
    match &record.values[position] {
        Stored::Text(text) if loses(text) => Some(field.fault(Code::TooLarge, rest)),
        _ => None,
    }
}
