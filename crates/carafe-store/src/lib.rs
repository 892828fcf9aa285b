//! The only crate that knows a database exists: tables, statements, reads and writes.

pub mod error;
pub mod store;
