//! Error reports for Sentry, or what speaks its protocol: an envelope for each event.

use std::str::FromStr;

use anyhow::{Result, anyhow, bail};
use carafe_web::span::Failure;
use http::{HeaderName, HeaderValue, Uri};
use serde_json::json;

use crate::export::{Receiver, Target};

const AUTH: HeaderName = HeaderName::from_static("x-sentry-auth");

/// Where error reports go, as Sentry shows it: `https://KEY@HOST/PROJECT`.
#[derive(Clone, Debug)]
pub struct Dsn {
    /// Where envelopes are taken.
    url: Uri,
    key: String,
}

impl FromStr for Dsn {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let wrong = || anyhow!("it must be as Sentry shows it: https://KEY@HOST/PROJECT");
        let (scheme, rest) = text.split_once("://").ok_or_else(wrong)?;
        let (user, place) = rest.split_once('@').ok_or_else(wrong)?;
        let (place, project) = place.rsplit_once('/').ok_or_else(wrong)?;
        // A secret behind the key is of older versions, and not needed.
        let key = user.split(':').next().unwrap_or_default();
        let is_word =
            |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric());
        if !is_word(key) || !is_word(project) || place.is_empty() {
            bail!(wrong());
        }
        Ok(Self {
            url: Target::parse_url(&format!("{scheme}://{place}/api/{project}/envelope/"))?,
            key: key.to_owned(),
        })
    }
}

/// Who takes error reports of servers in `environment`, such as `production`.
///
/// # Errors
///
/// Where the key cannot stand in a header field.
pub(crate) fn receiver(dsn: &Dsn, environment: &'static str) -> Result<Receiver<Failure>> {
    let version = env!("CARGO_PKG_VERSION");
    let auth = format!(
        "Sentry sentry_version=7, sentry_client=carafe/{version}, sentry_key={}",
        dsn.key
    );
    let mut auth = HeaderValue::from_str(&auth)?;
    auth.set_sensitive(true);
    Ok(Receiver {
        what: "error reports",
        target: Target {
            url: dsn.url.clone(),
            content_type: "application/x-sentry-envelope",
            headers: vec![(AUTH, auth)],
        },
        batch_max: 1,
        encode: Box::new(move |failures| {
            let envelopes = failures
                .iter()
                .map(|failure| envelope(failure, environment));
            envelopes.collect::<String>().into_bytes()
        }),
    })
}

/// The head of the envelope, that of its one item, and the item, a line each. The event has the
/// id of the request.
fn envelope(failure: &Failure, environment: &str) -> String {
    let span = &failure.span;
    let id = span.request_id.simple().to_string();
    let route = span.route.as_deref().unwrap_or("unmatched");
    let name = format!("{} {route}", span.method);
    let mut tags = json!({
        "request_id": span.request_id.to_string(),
        "route": route,
        "status": span.status.as_str(),
    });
    if let Some(resource) = &span.resource {
        tags["resource"] = json!(resource);
    }
    let event = json!({
        "event_id": id,
        "timestamp": span.ended_at.to_string(),
        "platform": "other",
        "level": "error",
        "logger": "carafe",
        "release": concat!("carafe@", env!("CARGO_PKG_VERSION")),
        "environment": environment,
        "transaction": name,
        "tags": tags,
        "request": { "method": span.method.as_str(), "url": span.path },
        "exception": { "values": [{
            "type": span.status.canonical_reason().unwrap_or("Error"),
            "value": failure.cause,
        }] },
        "contexts": { "trace": {
            "trace_id": span.context.trace.to_string(),
            "span_id": span.context.span.to_string(),
            "op": "http.server",
        } },
    });
    let event = event.to_string();
    let head = json!({ "event_id": id });
    let item = json!({ "type": "event", "length": event.len() });
    format!("{head}\n{item}\n{event}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dsn_names_key_host_and_project() {
        let cases = [
            (
                "https://abc@sentry.example.org/42",
                "https://sentry.example.org/api/42/envelope/",
            ),
            (
                "https://abc:old@a.example/x/42",
                "https://a.example/x/api/42/envelope/",
            ),
            (
                "http://abc@127.0.0.1:9000/1",
                "http://127.0.0.1:9000/api/1/envelope/",
            ),
        ];
        for (text, url) in cases {
            let dsn: Dsn = text.parse().unwrap();
            assert_eq!(
                (dsn.url.to_string().as_str(), dsn.key.as_str()),
                (url, "abc"),
                "{text}"
            );
        }
        for wrong in [
            "",
            "https://sentry.example.org/42",
            "https://abc@host",
            "https://@h/1",
            "https://abc@h/",
            "ftp://abc@h/1",
        ] {
            assert!(wrong.parse::<Dsn>().is_err(), "{wrong}");
        }
    }
}
