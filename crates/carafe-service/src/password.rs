//! Passwords, kept as Argon2id hashes (RFC 9106) in PHC text form.

use std::sync::Arc;

use argon2::password_hash::PasswordHasher;
use tokio::sync::Semaphore;

use crate::error::{Error, Result};

/// Hashes passwords off the async workers, a bounded number at a time: each takes 19 MiB and
/// tens of milliseconds of a core.
#[derive(Clone, Debug)]
pub(crate) struct Passwords {
    permits: Arc<Semaphore>,
}

/// Hashes computed at once.
const HASHES_AT_ONCE: usize = 2;

impl Passwords {
    pub(crate) fn new() -> Self {
        Self {
            permits: Arc::new(Semaphore::new(HASHES_AT_ONCE)),
        }
    }

    /// The hash of `password`, with a fresh salt, as a PHC string.
    pub(crate) async fn hash(&self, password: String) -> Result<String> {
        let permit = self
            .permits
            .clone()
            .acquire_owned()
            .await
            .expect("the semaphore is never closed");
        let hashed = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            argon2::Argon2::default()
                .hash_password(password.as_bytes())
                .map(|hash| hash.to_string())
        });
        match hashed.await {
            Ok(Ok(hash)) => Ok(hash),
            Ok(Err(error)) => Err(Error::Internal(error.to_string().into())),
            Err(error) => Err(Error::Internal(error.into())),
        }
    }
}
