//! The pages of records: each reads what was sent, calls one verb, and shows or redirects.

use std::sync::Arc;

use carafe_model::key::Key;
use carafe_model::kind::Kind;
use carafe_model::query::{Defaults, Filter, Query, Test};
use carafe_model::record::Record;
use carafe_model::resource::{Column, Method, Pages, Pagination as Paging, Resource, Strictness};
use carafe_model::value::Row;
use carafe_service::access::Action;
use carafe_service::error::Error;
use carafe_service::record::{Change, Guard, State};
use http::StatusCode;
use minijinja::value::Value;

use crate::error::Problem;
use crate::form::{Edition, Purpose, Typed, is_editable};
use crate::link::{Address, Target};
use crate::pages::column::{class, columns};
use crate::pages::form::{FormView, Options, Parts};
use crate::pages::named::named;
use crate::pages::reference;
use crate::pages::sent::{self, Sent};
use crate::pages::sheet::Sheet;
use crate::pages::site::{Offer, offers};
use crate::pages::view::{Pagination, RecordView, Shared, heading};
use crate::pages::visit::{Page, PageResult, View, Visit};

/// `GET /{resource}`: a page of records. A bad page counts as the first, one past the end is
/// empty.
///
/// # Errors
///
/// 404 where the resource has no pages; what the service refuses.
pub async fn list(visit: &Visit<'_>, resource: &Resource) -> PageResult {
    let pages = pages(resource)?;
    let query = read_query(visit, resource, pages);
    let state = lasting_state(visit, resource, &query)?;
    let recent = &visit.call.app.recent_pages;
    let address = visit.call.parts.uri.path_and_query();
    let address = address.map_or("/", |address| address.as_str());
    if let Some(body) = state.and_then(|state| recent.get(resource.index, address, state)) {
        let status = StatusCode::OK;
        return Ok(Page::Html { status, body });
    }
    let page = Box::pin(list_anew(visit, resource, pages, &query)).await?;
    if let (Some(state), Page::Html { body, .. }) = (state, &page)
        && visit.may_be_kept()
    {
        recent.put(resource.index, address, state, body);
    }
    Ok(page)
}

/// The state that the database is in, where that alone says whether a page is still right: it is
/// a first one of everything, and has nothing for one person that is known before it is rendered.
fn lasting_state(
    visit: &Visit<'_>,
    resource: &Resource,
    query: &Query,
) -> Result<Option<State>, Problem> {
    let call = visit.call;
    // Templates see the method.
    if !query.is_first_of_all() || visit.is_personal() || *call.method() != http::Method::GET {
        return Ok(None);
    }
    let state = call.app.service.state(&call.actor, resource);
    state.map_err(|error| refused(error, resource, Method::Get))
}

async fn list_anew(
    visit: &Visit<'_>,
    resource: &Resource,
    pages: &Pages,
    query: &Query,
) -> PageResult {
    let pagination = read_page(visit, resource, query).await?;
    let filters = query.filters.len() - usize::from(visit.parent.is_some());
    let mut values = list_values(visit.address(), resource, pages, query, pagination);
    values.extend([
        (
            "filtered",
            Value::from(query.search.is_some() || filters > 0),
        ),
        ("list_url", Value::from(list_path(visit, resource))),
        ("new_url", Value::from(new_path(visit, resource))),
        ("parent", parent(visit, resource).await),
        ("deleted", Value::from(query.deleted)),
    ]);
    let mut view = list_view(resource, values);
    if query.deleted {
        view.title = format!("Deleted {}", resource.label_plural);
    }
    visit.render(view)
}

/// The record that the list is under, as `heading` and `url`; none where it has no page.
async fn parent(visit: &Visit<'_>, resource: &Resource) -> Value {
    let links = &visit.site.links;
    let (Some(parent), Some(key)) = (&resource.parent, &visit.parent) else {
        return Value::from(());
    };
    let above = &links.schema.resources[parent.index];
    if above.pages.is_none() || above.parent.is_some() {
        return Value::from(());
    }
    let mut query = reference::plain_query(&above.order, 1);
    query.filters.push(Filter {
        column: Column::Key,
        test: Test::In(vec![key.to_value()]),
    });
    let (found, _) = reference::read_headings(visit, above, &query).await;
    let heading = found.into_iter().next().map(|(_, heading)| heading);
    let heading = heading.unwrap_or_else(|| format!("{} {key}", above.label));
    named([
        ("heading", heading),
        ("url", links.record(above, None, key, Target::Detail)),
    ])
}

fn list_view<'a>(resource: &'a Resource, values: Vec<(&'a str, Value)>) -> View<'a> {
    View {
        status: StatusCode::OK,
        template: "list.html",
        title: resource.label_plural.clone(),
        resource: Some(resource),
        values,
    }
}

pub(super) fn list_values<'a>(
    address: Address<'_>,
    resource: &'a Resource,
    pages: &Pages,
    query: &Query,
    pagination: Pagination,
) -> Vec<(&'a str, Value)> {
    let q = query.search.as_ref().map(|search| search.text.as_str());
    let mut values = vec![
        ("columns", columns(address, resource, pages, query)),
        ("paging", paging(address, &pagination)),
        ("q", Value::from(q)),
    ];
    let pagination = Value::from_object(pagination);
    values.push(("records", pagination.clone()));
    values.extend(alias(resource.name.as_str(), pagination));
    values
}
/// The records that `query` finds, as they are shown.
pub(super) async fn read_page(
    visit: &Visit<'_>,
    resource: &Resource,
    query: &Query,
) -> Result<Pagination, Problem> {
    let mut records = Vec::new();
    let service = &visit.call.app.service;
    let total = service
        .list(&visit.call.actor, resource, query, &mut |row: &dyn Row| {
            records.push(Record::from_row(resource, row));
        })
        .await
        .map_err(|error| refused(error, resource, Method::Get))?;
    Ok(Pagination {
        items: views(visit, resource, records).await,
        page: query.page,
        per_page: query.per_page,
        total,
    })
}

