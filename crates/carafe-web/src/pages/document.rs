//! The forms of documents: a name and a first member, then a line for each member. What else
//! there is to see of documents is on the pages of [`record`](super::record)s.

use std::sync::Arc;

use carafe_model::document::{CONTENT, Members};
use carafe_model::draft::Input;
use carafe_model::fault::{Fault, Place};
use carafe_model::key::Key;
use carafe_model::record::Record;
use carafe_model::resource::Resource;
use carafe_service::access::Action;
use carafe_service::document::Document;
use carafe_service::record::{Change, Guard};
use http::StatusCode;
use minijinja::value::Value;

use crate::error::{Kind, Problem};
use crate::form::{Edition, PAIRS_MAX, Purpose, VERSION};
use crate::json::{typed_value, value_to_type};
use crate::link::Target;
use crate::pages::form::{FieldView, FormView};
use crate::pages::record::{
    find, json_depth_max, list_path, list_values, may_create, offered, read_page, read_query,
    record_path, views,
};
use crate::pages::sent::{self, Sent};
use crate::pages::sheet::Sheet;
use crate::pages::site::Offer;
use crate::pages::view::plain;
use crate::pages::visit::{PageResult, View, Visit};
use crate::query::pairs;

/// Members that an edit form shows; of a larger document one member at a time can be set.
const LINES_MAX: usize = 200;

/// What stands in a document's form.
#[derive(Default)]
struct Typed {
    key: String,
    /// Name and value of each member. The last one is new, those before it are there.
    lines: Vec<Line>,
    version: Option<Edition>,
}

#[derive(Default)]
struct Line {
    name: String,
    value: String,
    name_errors: Vec<String>,
    value_errors: Vec<String>,
}

impl Typed {
    fn parse(resource: &Resource, body: &[u8]) -> Result<Self, Problem> {
        let members = members(resource);
        let (mut typed, mut names, mut values) = (Self::default(), Vec::new(), Vec::new());
        for (index, (name, value)) in pairs(body).enumerate() {
            if index == PAIRS_MAX {
                let error = format!("A form has at most {PAIRS_MAX} values");
                return Err(Problem::new(Kind::BadForm, StatusCode::BAD_REQUEST, error));
            }
            if name == resource.key.field.as_str() {
                typed.key = value.into_owned();
            } else if name == members.name.as_str() {
                names.push(value.into_owned());
            } else if name == members.value.name.as_str() {
                values.push(value.replace("\r\n", "\n"));
            } else if name == VERSION {
                typed.version = Edition::parse(&value);
            }
        }
        let count = names.len().max(values.len()).max(1);
        names.resize(count, String::new());
        values.resize(count, String::new());
        let line = |(name, value)| Line {
            name,
            value,
            ..Line::default()
        };
        typed.lines = names.into_iter().zip(values).map(line).collect();
        Ok(typed)
    }

    /// A line for each member of `record`, and one for a new member.
    fn of(resource: &Resource, record: &Record, depth_max: usize) -> Self {
        let document = Document::of(record);
        let known = document.members().map(|(name, value)| Line {
            name: name.to_owned(),
            value: value_to_type(members(resource), value, depth_max),
            ..Line::default()
        });
        let mut lines: Vec<Line> = match document.members().count() > LINES_MAX {
            true => Vec::new(),
            false => known.collect(),
        };
        lines.push(Line::default());
        Self {
            key: record.key.to_string(),
            lines,
            version: Some(Edition::of(record)),
        }
    }

    /// `document` with what was typed: an emptied line takes its member out, the last one adds
    /// or sets one. Faults are noted at their inputs; `None` where there is one.
    fn apply(
        &mut self,
        resource: &Resource,
        purpose: Purpose,
        mut document: Document,
        depth_max: usize,
    ) -> Option<Document> {
        let members = members(resource);
        let last = self.lines.len() - 1;
        let mut sound = true;
        for (index, line) in self.lines.iter_mut().enumerate() {
            let is_known = purpose == Purpose::Edit && index < last;
            let no_value = line.value.trim().is_empty();
            if is_known && line.is_as_shown(members, &document, depth_max) {
                continue;
            }
            if is_known && no_value {
                document.remove(&line.name);
                continue;
            }
            if purpose == Purpose::Edit && no_value && line.name.trim().is_empty() {
                continue;
            }
            let name = match is_known {
                true => line.name.as_str(),
                false => line.name.trim(),
            };
            if let Err(fault) = members.check_name(resource, name) {
                line.name_errors.push(fault.message);
            }
            match typed_value(members, &line.value, depth_max) {
                Ok(value) if line.name_errors.is_empty() => drop(document.set(name, value)),
                Ok(_) => {}
                Err(fault) => line.value_errors.push(fault.message),
            }
            sound &= line.name_errors.is_empty() && line.value_errors.is_empty();
        }
        sound.then_some(document)
    }
}

