//! Tables follow the declaration, or it is said why not.

use std::sync::Arc;

use carafe_model::field::Field;
use carafe_model::key::{Key, KeyKind};
use carafe_model::kind::{Kind, OnDelete};
use carafe_model::schema::Schema;
use carafe_model::value::Value;
use carafe_store::error::Error;
use carafe_store::store::{Database, Migrated, Store};

use crate::support::{
    Bed, Draft, field, optional, reference, resource, schema, text, unique, with_default,
};

fn title() -> Field {
    field("title", Kind::String)
}

fn one(draft: Draft) -> Arc<Schema> {
    schema(vec![draft])
}

async fn migrate(database: &Database, schema: &Arc<Schema>) -> Result<Migrated, Vec<String>> {
    match database.migrate(schema).await {
        Ok(migrated) => Ok(migrated),
        Err(Error::Incompatible(lines)) => Err(lines),
        Err(err) => panic!("{err:?}"),
    }
}

#[tokio::test]
async fn a_second_migration_finds_nothing_to_do() {
    let schema = schema(vec![
        resource("authors", vec![title()])
            .key("slug", KeyKind::Uuid)
            .history(),
        resource(
            "books",
            vec![
                title(),
                with_default(field("done", Kind::Boolean), Value::Boolean(false)),
                unique(field("isbn", Kind::String)),
                reference("author", "authors", OnDelete::Cascade),
            ],
        )
        .search(&["title"])
        .order(&["-title"])
        .parent("author"),
        resource("logs", vec![title()])
            .hard()
            .key("name", KeyKind::String),
    ]);
    for bed in Bed::each(&schema).await {
        assert_eq!(
            migrate(&bed.database, &schema).await,
            Ok(Migrated::default())
        );
        bed.finish().await;
    }
}

#[tokio::test]
async fn what_loses_nothing_is_done() {
    let before = one(resource(
        "notes",
        vec![title(), field("size", Kind::Integer)],
    ));
    let after = one(resource(
        "notes",
        vec![
            unique(title()),
            optional(field("size", Kind::Integer)),
            optional(field("note", Kind::Text)),
            with_default(field("state", Kind::String), text("it's new")),
            with_default(field("done", Kind::Boolean), Value::Boolean(false)),
        ],
    )
    .search(&["title", "note"])
    .order(&["-size"])
    .history());
    for bed in Bed::each(&before).await {
        for name in ["alpha", "beta"] {
            bed.insert("notes", vec![text(name), Value::Integer(1)])
                .await
                .unwrap();
        }
        let migrated = migrate(&bed.database, &after).await.unwrap();
        assert_eq!(migrated.created, []);
        assert_eq!(
            migrated.changes,
            [
                "Made field `notes.size` optional",
                "Added field `notes.note`",
                "Added field `notes.state`",
                "Added field `notes.done`",
                "Made index `notes__unique__title`",
                "Made index `notes__by__-size__-id`",
            ]
        );
        assert_eq!(
            migrate(&bed.database, &after).await,
            Ok(Migrated::default())
        );
        let store = Store::new(bed.database.clone(), &after);
        let bed = Bed {
            store,
            schema: Arc::clone(&after),
            ..bed
        };
        let first = bed.get("notes", &Key::Integer(1)).await.unwrap();
        assert_eq!(
            first.values,
            [
                text("alpha"),
                Value::Integer(1),
                Value::Null,
                text("it's new"),
                Value::Boolean(false)
            ]
        );
        assert_eq!(bed.find("notes", "ALPH").await.1, 1);
        let values = vec![
            text("gamma"),
            Value::Null,
            text("alpha"),
            text(""),
            Value::Boolean(true),
        ];
        bed.insert("notes", values).await.unwrap();
        assert_eq!(bed.find("notes", "alpha").await.1, 2);
        bed.finish().await;
    }
}