/// `GET /{resource}/{key}`
///
/// # Errors
///
/// 404 where there is no such record or page; what the service refuses.
pub async fn detail(visit: &Visit<'_>, resource: &Resource, key: &Key) -> PageResult {
    pages(resource)?;
    let record = find(visit, Action::Read, resource, key).await?;
    let mut children = Vec::new();
    for child in &visit.site.links.schema.resources {
        let parent = child.parent.as_ref();
        let is_child = parent.is_some_and(|parent| parent.index == resource.index);
        if let (true, Some(pages)) = (is_child, &child.pages) {
            children.push(first_children(visit, child, pages, key).await);
        }
    }
    show_record(
        visit,
        resource,
        record,
        "detail.html",
        None,
        vec![("children", Value::from(children))],
    )
    .await
}

/// The first page of the records of a sub-resource, for the page of the record that they are
/// under.
async fn first_children(visit: &Visit<'_>, child: &Resource, pages: &Pages, key: &Key) -> Value {
    let links = &visit.site.links;
    let mut query = reference::plain_query(&pages.order, pages.per_page as u64);
    if let Some(parent) = &child.parent {
        query.filters.push(Filter {
            column: Column::Field(parent.field),
            test: Test::Equal(key.to_value()),
        });
    }
    let (found, total) = reference::read_headings(visit, child, &query).await;
    let items = found.into_iter().map(|(child_key, heading)| {
        let url = links.record(child, Some(key), &child_key, Target::Detail);
        named([("heading", heading), ("url", url)])
    });
    let new_url = offers(child, Offer::Create).then(|| links.new_record(child, Some(key)));
    named([
        ("label", Value::from(child.label.as_str())),
        ("label_plural", Value::from(child.label_plural.as_str())),
        ("url", Value::from(links.list(child, Some(key)))),
        ("new_url", Value::from(new_url)),
        ("items", items.collect()),
        ("total", Value::from(total)),
    ])
}

/// `GET /{resource}/new`
///
/// # Errors
///
/// 404 where records are not made on pages; what the service refuses.
pub async fn new(visit: &Visit<'_>, resource: &Resource) -> PageResult {
    offered(resource, Offer::Create)?;
    may_create(visit, resource)?;
    let sheet = Sheet::new(StatusCode::OK, Purpose::New, Typed::blank(resource));
    form(visit, resource, sheet).await
}

/// `POST /{resource}/new`: 303 to the record, or to the form again where the declaration says
/// so. A rejected form is shown again with what was typed and a message at each fault.
///
/// # Errors
///
/// 404 where records are not made on pages; what the service refuses but faults of the form.
pub async fn create(visit: &Visit<'_>, resource: &Resource, body: &[u8]) -> PageResult {
    let pages = offered(resource, Offer::Create)?;
    may_create(visit, resource)?;
    let typed = Typed::parse(resource, body)?;
    let mut input = typed.input(resource, Purpose::New, json_depth_max(visit));
    if let (Some(parent), Some(key)) = (&resource.parent, &visit.parent) {
        input.give_value(parent.field, key.to_value());
    }
    let service = &visit.call.app.service;
    let made = service
        .create(&visit.call.actor, resource, None, input)
        .await;
    answer(
        visit,
        resource,
        Sent::created(visit, resource, pages, typed, made)?,
    )
    .await
}

/// `GET /{resource}/{key}/edit`
///
/// # Errors
///
/// 404 where there is no such record, or records are not changed on pages.
pub async fn edit(visit: &Visit<'_>, resource: &Resource, key: &Key) -> PageResult {
    offered(resource, Offer::Update)?;
    let record = find(visit, Action::Update, resource, key).await?;
    let mut sheet = Sheet::new(StatusCode::OK, Purpose::Edit, Typed::of(resource, &record));
    sheet.record = Some(record);
    form(visit, resource, sheet).await
}

/// `POST /{resource}/{key}/edit`: 303 to the record. A form that was filled from another
/// version than the present one is shown beside what is stored now (409), so that nobody's
/// change is overwritten unseen.
///
/// # Errors
///
/// 404 where there is no such record; 400 for a form without a version; what the service
/// refuses but faults of the form.
pub async fn update(visit: &Visit<'_>, resource: &Resource, key: &Key, body: &[u8]) -> PageResult {
    offered(resource, Offer::Update)?;
    let record = find(visit, Action::Update, resource, key).await?;
    let typed = Typed::parse(resource, body)?;
    if sent::version(typed.version)? != Edition::of(&record) {
        return form(visit, resource, Sheet::conflicting(typed, record)).await;
    }
    let input = typed.input(resource, Purpose::Edit, json_depth_max(visit));
    let change = Change::Merge(input);
    let service = &visit.call.app.service;
    let actor = &visit.call.actor;
    let current = record.clone();
    let changed = service
        .update(actor, resource, current, Guard::Unchanged, &change)
        .await;
    let sent = Sent::updated(visit, resource, record, typed, changed).await?;
    answer(visit, resource, sent).await
}

