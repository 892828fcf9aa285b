//! Statements that write, and writes as lists of guarded steps: pure functions.

use std::sync::Arc;

use carafe_model::key::{Key, KeyKind};
use carafe_model::kind::Kind;
use carafe_model::name::Name;
use carafe_model::record::Record;
use carafe_model::resource::{Delete, Resource};
use carafe_model::schema::Schema;
use carafe_model::value::Value;

use crate::cascade::{Deletion, Restoration};
use crate::dialect::Dialect;
use crate::error::Error;
use crate::plan::Plans;
use crate::postgres::array::{self, Array};
use crate::statement::{Parameter, Statement, Text};
use crate::storage::Storage;
use crate::store::{Scope, Stamp};
use crate::table;
use crate::text;

/// Changes that are made all or none.
pub(crate) struct Write {
    pub(crate) plans: Arc<Plans>,
    /// The resource that the write is about.
    pub(crate) resource: usize,
    pub(crate) work: Work,
}

pub(crate) enum Work {
    Steps(Vec<Step>),
    Delete(Deletion),
    Restore(Restoration),
}

/// One statement of a write, and what it must do for the write to go on.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) text: Text,
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) expect: Expect,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expect {
    /// Makes a row, whose id later steps may use.
    Insert,
    /// Changes exactly one row, else the write is refused.
    Change(Refusal),
    /// Finds a row, else the write is refused.
    Require(Refusal),
    /// Whatever it does is well.
    Run,
}

/// Why a guard refuses a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    Stale,
    Repeated,
    NoReference { field: usize },
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Stale => Error::Stale,
            Refusal::Repeated => Error::Repeated,
            Refusal::NoReference { field } => Error::NoReference { field },
        }
    }
}

impl Step {
    pub(crate) fn new(statement: Statement, expect: Expect) -> Self {
        let (text, parameters) = statement.into_parts();
        Self {
            text,
            parameters,
            expect,
        }
    }

    /// Whether it can change anything.
    pub(crate) fn changes(&self) -> bool {
        match self.expect {
            Expect::Insert | Expect::Change(_) | Expect::Run => true,
            Expect::Require(_) => false,
        }
    }
}

/// What a version in the history came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    Create,
    Update,
    Delete,
    Restore,
}

impl Action {
    pub const ALL: [Action; 4] = [
        Action::Create,
        Action::Update,
        Action::Delete,
        Action::Restore,
    ];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Action::Create => "create",
            Action::Update => "update",
            Action::Delete => "delete",
            Action::Restore => "restore",
        }
    }
}

/// Inserts a row. `OR FAIL` spares SQLite a journal for this statement, which copies each page
/// that the row and its triggers change: what of it is done when it fails is undone by whoever
/// runs it. Parameters: the key unless the database gives it, then the fields, then the
/// searched text where there is a column for it. PostgreSQL returns the id.
pub(crate) fn insert(dialect: Dialect, resource: &Resource) -> Statement {
    let mut sql = match dialect {
        Dialect::Sqlite => Statement::new(dialect, "INSERT OR FAIL INTO "),
        Dialect::Postgres => Statement::new(dialect, "INSERT INTO "),
    };
    sql.name(&resource.name);
    let key = (resource.key.kind != KeyKind::Integer)
        .then_some((Storage::of_key(resource.key.kind), &resource.key.field));
    let fields = resource.fields.iter();
    let columns: Vec<_> = key
        .into_iter()
        .chain(fields.map(|field| (Storage::of(field), &field.name)))
        .collect();
    let searched = table::has_search_column(dialect, resource);
    if columns.is_empty() {
        sql.push(" DEFAULT VALUES");
    } else {
        for (position, (_, name)) in columns.iter().enumerate() {
            sql.push(if position == 0 { " (" } else { ", " }).name(name);
        }
        sql.push(if searched {
            ", _search) VALUES ("
        } else {
            ") VALUES ("
        });
        for (position, (storage, _)) in columns.iter().enumerate() {
            sql.push(if position == 0 { "" } else { ", " })
                .hole(position + 1, *storage);
        }
        if searched {
            sql.push(", ").hole(columns.len() + 1, Storage::Text);
        }
        sql.push(")");
    }
    if dialect == Dialect::Postgres {
        sql.push(" RETURNING ");
        table::id(&mut sql, resource);
    }
    sql
}

