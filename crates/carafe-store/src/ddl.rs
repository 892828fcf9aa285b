//! Definitions of tables, indexes and triggers: pure functions of the declaration.

use carafe_model::field::Field;
use carafe_model::key::KeyKind;
use carafe_model::kind::Kind;
use carafe_model::resource::{Column, Delete, Order, Resource};

use crate::statement::{Identifier, Statement};
use crate::table;

/// An index, a trigger or a table beside that of the resource.
#[derive(Clone, Debug)]
pub(crate) struct Object {
    pub(crate) name: Identifier,
    pub(crate) statement: Statement,
}

/// How many rows each table has, kept by triggers, so that totals cost nothing.
pub(crate) const COUNT_TABLE: &str = "CREATE TABLE IF NOT EXISTS _carafe_count \
     (resource TEXT PRIMARY KEY, live INTEGER NOT NULL, deleted INTEGER NOT NULL) \
     STRICT, WITHOUT ROWID";

/// The types that the columns were made for: SQLite's own types do not tell a decimal of two
/// digits from one of three.
pub(crate) const SCHEMA_TABLE: &str = "CREATE TABLE IF NOT EXISTS _carafe_schema \
     (resource TEXT NOT NULL, field TEXT NOT NULL, kind TEXT NOT NULL, PRIMARY KEY (resource, field)) \
     STRICT, WITHOUT ROWID";

/// What was created for requests that may be repeated, remembered in the transaction that
/// created it.
pub(crate) const REQUEST_TABLE: &str = "CREATE TABLE IF NOT EXISTS _carafe_request \
     (caller TEXT NOT NULL, key TEXT NOT NULL, fingerprint TEXT NOT NULL, resource TEXT NOT NULL, \
     record TEXT, id INTEGER NOT NULL, data TEXT NOT NULL, at TEXT NOT NULL, \
     PRIMARY KEY (caller, key)) STRICT, WITHOUT ROWID; \
     CREATE INDEX IF NOT EXISTS _carafe_request_at ON _carafe_request (at)";

/// The table of a resource.
pub(crate) fn table(resource: &Resource) -> Statement {
    let mut sql = Statement::new("CREATE TABLE ");
    sql.name(&resource.name).push(" (");
    match resource.key.kind {
        KeyKind::Integer => {
            sql.name(&resource.key.field)
                .push(" INTEGER PRIMARY KEY AUTOINCREMENT");
        }
        KeyKind::Uuid | KeyKind::String => {
            sql.push("_id INTEGER PRIMARY KEY AUTOINCREMENT, ");
            sql.name(&resource.key.field).push(" TEXT NOT NULL");
        }
    }
    sql.push(", _version INTEGER NOT NULL DEFAULT 1");
    if resource.delete == Delete::Soft {
        sql.push(", _deleted_at TEXT, _deleted_with TEXT");
    }
    for field in &resource.fields {
        sql.push(", ");
        column(&mut sql, field);
    }
    sql.push(") STRICT");
    sql
}

/// A column that an existing table lacks.
pub(crate) fn add_column(resource: &Resource, field: &Field) -> Statement {
    let mut sql = Statement::new("ALTER TABLE ");
    sql.name(&resource.name).push(" ADD COLUMN ");
    column(&mut sql, field);
    sql
}

/// A field's column. References have no foreign key: a write guards them in its own transaction,
/// and what deletion does with them (versions, history, what is hidden and comes back) is more
/// than the database's own actions could do.
fn column(sql: &mut Statement, field: &Field) {
    sql.name(&field.name).push(" ").push(table::storage(field));
    if !field.optional {
        sql.push(" NOT NULL");
    }
    if let Some(default) = field.default.as_ref().filter(|value| !value.is_null()) {
        sql.push(" DEFAULT ").literal(default);
    }
    if field.kind == Kind::Boolean {
        sql.push(" CHECK (").name(&field.name).push(" IN (0, 1))");
    }
}

