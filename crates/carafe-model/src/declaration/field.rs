//! A field of a resource as the file has it.

use std::ops::RangeInclusive;

use toml::de::DeValue;

use super::kind::{Type, read_kind, read_type};
use super::resource::Outline;
use super::walker::{Item, Section, Span, later, refuse};
use super::{literal, pattern, rename};
use crate::field::{Field, Pattern, Rules, Set};
use crate::kind::{Kind, OnDelete};
use crate::name::Name;
use crate::problem::Problem;

/// Lengths that can be asked for, in characters.
const LENGTHS: RangeInclusive<usize> = 0..=1_000_000_000;

const EXAMPLE: &str = "{ type = \"string\" }";

const SETTINGS: [&str; 20] = [
    "type",
    "optional",
    "default",
    "set",
    "label",
    "help",
    "placeholder",
    "min_length",
    "max_length",
    "pattern",
    "trim",
    "min",
    "max",
    "one_of",
    "to",
    "on_delete",
    "unique",
    "index",
    "scale",
    "was",
];

/// Settings of other systems, and what is written in place of each.
const FOREIGN_SETTINGS: [(&str, &str); 26] = [
    ("auto_now", "write `set = \"update\"`"),
    ("auto_now_add", "write `set = \"create\"`"),
    (
        "blank",
        "a field is required unless it says `optional = true`",
    ),
    ("choices", "write `one_of = [\"draft\", \"published\"]`"),
    ("description", "write `help = \"…\"`"),
    ("enum", "write `one_of = [\"draft\", \"published\"]`"),
    (
        "foreign_key",
        "write `type = \"reference\", to = \"users\"`",
    ),
    ("help_text", "write `help = \"…\"`"),
    ("length", "write `max_length = 200`"),
    ("max_len", "write `max_length = 200`"),
    ("maximum", "write `max = 10`"),
    ("maxlength", "write `max_length = 200`"),
    ("min_len", "write `min_length = 1`"),
    ("minimum", "write `min = 0`"),
    ("minlength", "write `min_length = 1`"),
    ("null", "write `optional = true`"),
    ("nullable", "write `optional = true`"),
    ("ondelete", "write `on_delete = \"cascade\"`"),
    ("options", "write `one_of = [\"draft\", \"published\"]`"),
    (
        "primary_key",
        "the key is a setting of the resource: `key = { field = \"id\" }`",
    ),
    ("references", "write `type = \"reference\", to = \"users\"`"),
    ("regex", "write `pattern = \"^[a-z]+$\"`"),
    (
        "required",
        "a field is required unless it says `optional = true`",
    ),
    ("resource", "write `to = \"users\"`"),
    ("title", "write `label = \"…\"`"),
    ("values", "write `one_of = [\"draft\", \"published\"]`"),
];

/// A field, and where it is declared.
#[derive(Clone, Debug)]
pub(super) struct Declared {
    pub(super) written: String,
    pub(super) span: Span,
    pub(super) field: Field,
    /// Its type is known; without, nothing that depends on it is checked.
    pub(super) sound: bool,
}

/// Reads a field.
pub(super) fn read(
    item: &Item<'_>,
    outlines: &[Outline<'_>],
    problems: &mut Vec<Problem>,
) -> Declared {
    let name = item.declared_name(problems);
    let mut declared = Declared {
        written: item.name.to_owned(),
        span: item.key.clone(),
        field: plain(name, Kind::Json),
        sound: false,
    };
    if let DeValue::String(word) = item.value {
        problems.push(
            item.problem(format!("`{}` must be a table", item.name), "this is text")
                .hint(format!("write `{} = {{ type = \"{word}\" }}`", item.name)),
        );
        return declared;
    }
    let Some(section) = item.section(EXAMPLE, problems) else {
        return declared;
    };
    let reader = Reader { section, outlines };
    declared.sound = reader.read(&mut declared.field, problems);
    declared
}

/// A required field without rules, labelled by its name.
pub(super) fn plain(name: Name, kind: Kind) -> Field {
    Field {
        label: name.to_label(),
        name,
        help: None,
        placeholder: None,
        was: None,
        kind,
        optional: false,
        default: None,
        set: None,
        unique: false,
        index: false,
        rules: Rules::default(),
    }
}

struct Reader<'a> {
    section: Section<'a>,
    outlines: &'a [Outline<'a>],
}

