//! Records made one by one that meet, inserted by one statement: one transaction, one sync, and
//! triggers that count once.

use std::sync::Arc;

use carafe_model::value::Value;
use tokio::sync::oneshot;

use crate::error::{Cause, Error, Result};
use crate::postgres::database::Postgres;
use crate::postgres::gather::Together;
use crate::statement::{Parameter, Text};
use crate::write::{Expect, InsertMany, Step, Work, Write};

/// One that waits, for the id of its row.
pub(super) struct Insertion {
    many: Arc<InsertMany>,
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
    let insertion = Insertion {
        many: Arc::clone(many),
        values,
        answer,
    };
    let insertions = &postgres.insertions;
    insertions.take_in(postgres, &many.text, insertion);
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

impl Together for Insertion {
    /// Where the server refuses the rows, nothing is stored and nobody is answered, which each of
    /// them notices; where it is unknown what became of them, that is the answer.
    async fn carry_out(postgres: &Postgres, _: &Text, batch: Vec<Self>) {
        let Some(many) = batch.first().map(|first| Arc::clone(&first.many)) else {
            return;
        };
        let (values, answers): (Vec<_>, Vec<_>) = batch
            .into_iter()
            .map(|insertion| (insertion.values, insertion.answer))
            .unzip();
        match postgres.insert_many(&many, &values).await {
            Some(Ok(ids)) => {
                for (answer, id) in answers.into_iter().zip(ids) {
                    // A record whose maker has gone away stands all the same.
                    let _ = answer.send(Ok(id));
                }
            }
            Some(Err(err)) => {
                for answer in answers {
                    let cause = Cause::from(err.to_string());
                    let _ = answer.send(Err(Error::Unavailable(cause)));
                }
            }
            None => {}
        }
    }
}
