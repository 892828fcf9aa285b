//! The limit of durable writes: SQLite itself, in this process, one transaction a write or one
//! for all that wait.

use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use futures_util::future::try_join_all;
use rusqlite::Connection;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use crate::note::{Note, Notes, Random};
use crate::processor;
use crate::sample::Sample;

/// Writes in one transaction at most; more do not make it faster.
const BATCH_MAX: usize = 256;
/// As Carafe has it.
const CHECKPOINT_PAGES: i64 = 2000;

const TABLE: &str = "
    CREATE TABLE IF NOT EXISTS notes (
        id INTEGER PRIMARY KEY, version INTEGER NOT NULL DEFAULT 1, title TEXT NOT NULL,
        content TEXT NOT NULL, created_at TEXT NOT NULL, updated_at TEXT NOT NULL
    ) STRICT;";
const SEARCH: &str = "
    CREATE VIRTUAL TABLE IF NOT EXISTS found
        USING fts5(title, content, content = 'notes', content_rowid = 'id', tokenize = 'trigram');
    CREATE TRIGGER IF NOT EXISTS notes_found AFTER INSERT ON notes BEGIN
        INSERT INTO found (rowid, title, content) VALUES (NEW.id, NEW.title, NEW.content);
    END;";
const INSERT: &str =
    "INSERT INTO notes (title, content, created_at, updated_at) VALUES (?1, ?2, ?3, ?3)";
const UPDATE: &str = "UPDATE notes SET title = ?2, version = version + 1, updated_at = ?3 \
                      WHERE id = ?1";
const AT: &str = "2026-01-01T00:00:00.000000Z";

/// How writes come together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Kind {
    /// A transaction for each.
    Single,
    /// One transaction for all that wait, by one thread.
    Group,
    /// The same, with an FTS5 index of trigrams that triggers keep.
    GroupWithSearch,
}

/// What one write does.
#[derive(Clone, Debug)]
enum Change {
    Insert { title: String, content: String },
    Update { id: i64, title: String },
}

struct Write {
    change: Change,
    done: oneshot::Sender<rusqlite::Result<i64>>,
}

/// A database that takes writes; each is on disk when it is answered.
pub(crate) struct Journal {
    queue: Sender<Write>,
}

impl Journal {
    pub(crate) fn open(path: &Path, kind: Kind) -> Result<Self> {
        let connection = connect(path, kind)?;
        let (queue, writes) = channel();
        let batch_max = if kind == Kind::Single { 1 } else { BATCH_MAX };
        std::thread::spawn(move || {
            // Every write that waits is told, because its sender goes with the thread.
            let _ = commit_all(&connection, &writes, batch_max);
        });
        Ok(Self { queue })
    }

    /// Writes a note, and returns its id.
    pub(crate) async fn write(&self, title: String, content: String) -> Result<i64> {
        self.change(Change::Insert { title, content }).await
    }

    async fn change(&self, change: Change) -> Result<i64> {
        let (done, answer) = oneshot::channel();
        let ended = || anyhow!("the writer has ended");
        self.queue
            .send(Write { change, done })
            .map_err(|_| ended())?;
        Ok(answer.await.map_err(|_| ended())??)
    }
}

fn commit_all(
    connection: &Connection,
    writes: &Receiver<Write>,
    batch_max: usize,
) -> rusqlite::Result<()> {
    let mut insert = connection.prepare(INSERT)?;
    let mut update = connection.prepare(UPDATE)?;
    let mut begin = connection.prepare("BEGIN IMMEDIATE")?;
    let mut commit = connection.prepare("COMMIT")?;
    let mut answers = Vec::with_capacity(batch_max);
    while let Ok(first) = writes.recv() {
        begin.execute([])?;
        let rest = std::iter::from_fn(|| writes.try_recv().ok());
        for write in std::iter::once(first).chain(rest).take(batch_max) {
            let result = match &write.change {
                Change::Insert { title, content } => insert.insert((title, content, AT)),
                Change::Update { id, title } => update.execute((id, title, AT)).map(|_| *id),
            };
            answers.push((write.done, result));
        }
        commit.execute([])?;
        for (done, result) in answers.drain(..) {
            // Who does not wait any more does not need to know.
            let _ = done.send(result);
        }
    }
    Ok(())
}

