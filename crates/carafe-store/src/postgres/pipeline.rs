//! Statements sent one behind the other without waiting for answers: one round trip.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;
use std::time::Instant;

use carafe_model::value::Value;
use futures_util::TryStreamExt;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Error, Row, RowStream};

use crate::postgres::array::Array;
use crate::postgres::row::{Bound, values};
use crate::statement::{Parameter, Statement};

/// What a statement gave: its rows, and how many it changed.
pub(crate) struct Answer {
    pub(crate) rows: Vec<Row>,
    pub(crate) changed: u64,
    /// When it was whole.
    pub(crate) at: Instant,
}

/// Runs a statement that the server does not keep. It is sent when the future is first polled.
pub(crate) async fn run(
    client: &Client,
    text: &str,
    parameters: &[Parameter],
) -> Result<Answer, Error> {
    let mut stream = Box::pin(stream(client, text, parameters).await?);
    let mut rows = Vec::new();
    while let Some(row) = stream.try_next().await? {
        rows.push(row);
    }
    Ok(Answer {
        rows,
        changed: stream.rows_affected().unwrap_or(0),
        at: Instant::now(),
    })
}

/// Runs a statement that the server does not keep, for its rows one by one.
pub(crate) async fn stream(
    client: &Client,
    text: &str,
    parameters: &[Parameter],
) -> Result<RowStream, Error> {
    let typed = parameters.iter().map(|parameter| {
        let bound = Bound::of(parameter);
        (bound, bound.type_())
    });
    let typed: Vec<(Bound<'_>, Type)> = typed.collect();
    client.query_typed_raw(text, typed).await
}

/// Reads rows, up to the first at which their texts have `bytes_max` bytes.
pub(crate) async fn rows(
    client: &Client,
    statement: &Statement,
    bytes_max: usize,
) -> Result<Vec<Vec<Value>>, Error> {
    let mut stream = Box::pin(stream(client, statement.text(), statement.parameters()).await?);
    let (mut found, mut bytes) = (Vec::new(), 0);
    while bytes < bytes_max
        && let Some(row) = stream.try_next().await?
    {
        let row = values(&row);
        bytes += row.iter().map(Value::text_bytes).sum::<usize>();
        found.push(row);
    }
    Ok(found)
}

/// Runs a statement with arrays, for the rows that it returns.
pub(crate) async fn fill(
    client: &Client,
    text: &str,
    arrays: Vec<Array<'_>>,
) -> Result<Vec<Row>, Error> {
    let typed = arrays.into_iter().map(|array| {
        let type_ = array.type_();
        (array, type_)
    });
    let typed: Vec<(Array<'_>, Type)> = typed.collect();
    client
        .query_typed_raw(text, typed)
        .await?
        .try_collect()
        .await
}

/// A statement under way.
pub(crate) type Running<'a> = Pin<Box<dyn Future<Output = Result<Answer, Error>> + Send + 'a>>;

/// A statement without parameters and rows, under way.
pub(crate) fn plain<'a>(client: &'a Client, text: &'static str) -> Running<'a> {
    Box::pin(async move {
        client.batch_execute(text).await?;
        Ok(Answer {
            rows: Vec::new(),
            changed: 0,
            at: Instant::now(),
        })
    })
}

/// Sends all in their order, and waits for all answers.
pub(crate) async fn all(mut running: Vec<Running<'_>>) -> Vec<Result<Answer, Error>> {
    let mut answers: Vec<Option<Result<Answer, Error>>> = Vec::new();
    answers.resize_with(running.len(), || None);
    poll_fn(|context| {
        let mut waits = false;
        for (running, answer) in running.iter_mut().zip(&mut answers) {
            if answer.is_none() {
                match running.as_mut().poll(context) {
                    Poll::Ready(ready) => *answer = Some(ready),
                    Poll::Pending => waits = true,
                }
            }
        }
        match waits {
            true => Poll::Pending,
            false => Poll::Ready(()),
        }
    })
    .await;
    answers.into_iter().flatten().collect()
}
