//! Reading one's own writes from replicas: an answer to a write says where the log of the database
//! was, in a header field for programs and in a cookie for browsers, and a request that brings
//! that back is answered from a state that has it.

use carafe_service::freshness::{Freshness, Position};
use http::header::SET_COOKIE;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::cookie::{Lifetime, Name};

/// `Carafe-Position: 16/B374D848`
pub const POSITION: HeaderName = HeaderName::from_static("carafe-position");

const COOKIE: Name = Name::new("carafe_position", "__Host-carafe_position");

/// What a request that only reads must see: everything that its client is known to have written
/// or read.
#[must_use]
pub fn freshness(headers: &HeaderMap, secure: bool) -> Freshness {
    let field = headers.get_all(POSITION).iter();
    let field = field.filter_map(|value| value.to_str().ok());
    let known = field.chain(COOKIE.values(headers, secure));
    match known.filter_map(Position::parse).max() {
        Some(position) => Freshness::Since(position),
        None => Freshness::Any,
    }
}

/// Says in an answer to a write where it is.
pub fn set(position: Position, secure: bool, response: &mut HeaderMap) {
    let text = position.to_string();
    if let Ok(value) = HeaderValue::from_str(&text) {
        response.insert(POSITION, value);
    }
    if let Some(cookie) = COOKIE.set(&text, Lifetime::Session, secure) {
        response.append(SET_COOKIE, cookie);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_position_counts_and_nonsense_does_not() {
        let position = |text| Freshness::Since(Position::parse(text).expect("a position"));
        let cases = [
            (vec![], Freshness::Any),
            (vec![("carafe-position", "nonsense")], Freshness::Any),
            (vec![("carafe-position", "0/2")], position("0/2")),
            (
                vec![
                    ("carafe-position", "0/2"),
                    ("cookie", "a=b; carafe_position=1/0"),
                ],
                position("1/0"),
            ),
        ];
        for (fields, expected) in cases {
            let mut headers = HeaderMap::new();
            for (name, value) in &fields {
                headers.append(*name, HeaderValue::from_static(value));
            }
            assert_eq!(freshness(&headers, false), expected, "fields: {fields:?}");
        }
    }
}
