//! How long statements take, from sending them to their last row.

use std::sync::Arc;
use std::time::{Duration, Instant};

use deadpool_postgres::Pool;
use tokio_postgres::SimpleQueryMessage;

use crate::error::Result;
use crate::postgres::pipeline::Answer;
use crate::slow::Slow;

/// Sees statements, and tells of those that were slow; a cheap clone.
#[derive(Clone)]
pub(crate) struct Watch {
    slow: Option<Arc<Slow>>,
    pool: Pool,
}

impl Watch {
    /// Without `slow` nothing is told.
    pub(crate) fn new(slow: Option<Arc<Slow>>, pool: Pool) -> Self {
        Self { slow, pool }
    }

    /// Statements were run, sent one behind the other: each has taken from the answer before it
    /// to its own.
    pub(crate) fn saw_all<'a>(
        &self,
        started: Instant,
        answers: impl IntoIterator<Item = (&'a str, &'a Answer)>,
    ) {
        let mut since = started;
        for (text, answer) in answers {
            self.saw(text, answer.at.duration_since(since), answer.rows.len());
            since = answer.at;
        }
    }

    /// A statement without its values was run. Its plan is asked for on another connection, and
    /// nobody waits for it.
    pub(crate) fn saw(&self, text: &str, took: Duration, rows: usize) {
        let Some(slow) = self.slow.as_ref().filter(|slow| slow.is_slow(took)) else {
            return;
        };
        if !slow.wants_plan(text, Instant::now()) {
            return Slow::tell(text, took, Some(rows), None);
        }
        let (pool, text) = (self.pool.clone(), text.to_owned());
        tokio::spawn(async move {
            let plan = plan(&pool, &text).await.ok();
            Slow::tell(&text, took, Some(rows), plan.as_deref());
        });
    }
}

/// The plan that holds for any values: a statement with as many parameters that are null, which
/// a generic plan does not look at (`EXPLAIN (GENERIC_PLAN)` is PostgreSQL 16 and newer).
async fn plan(pool: &Pool, text: &str) -> Result<Vec<String>> {
    let client = pool.get().await?;
    let prepare = format!(
        "BEGIN; SET LOCAL plan_cache_mode = force_generic_plan; PREPARE carafe_slow AS {text}"
    );
    let asked = async {
        client.batch_execute(&prepare).await?;
        let explain = match parameters(text) {
            0 => "EXPLAIN EXECUTE carafe_slow".to_owned(),
            count => format!(
                "EXPLAIN EXECUTE carafe_slow({})",
                vec!["NULL"; count].join(", ")
            ),
        };
        client.simple_query(&explain).await
    };
    let asked = asked.await;
    client.batch_execute("ROLLBACK").await?;
    // It fails where there was nothing to prepare.
    let _ = client.batch_execute("DEALLOCATE carafe_slow").await;
    let lines = asked?.into_iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0).map(|line| line.trim().to_owned()),
        _ => None,
    });
    Ok(lines.collect())
}

/// The highest number behind a `$`. Texts of ours hold `$` for nothing else.
fn parameters(text: &str) -> usize {
    let numbers = text.split('$').skip(1).filter_map(|rest| {
        let end = rest.find(|char: char| !char.is_ascii_digit());
        rest[..end.unwrap_or(rest.len())].parse().ok()
    });
    numbers.max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_counted_by_the_highest() {
        let cases = [
            ("SELECT 1", 0),
            ("SELECT $1", 1),
            ("SELECT $2, $1 WHERE a = $12 AND b = $3", 12),
        ];
        for (text, expected) in cases {
            assert_eq!(parameters(text), expected, "{text}");
        }
    }
}
