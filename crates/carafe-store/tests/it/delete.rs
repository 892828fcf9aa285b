//! Deleting, with what refers to it, and bringing back.

use std::sync::Arc;

use carafe_model::key::{Key, KeyKind};
use carafe_model::kind::{Kind, OnDelete};
use carafe_model::schema::Schema;
use carafe_model::value::Value;
use carafe_store::error::Error;
use carafe_store::store::Scope;

use crate::support::{Bed, field, key, optional, reference, resource, schema, text, unique};

fn title() -> Vec<carafe_model::field::Field> {
    vec![field("title", Kind::String)]
}

/// Shelves have boxes, boxes have things; labels refer to things.
fn nested(on_label: OnDelete) -> Arc<Schema> {
    let child = |name: &str, to: &str, on_delete| {
        let mut reference = reference(to, &format!("{to}s"), on_delete);
        reference.optional = on_delete == OnDelete::SetNull;
        resource(name, vec![field("title", Kind::String), reference])
    };
    schema(vec![
        resource("shelfs", title()).history(),
        child("boxs", "shelf", OnDelete::Cascade).history(),
        child("things", "box", OnDelete::Cascade),
        child("labels", "thing", on_label),
    ])
}

async fn fill(bed: &Bed) {
    bed.insert("shelfs", vec![text("s")])
        .await
        .expect("a write");
    for (resource, parents) in [("boxs", 1), ("things", 2), ("labels", 2)] {
        for parent in 1..=parents {
            let parent = if resource == "boxs" { 1 } else { parent };
            for _ in 0..2 {
                bed.insert(resource, vec![text("t"), Value::Integer(parent)])
                    .await
                    .expect("a write");
            }
        }
    }
}

async fn totals(bed: &Bed) -> Vec<u64> {
    let mut totals = Vec::new();
    for resource in &bed.schema.resources {
        totals.push(bed.all(resource.name.as_str()).await.1);
    }
    totals
}

#[tokio::test]
async fn a_deleted_record_is_hidden_and_comes_back() {
    for bed in Bed::each(&nested(OnDelete::Restrict)).await {
        let made = bed.insert("shelfs", vec![text("a")]).await.unwrap();
        bed.delete("shelfs", &made).await.unwrap();
        assert_eq!(bed.get("shelfs", &made.key).await, None);
        assert_eq!(totals(&bed).await, [0, 0, 0, 0]);
        let gone = bed.deleted("shelfs", &made.key).await.unwrap();
        assert_eq!((gone.version, gone.deleted_at.is_some()), (2, true));
        let (deleted, total) = bed
            .list_in("shelfs", Scope::Deleted, &bed.query("shelfs"))
            .await;
        assert_eq!((deleted, total), (vec![gone.clone()], 1));
        for stale in [
            bed.delete("shelfs", &made).await,
            bed.update("shelfs", &gone, "title", text("b")).await,
        ] {
            assert!(matches!(stale, Err(Error::Stale)), "{stale:?}");
        }
        bed.restore("shelfs", &gone).await.unwrap();
        let back = bed.get("shelfs", &made.key).await.unwrap();
        assert_eq!((back.version, back.values), (3, made.values));
        let stale = bed.restore("shelfs", &gone).await;
        assert!(matches!(stale, Err(Error::Stale)), "{stale:?}");
        bed.finish().await;
    }
}

#[tokio::test]
async fn a_hard_deletion_is_for_good() {
    let schema = schema(vec![resource("notes", title()).hard()]);
    for bed in Bed::each(&schema).await {
        let made = bed.insert("notes", vec![text("a")]).await.unwrap();
        bed.delete("notes", &made).await.unwrap();
        assert_eq!(bed.get("notes", &made.key).await, None);
        assert_eq!(bed.deleted("notes", &made.key).await, None);
        for stale in [
            bed.delete("notes", &made).await,
            bed.restore("notes", &made).await,
        ] {
            assert!(matches!(stale, Err(Error::Stale)), "{stale:?}");
        }
        let next = bed.insert("notes", vec![text("b")]).await.unwrap();
        assert_eq!(next.id, 2);
        bed.finish().await;
    }
}

