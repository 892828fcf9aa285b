//! Documents as the file has them: `kind = "document"` and its `members`.

use super::field::{self, Declared, plain};
use super::resource::Outline;
use super::sentence;
use super::walker::{Item, Section};
use crate::document::Members;
use crate::field::Field;
use crate::kind::Kind;
use crate::name::Name;
use crate::problem::Problem;

const EXAMPLE: &str = "{ label = \"Member\", value = { type = \"integer\" } }";

/// Settings of records that documents have no use for, and why.
const OF_RECORDS: [(&str, &str); 7] = [
    ("fields", "its objects have members: write `members`"),
    ("lists", "its list is a map of all"),
    ("pagination", "its map leads on by `Link`"),
    (
        "links",
        "its objects have the members that clients give them",
    ),
    ("parent", "it has no field that could refer to a parent"),
    ("search", "it has no string fields"),
    ("unique", "names are unique, and nothing else is"),
];

/// Settings of a field that a member's value has no use for.
const OF_FIELDS: [&str; 6] = ["optional", "default", "set", "unique", "index", "was"];

/// Whether the resource says that it is of this kind.
pub(super) fn is_document(section: &Section<'_>, problems: &mut Vec<Problem>) -> bool {
    let words = [("record", false), ("document", true)];
    let kind = section.item("kind");
    kind.and_then(|item| item.word(&words, problems))
        .unwrap_or(false)
}

/// Refuses what only records can have.
pub(super) fn check_settings(section: &Section<'_>, problems: &mut Vec<Problem>) {
    for (name, reason) in OF_RECORDS {
        if let Some(item) = section.item(name) {
            problems.push(
                Problem::new(
                    item.key,
                    format!("a document resource has no `{name}`"),
                    "for records only",
                )
                .hint(reason),
            );
        }
    }
}

/// The one field of a document resource: the object.
pub(super) fn content(outline: &Outline<'_>) -> Declared {
    let name = Name::parse("content").expect("`content` is a name");
    Declared {
        written: String::new(),
        span: outline.span.clone(),
        field: plain(name, Kind::Json),
        sound: true,
    }
}

/// Reads `members`: any JSON value under any name, unless the declaration says more.
pub(super) fn members(
    outline: &Outline<'_>,
    outlines: &[Outline<'_>],
    problems: &mut Vec<Problem>,
) -> Members {
    let mut label = "Member".to_owned();
    let name = Name::parse("value").expect("`value` is a name");
    let mut value = plain(name, Kind::Json);
    let item = outline.section.item("members");
    if let Some(section) = item.and_then(|item| item.section(EXAMPLE, problems)) {
        section.refuse_unknown(&["label", "value"], problems, |_| None);
        if let Some(own) = section.item("label").and_then(|item| item.line(problems)) {
            label = own;
        }
        if let Some(item) = section.item("value") {
            value = read_value(&item, outlines, problems);
        }
    }
    let section = &outline.section;
    let key = &outline.key.field;
    let name = input(&label, "member", &[key]);
    value.name = input(&value.label, "value", &[key, &name]);
    Members {
        reply: sentence::reply(section.item("reply"), &label, problems),
        errors: sentence::errors(section.item("errors"), &label, problems),
        name,
        value,
        label,
    }
}

fn read_value(item: &Item<'_>, outlines: &[Outline<'_>], problems: &mut Vec<Problem>) -> Field {
    if let Some(section) = item.section("{ type = \"integer\" }", &mut Vec::new()) {
        for name in OF_FIELDS {
            if let Some(item) = section.item(name) {
                problems.push(
                    Problem::new(
                        item.key,
                        format!("the value of a member has no `{name}`"),
                        "for fields of records only",
                    )
                    .hint("a member is there with its value, or it is not there"),
                );
            }
        }
    }
    let field = field::read(item, outlines, problems).field;
    if let Kind::Reference(_) | Kind::Password = field.kind {
        problems.push(
            item.problem(
                "a member cannot be a reference or a password",
                "for fields of records only",
            )
            .hint("use a resource with `fields` for that"),
        );
    }
    field
}

/// The name of an input: the label as a name, unless another input of the form has it.
fn input(label: &str, otherwise: &str, taken: &[&Name]) -> Name {
    let name = Name::repair(label);
    match taken.contains(&&name) {
        false => name,
        true => Name::repair(&format!("{otherwise}_{name}")),
    }
}