/// What the clients of [`measure`] write.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Work {
    Insert,
    /// Random rows of the first so many.
    Update(u64),
}

/// Fills the table of a new database with notes.
pub(crate) fn fill(path: &Path, rows: u64) -> Result<()> {
    let mut connection = Connection::open(path)?;
    connection.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF;")?;
    connection.execute_batch(TABLE)?;
    let transaction = connection.transaction()?;
    {
        let mut insert = transaction.prepare(INSERT)?;
        for note in Notes::new().take(usize::try_from(rows)?) {
            insert.execute((note.title, note.content, AT))?;
        }
    }
    transaction.commit()?;
    Ok(())
}

/// Writes for some time with so many clients at once, on the processor of the servers.
pub(crate) fn measure(
    path: &Path,
    kind: Kind,
    clients: usize,
    work: Work,
    duration: Duration,
) -> Result<Sample> {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            processor::stay_on(processor::SERVER);
            let journal = Journal::open(path, kind)?;
            let runtime = tokio::runtime::Builder::new_current_thread().build()?;
            runtime.block_on(write_for(&journal, clients, work, duration))
        });
        thread
            .join()
            .map_err(|_| anyhow!("the writers ended early"))?
    })
}

async fn write_for(
    journal: &Journal,
    clients: usize,
    work: Work,
    duration: Duration,
) -> Result<Sample> {
    let notes: Vec<Note> = Notes::new().take(1024).collect();
    let started = Instant::now();
    let client = |number: usize| {
        let notes = &notes;
        async move {
            let mut random = Random::new(number as u64 + 1);
            let mut latencies = Vec::new();
            while started.elapsed() < duration {
                let index = usize::try_from(random.below(notes.len() as u64))?;
                let Note { title, content } = notes[index].clone();
                let change = match work {
                    Work::Insert => Change::Insert { title, content },
                    Work::Update(rows) => Change::Update {
                        id: i64::try_from(1 + random.below(rows))?,
                        title,
                    },
                };
                let sent = Instant::now();
                journal.change(change).await?;
                latencies.push(u64::try_from(sent.elapsed().as_nanos())?);
            }
            anyhow::Ok(latencies)
        }
    };
    let all = try_join_all((0..clients).map(client)).await?;
    let latencies = all.concat();
    Ok(Sample {
        count: latencies.len() as u64,
        seconds: started.elapsed().as_secs_f64(),
        server_seconds: 0.0,
        latencies,
    })
}

/// The same for one client that is the writer itself: one transaction after the other.
pub(crate) fn one_by_one(path: &Path, duration: Duration) -> Result<Sample> {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            processor::stay_on(processor::SERVER);
            let connection = connect(path, Kind::Single)?;
            let mut insert = connection.prepare(INSERT)?;
            let notes: Vec<Note> = Notes::new().take(1024).collect();
            let mut latencies = Vec::new();
            let started = Instant::now();
            for note in notes.iter().cycle() {
                if started.elapsed() >= duration {
                    break;
                }
                let sent = Instant::now();
                insert.execute((&note.title, &note.content, AT))?;
                latencies.push(u64::try_from(sent.elapsed().as_nanos())?);
            }
            Ok(Sample {
                count: latencies.len() as u64,
                seconds: started.elapsed().as_secs_f64(),
                server_seconds: 0.0,
                latencies,
            })
        });
        thread
            .join()
            .map_err(|_| anyhow!("the writer ended early"))?
    })
}

fn connect(path: &Path, kind: Kind) -> Result<Connection> {
    let connection = Connection::open(path)?;
    connection.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;")?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    connection.execute_batch(TABLE)?;
    if kind == Kind::GroupWithSearch {
        connection.execute_batch(SEARCH)?;
    }
    Ok(connection)
}
