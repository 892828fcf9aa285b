//! Records made one by one that meet, inserted by one statement: one transaction, one sync, and
//! triggers that count once.

use std::sync::Arc;

use carafe_model::value::Value;
use deadpool_postgres::Client;
use futures_util::TryStreamExt;
use tokio::sync::oneshot;

use crate::error::{Cause, Error, Result};
use crate::postgres::database::{Postgres, discard};
use crate::postgres::failure;
use crate::statement::Parameter;
use crate::write::{Expect, InsertMany, Step, Work, Write};

/// One that waits, for the id of its row.
pub(super) struct Insertion {
    values: Vec<Value>,
    answer: oneshot::Sender<Result<i64>>,
}

/// Makes a row together with others, and returns its id; `None` where it is to be made by itself:
/// the write is more than an insertion of this kind, or one of the others was refused, which
/// refuses all.
pub(super) async fn one(postgres: &Postgres, write: &Write) -> Option<Result<i64>> {
    let resource = &write.plans.schema.resources[write.resource];
    let many = write.plans.of(resource).insert_many.as_ref()?;
    let Work::Steps(steps) = &write.work else {
        return None;
    };
    let [step] = steps.as_slice() else {
        return None;
    };
    let (answer, answered) = oneshot::channel();
    let values = values(step)?;
    let (owner, statement) = (postgres.clone(), Arc::clone(many));
    let carry_out = move |batch| {
        let (postgres, many) = (owner.clone(), Arc::clone(&statement));
        async move { insert(&postgres, &many, batch).await }
    };
    let insertions = &postgres.insertions;
    insertions.take_in(&many.text, Insertion { values, answer }, carry_out);
    answered.await.ok()
}

/// What an insertion binds.
fn values(step: &Step) -> Option<Vec<Value>> {
    if step.expect != Expect::Insert {
        return None;
    }
    let values = step.parameters.iter().map(|parameter| match parameter {
        Parameter::Value(value) => Some(value.clone()),
        Parameter::InsertedId => None,
    });
    values.collect()
}

/// Inserts the rows of a batch, and answers all who wait for them. Where the server refuses them,
/// nothing is stored and nobody is answered, which each of them notices; where it is unknown what
/// became of them, that is the answer.
async fn insert(postgres: &Postgres, many: &InsertMany, batch: Vec<Insertion>) {
    let (values, answers): (Vec<_>, Vec<_>) = batch
        .into_iter()
        .map(|insertion| (insertion.values, insertion.answer))
        .unzip();
    let Ok(client) = postgres.client().await else {
        return;
    };
    match fill(&client, many, &values).await {
        Ok(ids) => {
            for (answer, id) in answers.into_iter().zip(ids) {
                // A record whose maker has gone away stands all the same.
                let _ = answer.send(Ok(id));
            }
        }
        Err(err) if failure::spoils_connection(&err) => {
            discard(client);
            for answer in answers {
                let cause = Cause::from(err.to_string());
                let _ = answer.send(Err(Error::Unavailable(cause)));
            }
        }
        Err(_) => {}
    }
}

/// The ids of the rows, in their order.
async fn fill(
    client: &Client,
    many: &InsertMany,
    values: &[Vec<Value>],
) -> std::result::Result<Vec<i64>, tokio_postgres::Error> {
    let statement = client.prepare_cached(&many.text).await?;
    let arrays = many.arrays(values);
    let rows = client.query_raw(&statement, arrays).await?;
    rows.map_ok(|row| row.get::<_, i64>(0)).try_collect().await
}
