//! Carafe turns one declaration into a complete CRUD backend. This crate is the program; what
//! it does is in the layers below: `carafe-web`, `carafe-service`, `carafe-store` and
//! `carafe-model`.

pub mod application;
pub mod args;
pub mod command;
pub mod config;
pub mod initial;
pub mod telemetry;
pub mod watch;
