//! The JSON API: decode, call one verb, encode.

pub mod field;
pub mod list;
pub mod patch;
pub mod record;
