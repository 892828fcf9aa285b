//! What PostgreSQL's errors mean to the caller (its documentation, appendix A).

use carafe_model::resource::Resource;
use deadpool_postgres::PoolError;
use tokio_postgres::error::SqlState;

use crate::ddl;
use crate::dialect::Dialect;
use crate::error::{Cause, Error};
use crate::statement::Identifier;

impl From<tokio_postgres::Error> for Error {
    fn from(err: tokio_postgres::Error) -> Self {
        let Some(code) = err.code() else {
            // Not the server's word: it cannot be reached, or the connection broke.
            return Error::Unavailable(Box::new(err));
        };
        if *code == SqlState::DISK_FULL {
            return Error::Full(Box::new(err));
        }
        match is_passing(code) {
            true => Error::Unavailable(Box::new(err)),
            false => Error::Other(Box::new(err)),
        }
    }
}

impl From<PoolError> for Error {
    fn from(err: PoolError) -> Self {
        match err {
            PoolError::Backend(err) => err.into(),
            other => Error::Unavailable(Box::new(other)),
        }
    }
}

/// Whether trying again later may help.
fn is_passing(code: &SqlState) -> bool {
    let class = &code.code()[..2];
    // Connection, authorization, resources, intervention of an operator, the system itself.
    matches!(class, "08" | "28" | "53" | "57" | "58" | "F0")
        || [
            SqlState::READ_ONLY_SQL_TRANSACTION,
            SqlState::LOCK_NOT_AVAILABLE,
            SqlState::INVALID_CATALOG_NAME,
        ]
        .contains(code)
        || is_conflict(code)
}

/// Whether others were in the way, and the same again at once may do.
pub(crate) fn is_conflict(code: &SqlState) -> bool {
    [
        SqlState::T_R_DEADLOCK_DETECTED,
        SqlState::T_R_SERIALIZATION_FAILURE,
    ]
    .contains(code)
}

/// Whether a connection is of no more use: its server does not write any more, shuts down, or
/// has other columns than the statements that are kept on the connection.
pub(crate) fn spoils_connection(err: &tokio_postgres::Error) -> bool {
    match err.code() {
        None => true,
        Some(code) => {
            code.code().starts_with("57P")
                || [
                    SqlState::READ_ONLY_SQL_TRANSACTION,
                    SqlState::FEATURE_NOT_SUPPORTED,
                    SqlState::INVALID_SQL_STATEMENT_NAME,
                ]
                .contains(code)
        }
    }
}

/// An error of a write to `resource`: a broken unique rule by name.
pub(crate) fn of_write(resource: &Resource, err: tokio_postgres::Error) -> Error {
    let constraint = err
        .as_db_error()
        .filter(|err| *err.code() == SqlState::UNIQUE_VIOLATION)
        .and_then(|err| err.constraint());
    match constraint.and_then(|constraint| taken(resource, constraint)) {
        Some(error) => error,
        None => err.into(),
    }
}

fn taken(resource: &Resource, constraint: &str) -> Option<Error> {
    if constraint == "_carafe_request_pkey" {
        return Some(Error::Repeated);
    }
    let key = Identifier::new(Dialect::Postgres, &resource.name, "__key");
    if constraint == key.as_str() {
        return Some(Error::KeyTaken);
    }
    let name = |fields: &Vec<usize>| ddl::unique_name(Dialect::Postgres, resource, fields);
    let unique = resource
        .unique
        .iter()
        .position(|fields| name(fields).as_str() == constraint)?;
    Some(Error::Taken { unique })
}

/// The database cannot be used as it is.
pub(crate) fn unsuitable(reason: String) -> Error {
    Error::Unavailable(Cause::from(reason))
}
