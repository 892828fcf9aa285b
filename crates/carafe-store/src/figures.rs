//! What a database does, in numbers.

use std::sync::atomic::{AtomicU64, Ordering};

use std::time::Duration;

use carafe_model::histogram::{Counts, Histogram};

use crate::error::Result;

/// A database at one moment.
#[derive(Clone, Debug)]
pub struct Figures {
    /// Of the file or of the database on its server; `None` in memory, and where it cannot be
    /// asked.
    pub size_bytes: Option<u64>,
    pub engine: EngineFigures,
}

#[derive(Clone, Debug)]
pub enum EngineFigures {
    Sqlite(SqliteFigures),
    Postgres(PostgresFigures),
}

#[derive(Clone, Debug)]
pub struct SqliteFigures {
    /// Of the write-ahead log; `None` in memory.
    pub log_bytes: Option<u64>,
    /// Messages that wait for the thread that writes.
    pub writes_waiting: u64,
    /// Writes of one transaction.
    pub batches: Counts,
    /// Microseconds of commits, with the checkpoints in them.
    pub commits: Counts,
    /// Microseconds in which the log was carried over into the database.
    pub checkpoints: Counts,
    /// Connections that read.
    pub reads: u64,
    /// Reads that wait for a thread.
    pub reads_waiting: u64,
    /// Rows that the search index has yet to take in; `None` where it cannot be asked.
    pub search_pending: Option<u64>,
}

/// The pool of connections to PostgreSQL.
#[derive(Clone, Debug)]
pub struct PostgresFigures {
    pub connections: usize,
    pub idle: usize,
    pub connections_max: usize,
    /// Requests that wait for a connection.
    pub waiting: usize,
}

/// Upper bounds of a batch's writes.
const BATCHES: &[u64] = &[1, 2, 4, 8, 16, 32, 64, 128, 256, 512];

/// Upper bounds of commits and checkpoints, microseconds.
const MICROS: &[u64] = &[
    100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000,
    1_000_000, 5_000_000,
];

/// How long the database may take for an answer that nobody depends on.
const ANSWER_MAX: Duration = Duration::from_secs(1);

/// An answer, if there is one in time.
pub(crate) async fn within<T>(answer: impl Future<Output = Result<T>>) -> Option<T> {
    tokio::time::timeout(ANSWER_MAX, answer).await.ok()?.ok()
}

/// What the threads of a SQLite database count as they work.
#[derive(Debug)]
pub(crate) struct Counted {
    pub(crate) writes_waiting: Gauge,
    pub(crate) batches: Histogram,
    pub(crate) commits: Histogram,
    pub(crate) checkpoints: Histogram,
    pub(crate) reads: Gauge,
    pub(crate) reads_waiting: Gauge,
}

impl Default for Counted {
    fn default() -> Self {
        Self {
            writes_waiting: Gauge::default(),
            batches: Histogram::new(BATCHES),
            commits: Histogram::new(MICROS),
            checkpoints: Histogram::new(MICROS),
            reads: Gauge::default(),
            reads_waiting: Gauge::default(),
        }
    }
}

/// A number that goes up and down.
#[derive(Debug, Default)]
pub(crate) struct Gauge(AtomicU64);

impl Gauge {
    pub(crate) fn up(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// Never called more often than [`up`](Self::up).
    pub(crate) fn down(&self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }

    /// Up until the guard is dropped.
    pub(crate) fn hold(&self) -> Held<'_> {
        self.up();
        Held(self)
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

pub(crate) struct Held<'g>(&'g Gauge);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.down();
    }
}
