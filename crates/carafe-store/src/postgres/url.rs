//! The URL of a PostgreSQL database: that of libpq (PostgreSQL documentation, section
//! "Connection URIs"), with the parameters on certificates that the driver leaves out.

use std::path::PathBuf;
use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::SslMode;

/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long nothing that was sent may stay unacknowledged before the server counts as gone.
const UNACKNOWLEDGED_TIMEOUT: Duration = Duration::from_secs(10);

/// Where a database is, and how its server is to be believed.
#[derive(Clone, Debug)]
pub(crate) struct Url {
    pub(crate) config: Config,
    pub(crate) trust: Trust,
}

/// What the certificate of a server must show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Trust {
    /// Nothing: `sslmode=prefer` and `require`.
    Any,
    /// That an authority has signed it: `verify-ca`, and `require` with an `sslrootcert`.
    Authority(Roots),
    /// That and the host's name: `verify-full`.
    Host(Roots),
}

/// The authorities that are believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Roots {
    /// Those of the operating system.
    System,
    /// Those in a PEM file (`sslrootcert`).
    File(PathBuf),
}

impl Url {
    /// Whether a database's URL is meant for PostgreSQL.
    pub(crate) fn is_one(text: &str) -> bool {
        text.starts_with("postgres://") || text.starts_with("postgresql://")
    }

    /// Reads a URL.
    ///
    /// # Errors
    ///
    /// What is wrong with it, without its password.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let (rest, query) = text.split_once('?').unwrap_or((text, ""));
        let (mut mode, mut root) = (None, None);
        let mut kept = Vec::new();
        for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
            match parameter.split_once('=') {
                Some(("sslmode", value)) => mode = Some(value),
                Some(("sslrootcert", value)) => root = Some(decoded(value)?),
                Some(_) => kept.push(parameter),
                None => return Err(format!("{parameter:?} is no parameter: it has no value")),
            }
        }
        let bare = match kept.is_empty() {
            true => rest.to_owned(),
            false => format!("{rest}?{}", kept.join("&")),
        };
        let mut config: Config = bare.parse().map_err(|err| cause(&err))?;
        let roots = match root {
            None => Roots::System,
            Some(path) if path == "system" => Roots::System,
            Some(path) => Roots::File(PathBuf::from(path)),
        };
        let has_file = matches!(roots, Roots::File(_));
        let (ssl, trust) = match mode.unwrap_or("prefer") {
            "disable" => (SslMode::Disable, Trust::Any),
            "prefer" => (SslMode::Prefer, Trust::Any),
            "require" if has_file => (SslMode::Require, Trust::Authority(roots)),
            "require" => (SslMode::Require, Trust::Any),
            "verify-ca" => (SslMode::Require, Trust::Authority(roots)),
            "verify-full" => (SslMode::Require, Trust::Host(roots)),
            other => {
                return Err(format!(
                    "sslmode {other:?} must be disable, prefer, require, verify-ca or verify-full"
                ));
            }
        };
        config.ssl_mode(ssl);
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT_TIMEOUT);
        }
        if config.get_tcp_user_timeout().is_none() {
            config.tcp_user_timeout(UNACKNOWLEDGED_TIMEOUT);
        }
        if config.get_application_name().is_none() {
            config.application_name("carafe");
        }
        if config.get_hosts().is_empty() {
            return Err("it names no host".to_owned());
        }
        Ok(Self { config, trust })
    }
}

/// `%2F` and the like, as in any URL.
fn decoded(text: &str) -> Result<String, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digits = [rest.next(), rest.next()].map(|digit| char::from(digit.unwrap_or(b'-')));
        let value = digits
            .iter()
            .try_fold(0, |value, digit| Some(value * 16 + digit.to_digit(16)?));
        let value = value.and_then(|value| u8::try_from(value).ok());
        bytes.push(value.ok_or_else(|| format!("{text:?} has a % that stands for nothing"))?);
    }
    String::from_utf8(bytes).map_err(|_| format!("{text:?} is no text"))
}

/// The last reason of an error: the ones before only say that there is one.
fn cause(err: &dyn std::error::Error) -> String {
    match err.source() {
        Some(source) => cause(source),
        None => err.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_certificate_is_checked_as_the_url_says() {
        let file = || Roots::File(PathBuf::from("/etc/ca s.pem"));
        let cases = [
            ("", SslMode::Prefer, Trust::Any),
            ("?sslmode=disable", SslMode::Disable, Trust::Any),
            ("?sslmode=require", SslMode::Require, Trust::Any),
            (
                "?sslmode=require&sslrootcert=%2Fetc/ca%20s.pem",
                SslMode::Require,
                Trust::Authority(file()),
            ),
            (
                "?sslmode=verify-ca&sslrootcert=system",
                SslMode::Require,
                Trust::Authority(Roots::System),
            ),
            (
                "?connect_timeout=2&sslmode=verify-full&sslrootcert=/etc/ca%20s.pem",
                SslMode::Require,
                Trust::Host(file()),
            ),
        ];
        for (query, mode, trust) in cases {
            let url = Url::parse(&format!("postgres://ann:secret@db/notes{query}")).expect(query);
            assert_eq!(url.config.get_ssl_mode(), mode, "query: {query}");
            assert_eq!(url.trust, trust, "query: {query}");
            assert_eq!(url.config.get_dbname(), Some("notes"));
        }
    }

    #[test]
    fn a_malformed_url_is_refused_without_its_password() {
        let cases = [
            "postgres://ann:secret@db/notes?sslmode=maybe",
            "postgres://ann:secret@db/notes?sslmode",
            "postgres://ann:secret@db/notes?color=red",
            "postgres://ann:secret@db:port/notes",
            "postgres:///notes",
            "postgres://ann:secret@db/notes?sslrootcert=%zz",
        ];
        for url in cases {
            let refused = Url::parse(url).expect_err(url);
            assert!(!refused.contains("secret"), "{refused}");
        }
    }
}