/// Inserts many rows in PostgreSQL by one statement, which returns their ids, rising in the order
/// of the rows.
pub(crate) struct InsertMany {
    pub(crate) text: Text,
    storages: Vec<Storage>,
}

impl InsertMany {
    pub(crate) fn new(resource: &Resource) -> Self {
        Self {
            text: insert_all(resource).into_text(),
            storages: insert_storages(resource),
        }
    }

    /// The columns of rows, which have what [`insert`] binds.
    pub(crate) fn arrays<'v>(&self, rows: &'v [Vec<Value>]) -> Vec<Array<'v>> {
        let storages = self.storages.iter().enumerate();
        let columns =
            storages.map(|(position, &storage)| Array::of_column(storage, rows, position));
        columns.collect()
    }
}

/// Inserts many rows in PostgreSQL, whose columns are bound as arrays in the order of
/// [`insert_storages`], and returns their ids, which rise in the order of the rows.
fn insert_all(resource: &Resource) -> Statement {
    insert_of_arrays(resource, "")
}

/// The same, but rows whose unique values are taken are passed over.
pub(crate) fn insert_free(resource: &Resource) -> Statement {
    insert_of_arrays(resource, " ON CONFLICT DO NOTHING")
}

fn insert_of_arrays(resource: &Resource, clash: &'static str) -> Statement {
    let mut sql = Statement::new(Dialect::Postgres, "INSERT INTO ");
    sql.name(&resource.name);
    let key = (resource.key.kind != KeyKind::Integer).then_some(&resource.key.field);
    let fields = resource.fields.iter().map(|field| &field.name);
    for (position, name) in key.into_iter().chain(fields).enumerate() {
        sql.push(if position == 0 { " (" } else { ", " }).name(name);
    }
    if table::has_search_column(Dialect::Postgres, resource) {
        sql.push(", _search");
    }
    sql.push(") ");
    let columns: Vec<_> = insert_storages(resource)
        .into_iter()
        .map(|storage| (storage, ""))
        .collect();
    array::select(&mut sql, &columns);
    sql.push(clash).push(" RETURNING ");
    table::id(&mut sql, resource);
    sql
}

/// How the values are kept that [`insert_all`] takes.
fn insert_storages(resource: &Resource) -> Vec<Storage> {
    let key = resource.key.kind;
    let key = (key != KeyKind::Integer).then(|| Storage::of_key(key));
    let fields = resource.fields.iter().map(Storage::of);
    let searched = table::has_search_column(Dialect::Postgres, resource).then_some(Storage::Text);
    key.into_iter().chain(fields).chain(searched).collect()
}

/// Changes fields of a live row that is in the given version, and the searched text of it
/// where there is a column for it. `OR FAIL` as in [`insert`].
pub(crate) fn update(
    dialect: Dialect,
    resource: &Resource,
    current: &Record,
    changes: &[(usize, Value)],
) -> Statement {
    let mut sql = match dialect {
        Dialect::Sqlite => Statement::new(dialect, "UPDATE OR FAIL "),
        Dialect::Postgres => Statement::new(dialect, "UPDATE "),
    };
    sql.name(&resource.name)
        .push(" SET _version = _version + 1");
    for (field, value) in changes {
        sql.push(", ")
            .name(&resource.fields[*field].name)
            .push(" = ")
            .bind_as(Storage::of(&resource.fields[*field]), value.clone());
    }
    let searched = changes
        .iter()
        .any(|(field, _)| resource.search.contains(field));
    if searched && table::has_search_column(dialect, resource) {
        let changed = |field: usize| changes.iter().find(|(changed, _)| *changed == field);
        let text = searched_text(resource, |field| {
            changed(field).map_or(&current.values[field], |(_, value)| value)
        });
        sql.push(", _search = ").bind(text.as_str());
    }
    guard(&mut sql, resource, current.id, current.version);
    sql
}

/// What a search of a resource looks through in a row with these values.
pub(crate) fn searched_text<'v>(resource: &Resource, value: impl Fn(usize) -> &'v Value) -> String {
    let values = resource.search.iter().map(|&field| value(field));
    text::searched(values.filter_map(|value| match value {
        Value::Text(text) => Some(text.as_str()),
        Value::Null | Value::Boolean(_) | Value::Integer(_) | Value::Number(_) => None,
    }))
}

