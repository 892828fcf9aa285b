//! The tables and values of the file, each with its place, read by the type that is expected.

use std::collections::BTreeSet;
use std::ops::{Range, RangeInclusive};

use toml::de::{DeTable, DeValue};

use crate::name::{Name, NameError};
use crate::near::nearest;
use crate::problem::Problem;

pub(super) type Span = Range<usize>;

/// The most characters of a label or another sentence of the declaration.
const LINE_CHARACTERS_MAX: usize = 500;

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Spot<T> {
    pub(super) value: T,
    pub(super) span: Span,
}

/// A table, and the place that names it.
#[derive(Clone, Debug)]
pub(super) struct Section<'a> {
    /// As it stands in a header: `resources.notes`. Empty for the root.
    pub(super) path: String,
    /// The key, or the header's last part.
    pub(super) key: Span,
    table: &'a DeTable<'a>,
}

/// A setting: its name and its value. An element of a list has the name of the list.
#[derive(Clone, Debug)]
pub(super) struct Item<'a> {
    pub(super) name: &'a str,
    /// Where the name stands.
    pub(super) key: Span,
    /// Where the value stands.
    pub(super) span: Span,
    pub(super) value: &'a DeValue<'a>,
    path: String,
}

impl<'a> Section<'a> {
    pub(super) fn root(table: &'a DeTable<'a>) -> Self {
        Self {
            path: String::new(),
            key: 0..0,
            table,
        }
    }

    pub(super) fn item(&self, name: &str) -> Option<Item<'a>> {
        self.table
            .get_key_value(name)
            .map(|(key, value)| self.make(key, value))
    }

    /// All settings in the order of the file.
    pub(super) fn items(&self) -> Vec<Item<'a>> {
        let mut items: Vec<_> = self
            .table
            .iter()
            .map(|(key, value)| self.make(key, value))
            .collect();
        items.sort_by_key(|item| item.key.start);
        items
    }

    fn make(
        &self,
        key: &'a toml::Spanned<toml::de::DeString<'a>>,
        value: &'a toml::Spanned<DeValue<'a>>,
    ) -> Item<'a> {
        let name: &str = key.get_ref();
        let path = match self.path.as_str() {
            "" => name.to_owned(),
            path => format!("{path}.{name}"),
        };
        Item {
            name,
            key: key.span(),
            span: value.span(),
            value: value.get_ref(),
            path,
        }
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.table.contains_key(name)
    }

    /// Refuses every setting but `known`; `explain` may know what was meant by one.
    pub(super) fn refuse_unknown(
        &self,
        known: &[&str],
        problems: &mut Vec<Problem>,
        explain: impl Fn(&Item<'a>) -> Option<Problem>,
    ) {
        for item in self.items() {
            if known.contains(&item.name) {
                continue;
            }
            let problem = explain(&item).unwrap_or_else(|| self.unknown(&item, known));
            problems.push(problem);
        }
    }

    fn unknown(&self, item: &Item<'_>, known: &[&str]) -> Problem {
        let place = match self.path.as_str() {
            "" => "the declaration".to_owned(),
            path => format!("`{path}`"),
        };
        let problem = Problem::new(
            item.key.clone(),
            format!("{place} has no setting `{}`", item.name),
            "unknown setting",
        );
        match nearest(item.name, known.iter().copied()) {
            Some(near) => problem.hint(format!("did you mean `{near}`?")),
            None => problem.hint(format!("the settings are {}", listed(known))),
        }
    }
}

impl<'a> Item<'a> {
    pub(super) fn spot<T>(&self, value: T) -> Spot<T> {
        Spot {
            value,
            span: self.span.clone(),
        }
    }

    /// A problem with the value.
    pub(super) fn problem(&self, message: impl Into<String>, label: impl Into<String>) -> Problem {
        Problem::new(self.span.clone(), message, label)
    }

