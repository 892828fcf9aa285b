//! A PostgreSQL database: reads and writes over a pool of connections.

use std::sync::Arc;
use std::time::{Duration, Instant};

use carafe_model::key::Key;
use carafe_model::query::{Query, Total};
use carafe_model::record::column;
use carafe_model::resource::Resource;
use carafe_model::value::{Cell, Row, Value};
use deadpool_postgres::{Client, Object, Pool};
use futures_util::TryStreamExt;
use tokio::sync::mpsc::Receiver;
use tokio_postgres::CancelToken;
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::database::{Durability, Options};
use crate::dialect::Dialect;
use crate::error::{Error, Result};
use crate::figures::{self, EngineFigures, Figures, PostgresFigures};
use crate::freshness::{self, Position};
use crate::import::{ImportRow, Imported, Part};
use crate::plan::Plans;
use crate::postgres::array::Array;
use crate::postgres::gather::Gather;
use crate::postgres::insertions::Insertion;
use crate::postgres::pipeline::{self, Answer};
use crate::postgres::readings::Reading;
use crate::postgres::replica::{self, Replica};
use crate::postgres::row::{Bound, PostgresRow};
use crate::postgres::transaction::PostgresTransaction;
use crate::postgres::url::Url;
use crate::postgres::watch::Watch;
use crate::postgres::{connection, ddl, failure, import, insertions, readings, tls, writer};
use crate::select;
use crate::slow::Slow;
use crate::statement::Statement;
use crate::store::{Scope, Stamp};
use crate::transaction::Transaction;
use crate::write::{InsertMany, Write};

/// Times that a write is tried where others are in its way: a deadlock, of which the server
/// ends one.
const TRIES_MAX: u32 = 4;

/// How long the first of them waits before it is tried again, and each further one longer by: the
/// write that was let through is to end before that takes its locks in the other order again.
const PAUSE: Duration = Duration::from_millis(100);

/// Connections to one database; a cheap clone of a shared handle.
#[derive(Clone)]
pub(crate) struct Postgres {
    pool: Pool,
    tls: MakeRustlsConnect,
    replica: Option<Replica>,
    watch: Watch,
    pub(super) readings: Gather<Reading>,
    pub(super) insertions: Gather<Insertion>,
}

impl Postgres {
    pub(crate) fn is_url(url: &str) -> bool {
        Url::is_one(url)
    }

    /// Makes no connection yet.
    pub(crate) fn open(url: &str, options: Options) -> Result<Self> {
        let url = Url::parse(url).map_err(failure::unsuitable)?;
        let tls = tls::connector(&url.trust).map_err(failure::unsuitable)?;
        let pool = connection::pool(&url, tls.clone(), options.durability)?;
        let slow = options.slow_query.map(|limit| Arc::new(Slow::new(limit)));
        Ok(Self {
            watch: Watch::new(slow, pool.clone()),
            pool,
            tls,
            replica: None,
            readings: Gather::default(),
            insertions: Gather::default(),
        })
    }

    pub(crate) fn with_replica(self, url: &str) -> Result<Self> {
        let url = Url::parse(url).map_err(failure::unsuitable)?;
        let tls = tls::connector(&url.trust).map_err(failure::unsuitable)?;
        let pool = connection::pool(&url, tls, Durability::Full)?;
        Ok(Self {
            replica: Some(Replica::new(pool)),
            ..self
        })
    }

    pub(crate) fn has_replica(&self) -> bool {
        self.replica.is_some()
    }

    /// Where the log of the primary is.
    pub(crate) async fn position(&self) -> Result<Option<Position>> {
        if self.replica.is_none() {
            return Ok(None);
        }
        let asked = "SELECT pg_current_wal_insert_lsn()::text";
        let client = self.client().await?;
        let row = client.query_one(asked, &[]).await?;
        Ok(Position::parse(row.get(0)))
    }