impl Reader<'_> {
    /// Fills `field` in, and says whether its type is known.
    fn read(&self, field: &mut Field, problems: &mut Vec<Problem>) -> bool {
        self.section
            .refuse_unknown(&SETTINGS, problems, explain_unknown);
        self.texts(field, problems);
        self.flags(field, problems);
        let Some(found) = self.find_type(problems) else {
            return false;
        };
        let refused = self.refuse_foreign(found, problems);
        let Some(kind) = read_kind(found, &self.section, self.outlines, problems) else {
            return false;
        };
        field.kind = kind;
        self.check_set_null(field, problems);
        let given = |name: &str| match refused.contains(&name) {
            true => None,
            false => self.section.item(name),
        };
        field.set = given("set").and_then(|item| read_set(&item, problems));
        self.check_set(field, problems);
        let before = problems.len();
        rules(field, given, problems);
        if problems.len() == before
            && let Some(item) = given("default")
        {
            default(field, &item, problems);
        }
        true
    }

    fn texts(&self, field: &mut Field, problems: &mut Vec<Problem>) {
        let mut line = |name| self.section.item(name).and_then(|item| item.line(problems));
        if let Some(label) = line("label") {
            field.label = label;
        }
        field.help = line("help");
        field.placeholder = line("placeholder");
        field.was = rename::read(&self.section, problems);
    }

    fn flags(&self, field: &mut Field, problems: &mut Vec<Problem>) {
        for (name, flag) in [
            ("optional", &mut field.optional),
            ("unique", &mut field.unique),
            ("index", &mut field.index),
            ("trim", &mut field.rules.trim),
        ] {
            let item = self.section.item(name);
            if let Some(value) = item.and_then(|item| item.boolean(problems)) {
                *flag = value;
            }
        }
    }

    fn find_type(&self, problems: &mut Vec<Problem>) -> Option<Type> {
        if let Some(item) = self.section.item("type") {
            return read_type(&item, problems);
        }
        let word = match (self.section.has("one_of"), self.section.has("to")) {
            (true, _) => "choice",
            (false, true) => "reference",
            (false, false) => "string",
        };
        let problem = Problem::new(
            self.section.key.clone(),
            "a field needs a `type`",
            "no `type`",
        );
        refuse(
            problems,
            problem.hint(format!("add `type = \"{word}\"`")).absence(),
        )
    }

    /// Refuses the settings that a field of this type cannot have, and gives their names.
    fn refuse_foreign(&self, found: Type, problems: &mut Vec<Problem>) -> Vec<&str> {
        let mut refused = Vec::new();
        for item in self.section.items() {
            let Some(purpose) = found.refuses(item.name) else {
                continue;
            };
            refused.push(item.name);
            let problem = Problem::new(
                item.key,
                format!(
                    "`{}` is for {purpose}, and this field is of type `{}`",
                    item.name,
                    found.as_str()
                ),
                format!("not for `{}`", found.as_str()),
            );
            problems.push(match found.instead_of(item.name) {
                Some(hint) => problem.hint(hint),
                None => problem,
            });
        }
        refused
    }

    fn check_set_null(&self, field: &Field, problems: &mut Vec<Problem>) {
        let Kind::Reference(reference) = &field.kind else {
            return;
        };
        if reference.on_delete == OnDelete::SetNull
            && !field.optional
            && let Some(item) = self.section.item("on_delete")
        {
            problems.push(
                item.problem(
                    "`set_null` needs a field that can be null",
                    "it is required",
                )
                .hint("add `optional = true`, or write `on_delete = \"restrict\"`"),
            );
        }
    }

    fn check_set(&self, field: &Field, problems: &mut Vec<Problem>) {
        if field.set.is_none() {
            return;
        }
        if let Some(item) = self.section.item("default") {
            problems.push(
                Problem::new(
                    item.key,
                    "a field that the server sets has no use for a `default`",
                    "never used",
                )
                .hint("leave out `default` or `set`"),
            );
        }
        if let Some(item) = self.section.item("optional")
            && !field.optional
        {
            problems.push(
                Problem::new(
                    item.key,
                    "a field that the server sets cannot be required of a client",
                    "never sent",
                )
                .hint("leave out `optional` or `set`"),
            );
        }
    }
}