    /// Where to underline what is wrong with the value: a table's header says little.
    fn place(&self) -> Span {
        match self.value {
            DeValue::Table(_) => self.key.clone(),
            _ => self.span.clone(),
        }
    }

    /// The value is not `expected`, of which `example` is one.
    pub(super) fn wrong_type(&self, expected: &str, example: &str) -> Problem {
        Problem::new(
            self.place(),
            format!("`{}` must be {expected}", self.name),
            format!("this is {}", type_words(self.value)),
        )
        .hint(format!("write it like `{} = {example}`", self.name))
    }

    pub(super) fn boolean(&self, problems: &mut Vec<Problem>) -> Option<bool> {
        match self.value {
            DeValue::Boolean(value) => Some(*value),
            _ => refuse(problems, self.wrong_type("true or false", "true")),
        }
    }

    pub(super) fn text(&self, problems: &mut Vec<Problem>) -> Option<&'a str> {
        self.text_like("\"…\"", problems)
    }

    /// Text, of which `example` is one, in quotes.
    pub(super) fn text_like(&self, example: &str, problems: &mut Vec<Problem>) -> Option<&'a str> {
        match self.value {
            DeValue::String(text) => Some(text),
            _ => refuse(problems, self.wrong_type("text in quotes", example)),
        }
    }

    /// One line of text for people, trimmed.
    pub(super) fn line(&self, problems: &mut Vec<Problem>) -> Option<String> {
        let text = self.text(problems)?.trim();
        let fault = if text.is_empty() {
            "is empty"
        } else if text.chars().any(char::is_control) {
            "must be one line without control characters"
        } else if text.chars().count() > LINE_CHARACTERS_MAX {
            "has more than 500 characters"
        } else {
            return Some(text.to_owned());
        };
        refuse(
            problems,
            self.problem(format!("`{}` {fault}", self.name), "not a line of text"),
        )
    }

    /// A whole number within `range`.
    pub(super) fn whole(
        &self,
        range: RangeInclusive<usize>,
        problems: &mut Vec<Problem>,
    ) -> Option<usize> {
        let DeValue::Integer(_) = self.value else {
            let example = range.start().max(&10).min(range.end()).to_string();
            return refuse(problems, self.wrong_type("a whole number", &example));
        };
        let value = self.integer().and_then(|value| usize::try_from(value).ok());
        match value.filter(|value| range.contains(value)) {
            Some(value) => Some(value),
            None => refuse(
                problems,
                self.problem(
                    format!(
                        "`{}` must be from {} to {}",
                        self.name,
                        range.start(),
                        range.end()
                    ),
                    "out of range",
                ),
            ),
        }
    }

    /// The value of an integer that 64 bits can hold.
    pub(super) fn integer(&self) -> Option<i64> {
        match self.value {
            DeValue::Integer(integer) => {
                i64::from_str_radix(&integer.as_str().replace('_', ""), integer.radix()).ok()
            }
            _ => None,
        }
    }

    /// The elements of a list, of which `example` is one.
    pub(super) fn list(&self, example: &str, problems: &mut Vec<Problem>) -> Option<Vec<Item<'a>>> {
        let DeValue::Array(array) = self.value else {
            return refuse(problems, self.wrong_type("a list", example));
        };
        let element = |value: &'a toml::Spanned<DeValue<'a>>| Item {
            name: self.name,
            key: value.span(),
            span: value.span(),
            value: value.get_ref(),
            path: self.path.clone(),
        };
        Some(array.iter().map(element).collect())
    }

    /// The texts of a list, of which `example` is one; elements of other types are refused.
    pub(super) fn texts(
        &self,
        example: &str,
        problems: &mut Vec<Problem>,
    ) -> Option<Vec<Spot<&'a str>>> {
        let elements = self.list(example, problems)?;
        let mut texts = Vec::new();
        for element in elements {
            match element.value {
                DeValue::String(text) => texts.push(element.spot(&**text)),
                _ => problems.push(element.wrong_type("a list of texts", example)),
            }
        }
        Some(texts)
    }

    /// A table, of which `example` is one.
    pub(super) fn section(
        &self,
        example: &str,
        problems: &mut Vec<Problem>,
    ) -> Option<Section<'a>> {
        match self.value {
            DeValue::Table(table) => Some(Section {
                path: self.path.clone(),
                key: self.key.clone(),
                table,
            }),
            _ => refuse(problems, self.wrong_type("a table", example)),
        }
    }

    /// One of a closed set of words.
    pub(super) fn word<T: Copy>(
        &self,
        words: &[(&str, T)],
        problems: &mut Vec<Problem>,
    ) -> Option<T> {
        let example = format!("\"{}\"", words[0].0);
        let text = self.text_like(&example, problems)?;
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
            return Some(*value);
        }
        let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        refuse(problems, self.unknown_word(text, &known))
    }

    pub(super) fn unknown_word(&self, text: &str, known: &[&str]) -> Problem {
        let problem = self.problem(
            format!("`{}` cannot be {text:?}", self.name),
            "unknown value",
        );
        let folded = text.to_lowercase();
        let exact = known
            .iter()
            .copied()
            .find(|word| word.to_lowercase() == folded);
        match exact.or_else(|| nearest(text, known.iter().copied())) {
            Some(near) => problem.hint(format!("did you mean {near:?}?")),
            None => {
                let quoted: Vec<String> = known.iter().map(|word| format!("{word:?}")).collect();
                problem.hint(format!("it is one of {}", quoted.join(", ")))
            }
        }
    }

    /// The setting's name as a [`Name`]. A wrong one is reported and stands repaired, so that
    /// what it holds is checked too.
    pub(super) fn declared_name(&self, problems: &mut Vec<Problem>) -> Name {
        parse_name(self.name, &self.key, problems)
    }
}

