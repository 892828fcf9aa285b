//! The papers are true: what README.md and the manual show is run, what they name is there,
//! and what is there is named.

#![expect(clippy::unwrap_used, reason = "a test fails where it panics")]

use std::collections::BTreeSet;
use std::path::Path;

use carafe_model::fault::Code;
use carafe_model::key::KeyKind;
use carafe_model::name::Name;
use carafe_model::schema::Limits;
use carafe_model::{decimal, declaration, query};
use carafe_web::api::patch;
use carafe_web::error::Kind;
use carafe_web::pages::reference;
use carafe_web::{assets, form, server, template, wire};
use clap::CommandFactory;

use crate::paper::{Paper, all_papers, chapter, chapters};
use crate::stage::{Program, Stage};
use crate::support::workspace;

// Links

/// The text outside of fenced blocks.
fn prose(text: &str) -> String {
    let mut fenced = false;
    let kept = text.lines().filter(|line| {
        fenced ^= line.starts_with("```");
        !fenced
    });
    kept.collect::<Vec<_>>().join("\n")
}

/// Where the links of a paper lead.
fn targets(text: &str) -> Vec<String> {
    prose(text)
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next())
        .map(str::to_owned)
        .collect()
}

/// The anchors that mdBook and forges give to headings.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = prose(text);
    let headings = headings.lines().filter(|line| line.starts_with('#'));
    let slug = |heading: &str| {
        let words = heading.trim_start_matches('#').trim().to_lowercase();
        words
            .chars()
            .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
            .map(|c| if c == ' ' { '-' } else { c })
            .collect()
    };
    headings.map(slug).collect()
}