/// The indexes of a resource: unique sets, orders, references, fields with `index`, and what
/// finds deleted rows.
pub(crate) fn indexes(resource: &Resource) -> Vec<Object> {
    let mut indexes: Vec<Object> = Vec::new();
    let ascending = |column| Order {
        column,
        descending: false,
    };
    let key = [ascending(Column::Key)];
    if resource.key.kind != KeyKind::Integer {
        add(
            &mut indexes,
            resource,
            "CREATE UNIQUE INDEX ",
            "__key",
            &key,
        );
    }
    for fields in &resource.unique {
        let columns: Vec<_> = fields
            .iter()
            .map(|&field| ascending(Column::Field(field)))
            .collect();
        add(
            &mut indexes,
            resource,
            "CREATE UNIQUE INDEX ",
            "__unique",
            &columns,
        );
    }
    for order in table::indexed_orders(resource) {
        let by_key = order.first().is_some_and(|step| step.column == Column::Key);
        let has_one = by_key
            && match resource.key.kind {
                KeyKind::Integer => resource.delete == Delete::Hard,
                KeyKind::Uuid | KeyKind::String => true,
            };
        if !has_one {
            add(
                &mut indexes,
                resource,
                "CREATE INDEX ",
                "__by",
                up_to_key(order),
            );
        }
    }
    for (position, field) in resource.fields.iter().enumerate() {
        let mut columns = vec![ascending(Column::Field(position))];
        let leads_a_set = resource.unique.iter().any(|set| set[0] == position);
        let is_parent = resource
            .parent
            .as_ref()
            .is_some_and(|parent| parent.field == position);
        if is_parent {
            // The records of one parent, in the order of their list.
            let rest = up_to_key(&resource.order).iter();
            columns.extend(rest.filter(|step| step.column != Column::Field(position)));
        }
        let looked_up = field.index || matches!(field.kind, Kind::Reference(_));
        if is_parent || (looked_up && !leads_a_set) {
            add(&mut indexes, resource, "CREATE INDEX ", "__index", &columns);
        }
    }
    if resource.delete == Delete::Soft {
        indexes.push(deleted_index(resource));
        indexes.push(deleted_with_index(resource));
    }
    indexes
}

/// What follows the key in an order says nothing.
fn up_to_key(order: &[Order]) -> &[Order] {
    let key = order.iter().position(|step| step.column == Column::Key);
    &order[..key.map_or(order.len(), |key| key + 1)]
}

fn add(
    indexes: &mut Vec<Object>,
    resource: &Resource,
    create: &'static str,
    ending: &'static str,
    columns: &[Order],
) {
    let name = index_name(resource, ending, columns);
    if indexes.iter().any(|index| index.name == name) {
        return;
    }
    let mut sql = Statement::new(create);
    sql.identifier(&name)
        .push(" ON ")
        .name(&resource.name)
        .push(" (");
    table::order(&mut sql, resource, columns);
    sql.push(")");
    if resource.delete == Delete::Soft {
        sql.push(" WHERE _deleted_at IS NULL");
    }
    indexes.push(Object {
        name,
        statement: sql,
    });
}

fn index_name(resource: &Resource, ending: &'static str, columns: &[Order]) -> Identifier {
    let mut name = Identifier::new(&resource.name, ending);
    if ending == "__key" {
        return name;
    }
    for step in columns {
        name.push(
            if step.descending { "-" } else { "" },
            resource.column_name(step.column),
        );
    }
    name
}

/// The index that an order of [`table::indexed_orders`], or the reverse of one, is walked by,
/// if it is not the table itself.
pub(crate) fn order_index(resource: &Resource, order: &[Order]) -> Option<Identifier> {
    if order.first().is_some_and(|step| step.column == Column::Key) {
        match (resource.key.kind, resource.delete) {
            (KeyKind::Integer, Delete::Hard) => return None,
            (KeyKind::Integer, Delete::Soft) => {}
            (KeyKind::Uuid | KeyKind::String, _) => {
                return Some(Identifier::new(&resource.name, "__key"));
            }
        }
    }
    let reversed = table::reversed(order);
    let made = table::indexed_orders(resource);
    let order = if made.contains(&order) {
        order
    } else {
        &reversed
    };
    Some(index_name(resource, "__by", up_to_key(order)))
}

fn deleted_index(resource: &Resource) -> Object {
    let name = Identifier::new(&resource.name, "__deleted");
    let mut sql = Statement::new("CREATE INDEX ");
    sql.identifier(&name).push(" ON ").name(&resource.name);
    sql.push(" (")
        .name(&resource.key.field)
        .push(") WHERE _deleted_at IS NOT NULL");
    Object {
        name,
        statement: sql,
    }
}

