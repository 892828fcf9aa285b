//! Lists: order, filters, pages, totals.

use std::sync::Arc;

use carafe_model::key::{Key, KeyKind};
use carafe_model::kind::Kind;
use carafe_model::query::{Query, Test};
use carafe_model::schema::Schema;
use carafe_model::value::Value;
use carafe_store::store::Scope;
use proptest::prelude::*;

use crate::support::{
    Bed, Place, field, filter, key, optional, order, resource, schema, text, titles,
};

fn notes(hard: bool) -> Arc<Schema> {
    let fields = vec![
        field("title", Kind::String),
        optional(field("rank", Kind::Integer)),
        field("pinned", Kind::Boolean),
    ];
    let notes = resource("notes", fields)
        .order(&["-rank"])
        .pages_order(&["-pinned", "rank"]);
    schema(vec![if hard { notes.hard() } else { notes }])
}

async fn fill(bed: &Bed, count: i64) {
    for number in 0..count {
        let rank = if number % 5 == 0 {
            Value::Null
        } else {
            Value::Integer(number % 3)
        };
        let values = vec![
            text(&format!("n{number}")),
            rank,
            Value::Boolean(number % 2 == 0),
        ];
        bed.insert("notes", values).await.expect("a write");
    }
}

#[tokio::test]
async fn orders_are_total_with_null_first() {
    for hard in [false, true] {
        for bed in Bed::each(&notes(hard)).await {
            fill(&bed, 7).await;
            let notes = bed.resource("notes");
            let cases = [
                (vec!["rank"], "n0 n5 n3 n6 n1 n4 n2"),
                (vec!["-rank"], "n2 n4 n1 n6 n3 n5 n0"),
                (vec!["-pinned", "rank"], "n0 n6 n4 n2 n5 n3 n1"),
                (vec!["id"], "n0 n1 n2 n3 n4 n5 n6"),
                (vec!["-id"], "n6 n5 n4 n3 n2 n1 n0"),
                (vec!["-title"], "n6 n5 n4 n3 n2 n1 n0"),
            ];
            for (names, expected) in cases {
                let query = Query {
                    order: order(notes, &names),
                    ..bed.query("notes")
                };
                let (records, total) = bed.list("notes", &query).await;
                assert_eq!(titles(&records).join(" "), expected, "order: {names:?}");
                assert_eq!(total, 7);
            }
            bed.finish().await;
        }
    }
}

#[tokio::test]
async fn pages_together_are_the_whole_list() {
    for (hard, gaps) in [(false, false), (false, true), (true, false), (true, true)] {
        for bed in Bed::each(&notes(hard)).await {
            fill(&bed, 25).await;
            // Ids without a gap between them are a case of their own.
            for id in if gaps { vec![4, 9] } else { vec![1, 25] } {
                let gone = bed.get("notes", &Key::Integer(id)).await.unwrap();
                bed.delete("notes", &gone).await.unwrap();
            }
            for names in [
                vec!["-rank"],
                vec!["-pinned", "rank"],
                vec!["id"],
                vec!["-id"],
            ] {
                let order = order(bed.resource("notes"), &names);
                let all = Query {
                    order,
                    ..bed.query("notes")
                };
                let expected = bed.list("notes", &all).await.0;
                for per_page in [1, 4, 23, 50] {
                    let mut pages = Vec::new();
                    for page in 1..=30 {
                        let query = Query {
                            page,
                            per_page,
                            ..all.clone()
                        };
                        let (records, total) = bed.list("notes", &query).await;
                        assert_eq!(total, 23, "{names:?}: page {page} of {per_page}");
                        pages.extend(records);
                    }
                    assert_eq!(pages, expected, "{names:?}: {per_page} a page");
                }
            }
            bed.finish().await;
        }
    }
}

