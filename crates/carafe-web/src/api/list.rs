//! Lists: records in the shape that the declaration says, with paging beside them.

use bytes::Bytes;
use carafe_model::fault::{Code, Fault};
use carafe_model::query::{CURSOR, DELETED, Defaults, Filter, Query, Test, Total};
use carafe_model::resource::{Column, Delete, Lists, Method, Pagination, Resource, Strictness};
use carafe_model::value::Row;
use carafe_service::record::State;
use http::header::{HeaderName, LINK};
use http::{HeaderMap, HeaderValue, StatusCode};

use super::{cursor, deleted};
use crate::call::{Call, Response, json};
use crate::condition::EntityTag;
use crate::error::{Kind, Problem};
use crate::json::{Encoder, write_string};
use crate::recent::List;
use crate::route::At;

/// Records on a page where nothing was asked.
const PER_PAGE: u64 = 10;

const TOTAL: HeaderName = HeaderName::from_static("x-total-count");

/// `GET /api/{resource}`
pub async fn list(call: &Call, at: &At<'_>) -> Result<Response, Problem> {
    let per_page = match at.resource.lists {
        Lists::Page => PER_PAGE,
        Lists::Array => per_page_max(call, at.resource),
    };
    let query = read_query(call, at, per_page, per_page_max(call, at.resource))?;
    if query.cursor.is_some() {
        return Box::pin(cursor::list(call, at, query)).await;
    }
    let state = lasting_state(call, at, &query)?;
    let (recent, position) = (&call.app.recent_lists, at.resource.index);
    let page = match state.and_then(|state| recent.get(position, call.query(), state)) {
        Some(page) => page,
        None => {
            let page = Box::pin(read(call, at, &query)).await?;
            if let Some(state) = state {
                recent.put(position, call.query(), state, &page);
            }
            page
        }
    };
    answer(call, &query, page)
}

/// The state that the database is in, where that alone says whether a page is still right: it is a
/// first one of everything, the same for all who may read it.
fn lasting_state(call: &Call, at: &At<'_>, query: &Query) -> Result<Option<State>, Problem> {
    // With links its records name the host that was asked.
    if !query.is_first_of_all() || at.resource.links {
        return Ok(None);
    }
    let state = call.app.service.state(&call.actor, at.resource);
    state.map_err(|error| Problem::from_service(error, at.resource, Method::Get))
}

/// Reads a page and writes its body.
async fn read(call: &Call, at: &At<'_>, query: &Query) -> Result<List, Problem> {
    let mut body = Vec::with_capacity(room(query.per_page));
    write_start(&mut body, at.resource);
    let total = records(call, at, query, &mut body).await?;
    body.push(b']');
    if at.resource.lists == Lists::Page {
        let paging = Paging::new(query, total);
        write_paging(&mut body, query, &paging);
    }
    Ok(page(body, total))
}

pub(super) fn page(body: Vec<u8>, total: Total) -> List {
    // `X-Total-Count` and `Link` are in the header; a bare array does not show that they moved.
    let tag = EntityTag::of_list(&body, total.count);
    List {
        body: Bytes::from(body),
        total,
        tag,
    }
}

/// Appends what stands before the first record.
pub(super) fn write_start(body: &mut Vec<u8>, resource: &Resource) {
    if resource.lists == Lists::Page {
        for part in ["{\"", resource.name.as_str(), "\":"] {
            body.extend_from_slice(part.as_bytes());
        }
    }
    body.push(b'[');
}

/// Bytes for a page whose records are not long, so that it need not move while it grows.
pub(super) fn room(records: u64) -> usize {
    const RECORD_BYTES: u64 = 512;
    const BYTES_MAX: u64 = 64 * 1024;
    (records.saturating_mul(RECORD_BYTES) + 256).min(BYTES_MAX) as usize
}

/// `GET /api/{resource}/search?q=`
pub async fn search(call: &Call, at: &At<'_>) -> Result<Response, Problem> {
    let max = per_page_max(call, at.resource);
    let query = read_query(call, at, max, max)?;
    if query.search.is_some() && query.cursor.is_some() {
        return Box::pin(cursor::list(call, at, query)).await;
    }
    let Some(search) = &query.search else {
        return Err(Problem::new(
            Kind::BadParameter,
            StatusCode::BAD_REQUEST,
            "Search query required",
        ));
    };
    let mut body = b"{\"query\":".to_vec();
    write_string(&mut body, &search.text);
    let _ = std::io::Write::write_fmt(&mut body, format_args!(",\"{}\":[", at.resource.name));
    let total = records(call, at, &query, &mut body).await?;
    let _ = std::io::Write::write_fmt(&mut body, format_args!("],\"count\":{}", total.count));
    if !total.is_exact {
        body.extend_from_slice(b",\"count_is_exact\":false");
    }
    body.push(b'}');
    answer(call, &query, page(body, total))
}

