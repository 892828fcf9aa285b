//! What SQLite's errors mean to the caller.

use carafe_model::resource::{Column, Resource};
use rusqlite::ErrorCode;
use rusqlite::ffi;

use crate::error::{Cause, Error};

impl From<rusqlite::Error> for Error {
    fn from(err: rusqlite::Error) -> Self {
        match err.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Error::Full(Box::new(err)),
            // A full tmpfs or quota fails the write itself, and not with SQLITE_FULL.
            Some(ErrorCode::SystemIoFailure) if is_write_failure(&err) => {
                Error::Full(Box::new(err))
            }
            Some(
                ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::CannotOpen
                | ErrorCode::SystemIoFailure
                | ErrorCode::OperationInterrupted
                | ErrorCode::ReadOnly
                | ErrorCode::PermissionDenied
                | ErrorCode::OutOfMemory
                | ErrorCode::FileLockingProtocolFailed,
            ) => Error::Unavailable(Box::new(err)),
            _ => Error::Other(Box::new(err)),
        }
    }
}

fn is_write_failure(err: &rusqlite::Error) -> bool {
    let full = [
        ffi::SQLITE_IOERR_WRITE,
        ffi::SQLITE_IOERR_FSYNC,
        ffi::SQLITE_IOERR_TRUNCATE,
        ffi::SQLITE_IOERR_SHMSIZE,
    ];
    err.sqlite_error()
        .is_some_and(|err| full.contains(&err.extended_code))
}

/// An error of a write to `resource`: a broken unique rule by name.
pub(crate) fn of_write(resource: &Resource, err: rusqlite::Error) -> Error {
    let rusqlite::Error::SqliteFailure(code, Some(message)) = &err else {
        return err.into();
    };
    let unique = [
        ffi::SQLITE_CONSTRAINT_UNIQUE,
        ffi::SQLITE_CONSTRAINT_PRIMARYKEY,
        ffi::SQLITE_CONSTRAINT_ROWID,
    ];
    if !unique.contains(&code.extended_code) {
        return err.into();
    }
    match taken(resource, message) {
        Some(error) => error,
        None => err.into(),
    }
}

/// `UNIQUE constraint failed: notes.user, notes.address`
fn taken(resource: &Resource, message: &str) -> Option<Error> {
    let (_, columns) = message.split_once(": ")?;
    let columns = columns.split(", ").map(|column| {
        let (table, name) = column.split_once('.')?;
        (table == resource.name.as_str()).then(|| resource.column(name))?
    });
    let columns: Vec<Column> = columns.collect::<Option<_>>()?;
    if columns == [Column::Key] {
        return Some(Error::KeyTaken);
    }
    let matches = |set: &Vec<usize>| {
        set.len() == columns.len()
            && set
                .iter()
                .zip(&columns)
                .all(|(&field, column)| *column == Column::Field(field))
    };
    let unique = resource.unique.iter().position(matches)?;
    Some(Error::Taken { unique })
}

/// The database was closed, or its thread is gone.
pub(crate) fn closed() -> Error {
    Error::Unavailable(Cause::from("the database is closed"))
}

/// Too many requests wait already.
pub(crate) fn overloaded() -> Error {
    Error::Unavailable(Cause::from("too many requests wait for the database"))
}

/// Whether a statement names an index that is not there. The index of an order is dropped when
/// a migration finds that the declaration does not have the order any more.
pub(crate) fn is_missing_index(err: &rusqlite::Error) -> bool {
    err.to_string().contains("no such index")
}
