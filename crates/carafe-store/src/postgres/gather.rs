//! Readings of one record that meet are made together: while some are under way, the others wait,
//! and go as one statement. PostgreSQL reads fifty rows in little more than the time of one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use carafe_model::key::Key;
use carafe_model::record::column;
use carafe_model::value::Row as _;
use tokio::sync::oneshot;
use tokio_postgres::Row;

use crate::postgres::database::Postgres;
use crate::postgres::row::PostgresRow;
use crate::statement::Text;

/// Statements of one resource under way at once: one is being worked on while the other's rows
/// are answered.
const UNDER_WAY_MAX: usize = 2;

/// Keys of one statement.
const KEYS_MAX: usize = 256;

/// What waits, by the statement that reads it; a cheap clone of a shared handle.
#[derive(Clone, Default)]
pub(super) struct Gather {
    queues: Arc<Mutex<HashMap<Text, Queue>>>,
}

#[derive(Default)]
struct Queue {
    under_way: usize,
    waiting: Vec<Waiting>,
}

struct Waiting {
    key: Key,
    answer: oneshot::Sender<Option<Arc<Row>>>,
}

impl Gather {
    /// Reads the row of a key by a statement for many. It sees all that was committed before the
    /// call: the statement is sent after it. `None` where the statement failed: then the row is
    /// to be read by itself, which says why.
    pub(super) async fn one(
        &self,
        postgres: &Postgres,
        text: &Text,
        key: &Key,
    ) -> Option<Option<Arc<Row>>> {
        let (answer, answered) = oneshot::channel();
        let key = key.clone();
        if let Some(batch) = self.add(text, Waiting { key, answer }) {
            let (gather, postgres, text) = (self.clone(), postgres.clone(), Arc::clone(text));
            // A task of its own, because the others do not go away with the first.
            tokio::spawn(async move { gather.run(&postgres, &text, batch).await });
        }
        answered.await.ok()
    }

    /// Takes a reading in; what is to be read at once, if that is so.
    fn add(&self, text: &Text, reading: Waiting) -> Option<Vec<Waiting>> {
        let mut queues = self.queues();
        let queue = match queues.get_mut(text) {
            Some(queue) => queue,
            None => queues.entry(Arc::clone(text)).or_default(),
        };
        queue.waiting.push(reading);
        (queue.under_way < UNDER_WAY_MAX).then(|| {
            queue.under_way += 1;
            queue.take()
        })
    }

    /// Reads until nobody waits.
    async fn run(&self, postgres: &Postgres, text: &Text, first: Vec<Waiting>) {
        let _given_up = GiveUp { gather: self, text };
        let mut batch = first;
        while !batch.is_empty() {
            read(postgres, text, batch).await;
            batch = self.next(text);
        }
    }

    /// What has come meanwhile; where that is nothing, one statement less is under way.
    fn next(&self, text: &Text) -> Vec<Waiting> {
        let mut queues = self.queues();
        let Some(queue) = queues.get_mut(text) else {
            return Vec::new();
        };
        let batch = queue.take();
        if batch.is_empty() {
            queue.under_way -= 1;
        }
        if queue.under_way == 0 {
            // Statements of a declaration that is no more are not kept.
            queues.remove(text);
        }
        batch
    }

    fn queues(&self) -> MutexGuard<'_, HashMap<Text, Queue>> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    fn take(&mut self) -> Vec<Waiting> {
        let count = self.waiting.len().min(KEYS_MAX);
        self.waiting.drain(..count).collect()
    }
}

/// Lets nobody wait for a statement that ended in a panic.
struct GiveUp<'g> {
    gather: &'g Gather,
    text: &'g Text,
}

impl Drop for GiveUp<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.gather.queues().remove(self.text);
        }
    }
}

/// Reads the rows of a batch, and answers all who wait for them. After a failure nobody is
/// answered, which each of them notices.
async fn read(postgres: &Postgres, text: &str, batch: Vec<Waiting>) {
    let mut keys: Vec<Key> = batch.iter().map(|reading| reading.key.clone()).collect();
    keys.sort_unstable();
    keys.dedup();
    let Ok(rows) = postgres.many(text, &keys).await else {
        return;
    };
    let keyed = rows.into_iter().map(|row| {
        let key = Key::from_cell(PostgresRow(&row).cell(column::KEY));
        (key, Arc::new(row))
    });
    let rows: HashMap<Key, Arc<Row>> = keyed.collect();
    for reading in batch {
        // Who has gone away needs no answer.
        let _ = reading.answer.send(rows.get(&reading.key).cloned());
    }
}