/// What a list is asked, with `per_page` records on a page where nothing is said, and at most
/// `per_page_max`.
///
/// # Errors
///
/// A problem with every unknown or malformed parameter, where the resource is strict.
pub(super) fn read_query(
    call: &Call,
    at: &At<'_>,
    per_page: u64,
    per_page_max: u64,
) -> Result<Query, Problem> {
    let defaults = Defaults {
        order: &at.resource.order,
        per_page,
        per_page_max,
        pagination: at.resource.pagination,
        strictness: at.resource.input,
    };
    parse(call, at, &defaults)
}

/// The records that a request selects by its filters, without paging.
///
/// # Errors
///
/// A problem with every unknown or malformed parameter, also where the resource is lenient.
pub fn read_selection(call: &Call, at: &At<'_>) -> Result<Query, Problem> {
    let keeps = at.resource.delete == Delete::Soft;
    let shaping = |name: &str| match name {
        "page" | "per_page" | "sort" | "fields" => true,
        CURSOR => at.resource.pagination == Pagination::Cursor,
        name => name == DELETED && keeps,
    };
    let faults: Vec<Fault> = call
        .parameters()
        .filter(|(name, _)| shaping(name))
        .map(|(name, _)| {
            Fault::parameter(
                &name,
                Code::Unknown,
                format!("{name} does not select what to delete"),
            )
        })
        .collect();
    match faults.is_empty() {
        true => parse(
            call,
            at,
            &Defaults {
                order: &at.resource.order,
                per_page: 1,
                per_page_max: 1,
                pagination: Pagination::Page,
                strictness: Strictness::Strict,
            },
        ),
        false => Err(Problem::invalid(Kind::BadParameter, faults)),
    }
}

fn parse(call: &Call, at: &At<'_>, defaults: &Defaults<'_>) -> Result<Query, Problem> {
    if defaults.strictness == Strictness::Strict && !crate::query::is_utf8(call.query().as_bytes())
    {
        let text = "The query is not UTF-8";
        return Err(Problem::new(
            Kind::BadParameter,
            StatusCode::BAD_REQUEST,
            text,
        ));
    }
    let mut query = Query::parse(at.resource, defaults, call.parameters())
        .map_err(|faults| Problem::invalid(Kind::BadParameter, faults))?;
    if let (Some(parent), Some(key)) = (&at.resource.parent, &at.parent) {
        query.filters.push(Filter {
            column: Column::Field(parent.field),
            test: Test::Equal(key.to_value()),
        });
    }
    Ok(query)
}

fn per_page_max(call: &Call, resource: &Resource) -> u64 {
    let limits = &call.app.schema.limits;
    match resource.members {
        Some(_) => limits.documents_max as u64,
        None => limits.per_page_max as u64,
    }
}

/// The columns that `?fields=` names, where one record is asked for; it has no other parameter.
///
/// # Errors
///
/// A problem with every unknown parameter and field, where the resource is strict.
pub fn fields_parameter(call: &Call, resource: &Resource) -> Result<Option<Vec<Column>>, Problem> {
    let asks_deleted = deleted::is_asked(call, resource);
    let (fields, others): (Vec<_>, Vec<_>) = call
        .parameters()
        .filter(|(name, _)| !(asks_deleted && name == DELETED))
        .partition(|(name, _)| name == "fields");
    let mut faults: Vec<Fault> = others
        .iter()
        .map(|(name, _)| {
            Fault::parameter(
                name,
                Code::Unknown,
                format!("{name:?} is not a parameter of a record"),
            )
        })
        .collect();
    let defaults = Defaults {
        order: &resource.order,
        per_page: 1,
        per_page_max: 1,
        pagination: Pagination::Page,
        strictness: resource.input,
    };
    let columns = match Query::parse(resource, &defaults, fields) {
        Ok(query) => query.fields,
        Err(found) => {
            faults.extend(found);
            None
        }
    };
    match resource.input {
        Strictness::Strict if !faults.is_empty() => {
            Err(Problem::invalid(Kind::BadParameter, faults))
        }
        Strictness::Strict | Strictness::Lenient => Ok(columns),
    }
}

/// Appends the records of the page, with commas between, and returns how many match in all.
async fn records(
    call: &Call,
    at: &At<'_>,
    query: &Query,
    body: &mut Vec<u8>,
) -> Result<Total, Problem> {
    let mut first = true;
    each_record(call, at, query, |row, write| {
        if !std::mem::take(&mut first) {
            body.push(b',');
        }
        write(body, row);
    })
    .await
}

