//! How long statements on a connection take, as SQLite counts it.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use rusqlite::trace::{TraceEvent, TraceEventCodes};

use crate::slow::Slow;
use crate::sqlite::readers::locked;

/// Slow statements that are kept between two looks at them.
const KEPT_MAX: usize = 16;

/// The slow statements of one connection. They are told of when it is free: their plans are asked
/// for on it.
pub(crate) struct Profile {
    slow: Arc<Slow>,
    seen: Arc<Mutex<Vec<(String, Duration)>>>,
}

impl Profile {
    pub(crate) fn start(connection: &mut Connection, slow: Arc<Slow>) -> rusqlite::Result<Self> {
        let seen: Arc<Mutex<Vec<(String, Duration)>>> = Arc::default();
        let (limit, kept) = (Arc::clone(&slow), Arc::clone(&seen));
        let notice = move |event: TraceEvent<'_>| {
            if let TraceEvent::Profile(statement, took) = event
                && limit.is_slow(took)
            {
                let mut kept = locked(&kept);
                if kept.len() < KEPT_MAX {
                    // The text as written, with holes for values.
                    kept.push((statement.sql().into_owned(), took));
                }
            }
        };
        connection.trace_v2(TraceEventCodes::SQLITE_TRACE_PROFILE, Some(notice))?;
        Ok(Self { slow, seen })
    }

    pub(crate) fn has_some(&self) -> bool {
        !locked(&self.seen).is_empty()
    }

    /// Tells of the slow statements since the last time.
    pub(crate) fn tell(&self, connection: &Connection) {
        let seen = std::mem::take(&mut *locked(&self.seen));
        for (text, took) in seen {
            let wanted = self.slow.wants_plan(&text, Instant::now());
            let plan = wanted.then(|| plan(connection, &text)).flatten();
            Slow::tell(&text, took, None, plan.as_deref());
        }
    }
}

/// The steps that SQLite takes for a statement; `None` for one that has none.
fn plan(connection: &Connection, text: &str) -> Option<Vec<String>> {
    let mut statement = connection
        .prepare(&format!("EXPLAIN QUERY PLAN {text}"))
        .ok()?;
    let mut rows = statement.raw_query();
    let mut steps = Vec::new();
    while let Ok(Some(row)) = rows.next() {
        steps.push(row.get("detail").ok()?);
    }
    (!steps.is_empty()).then_some(steps)
}
