//! A database: SQLite inside the process, or PostgreSQL beside it.

use std::sync::Arc;
use std::time::Duration;

use carafe_model::schema::Schema;

use crate::dialect::Dialect;
use crate::error::{Cause, Error, Result};
use crate::figures::Figures;
use crate::migrate::{Accept, Migrated, Migration, Plan, Progress};
use crate::postgres::database::Postgres;
use crate::sqlite::connection::Place;
use crate::sqlite::database::Sqlite;

/// Connections to one database; a cheap clone of a shared handle.
#[derive(Clone)]
pub struct Database {
    pub(crate) engine: Engine,
}

#[derive(Clone)]
pub(crate) enum Engine {
    Sqlite(Sqlite),
    Postgres(Postgres),
}

/// When a write is acknowledged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// After its commit is on disk: `PRAGMA synchronous=FULL` in SQLite; in PostgreSQL what its
    /// server says in `synchronous_commit`, but at least `local`.
    #[default]
    Full,
    /// After its commit is with the operating system (`PRAGMA synchronous=NORMAL`,
    /// `synchronous_commit=off`): a crash of the process loses nothing, a power cut may lose the
    /// last acknowledged writes and, in SQLite, hand their ids out again.
    Normal,
}

/// How a database is used.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    pub durability: Durability,
    /// From when a statement is told of in the log as slow; `None` for never.
    pub slow_query: Option<Duration>,
}

impl Database {
    /// Opens `sqlite:PATH` (made if it is not there), `sqlite::memory:` or
    /// `postgres://USER:PASSWORD@HOST:PORT/DATABASE?PARAMETERS` (also `postgresql://`).
    ///
    /// A PostgreSQL URL is that of libpq (PostgreSQL documentation, 34.1.1.2), with `sslmode`
    /// `disable`, `prefer`, `require`, `verify-ca` or `verify-full`, and `sslrootcert`. Nothing
    /// is connected to yet.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`] with the cause.
    pub fn open(url: &str, durability: Durability) -> Result<Self> {
        let options = Options {
            durability,
            ..Options::default()
        };
        Self::open_with(url, options)
    }