impl Line {
    /// Nothing was typed: a browser sends other line ends, and some values look the same.
    fn is_as_shown(&self, members: &Members, document: &Document, depth_max: usize) -> bool {
        let lines = |text: &str| text.replace("\r\n", "\n").replace('\r', "\n");
        document.get(&self.name).is_some_and(|stored| {
            lines(&value_to_type(members, stored, depth_max)).trim() == lines(&self.value).trim()
        })
    }
}

/// `GET` of the form for a new document.
///
/// # Errors
///
/// 404 where documents are not made on pages; what the service refuses.
pub async fn new(visit: &Visit<'_>, resource: &Resource) -> PageResult {
    offered(resource, Offer::Create)?;
    may_create(visit, resource)?;
    let typed = Typed {
        lines: vec![Line::default()],
        ..Typed::default()
    };
    form(
        visit,
        resource,
        Sheet::new(StatusCode::OK, Purpose::New, typed),
    )
    .await
}

/// `POST` of it: 303 to the document, or to the form again where the declaration says so. A
/// rejected form is shown again with what was typed and a message at each fault.
///
/// # Errors
///
/// As [`new`].
pub async fn create(visit: &Visit<'_>, resource: &Resource, body: &[u8]) -> PageResult {
    let pages = offered(resource, Offer::Create)?;
    may_create(visit, resource)?;
    let mut typed = Typed::parse(resource, body)?;
    let key = resource.key.kind.parse(typed.key.trim());
    let depth_max = json_depth_max(visit);
    let document = typed.apply(resource, Purpose::New, Document::default(), depth_max);
    let mut input = Input::new(resource);
    input.key = Some(typed.key.trim().to_owned()).filter(|key| !key.is_empty());
    input.give_value(CONTENT, document.clone().unwrap_or_default().into_value());
    if key.is_none() || document.is_none() {
        let mut sheet = Sheet::new(StatusCode::BAD_REQUEST, Purpose::New, typed);
        sheet.faults = visit.call.app.service.faults_of_key(resource, &input);
        return form(visit, resource, sheet).await;
    }
    let service = &visit.call.app.service;
    let made = service
        .create(&visit.call.actor, resource, key, input)
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
/// 404 where there is no such document, or documents are not changed on pages.
pub async fn edit(visit: &Visit<'_>, resource: &Resource, key: &Key) -> PageResult {
    offered(resource, Offer::Update)?;
    let record = find(visit, Action::Update, resource, key).await?;
    let mut sheet = Sheet::new(
        StatusCode::OK,
        Purpose::Edit,
        Typed::of(resource, &record, json_depth_max(visit)),
    );
    sheet.record = Some(record);
    form(visit, resource, sheet).await
}

/// `POST /{resource}/{key}/edit`: 303 to the document. A form that was filled from another
/// version than the present one is shown beside what is stored now (409).
///
/// # Errors
///
/// 404 where there is no such document; 400 for a form without a version; what the service
/// refuses.
pub async fn update(visit: &Visit<'_>, resource: &Resource, key: &Key, body: &[u8]) -> PageResult {
    offered(resource, Offer::Update)?;
    let record = find(visit, Action::Update, resource, key).await?;
    let mut typed = Typed::parse(resource, body)?;
    if sent::version(typed.version)? != Edition::of(&record) {
        return form(visit, resource, Sheet::conflicting(typed, record)).await;
    }
    let before = Document::of(&record);
    let Some(document) = typed.apply(resource, Purpose::Edit, before, json_depth_max(visit)) else {
        let mut sheet = Sheet::new(StatusCode::BAD_REQUEST, Purpose::Edit, typed);
        sheet.record = Some(record);
        return form(visit, resource, sheet).await;
    };
    let mut input = Input::new(resource);
    input.give_value(CONTENT, document.into_value());
    let service = &visit.call.app.service;
    let changed = service
        .update(
            &visit.call.actor,
            resource,
            record.clone(),
            Guard::Unchanged,
            &Change::Merge(input),
        )
        .await;
    let sent = Sent::updated(visit, resource, record, typed, changed).await?;
    answer(visit, resource, sent).await
}

/// The form again, with what was typed, where its token was missing or wrong.
///
/// # Errors
///
/// 404 where `key` names no document.
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
    let mut values = vec![("list_url", Value::from(list_path(visit, resource)))];
    let mut cancel = list_path(visit, resource);
    match &sheet.record {
        Some(record) => {
            cancel = record_path(visit, resource, &record.key, Target::Detail);
            let view = views(visit, resource, vec![record.clone()]).await.pop();
            values.push(("record", view.unwrap_or_default()));
        }
        // A new one is seen among those that are there.
        None => values.extend(others(visit, resource).await?),
    }
    values.push(("cancel_url", Value::from(cancel)));
    values.push(("editing", Value::from(sheet.purpose == Purpose::Edit)));
    if let Some(stored) = sheet.conflict() {
        values.push(("differences", differences(&sheet.typed, stored)));
    }
    let form = view(resource, &sheet, &visit.csrf_token.to_string());
    values.push(("form", Value::from_object(form)));
    visit.render(View {
        status: sheet.status,
        template: sheet.template(),
        title: sheet.title(resource),
        resource: Some(resource),
        values,
    })
}