    /// Whether all processes say the same of something.
    pub(crate) async fn agree(&self, name: &str, value: &str, anew: bool) -> Result<bool> {
        let client = self.client().await?;
        let mut tx = PostgresTransaction::new(&client);
        let [say, read] = ddl::agree(name, value, anew);
        tx.run(&say).await?;
        let said = tx.rows(&read).await?;
        Ok(said == [[Value::Text(value.to_owned())]])
    }

    /// What is wrong with the counters and the searched texts, a line each.
    pub(crate) async fn check_integrity(&self) -> Result<Vec<String>> {
        self.read_only(async |tx| ddl::check(tx).await).await
    }

    /// Runs reads that see one state of the database.
    pub(crate) async fn read_only<T>(
        &self,
        read: impl AsyncFnOnce(&mut PostgresTransaction<'_>) -> Result<T>,
    ) -> Result<T> {
        let client = self.client().await?;
        client
            .batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            .await?;
        let outcome = read(&mut PostgresTransaction::new(&client)).await;
        client.batch_execute("ROLLBACK").await?;
        outcome
    }

    /// What the database does at this moment.
    pub(crate) async fn figures(&self) -> Figures {
        let status = self.pool.status();
        let size = async {
            let client = self.client().await?;
            let asked = "SELECT pg_database_size(current_database())";
            let size: i64 = client.query_one(asked, &[]).await?.get(0);
            Ok(u64::try_from(size).unwrap_or(0))
        };
        Figures {
            size_bytes: figures::within(size).await,
            engine: EngineFigures::Postgres(PostgresFigures {
                connections: status.size,
                idle: status.available,
                connections_max: status.max_size,
                waiting: status.waiting,
            }),
        }
    }

    /// Closes the connections.
    pub(crate) async fn close(&self) {
        if let Some(replica) = &self.replica {
            replica.pool.close();
        }
        self.pool.close();
    }

    /// What was prepared before may be of other columns.
    pub(super) fn forget_statements(&self) {
        self.pool.manager().statement_caches.clear();
    }

    pub(crate) async fn client(&self) -> Result<Client> {
        Ok(self.pool.get().await?)
    }

    /// A connection to read from: to the replica where that is fresh enough.
    async fn reader(&self, attempts: &mut Attempts) -> Result<Client> {
        let (Some(replica), Some(freshness)) = (&self.replica, freshness::current()) else {
            return self.client().await;
        };
        if !attempts.failed
            && let Some(client) = replica.client(freshness).await
        {
            attempts.is_replica = true;
            return Ok(client);
        }
        attempts.is_replica = false;
        self.client().await
    }

    /// The outcome of a read. One from the replica takes a few seconds at most, because the primary
    /// can be asked after it.
    async fn limited<T>(
        &self,
        attempts: &Attempts,
        read: impl Future<Output = std::result::Result<T, tokio_postgres::Error>>,
    ) -> std::result::Result<T, ReadError> {
        let Some(replica) = self.replica.as_ref().filter(|_| attempts.is_replica) else {
            return read.await.map_err(ReadError::Failed);
        };
        match tokio::time::timeout(replica::READ_MAX, read).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(err)) => Err(ReadError::Failed(err)),
            Err(_) => {
                replica.rest();
                Err(ReadError::TooLong)
            }
        }
    }

    /// Reads one record, and hands its row to `read`.
    pub(crate) async fn get<T>(
        &self,
        plans: &Arc<Plans>,
        resource: &Resource,
        scope: Scope,
        key: &Key,
        read: impl FnOnce(&dyn Row) -> T,
    ) -> Result<Option<T>> {
        let plan = plans.of(resource);
        if let (Scope::Live, Some(text), None) = (scope, &plan.many_live, &self.replica)
            && let Some(row) = readings::one(self, text, key).await
        {
            return Ok(row.map(|row| read(&PostgresRow(&row))));
        }
        let text = match scope {
            Scope::Live => &plan.one_live,
            Scope::Deleted => &plan.one_deleted,
        };
        let key = key.to_value();
        let mut attempts = Attempts::default();
        let row = loop {
            let client = self.reader(&mut attempts).await?;
            let started = Instant::now();
            match self.limited(&attempts, one(&client, text, &key)).await {
                Ok(row) => {
                    self.watch
                        .saw(text, started.elapsed(), usize::from(row.is_some()));
                    break row;
                }
                Err(err) => attempts.again(client, err)?,
            }
        };
        Ok(row.map(|row| read(&PostgresRow(&row))))
    }

    /// Reads the rows of these keys.
    pub(super) async fn many(&self, text: &str, keys: &[Key]) -> Result<Vec<tokio_postgres::Row>> {
        let client = self.client().await?;
        let statement = client.prepare_cached(text).await?;
        let started = Instant::now();
        let rows = client.query(&statement, &[&Array::of_keys(keys)]).await;
        match rows {
            Ok(rows) => {
                self.watch.saw(text, started.elapsed(), rows.len());
                Ok(rows)
            }
            Err(err) => {
                if failure::spoils_connection(&err) {
                    discard(client);
                }
                Err(err.into())
            }
        }
    }

    /// Inserts rows by one statement, and returns their ids, in their order. `None` where the
    /// server has refused them, or there is no connection; an error where it is unknown what
    /// became of them.
    pub(super) async fn insert_many(
        &self,
        many: &InsertMany,
        rows: &[Vec<Value>],
    ) -> Option<std::result::Result<Vec<i64>, tokio_postgres::Error>> {
        let client = self.client().await.ok()?;
        let statement = client.prepare_cached(&many.text).await.ok()?;
        let started = Instant::now();
        let made = client.query_raw(&statement, many.arrays(rows)).await;
        let made = match made {
            Ok(made) => {
                made.map_ok(|row| row.get::<_, i64>(0))
                    .try_collect::<Vec<i64>>()
                    .await
            }
            Err(err) => Err(err),
        };
        match made {
            Ok(ids) => {
                self.watch.saw(&many.text, started.elapsed(), ids.len());
                Some(Ok(ids))
            }
            Err(err) => failure::spoils_connection(&err).then(|| {
                discard(client);
                Err(err)
            }),
        }
    }

    /// Reads a page of records, hands each row to `each` in order, and counts all that match in
    /// the same snapshot.
    pub(crate) async fn list(
        &self,
        plans: &Arc<Plans>,
        resource: &Resource,
        scope: Scope,
        query: &Query,
        each: &mut (dyn FnMut(&dyn Row) + Send),
    ) -> Result<Total> {
        if let Some(walk) = plans.walk(resource, scope, query) {
            let deep = query.offset() > 0;
            let text = if deep {
                &walk.deep_page
            } else {
                &walk.first_page
            };
            let mut parameters = vec![whole(query.per_page)];
            if deep {
                parameters.push(whole(query.offset()));
            }
            let rows = self.planned(text, &parameters).await?;
            if let Some(first) = rows.first() {
                let total = column::FIELDS + resource.fields.len();
                let total = count(PostgresRow(first).cell(total));
                rows.iter().for_each(|row| each(&PostgresRow(row)));
                return Ok(Total::exact(total));
            }
        }
        let page = select::page(Dialect::Postgres, resource, scope, query);
        if query.cursor.is_some() {
            let rows = self.snapshot(&[page]).await?;
            rows.iter()
                .flatten()
                .for_each(|row| each(&PostgresRow(row)));
            return Ok(Total::exact(0));
        }
        let total = select::count(Dialect::Postgres, resource, scope, query);
        let answers = self.snapshot(&[total, page]).await?;
        let [total, page] = answers.as_slice() else {
            return Ok(Total::exact(0));
        };
        page.iter().for_each(|row| each(&PostgresRow(row)));
        let counted = total
            .first()
            .map_or(0, |row| count(PostgresRow(row).cell(0)));
        Ok(Total::counted(query, counted))
    }

    /// Runs a statement that was made beforehand.
    async fn planned(&self, text: &str, parameters: &[Value]) -> Result<Vec<tokio_postgres::Row>> {
        let mut attempts = Attempts::default();
        loop {
            let client = self.reader(&mut attempts).await?;
            let guard = self.cancel_when_dropped(&client);
            let started = Instant::now();
            let outcome = self
                .limited(&attempts, planned(&client, text, parameters))
                .await;
            guard.done();
            match outcome {
                Ok(rows) => {
                    self.watch.saw(text, started.elapsed(), rows.len());
                    return Ok(rows);
                }
                Err(err) => attempts.again(client, err)?,
            }
        }
    }

    /// Runs reads that see one state of the database, in one round trip.
    async fn snapshot(&self, statements: &[Statement]) -> Result<Vec<Vec<tokio_postgres::Row>>> {
        let mut attempts = Attempts::default();
        loop {
            let client = self.reader(&mut attempts).await?;
            let guard = self.cancel_when_dropped(&client);
            let started = Instant::now();
            let outcome = self.limited(&attempts, snapshot(&client, statements)).await;
            guard.done();
            match outcome {
                Ok(answers) => {
                    let texts = statements.iter().map(Statement::text);
                    self.watch.saw_all(started, texts.zip(&answers));
                    return Ok(answers.into_iter().map(|answer| answer.rows).collect());
                }
                Err(err) => attempts.again(client, err)?,
            }
        }
    }

    /// Reads rows, up to the first at which their texts have `bytes_max` bytes.
    pub(crate) async fn rows(
        &self,
        statement: Statement,
        bytes_max: usize,
    ) -> Result<Vec<Vec<Value>>> {
        let mut attempts = Attempts::default();
        loop {
            let client = self.reader(&mut attempts).await?;
            let guard = self.cancel_when_dropped(&client);
            let started = Instant::now();
            let outcome = self
                .limited(&attempts, pipeline::rows(&client, &statement, bytes_max))
                .await;
            guard.done();
            match outcome {
                Ok(rows) => {
                    self.watch
                        .saw(statement.text(), started.elapsed(), rows.len());
                    return Ok(rows);
                }
                Err(err) => attempts.again(client, err)?,
            }
        }
    }

    /// Carries a write out, whether its caller goes on waiting or not: a transaction is never
    /// left open.
    pub(crate) async fn write(&self, write: Write) -> Result<i64> {
        if let Some(made) = insertions::one(self, &write).await {
            return made;
        }
        let postgres = self.clone();
        let written = tokio::spawn(async move { postgres.write_now(&write).await });
        written
            .await
            .map_err(|err| Error::Unavailable(Box::new(err)))?
    }

    async fn write_now(&self, write: &Write) -> Result<i64> {
        let mut tries = 0;
        loop {
            let client = self.client().await?;
            let failure = match writer::execute(&client, write, &self.watch).await {
                Ok(id) => return Ok(id),
                Err(failure) => failure,
            };
            tries += 1;
            if writer::spoils_connection(&failure) {
                discard(client);
            }
            if tries >= TRIES_MAX || !writer::may_repeat(&failure) {
                return Err(writer::error(write, failure));
            }
            tokio::time::sleep(tries * PAUSE).await;
        }
    }

    /// Inserts the rows that come, all or none, whether its caller goes on waiting or not: a
    /// transaction is never left open.
    pub(crate) async fn import(
        &self,
        plans: Arc<Plans>,
        resource: usize,
        stamp: Stamp,
        mut parts: Receiver<Part<ImportRow>>,
    ) -> Result<Imported<Error>> {
        let postgres = self.clone();
        let imported = tokio::spawn(async move {
            let client = postgres.client().await?;
            let outcome = import::run(&client, &plans, resource, &stamp, &mut parts).await;
            if outcome.is_err() {
                // With the connection goes the transaction.
                discard(client);
            }
            outcome
        });
        imported
            .await
            .map_err(|err| Error::Unavailable(Box::new(err)))?
    }

    /// What stops the server's work for a read whose caller does not wait any more.
    fn cancel_when_dropped(&self, client: &Client) -> CancelWhenDropped {
        CancelWhenDropped(Some((client.cancel_token(), self.tls.clone())))
    }
}

