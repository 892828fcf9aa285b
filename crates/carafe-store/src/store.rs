//! The store: a database, and the plans of one declaration over it.

use std::sync::Arc;

use carafe_model::key::{Key, KeyKind};
use carafe_model::kind::Kind;
use carafe_model::query::{Query, Total};
use carafe_model::record::Record;
use carafe_model::resource::{Delete, Resource};
use carafe_model::schema::Schema;
use carafe_model::value::{Row, Value};
use tokio::sync::mpsc::Receiver;

use crate::cascade::{self, Deletion, Restoration};
use crate::database::Engine;
use crate::dialect::Dialect;
use crate::error::{Error, Result};
use crate::freshness::Position;
use crate::import::{ImportRow, Imported, Part};
use crate::plan::Plans;
use crate::request::{self, Remembered, Request};
use crate::statement::{Parameter, Statement};
use crate::table;
use crate::write::{self, Expect, Refusal, Step, Work, Write};

pub use crate::database::{Database, Durability, Options};
pub use crate::migrate::{Accept, Doing, Migrated, Migration, Plan, PlannedStep, Progress, untold};
pub use crate::sqlite::snapshot::State;
pub use crate::write::Action;

/// Which records a read sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Those that are not deleted.
    Live,
    /// Those that are deleted softly.
    Deleted,
}

/// Who changes a record and when, for its history.
#[derive(Clone, Debug)]
pub struct Stamp {
    /// `YYYY-MM-DDTHH:MM:SS.ffffffZ`
    pub at: String,
    /// Who, for the history; `None` for nobody that is known.
    pub actor: Option<String>,
}

/// A version of a record, from its history.
#[derive(Clone, Debug, PartialEq)]
pub struct Revision {
    pub version: i64,
    /// `YYYY-MM-DDTHH:MM:SS.ffffffZ`
    pub at: String,
    pub actor: Option<String>,
    pub action: Action,
    /// In the order of the resource's fields. Null for passwords, and for fields that were not
    /// there then.
    pub values: Vec<Value>,
}

/// The plans of one declaration over a database; a cheap clone.
///
/// Calls to PostgreSQL are boxed: a request's state is no larger for what it does not do.
#[derive(Clone)]
pub struct Store {
    database: Database,
    plans: Arc<Plans>,
}

impl Store {
    /// The most versions that [`Store::history`] reads.
    pub const REVISIONS_MAX: usize = 1000;

    /// Bytes of text after which [`Store::history`] reads no further version.
    pub const REVISIONS_BYTES_MAX: usize = 16 * 1024 * 1024;

    /// Compiles the statements of every resource of `schema`.
    #[must_use]
    pub fn new(database: Database, schema: &Arc<Schema>) -> Self {
        let plans = Arc::new(Plans::new(database.dialect(), schema));
        if let Engine::Sqlite(sqlite) = &database.engine {
            sqlite.watch(&plans);
        }
        Self { database, plans }
    }

    /// Reads one record, and hands its row to `read`.
    ///
    /// # Errors
    ///
    /// `Unavailable` or `Other`.
    pub async fn get<T>(
        &self,
        resource: &Resource,
        scope: Scope,
        key: &Key,
        read: impl FnOnce(&dyn Row) -> T,
    ) -> Result<Option<T>> {
        let plans = &self.plans;
        match &self.database.engine {
            Engine::Sqlite(sqlite) => sqlite.get(plans, resource, scope, key, read).await,
            Engine::Postgres(postgres) => {
                Box::pin(postgres.get(plans, resource, scope, key, read)).await
            }
        }
    }

    /// What the database is at this moment: another value after each commit of any process, and
    /// the same until then. `None` where that is not known without asking a server.
    #[must_use]
    pub fn state(&self) -> Option<State> {
        match &self.database.engine {
            Engine::Sqlite(sqlite) => sqlite.state(),
            Engine::Postgres(_) => None,
        }
    }

    /// Reads a page of records, hands each row to `each` in order, and returns how many
    /// records match, in the same snapshot; any number where the query has a cursor.
    ///
    /// # Errors
    ///
    /// `Unavailable` or `Other`.
    pub async fn list(
        &self,
        resource: &Resource,
        scope: Scope,
        query: &Query,
        each: &mut (dyn FnMut(&dyn Row) + Send),
    ) -> Result<Total> {
        let plans = &self.plans;
        match &self.database.engine {
            Engine::Sqlite(sqlite) => sqlite.list(plans, resource, scope, query, each).await,
            Engine::Postgres(postgres) => {
                Box::pin(postgres.list(plans, resource, scope, query, each)).await
            }
        }
    }

