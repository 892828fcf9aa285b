//! What a client would like to get back from a write (RFC 7240).

use http::HeaderMap;
use http::header::{HeaderName, HeaderValue};

use crate::field_value;

pub const PREFER: HeaderName = HeaderName::from_static("prefer");
pub const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");

/// The `return` preference (RFC 7240 §4.2), the only one that Carafe obeys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Return {
    /// No body where the status allows it.
    Minimal,
    /// The record as it is after the write, or as it was before its deletion.
    Representation,
}

impl Return {
    /// Reads the `Prefer` field over all its lines; other preferences are ignored. The first
    /// `return` counts. Both in one request are a mistake, and then neither does.
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        if !headers.contains_key(&PREFER) {
            return None;
        }
        let mut values = field_value::elements(headers, &PREFER).filter_map(return_value);
        let first = values.next()??;
        values
            .all(|later| later.is_none_or(|later| later == first))
            .then_some(first)
    }

    /// The value of `Preference-Applied`.
    #[must_use]
    pub fn applied(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Return::Minimal => "return=minimal",
            Return::Representation => "return=representation",
        })
    }
}

/// `None` for another preference, `Some(None)` for a `return` that asks for what we don't know.
fn return_value(element: &[u8]) -> Option<Option<Return>> {
    let preference = field_value::split(element, b';').next()?;
    let (name, value) = field_value::parameter(preference)?;
    if !name.eq_ignore_ascii_case(b"return") {
        return None;
    }
    Some(if value.eq_ignore_ascii_case(b"minimal") {
        Some(Return::Minimal)
    } else if value.eq_ignore_ascii_case(b"representation") {
        Some(Return::Representation)
    } else {
        None
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(lines: &[&'static str]) -> Option<Return> {
        Return::of(
            &lines
                .iter()
                .map(|line| (PREFER, HeaderValue::from_static(line)))
                .collect(),
        )
    }

    #[test]
    fn return_is_read_in_all_its_forms() {
        let cases: [(&[&str], Option<Return>); 15] = [
            (&[], None),
            (&["return=minimal"], Some(Return::Minimal)),
            (&["return=representation"], Some(Return::Representation)),
            (&["Return=\"minimal\""], Some(Return::Minimal)),
            (&["return = minimal"], Some(Return::Minimal)),
            (&["return=minimal; foo=\"a,b\""], Some(Return::Minimal)),
            (
                &["respond-async, wait=10, return=minimal"],
                Some(Return::Minimal),
            ),
            (
                &["wait=10", "return=representation"],
                Some(Return::Representation),
            ),
            (&["handling=lenient"], None),
            (&["foo; return=minimal"], None),
            (&["return=minimal", "return=minimal"], Some(Return::Minimal)),
            (&["return=minimal, return=representation"], None),
            (&["return=other, return=minimal"], None),
            (&["return"], None),
            (&["return="], None),
        ];
        for (lines, expected) in cases {
            assert_eq!(of(lines), expected, "prefer: {lines:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(text in proptest::collection::vec(32_u8..=255, 0..64)) {
            if let Ok(line) = HeaderValue::from_bytes(&text) {
                let _ = Return::of(&HeaderMap::from_iter([(PREFER, line)]));
            }
        }
    }
}
