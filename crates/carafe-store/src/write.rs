//! Statements that write, and writes as lists of guarded steps: pure functions.

use carafe_model::key::{Key, KeyKind};
use carafe_model::kind::{Kind, Reference};
use carafe_model::resource::{Delete, Resource};
use carafe_model::schema::Schema;
use carafe_model::value::Value;

use crate::error::Error;
use crate::statement::{Parameter, Statement, Text};
use crate::store::{Scope, Stamp};
use crate::table;

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

/// Inserts a row. Parameters: the key unless the database gives it, then the fields.
pub(crate) fn insert(resource: &Resource) -> Statement {
    let mut sql = Statement::new("INSERT INTO ");
    sql.name(&resource.name);
    let key = (resource.key.kind != KeyKind::Integer).then_some(&resource.key.field);
    let names: Vec<_> = key
        .into_iter()
        .chain(resource.fields.iter().map(|field| &field.name))
        .collect();
    if names.is_empty() {
        sql.push(" DEFAULT VALUES");
        return sql;
    }
    for (position, name) in names.iter().enumerate() {
        sql.push(if position == 0 { " (" } else { ", " }).name(name);
    }
    for position in 0..names.len() {
        sql.push(if position == 0 { ") VALUES (" } else { ", " })
            .hole();
    }
    sql.push(")");
    sql
}

/// Changes fields of a live row that is in the given version.
pub(crate) fn update(
    resource: &Resource,
    id: i64,
    version: i64,
    changes: &[(usize, Value)],
) -> Statement {
    let mut sql = Statement::new("UPDATE ");
    sql.name(&resource.name)
        .push(" SET _version = _version + 1");
    for (field, value) in changes {
        sql.push(", ")
            .name(&resource.fields[*field].name)
            .push(" = ")
            .bind(value.clone());
    }
    guard(&mut sql, resource, id, version);
    sql
}

/// Deletes a live row that is in the given version, in the way its resource does.
pub(crate) fn delete(
    resource: &Resource,
    id: i64,
    version: i64,
    stamp: &Stamp,
    token: &str,
) -> Statement {
    let mut sql = removal(resource, stamp, token);
    guard(&mut sql, resource, id, version);
    sql
}

/// Deletes a row by id, in the way its resource does.
pub(crate) fn delete_by_id(resource: &Resource, id: i64, stamp: &Stamp, token: &str) -> Statement {
    let mut sql = removal(resource, stamp, token);
    by_id(&mut sql, resource, id);
    sql
}

fn removal(resource: &Resource, stamp: &Stamp, token: &str) -> Statement {
    match resource.delete {
        Delete::Soft => {
            let mut sql = Statement::new("UPDATE ");
            sql.name(&resource.name)
                .push(" SET _version = _version + 1, _deleted_at = ");
            sql.bind(stamp.at.as_str())
                .push(", _deleted_with = ")
                .bind(token);
            sql
        }
        Delete::Hard => {
            let mut sql = Statement::new("DELETE FROM ");
            sql.name(&resource.name);
            sql
        }
    }
}

/// Brings a row deleted softly back, by id.
pub(crate) fn restore(resource: &Resource, id: i64) -> Statement {
    let mut sql = Statement::new("UPDATE ");
    sql.name(&resource.name);
    sql.push(" SET _version = _version + 1, _deleted_at = NULL, _deleted_with = NULL");
    by_id(&mut sql, resource, id);
    sql
}

