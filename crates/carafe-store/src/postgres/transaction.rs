//! A transaction on a connection, statement by statement.

use std::time::Instant;

use carafe_model::resource::Resource;
use carafe_model::value::Value;
use tokio_postgres::Client;

use crate::dialect::Dialect;
use crate::error::Result;
use crate::postgres::array::Array;
use crate::postgres::watch::Watch;
use crate::postgres::{failure, pipeline};
use crate::statement::Statement;
use crate::storage::Storage;
use crate::transaction::Transaction;

pub(crate) struct PostgresTransaction<'c> {
    client: &'c Client,
    /// Sees its statements.
    watch: Option<&'c Watch>,
}

impl<'c> PostgresTransaction<'c> {
    pub(crate) fn new(client: &'c Client) -> Self {
        Self {
            client,
            watch: None,
        }
    }

    pub(crate) fn watched(client: &'c Client, watch: &'c Watch) -> Self {
        Self {
            client,
            watch: Some(watch),
        }
    }

    fn saw(&self, statement: &Statement, started: Instant, rows: usize) {
        if let Some(watch) = self.watch {
            watch.saw(statement.text(), started.elapsed(), rows);
        }
    }
}

impl Transaction for PostgresTransaction<'_> {
    fn dialect(&self) -> Dialect {
        Dialect::Postgres
    }

    async fn rows_up_to(
        &mut self,
        statement: &Statement,
        bytes_max: usize,
    ) -> Result<Vec<Vec<Value>>> {
        let started = Instant::now();
        let rows = pipeline::rows(self.client, statement, bytes_max).await?;
        self.saw(statement, started, rows.len());
        Ok(rows)
    }

    async fn run(&mut self, statement: &Statement) -> Result<()> {
        let started = Instant::now();
        pipeline::run(self.client, statement.text(), statement.parameters()).await?;
        self.saw(statement, started, 0);
        Ok(())
    }

    async fn batch(&mut self, sql: &str) -> Result<()> {
        self.client.batch_execute(sql).await?;
        Ok(())
    }

    async fn write(&mut self, resource: &Resource, statement: &Statement) -> Result<()> {
        let started = Instant::now();
        let answer = pipeline::run(self.client, statement.text(), statement.parameters()).await;
        answer.map_err(|err| failure::of_write(resource, err))?;
        self.saw(statement, started, 0);
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
        pipeline::fill(self.client, statement.text(), arrays.collect()).await?;
        Ok(())
    }
}
