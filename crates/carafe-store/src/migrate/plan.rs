//! The changes that make the tables of a database those of a declaration: pure functions of what
//! is declared and what is there.

use std::collections::BTreeSet;

use carafe_model::field::Field;
use carafe_model::key::KeyKind;
use carafe_model::kind::Kind;
use carafe_model::name::Name;
use carafe_model::resource::{Delete, Resource};
use carafe_model::schema::Schema;

use crate::catalog::{Catalog, Column};
use crate::ddl;
use crate::dialect::Dialect;
use crate::migrate::change::Change;
use crate::migrate::convert::Form;
use crate::migrate::facts::{Facts, Misfits, Table, to_convert};
use crate::statement::Identifier;
use crate::storage::Storage;

/// What is to be done, or why it cannot be.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) changes: Vec<Change>,
    /// A line for each difference that no change of ours can make good.
    pub(super) differences: Vec<String>,
}

/// The tables that are called by an old name of their resources.
pub(super) fn renamed_tables(dialect: Dialect, schema: &Schema, catalog: &Catalog) -> Vec<Change> {
    let is_soft = |resource: &&Resource| resource.delete == Delete::Soft;
    let there = |resource: &Resource| match &resource.was {
        Some(was) if !catalog.has(resource.name.as_str()) && catalog.has(was.as_str()) => {
            was.clone()
        }
        _ => resource.name.clone(),
    };
    let mut soft: Vec<Name> = schema.resources.iter().filter(is_soft).map(there).collect();
    soft.retain(|table| catalog.has(table.as_str()));
    let mut changes = Vec::new();
    for resource in &schema.resources {
        let from = there(resource);
        if from != resource.name {
            changes.push(Change::RenameTable {
                from: from.clone(),
                resource: resource.clone(),
                history: has_history(dialect, &from, catalog),
                indexes: catalog.ours(&from, "index"),
                soft: soft.clone(),
            });
            // For the changes that follow.
            soft.iter_mut()
                .filter(|table| **table == from)
                .for_each(|table| table.clone_from(&resource.name));
        }
    }
    changes
}

/// The columns of a resource's table that are called by an old name of their fields.
pub(super) fn renamed_columns(
    resource: &Resource,
    columns: &[Column],
    history: bool,
) -> Vec<Change> {
    let is_there = |name: &Name| columns.iter().any(|column| column.name == name.as_str());
    let fields = resource.fields.iter();
    fields
        .filter_map(|field| {
            let from = field.was.as_ref()?;
            (is_there(from) && !is_there(&field.name)).then(|| Change::RenameColumn {
                resource: resource.clone(),
                from: from.clone(),
                field: field.clone(),
                history,
            })
        })
        .collect()
}

/// Whether a table has a history, wanted or not.
pub(super) fn has_history(dialect: Dialect, table: &Name, catalog: &Catalog) -> bool {
    catalog.has(Identifier::new(dialect, table, "__history").as_str())
}

/// What is left once everything has its new name.
pub(super) fn plan(dialect: Dialect, schema: &Schema, facts: &Facts) -> Plan {
    let mut plan = Plan::default();
    for resource in &schema.resources {
        plan_resource(&mut plan, dialect, resource, facts);
    }
    // Where tables are those of other programs, nothing of theirs is dropped.
    let declared: BTreeSet<&str> = schema
        .resources
        .iter()
        .map(|resource| resource.name.as_str())
        .collect();
    let noted: BTreeSet<&String> = facts.catalog.kinds.keys().map(|(table, _)| table).collect();
    for table in noted {
        if !declared.contains(table.as_str())
            && facts.catalog.has(table)
            && let Ok(table) = Name::parse(table)
        {
            plan.changes.push(Change::DropTable { table });
        }
    }
    plan
}

fn plan_resource(plan: &mut Plan, dialect: Dialect, resource: &Resource, facts: &Facts) {
    let name = &resource.name;
    if name.as_str().starts_with("sqlite_") {
        plan.differences.push(format!(
            "resource `{name}`: SQLite keeps names that start with `sqlite_` for itself"
        ));
        return;
    }
    match facts.tables.get(&resource.index) {
        None => {
            plan.changes.push(Change::CreateTable(resource.clone()));
            return;
        }
        Some(table) => {
            let altered = alter(dialect, resource, table, &facts.catalog);
            let ours = table.column("_version").is_some();
            match table.is_empty && ours && !altered.differences.is_empty() {
                true => plan.changes.push(Change::RemakeTable(resource.clone())),
                false => {
                    plan.changes.extend(altered.changes);
                    plan.differences.extend(altered.differences);
                }
            }
        }
    }
    let history = ddl::history_table(dialect, resource);
    if resource.history && !facts.catalog.has(history.name.as_str()) {
        plan.changes.push(Change::CreateHistory(resource.clone()));
    }
}

