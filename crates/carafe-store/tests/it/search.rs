//! Search is exact at every moment.

use std::sync::Arc;

use carafe_model::cursor::Cursor;
use carafe_model::fold;
use carafe_model::key::Key;
use carafe_model::kind::Kind;
use carafe_model::query::{COUNTED_BEHIND, Query, Search, Test, Total};
use carafe_model::record::Record;
use carafe_model::schema::Schema;
use carafe_model::value::Value;
use carafe_store::store::Scope;
use proptest::prelude::*;

use crate::support::{Bed, field, filter, optional, order, resource, schema, stamp, text, titles};

fn notes() -> Arc<Schema> {
    let fields = vec![
        field("title", Kind::String),
        optional(field("content", Kind::Text)),
        field("rank", Kind::Integer),
    ];
    schema(vec![
        resource("notes", fields).search(&["title", "content"]),
    ])
}

fn note(title: &str, content: &str) -> Vec<Value> {
    vec![text(title), text(content), Value::Integer(0)]
}

/// Waits until no row waits for the index.
pub(crate) async fn indexed(bed: &Bed) {
    let other = bed.other();
    let count = "SELECT count(*) FROM notes__pending";
    let waiting = || {
        other
            .query_row(count, [], |row| row.get::<_, i64>(0))
            .expect("count")
    };
    while waiting() > 0 {
        tokio::task::yield_now().await;
        std::thread::yield_now();
    }
}

#[tokio::test]
async fn any_substring_in_any_capitals_is_found() {
    let bed = Bed::file(&notes()).await;
    let texts = [
        ("Éclair au café", "100% \"good\" under_score"),
        ("E\u{301}CLAIR", "ΣΊΣΥΦΟΣ"),
        ("plain", "nothing here"),
    ];
    for (title, content) in texts {
        bed.insert("notes", note(title, content)).await.unwrap();
    }
    let cases: [(&str, &[&str]); 12] = [
        ("éclair", &["Éclair au café", "E\u{301}CLAIR"]),
        ("ÉCLAIR AU", &["Éclair au café"]),
        ("100%", &["Éclair au café"]),
        ("%", &["Éclair au café"]),
        ("der_sc", &["Éclair au café"]),
        ("\"good\"", &["Éclair au café"]),
        ("\"", &["Éclair au café"]),
        ("σίσυφος", &["E\u{301}CLAIR"]),
        ("café100", &[]),
        ("NOTHING", &["plain"]),
        ("no", &["plain"]),
        ("\u{FFFD}", &[]),
    ];
    for round in ["waiting", "indexed"] {
        for (query, expected) in cases {
            let (records, total) = bed.find("notes", query).await;
            assert_eq!(titles(&records), expected, "{round}: {query}");
            assert_eq!(total, expected.len() as u64, "{round}: {query}");
        }
        indexed(&bed).await;
    }
    bed.finish().await;
}

#[tokio::test]
async fn search_follows_every_write() {
    let bed = Bed::file(&notes()).await;
    let made = bed.insert("notes", note("needle", "")).await.unwrap();
    indexed(&bed).await;
    bed.update("notes", &made, "title", text("thread"))
        .await
        .unwrap();
    assert_eq!(bed.find("notes", "needle").await.1, 0);
    assert_eq!(bed.find("notes", "thread").await.1, 1);
    indexed(&bed).await;
    assert_eq!(bed.find("notes", "needle").await.1, 0);
    assert_eq!(bed.find("notes", "thread").await.1, 1);
    let made = bed.get("notes", &made.key).await.unwrap();
    bed.delete("notes", &made).await.unwrap();
    assert_eq!(bed.find("notes", "thread").await.1, 0);
    indexed(&bed).await;
    assert_eq!(bed.find("notes", "thread").await.1, 0);
    let search = Search::parse("thread");
    let query = Query {
        search,
        ..bed.query("notes")
    };
    assert_eq!(bed.list_in("notes", Scope::Deleted, &query).await.1, 1);
    let gone = bed.deleted("notes", &made.key).await.unwrap();
    bed.restore("notes", &gone).await.unwrap();
    assert_eq!(bed.find("notes", "thread").await.1, 1);
    indexed(&bed).await;
    assert_eq!(bed.find("notes", "thread").await.1, 1);
    bed.finish().await;
}