    /// The newest versions of a record first, up to `limit` and [`Store::REVISIONS_MAX`] of
    /// them. `id` is [`Record::id`]; the history of a record outlives it. Empty for a resource
    /// without `history`.
    ///
    /// # Errors
    ///
    /// `Unavailable` or `Other`.
    pub async fn history(
        &self,
        resource: &Resource,
        id: i64,
        limit: usize,
    ) -> Result<Vec<Revision>> {
        if !resource.history {
            return Ok(Vec::new());
        }
        let limit = i64::try_from(limit.min(Self::REVISIONS_MAX)).unwrap_or(0);
        let revisions = write::revisions(self.dialect(), resource, id, limit);
        let rows = self.rows(revisions, Self::REVISIONS_BYTES_MAX).await?;
        Ok(rows.iter().map(|row| revision(resource, row)).collect())
    }

    /// Inserts a record with version 1. `key` is given for `uuid` and `string` keys, `None`
    /// for `integer` ones. With a `request` it is remembered in the same transaction. Returns
    /// once it is durable.
    ///
    /// # Errors
    ///
    /// `Repeated` where the request is remembered; `Taken`, `KeyTaken`, `NoReference`, `Full`, `Unavailable` or `Other`; nothing is stored.
    pub async fn insert(
        &self,
        resource: &Resource,
        key: Option<Key>,
        values: Vec<Value>,
        stamp: Stamp,
        request: Option<&Request>,
    ) -> Result<Record> {
        let dialect = self.dialect();
        let key = key.filter(|_| resource.key.kind != KeyKind::Integer);
        let mut steps = Vec::new();
        if let Some(request) = request {
            let is_new = request::is_new(dialect, request);
            steps.push(Step::new(is_new, Expect::Require(Refusal::Repeated)));
            steps.push(Step::new(request::forget(dialect, request), Expect::Run));
        }
        steps.extend(self.insertion(resource, key.as_ref(), &values, &stamp));
        if let Some(request) = request {
            let remember = request::remember(dialect, request, resource, key.as_ref(), &stamp.at);
            steps.push(Step::new(remember, Expect::Run));
        }
        let id = self.write(resource, Work::Steps(steps)).await?;
        let key = key.unwrap_or(Key::Integer(id));
        Ok(Record {
            key,
            version: 1,
            id,
            deleted_at: None,
            values,
        })
    }

    /// What the request that `caller` calls `key` has created since a time; later ones are
    /// remembered.
    ///
    /// # Errors
    ///
    /// `Unavailable` or `Other`.
    pub async fn remembered(
        &self,
        caller: &str,
        key: &str,
        since: &str,
    ) -> Result<Option<Remembered>> {
        let find = request::find(self.dialect(), caller, key, since);
        let rows = self.rows(find, 1).await?;
        Ok(rows.into_iter().next().map(Remembered::from_values))
    }

    /// Inserts the first records of a resource, keys and values, in their order, all or none.
    ///
    /// # Errors
    ///
    /// `Stale` where the resource has or had a record; else as [`Store::insert`], of the first
    /// record that has one. Nothing is stored then.
    pub async fn insert_first(
        &self,
        resource: &Resource,
        records: &[(Option<Key>, Vec<Value>)],
        stamp: &Stamp,
    ) -> Result<()> {
        let unused = write::unused(self.dialect(), resource);
        let mut steps = Vec::new();
        if self.dialect() == Dialect::Postgres {
            steps.push(Step::new(write::one_at_a_time(), Expect::Run));
        }
        steps.push(Step::new(unused, Expect::Require(Refusal::Stale)));
        let inserts = records
            .iter()
            .flat_map(|(key, values)| self.insertion(resource, key.as_ref(), values, stamp));
        steps.extend(inserts);
        self.write(resource, Work::Steps(steps)).await.map(drop)
    }

