//! Every rule of Carafe, once, for the API, the pages, the command line and embedded code.

pub mod access;
pub mod clock;
pub mod document;
pub mod error;
pub mod freshness;
pub mod hook;
pub mod import;
pub mod merge;
pub mod password;
pub mod readiness;
pub mod record;
pub mod service;
pub mod snapshot;