/// A read is tried once more, on another connection, where the first turns out to be dead: the
/// server was started anew.
#[derive(Default)]
struct Attempts {
    failed: bool,
    /// The connection is to the replica, of which any failure is made good by the primary.
    is_replica: bool,
}

impl Attempts {
    /// Whether to try again after an error, which is returned else.
    fn again(&mut self, client: Client, err: ReadError) -> Result<()> {
        let spoilt = match &err {
            ReadError::Failed(err) => failure::spoils_connection(err),
            ReadError::TooLong => true,
        };
        if spoilt {
            discard(client);
        }
        if self.failed || !(spoilt || self.is_replica) {
            return Err(match err {
                ReadError::Failed(err) => err.into(),
                ReadError::TooLong => failure::unsuitable("the replica does not answer".to_owned()),
            });
        }
        self.failed = true;
        self.is_replica = false;
        Ok(())
    }
}

/// Why a read gave nothing.
enum ReadError {
    Failed(tokio_postgres::Error),
    /// The replica took longer than it may.
    TooLong,
}

async fn one(
    client: &Client,
    text: &str,
    key: &Value,
) -> std::result::Result<Option<tokio_postgres::Row>, tokio_postgres::Error> {
    let statement = client.prepare_cached(text).await?;
    client.query_opt(&statement, &[&Bound(key)]).await
}

