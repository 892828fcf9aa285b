//! A column as a field.

use carafe_model::key::KeyKind;
use carafe_store::inspect::{Column, DefaultValue, ForeignKey, Held, OnDelete};

use super::literal::{default, is_line, list, quoted};
use super::name::remark;
use super::outline::{Outline, has_counterpart};

/// A column as the declaration shows it.
pub(super) struct Sketch {
    /// What has no counterpart, a line each.
    pub(super) remarks: Vec<String>,
    /// `type = "string", optional = true`; `None` where the column is left out.
    pub(super) settings: Option<String>,
}

/// Sketches a column that is not the key.
pub(super) fn sketch(outline: &Outline<'_>, outlines: &[Outline<'_>], column: &Column) -> Sketch {
    let mut writer = Writer {
        outline,
        outlines,
        column,
        remarks: Vec::new(),
        settings: Vec::new(),
    };
    if !has_counterpart(column) {
        let reason = match column.is_generated {
            true => "is computed from others",
            false => "has no counterpart",
        };
        writer.remark(&format!("{reason}: left out"));
        return Sketch {
            remarks: writer.remarks,
            settings: None,
        };
    }
    writer.write();
    Sketch {
        remarks: writer.remarks,
        settings: Some(writer.settings.join(", ")),
    }
}

struct Writer<'a> {
    outline: &'a Outline<'a>,
    outlines: &'a [Outline<'a>],
    column: &'a Column,
    remarks: Vec<String>,
    settings: Vec<String>,
}

