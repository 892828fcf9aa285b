//! A database: its connections and threads, and what concerns it as a whole.

use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use carafe_model::schema::Schema;
use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::error::{Cause, Error, Result};
use crate::integrity;
use crate::migrate;
use crate::sqlite::connection::{self, Place};
use crate::sqlite::failure;
use crate::sqlite::readers::{Read, Reader, Readers, locked};
use crate::sqlite::writer::{self, Log, Message, Request, Write};

/// Connections to one database; a cheap clone of a shared handle.
#[derive(Clone)]
pub struct Database {
    handle: Arc<Handle>,
}

struct Handle {
    messages: SyncSender<Message>,
    writer: Mutex<Option<JoinHandle<()>>>,
    /// `None` for a database in memory: it has one connection, and the writer's thread reads.
    readers: Option<Readers>,
}

/// When a write is acknowledged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// After its commit is on disk (`PRAGMA synchronous=FULL`).
    #[default]
    Full,
    /// After its commit is with the operating system (`PRAGMA synchronous=NORMAL`): a crash of
    /// the process loses nothing, a power cut may lose the last acknowledged writes and hand
    /// their ids out again.
    Normal,
}

impl Database {
    /// Opens `sqlite:PATH` (made if it is not there) or `sqlite::memory:`.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`](crate::error::Error::Unavailable) with the cause.
    pub fn open(url: &str, durability: Durability) -> Result<Self> {
        let place = Place::parse(url).ok_or_else(|| {
            let text =
                format!("{url:?} is no database; write \"sqlite:PATH\" or \"sqlite::memory:\"");
            Error::Unavailable(Cause::from(text))
        })?;
        let connection = connection::writer(&place, durability).map_err(cannot_open)?;
        let (readers, log) = match place {
            Place::File(path) => {
                let gate = Arc::default();
                let mut log = path.clone().into_os_string();
                log.push("-wal");
                let readers = Readers::open(path, &gate)?;
                (
                    Some(readers),
                    Some(Log {
                        path: log.into(),
                        gate,
                    }),
                )
            }
            Place::Memory => (None, None),
        };
        let (messages, queue) = sync_channel(writer::QUEUE_MAX);
        let thread = std::thread::Builder::new().name("carafe-write".to_owned());
        let thread = thread
            .spawn(move || writer::run(connection, log, &queue))
            .map_err(|err| Error::Unavailable(Box::new(err)))?;
        let handle = Handle {
            messages,
            writer: Mutex::new(Some(thread)),
            readers,
        };
        Ok(Self {
            handle: Arc::new(handle),
        })
    }

    /// Makes what the declaration has and the database lacks: tables, optional columns,
    /// indexes. Nothing is changed if anything could lose data.
    ///
    /// # Errors
    ///
    /// [`Error::Incompatible`](crate::error::Error::Incompatible) with every difference.
    pub async fn migrate(&self, schema: &Arc<Schema>) -> Result<Migrated> {
        let schema = Arc::clone(schema);
        self.on_writer(move |connection| migrate::run(connection, &schema))
            .await
    }

    /// What is wrong with the file, the search indexes or the counters: a line each, none when
    /// all is well. Reads everything, and keeps writes waiting.
    ///
    /// # Errors
    ///
    /// `Unavailable` or `Other`.
    pub async fn check_integrity(&self) -> Result<Vec<String>> {
        self.on_writer(integrity::check).await
    }

    /// Finishes the writes that wait, carries the log over into the file, and closes the
    /// connections. Whatever is asked afterwards is `Unavailable`.
    pub async fn close(&self) {
        let (reply, answer) = oneshot::channel();
        let mut message = Message::Close(reply);
        while let Err(TrySendError::Full(back)) = self.handle.messages.try_send(message) {
            message = back;
            tokio::task::yield_now().await;
        }
        let handle = Arc::clone(&self.handle);
        // Threads are waited for where that keeps no other task waiting.
        let joined = tokio::task::spawn_blocking(move || {
            if let Some(readers) = &handle.readers {
                readers.close();
            }
        });
        // An error means that the thread has ended already.
        let _ = (joined.await, answer.await);
        let writer = locked(&self.handle.writer).take();
        if let Some(thread) = writer {
            // A thread that panicked has said so already.
            let _ = tokio::task::spawn_blocking(move || thread.join()).await;
        }
    }

    /// Runs a job on the writer's connection, outside of any transaction.
    pub(crate) async fn on_writer<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (reply, answer) = oneshot::channel();
        let job = move |connection: &Connection| {
            // Nobody waits any more: fine.
            let _ = reply.send(job(connection));
        };
        self.send(Message::Job(Box::new(job)))?;
        answer.await.map_err(|_| failure::closed())?
    }

    pub(crate) fn send(&self, message: Message) -> Result<()> {
        self.handle
            .messages
            .try_send(message)
            .map_err(|err| match err {
                TrySendError::Full(_) => failure::overloaded(),
                TrySendError::Disconnected(_) => failure::closed(),
            })
    }

    pub(crate) async fn write(&self, write: Write) -> Result<i64> {
        let (reply, answer) = oneshot::channel();
        self.send(Message::Write(Request { write, reply }))?;
        answer.await.map_err(|_| failure::closed())?
    }

    /// Runs a read that may take long, away from the caller's thread.
    pub(crate) async fn read_later<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        match &self.handle.readers {
            Some(readers) => readers.later(read).await,
            None => self.on_writer(read).await,
        }
    }

    /// Runs a bounded read on this thread. [`Read::TooLong`] where there is no connection for
    /// that.
    pub(crate) fn read_now<T>(
        &self,
        read: impl FnOnce(&Reader) -> rusqlite::Result<T>,
    ) -> Result<Read<T>> {
        match &self.handle.readers {
            Some(readers) => readers.now(read),
            None => Ok(Read::TooLong),
        }
    }
}

fn cannot_open(err: rusqlite::Error) -> Error {
    Error::Unavailable(Box::new(err))
}

/// What [`Database::migrate`] did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Migrated {
    /// A sentence a change: ``Created table `notes` ``.
    pub changes: Vec<String>,
    /// Positions of the resources whose tables were made now.
    pub created: Vec<usize>,
}
