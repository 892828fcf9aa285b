//! The one thread that writes. It takes what waits, runs it in one transaction, commits once,
//! and answers all: group commit.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::error::{Cause, Error, Result};
use crate::figures::Counted;
use crate::plan::Plans;
use crate::sqlite::answer::{self, Reply, Waiting};
use crate::sqlite::connection::{BUSY_TIMEOUT, bound};
use crate::sqlite::failure;
use crate::sqlite::indexer::Indexer;
use crate::sqlite::profile::Profile;
use crate::sqlite::readers::Idle;
use crate::sqlite::transaction::{SqliteTransaction, now};
use crate::write::{Expect, Step, Work, Write};

/// Messages that wait for the thread.
pub(crate) const QUEUE_MAX: usize = 4096;

/// Writes of one transaction.
const BATCH_MAX: usize = 512;

/// How long no message must have come before waiting rows are indexed. Clients that wait for an
/// answer before they write again are quicker.
const QUIET: Duration = Duration::from_millis(4);

pub(crate) enum Message {
    Write(Request),
    /// Something that needs the connection outside of any transaction.
    Job(Job),
    /// The search indexes of these plans are to be kept.
    Watch(Arc<Plans>),
    /// A search found rows that wait for the index.
    Index,
    Close(oneshot::Sender<()>),
}

pub(crate) type Job = Box<dyn FnOnce(&Connection) + Send>;

/// A write, and who waits for its answer.
pub(crate) struct Request {
    pub(crate) write: Write,
    pub(crate) reply: Reply,
}

struct Writer {
    connection: Connection,
    profile: Option<Profile>,
    indexer: Indexer,
    /// None in memory.
    log: Option<Log>,
    counted: Arc<Counted>,
}

/// The write-ahead log of a file.
pub(crate) struct Log {
    pub(crate) path: PathBuf,
    /// Long reads share it; who takes it alone waits until none is under way.
    pub(crate) gate: Arc<RwLock<()>>,
    /// Connections that may keep a snapshot while nobody uses them.
    idle: Arc<Idle>,
    /// Bytes from which it is shortened by force.
    bytes_max: u64,
}

impl Log {
    const BYTES_MAX: u64 = 64 * 1024 * 1024;

    pub(crate) fn new(path: PathBuf, gate: Arc<RwLock<()>>, idle: Arc<Idle>) -> Self {
        Self {
            path,
            gate,
            idle,
            bytes_max: Self::BYTES_MAX,
        }
    }

    fn bytes(&self) -> u64 {
        std::fs::metadata(&self.path).map_or(0, |log| log.len())
    }
}

/// How long shortening the log waits for a snapshot of somebody else, a backup for example.
const SHORTEN_WAIT: Duration = Duration::from_millis(100);

/// Serves messages until one closes or all senders are gone.
pub(crate) fn run(
    connection: Connection,
    profile: Option<Profile>,
    log: Option<Log>,
    counted: Arc<Counted>,
    messages: &Receiver<Message>,
) {
    let mut writer = Writer {
        connection,
        profile,
        indexer: Indexer::default(),
        log,
        counted,
    };
    let mut held = None;
    while let Some(message) = held.take().or_else(|| writer.next(messages)) {
        writer.counted.writes_waiting.down();
        match message {
            Message::Write(first) => {
                let (batch, ended_by) = drain(first, messages);
                held = ended_by;
                for _ in &batch[1..] {
                    writer.counted.writes_waiting.down();
                }
                writer.counted.batches.record(batch.len() as u64);
                writer.commit_all(batch);
                writer.shorten_log();
            }
            Message::Job(job) => job(&writer.connection),
            Message::Watch(plans) => writer.indexer.watch(plans),
            Message::Index => writer.indexer.wake(),
            Message::Close(reply) => {
                writer.carry_over();
                // Nobody waits any more: fine.
                let _ = reply.send(());
                return;
            }
        }
        writer.indexer.catch_up(&writer.connection);
        if let Some(profile) = &writer.profile {
            profile.tell(&writer.connection);
        }
    }
    writer.carry_over();
}

