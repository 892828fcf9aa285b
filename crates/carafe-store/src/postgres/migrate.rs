//! Migrating a PostgreSQL database: one process at a time, in one transaction, and indexes of
//! large tables after it.

use std::sync::Arc;

use carafe_model::schema::Schema;
use carafe_model::value::Value;
use deadpool_postgres::Client;

use crate::dialect::Dialect;
use crate::error::Result;
use crate::migrate::{self, Accept, Doing, Later, Migrated, Migration, Plan, Progress};
use crate::postgres::database::Postgres;
use crate::postgres::row::values;
use crate::postgres::transaction::PostgresTransaction;
use crate::postgres::{failure, pipeline};
use crate::statement::{Parameter, Statement};

impl Postgres {
    /// Brings the tables to what the declaration says.
    pub(crate) async fn migrate(
        &self,
        schema: &Arc<Schema>,
        files: &[Migration],
        accept: Accept,
        progress: &Progress,
    ) -> Result<Migrated> {
        let client = self.client().await?;
        check_server(&client).await?;
        one_at_a_time(&client).await?;
        let migrated = migrate(&client, schema, files, accept, progress).await;
        // With a connection that breaks the lock goes too.
        let _ = client.batch_execute(UNLOCK).await;
        // What was prepared before may be of other columns.
        self.forget_statements();
        migrated
    }

    /// What [`migrate`](Self::migrate) would do.
    pub(crate) async fn plan(
        &self,
        schema: &Arc<Schema>,
        files: &[Migration],
        progress: &Progress,
    ) -> Result<Plan> {
        let client = self.client().await?;
        check_server(&client).await?;
        client.batch_execute("BEGIN").await?;
        let mut tx = PostgresTransaction::new(&client);
        let plan = migrate::plan(&mut tx, schema, files, progress).await;
        client.batch_execute("ROLLBACK").await?;
        plan
    }

    pub(crate) async fn undo(&self) -> Result<Option<Migration>> {
        let client = self.client().await?;
        one_at_a_time(&client).await?;
        client.batch_execute("BEGIN").await?;
        let undone = migrate::undo(&mut PostgresTransaction::new(&client)).await;
        let undone = end(&client, undone).await;
        // With a connection that breaks the lock goes too.
        let _ = client.batch_execute(UNLOCK).await;
        self.forget_statements();
        undone
    }

    pub(crate) async fn migrations(&self) -> Result<Vec<Migration>> {
        let client = self.client().await?;
        migrate::migrations(&mut PostgresTransaction::new(&client)).await
    }

    /// The names of the migrations that were applied, in their order.
    pub(crate) async fn migration_names(&self) -> Result<Vec<String>> {
        let client = self.client().await?;
        migrate::names(&mut PostgresTransaction::new(&client)).await
    }
}

/// How long a migration waits for another process's.
const TURN_TRIES: usize = 3000;

/// The number of a lock of ours alone: "carafe" in ASCII, and one.
const TRY_LOCK: &str = "SELECT pg_try_advisory_lock(109270189073665)";
const UNLOCK: &str = "SELECT pg_advisory_unlock(109270189073665)";

/// Waits until no other process migrates. It is asked for again and again: who waited in the
/// server would keep an index from being made beside him.
async fn one_at_a_time(client: &Client) -> Result<()> {
    for _ in 0..TURN_TRIES {
        let row = client.query_one(TRY_LOCK, &[]).await?;
        if row.get(0) {
            return Ok(());
        }
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
    Err(failure::unsuitable(
        "another process is migrating the database, and does not end".to_owned(),
    ))
}

async fn migrate(
    client: &Client,
    schema: &Schema,
    files: &[Migration],
    accept: Accept,
    progress: &Progress,
) -> Result<Migrated> {
    client.batch_execute("BEGIN").await?;
    let mut tx = PostgresTransaction::new(client);
    let outcome = migrate::migrate(&mut tx, schema, files, accept, progress).await;
    let (migrated, later) = end(client, outcome).await?;
    if later.is_empty() {
        return Ok(migrated);
    }
    // It waits for every transaction that is older than it, and keeps nobody waiting meanwhile.
    client.batch_execute("SET lock_timeout = 0").await?;
    let made = make_indexes(client, later, progress).await;
    client.batch_execute("SET lock_timeout = '5s'").await?;
    made.map(|()| migrated)
}

async fn make_indexes(client: &Client, later: Vec<Later>, progress: &Progress) -> Result<()> {
    for index in later {
        progress(Doing {
            title: index.title.clone(),
            rows: None,
        });
        for statement in index.statements {
            let made = pipeline::run(client, statement.text(), statement.parameters()).await;
            made.map_err(|err| {
                let cause = err
                    .as_db_error()
                    .map_or_else(|| err.to_string(), |err| err.message().to_owned());
                failure::unsuitable(format!(
                    "everything was done but this: {}; migrate again to go on with it: {cause}",
                    index.title
                ))
            })?;
        }
    }
    Ok(())
}

async fn end<T>(client: &Client, outcome: Result<T>) -> Result<T> {
    match outcome {
        Ok(value) => {
            client.batch_execute("COMMIT").await?;
            Ok(value)
        }
        Err(err) => {
            // Where the connection is gone, so is the transaction.
            let _ = client.batch_execute("ROLLBACK").await;
            Err(err)
        }
    }
}

/// Whether the server is new enough, and its database can hold what Carafe stores.
pub(crate) async fn check_server(client: &Client) -> Result<()> {
    const VERSION_MIN: i64 = 130_000;
    let asked = Statement::new(
        Dialect::Postgres,
        "SELECT current_setting('server_version_num')::bigint, current_setting('server_version'), \
         current_setting('server_encoding'), current_schema()::text",
    );
    let answer = pipeline::run(client, asked.text(), &[] as &[Parameter]).await?;
    let row = answer.rows.first().map(values).unwrap_or_default();
    match row.as_slice() {
        [Value::Integer(number), Value::Text(version), ..] if *number < VERSION_MIN => {
            Err(failure::unsuitable(format!(
                "the server is PostgreSQL {version}; Carafe needs 13 or newer"
            )))
        }
        [_, _, Value::Text(encoding), ..] if encoding != "UTF8" => {
            Err(failure::unsuitable(format!(
                "the database's encoding is {encoding}; Carafe needs UTF8 \
                 (CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0)"
            )))
        }
        [_, _, _, Value::Null] => Err(failure::unsuitable(
            "there is no schema to make tables in; the search_path names none that is there"
                .to_owned(),
        )),
        _ => Ok(()),
    }
}
