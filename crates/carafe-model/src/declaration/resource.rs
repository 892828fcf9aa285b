//! A resource as the file has it.

use std::path::{Path, PathBuf};

use toml::de::DeValue;

use super::column::Columns;
use super::field::{self, Declared};
use super::reserved;
use super::singular::singular;
use super::walker::{Item, Section, Span, Spot, later, parse_name, refuse};
use super::{deprecation, document, method, pages, relation, rename, sentence};
use crate::key::{KeyKind, KeySpec};
use crate::name::Name;
use crate::near::nearest;
use crate::problem::Problem;
use crate::resource::{Delete, Lists, Pagination, Put, Resource, Strictness};

const SETTINGS: [&str; 26] = [
    "kind",
    "was",
    "label",
    "label_plural",
    "key",
    "parent",
    "fields",
    "members",
    "order",
    "search",
    "deprecated",
    "put",
    "delete",
    "history",
    "unique",
    "methods",
    "require_if_match",
    "links",
    "lists",
    "pagination",
    "input",
    "initial",
    "pages",
    "flash",
    "reply",
    "errors",
];

pub(super) const LISTS: [(&str, Lists); 2] = [("page", Lists::Page), ("array", Lists::Array)];

const PAGINATION: [(&str, Pagination); 2] =
    [("page", Pagination::Page), ("cursor", Pagination::Cursor)];

pub(super) const INPUT: [(&str, Strictness); 2] = [
    ("strict", Strictness::Strict),
    ("lenient", Strictness::Lenient),
];

/// The most fields of a resource: PostgreSQL's tables have at most 1600 columns, SQLite's 2000.
const FIELDS_MAX: usize = 1000;

/// What the application says for all of its resources.
pub(super) struct Defaults<'a> {
    pub(super) lists: Lists,
    pub(super) input: Strictness,
    pub(super) pages: bool,
    pub(super) per_page_max: usize,
    /// Where relative paths start.
    pub(super) folder: &'a Path,
}

/// What others must know of a resource before it is read whole.
pub(super) struct Outline<'a> {
    /// The position among all resources.
    pub(super) index: usize,
    pub(super) written: &'a str,
    /// Where the name stands.
    pub(super) span: Span,
    pub(super) name: Name,
    pub(super) key: KeySpec,
    pub(super) parent: Option<Spot<usize>>,
    pub(super) is_document: bool,
    pub(super) section: Section<'a>,
}

impl<'a> Outline<'a> {
    /// Reads the name and the key. `None` where the resource is no table.
    pub(super) fn read(index: usize, item: &Item<'a>, problems: &mut Vec<Problem>) -> Option<Self> {
        let name = item.declared_name(problems);
        if let Some(reason) = reserved::resource_fault(item.name) {
            problems.push(
                Problem::new(
                    item.key.clone(),
                    format!("a resource cannot be called `{}`: {reason}", item.name),
                    "taken",
                )
                .hint("choose another name; `label` says what people read"),
            );
        }
        let section = item.section("{ fields = { title = { type = \"string\" } } }", problems)?;
        let is_document = document::is_document(&section, problems);
        Some(Self {
            index,
            written: item.name,
            span: item.key.clone(),
            name,
            key: read_key(&section, is_document, problems),
            parent: None,
            is_document,
            section,
        })
    }

    /// The resource called `name`, which `item` names.
    pub(super) fn find<'b>(
        outlines: &'b [Outline<'a>],
        name: &str,
        item: &Item<'_>,
        problems: &mut Vec<Problem>,
    ) -> Option<&'b Outline<'a>> {
        if let Some(found) = outlines.iter().find(|outline| outline.written == name) {
            return Some(found);
        }
        let problem = item
            .problem(format!("there is no resource `{name}`"), "no such resource")
            .absence();
        let known = || outlines.iter().map(|outline| outline.written);
        // Many mean the plural and write the singular: `to = "category"`.
        let plural = known().find(|known| singular(known) == name);
        refuse(
            problems,
            match plural.or_else(|| nearest(name, known())) {
                Some(near) => problem.hint(format!("did you mean `{near}`?")),
                None => problem.hint(format!("declare it as `[resources.{name}.fields]`")),
            },
        )
    }
}

