//! Whether a form was ours: where the request comes from, and the token in the form.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderMap;
use http::header::{HeaderName, HeaderValue, ORIGIN};
use minijinja::value::{Object, ObjectRepr};

use crate::cookie::{Lifetime, Name};
use crate::sign::{Purpose, SecretKey};

/// The cookie that form tokens are bound to.
pub const COOKIE: Name = Name::new("carafe_form", "__Host-carafe_form");

/// The input of a form that holds the token.
pub const FORM_FIELD: &str = "csrf_token";

const COOKIE_PURPOSE: Purpose = Purpose::new("form cookie");
const TOKEN_PURPOSE: Purpose = Purpose::new("form token");
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// One browser, as its cookie names it: random, signed, and nowhere stored. Any node that has
/// the secret key makes and checks the tokens of its forms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Browser([u8; 16]);

impl Browser {
    /// A browser that has no cookie yet.
    ///
    /// # Errors
    ///
    /// When the operating system has no random numbers.
    pub fn random() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes)?;
        Ok(Self(bytes))
    }

    /// The browser that a request comes from; `None` where the cookie is missing or forged.
    #[must_use]
    pub fn read(key: &SecretKey, headers: &HeaderMap, secure: bool) -> Option<Self> {
        COOKIE
            .values(headers, secure)
            .find_map(|value| key.verify(COOKIE_PURPOSE, value)?.try_into().ok())
            .map(Self)
    }

    /// The `Set-Cookie` value that lets the browser be known again.
    #[must_use]
    pub fn set_cookie(&self, key: &SecretKey, secure: bool) -> HeaderValue {
        COOKIE
            .set(
                &key.sign(COOKIE_PURPOSE, &self.0),
                Lifetime::Session,
                secure,
            )
            .expect("base64 and a point are fit for a cookie")
    }

    /// The token for this browser's forms.
    #[must_use]
    pub fn token(&self, key: &SecretKey) -> Token {
        Token {
            key: key.clone(),
            browser: *self,
            is_shown: AtomicBool::new(false),
        }
    }

    fn owns(&self, key: &SecretKey, token: &str) -> bool {
        key.is_signature(TOKEN_PURPOSE, &self.0, token)
    }
}

/// The token for a browser's forms, made where it is shown: most pages have no form.
#[derive(Debug)]
pub struct Token {
    key: SecretKey,
    browser: Browser,
    is_shown: AtomicBool,
}

impl Token {
    /// Whether the page has it, and so is for this browser alone.
    #[must_use]
    pub fn is_shown(&self) -> bool {
        self.is_shown.load(Ordering::Relaxed)
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.is_shown.store(true, Ordering::Relaxed);
        let signature = self.key.signature(TOKEN_PURPOSE, &self.browser.0);
        f.write_str(&URL_SAFE_NO_PAD.encode(signature))
    }
}

impl Object for Token {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// Why a write was not taken for ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Another site sent it.
    #[error("the request comes from another site")]
    CrossSite,
    /// The form has no token, or the browser no cookie.
    #[error("the form token is missing")]
    TokenMissing,
    /// The token is not that of this browser.
    #[error("the form token is wrong")]
    TokenWrong,
}

/// Checks a form post: not from another site, and with this browser's token.
///
/// `host` is the authority that the request was sent to. `browser` is what [`Browser::read`]
/// found, `token` what the form brought in [`FORM_FIELD`].
///
/// # Errors
///
/// The first [`Refusal`] that holds. A post without a token is refused whatever its headers say.
pub fn check(
    key: &SecretKey,
    headers: &HeaderMap,
    host: &str,
    browser: Option<&Browser>,
    token: Option<&str>,
) -> Result<(), Refusal> {
    check_site(headers, host)?;
    let (Some(browser), Some(token)) = (browser, token) else {
        return Err(Refusal::TokenMissing);
    };
    if browser.owns(key, token) {
        Ok(())
    } else {
        Err(Refusal::TokenWrong)
    }
}

/// Checks that no other site sent a request, for writes that a cookie signs in.
///
/// `Sec-Fetch-Site` decides where it is there: browsers set it and scripts cannot. Otherwise
/// `Origin` must name `host`; only the authority is compared, since a proxy may have ended TLS
/// before us. A request with neither is not from a current browser and passes.
///
/// # Errors
///
/// [`Refusal::CrossSite`].
pub fn check_site(headers: &HeaderMap, host: &str) -> Result<(), Refusal> {
    let is_ours = if let Some(site) = headers.get(&SEC_FETCH_SITE) {
        headers.get_all(&SEC_FETCH_SITE).iter().count() == 1
            && (site == "same-origin" || site == "none")
    } else {
        headers
            .get_all(ORIGIN)
            .iter()
            .all(|origin| origin.to_str().is_ok_and(|origin| names_host(origin, host)))
    };
    if is_ours {
        Ok(())
    } else {
        Err(Refusal::CrossSite)
    }
}

/// Whether `origin` (`scheme://authority`) is of `host`, where either may say the scheme's
/// default port.
fn names_host(origin: &str, host: &str) -> bool {
    let Some((scheme, authority)) = origin.split_once("://") else {
        return false;
    };
    let default_port = if scheme.eq_ignore_ascii_case("https") {
        ":443"
    } else if scheme.eq_ignore_ascii_case("http") {
        ":80"
    } else {
        return false;
    };
    let bare = |text| str::strip_suffix(text, default_port).unwrap_or(text);
    !authority.is_empty() && bare(authority).eq_ignore_ascii_case(bare(host))
}