/// As [`pages_together_are_the_whole_list`], where the key is the declared order.
#[tokio::test]
async fn pages_by_key_are_the_whole_list() {
    for (hard, order) in [(false, "id"), (false, "-id"), (true, "id"), (true, "-id")] {
        let draft = resource("notes", vec![field("title", Kind::String)]);
        let draft = if order == "id" {
            draft.order(&["id"])
        } else {
            draft.order(&["-id"])
        };
        let schema = schema(vec![if hard { draft.hard() } else { draft }]);
        for bed in Bed::each(&schema).await {
            for number in 0..12 {
                bed.insert("notes", vec![text(&format!("n{number}"))])
                    .await
                    .unwrap();
            }
            for gone in [12, 1, 5] {
                let record = bed.get("notes", &Key::Integer(gone)).await.unwrap();
                bed.delete("notes", &record).await.unwrap();
                let (all, count) = bed.all("notes").await;
                let mut pages = Vec::new();
                for page in 1..=7 {
                    let query = Query {
                        page,
                        per_page: 2,
                        ..bed.query("notes")
                    };
                    let (records, total) = bed.list("notes", &query).await;
                    assert_eq!(total, count);
                    pages.extend(records);
                }
                assert_eq!(pages, all, "{order}, without {gone}");
            }
            bed.finish().await;
        }
    }
}

#[tokio::test]
async fn filters_choose_and_totals_count_the_chosen() {
    for bed in Bed::each(&notes(false)).await {
        fill(&bed, 7).await;
        let notes = bed.resource("notes");
        let number = Value::Integer;
        let cases = [
            ("rank", Test::Equal(number(1)), "n1 n4"),
            ("rank", Test::NotEqual(number(1)), "n0 n2 n3 n5 n6"),
            ("rank", Test::Less(number(1)), "n3 n6"),
            ("rank", Test::AtMost(number(1)), "n1 n3 n4 n6"),
            ("rank", Test::Greater(number(1)), "n2"),
            ("rank", Test::AtLeast(number(1)), "n1 n2 n4"),
            (
                "rank",
                Test::In(vec![number(2), Value::Null, number(0)]),
                "n2 n3 n6",
            ),
            ("rank", Test::In(vec![Value::Null]), ""),
            ("rank", Test::IsNull(true), "n0 n5"),
            ("rank", Test::IsNull(false), "n1 n2 n3 n4 n6"),
            ("pinned", Test::Equal(Value::Boolean(false)), "n1 n3 n5"),
            ("title", Test::Contains("6".to_owned()), "n6"),
            (
                "title",
                Test::Contains(String::new()),
                "n0 n1 n2 n3 n4 n5 n6",
            ),
            ("title", Test::Equal(text("n' OR 1=1 --")), ""),
            ("id", Test::AtMost(number(2)), "n0 n1"),
        ];
        for (name, test, expected) in cases {
            let label = format!("{name}: {test:?}");
            let filters = vec![filter(notes, name, test)];
            let query = Query {
                filters,
                order: order(notes, &["id"]),
                ..bed.query("notes")
            };
            let (records, total) = bed.list("notes", &query).await;
            assert_eq!(titles(&records).join(" "), expected, "{label}");
            assert_eq!(total, records.len() as u64, "{label}");
            let (page, total) = bed
                .list(
                    "notes",
                    &Query {
                        per_page: 1,
                        page: 2,
                        ..query
                    },
                )
                .await;
            assert_eq!(
                (page.as_slice(), total),
                (records.get(1..2).unwrap_or(&[]), records.len() as u64),
                "{label}"
            );
        }
        bed.finish().await;
    }
}

#[tokio::test]
async fn text_keys_order_by_code_point() {
    let schema = schema(vec![
        resource("tags", vec![field("title", Kind::String)]).key("name", KeyKind::String),
    ]);
    for bed in Bed::each(&schema).await {
        for name in ["b", "B", "ä", "a", "\u{1F600}", "\u{FF00}"] {
            bed.insert_as("tags", key(name), vec![text(name)])
                .await
                .unwrap();
        }
        let (records, _) = bed.all("tags").await;
        assert_eq!(
            titles(&records),
            ["B", "a", "b", "ä", "\u{FF00}", "\u{1F600}"]
        );
        let last = bed
            .list(
                "tags",
                &Query {
                    page: 3,
                    per_page: 2,
                    ..bed.query("tags")
                },
            )
            .await
            .0;
        assert_eq!(titles(&last), ["\u{FF00}", "\u{1F600}"]);
        bed.finish().await;
    }
}

