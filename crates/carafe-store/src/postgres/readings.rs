//! Readings of one record that meet, as one statement.

use std::collections::HashMap;
use std::sync::Arc;

use carafe_model::key::Key;
use carafe_model::record::column;
use carafe_model::value::Row as _;
use tokio::sync::oneshot;
use tokio_postgres::Row;

use crate::postgres::database::Postgres;
use crate::postgres::gather::Together;
use crate::postgres::row::PostgresRow;
use crate::statement::Text;

/// One that waits.
pub(super) struct Reading {
    key: Key,
    answer: oneshot::Sender<Option<Arc<Row>>>,
}

/// Reads the row of a key by a statement for many. It sees all that was committed before the
/// call: the statement is sent after it. `None` where the statement failed: then the row is to be
/// read by itself, which says why.
pub(super) async fn one(postgres: &Postgres, text: &Text, key: &Key) -> Option<Option<Arc<Row>>> {
    let (answer, answered) = oneshot::channel();
    let key = key.clone();
    let reading = Reading { key, answer };
    postgres.readings.take_in(postgres, text, reading);
    answered.await.ok()
}

impl Together for Reading {
    /// After a failure nobody is answered, which each of them notices.
    async fn carry_out(postgres: &Postgres, text: &Text, batch: Vec<Self>) {
        let mut keys: Vec<Key> = batch.iter().map(|reading| reading.key.clone()).collect();
        keys.sort_unstable();
        keys.dedup();
        let Ok(rows) = postgres.many(text, &keys).await else {
            return;
        };
        let keyed = rows.into_iter().map(|row| {
            let key = Key::from_cell(PostgresRow(&row).cell(column::KEY));
            (key, Arc::new(row))
        });
        let rows: HashMap<Key, Arc<Row>> = keyed.collect();
        for reading in batch {
            // Who has gone away needs no answer.
            let _ = reading.answer.send(rows.get(&reading.key).cloned());
        }
    }
}