/// The writes that wait already, and those that come while others of this processor are let go
/// first, up to the first message that is none. The first write wakes this thread, which may put
/// the one that reads requests to sleep before it has handed over the others.
fn drain(first: Request, messages: &Receiver<Message>) -> (Vec<Request>, Option<Message>) {
    let mut batch = vec![first];
    let mut taken = 0;
    while taken < batch.len() && batch.len() < BATCH_MAX {
        taken = batch.len();
        std::thread::yield_now();
        while batch.len() < BATCH_MAX {
            match messages.try_recv() {
                Ok(Message::Write(request)) => batch.push(request),
                Ok(other) => return (batch, Some(other)),
                Err(_) => break,
            }
        }
    }
    (batch, None)
}

impl Writer {
    /// The next message; rows that wait for the search index are indexed while none comes.
    fn next(&mut self, messages: &Receiver<Message>) -> Option<Message> {
        let mut wait = QUIET;
        while self.indexer.has_work() {
            match messages.recv_timeout(wait) {
                Ok(message) => return Some(message),
                Err(RecvTimeoutError::Timeout) => self.indexer.step(&self.connection),
                Err(RecvTimeoutError::Disconnected) => return None,
            }
            // It is quiet: on without a pause until somebody comes.
            wait = Duration::ZERO;
        }
        messages.recv().ok()
    }

    /// Commits a batch in one transaction. Where that fails as a whole, each write is run again
    /// in one of its own.
    fn commit_all(&mut self, batch: Vec<Request>) {
        match self.commit(&batch) {
            Ok(outcomes) => self.answer(batch.into_iter().zip(outcomes)),
            Err(err) => {
                tracing::warn!(error = %err, writes = batch.len(), "A group of writes was not committed");
                self.commit_each(batch, err);
            }
        }
    }

    /// Answers come after the commit only. An error means that nothing was stored.
    fn commit(&mut self, batch: &[Request]) -> Result<Vec<Result<i64>>> {
        begin(&self.connection)?;
        let mut outcomes = Vec::with_capacity(batch.len());
        for request in batch {
            let outcome = execute(&self.connection, &request.write);
            // A full disk, an I/O error or no memory can end the whole transaction.
            if self.connection.is_autocommit() {
                return Err(outcome.err().unwrap_or_else(lost));
            }
            outcomes.push(outcome);
        }
        let started = Instant::now();
        commit(&self.connection)?;
        self.counted.commits.record_micros(started.elapsed());
        Ok(outcomes)
    }

    fn commit_each(&mut self, batch: Vec<Request>, err: Error) {
        if matches!(err, Error::Full(_)) {
            // The log may hold many copies of a page; carried over they are one.
            self.carry_over();
        } else if batch.len() == 1 || matches!(err, Error::Unavailable(_)) {
            let refused = batch.into_iter().map(|request| (request, Err(same(&err))));
            return self.answer(refused);
        }
        for request in batch {
            let outcome = match self.commit(std::slice::from_ref(&request)) {
                Ok(mut outcomes) => outcomes.pop().unwrap_or_else(|| Err(lost())),
                Err(err) => Err(err),
            };
            self.answer([(request, outcome)]);
        }
    }

    fn answer(&mut self, outcomes: impl IntoIterator<Item = (Request, Result<i64>)>) {
        let noted = outcomes.into_iter().map(|(request, outcome)| {
            if outcome.is_ok() {
                self.indexer.note(&request.write);
            }
            Waiting {
                reply: request.reply,
                outcome,
            }
        });
        answer::all(noted);
    }

    /// Carries the log over into the database, so that the file is whole by itself.
    fn carry_over(&self) {
        if let Some(log) = &self.log {
            log.idle.release();
        }
        if let Err(err) = carry_over(&self.connection, &self.counted) {
            // The next start reads the log.
            tracing::warn!(error = %err, "The log was not carried over into the database");
        }
    }

    /// Shortens a log that has grown past its limit because one long read or another always
    /// held an older snapshot: no new one begins until this is done.
    ///
    /// A snapshot that is held for long elsewhere is not waited for: the log grows, and it is
    /// tried again when it has twice the size.
    fn shorten_log(&mut self) {
        let Some(log) = &mut self.log else { return };
        if log.bytes() <= log.bytes_max {
            return;
        }
        let gate = Arc::clone(&log.gate);
        let _quiet = gate.write().unwrap_or_else(PoisonError::into_inner);
        log.idle.release();
        let connection = &self.connection;
        let shortened = connection
            .busy_timeout(SHORTEN_WAIT)
            .and_then(|()| carry_over(connection, &self.counted));
        if let Err(err) = shortened.and(connection.busy_timeout(BUSY_TIMEOUT)) {
            tracing::warn!(error = %err, "The log was not shortened");
        }
        log.bytes_max = Log::BYTES_MAX.max(log.bytes().saturating_mul(2));
    }
}

