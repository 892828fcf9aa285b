//! Cookies (RFC 6265), all with the same attributes.

use std::time::Duration;

use http::HeaderMap;
use http::header::{COOKIE, HeaderValue};

/// The name of a cookie in its two forms.
///
/// Over TLS it has the prefix `__Host-`, which browsers take only with `Secure`, `Path=/` and no
/// `Domain`, so that neither plain HTTP nor a neighbouring subdomain can set it. Over plain HTTP
/// browsers would refuse that, and it is the bare name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Name {
    plain: &'static str,
    secure: &'static str,
}

/// How long a browser keeps a cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifetime {
    /// Until the browser is closed.
    Session,
    /// `Max-Age`, in whole seconds.
    For(Duration),
}

impl Name {
    /// `secure` must be `plain` with `__Host-` before it.
    #[must_use]
    pub const fn new(plain: &'static str, secure: &'static str) -> Self {
        Self { plain, secure }
    }

    fn text(self, secure: bool) -> &'static str {
        if secure { self.secure } else { self.plain }
    }

    /// The values of the cookies of this name, over all `Cookie` lines, in the order sent. There
    /// may be several where another server on the host has set one, so a signed cookie is the
    /// first with a good signature. A value that is not ASCII is none of ours.
    pub fn values(self, headers: &HeaderMap, secure: bool) -> impl Iterator<Item = &str> {
        let name = self.text(secure).as_bytes();
        headers
            .get_all(COOKIE)
            .iter()
            .flat_map(|line| pairs(line.as_bytes()))
            .filter(move |(found, _)| *found == name)
            .filter_map(|(_, value)| std::str::from_utf8(value).ok())
    }

    /// The `Set-Cookie` value that stores `value`: `HttpOnly`, `SameSite=Lax`, `Path=/`, and
    /// `Secure` over TLS. `None` where `value` has a character that a cookie cannot have.
    #[must_use]
    pub fn set(self, value: &str, lifetime: Lifetime, secure: bool) -> Option<HeaderValue> {
        if !value.bytes().all(is_cookie_octet) {
            return None;
        }
        let name = self.text(secure);
        let mut text = format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax");
        if let Lifetime::For(time) = lifetime {
            text.push_str("; Max-Age=");
            text.push_str(itoa::Buffer::new().format(time.as_secs()));
        }
        if secure {
            text.push_str("; Secure");
        }
        HeaderValue::try_from(text).ok()
    }

    /// The `Set-Cookie` value that removes the cookie.
    #[must_use]
    pub fn clear(self, secure: bool) -> HeaderValue {
        self.set("", Lifetime::For(Duration::ZERO), secure)
            .expect("an empty value has no bad character")
    }
}

/// The pairs of one `Cookie` line. What has no `=` is skipped; quotes around a value are not
/// part of it.
fn pairs(line: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    line.split(|&byte| byte == b';').filter_map(|pair| {
        let equals = pair.iter().position(|&byte| byte == b'=')?;
        let value = pair[equals + 1..].trim_ascii();
        let unquoted = value
            .strip_prefix(b"\"")
            .and_then(|value| value.strip_suffix(b"\""));
        Some((pair[..equals].trim_ascii(), unquoted.unwrap_or(value)))
    })
}

/// RFC 6265 §4.1.1.
fn is_cookie_octet(byte: u8) -> bool {
    byte.is_ascii_graphic() && !matches!(byte, b'"' | b',' | b';' | b'\\')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NAME: Name = Name::new("carafe_x", "__Host-carafe_x");

    fn values(lines: &[&'static str], secure: bool) -> Vec<String> {
        let headers = lines
            .iter()
            .map(|line| (COOKIE, HeaderValue::from_static(line)))
            .collect();
        NAME.values(&headers, secure).map(str::to_owned).collect()
    }

    #[test]
    fn values_are_found_over_all_lines() {
        let cases: [(&[&str], bool, &[&str]); 9] = [
            (&[], false, &[]),
            (&["carafe_x=1"], false, &["1"]),
            (&["carafe_x=1"], true, &[]),
            (&["__Host-carafe_x=1; carafe_x=2"], true, &["1"]),
            (&["a=b; carafe_x=1;c", "carafe_x=2"], false, &["1", "2"]),
            (&["carafe_x=a=b"], false, &["a=b"]),
            (&["carafe_x=\"a\""], false, &["a"]),
            (&["carafe_x=\""], false, &["\""]),
            (&["Carafe_X=1; xcarafe_x=2;;=; carafe_x"], false, &[]),
        ];
        for (lines, secure, expected) in cases {
            assert_eq!(values(lines, secure), expected, "cookies: {lines:?}");
        }
    }

    #[test]
    fn cookies_are_closed_to_scripts_and_other_sites() {
        let hour = Lifetime::For(Duration::from_secs(3600));
        let text = |value: HeaderValue| value.to_str().unwrap().to_owned();
        insta::assert_snapshot!(
            text(NAME.set("v", Lifetime::Session, false).unwrap()),
            @"carafe_x=v; Path=/; HttpOnly; SameSite=Lax"
        );
        insta::assert_snapshot!(
            text(NAME.set("v", hour, true).unwrap()),
            @"__Host-carafe_x=v; Path=/; HttpOnly; SameSite=Lax; Max-Age=3600; Secure"
        );
        insta::assert_snapshot!(
            text(NAME.clear(false)),
            @"carafe_x=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0"
        );
    }

    #[test]
    fn a_value_cannot_add_attributes() {
        for value in ["a;b", "a b", "a\r\nb", "a,b", "\"a\"", "é", "a\\b"] {
            assert_eq!(NAME.set(value, Lifetime::Session, true), None, "{value:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(text in proptest::collection::vec(32_u8..=255, 0..64)) {
            if let Ok(line) = HeaderValue::from_bytes(&[b"carafe_x=", &text[..]].concat()) {
                NAME.values(&HeaderMap::from_iter([(COOKIE, line)]), false).count();
            }
        }

        #[test]
        fn what_is_set_is_found(value in "[!#-+.-:<-\\[\\]-~-]*") {
            let set = NAME.set(&value, Lifetime::Session, true).unwrap();
            let pair = set.as_bytes().split(|&byte| byte == b';').next().unwrap();
            let headers = HeaderMap::from_iter([(COOKIE, HeaderValue::from_bytes(pair).unwrap())]);
            prop_assert_eq!(NAME.values(&headers, true).collect::<Vec<_>>(), vec![value]);
        }
    }
}
