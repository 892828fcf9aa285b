//! A queue to what is sent away from the request path. It never waits: what does not fit is lost,
//! and counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::mpsc;

/// The end that is filled; a cheap clone.
#[derive(Debug)]
pub struct Outbox<T> {
    sender: mpsc::Sender<T>,
    lost: Arc<AtomicU64>,
}

/// The end that is emptied.
#[derive(Debug)]
pub struct Collector<T> {
    receiver: mpsc::Receiver<T>,
    lost: Arc<AtomicU64>,
}

/// A queue of at most `length_max`.
#[must_use]
pub fn outbox<T>(length_max: usize) -> (Outbox<T>, Collector<T>) {
    let (sender, receiver) = mpsc::channel(length_max);
    let lost = Arc::<AtomicU64>::default();
    let collector = Collector {
        receiver,
        lost: lost.clone(),
    };
    (Outbox { sender, lost }, collector)
}

impl<T> Clone for Outbox<T> {
    fn clone(&self) -> Self {
        Self {
            sender: self.sender.clone(),
            lost: self.lost.clone(),
        }
    }
}

impl<T> Outbox<T> {
    pub(crate) fn put(&self, thing: T) {
        if self.sender.try_send(thing).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl<T> Collector<T> {
    /// Waits until there is something, and takes at most `count` of it.
    pub async fn take(&mut self, count: usize) -> Vec<T> {
        let mut taken = Vec::new();
        self.receiver.recv_many(&mut taken, count).await;
        taken
    }

    /// What is there already, at most `count` of it.
    pub fn take_now(&mut self, count: usize) -> Vec<T> {
        let next = std::iter::from_fn(|| self.receiver.try_recv().ok());
        next.take(count).collect()
    }

    /// How much was lost since the last time.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lost.swap(0, Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_does_not_fit_is_counted() {
        let (outbox, mut collector) = outbox(2);
        for number in 0..5 {
            outbox.put(number);
        }
        assert_eq!(collector.take(10).await, [0, 1]);
        assert_eq!((collector.lost(), collector.lost()), (3, 0));
        outbox.put(7);
        assert_eq!(collector.take_now(10), [7]);
    }
}
