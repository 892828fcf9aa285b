//! HTTP for Carafe: decode a request, call one verb of the service, encode the answer.

pub mod api;
pub mod app;
pub mod assets;
pub mod body;
pub mod call;
pub mod coding;
pub mod condition;
pub mod content;
pub mod content_type;
pub mod cookie;
pub mod cors;
pub mod csrf;
pub mod deprecation;
pub mod error;
mod escape;
pub mod exchange;
mod field_value;
pub mod flash;
pub mod form;
pub mod forwarded;
pub mod headers;
pub mod health;
pub mod id;
pub mod json;
pub mod layers;
pub mod link;
pub mod metrics;
pub mod negotiate;
pub mod openapi;
pub mod origin;
pub mod outbox;
pub mod pages;
pub mod pattern;
pub mod position;
pub mod prefer;
pub mod problem;
pub mod query;
pub mod rate;
pub mod recent;
pub mod route;
mod scan;
pub mod server;
pub mod sign;
pub mod span;
mod stall;
pub mod template;
pub mod tls;
pub mod wire;

use carafe_model::resource::Method as Verb;
use http::{Method, StatusCode};

use crate::api::openapi as openapi_document;
use crate::api::request::{ACCEPT_PATCH, MERGE_PATCH};
use crate::api::{deleted, document, field, list, map, record, reply};
use crate::call::{Body, Call, Response};
use crate::error::Problem;
use crate::negotiate::Accept;
use crate::route::{ApiPlace, Place};

/// The whole URL map.
///
/// What is not the shortest way to one record or a list is boxed: the state of a request is
/// copied about while it is set up, and would be as large as the largest of them all.
async fn answer<B: Body>(call: &Call, place: Place<'_>, body: B) -> Result<Response, Problem> {
    match place {
        Place::Api(place) => api(call, place, body).await,
        Place::Page(place) => Box::pin(pages::answer(call, place, body)).await,
        Place::Own(page) => Box::pin(pages::own::answer(call, page, body)).await,
        Place::Static(path) => Box::pin(pages::file(call, &path)).await,
        Place::Problem(slug) => pages::explain(call, &slug),
        Place::Health(probe) => Box::pin(health::answer(call, probe)).await,
        Place::Document => openapi_document::show(call),
        Place::Docs => pages::docs(call),
    }
}

/// `/api/{resource}` and below, also under a parent: `/api/{parent}/{key}/{resource}`.
async fn api<B: Body>(call: &Call, place: ApiPlace<'_>, body: B) -> Result<Response, Problem> {
    use ApiPlace::{Collection, Field, History, Item, Member, NoRecord, Search};
    let app = &call.app;
    let of_part;
    let is_deleted = matches!(&place, Item(at, _) if deleted::is_asked(call, at.resource));
    let (at, methods, allow) = match &place {
        Item(at, _) if is_deleted => {
            let methods = deleted::methods(at.resource);
            of_part = (app::allow(&methods), methods);
            (at, of_part.1.as_slice(), &of_part.0)
        }
        Collection(at) => (
            at,
            at.resource.methods.collection.as_slice(),
            &app.plan(at.resource).allow_collection,
        ),
        Item(at, _) | NoRecord(at) => (
            at,
            at.resource.methods.item.as_slice(),
            &app.plan(at.resource).allow_item,
        ),
        Search(at) | History(at, _) => (at, [Verb::Get].as_slice(), &app.allow_get),
        Field(at, _, position) => {
            let methods = field::methods(at.resource, *position);
            of_part = (app::allow(&methods), methods);
            (at, of_part.1.as_slice(), &of_part.0)
        }
        Member(at, ..) => {
            let methods = document::methods(at.resource);
            of_part = (app::allow(&methods), methods);
            (at, of_part.1.as_slice(), &of_part.0)
        }
    };
    if let Field(at, _, position) = &place
        && !field::is_addressed(at.resource, *position)
    {
        return Err(Problem::not_found());
    }
    let verb = verb(call.method()).filter(|verb| methods.contains(verb));
    if call.method() != Method::OPTIONS && verb.is_none() {
        return Err(Problem::method_not_allowed(call.method(), allow));
    }
    call.require_parent(at.resource, at.parent.as_ref()).await?;
    let Some(verb) = verb else {
        let patch = match place {
            Member(..) => MERGE_PATCH,
            Item(..) if is_deleted => MERGE_PATCH,
            _ => ACCEPT_PATCH,
        };
        let patch = methods.contains(&Verb::Patch).then_some(patch);
        return Ok(reply::options(allow, patch, methods.contains(&Verb::Post)));
    };
    if verb == Verb::Get && !Accept::of(call.headers()).allows_json() {
        let text = "The API answers application/json, which the Accept header field does not allow";
        return Err(Problem::plain(StatusCode::NOT_ACCEPTABLE, text));
    }
    match (&place, verb) {
        (Collection(at), Verb::Get) if at.resource.members.is_none() => list::list(call, at).await,
        (Item(at, key), Verb::Get) if !is_deleted => record::show(call, at, key).await,
        _ => Box::pin(longer(call, place, verb, is_deleted, body)).await,
    }
}