/// `GET /{resource}/{key}/delete`: asks first, and changes nothing.
///
/// # Errors
///
/// 404 where there is no such record, or records are not deleted on pages.
pub async fn confirm_delete(visit: &Visit<'_>, resource: &Resource, key: &Key) -> PageResult {
    offered(resource, Offer::Delete)?;
    let record = find(visit, Action::Delete, resource, key).await?;
    let title = format!("Delete {}", resource.label);
    show_record(
        visit,
        resource,
        record,
        "delete.html",
        Some(title),
        Vec::new(),
    )
    .await
}

/// `POST /{resource}/{key}/delete`: 303 to the list.
///
/// # Errors
///
/// 404 where there is no such record; 409 while others refer to it; what the service refuses.
pub async fn delete(visit: &Visit<'_>, resource: &Resource, key: &Key) -> PageResult {
    offered(resource, Offer::Delete)?;
    let record = find(visit, Action::Delete, resource, key).await?;
    let service = &visit.call.app.service;
    service
        .delete(&visit.call.actor, resource, record, Guard::Latest)
        .await
        .map_err(|error| refused(error, resource, Method::Delete))?;
    Ok(redirect(
        list_path(visit, resource),
        &resource.flash.deleted,
    ))
}

/// Whether the actor may make records, before what was sent is looked at.
pub(super) fn may_create(visit: &Visit<'_>, resource: &Resource) -> Result<(), Problem> {
    let service = &visit.call.app.service;
    service
        .may_create(&visit.call.actor, resource)
        .map_err(|error| refused(error, resource, Method::Post))
}

/// Finds the record that a form is about before its body is read.
///
/// # Errors
///
/// 404 where there is none.
pub(crate) async fn require(
    visit: &Visit<'_>,
    resource: &Resource,
    key: &Key,
) -> Result<(), Problem> {
    find(visit, Action::Update, resource, key).await.map(drop)
}

/// The form again, with what was typed, where its token was missing or wrong. Nothing is
/// stored; sent once more, it carries a good token.
///
/// # Errors
///
/// 404 where `key` names no record.
pub(crate) async fn refuse_token(
    visit: &Visit<'_>,
    resource: &Resource,
    key: Option<&Key>,
    body: &[u8],
) -> PageResult {
    let typed = Typed::parse(resource, body)?;
    let sheet = sent::without_token(visit, resource, key, typed).await?;
    form(visit, resource, sheet).await
}

async fn answer(visit: &Visit<'_>, resource: &Resource, sent: Sent<Typed>) -> PageResult {
    match sent {
        Sent::Stored(page) => Ok(page),
        Sent::Again(sheet) => form(visit, resource, sheet).await,
    }
}

async fn form(visit: &Visit<'_>, resource: &Resource, sheet: Sheet<Typed>) -> PageResult {
    let options = reference::options(visit, resource).await;
    let (cancel, record) = match &sheet.record {
        Some(record) => (
            record_path(visit, resource, &record.key, Target::Detail),
            views(visit, resource, vec![record.clone()]).await.pop(),
        ),
        None => (list_path(visit, resource), None),
    };
    let singular = singular(resource);
    let mut values = vec![
        ("cancel_url", Value::from(cancel)),
        ("list_url", Value::from(list_path(visit, resource))),
    ];
    if let Some(record) = record {
        values.push(("record", record.clone()));
        values.extend(alias(&singular, record));
    }
    let token = visit.csrf_token.to_string();
    visit.render(form_view(resource, &sheet, &options, &token, values))
}

fn form_view<'a>(
    resource: &'a Resource,
    sheet: &Sheet<Typed>,
    options: &Options,
    csrf_token: &str,
    mut values: Vec<(&'a str, Value)>,
) -> View<'a> {
    let form = FormView::new(&Parts {
        resource,
        purpose: sheet.purpose,
        typed: &sheet.typed,
        version: sheet.version(sheet.typed.version),
        faults: &sheet.faults,
        options,
        csrf_token,
    });
    values.push(("form", Value::from_object(form)));
    values.push(("editing", Value::from(sheet.purpose == Purpose::Edit)));
    if let Some(stored) = sheet.conflict() {
        values.push(("differences", differences(resource, &sheet.typed, stored)));
    }
    View {
        status: sheet.status,
        template: sheet.template(),
        title: sheet.title(resource),
        resource: Some(resource),
        values,
    }
}

/// What is stored and what was typed, field by field, as text.
fn differences(resource: &Resource, typed: &Typed, stored: &Record) -> Value {
    let theirs = Typed::of(resource, stored);
    let editable = (0..resource.fields.len()).filter(|&position| {
        is_editable(resource, position) && resource.fields[position].kind != Kind::Password
    });
    let rows = editable.map(|position| {
        let field = &resource.fields[position];
        let text = |typed: &Typed| {
            let text = typed.fields[position].as_deref().unwrap_or_default();
            match (&field.kind, text) {
                (Kind::Boolean, "true" | "on" | "yes" | "1") => "Yes".to_owned(),
                (Kind::Boolean, _) => "No".to_owned(),
                _ => text.trim().to_owned(),
            }
        };
        let (theirs, yours) = (text(&theirs), text(typed));
        named([
            ("label", Value::from(field.label.as_str())),
            ("differs", Value::from(theirs != yours)),
            ("theirs", Value::from(theirs)),
            ("yours", Value::from(yours)),
        ])
    });
    rows.collect()
}