#[tokio::test]
async fn a_long_text_is_compared_to_its_end() {
    let bed = Bed::file(&notes()).await;
    let long = "0123456789".repeat(20);
    bed.insert("notes", note(&format!("{long}a"), ""))
        .await
        .unwrap();
    bed.insert("notes", note(&format!("{long}b"), ""))
        .await
        .unwrap();
    for _ in 0..2 {
        let (records, total) = bed.find("notes", &format!("{long}B")).await;
        assert_eq!((records[0].id, total), (2, 1));
        assert_eq!(bed.find("notes", &long).await.1, 2);
        assert_eq!(bed.find("notes", &format!("{long}c")).await.1, 0);
        indexed(&bed).await;
    }
    bed.finish().await;
}

#[tokio::test]
async fn many_hits_come_in_order_page_by_page() {
    let bed = Bed::file(&notes()).await;
    let mut other = bed.other();
    let all = other.transaction().unwrap();
    for number in 0..3000 {
        let title = format!("common {}", number % 7);
        all.execute(
            "INSERT INTO notes (title, rank) VALUES (?, ?)",
            (title, number % 10),
        )
        .unwrap();
    }
    all.commit().unwrap();
    for round in 0..2 {
        for order_by in [vec!["id"], vec!["-rank"]] {
            for (filters, expected) in [
                (vec![], 3000),
                (
                    vec![filter(
                        bed.resource("notes"),
                        "rank",
                        Test::Equal(Value::Integer(3)),
                    )],
                    300,
                ),
            ] {
                let mut seen = Vec::new();
                for page in [1, 2, 30, 31] {
                    let query = Query {
                        search: Search::parse("common"),
                        filters: filters.clone(),
                        order: order(bed.resource("notes"), &order_by),
                        page,
                        ..bed.query("notes")
                    };
                    let plain = Query {
                        search: None,
                        ..query.clone()
                    };
                    let (records, total) = bed.page("notes", Scope::Live, &query).await;
                    let counted = (query.offset() + query.per_page + COUNTED_BEHIND).min(expected);
                    let expected = Total {
                        count: counted,
                        is_exact: counted == expected,
                    };
                    assert_eq!(total, expected, "round {round}, page {page}");
                    assert_eq!(
                        records,
                        bed.list("notes", &plain).await.0,
                        "round {round}, page {page}"
                    );
                    seen.extend(records);
                }
                assert!(!seen.is_empty());
            }
        }
        indexed(&bed).await;
    }
    bed.finish().await;
}

#[tokio::test]
async fn ids_of_any_size_are_found() {
    let near = [-9_000_000_i64, -1, 0, 4095, 4096, 20_000_000, 1 << 49];
    let far = [1 << 55, -(1 << 55)];
    for ids in [near.to_vec(), [near.as_slice(), &far].concat()] {
        let bed = Bed::file(&notes()).await;
        for id in &ids {
            let insert = "INSERT INTO notes (id, title, rank) VALUES (?, ?, 0)";
            let title = format!("needle {id}");
            bed.other().execute(insert, (id, title)).unwrap();
        }
        let mut sorted = ids;
        sorted.sort_unstable();
        for _ in ["waiting", "indexed"] {
            for order_by in ["id", "-id", "title"] {
                let query = Query {
                    search: Search::parse("needle"),
                    order: order(bed.resource("notes"), &[order_by]),
                    ..bed.query("notes")
                };
                let (records, total) = bed.list("notes", &query).await;
                let found: Vec<i64> = records.iter().map(|record| record.id).collect();
                assert_eq!(total, sorted.len() as u64, "order: {order_by}");
                match order_by {
                    "id" => assert_eq!(found, sorted),
                    "-id" => assert!(found.iter().eq(sorted.iter().rev()), "{found:?}"),
                    _ => assert_eq!(found.len(), sorted.len()),
                }
                let behind = Query {
                    cursor: Some(Cursor::After(Cursor::behind(&query.order, &records[2]))),
                    ..query
                };
                assert_eq!(bed.list("notes", &behind).await.0, records[3..]);
            }
            for id in &sorted {
                let (records, _) = bed.find("notes", &id.to_string()).await;
                assert!(records.iter().any(|record| record.id == *id), "id: {id}");
            }
            indexed(&bed).await;
        }
        bed.finish().await;
    }
}

