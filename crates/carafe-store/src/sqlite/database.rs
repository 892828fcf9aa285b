//! A SQLite database: its connections and threads.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use carafe_model::key::Key;
use carafe_model::query::{Query, Test, Total};
use carafe_model::record::{Record, column};
use carafe_model::resource::Resource;
use carafe_model::schema::Schema;
use carafe_model::value::{Row, Value};
use rusqlite::Connection;
use tokio::sync::mpsc::Receiver;
use tokio::sync::oneshot;

use crate::database::Options;
use crate::error::{Error, Result};
use crate::figures::{Counted, EngineFigures, Figures, SqliteFigures, within};
use crate::import::{ImportRow, Imported, Part};
use crate::migrate::{self, Accept, Migrated, Migration, Plan, Progress};
use crate::plan::Plans;
use crate::slow::Slow;
use crate::sqlite::connection::{self, Place};
use crate::sqlite::failure;
use crate::sqlite::import;
use crate::sqlite::integrity;
use crate::sqlite::profile::Profile;
use crate::sqlite::read;
use crate::sqlite::readers::{Read, Reader, Readers, locked};
use crate::sqlite::row::to_record;
use crate::sqlite::snapshot::State;
use crate::sqlite::transaction::{SqliteTransaction, now};
use crate::sqlite::writer::{self, Log, Message, Request};
use crate::sqlite::{indexer, search};
use crate::statement::Statement;
use crate::store::{Scope, Stamp};
use crate::write::Write;

/// Connections to one database; a cheap clone of a shared handle.
#[derive(Clone)]
pub(crate) struct Sqlite {
    handle: Arc<Handle>,
}

struct Handle {
    messages: SyncSender<Message>,
    writer: Mutex<Option<JoinHandle<()>>>,
    /// `None` for a database in memory: it has one connection, and the writer's thread reads.
    readers: Option<Readers>,
    counted: Arc<Counted>,
    /// `None` in memory.
    path: Option<PathBuf>,
}

impl Sqlite {
    /// Opens a file, which is made if it is not there, or a database in memory.
    pub(crate) fn open(place: &Place, options: Options) -> Result<Self> {
        let slow = options.slow_query.map(|limit| Arc::new(Slow::new(limit)));
        let mut connection = connection::writer(place, options.durability).map_err(cannot_open)?;
        let profile = slow.clone();
        let profile = profile.map(|slow| Profile::start(&mut connection, slow));
        let profile = profile.transpose().map_err(cannot_open)?;
        let counted = Arc::<Counted>::default();
        let path = match place {
            Place::File(path) => Some(path.clone()),
            Place::Memory => None,
        };
        let (readers, log) = match &path {
            Some(path) => {
                let gate = Arc::default();
                let readers = Readers::open(path.clone(), &gate, slow, Arc::clone(&counted))?;
                let idle = readers.idle();
                connection::carry_over_at_commit(&mut connection, &counted, idle)
                    .map_err(cannot_open)?;
                let log = Log::new(log_of(path), gate, Arc::clone(idle));
                (Some(readers), Some(log))
            }
            None => (None, None),
        };
        let (messages, queue) = sync_channel(writer::QUEUE_MAX);
        let thread = std::thread::Builder::new().name("carafe-write".to_owned());
        let count = Arc::clone(&counted);
        let thread = thread
            .spawn(move || writer::run(connection, profile, log, count, &queue))
            .map_err(|err| Error::Unavailable(Box::new(err)))?;
        let handle = Handle {
            messages,
            writer: Mutex::new(Some(thread)),
            readers,
            counted,
            path,
        };
        Ok(Self {
            handle: Arc::new(handle),
        })
    }

    /// Brings the tables to what the declaration says.
    pub(crate) async fn migrate(
        &self,
        schema: &Arc<Schema>,
        files: &[Migration],
        accept: Accept,
        progress: &Progress,
    ) -> Result<Migrated> {
        let (schema, files, progress) = (Arc::clone(schema), files.to_vec(), Arc::clone(progress));
        self.on_writer(move |connection| {
            in_transaction(connection, |tx| {
                let migrated = now(migrate::migrate(tx, &schema, &files, accept, &progress))?;
                // SQLite has one writer in any case: nothing is done later.
                Ok(migrated.0)
            })
        })
        .await
    }

    /// What [`migrate`](Self::migrate) would do.
    pub(crate) async fn plan(
        &self,
        schema: &Arc<Schema>,
        files: &[Migration],
        progress: &Progress,
    ) -> Result<Plan> {
        let (schema, files, progress) = (Arc::clone(schema), files.to_vec(), Arc::clone(progress));
        self.on_writer(move |connection| {
            writer::begin(connection)?;
            let mut tx = SqliteTransaction(connection);
            let plan = now(migrate::plan(&mut tx, &schema, &files, &progress));
            writer::rollback(connection);
            plan
        })
        .await
    }