/// A page about one record.
pub(super) async fn show_record(
    visit: &Visit<'_>,
    resource: &Resource,
    record: Record,
    template: &str,
    title: Option<String>,
    more: Vec<(&str, Value)>,
) -> PageResult {
    let title = title.unwrap_or_else(|| heading(resource, &record));
    let singular = singular(resource);
    let mut values = vec![
        ("fields", fields(resource)),
        ("list_url", Value::from(list_path(visit, resource))),
    ];
    values.extend(more);
    if let Some(record) = views(visit, resource, vec![record]).await.pop() {
        values.push(("record", record.clone()));
        values.extend(alias(&singular, record));
    }
    visit.render(View {
        status: StatusCode::OK,
        template,
        title,
        resource: Some(resource),
        values,
    })
}

/// The fields of a record's own page.
fn fields(resource: &Resource) -> Value {
    let fields = resource.fields.iter().map(|field| {
        named([
            ("name", field.name.as_str()),
            ("label", field.label.as_str()),
            ("class", class(&field.kind)),
        ])
    });
    fields.collect()
}

/// The pages of a resource.
pub(super) fn pages(resource: &Resource) -> Result<&Pages, Problem> {
    resource.pages.as_ref().ok_or_else(Problem::not_found)
}

pub(super) fn offered(resource: &Resource, what: Offer) -> Result<&Pages, Problem> {
    match offers(resource, what) {
        true => pages(resource),
        false => Err(Problem::not_found()),
    }
}

pub(super) fn refused(error: Error, resource: &Resource, method: Method) -> Problem {
    Problem::from_service(error, resource, method)
}

pub(super) fn redirect(to: String, flash: &str) -> Page {
    Page::Redirect {
        to,
        flash: Some(("success".to_owned(), flash.to_owned())),
    }
}

pub(super) fn json_depth_max(visit: &Visit<'_>) -> usize {
    visit.site.links.schema.limits.json_depth_max
}

pub(super) fn list_path(visit: &Visit<'_>, resource: &Resource) -> String {
    visit.site.links.list(resource, visit.parent.as_ref())
}

pub(super) fn new_path(visit: &Visit<'_>, resource: &Resource) -> String {
    visit.site.links.new_record(resource, visit.parent.as_ref())
}

pub(super) fn record_path(
    visit: &Visit<'_>,
    resource: &Resource,
    key: &Key,
    target: Target,
) -> String {
    let parent = visit.parent.as_ref();
    visit.site.links.record(resource, parent, key, target)
}

/// The record of the path, if it belongs to the parent of the path.
pub(super) async fn find(
    visit: &Visit<'_>,
    action: Action,
    resource: &Resource,
    key: &Key,
) -> Result<Record, Problem> {
    let service = &visit.call.app.service;
    let method = match action {
        Action::Read => Method::Get,
        Action::Create => Method::Post,
        Action::Update => Method::Put,
        Action::Delete => Method::Delete,
    };
    let record = service
        .find(&visit.call.actor, action, resource, key)
        .await
        .map_err(|error| refused(error, resource, method))?;
    match (&resource.parent, &visit.parent) {
        (Some(parent), Some(key)) if record.values[parent.field] != key.to_value() => {
            Err(Problem::not_found())
        }
        _ => Ok(record),
    }
}

pub(super) fn read_query(visit: &Visit<'_>, resource: &Resource, pages: &Pages) -> Query {
    let limits = &visit.site.links.schema.limits;
    let defaults = Defaults {
        order: &pages.order,
        per_page: pages.per_page as u64,
        per_page_max: limits.per_page_max as u64,
        pagination: Paging::Page,
        strictness: Strictness::Lenient,
    };
    let parsed = Query::parse(resource, &defaults, visit.call.parameters());
    let mut query =
        parsed.unwrap_or_else(|_| reference::plain_query(&pages.order, defaults.per_page));
    // A template may show any column.
    query.fields = None;
    if let (Some(parent), Some(key)) = (&resource.parent, &visit.parent) {
        query.filters.push(Filter {
            column: Column::Field(parent.field),
            test: Test::Equal(key.to_value()),
        });
    }
    query
}

/// The addresses of the other pages of a list.
fn paging(address: Address<'_>, pagination: &Pagination) -> Value {
    let other = address.open(&["page"]);
    let url = |page: u64| [&other, "page=", itoa::Buffer::new().format(page)].concat();
    let numbers = pagination.numbers().into_iter().map(|number| match number {
        Some(number) => named([
            ("number", Value::from(number)),
            ("url", Value::from(url(number))),
            ("current", Value::from(number == pagination.page)),
        ]),
        None => Value::from(()),
    });
    let last = pagination.pages();
    named([
        ("previous", Value::from(pagination.previous().map(url))),
        ("next", Value::from(pagination.next().map(url))),
        ("last", Value::from(url(last.max(1)))),
        ("past_the_end", Value::from(pagination.page > last.max(1))),
        ("numbers", numbers.collect()),
    ])
}

/// Records as templates see them.
pub(super) async fn views(
    visit: &Visit<'_>,
    resource: &Resource,
    records: Vec<Record>,
) -> Vec<Value> {
    let shared = Arc::new(Shared {
        links: visit.site.links.clone(),
        resource: resource.index,
        parent: visit.parent.clone(),
        headings: reference::headings(visit, resource, &records).await,
    });
    let views = records.into_iter().map(|record| {
        Value::from_object(RecordView {
            shared: shared.clone(),
            record,
        })
    });
    views.collect()
}

/// Names that templates have for something else.
const NAMES_TAKEN: [&str; 22] = [
    "app",
    "cancel_url",
    "children",
    "columns",
    "deleted",
    "differences",
    "editing",
    "fields",
    "filtered",
    "form",
    "list_url",
    "new_url",
    "paging",
    "parent",
    "q",
    "record",
    "records",
    "request",
    "resource",
    "resources",
    "self",
    "title",
];

