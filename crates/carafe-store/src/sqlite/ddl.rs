//! What SQLite has beside the tables and indexes of resources: triggers, search indexes and
//! tables of ours. Pure functions of the declaration.

use carafe_model::resource::{Delete, Resource};

use crate::ddl::{Object, Triggers};
use crate::dialect::Dialect;
use crate::rank;
use crate::statement::{Identifier, Statement};
use crate::table;

/// How many rows each table has, kept by triggers, so that totals cost nothing; and how often a
/// live row has gone or changed its place in an order, from a number on that nobody has seen.
const COUNT_TABLE: &str = "CREATE TABLE IF NOT EXISTS _carafe_count \
     (resource TEXT PRIMARY KEY, live INTEGER NOT NULL, deleted INTEGER NOT NULL, \
     moved INTEGER NOT NULL DEFAULT 0) STRICT, WITHOUT ROWID";

/// The types that the columns were made for: SQLite's own types do not tell a decimal of two
/// digits from one of three.
const SCHEMA_TABLE: &str = "CREATE TABLE IF NOT EXISTS _carafe_schema \
     (resource TEXT NOT NULL, field TEXT NOT NULL, kind TEXT NOT NULL, PRIMARY KEY (resource, field)) \
     STRICT, WITHOUT ROWID";

/// What was created for requests that may be repeated, remembered in the transaction that
/// created it.
const REQUEST_TABLE: &str = "CREATE TABLE IF NOT EXISTS _carafe_request \
     (caller TEXT NOT NULL, key TEXT NOT NULL, fingerprint TEXT NOT NULL, resource TEXT NOT NULL, \
     record TEXT, id INTEGER NOT NULL, data TEXT NOT NULL, at TEXT NOT NULL, \
     PRIMARY KEY (caller, key)) STRICT, WITHOUT ROWID";

const REQUEST_INDEX: &str = "CREATE INDEX IF NOT EXISTS _carafe_request_at ON _carafe_request (at)";

/// The migrations that were done, in their order.
const MIGRATION_TABLE: &str = "CREATE TABLE IF NOT EXISTS _carafe_migration \
     (position INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, text TEXT NOT NULL, \
     at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))) STRICT";

/// Our own tables.
pub(crate) fn own() -> Vec<Statement> {
    [
        MIGRATION_TABLE,
        COUNT_TABLE,
        SCHEMA_TABLE,
        REQUEST_TABLE,
        REQUEST_INDEX,
    ]
    .map(|text| Statement::new(Dialect::Sqlite, text))
    .into()
}

/// Finds a row where the counters are of an earlier version.
pub(crate) fn lacks_moved() -> Statement {
    Statement::new(
        Dialect::Sqlite,
        "SELECT 1 WHERE NOT EXISTS \
         (SELECT 1 FROM pragma_table_info('_carafe_count') WHERE name = 'moved')",
    )
}

pub(crate) fn add_moved() -> Statement {
    Statement::new(
        Dialect::Sqlite,
        "ALTER TABLE _carafe_count ADD COLUMN moved INTEGER NOT NULL DEFAULT 0",
    )
}

/// The triggers that keep versions, counters and the list of rows waiting for the search
/// index, whoever writes.
///
/// One case escapes them: where another program lets `INSERT OR REPLACE` replace a row without
/// `PRAGMA recursive_triggers`, SQLite tells nobody of the row that goes, and the counter is one
/// too high. Checking the integrity finds it.
pub(crate) fn triggers(resource: &Resource) -> Triggers {
    Triggers {
        versions: vec![version_trigger(resource)],
        counters: count_triggers(resource),
        search: match resource.search.is_empty() {
            true => Vec::new(),
            false => search_triggers(resource),
        },
    }
}

fn trigger(
    resource: &Resource,
    ending: &'static str,
    event: &'static str,
) -> (Identifier, Statement) {
    let name = Identifier::new(Dialect::Sqlite, &resource.name, ending);
    let mut sql = Statement::new(Dialect::Sqlite, "CREATE TRIGGER ");
    sql.identifier(&name).push(event);
    (name, sql)
}

