//! Traces for a collector of OpenTelemetry: OTLP 1 over HTTP, as JSON.

use anyhow::{Context, Result, bail};
use carafe_web::span::Span;
use carafe_web::wire::METHODS;
use http::{HeaderName, HeaderValue};
use serde_json::{Value, json};

use crate::export::{Receiver, Target};

/// Spans that are sent at once.
const BATCH_MAX: usize = 512;

/// `SPAN_KIND_SERVER` and `STATUS_CODE_ERROR` of the protocol.
const KIND_SERVER: u8 = 2;
const STATUS_ERROR: u8 = 2;

/// The collector at `endpoint`, which gets traces at `/v1/traces` below that. `headers` are pairs
/// with commas between (`OTEL_EXPORTER_OTLP_HEADERS`), values percent-encoded.
///
/// # Errors
///
/// Where the endpoint or the header fields are malformed.
pub(crate) fn receiver(endpoint: &str, headers: &str, service: &str) -> Result<Receiver<Span>> {
    let url = format!("{}/v1/traces", endpoint.trim_end_matches('/'));
    let service = service.to_owned();
    Ok(Receiver {
        what: "traces",
        target: Target {
            url: Target::parse_url(&url)?,
            content_type: "application/json",
            headers: header_fields(headers)?,
        },
        batch_max: BATCH_MAX,
        encode: Box::new(move |spans| encode(&service, spans)),
    })
}

fn header_fields(text: &str) -> Result<Vec<(HeaderName, HeaderValue)>> {
    let pairs = text.split(',').filter(|pair| !pair.trim().is_empty());
    let fields = pairs.map(|pair| {
        let Some((name, value)) = pair.split_once('=') else {
            bail!("a header field must be NAME=VALUE, and the next one stand behind a comma");
        };
        let value = percent_encoding::percent_decode_str(value.trim()).collect::<Vec<u8>>();
        let name: HeaderName = name.trim().parse().context("the name of a header field")?;
        let mut value = HeaderValue::from_bytes(&value).context("the value of a header field")?;
        value.set_sensitive(true);
        Ok((name, value))
    });
    fields.collect()
}

/// An `ExportTraceServiceRequest`.
fn encode(service: &str, spans: &[Span]) -> Vec<u8> {
    let version = env!("CARGO_PKG_VERSION");
    let spans: Vec<Value> = spans.iter().map(span).collect();
    let request = json!({ "resourceSpans": [{
        "resource": { "attributes": [
            text("service.name", service),
            text("telemetry.sdk.language", "rust"),
            text("telemetry.sdk.name", "carafe"),
            text("telemetry.sdk.version", version),
        ] },
        "scopeSpans": [{
            "scope": { "name": "carafe", "version": version },
            "spans": spans,
        }],
    }] });
    request.to_string().into_bytes()
}

fn span(span: &Span) -> Value {
    // Those that have names in the semantic conventions (`http.request.method`).
    let is_known = METHODS.contains(&span.method);
    let method = if is_known {
        span.method.as_str()
    } else {
        "_OTHER"
    };
    let start = if is_known { method } else { "HTTP" };
    let name = match &span.route {
        Some(route) => format!("{start} {route}"),
        None => start.to_owned(),
    };
    let ended_at = span.ended_at.as_nanosecond();
    let started_at = ended_at - i128::try_from(span.took.as_nanos()).unwrap_or(0);
    let status = span.status.as_u16();
    let is_failure = span.status.is_server_error();
    let mut attributes = vec![
        text("http.request.method", method),
        text("url.path", &span.path),
        whole("http.response.status_code", u64::from(status)),
        text("carafe.request_id", &span.request_id.to_string()),
    ];
    if !is_known {
        attributes.push(text("http.request.method_original", span.method.as_str()));
    }
    attributes.extend(span.route.iter().map(|route| text("http.route", route)));
    attributes.extend(
        span.resource
            .iter()
            .map(|name| text("carafe.resource", name)),
    );
    attributes.extend(
        span.bytes
            .map(|bytes| whole("http.response.body.size", bytes)),
    );
    if is_failure {
        attributes.push(text("error.type", &status.to_string()));
    }
    json!({
        "traceId": span.context.trace.to_string(),
        "spanId": span.context.span.to_string(),
        "parentSpanId": span.context.parent.map(|id| id.to_string()).unwrap_or_default(),
        "name": name,
        "kind": KIND_SERVER,
        "startTimeUnixNano": started_at.to_string(),
        "endTimeUnixNano": ended_at.to_string(),
        "attributes": attributes,
        "status": if is_failure { json!({ "code": STATUS_ERROR }) } else { json!({}) },
    })
}

fn text(key: &str, value: &str) -> Value {
    json!({ "key": key, "value": { "stringValue": value } })
}

/// Numbers of 64 bits are texts in the JSON of Protocol Buffers.
fn whole(key: &str, value: u64) -> Value {
    json!({ "key": key, "value": { "intValue": value.to_string() } })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_fields_are_pairs() {
        let fields = header_fields("api-key=a%20b, x-team = c=d ,").unwrap();
        let fields: Vec<(&str, &[u8])> = fields
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_bytes()))
            .collect();
        assert_eq!(fields, [("api-key", &b"a b"[..]), ("x-team", b"c=d")]);
        for wrong in ["api-key", "a b=c", "a=%0a"] {
            assert!(header_fields(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_endpoint_is_a_url() {
        let receiver = receiver("http://localhost:4318/", "", "notes").unwrap();
        assert_eq!(receiver.target.url, "http://localhost:4318/v1/traces");
        for wrong in [
            "localhost:4318",
            "grpc://localhost",
            "http://",
            "http://a?b",
        ] {
            assert!(super::receiver(wrong, "", "notes").is_err(), "{wrong}");
        }
    }
}
