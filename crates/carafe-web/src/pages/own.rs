//! Pages of the application's own: a template in `pages/` is served at its path.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use carafe_model::actor::Actor;
use carafe_model::query::{Defaults, PAGE_MAX, Query};
use carafe_model::record::Record;
use carafe_model::resource::{Pagination as Paging, Strictness};
use carafe_model::schema::{Limits, Schema};
use http::header::{ACCEPT, CACHE_CONTROL};
use http::{HeaderValue, Method, StatusCode};
use minijinja::value::{Kwargs, Object, Value, from_args};
use minijinja::{Error, ErrorKind, State};
use tokio::sync::Semaphore;

use super::{Desk, FORM, HTML, NO_STORE, bad_form};
use crate::app::App;
use crate::call::{Body, Call, Response, allowed, reply};
use crate::content_type::ContentType;
use crate::error::Problem;
use crate::form::PAIRS_MAX;
use crate::pages::view::{Headings, Pagination, RecordView, Shared as RecordsShared};
use crate::pages::visit::{Page, Shared, View, request};
use crate::template::{Mistake, PAGES, Templates};

/// Pages rendered at once: each has a thread while it reads what it shows.
const RENDERED_AT_ONCE: usize = 16;

/// The pages, by their paths.
#[derive(Debug)]
pub struct OwnPages {
    by_path: HashMap<String, OwnPage>,
    permits: Arc<Semaphore>,
}

/// One page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnPage {
    /// The template's name: `pages/index.html`.
    template: String,
    form: Form,
    /// Among all pages, from 0.
    pub position: usize,
}

/// What a page is, by the ending of its file. Values are escaped as the form asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Html,
    Text,
    Json,
    Xml,
}

impl Form {
    const ALL: [(&'static str, Form); 4] = [
        ("html", Form::Html),
        ("txt", Form::Text),
        ("json", Form::Json),
        ("xml", Form::Xml),
    ];

    fn content_type(self) -> HeaderValue {
        match self {
            Form::Html => HTML,
            Form::Text => HeaderValue::from_static("text/plain; charset=utf-8"),
            Form::Json => HeaderValue::from_static("application/json"),
            Form::Xml => HeaderValue::from_static("application/xml; charset=utf-8"),
        }
    }
}

impl OwnPages {
    /// Finds a path for every page, and what is wrong with the others: an unknown ending, or a
    /// path that something else has. Files whose name starts with `_` are parts of others.
    pub fn read(
        schema: &Schema,
        templates: &Templates,
        root: Option<&Path>,
    ) -> (Self, Vec<Mistake>) {
        let mut by_path: HashMap<String, OwnPage> = HashMap::new();
        let mut mistakes = Vec::new();
        for name in templates.pages() {
            let mut refuse = |message: String| {
                mistakes.push(Mistake {
                    file: root.unwrap_or(Path::new("")).join("pages").join(&name),
                    line: None,
                    message,
                });
            };
            if name.split('/').any(|part| part.starts_with('_')) {
                continue;
            }
            let Some((path, form)) = address(&name) else {
                refuse("a page ends with .html, .txt, .json or .xml".to_owned());
                continue;
            };
            if let Some(owner) = schema.owner_of(&path) {
                refuse(format!("its address {path} is {owner}"));
                continue;
            }
            let page = OwnPage {
                template: format!("{PAGES}{name}"),
                form,
                position: by_path.len(),
            };
            if let Some(other) = by_path.insert(path.clone(), page) {
                refuse(format!(
                    "its address {path} is that of {} too",
                    other.template
                ));
            }
        }
        let pages = Self {
            by_path,
            permits: Arc::new(Semaphore::new(RENDERED_AT_ONCE)),
        };
        (pages, mistakes)
    }

    /// The paths of all pages, by their positions.
    #[must_use]
    pub fn paths(&self) -> Vec<&str> {
        let mut pages: Vec<(&String, &OwnPage)> = self.by_path.iter().collect();
        pages.sort_by_key(|(_, page)| page.position);
        pages.into_iter().map(|(path, _)| path.as_str()).collect()
    }

