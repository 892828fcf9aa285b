//! A database with a transaction open in it, be it the source or the target.

use std::path::{Path, PathBuf};

use carafe_model::resource::Resource;
use carafe_model::value::Value;
use deadpool_postgres::Client;
use rusqlite::Connection;

use crate::database::{Durability, Options};
use crate::dialect::Dialect;
use crate::error::{Cause, Error, Result};
use crate::postgres::database::Postgres;
use crate::postgres::migrate::check_server;
use crate::postgres::transaction::PostgresTransaction;
use crate::sqlite::connection::{self, Place};
use crate::sqlite::transaction::SqliteTransaction;
use crate::sqlite::writer;
use crate::statement::Statement;
use crate::storage::Storage;
use crate::transaction::Transaction;

/// One state of the source, which nothing can change, for as long as it takes.
const READ: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; \
     SET LOCAL idle_in_transaction_session_timeout = 0";

/// While the source is read, the target waits.
const WRITE: &str = "BEGIN; SET LOCAL idle_in_transaction_session_timeout = 0";

/// A database with a transaction, which ends without effect unless it is committed.
pub(super) enum Side {
    Sqlite {
        connection: Connection,
        /// The file, where it was not there before.
        made: Option<PathBuf>,
    },
    Postgres {
        database: Postgres,
        client: Client,
    },
}

impl Side {
    /// Opens a database that is there to be read.
    pub(super) async fn source(url: &str) -> Result<Self> {
        match place(url)? {
            Some(path) => {
                let connection = connection::reader(&path)?;
                connection.execute_batch("BEGIN")?;
                Ok(Side::Sqlite {
                    connection,
                    made: None,
                })
            }
            None => Self::server(url, READ).await,
        }
    }

    /// Opens a database to be written; a file is made where there is none.
    pub(super) async fn target(url: &str) -> Result<Self> {
        match place(url)? {
            Some(path) => {
                let made = (!path.exists()).then(|| path.clone());
                let connection = connection::writer(&Place::File(path), Durability::Full)?;
                writer::begin(&connection)?;
                Ok(Side::Sqlite { connection, made })
            }
            None => Self::server(url, WRITE).await,
        }
    }

    async fn server(url: &str, begin: &str) -> Result<Self> {
        let database = Postgres::open(url, Options::default())?;
        let client = database.client().await?;
        check_server(&client).await?;
        client.batch_execute(begin).await?;
        Ok(Side::Postgres { database, client })
    }

    pub(super) fn transaction(&self) -> SideTransaction<'_> {
        match self {
            Side::Sqlite { connection, .. } => {
                SideTransaction::Sqlite(SqliteTransaction(connection))
            }
            Side::Postgres { client, .. } => {
                SideTransaction::Postgres(PostgresTransaction::new(client))
            }
        }
    }

    pub(super) async fn commit(&self) -> Result<()> {
        match self {
            Side::Sqlite { connection, .. } => writer::commit(connection)?,
            Side::Postgres { client, .. } => client.batch_execute("COMMIT").await?,
        }
        Ok(())
    }

    /// Ends the transaction without effect, if it was not committed, and closes the database.
    /// `undone` takes a file away that was made for it.
    pub(super) async fn close(self, undone: bool) {
        match self {
            Side::Sqlite { connection, made } => {
                writer::rollback(&connection);
                drop(connection);
                if let Some(path) = made.filter(|_| undone) {
                    remove(&path);
                }
            }
            Side::Postgres { database, client } => {
                // Where the connection is gone, so is the transaction.
                let _ = client.batch_execute("ROLLBACK").await;
                drop(client);
                database.close().await;
            }
        }
    }
}

/// The file of a database, `None` for a server.
fn place(url: &str) -> Result<Option<PathBuf>> {
    match (Postgres::is_url(url), Place::parse(url)) {
        (true, _) => Ok(None),
        (false, Some(Place::File(path))) => Ok(Some(path)),
        (false, Some(Place::Memory) | None) => {
            let text = format!("{url:?} is neither a file of SQLite nor a database of PostgreSQL");
            Err(Error::Unavailable(Cause::from(text)))
        }
    }
}

fn remove(path: &Path) {
    for ending in ["", "-wal", "-shm"] {
        let mut file = path.as_os_str().to_owned();
        file.push(ending);
        // SQLite has removed the others itself, as it closed the file.
        let _ = std::fs::remove_file(file);
    }
}

/// The transaction of either database.
pub(super) enum SideTransaction<'c> {
    Sqlite(SqliteTransaction<'c>),
    Postgres(PostgresTransaction<'c>),
}

impl Transaction for SideTransaction<'_> {
    fn dialect(&self) -> Dialect {
        match self {
            SideTransaction::Sqlite(tx) => tx.dialect(),
            SideTransaction::Postgres(tx) => tx.dialect(),
        }
    }

    async fn rows_up_to(
        &mut self,
        statement: &Statement,
        bytes_max: usize,
    ) -> Result<Vec<Vec<Value>>> {
        match self {
            SideTransaction::Sqlite(tx) => tx.rows_up_to(statement, bytes_max).await,
            SideTransaction::Postgres(tx) => tx.rows_up_to(statement, bytes_max).await,
        }
    }

    async fn run(&mut self, statement: &Statement) -> Result<()> {
        match self {
            SideTransaction::Sqlite(tx) => tx.run(statement).await,
            SideTransaction::Postgres(tx) => tx.run(statement).await,
        }
    }

    async fn batch(&mut self, sql: &str) -> Result<()> {
        match self {
            SideTransaction::Sqlite(tx) => tx.batch(sql).await,
            SideTransaction::Postgres(tx) => tx.batch(sql).await,
        }
    }

    async fn write(&mut self, resource: &Resource, statement: &Statement) -> Result<()> {
        match self {
            SideTransaction::Sqlite(tx) => tx.write(resource, statement).await,
            SideTransaction::Postgres(tx) => tx.write(resource, statement).await,
        }
    }

    async fn fill(
        &mut self,
        statement: &Statement,
        storages: &[Storage],
        rows: &[Vec<Value>],
    ) -> Result<()> {
        match self {
            SideTransaction::Sqlite(tx) => tx.fill(statement, storages, rows).await,
            SideTransaction::Postgres(tx) => tx.fill(statement, storages, rows).await,
        }
    }
}
