//! A transaction on a connection, statement by statement.

use carafe_model::resource::Resource;
use carafe_model::value::Value;
use tokio_postgres::Client;

use crate::dialect::Dialect;
use crate::error::Result;
use crate::postgres::{failure, pipeline, row};
use crate::statement::Statement;
use crate::transaction::Transaction;

pub(crate) struct PostgresTransaction<'c>(pub(crate) &'c Client);

impl Transaction for PostgresTransaction<'_> {
    fn dialect(&self) -> Dialect {
        Dialect::Postgres
    }

    async fn rows(&mut self, statement: &Statement) -> Result<Vec<Vec<Value>>> {
        let answer = pipeline::run(self.0, statement.text(), statement.parameters()).await?;
        Ok(answer.rows.iter().map(row::values).collect())
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
}
