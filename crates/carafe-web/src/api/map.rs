//! The map of all documents of a resource: whole where it is small, else in chunks, so that no
//! more of it is in memory than a client takes.

use std::sync::Arc;

use bytes::Bytes;
use carafe_model::actor::Actor;
use carafe_model::key::Key;
use carafe_model::query::{Filter, Query, Test, Total};
use carafe_model::record::column;
use carafe_model::resource::{Column, Method};
use carafe_model::value::Row;
use carafe_service::error::{Error, Result};
use http::StatusCode;

use super::list;
use crate::app::App;
use crate::call::{Call, Response, json};
use crate::content::{Chunk, Content, Incomplete};
use crate::error::Problem;
use crate::json::write_string;
use crate::route::At;

/// A map up to this size is answered whole, with an entity tag and of one moment.
const WHOLE_BYTES_MAX: usize = 1024 * 1024;

/// What a chunk is to have, about.
const CHUNK_BYTES: usize = 256 * 1024;

/// Documents that are read at a time for a chunk.
const BATCH_MAX: usize = 500;

/// Documents that are read at first where a filter keeps them from being read in place.
const FILTERED_MAX: u64 = 16;

/// `GET /api/{resource}`: documents under their names, up to the declaration's limit; `Link`
/// leads on where there are more.
///
/// # Errors
///
/// 400 for parameters that cannot be; what the service refuses.
pub async fn list(call: &Call, at: &At<'_>) -> std::result::Result<Response, Problem> {
    let documents_max = call.app.schema.limits.documents_max as u64;
    let query = list::read_query(call, at, documents_max, documents_max)?;
    let mut map = Map {
        app: call.app.clone(),
        actor: call.actor.clone(),
        position: at.resource.index,
        bytes: b"{".to_vec(),
        bytes_max: WHOLE_BYTES_MAX,
        last: None,
        written: 0,
        bytes_written: 0,
    };
    let total = map
        .read(&first(&query))
        .await
        .map_err(|error| Problem::from_service(error, at.resource, Method::Get))?;
    let wanted = query
        .per_page
        .min(total.count.saturating_sub(query.offset()));
    if map.written >= wanted {
        map.bytes.push(b'}');
        return list::answer(call, &query, list::page(map.bytes, total));
    }
    let (sender, content) = Content::channel();
    let mut response = json(StatusCode::OK, Vec::new());
    *response.body_mut() = content;
    list::add_paging(call, &query, total, response.headers_mut());
    tokio::spawn(map.send(query, wanted, sender));
    Ok(response)
}

/// The query of the first read: all of the page where rows are read in place, else a part of it
/// that starts where the page does.
fn first(query: &Query) -> Query {
    if query.filters.is_empty() {
        return query.clone();
    }
    let per_page = (1..=FILTERED_MAX.min(query.per_page))
        .rev()
        .find(|size| query.per_page.is_multiple_of(*size))
        .unwrap_or(1);
    Query {
        page: query.offset() / per_page + 1,
        per_page,
        ..query.clone()
    }
}

/// A map that is being written.
struct Map {
    app: Arc<App>,
    actor: Actor,
    position: usize,
    /// What is not sent yet.
    bytes: Vec<u8>,
    /// Where this much is written, further rows wait for another read.
    bytes_max: usize,
    /// The key of the last document that was written.
    last: Option<Key>,
    /// Documents that were written.
    written: u64,
    /// Their bytes.
    bytes_written: usize,
}

impl Map {
    /// Writes the documents that `query` finds, as many as fit, and returns how many match.
    async fn read(&mut self, query: &Query) -> Result<Total> {
        let app = self.app.clone();
        let resource = &app.schema.resources[self.position];
        let encoder = &app.plan(resource).encoder;
        let actor = self.actor.clone();
        let mut each = |row: &dyn Row| {
            if self.bytes.len() >= self.bytes_max {
                return;
            }
            let before = self.bytes.len();
            if self.written > 0 {
                self.bytes.push(b',');
            }
            let key = Key::from_cell(row.cell(column::KEY));
            write_string(&mut self.bytes, &key.to_string());
            self.bytes.push(b':');
            encoder.write(&mut self.bytes, row, None);
            self.last = Some(key);
            self.written += 1;
            self.bytes_written += self.bytes.len() - before;
        };
        app.service.list(&actor, resource, query, &mut each).await
    }

    /// The query of what follows the last document: by its key, so that no document that is
    /// there throughout is missed or sent twice.
    fn next(&self, query: &Query) -> Option<Query> {
        let key = self.last.as_ref()?.to_value();
        let descending = query.order.first().is_some_and(|step| step.descending);
        let test = match descending {
            true => Test::Less(key),
            false => Test::Greater(key),
        };
        let average = self.bytes_written / usize::try_from(self.written).unwrap_or(1).max(1);
        let mut next = Query {
            page: 1,
            per_page: (CHUNK_BYTES / average.max(1)).clamp(1, BATCH_MAX) as u64,
            ..query.clone()
        };
        next.filters.push(Filter {
            column: Column::Key,
            test,
        });
        Some(next)
    }

    /// Sends the map in chunks, until `wanted` documents are written or none follows.
    async fn send(mut self, query: Query, wanted: u64, sender: tokio::sync::mpsc::Sender<Chunk>) {
        self.bytes_max = usize::MAX;
        while self.written < wanted {
            if sender.send(Ok(self.take())).await.is_err() {
                // The client has gone.
                return;
            }
            let (before, Some(mut next)) = (self.written, self.next(&query)) else {
                break;
            };
            next.per_page = next.per_page.min(wanted - self.written);
            if let Err(error) = self.read(&next).await {
                self.log(&error);
                let _ = sender.send(Err(Incomplete)).await;
                return;
            }
            if self.written == before {
                break;
            }
        }
        self.bytes.push(b'}');
        let _ = sender.send(Ok(self.take())).await;
    }

    fn log(&self, error: &Error) {
        let resource = self.app.schema.resources[self.position].name.as_str();
        let cause = error as &dyn std::error::Error;
        tracing::error!(resource, cause, "Could not read a map to its end");
    }

    fn take(&mut self) -> Bytes {
        Bytes::from(std::mem::take(&mut self.bytes))
    }
}
