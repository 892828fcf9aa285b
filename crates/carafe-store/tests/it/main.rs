//! The conformance suite of the store, on a file and in memory.

mod delete;
mod draft;
mod engine;
mod list;
mod migrate;
mod other_program;
mod record;
mod search;
mod support;