/// Deletes a live row that is in the given version, in the way its resource does.
pub(crate) fn delete(
    dialect: Dialect,
    resource: &Resource,
    id: i64,
    version: i64,
    stamp: &Stamp,
    token: &str,
) -> Statement {
    let mut sql = removal(dialect, resource, stamp, token);
    guard(&mut sql, resource, id, version);
    sql
}

/// Deletes a row by id, in the way its resource does.
pub(crate) fn delete_by_id(
    dialect: Dialect,
    resource: &Resource,
    id: i64,
    stamp: &Stamp,
    token: &str,
) -> Statement {
    let mut sql = removal(dialect, resource, stamp, token);
    by_id(&mut sql, resource, id);
    sql
}

fn removal(dialect: Dialect, resource: &Resource, stamp: &Stamp, token: &str) -> Statement {
    match resource.delete {
        Delete::Soft => {
            let mut sql = Statement::new(dialect, "UPDATE ");
            sql.name(&resource.name)
                .push(" SET _version = _version + 1, _deleted_at = ");
            sql.bind_as(Storage::Datetime, stamp.at.as_str())
                .push(", _deleted_with = ")
                .bind(token);
            sql
        }
        Delete::Hard => {
            let mut sql = Statement::new(dialect, "DELETE FROM ");
            sql.name(&resource.name);
            sql
        }
    }
}

/// Brings a row deleted softly back, by id.
pub(crate) fn restore(dialect: Dialect, resource: &Resource, id: i64) -> Statement {
    let mut sql = Statement::new(dialect, "UPDATE ");
    sql.name(&resource.name);
    sql.push(" SET _version = _version + 1, _deleted_at = NULL, _deleted_with = NULL");
    by_id(&mut sql, resource, id);
    sql
}

/// Makes a reference null, by id.
pub(crate) fn clear(dialect: Dialect, resource: &Resource, field: usize, id: i64) -> Statement {
    let mut sql = Statement::new(dialect, "UPDATE ");
    sql.name(&resource.name)
        .push(" SET _version = _version + 1, ");
    sql.name(&resource.fields[field].name).push(" = NULL");
    by_id(&mut sql, resource, id);
    sql
}

fn by_id(sql: &mut Statement, resource: &Resource, id: i64) {
    sql.push(" WHERE ");
    table::id(sql, resource);
    sql.push(" = ").bind(id);
}

fn guard(sql: &mut Statement, resource: &Resource, id: i64, version: i64) {
    by_id(sql, resource, id);
    sql.push(" AND _version = ").bind(version);
    table::and_live(sql, resource);
}

/// Finds a row that is in the given version: its id, key, and the token of its deletion.
pub(crate) fn find(
    dialect: Dialect,
    resource: &Resource,
    scope: Scope,
    id: i64,
    version: i64,
) -> Statement {
    let mut sql = Statement::new(dialect, "SELECT ");
    table::id(&mut sql, resource);
    sql.push(", ");
    table::key(&mut sql, resource);
    sql.push(match resource.delete {
        Delete::Soft => ", _deleted_with FROM ",
        Delete::Hard => ", NULL FROM ",
    });
    sql.name(&resource.name);
    by_id(&mut sql, resource, id);
    sql.push(" AND _version = ").bind(version).push(" AND ");
    table::scope(&mut sql, resource, scope);
    hold(&mut sql);
    sql
}

/// Keeps the rows of a `SELECT` as they are until the transaction ends, in PostgreSQL, where
/// others write at the same time: nobody changes them, and nobody comes to refer to them.
fn hold(sql: &mut Statement) {
    sql.push_either("", " FOR UPDATE");
}

/// The live rows that refer to a key through a field, up to a limit: id and key.
pub(crate) fn referrers(
    dialect: Dialect,
    child: &Resource,
    field: usize,
    key: &Key,
    limit: Option<i64>,
) -> Statement {
    let mut sql = Statement::new(dialect, "SELECT ");
    table::id(&mut sql, child);
    sql.push(", ");
    table::key(&mut sql, child);
    sql.push(" FROM ").name(&child.name);
    sql.push(" WHERE ")
        .name(&child.fields[field].name)
        .push(" = ")
        .bind_as(Storage::of(&child.fields[field]), key.to_value());
    table::and_live(&mut sql, child);
    if let Some(limit) = limit {
        sql.push(" LIMIT ").bind(limit);
    }
    hold(&mut sql);
    sql
}

