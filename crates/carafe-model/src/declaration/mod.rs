//! The declaration: the text of `carafe.toml`, read into a [`Schema`](crate::schema::Schema),
//! or all of its mistakes at once.

mod api;
mod application;
mod collision;
mod column;
mod deprecation;
mod document;
mod field;
mod kind;
mod limits;
mod literal;
mod method;
mod pages;
mod path;
mod pattern;
mod relation;
mod rename;
pub(crate) mod reserved;
mod resource;
mod sentence;
mod singular;
mod walker;

#[cfg(test)]
mod tests;

pub use application::parse;
pub use reserved::{DELETED_AT, resource_fault};
pub use singular::singular;
