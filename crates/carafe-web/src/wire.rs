//! What HTTP demands of a request and hyper leaves to us.

use http::header::{HOST, TRANSFER_ENCODING};
use http::{HeaderMap, Method, Request, StatusCode, Uri, Version};

/// The longest request target that is taken; RFC 9112 §3 recommends at least this.
pub const TARGET_BYTES_MAX: usize = 8000;

/// The most header fields that are taken: what hyper has room for without an allocation. It
/// refuses more by itself on HTTP/1; HTTP/2 is held to the same number here.
pub const HEADER_FIELDS_MAX: usize = 100;

/// The methods of RFC 9110 and RFC 5789.
pub const METHODS: [Method; 9] = [
    Method::GET,
    Method::HEAD,
    Method::POST,
    Method::PUT,
    Method::PATCH,
    Method::DELETE,
    Method::OPTIONS,
    Method::TRACE,
    Method::CONNECT,
];

/// Why a request is refused before anybody looks at its path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub status: StatusCode,
    /// A sentence without a full stop.
    pub detail: &'static str,
    /// Whether the connection must be closed after the answer (`Connection: close`), because
    /// client and server, or a proxy between them, may see different message borders.
    pub close: bool,
}

impl Refusal {
    const fn new(status: StatusCode, detail: &'static str) -> Self {
        Self {
            status,
            detail,
            close: false,
        }
    }

    const fn closing(status: StatusCode, detail: &'static str) -> Self {
        Self {
            status,
            detail,
            close: true,
        }
    }
}

/// Checks what holds for every request, whatever its path:
///
/// - the framing: `Transfer-Encoding` is `chunked`, once, or not there (RFC 9112 §6.1);
/// - exactly one valid `Host` on HTTP/1.1 (§3.2), at most one elsewhere;
/// - the length of the target (414) and the number of fields (431);
/// - CONNECT, which no path has (501);
/// - the target `*`, which only OPTIONS has (400); see [`is_server_wide`].
#[must_use]
pub fn refuse_early<B>(request: &Request<B>) -> Option<Refusal> {
    let headers = request.headers();
    refuse_framing(headers)
        .or_else(|| refuse_size(request))
        .or_else(|| refuse_host(request))
        .or_else(|| refuse_method(request))
}

/// Whether this is `OPTIONS *`, which asks about the server and not about a path.
#[must_use]
pub fn is_server_wide<B>(request: &Request<B>) -> bool {
    request.method() == Method::OPTIONS && request.uri().path() == "*"
}

/// The authority that a request was sent to: from the target where it has one (HTTP/2, or a
/// target in absolute form, RFC 9112 §3.2.2), else from `Host`.
#[must_use]
pub fn host<'a>(uri: &'a Uri, headers: &'a HeaderMap) -> Option<&'a str> {
    match uri.authority() {
        Some(authority) => Some(authority.as_str()),
        None => headers.get(HOST)?.to_str().ok(),
    }
}

fn refuse_framing(headers: &HeaderMap) -> Option<Refusal> {
    let mut lines = headers.get_all(TRANSFER_ENCODING).iter();
    let line = lines.next()?;
    let is_chunked = |text: &[u8]| text.trim_ascii().eq_ignore_ascii_case(b"chunked");
    let repeated = lines.next().is_some()
        || line
            .as_bytes()
            .split(|&byte| byte == b',')
            .filter(|text| is_chunked(text))
            .count()
            > 1;
    if repeated {
        return Some(Refusal::closing(
            StatusCode::BAD_REQUEST,
            "Transfer-Encoding must be chunked, once",
        ));
    }
    (!is_chunked(line.as_bytes())).then_some(Refusal::closing(
        StatusCode::NOT_IMPLEMENTED,
        "Only the transfer coding chunked is understood",
    ))
}

fn refuse_size<B>(request: &Request<B>) -> Option<Refusal> {
    let uri = request.uri();
    let authority = uri.authority().map_or(0, |text| text.as_str().len());
    let path = uri.path_and_query().map_or(0, |text| text.as_str().len());
    if authority + path > TARGET_BYTES_MAX {
        return Some(Refusal::new(
            StatusCode::URI_TOO_LONG,
            "The address is longer than 8000 bytes",
        ));
    }
    (request.headers().len() > HEADER_FIELDS_MAX).then_some(Refusal::new(
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        "The request has more than 100 header fields",
    ))
}

fn refuse_host<B>(request: &Request<B>) -> Option<Refusal> {
    let bad = |detail| Some(Refusal::closing(StatusCode::BAD_REQUEST, detail));
    let mut lines = request.headers().get_all(HOST).iter();
    match (lines.next(), lines.next()) {
        (None, _) if request.version() == Version::HTTP_11 => {
            bad("HTTP/1.1 requests need a Host field")
        }
        (None, _) => None,
        (Some(_), Some(_)) => bad("The request has more than one Host field"),
        (Some(line), None) if is_host(line.as_bytes()) => None,
        (Some(_), None) => bad("The Host field is no host name"),
    }
}

fn refuse_method<B>(request: &Request<B>) -> Option<Refusal> {
    let method = request.method();
    if method == Method::CONNECT {
        return Some(Refusal::closing(
            StatusCode::NOT_IMPLEMENTED,
            "This server has no such method",
        ));
    }
    (request.uri().path() == "*" && method != Method::OPTIONS).then_some(Refusal::new(
        StatusCode::BAD_REQUEST,
        "Only OPTIONS can be sent to *",
    ))
}

