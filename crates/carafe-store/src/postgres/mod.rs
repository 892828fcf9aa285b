//! PostgreSQL: a small pool of connections, and what runs on them.

pub(crate) mod array;
pub(crate) mod connection;
pub(crate) mod database;
pub(crate) mod ddl;
pub(crate) mod failure;
mod gather;
pub(crate) mod import;
mod insertions;
pub(crate) mod migrate;
pub(crate) mod pipeline;
mod readings;
pub(crate) mod replica;
pub(crate) mod row;
pub(crate) mod tls;
pub(crate) mod transaction;
pub(crate) mod url;
pub(crate) mod watch;
pub(crate) mod writer;
