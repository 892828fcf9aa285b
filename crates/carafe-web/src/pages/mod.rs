//! Pages for people: handlers over the service's verbs, and what templates see.

pub mod column;
pub mod deleted;
pub mod docs;
pub mod document;
pub mod error;
pub mod form;
pub mod home;
mod named;
pub mod own;
pub mod record;
pub mod reference;
mod sent;
mod sheet;
pub mod site;
pub mod view;
pub mod visit;

#[cfg(test)]
pub(crate) mod fixture;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use carafe_model::key::Key;
use http::header::{ACCEPT, CACHE_CONTROL, ETAG, IF_NONE_MATCH, LOCATION, ORIGIN, SET_COOKIE};
use http::{HeaderMap, HeaderValue, Method, StatusCode};

use crate::assets::Freshness;
use crate::call::{Body, Call, Response, allowed, empty, reply};
use crate::content_type::ContentType;
use crate::csrf::{self, Browser};
use crate::error::{Kind, Problem};
use crate::flash::{self, Category, Flash};
use crate::negotiate::Accept;
use crate::pages::visit::{Page, PageResult, Visit};
use crate::route::PagePlace;
use crate::{form as form_body, wire};

const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
const FORM: HeaderValue = HeaderValue::from_static("application/x-www-form-urlencoded");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// `/` and `/{resource}` and below.
///
/// # Errors
///
/// 405, and what the page's handler refuses.
pub(crate) async fn answer<B: Body>(
    call: &Call,
    place: PagePlace<'_>,
    body: B,
) -> Result<Response, Problem> {
    let is_form = place.takes_form();
    let allow = HeaderValue::from_static(if is_form {
        "GET, HEAD, POST, OPTIONS"
    } else {
        "GET, HEAD, OPTIONS"
    });
    if let Some(of) = place.of() {
        call.require_parent(of.resource, of.parent.as_ref()).await?;
    }
    let desk = Desk::new(call, place.parent())?;
    match *call.method() {
        Method::GET | Method::HEAD if !Accept::of(call.headers()).allows_html() => {
            let text = "This is a page, text/html, which the Accept header field does not allow";
            Err(Problem::plain(StatusCode::NOT_ACCEPTABLE, text))
        }
        Method::GET | Method::HEAD => Ok(desk.to_response(show(&desk.visit, place).await?)),
        Method::POST if is_form => post(&desk, place, body).await,
        Method::OPTIONS => Ok(allowed(&allow)),
        _ => Err(Problem::method_not_allowed(call.method(), &allow)),
    }
}

async fn show(visit: &Visit<'_>, place: PagePlace<'_>) -> PageResult {
    match place {
        PagePlace::Home => home::show(visit).await,
        PagePlace::List(of) => record::list(visit, of.resource).await,
        PagePlace::New(of) if of.resource.members.is_some() => {
            document::new(visit, of.resource).await
        }
        PagePlace::New(of) => record::new(visit, of.resource).await,
        PagePlace::Show(of, key) => record::detail(visit, of.resource, &key).await,
        PagePlace::Edit(of, key) if of.resource.members.is_some() => {
            document::edit(visit, of.resource, &key).await
        }
        PagePlace::Edit(of, key) => record::edit(visit, of.resource, &key).await,
        PagePlace::Delete(of, key) => record::confirm_delete(visit, of.resource, &key).await,
        PagePlace::Restore(of, key) => deleted::confirm(visit, of.resource, &key).await,
    }
}

