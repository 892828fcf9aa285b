//! The store: a database, and the plans of one declaration over it.

use std::sync::Arc;

use carafe_model::key::Key;
use carafe_model::query::Query;
use carafe_model::record::Record;
use carafe_model::resource::Resource;
use carafe_model::schema::Schema;
use carafe_model::value::{Row, Value};

use crate::error::Result;

/// Connections to one database; a cheap clone of a shared handle.
#[derive(Clone)]
pub struct Database {}

/// When a write is acknowledged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// After its commit is on disk (`PRAGMA synchronous=FULL`).
    #[default]
    Full,
    /// After its commit is with the operating system (`PRAGMA synchronous=NORMAL`): a crash of
    /// the process loses nothing, a power cut may lose the last acknowledged writes and hand
    /// their ids out again.
    Normal,
}

impl Database {
    /// Opens `sqlite:PATH` (made if it is not there) or `sqlite::memory:`.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`](crate::error::Error::Unavailable) with the cause.
    pub fn open(_url: &str, _durability: Durability) -> Result<Self> {
        todo!()
    }

    /// Makes what the declaration has and the database lacks: tables, optional columns,
    /// indexes. Nothing is changed if anything could lose data.
    ///
    /// # Errors
    ///
    /// [`Error::Incompatible`](crate::error::Error::Incompatible) with every difference.
    pub async fn migrate(&self, _schema: &Arc<Schema>) -> Result<Migrated> {
        todo!()
    }
}

/// What [`Database::migrate`] did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Migrated {
    /// A sentence a change: ``Created table `notes` ``.
    pub changes: Vec<String>,
    /// Positions of the resources whose tables were made now.
    pub created: Vec<usize>,
}

/// Which records a read sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Those that are not deleted.
    Live,
    /// Those that are deleted softly.
    Deleted,
}

/// Who changes a record and when, for its history.
#[derive(Clone, Debug)]
pub struct Stamp {
    /// `YYYY-MM-DDTHH:MM:SS.ffffffZ`
    pub at: String,
    /// Who, for the history; `None` for nobody that is known.
    pub actor: Option<String>,
}

/// The plans of one declaration over a database; a cheap clone.
#[derive(Clone)]
pub struct Store {}

impl Store {
    /// Compiles the statements of every resource of `schema`.
    #[must_use]
    pub fn new(_database: Database, _schema: &Arc<Schema>) -> Self {
        todo!()
    }

    /// Reads one record, and hands its row to `read`.
    ///
    /// # Errors
    ///
    /// `Unavailable` or `Other`.
    pub async fn get<T>(
        &self,
        _resource: &Resource,
        _scope: Scope,
        _key: &Key,
        _read: impl FnOnce(&dyn Row) -> T,
    ) -> Result<Option<T>> {
        todo!()
    }

    /// Reads a page of records, hands each row to `each` in order, and returns how many
    /// records match in all, in the same snapshot.
    ///
    /// # Errors
    ///
    /// `Unavailable` or `Other`.
    pub async fn list(
        &self,
        _resource: &Resource,
        _scope: Scope,
        _query: &Query,
        _each: &mut (dyn FnMut(&dyn Row) + Send),
    ) -> Result<u64> {
        todo!()
    }

    /// Inserts a record with version 1. `key` is given for `uuid` and `string` keys, `None`
    /// for `integer` ones. Returns once it is durable.
    ///
    /// # Errors
    ///
    /// `Taken`, `KeyTaken`, `NoReference`, `Full`, `Unavailable` or `Other`; nothing is stored.
    pub async fn insert(
        &self,
        _resource: &Resource,
        _key: Option<Key>,
        _values: Vec<Value>,
        _stamp: Stamp,
    ) -> Result<Record> {
        todo!()
    }

    /// Changes fields of a live record that is still in version `current.version`, and raises
    /// its version by one. `changes` has positions of fields and their new values.
    ///
    /// # Errors
    ///
    /// `Stale`, `Taken`, `NoReference`, `Full`, `Unavailable` or `Other`; nothing is changed.
    pub async fn update(
        &self,
        _resource: &Resource,
        _current: &Record,
        _changes: Vec<(usize, Value)>,
        _stamp: Stamp,
    ) -> Result<()> {
        todo!()
    }

    /// Deletes a live record that is still in version `current.version`, softly or for good as
    /// its resource says, with what `on_delete` says of those that refer to it.
    ///
    /// # Errors
    ///
    /// `Stale`, `Referenced`, `Full`, `Unavailable` or `Other`; nothing is changed.
    pub async fn delete(
        &self,
        _resource: &Resource,
        _current: &Record,
        _stamp: Stamp,
    ) -> Result<()> {
        todo!()
    }

    /// Restores a record deleted softly, and those that its deletion took with it. Its version
    /// rises by one.
    ///
    /// # Errors
    ///
    /// `Stale`, `Taken`, `KeyTaken`, `ParentDeleted`, `Full`, `Unavailable` or `Other`; nothing
    /// is changed.
    pub async fn restore(
        &self,
        _resource: &Resource,
        _current: &Record,
        _stamp: Stamp,
    ) -> Result<()> {
        todo!()
    }
}
