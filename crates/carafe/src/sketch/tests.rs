//! Sketches of tables as the catalogs describe them; those of databases are in the tests of the
//! program.

use std::path::Path;

use carafe_store::inspect::{
    Column, DefaultValue, ForeignKey, Held, Index, OnDelete, Relation, Table,
};

use proptest::collection::vec;
use proptest::prelude::*;

use super::declaration;

fn column(name: &str, type_name: &str, held: Held) -> Column {
    Column {
        name: name.to_owned(),
        type_name: type_name.to_owned(),
        held,
        note: None,
        not_null: true,
        default: DefaultValue::None,
        is_generated: false,
    }
}

fn table(name: &str, key: &[&str], columns: Vec<Column>) -> Table {
    Table {
        name: name.to_owned(),
        relation: Relation::Table,
        is_ours: false,
        is_soft: false,
        has_history: false,
        columns,
        primary_key: key.iter().map(|name| (*name).to_owned()).collect(),
        foreign_keys: Vec::new(),
        indexes: Vec::new(),
        checks: Vec::new(),
    }
}

fn index(name: &str, columns: &[&str], is_unique: bool) -> Index {
    Index {
        name: name.to_owned(),
        columns: columns.iter().map(|name| (*name).to_owned()).collect(),
        is_unique,
        is_plain: true,
    }
}

/// A sketch that is a declaration, without the two lines that say what it is.
#[track_caller]
fn sketch(tables: &[Table]) -> String {
    let text = declaration(tables, "shop.db").unwrap();
    if let Err(problems) = carafe_model::declaration::parse(&text, Path::new("shop")) {
        panic!("{problems:#?}\n{text}");
    }
    let lines: Vec<&str> = text.lines().skip(2).collect();
    lines.join("\n")
}

#[test]
fn columns_become_fields() {
    let mut name = column(
        "name",
        "character varying(80)",
        Held::String {
            max_length: Some(80),
        },
    );
    name.default = DefaultValue::Literal("it's \"new\"".to_owned());
    let mut state = column(
        "state",
        "text",
        Held::Choice(vec!["new".to_owned(), "old".to_owned()]),
    );
    state.not_null = false;
    state.default = DefaultValue::Literal("new".to_owned());
    let mut created = column("created_at", "timestamp with time zone", Held::Datetime);
    created.default = DefaultValue::Now;
    let mut seen = column("Seen At", "timestamp with time zone", Held::Datetime);
    seen.default = DefaultValue::Now;
    let photo = column("photo", "bytea", Held::Unknown);
    let mut items = table(
        "items",
        &["id"],
        vec![
            column("id", "bigint", Held::Integer),
            name,
            state,
            created,
            seen,
            photo,
        ],
    );
    items.indexes = vec![
        index("by_name", &["name"], true),
        index("by_state", &["state"], false),
        index("by_both", &["state", "name"], true),
        index("by_all", &["name", "state"], false),
    ];
    items.checks = vec!["length(name) > 1".to_owned()];
    assert_eq!(
        sketch(&[items]),
        r#"
# index "by_all" has no counterpart
# check (length(name) > 1) has no counterpart
[resources.items]
unique = [["state", "name"]]

[resources.items.fields]
name       = { type = "string", max_length = 80, default = "it's \"new\"", unique = true }
state      = { type = "choice", one_of = ["new", "old"], optional = true, default = "new", index = true }
created_at = { type = "datetime", set = "create" }
# column "Seen At" is `seen_at` here
# column "Seen At" (timestamp with time zone) has the time of the insertion as its default: `set = "create"` is near that
seen_at    = { type = "datetime" }
# column "photo" (bytea) has no counterpart: left out"#
    );
}

#[test]
fn keys_and_references() {
    let users = table(
        "Users",
        &["uid"],
        vec![
            column("uid", "uuid", Held::Uuid),
            column("name", "text", Held::Text),
        ],
    );
    let mut posts = table(
        "posts",
        &["user", "day"],
        vec![
            column("user", "uuid", Held::Uuid),
            column("day", "date", Held::Date),
            column("tag", "integer", Held::Integer),
            column("id", "integer", Held::Integer),
        ],
    );
    let refers = |own: &str, to: &str, on_delete| ForeignKey {
        columns: vec![own.to_owned()],
        to: to.to_owned(),
        to_columns: Vec::new(),
        on_delete,
    };
    posts.foreign_keys = vec![
        refers("user", "Users", OnDelete::Cascade),
        refers("tag", "tags", OnDelete::Restrict),
    ];
    let tags = table(
        "tags",
        &["id"],
        vec![column("id", "integer", Held::Integer)],
    );
    let view = Table {
        relation: Relation::View,
        ..table("recent", &[], Vec::new())
    };
    assert_eq!(
        sketch(&[users, posts, view, tags]),
        r#"
# table "Users" is `users` here: that name cannot be a resource's
[resources.users]
key = { field = "uid", type = "uuid" }

[resources.users.fields]
name = { type = "text" }

# the primary key (user, day) has no counterpart: records get a key `record_id` of their own
[resources.posts]
key = { field = "record_id", type = "integer" }
unique = [["user", "day"]]

[resources.posts.fields]
user = { type = "reference", to = "users", on_delete = "cascade" }
day  = { type = "date" }
# column "tag" (integer) refers to tags, which is left out: no reference
tag  = { type = "integer" }
id   = { type = "integer" }

# "recent" is a view: left out

# "tags" is a table without a column that could be a field: left out"#
    );
}