/// A form that was sent: its record must be there (404), its body must fit (413), and it must
/// come from a page of ours (400) before anything is done.
async fn post<B: Body>(
    desk: &Desk<'_>,
    place: PagePlace<'_>,
    body: B,
) -> Result<Response, Problem> {
    let visit = &desk.visit;
    let (resource, key) = match &place {
        PagePlace::New(of) => (of.resource, None),
        PagePlace::Restore(of, key) => {
            deleted::require(visit, of.resource, key).await?;
            (of.resource, Some(key))
        }
        PagePlace::Edit(of, key) | PagePlace::Delete(of, key) => {
            record::require(visit, of.resource, key).await?;
            (of.resource, Some(key))
        }
        PagePlace::Home | PagePlace::List(_) | PagePlace::Show(..) => {
            return Err(Problem::not_found());
        }
    };
    let content = visit.call.read(body).await?;
    if ContentType::of(visit.call.headers()) != ContentType::Form {
        let text = "A form is sent as application/x-www-form-urlencoded in UTF-8";
        return Err(Problem::plain(StatusCode::UNSUPPORTED_MEDIA_TYPE, text).header(ACCEPT, FORM));
    }
    if !crate::query::is_utf8(&content) {
        return Err(Problem::new(
            Kind::BadForm,
            StatusCode::BAD_REQUEST,
            "The form is not UTF-8",
        ));
    }
    if let Err(refusal) = desk.check(&content) {
        return match (&place, refusal) {
            (_, csrf::Refusal::CrossSite) | (PagePlace::Delete(..) | PagePlace::Restore(..), _) => {
                Err(bad_form(refusal))
            }
            _ if resource.members.is_some() => {
                let page = document::refuse_token(visit, resource, key, &content).await?;
                Ok(desk.to_response(page))
            }
            _ => Ok(desk.to_response(record::refuse_token(visit, resource, key, &content).await?)),
        };
    }
    let page = match &place {
        PagePlace::New(_) if resource.members.is_some() => {
            document::create(visit, resource, &content).await?
        }
        PagePlace::Edit(_, key) if resource.members.is_some() => {
            document::update(visit, resource, key, &content).await?
        }
        PagePlace::New(_) => record::create(visit, resource, &content).await?,
        PagePlace::Edit(_, key) => record::update(visit, resource, key, &content).await?,
        PagePlace::Delete(_, key) => record::delete(visit, resource, key).await?,
        PagePlace::Restore(_, key) => deleted::restore(visit, resource, key).await?,
        PagePlace::Home | PagePlace::List(_) | PagePlace::Show(..) => {
            return Err(Problem::not_found());
        }
    };
    Ok(desk.to_response(page))
}

fn bad_form(refusal: csrf::Refusal) -> Problem {
    Problem::new(
        Kind::BadForm,
        StatusCode::BAD_REQUEST,
        "The form was not sent from a page of this site, or is too old",
    )
    .detail(refusal.to_string())
}

/// A visit with the cookies that it came with and those that go back.
struct Desk<'a> {
    visit: Visit<'a>,
    browser: Browser,
    /// The browser had no form cookie yet.
    is_new: bool,
    flashes: Vec<Flash>,
}

impl<'a> Desk<'a> {
    fn new(call: &'a Call, parent: Option<Key>) -> Result<Self, Problem> {
        let key = &call.app.key;
        let known = Browser::read(key, call.headers(), call.secure);
        let is_new = known.is_none();
        let browser = match known {
            Some(browser) => browser,
            None => {
                Browser::random().map_err(|error| Problem::internal(error.to_string().into()))?
            }
        };
        let flashes = flash::read(key, call.headers(), call.secure);
        let shown = flashes
            .iter()
            .map(|flash| (flash.category.as_str().to_owned(), flash.message.clone()));
        let visit = Visit {
            call,
            site: &call.app.site,
            parent,
            flashes: shown.collect(),
            csrf_token: Arc::new(browser.token(key)),
            lacks_something: AtomicBool::new(false),
        };
        Ok(Self {
            visit,
            browser,
            is_new,
            flashes,
        })
    }

    fn check(&self, content: &[u8]) -> Result<(), csrf::Refusal> {
        let call = self.visit.call;
        let host = wire::host(&call.parts.uri, call.headers()).unwrap_or_default();
        // A proxy may have put its own name into Host; the public URL names ours.
        let public = call
            .app
            .public_url
            .as_deref()
            .and_then(|url| url.split_once("://"));
        let host = match public {
            Some((_, authority)) if names(call.headers(), authority) => authority,
            _ => host,
        };
        let browser = (!self.is_new).then_some(&self.browser);
        csrf::check(
            &call.app.key,
            call.headers(),
            host,
            browser,
            form_body::token(content).as_deref(),
        )
    }