fn version_trigger(resource: &Resource) -> Object {
    let (name, mut sql) = trigger(resource, "__version", " AFTER UPDATE ON ");
    sql.name(&resource.name);
    sql.push(" WHEN NEW._version = OLD._version BEGIN UPDATE ")
        .name(&resource.name);
    sql.push(" SET _version = OLD._version + 1 WHERE ");
    table::id(&mut sql, resource);
    sql.push(" = NEW.");
    table::id(&mut sql, resource);
    sql.push("; END");
    Object {
        name,
        statement: sql,
    }
}

fn count_triggers(resource: &Resource) -> Vec<Object> {
    let soft = resource.delete == Delete::Soft;
    let mut triggers = Vec::new();
    let mut add = |ending, event, changes: &'static str| {
        let (name, mut sql) = trigger(resource, ending, event);
        sql.name(&resource.name);
        sql.push(" BEGIN UPDATE _carafe_count SET ").push(changes);
        sql.push(" WHERE resource = ")
            .name_text(&resource.name)
            .push("; END");
        triggers.push(Object {
            name,
            statement: sql,
        });
    };
    add(
        "__count_insert",
        " AFTER INSERT ON ",
        match soft {
            true => {
                "live = live + (NEW._deleted_at IS NULL), deleted = deleted + (NEW._deleted_at IS NOT NULL)"
            }
            false => "live = live + 1",
        },
    );
    add(
        "__count_delete",
        " AFTER DELETE ON ",
        match soft {
            true => {
                "live = live - (OLD._deleted_at IS NULL), deleted = deleted - (OLD._deleted_at IS NOT NULL), \
                 moved = moved + (OLD._deleted_at IS NULL)"
            }
            false => "live = live - 1, moved = moved + 1",
        },
    );
    if soft {
        add(
            "__count_update",
            " AFTER UPDATE OF _deleted_at ON ",
            "live = live + (NEW._deleted_at IS NULL) - (OLD._deleted_at IS NULL), \
             deleted = deleted + (NEW._deleted_at IS NOT NULL) - (OLD._deleted_at IS NOT NULL), \
             moved = moved + (OLD._deleted_at IS NULL AND NEW._deleted_at IS NOT NULL)",
        );
    }
    triggers.push(move_trigger(resource));
    triggers
}

/// Counts the rows whose key changes, or a column of an order whose ranks are remembered.
fn move_trigger(resource: &Resource) -> Object {
    let columns = rank::columns(resource);
    let (name, mut sql) = trigger(resource, "__count_move", " AFTER UPDATE OF ");
    for (position, column) in columns.iter().enumerate() {
        sql.push(if position == 0 { "" } else { ", " });
        table::column(&mut sql, resource, *column);
    }
    sql.push(" ON ").name(&resource.name).push(" WHEN ");
    for (position, column) in columns.iter().enumerate() {
        sql.push(if position == 0 { "OLD." } else { " OR OLD." });
        table::column(&mut sql, resource, *column);
        sql.push(" IS NOT NEW.");
        table::column(&mut sql, resource, *column);
    }
    sql.push(" BEGIN UPDATE _carafe_count SET moved = moved + 1 WHERE resource = ")
        .name_text(&resource.name)
        .push("; END");
    Object {
        name,
        statement: sql,
    }
}