#[tokio::test]
async fn restrict_refuses_while_live_records_refer() {
    for bed in Bed::each(&nested(OnDelete::Restrict)).await {
        fill(&bed).await;
        let before = totals(&bed).await;
        let shelf = bed.get("shelfs", &Key::Integer(1)).await.unwrap();
        let refused = bed.delete("shelfs", &shelf).await;
        assert!(
            matches!(refused, Err(Error::Referenced { resource: 3 })),
            "{refused:?}"
        );
        assert_eq!(totals(&bed).await, before);
        for label in bed.all("labels").await.0 {
            bed.delete("labels", &label).await.unwrap();
        }
        bed.delete("shelfs", &shelf).await.unwrap();
        assert_eq!(totals(&bed).await, [0, 0, 0, 0]);
        bed.finish().await;
    }
}

#[tokio::test]
async fn restoring_brings_back_what_the_deletion_took_along() {
    for bed in Bed::each(&nested(OnDelete::Cascade)).await {
        fill(&bed).await;
        let first = bed.get("things", &Key::Integer(1)).await.unwrap();
        bed.delete("things", &first).await.unwrap();
        assert_eq!(totals(&bed).await, [1, 2, 3, 2]);
        let shelf = bed.get("shelfs", &Key::Integer(1)).await.unwrap();
        bed.delete("shelfs", &shelf).await.unwrap();
        assert_eq!(totals(&bed).await, [0, 0, 0, 0]);
        let second = bed.deleted("things", &Key::Integer(2)).await.unwrap();
        let refused = bed.restore("things", &second).await;
        assert!(
            matches!(refused, Err(Error::ParentDeleted { field: 1 })),
            "{refused:?}"
        );
        let shelf = bed.deleted("shelfs", &shelf.key).await.unwrap();
        bed.restore("shelfs", &shelf).await.unwrap();
        // The thing that was deleted before stays so, with its labels.
        assert_eq!(totals(&bed).await, [1, 2, 3, 2]);
        let first = bed.deleted("things", &Key::Integer(1)).await.unwrap();
        bed.restore("things", &first).await.unwrap();
        assert_eq!(totals(&bed).await, [1, 2, 4, 4]);
        let history = bed
            .store
            .history(bed.resource("boxs"), 1, 10)
            .await
            .unwrap();
        assert_eq!(
            history.iter().map(|rev| rev.version).collect::<Vec<_>>(),
            [3, 2, 1]
        );
        bed.finish().await;
    }
}

#[tokio::test]
async fn set_null_is_not_undone() {
    for bed in Bed::each(&nested(OnDelete::SetNull)).await {
        fill(&bed).await;
        let thing = bed.get("things", &Key::Integer(1)).await.unwrap();
        bed.delete("things", &thing).await.unwrap();
        let label = bed.get("labels", &Key::Integer(1)).await.unwrap();
        assert_eq!((label.version, &label.values[1]), (2, &Value::Null));
        let gone = bed.deleted("things", &thing.key).await.unwrap();
        bed.restore("things", &gone).await.unwrap();
        assert_eq!(bed.get("labels", &label.key).await, Some(label));
        bed.finish().await;
    }
}

#[tokio::test]
async fn each_resource_deletes_in_its_own_way() {
    let schema = schema(vec![
        resource("authors", title()).hard(),
        resource(
            "drafts",
            vec![
                field("title", Kind::String),
                reference("author", "authors", OnDelete::Cascade),
            ],
        ),
        resource(
            "logs",
            vec![
                field("title", Kind::String),
                reference("draft", "drafts", OnDelete::Cascade),
            ],
        )
        .hard()
        .history(),
    ]);
    for bed in Bed::each(&schema).await {
        let author = bed.insert("authors", vec![text("a")]).await.unwrap();
        bed.insert("drafts", vec![text("d"), Value::Integer(1)])
            .await
            .unwrap();
        let log = bed
            .insert("logs", vec![text("l"), Value::Integer(1)])
            .await
            .unwrap();
        bed.delete("authors", &author).await.unwrap();
        assert_eq!(totals(&bed).await, [0, 0, 0]);
        assert_eq!(bed.deleted("authors", &author.key).await, None);
        let draft = bed.deleted("drafts", &Key::Integer(1)).await.unwrap();
        let refused = bed.restore("drafts", &draft).await;
        assert!(
            matches!(refused, Err(Error::ParentDeleted { field: 1 })),
            "{refused:?}"
        );
        assert_eq!(
            bed.store
                .history(bed.resource("logs"), log.id, 9)
                .await
                .unwrap()
                .len(),
            2
        );
        bed.finish().await;
    }
}

