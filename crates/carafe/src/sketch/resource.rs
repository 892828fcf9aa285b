//! A table as a resource.

use std::collections::HashSet;

use carafe_model::key::KeyKind;
use carafe_store::inspect::{Held, Index, OnDelete};

use super::field::{self, key_word};
use super::literal::{list, quoted};
use super::name::remark;
use super::outline::{Outline, has_counterpart};

/// The most fields that a declaration takes as unique together.
const UNIQUE_FIELDS_MAX: usize = 16;

/// The section of a resource, with its fields.
pub(super) fn write(outline: &Outline<'_>, outlines: &[Outline<'_>]) -> String {
    let mut remarks = Vec::new();
    let mut settings = Vec::new();
    let table = outline.table;
    if outline.name.as_str() != table.name {
        remarks.push(format!(
            "table \"{}\" is `{}` here: that name cannot be a resource's",
            table.name, outline.name
        ));
    }
    key(outline, &mut remarks, &mut settings);
    if table.is_ours && !table.is_soft {
        settings.push("delete = \"hard\"".to_owned());
    }
    if table.has_history {
        settings.push("history = true".to_owned());
    }
    unique(outline, &mut remarks, &mut settings);
    leftovers(outline, &mut remarks);

    let mut text = String::new();
    for line in remarks {
        text.push_str(&format!("# {}\n", remark(&line)));
    }
    if !settings.is_empty() {
        text.push_str(&format!("[resources.{}]\n", outline.name));
        for setting in settings {
            text.push_str(&format!("{setting}\n"));
        }
        text.push('\n');
    }
    text.push_str(&fields(outline, outlines));
    text
}

fn fields(outline: &Outline<'_>, outlines: &[Outline<'_>]) -> String {
    let mut text = format!("[resources.{}.fields]\n", outline.name);
    let kept = outline
        .columns
        .iter()
        .filter(|(column, _)| has_counterpart(column));
    let width = kept.map(|(_, name)| name.as_str().len()).max().unwrap_or(0);
    for (column, name) in &outline.columns {
        let sketch = field::sketch(outline, outlines, column);
        if sketch.settings.is_some() && name.as_str() != column.name {
            let line = format!("column \"{}\" is `{name}` here", column.name);
            text.push_str(&format!("# {}\n", remark(&line)));
        }
        for line in sketch.remarks {
            text.push_str(&format!("# {line}\n"));
        }
        if let Some(settings) = sketch.settings {
            text.push_str(&format!("{:width$} = {{ {settings} }}\n", name.as_str()));
        }
    }
    text
}

/// Writes `key` where it is not an integer called `id`.
fn key(outline: &Outline<'_>, remarks: &mut Vec<String>, settings: &mut Vec<String>) {
    let primary_key = &outline.table.primary_key;
    match (outline.key_column, primary_key.as_slice()) {
        (Some(column), _) => {
            if outline.key.as_str() != column.name {
                remarks.push(format!("key \"{}\" is `{}` here", column.name, outline.key));
            }
            let is_reference = outline
                .table
                .foreign_keys
                .iter()
                .find(|key| key.columns == [column.name.as_str()]);
            if let Some(key) = is_reference {
                remarks.push(format!(
                    "key \"{}\" refers to {}: no counterpart, a key is no reference",
                    column.name, key.to
                ));
            }
            if let Held::Choice(values) = &column.held {
                remarks.push(format!(
                    "key \"{}\" is one of {}: no counterpart",
                    column.name,
                    list(values.iter().map(String::as_str))
                ));
            }
        }
        (None, []) => remarks.push(format!(
            "there is no primary key: records get a key `{}` of their own",
            outline.key
        )),
        (None, columns) => remarks.push(format!(
            "the primary key ({}) has no counterpart: records get a key `{}` of their own",
            columns.join(", "),
            outline.key
        )),
    }
    let (name, kind) = (outline.key.as_str(), outline.key_kind);
    if name != "id" || kind != KeyKind::Integer {
        settings.push(format!(
            "key = {{ field = {}, type = {} }}",
            quoted(name),
            quoted(key_word(kind))
        ));
    }
}

/// Writes the sets of several columns that are unique together, that of a primary key that is no
/// key here among them.
fn unique(outline: &Outline<'_>, remarks: &mut Vec<String>, settings: &mut Vec<String>) {
    let table = outline.table;
    let mut sets: Vec<Vec<&str>> = Vec::new();
    let lost_key = (outline.key_column.is_none() && table.primary_key.len() > 1)
        .then_some(table.primary_key.as_slice());
    let indexes = table
        .indexes
        .iter()
        .filter(|index| index.is_plain && index.is_unique && index.columns.len() > 1)
        .map(|index| index.columns.as_slice());
    for columns in lost_key.into_iter().chain(indexes) {
        let names = columns.iter().map(|column| unique_field(outline, column));
        let names = names.collect::<Option<Vec<&str>>>();
        // A column may stand in an index twice.
        let is_set = |names: &Vec<&str>| {
            let distinct: HashSet<&&str> = names.iter().collect();
            distinct.len() == names.len() && names.len() <= UNIQUE_FIELDS_MAX
        };
        let Some(names) = names.filter(is_set) else {
            remarks.push(format!(
                "({}) unique together has no counterpart",
                columns.join(", ")
            ));
            continue;
        };
        let same = |known: &Vec<&str>| {
            known.len() == names.len() && names.iter().all(|name| known.contains(name))
        };
        if !sets.iter().any(same) {
            sets.push(names);
        }
    }
    if !sets.is_empty() {
        let sets: Vec<String> = sets
            .into_iter()
            .map(|names| list(names.into_iter()))
            .collect();
        settings.push(format!("unique = [{}]", sets.join(", ")));
    }
}

/// The field for a column, where it can be one of a unique set.
fn unique_field<'o>(outline: &'o Outline<'_>, column: &str) -> Option<&'o str> {
    let held = &outline.table.column(column)?.held;
    let name = outline.field(column)?.as_str();
    (*held != Held::Json && *held != Held::Password).then_some(name)
}

/// Says what else the table has: indexes, foreign keys and conditions without a counterpart.
fn leftovers(outline: &Outline<'_>, remarks: &mut Vec<String>) {
    let table = outline.table;
    let is_left = |index: &&Index| !index.is_plain || (!index.is_unique && index.columns.len() > 1);
    for index in table.indexes.iter().filter(is_left) {
        let what = match index.is_unique {
            true => "unique index",
            false => "index",
        };
        remarks.push(format!("{what} \"{}\" has no counterpart", index.name));
    }
    for key in table
        .foreign_keys
        .iter()
        .filter(|key| key.columns.len() > 1)
    {
        let action = match key.on_delete {
            OnDelete::Restrict => "",
            OnDelete::Cascade => " on delete cascade",
            OnDelete::SetNull => " on delete set null",
            OnDelete::SetDefault => " on delete set default",
        };
        remarks.push(format!(
            "foreign key ({}) to {}{action} has no counterpart: references are of one column",
            key.columns.join(", "),
            key.to
        ));
    }
    for check in &table.checks {
        remarks.push(format!("check ({check}) has no counterpart"));
    }
}
