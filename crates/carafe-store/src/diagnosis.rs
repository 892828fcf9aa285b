//! What a database says of itself, for whoever looks after it. Nothing is made or changed.

use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode};

use crate::database::Options;
use crate::error::{Cause, Error, Result};
use crate::migrate::MAY_BE_MADE;
use crate::postgres::connection::CONNECTIONS_MAX;
use crate::postgres::database::Postgres;
use crate::sqlite::connection::{self, Place};

/// What was found.
#[derive(Clone, Debug, PartialEq)]
pub enum Diagnosis {
    Sqlite(File),
    Postgres(Server),
}

/// A file of SQLite.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// That of the library in this program.
    pub version: &'static str,
    /// `wal`, or what another program has made of it.
    pub journal_mode: String,
    pub damage: Damage,
}

/// Whether a file is sound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Damage {
    None,
    /// What is wrong, at most ten lines.
    Found(Vec<String>),
    /// Looking took longer than [`CHECK_TIME_MAX`].
    Unknown,
}

/// A server of PostgreSQL, and the database that a connection leads to.
#[derive(Clone, Debug, PartialEq)]
pub struct Server {
    /// `15.14 (Debian 15.14-0+deb12u1)`
    pub version: String,
    /// It follows another one, and takes no writes.
    pub is_replica: bool,
    /// Off: a power cut destroys the database.
    pub fsync: bool,
    pub full_page_writes: bool,
    /// What the server, the database or the user says where a session says nothing.
    pub synchronous_commit: String,
    /// For users that are no superusers.
    pub connections_max: u32,
    /// Those of others now.
    pub connections: u32,
    /// The extension `pg_trgm` is there, or a server makes it at its next start.
    pub has_trigrams: bool,
    /// Seconds since 1970 by the server's clock.
    pub clock: f64,
}

/// How long the check of a file may take.
pub const CHECK_TIME_MAX: Duration = Duration::from_secs(20);

/// Connections that a process has at most.
pub const POOL_MAX: usize = CONNECTIONS_MAX;

/// Steps of SQLite's machine between two looks at the clock.
const STEPS_A_LOOK: i32 = 10_000;

/// Asks a database, whose file must be there.
///
/// # Errors
///
/// `Unavailable` or `Other`.
pub async fn diagnose(url: &str) -> Result<Diagnosis> {
    if Postgres::is_url(url) {
        let database = Postgres::open(url, Options::default())?;
        let found = server(&database).await;
        database.close().await;
        return found.map(Diagnosis::Postgres);
    }
    let Some(Place::File(path)) = Place::parse(url) else {
        let text = format!("{url:?} is neither a file of SQLite nor a database of PostgreSQL");
        return Err(Error::Unavailable(Cause::from(text)));
    };
    let found = tokio::task::spawn_blocking(move || file(&path)).await;
    let found = found.map_err(|error| Error::Other(Box::new(error)))?;
    found.map(Diagnosis::Sqlite)
}

fn file(path: &Path) -> Result<File> {
    let mut connection = connection::reader(path)?;
    let journal_mode = connection.query_row("PRAGMA journal_mode", [], |row| row.get(0))?;
    Ok(File {
        version: rusqlite::version(),
        journal_mode,
        damage: damage(&mut connection)?,
    })
}

fn damage(connection: &mut Connection) -> Result<Damage> {
    let end = Instant::now() + CHECK_TIME_MAX;
    connection.progress_handler(STEPS_A_LOOK, Some(move || end < Instant::now()))?;
    let mut statement = connection.prepare("PRAGMA quick_check(10)")?;
    let lines: rusqlite::Result<Vec<String>> = statement
        .query_map([], |row| row.get(0))
        .and_then(Iterator::collect);
    match lines {
        Ok(lines) if lines == ["ok"] => Ok(Damage::None),
        Ok(lines) => Ok(Damage::Found(lines)),
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted) => {
            Ok(Damage::Unknown)
        }
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseCorrupt) => {
            Ok(Damage::Found(vec![error.to_string()]))
        }
        Err(error) => Err(error.into()),
    }
}

/// `reset_val` is what a session begins with; ours then sets its own.
const SERVER: &str = "SELECT current_setting('server_version'), pg_is_in_recovery(), \
     current_setting('fsync')::bool, current_setting('full_page_writes')::bool, \
     (SELECT reset_val FROM pg_settings WHERE name = 'synchronous_commit'), \
     current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int, \
     (SELECT count(*)::int FROM pg_stat_activity \
      WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()), \
     extract(epoch FROM clock_timestamp())::float8, \
     EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_trgm') \
     OR EXISTS (SELECT FROM pg_available_extension_versions WHERE name = 'pg_trgm' AND ";

async fn server(database: &Postgres) -> Result<Server> {
    let client = database.client().await?;
    let asked = format!("{SERVER}{MAY_BE_MADE})");
    let row = client.query_one(&asked, &[]).await?;
    let count = |index| u32::try_from(row.get::<_, i32>(index)).unwrap_or(0);
    Ok(Server {
        version: row.get(0),
        is_replica: row.get(1),
        fsync: row.get(2),
        full_page_writes: row.get(3),
        synchronous_commit: row.get(4),
        connections_max: count(5),
        connections: count(6),
        clock: row.get(7),
        has_trigrams: row.get(8),
    })
}
