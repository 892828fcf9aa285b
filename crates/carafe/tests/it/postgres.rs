//! Tests on PostgreSQL.

#[path = "../../../carafe-store/tests/it/postgres.rs"]
#[expect(dead_code, reason = "shared with the tests of the store")]
mod database;

pub(crate) use database::{Server, TestDatabase};

/// Whether the applications of all tests are to be served over PostgreSQL:
/// `CARAFE_TEST_ON=postgres`.
pub(crate) fn is_asked_for() -> bool {
    database::variable("CARAFE_TEST_ON").is_some_and(|database| database == "postgres")
}

/// Whether there is a server, said aloud if not.
pub(crate) fn is_there() -> bool {
    let there = database::variable("CARAFE_TEST_POSTGRES").is_some();
    if !there {
        eprintln!("CARAFE_TEST_POSTGRES names no server: not tested on PostgreSQL");
    }
    there
}