/// The rows that a deletion took along: id and key.
pub(crate) fn deleted_with(dialect: Dialect, resource: &Resource, token: &str) -> Statement {
    let mut sql = Statement::new(dialect, "SELECT ");
    table::id(&mut sql, resource);
    sql.push(", ");
    table::key(&mut sql, resource);
    sql.push(" FROM ").name(&resource.name);
    sql.push(" WHERE _deleted_with = ").bind(token);
    hold(&mut sql);
    sql
}

/// Finds the row if its reference leads to none that is live.
pub(crate) fn dangling(
    dialect: Dialect,
    resource: &Resource,
    field: usize,
    target: &Resource,
    id: i64,
) -> Statement {
    let mut sql = Statement::new(dialect, "SELECT 1 FROM ");
    sql.name(&resource.name).push(" AS this");
    by_id(&mut sql, resource, id);
    leads_nowhere(&mut sql, &resource.fields[field].name, target);
    // It must stay as long as what refers to it is not back.
    sql.push_either(")", " FOR SHARE)");
    sql
}

/// That `this` refers by a field to no live row of `target`, which is `that`; the parenthesis is
/// left open for what else must hold of it.
fn leads_nowhere(sql: &mut Statement, field: &Name, target: &Resource) {
    sql.push(" AND this.")
        .name(field)
        .push(" IS NOT NULL AND NOT EXISTS (SELECT 1 FROM ");
    sql.name(&target.name)
        .push(" AS that WHERE that.")
        .name(&target.key.field);
    sql.push(" = this.").name(field);
    if target.delete == Delete::Soft {
        sql.push(" AND that._deleted_at IS NULL");
    }
}

/// Finds those among new rows of PostgreSQL whose reference leads to no live row, or to one that
/// was made after them.
pub(crate) fn dangling_among(
    resource: &Resource,
    field: usize,
    target: &Resource,
    ids: &[i64],
) -> Statement {
    let column = |sql: &mut Statement, row: &'static str| {
        sql.push(row);
        table::id(sql, resource);
    };
    let mut sql = Statement::new(Dialect::Postgres, "SELECT ");
    column(&mut sql, "this.");
    sql.push(" FROM ")
        .name(&resource.name)
        .push(" AS this WHERE ");
    column(&mut sql, "this.");
    among(&mut sql, ids);
    leads_nowhere(&mut sql, &resource.fields[field].name, target);
    if target.index == resource.index {
        sql.push(" AND ");
        column(&mut sql, "that.");
        // Only a key that clients name is known before the row is there.
        sql.push(match resource.key.kind {
            KeyKind::Integer => " < ",
            KeyKind::Uuid | KeyKind::String => " <= ",
        });
        column(&mut sql, "this.");
    }
    // It must stay as long as what comes to refer to it is not there yet.
    sql.push(" FOR SHARE)");
    sql
}

/// Finds a live record by key.
pub(crate) fn target(dialect: Dialect, target: &Resource, key: Value) -> Statement {
    let mut sql = Statement::new(dialect, "SELECT 1 FROM ");
    sql.name(&target.name)
        .push(" WHERE ")
        .name(&target.key.field)
        .push(" = ")
        .bind_as(Storage::of_key(target.key.kind), key);
    table::and_live(&mut sql, target);
    // It must stay as long as what comes to refer to it is not there yet.
    sql.push_either("", " FOR SHARE");
    sql
}

/// Writes the present version of a row into the history. A row that is about to be deleted for
/// good gets a version more than it has.
///
/// Values stand as the table has them. Passwords are left out: an old hash is of no use but to
/// an attacker.
pub(crate) fn history(
    dialect: Dialect,
    resource: &Resource,
    action: Action,
    id: impl Into<Parameter>,
    stamp: &Stamp,
) -> Statement {
    history_where(dialect, resource, action, stamp, |sql| {
        sql.push(" = ");
        table::bind_id(sql, resource, id.into());
    })
}

/// The same for many rows, in PostgreSQL.
pub(crate) fn history_of_all(
    resource: &Resource,
    action: Action,
    ids: &[i64],
    stamp: &Stamp,
) -> Statement {
    history_where(Dialect::Postgres, resource, action, stamp, |sql| {
        among(sql, ids);
    })
}

