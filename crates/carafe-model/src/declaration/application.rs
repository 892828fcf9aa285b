//! The whole file: the application and its resources.

use std::path::Path;

use toml::de::{DeTable, DeValue};

use super::api::{self, Api};
use super::resource::{self, Defaults, Outline};
use super::walker::{Item, Section, Spot, later};
use super::{collision, limits, relation, rename};
use crate::problem::Problem;
use crate::resource::Resource;
use crate::schema::{Limits, Schema};

const SETTINGS: [&str; 5] = ["name", "api", "pages", "limits", "resources"];

/// Settings of the place that a server runs in.
const PLACE_SETTINGS: [&str; 24] = [
    "address",
    "bind",
    "database",
    "database_url",
    "db",
    "debug",
    "env",
    "host",
    "listen",
    "log",
    "log_level",
    "logging",
    "port",
    "public_url",
    "secret",
    "secret_key",
    "server",
    "smtp",
    "sqlite",
    "threads",
    "tls",
    "url",
    "verbose",
    "workers",
];

/// The most resources of an application.
const RESOURCES_MAX: usize = 1000;

const RESOURCES_HINT: &str =
    "add `[resources.notes.fields]` with a line such as `title = { type = \"string\" }`";

/// Reads a declaration: `text` of the file, `folder` the folder that it is in, which gives the
/// default name and the place of `initial` files.
///
/// # Errors
///
/// Every mistake, in the order of the text. Where the text is no TOML, the first fault of
/// syntax and the mistakes before it.
pub fn parse(text: &str, folder: &Path) -> Result<Schema, Vec<Problem>> {
    let (root, faults) = DeTable::parse_recoverable(text);
    let mut problems = Vec::new();
    let schema = read(&Section::root(root.get_ref()), folder, &mut problems);
    let fault = faults
        .into_iter()
        .min_by_key(|fault| fault.span().map_or(0, |span| span.start));
    if let Some(fault) = fault {
        let fault = syntax_problem(&fault, text);
        // What follows a fault of syntax was read by guesswork.
        problems.retain(|problem| {
            !problem.absence && !problem.span.is_empty() && problem.span.end <= fault.span.start
        });
        problems.push(fault);
    }
    if problems.is_empty() {
        return Ok(schema);
    }
    problems.sort_by_key(|problem| (problem.span.start, problem.span.end));
    problems.dedup();
    Err(problems)
}

fn syntax_problem(fault: &toml::de::Error, text: &str) -> Problem {
    let span = fault.span().unwrap_or(0..0);
    if fault.message() == "duplicate key" {
        let name = text.get(span.clone()).unwrap_or_default();
        return Problem::new(span, format!("`{name}` is declared twice"), "again");
    }
    Problem::new(
        span,
        format!("this is not TOML: {}", fault.message()),
        "not understood",
    )
}

fn read(root: &Section<'_>, folder: &Path, problems: &mut Vec<Problem>) -> Schema {
    root.refuse_unknown(&SETTINGS, problems, explain_unknown);
    let api = Api::read(root.item("api"), problems);
    let limits = match root.item("limits") {
        Some(item) => item
            .section("{ body = \"1 MiB\" }", problems)
            .map_or_else(Limits::default, |section| limits::read(&section, problems)),
        None => Limits::default(),
    };
    let pages = root
        .item("pages")
        .and_then(|item| item.boolean(problems))
        .unwrap_or(true);
    let defaults = Defaults {
        lists: api.lists,
        input: api.input,
        pages,
        per_page_max: limits.per_page_max,
        folder,
    };
    let resources = read_resources(root, &defaults, &api.prefixes, problems);
    Schema {
        name: read_name(root, folder, problems),
        prefixes: api.prefixes.into_iter().map(|spot| spot.value).collect(),
        deprecated_prefixes: api.deprecated_prefixes,
        cors: api.cors,
        pages,
        limits,
        resources,
    }
}

fn read_name(root: &Section<'_>, folder: &Path, problems: &mut Vec<Problem>) -> String {
    let own = root.item("name").and_then(|item| item.line(problems));
    own.unwrap_or_else(|| match folder.file_name() {
        Some(name) => name.to_string_lossy().into_owned(),
        None => "Carafe".to_owned(),
    })
}

/// What was meant by a setting that the application does not have.
fn explain_unknown(item: &Item<'_>) -> Option<Problem> {
    let name = item.name;
    if name == "accounts" {
        return Some(later(item, "signing in comes in a later release"));
    }
    let problem = |message: String, label: &str| Problem::new(item.key.clone(), message, label);
    if PLACE_SETTINGS.contains(&name) {
        return Some(
            problem(
                format!("`{name}` belongs to the place that a server runs in, not to this file"),
                "not a setting of the application",
            )
            .hint("give it as a flag or in the environment; `carafe serve --help` names both"),
        );
    }
    if api::SETTINGS.contains(&name) {
        return Some(
            problem(format!("`{name}` is a setting of `api`"), "not here")
                .hint(format!("put it under `[api]`: `api.{name} = …`")),
        );
    }
    let DeValue::Table(table) = item.value else {
        return None;
    };
    let is_resource = table.contains_key("fields");
    is_resource.then(|| {
        problem(
            format!("the resource `{name}` stands outside `resources`"),
            "a resource",
        )
        .hint(format!("write `[resources.{name}.fields]`"))
    })
}

fn read_resources(
    root: &Section<'_>,
    defaults: &Defaults<'_>,
    prefixes: &[Spot<String>],
    problems: &mut Vec<Problem>,
) -> Vec<Resource> {
    let item = root.item("resources");
    let items = match &item {
        Some(item) => item
            .section(
                "{ notes = { fields = { title = { type = \"string\" } } } }",
                problems,
            )
            .map(|section| section.items()),
        None => Some(Vec::new()),
    };
    let Some(items) = items else {
        return Vec::new();
    };
    if items.is_empty() {
        let span = item.map_or(0..0, |item| item.key);
        problems.push(
            Problem::new(span, "no resources are declared", "nothing to serve")
                .hint(RESOURCES_HINT)
                .absence(),
        );
    }
    if let Some(item) = items.get(RESOURCES_MAX) {
        problems.push(Problem::new(
            item.key.clone(),
            format!("an application has at most {RESOURCES_MAX} resources"),
            "too many",
        ));
    }
    let mut outlines: Vec<Outline<'_>> = Vec::new();
    for item in items.iter().take(RESOURCES_MAX) {
        if let Some(outline) = Outline::read(outlines.len(), item, problems) {
            outlines.push(outline);
        }
    }
    relation::find_parents(&mut outlines, problems);
    let mut resources = Vec::new();
    let mut new_paths = Vec::new();
    for outline in &outlines {
        let (resource, new_path) = resource::read(outline, &outlines, defaults, problems);
        collision::check_record_path(outline, problems);
        collision::check_prefixes(outline, resource.pages.is_some(), prefixes, problems);
        resources.push(resource);
        new_paths.extend(new_path.map(|path| (outline.index, path)));
    }
    rename::check_resources(&outlines, &resources, problems);
    collision::check_new_paths(&new_paths, &resources, prefixes, problems);
    relation::fill_referrers(&mut resources);
    resources
}
