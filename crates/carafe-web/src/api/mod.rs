//! The JSON API: decode, call one verb, encode.

mod cursor;
pub mod deleted;
pub mod document;
pub mod field;
pub mod list;
pub mod map;
mod once;
pub mod openapi;
pub mod patch;
mod precondition;
pub mod record;
pub mod reply;
pub mod request;
