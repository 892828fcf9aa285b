//! A replica that reads may go to. Nothing depends on it: where it is away, slow or behind, the
//! primary is asked.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use deadpool_postgres::{Client, Pool};
use tokio::time::Instant;

use crate::freshness::Freshness;

/// How long it may take to give a connection and to say where it is.
const ANSWER_MAX: Duration = Duration::from_secs(1);

/// How long a read from it may take before the primary is asked.
pub(super) const READ_MAX: Duration = Duration::from_secs(5);

/// How long it is left alone after it did not answer.
const REST: Duration = Duration::from_secs(5);

#[derive(Clone)]
pub(super) struct Replica {
    pub(super) pool: Pool,
    /// Until when it is left alone.
    rests_until: Arc<Mutex<Option<Instant>>>,
}

impl Replica {
    pub(super) fn new(pool: Pool) -> Self {
        Self {
            pool,
            rests_until: Arc::default(),
        }
    }

    /// Leaves it alone for a while.
    pub(super) fn rest(&self) {
        let mut until = self
            .rests_until
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *until = Some(Instant::now() + REST);
    }

    fn rests(&self) -> bool {
        let until = self
            .rests_until
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        until.is_some_and(|until| Instant::now() < until)
    }

    /// A connection to it, if it is there and as fresh as it must be.
    pub(super) async fn client(&self, freshness: Freshness) -> Option<Client> {
        if self.rests() {
            return None;
        }
        let asked = async {
            let client = self.pool.get().await.ok()?;
            let fresh = is_fresh(&client, freshness).await;
            fresh.ok().map(|fresh| (client, fresh))
        };
        match tokio::time::timeout(ANSWER_MAX, asked).await {
            Ok(Some((client, true))) => Some(client),
            Ok(Some((_, false))) => None,
            Ok(None) | Err(_) => {
                self.rest();
                None
            }
        }
    }
}

/// Whether a replica has reached what a read must see.
async fn is_fresh(client: &Client, freshness: Freshness) -> Result<bool, tokio_postgres::Error> {
    let Freshness::Since(position) = freshness else {
        return Ok(true);
    };
    let asked = "SELECT pg_is_in_recovery() AND pg_last_wal_replay_lsn() >= $1::text::pg_lsn";
    let statement = client.prepare_cached(asked).await?;
    let row = client
        .query_one(&statement, &[&position.to_string()])
        .await?;
    Ok(row.get::<_, Option<bool>>(0).unwrap_or(false))
}