    /// Inserts the rows that come through `parts` with version 1, in their order, all or none:
    /// they are stored once [`Part::Keep`] has come and is on disk, and where no row was refused.
    /// A row that is refused for what it holds keeps none after it from being tried.
    ///
    /// SQLite's lock for writing is held from the first row to the end.
    ///
    /// # Errors
    ///
    /// `Full`, `Unavailable` or `Other`; nothing is stored.
    pub async fn import(
        &self,
        resource: &Resource,
        stamp: Stamp,
        parts: Receiver<Part<ImportRow>>,
    ) -> Result<Imported<Error>> {
        let plans = Arc::clone(&self.plans);
        match &self.database.engine {
            Engine::Sqlite(sqlite) => sqlite.import(plans, resource.index, stamp, parts).await,
            Engine::Postgres(postgres) => {
                postgres.import(plans, resource.index, stamp, parts).await
            }
        }
    }

    fn insertion(
        &self,
        resource: &Resource,
        key: Option<&Key>,
        values: &[Value],
        stamp: &Stamp,
    ) -> Vec<Step> {
        let fields = values.iter().enumerate();
        let mut steps =
            write::reference_guards(self.dialect(), &self.plans.schema, resource, key, fields);
        let parameters = key
            .map(Key::to_value)
            .into_iter()
            .chain(values.iter().cloned());
        let searched = table::has_search_column(self.dialect(), resource)
            .then(|| Value::Text(write::searched_text(resource, |field| &values[field])));
        let parameters = parameters.chain(searched);
        steps.push(Step {
            text: Arc::clone(&self.plans.of(resource).insert),
            parameters: parameters.map(Parameter::Value).collect(),
            expect: Expect::Insert,
        });
        let id = Parameter::InsertedId;
        self.remember(&mut steps, resource, Action::Create, id, stamp);
        steps
    }

    /// Whether the resource never had a record, deleted ones counted.
    ///
    /// # Errors
    ///
    /// `Unavailable` or `Other`.
    pub async fn is_unused(&self, resource: &Resource) -> Result<bool> {
        let rows = self
            .rows(write::unused(self.dialect(), resource), 1)
            .await?;
        Ok(!rows.is_empty())
    }

    /// Changes fields of a live record that is still in version `current.version`, and raises
    /// its version by one. `changes` has positions of fields and their new values.
    ///
    /// # Errors
    ///
    /// `Stale`, `Taken`, `NoReference`, `Full`, `Unavailable` or `Other`; nothing is changed.
    pub async fn update(
        &self,
        resource: &Resource,
        current: &Record,
        changes: Vec<(usize, Value)>,
        stamp: Stamp,
    ) -> Result<()> {
        let dialect = self.dialect();
        let references = changes.iter().map(|(field, value)| (*field, value));
        let mut steps = vec![Step::new(
            write::find(dialect, resource, Scope::Live, current.id, current.version),
            Expect::Require(Refusal::Stale),
        )];
        let schema = &self.plans.schema;
        let guards =
            write::reference_guards(dialect, schema, resource, Some(&current.key), references);
        match guards.is_empty() {
            // The change is its own guard.
            true => steps.clear(),
            false => steps.extend(guards),
        }
        let update = write::update(dialect, resource, current, &changes);
        steps.push(Step::new(update, Expect::Change(Refusal::Stale)));
        self.remember(
            &mut steps,
            resource,
            Action::Update,
            Parameter::from(current.id),
            &stamp,
        );
        self.write(resource, Work::Steps(steps)).await.map(drop)
    }

    /// Deletes a live record that is still in version `current.version`, softly or for good as
    /// its resource says, with what `on_delete` says of those that refer to it.
    ///
    /// # Errors
    ///
    /// `Stale`, `Referenced`, `Full`, `Unavailable` or `Other`; nothing is changed.
    pub async fn delete(&self, resource: &Resource, current: &Record, stamp: Stamp) -> Result<()> {
        let (id, version) = (current.id, current.version);
        let work = match resource.referrers.is_empty() && !resource.history {
            true => {
                let token = cascade::token(resource, id, version);
                let delete = write::delete(self.dialect(), resource, id, version, &stamp, &token);
                Work::Steps(vec![Step::new(delete, Expect::Change(Refusal::Stale))])
            }
            false => Work::Delete(Deletion {
                resource: resource.index,
                records: vec![(id, version)],
                stamp,
            }),
        };
        self.write(resource, work).await.map(drop)
    }

