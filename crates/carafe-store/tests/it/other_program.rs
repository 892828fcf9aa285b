//! Another program writes to the same file.

use std::sync::Arc;

use carafe_model::key::Key;
use carafe_model::kind::Kind;
use carafe_model::schema::Schema;
use carafe_store::error::Error;
use carafe_store::store::{Accept, Database, Durability, Store, untold};

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
    for bed in Bed::lasting(&notes()).await {
        bed.insert("notes", vec![text("ours")]).await.unwrap();
        assert_eq!(bed.all("notes").await.1, 1);
        bed.as_other("INSERT INTO notes (title) VALUES ('theirs'), ('third')")
            .await;
        let (records, total) = bed.all("notes").await;
        assert_eq!(
            (titles(&records), total),
            (vec!["ours", "theirs", "third"], 3)
        );
        assert_eq!(bed.find("notes", "theirs").await.1, 1);

        let ours = bed.get("notes", &Key::Integer(1)).await.unwrap();
        bed.as_other("UPDATE notes SET title = 'Çhanged' WHERE id = 1")
            .await;
        let changed = bed.get("notes", &Key::Integer(1)).await.unwrap();
        assert_eq!((changed.version, &changed.values[0]), (2, &text("Çhanged")));
        let stale = bed.update("notes", &ours, "title", text("lost")).await;
        assert!(matches!(stale, Err(Error::Stale)), "{stale:?}");
        assert_eq!(
            (
                bed.find("notes", "ours").await.1,
                bed.find("notes", "çHANGED").await.1
            ),
            (0, 1)
        );

        bed.as_other("UPDATE notes SET _deleted_at = 'now' WHERE id = 2")
            .await;
        bed.as_other("DELETE FROM notes WHERE id = 3").await;
        assert_eq!(bed.all("notes").await.1, 1);
        assert_eq!(
            (
                bed.find("notes", "theirs").await.1,
                bed.find("notes", "third").await.1
            ),
            (0, 0)
        );
        bed.as_other("INSERT INTO notes (id, title) VALUES (9, 'nine')")
            .await;
        bed.as_other("INSERT INTO logs (title) VALUES ('a')").await;
        assert_eq!((bed.all("notes").await.1, bed.all("logs").await.1), (2, 1));
        bed.finish().await;
    }
}

/// SQLite's own ways of inserting.
#[tokio::test]
async fn its_conflict_clauses_do_no_harm() {
    let bed = Bed::file(&notes()).await;
    bed.as_other("INSERT OR REPLACE INTO notes (id, title) VALUES (9, 'nine')")
        .await;
    bed.as_other("INSERT OR ABORT INTO logs (title) VALUES ('a')")
        .await;
    assert_eq!((bed.all("notes").await.1, bed.all("logs").await.1), (1, 1));
    bed.finish().await;
}

/// `TRUNCATE`, and many rows by one statement.
#[tokio::test]
async fn its_bulk_writes_are_counted_in_postgres() {
    let Some(bed) = Bed::postgres(&notes()).await else {
        return;
    };
    bed.as_other(
        "INSERT INTO notes (title, _deleted_at) \
         SELECT 'Bulk ' || n, CASE WHEN n % 3 = 0 THEN now() END FROM generate_series(1, 3000) AS n",
    )
    .await;
    assert_eq!(bed.all("notes").await.1, 2000);
    assert_eq!(bed.find("notes", "bulk 2999").await.1, 1);
    bed.as_other("DELETE FROM notes WHERE id % 2 = 0").await;
    assert_eq!(bed.all("notes").await.1, 1000);
    bed.as_other("TRUNCATE notes").await;
    assert_eq!(bed.all("notes").await, (Vec::new(), 0));
    bed.finish().await;
}

#[tokio::test]
async fn two_stores_share_a_file() {
    let bed = Bed::file(&notes()).await;
    let url = format!("sqlite:{}", bed.path().display());
    let database = Database::open(&url, Durability::Full).unwrap();
    assert_eq!(
        database
            .migrate(&bed.schema, &[], Accept::Safe, &untold())
            .await
            .unwrap()
            .changes,
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
