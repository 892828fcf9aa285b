//! What settings mean, and which values of them cannot be. Where they come from: `settings`.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use carafe_store::store::Durability;
use carafe_web::server::Limits;
use carafe_web::tls::{Files, Tls};

use crate::args;

/// The name of the file that declares an application.
pub const DECLARATION: &str = "carafe.toml";

/// Which database, and how careful with it.
#[derive(Debug)]
pub struct DatabaseConfig {
    /// `sqlite:PATH`, `sqlite::memory:` or `postgres://…`.
    pub url: String,
    pub durability: Durability,
}

impl DatabaseConfig {
    /// The file of the database, `None` for one that is in memory or on a server.
    #[must_use]
    pub fn file(&self) -> Option<PathBuf> {
        self.url
            .strip_prefix("sqlite:")
            .filter(|path| *path != ":memory:")
            .map(PathBuf::from)
    }

    /// Whether it is gone with the process.
    #[must_use]
    pub fn is_in_memory(&self) -> bool {
        self.url == "sqlite::memory:"
    }

    /// The URL of a database on a server, without a password.
    #[must_use]
    pub fn url_without_password(&self) -> String {
        without_password(&self.url).replacen(":***@", "@", 1)
    }

    /// Where it is, for people: a password in the URL is not shown.
    #[must_use]
    pub fn place(&self) -> String {
        match self.file() {
            Some(file) => file.display().to_string(),
            None if is_postgres(&self.url) => without_password(&self.url),
            None => "in memory, gone when the server stops".to_owned(),
        }
    }
}

fn is_postgres(url: &str) -> bool {
    url.starts_with("postgres://") || url.starts_with("postgresql://")
}

/// A setting that holds a secret, for people: only what leads to a place is shown.
#[must_use]
pub fn masked(text: &str) -> String {
    match text.split_once("://") {
        Some(_) if is_postgres(text) => without_password(text),
        Some((scheme, rest)) => {
            let place = rest.split(['?', '#']).next().unwrap_or_default();
            match place.rsplit_once('@') {
                Some((_, host)) => format!("{scheme}://***@{host}"),
                None => format!("{scheme}://{place}"),
            }
        }
        None if text.starts_with("sqlite:") => text.to_owned(),
        None => "***".to_owned(),
    }
}

/// A URL with `***` in place of what stands between the user's name and the host, and without
/// parameters, of which one may be a password.
fn without_password(url: &str) -> String {
    let bare = url.split(['?', '#']).next().unwrap_or_default();
    let (scheme, rest) = bare.split_once("://").unwrap_or(("", bare));
    let Some((user, host)) = rest.rsplit_once('@') else {
        return bare.to_owned();
    };
    match user.split_once(':') {
        Some((name, _)) => format!("{scheme}://{name}:***@{host}"),
        None => bare.to_owned(),
    }
}

impl From<&args::DatabaseArgs> for DatabaseConfig {
    fn from(args: &args::DatabaseArgs) -> Self {
        Self {
            url: args.database.clone(),
            durability: match args.durability {
                args::Durability::Full => Durability::Full,
                args::Durability::Normal => Durability::Normal,
            },
        }
    }
}

/// A database that is there already: not one in memory, and no file that would be made.
///
/// # Errors
///
/// Where the URL is none of a database, and where its file is not there.
pub fn existing_database(url: &str) -> Result<DatabaseConfig> {
    let config = lasting_database(url)?;
    match config.file() {
        Some(file) if !file.is_file() => bail!(
            "there is no file {}\n\nhint: the path starts from the folder that you are in",
            file.display()
        ),
        _ => Ok(config),
    }
}

/// A database that stays: not one in memory.
///
/// # Errors
///
/// Where the URL is none of a database.
pub fn lasting_database(url: &str) -> Result<DatabaseConfig> {
    if Path::new(url).is_file() {
        bail!("{url:?} is a file; write sqlite:{url}")
    }
    let config = DatabaseConfig {
        url: database_url(url).map_err(|error| anyhow!(error))?,
        durability: Durability::Full,
    };
    if config.file().is_none() && !is_postgres(&config.url) {
        bail!("a database in memory is gone when the command ends; name a file: sqlite:data.db")
    }
    Ok(config)
}

