//! Bringing the tables to what the declaration says: what is there is read, what is to be done
//! is planned without touching anything, and the plan is carried out, all in one transaction.
//!
//! Changes of tables and columns are written down as a [`Migration`], which can be done again on
//! other databases. What Carafe keeps beside them is brought up to date after every one.

mod alter;
mod change;
mod convert;
mod facts;
pub(crate) mod migration;
mod plan;
mod run;
mod upkeep;

use std::sync::Arc;

use crate::statement::Statement;

pub(crate) use facts::MAY_BE_MADE;
pub(crate) use run::{known, migrate, migrations, names, plan, replace_known, shortcomings, undo};

pub use migration::Migration;

/// What is said of a migration while it is under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doing {
    pub title: String,
    /// Rows that are done, and about how many there are, where they can be counted.
    pub rows: Option<(u64, u64)>,
}

/// Who is told what a migration is doing.
pub type Progress = Arc<dyn Fn(Doing) + Send + Sync>;

/// Tells nobody.
#[must_use]
pub fn untold() -> Progress {
    Arc::new(|_| ())
}

/// What a migration may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accept {
    /// What loses no data; the rest is left to be done.
    Safe,
    /// Everything, also dropping what is declared no more.
    Loss,
}

/// What is to be done to a database, and why some of it cannot be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Migrations that others have written and this database has not seen.
    pub files: Vec<Migration>,
    /// Changes by the declaration. Those that follow from a migration in `files` are not known
    /// before it is done.
    pub steps: Vec<PlannedStep>,
    /// Differences that no step can make good, a line each.
    pub differences: Vec<String>,
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedStep {
    /// ``Added field `notes.pinned` ``
    pub title: String,
    pub sql: Vec<String>,
    /// Values are gone afterwards.
    pub loses_data: bool,
    /// A table of 100,000 rows or more is read or written whole while nobody else can write it.
    pub locks: bool,
}

impl Plan {
    /// Whether nothing is to be done that a migration would do by itself.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
            && self.differences.is_empty()
            && self.steps.iter().all(|step| step.loses_data)
    }
}

/// What [`Database::migrate`](crate::store::Database::migrate) did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Migrated {
    /// A sentence a change: ``Created table `notes` ``.
    pub changes: Vec<String>,
    /// The migration that was written down for them, if tables or columns have changed.
    pub made: Option<Migration>,
}

/// What is done outside of the transaction, after it: indexes of large tables in PostgreSQL,
/// while others write.
pub(crate) struct Later {
    pub(crate) title: String,
    pub(crate) statements: Vec<Statement>,
}