/// `text` as a [`Name`]; a wrong one is reported and repaired.
pub(super) fn parse_name(text: &str, span: &Span, problems: &mut Vec<Problem>) -> Name {
    let error = match Name::parse(text) {
        Ok(name) => return name,
        Err(error) => error,
    };
    let repaired = Name::repair(text);
    let label = match error {
        NameError::Start | NameError::Character(_) => "not a name",
        NameError::DoubleUnderscore => "`__` in a name",
        NameError::Length(_) => "too long",
    };
    problems.push(
        Problem::new(
            span.clone(),
            format!("`{text}` cannot be a name: {error}"),
            label,
        )
        .hint(format!("write `{repaired}`")),
    );
    repaired
}

/// Notes a problem in place of a value.
pub(super) fn refuse<T>(problems: &mut Vec<Problem>, problem: Problem) -> Option<T> {
    problems.push(problem);
    None
}

/// Keeps the first of equal values; the others are reported as `what` given twice.
pub(super) fn once<T: Ord + Clone>(
    spots: Vec<Spot<T>>,
    what: &str,
    show: impl Fn(&T) -> String,
    problems: &mut Vec<Problem>,
) -> Vec<Spot<T>> {
    let mut seen = BTreeSet::new();
    let mut kept: Vec<Spot<T>> = Vec::new();
    for spot in spots {
        if seen.insert(spot.value.clone()) {
            kept.push(spot);
            continue;
        }
        let problem = Problem::new(
            spot.span.clone(),
            format!("`{}` stands twice in {what}", show(&spot.value)),
            "again",
        );
        let first = kept.iter().find(|first| first.value == spot.value);
        problems.push(match first {
            Some(first) => problem.related(first.span.clone(), "first here"),
            None => problem,
        });
    }
    kept
}

/// A setting that a later release brings.
pub(super) fn later(item: &Item<'_>, hint: &str) -> Problem {
    Problem::new(
        item.key.clone(),
        format!("`{}` is not supported yet", item.name),
        "not in this release",
    )
    .hint(hint)
}

/// Names for a sentence: `` `a`, `b` ``.
pub(super) fn listed(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}

fn type_words(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "true or false, without quotes",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
