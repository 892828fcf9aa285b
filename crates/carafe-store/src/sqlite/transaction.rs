//! A transaction on the writer's connection.

use carafe_model::resource::Resource;
use carafe_model::value::{Row, Value};
use rusqlite::Connection;

use crate::dialect::Dialect;
use crate::error::Result;
use crate::sqlite::connection::{prepared, run};
use crate::sqlite::failure;
use crate::sqlite::row::SqliteRow;
use crate::statement::Statement;
use crate::transaction::Transaction;

pub(crate) struct SqliteTransaction<'c>(pub(crate) &'c Connection);

impl Transaction for SqliteTransaction<'_> {
    fn dialect(&self) -> Dialect {
        Dialect::Sqlite
    }

    async fn rows(&mut self, statement: &Statement) -> Result<Vec<Vec<Value>>> {
        let mut statement = prepared(self.0, statement)?;
        let columns = statement.column_count();
        let mut rows = statement.raw_query();
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            let row = SqliteRow(row);
            found.push(
                (0..columns)
                    .map(|index| row.cell(index).to_value())
                    .collect(),
            );
        }
        Ok(found)
    }

    async fn run(&mut self, statement: &Statement) -> Result<()> {
        run(self.0, statement)?;
        Ok(())
    }

    async fn batch(&mut self, sql: &str) -> Result<()> {
        self.0.execute_batch(sql)?;
        Ok(())
    }

    async fn write(&mut self, resource: &Resource, statement: &Statement) -> Result<()> {
        run(self.0, statement).map_err(|err| failure::of_write(resource, err))?;
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
