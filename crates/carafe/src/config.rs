//! Settings of a place: options, then the environment, then a file `.env`. The only module
//! that knows where they come from.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use carafe_store::store::Durability;
use clap::ValueEnum;

use crate::args;
use crate::telemetry::{self, LogFormat};

/// The name of the file that declares an application.
pub const DECLARATION: &str = "carafe.toml";

/// Where and how an application is served.
#[derive(Debug)]
pub struct ServeConfig {
    /// Where the declaration is.
    pub folder: PathBuf,
    pub host: String,
    pub port: u16,
    pub public_url: Option<String>,
    pub database: DatabaseConfig,
    /// A replica that reads may go to.
    pub read_database: Option<String>,
    /// The secret key is another than before on this database.
    pub new_secret_key: bool,
    /// `None` where the key is made and kept beside the database.
    pub secret_key: Option<String>,
    pub log_level: String,
    pub log_format: LogFormat,
    pub is_production: bool,
    /// Pending migrations are applied at the start, in production too.
    pub migrate: bool,
}

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

/// What `.env` in `folder` says, empty without one.
///
/// # Errors
///
/// Where the file cannot be read or a line of it is malformed.
pub fn read_dotenv(folder: &Path) -> Result<HashMap<String, String>> {
    let path = folder.join(".env");
    if !path.exists() {
        return Ok(HashMap::new());
    }
    let pairs =
        dotenvy::from_path_iter(&path).with_context(|| format!("read {}", path.display()))?;
    pairs
        .map(|pair| pair.with_context(|| format!("read {}", path.display())))
        .collect()
}

/// The settings of `carafe serve`.
///
/// # Errors
///
/// Where `.env` or a setting is malformed.
pub fn serve(args: &args::Serve, folder: &Path) -> Result<ServeConfig> {
    let dotenv = read_dotenv(folder)?;
    let from_file = |name: &str| dotenv.get(name).cloned();
    let port = match (args.port, from_file("PORT")) {
        (Some(port), _) => port,
        (None, Some(text)) => text
            .parse()
            .with_context(|| format!("PORT in .env is {text:?}, not a port"))?,
        (None, None) => 5000,
    };
    let public_url = args.public_url.clone().or_else(|| from_file("PUBLIC_URL"));
    let place = match (args.env, from_file("CARAFE_ENV")) {
        (Some(place), _) => place,
        (None, Some(text)) => args::Place::from_str(&text, false).map_err(|_| {
            anyhow::anyhow!("CARAFE_ENV in .env is {text:?}; it must be development or production")
        })?,
        (None, None) => args::Place::Development,
    };
    let log_format = match (args.log_format, from_file("LOG_FORMAT")) {
        (Some(format), _) => format,
        (None, Some(text)) => LogFormat::from_str(&text, false).map_err(|_| {
            anyhow::anyhow!("LOG_FORMAT in .env is {text:?}; it must be text or json")
        })?,
        (None, None) if place == args::Place::Production => LogFormat::Json,
        (None, None) => LogFormat::Text,
    };
    Ok(ServeConfig {
        log_format,
        folder: folder.to_owned(),
        host: args
            .host
            .clone()
            .or_else(|| from_file("HOST"))
            .unwrap_or_else(|| "127.0.0.1".to_owned()),
        port,
        public_url: public_url.map(|url| check_public_url(&url)).transpose()?,
        database: database_from(&args.database, folder, &dotenv)?,
        log_level: args
            .log_level
            .clone()
            .or_else(|| from_file("LOG_LEVEL"))
            .unwrap_or_else(|| telemetry::LEVEL.to_owned()),
        secret_key: args.secret_key.clone().or_else(|| from_file("SECRET_KEY")),
        read_database: args
            .read_database
            .clone()
            .or_else(|| from_file("READ_DATABASE_URL")),
        new_secret_key: args.new_secret_key
            || from_file("NEW_SECRET_KEY").is_some_and(|text| text == "true"),
        is_production: place == args::Place::Production,
        migrate: args.migrate || from_file("CARAFE_MIGRATE").is_some_and(|text| text == "true"),
    })
}

/// Whether a command is run where others are served, by `CARAFE_ENV`.
///
/// # Errors
///
/// Where `.env` is malformed.
pub fn is_production(folder: &Path) -> Result<bool> {
    #[expect(clippy::disallowed_methods, reason = "commands have no option for it")]
    let place = std::env::var("CARAFE_ENV").ok();
    let place = match place {
        Some(place) => Some(place),
        None => read_dotenv(folder)?.remove("CARAFE_ENV"),
    };
    Ok(place.as_deref() == Some("production"))
}