#[test]
fn without_a_table_there_is_no_declaration() {
    assert_eq!(declaration(&[], "shop.db"), None);
    let keys = table(
        "keys",
        &["id"],
        vec![column("id", "integer", Held::Integer)],
    );
    assert_eq!(declaration(&[keys], "shop.db"), None);
}

/// Any text, more often one that has a meaning for a declaration or a database.
fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => proptest::sample::select(vec![
            "id", "name", "a", "b", "deleted_at", "created_at", "api", "pages", "true", "0",
            "1.5", "2026-01-31", "2026-01-31 12:00:00", "{\"a\":[1,null]}", "", " ", "a\nb",
        ])
        .prop_map(str::to_owned),
        1 => any::<String>(),
        1 => "[a-zA-Z_]{0,70}",
    ]
}

fn any_held() -> impl Strategy<Value = Held> {
    prop_oneof![
        Just(Held::Integer),
        Just(Held::Number),
        (0_u8..=18).prop_map(|scale| Held::Decimal { scale }),
        Just(Held::Boolean),
        Just(Held::Date),
        Just(Held::Datetime),
        Just(Held::Uuid),
        Just(Held::Json),
        proptest::option::of(1_u32..).prop_map(|max_length| Held::String { max_length }),
        Just(Held::Text),
        vec(any_text(), 0..4).prop_map(Held::Choice),
        Just(Held::Email),
        Just(Held::Url),
        Just(Held::Password),
        any_text().prop_map(Held::Reference),
        Just(Held::Unknown),
    ]
}

fn any_column() -> impl Strategy<Value = Column> {
    let default = prop_oneof![
        Just(DefaultValue::None),
        any_text().prop_map(DefaultValue::Literal),
        Just(DefaultValue::Now),
        Just(DefaultValue::Given),
        any_text().prop_map(DefaultValue::Expression),
    ];
    let flags = (any::<bool>(), any::<bool>());
    (any_text(), any_text(), any_held(), default, flags).prop_map(
        |(name, type_name, held, default, (not_null, is_generated))| Column {
            type_name,
            default,
            not_null,
            is_generated: is_generated && name.len() > 4,
            ..column(&name, "", held)
        },
    )
}

fn any_table() -> impl Strategy<Value = Table> {
    let names = || vec(any_text(), 0..3);
    let index = (any_text(), names(), any::<bool>(), any::<bool>()).prop_map(
        |(name, columns, is_unique, is_plain)| Index {
            name,
            columns,
            is_unique,
            is_plain,
        },
    );
    let foreign_key =
        (names(), any_text(), names()).prop_map(|(columns, to, to_columns)| ForeignKey {
            columns,
            to,
            to_columns,
            on_delete: OnDelete::SetNull,
        });
    let parts = (vec(index, 0..4), vec(foreign_key, 0..3), names());
    (any_text(), vec(any_column(), 0..6), names(), parts).prop_map(
        |(name, mut columns, primary_key, (indexes, foreign_keys, checks))| {
            // No table has two columns of one name.
            columns.sort_by(|a, b| a.name.cmp(&b.name));
            columns.dedup_by(|a, b| a.name == b.name);
            Table {
                primary_key,
                indexes,
                foreign_keys,
                checks,
                ..table(&name, &[], columns)
            }
        },
    )
}

proptest! {
    #[test]
    fn every_sketch_is_a_declaration(mut tables in vec(any_table(), 1..5)) {
        tables.sort_by(|a, b| a.name.cmp(&b.name));
        tables.dedup_by(|a, b| a.name == b.name);
        if let Some(text) = declaration(&tables, "shop.db") {
            let parsed = carafe_model::declaration::parse(&text, Path::new("shop"));
            prop_assert!(parsed.is_ok(), "{:#?}\n{text}", parsed.err());
        }
    }
}
