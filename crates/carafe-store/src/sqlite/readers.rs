//! Connections that read: inline on the caller's thread where the work is bounded, on threads
//! of their own where it is not.

use std::cell::Cell;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode};
use tokio::sync::oneshot;

use crate::error::{Error, Result};
use crate::figures::Counted;
use crate::slow::Slow;
use crate::sqlite::connection;
use crate::sqlite::failure;
use crate::sqlite::profile::Profile;
use crate::sqlite::snapshot::{Commits, State};

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

/// How long a connection that nobody uses keeps its snapshot. A kept one keeps the log from
/// being taken from the start again, and other programs from shortening it.
const KEEP: Duration = Duration::from_millis(50);

/// How long carrying the log over waits for reads on callers' threads.
const LEAVE_WAIT: Duration = Duration::from_millis(2);

/// The connections that read one file.
pub(crate) struct Readers {
    path: PathBuf,
    slow: Option<Arc<Slow>>,
    counted: Arc<Counted>,
    commits: Commits,
    idle: Arc<Idle>,
    jobs: Mutex<Option<SyncSender<Job>>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    /// Ends the snapshots that nobody uses.
    releasing: JoinHandle<()>,
}

/// Connections for reads on the caller's thread that nobody uses at the moment.
#[derive(Default)]
pub(crate) struct Idle {
    #[expect(clippy::vec_box, reason = "each read takes one out and puts it back")]
    readers: Mutex<Vec<Box<Reader>>>,
    /// Whether a snapshot may be kept.
    keeps: AtomicBool,
    /// Snapshots of an earlier epoch are not kept on.
    epoch: AtomicUsize,
    /// Reads under way, of even epochs and of odd ones.
    under_way: [AtomicUsize; 2],
    closed: AtomicBool,
}

type Job = Box<dyn FnOnce(Result<&Reader>) + Send>;

/// A connection that reads, and what stops it.
pub(crate) struct Reader {
    pub(crate) connection: Connection,
    profile: Option<Profile>,
    stop: Arc<Stop>,
    /// The state before the snapshot that is kept, and its epoch.
    kept: Cell<Option<(State, usize)>>,
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
        // Each commit empties the caches of readers. To look at all cells of the inner pages that
        // they read again was a sixth of a PATCH.
        connection.pragma_update(None, "cell_size_check", false)?;
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
            kept: Cell::new(None),
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

    /// Begins a snapshot, unless the one that is kept is the newest. A commit that comes between
    /// the look at the state and the first read is in the snapshot, and makes the next one new.
    fn renew(&self, commits: &Commits, epoch: usize) -> rusqlite::Result<()> {
        let state = commits.state().map(|state| (state, epoch));
        if state.is_some() && self.kept.get() == state {
            return Ok(());
        }
        // What the last read has used up is not this one's.
        self.lift_limit();
        self.release()?;
        self.connection.prepare_cached("BEGIN")?.raw_execute()?;
        self.kept.set(state);
        Ok(())
    }

    /// Ends the snapshot.
    fn release(&self) -> rusqlite::Result<()> {
        self.kept.set(None);
        if !self.connection.is_autocommit() {
            self.lift_limit();
            self.connection.prepare_cached("COMMIT")?.raw_execute()?;
        }
        Ok(())
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
        let first = Box::new(Reader::open(&path, slow.as_ref())?);
        let idle = Arc::new(Idle::default());
        locked(&idle.readers).push(first);
        let unused = Arc::clone(&idle);
        let releasing = std::thread::Builder::new().name("carafe-idle".to_owned());
        let releasing = releasing.spawn(move || unused.release_unused());
        Ok(Self {
            commits: Commits::open(&path),
            path,
            slow,
            counted,
            idle,
            releasing: releasing.map_err(|err| Error::Unavailable(Box::new(err)))?,
            jobs: Mutex::new(Some(jobs)),
            threads: Mutex::new(threads),
        })
    }