/// The ways of the API that are not the shortest.
async fn longer<B: Body>(
    call: &Call,
    place: ApiPlace<'_>,
    verb: Verb,
    is_deleted: bool,
    body: B,
) -> Result<Response, Problem> {
    use ApiPlace::{Collection, Field, History, Item, Member, NoRecord, Search};
    match (&place, verb) {
        // Names are not told apart in a map: several deleted documents may have had one.
        (Collection(at), Verb::Get)
            if at.resource.members.is_some() && !deleted::is_asked(call, at.resource) =>
        {
            map::list(call, at).await
        }
        (Collection(at), Verb::Get) => list::list(call, at).await,
        (Collection(at), Verb::Post) => record::create(call, at, None, body).await,
        (Collection(at), Verb::Delete) => record::delete_all(call, at).await,
        (Search(at), _) => list::search(call, at).await,
        (Item(at, key), Verb::Get) if is_deleted => deleted::show(call, at, key).await,
        (Item(at, key), _) if is_deleted => deleted::restore(call, at, key, body).await,
        (Item(at, key), Verb::Get) => record::show(call, at, key).await,
        (Item(at, key), Verb::Post) => record::create(call, at, Some(key), body).await,
        (Item(at, key), Verb::Put) => record::replace(call, at, key, body).await,
        (Item(at, key), Verb::Patch) => record::merge(call, at, key, body).await,
        (Item(at, key), Verb::Delete) => record::delete(call, at, key).await,
        (History(at, key), _) => record::history(call, at, key).await,
        (Field(at, key, position), Verb::Put) => {
            field::replace(call, at, key, *position, body).await
        }
        (Field(at, key, position), Verb::Delete) => field::clear(call, at, key, *position).await,
        (Field(at, key, position), _) => field::show(call, at, key, *position).await,
        (Member(at, key, name), Verb::Get) => document::show(call, at, key, name).await,
        (Member(at, key, name), Verb::Delete) => document::delete(call, at, key, name).await,
        (Member(at, key, name), verb) => document::write(call, at, key, name, verb, body).await,
        (NoRecord(at), verb) => Err(match record::creates(at.resource, verb) {
            true => record::bad_key(call, at.resource),
            false => Problem::no_record(at.resource, verb),
        }),
        // No collection has these among its methods.
        (Collection(_), Verb::Put | Verb::Patch) => Err(Problem::not_found()),
    }
}

/// The method as resources know it: HEAD is answered like GET.
fn verb(method: &Method) -> Option<Verb> {
    match *method {
        Method::GET | Method::HEAD => Some(Verb::Get),
        Method::POST => Some(Verb::Post),
        Method::PUT => Some(Verb::Put),
        Method::PATCH => Some(Verb::Patch),
        Method::DELETE => Some(Verb::Delete),
        _ => None,
    }
}