/// `uri-host [ ":" port ]` (RFC 9110 §7.2), not empty, since `http` addresses have a host.
fn is_host(text: &[u8]) -> bool {
    let (name_is_valid, port) = if let Some(rest) = text.strip_prefix(b"[") {
        let Some(end) = rest.iter().position(|&byte| byte == b']') else {
            return false;
        };
        let address = str::from_utf8(&rest[..end]).unwrap_or_default();
        (
            address.parse::<std::net::Ipv6Addr>().is_ok(),
            &rest[end + 1..],
        )
    } else {
        let end = text
            .iter()
            .position(|&byte| byte == b':')
            .unwrap_or(text.len());
        (
            end > 0 && text[..end].iter().all(is_name_byte),
            &text[end..],
        )
    };
    let port_is_valid = match port {
        [] => true,
        [b':', digits @ ..] => digits.len() <= 5 && digits.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    name_is_valid && port_is_valid
}

/// The bytes of a `reg-name` (RFC 3986 §3.2.2).
fn is_name_byte(byte: &u8) -> bool {
    let is_mark = |byte| matches!(byte, b'!' | b'$'..=b'.' | b';' | b'=' | b'_' | b'~');
    byte.is_ascii_alphanumeric() || is_mark(*byte)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn request(method: &str, target: &str, lines: &[(&str, &str)]) -> Request<()> {
        let mut builder = Request::builder().method(method).uri(target);
        for (name, value) in lines {
            builder = builder.header(*name, *value);
        }
        builder.body(()).unwrap()
    }

    #[test]
    fn requests_are_refused_for_their_frame() {
        const HOST: (&str, &str) = ("host", "a.example");
        let at_limit = format!("/{}", "a".repeat(TARGET_BYTES_MAX - 1));
        let above = format!("{at_limit}a");
        let te = "transfer-encoding";
        type Case<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)], Option<u16>);
        let cases: [Case<'_>; 19] = [
            ("GET", "/", &[HOST], None),
            ("GET", "/", &[], Some(400)),
            ("GET", "/", &[HOST, HOST], Some(400)),
            ("GET", "/", &[("host", "a b")], Some(400)),
            ("GET", "http://a.example/", &[HOST], None),
            ("GET", "http://a.example/", &[], Some(400)),
            ("POST", "/", &[HOST, (te, "chunked")], None),
            ("POST", "/", &[HOST, (te, "Chunked")], None),
            ("POST", "/", &[HOST, (te, "gzip, chunked")], Some(501)),
            ("POST", "/", &[HOST, (te, "identity")], Some(501)),
            ("POST", "/", &[HOST, (te, "")], Some(501)),
            ("POST", "/", &[HOST, (te, "chunked, chunked")], Some(400)),
            (
                "POST",
                "/",
                &[HOST, (te, "chunked"), (te, "chunked")],
                Some(400),
            ),
            ("GET", &at_limit, &[HOST], None),
            ("GET", &above, &[HOST], Some(414)),
            ("OPTIONS", "*", &[HOST], None),
            ("GET", "*", &[HOST], Some(400)),
            ("TRACE", "/", &[HOST], None),
            ("CONNECT", "a.example:443", &[HOST], Some(501)),
        ];
        for (method, target, lines, status) in cases {
            let refusal = refuse_early(&request(method, target, lines));
            assert_eq!(
                refusal.map(|refusal| refusal.status.as_u16()),
                status,
                "{method} {target:.20} {lines:?}"
            );
        }
        assert!(is_server_wide(&request("OPTIONS", "*", &[])));
        assert!(!is_server_wide(&request("OPTIONS", "/", &[])));
    }

    #[test]
    fn only_http_1_1_needs_a_host() {
        for version in [Version::HTTP_10, Version::HTTP_2] {
            let mut request = request("GET", "/", &[]);
            *request.version_mut() = version;
            assert_eq!(refuse_early(&request), None, "{version:?}");
        }
    }

    #[test]
    fn hosts_are_names_or_addresses_with_a_port() {
        let cases = [
            ("a.example", true),
            ("a.example:8000", true),
            ("a.example:", true),
            ("127.0.0.1:80", true),
            ("[::1]", true),
            ("[::1]:8000", true),
            ("xn--bcher-kva.example", true),
            ("a_b", true),
            ("", false),
            (":80", false),
            ("a b", false),
            ("a.example:80a", false),
            ("a.example:800000", false),
            ("user@a.example", false),
            ("a.example/path", false),
            ("a.example:80:80", false),
            ("::1", false),
            ("[::1", false),
            ("[::1]x", false),
            ("[x]", false),
            ("bücher.example", false),
            ("a\\b", false),
            ("<a>", false),
        ];
        for (text, expected) in cases {
            assert_eq!(is_host(text.as_bytes()), expected, "host: {text:?}");
        }
    }

    #[test]
    fn the_target_names_the_host_before_the_field() {
        let of = |request: &Request<()>| host(request.uri(), request.headers()).map(str::to_owned);
        let field = [("host", "field.example")];
        assert_eq!(
            of(&request("GET", "http://target.example:81/", &field)).as_deref(),
            Some("target.example:81")
        );
        assert_eq!(
            of(&request("GET", "/", &field)).as_deref(),
            Some("field.example")
        );
        assert_eq!(of(&request("GET", "/", &[])), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_checked(text in proptest::collection::vec(any::<u8>(), 0..40)) {
            is_host(&text);
        }
    }
}
