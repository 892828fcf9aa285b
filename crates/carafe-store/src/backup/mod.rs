//! Backups of a SQLite file, made while others write to it, and what brings one back.

mod copy;
mod failure;
mod files;
mod restore;
mod write;

pub use copy::Progress;
pub use failure::Failure;
pub use files::Existing;
pub use restore::restore;
pub use write::write;

/// What a checked backup holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contents {
    /// Each resource with the number of its records that are not deleted, by name.
    pub records: Vec<(String, u64)>,
    pub bytes: u64,
}
