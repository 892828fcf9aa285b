//! Why the database did not do what it was asked, grouped by what the caller can do about it.

/// What the database answered in place of a result.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The record is not there any more in the version that was read.
    #[error("the record has changed since it was read")]
    Stale,
    /// A request that may be repeated is remembered: it was answered before.
    #[error("the request was carried out before")]
    Repeated,
    /// Another record has the values of this entry of [`Resource::unique`](carafe_model::resource::Resource::unique).
    #[error("a unique value is taken")]
    Taken { unique: usize },
    /// Another record has this key.
    #[error("the key is taken")]
    KeyTaken,
    /// The field at this position refers to a record that is not there.
    #[error("a reference leads nowhere")]
    NoReference { field: usize },
    /// Records of the resource at this position refer to the record (`on_delete = "restrict"`).
    #[error("other records refer to this one")]
    Referenced { resource: usize },
    /// The parent or another record it belongs to is deleted (on restoring).
    #[error("a record it belongs to is deleted")]
    ParentDeleted { field: usize },
    /// A record of the resource at this position, which the deletion took along, cannot come
    /// back, and so none does (on restoring). The cause is `Taken`, `KeyTaken` or
    /// `ParentDeleted`, and speaks of that resource.
    #[error("a record that was deleted with it cannot come back")]
    Member {
        resource: usize,
        #[source]
        cause: Box<Error>,
    },
    /// The tables differ from the declaration in a way that could lose data; one line each.
    #[error("the database does not fit the declaration: {}", .0.join("; "))]
    Incompatible(Vec<String>),
    /// A migration that somebody has written failed; nothing was changed.
    #[error("migration `{name}` failed")]
    Migration {
        name: String,
        #[source]
        cause: Box<Error>,
    },
    /// No space on the device. Nothing was stored; reading goes on.
    #[error("the disk is full")]
    Full(#[source] Cause),
    /// The database cannot be reached or is locked for too long; trying again may help.
    #[error("the database is not available")]
    Unavailable(#[source] Cause),
    /// Ours to fix.
    #[error("the database failed")]
    Other(#[source] Cause),
}

/// The error of the driver, for the log only.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

pub type Result<T> = std::result::Result<T, Error>;
