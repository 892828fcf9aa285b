//! A request as a part of a trace (OpenTelemetry), which may have begun elsewhere.

use std::fmt;
use std::time::Duration;

use http::{HeaderMap, HeaderName, Method, StatusCode};
use jiff::Timestamp;
use uuid::Uuid;

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// An answered request, as it is sent to a collector of traces.
#[derive(Clone, Debug)]
pub struct Span {
    pub context: Context,
    pub request_id: Uuid,
    pub method: Method,
    /// The pattern of the path; `None` where nothing is.
    pub route: Option<String>,
    /// As sent, without the query.
    pub path: String,
    pub resource: Option<String>,
    pub status: StatusCode,
    pub bytes: Option<u64>,
    pub ended_at: Timestamp,
    pub took: Duration,
}

/// A request that ended in an error of ours, as it is reported.
#[derive(Clone, Debug)]
pub struct Failure {
    pub span: Span,
    /// The error and its sources, a line.
    pub cause: String,
}

/// Which trace a request is part of, and which part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Context {
    pub trace: TraceId,
    pub span: SpanId,
    /// The part that asked.
    pub parent: Option<SpanId>,
    /// Whether whoever asked keeps the trace; one that begins here is kept.
    pub is_sampled: bool,
}

/// 16 bytes, shown as small hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceId([u8; 16]);

/// 8 bytes, shown as small hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpanId([u8; 8]);

impl Context {
    /// The context of a request with these header fields: in the trace of its `traceparent`
    /// (W3C Trace Context, section 3.2), else, and where that is malformed, in a new one.
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Self {
        let mut random = [0; 24];
        // Without randomness traces are mixed up, which is no reason to refuse a request.
        let _ = getrandom::fill(&mut random);
        let (trace, span) = random.split_at(16);
        let (mut own, mut own_span) = ([0; 16], [0; 8]);
        own.copy_from_slice(trace);
        own_span.copy_from_slice(span);
        let span = SpanId(own_span);
        let given = headers.get(TRACEPARENT);
        match given.and_then(|value| parse(value.as_bytes())) {
            Some((trace, parent, is_sampled)) => Self {
                trace,
                span,
                parent: Some(parent),
                is_sampled,
            },
            None => Self {
                trace: TraceId(own),
                span,
                parent: None,
                is_sampled: true,
            },
        }
    }
}

/// `00-` trace `-` part `-` flags. Later versions may have more behind the flags.
fn parse(text: &[u8]) -> Option<(TraceId, SpanId, bool)> {
    let text = std::str::from_utf8(text).ok()?;
    let mut parts = text.splitn(5, '-');
    let [version] = bytes(parts.next()?)?;
    let trace: [u8; 16] = bytes(parts.next()?)?;
    let parent: [u8; 8] = bytes(parts.next()?)?;
    let [flags] = bytes(parts.next()?)?;
    let has_more = parts.next().is_some();
    let is_valid = version != 0xff && !(version == 0 && has_more);
    let is_set = trace != [0; 16] && parent != [0; 8];
    (is_valid && is_set).then_some((TraceId(trace), SpanId(parent), flags & 1 == 1))
}

/// The bytes of small hexadecimal digits.
fn bytes<const COUNT: usize>(text: &str) -> Option<[u8; COUNT]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let mut bytes = [0; COUNT];
    if text.len() != 2 * COUNT {
        return None;
    }
    for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
        *byte = digit(digits[0])? << 4 | digit(digits[1])?;
    }
    Some(bytes)
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_is_taken_up_where_it_is_well_formed() {
        let trace = "0af7651916cd43dd8448eb211c80319c";
        let cases = [
            (format!("00-{trace}-b7ad6b7169203331-01"), Some(true)),
            (format!("00-{trace}-b7ad6b7169203331-00"), Some(false)),
            (format!("01-{trace}-b7ad6b7169203331-03-more"), Some(true)),
            (format!("00-{trace}-b7ad6b7169203331-01-more"), None),
            (format!("ff-{trace}-b7ad6b7169203331-01"), None),
            (format!("00-{trace}-0000000000000000-01"), None),
            (format!("00-{}-b7ad6b7169203331-01", "0".repeat(32)), None),
            (
                format!("00-{}-b7ad6b7169203331-01", trace.to_uppercase()),
                None,
            ),
            (format!("00-{trace}-b7ad6b716920333-01"), None),
            (format!("00-{trace}"), None),
            (String::new(), None),
        ];
        for (text, sampled) in cases {
            let mut headers = HeaderMap::new();
            headers.insert(TRACEPARENT, text.parse().unwrap());
            let context = Context::of(&headers);
            assert_eq!(
                context.parent.map(|_| context.is_sampled),
                sampled,
                "{text}"
            );
            let taken_up = context.trace.to_string() == trace;
            assert_eq!(taken_up, sampled.is_some(), "{text}");
        }
    }

    #[test]
    fn a_trace_that_begins_here_is_its_own() {
        let [one, other] = [(); 2].map(|()| Context::of(&HeaderMap::new()));
        assert!(one.is_sampled && one.parent.is_none());
        assert_ne!(one.trace, other.trace);
        assert_ne!(one.span, other.span);
    }
}
