//! Writes: a list of guarded statements, all or nothing, in one round trip.

use std::time::Instant;

use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use crate::error::{Error, Result};
use crate::postgres::failure;
use crate::postgres::pipeline::{self, Answer};
use crate::postgres::row::{self, Bound};
use crate::postgres::transaction::PostgresTransaction;
use crate::postgres::watch::Watch;
use crate::write::{Expect, Step, Work, Write};

/// Why a write was not made.
pub(crate) enum Failure {
    /// A refusal of ours.
    Refused(Error),
    /// An error of the server or the connection.
    Failed(tokio_postgres::Error),
}

impl From<tokio_postgres::Error> for Failure {
    fn from(err: tokio_postgres::Error) -> Self {
        Failure::Failed(err)
    }
}

/// Carries a write out, and returns the id of the row that it made, or 0.
pub(crate) async fn execute(
    client: &deadpool_postgres::Client,
    write: &Write,
    watch: &Watch,
) -> std::result::Result<i64, Failure> {
    let schema = &write.plans.schema;
    match &write.work {
        Work::Steps(steps) => match steps.as_slice() {
            [step] => alone(client, step, watch).await,
            steps => together(client, steps, watch).await,
        },
        Work::Delete(deletion) => {
            let mut tx = PostgresTransaction::watched(client, watch);
            client.batch_execute("BEGIN").await?;
            let outcome = deletion.run(&mut tx, schema).await;
            end(client, outcome).await
        }
        Work::Restore(restoration) => {
            let mut tx = PostgresTransaction::watched(client, watch);
            client.batch_execute("BEGIN").await?;
            let outcome = restoration.run(&mut tx, schema).await;
            end(client, outcome).await
        }
    }
}

async fn end(client: &Client, outcome: Result<()>) -> std::result::Result<i64, Failure> {
    match outcome {
        Ok(()) => {
            client.batch_execute("COMMIT").await?;
            Ok(0)
        }
        Err(err) => {
            // Where the connection is gone, so is the transaction.
            let _ = client.batch_execute("ROLLBACK").await;
            Err(Failure::Refused(err))
        }
    }
}

/// One statement is all or nothing by itself.
async fn alone(
    client: &deadpool_postgres::Client,
    step: &Step,
    watch: &Watch,
) -> std::result::Result<i64, Failure> {
    let started = Instant::now();
    let answer = match step.expect {
        // Its text is one of those that were made beforehand.
        Expect::Insert => {
            let statement = client.prepare_cached(&step.text).await?;
            let bound: Vec<Bound<'_>> = step.parameters.iter().map(Bound::of).collect();
            collect(client.query_raw(&statement, bound).await?).await?
        }
        Expect::Change(_) | Expect::Require(_) | Expect::Run => {
            pipeline::run(client, &step.text, &step.parameters).await?
        }
    };
    watch.saw_all(started, [(&*step.text, &answer)]);
    match step.expect {
        Expect::Change(refusal) if answer.changed != 1 => Err(Failure::Refused(refusal.into())),
        Expect::Require(refusal) if answer.rows.is_empty() => Err(Failure::Refused(refusal.into())),
        Expect::Insert | Expect::Change(_) | Expect::Require(_) | Expect::Run => {
            Ok(inserted_id(&answer))
        }
    }
}

async fn collect(
    rows: tokio_postgres::RowStream,
) -> std::result::Result<Answer, tokio_postgres::Error> {
    use futures_util::TryStreamExt;
    Ok(Answer {
        rows: rows.try_collect().await?,
        changed: 0,
        at: Instant::now(),
    })
}

/// Several statements, with `COMMIT` on its way before the first answer is here: a guard that
/// does not hold must be an error of the server's.
async fn together(
    client: &Client,
    steps: &[Step],
    watch: &Watch,
) -> std::result::Result<i64, Failure> {
    let texts: Vec<String> = steps.iter().map(guarded).collect();
    let started = Instant::now();
    let mut running = vec![pipeline::plain(client, "BEGIN")];
    for (text, step) in texts.iter().zip(steps) {
        running.push(Box::pin(pipeline::run(client, text, &step.parameters)));
    }
    running.push(pipeline::plain(client, "COMMIT"));
    let answers = pipeline::all(running).await;
    let seen = texts.iter().map(String::as_str).zip(answers.iter().skip(1));
    watch.saw_all(
        started,
        seen.filter_map(|(text, answer)| Some((text, answer.as_ref().ok()?))),
    );
    let mut answers = answers.into_iter();
    answers.next().transpose()?;
    let mut id = 0;
    for step in steps {
        match answers.next() {
            Some(Ok(answer)) if step.expect == Expect::Insert => id = inserted_id(&answer),
            Some(Ok(_)) => {}
            Some(Err(err)) => return Err(refusal(step, err)),
            None => {}
        }
    }
    // Where every statement was well, so the transaction was, and this is the commit's answer.
    answers.next().transpose()?;
    Ok(id)
}

/// The text of a step that fails where its guard does not hold: a count of none is divided by.
/// A function of ours that raises an error would do the same, but would have to be there.
fn guarded(step: &Step) -> String {
    match step.expect {
        Expect::Change(_) => format!(
            "WITH changed AS ({} RETURNING 1) SELECT 1 / count(*) FROM changed",
            step.text
        ),
        Expect::Require(_) => format!("SELECT 1 / count(*) FROM ({}) AS found", step.text),
        Expect::Insert | Expect::Run => step.text.to_string(),
    }
}

fn refusal(step: &Step, err: tokio_postgres::Error) -> Failure {
    let is_guard = err.code() == Some(&SqlState::DIVISION_BY_ZERO);
    match step.expect {
        Expect::Change(refusal) | Expect::Require(refusal) if is_guard => {
            Failure::Refused(refusal.into())
        }
        Expect::Insert | Expect::Change(_) | Expect::Require(_) | Expect::Run => {
            Failure::Failed(err)
        }
    }
}

fn inserted_id(answer: &Answer) -> i64 {
    use carafe_model::value::Value;
    match answer.rows.first().map(row::values).as_deref() {
        Some([Value::Integer(id), ..]) => *id,
        _ => 0,
    }
}

/// What a failure means to the caller.
pub(crate) fn error(write: &Write, failure: Failure) -> Error {
    match failure {
        Failure::Refused(error) => error,
        Failure::Failed(err) => {
            failure::of_write(&write.plans.schema.resources[write.resource], err)
        }
    }
}

/// Whether the same again at once may do.
pub(crate) fn may_repeat(failure: &Failure) -> bool {
    let is_conflict = |err: &tokio_postgres::Error| err.code().is_some_and(failure::is_conflict);
    match failure {
        Failure::Failed(err) => is_conflict(err),
        Failure::Refused(Error::Unavailable(cause)) => cause
            .downcast_ref::<tokio_postgres::Error>()
            .is_some_and(is_conflict),
        Failure::Refused(_) => false,
    }
}

/// Whether a failure shows that the connection is of no more use.
pub(crate) fn spoils_connection(failure: &Failure) -> bool {
    match failure {
        Failure::Failed(err) => failure::spoils_connection(err),
        Failure::Refused(Error::Unavailable(cause) | Error::Other(cause)) => cause
            .downcast_ref::<tokio_postgres::Error>()
            .is_some_and(failure::spoils_connection),
        Failure::Refused(_) => false,
    }
}
