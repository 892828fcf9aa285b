//! Request ids: UUID version 7 (RFC 9562, section 5.7) without asking the system for
//! randomness each time.

use std::sync::atomic::{AtomicU64, Ordering};

use carafe_service::clock::Clock;
use uuid::{Builder, Uuid};

/// Gives ids that differ between requests and, by a random start, between processes.
#[derive(Debug)]
pub struct Ids {
    node: [u8; 4],
    count: AtomicU64,
}

impl Ids {
    #[must_use]
    pub fn new() -> Self {
        let random = Uuid::new_v4().into_bytes();
        let [a, b, c, d, start @ ..] = random;
        let start = start
            .iter()
            .take(4)
            .fold(0, |start, byte| start << 8 | u64::from(*byte));
        Self {
            node: [a, b, c, d],
            count: AtomicU64::new(start),
        }
    }

    /// The next id, of the clock's present millisecond.
    pub fn next(&self, clock: &Clock) -> Uuid {
        let millis = u64::try_from(clock.timestamp().as_millisecond()).unwrap_or(0);
        let count = self.count.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        let mut tail = [0; 10];
        tail[..6].copy_from_slice(&count[2..]);
        tail[6..].copy_from_slice(&self.node);
        Builder::from_unix_timestamp_millis(millis, &tail).into_uuid()
    }
}

impl Default for Ids {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_version_7_and_differ() {
        let (ids, others) = (Ids::new(), Ids::new());
        let mut seen = std::collections::HashSet::new();
        for _ in 0..1000 {
            for id in [ids.next(&Clock::System), others.next(&Clock::System)] {
                assert_eq!(id.get_version_num(), 7);
                assert!(seen.insert(id), "{id} twice");
            }
        }
    }
}
