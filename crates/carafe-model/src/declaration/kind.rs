//! The type of a field: the word, and the settings that some types have.

use toml::de::DeValue;

use super::resource::Outline;
use super::walker::{Item, Section, Spot, once, refuse};
use crate::decimal;
use crate::kind::{Choice, Kind, OnDelete, Reference};
use crate::near::nearest;
use crate::problem::Problem;

/// A type as the file names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Type {
    String,
    Text,
    Integer,
    Number,
    Decimal,
    Boolean,
    Date,
    Datetime,
    Email,
    Url,
    Uuid,
    Choice,
    Reference,
    Password,
    Json,
}

const WORDS: [(&str, Type); 15] = [
    ("string", Type::String),
    ("text", Type::Text),
    ("integer", Type::Integer),
    ("number", Type::Number),
    ("decimal", Type::Decimal),
    ("boolean", Type::Boolean),
    ("date", Type::Date),
    ("datetime", Type::Datetime),
    ("email", Type::Email),
    ("url", Type::Url),
    ("uuid", Type::Uuid),
    ("choice", Type::Choice),
    ("reference", Type::Reference),
    ("password", Type::Password),
    ("json", Type::Json),
];

/// Words of other systems, and the type that stands for each.
const FOREIGN_WORDS: [(&str, &str); 34] = [
    ("array", "json"),
    ("belongs_to", "reference"),
    ("bigint", "integer"),
    ("bool", "boolean"),
    ("char", "string"),
    ("currency", "decimal"),
    ("dict", "json"),
    ("double", "number"),
    ("enum", "choice"),
    ("file", "url"),
    ("float", "number"),
    ("foreign_key", "reference"),
    ("foreignkey", "reference"),
    ("guid", "uuid"),
    ("int", "integer"),
    ("jsonb", "json"),
    ("link", "url"),
    ("list", "json"),
    ("longtext", "text"),
    ("mail", "email"),
    ("markdown", "text"),
    ("money", "decimal"),
    ("numeric", "decimal"),
    ("object", "json"),
    ("real", "number"),
    ("ref", "reference"),
    ("relation", "reference"),
    ("select", "choice"),
    ("str", "string"),
    ("textarea", "text"),
    ("time", "datetime"),
    ("timestamp", "datetime"),
    ("uri", "url"),
    ("varchar", "string"),
];

impl Type {
    pub(super) fn as_str(self) -> &'static str {
        WORDS
            .iter()
            .find(|(_, kind)| *kind == self)
            .map_or("", |(word, _)| word)
    }

    fn is_written_text(self) -> bool {
        matches!(self, Type::String | Type::Text | Type::Email | Type::Url)
    }

    fn is_measured(self) -> bool {
        matches!(
            self,
            Type::Integer | Type::Number | Type::Decimal | Type::Date | Type::Datetime
        )
    }

    /// What `setting` is for, where it is not for this type.
    pub(super) fn refuses(self, setting: &str) -> Option<&'static str> {
        let (fits, purpose) = match setting {
            "min_length" | "max_length" | "pattern" => {
                (self.is_written_text() || self == Type::Password, "text")
            }
            "trim" => (self.is_written_text(), "text"),
            "min" | "max" => (self.is_measured(), "numbers, dates and times"),
            "one_of" => (self == Type::Choice, "a `choice`"),
            "to" | "on_delete" => (self == Type::Reference, "a `reference`"),
            "scale" => (self == Type::Decimal, "a `decimal`"),
            "set" => (self == Type::Datetime, "a `datetime`"),
            "default" => (self != Type::Password, "all but passwords"),
            "unique" | "index" => (
                !matches!(self, Type::Password | Type::Json),
                "all but passwords and JSON",
            ),
            _ => return None,
        };
        (!fits).then_some(purpose)
    }

    /// What to write in place of a `setting` that is not for this type.
    pub(super) fn instead_of(self, setting: &str) -> Option<&'static str> {
        match setting {
            "min_length" if self.is_measured() => Some("write `min`"),
            "max_length" if self.is_measured() => Some("write `max`"),
            "min" if self.is_written_text() => Some("write `min_length`"),
            "max" if self.is_written_text() => Some("write `max_length`"),
            "one_of" => Some("write `type = \"choice\"`"),
            "to" | "on_delete" => Some("write `type = \"reference\"`"),
            "scale" => Some("write `type = \"decimal\"`"),
            _ => None,
        }
    }
}

/// Reads the word of `type`.
pub(super) fn read_type(item: &Item<'_>, problems: &mut Vec<Problem>) -> Option<Type> {
    let text = item.text_like("\"string\"", problems)?;
    if let Some((_, found)) = WORDS.iter().find(|(word, _)| *word == text) {
        return Some(*found);
    }
    let folded = text.to_lowercase();
    let meant = FOREIGN_WORDS.iter().find(|(word, _)| *word == folded);
    let problem = item.problem(format!("there is no type {text:?}"), "unknown type");
    let words = || WORDS.iter().map(|(word, _)| *word);
    let near = match meant {
        Some((_, word)) => Some(*word),
        None => words()
            .find(|word| *word == folded)
            .or_else(|| nearest(text, words())),
    };
    refuse(
        problems,
        match near {
            Some(word) => problem.hint(format!("write `type = \"{word}\"`")),
            None => problem.hint(format!(
                "it is one of {}",
                words().collect::<Vec<_>>().join(", ")
            )),
        },
    )
}

