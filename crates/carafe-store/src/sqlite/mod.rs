//! SQLite: connections, the thread that writes, and those that read.

pub(crate) mod answer;
pub(crate) mod connection;
pub(crate) mod database;
pub(crate) mod ddl;
pub(crate) mod failure;
pub(crate) mod gram;
pub(crate) mod import;
pub(crate) mod indexer;
pub(crate) mod integrity;
pub(crate) mod profile;
pub(crate) mod ranks;
pub(crate) mod read;
pub(crate) mod readers;
pub(crate) mod row;
pub(crate) mod row_set;
pub(crate) mod search;
pub(crate) mod search_index;
pub(crate) mod snapshot;
pub(crate) mod transaction;
pub(crate) mod writer;
