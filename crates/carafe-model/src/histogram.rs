//! Counts of values by their size.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Values counted by upper bounds, from any thread without waiting.
#[derive(Debug)]
pub struct Histogram {
    bounds: &'static [u64],
    /// One for each bound, and one for what is above all.
    counts: Box<[AtomicU64]>,
    sum: AtomicU64,
}

/// A histogram at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counts {
    /// Bounds, ascending, and how many values were at most so large.
    pub below: Vec<(u64, u64)>,
    pub all: u64,
    pub sum: u64,
}

impl Histogram {
    /// `bounds` ascend; a value belongs to the first that it does not exceed.
    #[must_use]
    pub fn new(bounds: &'static [u64]) -> Self {
        let counts = (0..=bounds.len()).map(|_| AtomicU64::new(0));
        Self {
            bounds,
            counts: counts.collect(),
            sum: AtomicU64::new(0),
        }
    }

    pub fn record(&self, value: u64) {
        let index = self.bounds.partition_point(|bound| *bound < value);
        self.counts[index].fetch_add(1, Ordering::Relaxed);
        self.sum.fetch_add(value, Ordering::Relaxed);
    }

    /// Records a duration in microseconds.
    pub fn record_micros(&self, duration: Duration) {
        self.record(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX));
    }

    /// What was recorded so far. Values that come meanwhile may be in `sum` and not yet in the
    /// counts, or the other way round.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let sum = self.sum.load(Ordering::Relaxed);
        let mut all = 0;
        let mut below = Vec::with_capacity(self.bounds.len());
        for (index, count) in self.counts.iter().enumerate() {
            all += count.load(Ordering::Relaxed);
            if let Some(bound) = self.bounds.get(index) {
                below.push((*bound, all));
            }
        }
        Counts { below, all, sum }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_counted_below_their_bounds() {
        let histogram = Histogram::new(&[1, 10, 100]);
        for value in [0, 1, 2, 10, 11, 100, 101, 5000] {
            histogram.record(value);
        }
        let expected = Counts {
            below: vec![(1, 2), (10, 4), (100, 6)],
            all: 8,
            sum: 5225,
        };
        assert_eq!(histogram.counts(), expected);
    }
}