/// The URL of a database, as an option takes it.
pub(crate) fn database_url(url: &str) -> Result<String, String> {
    if url.starts_with("sqlite://") {
        return Err(
            "write the database's path right behind the colon: sqlite:data.db, or \
             sqlite:/var/lib/notes/data.db"
                .to_owned(),
        );
    }
    if url.starts_with("sqlite:") || is_postgres(url) {
        return Ok(url.to_owned());
    }
    Err(
        "the database must be sqlite:PATH, sqlite::memory: or postgres://USER@HOST/DATABASE"
            .to_owned(),
    )
}

/// A URL that clients see, as an option takes it, without a slash at its end.
pub(crate) fn public_url(url: &str) -> Result<String, String> {
    let rest = url
        .strip_prefix("https://")
        .or_else(|| url.strip_prefix("http://"));
    match rest.map(|rest| rest.trim_end_matches('/')) {
        Some(authority) if !authority.is_empty() && !authority.contains(['/', '?', '#', ' ']) => {
            Ok(url.trim_end_matches('/').to_owned())
        }
        _ => Err("it must be a scheme and a host, such as https://notes.example.org".to_owned()),
    }
}

/// A level of the log, or several for its parts, as an option takes it: `info,carafe_web=debug`.
pub(crate) fn log_level(text: &str) -> Result<String, String> {
    const LEVELS: [&str; 6] = ["error", "warn", "info", "debug", "trace", "off"];
    let is_level = |part: &str| {
        let level = part.rsplit('=').next().unwrap_or_default().trim();
        LEVELS.contains(&level.to_lowercase().as_str())
    };
    match text.split(',').all(is_level) {
        true => Ok(text.to_owned()),
        false => Err("it must be error, warn, info, debug or trace".to_owned()),
    }
}

/// A time of a second or more with its unit, as an option takes it.
pub(crate) fn interval(text: &str) -> Result<Duration, String> {
    const UNITS: [(char, u64); 4] = [('s', 1), ('m', 60), ('h', 3600), ('d', 86_400)];
    let unit = UNITS.into_iter().find(|(unit, _)| text.ends_with(*unit));
    let seconds = unit.and_then(|(unit, seconds)| {
        let number: u64 = text.strip_suffix(unit)?.parse().ok()?;
        number.checked_mul(seconds).filter(|seconds| *seconds > 0)
    });
    match seconds {
        Some(seconds) => Ok(Duration::from_secs(seconds)),
        None => Err("it must be a number with s, m, h or d, such as 24h".to_owned()),
    }
}

/// A number, as an option takes it.
pub(crate) fn at_least_one(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| "it must be a number from 1".to_owned())
}

/// The certificate that connections are encrypted with, `None` for none.
///
/// # Errors
///
/// Where only one of the two files is given, and where they cannot be used.
pub fn tls(args: &args::Serve) -> Result<Option<Tls>> {
    let files = match (&args.tls_cert, &args.tls_key) {
        (None, None) => return Ok(None),
        (Some(certificate), Some(key)) => Files {
            certificate: certificate.clone(),
            key: key.clone(),
        },
        (Some(_), None) => bail!("--tls-cert needs --tls-key too: the file of its private key"),
        (None, Some(_)) => bail!("--tls-key needs --tls-cert too: the file of the certificate"),
    };
    let tls = Tls::read(files).context("the certificate of --tls-cert cannot be used")?;
    Ok(Some(tls))
}

/// What connections and all of the server may take, and how it stops.
#[must_use]
pub fn limits(args: &args::Serve) -> Limits {
    Limits {
        connections_max: args.max_connections,
        drain_time_max: Duration::from_secs(args.drain_time.into()),
        stop_delay: Duration::from_secs(args.stop_delay.into()),
        ..Limits::default()
    }
}

