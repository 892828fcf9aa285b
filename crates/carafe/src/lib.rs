//! Carafe turns one declaration into a complete CRUD backend. This crate is the program, and the
//! library for those who add code of their own: an [`App`] from a declaration, with routes and
//! hooks, over the layers below: `carafe-web`, `carafe-service`, `carafe-store` and
//! `carafe-model`.

mod announcer;
mod app;
mod body;
mod client;
mod collection;
mod descriptors;
mod doctor;
mod log_event;
mod log_writer;
mod refusal;
mod routes;
mod schedule;
mod signals;
mod supervisor;

pub mod application;
pub mod args;
pub mod command;
pub mod config;
pub mod export;
pub mod initial;
pub mod memory;
mod metrics;
pub mod migrations;
mod observing;
pub mod settings;
pub mod sketch;
pub mod telemetry;
pub mod watch;

pub use app::{App, run};
pub use body::JsonBody;
pub use client::{Client, Reply};
pub use collection::Collection;
pub use refusal::Refusal;

pub use carafe_model::actor::Actor;
pub use carafe_model::query::Total;
pub use carafe_model::value::Value;
pub use carafe_service::error::Error;
pub use carafe_service::hook::{Verb, Work, Write, Written};
pub use carafe_service::service::Service;
pub use {axum, serde_json};