/// ` = ANY('{1,2,3}')`
fn among(sql: &mut Statement, ids: &[i64]) {
    let ids: Vec<String> = ids.iter().map(i64::to_string).collect();
    let array = format!("{{{}}}", ids.join(","));
    sql.push(" = ANY(").bind(array.as_str()).push("::bigint[])");
}

fn history_where(
    dialect: Dialect,
    resource: &Resource,
    action: Action,
    stamp: &Stamp,
    is_one_of: impl FnOnce(&mut Statement),
) -> Statement {
    let mut sql = Statement::new(dialect, "INSERT INTO ");
    sql.name_with(&resource.name, "__history")
        .push(" (id, version, at, actor, action, data) SELECT ");
    table::id(&mut sql, resource);
    sql.push(match (action, resource.delete) {
        (Action::Delete, Delete::Hard) => ", _version + 1, ",
        _ => ", _version, ",
    });
    sql.bind(stamp.at.as_str())
        .push(", ")
        .bind(stamp.actor.as_deref())
        .push(", ");
    sql.bind(action.as_str())
        .push_either(", json_object(", ", json_build_object(");
    sql.name_text(&resource.key.field).push(", ");
    Storage::of_key(resource.key.kind).write_conversion(&mut sql, |sql| {
        sql.name(&resource.key.field);
    });
    for field in resource
        .fields
        .iter()
        .filter(|field| field.kind != Kind::Password)
    {
        sql.push(", ").name_text(&field.name).push(", ");
        Storage::of(field).write_conversion(&mut sql, |sql| match (dialect, &field.kind) {
            // SQLite writes 15 digits of a float into JSON; 17 are needed to read it back.
            (Dialect::Sqlite, Kind::Number) => {
                sql.push("CASE WHEN ")
                    .name(&field.name)
                    .push(" IS NOT NULL THEN format('%!.17g', ")
                    .name(&field.name)
                    .push(") END");
            }
            _ => {
                sql.name(&field.name);
            }
        });
    }
    sql.push(") FROM ").name(&resource.name).push(" WHERE ");
    table::id(&mut sql, resource);
    is_one_of(&mut sql);
    // A version that is there is from a write that another program has undone.
    sql.push(
        " ON CONFLICT (id, version) DO UPDATE SET \
         at = excluded.at, actor = excluded.actor, action = excluded.action, data = excluded.data",
    );
    sql
}

/// The newest versions of a record first, values in the columns after the first four.
pub(crate) fn revisions(dialect: Dialect, resource: &Resource, id: i64, limit: i64) -> Statement {
    let mut sql = Statement::new(dialect, "SELECT version, at, actor, action");
    for field in &resource.fields {
        let (before, after) = match (dialect, Storage::of(field)) {
            (Dialect::Sqlite, Storage::Number) => ("CAST(", " AS REAL)"),
            (Dialect::Sqlite, _) => ("", ""),
            (Dialect::Postgres, Storage::Boolean) => ("(", ")::boolean"),
            (Dialect::Postgres, Storage::Integer | Storage::Decimal { .. }) => ("(", ")::bigint"),
            (Dialect::Postgres, Storage::Number) => ("(", ")::double precision"),
            (
                Dialect::Postgres,
                Storage::Text | Storage::Date | Storage::Datetime | Storage::Uuid,
            ) => ("", ""),
        };
        sql.push(", ").push(before).push("data ->> ");
        sql.name_text(&field.name).push(after);
    }
    sql.push(" FROM ")
        .name_with(&resource.name, "__history")
        .push(" WHERE id = ")
        .bind(id);
    sql.push(" ORDER BY version DESC LIMIT ").bind(limit);
    sql
}

/// The steps that guard the references among new values.
pub(crate) fn reference_guards<'a>(
    dialect: Dialect,
    schema: &'a Schema,
    resource: &'a Resource,
    own_key: Option<&'a Key>,
    values: impl IntoIterator<Item = (usize, &'a Value)>,
) -> Vec<Step> {
    let mut steps = Vec::new();
    for (field, value) in values {
        let Kind::Reference(reference) = &resource.fields[field].kind else {
            continue;
        };
        if !must_lead_somewhere(resource, field, own_key, value) {
            continue;
        }
        let statement = target(dialect, &schema.resources[reference.index], value.clone());
        steps.push(Step::new(
            statement,
            Expect::Require(Refusal::NoReference { field }),
        ));
    }
    steps
}

