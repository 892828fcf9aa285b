//! Bringing the tables to what the declaration says: what is there is read, what is to be done
//! is planned without touching anything, and the plan is applied, all in one transaction.

use std::collections::{BTreeMap, BTreeSet};

use carafe_model::field::Field;
use carafe_model::key::KeyKind;
use carafe_model::kind::Kind;
use carafe_model::resource::{Delete, Resource};
use carafe_model::schema::Schema;
use rusqlite::Connection;

use crate::catalog::{self, Catalog, Column};
use crate::ddl::{self, Object};
use crate::error::{Error, Result};
use crate::sqlite::connection::{prepared, run as execute};
use crate::sqlite::writer;
use crate::statement::{Identifier, Statement};
use crate::store::Migrated;
use crate::table;

/// Migrates, or changes nothing.
pub(crate) fn run(connection: &Connection, schema: &Schema) -> Result<Migrated> {
    // The lock is taken before anything is read: two processes may start at once.
    writer::begin(connection)?;
    let outcome = migrate(connection, schema);
    match outcome {
        Ok(migrated) => {
            writer::commit(connection)?;
            connection.flush_prepared_statement_cache();
            Ok(migrated)
        }
        Err(err) => {
            writer::rollback(connection);
            Err(err)
        }
    }
}

fn migrate(connection: &Connection, schema: &Schema) -> Result<Migrated> {
    connection.execute_batch(ddl::COUNT_TABLE)?;
    connection.execute_batch(ddl::SCHEMA_TABLE)?;
    connection.execute_batch(ddl::REQUEST_TABLE)?;
    let facts = Facts::read(connection, schema)?;
    let plan = plan(schema, &facts);
    if !plan.differences.is_empty() {
        return Err(Error::Incompatible(plan.differences));
    }
    let mut migrated = Migrated {
        changes: Vec::new(),
        created: plan.created,
    };
    for change in plan.changes {
        execute(connection, &change.statement)?;
        migrated.changes.extend(change.sentence);
    }
    Ok(migrated)
}

/// What a plan depends on.
#[derive(Debug, Default)]
struct Facts {
    catalog: Catalog,
    /// The tables of the resources that have one.
    tables: BTreeMap<usize, Table>,
}

/// A resource's table as it is.
#[derive(Debug, Default)]
struct Table {
    columns: Vec<Column>,
    is_empty: bool,
    has_deleted: bool,
    /// Fields that have a null, among those that are not to have any.
    nulls: BTreeSet<usize>,
    /// Unique sets that are broken, among those that have no index yet.
    broken: BTreeSet<usize>,
}

impl Facts {
    fn read(connection: &Connection, schema: &Schema) -> Result<Self> {
        let catalog = Catalog::read(connection)?;
        let mut tables = BTreeMap::new();
        for resource in &schema.resources {
            if catalog.has(resource.name.as_str()) {
                tables.insert(resource.index, Table::read(connection, &catalog, resource)?);
            }
        }
        Ok(Self { catalog, tables })
    }
}

impl Table {
    fn read(connection: &Connection, catalog: &Catalog, resource: &Resource) -> Result<Self> {
        let mut table = Self {
            columns: catalog::columns(connection, &resource.name)?,
            ..Self::default()
        };
        let mut any = Statement::new("SELECT 1 FROM ");
        any.name(&resource.name).push(" LIMIT 1");
        table.is_empty = !exists(connection, &any)?;
        if table.column("_deleted_at").is_some() {
            let mut deleted = Statement::new("SELECT 1 FROM ");
            deleted
                .name(&resource.name)
                .push(" WHERE _deleted_at IS NOT NULL LIMIT 1");
            table.has_deleted = exists(connection, &deleted)?;
        }
        for (position, field) in resource.fields.iter().enumerate() {
            let loose = table
                .column(field.name.as_str())
                .is_some_and(|column| !column.not_null);
            if loose && !field.optional && exists(connection, &find_null(resource, field))? {
                table.nulls.insert(position);
            }
        }
        let soft = table.column("_deleted_at").is_some();
        for index in ddl::indexes(resource) {
            let Some(unique) = unique_of(resource, &index) else {
                continue;
            };
            let fields = &resource.unique[unique];
            let missing = |field: &usize| {
                table
                    .column(resource.fields[*field].name.as_str())
                    .is_none()
            };
            // Columns that come now have the same default in every row.
            let defaulted = |field: &usize| {
                let default = resource.fields[*field].default.as_ref();
                default.is_some_and(|default| !default.is_null())
            };
            let come = fields.iter().copied().filter(missing).collect::<Vec<_>>();
            if come.len() == fields.len()
                && come.iter().all(defaulted)
                && has_two_rows(connection, resource)?
            {
                table.broken.insert(unique);
            }
            if come.is_empty()
                && !catalog.has_same(index.name.as_str(), &index.statement)
                && exists(connection, &find_repeated(resource, fields, soft))?
            {
                table.broken.insert(unique);
            }
        }
        Ok(table)
    }

    fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }
}

fn has_two_rows(connection: &Connection, resource: &Resource) -> Result<bool> {
    let mut second = Statement::new("SELECT 1 FROM ");
    second.name(&resource.name).push(" LIMIT 1 OFFSET 1");
    exists(connection, &second)
}

/// The unique set that an index is for.
fn unique_of(resource: &Resource, index: &Object) -> Option<usize> {
    let sets = resource.unique.iter();
    sets.enumerate()
        .find(|(_, fields)| ddl::unique_name(resource, fields) == index.name)
        .map(|(position, _)| position)
}

fn find_null(resource: &Resource, field: &Field) -> Statement {
    let mut sql = Statement::new("SELECT 1 FROM ");
    sql.name(&resource.name)
        .push(" WHERE ")
        .name(&field.name)
        .push(" IS NULL LIMIT 1");
    sql
}

fn find_repeated(resource: &Resource, fields: &[usize], soft: bool) -> Statement {
    let mut sql = Statement::new("SELECT 1 FROM ");
    sql.name(&resource.name).push(" WHERE TRUE");
    if soft && resource.delete == Delete::Soft {
        sql.push(" AND _deleted_at IS NULL");
    }
    for &field in fields {
        sql.push(" AND ")
            .name(&resource.fields[field].name)
            .push(" IS NOT NULL");
    }
    for (position, &field) in fields.iter().enumerate() {
        sql.push(if position == 0 { " GROUP BY " } else { ", " })
            .name(&resource.fields[field].name);
    }
    sql.push(" HAVING count(*) > 1 LIMIT 1");
    sql
}

fn exists(connection: &Connection, statement: &Statement) -> Result<bool> {
    Ok(prepared(connection, statement)?
        .raw_query()
        .next()?
        .is_some())
}

/// What is to be done, or why it cannot be.
#[derive(Debug, Default)]
struct Plan {
    changes: Vec<Change>,
    /// A line for each difference that could lose data or break a rule.
    differences: Vec<String>,
    created: Vec<usize>,
}

#[derive(Debug)]
struct Change {
    statement: Statement,
    /// For people, where it is worth one.
    sentence: Option<String>,
}

impl Plan {
    fn quietly(&mut self, statement: Statement) {
        self.changes.push(Change {
            statement,
            sentence: None,
        });
    }

    fn change(&mut self, statement: Statement, sentence: String) {
        self.changes.push(Change {
            statement,
            sentence: Some(sentence),
        });
    }

    fn append(&mut self, other: Plan) {
        self.changes.extend(other.changes);
        self.differences.extend(other.differences);
        self.created.extend(other.created);
    }
}

fn plan(schema: &Schema, facts: &Facts) -> Plan {
    let mut plan = Plan::default();
    for resource in &schema.resources {
        plan.append(plan_resource(resource, facts));
    }
    plan
}

fn plan_resource(resource: &Resource, facts: &Facts) -> Plan {
    let name = &resource.name;
    let mut plan = Plan::default();
    if name.as_str().starts_with("sqlite_") {
        let line =
            format!("resource `{name}`: SQLite keeps names that start with `sqlite_` for itself");
        plan.differences.push(line);
        return plan;
    }
    let mut table = facts.tables.get(&resource.index);
    match table {
        None => {
            plan.change(ddl::table(resource), format!("Created table `{name}`"));
            plan.created.push(resource.index);
        }
        Some(there) => {
            let altered = alter(resource, there, &facts.catalog);
            let ours = there.column("_version").is_some();
            match there.is_empty && ours && !altered.differences.is_empty() {
                true => {
                    remake(&mut plan, resource);
                    table = None;
                }
                false => plan.append(altered),
            }
        }
    }
    plan_indexes(&mut plan, resource, table, &facts.catalog);
    plan_triggers(&mut plan, resource, table, &facts.catalog);
    if resource.history
        && !facts
            .catalog
            .has(ddl::history_table(resource).name.as_str())
    {
        plan.quietly(ddl::history_table(resource).statement);
    }
    plan_kinds(&mut plan, resource, &facts.catalog);
    plan
}

