//! Problems as JSON (RFC 9457).

use carafe_model::fault::{Fault, Place};
use http::HeaderValue;
use http::header::CACHE_CONTROL;

use crate::call::{Response, reply};
use crate::error::Problem;
use crate::json::write_string;

/// The problem as `application/problem+json`.
#[must_use]
pub fn to_json(problem: &Problem, id: uuid::Uuid) -> Response {
    let mut body = Vec::with_capacity(512);
    match problem.kind.slug() {
        Some(slug) => member(&mut body, "{\"type\":", &format!("/problems/{slug}")),
        None => member(&mut body, "{\"type\":", "about:blank"),
    }
    let title = problem.kind.title(problem.status);
    member(&mut body, ",\"title\":", title);
    body.extend_from_slice(b",\"status\":");
    body.extend_from_slice(problem.status.as_str().as_bytes());
    let detail = problem.detail.as_ref().unwrap_or(&problem.error);
    member(&mut body, ",\"detail\":", detail);
    let mut buffer = uuid::Uuid::encode_buffer();
    let instance = id.urn().encode_lower(&mut buffer);
    member(&mut body, ",\"instance\":", instance);
    member(&mut body, ",\"error\":", &problem.error);
    if !problem.faults.is_empty() {
        body.extend_from_slice(b",\"errors\":[");
        for (index, fault) in problem.faults.iter().enumerate() {
            if index > 0 {
                body.push(b',');
            }
            write_fault(&mut body, fault);
        }
        body.push(b']');
    }
    body.push(b'}');
    let mut response = reply(
        problem.status,
        HeaderValue::from_static("application/problem+json"),
        body,
    );
    add_headers(&mut response, problem);
    response
}

/// The header fields of a refusal, and that it is not to be stored.
pub fn add_headers(response: &mut Response, problem: &Problem) {
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    for (name, value) in &problem.headers {
        headers.insert(name, value.clone());
    }
}

fn member(body: &mut Vec<u8>, name: &str, text: &str) {
    body.extend_from_slice(name.as_bytes());
    write_string(body, text);
}

fn write_fault(body: &mut Vec<u8>, fault: &Fault) {
    match &fault.place {
        Place::Field(name) => {
            member(body, "{\"pointer\":", &format!("#/{}", pointer_token(name)));
            member(body, ",\"field\":", name);
        }
        Place::Pointer(pointer) => member(body, "{\"pointer\":", &format!("#{pointer}")),
        Place::Parameter(name) => member(body, "{\"parameter\":", name),
        Place::Header(name) => member(body, "{\"header\":", name),
    }
    member(body, ",\"code\":", fault.code.as_str());
    member(body, ",\"message\":", &fault.message);
    body.push(b'}');
}

/// A name as a reference token of a JSON Pointer in a URI fragment (RFC 6901, sections 3 and 6).
fn pointer_token(name: &str) -> String {
    use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
    const FRAGMENT: &AsciiSet = &CONTROLS
        .add(b' ')
        .add(b'"')
        .add(b'<')
        .add(b'>')
        .add(b'`')
        .add(b'%')
        .add(b'#')
        .add(b'\\')
        .add(b'^')
        .add(b'{')
        .add(b'|')
        .add(b'}')
        .add(b'[')
        .add(b']');
    utf8_percent_encode(&name.replace('~', "~0").replace('/', "~1"), FRAGMENT).to_string()
}
