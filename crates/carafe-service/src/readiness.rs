//! Whether the service can do its work.

use std::sync::Arc;
use std::time::Duration;

use crate::service::Service;

/// How long the database gets to answer.
pub const TIME_MAX: Duration = Duration::from_secs(1);

/// What was found when it was last looked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Readiness {
    /// The database answers.
    pub database: bool,
    /// The migrations that the service began with are still applied; those of newer servers
    /// beside it may be too.
    pub migrations: bool,
}

impl Service {
    /// The same service, which needs the migrations of these names.
    #[must_use]
    pub fn with_migrations(self, names: Vec<String>) -> Self {
        Self {
            migrations: Arc::new(names),
            ..self
        }
    }

    /// Asks the database, for [`TIME_MAX`] at most.
    pub async fn readiness(&self) -> Readiness {
        let asked = tokio::time::timeout(TIME_MAX, self.store.migration_names()).await;
        let Ok(Ok(applied)) = asked else {
            return Readiness {
                database: false,
                migrations: false,
            };
        };
        Readiness {
            database: true,
            migrations: self.migrations.iter().all(|name| applied.contains(name)),
        }
    }
}
