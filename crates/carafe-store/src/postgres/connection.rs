//! The pool of connections, and what each is told when it is made.

use std::time::Duration;

use deadpool_postgres::{Hook, HookError, Manager, ManagerConfig, Pool, RecyclingMethod, Runtime};

use tokio_postgres_rustls::MakeRustlsConnect;

use crate::database::Durability;
use crate::error::{Error, Result};
use crate::postgres::url::Url;

/// Connections of one process. PostgreSQL does more with a few busy ones than with many.
pub(crate) const CONNECTIONS_MAX: usize = 16;

/// How long a request waits for a connection to become free.
const WAIT: Duration = Duration::from_secs(5);

/// How long one may take to be made.
const CREATE: Duration = Duration::from_secs(10);

/// A lock that another program holds is waited for as long as SQLite's is; a process that hangs
/// in the middle of a transaction does not hold its locks for longer than half a minute.
const SESSION: &str = "SET lock_timeout = '5s'; \
     SET idle_in_transaction_session_timeout = '30s'; \
     SET default_transaction_isolation = 'read committed'; \
     SET standard_conforming_strings = on; \
     SET timezone = 'UTC'; ";

/// Whoever acknowledges a write has it on disk, whatever the server's default is.
const FULL: &str = "SELECT set_config('synchronous_commit', 'on', false) \
     WHERE current_setting('synchronous_commit') = 'off'";

const NORMAL: &str = "SET synchronous_commit = off";

/// A pool of connections, none of which is made yet.
pub(crate) fn pool(url: &Url, tls: MakeRustlsConnect, durability: Durability) -> Result<Pool> {
    let config = ManagerConfig {
        recycling_method: RecyclingMethod::Fast,
    };
    let manager = Manager::from_config(url.config.clone(), tls, config);
    let session = format!(
        "{SESSION}{}",
        match durability {
            Durability::Full => FULL,
            Durability::Normal => NORMAL,
        }
    );
    let prepare = Hook::async_fn(move |client: &mut deadpool_postgres::ClientWrapper, _| {
        let session = session.clone();
        Box::pin(async move {
            let prepared = client.batch_execute(&session).await;
            prepared.map_err(HookError::Backend)
        })
    });
    Pool::builder(manager)
        .max_size(CONNECTIONS_MAX)
        .wait_timeout(Some(WAIT))
        .create_timeout(Some(CREATE))
        .recycle_timeout(Some(WAIT))
        .runtime(Runtime::Tokio1)
        .post_create(prepare)
        .build()
        .map_err(|err| Error::Unavailable(Box::new(err)))
}
