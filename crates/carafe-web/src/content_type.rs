//! What a request says its body is.

use http::HeaderMap;
use http::header::CONTENT_TYPE;

use crate::field_value;

/// The kinds of request bodies that Carafe tells apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContentType {
    /// `application/json`, or another `application/*+json` than the two below.
    Json,
    /// `application/merge-patch+json` (RFC 7396).
    MergePatch,
    /// `application/json-patch+json` (RFC 6902).
    JsonPatch,
    /// `application/x-www-form-urlencoded`.
    Form,
    /// One of those above with a charset that is not UTF-8.
    Charset,
    /// Any other type, text that is no media type, or more than one field.
    Other,
    /// No `Content-Type` field.
    Missing,
}

impl ContentType {
    /// Reads the `Content-Type` of a request (RFC 9110 §8.3). Types and the charset are
    /// compared without regard to case; other parameters are ignored.
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Self {
        let mut lines = headers.get_all(CONTENT_TYPE).iter();
        let Some(line) = lines.next() else {
            return ContentType::Missing;
        };
        if lines.next().is_some() {
            return ContentType::Other;
        }
        // Nearly every request says just this.
        if line == "application/json" {
            return ContentType::Json;
        }
        let mut parts = field_value::split(line.as_bytes(), b';');
        let content_type = parts.next().map_or(ContentType::Other, essence);
        if content_type != ContentType::Other && !parts.all(charset_is_utf8) {
            return ContentType::Charset;
        }
        content_type
    }
}

fn essence(text: &[u8]) -> ContentType {
    let is = |name: &[u8]| text.eq_ignore_ascii_case(name);
    if is(b"application/json") {
        ContentType::Json
    } else if is(b"application/merge-patch+json") {
        ContentType::MergePatch
    } else if is(b"application/json-patch+json") {
        ContentType::JsonPatch
    } else if is(b"application/x-www-form-urlencoded") {
        ContentType::Form
    } else if is_structured_json(text) {
        ContentType::Json
    } else {
        ContentType::Other
    }
}

/// `application/NAME+json` (RFC 6839 §3.1).
fn is_structured_json(text: &[u8]) -> bool {
    const PREFIX: &[u8] = b"application/";
    const SUFFIX: &[u8] = b"+json";
    let Some(name_length) = text.len().checked_sub(PREFIX.len() + SUFFIX.len()) else {
        return false;
    };
    let (prefix, rest) = text.split_at(PREFIX.len());
    let (name, suffix) = rest.split_at(name_length);
    prefix.eq_ignore_ascii_case(PREFIX)
        && suffix.eq_ignore_ascii_case(SUFFIX)
        && !name.is_empty()
        && name
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(byte))
}

/// Whether a parameter is no charset, or the one we read.
fn charset_is_utf8(text: &[u8]) -> bool {
    field_value::parameter(text).is_none_or(|(name, value)| {
        !name.eq_ignore_ascii_case(b"charset") || value.eq_ignore_ascii_case(b"utf-8")
    })
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn of(lines: &[&[u8]]) -> ContentType {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(CONTENT_TYPE, HeaderValue::from_bytes(line).unwrap());
        }
        ContentType::of(&headers)
    }

    #[test]
    fn types_are_told_apart() {
        let cases = [
            ("application/json", ContentType::Json),
            ("Application/JSON; Charset=\"UTF-8\"", ContentType::Json),
            ("application/json;charset=utf-8", ContentType::Json),
            ("application/json;", ContentType::Json),
            ("application/json; charset", ContentType::Json),
            ("application/json; profile=\"a;b\"", ContentType::Json),
            ("application/vnd.api+json", ContentType::Json),
            ("application/problem+json", ContentType::Json),
            ("application/+json", ContentType::Other),
            ("application/a b+json", ContentType::Other),
            ("application/json; charset=iso-8859-1", ContentType::Charset),
            (
                "application/json; charset=utf-8; charset=utf-16",
                ContentType::Charset,
            ),
            ("application/merge-patch+json", ContentType::MergePatch),
            (
                "application/json-patch+json;charset=UTF-8",
                ContentType::JsonPatch,
            ),
            ("application/x-www-form-urlencoded", ContentType::Form),
            (
                "application/x-www-form-urlencoded; charset=latin1",
                ContentType::Charset,
            ),
            ("multipart/form-data; boundary=x", ContentType::Other),
            ("text/plain", ContentType::Other),
            ("text/plain; charset=latin1", ContentType::Other),
            ("text/json", ContentType::Other),
            ("application/jsonp", ContentType::Other),
            ("application/json, text/plain", ContentType::Other),
            ("json", ContentType::Other),
            ("", ContentType::Other),
        ];
        for (text, expected) in cases {
            assert_eq!(of(&[text.as_bytes()]), expected, "type: {text:?}");
        }
    }

    #[test]
    fn none_is_missing_and_two_are_ambiguous() {
        assert_eq!(of(&[]), ContentType::Missing);
        assert_eq!(
            of(&[b"application/json", b"application/json"]),
            ContentType::Other
        );
    }

    proptest! {
        #[test]
        fn any_bytes_have_a_type(text in proptest::collection::vec(32_u8..=255, 0..64)) {
            if let Ok(line) = HeaderValue::from_bytes(&text) {
                let headers = HeaderMap::from_iter([(CONTENT_TYPE, line)]);
                let _ = ContentType::of(&headers);
            }
        }
    }
}
