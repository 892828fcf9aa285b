//! A transaction on a connection, statement by statement.

use carafe_model::resource::Resource;
use carafe_model::value::Value;
use tokio_postgres::Client;

use crate::dialect::Dialect;
use crate::error::Result;
use crate::postgres::array::Array;
use crate::postgres::{failure, pipeline};
use crate::statement::Statement;
use crate::storage::Storage;
use crate::transaction::Transaction;

pub(crate) struct PostgresTransaction<'c>(pub(crate) &'c Client);

impl Transaction for PostgresTransaction<'_> {
    fn dialect(&self) -> Dialect {
        Dialect::Postgres
    }

    async fn rows_up_to(
        &mut self,
        statement: &Statement,
        bytes_max: usize,
    ) -> Result<Vec<Vec<Value>>> {
        Ok(pipeline::rows(self.0, statement, bytes_max).await?)
    }

    async fn run(&mut self, statement: &Statement) -> Result<()> {
        pipeline::run(self.0, statement.text(), statement.parameters()).await?;
        Ok(())
    }

    async fn batch(&mut self, sql: &str) -> Result<()> {
        self.0.batch_execute(sql).await?;
        Ok(())
    }

    async fn write(&mut self, resource: &Resource, statement: &Statement) -> Result<()> {
        let answer = pipeline::run(self.0, statement.text(), statement.parameters()).await;
        answer.map_err(|err| failure::of_write(resource, err))?;
        Ok(())
    }

    async fn fill(
        &mut self,
        statement: &Statement,
        storages: &[Storage],
        rows: &[Vec<Value>],
    ) -> Result<()> {
        let arrays = storages
            .iter()
            .enumerate()
            .map(|(position, &storage)| Array::of_column(storage, rows, position));
        pipeline::fill(self.0, statement.text(), arrays.collect()).await?;
        Ok(())
    }
}
