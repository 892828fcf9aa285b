//! One record: made, read, changed.

use std::sync::Arc;

use carafe_model::key::{Key, KeyKind};
use carafe_model::kind::{Kind, OnDelete};
use carafe_model::schema::Schema;
use carafe_model::value::Value;
use carafe_store::error::Error;
use carafe_store::store::Action;

use crate::support::{Bed, field, key, optional, reference, resource, schema, stamp, text, unique};

fn everything() -> Arc<Schema> {
    let fields = vec![
        field("title", Kind::String),
        optional(field("size", Kind::Integer)),
        optional(field("weight", Kind::Number)),
        optional(field("price", Kind::Decimal { scale: 2 })),
        field("done", Kind::Boolean),
    ];
    schema(vec![resource("things", fields).history()])
}

fn thing(title: &str) -> Vec<Value> {
    vec![
        text(title),
        Value::Integer(i64::MIN),
        Value::Number(0.1 + 0.2),
        Value::Integer(1250),
        Value::Boolean(true),
    ]
}

#[tokio::test]
async fn what_is_inserted_is_read_back() {
    for bed in Bed::each(&everything()).await {
        let made = bed
            .insert("things", thing("it's \"; DROP TABLE things; --"))
            .await
            .unwrap();
        assert_eq!((made.version, made.id, &made.key), (1, 1, &Key::Integer(1)));
        assert_eq!(bed.get("things", &made.key).await, Some(made));
        assert_eq!(bed.get("things", &Key::Integer(2)).await, None);
        bed.finish().await;
    }
}

#[tokio::test]
async fn an_update_changes_what_it_names_and_raises_the_version() {
    for bed in Bed::each(&everything()).await {
        let made = bed.insert("things", thing("a")).await.unwrap();
        bed.update("things", &made, "title", text("b"))
            .await
            .unwrap();
        let now = bed.get("things", &made.key).await.unwrap();
        assert_eq!(now.version, 2);
        assert_eq!(now.values[0], text("b"));
        assert_eq!(now.values[1..], made.values[1..]);
        let stale = bed.update("things", &made, "title", text("c")).await;
        assert!(matches!(stale, Err(Error::Stale)), "{stale:?}");
        bed.finish().await;
    }
}

#[tokio::test]
async fn of_racing_updates_of_one_version_one_succeeds() {
    for bed in Bed::each(&everything()).await {
        let made = bed.insert("things", thing("a")).await.unwrap();
        let races: Vec<_> = (0..100)
            .map(|_| {
                let (store, schema, made) =
                    (bed.store.clone(), Arc::clone(&bed.schema), made.clone());
                tokio::spawn(async move {
                    store
                        .update(&schema.resources[0], &made, vec![(0, text("b"))], stamp())
                        .await
                })
            })
            .collect();
        let mut won = 0;
        for race in races {
            match race.await.unwrap() {
                Ok(()) => won += 1,
                Err(err) => assert!(matches!(err, Error::Stale), "{err:?}"),
            }
        }
        assert_eq!(won, 1);
        bed.finish().await;
    }
}

#[tokio::test]
async fn unique_values_are_kept_and_named() {
    let fields = vec![
        unique(field("email", Kind::Email)),
        field("user", Kind::String),
        field("nick", Kind::String),
    ];
    let schema = schema(vec![
        resource("people", fields)
            .key("slug", KeyKind::String)
            .unique(&["user", "nick"]),
    ]);
    let person = |email: &str, user: &str, nick: &str| vec![text(email), text(user), text(nick)];
    for bed in Bed::each(&schema).await {
        let ann = bed
            .insert_as("people", key("ann"), person("a@x", "u", "n"))
            .await
            .unwrap();
        assert_eq!(bed.get("people", &key("ann")).await.as_ref(), Some(&ann));
        let cases = [
            ("ann", person("b@x", "u", "m"), "KeyTaken"),
            ("bob", person("a@x", "u", "m"), "Taken { unique: 0 }"),
            ("bob", person("b@x", "u", "n"), "Taken { unique: 1 }"),
        ];
        for (slug, values, expected) in cases {
            let refused = bed
                .insert_as("people", key(slug), values)
                .await
                .unwrap_err();
            assert_eq!(format!("{refused:?}"), expected);
        }
        let bob = bed
            .insert_as("people", key("bob"), person("b@x", "v", "n"))
            .await
            .unwrap();
        let refused = bed.update("people", &bob, "user", text("u")).await;
        assert!(
            matches!(refused, Err(Error::Taken { unique: 1 })),
            "{refused:?}"
        );
        assert_eq!(bed.get("people", &key("bob")).await, Some(bob));
        // Keys and values are free after deletion, and the deleted record stays.
        bed.delete("people", &ann).await.unwrap();
        let again = bed
            .insert_as("people", key("ann"), person("a@x", "u", "n"))
            .await
            .unwrap();
        assert_ne!(again.id, ann.id);
        let old = bed.deleted("people", &key("ann")).await.unwrap();
        assert_eq!(old.id, ann.id);
        let refused = bed.restore("people", &old).await;
        assert!(
            matches!(refused, Err(Error::KeyTaken | Error::Taken { .. })),
            "{refused:?}"
        );
        bed.finish().await;
    }
}

