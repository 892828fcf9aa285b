//! The service: one declaration, its store, and the clock.

use std::sync::Arc;

use carafe_model::resource::Resource;
use carafe_model::schema::Schema;
use carafe_store::error::Error as StoreError;
use carafe_store::store::Store;

use crate::clock::Clock;
use crate::error::Error;
use crate::freshness::Position;
use crate::hook::Hooks;
use crate::password::Passwords;

/// The verbs of every resource of one declaration; a cheap clone of shared handles.
#[derive(Clone)]
pub struct Service {
    pub(crate) schema: Arc<Schema>,
    pub(crate) store: Store,
    pub(crate) clock: Clock,
    pub(crate) passwords: Passwords,
    pub(crate) hooks: Arc<Hooks>,
    /// The names of those that it needs.
    pub(crate) migrations: Arc<Vec<String>>,
}

impl Service {
    #[must_use]
    pub fn new(schema: Arc<Schema>, store: Store, clock: Clock) -> Self {
        Self {
            schema,
            store,
            clock,
            passwords: Passwords::new(),
            hooks: Arc::default(),
            migrations: Arc::default(),
        }
    }

    /// The same service with code around its writes.
    #[must_use]
    pub fn with_hooks(self, hooks: Arc<Hooks>) -> Self {
        Self { hooks, ..self }
    }

    #[must_use]
    pub fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Whether reads may go to a replica, which can be behind the last write.
    #[must_use]
    pub fn has_replica(&self) -> bool {
        self.store.has_replica()
    }

    /// Where the last write is, for [`freshness::reading`](crate::freshness::reading); `None`
    /// without a replica, and where that cannot be found out.
    pub async fn position(&self) -> Option<Position> {
        self.store.position().await.ok().flatten()
    }

    pub(crate) fn error(&self, error: StoreError, resource: &Resource) -> Error {
        Error::from_store(error, &self.schema, resource)
    }
}