/// The triggers by which rows wait for the search index. One that goes does not: what the index
/// finds is compared with what is there.
fn search_triggers(resource: &Resource) -> Vec<Object> {
    let wait = |sql: &mut Statement| {
        sql.push("INSERT INTO ")
            .name_with(&resource.name, "__pending")
            .push(" (id) VALUES (NEW.");
        table::id(sql, resource);
        // An upsert's own rule, because a plain conflict clause gives way to that of the
        // statement that fires the trigger.
        sql.push(") ON CONFLICT DO NOTHING; ");
    };
    let (insert, mut on_insert) = trigger(resource, "__search_insert", " AFTER INSERT ON ");
    on_insert.name(&resource.name).push(" BEGIN ");
    wait(&mut on_insert);
    on_insert.push("END");

    let update = Identifier::new(Dialect::Sqlite, &resource.name, "__search_update");
    let mut on_update = Statement::new(Dialect::Sqlite, "CREATE TRIGGER ");
    on_update
        .identifier(&update)
        .push(" AFTER UPDATE ON ")
        .name(&resource.name)
        .push(" WHEN OLD.");
    table::id(&mut on_update, resource);
    on_update.push(" IS NOT NEW.");
    table::id(&mut on_update, resource);
    for &field in &resource.search {
        let name = &resource.fields[field].name;
        on_update
            .push(" OR OLD.")
            .name(name)
            .push(" IS NOT NEW.")
            .name(name);
    }
    on_update.push(" BEGIN ");
    wait(&mut on_update);
    on_update.push("END");

    vec![
        Object {
            name: insert,
            statement: on_insert,
        },
        Object {
            name: update,
            statement: on_update,
        },
    ]
}

/// The [search index](crate::sqlite::search_index).
pub(crate) fn search_index(resource: &Resource) -> Object {
    let name = Identifier::new(Dialect::Sqlite, &resource.name, "__search");
    let mut sql = Statement::new(Dialect::Sqlite, "CREATE TABLE ");
    sql.identifier(&name)
        .push(" (id INTEGER PRIMARY KEY, rows BLOB NOT NULL) STRICT");
    Object {
        name,
        statement: sql,
    }
}

/// The rows whose text has changed since the search index saw them.
pub(crate) fn pending_table(resource: &Resource) -> Object {
    let name = Identifier::new(Dialect::Sqlite, &resource.name, "__pending");
    let mut sql = Statement::new(Dialect::Sqlite, "CREATE TABLE ");
    sql.identifier(&name)
        .push(" (id INTEGER PRIMARY KEY) STRICT");
    Object {
        name,
        statement: sql,
    }
}

/// Sets the counters of a resource to what its table has; what was remembered of its rows before
/// is void.
pub(crate) fn recount(resource: &Resource) -> Statement {
    let mut sql = Statement::new(
        Dialect::Sqlite,
        "INSERT OR REPLACE INTO _carafe_count (resource, live, deleted, moved) SELECT ",
    );
    sql.name_text(&resource.name);
    sql.push(match resource.delete {
        Delete::Soft => ", count(*) - count(_deleted_at), count(_deleted_at), random() >> 1 FROM ",
        Delete::Hard => ", count(*), 0, random() >> 1 FROM ",
    });
    sql.name(&resource.name);
    sql
}