    /// The same, with options.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub fn open_with(url: &str, options: Options) -> Result<Self> {
        let engine = if Postgres::is_url(url) {
            Engine::Postgres(Postgres::open(url, options)?)
        } else if let Some(place) = Place::parse(url) {
            Engine::Sqlite(Sqlite::open(&place, options)?)
        } else {
            let text = format!(
                "{url:?} is no database; write \"sqlite:PATH\", \"sqlite::memory:\" or \
                 \"postgres://USER@HOST/DATABASE\""
            );
            return Err(Error::Unavailable(Cause::from(text)));
        };
        Ok(Self { engine })
    }

    /// The same database, with a replica of it that reads may go to where they need not see the
    /// last commit: [`freshness::reading`](crate::freshness::reading).
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`] where `url` is malformed, or the database is not PostgreSQL.
    pub fn with_replica(self, url: &str) -> Result<Self> {
        match self.engine {
            Engine::Postgres(postgres) => Ok(Self {
                engine: Engine::Postgres(postgres.with_replica(url)?),
            }),
            Engine::Sqlite(_) => Err(Error::Unavailable(Cause::from(
                "only a database on PostgreSQL has replicas",
            ))),
        }
    }

    /// Says what this process takes for granted, and whether all others on the database, now and
    /// before, say the same; `anew` makes it what they have to say from now on. A file of SQLite
    /// has no others.
    ///
    /// # Errors
    ///
    /// `Unavailable` or `Other`.
    pub async fn agree(&self, name: &str, value: &str, anew: bool) -> Result<bool> {
        match &self.engine {
            Engine::Sqlite(_) => Ok(true),
            Engine::Postgres(postgres) => postgres.agree(name, value, anew).await,
        }
    }

    /// Makes what the declaration has and the database lacks, after migrations in `files` that
    /// are new to the database. Everything is done in one transaction or nothing; only indexes on
    /// large tables of PostgreSQL are made after it, while others write.
    ///
    /// # Errors
    ///
    /// [`Error::Incompatible`] with every difference that cannot be made good;
    /// [`Error::Migration`] for one in `files` that fails.
    pub async fn migrate(
        &self,
        schema: &Arc<Schema>,
        files: &[Migration],
        accept: Accept,
        progress: &Progress,
    ) -> Result<Migrated> {
        match &self.engine {
            Engine::Sqlite(sqlite) => sqlite.migrate(schema, files, accept, progress).await,
            Engine::Postgres(postgres) => postgres.migrate(schema, files, accept, progress).await,
        }
    }

    /// What [`migrate`](Self::migrate) would do; nothing is changed.
    ///
    /// # Errors
    ///
    /// `Unavailable`, `Other`, or `Incompatible` where a file differs from what was applied.
    pub async fn plan(
        &self,
        schema: &Arc<Schema>,
        files: &[Migration],
        progress: &Progress,
    ) -> Result<Plan> {
        match &self.engine {
            Engine::Sqlite(sqlite) => sqlite.plan(schema, files, progress).await,
            Engine::Postgres(postgres) => postgres.plan(schema, files, progress).await,
        }
    }

    /// Takes the last migration back as far as it says how, and returns it; `None` where there
    /// was none. Values that it has dropped stay gone.
    ///
    /// # Errors
    ///
    /// `Unavailable` or `Other`; nothing is changed.
    pub async fn undo(&self) -> Result<Option<Migration>> {
        match &self.engine {
            Engine::Sqlite(sqlite) => sqlite.undo().await,
            Engine::Postgres(postgres) => postgres.undo().await,
        }
    }

    /// The migrations that were applied, in their order.
    ///
    /// # Errors
    ///
    /// `Unavailable` or `Other`.
    pub async fn migrations(&self) -> Result<Vec<Migration>> {
        match &self.engine {
            Engine::Sqlite(sqlite) => sqlite.migrations().await,
            Engine::Postgres(postgres) => postgres.migrations().await,
        }
    }

    /// The names of the migrations that were applied, in their order: a short read.
    ///
    /// # Errors
    ///
    /// `Unavailable` or `Other`.
    pub async fn migration_names(&self) -> Result<Vec<String>> {
        match &self.engine {
            Engine::Sqlite(sqlite) => sqlite.migration_names().await,
            Engine::Postgres(postgres) => postgres.migration_names().await,
        }
    }

    /// What is wrong with the file, the search indexes or the counters: a line each, none when
    /// all is well. Reads everything, and keeps writes to SQLite waiting.
    ///
    /// # Errors
    ///
    /// `Unavailable` or `Other`.
    pub async fn check_integrity(&self) -> Result<Vec<String>> {
        match &self.engine {
            Engine::Sqlite(sqlite) => sqlite.check_integrity().await,
            Engine::Postgres(postgres) => postgres.check_integrity().await,
        }
    }

    /// Finishes the writes that wait, carries SQLite's log over into the file, and closes the
    /// connections. Whatever is asked afterwards is `Unavailable`.
    pub async fn close(&self) {
        match &self.engine {
            Engine::Sqlite(sqlite) => sqlite.close().await,
            Engine::Postgres(postgres) => postgres.close().await,
        }
    }

    /// What the database does at this moment, under the declaration that is served. It takes two
    /// seconds at most.
    pub async fn figures(&self, schema: &Arc<Schema>) -> Figures {
        match &self.engine {
            Engine::Sqlite(sqlite) => sqlite.figures(schema).await,
            Engine::Postgres(postgres) => postgres.figures().await,
        }
    }

    pub(crate) fn dialect(&self) -> Dialect {
        match &self.engine {
            Engine::Sqlite(_) => Dialect::Sqlite,
            Engine::Postgres(_) => Dialect::Postgres,
        }
    }
}
