//! What Carafe keeps beside the columns of a table: indexes, triggers, counters, search indexes
//! and notes on types. It is brought to what it should be after the columns are; pure functions.

use carafe_model::name::Name;
use carafe_model::resource::Resource;
use carafe_model::schema::Schema;
use carafe_model::value::Value;

use crate::catalog::Catalog;
use crate::ddl::{self, Object};
use crate::dialect::Dialect;
use crate::migrate::facts::{Facts, Table};
use crate::statement::{Identifier, Statement};
use crate::{postgres, sqlite, table};

/// What is to be done.
#[derive(Debug)]
pub(super) struct Upkeep {
    dialect: Dialect,
    pub(super) works: Vec<Work>,
}

/// A statement of the upkeep.
#[derive(Clone, Debug)]
pub(super) struct Work {
    pub(super) statement: Statement,
    /// For people, while it is done.
    pub(super) title: Option<String>,
    /// It is told afterwards too; search is kept without a word, as in SQLite.
    pub(super) is_news: bool,
    /// The table that is read or written whole meanwhile.
    pub(super) reads: Option<Name>,
    /// An index, by its name: on a large table of PostgreSQL it is made while others write.
    pub(super) index: Option<Identifier>,
}

impl Upkeep {
    fn quietly(&mut self, statement: Statement) {
        self.works.push(Work {
            statement,
            title: None,
            is_news: false,
            reads: None,
            index: None,
        });
    }

    /// A statement that reads or writes all of a table.
    fn whole(&mut self, resource: &Resource, statement: Statement, title: String) {
        self.works.push(Work {
            statement,
            title: Some(title),
            is_news: true,
            reads: Some(resource.name.clone()),
            index: None,
        });
    }
}

/// What brings everything beside the columns to what it should be.
pub(super) fn plan(dialect: Dialect, schema: &Schema, facts: &Facts) -> Upkeep {
    let mut upkeep = Upkeep {
        dialect,
        works: Vec::new(),
    };
    for resource in &schema.resources {
        let table = facts.tables.get(&resource.index);
        // An index over the searched texts is made of all at once, when they are there.
        if table::has_search_column(dialect, resource) {
            plan_search_column(&mut upkeep, resource, table);
        }
        plan_triggers(&mut upkeep, resource, table, &facts.catalog);
        plan_indexes(&mut upkeep, resource, table, facts);
        plan_kinds(&mut upkeep, resource, &facts.catalog);
    }
    upkeep
}

/// Brings the indexes to what they should be; `table` is `None` for one that is made now.
fn plan_indexes(upkeep: &mut Upkeep, resource: &Resource, table: Option<&Table>, facts: &Facts) {
    let catalog = &facts.catalog;
    let searched = Identifier::new(upkeep.dialect, &resource.name, "__search");
    let mut wanted = ddl::indexes(upkeep.dialect, resource);
    if facts.has_trigrams && table::has_search_column(upkeep.dialect, resource) {
        wanted.push(postgres::ddl::search_index(resource));
    }
    let same =
        |index: &Object| table.is_some() && catalog.has_same(index.name.as_str(), &index.statement);
    if table.is_some() {
        drop_others(upkeep, resource, "index", wanted.iter(), catalog);
    }
    for index in wanted.into_iter().filter(|index| !same(index)) {
        let noted = note(upkeep.dialect, "INDEX", resource, &index);
        match table {
            Some(table) if !table.is_empty => {
                let title = format!("Made index `{}`", index.name.as_str());
                upkeep.whole(resource, index.statement, title);
                if let Some(work) = upkeep.works.last_mut() {
                    work.is_news = index.name != searched;
                    work.index = Some(index.name);
                }
            }
            Some(_) | None => upkeep.quietly(index.statement),
        }
        if let Some(noted) = noted {
            upkeep.quietly(noted);
        }
    }
}

/// Notes how an object was defined, where the database does not give that back.
fn note(
    dialect: Dialect,
    kind: &'static str,
    resource: &Resource,
    object: &Object,
) -> Option<Statement> {
    (dialect == Dialect::Postgres).then(|| postgres::ddl::comment(kind, resource, object))
}

/// Adds the column with the searched text.
fn plan_search_column(upkeep: &mut Upkeep, resource: &Resource, table: Option<&Table>) {
    if table.is_some_and(|table| table.column("_search").is_none()) {
        upkeep.quietly(postgres::ddl::add_search_column(resource));
    }
}