#[tokio::test]
async fn a_long_read_is_finished_elsewhere() {
    let bed = Bed::file(&notes(false)).await;
    let mut other = bed.other();
    let all = other.transaction().unwrap();
    for number in 0..30_000 {
        all.execute(
            "INSERT INTO notes (title, pinned) VALUES (?, 0)",
            [format!("n{number}")],
        )
        .unwrap();
    }
    all.commit().unwrap();
    let filters = vec![filter(
        bed.resource("notes"),
        "title",
        Test::AtLeast(text("n29999")),
    )];
    let (records, total) = bed
        .list(
            "notes",
            &Query {
                filters,
                ..bed.query("notes")
            },
        )
        .await;
    let expected = (0..30_000)
        .filter(|number| format!("n{number}").as_str() >= "n29999")
        .count();
    assert_eq!((records.len(), total), (100, expected as u64));
    let (records, total) = bed
        .list(
            "notes",
            &Query {
                page: 3000,
                per_page: 10,
                ..bed.query("notes")
            },
        )
        .await;
    assert_eq!((records.len(), total), (10, 30_000));
    assert_eq!(
        bed.list_in("notes", Scope::Deleted, &bed.query("notes"))
            .await
            .1,
        0
    );
    bed.finish().await;
}

#[tokio::test]
async fn the_first_page_is_the_same_however_many_are_deleted() {
    let fields = vec![field("title", Kind::String)];
    let schema = schema(vec![resource("notes", fields).order(&["id"])]);
    let bed = Bed::file(&schema).await;
    let other = bed.other();
    other
        .execute_batch(
            "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 100000)
             INSERT INTO notes (title) SELECT 'n' || i FROM n",
        )
        .unwrap();
    let query = Query {
        per_page: 2,
        ..bed.query("notes")
    };
    // By the index at first, by the table as long as none or few are deleted, and not for long
    // once many are, whoever has deleted them.
    for (deleted, expected) in [
        (0_u32, "n1 n2"),
        (3, "n4 n5"),
        (99_000, "n99001 n99002"),
        (100_000, ""),
        (0, "n1 n2"),
    ] {
        let change = "UPDATE notes SET _deleted_at =
            CASE WHEN id <= ?1 THEN '2026-01-31T12:00:00.000000Z' END
            WHERE (_deleted_at IS NULL) = (id <= ?1)";
        other.execute(change, [deleted]).unwrap();
        for _ in 0..3 {
            let (records, total) = bed.list("notes", &query).await;
            assert_eq!(titles(&records).join(" "), expected, "deleted: {deleted}");
            assert_eq!(total, 100_000 - u64::from(deleted));
        }
    }
    // All but the first and the last, behind the back of who last saw none deleted.
    let change = "UPDATE notes SET _deleted_at = '2026-01-31T12:00:00.000000Z'
        WHERE id BETWEEN 2 AND 99999";
    other.execute(change, []).unwrap();
    let (records, total) = bed.list("notes", &query).await;
    assert_eq!(
        (titles(&records).join(" ").as_str(), total),
        ("n1 n100000", 2)
    );
    drop(other);
    bed.finish().await;
}

#[tokio::test]
async fn first_pages_are_walks_of_an_index() {
    let bed = Bed::file(&notes(false)).await;
    let other = bed.other();
    for (index, order) in [
        ("notes__by__-rank__-id", "rank DESC, id DESC"),
        ("notes__by__-pinned__rank__id", "pinned DESC, rank, id"),
    ] {
        let text = format!(
            "EXPLAIN QUERY PLAN SELECT * FROM notes WHERE _deleted_at IS NULL ORDER BY {order} LIMIT 10"
        );
        let plan: Vec<String> = other
            .prepare(&text)
            .unwrap()
            .query_map([], |row| row.get(3))
            .unwrap()
            .map(Result::unwrap)
            .collect();
        assert_eq!(plan, [format!("SCAN notes USING INDEX {index}")]);
    }
    drop(other);
    bed.finish().await;
}