fn deleted_with_index(resource: &Resource) -> Object {
    let name = Identifier::new(&resource.name, "__deleted_with");
    let mut sql = Statement::new("CREATE INDEX ");
    sql.identifier(&name).push(" ON ").name(&resource.name);
    sql.push(" (_deleted_with) WHERE _deleted_with IS NOT NULL");
    Object {
        name,
        statement: sql,
    }
}

/// The triggers that keep versions, counters and the list of rows waiting for the search
/// index, whoever writes.
///
/// One case escapes them: where another program lets `INSERT OR REPLACE` replace a row without
/// `PRAGMA recursive_triggers`, SQLite tells nobody of the row that goes, and the counter is one
/// too high. Checking the integrity finds it.
pub(crate) fn triggers(resource: &Resource) -> Vec<Object> {
    let mut triggers = vec![version_trigger(resource)];
    triggers.extend(count_triggers(resource));
    if !resource.search.is_empty() {
        triggers.extend(search_triggers(resource));
    }
    triggers
}

fn trigger(
    resource: &Resource,
    ending: &'static str,
    event: &'static str,
) -> (Identifier, Statement) {
    let name = Identifier::new(&resource.name, ending);
    let mut sql = Statement::new("CREATE TRIGGER ");
    sql.identifier(&name).push(event).name(&resource.name);
    (name, sql)
}

fn version_trigger(resource: &Resource) -> Object {
    let (name, mut sql) = trigger(resource, "__version", " AFTER UPDATE ON ");
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
                "live = live - (OLD._deleted_at IS NULL), deleted = deleted - (OLD._deleted_at IS NOT NULL)"
            }
            false => "live = live - 1",
        },
    );
    if soft {
        add(
            "__count_update",
            " AFTER UPDATE OF _deleted_at ON ",
            "live = live + (NEW._deleted_at IS NULL) - (OLD._deleted_at IS NULL), \
             deleted = deleted + (NEW._deleted_at IS NOT NULL) - (OLD._deleted_at IS NOT NULL)",
        );
    }
    triggers
}

fn search_triggers(resource: &Resource) -> Vec<Object> {
    let soft = resource.delete == Delete::Soft;
    let wait = |sql: &mut Statement, row: &'static str| {
        sql.push("INSERT INTO ")
            .name_with(&resource.name, "__pending")
            .push(" (id) VALUES (")
            .push(row);
        table::id(sql, resource);
        // An upsert's own rule, because a plain conflict clause gives way to that of the
        // statement that fires the trigger.
        sql.push(") ON CONFLICT DO NOTHING; ");
    };
    let (insert, mut on_insert) = trigger(resource, "__search_insert", " AFTER INSERT ON ");
    if soft {
        on_insert.push(" WHEN NEW._deleted_at IS NULL");
    }
    on_insert.push(" BEGIN ");
    wait(&mut on_insert, "NEW.");
    on_insert.push("END");

    let (delete, mut on_delete) = trigger(resource, "__search_delete", " AFTER DELETE ON ");
    on_delete.push(" BEGIN ");
    wait(&mut on_delete, "OLD.");
    on_delete.push("END");

    let update = Identifier::new(&resource.name, "__search_update");
    let mut on_update = Statement::new("CREATE TRIGGER ");
    on_update
        .identifier(&update)
        .push(" AFTER UPDATE ON ")
        .name(&resource.name)
        .push(" WHEN OLD.");
    table::id(&mut on_update, resource);
    on_update.push(" IS NOT NEW.");
    table::id(&mut on_update, resource);
    if soft {
        on_update.push(" OR OLD._deleted_at IS NOT NEW._deleted_at");
    }
    for &field in &resource.search {
        let name = &resource.fields[field].name;
        on_update
            .push(" OR OLD.")
            .name(name)
            .push(" IS NOT NEW.")
            .name(name);
    }
    on_update.push(" BEGIN ");
    wait(&mut on_update, "OLD.");
    wait(&mut on_update, "NEW.");
    on_update.push("END");

    vec![
        Object {
            name: insert,
            statement: on_insert,
        },
        Object {
            name: delete,
            statement: on_delete,
        },
        Object {
            name: update,
            statement: on_update,
        },
    ]
}

