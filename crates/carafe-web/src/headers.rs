//! The security header fields that every response carries.

use http::HeaderMap;
use http::header::{
    CONTENT_SECURITY_POLICY, HeaderName, HeaderValue, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};

const CROSS_ORIGIN_OPENER_POLICY: HeaderName =
    HeaderName::from_static("cross-origin-opener-policy");

const NOSNIFF: HeaderValue = HeaderValue::from_static("nosniff");
const DENY: HeaderValue = HeaderValue::from_static("DENY");
const SAME_ORIGIN: HeaderValue = HeaderValue::from_static("same-origin");

/// A JSON response that is opened as a document may load and run nothing.
const API_POLICY: HeaderValue =
    HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");

/// Pages load scripts, styles and pictures from here only; nothing inline runs.
const PAGE_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
     font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; \
     frame-ancestors 'none'",
);

/// One year, the least that scanners and ASVS 3.4.1 take. Subdomains are not ours to decide on.
const ONE_YEAR: HeaderValue = HeaderValue::from_static("max-age=31536000");

/// Sets the fields of a response of the API, or of any other that is not a page.
pub fn set_api(headers: &mut HeaderMap) {
    set_common(headers);
    headers.insert(CONTENT_SECURITY_POLICY, API_POLICY);
}

/// Sets the fields of an HTML page.
pub fn set_page(headers: &mut HeaderMap) {
    set_common(headers);
    headers.insert(CONTENT_SECURITY_POLICY, PAGE_POLICY);
}

/// Sets HSTS (RFC 6797). Only for responses that go out over TLS: over plain HTTP the field
/// must not be sent (§7.2).
pub fn set_strict_transport_security(headers: &mut HeaderMap) {
    headers.insert(STRICT_TRANSPORT_SECURITY, ONE_YEAR);
}

fn set_common(headers: &mut HeaderMap) {
    headers.insert(X_CONTENT_TYPE_OPTIONS, NOSNIFF);
    // Not `no-referrer`: with it browsers send `Origin: null` with our own forms.
    headers.insert(REFERRER_POLICY, SAME_ORIGIN);
    headers.insert(X_FRAME_OPTIONS, DENY);
    headers.insert(CROSS_ORIGIN_OPENER_POLICY, SAME_ORIGIN);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(set: fn(&mut HeaderMap)) -> String {
        let mut headers = HeaderMap::new();
        set(&mut headers);
        let mut lines: Vec<_> = headers
            .iter()
            .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
            .collect();
        lines.sort();
        lines.join("\n")
    }

    #[test]
    fn responses_of_the_api_run_nothing() {
        insta::assert_snapshot!(text(set_api), @r"
        content-security-policy: default-src 'none'; frame-ancestors 'none'
        cross-origin-opener-policy: same-origin
        referrer-policy: same-origin
        x-content-type-options: nosniff
        x-frame-options: DENY
        ");
    }

    #[test]
    fn pages_run_only_what_is_ours() {
        insta::assert_snapshot!(text(set_page), @r"
        content-security-policy: default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'
        cross-origin-opener-policy: same-origin
        referrer-policy: same-origin
        x-content-type-options: nosniff
        x-frame-options: DENY
        ");
    }

    #[test]
    fn strict_transport_security_is_a_year() {
        insta::assert_snapshot!(text(set_strict_transport_security), @"strict-transport-security: max-age=31536000");
    }
}