/// Another program's words for a page by number.
async fn by_offset(bed: &Bed, order: &str, query: &Query) -> Vec<i64> {
    let sql = format!(
        "SELECT id FROM notes WHERE _deleted_at IS NULL ORDER BY {order} LIMIT {} OFFSET {}",
        query.per_page,
        query.offset()
    );
    let other = bed.other();
    let mut statement = other.prepare(&sql).expect("prepare");
    let ids = statement.query_map([], |row| row.get(0)).expect("query");
    ids.map(|id| id.expect("an id")).collect()
}

#[derive(Clone, Debug)]
enum Change {
    /// Rows behind all others.
    Append(u16),
    /// A row between others, or none where there is one already.
    Insert(i64),
    Delete(i64),
    SoftDelete(i64),
    Restore(i64),
    Rerank(i64, i64),
    Renumber(i64, i64),
    RolledBack(i64),
    /// Through the store, by the others' connection.
    Own(i64),
}

impl Change {
    /// What another program does for it.
    fn sql(&self) -> String {
        match self {
            Change::Append(count) => format!(
                "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {count}) \
                 INSERT INTO notes (title, rank, pinned) SELECT 'new', n % 50, 0 FROM n"
            ),
            Change::Insert(id) => format!(
                "INSERT INTO notes (id, title, rank, pinned) VALUES ({id}, 'n', 7, 0) \
                 ON CONFLICT DO NOTHING"
            ),
            Change::Delete(id) => format!("DELETE FROM notes WHERE id = {id}"),
            Change::SoftDelete(id) => {
                format!(
                    "UPDATE notes SET _deleted_at = '2026-01-31T12:00:00.000000Z' WHERE id = {id}"
                )
            }
            Change::Restore(id) => format!("UPDATE notes SET _deleted_at = NULL WHERE id = {id}"),
            Change::Rerank(id, rank) => format!("UPDATE notes SET rank = {rank} WHERE id = {id}"),
            Change::Renumber(id, to) => {
                format!("UPDATE OR IGNORE notes SET id = {to} WHERE id = {id}")
            }
            Change::RolledBack(id) => {
                format!("BEGIN; DELETE FROM notes WHERE id > {id}; ROLLBACK")
            }
            Change::Own(_) => String::new(),
        }
    }
}

fn change() -> impl Strategy<Value = Change> {
    let id = || 1..4000_i64;
    prop_oneof![
        3 => (1..1500_u16).prop_map(Change::Append),
        1 => id().prop_map(|id| Change::Insert(id * 2)),
        1 => id().prop_map(Change::Delete),
        1 => id().prop_map(Change::SoftDelete),
        1 => id().prop_map(Change::Restore),
        3 => (id(), 0..60_i64).prop_map(|(id, rank)| Change::Rerank(id, rank)),
        1 => (id(), id()).prop_map(|(id, to)| Change::Renumber(id, to)),
        1 => id().prop_map(Change::RolledBack),
        1 => id().prop_map(Change::Own),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]
    /// Far pages start from ranks that are remembered; whoever writes, they are as if all rows
    /// before them were counted.
    #[test]
    fn far_pages_are_those_of_an_offset(
        changes in proptest::collection::vec(change(), 1..12),
        page in 130..420_u64,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let bed = Bed::file(&notes(false)).await;
            // Gaps between the ids, for rows that come later.
            bed.as_other(
                "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 3000) \
                 INSERT INTO notes (id, title, rank, pinned) \
                 SELECT 2 * n - 1, 'old', iif(n % 300 = 0, NULL, n % 50), 0 FROM n",
            )
            .await;
            for change in changes {
                match change {
                    Change::Own(id) => {
                        if let Some(record) = bed.get("notes", &Key::Integer(id)).await {
                            bed.delete("notes", &record).await.unwrap();
                        }
                    }
                    ref other => bed.as_other(&other.sql()).await,
                }
                for (names, order_by) in [
                    ("id", "id"),
                    ("-id", "id DESC"),
                    ("rank", "rank, id"),
                    ("-rank", "rank DESC, id DESC"),
                ] {
                    let query = Query {
                        order: order(bed.resource("notes"), &[names]),
                        page,
                        per_page: 10,
                        ..bed.query("notes")
                    };
                    let (records, total) = bed.list("notes", &query).await;
                    let ids: Vec<i64> = records.iter().map(|record| record.id).collect();
                    assert_eq!(ids, by_offset(&bed, order_by, &query).await, "{names} after {change:?}");
                    let count = "SELECT count(*) FROM notes WHERE _deleted_at IS NULL";
                    assert_eq!(total as i64, bed.read_as_other(count).await, "after {change:?}");
                }
            }
            bed.database.close().await;
        });
    }
}