/// Brings the triggers, and what they keep, to what they should be.
fn plan_triggers(
    upkeep: &mut Upkeep,
    resource: &Resource,
    table: Option<&Table>,
    catalog: &Catalog,
) {
    let wanted = match upkeep.dialect {
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
        drop_others(upkeep, resource, "trigger", wanted.all(), catalog);
    }
    match upkeep.dialect {
        Dialect::Sqlite => plan_search(upkeep, resource, reindex, catalog),
        Dialect::Postgres => plan_searched(upkeep, resource, reindex, table),
    }
    for trigger in wanted.all().filter(|trigger| !same(trigger)) {
        let noted = note(upkeep.dialect, "TRIGGER", resource, trigger);
        upkeep.quietly(trigger.statement.clone());
        if let Some(noted) = noted {
            upkeep.quietly(noted);
        }
    }
    if recount {
        match upkeep.dialect {
            Dialect::Sqlite => upkeep.quietly(sqlite::ddl::recount(resource)),
            Dialect::Postgres => {
                for statement in postgres::ddl::recount(resource) {
                    upkeep.quietly(statement);
                }
            }
        }
    }
}

/// Makes the searched texts of PostgreSQL anew where their column is new or was kept for other
/// fields.
fn plan_searched(upkeep: &mut Upkeep, resource: &Resource, refill: bool, table: Option<&Table>) {
    if resource.search.is_empty() {
        if table.is_some_and(|table| table.column("_search").is_some()) {
            upkeep.quietly(postgres::ddl::drop_search_column(resource));
            upkeep.quietly(postgres::ddl::drop_search_function(resource));
        }
        return;
    }
    if !refill {
        return;
    }
    upkeep.quietly(postgres::ddl::search_function(resource));
    if table.is_some_and(|table| !table.is_empty) {
        // That is no change of the records.
        upkeep.quietly(postgres::ddl::triggers_off(resource, true));
        let title = format!("Made the searched texts of `{}`", resource.name);
        upkeep.whole(resource, postgres::ddl::fill_search(resource), title);
        if let Some(work) = upkeep.works.last_mut() {
            work.is_news = false;
        }
        upkeep.quietly(postgres::ddl::triggers_off(resource, false));
    }
}

/// Makes the search index of SQLite anew where it is missing or was kept for other fields: every
/// row then waits for it, and the writer's thread does the rest.
fn plan_search(upkeep: &mut Upkeep, resource: &Resource, reindex: bool, catalog: &Catalog) {
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
            let mut sql = Statement::new(upkeep.dialect, "DROP TABLE ");
            sql.identifier(&part.name);
            upkeep.quietly(sql);
        }
    }
    if wanted {
        for part in parts {
            upkeep.quietly(part.statement);
        }
        upkeep.quietly(sqlite::ddl::all_pending(resource));
    }
}

/// Drops what is ours, and is not wanted or not in this form.
fn drop_others<'o>(
    upkeep: &mut Upkeep,
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
            let mut sql = Statement::new(upkeep.dialect, "DROP ");
            sql.push(if kind == "index" {
                "INDEX IF EXISTS "
            } else {
                "TRIGGER "
            });
            sql.identifier(&Identifier::found(&name));
            if kind == "trigger" && upkeep.dialect == Dialect::Postgres {
                sql.push(" ON ").name(&resource.name);
            }
            upkeep.quietly(sql);
        }
    }
}

/// Notes what the columns are for.
fn plan_kinds(upkeep: &mut Upkeep, resource: &Resource, catalog: &Catalog) {
    for field in &resource.fields {
        let kind = ddl::kind_text(&field.kind);
        let known = catalog
            .kinds
            .get(&(resource.name.to_string(), field.name.to_string()));
        if known != Some(&kind) {
            let mut sql = Statement::new(
                upkeep.dialect,
                "INSERT INTO _carafe_schema (resource, field, kind) VALUES (",
            );
            sql.name_text(&resource.name)
                .push(", ")
                .name_text(&field.name)
                .push(", ")
                .literal(&Value::Text(kind))
                .push(") ON CONFLICT (resource, field) DO UPDATE SET kind = excluded.kind");
            upkeep.quietly(sql);
        }
    }
}