    /// Deletes several live records, each still in the version that `records` has, all or none.
    ///
    /// # Errors
    ///
    /// As [`Store::delete`], of the first record that has one; nothing is changed then.
    pub async fn delete_all(
        &self,
        resource: &Resource,
        records: &[Record],
        stamp: Stamp,
    ) -> Result<()> {
        let work = Work::Delete(Deletion {
            resource: resource.index,
            records: records
                .iter()
                .map(|record| (record.id, record.version))
                .collect(),
            stamp,
        });
        self.write(resource, work).await.map(drop)
    }

    /// Restores a record deleted softly, and those that its deletion took with it. Its version
    /// rises by one.
    ///
    /// # Errors
    ///
    /// `Stale`, `Taken`, `KeyTaken`, `ParentDeleted`, `Member`, `Full`, `Unavailable` or
    /// `Other`; nothing is changed.
    pub async fn restore(&self, resource: &Resource, current: &Record, stamp: Stamp) -> Result<()> {
        if resource.delete == Delete::Hard {
            return Err(Error::Stale);
        }
        let (id, version) = (current.id, current.version);
        let work = Work::Restore(Restoration {
            resource: resource.index,
            id,
            version,
            stamp,
        });
        self.write(resource, work).await.map(drop)
    }

    fn remember(
        &self,
        steps: &mut Vec<Step>,
        resource: &Resource,
        action: Action,
        id: Parameter,
        stamp: &Stamp,
    ) {
        if resource.history {
            steps.push(Step::new(
                write::history(self.dialect(), resource, action, id, stamp),
                Expect::Run,
            ));
        }
    }

    /// Where the last commit is, if there is a replica that may be behind it.
    ///
    /// # Errors
    ///
    /// `Unavailable` or `Other`.
    pub async fn position(&self) -> Result<Option<Position>> {
        match &self.database.engine {
            Engine::Sqlite(_) => Ok(None),
            Engine::Postgres(postgres) => Box::pin(postgres.position()).await,
        }
    }

    /// The names of the migrations that were applied, in their order: a short read.
    ///
    /// # Errors
    ///
    /// `Unavailable` or `Other`.
    pub async fn migration_names(&self) -> Result<Vec<String>> {
        self.database.migration_names().await
    }

    /// Whether reads may go to a replica.
    #[must_use]
    pub fn has_replica(&self) -> bool {
        match &self.database.engine {
            Engine::Sqlite(_) => false,
            Engine::Postgres(postgres) => postgres.has_replica(),
        }
    }

    async fn write(&self, resource: &Resource, work: Work) -> Result<i64> {
        let write = Write {
            plans: Arc::clone(&self.plans),
            resource: resource.index,
            work,
        };
        match &self.database.engine {
            Engine::Sqlite(sqlite) => sqlite.write(write).await,
            Engine::Postgres(postgres) => Box::pin(postgres.write(write)).await,
        }
    }

    /// Reads rows, up to the first at which their texts have `bytes_max` bytes.
    async fn rows(&self, statement: Statement, bytes_max: usize) -> Result<Vec<Vec<Value>>> {
        match &self.database.engine {
            Engine::Sqlite(sqlite) => sqlite.rows(statement, bytes_max).await,
            Engine::Postgres(postgres) => Box::pin(postgres.rows(statement, bytes_max)).await,
        }
    }

    fn dialect(&self) -> Dialect {
        self.database.dialect()
    }
}