/// An empty table is made anew; the ids that it has given stay given.
fn remake(plan: &mut Plan, resource: &Resource) {
    let name = &resource.name;
    let mut save = Statement::new(
        "CREATE TEMP TABLE carafe_sequence AS SELECT name, seq FROM sqlite_sequence WHERE name = ",
    );
    save.bind(name.as_str());
    plan.quietly(save);
    let mut drop = Statement::new("DROP TABLE ");
    drop.name(name);
    plan.quietly(drop);
    plan.change(
        ddl::table(resource),
        format!("Made the empty table `{name}` anew"),
    );
    plan.quietly(Statement::new(
        "INSERT INTO sqlite_sequence (name, seq) SELECT name, seq FROM carafe_sequence",
    ));
    plan.quietly(Statement::new("DROP TABLE carafe_sequence"));
}

/// What changes a table that has rows, or may have.
fn alter(resource: &Resource, table: &Table, catalog: &Catalog) -> Plan {
    let name = &resource.name;
    let mut plan = Plan::default();
    if table.column("_version").is_none() {
        plan.differences.push(format!(
            "resource `{name}`: the database has a table of that name that is not one of Carafe's"
        ));
        return plan;
    }
    alter_key(&mut plan, resource, table);
    alter_deletion(&mut plan, resource, table);
    for (position, field) in resource.fields.iter().enumerate() {
        match table.column(field.name.as_str()) {
            Some(column) => {
                let made_for = catalog
                    .kinds
                    .get(&(name.to_string(), field.name.to_string()));
                alter_column(
                    &mut plan,
                    resource,
                    field,
                    column,
                    made_for.map(String::as_str),
                    table.nulls.contains(&position),
                );
            }
            None => add_column(&mut plan, resource, field, table),
        }
    }
    for column in &table.columns {
        let ours = column.name.starts_with('_')
            || resource.column(&column.name).is_some()
            || column.is_primary_key;
        if !ours && column.not_null && !column.has_default {
            plan.differences.push(format!(
                "resource `{name}`: the table has a column `{}` that must not be null and is no field any more; declare the field again, or drop the column",
                column.name
            ));
        }
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

fn alter_key(plan: &mut Plan, resource: &Resource, table: &Table) {
    let key = &resource.key.field;
    let column = table.column(key.as_str());
    let fits = match resource.key.kind {
        KeyKind::Integer => column.is_some_and(|column| column.is_primary_key),
        KeyKind::Uuid | KeyKind::String => {
            table.column("_id").is_some()
                && column.is_some_and(|column| column.storage == "TEXT" && column.not_null)
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
    let name = &resource.name;
    match resource.delete {
        Delete::Hard if table.has_deleted => plan.differences.push(format!(
            "resource `{name}`: `delete` is \"hard\" now, but there are records that were deleted softly"
        )),
        Delete::Soft if table.column("_deleted_at").is_none() => {
            let mut at = Statement::new("ALTER TABLE ");
            at.name(name).push(" ADD COLUMN _deleted_at TEXT");
            let mut with = Statement::new("ALTER TABLE ");
            with.name(name).push(" ADD COLUMN _deleted_with TEXT");
            plan.quietly(at);
            plan.change(with, format!("Made records of `{name}` restorable after deletion"));
        }
        Delete::Hard | Delete::Soft => {}
    }
}

fn alter_column(
    plan: &mut Plan,
    resource: &Resource,
    field: &Field,
    column: &Column,
    made_for: Option<&str>,
    has_null: bool,
) {
    let place = format!("field `{}.{}`", resource.name, field.name);
    let kind = ddl::kind_text(&field.kind);
    let made_for = made_for.unwrap_or(&kind);
    if column.storage != table::storage(field) || !converts(made_for, &field.kind) {
        let line = format!("{place}: the type is {kind}, but the column was made for {made_for}");
        return plan.differences.push(line);
    }
    let alter = |end: &'static str| {
        let mut sql = Statement::new("ALTER TABLE ");
        sql.name(&resource.name)
            .push(" ALTER COLUMN ")
            .name(&field.name)
            .push(end);
        sql
    };
    match (column.not_null, field.optional) {
        (true, true) => plan.change(alter(" DROP NOT NULL"), format!("Made {place} optional")),
        (false, false) if has_null => {
            let line = format!(
                "{place}: it is not optional any more, but there are records without a value"
            );
            plan.differences.push(line);
        }
        (false, false) => plan.change(alter(" SET NOT NULL"), format!("Made {place} required")),
        (true, false) | (false, true) => {}
    }
}

/// Whether every value of a column made for one type is a value of another as it stands.
fn converts(made_for: &str, kind: &Kind) -> bool {
    let text = [
        "string", "text", "email", "url", "choice", "uuid", "date", "datetime",
    ];
    match kind {
        Kind::Text | Kind::String => text.contains(&made_for),
        Kind::Choice(_) => ["choice", "string"].contains(&made_for),
        _ => made_for == ddl::kind_text(kind),
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
    plan.change(ddl::add_column(resource, field), format!("Added {place}"));
}

/// Brings the indexes to what they should be; `table` is `None` for one that is made now.
fn plan_indexes(plan: &mut Plan, resource: &Resource, table: Option<&Table>, catalog: &Catalog) {
    let wanted = ddl::indexes(resource);
    let same =
        |index: &Object| table.is_some() && catalog.has_same(index.name.as_str(), &index.statement);
    if table.is_some() {
        drop_others(plan, resource, "index", &wanted, catalog);
    }
    for index in wanted.into_iter().filter(|index| !same(index)) {
        match table.is_some() {
            true => plan.change(
                index.statement,
                format!("Made index `{}`", index.name.as_str()),
            ),
            false => plan.quietly(index.statement),
        }
    }
}

/// Brings the triggers, and what they keep, to what they should be.
fn plan_triggers(plan: &mut Plan, resource: &Resource, table: Option<&Table>, catalog: &Catalog) {
    let wanted = ddl::triggers(resource);
    let same = |trigger: &Object| {
        table.is_some() && catalog.has_same(trigger.name.as_str(), &trigger.statement)
    };
    if table.is_some() {
        drop_others(plan, resource, "trigger", &wanted, catalog);
    }
    let missing: Vec<Object> = wanted
        .into_iter()
        .filter(|trigger| !same(trigger))
        .collect();
    let misses = |part: &str| {
        missing
            .iter()
            .any(|trigger| trigger.name.as_str().contains(part))
    };
    let recount = misses("__count_");
    let reindex = misses("__search_");
    plan_search(plan, resource, reindex, catalog);
    for trigger in missing {
        plan.quietly(trigger.statement);
    }
    if recount {
        plan.quietly(ddl::recount(resource));
    }
}

/// Makes the search index anew where it is missing or was kept for other fields: every row then
/// waits for it, and the writer's thread does the rest.
fn plan_search(plan: &mut Plan, resource: &Resource, reindex: bool, catalog: &Catalog) {
    let parts = [ddl::search_index(resource), ddl::pending_table(resource)];
    let complete = parts
        .iter()
        .all(|part| catalog.has_same(part.name.as_str(), &part.statement));
    let wanted = !resource.search.is_empty();
    if wanted && complete && !reindex {
        return;
    }
    for part in &parts {
        if catalog.has(part.name.as_str()) {
            let mut sql = Statement::new("DROP TABLE ");
            sql.identifier(&part.name);
            plan.quietly(sql);
        }
    }
    if wanted {
        for part in parts {
            plan.quietly(part.statement);
        }
        plan.quietly(ddl::all_pending(resource));
    }
}

/// Drops what is ours, and is not wanted or not in this form.
fn drop_others(
    plan: &mut Plan,
    resource: &Resource,
    kind: &'static str,
    wanted: &[Object],
    catalog: &Catalog,
) {
    for name in catalog.ours(&resource.name, kind) {
        let same = |object: &Object| {
            object.name.as_str() == name && catalog.has_same(&name, &object.statement)
        };
        if !wanted.iter().any(same) {
            let mut sql = Statement::new("DROP ");
            sql.push(if kind == "index" {
                "INDEX "
            } else {
                "TRIGGER "
            });
            sql.identifier(&Identifier::found(&name));
            plan.quietly(sql);
        }
    }
}

/// Notes what the columns are for.
fn plan_kinds(plan: &mut Plan, resource: &Resource, catalog: &Catalog) {
    for field in &resource.fields {
        let kind = ddl::kind_text(&field.kind);
        let known = catalog
            .kinds
            .get(&(resource.name.to_string(), field.name.to_string()));
        if known != Some(&kind) {
            let mut sql = Statement::new(
                "INSERT OR REPLACE INTO _carafe_schema (resource, field, kind) VALUES (",
            );
            sql.bind(resource.name.as_str())
                .push(", ")
                .bind(field.name.as_str())
                .push(", ")
                .bind(kind.as_str())
                .push(")");
            plan.quietly(sql);
        }
    }
}
