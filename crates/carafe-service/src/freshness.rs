//! Reads that may be behind the last write, and how far.

pub use carafe_store::freshness::{Freshness, Position, reading};