#[tokio::test]
async fn a_tree_and_a_circle_are_deleted_whole() {
    for hard in [false, true] {
        let pages = resource(
            "pages",
            vec![
                field("title", Kind::String),
                optional(reference("above", "pages", OnDelete::Cascade)),
            ],
        );
        let schema = schema(vec![if hard { pages.hard() } else { pages }]);
        for bed in Bed::each(&schema).await {
            let root = bed
                .insert("pages", vec![text("1"), Value::Null])
                .await
                .unwrap();
            for above in [1, 1, 2, 3] {
                bed.insert("pages", vec![text("n"), Value::Integer(above)])
                    .await
                    .unwrap();
            }
            bed.update("pages", &root, "above", Value::Integer(5))
                .await
                .unwrap();
            let root = bed.get("pages", &root.key).await.unwrap();
            bed.delete("pages", &root).await.unwrap();
            assert_eq!(totals(&bed).await, [0]);
            if !hard {
                let root = bed.deleted("pages", &root.key).await.unwrap();
                bed.restore("pages", &root).await.unwrap();
                assert_eq!(totals(&bed).await, [5]);
            }
            bed.finish().await;
        }
    }
}

#[tokio::test]
async fn nothing_comes_back_where_a_member_cannot() {
    let schema = schema(vec![
        resource("users", title()),
        resource(
            "mails",
            vec![
                unique(field("address", Kind::Email)),
                reference("user", "users", OnDelete::Cascade),
            ],
        ),
    ]);
    for bed in Bed::each(&schema).await {
        let ann = bed.insert("users", vec![text("ann")]).await.unwrap();
        let bob = bed.insert("users", vec![text("bob")]).await.unwrap();
        bed.insert("mails", vec![text("a@x"), Value::Integer(ann.id)])
            .await
            .unwrap();
        bed.delete("users", &ann).await.unwrap();
        bed.insert("mails", vec![text("a@x"), Value::Integer(bob.id)])
            .await
            .unwrap();
        let gone = bed.deleted("users", &ann.key).await.unwrap();
        match bed.restore("users", &gone).await {
            Err(Error::Member { resource: 1, cause }) => {
                assert!(matches!(*cause, Error::Taken { unique: 0 }), "{cause:?}");
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(totals(&bed).await, [1, 1]);
        bed.finish().await;
    }
}

#[tokio::test]
async fn text_keys_are_referred_to() {
    for hard in [false, true] {
        let tags = resource("tags", title()).key("name", KeyKind::String);
        let schema = schema(vec![
            if hard { tags.hard() } else { tags },
            resource(
                "uses",
                vec![
                    field("title", Kind::String),
                    reference("tag", "tags", OnDelete::Cascade),
                ],
            )
            .hard(),
        ]);
        for bed in Bed::each(&schema).await {
            let tag = bed
                .insert_as("tags", key("red"), vec![text("Red")])
                .await
                .unwrap();
            bed.insert("uses", vec![text("u"), text("red")])
                .await
                .unwrap();
            let refused = bed.insert("uses", vec![text("u"), text("blue")]).await;
            assert!(
                matches!(refused, Err(Error::NoReference { field: 1 })),
                "{refused:?}"
            );
            bed.delete("tags", &tag).await.unwrap();
            assert_eq!(totals(&bed).await, [0, 0]);
            bed.finish().await;
        }
    }
}
