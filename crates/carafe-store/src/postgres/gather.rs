//! Statements that meet are made one: while some are under way, the others wait, and go together.
//! PostgreSQL reads or inserts fifty rows in little more than the time of one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::postgres::database::Postgres;
use crate::statement::Text;

/// What goes together with others of its kind.
pub(super) trait Together: Sized + Send + 'static {
    /// Carries out a batch by one statement, and answers all who wait for it.
    fn carry_out(
        postgres: &Postgres,
        text: &Text,
        batch: Vec<Self>,
    ) -> impl Future<Output = ()> + Send;
}

/// Statements of one text under way at once: one is being worked on while the other's rows are
/// answered.
const UNDER_WAY_MAX: usize = 2;

/// What one statement takes together.
const BATCH_MAX: usize = 256;

/// What waits, by the statement for many of it; a cheap clone of a shared handle.
pub(super) struct Gather<T> {
    queues: Arc<Mutex<HashMap<Text, Queue<T>>>>,
}

struct Queue<T> {
    under_way: usize,
    waiting: Vec<T>,
}

impl<T> Clone for Gather<T> {
    fn clone(&self) -> Self {
        Self {
            queues: Arc::clone(&self.queues),
        }
    }
}

impl<T> Default for Gather<T> {
    fn default() -> Self {
        Self {
            queues: Arc::default(),
        }
    }
}

impl<T: Together> Gather<T> {
    /// Takes one in. Where nobody else sees to it, what waits is carried out, by a task of its
    /// own, because the others do not go away with the first.
    pub(super) fn take_in(&self, postgres: &Postgres, text: &Text, one: T) {
        if let Some(batch) = self.add(text, one) {
            let (gather, postgres, text) = (self.clone(), postgres.clone(), Arc::clone(text));
            tokio::spawn(async move { gather.run(&postgres, &text, batch).await });
        }
    }

    /// What is to be carried out at once, if that is so.
    fn add(&self, text: &Text, one: T) -> Option<Vec<T>> {
        let mut queues = self.queues();
        let queue = match queues.get_mut(text) {
            Some(queue) => queue,
            None => queues.entry(Arc::clone(text)).or_insert(Queue {
                under_way: 0,
                waiting: Vec::new(),
            }),
        };
        queue.waiting.push(one);
        (queue.under_way < UNDER_WAY_MAX).then(|| {
            queue.under_way += 1;
            queue.take()
        })
    }

    /// Carries out until nobody waits.
    async fn run(&self, postgres: &Postgres, text: &Text, first: Vec<T>) {
        let _given_up = GiveUp { gather: self, text };
        let mut batch = first;
        while !batch.is_empty() {
            T::carry_out(postgres, text, batch).await;
            batch = self.next(text);
        }
    }

    /// What has come meanwhile; where that is nothing, one statement less is under way.
    fn next(&self, text: &Text) -> Vec<T> {
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
}

impl<T> Gather<T> {
    fn queues(&self) -> MutexGuard<'_, HashMap<Text, Queue<T>>> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Queue<T> {
    fn take(&mut self) -> Vec<T> {
        let count = self.waiting.len().min(BATCH_MAX);
        self.waiting.drain(..count).collect()
    }
}

/// Lets nobody wait for a statement that ended in a panic.
struct GiveUp<'g, T> {
    gather: &'g Gather<T>,
    text: &'g Text,
}

impl<T> Drop for GiveUp<'_, T> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.gather.queues().remove(self.text);
        }
    }
}
