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
use crate::dialect::Dialect;
use crate::error::{Error, Result};
use crate::sqlite::transaction::{SqliteTransaction, now};
use crate::sqlite::writer;
use crate::statement::{Identifier, Statement};
use crate::storage::Storage;
use crate::store::Migrated;
use crate::transaction::Transaction;
use crate::{postgres, sqlite, table, write};

/// Migrates on the writer's connection, or changes nothing.
pub(crate) fn on_sqlite(connection: &Connection, schema: &Schema) -> Result<Migrated> {
    // The lock is taken before anything is read: two processes may start at once.
    writer::begin(connection)?;
    let outcome = now(run(&mut SqliteTransaction(connection), schema));
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

/// Migrates in a transaction. After an error the caller rolls back.
pub(crate) async fn run(tx: &mut impl Transaction, schema: &Schema) -> Result<Migrated> {
    let dialect = tx.dialect();
    let own = match dialect {
        Dialect::Sqlite => sqlite::ddl::own(),
        Dialect::Postgres => {
            // Two processes may start at once.
            tx.run(&write::one_at_a_time()).await?;
            postgres::ddl::own()
        }
    };
    for statement in &own {
        tx.run(statement).await?;
    }
    let facts = Facts::read(tx, schema).await?;
    let plan = plan(dialect, schema, &facts);
    if !plan.differences.is_empty() {
        return Err(Error::Incompatible(plan.differences));
    }
    let mut migrated = Migrated {
        changes: Vec::new(),
        created: plan.created,
    };
    for change in plan.changes {
        tx.run(&change.statement).await?;
        migrated.changes.extend(change.sentence);
    }
    Ok(migrated)
}

/// Why rows cannot be read as the declaration says before a migration, a line each. Nothing is
/// changed.
pub(crate) async fn shortcomings(
    tx: &mut impl Transaction,
    schema: &Schema,
) -> Result<Vec<String>> {
    let dialect = tx.dialect();
    let catalog = Catalog::read(tx).await?;
    let mut lines = Vec::new();
    if !catalog.has("_carafe_request") {
        lines.push("it has no tables of this version of Carafe".to_owned());
    }
    for resource in &schema.resources {
        let name = &resource.name;
        if !catalog.has(name.as_str()) {
            lines.push(format!("resource `{name}`: there is no table of that name"));
            continue;
        }
        let table = Table::read(tx, &catalog, resource).await?;
        let altered = alter(dialect, resource, &table, &catalog);
        if !altered.differences.is_empty() {
            lines.extend(altered.differences);
            continue;
        }
        let fields = resource.fields.iter().map(|field| field.name.as_str());
        let own = (resource.delete == Delete::Soft).then_some("_deleted_at");
        let missing = fields
            .chain(own)
            .filter(|column| table.column(column).is_none());
        lines.extend(
            missing.map(|column| format!("resource `{name}`: the table has no column `{column}`")),
        );
        let history = ddl::history_table(dialect, resource).name;
        if resource.history && !catalog.has(history.as_str()) {
            lines.push(format!(
                "resource `{name}`: there is no table of its history"
            ));
        }
    }
    Ok(lines)
}

/// What a plan depends on.
#[derive(Debug, Default)]
struct Facts {
    catalog: Catalog,
    /// Whether PostgreSQL can index trigrams.
    has_trigrams: bool,
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
    async fn read(tx: &mut impl Transaction, schema: &Schema) -> Result<Self> {
        let catalog = Catalog::read(tx).await?;
        let has_trigrams = match tx.dialect() {
            Dialect::Sqlite => false,
            Dialect::Postgres => {
                schema
                    .resources
                    .iter()
                    .any(|resource| !resource.search.is_empty())
                    && make_trigrams(tx).await?
            }
        };
        let mut tables = BTreeMap::new();
        for resource in &schema.resources {
            if catalog.has(resource.name.as_str()) {
                tables.insert(resource.index, Table::read(tx, &catalog, resource).await?);
            }
        }
        Ok(Self {
            catalog,
            has_trigrams,
            tables,
        })
    }
}

impl Table {
    async fn read(
        tx: &mut impl Transaction,
        catalog: &Catalog,
        resource: &Resource,
    ) -> Result<Self> {
        let mut table = Self {
            columns: catalog::columns(tx, &resource.name).await?,
            ..Self::default()
        };
        let mut any = Statement::new(tx.dialect(), "SELECT 1 FROM ");
        any.name(&resource.name).push(" LIMIT 1");
        table.is_empty = !exists(tx, &any).await?;
        if table.column("_deleted_at").is_some() {
            let mut deleted = Statement::new(tx.dialect(), "SELECT 1 FROM ");
            deleted
                .name(&resource.name)
                .push(" WHERE _deleted_at IS NOT NULL LIMIT 1");
            table.has_deleted = exists(tx, &deleted).await?;
        }
        for (position, field) in resource.fields.iter().enumerate() {
            let loose = table
                .column(field.name.as_str())
                .is_some_and(|column| !column.not_null);
            if loose
                && !field.optional
                && exists(tx, &find_null(tx.dialect(), resource, field)).await?
            {
                table.nulls.insert(position);
            }
        }
        let soft = table.column("_deleted_at").is_some();
        for index in ddl::indexes(tx.dialect(), resource) {
            let Some(unique) = unique_of(tx.dialect(), resource, &index) else {
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
                && has_two_rows(tx, resource).await?
            {
                table.broken.insert(unique);
            }
            if come.is_empty()
                && !catalog.has_same(index.name.as_str(), &index.statement)
                && exists(tx, &find_repeated(tx.dialect(), resource, fields, soft)).await?
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

async fn has_two_rows(tx: &mut impl Transaction, resource: &Resource) -> Result<bool> {
    let mut second = Statement::new(tx.dialect(), "SELECT 1 FROM ");
    second.name(&resource.name).push(" LIMIT 1 OFFSET 1");
    exists(tx, &second).await
}

/// Makes sure that PostgreSQL's `pg_trgm` is there, if it can be had. Searches read every text
/// without it.
async fn make_trigrams(tx: &mut impl Transaction) -> Result<bool> {
    let mut is_there = Statement::new(tx.dialect(), "SELECT 1 FROM pg_extension WHERE extname = ");
    is_there.bind("pg_trgm");
    if exists(tx, &is_there).await? {
        return Ok(true);
    }
    let mut can_be = Statement::new(
        tx.dialect(),
        "SELECT 1 FROM pg_available_extension_versions WHERE name = ",
    );
    can_be.bind("pg_trgm").push(
        " AND (NOT superuser OR trusted OR (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)) \
         AND has_database_privilege(current_database(), 'CREATE') LIMIT 1",
    );
    if !exists(tx, &can_be).await? {
        tracing::warn!(
            "PostgreSQL's extension pg_trgm is not there and cannot be made by this user: searches read every text"
        );
        return Ok(false);
    }
    tx.run(&Statement::new(tx.dialect(), "CREATE EXTENSION pg_trgm"))
        .await?;
    Ok(true)
}

/// The unique set that an index is for.
fn unique_of(dialect: Dialect, resource: &Resource, index: &Object) -> Option<usize> {
    let sets = resource.unique.iter();
    sets.enumerate()
        .find(|(_, fields)| ddl::unique_name(dialect, resource, fields) == index.name)
        .map(|(position, _)| position)
}

fn find_null(dialect: Dialect, resource: &Resource, field: &Field) -> Statement {
    let mut sql = Statement::new(dialect, "SELECT 1 FROM ");
    sql.name(&resource.name)
        .push(" WHERE ")
        .name(&field.name)
        .push(" IS NULL LIMIT 1");
    sql
}

fn find_repeated(dialect: Dialect, resource: &Resource, fields: &[usize], soft: bool) -> Statement {
    let mut sql = Statement::new(dialect, "SELECT 1 FROM ");
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

async fn exists(tx: &mut impl Transaction, statement: &Statement) -> Result<bool> {
    Ok(!tx.rows(statement).await?.is_empty())
}

/// What is to be done, or why it cannot be.
#[derive(Debug)]
struct Plan {
    dialect: Dialect,
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
    fn new(dialect: Dialect) -> Self {
        Self {
            dialect,
            changes: Vec::new(),
            differences: Vec::new(),
            created: Vec::new(),
        }
    }

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

fn plan(dialect: Dialect, schema: &Schema, facts: &Facts) -> Plan {
    let mut plan = Plan::new(dialect);
    for resource in &schema.resources {
        plan.append(plan_resource(dialect, resource, facts));
    }
    plan
}

fn plan_resource(dialect: Dialect, resource: &Resource, facts: &Facts) -> Plan {
    let name = &resource.name;
    let mut plan = Plan::new(dialect);
    if name.as_str().starts_with("sqlite_") {
        let line =
            format!("resource `{name}`: SQLite keeps names that start with `sqlite_` for itself");
        plan.differences.push(line);
        return plan;
    }
    let mut table = facts.tables.get(&resource.index);
    match table {
        None => {
            plan.change(
                ddl::table(dialect, resource),
                format!("Created table `{name}`"),
            );
            plan.created.push(resource.index);
        }
        Some(there) => {
            let altered = alter(dialect, resource, there, &facts.catalog);
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
    plan_indexes(&mut plan, resource, table, facts);
    plan_triggers(&mut plan, resource, table, &facts.catalog);
    if resource.history
        && !facts
            .catalog
            .has(ddl::history_table(dialect, resource).name.as_str())
    {
        plan.quietly(ddl::history_table(dialect, resource).statement);
    }
    plan_kinds(&mut plan, resource, &facts.catalog);
    plan
}

/// An empty table is made anew; the ids that it has given stay given.
fn remake(plan: &mut Plan, resource: &Resource) {
    let name = &resource.name;
    let sequence = table::sequence(plan.dialect, resource);
    let mut save = Statement::new(plan.dialect, "CREATE TEMP TABLE carafe_sequence AS SELECT ");
    let mut set = Statement::new(plan.dialect, "");
    match plan.dialect {
        Dialect::Sqlite => {
            save.push("name, seq FROM sqlite_sequence WHERE name = ")
                .bind(name.as_str());
            set.push(
                "INSERT INTO sqlite_sequence (name, seq) SELECT name, seq FROM carafe_sequence",
            );
        }
        Dialect::Postgres => {
            save.push("last_value, is_called FROM ")
                .identifier(&sequence);
            set.push("SELECT setval('")
                .identifier(&sequence)
                .push("', last_value, is_called) FROM carafe_sequence");
        }
    }
    plan.quietly(save);
    let mut drop = Statement::new(plan.dialect, "DROP TABLE ");
    drop.name(name);
    plan.quietly(drop);
    plan.change(
        ddl::table(plan.dialect, resource),
        format!("Made the empty table `{name}` anew"),
    );
    plan.quietly(set);
    plan.quietly(Statement::new(plan.dialect, "DROP TABLE carafe_sequence"));
}

/// What changes a table that has rows, or may have.
fn alter(dialect: Dialect, resource: &Resource, table: &Table, catalog: &Catalog) -> Plan {
    let name = &resource.name;
    let mut plan = Plan::new(dialect);
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
                && column.is_some_and(|column| {
                    let storage = Storage::of_key(resource.key.kind);
                    column.storage == storage.type_name(plan.dialect) && column.not_null
                })
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
            let mut at = Statement::new(plan.dialect, "ALTER TABLE ");
            at.name(name).push(" ADD COLUMN _deleted_at ");
            Storage::Datetime.write_type(&mut at);
            let mut with = Statement::new(plan.dialect, "ALTER TABLE ");
            with.name(name).push(" ADD COLUMN _deleted_with ");
            Storage::Text.write_type(&mut with);
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
    if column.storage != Storage::of(field).type_name(plan.dialect)
        || !converts(made_for, &field.kind)
    {
        let line = format!("{place}: the type is {kind}, but the column was made for {made_for}");
        return plan.differences.push(line);
    }
    let dialect = plan.dialect;
    let alter = |end: &'static str| {
        let mut sql = Statement::new(dialect, "ALTER TABLE ");
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
    plan.change(
        ddl::add_column(plan.dialect, resource, field),
        format!("Added {place}"),
    );
}

/// Brings the indexes to what they should be; `table` is `None` for one that is made now.
fn plan_indexes(plan: &mut Plan, resource: &Resource, table: Option<&Table>, facts: &Facts) {
    let catalog = &facts.catalog;
    let searched = Identifier::new(plan.dialect, &resource.name, "__search");
    let mut wanted = ddl::indexes(plan.dialect, resource);
    if table::has_search_column(plan.dialect, resource) {
        plan_search_column(plan, resource, table);
        if facts.has_trigrams {
            wanted.push(postgres::ddl::search_index(resource));
        }
    }
    let same =
        |index: &Object| table.is_some() && catalog.has_same(index.name.as_str(), &index.statement);
    if table.is_some() {
        drop_others(plan, resource, "index", wanted.iter(), catalog);
    }
    for index in wanted.into_iter().filter(|index| !same(index)) {
        let noted = note(plan.dialect, "INDEX", resource, &index);
        let is_search = index.name == searched;
        match table.is_some() && !is_search {
            true => plan.change(
                index.statement,
                format!("Made index `{}`", index.name.as_str()),
            ),
            false => plan.quietly(index.statement),
        }
        plan.changes.extend(noted);
    }
}

/// Notes how an object was defined, where the database does not give that back.
fn note(
    dialect: Dialect,
    kind: &'static str,
    resource: &Resource,
    object: &Object,
) -> Option<Change> {
    (dialect == Dialect::Postgres).then(|| Change {
        statement: postgres::ddl::comment(kind, resource, object),
        sentence: None,
    })
}

/// Adds the column with the searched text.
fn plan_search_column(plan: &mut Plan, resource: &Resource, table: Option<&Table>) {
    if table.is_some_and(|table| table.column("_search").is_none()) {
        plan.quietly(postgres::ddl::add_search_column(resource));
    }
}

/// Brings the triggers, and what they keep, to what they should be.
fn plan_triggers(plan: &mut Plan, resource: &Resource, table: Option<&Table>, catalog: &Catalog) {
    let wanted = match plan.dialect {
        Dialect::Sqlite => sqlite::ddl::triggers(resource),
        Dialect::Postgres => postgres::ddl::triggers(resource),
    };
    let same = |trigger: &Object| {
        table.is_some() && catalog.has_same(trigger.name.as_str(), &trigger.statement)
    };
    let is_missing = |triggers: &[Object]| !triggers.iter().all(same);
    let recount = is_missing(&wanted.counters);
    let reindex = is_missing(&wanted.search);
    if table.is_some() {
        drop_others(plan, resource, "trigger", wanted.all(), catalog);
    }
    match plan.dialect {
        Dialect::Sqlite => plan_search(plan, resource, reindex, catalog),
        Dialect::Postgres => plan_searched(plan, resource, reindex, table),
    }
    for trigger in wanted.all().filter(|trigger| !same(trigger)) {
        let noted = note(plan.dialect, "TRIGGER", resource, trigger);
        plan.quietly(trigger.statement.clone());
        plan.changes.extend(noted);
    }
    if recount {
        match plan.dialect {
            Dialect::Sqlite => plan.quietly(sqlite::ddl::recount(resource)),
            Dialect::Postgres => {
                for statement in postgres::ddl::recount(resource) {
                    plan.quietly(statement);
                }
            }
        }
    }
}

/// Makes the searched texts of PostgreSQL anew where their column is new or was kept for other
/// fields.
fn plan_searched(plan: &mut Plan, resource: &Resource, refill: bool, table: Option<&Table>) {
    if resource.search.is_empty() {
        if table.is_some_and(|table| table.column("_search").is_some()) {
            plan.quietly(postgres::ddl::drop_search_column(resource));
            plan.quietly(postgres::ddl::drop_search_function(resource));
        }
        return;
    }
    if !refill {
        return;
    }
    plan.quietly(postgres::ddl::search_function(resource));
    if table.is_some_and(|table| !table.is_empty) {
        // That is no change of the records.
        plan.quietly(postgres::ddl::triggers_off(resource, true));
        plan.quietly(postgres::ddl::fill_search(resource));
        plan.quietly(postgres::ddl::triggers_off(resource, false));
    }
}

/// Makes the search index of SQLite anew where it is missing or was kept for other fields: every
/// row then waits for it, and the writer's thread does the rest.
fn plan_search(plan: &mut Plan, resource: &Resource, reindex: bool, catalog: &Catalog) {
    let parts = [
        sqlite::ddl::search_index(resource),
        sqlite::ddl::pending_table(resource),
    ];
    let complete = parts
        .iter()
        .all(|part| catalog.has_same(part.name.as_str(), &part.statement));
    let wanted = !resource.search.is_empty();
    if wanted && complete && !reindex {
        return;
    }
    for part in &parts {
        if catalog.has(part.name.as_str()) {
            let mut sql = Statement::new(plan.dialect, "DROP TABLE ");
            sql.identifier(&part.name);
            plan.quietly(sql);
        }
    }
    if wanted {
        for part in parts {
            plan.quietly(part.statement);
        }
        plan.quietly(sqlite::ddl::all_pending(resource));
    }
}

/// Drops what is ours, and is not wanted or not in this form.
fn drop_others<'o>(
    plan: &mut Plan,
    resource: &Resource,
    kind: &'static str,
    wanted: impl Iterator<Item = &'o Object> + Clone,
    catalog: &Catalog,
) {
    for name in catalog.ours(&resource.name, kind) {
        let same = |object: &Object| {
            object.name.as_str() == name && catalog.has_same(&name, &object.statement)
        };
        if !wanted.clone().any(same) {
            let mut sql = Statement::new(plan.dialect, "DROP ");
            sql.push(if kind == "index" {
                "INDEX "
            } else {
                "TRIGGER "
            });
            sql.identifier(&Identifier::found(&name));
            if kind == "trigger" && plan.dialect == Dialect::Postgres {
                sql.push(" ON ").name(&resource.name);
            }
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
                plan.dialect,
                "INSERT INTO _carafe_schema (resource, field, kind) VALUES (",
            );
            sql.bind(resource.name.as_str())
                .push(", ")
                .bind(field.name.as_str())
                .push(", ")
                .bind(kind.as_str())
                .push(") ON CONFLICT (resource, field) DO UPDATE SET kind = excluded.kind");
            plan.quietly(sql);
        }
    }
}