fn carry_over(connection: &Connection, counted: &Counted) -> rusqlite::Result<()> {
    let started = Instant::now();
    let carried = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
    counted.checkpoints.record_micros(started.elapsed());
    carried
}

/// Runs a write in the open transaction. After an error nothing of it is left there.
fn execute(connection: &Connection, write: &Write) -> Result<i64> {
    if let Work::Steps(steps) = &write.work
        && steps.iter().filter(|step| step.changes()).count() <= 1
    {
        let before = connection.total_changes();
        let outcome = run_steps(connection, write, steps);
        if outcome.is_err() && connection.total_changes() != before {
            // A trigger has failed, and the row is there: the group starts anew.
            rollback(connection);
        }
        return outcome;
    }
    plain(connection, "SAVEPOINT one")?;
    let outcome = match &write.work {
        Work::Steps(steps) => run_steps(connection, write, steps),
        Work::Delete(deletion) => {
            let mut tx = SqliteTransaction(connection);
            now(deletion.run(&mut tx, &write.plans.schema)).map(|()| 0)
        }
        Work::Restore(restoration) => {
            let mut tx = SqliteTransaction(connection);
            now(restoration.run(&mut tx, &write.plans.schema)).map(|()| 0)
        }
    };
    if outcome.is_err()
        && !connection.is_autocommit()
        && plain(connection, "ROLLBACK TO one").is_err()
    {
        // Nothing of a refused write may be committed with the others: the group starts anew.
        rollback(connection);
    }
    if !connection.is_autocommit() {
        plain(connection, "RELEASE one")?;
    }
    outcome
}

fn run_steps(connection: &Connection, write: &Write, steps: &[Step]) -> Result<i64> {
    let mut inserted_id = 0;
    for step in steps {
        run_step(connection, step, &mut inserted_id)
            .map_err(|err| failure::of_write(&write.plans.schema.resources[write.resource], err))?
            .map_or(Ok(()), Err)?;
    }
    Ok(inserted_id)
}

/// Runs a step; `Some` is the refusal of its guard.
fn run_step(
    connection: &Connection,
    step: &Step,
    inserted_id: &mut i64,
) -> rusqlite::Result<Option<Error>> {
    let mut statement = bound(connection, &step.text, &step.parameters, *inserted_id)?;
    let refusal = match step.expect {
        Expect::Insert => {
            statement.raw_execute()?;
            *inserted_id = connection.last_insert_rowid();
            None
        }
        Expect::Run => {
            statement.raw_execute()?;
            None
        }
        Expect::Change(refusal) => (statement.raw_execute()? != 1).then_some(refusal),
        Expect::Require(refusal) => statement.raw_query().next()?.is_none().then_some(refusal),
    };
    Ok(refusal.map(Error::from))
}

/// Opens a transaction that can write.
pub(crate) fn begin(connection: &Connection) -> rusqlite::Result<()> {
    plain(connection, "BEGIN IMMEDIATE")
}

/// Commits, or leaves no transaction behind.
pub(crate) fn commit(connection: &Connection) -> rusqlite::Result<()> {
    plain(connection, "COMMIT").inspect_err(|_| rollback(connection))
}

/// Ends what transaction there is.
pub(crate) fn rollback(connection: &Connection) {
    if !connection.is_autocommit()
        && let Err(err) = plain(connection, "ROLLBACK")
    {
        tracing::error!(error = %err, "A transaction was not rolled back");
    }
}

fn plain(connection: &Connection, text: &'static str) -> rusqlite::Result<()> {
    connection.prepare_cached(text)?.raw_execute().map(drop)
}

fn lost() -> Error {
    Error::Unavailable(Cause::from("the transaction was lost"))
}

/// The same error for another write of the batch.
fn same(err: &Error) -> Error {
    let cause = |err: &dyn std::fmt::Display| Cause::from(err.to_string());
    match err {
        Error::Full(inner) => Error::Full(cause(inner)),
        Error::Unavailable(inner) => Error::Unavailable(cause(inner)),
        Error::Other(inner) => Error::Other(cause(inner)),
        other => Error::Other(cause(other)),
    }
}