    /// The page at `path`, as sent, percent-encoded.
    #[must_use]
    pub fn find(&self, path: &str) -> Option<&OwnPage> {
        if self.by_path.is_empty() {
            return None;
        }
        let path = percent_encoding::percent_decode_str(path)
            .decode_utf8()
            .ok()?;
        self.by_path.get(path.as_ref())
    }
}

/// Where a file is served, and as what: `shop/index.html` at `/shop`.
fn address(name: &str) -> Option<(String, Form)> {
    let (path, ending) = name.rsplit_once('.')?;
    let (_, form) = Form::ALL.into_iter().find(|(known, _)| *known == ending)?;
    let path = match path.strip_suffix("index") {
        Some("") => "/".to_owned(),
        Some(folder) if folder.ends_with('/') => format!("/{}", folder.trim_end_matches('/')),
        _ => format!("/{path}"),
    };
    Some((path, form))
}

/// `GET` of a page, and `POST` of a form in an HTML page: the page again, which has the values
/// at hand as `request.form`.
///
/// # Errors
///
/// 405; 413, 415 and 400 for a form that cannot be taken; 500 with the template's mistake as
/// its cause.
pub(crate) async fn answer<B: Body>(
    call: &Call,
    page: &OwnPage,
    body: B,
) -> Result<Response, Problem> {
    let allow = HeaderValue::from_static(match page.form {
        Form::Html => "GET, HEAD, POST, OPTIONS",
        Form::Text | Form::Json | Form::Xml => "GET, HEAD, OPTIONS",
    });
    let desk = Desk::new(call, None)?;
    match *call.method() {
        Method::GET | Method::HEAD => render(&desk, page, StatusCode::OK, &[]).await,
        Method::POST if page.form == Form::Html => {
            let content = call.read(body).await?;
            if ContentType::of(call.headers()) != ContentType::Form {
                let text = "A form is sent as application/x-www-form-urlencoded in UTF-8";
                let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
                return Err(Problem::plain(status, text).header(ACCEPT, FORM));
            }
            if let Err(refusal) = desk.check(&content) {
                return Err(bad_form(refusal));
            }
            render(&desk, page, StatusCode::OK, &content).await
        }
        Method::OPTIONS => Ok(allowed(&allow)),
        _ => Err(Problem::method_not_allowed(call.method(), &allow)),
    }
}

async fn render(
    desk: &Desk<'_>,
    page: &OwnPage,
    status: StatusCode,
    form: &[u8],
) -> Result<Response, Problem> {
    let call = desk.visit.call;
    let site = desk.visit.site;
    let typed: Vec<_> = crate::query::pairs(form)
        .take(PAIRS_MAX)
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect();
    let lists = Lists {
        app: call.app.clone(),
        actor: call.actor.clone(),
        runtime: tokio::runtime::Handle::current(),
    };
    let shared = Shared {
        site,
        request: request(desk.visit.address(), call.method().as_str(), typed),
        flashes: &desk.visit.flashes,
        csrf_token: Value::from_dyn_object(desk.visit.csrf_token.clone()),
    };
    let context = shared.context(&View {
        status,
        template: &page.template,
        title: site.links.schema.name.clone(),
        resource: None,
        values: vec![("records", Value::from_object(lists))],
    });
    // A template asks for records while it is rendered, and waits for them.
    let permit = site.own.permits.clone().acquire_owned().await;
    let (app, template) = (call.app.clone(), page.template.clone());
    let rendered = tokio::task::spawn_blocking(move || {
        let _permit = permit;
        app.site.templates.render(&[&template], context)
    });
    let body = rendered
        .await
        .map_err(|error| Problem::internal(error.into()))?
        .map_err(|error| Problem::internal(error.into()))?;
    Ok(match page.form {
        Form::Html => desk.to_response(Page::Html {
            status,
            body: body.into(),
        }),
        Form::Text | Form::Json | Form::Xml => {
            let mut response = reply(status, page.form.content_type(), body.into_bytes());
            response.headers_mut().insert(CACHE_CONTROL, NO_STORE);
            response
        }
    })
}

/// `records(name, …)` in a template: a page of records, asked for with the parameters of lists
/// as arguments, such as `records("notes", sort="-created_at", per_page=5)`.
struct Lists {
    app: Arc<App>,
    actor: Actor,
    runtime: tokio::runtime::Handle,
}

impl std::fmt::Debug for Lists {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("records")
    }
}