    pub(crate) async fn undo(&self) -> Result<Option<Migration>> {
        self.on_writer(|connection| in_transaction(connection, |tx| now(migrate::undo(tx))))
            .await
    }

    pub(crate) async fn migrations(&self) -> Result<Vec<Migration>> {
        self.on_writer(|connection| now(migrate::migrations(&mut SqliteTransaction(connection))))
            .await
    }

    /// The names of the migrations that were applied, in their order.
    pub(crate) async fn migration_names(&self) -> Result<Vec<String>> {
        self.read_later(|connection| now(migrate::names(&mut SqliteTransaction(connection))))
            .await
    }

    /// What is wrong with the file, the search indexes or the counters: a line each, none when
    /// all is well. Reads everything, and keeps writes waiting.
    pub(crate) async fn check_integrity(&self) -> Result<Vec<String>> {
        self.on_writer(|connection| Ok(integrity::check(connection)?))
            .await
    }

    /// Finishes the writes that wait, carries the log over into the file, and closes the
    /// connections. Whatever is asked afterwards is `Unavailable`.
    pub(crate) async fn close(&self) {
        let (reply, answer) = oneshot::channel();
        let mut message = Message::Close(reply);
        while let Err(TrySendError::Full(back)) = self.try_send(message) {
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

    /// Keeps the search indexes of these plans, and of no others.
    pub(crate) fn watch(&self, plans: &Arc<Plans>) {
        // Also without a resource that is searched: the indexes of another declaration are not
        // to be kept any more. Where the thread is gone, every call says so.
        let _ = self.send(Message::Watch(Arc::clone(plans)));
    }

    fn send(&self, message: Message) -> Result<()> {
        self.try_send(message).map_err(|err| match err {
            TrySendError::Full(_) => failure::overloaded(),
            TrySendError::Disconnected(_) => failure::closed(),
        })
    }

    fn try_send(&self, message: Message) -> std::result::Result<(), TrySendError<Message>> {
        let waiting = &self.handle.counted.writes_waiting;
        waiting.up();
        let sent = self.handle.messages.try_send(message);
        sent.inspect_err(|_| waiting.down())
    }

    /// What the database does at this moment.
    pub(crate) async fn figures(&self, schema: &Arc<Schema>) -> Figures {
        let bytes = |path: &Path| std::fs::metadata(path).ok().map(|file| file.len());
        let path = self.handle.path.as_deref();
        let counted = &self.handle.counted;
        let schema = Arc::clone(schema);
        let pending =
            self.read_later(move |connection| indexer::count_pending(connection, &schema));
        let engine = SqliteFigures {
            log_bytes: path.map(log_of).and_then(|path| bytes(&path)),
            writes_waiting: counted.writes_waiting.get(),
            batches: counted.batches.counts(),
            commits: counted.commits.counts(),
            checkpoints: counted.checkpoints.counts(),
            reads: counted.reads.get(),
            reads_waiting: counted.reads_waiting.get(),
            search_pending: within(pending).await,
        };
        Figures {
            size_bytes: path.and_then(bytes),
            engine: EngineFigures::Sqlite(engine),
        }
    }

    pub(crate) async fn write(&self, write: Write) -> Result<i64> {
        let (reply, answer) = oneshot::channel();
        self.send(Message::Write(Request { write, reply }))?;
        answer.await.map_err(|_| failure::closed())?.outcome()
    }

    /// Inserts the rows that come, all or none.
    pub(crate) async fn import(
        &self,
        plans: Arc<Plans>,
        resource: usize,
        stamp: Stamp,
        mut parts: Receiver<Part<ImportRow>>,
    ) -> Result<Imported<Error>> {
        let imported = self.on_writer(move |connection| {
            import::run(connection, &plans, resource, &stamp, &mut parts)
        });
        let imported = imported.await;
        // The writer knows of those that came as writes only. If its queue is full, the next
        // search asks again.
        let _ = self.send(Message::Index);
        imported
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

    /// Reads one record, and hands its row to `read`.
    pub(crate) async fn get<T>(
        &self,
        plans: &Arc<Plans>,
        resource: &Resource,
        scope: Scope,
        key: &Key,
        read: impl FnOnce(&dyn Row) -> T,
    ) -> Result<Option<T>> {
        let plan = plans.of(resource);
        let text = match scope {
            Scope::Live => &plan.one_live,
            Scope::Deleted => &plan.one_deleted,
        };
        let mut read = Some(read);
        let now = self.read_now(|reader| {
            read::one(&reader.connection, text, key, |row| {
                read.take().map(|read| read(row))
            })
        })?;
        if let Read::Done(found) = now {
            return Ok(found.flatten());
        }
        let (plans, text, key, index) = (
            Arc::clone(plans),
            Arc::clone(text),
            key.clone(),
            resource.index,
        );
        let later = self.read_later(move |connection| {
            let resource = &plans.schema.resources[index];
            Ok(read::one(connection, &text, &key, |row| {
                to_record(resource, row)
            })?)
        });
        let record = later.await?;
        Ok(record.and_then(|record| read.map(|read| read(&record))))
    }

    /// Reads a page of records, hands each row to `each` in order, and counts all that match in
    /// the same snapshot.
    pub(crate) async fn list(
        &self,
        plans: &Arc<Plans>,
        resource: &Resource,
        scope: Scope,
        query: &Query,
        each: &mut (dyn FnMut(&dyn Row) + Send),
    ) -> Result<Total> {
        if let Some(walk) = plans.walk(resource, scope, query) {
            let total_column = column::FIELDS + resource.fields.len();
            let now = self.read_now(|reader| {
                match read::walk_page(reader, walk, query, total_column, each) {
                    // Another declaration's migration has dropped the index: the plain way.
                    Err(err) if failure::is_missing_index(&err) => Ok(None),
                    page => page,
                }
            })?;
            // An empty page has no row to carry the total.
            if let Read::Done(Some(total)) = now {
                return Ok(Total::exact(total));
            }
            if let Some(page) = walk.through_table.as_ref().filter(|_| query.offset() == 0) {
                page.was_slow();
            }
        }
        let (records, total) = self.matching(plans, resource, scope, query).await?;
        for record in &records {
            each(record);
        }
        Ok(total)
    }

    /// What a file is at this moment.
    pub(crate) fn state(&self) -> Option<State> {
        self.handle.readers.as_ref()?.state()
    }

    /// Reads a page and counts, in one snapshot: on this thread if it is quick.
    async fn matching(
        &self,
        plans: &Arc<Plans>,
        resource: &Resource,
        scope: Scope,
        query: &Query,
    ) -> Result<(Vec<Record>, Total)> {
        let contains = |test: &Test| matches!(test, Test::Contains(_));
        let reads_texts =
            query.search.is_some() || query.filters.iter().any(|filter| contains(&filter.test));
        let walk = plans.walk(resource, scope, query);
        let is_far = walk.is_some_and(|walk| walk.far_ranks(query).is_some());
        if !reads_texts && !is_far {
            let now = self
                .read_now(|reader| Ok(search::scan(&reader.connection, resource, scope, query)));
            match now {
                Ok(Read::Done(found)) => match found {
                    Err(Error::Unavailable(_)) => {}
                    other => return other,
                },
                Ok(Read::TooLong) => {}
                Err(err) => return Err(err),
            }
        }
        let (plans, query, index) = (Arc::clone(plans), query.clone(), resource.index);
        let later = self.read_later(move |connection| {
            let resource = &plans.schema.resources[index];
            read::snapshot(connection, || match (scope, &query.search) {
                (Scope::Live, Some(search)) => {
                    let waits = indexer::has_pending(connection, resource)?;
                    let found = search::page(connection, resource, &query, &search.folded)?;
                    Ok((found, waits))
                }
                (Scope::Live, None) | (Scope::Deleted, _) => {
                    let walk = plans.walk(resource, scope, &query);
                    if let Some(ranks) = walk.and_then(|walk| walk.far_ranks(&query)) {
                        match read::far_page(connection, resource, ranks, &query) {
                            Err(err) if failure::is_missing_index(&err) => {}
                            page => {
                                let (records, total) = page?;
                                return Ok(((records, Total::exact(total)), false));
                            }
                        }
                    }
                    Ok((search::scan(connection, resource, scope, &query)?, false))
                }
            })
        });
        let (found, waits) = later.await?;
        if waits {
            // Another program may have written them: this one's writer knows its own only. If
            // its queue is full, the next search asks again.
            let _ = self.send(Message::Index);
        }
        Ok(found)
    }

    /// Reads rows, up to the first at which their texts have `bytes_max` bytes.
    pub(crate) async fn rows(
        &self,
        statement: Statement,
        bytes_max: usize,
    ) -> Result<Vec<Vec<Value>>> {
        self.read_later(move |connection| Ok(read::rows(connection, &statement, bytes_max)?))
            .await
    }
}

/// Changes tables, or nothing.
fn in_transaction<T>(
    connection: &Connection,
    change: impl FnOnce(&mut SqliteTransaction<'_>) -> Result<T>,
) -> Result<T> {
    // The lock is taken before anything is read: two processes may start at once.
    writer::begin(connection)?;
    match change(&mut SqliteTransaction(connection)) {
        Ok(value) => {
            writer::commit(connection)?;
            connection.flush_prepared_statement_cache();
            Ok(value)
        }
        Err(err) => {
            writer::rollback(connection);
            Err(err)
        }
    }
}

/// The write-ahead log of a file.
fn log_of(path: &Path) -> PathBuf {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    log.into()
}

fn cannot_open(err: rusqlite::Error) -> Error {
    Error::Unavailable(Box::new(err))
}