/// Finds a row if the resource never had a record: in SQLite AUTOINCREMENT keeps the highest id
/// that was ever given out, in PostgreSQL a counter is there from the first record on.
pub(crate) fn unused(dialect: Dialect, resource: &Resource) -> Statement {
    let mut sql = Statement::new(dialect, "SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM ");
    sql.push_either(
        "sqlite_sequence WHERE seq > 0 AND name = ",
        "_carafe_count WHERE resource = ",
    );
    sql.bind(resource.name.as_str()).push(")");
    sql
}

/// Lets one at a time do what concerns the first records of resources, in PostgreSQL.
pub(crate) fn one_at_a_time() -> Statement {
    // The number is ours alone by its first digits: "carafe" in ASCII.
    Statement::new(
        Dialect::Postgres,
        "SELECT pg_advisory_xact_lock(109270189073664)",
    )
}

/// Whether there must be another record for `value` to be that of a field of a new record with
/// this key: a record may refer to itself.
pub(crate) fn must_lead_somewhere(
    resource: &Resource,
    field: usize,
    own_key: Option<&Key>,
    value: &Value,
) -> bool {
    let Kind::Reference(reference) = &resource.fields[field].kind else {
        return false;
    };
    let is_itself =
        reference.index == resource.index && own_key.is_some_and(|key| key.to_value() == *value);
    !value.is_null() && !is_itself
}

#[cfg(test)]
mod tests {
    use carafe_model::kind::OnDelete;
    use insta::assert_snapshot;

    use super::*;
    use crate::dialect::both;
    use crate::draft::{field, reference, resource, schema, text};

    fn library() -> std::sync::Arc<Schema> {
        schema(vec![
            resource("authors", vec![field("name", Kind::String)])
                .hard()
                .history(),
            resource(
                "books",
                vec![
                    field("title", Kind::String),
                    reference("author", "authors", OnDelete::Restrict),
                    field("secret", Kind::Password),
                    field("weight", Kind::Number),
                ],
            )
            .key("isbn", KeyKind::String)
            .history(),
        ])
    }

    fn stamp() -> Stamp {
        Stamp {
            at: "2026-01-31T12:00:00.000000Z".to_owned(),
            actor: None,
        }
    }