/// The index of trigrams over the folded text of live rows.
///
/// `detail=full`, so that the index alone answers which rows match and how many: without
/// positions each hit would have to be read and compared. Contentless, because the text is in
/// the table already.
pub(crate) fn search_index(resource: &Resource) -> Object {
    let name = Identifier::new(&resource.name, "__search");
    let mut sql = Statement::new("CREATE VIRTUAL TABLE ");
    sql.identifier(&name).push(
        " USING fts5(text, content='', contentless_delete=1, \
         tokenize='trigram case_sensitive 1', detail=full)",
    );
    Object {
        name,
        statement: sql,
    }
}

/// The rows whose text has changed since the search index saw them.
pub(crate) fn pending_table(resource: &Resource) -> Object {
    let name = Identifier::new(&resource.name, "__pending");
    let mut sql = Statement::new("CREATE TABLE ");
    sql.identifier(&name)
        .push(" (id INTEGER PRIMARY KEY) STRICT");
    Object {
        name,
        statement: sql,
    }
}

/// Every version of every record.
pub(crate) fn history_table(resource: &Resource) -> Object {
    let name = Identifier::new(&resource.name, "__history");
    let mut sql = Statement::new("CREATE TABLE ");
    sql.identifier(&name).push(
        " (id INTEGER NOT NULL, version INTEGER NOT NULL, at TEXT NOT NULL, actor TEXT, \
         action TEXT NOT NULL, data TEXT NOT NULL, PRIMARY KEY (id, version)) STRICT, WITHOUT ROWID",
    );
    Object {
        name,
        statement: sql,
    }
}

/// A field's type as `_carafe_schema` keeps it and differences name it.
pub(crate) fn kind_text(kind: &Kind) -> String {
    match kind {
        Kind::String => "string".to_owned(),
        Kind::Text => "text".to_owned(),
        Kind::Integer => "integer".to_owned(),
        Kind::Number => "number".to_owned(),
        Kind::Decimal { scale } => format!("decimal with scale {scale}"),
        Kind::Boolean => "boolean".to_owned(),
        Kind::Date => "date".to_owned(),
        Kind::Datetime => "datetime".to_owned(),
        Kind::Email => "email".to_owned(),
        Kind::Url => "url".to_owned(),
        Kind::Uuid => "uuid".to_owned(),
        Kind::Choice(_) => "choice".to_owned(),
        Kind::Reference(reference) => format!("reference to {}", reference.to),
        Kind::Password => "password".to_owned(),
        Kind::Json => "json".to_owned(),
    }
}

/// The name of the index of a unique set.
pub(crate) fn unique_name(resource: &Resource, fields: &[usize]) -> Identifier {
    let ascending = |&field: &usize| Order {
        column: Column::Field(field),
        descending: false,
    };
    index_name(
        resource,
        "__unique",
        &fields.iter().map(ascending).collect::<Vec<_>>(),
    )
}

/// Sets the counters of a resource to what its table has.
pub(crate) fn recount(resource: &Resource) -> Statement {
    let mut sql =
        Statement::new("INSERT OR REPLACE INTO _carafe_count (resource, live, deleted) SELECT ");
    sql.bind(resource.name.as_str());
    sql.push(match resource.delete {
        Delete::Soft => ", count(*) - count(_deleted_at), count(_deleted_at) FROM ",
        Delete::Hard => ", count(*), 0 FROM ",
    });
    sql.name(&resource.name);
    sql
}

/// Makes every row wait for the search index.
pub(crate) fn all_pending(resource: &Resource) -> Statement {
    let mut sql = Statement::new("INSERT INTO ");
    sql.name_with(&resource.name, "__pending")
        .push(" (id) SELECT ");
    table::id(&mut sql, resource);
    sql.push(" FROM ").name(&resource.name);
    sql
}

#[cfg(test)]
mod tests {
    use carafe_model::kind::OnDelete;
    use carafe_model::schema::Schema;
    use insta::assert_snapshot;

    use super::*;
    use crate::draft::{self, field, optional, reference, resource, unique, with_default};
    use carafe_model::value::Value;