#[cfg(test)]
mod tests {
    use http::header;
    use proptest::prelude::*;

    use super::*;
    use crate::sign::tests::key;

    const BROWSER: Browser = Browser(*b"0123456789abcdef");
    const HOST: &str = "notes.example:8000";

    fn headers(lines: &[(HeaderName, &'static str)]) -> HeaderMap {
        lines
            .iter()
            .map(|(name, value)| (name.clone(), HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn other_sites_are_refused() {
        let cases: [(&[(HeaderName, &str)], bool); 18] = [
            (&[], true),
            (&[(SEC_FETCH_SITE, "same-origin")], true),
            (&[(SEC_FETCH_SITE, "none")], true),
            (&[(SEC_FETCH_SITE, "same-site")], false),
            (&[(SEC_FETCH_SITE, "cross-site")], false),
            (&[(SEC_FETCH_SITE, "Same-Origin")], false),
            (&[(SEC_FETCH_SITE, "")], false),
            (
                &[
                    (SEC_FETCH_SITE, "same-origin"),
                    (SEC_FETCH_SITE, "cross-site"),
                ],
                false,
            ),
            (
                &[
                    (SEC_FETCH_SITE, "cross-site"),
                    (ORIGIN, "http://notes.example:8000"),
                ],
                false,
            ),
            (
                &[
                    (SEC_FETCH_SITE, "same-origin"),
                    (ORIGIN, "https://proxy.example"),
                ],
                true,
            ),
            (&[(ORIGIN, "http://notes.example:8000")], true),
            (&[(ORIGIN, "https://NOTES.example:8000")], true),
            (&[(ORIGIN, "http://notes.example")], false),
            (&[(ORIGIN, "http://evil.example")], false),
            (&[(ORIGIN, "http://evil.example/notes.example:8000")], false),
            (&[(ORIGIN, "null")], false),
            (&[(ORIGIN, "")], false),
            (
                &[
                    (ORIGIN, "http://notes.example:8000"),
                    (ORIGIN, "http://evil.example"),
                ],
                false,
            ),
        ];
        for (lines, ours) in cases {
            assert_eq!(check_site(&headers(lines), HOST).is_ok(), ours, "{lines:?}");
        }
    }

    #[test]
    fn default_ports_need_not_be_said() {
        let cases = [
            ("https://a.example", "a.example:443", true),
            ("https://a.example:443", "a.example", true),
            ("http://a.example", "a.example:80", true),
            ("http://a.example", "a.example:443", false),
            ("https://a.example", "a.example:80", false),
            ("http://[::1]:80", "[::1]", true),
            ("ftp://a.example", "a.example", false),
            ("http://", "", false),
        ];
        for (origin, host, expected) in cases {
            assert_eq!(names_host(origin, host), expected, "{origin} at {host}");
        }
    }

    #[test]
    fn a_form_needs_the_token_of_its_browser() {
        let key = key();
        let other = Browser(*b"fedcba9876543210");
        let token = BROWSER.token(&key).to_string();
        let cases = [
            (Some(&BROWSER), Some(token.as_str()), Ok(())),
            (Some(&BROWSER), None, Err(Refusal::TokenMissing)),
            (None, Some(token.as_str()), Err(Refusal::TokenMissing)),
            (None, None, Err(Refusal::TokenMissing)),
            (Some(&other), Some(token.as_str()), Err(Refusal::TokenWrong)),
            (Some(&BROWSER), Some(""), Err(Refusal::TokenWrong)),
        ];
        for (browser, token, expected) in cases {
            assert_eq!(
                check(&key, &HeaderMap::new(), HOST, browser, token),
                expected,
                "{browser:?} {token:?}"
            );
        }
        let cross = headers(&[(SEC_FETCH_SITE, "cross-site")]);
        assert_eq!(
            check(&key, &cross, HOST, Some(&BROWSER), Some(&token)),
            Err(Refusal::CrossSite)
        );
    }

    #[test]
    fn a_browser_is_known_again_by_its_cookie_only() {
        let key = key();
        let set = BROWSER.set_cookie(&key, true);
        let pair = set.to_str().unwrap().split(';').next().unwrap().to_owned();
        let returned = |text: &str| {
            HeaderMap::from_iter([(header::COOKIE, HeaderValue::from_str(text).unwrap())])
        };
        assert_eq!(Browser::read(&key, &returned(&pair), true), Some(BROWSER));
        let tossed = format!("__Host-carafe_form=forged.AAAA; {pair}");
        assert_eq!(Browser::read(&key, &returned(&tossed), true), Some(BROWSER));
        let flash = key.sign(Purpose::new("flash"), b"0123456789abcdef");
        let swapped = format!("__Host-carafe_form={flash}");
        assert_eq!(Browser::read(&key, &returned(&swapped), true), None);
    }

    proptest! {
        #[test]
        fn no_other_token_passes(token in "\\PC*") {
            prop_assert!(!BROWSER.owns(&key(), &token));
        }

        #[test]
        fn any_origin_is_compared(origin in "\\PC*", host in "\\PC*") {
            names_host(&origin, &host);
        }
    }
}
