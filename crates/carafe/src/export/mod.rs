//! What is sent to others away from the request path: traces and error reports.

mod client;
pub(crate) mod otlp;
pub mod sentry;

use std::time::Duration;

use carafe_web::outbox::Collector;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub(crate) use client::{Client, Failed, Target};

/// How long a batch is gathered.
const GATHER: Duration = Duration::from_secs(1);

/// The waits before a batch is sent again double from the first to the last.
const WAIT_MIN: Duration = Duration::from_secs(1);
const WAIT_MAX: Duration = Duration::from_secs(30);

/// How long what is left may take when the server stops.
const FLUSH_MAX: Duration = Duration::from_secs(5);

/// Who takes things of one kind.
pub(crate) struct Receiver<T> {
    /// What is sent, for people: `traces`.
    pub(crate) what: &'static str,
    pub(crate) target: Target,
    /// Things that are sent at once.
    pub(crate) batch_max: usize,
    pub(crate) encode: Encode<T>,
}

/// Makes the body of a request of things.
pub(crate) type Encode<T> = Box<dyn Fn(&[T]) -> Vec<u8> + Send + Sync>;

/// Sends things until it is stopped.
pub(crate) struct Exporter {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Exporter {
    pub(crate) fn start<T: Send + Sync + 'static>(
        collector: Collector<T>,
        receiver: Receiver<T>,
        client: Client,
    ) -> Self {
        let (stop, stopped) = oneshot::channel();
        let worker = Worker {
            collector,
            receiver,
            client,
            is_away: false,
        };
        let task = tokio::spawn(worker.run(stopped));
        Self { stop, task }
    }

    /// Sends what is left, within [`FLUSH_MAX`].
    pub(crate) async fn stop(mut self) {
        // The worker has ended already: fine.
        let _ = self.stop.send(());
        if tokio::time::timeout(FLUSH_MAX, &mut self.task)
            .await
            .is_err()
        {
            self.task.abort();
        }
    }
}

struct Worker<T> {
    collector: Collector<T>,
    receiver: Receiver<T>,
    client: Client,
    /// The last attempt failed, which was said.
    is_away: bool,
}

impl<T> Worker<T> {
    async fn run(mut self, mut stopped: oneshot::Receiver<()>) {
        let batch_max = self.receiver.batch_max;
        loop {
            let mut batch = tokio::select! {
                batch = self.collector.take(batch_max) => batch,
                _ = &mut stopped => break,
            };
            if batch.is_empty() {
                return;
            }
            let is_stopped =
                batch_max > 1 && tokio::time::timeout(GATHER, &mut stopped).await.is_ok();
            batch.extend(self.collector.take_now(batch_max - batch.len()));
            if is_stopped {
                self.send(&batch).await;
                break;
            }
            let mut wait = WAIT_MIN;
            while !self.send(&batch).await {
                if tokio::time::timeout(wait, &mut stopped).await.is_ok() {
                    return;
                }
                wait = (wait * 2).min(WAIT_MAX);
            }
        }
        loop {
            let rest = self.collector.take_now(batch_max);
            if rest.is_empty() || !self.send(&rest).await {
                return;
            }
        }
    }

    /// Sends a batch. False where it may be sent again: nobody has taken it.
    async fn send(&mut self, batch: &[T]) -> bool {
        let what = self.receiver.what;
        let body = (self.receiver.encode)(batch);
        match self.client.post(&self.receiver.target, body).await {
            Ok(()) => {
                let lost = self.collector.lost();
                if self.is_away || lost > 0 {
                    tracing::warn!(what, lost, "Sent again");
                }
                self.is_away = false;
                true
            }
            Err(Failed::Refused(reason)) => {
                self.complain(&reason);
                true
            }
            Err(Failed::Away(reason)) => {
                self.complain(&reason);
                false
            }
        }
    }

    /// Says that something was not taken, once until it is again.
    fn complain(&mut self, reason: &str) {
        let what = self.receiver.what;
        if !self.is_away {
            tracing::warn!(what, reason, "Could not be sent");
        }
        self.is_away = true;
    }
}
