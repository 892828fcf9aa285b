//! The only crate that knows a database exists: tables, statements, reads and writes.

pub mod backup;
pub mod diagnosis;
pub mod error;
pub mod figures;
pub mod freshness;
pub mod import;
pub mod inspect;
pub mod store;
pub mod transfer;

mod cascade;
mod catalog;
mod database;
mod ddl;
mod dialect;
mod migrate;
mod plan;
mod postgres;
mod rank;
pub mod request;
mod select;
mod slow;
mod sqlite;
mod statement;
mod storage;
mod table;
mod text;
mod transaction;
mod write;

#[cfg(test)]
#[path = "../tests/it/draft.rs"]
#[expect(
    dead_code,
    reason = "shared with the conformance suite, which uses all of it"
)]
mod draft;