#[tokio::test]
async fn the_index_forgets_texts_that_were_changed_many_times() {
    let bed = Bed::file(&notes()).await;
    let change = async |sql: &str| {
        bed.other().execute_batch(sql).unwrap();
        // The writer learns of rows of another program by a search.
        bed.find("notes", "nowhere").await;
        indexed(&bed).await;
    };
    let entries = || -> i64 {
        let count = "SELECT count(*) FROM notes__search WHERE id >= 0";
        bed.other().query_row(count, [], |row| row.get(0)).unwrap()
    };
    change(
        "WITH RECURSIVE n (id) AS (VALUES (1) UNION ALL SELECT id + 1 FROM n WHERE id < 4000)
         INSERT INTO notes (id, title, rank) SELECT id, 'plain', 0 FROM n",
    )
    .await;
    let few = entries();
    change("UPDATE notes SET title = hex(randomblob(50))").await;
    assert!(entries() > 100 * few);
    assert_eq!(bed.find("notes", "plain").await.1, 0);
    let mut rounds = 0;
    while entries() > 2 * few {
        rounds += 1;
        assert!(rounds < 6, "nothing is forgotten");
        change("UPDATE notes SET title = 'plain' || CASE title WHEN 'plain' THEN 'x' ELSE '' END")
            .await;
    }
    let query = Query {
        search: Search::parse("plain"),
        ..bed.query("notes")
    };
    let (found, _) = bed.page("notes", Scope::Live, &query).await;
    assert_eq!(found.len() as u64, query.per_page);
    bed.finish().await;
}

#[derive(Clone, Debug)]
enum Operation {
    Insert(String, Option<String>),
    Update(usize, String),
    Delete(usize),
    Restore(usize),
    Index,
}

fn words() -> impl Strategy<Value = String> {
    prop_oneof![
        proptest::collection::vec(
            prop_oneof![
                Just("ab"),
                Just("É"),
                Just("e\u{301}"),
                Just("ς"),
                Just("ss"),
                Just("%_"),
                Just("\""),
                Just("\u{FFFE}"),
                Just(" x")
            ],
            0..8
        )
        .prop_map(|parts| parts.concat()),
        "\\PC{0,12}",
    ]
}

fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        4 => (words(), proptest::option::of(words())).prop_map(|(title, content)| Operation::Insert(title, content)),
        2 => (0..8_usize, words()).prop_map(|(which, title)| Operation::Update(which, title)),
        1 => (0..8_usize).prop_map(Operation::Delete),
        1 => (0..8_usize).prop_map(Operation::Restore),
        1 => Just(Operation::Index),
    ]
}

async fn apply(bed: &Bed, operation: Operation) {
    let existing = |which: usize| Key::Integer(which as i64 + 1);
    match operation {
        Operation::Insert(title, content) => {
            let content = content.map_or(Value::Null, Value::Text);
            bed.insert(
                "notes",
                vec![Value::Text(title), content, Value::Integer(0)],
            )
            .await
            .expect("a write");
        }
        Operation::Update(which, title) => {
            if let Some(record) = bed.get("notes", &existing(which)).await {
                bed.update("notes", &record, "title", Value::Text(title))
                    .await
                    .expect("a write");
            }
        }
        Operation::Delete(which) => {
            if let Some(record) = bed.get("notes", &existing(which)).await {
                bed.delete("notes", &record).await.expect("a write");
            }
        }
        Operation::Restore(which) => {
            if let Some(record) = bed.deleted("notes", &existing(which)).await {
                bed.store
                    .restore(bed.resource("notes"), &record, stamp())
                    .await
                    .expect("a write");
            }
        }
        Operation::Index => indexed(bed).await,
    }
}

fn scan(records: &[Record], folded: &str) -> Vec<i64> {
    let has = |value: &Value| matches!(value, Value::Text(text) if fold::contains(text, folded));
    records
        .iter()
        .filter(|record| record.values.iter().any(has))
        .map(|record| record.id)
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn search_equals_a_scan(
        operations in proptest::collection::vec(operation(), 1..20),
        queries in proptest::collection::vec(words(), 1..6),
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        runtime.block_on(async {
            let bed = Bed::file(&notes()).await;
            for operation in operations {
                apply(&bed, operation).await;
            }
            for round in 0..2 {
                let (all, _) = bed.all("notes").await;
                let parts = all.iter().filter_map(|record| match &record.values[0] {
                    Value::Text(title) => Some(title.chars().skip(1).take(4).collect::<String>()),
                    _ => None,
                });
                for query in queries.iter().cloned().chain(parts.collect::<Vec<_>>()) {
                    let Some(search) = Search::parse(&query) else { continue };
                    let expected = scan(&all, &search.folded);
                    let (found, total) = bed.find("notes", &query).await;
                    let found: Vec<i64> = found.iter().map(|record| record.id).collect();
                    assert_eq!(found, expected, "round {round}: {query:?}");
                    assert_eq!(total, found.len() as u64);
                }
                indexed(&bed).await;
            }
            bed.finish().await;
        });
    }
}
