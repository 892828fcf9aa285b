//! A database for each test.

use std::path::PathBuf;
use std::sync::Arc;

use carafe_model::key::Key;
use carafe_model::kind::Kind;
use carafe_model::query::{Filter, Query, Search, Test, Total};
use carafe_model::record::Record;
use carafe_model::resource::Resource;
use carafe_model::schema::Schema;
use carafe_model::value::Value;
use carafe_store::error::Result;
use carafe_store::store::{Accept, Database, Durability, Scope, Stamp, Store, untold};

pub(crate) use crate::draft::*;
pub(crate) use crate::postgres::TestDatabase;

pub(crate) fn stamp() -> Stamp {
    Stamp {
        at: "2026-01-31T12:00:00.000000Z".to_owned(),
        actor: Some("ann".to_owned()),
    }
}

/// A database of its own, with the tables of a schema.
pub(crate) struct Bed {
    pub(crate) database: Database,
    pub(crate) store: Store,
    pub(crate) schema: Arc<Schema>,
    pub(crate) place: Place,
}

/// Where a test's database is.
pub(crate) enum Place {
    File(tempfile::TempDir),
    Memory,
    Postgres(TestDatabase),
}

impl Place {
    /// A folder for a file that is not there yet.
    pub(crate) fn file() -> Self {
        Place::File(tempfile::tempdir().expect("a folder"))
    }

    pub(crate) fn url(&self) -> String {
        match self {
            Place::File(folder) => url(folder),
            Place::Memory => "sqlite::memory:".to_owned(),
            Place::Postgres(database) => database.url(),
        }
    }
}

impl Bed {
    /// One on a file, one in memory, and one on PostgreSQL, where there is a server.
    pub(crate) async fn each(schema: &Arc<Schema>) -> Vec<Self> {
        let mut beds = vec![Self::file(schema).await, Self::memory(schema).await];
        beds.extend(Self::postgres(schema).await);
        beds
    }

    /// One on a file, and one on PostgreSQL, where there is a server.
    pub(crate) async fn lasting(schema: &Arc<Schema>) -> Vec<Self> {
        let mut beds = vec![Self::file(schema).await];
        beds.extend(Self::postgres(schema).await);
        beds
    }

    pub(crate) async fn file(schema: &Arc<Schema>) -> Self {
        Self::open(Place::file(), schema).await
    }

    pub(crate) async fn memory(schema: &Arc<Schema>) -> Self {
        Self::open(Place::Memory, schema).await
    }

    pub(crate) async fn postgres(schema: &Arc<Schema>) -> Option<Self> {
        let database = TestDatabase::create().await?;
        Some(Self::open(Place::Postgres(database), schema).await)
    }

    pub(crate) async fn open(place: Place, schema: &Arc<Schema>) -> Self {
        let database = Database::open(&place.url(), Durability::Full).expect("open");
        database
            .migrate(schema, &[], Accept::Safe, &untold())
            .await
            .expect("migrate");
        let store = Store::new(database.clone(), schema);
        Self {
            database,
            store,
            schema: Arc::clone(schema),
            place,
        }
    }

    /// Closes the database and opens it again.
    pub(crate) async fn reopen(self) -> Self {
        self.database.close().await;
        Self::open(self.place, &self.schema).await
    }

    pub(crate) fn path(&self) -> PathBuf {
        match &self.place {
            Place::File(folder) => folder.path().join("test.db"),
            Place::Memory | Place::Postgres(_) => panic!("it is no file"),
        }
    }

    /// Another program's connection to the same file.
    pub(crate) fn other(&self) -> rusqlite::Connection {
        let other = rusqlite::Connection::open(self.path()).expect("open");
        other
            .busy_timeout(std::time::Duration::from_secs(5))
            .expect("set a timeout");
        other
    }

    /// Says that the database has seen these migrations, which have made what it has.
    pub(crate) async fn as_migrated(&self, files: &[carafe_store::store::Migration]) {
        for file in files {
            let quoted = |text: &str| format!("'{}'", text.replace('\'', "''"));
            let sql = format!(
                "UPDATE _carafe_migration SET name = {}, text = {}",
                quoted(&file.name),
                quoted(&file.text)
            );
            match &self.place {
                Place::Memory => {
                    // Nobody else can reach it: what it has made itself is the same.
                    let known = self.database.migrations().await.expect("migrations");
                    assert_eq!(known[0].name, file.name);
                }
                Place::File(_) | Place::Postgres(_) => self.as_other(&sql).await,
            }
        }
    }

    /// Runs statements as another program.
    pub(crate) async fn as_other(&self, sql: &str) {
        match &self.place {
            Place::Postgres(database) => {
                let other = database.other().await;
                other.batch_execute(sql).await.expect(sql);
            }
            Place::File(_) | Place::Memory => self.other().execute_batch(sql).expect(sql),
        }
    }

    /// What another program reads: the first column of the first row.
    pub(crate) async fn read_as_other(&self, sql: &str) -> i64 {
        match &self.place {
            Place::Postgres(database) => {
                let other = database.other().await;
                other.query_one(sql, &[]).await.expect(sql).get(0)
            }
            Place::File(_) | Place::Memory => self
                .other()
                .query_row(sql, [], |row| row.get(0))
                .expect(sql),
        }
    }