/// A row of [`write::revisions`].
fn revision(resource: &Resource, row: &[Value]) -> Revision {
    let text = |index: usize| match &row[index] {
        Value::Text(text) => Some(text.clone()),
        Value::Null | Value::Boolean(_) | Value::Integer(_) | Value::Number(_) => None,
    };
    let action = text(3).unwrap_or_default();
    let actions = Action::ALL.into_iter();
    let values = resource.fields.iter().zip(&row[4..]);
    Revision {
        version: match row[0] {
            Value::Integer(version) => version,
            Value::Null | Value::Boolean(_) | Value::Number(_) | Value::Text(_) => 0,
        },
        at: text(1).unwrap_or_default(),
        actor: text(2),
        action: { actions }
            .find(|known| known.as_str() == action)
            .unwrap_or(Action::Update),
        values: values
            .map(|(field, value)| match value {
                Value::Integer(value) if field.kind == Kind::Boolean => Value::Boolean(*value != 0),
                value => value.clone(),
            })
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;
    use crate::draft::{field, resource, schema, text};
    use crate::error::Error;
    use carafe_model::kind::Kind;

    fn sqlite(database: &Database) -> &crate::sqlite::database::Sqlite {
        match &database.engine {
            Engine::Sqlite(sqlite) => sqlite,
            Engine::Postgres(_) => panic!("it is no file"),
        }
    }

    /// A file that may not grow stands for a full disk: SQLite answers both with
    /// `SQLITE_FULL`.
    async fn limit_pages(database: &Database, pages: u32) {
        let limit = move |connection: &Connection| {
            let set = connection.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()));
            Ok(set?)
        };
        sqlite(database).on_writer(limit).await.unwrap();
    }

    #[tokio::test]
    async fn a_full_disk_refuses_writes_and_heals() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("test.db").display());
        let schema = schema(vec![resource("notes", vec![field("title", Kind::Text)])]);
        let database = Database::open(&url, Durability::Full).unwrap();
        database
            .migrate(&schema, &[], Accept::Safe, &untold())
            .await
            .unwrap();
        let store = Store::new(database.clone(), &schema);
        let insert = |length: usize| {
            let (store, schema) = (store.clone(), Arc::clone(&schema));
            let stamp = Stamp {
                at: String::new(),
                actor: None,
            };
            tokio::spawn(async move {
                store
                    .insert(
                        &schema.resources[0],
                        None,
                        vec![text(&"x".repeat(length))],
                        stamp,
                        None,
                    )
                    .await
            })
        };
        insert(5).await.unwrap().unwrap();
        limit_pages(&database, 50).await;
        let writes: Vec<_> = (0..8).map(|_| insert(40_000)).collect();
        let mut stored = 1;
        for write in writes {
            match write.await.unwrap() {
                Ok(_) => stored += 1,
                Err(err) => assert!(matches!(err, Error::Full(_)), "{err:?}"),
            }
        }
        assert!((2..9).contains(&stored), "stored: {stored}");
        let query = Query {
            filters: Vec::new(),
            search: None,
            order: schema.resources[0].order.clone(),
            page: 1,
            per_page: 100,
            paged: false,
            fields: None,
            deleted: false,
            cursor: None,
        };
        let mut listed = 0;
        let total = store
            .list(&schema.resources[0], Scope::Live, &query, &mut |_| {
                listed += 1
            })
            .await
            .unwrap();
        assert_eq!((total, listed), (Total::exact(stored), stored));
        limit_pages(&database, 100_000).await;
        insert(40_000).await.unwrap().unwrap();
        assert_eq!(
            database.check_integrity().await.unwrap(),
            Vec::<String>::new()
        );
        database.close().await;
    }

    #[tokio::test]
    async fn a_lock_held_too_long_is_unavailable() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("test.db");
        let schema = schema(vec![resource("notes", vec![field("title", Kind::Text)])]);
        let database =
            Database::open(&format!("sqlite:{}", path.display()), Durability::Full).unwrap();
        database
            .migrate(&schema, &[], Accept::Safe, &untold())
            .await
            .unwrap();
        let store = Store::new(database.clone(), &schema);
        let no_wait =
            |connection: &Connection| Ok(connection.busy_timeout(std::time::Duration::ZERO)?);
        sqlite(&database).on_writer(no_wait).await.unwrap();
        let other = Connection::open(path).unwrap();
        let insert = || {
            let stamp = Stamp {
                at: String::new(),
                actor: None,
            };
            store.insert(&schema.resources[0], None, vec![text("a")], stamp, None)
        };
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        let refused = insert().await;
        assert!(matches!(refused, Err(Error::Unavailable(_))), "{refused:?}");
        let key = Key::Integer(1);
        let found = store
            .get(&schema.resources[0], Scope::Live, &key, |_| ())
            .await
            .unwrap();
        assert_eq!(found, None);
        other.execute_batch("ROLLBACK").unwrap();
        assert_eq!(insert().await.unwrap().id, 1);
        database.close().await;
    }
}