    /// The page with its cookies: a form token's, and the messages that are shown now or next.
    fn to_response(&self, page: Page) -> Response {
        let (key, secure) = (&self.visit.call.app.key, self.visit.call.secure);
        let mut cookies = Vec::new();
        let mut response = match page {
            Page::Html { status, body } => {
                if self.is_new && self.visit.csrf_token.is_shown() {
                    cookies.push(self.browser.set_cookie(key, secure));
                }
                if !self.flashes.is_empty() {
                    cookies.push(flash::clear(secure));
                }
                let mut response = reply(status, HTML, body);
                // Pages hold a token and messages that are for one person.
                response.headers_mut().insert(CACHE_CONTROL, NO_STORE);
                response
            }
            Page::Redirect { to, flash } => {
                if let Some((_, message)) = flash {
                    let mut messages = self.flashes.clone();
                    messages.push(Flash {
                        category: Category::Success,
                        message,
                    });
                    cookies.push(flash::write(key, &messages, secure));
                }
                let mut response = empty(StatusCode::SEE_OTHER);
                response.headers_mut().insert(CACHE_CONTROL, NO_STORE);
                if let Ok(to) = HeaderValue::from_str(&to) {
                    response.headers_mut().insert(LOCATION, to);
                }
                response
            }
        };
        for cookie in cookies {
            response.headers_mut().append(SET_COOKIE, cookie);
        }
        response
    }
}

/// Whether `Origin` is of `authority`.
fn names(headers: &HeaderMap, authority: &str) -> bool {
    let origin = headers.get(ORIGIN).and_then(|origin| origin.to_str().ok());
    origin
        .and_then(|origin| origin.split_once("://"))
        .is_some_and(|(_, named)| named == authority)
}

/// The answer to another method than GET and HEAD at a place that can only be read.
fn refuse_method(call: &Call) -> Option<Result<Response, Problem>> {
    match *call.method() {
        Method::GET | Method::HEAD => None,
        Method::OPTIONS => Some(Ok(allowed(&call.app.allow_get))),
        _ => Some(Err(Problem::method_not_allowed(
            call.method(),
            &call.app.allow_get,
        ))),
    }
}

/// Whether `If-None-Match` names `tag`, in whatever coding it was sent.
fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    let opaque = tag.trim_matches('"');
    let fits = |sent: &str| {
        let sent = sent.trim().trim_start_matches("W/").trim_matches('"');
        let suffix = sent.strip_prefix(opaque);
        sent == "*" || suffix.is_some_and(|suffix| matches!(suffix, "" | "-gzip" | "-br" | "-zstd"))
    };
    let lines = headers.get_all(IF_NONE_MATCH).iter();
    lines
        .filter_map(|line| line.to_str().ok())
        .any(|line| line.split(',').any(fits))
}

/// `GET /static/{path}`
///
/// # Errors
///
/// 404 where there is no such file, 405 for another method.
pub(crate) async fn file(call: &Call, path: &str) -> Result<Response, Problem> {
    if let Some(refused) = refuse_method(call) {
        return refused;
    }
    let asset = call
        .app
        .site
        .assets()
        .find(path)
        .await
        .ok_or_else(Problem::not_found)?;
    let mut response = reply(
        StatusCode::OK,
        HeaderValue::from_static(asset.content_type),
        asset.bytes.to_vec(),
    );
    match asset.freshness {
        Freshness::Immutable => {
            let forever = HeaderValue::from_static("public, max-age=31536000, immutable");
            response.headers_mut().insert(CACHE_CONTROL, forever);
        }
        Freshness::Revalidate(tag) => {
            if is_known(call.headers(), &tag) {
                response = empty(StatusCode::NOT_MODIFIED);
            }
            if let Ok(tag) = HeaderValue::from_str(&tag) {
                response.headers_mut().insert(ETAG, tag);
            }
        }
    }
    Ok(response)
}

/// `GET /problems/{slug}`
///
/// # Errors
///
/// 404 for a kind that there is not, 405 for another method.
pub(crate) fn explain(call: &Call, slug: &str) -> Result<Response, Problem> {
    if let Some(refused) = refuse_method(call) {
        return refused;
    }
    let desk = Desk::new(call, None)?;
    Ok(desk.to_response(error::explain(&desk.visit, slug)?))
}

/// `GET /docs`
///
/// # Errors
///
/// 405 for another method.
pub(crate) fn docs(call: &Call) -> Result<Response, Problem> {
    if let Some(refused) = refuse_method(call) {
        return refused;
    }
    let desk = Desk::new(call, None)?;
    Ok(desk.to_response(docs::show(&desk.visit)?))
}

/// A refusal as a page.
pub(crate) fn refuse(call: &Call, problem: &Problem) -> Response {
    let mut response = match Desk::new(call, None) {
        Ok(desk) => desk.to_response(error::show(&desk.visit, problem)),
        Err(_) => match error::plain(problem) {
            Page::Html { status, body } => reply(status, HTML, body),
            Page::Redirect { .. } => empty(problem.status),
        },
    };
    crate::problem::add_headers(&mut response, problem);
    response
}
