//! Lists with cursors: each page gives the place that the next one starts behind, so that no
//! record that is there throughout is missed or seen twice, and nothing is counted.

use carafe_model::cursor::Cursor;
use carafe_model::fault::{Code, Fault};
use carafe_model::query::{CURSOR, Query};
use carafe_model::resource::{Lists, Resource};
use carafe_model::value::{Row, Value};
use carafe_service::snapshot;
use http::header::LINK;
use http::{HeaderValue, StatusCode};
use serde_json::json as tree;

use super::list::{each_record, kept, room, write_start};
use super::reply::answer;
use crate::call::{Call, Response, json};
use crate::condition::{self, EntityTag};
use crate::error::{Kind, Problem};
use crate::json::write_string;
use crate::route::At;
use crate::sign::Purpose;

const PURPOSE: Purpose = Purpose::new("cursor");

/// A page of a list with cursors: in an object beside `per_page`, `has_next` and `next`, or a
/// bare array. `Link` leads on.
///
/// # Errors
///
/// 400 for a cursor that was not given by this list, in this order and with these filters; what
/// the service refuses.
pub(super) async fn list(call: &Call, at: &At<'_>, mut query: Query) -> Result<Response, Problem> {
    if let Some(Cursor::Token(token)) = &query.cursor {
        let place = read(call, at.resource, &query, token).ok_or_else(|| {
            let message =
                "cursor must be the next of a page of this list, with the same filters and order";
            let fault = Fault::parameter(CURSOR, Code::Format, message.to_owned());
            Problem::invalid(Kind::BadParameter, vec![fault])
        })?;
        query.cursor = Some(Cursor::After(place));
    }
    let per_page = query.per_page;
    // One more tells whether there is a next page.
    query.per_page += 1;
    let mut body = Vec::with_capacity(room(per_page));
    write_start(&mut body, at.resource);
    let (mut count, mut last) = (0, None);
    each_record(call, at, &query, |row: &dyn Row, write| {
        count += 1;
        if count > per_page {
            return;
        }
        if count > 1 {
            body.push(b',');
        }
        write(&mut body, row);
        if count == per_page {
            last = Some(Cursor::behind(&query.order, row));
        }
    })
    .await?;
    body.push(b']');
    let next = last
        .filter(|_| count > per_page)
        .map(|place| token(call, at.resource, &query, &place));
    if at.resource.lists == Lists::Page {
        let has_next = next.is_some();
        let paging = format!(",\"per_page\":{per_page},\"has_next\":{has_next},\"next\":");
        body.extend_from_slice(paging.as_bytes());
        match &next {
            Some(next) => write_string(&mut body, next),
            None => body.extend_from_slice(b"null"),
        }
        body.push(b'}');
    }
    // A bare array does not show whether another page follows.
    let tag = EntityTag::of_list(&body, u64::from(next.is_some()));
    answer(call, &tag, || {
        let mut response = json(StatusCode::OK, body);
        let links = links(call, per_page, next.as_deref());
        if let Ok(links) = HeaderValue::from_str(&links) {
            response.headers_mut().insert(LINK, links);
        }
        response
    })
}

/// `Link` (RFC 8288) with first and next, every other parameter kept as sent.
fn links(call: &Call, per_page: u64, next: Option<&str>) -> String {
    let (path, kept) = (call.path(), kept(call));
    let mut links = format!("<{path}?{kept}per_page={per_page}>; rel=\"first\"");
    if let Some(next) = next {
        links.push_str(&format!(
            ", <{path}?{kept}per_page={per_page}&{CURSOR}={next}>; rel=\"next\""
        ));
    }
    links
}

/// What a cursor is bound to: the list, its order, and what it selects.
fn bound_to(resource: &Resource, query: &Query) -> u32 {
    let Query {
        filters,
        search,
        order,
        deleted,
        ..
    } = query;
    let described = format!(
        "{} {filters:?} {search:?} {order:?} {deleted}",
        resource.name
    );
    condition::fingerprint(described.as_bytes())
}

/// A place as text, signed, so that nobody makes one up.
fn token(call: &Call, resource: &Resource, query: &Query, place: &[Value]) -> String {
    let payload = tree!([bound_to(resource, query), snapshot::to_json(place)]).to_string();
    call.app.key.sign(PURPOSE, payload.as_bytes())
}

/// The place that a token stands for, if it was made for this list.
fn read(call: &Call, resource: &Resource, query: &Query, token: &str) -> Option<Vec<Value>> {
    let payload = call.app.key.verify(PURPOSE, token)?;
    let (bound, place): (u32, serde_json::Value) = serde_json::from_slice(&payload).ok()?;
    let values = snapshot::from_json(&place)?;
    (bound == bound_to(resource, query) && values.len() == query.order.len()).then_some(values)
}
