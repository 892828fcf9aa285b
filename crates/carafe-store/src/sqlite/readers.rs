//! Connections that read: inline on the caller's thread where the work is bounded, on threads
//! of their own where it is not.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::thread::JoinHandle;

use rusqlite::{Connection, ErrorCode};
use tokio::sync::oneshot;

use crate::error::{Error, Result};
use crate::figures::Counted;
use crate::slow::Slow;
use crate::sqlite::connection;
use crate::sqlite::failure;
use crate::sqlite::profile::Profile;

/// Threads for reads that may take long.
const THREADS: usize = 2;

/// Reads that wait for one of the threads.
const QUEUE_MAX: usize = 256;

/// Connections kept for reads on the caller's thread. More than this many at once is possible
/// with as many runtime threads, and those beyond are closed after use.
const IDLE_MAX: usize = 16;

/// Virtual machine instructions between two looks at the budget, some 30 µs.
const STEPS_A_LOOK: i32 = 1000;

/// Looks that a read on the caller's thread may take, some 2 ms.
const BUDGET_LOOKS: i64 = 64;

/// The connections that read one file.
pub(crate) struct Readers {
    path: PathBuf,
    slow: Option<Arc<Slow>>,
    counted: Arc<Counted>,
    idle: Mutex<Vec<Reader>>,
    jobs: Mutex<Option<SyncSender<Job>>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

type Job = Box<dyn FnOnce(Result<&Reader>) + Send>;

/// A connection that reads, and what stops it.
pub(crate) struct Reader {
    pub(crate) connection: Connection,
    profile: Option<Profile>,
    stop: Arc<Stop>,
}

#[derive(Default)]
struct Stop {
    /// Looks that are left.
    looks: AtomicI64,
    /// Set when nobody waits for the answer any more.
    abandoned: Mutex<Arc<AtomicBool>>,
}

/// A read on the caller's thread.
pub(crate) enum Read<T> {
    Done(T),
    /// It took too many steps and was stopped.
    TooLong,
}

impl Reader {
    fn open(path: &std::path::Path, slow: Option<&Arc<Slow>>) -> Result<Self> {
        let mut connection = connection::reader(path)?;
        let profile = slow.map(|slow| Profile::start(&mut connection, Arc::clone(slow)));
        let stop = Arc::new(Stop::default());
        let seen = Arc::clone(&stop);
        let handler = move || {
            seen.looks.fetch_sub(1, Ordering::Relaxed) <= 0
                || locked(&seen.abandoned).load(Ordering::Relaxed)
        };
        connection.progress_handler(STEPS_A_LOOK, Some(handler))?;
        Ok(Self {
            connection,
            profile: profile.transpose()?,
            stop,
        })
    }

    /// Tells of statements that were slow.
    fn tell_of_slow(&self) {
        if let Some(profile) = self.profile.as_ref().filter(|profile| profile.has_some()) {
            self.lift_limit();
            profile.tell(&self.connection);
        }
    }

    fn limit(&self, looks: i64) {
        self.stop.looks.store(looks, Ordering::Relaxed);
    }

    /// Lets the read under way take as long as it needs.
    pub(crate) fn lift_limit(&self) {
        self.limit(i64::MAX);
    }
}

impl Readers {
    pub(crate) fn open(
        path: PathBuf,
        gate: &Arc<RwLock<()>>,
        slow: Option<Arc<Slow>>,
        counted: Arc<Counted>,
    ) -> Result<Self> {
        let (jobs, queue) = sync_channel(QUEUE_MAX);
        let queue = Arc::new(Mutex::new(queue));
        let mut threads = Vec::with_capacity(THREADS);
        for _ in 0..THREADS {
            let (path, queue, gate) = (path.clone(), Arc::clone(&queue), Arc::clone(gate));
            let slow = slow.clone();
            let thread = std::thread::Builder::new().name("carafe-read".to_owned());
            let thread = thread.spawn(move || run(&path, &queue, &gate, slow.as_ref()));
            threads.push(thread.map_err(|err| Error::Unavailable(Box::new(err)))?);
        }
        let idle = Mutex::new(vec![Reader::open(&path, slow.as_ref())?]);
        Ok(Self {
            path,
            slow,
            counted,
            idle,
            jobs: Mutex::new(Some(jobs)),
            threads: Mutex::new(threads),
        })
    }