impl Object for Lists {
    fn call(self: &Arc<Self>, _state: &mut State<'_, '_>, args: &[Value]) -> Result<Value, Error> {
        let (name, parameters): (&str, Kwargs) = from_args(args)?;
        let mistake = |text: String| Error::new(ErrorKind::InvalidOperation, text);
        let links = &self.app.site.links;
        let resource = links.resource(name).map_err(mistake)?;
        let limits = &self.app.schema.limits;
        let mut pairs = Vec::new();
        for name in parameters.args() {
            let value: Value = parameters.get(name)?;
            let text = match (value.is_none() || value.is_undefined(), name) {
                (true, _) => continue,
                (false, "page" | "per_page") => match paging(&value, name, limits) {
                    Some(number) => number.to_string(),
                    None => continue,
                },
                (false, _) => value.to_string(),
            };
            pairs.push((name.to_owned().into(), text.into()));
        }
        let pages = resource.pages.as_ref();
        let defaults = Defaults {
            order: pages.map_or(&resource.order, |pages| &pages.order),
            per_page: pages.map_or(10, |pages| pages.per_page) as u64,
            per_page_max: limits.per_page_max as u64,
            pagination: Paging::Page,
            strictness: Strictness::Strict,
        };
        let query = Query::parse(resource, &defaults, pairs).map_err(|faults| {
            let messages: Vec<_> = faults.into_iter().map(|fault| fault.message).collect();
            mistake(messages.join("; "))
        })?;
        let mut found = Vec::new();
        let mut each =
            |row: &dyn carafe_model::value::Row| found.push(Record::from_row(resource, row));
        let service = &self.app.service;
        let total = self
            .runtime
            .block_on(service.list(&self.actor, resource, &query, &mut each))
            .map_err(|error| mistake(error.to_string()).with_source(error))?;
        let shared = Arc::new(RecordsShared {
            links: links.clone(),
            resource: resource.index,
            parent: None,
            headings: Headings::new(),
        });
        let view = |record| {
            Value::from_object(RecordView {
                shared: shared.clone(),
                record,
            })
        };
        Ok(Value::from_object(Pagination {
            items: found.into_iter().map(view).collect(),
            page: query.page,
            per_page: query.per_page,
            total,
        }))
    }
}

/// A page or its size, which often comes from a visitor: what is malformed counts as not given,
/// and what is too large as the most.
fn paging(value: &Value, name: &str, limits: &Limits) -> Option<u64> {
    let number: u64 = value.to_string().trim().parse().ok()?;
    let most = match name {
        "page" => PAGE_MAX,
        _ => limits.per_page_max as u64,
    };
    (number > 0).then(|| number.min(most))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_its_path() {
        let cases = [
            ("index.html", Some(("/", Form::Html))),
            ("shop/index.html", Some(("/shop", Form::Html))),
            ("reindex.txt", Some(("/reindex", Form::Text))),
            ("robots.txt.txt", Some(("/robots.txt", Form::Text))),
            ("a/b.json", Some(("/a/b", Form::Json))),
            ("logo.png", None),
            ("readme", None),
        ];
        for (name, expected) in cases {
            let expected = expected.map(|(path, form)| (path.to_owned(), form));
            assert_eq!(address(name), expected, "{name}");
        }
    }
}