/// Makes every row wait for the search index.
pub(crate) fn all_pending(resource: &Resource) -> Statement {
    let mut sql = Statement::new(Dialect::Sqlite, "INSERT INTO ");
    sql.name_with(&resource.name, "__pending")
        .push(" (id) SELECT ");
    table::id(&mut sql, resource);
    sql.push(" FROM ").name(&resource.name);
    sql
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;
    use crate::ddl::history_table;
    use crate::ddl::tests::{schema, texts};

    #[test]
    fn triggers_of_each_resource() {
        let schema = schema();
        assert_snapshot!(texts(triggers(&schema.resources[0]).all().cloned().collect()), @r#"
        CREATE TRIGGER "authors__version" AFTER UPDATE ON "authors" WHEN NEW._version = OLD._version BEGIN UPDATE "authors" SET _version = OLD._version + 1 WHERE _id = NEW._id; END
        CREATE TRIGGER "authors__count_insert" AFTER INSERT ON "authors" BEGIN UPDATE _carafe_count SET live = live + 1 WHERE resource = 'authors'; END
        CREATE TRIGGER "authors__count_delete" AFTER DELETE ON "authors" BEGIN UPDATE _carafe_count SET live = live - 1, moved = moved + 1 WHERE resource = 'authors'; END
        CREATE TRIGGER "authors__count_move" AFTER UPDATE OF "slug" ON "authors" WHEN OLD."slug" IS NOT NEW."slug" BEGIN UPDATE _carafe_count SET moved = moved + 1 WHERE resource = 'authors'; END
        "#);
        assert_snapshot!(texts(triggers(&schema.resources[1]).all().cloned().collect()), @r#"
        CREATE TRIGGER "books__version" AFTER UPDATE ON "books" WHEN NEW._version = OLD._version BEGIN UPDATE "books" SET _version = OLD._version + 1 WHERE "id" = NEW."id"; END
        CREATE TRIGGER "books__count_insert" AFTER INSERT ON "books" BEGIN UPDATE _carafe_count SET live = live + (NEW._deleted_at IS NULL), deleted = deleted + (NEW._deleted_at IS NOT NULL) WHERE resource = 'books'; END
        CREATE TRIGGER "books__count_delete" AFTER DELETE ON "books" BEGIN UPDATE _carafe_count SET live = live - (OLD._deleted_at IS NULL), deleted = deleted - (OLD._deleted_at IS NOT NULL), moved = moved + (OLD._deleted_at IS NULL) WHERE resource = 'books'; END
        CREATE TRIGGER "books__count_update" AFTER UPDATE OF _deleted_at ON "books" BEGIN UPDATE _carafe_count SET live = live + (NEW._deleted_at IS NULL) - (OLD._deleted_at IS NULL), deleted = deleted + (NEW._deleted_at IS NOT NULL) - (OLD._deleted_at IS NOT NULL), moved = moved + (OLD._deleted_at IS NULL AND NEW._deleted_at IS NOT NULL) WHERE resource = 'books'; END
        CREATE TRIGGER "books__count_move" AFTER UPDATE OF "id", "price" ON "books" WHEN OLD."id" IS NOT NEW."id" OR OLD."price" IS NOT NEW."price" BEGIN UPDATE _carafe_count SET moved = moved + 1 WHERE resource = 'books'; END
        CREATE TRIGGER "books__search_insert" AFTER INSERT ON "books" BEGIN INSERT INTO "books__pending" (id) VALUES (NEW."id") ON CONFLICT DO NOTHING; END
        CREATE TRIGGER "books__search_update" AFTER UPDATE ON "books" WHEN OLD."id" IS NOT NEW."id" OR OLD."title" IS NOT NEW."title" BEGIN INSERT INTO "books__pending" (id) VALUES (NEW."id") ON CONFLICT DO NOTHING; END
        "#);
    }

    #[test]
    fn tables_beside() {
        let schema = schema();
        let books = &schema.resources[1];
        let beside = vec![
            search_index(books),
            pending_table(books),
            history_table(Dialect::Sqlite, books),
        ];
        assert_snapshot!(texts(beside), @r#"
        CREATE TABLE "books__search" (id INTEGER PRIMARY KEY, rows BLOB NOT NULL) STRICT
        CREATE TABLE "books__pending" (id INTEGER PRIMARY KEY) STRICT
        CREATE TABLE "books__history" (id INTEGER NOT NULL, version INTEGER NOT NULL, at TEXT NOT NULL, actor TEXT, action TEXT NOT NULL, data TEXT NOT NULL, PRIMARY KEY (id, version)) STRICT, WITHOUT ROWID
        "#);
        assert_snapshot!(recount(books).text(), @r#"INSERT OR REPLACE INTO _carafe_count (resource, live, deleted, moved) SELECT 'books', count(*) - count(_deleted_at), count(_deleted_at), random() >> 1 FROM "books""#);
        assert_snapshot!(recount(&schema.resources[2]).text(), @r#"INSERT OR REPLACE INTO _carafe_count (resource, live, deleted, moved) SELECT 'copies', count(*), 0, random() >> 1 FROM "copies""#);
        assert_snapshot!(all_pending(books).text(), @r#"INSERT INTO "books__pending" (id) SELECT "id" FROM "books""#);
    }
}
