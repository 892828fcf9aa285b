//! The conformance suite of the store, on a file, in memory and on PostgreSQL.

mod backup;
mod delete;
mod draft;
mod engine;
mod inspect;
mod list;
mod migrate;
mod other_program;
#[expect(dead_code, reason = "shared with the tests of the servers")]
mod postgres;
mod record;
mod search;
mod server;
mod support;
mod transfer;