#[test]
fn every_relative_link_leads_somewhere() {
    let mut broken = Vec::new();
    for paper in all_papers() {
        for target in targets(&paper.text) {
            if target.contains("://") {
                continue;
            }
            let (file, anchor) = target.split_once('#').unwrap_or((&target, ""));
            let path = match file {
                "" => paper.path.clone(),
                file => paper.path.parent().unwrap().join(file),
            };
            let found = std::fs::read_to_string(&path);
            let anchored = |text: &String| anchor.is_empty() || anchors(text).contains(anchor);
            if !found.as_ref().is_ok_and(anchored) {
                broken.push(format!("{}: {target}", paper.name));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn the_summary_lists_every_chapter() {
    let listed: BTreeSet<String> = targets(&chapter("SUMMARY.md").text).into_iter().collect();
    let there: BTreeSet<String> = chapters()
        .into_iter()
        .map(|paper| paper.name.trim_start_matches("docs/src/").to_owned())
        .filter(|name| name != "SUMMARY.md")
        .collect();
    assert_eq!(listed, there);
}

// Declarations

#[test]
fn every_whole_declaration_parses() {
    let folder = Path::new("/app");
    let mut count = 0;
    for paper in all_papers() {
        for block in paper.blocks() {
            if block.language == "toml" && block.lines.first() == Some(&"# carafe.toml") {
                count += 1;
                if let Err(problems) = declaration::parse(&block.lines.join("\n"), folder) {
                    panic!("{}: {problems:#?}", block.place);
                }
            }
        }
    }
    assert!(count >= 3, "whole declarations: {count}");
}

#[test]
fn the_readme_shows_the_notes_application() {
    let readme = Paper::read("README.md");
    let shown = readme
        .blocks()
        .into_iter()
        .find(|block| block.lines.first() == Some(&"# carafe.toml"))
        .map(|block| block.lines[1..].join("\n"));
    let there = std::fs::read_to_string(workspace().join("apps/notes/carafe.toml")).unwrap();
    assert_eq!(shown.as_deref(), Some(there.trim_end()));
}

/// A declaration with something unknown at every place where something is known. The hints of
/// its problems list what is known there.
const UNKNOWN_EVERYWHERE: &str = r#"
zzzzzzzzzzzz = 1
[api]
zzzzzzzzzzzz = 1
lists = "zzzzzzzzzzzz"
input = "zzzzzzzzzzzz"
[limits]
zzzzzzzzzzzz = 1
[resources.a]
zzzzzzzzzzzz = 1
put = "zzzzzzzzzzzz"
delete = "zzzzzzzzzzzz"
[resources.a.key]
zzzzzzzzzzzz = 1
type = "zzzzzzzzzzzz"
[resources.a.deprecated]
zzzzzzzzzzzz = 1
since = "2026-01-31"
[resources.a.methods]
zzzzzzzzzzzz = 1
[resources.a.flash]
zzzzzzzzzzzz = 1
[resources.a.reply]
zzzzzzzzzzzz = 1
[resources.a.errors]
zzzzzzzzzzzz = 1
taken = { zzzzzzzzzzzz = 1 }
[resources.a.pages]
zzzzzzzzzzzz = 1
paths = { zzzzzzzzzzzz = 1 }
after_create = "zzzzzzzzzzzz"
[resources.a.fields]
b = { type = "string", zzzzzzzzzzzz = 1 }
c = { type = "zzzzzzzzzzzz" }
d = { type = "reference", to = "a", on_delete = "zzzzzzzzzzzz" }
e = { type = "datetime", set = "zzzzzzzzzzzz" }
"#;

/// What the declaration knows, by the path of the table or setting as the manual writes it:
/// (`pages.`, `order`) for a setting, (`put`, `merge`) for a word.
fn known_to_the_parser() -> (Vec<(String, String)>, Vec<String>) {
    let problems = declaration::parse(UNKNOWN_EVERYWHERE, Path::new("/app")).unwrap_err();
    let (mut settings, mut words) = (Vec::new(), Vec::new());
    for problem in problems {
        let hint = problem.hint.unwrap_or_default();
        if let Some(names) = hint.strip_prefix("the settings are ") {
            let table = problem.message.split('`').nth(1).unwrap_or_default();
            let table = match problem.message.starts_with("the declaration") {
                true => "",
                false => table,
            };
            let names = names.split(", ").map(|name| name.trim_matches('`'));
            settings.extend(names.map(|name| (table.to_owned(), name.to_owned())));
        } else if let Some(names) = hint.strip_prefix("it is one of ") {
            let names = names.split(", ").map(|name| name.trim_matches('"'));
            words.extend(names.map(str::to_owned));
        }
    }
    (settings, words)
}

/// The part of a chapter under the heading `## {heading}`.
fn part<'a>(text: &'a str, heading: &str) -> &'a str {
    let start = format!("\n## {heading}\n");
    let (_, rest) = text
        .split_once(&start)
        .unwrap_or_else(|| panic!("no heading {heading:?}"));
    rest.split("\n## ").next().unwrap()
}

#[test]
fn the_manual_has_a_row_for_every_setting() {
    let text = chapter("declaration.md").text;
    let (settings, words) = known_to_the_parser();
    assert!(
        settings.len() > 60 && words.len() > 25,
        "{settings:?} {words:?}"
    );
    let mut missing = Vec::new();
    for (table, name) in &settings {
        let (heading, prefix) = match table.strip_prefix("resources.a") {
            None if table.is_empty() => ("The application", String::new()),
            None => ("The application", format!("{table}.")),
            Some("") => ("A resource", String::new()),
            Some(field) if field.starts_with(".fields.") => ("A field", String::new()),
            Some(inner) => ("A resource", format!("{}.", &inner[1..])),
        };
        let row = format!("\n| `{prefix}{name}` |");
        if !part(&text, heading).contains(&row) {
            missing.push(row.trim().to_owned());
        }
    }
    for word in &words {
        if !text.contains(&format!("`{word}`")) {
            missing.push(format!("the word `{word}`"));
        }
    }
    assert!(missing.is_empty(), "not in declaration.md: {missing:#?}");
}

// Refusals

#[test]
fn the_manual_has_every_code_and_every_kind_of_problem() {
    let text = chapter("errors.md").text;
    let codes = Code::ALL
        .map(Code::as_str)
        .map(|code| format!("\n| `{code}` |"));
    let kinds = Kind::NAMED
        .iter()
        .filter_map(|kind| kind.slug())
        .map(|slug| format!("\n| `/problems/{slug}` |"));
    let missing: Vec<String> = kinds
        .chain(codes)
        .chain(["\n| `about:blank` |".to_owned()])
        .filter(|row| !text.contains(row))
        .collect();
    assert!(missing.is_empty(), "not in errors.md: {missing:#?}");
}

// Limits

#[test]
fn the_manual_has_the_limits_that_hold() {
    let text = chapter("limits.md").text;
    let limits = Limits::default();
    let server = server::Limits::default();
    let kib = |bytes: usize| bytes / 1024;
    let rows = [
        format!("| body | {} MiB,", kib(limits.body_bytes_max) / 1024),
        format!(
            "| time of a request | {} s,",
            limits.request_time_max.as_secs()
        ),
        format!("| nesting of JSON | {},", limits.json_depth_max),
        format!("| records on a page | {},", limits.per_page_max),
        format!("| page number | {} |", thousands(query::PAGE_MAX)),
        format!("| filters of a query | {} |", query::FILTERS_MAX),
        format!("| values of one `__in` | {} |", query::IN_MAX),
        format!("| operations of a JSON Patch | {} |", patch::OPERATIONS_MAX),
        format!("| values of a form | {} |", form::PAIRS_MAX),
        format!("| address | {} bytes |", wire::TARGET_BYTES_MAX),
        format!("| header fields | {} |", wire::HEADER_FIELDS_MAX),
        format!(
            "| head of a request | {} KiB with HTTP/1.1, {} KiB with HTTP/2 |",
            kib(server.header_bytes_max),
            server.http2_header_bytes_max / 1024
        ),
        format!("| connections at once | {} |", server.connections_max),
        format!(
            "| time for a TLS handshake | {} s |",
            server.handshake_time_max.as_secs()
        ),
        format!(
            "| time for a request's head | {} s |",
            server.header_read_time_max.as_secs()
        ),
        format!(
            "| idle between requests | {} s |",
            server.idle_time_max.as_secs()
        ),
        format!(
            "| client takes nothing of an answer | {} s ",
            server.write_stall_time_max.as_secs()
        ),
        format!(
            "| requests at once on an HTTP/2 connection | {} |",
            server.http2_streams_max
        ),
        format!(
            "| requests that an HTTP/2 client resets early | {} |",
            server.http2_resets_max
        ),
        format!(
            "| time to finish at a stop | {} s |",
            server.drain_time_max.as_secs()
        ),
        format!(
            "| name of a resource or field | {} characters |",
            Name::BYTES_MAX
        ),
        format!(
            "| key that a client names | {} characters |",
            KeyKind::CHARACTERS_MAX
        ),
        format!("| `decimal` | {} digits |", decimal::DIGITS_MAX),
        format!(
            "| records that a reference's list offers | {};",
            reference::SELECT_MAX
        ),
        format!("| steps of a template | {} |", thousands(template::FUEL)),
        format!(
            "| static file | {} MiB |",
            assets::FILE_BYTES_MAX / 1024 / 1024
        ),
    ];
    let missing: Vec<&String> = rows.iter().filter(|row| !text.contains(*row)).collect();
    assert!(missing.is_empty(), "not in limits.md: {missing:#?}");
}

/// `5000000` as `5,000,000`.
fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let groups = digits.as_bytes().rchunks(3).rev();
    let groups: Vec<&str> = groups
        .map(|group| std::str::from_utf8(group).unwrap())
        .collect();
    groups.join(",")
}

// The command line

#[test]
fn the_manual_has_every_command_option_and_variable() {
    let line = chapter("command-line.md").text;
    let variables = chapter("configuration.md").text;
    let program = carafe::args::Args::command();
    let mut missing = Vec::new();
    for command in program.get_subcommands() {
        let heading = format!("carafe {}", command.get_name());
        if !line.contains(&format!("\n## {heading}\n")) {
            missing.push(heading);
            continue;
        }
        let mut section = part(&line, &heading).to_owned();
        if section.contains("](#carafe-serve)") {
            section.push_str(part(&line, "carafe serve"));
        }
        for argument in command.get_arguments() {
            let name = match (argument.get_long(), argument.get_value_names()) {
                (Some(long), _) => format!("`--{long}"),
                (None, Some(names)) => format!("`{}", names[0]),
                (None, None) => argument.get_id().to_string(),
            };
            let common = argument.get_long() == Some("help");
            if !common && !section.contains(&name) {
                missing.push(format!("{heading}: {name}"));
            }
            if let Some(short) = argument.get_short()
                && !common
                && !section.contains(&format!("`-{short}"))
            {
                missing.push(format!("{heading}: -{short}"));
            }
            if let Some(variable) = argument.get_env() {
                let row = format!("`{}`", variable.to_string_lossy());
                if !variables.contains(&row) {
                    missing.push(format!("configuration: {row}"));
                }
            }
        }
    }
    assert!(missing.is_empty(), "not in the manual: {missing:#?}");
}

#[test]
fn the_table_of_settings_is_that_of_the_program() {
    let text = chapter("configuration.md").text;
    let mut program = carafe::args::Args::command();
    program.build();
    let serve = program.find_subcommand("serve").unwrap();
    let mut expected = Vec::new();
    for argument in serve.get_arguments() {
        let (Some(long), Some(variable)) = (argument.get_long(), argument.get_env()) else {
            continue;
        };
        let variable = variable.to_string_lossy();
        let default = argument.get_default_values().first();
        let default = match (default, argument.get_action().takes_values()) {
            (Some(value), _) => format!("`{}` |", value.to_string_lossy()),
            (None, false) => "`false` |".to_owned(),
            // Nothing, or what is said in words.
            (None, true) => String::new(),
        };
        expected.push(format!("| `--{long}` | `{variable}` | {default}"));
    }
    let rows: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with("| `--"))
        .collect();
    for row in &expected {
        assert!(
            rows.iter().any(|line| line.starts_with(row)),
            "no row {row}"
        );
    }
    assert_eq!(rows.len(), expected.len(), "a row of no option");
}

// Examples

const CARAFE: Program = Program {
    path: env!("CARGO_BIN_EXE_carafe"),
    words: &["serve"],
};

#[test]
fn the_readme_shows_what_happens() {
    Stage::play(&Paper::read("README.md"), CARAFE);
}

#[test]
fn the_manual_shows_what_happens() {
    // That of the students is played by their own program.
    for paper in chapters()
        .into_iter()
        .filter(|paper| !paper.name.ends_with("app-students.md"))
    {
        Stage::play(&paper, CARAFE);
    }
}