/// The first page of the documents that there are, for the page with the form.
async fn others<'a>(
    visit: &Visit<'_>,
    resource: &'a Resource,
) -> Result<Vec<(&'a str, Value)>, Problem> {
    let pages = super::record::pages(resource)?;
    let query = read_query(visit, resource, pages);
    let pagination = read_page(visit, resource, &query).await?;
    Ok(list_values(
        visit.address(),
        resource,
        pages,
        &query,
        pagination,
    ))
}

fn view(resource: &Resource, sheet: &Sheet<Typed>, csrf_token: &str) -> FormView {
    let members = members(resource);
    let key = resource.key.field.as_str();
    let of_key = |fault: &&Fault| fault.place == Place::Field(key.to_owned());
    let message = |fault: &Fault| fault.message.clone();
    let (mut fields, mut hidden) = (Vec::new(), Vec::new());
    let mut errors: Vec<String> = sheet
        .faults
        .iter()
        .filter(|f| !of_key(f))
        .map(message)
        .collect();
    match sheet.purpose {
        Purpose::New => {
            let errors = sheet.faults.iter().filter(of_key).map(message).collect();
            let text = sheet.typed.key.clone();
            fields.push(FieldView::line(
                key,
                key,
                &resource.key.field.to_label(),
                text,
                errors,
            ));
        }
        Purpose::Edit => errors.extend(sheet.faults.iter().filter(of_key).map(message)),
    }
    let last = sheet.typed.lines.len().saturating_sub(1);
    let (name, value) = (members.name.as_str(), &members.value);
    for (index, line) in sheet.typed.lines.iter().enumerate() {
        let value_errors = line.value_errors.clone();
        if index < last {
            hidden.push((name.to_owned(), line.name.clone()));
            errors.extend(line.name_errors.iter().cloned());
            let id = format!("{}-{}", value.name, index + 1);
            let view = FieldView::value(&id, value, &line.name, &line.value, value_errors);
            fields.push(view.optional(Some("Empty it to take it out.")));
            continue;
        }
        let text = line.name.clone();
        let member = FieldView::line(name, name, &members.label, text, line.name_errors.clone());
        let id = value.name.as_str();
        let view = FieldView::value(id, value, &value.label, &line.value, value_errors);
        match sheet.purpose {
            Purpose::New => fields.extend([member, view]),
            Purpose::Edit => {
                fields.extend([
                    member.optional(Some("Another one to add or to set.")),
                    view.optional(None),
                ]);
            }
        }
    }
    FormView {
        csrf_token: csrf_token.to_owned(),
        version: sheet.version(sheet.typed.version),
        hidden,
        fields: fields.into_iter().map(Arc::new).collect(),
        errors,
    }
}

/// What is stored and what was typed, member by member.
fn differences(typed: &Typed, stored: &Record) -> Value {
    let stored = Document::of(stored);
    let typed_lines = typed.lines.iter().filter(|line| !line.name.is_empty());
    let mut rows: Vec<(String, String, String)> = typed_lines
        .map(|line| {
            let theirs = stored.get(&line.name).map(plain).unwrap_or_default();
            (line.name.clone(), theirs, line.value.trim().to_owned())
        })
        .collect();
    for (name, value) in stored.members() {
        if !rows.iter().any(|(known, ..)| known == name) {
            rows.push((name.to_owned(), plain(value), String::new()));
        }
    }
    let rows = rows.into_iter().map(|(name, theirs, yours)| {
        Value::from_pairs([
            ("label", Value::from(name)),
            ("differs", Value::from(theirs != yours)),
            ("theirs", Value::from(theirs)),
            ("yours", Value::from(yours)),
        ])
    });
    rows.collect()
}

fn members(resource: &Resource) -> &Members {
    let members = resource.members.as_ref();
    members.expect("only documents have these forms")
}