/// The database of a command.
///
/// # Errors
///
/// Where `.env` or a setting is malformed.
pub fn database(args: &args::DatabaseArgs, folder: &Path) -> Result<DatabaseConfig> {
    database_from(args, folder, &read_dotenv(folder)?)
}

fn database_from(
    args: &args::DatabaseArgs,
    folder: &Path,
    dotenv: &HashMap<String, String>,
) -> Result<DatabaseConfig> {
    let url = args
        .database
        .clone()
        .or_else(|| dotenv.get("DATABASE_URL").map(|url| beside(folder, url)));
    let url = match url {
        Some(url) => check_database_url(url)?,
        None => format!("sqlite:{}", folder.join("data.db").display()),
    };
    let durability = match (
        args.durability,
        dotenv.get("DURABILITY").map(String::as_str),
    ) {
        (Some(args::Durability::Full), _) | (None, Some("full") | None) => Durability::Full,
        (Some(args::Durability::Normal), _) | (None, Some("normal")) => Durability::Normal,
        (None, Some(other)) => bail!("DURABILITY in .env is {other:?}; it must be full or normal"),
    };
    Ok(DatabaseConfig { url, durability })
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
        url: check_database_url(url.to_owned())?,
        durability: Durability::Full,
    };
    if config.file().is_none() && !is_postgres(&config.url) {
        bail!("a database in memory is gone when the command ends; name a file: sqlite:data.db")
    }
    Ok(config)
}

fn check_database_url(url: String) -> Result<String> {
    if url.starts_with("sqlite://") {
        bail!(
            "write the database's path right behind the colon: sqlite:data.db, or sqlite:/var/lib/notes/data.db"
        )
    }
    if url.starts_with("sqlite:") || is_postgres(&url) {
        return Ok(url);
    }
    bail!("the database must be sqlite:PATH, sqlite::memory: or postgres://USER@HOST/DATABASE")
}

/// A URL of a file `.env`: a relative path in it starts from the folder that it is in.
fn beside(folder: &Path, url: &str) -> String {
    match url.strip_prefix("sqlite:") {
        Some(path) if path != ":memory:" && !path.starts_with("//") => {
            format!("sqlite:{}", folder.join(path).display())
        }
        _ => url.to_owned(),
    }
}

fn check_public_url(url: &str) -> Result<String> {
    let rest = url
        .strip_prefix("https://")
        .or_else(|| url.strip_prefix("http://"));
    match rest.map(|rest| rest.trim_end_matches('/')) {
        Some(authority) if !authority.is_empty() && !authority.contains(['/', '?', '#', ' ']) => {
            Ok(url.trim_end_matches('/').to_owned())
        }
        _ => bail!(
            "the public URL {url:?} must be a scheme and a host, such as https://notes.example.org"
        ),
    }
}

/// The key that signs cookies: as configured, else, in development, from `secret.key` beside the
/// database's file, or beside the declaration where the database is on a server, which is made at the first start and only readable by its owner.
///
/// # Errors
///
/// Where the file cannot be read or made; in production, where no key is configured or one that
/// others can guess.
pub fn secret_key(config: &ServeConfig) -> Result<Vec<u8>> {
    match &config.secret_key {
        Some(key) if config.is_production && is_guessable(key) => bail!(
            "the secret key is one that others can guess\n\nhint: `openssl rand -hex 32` makes a good one"
        ),
        Some(key) => return Ok(key.clone().into_bytes()),
        None if config.is_production => bail!(
            "production needs a secret key: --secret-key, SECRET_KEY or .env\n\n\
             hint: `openssl rand -hex 32` makes a good one"
        ),
        None => {}
    }
    let path = match config.database.file() {
        Some(database) => database.with_file_name("secret.key"),
        None if is_postgres(&config.database.url) => config.folder.join("secret.key"),
        None => return random_key(),
    };
    match std::fs::read(&path) {
        Ok(key) if !key.is_empty() => Ok(key),
        Ok(_) => make_key(&path),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => make_key(&path),
        Err(error) => Err(error).with_context(|| format!("read {}", path.display())),
    }
}

/// Whether a key is of few different characters, or words that stand in examples.
fn is_guessable(key: &str) -> bool {
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
        .map_err(|error| anyhow::anyhow!("no randomness for the secret key: {error}"))?;
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
}