#[tokio::test]
async fn a_reference_leads_to_a_live_record() {
    let schema = schema(vec![
        resource("authors", vec![field("name", Kind::String)]),
        resource(
            "books",
            vec![
                field("title", Kind::String),
                optional(reference("author", "authors", OnDelete::Restrict)),
            ],
        ),
        resource(
            "copies",
            vec![reference("book", "books", OnDelete::Restrict)],
        )
        .hard(),
    ]);
    for bed in Bed::each(&schema).await {
        let ann = bed.insert("authors", vec![text("Ann")]).await.unwrap();
        let book = bed
            .insert("books", vec![text("A"), Value::Integer(ann.id)])
            .await
            .unwrap();
        let refused = bed
            .insert("books", vec![text("A"), Value::Integer(99)])
            .await;
        assert!(
            matches!(refused, Err(Error::NoReference { field: 1 })),
            "{refused:?}"
        );
        let refused = bed
            .update("books", &book, "author", Value::Integer(99))
            .await;
        assert!(
            matches!(refused, Err(Error::NoReference { field: 1 })),
            "{refused:?}"
        );
        bed.update("books", &book, "author", Value::Null)
            .await
            .unwrap();
        bed.delete("authors", &ann).await.unwrap();
        let book = bed.get("books", &book.key).await.unwrap();
        let refused = bed
            .update("books", &book, "author", Value::Integer(ann.id))
            .await;
        assert!(
            matches!(refused, Err(Error::NoReference { field: 1 })),
            "{refused:?}"
        );
        let refused = bed.insert("copies", vec![Value::Integer(7)]).await;
        assert!(
            matches!(refused, Err(Error::NoReference { field: 0 })),
            "{refused:?}"
        );
        bed.insert("copies", vec![Value::Integer(book.id)])
            .await
            .unwrap();
        bed.finish().await;
    }
}

#[tokio::test]
async fn every_version_is_in_the_history() {
    for bed in Bed::each(&everything()).await {
        let made = bed.insert("things", thing("a")).await.unwrap();
        bed.update("things", &made, "title", text("b"))
            .await
            .unwrap();
        let now = bed.get("things", &made.key).await.unwrap();
        bed.delete("things", &now).await.unwrap();
        let gone = bed.deleted("things", &made.key).await.unwrap();
        bed.restore("things", &gone).await.unwrap();
        let history = bed
            .store
            .history(bed.resource("things"), made.id, 10)
            .await
            .unwrap();
        let seen: Vec<_> = history
            .iter()
            .map(|rev| (rev.version, rev.action, rev.values[0].clone()))
            .collect();
        assert_eq!(
            seen,
            [
                (4, Action::Restore, text("b")),
                (3, Action::Delete, text("b")),
                (2, Action::Update, text("b")),
                (1, Action::Create, text("a")),
            ]
        );
        assert_eq!(history[3].values, made.values);
        assert_eq!(history[3].actor.as_deref(), Some("ann"));
        assert_eq!(
            bed.store
                .history(bed.resource("things"), made.id, 1)
                .await
                .unwrap()
                .len(),
            1
        );
        bed.finish().await;
    }
}

#[tokio::test]
async fn the_history_of_a_record_outlives_it() {
    let schema = schema(vec![
        resource("notes", vec![field("title", Kind::String)])
            .hard()
            .history(),
    ]);
    for bed in Bed::each(&schema).await {
        let made = bed.insert("notes", vec![text("a")]).await.unwrap();
        bed.delete("notes", &made).await.unwrap();
        assert_eq!(bed.get("notes", &made.key).await, None);
        let history = bed
            .store
            .history(bed.resource("notes"), made.id, 10)
            .await
            .unwrap();
        let seen: Vec<_> = history
            .iter()
            .map(|rev| (rev.version, rev.action))
            .collect();
        assert_eq!(seen, [(2, Action::Delete), (1, Action::Create)]);
        bed.finish().await;
    }
}