/// `value` under a name of the application's own, where nothing else has it.
pub(super) fn alias(name: &str, value: Value) -> Option<(&str, Value)> {
    (!NAMES_TAKEN.contains(&name)).then_some((name, value))
}

/// The label of a resource as the name of a variable: `Blog post` is `blog_post`.
pub(super) fn singular(resource: &Resource) -> String {
    let letters = resource.label.chars().map(|c| match c {
        c if c.is_ascii_alphanumeric() => c.to_ascii_lowercase(),
        _ => '_',
    });
    letters.collect()
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;
    use crate::pages::fixture;
    use crate::pages::sheet::Sheet;
    use crate::pages::site::Site;
    use crate::pages::visit::{Shared as Common, request};

    fn rendered(site: &Site, address: Address<'_>, view: &View<'_>) -> String {
        let shared = Common {
            site,
            request: request(address, "GET", Vec::new()),
            flashes: &[("success".to_owned(), "Note <b>updated</b>.".to_owned())],
            csrf_token: Value::from("TOKEN"),
        };
        let context = shared.context(view);
        let names = [view.template];
        site.templates
            .render(&names, context)
            .unwrap_or_else(|error| panic!("{error:#}"))
    }

    /// What is inside `<main>`, without empty lines.
    fn main_of(html: &str) -> String {
        let (_, rest) = html.split_once("<main").unwrap();
        let (main, _) = rest.split_once("</main>").unwrap();
        let lines = main.lines().skip(1).filter(|line| !line.trim().is_empty());
        lines.collect::<Vec<_>>().join("\n")
    }

    fn list_page(query: &str, titles: &[&str], total: u64) -> String {
        let site = fixture::site();
        let resource = &site.links.schema.resources[0];
        let pages = resource.pages.as_ref().unwrap();
        let address = Address {
            path: "/notes",
            query,
        };
        let defaults = Defaults {
            order: &pages.order,
            per_page: 2,
            per_page_max: 100,
            pagination: Paging::Page,
            strictness: Strictness::Lenient,
        };
        let parameters = crate::query::pairs(query.as_bytes());
        let query = Query::parse(resource, &defaults, parameters).unwrap();
        let items = (1..)
            .zip(titles)
            .map(|(id, title)| fixture::view(&site.links, 0, fixture::note_record(id, title)));
        let pagination = Pagination {
            items: items.collect(),
            page: query.page,
            per_page: query.per_page,
            total: carafe_model::query::Total::exact(total),
        };
        let mut values = list_values(address, resource, pages, &query, pagination);
        values.extend([
            ("filtered", Value::from(query.search.is_some())),
            ("list_url", Value::from("/notes")),
            ("new_url", Value::from("/notes/new")),
        ]);
        rendered(&site, address, &list_view(resource, values))
    }

    fn form_page(sheet: &Sheet<Typed>) -> String {
        let site = fixture::site();
        let resource = &site.links.schema.resources[1];
        let values = vec![
            ("cancel_url", Value::from("/things")),
            ("list_url", Value::from("/things")),
        ];
        let view = form_view(resource, sheet, &Options::new(), "TOKEN", values);
        let address = Address {
            path: "/things/new",
            query: "",
        };
        rendered(&site, address, &view)
    }

    /// The page's own well-formedness: every element that is opened is closed in its order.
    fn assert_balanced(html: &str) {
        const VOID: [&str; 4] = ["meta", "link", "input", "!doctype"];
        let mut open: Vec<&str> = Vec::new();
        for piece in html.split('<').skip(1) {
            let (tag, _) = piece.split_once('>').expect("every tag ends");
            let name = tag.split_whitespace().next().unwrap();
            match name.strip_prefix('/') {
                Some(name) => assert_eq!(open.pop(), Some(name), "at </{name}>"),
                None if VOID.contains(&name) => {}
                None => open.push(name),
            }
        }
        assert!(open.is_empty(), "left open: {open:?}");
    }

    #[test]
    fn a_list_has_headings_to_sort_by_and_pages_to_go_to() {
        let html = list_page("page=2&q=milk&sort=-title", &["Milk <1>", ""], 7);
        assert_balanced(&html);
        assert_snapshot!(main_of(&html), @r##"
        <div class="flashes" role="status">
        <p class="flash flash-success">Note &lt;b&gt;updated&lt;/b&gt;.</p>
        </div>
        <div class="head">
        <h1 id="page-heading">Notes</h1>
        <p class="actions"><a class="button" href="/notes/new">New Note</a></p>
        </div>
        <form class="search" role="search" action="/notes">
        <label for="search-text">Search</label>
        <input id="search-text" type="search" name="q" value="milk">
        <input type="hidden" name="sort" value="-title">
        <button>Search</button>
        </form>
        <p class="quiet">3–4 of 7 · <a href="/notes">Show all</a></p>
        <div class="scroll" role="region" aria-labelledby="page-heading" tabindex="0">
        <table>
        <thead>
        <tr>
        <th scope="col" aria-sort="descending"><a href="/notes?q=milk&amp;sort=title">Title</a></th>
        <th scope="col" class="text"><a href="/notes?q=milk&amp;sort=content">Content</a></th>
        <th scope="col"><a href="/notes?q=milk&amp;sort=is_pinned">Pin this note</a></th>
        <th scope="col"><a href="/notes?q=milk&amp;sort=created_at">Created at</a></th>
        </tr>
        </thead>
        <tbody>
        <tr>
        <th scope="row"><a href="/notes/1">Milk &lt;1&gt;</a></th>
        <td class="text">Content</td>
        <td>No</td>
        <td><time datetime="2026-01-02T03:04:05.000Z">2026-01-02 03:04 UTC</time></td>
        </tr>
        <tr>
        <th scope="row"><a href="/notes/2">Content</a></th>
        <td class="text">Content</td>
        <td>No</td>
        <td><time datetime="2026-01-02T03:04:05.000Z">2026-01-02 03:04 UTC</time></td>
        </tr>
        </tbody>
        </table>
        </div>
        <nav class="pages" aria-label="Pages">
        <ul>
        <li><a href="/notes?q=milk&amp;sort=-title&amp;page=1" rel="prev">Previous</a></li>
        <li><a href="/notes?q=milk&amp;sort=-title&amp;page=1"><span class="unseen">Page </span>1</a></li>
        <li><a href="/notes?q=milk&amp;sort=-title&amp;page=2" aria-current="page"><span class="unseen">Page </span>2</a></li>
        <li><a href="/notes?q=milk&amp;sort=-title&amp;page=3"><span class="unseen">Page </span>3</a></li>
        <li><a href="/notes?q=milk&amp;sort=-title&amp;page=4"><span class="unseen">Page </span>4</a></li>
        <li><a href="/notes?q=milk&amp;sort=-title&amp;page=3" rel="next">Next</a></li>
        </ul>
        </nav>
        "##);
    }

    #[test]
    fn a_list_without_records_says_what_to_do() {
        let cases: [(&str, &[&str], u64, &str); 3] = [
            (
                "",
                &[],
                0,
                "There are no Notes yet. <a href=\"/notes/new\">New Note</a>",
            ),
            (
                "page=9",
                &[],
                3,
                "<a href=\"/notes?page=2\">Go to the last page</a>",
            ),
            (
                "q=%3Cb%3E",
                &[],
                0,
                "Nothing matches “&lt;b&gt;”. <a href=\"/notes\">Show all</a>",
            ),
        ];
        for (query, titles, total, expected) in cases {
            let html = list_page(query, titles, total);
            assert!(html.contains(expected), "query: {query}: {html}");
        }
    }

    #[test]
    fn an_empty_form_has_an_input_for_each_field() {
        let (schema, index) = fixture::kitchen();
        let typed = Typed::blank(&schema.resources[index]);
        let html = form_page(&Sheet::new(StatusCode::OK, Purpose::New, typed));
        assert_balanced(&html);
        assert_snapshot!(main_of(&html), @r##"
        <div class="flashes" role="status">
        <p class="flash flash-success">Note &lt;b&gt;updated&lt;/b&gt;.</p>
        </div>
        <p class="crumb"><a href="/things">Things</a></p>
        <h1>New Thing</h1>
        <form class="record" method="post" novalidate>
        <input type="hidden" name="csrf_token" value="TOKEN">
        <div class="field">
        <label for="title">Title</label>
        <p class="help" id="title-help">A few words.</p>
        <input id="title" name="title" type="text" value="" placeholder="Milk" required aria-describedby="title-help">
        </div>
        <div class="field">
        <label for="content">Content</label>
        <textarea id="content" name="content" rows="10" required>
        </textarea>
        </div>
        <div class="field">
        <div class="check"><input id="done" name="done" type="checkbox" value="true"> <label for="done">Done</label></div>
        </div>
        <div class="field">
        <label for="maybe">Maybe</label> <span class="quiet">optional</span>
        <select id="maybe" name="maybe"><option value="" selected>—</option><option value="true">Yes</option><option value="false">No</option></select>
        </div>
        <div class="field">
        <label for="rank">Rank</label> <span class="quiet">optional</span>
        <input id="rank" name="rank" type="number" step="1" value="3">
        </div>
        <div class="field">
        <label for="amount">Amount</label> <span class="quiet">optional</span>
        <input id="amount" name="amount" type="number" step="0.01" value="">
        </div>
        <div class="field">
        <label for="due">Due</label> <span class="quiet">optional</span>
        <input id="due" name="due" type="date" value="">
        </div>
        <div class="field">
        <label for="at">At</label> <span class="quiet">optional</span>
        <p class="help" id="at-help">In UTC.</p>
        <input id="at" name="at" type="datetime-local" step="any" value="" aria-describedby="at-help">
        </div>
        <div class="field">
        <label for="mail">Mail</label> <span class="quiet">optional</span>
        <input id="mail" name="mail" type="email" value="">
        </div>
        <div class="field">
        <label for="site">Site</label> <span class="quiet">optional</span>
        <input id="site" name="site" type="url" value="">
        </div>
        <div class="field">
        <label for="colour">Colour</label> <span class="quiet">optional</span>
        <select id="colour" name="colour"><option value="" selected>—</option><option value="red">RED</option><option value="green">GREEN</option></select>
        </div>
        <div class="field">
        <label for="secret">Secret</label> <span class="quiet">optional</span>
        <input id="secret" name="secret" type="password" autocomplete="new-password">
        </div>
        <div class="field">
        <label for="extra">Extra</label> <span class="quiet">optional</span>
        <textarea id="extra" name="extra" rows="6">
        </textarea>
        </div>
        <p class="actions"><button>Create</button> <a href="/things">Cancel</a></p>
        </form>
        "##);
    }

    #[test]
    fn a_rejected_form_keeps_what_was_typed_and_says_what_is_wrong() {
        let (schema, index) = fixture::kitchen();
        let resource = &schema.resources[index];
        let body =
            b"title=&content=%0A%3C/textarea%3E%22&rank=many&due=soon&secret=hunter2&colour=blue";
        let typed = Typed::parse(resource, body).unwrap();
        let faults = typed
            .input(resource, Purpose::New, 64)
            .into_new(resource)
            .unwrap_err();
        let sheet = Sheet::rejected(
            Error::Invalid(faults),
            resource,
            Method::Post,
            Purpose::New,
            typed,
        )
        .unwrap();
        assert_eq!(sheet.status, StatusCode::BAD_REQUEST);
        let html = form_page(&sheet);
        assert_balanced(&html);
        assert!(!html.contains("hunter2"));
        assert_snapshot!(main_of(&html), @r##"
        <div class="flashes" role="status">
        <p class="flash flash-success">Note &lt;b&gt;updated&lt;/b&gt;.</p>
        </div>
        <p class="crumb"><a href="/things">Things</a></p>
        <h1>New Thing</h1>
        <div class="summary" role="alert">
        <h2>There is a problem</h2>
        <ul>
        <li><a href="#title">Title is required</a></li>
        <li><a href="#rank">Rank must be a whole number</a></li>
        <li><a href="#due">Due must be a date, such as 2026-01-31</a></li>
        <li><a href="#colour">Colour must be one of red, green</a></li>
        </ul>
        </div>
        <form class="record" method="post" novalidate>
        <input type="hidden" name="csrf_token" value="TOKEN">
        <div class="field field-faulty">
        <label for="title">Title</label>
        <p class="help" id="title-help">A few words.</p>
        <p class="fault" id="title-error">Title is required</p>
        <input id="title" name="title" type="text" value="" placeholder="Milk" required aria-invalid="true" aria-describedby="title-error title-help">
        </div>
        <div class="field">
        <label for="content">Content</label>
        <textarea id="content" name="content" rows="10" required>
        &lt;/textarea&gt;&#34;</textarea>
        </div>
        <div class="field">
        <div class="check"><input id="done" name="done" type="checkbox" value="true"> <label for="done">Done</label></div>
        </div>
        <div class="field">
        <label for="maybe">Maybe</label> <span class="quiet">optional</span>
        <select id="maybe" name="maybe"><option value="" selected>—</option><option value="true">Yes</option><option value="false">No</option></select>
        </div>
        <div class="field field-faulty">
        <label for="rank">Rank</label> <span class="quiet">optional</span>
        <p class="fault" id="rank-error">Rank must be a whole number</p>
        <input id="rank" name="rank" type="text" inputmode="numeric" value="many" aria-invalid="true" aria-describedby="rank-error">
        </div>
        <div class="field">
        <label for="amount">Amount</label> <span class="quiet">optional</span>
        <input id="amount" name="amount" type="number" step="0.01" value="">
        </div>
        <div class="field field-faulty">
        <label for="due">Due</label> <span class="quiet">optional</span>
        <p class="fault" id="due-error">Due must be a date, such as 2026-01-31</p>
        <input id="due" name="due" type="text" value="soon" aria-invalid="true" aria-describedby="due-error">
        </div>
        <div class="field">
        <label for="at">At</label> <span class="quiet">optional</span>
        <p class="help" id="at-help">In UTC.</p>
        <input id="at" name="at" type="datetime-local" step="any" value="" aria-describedby="at-help">
        </div>
        <div class="field">
        <label for="mail">Mail</label> <span class="quiet">optional</span>
        <input id="mail" name="mail" type="email" value="">
        </div>
        <div class="field">
        <label for="site">Site</label> <span class="quiet">optional</span>
        <input id="site" name="site" type="url" value="">
        </div>
        <div class="field field-faulty">
        <label for="colour">Colour</label> <span class="quiet">optional</span>
        <p class="fault" id="colour-error">Colour must be one of red, green</p>
        <select id="colour" name="colour" aria-invalid="true" aria-describedby="colour-error"><option value="">—</option><option value="blue" selected>blue</option><option value="red">RED</option><option value="green">GREEN</option></select>
        </div>
        <div class="field">
        <label for="secret">Secret</label> <span class="quiet">optional</span>
        <input id="secret" name="secret" type="password" autocomplete="new-password">
        </div>
        <div class="field">
        <label for="extra">Extra</label> <span class="quiet">optional</span>
        <textarea id="extra" name="extra" rows="6">
        </textarea>
        </div>
        <p class="actions"><button>Create</button> <a href="/things">Cancel</a></p>
        </form>
        "##);
    }

    #[test]
    fn a_conflict_shows_both_and_saves_over_the_newer() {
        let (schema, index) = fixture::kitchen();
        let resource = &schema.resources[index];
        let stored = fixture::kitchen_record(resource);
        let mut typed = Typed::parse(
            resource,
            b"title=Mine&content=First+line%0D%0Asecond+%26+last&_version=2",
        )
        .unwrap();
        typed.version = Some(Edition::of(&stored));
        let mut sheet = Sheet::new(StatusCode::CONFLICT, Purpose::Edit, typed);
        sheet.record = Some(stored);
        sheet.conflict = true;
        let html = form_page(&sheet);
        assert_balanced(&html);
        let cases = [
            "<title>Edit Thing – Notes &amp; more</title>",
            "name=\"_version\" value=\"4.",
            "<td class=\"text\">A &lt;b&gt;bold&lt;/b&gt; &#34;title&#34;\u{fffd}</td>",
            "<td class=\"text\">Mine</td>",
            "value=\"Mine\"",
        ];
        for expected in cases {
            assert!(html.contains(expected), "{expected} in {html}");
        }
        assert_eq!(html.matches("<tr class=\"differs\">").count(), 10, "{html}");
    }

    #[test]
    fn a_record_is_shown_as_what_it_is() {
        let site = fixture::site();
        let resource = &site.links.schema.resources[1];
        let record = fixture::kitchen_record(resource);
        let title = heading(resource, &record);
        let view = View {
            status: StatusCode::OK,
            template: "detail.html",
            title,
            resource: Some(resource),
            values: vec![
                ("record", fixture::view(&site.links, 1, record)),
                ("fields", fields(resource)),
                ("list_url", Value::from("/things")),
                ("children", Value::from(Vec::<Value>::new())),
            ],
        };
        let address = Address {
            path: "/things/9",
            query: "",
        };
        let html = rendered(&site, address, &view);
        assert_balanced(&html);
        assert_snapshot!(main_of(&html), @r##"
        <div class="flashes" role="status">
        <p class="flash flash-success">Note &lt;b&gt;updated&lt;/b&gt;.</p>
        </div>
        <p class="crumb"><a href="/things">Things</a></p>
        <div class="head">
        <h1>A &lt;b&gt;bold&lt;/b&gt; &#34;title&#34;�</h1>
        <p class="actions">
        <a class="button" href="/things/9/edit">Edit<span class="unseen"> A &lt;b&gt;bold&lt;/b&gt; &#34;title&#34;�</span></a>
        <a class="button button-danger" href="/things/9/delete">Delete<span class="unseen"> A &lt;b&gt;bold&lt;/b&gt; &#34;title&#34;�</span></a>
        </p>
        </div>
        <dl class="fields">
        <div>
        <dt>Title</dt>
        <dd>A &lt;b&gt;bold&lt;/b&gt; &#34;title&#34;�</dd>
        </div>
        <div>
        <dt>Content</dt>
        <dd class="text">First line
        second &amp; last</dd>
        </div>
        <div>
        <dt>Done</dt>
        <dd>Yes</dd>
        </div>
        <div>
        <dt>Maybe</dt>
        <dd>—</dd>
        </div>
        <div>
        <dt>Rank</dt>
        <dd class="number">7</dd>
        </div>
        <div>
        <dt>Amount</dt>
        <dd class="number">-12.50</dd>
        </div>
        <div>
        <dt>Due</dt>
        <dd><time datetime="2026-01-31">2026-01-31</time></dd>
        </div>
        <div>
        <dt>At</dt>
        <dd><time datetime="2026-01-02T03:04:05.123Z">2026-01-02 03:04 UTC</time></dd>
        </div>
        <div>
        <dt>Mail</dt>
        <dd><a href="mailto:ann%2B%22x%22@example.org">ann+&#34;x&#34;@example.org</a></dd>
        </div>
        <div>
        <dt>Site</dt>
        <dd>javascript:alert(1)</dd>
        </div>
        <div>
        <dt>Colour</dt>
        <dd>GREEN</dd>
        </div>
        <div>
        <dt>Secret</dt>
        <dd>••••••••</dd>
        </div>
        <div>
        <dt>Extra</dt>
        <dd><pre>
        {&#34;a&#34;:[1,2]}</pre></dd>
        </div>
        <div>
        <dt>Created at</dt>
        <dd><time datetime="2026-01-02T03:04:05.000Z">2026-01-02 03:04 UTC</time></dd>
        </div>
        </dl>
        "##);
    }

    #[test]
    fn every_other_page_renders() {
        let site = fixture::site();
        let note = fixture::view(&site.links, 0, fixture::note_record(7, "Milk"));
        let values: [(&str, Vec<(&str, Value)>); 5] = [
            (
                "home.html",
                vec![("counts", Value::from_pairs([("notes", 1)]))],
            ),
            (
                "delete.html",
                vec![("record", note), ("list_url", Value::from("/notes"))],
            ),
            (
                "error.html",
                vec![
                    ("status", Value::from(404)),
                    ("error", Value::from("Resource not found")),
                    ("detail", Value::from(())),
                    ("faults", Value::from(Vec::<Value>::new())),
                    ("request_id", Value::from("7")),
                ],
            ),
            ("problem.html", vec![("explanation", Value::from("Text"))]),
            ("base.html", Vec::new()),
        ];
        for (template, mut values) in values {
            if template == "home.html" {
                let counts = [("notes", Value::from(1)), ("things", Value::from(()))];
                values = vec![("counts", Value::from_pairs(counts))];
            }
            let view = View {
                status: StatusCode::OK,
                template,
                title: "Title".to_owned(),
                resource: (template == "delete.html").then(|| &site.links.schema.resources[0]),
                values,
            };
            let address = Address {
                path: "/",
                query: "",
            };
            assert_balanced(&rendered(&site, address, &view));
        }
    }

    /// The server runs handlers on any of its threads.
    #[test]
    fn handlers_can_move_between_threads() {
        fn check<T: Send>(
            _: &dyn Fn(&'static Visit<'static>, &'static Resource, &'static Key) -> T,
        ) {
        }
        check(&|visit, resource, _| list(visit, resource));
        check(&|visit, resource, key| detail(visit, resource, key));
        check(&|visit, resource, _| create(visit, resource, b""));
        check(&|visit, resource, key| update(visit, resource, key, b""));
        check(&|visit, resource, key| delete(visit, resource, key));
        check(&|visit, _, _| crate::pages::home::show(visit));
    }
}
