//! Another program writes to the same file.

use std::sync::Arc;

use carafe_model::key::Key;
use carafe_model::kind::Kind;
use carafe_model::schema::Schema;
use carafe_store::error::Error;
use carafe_store::store::{Database, Durability, Store};

use crate::support::{Bed, field, resource, schema, stamp, text, titles};

fn notes() -> Arc<Schema> {
    let fields = || vec![field("title", Kind::String)];
    schema(vec![
        resource("notes", fields()).search(&["title"]),
        resource("logs", fields()).hard(),
    ])
}

#[tokio::test]
async fn its_writes_are_seen_at_once() {
    let bed = Bed::file(&notes()).await;
    bed.insert("notes", vec![text("ours")]).await.unwrap();
    assert_eq!(bed.all("notes").await.1, 1);
    let other = bed.other();
    other
        .execute("INSERT INTO notes (title) VALUES ('theirs'), ('third')", [])
        .unwrap();
    let (records, total) = bed.all("notes").await;
    assert_eq!(
        (titles(&records), total),
        (vec!["ours", "theirs", "third"], 3)
    );
    assert_eq!(bed.find("notes", "theirs").await.1, 1);

    let ours = bed.get("notes", &Key::Integer(1)).await.unwrap();
    other
        .execute("UPDATE notes SET title = 'changed' WHERE id = 1", [])
        .unwrap();
    let changed = bed.get("notes", &Key::Integer(1)).await.unwrap();
    assert_eq!((changed.version, &changed.values[0]), (2, &text("changed")));
    let stale = bed.update("notes", &ours, "title", text("lost")).await;
    assert!(matches!(stale, Err(Error::Stale)), "{stale:?}");
    assert_eq!(
        (
            bed.find("notes", "ours").await.1,
            bed.find("notes", "changed").await.1
        ),
        (0, 1)
    );

    other
        .execute("UPDATE notes SET _deleted_at = 'now' WHERE id = 2", [])
        .unwrap();
    other.execute("DELETE FROM notes WHERE id = 3", []).unwrap();
    assert_eq!(bed.all("notes").await.1, 1);
    assert_eq!(
        (
            bed.find("notes", "theirs").await.1,
            bed.find("notes", "third").await.1
        ),
        (0, 0)
    );
    other
        .execute(
            "INSERT OR REPLACE INTO notes (id, title) VALUES (9, 'nine')",
            [],
        )
        .unwrap();
    other
        .execute("INSERT OR ABORT INTO logs (title) VALUES ('a')", [])
        .unwrap();
    assert_eq!((bed.all("notes").await.1, bed.all("logs").await.1), (2, 1));
    drop(other);
    bed.finish().await;
}

#[tokio::test]
async fn two_stores_share_a_file() {
    let bed = Bed::file(&notes()).await;
    let url = format!("sqlite:{}", bed.path().display());
    let database = Database::open(&url, Durability::Full).unwrap();
    assert_eq!(
        database.migrate(&bed.schema).await.unwrap().changes,
        Vec::<String>::new()
    );
    let second = Store::new(database.clone(), &bed.schema);
    let writes: Vec<_> = (0..100)
        .map(|number| {
            let (store, schema) = (
                [&bed.store, &second][number % 2].clone(),
                Arc::clone(&bed.schema),
            );
            tokio::spawn(async move {
                store
                    .insert(
                        &schema.resources[0],
                        None,
                        vec![text("shared")],
                        stamp(),
                        None,
                    )
                    .await
                    .unwrap()
                    .id
            })
        })
        .collect();
    let mut ids = Vec::new();
    for write in writes {
        ids.push(write.await.unwrap());
    }
    ids.sort_unstable();
    assert_eq!(ids, (1..=100).collect::<Vec<i64>>());
    assert_eq!(bed.find("notes", "shared").await.1, 100);
    database.close().await;
    bed.finish().await;
}

#[tokio::test]
async fn damaged_text_is_read_up_to_the_damage() {
    let bed = Bed::file(&notes()).await;
    let other = bed.other();
    other.execute("INSERT INTO notes (title) VALUES (CAST(x'61626364ff65' AS TEXT)), ('a' || char(0) || 'bcd')", []).unwrap();
    let (records, _) = bed.all("notes").await;
    assert_eq!(titles(&records), ["abcd", "a\0bcd"]);
    assert_eq!(bed.find("notes", "abcd").await.1, 1);
    drop(other);
    bed.finish().await;
}
