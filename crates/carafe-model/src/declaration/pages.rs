//! `pages` of a resource: how it looks to people.

use toml::de::DeValue;

use super::column::Columns;
use super::path;
use super::resource::Defaults;
use super::walker::{Item, Spot, once, refuse};
use crate::document::CONTENT;
use crate::kind::Kind;
use crate::problem::Problem;
use crate::resource::{AfterCreate, Column, Order, Pages};

/// Records on a page of the list.
const PER_PAGE_DEFAULT: usize = 10;

/// Columns of a list that names none.
const COLUMNS_DEFAULT_MAX: usize = 5;

const SETTINGS: [&str; 5] = ["order", "per_page", "columns", "paths", "after_create"];

/// Pages, and where the path of the form is declared.
pub(super) struct Declared {
    pub(super) pages: Pages,
    pub(super) new_path: Option<Spot<String>>,
}

/// Reads `pages` of a resource; `None` where it has none. `order` is the resource's own.
pub(super) fn read(
    item: Option<Item<'_>>,
    columns: &Columns<'_>,
    order: &[Order],
    defaults: &Defaults<'_>,
    problems: &mut Vec<Problem>,
) -> Option<Declared> {
    let mut pages = Pages {
        order: order.to_vec(),
        per_page: PER_PAGE_DEFAULT.min(defaults.per_page_max),
        columns: columns_default(columns),
        new_path: format!("/{}/new", columns.outline.name),
        after_create: AfterCreate::Record,
    };
    let mut new_path = None;
    match item {
        None => {}
        Some(item) => match item.value {
            DeValue::Boolean(false) => return None,
            DeValue::Boolean(true) => {}
            DeValue::Table(_) => {
                new_path = read_table(&item, &mut pages, columns, defaults, problems);
            }
            _ => problems.push(item.wrong_type("a table, or false", "false")),
        },
    }
    Some(Declared { pages, new_path })
}

fn read_table(
    item: &Item<'_>,
    pages: &mut Pages,
    columns: &Columns<'_>,
    defaults: &Defaults<'_>,
    problems: &mut Vec<Problem>,
) -> Option<Spot<String>> {
    let section = item.section("{ per_page = 10 }", problems)?;
    section.refuse_unknown(&SETTINGS, problems, |_| None);
    if let Some(item) = section.item("order") {
        pages.order = columns.order(Some(item), problems);
    }
    if let Some(item) = section.item("columns")
        && let Some(own) = read_columns(&item, columns, problems)
    {
        pages.columns = own;
    }
    let per_page = section.item("per_page");
    if let Some(value) = per_page.and_then(|item| item.whole(1..=defaults.per_page_max, problems)) {
        pages.per_page = value;
    }
    let words = [("record", AfterCreate::Record), ("form", AfterCreate::Form)];
    let after_create = section.item("after_create");
    if let Some(value) = after_create.and_then(|item| item.word(&words, problems)) {
        pages.after_create = value;
    }
    let new_path = section
        .item("paths")
        .and_then(|item| read_new_path(&item, problems));
    if let Some(path) = &new_path {
        pages.new_path.clone_from(&path.value);
    }
    new_path
}

fn read_columns(
    item: &Item<'_>,
    columns: &Columns<'_>,
    problems: &mut Vec<Problem>,
) -> Option<Vec<Column>> {
    let texts = item.texts("[\"title\"]", problems)?;
    if texts.is_empty() {
        return refuse(
            problems,
            item.problem("`columns` lists no fields", "empty")
                .hint("leave `columns` out: the first short fields are shown then"),
        );
    }
    let mut own = Vec::new();
    for spot in once(texts, "`columns`", |text| (*text).to_owned(), problems) {
        let Some(column) = columns.find(spot.value, &spot.span, problems) else {
            continue;
        };
        let hidden = match column {
            Column::Key => false,
            Column::Field(position) => {
                let declared = &columns.fields[position];
                declared.sound && declared.field.kind == Kind::Password
            }
        };
        if hidden {
            problems.push(Problem::new(
                spot.span,
                format!("`{}` is a password, which is never shown", spot.value),
                "never shown",
            ));
        } else {
            own.push(column);
        }
    }
    Some(own)
}

/// The first short fields. A resource without a string shows its first text, which lists cut
/// short, so that one record can be told from another. The parent is the same in every row.
fn columns_default(columns: &Columns<'_>) -> Vec<Column> {
    if columns.outline.is_document {
        return vec![Column::Key, Column::Field(CONTENT)];
    }
    let parent = columns.outline.parent.as_ref().map(|parent| parent.value);
    let is_short = |kind: &Kind| match kind {
        Kind::String
        | Kind::Integer
        | Kind::Number
        | Kind::Decimal { .. }
        | Kind::Boolean
        | Kind::Date
        | Kind::Datetime
        | Kind::Email
        | Kind::Url
        | Kind::Choice(_) => true,
        Kind::Reference(reference) => Some(reference.index) != parent,
        Kind::Text | Kind::Uuid | Kind::Password | Kind::Json => false,
    };
    let kind = |position: &usize| &columns.fields[*position].field.kind;
    let positions = 0..columns.fields.len();
    let short: Vec<usize> = positions.clone().filter(|at| is_short(kind(at))).collect();
    let is_told_apart = short.iter().any(|at| kind(at).is_written_text());
    let text = positions
        .filter(|_| !is_told_apart)
        .find(|at| *kind(at) == Kind::Text);
    let shown: Vec<Column> = text
        .into_iter()
        .chain(short)
        .take(COLUMNS_DEFAULT_MAX)
        .map(Column::Field)
        .collect();
    match shown.is_empty() {
        true => vec![Column::Key],
        false => shown,
    }
}

fn read_new_path(item: &Item<'_>, problems: &mut Vec<Problem>) -> Option<Spot<String>> {
    let section = item.section("{ new = \"/add-note\" }", problems)?;
    section.refuse_unknown(&["new"], problems, |_| None);
    let item = section.item("new")?;
    let text = item.text_like("\"/add-note\"", problems)?;
    match path::check(text) {
        Ok(()) => Some(item.spot(text.to_owned())),
        Err(fault) => {
            let problem = item.problem(format!("`new` {}", fault.message), "not a path");
            refuse(
                problems,
                match fault.instead {
                    Some(instead) => problem.hint(format!("write `new = \"{instead}\"`")),
                    None => problem,
                },
            )
        }
    }
}