async fn planned(
    client: &Client,
    text: &str,
    parameters: &[Value],
) -> std::result::Result<Vec<tokio_postgres::Row>, tokio_postgres::Error> {
    let statement = client.prepare_cached(text).await?;
    let bound: Vec<Bound<'_>> = parameters.iter().map(Bound).collect();
    client
        .query_raw(&statement, bound)
        .await?
        .try_collect()
        .await
}

async fn snapshot(
    client: &Client,
    statements: &[Statement],
) -> std::result::Result<Vec<Answer>, tokio_postgres::Error> {
    let mut running: Vec<pipeline::Running<'_>> = Vec::new();
    let several = statements.len() > 1;
    if several {
        let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
        running.push(pipeline::plain(client, begin));
    }
    for statement in statements {
        let (text, parameters) = (statement.text(), statement.parameters());
        running.push(Box::pin(pipeline::run(client, text, parameters)));
    }
    if several {
        running.push(pipeline::plain(client, "COMMIT"));
    }
    let answers = pipeline::all(running).await.into_iter();
    let answers = answers.skip(usize::from(several)).take(statements.len());
    answers.collect()
}

struct CancelWhenDropped(Option<(CancelToken, MakeRustlsConnect)>);

impl CancelWhenDropped {
    fn done(mut self) {
        self.0 = None;
    }
}

impl Drop for CancelWhenDropped {
    fn drop(&mut self) {
        if let Some((token, tls)) = self.0.take()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            // If that fails, the server finishes its work in vain.
            runtime.spawn(async move { token.cancel_query(tls).await.ok() });
        }
    }
}

/// Takes a connection out of the pool and closes it.
fn discard(client: Client) {
    drop(Object::take(client));
}

fn whole(number: u64) -> Value {
    Value::Integer(i64::try_from(number).unwrap_or(i64::MAX))
}

fn count(cell: Cell<'_>) -> u64 {
    match cell {
        Cell::Integer(count) => u64::try_from(count).unwrap_or(0),
        Cell::Null | Cell::Number(_) | Cell::Text(_) => 0,
    }
}