#[tokio::test]
async fn what_could_lose_data_is_refused_all_at_once() {
    let before = one(resource(
        "notes",
        vec![
            title(),
            field("size", Kind::Integer),
            field("price", Kind::Decimal { scale: 2 }),
            optional(field("note", Kind::Text)),
            field("gone", Kind::String),
            field("code", Kind::String),
        ],
    ));
    let after = one(resource(
        "notes",
        vec![
            title(),
            field("size", Kind::String),
            field("price", Kind::Decimal { scale: 3 }),
            field("note", Kind::Text),
            unique(field("code", Kind::String)),
            field("fresh", Kind::String),
        ],
    )
    .hard());
    for bed in Bed::each(&before).await {
        for _ in 0..3 {
            let values = vec![
                text("a"),
                Value::Integer(1),
                Value::Integer(1),
                Value::Null,
                text("g"),
                text("c"),
            ];
            bed.insert("notes", values).await.unwrap();
        }
        let first = bed.get("notes", &Key::Integer(1)).await.unwrap();
        bed.delete("notes", &first).await.unwrap();
        let lines = migrate(&bed.database, &after).await.unwrap_err();
        assert_eq!(
            lines,
            [
                "resource `notes`: `delete` is \"hard\" now, but there are records that were deleted softly",
                "field `notes.size`: the type is string, but the column was made for integer",
                "field `notes.price`: the type is decimal with scale 3, but the column was made for decimal with scale 2",
                "field `notes.note`: it is not optional any more, but there are records without a value",
                "field `notes.fresh`: it is new and has no value for the records that are there; give it a default, or make it optional",
                "resource `notes`: the table has a column `gone` that must not be null and is no field any more; declare the field again, or drop the column",
                "resource `notes`: `code` must be unique now, but there are records with the same value",
            ]
        );
        assert_eq!(
            migrate(&bed.database, &before).await,
            Ok(Migrated::default())
        );
        let lines = migrate(
            &bed.database,
            &one(resource("notes", vec![title()]).key("slug", KeyKind::String)),
        )
        .await
        .unwrap_err();
        assert_eq!(
            lines[0],
            "resource `notes`: the key is `slug` of type string, but the table was made for another key"
        );
        bed.finish().await;
    }
}

#[tokio::test]
async fn an_empty_table_is_made_anew_and_reuses_no_id() {
    let before = one(resource("notes", vec![title()]).hard().search(&["title"]));
    let after = one(
        resource("notes", vec![title(), field("size", Kind::Integer)])
            .hard()
            .search(&["title"]),
    );
    for bed in Bed::each(&before).await {
        let made = bed.insert("notes", vec![text("a")]).await.unwrap();
        bed.delete("notes", &made).await.unwrap();
        let migrated = migrate(&bed.database, &after).await.unwrap();
        assert_eq!(migrated.changes[0], "Made the empty table `notes` anew");
        assert_eq!(
            migrate(&bed.database, &after).await,
            Ok(Migrated::default())
        );
        let store = Store::new(bed.database.clone(), &after);
        let bed = Bed {
            store,
            schema: Arc::clone(&after),
            ..bed
        };
        let next = bed
            .insert("notes", vec![text("abc"), Value::Integer(1)])
            .await
            .unwrap();
        assert_eq!(next.id, 2);
        assert_eq!(bed.find("notes", "abc").await.1, 1);
        bed.finish().await;
    }
}

#[tokio::test]
async fn a_table_of_another_program_is_left_alone() {
    let bed = Bed::file(&schema(vec![])).await;
    bed.other()
        .execute_batch(
            "CREATE TABLE notes (id INTEGER PRIMARY KEY, title TEXT); CREATE TABLE old (a)",
        )
        .unwrap();
    let lines = migrate(&bed.database, &one(resource("notes", vec![title()])))
        .await
        .unwrap_err();
    assert_eq!(
        lines,
        ["resource `notes`: the database has a table of that name that is not one of Carafe's"]
    );
    bed.finish().await;
}

#[tokio::test]
async fn hard_becomes_soft_and_back_while_nothing_is_deleted() {
    let hard = one(resource("notes", vec![unique(title())]).hard());
    let soft = one(resource("notes", vec![unique(title())]));
    for bed in Bed::each(&hard).await {
        bed.insert("notes", vec![text("a")]).await.unwrap();
        migrate(&bed.database, &soft).await.unwrap();
        assert_eq!(migrate(&bed.database, &soft).await, Ok(Migrated::default()));
        migrate(&bed.database, &hard).await.unwrap();
        migrate(&bed.database, &soft).await.unwrap();
        let store = Store::new(bed.database.clone(), &soft);
        let bed = Bed {
            store,
            schema: Arc::clone(&soft),
            ..bed
        };
        let made = bed.get("notes", &Key::Integer(1)).await.unwrap();
        bed.delete("notes", &made).await.unwrap();
        bed.insert("notes", vec![text("a")]).await.unwrap();
        bed.finish().await;
    }
}