    #[test]
    fn changes() {
        let schema = library();
        let current = Record {
            key: Key::Text("1".to_owned()),
            version: 2,
            id: 1,
            deleted_at: None,
            values: vec![Value::Null; 4],
        };
        let [authors, books] = [&schema.resources[0], &schema.resources[1]];
        assert_snapshot!(both(|dialect| insert(dialect, authors)), @r#"
        INSERT OR FAIL INTO "authors" ("name") VALUES (?1)
        INSERT INTO "authors" ("name") VALUES ($1::text) RETURNING "id"
        "#);
        assert_snapshot!(both(|dialect| insert(dialect, books)), @r#"
        INSERT OR FAIL INTO "books" ("isbn", "title", "author", "secret", "weight") VALUES (?1, ?2, ?3, ?4, ?5)
        INSERT INTO "books" ("isbn", "title", "author", "secret", "weight") VALUES ($1::text, $2::text, $3::bigint, $4::text, $5::double precision) RETURNING _id
        "#);
        assert_snapshot!(both(|dialect| update(dialect, books, &current, &[(0, text("a")), (3, Value::Null)])), @r#"
        UPDATE OR FAIL "books" SET _version = _version + 1, "title" = ?, "weight" = ? WHERE _id = ? AND _version = ? AND _deleted_at IS NULL
        UPDATE "books" SET _version = _version + 1, "title" = $1::text, "weight" = $2::double precision WHERE _id = $3::bigint AND _version = $4::bigint AND _deleted_at IS NULL
        "#);
        assert_snapshot!(both(|dialect| delete(dialect, authors, 1, 2, &stamp(), "t")), @r#"
        DELETE FROM "authors" WHERE "id" = ? AND _version = ?
        DELETE FROM "authors" WHERE "id" = $1::bigint AND _version = $2::bigint
        "#);
        assert_snapshot!(both(|dialect| delete(dialect, books, 1, 2, &stamp(), "t")), @r#"
        UPDATE "books" SET _version = _version + 1, _deleted_at = ?, _deleted_with = ? WHERE _id = ? AND _version = ? AND _deleted_at IS NULL
        UPDATE "books" SET _version = _version + 1, _deleted_at = $1::text::timestamp with time zone, _deleted_with = $2::text WHERE _id = $3::bigint AND _version = $4::bigint AND _deleted_at IS NULL
        "#);
        assert_snapshot!(both(|dialect| restore(dialect, books, 1)), @r#"
        UPDATE "books" SET _version = _version + 1, _deleted_at = NULL, _deleted_with = NULL WHERE _id = ?
        UPDATE "books" SET _version = _version + 1, _deleted_at = NULL, _deleted_with = NULL WHERE _id = $1::bigint
        "#);
        assert_snapshot!(both(|dialect| clear(dialect, books, 1, 1)), @r#"
        UPDATE "books" SET _version = _version + 1, "author" = NULL WHERE _id = ?
        UPDATE "books" SET _version = _version + 1, "author" = NULL WHERE _id = $1::bigint
        "#);
    }

    #[test]
    fn many_rows() {
        let schema = library();
        let [authors, books] = [&schema.resources[0], &schema.resources[1]];
        assert_snapshot!(insert_all(authors).text(), @r#"INSERT INTO "authors" ("name") SELECT c1::text FROM unnest($1::text[]) AS moved (c1) RETURNING "id""#);
        assert_snapshot!(insert_free(authors).text(), @r#"INSERT INTO "authors" ("name") SELECT c1::text FROM unnest($1::text[]) AS moved (c1) ON CONFLICT DO NOTHING RETURNING "id""#);
        assert_snapshot!(insert_all(books).text(), @r#"INSERT INTO "books" ("isbn", "title", "author", "secret", "weight") SELECT c1::text, c2::text, c3::bigint, c4::text, c5::double precision FROM unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::double precision[]) AS moved (c1, c2, c3, c4, c5) RETURNING _id"#);
        assert_snapshot!(dangling_among(books, 1, authors, &[1, 2]).text(), @r#"SELECT this._id FROM "books" AS this WHERE this._id = ANY($1::text::bigint[]) AND this."author" IS NOT NULL AND NOT EXISTS (SELECT 1 FROM "authors" AS that WHERE that."id" = this."author" FOR SHARE)"#);
        assert_snapshot!(dangling_among(books, 1, books, &[1, 2]).text(), @r#"SELECT this._id FROM "books" AS this WHERE this._id = ANY($1::text::bigint[]) AND this."author" IS NOT NULL AND NOT EXISTS (SELECT 1 FROM "books" AS that WHERE that."isbn" = this."author" AND that._deleted_at IS NULL AND that._id <= this._id FOR SHARE)"#);
        assert_snapshot!(history_of_all(authors, Action::Create, &[1, 2], &stamp()).text(), @r#"INSERT INTO "authors__history" (id, version, at, actor, action, data) SELECT "id", _version, $1::text, NULL, $2::text, json_build_object('id', "id", 'name', "name") FROM "authors" WHERE "id" = ANY($3::text::bigint[]) ON CONFLICT (id, version) DO UPDATE SET at = excluded.at, actor = excluded.actor, action = excluded.action, data = excluded.data"#);
    }

    #[test]
    fn guards() {
        let schema = library();
        let [authors, books] = [&schema.resources[0], &schema.resources[1]];
        assert_snapshot!(both(|dialect| target(dialect, authors, Value::Integer(1))), @r#"
        SELECT 1 FROM "authors" WHERE "id" = ?
        SELECT 1 FROM "authors" WHERE "id" = $1::bigint FOR SHARE
        "#);
        assert_snapshot!(both(|dialect| target(dialect, books, text("1"))), @r#"
        SELECT 1 FROM "books" WHERE "isbn" = ? AND _deleted_at IS NULL
        SELECT 1 FROM "books" WHERE "isbn" = $1::text AND _deleted_at IS NULL FOR SHARE
        "#);
        assert_snapshot!(both(|dialect| find(dialect, books, Scope::Deleted, 1, 2)), @r#"
        SELECT _id, "isbn", _deleted_with FROM "books" WHERE _id = ? AND _version = ? AND _deleted_at IS NOT NULL
        SELECT _id, "isbn", _deleted_with FROM "books" WHERE _id = $1::bigint AND _version = $2::bigint AND _deleted_at IS NOT NULL FOR UPDATE
        "#);
        assert_snapshot!(both(|dialect| referrers(dialect, books, 1, &Key::Integer(1), None)), @r#"
        SELECT _id, "isbn" FROM "books" WHERE "author" = ? AND _deleted_at IS NULL
        SELECT _id, "isbn" FROM "books" WHERE "author" = $1::bigint AND _deleted_at IS NULL FOR UPDATE
        "#);
        assert_snapshot!(both(|dialect| dangling(dialect, books, 1, authors, 1)), @r#"
        SELECT 1 FROM "books" AS this WHERE _id = ? AND this."author" IS NOT NULL AND NOT EXISTS (SELECT 1 FROM "authors" AS that WHERE that."id" = this."author")
        SELECT 1 FROM "books" AS this WHERE _id = $1::bigint AND this."author" IS NOT NULL AND NOT EXISTS (SELECT 1 FROM "authors" AS that WHERE that."id" = this."author" FOR SHARE)
        "#);
        let values = [text("a"), Value::Integer(7)];
        let steps = reference_guards(
            Dialect::Sqlite,
            &schema,
            books,
            None,
            values.iter().enumerate(),
        );
        let expected = [Expect::Require(Refusal::NoReference { field: 1 })];
        assert_eq!(
            steps.iter().map(|step| step.expect).collect::<Vec<_>>(),
            expected
        );
    }

    #[test]
    fn versions() {
        let schema = library();
        let [authors, books] = [&schema.resources[0], &schema.resources[1]];
        assert_snapshot!(both(|dialect| history(dialect, authors, Action::Delete, 1, &stamp())), @r#"
        INSERT INTO "authors__history" (id, version, at, actor, action, data) SELECT "id", _version + 1, ?, ?, ?, json_object('id', "id", 'name', "name") FROM "authors" WHERE "id" = ? ON CONFLICT (id, version) DO UPDATE SET at = excluded.at, actor = excluded.actor, action = excluded.action, data = excluded.data
        INSERT INTO "authors__history" (id, version, at, actor, action, data) SELECT "id", _version + 1, $1::text, NULL, $2::text, json_build_object('id', "id", 'name', "name") FROM "authors" WHERE "id" = $3::bigint ON CONFLICT (id, version) DO UPDATE SET at = excluded.at, actor = excluded.actor, action = excluded.action, data = excluded.data
        "#);
        assert_snapshot!(both(|dialect| history(dialect, books, Action::Create, Parameter::InsertedId, &stamp())), @r#"
        INSERT INTO "books__history" (id, version, at, actor, action, data) SELECT _id, _version, ?, ?, ?, json_object('isbn', "isbn", 'title', "title", 'author', "author", 'weight', CASE WHEN "weight" IS NOT NULL THEN format('%!.17g', "weight") END) FROM "books" WHERE _id = ? ON CONFLICT (id, version) DO UPDATE SET at = excluded.at, actor = excluded.actor, action = excluded.action, data = excluded.data
        INSERT INTO "books__history" (id, version, at, actor, action, data) SELECT _id, _version, $1::text, NULL, $2::text, json_build_object('isbn', "isbn", 'title', "title", 'author', "author", 'weight', "weight") FROM "books" WHERE _id = currval('"books__id"') ON CONFLICT (id, version) DO UPDATE SET at = excluded.at, actor = excluded.actor, action = excluded.action, data = excluded.data
        "#);
        assert_snapshot!(both(|dialect| revisions(dialect, books, 1, 10)), @r#"
        SELECT version, at, actor, action, data ->> 'title', data ->> 'author', data ->> 'secret', CAST(data ->> 'weight' AS REAL) FROM "books__history" WHERE id = ? ORDER BY version DESC LIMIT ?
        SELECT version, at, actor, action, data ->> 'title', (data ->> 'author')::bigint, data ->> 'secret', (data ->> 'weight')::double precision FROM "books__history" WHERE id = $1::bigint ORDER BY version DESC LIMIT $2::bigint
        "#);
    }
}