/// Hands each row of the page to `each`, with what writes it, and returns how many match in all.
pub(super) async fn each_record(
    call: &Call,
    at: &At<'_>,
    query: &Query,
    mut each: impl FnMut(&dyn Row, &dyn Fn(&mut Vec<u8>, &dyn Row)) + Send,
) -> Result<Total, Problem> {
    let chosen = match &query.fields {
        Some(columns) => Some(Encoder::of(at.resource, columns.iter().copied())),
        None => query.deleted.then(|| Encoder::of_deleted(at.resource)),
    };
    let encoder = chosen
        .as_ref()
        .unwrap_or(&call.app.plan(at.resource).encoder);
    let write = |body: &mut Vec<u8>, row: &dyn Row| {
        // A deleted record has no address of its own.
        let url = match query.deleted {
            false => super::reply::url(call, at, row),
            true => None,
        };
        encoder.write(body, row, url.as_deref());
    };
    let mut each = |row: &dyn Row| each(row, &write);
    let total = call
        .app
        .service
        .list(&call.actor, at.resource, query, &mut each)
        .await;
    total.map_err(|error| Problem::from_service(error, at.resource, Method::Get))
}

pub(super) fn answer(call: &Call, query: &Query, page: List) -> Result<Response, Problem> {
    let List { body, total, tag } = page;
    super::reply::answer(call, &tag, || {
        let mut response = json(StatusCode::OK, body);
        add_paging(call, query, total, response.headers_mut());
        response
    })
}

/// `X-Total-Count`, where it is known, and `Link`.
pub(super) fn add_paging(call: &Call, query: &Query, total: Total, headers: &mut HeaderMap) {
    if total.is_exact {
        headers.insert(TOTAL, HeaderValue::from(total.count));
    }
    if let Ok(links) = HeaderValue::from_str(&links(call, query, &Paging::new(query, total))) {
        headers.insert(LINK, links);
    }
}

/// Where a page stands among the others.
struct Paging {
    total: Total,
    /// At least, where the total is not exact.
    pages: u64,
    has_next: bool,
    has_prev: bool,
}

impl Paging {
    fn new(query: &Query, total: Total) -> Self {
        let pages = total.count.div_ceil(query.per_page);
        Self {
            total,
            pages,
            has_next: query.page < pages,
            has_prev: query.page > 1,
        }
    }
}

fn write_paging(body: &mut Vec<u8>, query: &Query, paging: &Paging) {
    let numbers = [
        (",\"total\":", paging.total.count),
        (",\"pages\":", paging.pages),
        (",\"current_page\":", query.page),
        (",\"per_page\":", query.per_page),
    ];
    for (name, number) in numbers {
        body.extend_from_slice(name.as_bytes());
        body.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
    }
    let flags = [
        (",\"has_next\":", paging.has_next),
        (",\"has_prev\":", paging.has_prev),
    ];
    for (name, flag) in flags {
        body.extend_from_slice(name.as_bytes());
        let flag = if flag { "true" } else { "false" };
        body.extend_from_slice(flag.as_bytes());
    }
    if !paging.total.is_exact {
        body.extend_from_slice(b",\"total_is_exact\":false");
    }
    body.push(b'}');
}

/// The parameters of the query, as sent, without those that paging sets anew, each with a `&`
/// behind it; what a URL cannot have as it is would end a link early.
pub(super) fn kept(call: &Call) -> String {
    let is_paging = |pair: &str| {
        let mut pairs = crate::query::pairs(pair.as_bytes());
        pairs
            .next()
            .is_some_and(|(name, _)| matches!(&*name, "page" | "per_page" | CURSOR))
    };
    let mut kept = String::new();
    for pair in call.query().split('&') {
        if !pair.is_empty() && !is_paging(pair) {
            let pair = pair.replace('<', "%3C").replace('>', "%3E");
            kept.push_str(&pair.replace('"', "%22"));
            kept.push('&');
        }
    }
    kept
}

/// `Link` (RFC 8288) with first, prev, next and, where it is known, last, every other parameter kept as sent.
fn links(call: &Call, query: &Query, paging: &Paging) -> String {
    let kept = kept(call);
    let last = paging.pages.max(1);
    let per_page = query.per_page.to_string();
    let mut links = String::with_capacity(256);
    let mut link = |page: u64, rel: &str| {
        if !links.is_empty() {
            links.push_str(", ");
        }
        let mut digits = itoa::Buffer::new();
        let page = digits.format(page);
        let address = [
            "<",
            call.path(),
            "?",
            &kept,
            "page=",
            page,
            "&per_page=",
            &per_page,
        ];
        let relation = [">; rel=\"", rel, "\""];
        links.extend(address.into_iter().chain(relation));
    };
    link(1, "first");
    if paging.has_prev {
        link((query.page - 1).min(last), "prev");
    }
    if paging.has_next {
        link(query.page + 1, "next");
    }
    if paging.total.is_exact {
        link(last, "last");
    }
    links
}
