//! Opening a connection, and running statements on it.

use std::ffi::c_int;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use carafe_model::fold;
use carafe_model::value::{Value, valid};
use rusqlite::config::DbConfig;
use rusqlite::functions::FunctionFlags;
use rusqlite::hooks::Wal;
use rusqlite::types::ValueRef;
use rusqlite::{CachedStatement, Connection, OpenFlags};

use crate::figures::Counted;
use crate::sqlite::readers::Idle;
use crate::statement::{Parameter, Statement};
use crate::store::Durability;

/// How long one waits for a lock that another process holds.
pub(crate) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Prepared statements that a connection keeps.
const STATEMENTS_MAX: usize = 256;

/// Pages in the log before a commit carries them over into the database: 8 MiB. A larger log
/// makes writes slower.
const CHECKPOINT_PAGES: i64 = 2000;

/// Bytes that the log is cut to after a checkpoint.
const LOG_BYTES_MAX: i64 = 16 * 1024 * 1024;

const WRITER_CACHE_KIB: i64 = 8 * 1024;
/// Room for the inner pages of a table of a million rows, and some more.
const READER_CACHE_KIB: i64 = 4 * 1024;

/// Where a database is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    File(PathBuf),
    Memory,
}

impl Place {
    /// `sqlite:PATH`, also written `sqlite://PATH`, or `sqlite::memory:`.
    pub(crate) fn parse(url: &str) -> Option<Self> {
        let path = url.strip_prefix("sqlite:")?;
        let path = path.strip_prefix("//").unwrap_or(path);
        match path {
            "" => None,
            ":memory:" => Some(Place::Memory),
            path => Some(Place::File(PathBuf::from(path))),
        }
    }
}

/// The connection that writes; makes the file if it is not there.
pub(crate) fn writer(place: &Place, durability: Durability) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = match place {
        Place::File(path) => Connection::open_with_flags(path, flags)?,
        Place::Memory => Connection::open_in_memory_with_flags(flags)?,
    };
    prepare(&connection, WRITER_CACHE_KIB)?;
    if *place != Place::Memory {
        connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
        connection
            .pragma_update_and_check(None, "wal_autocheckpoint", CHECKPOINT_PAGES, |_| Ok(()))?;
        connection.pragma_update_and_check(
            None,
            "journal_size_limit",
            LOG_BYTES_MAX,
            |_| Ok(()),
        )?;
    }
    let synchronous = match durability {
        Durability::Full => "FULL",
        Durability::Normal => "NORMAL",
    };
    connection.pragma_update(None, "synchronous", synchronous)?;
    Ok(connection)
}

/// Carries the log over into the database in a commit, once [`CHECKPOINT_PAGES`] are in the log,
/// and measures how long that takes. This takes the place of SQLite's own hook, which would not
/// end the snapshots that idle connections keep: the log could not be taken from the start again.
/// Where it fails, the next commit tries again.
pub(crate) fn carry_over_at_commit(
    connection: &mut Connection,
    counted: &Arc<Counted>,
    idle: &Arc<Idle>,
) -> rusqlite::Result<()> {
    let (counted, idle) = (Arc::clone(counted), Arc::clone(idle));
    let checkpoint = move |log: &mut Wal, pages: c_int| {
        if i64::from(pages) >= CHECKPOINT_PAGES {
            idle.leave_log();
            let started = Instant::now();
            let _ = log.checkpoint();
            counted.checkpoints.record_micros(started.elapsed());
            idle.renew();
        }
        Ok(())
    };
    connection.wal_hook(Some(checkpoint))
}

/// A connection that reads. It may write to the file's shared memory, which reading a log
/// needs, but no statement of it can change anything.
pub(crate) fn reader(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    prepare(&connection, READER_CACHE_KIB)?;
    connection.pragma_update(None, "query_only", true)?;
    Ok(connection)
}

fn prepare(connection: &Connection, cache_kib: i64) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    // Negative: in KiB and not in pages.
    connection.pragma_update(None, "cache_size", -cache_kib)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    // A statement keeps its plan whatever is bound: each new LIMIT had it prepared again.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    // What is read from a damaged file is checked and not trusted, before anything is written
    // into it.
    connection.pragma_update(None, "cell_size_check", true)?;
    register(connection)
}

/// The functions that statements of ours call. No trigger or index does, because other
/// programs, which lack them, fire those.
fn register(connection: &Connection) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8
        | FunctionFlags::SQLITE_DETERMINISTIC
        | FunctionFlags::SQLITE_DIRECTONLY;
    connection.create_scalar_function("carafe_contains", -1, flags, |context| {
        let ValueRef::Text(folded) = context.get_raw(0) else {
            return Ok(false);
        };
        let folded = valid(folded);
        Ok(
            (1..context.len()).any(|index| match context.get_raw(index) {
                ValueRef::Text(text) => fold::contains(valid(text), folded),
                ValueRef::Null | ValueRef::Integer(_) | ValueRef::Real(_) | ValueRef::Blob(_) => {
                    false
                }
            }),
        )
    })
}

/// A statement of `text` from the cache, with `parameters` bound.
pub(crate) fn bound<'c>(
    connection: &'c Connection,
    text: &str,
    parameters: &[Parameter],
    inserted_id: i64,
) -> rusqlite::Result<CachedStatement<'c>> {
    let mut statement = connection.prepare_cached(text)?;
    bind_all(&mut statement, parameters, inserted_id)?;
    Ok(statement)
}

/// Binds all parameters of a statement.
pub(crate) fn bind_all(
    statement: &mut rusqlite::Statement<'_>,
    parameters: &[Parameter],
    inserted_id: i64,
) -> rusqlite::Result<()> {
    for (index, parameter) in (1..).zip(parameters) {
        match parameter {
            Parameter::InsertedId => statement.raw_bind_parameter(index, inserted_id),
            Parameter::Value(value) => bind(statement, index, value),
        }?;
    }
    Ok(())
}

/// A statement from the cache.
pub(crate) fn prepared<'c>(
    connection: &'c Connection,
    statement: &Statement,
) -> rusqlite::Result<CachedStatement<'c>> {
    bound(connection, statement.text(), statement.parameters(), 0)
}

/// Runs a statement, and returns how many rows it changed.
pub(crate) fn run(connection: &Connection, statement: &Statement) -> rusqlite::Result<usize> {
    prepared(connection, statement)?.raw_execute()
}

/// Binds a value.
pub(crate) fn bind(
    statement: &mut rusqlite::Statement<'_>,
    index: usize,
    value: &Value,
) -> rusqlite::Result<()> {
    match value {
        Value::Null => statement.raw_bind_parameter(index, rusqlite::types::Null),
        Value::Boolean(value) => statement.raw_bind_parameter(index, *value),
        Value::Integer(value) => statement.raw_bind_parameter(index, *value),
        Value::Number(value) => statement.raw_bind_parameter(index, *value),
        Value::Text(value) => statement.raw_bind_parameter(index, value.as_str()),
    }
}