/// Makes a reference null, by id.
pub(crate) fn clear(resource: &Resource, field: usize, id: i64) -> Statement {
    let mut sql = Statement::new("UPDATE ");
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
pub(crate) fn find(resource: &Resource, scope: Scope, id: i64, version: i64) -> Statement {
    let mut sql = Statement::new("SELECT ");
    table::id(&mut sql, resource);
    sql.push(", ").name(&resource.key.field);
    sql.push(match resource.delete {
        Delete::Soft => ", _deleted_with FROM ",
        Delete::Hard => ", NULL FROM ",
    });
    sql.name(&resource.name);
    by_id(&mut sql, resource, id);
    sql.push(" AND _version = ").bind(version).push(" AND ");
    table::scope(&mut sql, resource, scope);
    sql
}

/// The live rows that refer to a key through a field: id and key.
pub(crate) fn referrers(child: &Resource, field: usize, key: &Key) -> Statement {
    let mut sql = Statement::new("SELECT ");
    table::id(&mut sql, child);
    sql.push(", ")
        .name(&child.key.field)
        .push(" FROM ")
        .name(&child.name);
    sql.push(" WHERE ")
        .name(&child.fields[field].name)
        .push(" = ")
        .bind(key.to_value());
    table::and_live(&mut sql, child);
    sql
}

/// The rows that a deletion took along: id and key.
pub(crate) fn deleted_with(resource: &Resource, token: &str) -> Statement {
    let mut sql = Statement::new("SELECT ");
    table::id(&mut sql, resource);
    sql.push(", ")
        .name(&resource.key.field)
        .push(" FROM ")
        .name(&resource.name);
    sql.push(" WHERE _deleted_with = ").bind(token);
    sql
}

/// Finds the row if its reference leads to none that is live.
pub(crate) fn dangling(resource: &Resource, field: usize, target: &Resource, id: i64) -> Statement {
    let name = &resource.fields[field].name;
    let mut sql = Statement::new("SELECT 1 FROM ");
    sql.name(&resource.name).push(" AS this");
    by_id(&mut sql, resource, id);
    sql.push(" AND this.")
        .name(name)
        .push(" IS NOT NULL AND NOT EXISTS (SELECT 1 FROM ");
    sql.name(&target.name)
        .push(" AS that WHERE that.")
        .name(&target.key.field);
    sql.push(" = this.").name(name);
    if target.delete == Delete::Soft {
        sql.push(" AND that._deleted_at IS NULL");
    }
    sql.push(")");
    sql
}

/// Finds a live record by key.
pub(crate) fn target(target: &Resource, key: Value) -> Statement {
    let mut sql = Statement::new("SELECT 1 FROM ");
    sql.name(&target.name)
        .push(" WHERE ")
        .name(&target.key.field)
        .push(" = ")
        .bind(key);
    table::and_live(&mut sql, target);
    sql
}

/// Writes the present version of a row into the history. A row that is about to be deleted for
/// good gets a version more than it has.
///
/// Values stand as the table has them. Passwords are left out: an old hash is of no use but to
/// an attacker.
pub(crate) fn history(
    resource: &Resource,
    action: Action,
    id: impl Into<Parameter>,
    stamp: &Stamp,
) -> Statement {
    let mut sql = Statement::new("INSERT OR REPLACE INTO ");
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
    sql.bind(action.as_str()).push(", json_object(");
    sql.name_text(&resource.key.field)
        .push(", ")
        .name(&resource.key.field);
    for field in &resource.fields {
        match field.kind {
            Kind::Password => {}
            // SQLite writes 15 digits of a float into JSON; 17 are needed to read it back.
            Kind::Number => {
                sql.push(", ")
                    .name_text(&field.name)
                    .push(", CASE WHEN ")
                    .name(&field.name);
                sql.push(" IS NOT NULL THEN format('%!.17g', ")
                    .name(&field.name)
                    .push(") END");
            }
            _ => {
                sql.push(", ")
                    .name_text(&field.name)
                    .push(", ")
                    .name(&field.name);
            }
        }
    }
    sql.push(") FROM ").name(&resource.name).push(" WHERE ");
    table::id(&mut sql, resource);
    sql.push(" = ").bind(id);
    sql
}

/// The newest versions of a record first, values in the columns after the first four.
pub(crate) fn revisions(resource: &Resource, id: i64, limit: i64) -> Statement {
    let mut sql = Statement::new("SELECT version, at, actor, action");
    for field in &resource.fields {
        sql.push(match field.kind {
            Kind::Number => ", CAST(data ->> ",
            _ => ", data ->> ",
        });
        sql.name_text(&field.name);
        if field.kind == Kind::Number {
            sql.push(" AS REAL)");
        }
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
        if value.is_null() || is_itself(resource, reference, own_key, value) {
            continue;
        }
        let statement = target(&schema.resources[reference.index], value.clone());
        steps.push(Step::new(
            statement,
            Expect::Require(Refusal::NoReference { field }),
        ));
    }
    steps
}

/// Finds a row if the resource never had a record: AUTOINCREMENT keeps the highest id that was
/// ever given out.
pub(crate) fn unused(resource: &Resource) -> Statement {
    let mut sql =
        Statement::new("SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = ");
    sql.bind(resource.name.as_str()).push(" AND seq > 0)");
    sql
}

/// A record may refer to itself.
fn is_itself(resource: &Resource, reference: &Reference, key: Option<&Key>, value: &Value) -> bool {
    reference.index == resource.index && key.is_some_and(|key| key.to_value() == *value)
}

#[cfg(test)]
mod tests {
    use carafe_model::kind::OnDelete;
    use insta::assert_snapshot;

    use super::*;
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
        let [authors, books] = [&schema.resources[0], &schema.resources[1]];
        assert_snapshot!(insert(authors).text(), @r#"INSERT INTO "authors" ("name") VALUES (?)"#);
        assert_snapshot!(insert(books).text(), @r#"INSERT INTO "books" ("isbn", "title", "author", "secret", "weight") VALUES (?, ?, ?, ?, ?)"#);
        assert_snapshot!(update(books, 1, 2, &[(0, text("a")), (3, Value::Null)]).text(), @r#"UPDATE "books" SET _version = _version + 1, "title" = ?, "weight" = ? WHERE _id = ? AND _version = ? AND _deleted_at IS NULL"#);
        assert_snapshot!(delete(authors, 1, 2, &stamp(), "t").text(), @r#"DELETE FROM "authors" WHERE "id" = ? AND _version = ?"#);
        assert_snapshot!(delete(books, 1, 2, &stamp(), "t").text(), @r#"UPDATE "books" SET _version = _version + 1, _deleted_at = ?, _deleted_with = ? WHERE _id = ? AND _version = ? AND _deleted_at IS NULL"#);
        assert_snapshot!(restore(books, 1).text(), @r#"UPDATE "books" SET _version = _version + 1, _deleted_at = NULL, _deleted_with = NULL WHERE _id = ?"#);
        assert_snapshot!(clear(books, 1, 1).text(), @r#"UPDATE "books" SET _version = _version + 1, "author" = NULL WHERE _id = ?"#);
    }

    #[test]
    fn guards() {
        let schema = library();
        let [authors, books] = [&schema.resources[0], &schema.resources[1]];
        assert_snapshot!(target(authors, Value::Integer(1)).text(), @r#"SELECT 1 FROM "authors" WHERE "id" = ?"#);
        assert_snapshot!(target(books, text("1")).text(), @r#"SELECT 1 FROM "books" WHERE "isbn" = ? AND _deleted_at IS NULL"#);
        assert_snapshot!(find(books, Scope::Deleted, 1, 2).text(), @r#"SELECT _id, "isbn", _deleted_with FROM "books" WHERE _id = ? AND _version = ? AND _deleted_at IS NOT NULL"#);
        assert_snapshot!(referrers(books, 1, &Key::Integer(1)).text(), @r#"SELECT _id, "isbn" FROM "books" WHERE "author" = ? AND _deleted_at IS NULL"#);
        assert_snapshot!(dangling(books, 1, authors, 1).text(), @r#"SELECT 1 FROM "books" AS this WHERE _id = ? AND this."author" IS NOT NULL AND NOT EXISTS (SELECT 1 FROM "authors" AS that WHERE that."id" = this."author")"#);
        let values = [text("a"), Value::Integer(7)];
        let steps = reference_guards(&schema, books, None, values.iter().enumerate());
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
        assert_snapshot!(history(authors, Action::Delete, 1, &stamp()).text(), @r#"INSERT OR REPLACE INTO "authors__history" (id, version, at, actor, action, data) SELECT "id", _version + 1, ?, ?, ?, json_object('id', "id", 'name', "name") FROM "authors" WHERE "id" = ?"#);
        assert_snapshot!(history(books, Action::Create, Parameter::InsertedId, &stamp()).text(), @r#"INSERT OR REPLACE INTO "books__history" (id, version, at, actor, action, data) SELECT _id, _version, ?, ?, ?, json_object('isbn', "isbn", 'title', "title", 'author', "author", 'weight', CASE WHEN "weight" IS NOT NULL THEN format('%!.17g', "weight") END) FROM "books" WHERE _id = ?"#);
        assert_snapshot!(revisions(books, 1, 10).text(), @r#"SELECT version, at, actor, action, data ->> 'title', data ->> 'author', data ->> 'secret', CAST(data ->> 'weight' AS REAL) FROM "books__history" WHERE id = ? ORDER BY version DESC LIMIT ?"#);
    }
}