/// What changes a table that has rows, or may have.
fn alter(dialect: Dialect, resource: &Resource, table: &Table, catalog: &Catalog) -> Plan {
    let name = &resource.name;
    let mut plan = Plan::default();
    if table.column("_version").is_none() {
        plan.differences.push(format!(
            "resource `{name}`: the database has a table of that name that is not one of Carafe's"
        ));
        return plan;
    }
    alter_key(&mut plan, dialect, resource, table);
    alter_deletion(&mut plan, resource, table);
    for (position, field) in resource.fields.iter().enumerate() {
        match table.column(field.name.as_str()) {
            Some(column) => {
                let state = State {
                    column,
                    noted: catalog
                        .kind(resource, field)
                        .filter(|noted| is_credible(dialect, noted, column)),
                    has_null: table.nulls.contains(&position),
                    misfits: table.misfits.get(&position),
                };
                alter_column(&mut plan, dialect, resource, field, &state, catalog);
            }
            None => add_column(&mut plan, resource, field, table),
        }
    }
    for column in &table.columns {
        left_over(&mut plan, resource, column, catalog);
    }
    for &unique in &table.broken {
        let fields: Vec<_> = resource.unique[unique]
            .iter()
            .map(|&field| format!("`{}`", resource.fields[field].name))
            .collect();
        plan.differences.push(format!(
            "resource `{name}`: {} must be unique now, but there are records with the same value",
            fields.join(" and ")
        ));
    }
    plan
}

/// A column that is no field any more goes, with its values; until somebody agrees to that, it
/// takes nulls.
fn left_over(plan: &mut Plan, resource: &Resource, column: &Column, catalog: &Catalog) {
    let ours = column.name.starts_with('_')
        || resource.column(&column.name).is_some()
        || column.is_primary_key;
    if ours {
        return;
    }
    let noted = catalog
        .kinds
        .get(&(resource.name.to_string(), column.name.clone()));
    match (noted, Name::parse(&column.name)) {
        (Some(noted), Ok(name)) => {
            if column.not_null {
                plan.changes.push(Change::Release {
                    resource: resource.clone(),
                    column: name.clone(),
                });
            }
            plan.changes.push(Change::DropColumn {
                resource: resource.clone(),
                indexes: indexes_with(catalog, &resource.name, &name),
                form: Form::noted(noted),
                column: name,
            });
        }
        (None, _) | (_, Err(_)) if column.not_null && !column.has_default => {
            plan.differences.push(format!(
                "resource `{}`: the table has a column `{}` that must not be null and is no field; declare it as one, or drop the column",
                resource.name, column.name
            ));
        }
        // Another program's.
        _ => {}
    }
}

fn alter_key(plan: &mut Plan, dialect: Dialect, resource: &Resource, table: &Table) {
    let key = &resource.key.field;
    let column = table.column(key.as_str());
    let fits = match resource.key.kind {
        KeyKind::Integer => column.is_some_and(|column| column.is_primary_key),
        KeyKind::Uuid | KeyKind::String => {
            let storage = Storage::of_key(resource.key.kind).type_name(dialect);
            table.column("_id").is_some()
                && column.is_some_and(|column| column.storage == storage && column.not_null)
        }
    };
    if !fits {
        let kind = match resource.key.kind {
            KeyKind::Integer => "integer",
            KeyKind::Uuid => "uuid",
            KeyKind::String => "string",
        };
        plan.differences.push(format!(
            "resource `{}`: the key is `{key}` of type {kind}, but the table was made for another key",
            resource.name
        ));
    }
}

fn alter_deletion(plan: &mut Plan, resource: &Resource, table: &Table) {
    match resource.delete {
        Delete::Hard if table.has_deleted => plan.differences.push(format!(
            "resource `{}`: `delete` is \"hard\" now, but there are records that were deleted softly",
            resource.name
        )),
        Delete::Soft if table.column("_deleted_at").is_none() => {
            plan.changes.push(Change::AddDeletion(resource.clone()));
        }
        Delete::Hard | Delete::Soft => {}
    }
}