fn read_key(section: &Section<'_>, is_document: bool, problems: &mut Vec<Problem>) -> KeySpec {
    let (name, kind) = match is_document {
        false => ("id", KeyKind::Integer),
        true => ("name", KeyKind::String),
    };
    let mut key = KeySpec {
        field: Name::parse(name).expect("`id` and `name` are names"),
        kind,
    };
    let example = "{ field = \"id\", type = \"uuid\" }";
    let item = section.item("key");
    let Some(section) = item.and_then(|item| item.section(example, problems)) else {
        return key;
    };
    section.refuse_unknown(&["field", "type"], problems, |_| None);
    if let Some(item) = section.item("field")
        && let Some(text) = item.text_like("\"id\"", problems)
    {
        key.field = parse_name(text, &item.span, problems);
        if text == reserved::DELETED_AT {
            problems.push(deleted_at_taken(&item.span));
        }
    }
    let words = [
        ("integer", KeyKind::Integer),
        ("uuid", KeyKind::Uuid),
        ("string", KeyKind::String),
    ];
    let item = section.item("type");
    let kind = item
        .as_ref()
        .and_then(|item| item.word(&words, problems).map(|kind| (item, kind)));
    match kind {
        Some((item, KeyKind::Integer | KeyKind::Uuid)) if is_document => problems.push(
            item.problem("clients name documents", "its key is text")
                .hint("write `type = \"string\"`"),
        ),
        Some((_, kind)) => key.kind = kind,
        None => {}
    }
    key
}

fn deleted_at_taken(span: &Span) -> Problem {
    Problem::new(
        span.clone(),
        "`deleted_at` is the member that says when a record was deleted",
        "taken",
    )
    .hint("choose another name, such as `removed_at`")
}

