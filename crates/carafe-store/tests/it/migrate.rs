//! Tables follow the declaration, or it is said why not.

use std::sync::Arc;

use carafe_model::field::Field;
use carafe_model::key::{Key, KeyKind};
use carafe_model::kind::{Kind, OnDelete};
use carafe_model::schema::Schema;
use carafe_model::value::Value;
use carafe_store::error::Error;
use carafe_store::store::{Accept, Database, Migrated, Migration, Store, untold};

use crate::support::{
    Bed, Draft, Place, field, optional, reference, resource, schema, text, unique, with_default,
};

fn title() -> Field {
    field("title", Kind::String)
}

fn one(draft: Draft) -> Arc<Schema> {
    schema(vec![draft])
}

async fn migrate(database: &Database, schema: &Arc<Schema>) -> Result<Migrated, Vec<String>> {
    match database.migrate(schema, &[], Accept::Safe, &untold()).await {
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
        assert_eq!(
            migrated.changes,
            [
                "Made field `notes.size` optional",
                "Added field `notes.note`",
                "Added field `notes.state`",
                "Added field `notes.done`",
                "Began the history of `notes`",
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
async fn what_does_not_fit_is_refused_all_at_once() {
    let before = one(resource(
        "notes",
        vec![
            title(),
            field("size", Kind::String),
            field("price", Kind::Json),
            optional(field("note", Kind::Text)),
            field("code", Kind::String),
        ],
    ));
    let after = one(resource(
        "notes",
        vec![
            title(),
            field("size", Kind::Integer),
            field("price", Kind::Decimal { scale: 3 }),
            field("note", Kind::Text),
            unique(field("code", Kind::String)),
            field("fresh", Kind::String),
        ],
    )
    .hard());
    for bed in Bed::each(&before).await {
        for size in ["7", "7.5", "seven"] {
            let values = vec![text("a"), text(size), text("1"), Value::Null, text("c")];
            bed.insert("notes", values).await.unwrap();
        }
        let first = bed.get("notes", &Key::Integer(1)).await.unwrap();
        bed.delete("notes", &first).await.unwrap();
        let lines = migrate(&bed.database, &after).await.unwrap_err();
        assert_eq!(
            lines,
            [
                "resource `notes`: `delete` is \"hard\" now, but there are records that were deleted softly",
                "field `notes.size`: the type is integer, but the column was made for string and has values that do not fit: 2 has \"7.5\", 3 has \"seven\"",
                "field `notes.price`: the type is decimal with scale 3, but the column was made for json",
                "field `notes.note`: it is not optional any more, but there are records without a value",
                "field `notes.fresh`: it is new and has no value for the records that are there; give it a default, or make it optional",
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
async fn what_looks_like_ours_goes_whatever_it_is_called() {
    let schema = one(resource("notes", vec![title()]));
    for bed in Bed::lasting(&schema).await {
        bed.insert("notes", vec![text("kept")]).await.unwrap();
        bed.as_other("CREATE INDEX \"notes__\"\"by\" ON notes (title)")
            .await;
        let changed = migrate(&bed.database, &schema).await;
        assert!(changed.is_ok(), "{changed:?}");
        let catalog = match bed.place {
            Place::Postgres(_) => "pg_class WHERE relname",
            Place::File(_) | Place::Memory => "sqlite_schema WHERE name",
        };
        let left = format!("SELECT count(*) FROM {catalog} = 'notes__\"by'");
        assert_eq!(bed.read_as_other(&left).await, 0);
        assert_eq!(bed.all("notes").await.1, 1);
        bed.finish().await;
    }
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
    bed.database
        .migrate(&plain, &[], Accept::Safe, &untold())
        .await
        .unwrap();
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

/// The search index was one of FTS5 once, with the live rows only and a trigger for deletions.
#[tokio::test]
async fn a_search_index_of_an_older_form_is_made_anew() {
    let schema = schema(vec![resource("notes", vec![title()]).search(&["title"])]);
    let bed = Bed::file(&schema).await;
    bed.insert("notes", vec![text("needle")]).await.unwrap();
    crate::search::indexed(&bed).await;
    bed.as_other(
        "DROP TABLE notes__search;
         CREATE VIRTUAL TABLE notes__search USING fts5(text, content='', contentless_delete=1, \
         tokenize='trigram case_sensitive 1', detail=full);
         CREATE TRIGGER notes__search_delete AFTER DELETE ON notes BEGIN
         INSERT INTO notes__pending (id) VALUES (OLD.id) ON CONFLICT DO NOTHING; END",
    )
    .await;
    let bed = bed.reopen().await;
    for _ in ["waiting", "indexed"] {
        assert_eq!(bed.find("notes", "need").await.1, 1);
        assert_eq!(bed.find("notes", "ed").await.1, 1);
        crate::search::indexed(&bed).await;
    }
    let old = "SELECT count(*) FROM sqlite_schema WHERE name LIKE 'notes__search_%' \
               AND name NOT IN ('notes__search_insert', 'notes__search_update')";
    assert_eq!(bed.read_as_other(old).await, 0);
    let made = bed.insert("notes", vec![text("thread")]).await.unwrap();
    bed.delete("notes", &made).await.unwrap();
    assert_eq!(bed.find("notes", "thread").await.1, 0);
    bed.finish().await;
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
    bed.database
        .migrate(&alone, &[], Accept::Safe, &untold())
        .await
        .unwrap();
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

/// A store over a database whose declaration has changed.
fn over(bed: Bed, schema: &Arc<Schema>) -> Bed {
    let store = Store::new(bed.database.clone(), schema);
    Bed {
        store,
        schema: Arc::clone(schema),
        ..bed
    }
}

fn renamed(mut field: Field, was: &str) -> Field {
    field.was = Some(crate::support::name(was));
    field
}

#[tokio::test]
async fn what_is_renamed_keeps_its_records() {
    let before = schema(vec![
        resource("memos", vec![unique(title()), field("size", Kind::Integer)])
            .search(&["title"])
            .order(&["-size"])
            .history(),
        resource(
            "tags",
            vec![title(), reference("memo", "memos", OnDelete::Cascade)],
        ),
    ]);
    let after = schema(vec![
        resource(
            "notes",
            vec![
                unique(renamed(field("name", Kind::String), "title")),
                field("size", Kind::Integer),
            ],
        )
        .was("memos")
        .search(&["name"])
        .order(&["-size"])
        .history(),
        resource(
            "tags",
            vec![
                title(),
                renamed(reference("note", "notes", OnDelete::Cascade), "memo"),
            ],
        ),
    ]);
    for bed in Bed::each(&before).await {
        let values = |name: &str| vec![text(name), Value::Integer(1)];
        let gone = bed.insert("memos", values("gone")).await.unwrap();
        let tag = vec![text("a tag"), Value::Integer(gone.id)];
        bed.insert("tags", tag).await.unwrap();
        bed.delete("memos", &gone).await.unwrap();
        bed.insert("memos", values("alpha")).await.unwrap();
        let plan = bed.database.plan(&after, &[], &untold()).await.unwrap();
        let titles: Vec<_> = plan.steps.iter().map(|step| step.title.as_str()).collect();
        assert_eq!(
            titles[..3],
            [
                "Renamed table `memos` to `notes`",
                "Renamed field `notes.title` to `notes.name`",
                "Renamed field `tags.memo` to `tags.note`",
            ]
        );
        assert!(!plan.steps.iter().any(|step| step.loses_data));
        assert_eq!(bed.all("memos").await.1, 1, "a plan changes nothing");
        migrate(&bed.database, &after).await.unwrap();
        let bed = over(bed, &after);
        assert_eq!(bed.all("notes").await.1, 1);
        assert_eq!(bed.find("notes", "ALPH").await.1, 1);
        let gone = bed.deleted("notes", &Key::Integer(1)).await.unwrap();
        bed.restore("notes", &gone).await.unwrap();
        assert_eq!(
            bed.all("tags").await.1,
            1,
            "restored with what it took along"
        );
        let notes = bed.resource("notes");
        let history = bed.store.history(notes, 1, 9).await.unwrap();
        assert_eq!(history.len(), 3);
        assert!(
            history
                .iter()
                .all(|version| version.values[0] == text("gone"))
        );
        let next = bed.insert("notes", values("new")).await.unwrap();
        assert_eq!(next.id, 3);
        assert_eq!(
            migrate(&bed.database, &after).await,
            Ok(Migrated::default())
        );
        // And back, as the migration says itself.
        let undone = bed.database.undo().await.unwrap().expect("a migration");
        assert!(undone.name.ends_with("_rename_memos"), "{}", undone.name);
        let bed = over(bed, &before);
        assert_eq!(
            migrate(&bed.database, &before)
                .await
                .map(|migrated| migrated.made),
            Ok(None),
            "nothing but upkeep is left to do"
        );
        assert_eq!(bed.all("memos").await.1, 3);
        assert_eq!(bed.find("memos", "alph").await.1, 1);
        bed.finish().await;
    }
}

#[tokio::test]
async fn values_become_those_of_a_new_type() {
    let kinds = |kinds: [Kind; 8]| {
        let names = ["a", "b", "c", "d", "e", "f", "g", "h"];
        let fields = { names }.into_iter().zip(kinds);
        one(resource(
            "things",
            fields
                .map(|(name, kind)| optional(field(name, kind)))
                .collect(),
        )
        .order(&["a"])
        .search(&[]))
    };
    let decimal = |scale| Kind::Decimal { scale };
    let before = kinds([
        Kind::Integer,
        Kind::String,
        decimal(2),
        Kind::Boolean,
        Kind::String,
        Kind::Datetime,
        Kind::Number,
        decimal(3),
    ]);
    let after = kinds([
        Kind::String,
        Kind::Integer,
        decimal(4),
        Kind::Integer,
        decimal(2),
        Kind::String,
        Kind::Integer,
        Kind::Text,
    ]);
    let moment = "2026-01-31T12:00:00.123456Z";
    let old = [
        Value::Integer(-42),
        text("9223372036854775807"),
        Value::Integer(-1999),
        Value::Boolean(true),
        text("-12.50"),
        text(moment),
        Value::Number(3.0),
        Value::Integer(-5),
    ];
    let new = [
        text("-42"),
        Value::Integer(i64::MAX),
        Value::Integer(-199_900),
        Value::Integer(1),
        Value::Integer(-1250),
        text(moment),
        Value::Integer(3),
        text("-0.005"),
    ];
    for bed in Bed::each(&before).await {
        bed.insert("things", old.to_vec()).await.unwrap();
        bed.insert("things", vec![Value::Null; 8]).await.unwrap();
        let changes = migrate(&bed.database, &after).await.unwrap().changes;
        assert_eq!(
            changes[0],
            "Converted field `things.a` from integer to string"
        );
        let bed = over(bed, &after);
        let first = bed.get("things", &Key::Integer(1)).await.unwrap();
        assert_eq!(
            (first.version, first.values.as_slice()),
            (1, new.as_slice())
        );
        let second = bed.get("things", &Key::Integer(2)).await.unwrap();
        assert_eq!(second.values, vec![Value::Null; 8]);
        assert_eq!(
            migrate(&bed.database, &after).await,
            Ok(Migrated::default())
        );
        bed.database.undo().await.unwrap().expect("a migration");
        let bed = over(bed, &before);
        let left = migrate(&bed.database, &before).await.unwrap();
        assert_eq!(left.made, None);
        let first = bed.get("things", &Key::Integer(1)).await.unwrap();
        assert_eq!(first.values, old);
        bed.finish().await;
    }
}

#[tokio::test]
async fn what_is_declared_no_more_goes_when_somebody_agrees() {
    let before = schema(vec![
        resource("notes", vec![title(), unique(field("code", Kind::String))])
            .search(&["title", "code"])
            .history(),
        resource("old", vec![title()]).history(),
    ]);
    let after = one(resource("notes", vec![title()])
        .search(&["title"])
        .history());
    for bed in Bed::each(&before).await {
        for (name, code) in [("a", "1"), ("b", "2")] {
            bed.insert("notes", vec![text(name), text(code)])
                .await
                .unwrap();
        }
        bed.insert("old", vec![text("x")]).await.unwrap();
        let migrated = migrate(&bed.database, &after).await.unwrap();
        assert_eq!(
            migrated.changes[0],
            "Let column `notes.code`, which is no field any more, be null"
        );
        let bed = over(bed, &after);
        bed.insert("notes", vec![text("c")]).await.unwrap();
        let plan = bed.database.plan(&after, &[], &untold()).await.unwrap();
        let lossy: Vec<_> = plan.steps.iter().filter(|step| step.loses_data).collect();
        let titles: Vec<_> = lossy.iter().map(|step| step.title.as_str()).collect();
        assert_eq!(
            titles,
            ["Dropped field `notes.code`", "Dropped table `old`"]
        );
        assert!(plan.is_empty(), "a server can start all the same");
        let all = bed
            .database
            .migrate(&after, &[], Accept::Loss, &untold())
            .await
            .unwrap();
        assert_eq!(all.changes[..2], titles);
        let plan = bed.database.plan(&after, &[], &untold()).await.unwrap();
        assert_eq!(plan, carafe_store::store::Plan::default());
        assert_eq!(bed.all("notes").await.1, 3);
        assert_eq!(bed.find("notes", "a").await.1, 1);
        bed.finish().await;
    }
}

/// What was done to one database is done to another, on either engine, by the files that were
/// written; and a person's own SQL with them.
#[tokio::test]
async fn migrations_are_done_again_elsewhere() {
    let first = one(resource("notes", vec![title()]).search(&["title"]));
    let second = one(resource(
        "notes",
        vec![
            renamed(field("name", Kind::String), "title"),
            with_default(
                field("rank", Kind::Decimal { scale: 2 }),
                Value::Integer(150),
            ),
        ],
    )
    .search(&["name"]));
    let mut files = Vec::new();
    let scratch = Bed::memory(&schema(vec![])).await;
    for schema in [&first, &second] {
        let made = scratch
            .database
            .migrate(schema, &[], Accept::Safe, &untold())
            .await
            .unwrap()
            .made
            .expect("a migration");
        files.push(made);
    }
    let names: Vec<_> = files.iter().map(|file| file.name.as_str()).collect();
    assert_eq!(names, ["0001_create_notes", "0002_rename_notes_title"]);
    files.push(Migration {
        name: "0003_fill".to_owned(),
        text: "INSERT INTO notes (name) VALUES ('by hand');\n-- undo both\nDELETE FROM notes;\n"
            .to_owned(),
    });
    for bed in Bed::each(&schema(vec![])).await {
        let plan = bed.database.plan(&second, &files, &untold()).await.unwrap();
        assert_eq!(plan.files, files);
        let done = bed
            .database
            .migrate(&second, &files, Accept::Safe, &untold())
            .await
            .unwrap();
        assert_eq!(done.made, None, "the files said it all: {:?}", done.changes);
        assert_eq!(bed.database.migrations().await.unwrap(), files);
        let bed = over(bed, &second);
        let note = bed.get("notes", &Key::Integer(1)).await.unwrap();
        assert_eq!(note.values, [text("by hand"), Value::Integer(150)]);
        assert_eq!(bed.find("notes", "HAND").await.1, 1);
        let again = bed
            .database
            .migrate(&second, &files, Accept::Safe, &untold())
            .await;
        assert_eq!(again.unwrap(), Migrated::default());
        // A file that has changed since is not what was applied.
        let mut edited = files.clone();
        edited[1].text.push_str("SELECT 1;\n");
        let refused = bed.database.plan(&second, &edited, &untold()).await;
        assert!(
            matches!(refused, Err(Error::Incompatible(_))),
            "{refused:?}"
        );
        for expected in files.iter().rev() {
            let undone = bed.database.undo().await.unwrap();
            assert_eq!(undone.as_ref(), Some(expected));
        }
        assert_eq!(bed.database.undo().await.unwrap(), None);
        bed.finish().await;
    }
    scratch.finish().await;
}

/// A migration that fails halfway leaves nothing behind.
#[tokio::test]
async fn a_migration_is_all_or_nothing() {
    let notes = one(resource("notes", vec![title()]));
    let files = [Migration {
        name: "0001_bad".to_owned(),
        text: "CREATE TABLE extra (a integer);\n-- step: two\nINSERT INTO nowhere VALUES (1);\n"
            .to_owned(),
    }];
    for bed in Bed::each(&schema(vec![])).await {
        let failed = bed
            .database
            .migrate(&notes, &files, Accept::Safe, &untold())
            .await;
        let is_named = matches!(&failed, Err(Error::Migration { name, .. }) if name == "0001_bad");
        assert!(is_named, "{failed:?}");
        let plan = bed.database.plan(&notes, &[], &untold()).await.unwrap();
        assert_eq!(plan.steps[0].title, "Created table `notes`");
        let fine = [Migration {
            name: "0001_bad".to_owned(),
            text: "CREATE TABLE extra (a integer);\n".to_owned(),
        }];
        let done = bed
            .database
            .migrate(&notes, &fine, Accept::Safe, &untold())
            .await
            .unwrap();
        assert_eq!(
            done.changes,
            ["Applied `0001_bad`", "Created table `notes`"]
        );
        bed.finish().await;
    }
}

/// An index on a large table of PostgreSQL is made while others write, also after an attempt
/// that was interrupted.
#[tokio::test]
async fn an_index_on_a_large_table_keeps_nobody_waiting() {
    let before = one(resource(
        "notes",
        vec![title(), field("size", Kind::Integer)],
    ));
    let sorted =
        || resource("notes", vec![title(), field("size", Kind::Integer)]).order(&["-size"]);
    let after = one(sorted());
    let Some(bed) = Bed::postgres(&before).await else {
        return;
    };
    bed.as_other(
        "INSERT INTO notes (title, size) SELECT 'n' || n, n FROM generate_series(1, 120000) AS n",
    )
    .await;
    let plan = bed.database.plan(&after, &[], &untold()).await.unwrap();
    assert!(plan.steps.iter().all(|step| !step.locks), "{plan:?}");
    bed.as_other(
        "CREATE INDEX \"notes__by__-size__-id\" ON notes (title); \
         UPDATE pg_index SET indisvalid = FALSE WHERE indexrelid = '\"notes__by__-size__-id\"'::regclass",
    )
    .await;
    let done = migrate(&bed.database, &after).await.unwrap();
    assert_eq!(done.changes, ["Made index `notes__by__-size__-id`"]);
    assert_eq!(
        migrate(&bed.database, &after).await,
        Ok(Migrated::default())
    );
    let walked = "SELECT count(*) FROM pg_index WHERE indisvalid AND \
                  indexrelid = '\"notes__by__-size__-id\"'::regclass AND indnkeyatts = 2";
    assert_eq!(bed.read_as_other(walked).await, 1);
    let converted = one(resource(
        "notes",
        vec![title(), field("size", Kind::Decimal { scale: 1 })],
    ));
    let plan = bed.database.plan(&converted, &[], &untold()).await.unwrap();
    assert!(plan.steps.iter().any(|step| step.locks), "{plan:?}");
    bed.finish().await;
}

/// Without its triggers a table's counters would be wrong: that is something to be done before a
/// server may start.
#[tokio::test]
async fn what_is_missing_beside_a_table_is_pending_too() {
    let notes = one(resource("notes", vec![title()]).search(&["title"]));
    for bed in Bed::lasting(&notes).await {
        bed.insert("notes", vec![text("a")]).await.unwrap();
        let plan = bed.database.plan(&notes, &[], &untold()).await.unwrap();
        assert!(plan.is_empty() && plan.steps.is_empty(), "{plan:?}");
        let drop = match &bed.place {
            crate::support::Place::Postgres(_) => "DROP TRIGGER notes__count_insert ON notes",
            _ => "DROP TRIGGER notes__count_insert",
        };
        bed.as_other(drop).await;
        bed.as_other("INSERT INTO notes (title) VALUES ('uncounted')")
            .await;
        let plan = bed.database.plan(&notes, &[], &untold()).await.unwrap();
        assert!(!plan.is_empty());
        assert_eq!(plan.steps[0].title, "Made what is kept beside the tables");
        migrate(&bed.database, &notes).await.unwrap();
        assert_eq!(bed.all("notes").await.1, 2);
        bed.finish().await;
    }
}

/// What one database has done, as files for another.
async fn files_of(schemas: &[&Arc<Schema>], url_of: &Bed) -> Vec<Migration> {
    let mut files = Vec::new();
    for schema in schemas {
        let done = url_of
            .database
            .migrate(schema, &[], Accept::Loss, &untold())
            .await
            .expect("migrate");
        files.extend(done.made);
    }
    files
}

/// Files that were written where a table was empty, on either engine, do no harm where it is not.
#[tokio::test]
async fn files_lose_nothing_that_nobody_agreed_to_lose() {
    let first = one(resource(
        "notes",
        vec![title(), field("size", Kind::String)],
    ));
    let remade = one(resource(
        "notes",
        vec![title(), field("needed", Kind::Integer)],
    ));
    let dropped = one(resource("notes", vec![title()]));
    for maker in Bed::each(&schema(vec![])).await {
        let remaking = files_of(&[&first, &remade], &maker).await;
        assert!(remaking[1].name.ends_with("_remake_notes"), "{remaking:?}");
        for bed in Bed::each(&first).await {
            let note = vec![text("a"), text("7")];
            bed.insert("notes", note).await.unwrap();
            // The tables are there, by the first of them.
            bed.as_migrated(&remaking[..1]).await;
            let refused = bed
                .database
                .migrate(&remade, &remaking, Accept::Loss, &untold())
                .await;
            assert!(
                matches!(refused, Err(Error::Incompatible(_))),
                "{refused:?}"
            );
            assert_eq!(bed.all("notes").await.1, 1);
            let mut dropping = remaking[..1].to_vec();
            dropping.push(Migration {
                name: "0002_drop".to_owned(),
                text: "-- step: Dropped field `notes.size`\n-- without triggers: notes\n\
                       -- loses data\nALTER TABLE notes DROP COLUMN \"size\";\n"
                    .to_owned(),
            });
            let refused = bed
                .database
                .migrate(&dropped, &dropping, Accept::Safe, &untold())
                .await;
            assert!(
                matches!(refused, Err(Error::Incompatible(_))),
                "{refused:?}"
            );
            let done = bed
                .database
                .migrate(&dropped, &dropping, Accept::Loss, &untold())
                .await;
            assert_eq!(done.unwrap().made, None);
            over(bed, &dropped).finish().await;
        }
        over(maker, &remade).finish().await;
    }
}

/// A conversion that comes as a file is done once, whichever engine wrote it.
#[tokio::test]
async fn a_conversion_by_a_file_is_done_once() {
    let kinds = |kinds: [Kind; 4]| {
        let fields = ["a", "b", "c", "d"].into_iter().zip(kinds);
        let field = |(name, kind)| {
            let mut field = optional(field(name, kind));
            field.index = true;
            field
        };
        one(resource("things", fields.map(field).collect()))
    };
    let before = kinds([
        Kind::String,
        Kind::Decimal { scale: 2 },
        Kind::Integer,
        Kind::Datetime,
    ]);
    let after = kinds([
        Kind::Decimal { scale: 2 },
        Kind::Decimal { scale: 4 },
        Kind::Boolean,
        Kind::String,
    ]);
    let moment = "2026-01-31T12:00:00.123456Z";
    for maker in Bed::each(&schema(vec![])).await {
        let files = files_of(&[&before, &after], &maker).await;
        assert_eq!(files.len(), 2);
        for bed in Bed::each(&before).await {
            bed.as_migrated(&files[..1]).await;
            let values = vec![
                text("1.5"),
                Value::Integer(225),
                Value::Integer(1),
                text(moment),
            ];
            bed.insert("things", values).await.unwrap();
            let done = bed
                .database
                .migrate(&after, &files, Accept::Safe, &untold())
                .await
                .unwrap();
            assert_eq!(done.made, None, "{:?}", done.changes);
            let bed = over(bed, &after);
            let thing = bed.get("things", &Key::Integer(1)).await.unwrap();
            let expected = [
                Value::Integer(150),
                Value::Integer(22_500),
                Value::Boolean(true),
                text(moment),
            ];
            assert_eq!(thing.values, expected);
            bed.finish().await;
        }
        over(maker, &after).finish().await;
    }
}

#[tokio::test]
async fn a_new_resource_may_have_the_old_name_of_another() {
    let short = |name: &str| {
        let mut field = unique(field(name, Kind::String));
        field.rules.length_max = Some(40);
        field
    };
    let notes = || resource("notes", vec![short("code")]);
    let before = one(notes());
    let renamed = one(resource("zettel", vec![short("code")]).was("notes"));
    let both = schema(vec![resource("zettel", vec![short("code")]), notes()]);
    for bed in Bed::each(&before).await {
        bed.insert("notes", vec![text("a")]).await.unwrap();
        migrate(&bed.database, &renamed).await.unwrap();
        migrate(&bed.database, &both).await.unwrap();
        let bed = over(bed, &both);
        for resource in ["zettel", "notes"] {
            if resource == "notes" {
                bed.insert(resource, vec![text("a")]).await.unwrap();
            }
            let twice = bed.insert(resource, vec![text("a")]).await;
            assert!(
                matches!(twice, Err(Error::Taken { unique: 0 })),
                "{twice:?}"
            );
        }
        assert_eq!(migrate(&bed.database, &both).await, Ok(Migrated::default()));
        bed.finish().await;
    }
}

#[tokio::test]
async fn history_goes_along_with_names_and_types() {
    let before = one(resource("notes", vec![field("a", Kind::String)]).history());
    let after = one(resource("notes", vec![field("a", Kind::Integer)]).history());
    let begun = one(
        resource("notes", vec![renamed(field("b", Kind::Integer), "a")])
            .history()
            .hard(),
    );
    for bed in Bed::each(&before).await {
        let note = bed.insert("notes", vec![text("abc")]).await.unwrap();
        bed.update("notes", &note, "a", text("12")).await.unwrap();
        migrate(&bed.database, &after).await.unwrap();
        let bed = over(bed, &after);
        let note = bed.get("notes", &Key::Integer(1)).await.unwrap();
        bed.update("notes", &note, "a", Value::Integer(13))
            .await
            .unwrap();
        let values = async |bed: &Bed| {
            let notes = bed.resource("notes");
            let history = bed.store.history(notes, 1, 9).await.unwrap();
            let values = history.into_iter().map(|version| version.values[0].clone());
            values.collect::<Vec<_>>()
        };
        assert_eq!(
            values(&bed).await,
            [Value::Integer(13), Value::Null, Value::Null],
            "what was of another type is no value of this one"
        );
        migrate(&bed.database, &begun).await.unwrap();
        let bed = over(bed, &begun);
        assert_eq!(values(&bed).await[0], Value::Integer(13));
        bed.finish().await;
    }
    // A history that begins together with a new name.
    let plain = one(resource("notes", vec![field("a", Kind::Integer)]).hard());
    for bed in Bed::each(&plain).await {
        bed.insert("notes", vec![Value::Integer(1)]).await.unwrap();
        migrate(&bed.database, &begun).await.unwrap();
        over(bed, &begun).finish().await;
    }
}

#[tokio::test]
async fn soft_deletion_is_taken_back_and_given_again() {
    let hard = one(resource("notes", vec![unique(title())]).hard());
    let soft = one(resource("notes", vec![unique(title())]));
    for bed in Bed::each(&hard).await {
        bed.insert("notes", vec![text("a")]).await.unwrap();
        for _ in 0..2 {
            migrate(&bed.database, &soft).await.unwrap();
            bed.database.undo().await.unwrap().expect("a migration");
        }
        migrate(&bed.database, &hard).await.unwrap();
        bed.finish().await;
    }
}

#[tokio::test]
async fn what_cannot_be_taken_back_says_so() {
    let two = schema(vec![
        resource("notes", vec![title()]),
        resource("old", vec![title()]),
    ]);
    let one = one(resource("notes", vec![title()]));
    for bed in Bed::each(&two).await {
        bed.database
            .migrate(&one, &[], Accept::Loss, &untold())
            .await
            .unwrap();
        let refused = bed.database.undo().await;
        assert!(
            matches!(refused, Err(Error::Incompatible(_))),
            "{refused:?}"
        );
        bed.finish().await;
    }
}

/// What the counters have besides since another version.
#[tokio::test]
async fn counters_of_an_earlier_version_become_those_of_this_one() {
    let bed = Bed::file(&schema(vec![resource(
        "notes",
        vec![field("title", Kind::String)],
    )]))
    .await;
    bed.insert("notes", vec![text("a")]).await.unwrap();
    bed.as_other(
        "DROP TRIGGER notes__count_delete; DROP TRIGGER notes__count_update; \
         DROP TRIGGER notes__count_move; ALTER TABLE _carafe_count DROP COLUMN moved",
    )
    .await;
    let bed = bed.reopen().await;
    let made = bed.get("notes", &Key::Integer(1)).await.unwrap();
    let moved = "SELECT moved FROM _carafe_count";
    let before = bed.read_as_other(moved).await;
    bed.delete("notes", &made).await.unwrap();
    assert_eq!(bed.read_as_other(moved).await, before + 1);
    bed.finish().await;
}
