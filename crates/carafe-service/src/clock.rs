//! The one place where time is read, so that tests can fix it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use carafe_model::time;

/// Gives the present moment.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The machine's.
    System,
    /// Microseconds since 1970 in UTC, moved by whoever holds the number.
    Fixed(Arc<AtomicI64>),
}

impl Clock {
    /// The present moment as `YYYY-MM-DDTHH:MM:SS.ffffffZ`.
    #[must_use]
    pub fn now(&self) -> String {
        time::format(self.timestamp())
    }

    /// The present moment.
    #[must_use]
    pub fn timestamp(&self) -> jiff::Timestamp {
        match self {
            #[expect(
                clippy::disallowed_methods,
                reason = "this is the place that all others ask"
            )]
            Clock::System => jiff::Timestamp::now(),
            Clock::Fixed(micros) => {
                jiff::Timestamp::from_microsecond(micros.load(Ordering::Relaxed))
                    .unwrap_or(jiff::Timestamp::UNIX_EPOCH)
            }
        }
    }
}
