//! JSON Patch (RFC 6902) on a record: the patch is applied to what the client would read, and
//! what differs then is the input.

use carafe_model::draft::Input;
use carafe_model::fault::{Code, Fault, Place};
use carafe_model::field::Raw;
use carafe_model::record::Record;
use carafe_model::resource::Resource;
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
    bytes_max: usize,
) -> Result<(Value, Value), Problem> {
    let mut bytes = Vec::new();
    encoder.write(&mut bytes, record, None);
    let before: Value =
        serde_json::from_slice(&bytes).map_err(|error| Problem::internal(error.into()))?;
    let mut after = before.clone();
    for (index, operation) in patch.0.iter().enumerate() {
        json_patch::patch(&mut after, std::slice::from_ref(operation))
            .map_err(|error| refusal(index, &error.kind))?;
        // Copies of copies grow by doubling.
        if matches!(operation, PatchOperation::Copy(_)) && after.to_string().len() > bytes_max {
            return Err(Problem::body(
                Kind::BadPatch,
                Code::TooLarge,
                "The patched record would be too large",
            ));
        }
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

/// The members that differ between `before` and `after`, as input. One that is gone is null.
///
/// # Errors
///
/// A fault for each member that is not open to change, and where `after` is no object.
pub fn difference(resource: &Resource, before: &Value, after: &Value) -> Result<Input, Vec<Fault>> {
    let mut input = Input::new(resource);
    input.empty = false;
    let (Value::Object(before), Value::Object(after)) = (before, after) else {
        return Err(vec![Fault::body(
            Code::Type,
            "The patched record must be a JSON object",
        )]);
    };
    let names = after
        .keys()
        .chain(before.keys().filter(|name| !after.contains_key(*name)));
    for name in names {
        if before.get(name) == after.get(name) {
            continue;
        }
        match resource
            .position(name)
            .filter(|&position| resource.fields[position].set.is_none())
        {
            Some(position) => match after.get(name) {
                Some(value) => give(&mut input, resource, position, value),
                None => input.give(resource, position, Raw::Null),
            },
            None => input.fault(Fault::field(
                name,
                Code::Unknown,
                format!("{name:?} cannot be changed"),
            )),
        }
    }
    Ok(input)
}

fn give(input: &mut Input, resource: &Resource, position: usize, value: &Value) {
    let text = value.to_string();
    json::give(input, resource, position, &text);
}
