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
    let mut member = |name: &str, text: &str| {
        body.extend_from_slice(name.as_bytes());
        write_string(&mut body, text);
    };
    match problem.kind.slug() {
        Some(slug) => member("{\"type\":", &format!("/problems/{slug}")),
        None => member("{\"type\":", "about:blank"),
    }
    member(",\"title\":", problem.kind.title(problem.status));
    member(
        &format!(",\"status\":{},\"detail\":", problem.status.as_u16()),
        problem.detail.as_ref().unwrap_or(&problem.error),
    );
    member(",\"instance\":", &format!("urn:uuid:{}", id.hyphenated()));
    member(",\"error\":", &problem.error);
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

fn write_fault(body: &mut Vec<u8>, fault: &Fault) {
    let mut member = |name: &str, text: &str| {
        body.extend_from_slice(name.as_bytes());
        write_string(body, text);
    };
    match &fault.place {
        Place::Field(name) => {
            member("{\"pointer\":", &format!("#/{}", pointer_token(name)));
            member(",\"field\":", name);
        }
        Place::Pointer(pointer) => member("{\"pointer\":", &format!("#{pointer}")),
        Place::Parameter(name) => member("{\"parameter\":", name),
        Place::Header(name) => member("{\"header\":", name),
    }
    member(",\"code\":", fault.code.as_str());
    member(",\"message\":", &fault.message);
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
