//! `api`: where the JSON API is, its habits, and who may call it from a browser.

use toml::de::DeValue;

use super::deprecation;
use super::path::{self, first_part};
use super::reserved;
use super::resource::{INPUT, LISTS, word};
use super::walker::{Item, Spot, once};
use crate::deprecation::Deprecation;
use crate::problem::Problem;
use crate::resource::{Lists, Strictness};
use crate::schema::Cors;

pub(super) const SETTINGS: [&str; 5] = ["prefix", "deprecated", "lists", "input", "cors"];

/// The table `api`.
pub(super) struct Api {
    pub(super) prefixes: Vec<Spot<String>>,
    pub(super) deprecated_prefixes: Vec<(String, Deprecation)>,
    pub(super) lists: Lists,
    pub(super) input: Strictness,
    pub(super) cors: Cors,
}

impl Api {
    pub(super) fn read(item: Option<Item<'_>>, problems: &mut Vec<Problem>) -> Self {
        let mut api = Self {
            prefixes: vec![Spot {
                value: "/api".to_owned(),
                span: 0..0,
            }],
            deprecated_prefixes: Vec::new(),
            lists: Lists::Page,
            input: Strictness::Strict,
            cors: Cors::None,
        };
        let section = item.and_then(|item| item.section("{ prefix = \"/api\" }", problems));
        let Some(section) = section else {
            return api;
        };
        section.refuse_unknown(&SETTINGS, problems, |_| None);
        if let Some(item) = section.item("prefix") {
            let prefixes = read_prefixes(&item, problems);
            if !prefixes.is_empty() {
                api.prefixes = prefixes;
            }
        }
        if let Some(item) = section.item("deprecated") {
            api.deprecated_prefixes = deprecation::of_prefixes(&item, &api.prefixes, problems);
        }
        if let Some(lists) = word(&section, "lists", &LISTS, problems) {
            api.lists = lists;
        }
        if let Some(input) = word(&section, "input", &INPUT, problems) {
            api.input = input;
        }
        if let Some(item) = section.item("cors") {
            api.cors = read_cors(&item, problems);
        }
        api
    }
}

fn read_prefixes(item: &Item<'_>, problems: &mut Vec<Problem>) -> Vec<Spot<String>> {
    let texts = match item.value {
        DeValue::String(text) => vec![item.spot(&**text)],
        DeValue::Array(_) => item.texts("[\"/api\"]", problems).unwrap_or_default(),
        _ => {
            problems.push(item.wrong_type("a path, or a list of paths", "\"/api\""));
            return Vec::new();
        }
    };
    if matches!(item.value, DeValue::Array(array) if array.is_empty()) {
        problems.push(
            item.problem("`prefix` lists no paths", "empty")
                .hint("write `prefix = \"\"` for the root"),
        );
    }
    let mut prefixes = Vec::new();
    for spot in once(texts, "`prefix`", |text| (*text).to_owned(), problems) {
        match prefix_problem(&spot) {
            Some(problem) => problems.push(problem),
            None => prefixes.push(Spot {
                value: spot.value.to_owned(),
                span: spot.span,
            }),
        }
    }
    prefixes
}

fn prefix_problem(spot: &Spot<&str>) -> Option<Problem> {
    let prefix = spot.value;
    let problem = |message: String, label: &str| Problem::new(spot.span.clone(), message, label);
    if prefix.is_empty() {
        return None;
    }
    if prefix == "/" {
        let problem = problem("`prefix` must not end with `/`".to_owned(), "not a path");
        return Some(problem.hint("write `prefix = \"\"` for the root"));
    }
    if let Err(fault) = path::check(prefix) {
        let problem = problem(format!("`prefix` {}", fault.message), "not a path");
        return Some(match fault.instead {
            Some(instead) => problem.hint(format!("write `{instead:?}`")),
            None => problem,
        });
    }
    let first = first_part(prefix);
    if first != "api" && reserved::PATHS.contains(&first) {
        let message = format!("`/{first}` is a path of Carafe's own");
        return Some(problem(message, "taken"));
    }
    None
}

fn read_cors(item: &Item<'_>, problems: &mut Vec<Problem>) -> Cors {
    const EXAMPLE: &str = "[\"https://example.org\"]";
    let origins = item.texts(EXAMPLE, problems).unwrap_or_default();
    if let [any] = origins.as_slice()
        && any.value == "*"
    {
        return Cors::Any;
    }
    let mut accepted = Vec::new();
    for spot in once(origins, "`cors`", |origin| (*origin).to_owned(), problems) {
        if spot.value == "*" {
            problems.push(
                Problem::new(
                    spot.span,
                    "`*` is every origin, and stands alone",
                    "among others",
                )
                .hint("write `cors = [\"*\"]`, or the origins without it"),
            );
            continue;
        }
        match path::check_origin(spot.value) {
            Ok(()) => accepted.push(spot.value.to_owned()),
            Err(fault) => {
                let problem = Problem::new(
                    spot.span,
                    format!("an origin {}", fault.message),
                    "not an origin",
                );
                problems.push(match fault.instead {
                    Some(instead) => problem.hint(format!("write `{instead:?}`")),
                    None => problem.hint(format!("write it like `{EXAMPLE}`")),
                });
            }
        }
    }
    match accepted.is_empty() {
        true => Cors::None,
        false => Cors::Origins(accepted),
    }
}