    /// Checks that the database is whole, and closes it.
    pub(crate) async fn finish(self) {
        assert_eq!(
            self.database.check_integrity().await.expect("check"),
            Vec::<String>::new()
        );
        self.database.close().await;
        if let Place::Postgres(database) = self.place {
            database.drop().await;
        }
    }

    pub(crate) fn resource(&self, name: &str) -> &Resource {
        self.schema.resource(name).expect("a resource")
    }

    pub(crate) async fn insert(&self, resource: &str, values: Vec<Value>) -> Result<Record> {
        self.store
            .insert(self.resource(resource), None, values, stamp(), None)
            .await
    }

    pub(crate) async fn insert_as(
        &self,
        resource: &str,
        key: Key,
        values: Vec<Value>,
    ) -> Result<Record> {
        self.store
            .insert(self.resource(resource), Some(key), values, stamp(), None)
            .await
    }

    pub(crate) async fn get(&self, resource: &str, key: &Key) -> Option<Record> {
        self.read(resource, Scope::Live, key).await
    }

    pub(crate) async fn deleted(&self, resource: &str, key: &Key) -> Option<Record> {
        self.read(resource, Scope::Deleted, key).await
    }

    async fn read(&self, resource: &str, scope: Scope, key: &Key) -> Option<Record> {
        let resource = self.resource(resource);
        let found = self
            .store
            .get(resource, scope, key, |row| copy(resource, row))
            .await;
        found.expect("get")
    }

    pub(crate) async fn update(
        &self,
        resource: &str,
        current: &Record,
        field: &str,
        value: Value,
    ) -> Result<()> {
        let resource = self.resource(resource);
        let position = resource.position(field).expect("a field");
        self.store
            .update(resource, current, vec![(position, value)], stamp())
            .await
    }

    pub(crate) async fn delete(&self, resource: &str, current: &Record) -> Result<()> {
        self.store
            .delete(self.resource(resource), current, stamp())
            .await
    }

    pub(crate) async fn restore(&self, resource: &str, current: &Record) -> Result<()> {
        self.store
            .restore(self.resource(resource), current, stamp())
            .await
    }

    pub(crate) fn query(&self, resource: &str) -> Query {
        Query {
            filters: Vec::new(),
            search: None,
            order: self.resource(resource).order.clone(),
            page: 1,
            per_page: 100,
            paged: false,
            fields: None,
            deleted: false,
            cursor: None,
        }
    }

    pub(crate) async fn list(&self, resource: &str, query: &Query) -> (Vec<Record>, u64) {
        self.list_in(resource, Scope::Live, query).await
    }

    /// A page, and how many match, which must be exact.
    pub(crate) async fn list_in(
        &self,
        resource: &str,
        scope: Scope,
        query: &Query,
    ) -> (Vec<Record>, u64) {
        let (records, total) = self.page(resource, scope, query).await;
        assert!(total.is_exact, "only {} are counted", total.count);
        (records, total.count)
    }

    pub(crate) async fn page(
        &self,
        resource: &str,
        scope: Scope,
        query: &Query,
    ) -> (Vec<Record>, Total) {
        let resource = self.resource(resource);
        let mut records = Vec::new();
        let mut each = |row: &dyn carafe_model::value::Row| records.push(copy(resource, row));
        let total = self
            .store
            .list(resource, scope, query, &mut each)
            .await
            .expect("list");
        (records, total)
    }

    pub(crate) async fn all(&self, resource: &str) -> (Vec<Record>, u64) {
        self.list(resource, &self.query(resource)).await
    }

    pub(crate) async fn find(&self, resource: &str, text: &str) -> (Vec<Record>, u64) {
        let search = Search::parse(text);
        self.list(
            resource,
            &Query {
                search,
                ..self.query(resource)
            },
        )
        .await
    }
}

fn url(folder: &tempfile::TempDir) -> String {
    format!("sqlite:{}", folder.path().join("test.db").display())
}

pub(crate) fn filter(resource: &Resource, name: &str, test: Test) -> Filter {
    Filter {
        column: resource.column(name).expect("a column"),
        test,
    }
}

fn copy(resource: &Resource, row: &dyn carafe_model::value::Row) -> Record {
    use carafe_model::record::column;
    use carafe_model::value::Cell;
    let whole = |cell| match cell {
        Cell::Integer(value) => value,
        other => panic!("{other:?} is no whole number"),
    };
    Record {
        key: Key::from_cell(row.cell(column::KEY)),
        version: whole(row.cell(column::VERSION)),
        id: whole(row.cell(column::ID)),
        deleted_at: match row.cell(column::DELETED_AT) {
            Cell::Text(text) => Some(text.to_owned()),
            _ => None,
        },
        values: (0..resource.fields.len())
            .map(|position| match row.cell(column::FIELDS + position) {
                Cell::Null => Value::Null,
                Cell::Integer(value) if resource.fields[position].kind == Kind::Boolean => {
                    Value::Boolean(value != 0)
                }
                Cell::Integer(value) => Value::Integer(value),
                Cell::Number(value) => Value::Number(value),
                Cell::Text(text) => Value::Text(text.to_owned()),
            })
            .collect(),
    }
}

/// The first value of each record, as text.
pub(crate) fn titles(records: &[Record]) -> Vec<&str> {
    records
        .iter()
        .map(|record| match &record.values[0] {
            Value::Text(text) => text.as_str(),
            other => panic!("{other:?} is no text"),
        })
        .collect()
}