    fn schema() -> std::sync::Arc<Schema> {
        draft::schema(vec![
            resource("authors", vec![unique(field("email", Kind::Email))])
                .key("slug", KeyKind::String)
                .hard(),
            resource(
                "books",
                vec![
                    field("title", Kind::String),
                    with_default(field("done", Kind::Boolean), Value::Boolean(false)),
                    optional(field("price", Kind::Decimal { scale: 2 })),
                    reference("author", "authors", OnDelete::Cascade),
                ],
            )
            .search(&["title"])
            .order(&["-price"])
            .pages_order(&["-done", "title"])
            .unique(&["author", "title"])
            .parent("author"),
            resource(
                "copies",
                vec![
                    reference("book", "books", OnDelete::Restrict),
                    optional(reference("lender", "authors", OnDelete::SetNull)),
                    field("weight", Kind::Number),
                ],
            )
            .hard()
            .history(),
        ])
    }

    fn texts(objects: Vec<Object>) -> String {
        let texts: Vec<_> = objects
            .iter()
            .map(|object| object.statement.text().to_owned())
            .collect();
        texts.join("\n")
    }

    #[test]
    fn tables() {
        let schema = schema();
        let tables: Vec<_> = schema.resources.iter().map(table).collect();
        let texts: Vec<_> = tables.iter().map(Statement::text).collect();
        assert_snapshot!(texts.join("\n"), @r#"
        CREATE TABLE "authors" (_id INTEGER PRIMARY KEY AUTOINCREMENT, "slug" TEXT NOT NULL, _version INTEGER NOT NULL DEFAULT 1, "email" TEXT NOT NULL) STRICT
        CREATE TABLE "books" ("id" INTEGER PRIMARY KEY AUTOINCREMENT, _version INTEGER NOT NULL DEFAULT 1, _deleted_at TEXT, _deleted_with TEXT, "title" TEXT NOT NULL, "done" INTEGER NOT NULL DEFAULT 0 CHECK ("done" IN (0, 1)), "price" INTEGER, "author" TEXT NOT NULL) STRICT
        CREATE TABLE "copies" ("id" INTEGER PRIMARY KEY AUTOINCREMENT, _version INTEGER NOT NULL DEFAULT 1, "book" INTEGER NOT NULL, "lender" TEXT, "weight" REAL NOT NULL) STRICT
        "#);
        let column = add_column(&schema.resources[1], &schema.resources[1].fields[1]);
        assert_snapshot!(column.text(), @r#"ALTER TABLE "books" ADD COLUMN "done" INTEGER NOT NULL DEFAULT 0 CHECK ("done" IN (0, 1))"#);
    }

    #[test]
    fn indexes_of_each_resource() {
        let schema = schema();
        assert_snapshot!(texts(indexes(&schema.resources[0])), @r#"
        CREATE UNIQUE INDEX "authors__key" ON "authors" ("slug")
        CREATE UNIQUE INDEX "authors__unique__email" ON "authors" ("email")
        "#);
        assert_snapshot!(texts(indexes(&schema.resources[1])), @r#"
        CREATE UNIQUE INDEX "books__unique__author__title" ON "books" ("author", "title") WHERE _deleted_at IS NULL
        CREATE INDEX "books__by__-price__-id" ON "books" ("price" DESC, "id" DESC) WHERE _deleted_at IS NULL
        CREATE INDEX "books__by__-done__title__id" ON "books" ("done" DESC, "title", "id") WHERE _deleted_at IS NULL
        CREATE INDEX "books__index__author__-price__-id" ON "books" ("author", "price" DESC, "id" DESC) WHERE _deleted_at IS NULL
        CREATE INDEX "books__deleted" ON "books" ("id") WHERE _deleted_at IS NOT NULL
        CREATE INDEX "books__deleted_with" ON "books" (_deleted_with) WHERE _deleted_with IS NOT NULL
        "#);
        assert_snapshot!(texts(indexes(&schema.resources[2])), @r#"
        CREATE INDEX "copies__index__book" ON "copies" ("book")
        CREATE INDEX "copies__index__lender" ON "copies" ("lender")
        "#);
    }

    #[test]
    fn triggers_of_each_resource() {
        let schema = schema();
        assert_snapshot!(texts(triggers(&schema.resources[0])), @r#"
        CREATE TRIGGER "authors__version" AFTER UPDATE ON "authors" WHEN NEW._version = OLD._version BEGIN UPDATE "authors" SET _version = OLD._version + 1 WHERE _id = NEW._id; END
        CREATE TRIGGER "authors__count_insert" AFTER INSERT ON "authors" BEGIN UPDATE _carafe_count SET live = live + 1 WHERE resource = 'authors'; END
        CREATE TRIGGER "authors__count_delete" AFTER DELETE ON "authors" BEGIN UPDATE _carafe_count SET live = live - 1 WHERE resource = 'authors'; END
        "#);
        assert_snapshot!(texts(triggers(&schema.resources[1])), @r#"
        CREATE TRIGGER "books__version" AFTER UPDATE ON "books" WHEN NEW._version = OLD._version BEGIN UPDATE "books" SET _version = OLD._version + 1 WHERE "id" = NEW."id"; END
        CREATE TRIGGER "books__count_insert" AFTER INSERT ON "books" BEGIN UPDATE _carafe_count SET live = live + (NEW._deleted_at IS NULL), deleted = deleted + (NEW._deleted_at IS NOT NULL) WHERE resource = 'books'; END
        CREATE TRIGGER "books__count_delete" AFTER DELETE ON "books" BEGIN UPDATE _carafe_count SET live = live - (OLD._deleted_at IS NULL), deleted = deleted - (OLD._deleted_at IS NOT NULL) WHERE resource = 'books'; END
        CREATE TRIGGER "books__count_update" AFTER UPDATE OF _deleted_at ON "books" BEGIN UPDATE _carafe_count SET live = live + (NEW._deleted_at IS NULL) - (OLD._deleted_at IS NULL), deleted = deleted + (NEW._deleted_at IS NOT NULL) - (OLD._deleted_at IS NOT NULL) WHERE resource = 'books'; END
        CREATE TRIGGER "books__search_insert" AFTER INSERT ON "books" WHEN NEW._deleted_at IS NULL BEGIN INSERT INTO "books__pending" (id) VALUES (NEW."id") ON CONFLICT DO NOTHING; END
        CREATE TRIGGER "books__search_delete" AFTER DELETE ON "books" BEGIN INSERT INTO "books__pending" (id) VALUES (OLD."id") ON CONFLICT DO NOTHING; END
        CREATE TRIGGER "books__search_update" AFTER UPDATE ON "books" WHEN OLD."id" IS NOT NEW."id" OR OLD._deleted_at IS NOT NEW._deleted_at OR OLD."title" IS NOT NEW."title" BEGIN INSERT INTO "books__pending" (id) VALUES (OLD."id") ON CONFLICT DO NOTHING; INSERT INTO "books__pending" (id) VALUES (NEW."id") ON CONFLICT DO NOTHING; END
        "#);
    }

    #[test]
    fn tables_beside() {
        let schema = schema();
        let books = &schema.resources[1];
        let beside = vec![
            search_index(books),
            pending_table(books),
            history_table(books),
        ];
        assert_snapshot!(texts(beside), @r#"
        CREATE VIRTUAL TABLE "books__search" USING fts5(text, content='', contentless_delete=1, tokenize='trigram case_sensitive 1', detail=full)
        CREATE TABLE "books__pending" (id INTEGER PRIMARY KEY) STRICT
        CREATE TABLE "books__history" (id INTEGER NOT NULL, version INTEGER NOT NULL, at TEXT NOT NULL, actor TEXT, action TEXT NOT NULL, data TEXT NOT NULL, PRIMARY KEY (id, version)) STRICT, WITHOUT ROWID
        "#);
        assert_snapshot!(recount(books).text(), @r#"INSERT OR REPLACE INTO _carafe_count (resource, live, deleted) SELECT ?, count(*) - count(_deleted_at), count(_deleted_at) FROM "books""#);
        assert_snapshot!(recount(&schema.resources[2]).text(), @r#"INSERT OR REPLACE INTO _carafe_count (resource, live, deleted) SELECT ?, count(*), 0 FROM "copies""#);
        assert_snapshot!(all_pending(books).text(), @r#"INSERT INTO "books__pending" (id) SELECT "id" FROM "books""#);
    }
}