/// The key that signs cookies: as configured, else, in development, from `secret.key` beside the
/// database's file, or beside the declaration where the database is on a server, which is made at
/// the first start and only readable by its owner.
///
/// # Errors
///
/// Where the file cannot be read or made; in production, where no key is configured or one that
/// others can guess.
pub fn secret_key(args: &args::Serve) -> Result<Vec<u8>> {
    match &args.secret_key {
        Some(key) if args.is_production() && is_guessable(key) => bail!(
            "the secret key is one that others can guess\n\nhint: `openssl rand -hex 32` makes a good one"
        ),
        Some(key) => return Ok(key.clone().into_bytes()),
        None if args.is_production() => bail!(
            "production needs a secret key: --secret-key, SECRET_KEY or .env\n\n\
             hint: `openssl rand -hex 32` makes a good one"
        ),
        None => {}
    }
    let Some(path) = key_file(args) else {
        return random_key();
    };
    match std::fs::read(&path) {
        Ok(key) if !key.is_empty() => Ok(key),
        Ok(_) => make_key(&path),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => make_key(&path),
        Err(error) => Err(error).with_context(|| format!("read {}", path.display())),
    }
}

/// Where the secret key is kept that no setting gives; `None` for that of a database in memory.
#[must_use]
pub fn key_file(args: &args::Serve) -> Option<PathBuf> {
    let database = DatabaseConfig::from(&args.database);
    match database.file() {
        Some(database) => Some(database.with_file_name("secret.key")),
        None if is_postgres(&database.url) => Some(args.folder().join("secret.key")),
        None => None,
    }
}

/// Whether a key is of few different characters, or words that stand in examples.
pub(crate) fn is_guessable(key: &str) -> bool {
    const CHARACTERS_MIN: usize = 8;
    const WORDS: [&str; 7] = [
        "change", "default", "dev-key", "example", "insecure", "password", "secret",
    ];
    let different: HashSet<char> = key.chars().collect();
    let folded = key.to_lowercase();
    different.len() < CHARACTERS_MIN || WORDS.iter().any(|word| folded.contains(word))
}

fn make_key(path: &Path) -> Result<Vec<u8>> {
    use std::io::Write;
    let key: String = random_key()?
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options
        .open(path)
        .and_then(|mut file| file.write_all(key.as_bytes()));
    written.with_context(|| format!("write {}", path.display()))?;
    Ok(key.into_bytes())
}

pub(crate) fn random_key() -> Result<Vec<u8>> {
    let mut key = vec![0; 32];
    getrandom::fill(&mut key)
        .map_err(|error| anyhow!("no randomness for the secret key: {error}"))?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_not_shown() {
        let cases = [
            ("sqlite:/var/notes.db", "/var/notes.db"),
            (
                "postgres://ann:s3cr@t@db/notes?sslmode=require&password=s3cret",
                "postgres://ann:***@db/notes",
            ),
            (
                "postgresql://ann@db:5433/notes",
                "postgresql://ann@db:5433/notes",
            ),
            ("postgres://db/notes", "postgres://db/notes"),
        ];
        for (url, expected) in cases {
            let config = DatabaseConfig {
                url: url.to_owned(),
                durability: Durability::Full,
            };
            assert_eq!(config.place(), expected, "URL: {url}");
            assert!(!config.url_without_password().contains("***"), "URL: {url}");
        }
    }

    #[test]
    fn of_a_secret_only_its_place_is_shown() {
        let cases = [
            ("3f1c9a7e5b2d8046", "***"),
            ("sqlite:/var/notes.db", "sqlite:/var/notes.db"),
            (
                "postgres://ann:s3cret@db/notes?a=b",
                "postgres://ann:***@db/notes",
            ),
            (
                "https://s3cret@errors.example.org/1",
                "https://***@errors.example.org/1",
            ),
            (
                "https://traces.example.org/v1?key=s3cret",
                "https://traces.example.org/v1",
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(masked(text), expected, "text: {text}");
        }
    }
}