#[tokio::test]
async fn an_optional_field_becomes_required_where_all_have_a_value() {
    let before = one(resource("notes", vec![optional(title())]));
    let after = one(resource("notes", vec![title()]));
    for bed in Bed::each(&before).await {
        bed.insert("notes", vec![text("a")]).await.unwrap();
        let migrated = migrate(&bed.database, &after).await.unwrap();
        assert_eq!(migrated.changes, ["Made field `notes.title` required"]);
        assert_eq!(
            migrate(&bed.database, &after).await,
            Ok(Migrated::default())
        );
        let refused = bed.insert("notes", vec![Value::Null]).await;
        assert!(matches!(refused, Err(Error::Other(_))), "{refused:?}");
        bed.finish().await;
    }
}

/// A second process, or a declaration that was refused after its tables were made, leaves the
/// plans of an older one in use.
#[tokio::test]
async fn older_plans_go_on_after_a_migration() {
    let sorted = schema(vec![
        resource("alpha", vec![title()]).search(&["title"]),
        resource("beta", vec![title()])
            .search(&["title"])
            .order(&["-title"]),
    ]);
    let plain = schema(vec![
        resource("alpha", vec![title()]),
        resource("beta", vec![title()]).search(&["title"]),
    ]);
    let bed = Bed::file(&sorted).await;
    bed.insert("beta", vec![text("first")]).await.unwrap();
    bed.database.migrate(&plain).await.unwrap();
    bed.insert("beta", vec![text("needle")]).await.unwrap();
    assert_eq!(bed.all("beta").await.1, 2, "the index of its order is gone");
    // The index of `alpha` is gone, which keeps that of `beta` from nothing.
    let waiting = || -> i64 {
        let count = "SELECT count(*) FROM beta__pending";
        bed.other().query_row(count, [], |row| row.get(0)).unwrap()
    };
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while waiting() > 0 {
        assert!(
            std::time::Instant::now() < deadline,
            "{} rows wait",
            waiting()
        );
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(bed.find("beta", "needle").await.1, 1);
}

#[tokio::test]
async fn a_resource_that_is_gone_refers_to_nothing() {
    let both = schema(vec![
        resource("users", vec![title()]).hard(),
        resource(
            "notes",
            vec![title(), reference("user", "users", OnDelete::Cascade)],
        )
        .hard(),
    ]);
    let bed = Bed::file(&both).await;
    let user = bed.insert("users", vec![text("a")]).await.unwrap();
    bed.insert("notes", vec![text("b"), Value::Integer(user.id)])
        .await
        .unwrap();
    let alone = one(resource("users", vec![title()]).hard());
    bed.database.migrate(&alone).await.unwrap();
    let store = Store::new(bed.database.clone(), &alone);
    store
        .delete(&alone.resources[0], &user, crate::support::stamp())
        .await
        .unwrap();
    let left: i64 = bed
        .other()
        .query_row("SELECT count(*) FROM notes", [], |row| row.get(0))
        .unwrap();
    assert_eq!(left, 1, "what is not declared is not touched");
}

#[tokio::test]
async fn a_new_unique_field_with_a_default_is_refused_where_it_repeats() {
    let bed = Bed::file(&one(resource("notes", vec![title()]))).await;
    let wider = one(resource(
        "notes",
        vec![
            title(),
            unique(with_default(field("code", Kind::String), text("x"))),
        ],
    ));
    bed.insert("notes", vec![text("a")]).await.unwrap();
    bed.insert("notes", vec![text("b")]).await.unwrap();
    let refused = migrate(&bed.database, &wider).await;
    assert!(refused.is_err_and(|lines| lines[0].contains("`code` must be unique")));
    bed.finish().await;
}