    /// Runs a bounded read on this thread, within a budget of steps.
    pub(crate) fn now<T>(
        &self,
        read: impl FnOnce(&Reader) -> rusqlite::Result<T>,
    ) -> Result<Read<T>> {
        if locked(&self.jobs).is_none() {
            return Err(failure::closed());
        }
        let idle = locked(&self.idle).pop();
        let reader = match idle {
            Some(reader) => reader,
            None => Reader::open(&self.path, self.slow.as_ref())?,
        };
        reader.limit(BUDGET_LOOKS);
        let reading = self.counted.reads.hold();
        let outcome = read(&reader);
        drop(reading);
        if !reader.connection.is_autocommit() {
            // A read that was stopped halfway through its snapshot: nothing may hold it open.
            reader.lift_limit();
            reader.connection.execute_batch("ROLLBACK")?;
        }
        reader.tell_of_slow();
        let mut idle = locked(&self.idle);
        if idle.len() < IDLE_MAX {
            idle.push(reader);
        }
        drop(idle);
        match outcome {
            Ok(value) => Ok(Read::Done(value)),
            Err(err) if err.sqlite_error_code() == Some(ErrorCode::OperationInterrupted) => {
                Ok(Read::TooLong)
            }
            Err(err) => Err(err.into()),
        }
    }

    /// Runs a read on one of the threads. It is stopped when the future is dropped.
    pub(crate) async fn later<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (reply, answer) = oneshot::channel();
        let abandoned = Arc::new(AtomicBool::new(false));
        let _abandon = Abandon(Arc::clone(&abandoned));
        let counted = Arc::clone(&self.counted);
        let job: Job = Box::new(move |reader| {
            counted.reads_waiting.down();
            if abandoned.load(Ordering::Relaxed) {
                return;
            }
            let reading = counted.reads.hold();
            let outcome = reader.and_then(|reader| reader.unbounded(abandoned, read));
            drop(reading);
            // Nobody waits any more: fine.
            let _ = reply.send(outcome);
        });
        self.send(job)?;
        answer.await.map_err(|_| failure::closed())?
    }

    fn send(&self, job: Job) -> Result<()> {
        let jobs = locked(&self.jobs);
        let jobs = jobs.as_ref().ok_or_else(failure::closed)?;
        self.counted.reads_waiting.up();
        jobs.try_send(job).map_err(|err| {
            self.counted.reads_waiting.down();
            match err {
                TrySendError::Full(_) => failure::overloaded(),
                TrySendError::Disconnected(_) => failure::closed(),
            }
        })
    }

    /// Finishes the reads that wait, and closes all connections.
    pub(crate) fn close(&self) {
        locked(&self.jobs).take();
        for thread in locked(&self.threads).drain(..) {
            // A thread that panicked has said so already.
            let _ = thread.join();
        }
        locked(&self.idle).clear();
    }
}

impl Reader {
    fn unbounded<T>(
        &self,
        abandoned: Arc<AtomicBool>,
        read: impl FnOnce(&Connection) -> Result<T>,
    ) -> Result<T> {
        self.lift_limit();
        *locked(&self.stop.abandoned) = abandoned;
        let outcome = read(&self.connection);
        *locked(&self.stop.abandoned) = Arc::default();
        if !self.connection.is_autocommit() {
            self.connection.execute_batch("ROLLBACK")?;
        }
        self.tell_of_slow();
        outcome
    }
}

/// Stops a read whose future is dropped.
struct Abandon(Arc<AtomicBool>);

impl Drop for Abandon {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn run(
    path: &std::path::Path,
    queue: &Mutex<Receiver<Job>>,
    gate: &RwLock<()>,
    slow: Option<&Arc<Slow>>,
) {
    let mut reader = None;
    loop {
        let job = locked(queue).recv();
        let Ok(job) = job else {
            return;
        };
        let _under_way = gate.read().unwrap_or_else(PoisonError::into_inner);
        if reader.is_none() {
            match Reader::open(path, slow) {
                Ok(opened) => reader = Some(opened),
                Err(err) => {
                    job(Err(err));
                    continue;
                }
            }
        }
        if let Some(reader) = &reader {
            job(Ok(reader));
        }
    }
}

/// A lock whose last holder panicked is still good: nothing is left half-changed under any.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