/// Nothing but the count of rows that went or moved tells of these: there are as many as before.
#[tokio::test]
async fn far_pages_see_rows_that_change_places() {
    let changes = [
        "UPDATE notes SET rank = 2000 WHERE id = 2",
        "UPDATE notes SET id = 3001 WHERE id = 10",
        "BEGIN; DELETE FROM notes WHERE id = 20; \
         INSERT INTO notes (id, title, rank, pinned) VALUES (3003, 'n', 1501, 0); COMMIT",
        "BEGIN; UPDATE notes SET _deleted_at = '2026-01-31T12:00:00.000000Z' WHERE id = 30; \
         INSERT INTO notes (id, title, rank, pinned) VALUES (3005, 'n', 1502, 0); COMMIT",
    ];
    let bed = Bed::file(&notes(false)).await;
    bed.as_other(
        "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 2000) \
         INSERT INTO notes (id, title, rank, pinned) SELECT 2 * n, 'n', n, 0 FROM n",
    )
    .await;
    for change in [""].iter().chain(&changes) {
        bed.as_other(change).await;
        for (names, order_by) in [
            ("id", "id"),
            ("rank", "rank, id"),
            ("-rank", "rank DESC, id DESC"),
        ] {
            let query = Query {
                order: order(bed.resource("notes"), &[names]),
                page: 121,
                per_page: 10,
                ..bed.query("notes")
            };
            let (records, _) = bed.list("notes", &query).await;
            let ids: Vec<i64> = records.iter().map(|record| record.id).collect();
            assert_eq!(
                ids,
                by_offset(&bed, order_by, &query).await,
                "{names} after {change:?}"
            );
        }
    }
    bed.finish().await;
}

#[tokio::test]
async fn far_pages_follow_each_other_to_the_end() {
    for bed in Bed::each(&notes(false)).await {
        let rows = "SELECT n, 'n', n % 3, FALSE FROM n";
        let insert = format!(
            "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 2600) \
             INSERT INTO notes (id, title, rank, pinned) {rows}"
        );
        match bed.place {
            Place::Memory => fill(&bed, 2600).await,
            Place::File(_) | Place::Postgres(_) => bed.as_other(&insert).await,
        }
        for names in ["-rank", "rank", "id", "-id"] {
            let all = Query {
                order: order(bed.resource("notes"), &[names]),
                per_page: 3000,
                ..bed.query("notes")
            };
            let expected = bed.list("notes", &all).await.0;
            for per_page in [100, 97] {
                let mut pages = Vec::new();
                for page in 1..=28 {
                    let query = Query {
                        page,
                        per_page,
                        ..all.clone()
                    };
                    let (records, total) = bed.list("notes", &query).await;
                    assert_eq!(total, 2600, "{names}: page {page}");
                    pages.extend(records);
                }
                assert!(pages == expected, "{names}: {per_page} a page");
            }
        }
        bed.finish().await;
    }
}