/// The kind of a field of type `found`, with the settings that belong to it.
pub(super) fn read_kind(
    found: Type,
    section: &Section<'_>,
    outlines: &[Outline<'_>],
    problems: &mut Vec<Problem>,
) -> Option<Kind> {
    Some(match found {
        Type::String => Kind::String,
        Type::Text => Kind::Text,
        Type::Integer => Kind::Integer,
        Type::Number => Kind::Number,
        Type::Decimal => Kind::Decimal {
            scale: scale(section, problems)?,
        },
        Type::Boolean => Kind::Boolean,
        Type::Date => Kind::Date,
        Type::Datetime => Kind::Datetime,
        Type::Email => Kind::Email,
        Type::Url => Kind::Url,
        Type::Uuid => Kind::Uuid,
        Type::Choice => Kind::Choice(choices(section, problems)?),
        Type::Reference => Kind::Reference(reference(section, outlines, problems)?),
        Type::Password => Kind::Password,
        Type::Json => Kind::Json,
    })
}

fn scale(section: &Section<'_>, problems: &mut Vec<Problem>) -> Option<u8> {
    const SCALE_DEFAULT: u8 = 2;
    let Some(item) = section.item("scale") else {
        return Some(SCALE_DEFAULT);
    };
    let scale = item.whole(0..=decimal::DIGITS_MAX as usize, problems)?;
    u8::try_from(scale).ok()
}

const CHOICES_EXAMPLE: &str = "[\"draft\", \"published\"]";

fn choices(section: &Section<'_>, problems: &mut Vec<Problem>) -> Option<Vec<Choice>> {
    let Some(item) = section.item("one_of") else {
        let problem = Problem::new(
            section.key.clone(),
            "a `choice` needs `one_of`, the values it can have",
            "no `one_of`",
        );
        return refuse(
            problems,
            problem
                .hint(format!("add `one_of = {CHOICES_EXAMPLE}`"))
                .absence(),
        );
    };
    let before = problems.len();
    let mut found: Vec<(Spot<String>, String)> = Vec::new();
    match item.value {
        DeValue::Table(_) => labelled(&item, &mut found, problems),
        _ => {
            for element in item.list(CHOICES_EXAMPLE, problems)? {
                match element.value {
                    DeValue::String(value) => {
                        let label = label_of(value);
                        found.push((element.spot(value.to_string()), label));
                    }
                    DeValue::Table(_) => labelled(&element, &mut found, problems),
                    _ => problems.push(element.wrong_type("a list of texts", CHOICES_EXAMPLE)),
                }
            }
        }
    }
    let (values, labels): (Vec<_>, Vec<_>) = found.into_iter().unzip();
    for value in &values {
        let text = &value.value;
        if text.is_empty() || text.trim() != text || text.chars().any(char::is_control) {
            problems.push(Problem::new(
                value.span.clone(),
                format!(
                    "{text:?} cannot be chosen: a value is one line, not empty, without white \
                     space at its ends"
                ),
                "not a value",
            ));
        }
    }
    once(values.clone(), "`one_of`", String::clone, problems);
    if values.is_empty() && problems.len() == before {
        problems.push(item.problem("`one_of` lists no values", "empty"));
    }
    (problems.len() == before).then(|| {
        let pairs = values.into_iter().zip(labels);
        let choice = |(value, label): (Spot<String>, String)| Choice {
            value: value.value,
            label,
        };
        pairs.map(choice).collect()
    })
}

/// Values with their labels: `{ draft = "Draft" }`.
fn labelled(item: &Item<'_>, found: &mut Vec<(Spot<String>, String)>, problems: &mut Vec<Problem>) {
    let Some(section) = item.section("{ draft = \"Draft\" }", problems) else {
        return;
    };
    for choice in section.items() {
        if let Some(label) = choice.line(problems) {
            let value = Spot {
                value: choice.name.to_owned(),
                span: choice.key.clone(),
            };
            found.push((value, label));
        }
    }
}

/// A value as people read it: `in_progress` is `In progress`.
fn label_of(value: &str) -> String {
    let words = value.replace('_', " ");
    let mut characters = words.chars();
    match characters.next() {
        Some(first) => first.to_uppercase().chain(characters).collect(),
        None => words,
    }
}

const ON_DELETE: [(&str, OnDelete); 3] = [
    ("restrict", OnDelete::Restrict),
    ("cascade", OnDelete::Cascade),
    ("set_null", OnDelete::SetNull),
];

fn reference(
    section: &Section<'_>,
    outlines: &[Outline<'_>],
    problems: &mut Vec<Problem>,
) -> Option<Reference> {
    let on_delete = match section.item("on_delete") {
        Some(item) => item
            .word(&ON_DELETE, problems)
            .unwrap_or(OnDelete::Restrict),
        None => OnDelete::Restrict,
    };
    let Some(item) = section.item("to") else {
        let problem = Problem::new(
            section.key.clone(),
            "a `reference` needs `to`, the resource that it leads to",
            "no `to`",
        );
        return refuse(problems, problem.hint("add `to = \"users\"`").absence());
    };
    let to = item.text_like("\"users\"", problems)?;
    let target = Outline::find(outlines, to, &item, problems)?;
    Some(Reference {
        to: target.name.clone(),
        index: target.index,
        key: target.key.kind,
        on_delete,
    })
}
