//! Sentences that a declaration can put in place of Carafe's own: `flash`, `reply`, `errors`.

use toml::de::DeValue;

use super::walker::{Item, Section, refuse};
use crate::problem::Problem;
use crate::resource::{Deleted, Errors, Flash, Method, Reply};

/// The texts of pages after a change.
pub(super) fn flash(item: Option<Item<'_>>, label: &str, problems: &mut Vec<Problem>) -> Flash {
    let mut flash = Flash {
        created: format!("{label} created."),
        updated: format!("{label} updated."),
        deleted: format!("{label} deleted."),
        restored: format!("{label} restored."),
    };
    let Some(section) = item.and_then(|item| item.section("{ created = \"Saved.\" }", problems))
    else {
        return flash;
    };
    section.refuse_unknown(
        &["created", "updated", "deleted", "restored"],
        problems,
        |_| None,
    );
    for (name, text) in [
        ("created", &mut flash.created),
        ("updated", &mut flash.updated),
        ("deleted", &mut flash.deleted),
        ("restored", &mut flash.restored),
    ] {
        if let Some(own) = member(&section, name, label, problems) {
            *text = own;
        }
    }
    flash
}

/// The API's answers in place of the record.
pub(super) fn reply(item: Option<Item<'_>>, label: &str, problems: &mut Vec<Problem>) -> Reply {
    let example = "{ deleted = \"{label} deleted\" }";
    let Some(section) = item.and_then(|item| item.section(example, problems)) else {
        return Reply::default();
    };
    section.refuse_unknown(
        &["created", "replaced", "updated", "deleted"],
        problems,
        |_| None,
    );
    let deleted = match member(&section, "deleted", label, problems) {
        None => Deleted::Nothing,
        Some(text) if text == "record" => Deleted::Record,
        Some(text) => Deleted::Message(text),
    };
    Reply {
        created: member(&section, "created", label, problems),
        replaced: member(&section, "replaced", label, problems),
        updated: member(&section, "updated", label, problems),
        deleted,
    }
}

/// The sentences of refusals.
pub(super) fn errors(item: Option<Item<'_>>, label: &str, problems: &mut Vec<Problem>) -> Errors {
    let mut errors = Errors::default();
    let example = "{ not_found = \"{label} not found\" }";
    let Some(section) = item.and_then(|item| item.section(example, problems)) else {
        return errors;
    };
    section.refuse_unknown(&["not_found", "taken"], problems, |_| None);
    if let Some(item) = section.item("not_found") {
        errors.not_found = not_found(&item, label, problems);
    }
    if let Some(item) = section.item("taken") {
        taken(&item, label, &mut errors, problems);
    }
    errors
}

fn not_found(
    item: &Item<'_>,
    label: &str,
    problems: &mut Vec<Problem>,
) -> Vec<(Option<Method>, String)> {
    if let DeValue::String(_) = item.value {
        let text = sentence(item, label, problems);
        return text.into_iter().map(|text| (None, text)).collect();
    }
    let Some(section) = item.section("\"{label} not found\"", problems) else {
        return Vec::new();
    };
    let mut sentences = Vec::new();
    for item in section.items() {
        let method = Method::ALL
            .into_iter()
            .find(|method| method.as_str() == item.name);
        let Some(method) = method else {
            let problem = Problem::new(
                item.key.clone(),
                format!("`{}` is no method with a sentence of its own", item.name),
                "unknown method",
            );
            problems.push(problem.hint("it is one of GET, POST, PUT, PATCH and DELETE"));
            continue;
        };
        if let Some(text) = sentence(&item, label, problems) {
            sentences.push((Some(method), text));
        }
    }
    sentences
}

fn taken(item: &Item<'_>, label: &str, errors: &mut Errors, problems: &mut Vec<Problem>) {
    if let DeValue::String(_) = item.value {
        errors.taken = sentence(item, label, problems);
        return;
    }
    let example = "{ text = \"{label} already exists\", status = 400 }";
    let Some(section) = item.section(example, problems) else {
        return;
    };
    section.refuse_unknown(&["text", "status"], problems, |_| None);
    errors.taken = member(&section, "text", label, problems);
    errors.taken_status = section
        .item("status")
        .and_then(|item| taken_status(&item, problems));
}

fn taken_status(item: &Item<'_>, problems: &mut Vec<Problem>) -> Option<u16> {
    match (item.value, item.integer()) {
        (_, Some(400)) => Some(400),
        (_, Some(409)) => Some(409),
        (DeValue::Integer(_), _) => refuse(
            problems,
            item.problem("the status of `taken` is 409 or 400", "another status"),
        ),
        _ => refuse(problems, item.wrong_type("a status", "400")),
    }
}

fn member(
    section: &Section<'_>,
    name: &str,
    label: &str,
    problems: &mut Vec<Problem>,
) -> Option<String> {
    sentence(&section.item(name)?, label, problems)
}

/// A line of text with the label in place of `{label}`.
fn sentence(item: &Item<'_>, label: &str, problems: &mut Vec<Problem>) -> Option<String> {
    let text = item.line(problems)?;
    match foreign_placeholder(&text) {
        None => Some(text.replace("{label}", label)),
        Some(placeholder) => refuse(
            problems,
            item.problem(
                format!("`{{{placeholder}}}` stands for nothing"),
                "unknown placeholder",
            )
            .hint("the one placeholder is `{label}`"),
        ),
    }
}

/// The first word in braces that is not `label`.
fn foreign_placeholder(text: &str) -> Option<&str> {
    text.split('{')
        .skip(1)
        .filter_map(|part| part.split_once('}'))
        .map(|(word, _)| word)
        .find(|word| {
            *word != "label"
                && !word.is_empty()
                && word.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        })
}
