//! A transaction on the writer's connection.

use carafe_model::resource::Resource;
use carafe_model::value::Value;
use rusqlite::Connection;

use crate::dialect::Dialect;
use crate::error::{Cause, Error, Result};
use crate::sqlite::connection::{bind, prepared, run};
use crate::sqlite::{failure, read};
use crate::statement::Statement;
use crate::storage::Storage;
use crate::transaction::Transaction;

pub(crate) struct SqliteTransaction<'c>(pub(crate) &'c Connection);

impl Transaction for SqliteTransaction<'_> {
    fn dialect(&self) -> Dialect {
        Dialect::Sqlite
    }

    async fn rows_up_to(
        &mut self,
        statement: &Statement,
        bytes_max: usize,
    ) -> Result<Vec<Vec<Value>>> {
        Ok(read::rows(self.0, statement, bytes_max)?)
    }

    async fn run(&mut self, statement: &Statement) -> Result<()> {
        run(self.0, statement)?;
        Ok(())
    }

    async fn batch(&mut self, sql: &str) -> Result<()> {
        self.0.execute_batch(sql)?;
        match self.0.is_autocommit() {
            false => Ok(()),
            true => Err(Error::Other(Cause::from(
                "it ends the transaction that it is part of",
            ))),
        }
    }

    async fn write(&mut self, resource: &Resource, statement: &Statement) -> Result<()> {
        run(self.0, statement).map_err(|err| failure::of_write(resource, err))?;
        Ok(())
    }

    async fn fill(
        &mut self,
        statement: &Statement,
        _storages: &[Storage],
        rows: &[Vec<Value>],
    ) -> Result<()> {
        let mut statement = prepared(self.0, statement)?;
        for row in rows {
            for (index, value) in (1..).zip(row) {
                bind(&mut statement, index, value)?;
            }
            statement.raw_execute()?;
        }
        Ok(())
    }
}

/// What a future over a [`SqliteTransaction`] gives: it never waits for anything.
pub(crate) fn now<T>(future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    let waker = std::task::Waker::noop();
    match future
        .as_mut()
        .poll(&mut std::task::Context::from_waker(waker))
    {
        std::task::Poll::Ready(value) => value,
        std::task::Poll::Pending => unreachable!("SQLite answers on the thread that asks"),
    }
}