/// Reads the resource that `outline` begins, and the path of its form where one is declared.
pub(super) fn read(
    outline: &Outline<'_>,
    outlines: &[Outline<'_>],
    defaults: &Defaults<'_>,
    problems: &mut Vec<Problem>,
) -> (Resource, Option<Spot<String>>) {
    let section = &outline.section;
    section.refuse_unknown(&SETTINGS, problems, |item| explain_unknown(item, outline));
    let (label, label_plural) = labels(outline, problems);
    let (mut fields, members) = match outline.is_document {
        false => (read_fields(outline, outlines, problems), None),
        true => {
            document::check_settings(section, problems);
            let members = document::members(outline, outlines, problems);
            (vec![document::content(outline)], Some(members))
        }
    };
    let parent = relation::parent(outline, outlines, &mut fields, problems);
    let links = boolean(section, "links", problems);
    check_names(outline, &fields, links, problems);
    rename::check_fields(&fields, problems);
    relation::check_children(outline, outlines, &fields, problems);

    let columns = Columns {
        outline,
        fields: &fields,
    };
    let order = columns.order(section.item("order"), problems);
    let search = columns.search(section.item("search"), problems);
    let unique = columns.unique(section.item("unique"), problems);
    let pages = pages::read(section.item("pages"), &columns, &order, defaults, problems);
    let (pages, new_path) = match pages.filter(|_| defaults.pages) {
        Some(declared) => (Some(declared.pages), declared.new_path),
        None => (None, None),
    };
    let resource = Resource {
        index: outline.index,
        name: outline.name.clone(),
        was: rename::read(section, problems),
        key: outline.key.clone(),
        parent,
        members,
        order,
        search,
        deprecated: section
            .item("deprecated")
            .and_then(|item| deprecation::read(&item, problems)),
        put: read_put(outline, problems),
        delete: read_delete(section, problems),
        history: boolean(section, "history", problems),
        methods: method::read(section.item("methods"), outline.is_document, problems),
        require_if_match: boolean(section, "require_if_match", problems),
        links,
        lists: word(section, "lists", &LISTS, problems).unwrap_or(defaults.lists),
        pagination: word(section, "pagination", &PAGINATION, problems).unwrap_or(Pagination::Page),
        input: word(section, "input", &INPUT, problems).unwrap_or(defaults.input),
        initial: read_initial(section, defaults.folder, problems),
        pages,
        flash: sentence::flash(section.item("flash"), &label, problems),
        reply: sentence::reply(section.item("reply"), &label, problems),
        errors: sentence::errors(section.item("errors"), &label, problems),
        label,
        label_plural,
        referrers: Vec::new(),
        fields: settle(fields, &unique),
        unique,
    };
    (resource, new_path)
}

/// The fields, those of a unique set of one marked as unique themselves.
fn settle(declared: Vec<Declared>, unique: &[Vec<usize>]) -> Vec<crate::field::Field> {
    let mut fields: Vec<_> = declared
        .into_iter()
        .map(|declared| declared.field)
        .collect();
    for set in unique {
        if let [position] = set.as_slice() {
            fields[*position].unique = true;
        }
    }
    fields
}

fn explain_unknown(item: &Item<'_>, outline: &Outline<'_>) -> Option<Problem> {
    if item.name == "access" {
        let hint = "anyone may do all for now; access rules come with accounts, in a later release";
        return Some(later(item, hint));
    }
    let DeValue::Table(table) = item.value else {
        return None;
    };
    let is_field = table.contains_key("type");
    is_field.then(|| {
        Problem::new(
            item.key.clone(),
            format!("the field `{}` stands among the settings", item.name),
            "a field",
        )
        .hint(format!(
            "put it under `[resources.{}.fields]`",
            outline.written
        ))
    })
}

fn read_fields(
    outline: &Outline<'_>,
    outlines: &[Outline<'_>],
    problems: &mut Vec<Problem>,
) -> Vec<Declared> {
    let item = outline.section.item("fields");
    let no_fields = |span: &Span| {
        Problem::new(
            span.clone(),
            format!("`{}` has no fields", outline.written),
            "no fields",
        )
        .hint(format!(
            "add `[resources.{}.fields]` with a line such as `title = {{ type = \"string\" }}`",
            outline.written
        ))
        .absence()
    };
    if let Some(item) = outline.section.item("members") {
        problems.push(
            Problem::new(
                item.key,
                "`members` are of documents, and this resource has records",
                "for documents only",
            )
            .hint("add `kind = \"document\"`, or write `fields`"),
        );
    }
    let Some(item) = item else {
        problems.push(no_fields(&outline.span));
        return Vec::new();
    };
    let Some(section) = item.section("{ title = { type = \"string\" } }", problems) else {
        return Vec::new();
    };
    let items = section.items();
    if items.is_empty() {
        problems.push(no_fields(&section.key));
    }
    if items.len() > FIELDS_MAX {
        problems.push(Problem::new(
            section.key,
            format!("a resource has at most {FIELDS_MAX} fields"),
            "too many",
        ));
    }
    items
        .iter()
        .map(|item| field::read(item, outlines, problems))
        .collect()
}

fn check_names(
    outline: &Outline<'_>,
    fields: &[Declared],
    links: bool,
    problems: &mut Vec<Problem>,
) {
    if outline.is_document {
        return;
    }
    let key = outline.key.field.as_str();
    for declared in fields {
        let name = declared.written.as_str();
        if name == key {
            problems.push(
                Problem::new(
                    declared.span.clone(),
                    format!("`{name}` is the key, which is no field"),
                    "the key",
                )
                .hint(format!(
                    "leave it out, or say what it is: `key = {{ field = \"{name}\", type = \"uuid\" }}`"
                )),
            );
        } else if name == reserved::DELETED_AT {
            problems.push(deleted_at_taken(&declared.span));
        } else if links && name == "url" {
            problems.push(
                Problem::new(
                    declared.span.clone(),
                    "with `links`, `url` is the record's own address",
                    "taken",
                )
                .hint("choose another name, such as `website`"),
            );
        }
    }
    if links && key == "url" {
        problems.push(Problem::new(
            outline.span.clone(),
            "with `links`, `url` is the record's own address and cannot be the key",
            "its key is `url`",
        ));
    }
}

fn labels(outline: &Outline<'_>, problems: &mut Vec<Problem>) -> (String, String) {
    let mut line = |name| {
        let item = outline.section.item(name);
        item.and_then(|item: Item<'_>| item.line(problems))
    };
    let label = line("label").unwrap_or_else(|| {
        let singular = Name::parse(&singular(outline.name.as_str()));
        singular.as_ref().unwrap_or(&outline.name).to_label()
    });
    let plural = line("label_plural").unwrap_or_else(|| outline.name.to_label());
    (label, plural)
}

fn read_put(outline: &Outline<'_>, problems: &mut Vec<Problem>) -> Put {
    let words = [
        ("replace", Put::Replace),
        ("upsert", Put::Upsert),
        ("merge", Put::Merge),
    ];
    let Some(item) = outline.section.item("put") else {
        return Put::Replace;
    };
    let put = item.word(&words, problems).unwrap_or(Put::Replace);
    if put == Put::Upsert && outline.key.kind == KeyKind::Integer {
        problems.push(
            item.problem(
                "`upsert` needs keys that clients can name, and integers are given by the server",
                "its key is an integer",
            )
            .hint("add `key = { type = \"uuid\" }` or `key = { type = \"string\" }`"),
        );
    }
    put
}

fn read_delete(section: &Section<'_>, problems: &mut Vec<Problem>) -> Delete {
    let words = [("soft", Delete::Soft), ("hard", Delete::Hard)];
    word(section, "delete", &words, problems).unwrap_or(Delete::Soft)
}

fn read_initial(
    section: &Section<'_>,
    folder: &Path,
    problems: &mut Vec<Problem>,
) -> Option<PathBuf> {
    let item = section.item("initial")?;
    let text = item.text_like("\"first.json\"", problems)?;
    if text.trim().is_empty() || text.contains('\0') {
        return refuse(
            problems,
            item.problem("`initial` is no path of a file", "no path"),
        );
    }
    Some(folder.join(text))
}

fn boolean(section: &Section<'_>, name: &str, problems: &mut Vec<Problem>) -> bool {
    let item = section.item(name);
    item.and_then(|item| item.boolean(problems))
        .unwrap_or(false)
}

pub(super) fn word<T: Copy>(
    section: &Section<'_>,
    name: &str,
    words: &[(&str, T)],
    problems: &mut Vec<Problem>,
) -> Option<T> {
    section.item(name)?.word(words, problems)
}