fn explain_unknown(item: &Item<'_>) -> Option<Problem> {
    if matches!(item.name, "read" | "write") {
        let hint = "access rules come with accounts, in a later release";
        return Some(later(item, hint));
    }
    let (_, hint) = FOREIGN_SETTINGS
        .iter()
        .find(|(name, _)| *name == item.name)?;
    let problem = Problem::new(
        item.key.clone(),
        format!("a field has no setting `{}`", item.name),
        "unknown setting",
    );
    Some(problem.hint(*hint))
}

fn read_set(item: &Item<'_>, problems: &mut Vec<Problem>) -> Option<Set> {
    if let DeValue::String(text) = item.value
        && &**text == "actor"
    {
        return refuse(
            problems,
            item.problem(
                "`set = \"actor\"` is not supported yet",
                "not in this release",
            )
            .hint("who is signed in is known with accounts, in a later release"),
        );
    }
    item.word(
        &[("create", Set::Create), ("update", Set::Update)],
        problems,
    )
}

fn rules<'a>(
    field: &mut Field,
    given: impl Fn(&str) -> Option<Item<'a>>,
    problems: &mut Vec<Problem>,
) {
    let mut length = |name| given(name).and_then(|item| item.whole(LENGTHS, problems));
    field.rules.length_min = length("min_length");
    field.rules.length_max = length("max_length");
    if let (Some(min), Some(max)) = (field.rules.length_min, field.rules.length_max)
        && min > max
    {
        crossed(&given, "min_length", "max_length", problems);
    }
    if let Some(0) = field.rules.length_max
        && let Some(item) = given("max_length")
    {
        problems.push(item.problem("`max_length` must be at least 1", "out of range"));
    }
    field.rules.pattern = given("pattern").and_then(|item| read_pattern(&item, problems));
    let mut bound = |name| given(name).and_then(|item| read_bound(&item, field, problems));
    let (min, max) = (bound("min"), bound("max"));
    field.rules.min = min;
    if let Some(max) = &max
        && field.check(max.clone()).is_err()
    {
        crossed(&given, "min", "max", problems);
    }
    field.rules.max = max;
}

/// A lower bound is above its upper one.
fn crossed<'a>(
    given: &impl Fn(&str) -> Option<Item<'a>>,
    low: &str,
    high: &str,
    problems: &mut Vec<Problem>,
) {
    let (Some(low), Some(high)) = (given(low), given(high)) else {
        return;
    };
    problems.push(
        low.problem(
            format!(
                "`{}` is more than `{}`: nothing could be accepted",
                low.name, high.name
            ),
            "more than the most",
        )
        .related(high.span, "the most"),
    );
}

fn read_pattern(item: &Item<'_>, problems: &mut Vec<Problem>) -> Option<Pattern> {
    let text = item.text_like("'^[a-z]+$'", problems)?;
    match pattern::parse(text) {
        Ok(pattern) => Some(pattern),
        Err(fault) => {
            let problem = item.problem(
                format!("`pattern` cannot be used: {}", fault.message),
                "not a pattern for here and browsers",
            );
            refuse(
                problems,
                match fault.hint {
                    Some(hint) => problem.hint(hint),
                    None => problem,
                },
            )
        }
    }
}

/// `min` or `max`: a value of the field.
fn read_bound(
    item: &Item<'_>,
    field: &Field,
    problems: &mut Vec<Problem>,
) -> Option<crate::value::Value> {
    match literal::read(item, field) {
        Ok(value) if !value.is_null() => Some(value),
        Ok(_) => refuse(
            problems,
            item.problem(format!("`{}` is empty", item.name), "empty"),
        ),
        Err(fault) => refuse(
            problems,
            item.problem(
                format!(
                    "`{}` is no value of the field: {}",
                    item.name, fault.message
                ),
                "not a value of the field",
            ),
        ),
    }
}

fn default(field: &mut Field, item: &Item<'_>, problems: &mut Vec<Problem>) {
    match literal::read(item, field) {
        Ok(value) if !value.is_null() => field.default = Some(value),
        Ok(_) => problems.push(
            item.problem("an empty `default` is no value", "empty")
                .hint("leave `default` out: an optional field is null then"),
        ),
        Err(fault) => {
            let problem = item.problem(
                format!("`default` breaks the field's own rules: {}", fault.message),
                "not accepted by the field",
            );
            let empty = matches!(item.value, DeValue::String(text) if text.trim().is_empty());
            problems.push(match empty {
                true => {
                    problem.hint("empty text counts as missing; write `optional = true` instead")
                }
                false => problem,
            });
        }
    }
}
