//! Behaviour, through servers on loopback.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod conformance;
mod paper;
mod stage;
mod support;

mod answers;
mod bodies;
mod conditions;
mod cursors;
mod deleted;
mod deprecation;
mod documents;
mod fields;
mod health;
mod library;
mod limits;
mod lists;
mod manual;
mod methods;
mod million;
mod notes_api;
mod notes_pages;
mod openapi;
mod own_pages;
mod patches;
mod postgres;
mod process;
mod properties;
mod rates;
mod resources;
mod retries;
mod sameness;
mod stock;
mod todo;
mod usernames;
mod users;