    /// Runs a bounded read on this thread, within a budget of steps, from one snapshot: the
    /// newest at the time of the call.
    pub(crate) fn now<T>(
        &self,
        read: impl FnOnce(&Reader) -> rusqlite::Result<T>,
    ) -> Result<Read<T>> {
        if self.idle.closed.load(Ordering::Acquire) {
            return Err(failure::closed());
        }
        let idle = locked(&self.idle.readers).pop();
        let reader = match idle {
            Some(reader) => reader,
            None => Box::new(Reader::open(&self.path, self.slow.as_ref())?),
        };
        let reading = self.counted.reads.hold();
        let epoch = self.idle.begin();
        let outcome = reader.renew(&self.commits, epoch).and_then(|()| {
            reader.limit(BUDGET_LOOKS);
            read(&reader)
        });
        drop(reading);
        let released = match outcome.is_err() || self.idle.is_over(epoch) {
            true => reader.release(),
            false => Ok(()),
        };
        self.idle.end(epoch);
        released?;
        reader.tell_of_slow();
        if self.idle.take_back(reader) {
            self.releasing.thread().unpark();
        }
        match outcome {
            Ok(value) => Ok(Read::Done(value)),
            Err(err) if err.sqlite_error_code() == Some(ErrorCode::OperationInterrupted) => {
                Ok(Read::TooLong)
            }
            Err(err) => Err(err.into()),
        }
    }

    /// What the database is at this moment, where that is known.
    pub(crate) fn state(&self) -> Option<State> {
        self.commits.state()
    }

    /// The connections that may keep a snapshot.
    pub(crate) fn idle(&self) -> &Arc<Idle> {
        &self.idle
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
        self.idle.close();
        self.releasing.thread().unpark();
        locked(&self.jobs).take();
        for thread in locked(&self.threads).drain(..) {
            // A thread that panicked has said so already.
            let _ = thread.join();
        }
    }
}

impl Idle {
    /// Keeps a connection for the next read. True where that keeps a snapshot, and nobody looks
    /// after those yet.
    fn take_back(&self, reader: Box<Reader>) -> bool {
        let mut readers = locked(&self.readers);
        if readers.len() >= IDLE_MAX || self.closed.load(Ordering::Acquire) {
            return false;
        }
        readers.push(reader);
        !self.keeps.load(Ordering::Relaxed) && !self.keeps.swap(true, Ordering::AcqRel)
    }

    /// Ends the snapshots that are kept, so that the log can be carried over as a whole.
    pub(crate) fn release(&self) {
        for reader in &*locked(&self.readers) {
            if let Err(err) = reader.release() {
                tracing::warn!(error = %err, "A snapshot was not ended");
            }
        }
    }

    /// Before the log is carried over: ends the snapshots that are kept, and waits a little for
    /// reads that began before the last commit. What these read in the log could not be carried
    /// over.
    pub(crate) fn leave_log(&self) {
        let before = self.renew();
        self.release();
        let started = Instant::now();
        while self.under_way[before % 2].load(Ordering::Acquire) > 0
            && started.elapsed() < LEAVE_WAIT
        {
            std::thread::yield_now();
        }
    }

    /// Begins an epoch, and returns the one before. After the log was carried over, a snapshot
    /// from before reads on in it, however new it is, and the log could not be begun anew.
    pub(crate) fn renew(&self) -> usize {
        self.epoch.fetch_add(1, Ordering::AcqRel)
    }

    /// Counts a read as under way, and returns its epoch.
    fn begin(&self) -> usize {
        let epoch = self.epoch.load(Ordering::Acquire);
        self.under_way[epoch % 2].fetch_add(1, Ordering::AcqRel);
        epoch
    }

    fn is_over(&self, epoch: usize) -> bool {
        self.epoch.load(Ordering::Acquire) != epoch
    }

    fn end(&self, epoch: usize) {
        self.under_way[epoch % 2].fetch_sub(1, Ordering::AcqRel);
    }

    /// Runs until the connections are closed.
    fn release_unused(&self) {
        while !self.closed.load(Ordering::Acquire) {
            if self.keeps.swap(false, Ordering::AcqRel) {
                std::thread::sleep(KEEP);
                self.release();
            } else {
                std::thread::park();
            }
        }
    }

    fn close(&self) {
        let mut readers = locked(&self.readers);
        self.closed.store(true, Ordering::Release);
        readers.clear();
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
