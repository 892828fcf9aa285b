//! Statements that took long: each is a line in the log, now and then with the database's plan.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long the plan of a statement is not asked for again.
const PLAN_INTERVAL: Duration = Duration::from_secs(600);

/// Statements whose last plan is remembered; others have none while there are so many.
const PLANS_MAX: usize = 128;

/// What is slow, and which plans were shown.
#[derive(Debug)]
pub(crate) struct Slow {
    limit: Duration,
    planned: Mutex<HashMap<String, Instant>>,
}

impl Slow {
    pub(crate) fn new(limit: Duration) -> Self {
        Self {
            limit,
            planned: Mutex::default(),
        }
    }

    pub(crate) fn is_slow(&self, took: Duration) -> bool {
        took >= self.limit
    }

    /// Whether the plan of a statement is to be asked for, which then counts as done.
    pub(crate) fn wants_plan(&self, text: &str, now: Instant) -> bool {
        let mut planned = self.planned.lock().unwrap_or_else(PoisonError::into_inner);
        planned.retain(|_, at| now.duration_since(*at) < PLAN_INTERVAL);
        let wants = planned.len() < PLANS_MAX && !planned.contains_key(text);
        if wants {
            planned.insert(text.to_owned(), now);
        }
        wants
    }

    /// Tells of a statement by its text, which has no values. `plan` is what the database says of
    /// it, a step a line.
    pub(crate) fn tell(text: &str, took: Duration, rows: Option<usize>, plan: Option<&[String]>) {
        let duration_ms = took.as_micros() as f64 / 1000.0;
        let plan = plan.map(|steps| steps.join("; "));
        tracing::warn!(sql = text, duration_ms, rows, plan, "Slow query");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_is_asked_for_once_in_a_while() {
        let slow = Slow::new(Duration::from_millis(500));
        let start = Instant::now();
        assert!(slow.is_slow(slow.limit) && !slow.is_slow(Duration::from_millis(499)));
        assert!(slow.wants_plan("a", start));
        assert!(slow.wants_plan("b", start));
        assert!(!slow.wants_plan("a", start + PLAN_INTERVAL / 2));
        assert!(slow.wants_plan("a", start + PLAN_INTERVAL));
    }

    #[test]
    fn what_is_remembered_has_a_limit() {
        let slow = Slow::new(Duration::from_millis(500));
        let start = Instant::now();
        for number in 0..PLANS_MAX {
            assert!(slow.wants_plan(&number.to_string(), start));
        }
        assert!(!slow.wants_plan("one more", start));
        assert!(slow.wants_plan("one more", start + PLAN_INTERVAL));
    }
}
