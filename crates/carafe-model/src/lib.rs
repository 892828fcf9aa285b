//! The nouns of Carafe: what a declaration says, resolved, and the values, input and queries
//! that follow from it. No I/O, no async, no SQL, no HTTP.

pub mod actor;
pub mod cursor;
pub mod decimal;
pub mod declaration;
pub mod deprecation;
pub mod document;
pub mod draft;
pub mod fault;
pub mod field;
pub mod fold;
pub mod histogram;
pub mod key;
pub mod kind;
pub mod name;
pub mod near;
pub mod number;
pub mod problem;
pub mod query;
pub mod record;
pub mod resource;
pub mod schema;
pub mod time;
pub mod value;