impl Writer<'_> {
    fn remark(&mut self, what: &str) {
        let (name, type_name) = (&self.column.name, &self.column.type_name);
        let type_name = match type_name.as_str() {
            "" => String::new(),
            type_name => format!(" ({type_name})"),
        };
        self.remarks
            .push(remark(&format!("column \"{name}\"{type_name} {what}")));
    }

    fn set(&mut self, name: &str, value: &str) {
        self.settings.push(format!("{name} = {value}"));
    }

    fn write(&mut self) {
        let has_set = self.set_by_server();
        if let Some(set) = has_set {
            self.set("type", "\"datetime\"");
            self.set("set", &quoted(set));
            self.index();
            return;
        }
        if let Some(note) = self.column.note {
            self.remark(&format!("is {note}"));
        }
        let held = match self.reference() {
            true => None,
            false => Some(self.kind()),
        };
        if !self.column.not_null {
            self.set("optional", "true");
        }
        self.default(held.as_ref());
        self.index();
    }

    /// `create` or `update` for times that the database sets at creation already. In a table
    /// that Carafe has made nothing tells them from others but the name.
    fn set_by_server(&self) -> Option<&'static str> {
        let is_set = match self.column.default {
            DefaultValue::Now => true,
            DefaultValue::None => self.outline.table.is_ours,
            DefaultValue::Literal(_) | DefaultValue::Given | DefaultValue::Expression(_) => false,
        };
        let is_set = is_set && self.column.held == Held::Datetime;
        match self.column.name.as_str() {
            "created_at" if is_set => Some("create"),
            "updated_at" if is_set => Some("update"),
            _ => None,
        }
    }

    /// Writes a reference where the column is one that a field can be.
    fn reference(&mut self) -> bool {
        if let Held::Reference(to) = &self.column.held {
            return self.reference_to(to.clone(), OnDelete::Restrict);
        }
        let of_column = |key: &&ForeignKey| key.columns == [self.column.name.as_str()];
        let Some(key) = self.outline.table.foreign_keys.iter().find(of_column) else {
            return false;
        };
        let (to, on_delete) = (key.to.clone(), key.on_delete);
        let target = self.target(&to);
        let leads_to_key = target
            .and_then(|target| target.key_column)
            .is_some_and(|column| {
                // Without columns, a foreign key leads to the primary key.
                let mut columns = key.to_columns.iter();
                columns.all(|to| to.eq_ignore_ascii_case(&column.name))
            });
        match (target.is_some(), leads_to_key) {
            (true, true) => self.reference_to(to, on_delete),
            (true, false) => {
                self.remark(&format!("refers to {to}, but not to its key: no reference"));
                false
            }
            (false, _) => {
                self.remark(&format!("refers to {to}, which is left out: no reference"));
                false
            }
        }
    }

    /// The resource that a table becomes.
    fn target(&self, table: &str) -> Option<&Outline<'_>> {
        let mut outlines = self.outlines.iter();
        // SQLite writes names of tables in whatever capitals.
        let target = outlines.find(|outline| outline.table.name.eq_ignore_ascii_case(table))?;
        target.is_resource().then_some(target)
    }

    fn reference_to(&mut self, to: String, on_delete: OnDelete) -> bool {
        let Some(target) = self.target(&to) else {
            self.remark(&format!("refers to {to}, which is left out: no reference"));
            return false;
        };
        let name = quoted(target.name.as_str());
        self.set("type", "\"reference\"");
        self.set("to", &name);
        match on_delete {
            OnDelete::Restrict => {}
            OnDelete::Cascade => self.set("on_delete", "\"cascade\""),
            OnDelete::SetNull if !self.column.not_null => self.set("on_delete", "\"set_null\""),
            OnDelete::SetNull => {
                self.remark("is set to null on deletion, but must not be null: restrict");
            }
            OnDelete::SetDefault => {
                self.remark("is set to its default on deletion: no counterpart, restrict");
            }
        }
        true
    }

    /// Writes the type, and says what it turned out to be.
    fn kind(&mut self) -> Held {
        let held = match &self.column.held {
            Held::Choice(values) => self.choice(values.clone()),
            // A reference that leads nowhere has the type that a key has.
            Held::Reference(_) => Held::Integer,
            held => held.clone(),
        };
        let word = match &held {
            Held::Integer | Held::Reference(_) => "integer",
            Held::Number => "number",
            Held::Decimal { .. } => "decimal",
            Held::Boolean => "boolean",
            Held::Date => "date",
            Held::Datetime => "datetime",
            Held::Uuid => "uuid",
            Held::Json => "json",
            Held::String { .. } => "string",
            Held::Text | Held::Unknown => "text",
            Held::Choice(_) => "choice",
            Held::Email => "email",
            Held::Url => "url",
            Held::Password => "password",
        };
        self.set("type", &quoted(word));
        match &held {
            Held::Decimal { scale } => self.set("scale", &scale.to_string()),
            Held::String {
                max_length: Some(max),
            } if *max <= LENGTH_MAX => self.set("max_length", &max.to_string()),
            Held::Choice(values) => {
                self.set("one_of", &list(values.iter().map(String::as_str)));
            }
            _ => {}
        }
        held
    }

    /// A choice, without the values that none can have.
    fn choice(&mut self, values: Vec<String>) -> Held {
        let mut kept: Vec<String> = Vec::new();
        for value in values {
            match is_line(&value) && !kept.contains(&value) {
                true => kept.push(value),
                false => self.remark(&format!("can be {}: no counterpart", quoted(&value))),
            }
        }
        match kept.is_empty() {
            true => Held::String { max_length: None },
            false => Held::Choice(kept),
        }
    }

    fn default(&mut self, held: Option<&Held>) {
        match &self.column.default {
            DefaultValue::None => {}
            DefaultValue::Literal(text) => {
                let value = held.and_then(|held| default(held, text));
                match value {
                    Some(value) => self.set("default", &value),
                    None => {
                        self.remark(&format!("has the default {}: no counterpart", quoted(text)))
                    }
                }
            }
            DefaultValue::Now => self.remark(
                "has the time of the insertion as its default: `set = \"create\"` is near that",
            ),
            DefaultValue::Given => {
                self.remark("is numbered by the database: no counterpart, but for the key");
            }
            DefaultValue::Expression(text) => {
                self.remark(&format!("has the default {text}: no counterpart"));
            }
        }
    }

    /// Writes `unique` and `index`; a reference has an index anyway.
    fn index(&mut self) {
        let of_column = |unique: bool| {
            let mut indexes = self.outline.table.indexes.iter();
            indexes.any(|index| {
                index.is_plain
                    && index.is_unique == unique
                    && index.columns == [self.column.name.as_str()]
            })
        };
        let is_lost_key = self.outline.key_column.is_none()
            && self.outline.table.primary_key == [self.column.name.as_str()];
        if self.column.held == Held::Json || self.column.held == Held::Password {
            return;
        }
        let is_reference = self.settings.iter().any(|set| set.starts_with("to = "));
        if of_column(true) || is_lost_key {
            self.set("unique", "true");
        } else if of_column(false) && !is_reference {
            self.set("index", "true");
        }
    }
}

/// The longest length that a declaration can ask for.
const LENGTH_MAX: u32 = 1_000_000_000;

/// What the declaration calls a kind of key.
pub(super) fn key_word(kind: KeyKind) -> &'static str {
    match kind {
        KeyKind::Integer => "integer",
        KeyKind::Uuid => "uuid",
        KeyKind::String => "string",
    }
}