/// Whether a column can have been made for a type: another program may have changed it since.
pub(super) fn is_credible(dialect: Dialect, noted: &str, column: &Column) -> bool {
    Form::noted(noted).is_none_or(|form| {
        let storage = Storage::of_kind(&form.kind());
        column.storage == storage.type_name(dialect)
    })
}

/// What is known of a field's column.
struct State<'a> {
    column: &'a Column,
    /// The type that it was made for.
    noted: Option<&'a str>,
    has_null: bool,
    misfits: Option<&'a Misfits>,
}

fn alter_column(
    plan: &mut Plan,
    dialect: Dialect,
    resource: &Resource,
    field: &Field,
    state: &State<'_>,
    catalog: &Catalog,
) {
    let place = format!("field `{}.{}`", resource.name, field.name);
    let kind = ddl::kind_text(&field.kind);
    let noted = state.noted.unwrap_or(&kind);
    if let Some(misfits) = state.misfits {
        plan.differences.push(misfit(&place, &kind, noted, misfits));
        return;
    }
    let stays = state.column.storage == Storage::of(field).type_name(dialect)
        && stays_as_it_is(noted, &field.kind);
    if !stays {
        let Some(from) = to_convert(noted, field) else {
            plan.differences.push(format!(
                "{place}: the type is {kind}, but the column was made for {noted}"
            ));
            return;
        };
        plan.changes.push(Change::Convert {
            resource: resource.clone(),
            field: field.clone(),
            from,
            noted: noted.to_owned(),
            indexes: indexes_with(catalog, &resource.name, &field.name),
            history: has_history(dialect, &resource.name, catalog),
        });
    }
    let (resource, field) = (resource.clone(), field.clone());
    match (state.column.not_null, field.optional) {
        // A conversion in SQLite does that too.
        (true, true) if stays || dialect == Dialect::Postgres => {
            plan.changes.push(Change::MakeOptional { resource, field });
        }
        (false, false) if state.has_null => plan.differences.push(format!(
            "{place}: it is not optional any more, but there are records without a value"
        )),
        (false, false) if stays || dialect == Dialect::Postgres => {
            plan.changes.push(Change::MakeRequired { resource, field });
        }
        (true, true) | (true, false) | (false, true) | (false, false) => {}
    }
}

/// Why a field cannot have its new type, with records.
fn misfit(place: &str, kind: &str, noted: &str, misfits: &Misfits) -> String {
    let shown: Vec<String> = misfits
        .first
        .iter()
        .map(|(key, value)| format!("{key} has {value:?}"))
        .collect();
    let more = misfits.count - u64::try_from(misfits.first.len()).unwrap_or(0);
    let more = match more {
        0 => String::new(),
        more => format!(", and {more} more"),
    };
    format!(
        "{place}: the type is {kind}, but the column was made for {noted} and has values that do not fit: {}{more}",
        shown.join(", ")
    )
}

/// Whether every value of a column made for one type is a value of another as it stands, in the
/// same column.
fn stays_as_it_is(noted: &str, kind: &Kind) -> bool {
    let text = ["string", "text", "email", "url", "choice"];
    match kind {
        Kind::Text | Kind::String => text.contains(&noted),
        Kind::Choice(_) => ["choice", "string"].contains(&noted),
        _ => noted == ddl::kind_text(kind),
    }
}

fn add_column(plan: &mut Plan, resource: &Resource, field: &Field, table: &Table) {
    let place = format!("field `{}.{}`", resource.name, field.name);
    let default = field.default.as_ref().is_some_and(|value| !value.is_null());
    if !field.optional && !default {
        let hint = if table.is_empty {
            ""
        } else {
            "; give it a default, or make it optional"
        };
        plan.differences.push(format!(
            "{place}: it is new and has no value for the records that are there{hint}"
        ));
        return;
    }
    plan.changes.push(Change::AddColumn {
        resource: resource.clone(),
        field: field.clone(),
    });
}

/// The indexes of ours that are there over a column.
fn indexes_with(catalog: &Catalog, table: &Name, column: &Name) -> Vec<String> {
    let quoted = format!("\"{column}\"");
    let ours = catalog.ours(table, "index").into_iter();
    ours.filter(|name| {
        let index = catalog.objects.get(name);
        index.is_some_and(|index| index.definition.contains(&quoted))
    })
    .collect()
}
