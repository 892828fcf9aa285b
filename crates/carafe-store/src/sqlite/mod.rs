//! SQLite: connections, the thread that writes, and those that read.

pub(crate) mod connection;
pub(crate) mod failure;
pub(crate) mod readers;
pub(crate) mod row;
pub(crate) mod writer;
