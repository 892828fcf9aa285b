//! Paths and origins: what the API, pages and browsers are addressed by.

/// What is wrong with a path, and what to write instead where that is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) message: &'static str,
    pub(super) instead: Option<String>,
}

/// Checks a path such as `/api/v1`: it starts with `/`, does not end with one, and its parts
/// have letters, digits, `-`, `.`, `_` and `~` only (RFC 3986, unreserved).
pub(super) fn check(path: &str) -> Result<(), Fault> {
    let fault = |message, instead: Option<String>| Err(Fault { message, instead });
    let Some(parts) = path.strip_prefix('/') else {
        return fault("must start with `/`", repaired(path));
    };
    if path.ends_with('/') {
        return fault("must not end with `/`", repaired(path));
    }
    if parts.split('/').any(str::is_empty) {
        return fault("has an empty part", repaired(path));
    }
    if parts.split('/').any(|part| part == "." || part == "..") {
        return fault("cannot have a part `.` or `..`", None);
    }
    match parts.chars().all(|c| is_unreserved(c) || c == '/') {
        true => Ok(()),
        false => fault(
            "has letters, digits, `-`, `.`, `_` and `~` between slashes only",
            None,
        ),
    }
}

fn repaired(path: &str) -> Option<String> {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let repaired = format!("/{}", parts.join("/"));
    (!parts.is_empty() && check(&repaired).is_ok()).then_some(repaired)
}

fn is_unreserved(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | '~')
}

/// The first part of a path: `api` of `/api/v1`, `""` of `""`.
pub(super) fn first_part(path: &str) -> &str {
    path.split('/').nth(1).unwrap_or_default()
}

/// Checks an origin as browsers send it (RFC 6454, section 6.2): scheme, host, and the port
/// where it is not the scheme's own, in small letters.
pub(super) fn check_origin(origin: &str) -> Result<(), Fault> {
    let fault = |message, instead: Option<String>| Err(Fault { message, instead });
    let Some((scheme, rest)) = origin.split_once("://") else {
        return fault("must start with `https://` or `http://`", None);
    };
    let authority = rest.split('/').next().unwrap_or_default();
    if authority.len() < rest.len() {
        return fault(
            "is a scheme, a host and a port, without a path",
            Some(format!("{scheme}://{authority}")),
        );
    }
    if origin.chars().any(|c| c.is_ascii_uppercase()) {
        return fault(
            "must be in small letters, as browsers send it",
            Some(origin.to_ascii_lowercase()),
        );
    }
    let own_port = match scheme {
        "http" => ":80",
        "https" => ":443",
        _ => return fault("must start with `https://` or `http://`", None),
    };
    if let Some(bare) = authority.strip_suffix(own_port) {
        return fault(
            "must leave out the scheme's own port, as browsers do",
            Some(format!("{scheme}://{bare}")),
        );
    }
    match is_authority(authority) {
        true => Ok(()),
        false => fault("has no valid host and port", None),
    }
}

fn is_authority(authority: &str) -> bool {
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    };
    let port_fits = port.is_none_or(|port| {
        !port.starts_with('0')
            && port.bytes().all(|b| b.is_ascii_digit())
            && port.parse::<u16>().is_ok()
    });
    let address = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    let host_fits = match address {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => {
            !host.is_empty()
                && host.split('.').all(|label| {
                    !label.is_empty()
                        && label
                            .bytes()
                            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
                })
        }
    };
    port_fits && host_fits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_plain() {
        for (path, expected, instead) in [
            ("/api", true, None),
            ("/api/v1.0", true, None),
            ("api", false, Some("/api")),
            ("/api/", false, Some("/api")),
            ("/", false, None),
            ("/a//b", false, Some("/a/b")),
            ("/a b", false, None),
            ("/../a", false, None),
            ("/ä", false, None),
            ("/a?b", false, None),
        ] {
            let found = check(path);
            assert_eq!(found.is_ok(), expected, "path: {path}");
            let found = found.err().and_then(|fault| fault.instead);
            assert_eq!(found.as_deref(), instead, "path: {path}");
        }
    }

    #[test]
    fn origins_are_as_browsers_send_them() {
        for (origin, expected) in [
            ("https://example.org", true),
            ("http://localhost:5173", true),
            ("http://[::1]:3000", true),
            ("http://[::1]", true),
            ("https://example.org/", false),
            ("https://example.org:443", false),
            ("http://a:80", false),
            ("https://Example.org", false),
            ("example.org", false),
            ("ftp://example.org", false),
            ("https://", false),
            ("https://a..b", false),
            ("https://a:99999", false),
            ("https://a:", false),
            ("https://*.example.org", false),
            ("null", false),
        ] {
            assert_eq!(check_origin(origin).is_ok(), expected, "origin: {origin}");
        }
    }
}
