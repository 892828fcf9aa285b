//! The engine: group commit, closing, limits.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use carafe_model::key::{Key, KeyKind};
use carafe_model::kind::Kind;
use carafe_model::query::{Query, Search, Total};
use carafe_model::record::column;
use carafe_model::schema::Schema;
use carafe_model::value::Row;
use carafe_store::error::Error;
use carafe_store::store::{Accept, Database, Durability, Scope, untold};

use crate::support::{Bed, field, resource, schema, stamp, text, unique};

fn notes() -> Arc<Schema> {
    schema(vec![
        resource("notes", vec![unique(field("title", Kind::String))])
            .hard()
            .history(),
    ])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_is_there_after_reopening() {
    for bed in Bed::lasting(&notes()).await {
        let writes: Vec<_> = (0..500)
            .map(|number| {
                let (store, schema) = (bed.store.clone(), Arc::clone(&bed.schema));
                // Every title twice: half of the group is refused, and takes nothing else with it.
                let title = text(&format!("n{}", number / 2));
                tokio::spawn(async move {
                    store
                        .insert(&schema.resources[0], None, vec![title], stamp(), None)
                        .await
                })
            })
            .collect();
        let mut made = Vec::new();
        for write in writes {
            match write.await.unwrap() {
                Ok(record) => made.push(record),
                Err(err) => assert!(matches!(err, Error::Taken { unique: 0 }), "{err:?}"),
            }
        }
        assert_eq!(made.len(), 250);
        let bed = bed.reopen().await;
        assert_eq!(bed.all("notes").await.1, 250);
        for record in made {
            assert_eq!(bed.get("notes", &record.key).await.as_ref(), Some(&record));
            assert_eq!(
                bed.store
                    .history(bed.resource("notes"), record.id, 9)
                    .await
                    .unwrap()
                    .len(),
                1
            );
        }
        bed.finish().await;
    }
}

#[tokio::test]
async fn ids_are_never_used_again() {
    for bed in Bed::lasting(&notes()).await {
        for _ in 0..2 {
            let made = bed.insert("notes", vec![text("a")]).await.unwrap();
            bed.delete("notes", &made).await.unwrap();
        }
        let bed = bed.reopen().await;
        assert_eq!(bed.insert("notes", vec![text("a")]).await.unwrap().id, 3);
        bed.finish().await;
    }
}

#[tokio::test]
async fn a_write_whose_caller_has_gone_stands() {
    for bed in Bed::each(&notes()).await {
        let mut write = Box::pin(bed.insert("notes", vec![text("a")]));
        let waker = std::task::Waker::noop();
        let first = write
            .as_mut()
            .poll(&mut std::task::Context::from_waker(waker));
        assert!(first.is_pending() || first.is_ready());
        drop(write);
        bed.insert("notes", vec![text("b")]).await.unwrap();
        assert_eq!(bed.all("notes").await.1, 2);
        bed.finish().await;
    }
}

#[tokio::test]
async fn a_closed_database_says_so() {
    for bed in Bed::each(&notes()).await {
        bed.insert("notes", vec![text("a")]).await.unwrap();
        bed.database.close().await;
        bed.database.close().await;
        let write = bed.insert("notes", vec![text("b")]).await;
        assert!(matches!(write, Err(Error::Unavailable(_))), "{write:?}");
        let read = bed
            .store
            .get(
                bed.resource("notes"),
                carafe_store::store::Scope::Live,
                &Key::Integer(1),
                |_| (),
            )
            .await;
        assert!(matches!(read, Err(Error::Unavailable(_))), "{read:?}");
    }
}

#[tokio::test]
async fn what_cannot_be_opened_is_unavailable() {
    let folder = tempfile::tempdir().unwrap();
    let missing = format!(
        "sqlite:{}",
        folder.path().join("no/such/folder.db").display()
    );
    let file = folder.path().join("text.db");
    std::fs::write(
        &file,
        "this is no database, but quite a long text all the same".repeat(100),
    )
    .unwrap();
    let text = format!("sqlite:{}", file.display());
    for url in [missing.as_str(), text.as_str(), "mysql:notes", "sqlite:"] {
        let opened = Database::open(url, Durability::Full);
        assert!(matches!(opened, Err(Error::Unavailable(_))), "URL: {url}");
    }
}

#[test]
fn many_may_open_and_migrate_one_new_file_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("test.db").display());
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .build()
                    .unwrap();
                runtime.block_on(async {
                    let database = Database::open(&url, Durability::Full).unwrap();
                    database
                        .migrate(&notes(), &[], Accept::Safe, &untold())
                        .await
                        .unwrap();
                    assert_eq!(
                        database.check_integrity().await.unwrap(),
                        Vec::<String>::new()
                    );
                    database.close().await;
                });
            });
        }
    });
}

#[tokio::test]
async fn what_waits_for_the_index_is_indexed_after_a_restart() {
    let schema = schema(vec![
        resource("notes", vec![field("title", Kind::String)]).search(&["title"]),
    ]);
    let bed = Bed::file(&schema).await;
    for number in 0..50 {
        bed.insert("notes", vec![text(&format!("needle {number}"))])
            .await
            .unwrap();
    }
    let bed = bed.reopen().await;
    assert_eq!(bed.find("notes", "needle").await.1, 50);
    crate::search::indexed(&bed).await;
    assert_eq!(bed.find("notes", "needle 4").await.1, 11);
    bed.finish().await;
}

/// A server's tasks move between threads.
#[tokio::test]
async fn reads_can_be_spawned() {
    for bed in Bed::lasting(&notes()).await {
        let (store, schema, query) = (
            bed.store.clone(),
            Arc::clone(&bed.schema),
            bed.query("notes"),
        );
        let reads = tokio::spawn(async move {
            let notes = &schema.resources[0];
            let live = carafe_store::store::Scope::Live;
            let mut rows = 0;
            let total = store
                .list(notes, live, &query, &mut |_| rows += 1)
                .await
                .unwrap();
            let found = store
                .get(notes, live, &Key::Integer(1), |_| ())
                .await
                .unwrap();
            (total, rows, found)
        });
        assert_eq!(reads.await.unwrap(), (Total::exact(0), 0, None));
        bed.finish().await;
    }
}

/// Long reads that overlap always hold an older snapshot, so that the log is never begun anew
/// by itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_stays_bounded_while_long_reads_overlap() {
    const LOG_BYTES_MAX: u64 = 90 * 1024 * 1024;
    let schema = schema(vec![
        resource("notes", vec![field("title", Kind::String)]).search(&["title"]),
    ]);
    let bed = Bed::file(&schema).await;
    let fill = "INSERT INTO notes (title) WITH RECURSIVE c (x) AS \
                (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 40000) SELECT hex(zeroblob(100)) FROM c";
    bed.other().execute_batch(fill).unwrap();
    let done = Arc::new(AtomicBool::new(false));
    let searches: Vec<_> = (0..4)
        .map(|_| {
            let (store, schema, done) = (bed.store.clone(), Arc::clone(&schema), Arc::clone(&done));
            let query = Query {
                search: Search::parse("zz"),
                ..bed.query("notes")
            };
            tokio::spawn(async move {
                while !done.load(Ordering::Relaxed) {
                    let none = &mut |_: &dyn Row| ();
                    store
                        .list(&schema.resources[0], Scope::Live, &query, none)
                        .await
                        .unwrap();
                }
            })
        })
        .collect();
    let log = bed.path().with_extension("db-wal");
    // 130 MB of pages in all.
    for _ in 0..400 {
        let writes: Vec<_> = (0..32)
            .map(|_| {
                let (store, schema) = (bed.store.clone(), Arc::clone(&schema));
                let title = text(&"x".repeat(8000));
                tokio::spawn(async move {
                    store
                        .insert(&schema.resources[0], None, vec![title], stamp(), None)
                        .await
                })
            })
            .collect();
        for write in writes {
            write.await.unwrap().unwrap();
        }
        let length = std::fs::metadata(&log).unwrap().len();
        assert!(length < LOG_BYTES_MAX, "the log has {length} bytes");
    }
    done.store(true, Ordering::Relaxed);
    for search in searches {
        search.await.unwrap();
    }
    bed.finish().await;
}

#[tokio::test]
async fn first_records_are_inserted_by_one_of_several() {
    for bed in Bed::each(&notes()).await {
        let records = [(None, vec![text("a")]), (None, vec![text("b")])];
        let notes = bed.resource("notes");
        assert!(bed.store.is_unused(notes).await.unwrap());
        let twins = [(None, vec![text("a")]), (None, vec![text("a")])];
        let refused = bed.store.insert_first(notes, &twins, &stamp()).await;
        assert!(matches!(refused, Err(Error::Taken { .. })), "{refused:?}");
        let at = stamp();
        // Which of them is first is not for this process to say where there is a server.
        let both = tokio::join!(
            bed.store.insert_first(notes, &records, &at),
            bed.store.insert_first(notes, &records, &at)
        );
        assert!(
            matches!(
                &both,
                (Ok(()), Err(Error::Stale)) | (Err(Error::Stale), Ok(()))
            ),
            "{both:?}"
        );
        assert_eq!(bed.all("notes").await.1, 2);
        bed.finish().await;
    }
}

/// A backup of another process holds a snapshot for as long as it takes. The log grows past its
/// limit then, and writers are not to wait for it.
#[tokio::test]
async fn a_long_snapshot_of_another_process_does_not_hold_up_writes() {
    let schema = schema(vec![resource("notes", vec![field("title", Kind::Text)])]);
    let bed = Bed::file(&schema).await;
    let other = bed.other();
    other
        .execute_batch("BEGIN; SELECT count(*) FROM sqlite_schema")
        .unwrap();
    let large = "x".repeat(1 << 20);
    for number in 0..80 {
        let insert = bed.insert("notes", vec![text(&large)]);
        let inserted = tokio::time::timeout(Duration::from_secs(4), insert).await;
        assert!(inserted.is_ok(), "write {number} waits for the snapshot");
        inserted.unwrap().unwrap();
    }
    let log = std::fs::metadata(bed.path().with_extension("db-wal")).unwrap();
    assert!(log.len() > 64 << 20, "the log is shorter than its limit");
    bed.finish().await;
}

/// A reader keeps its snapshot from one read to the next.
#[tokio::test]
async fn a_kept_snapshot_hides_no_commit_and_does_not_hold_up_other_programs() {
    let schema = schema(vec![resource("notes", vec![field("title", Kind::Text)])]);
    let bed = Bed::file(&schema).await;
    let other = bed.other();
    for id in 1..=50 {
        let key = Key::Integer(id);
        assert_eq!(bed.get("notes", &key).await, None);
        match id % 2 {
            0 => bed
                .insert("notes", vec![text("own")])
                .await
                .map(drop)
                .unwrap(),
            _ => other
                .execute_batch("INSERT INTO notes (title) VALUES ('of another')")
                .unwrap(),
        }
        assert!(bed.get("notes", &key).await.is_some(), "record {id}");
        assert_eq!(bed.all("notes").await.1, id.unsigned_abs());
    }
    // It waits as long as its busy timeout until no snapshot is in the way.
    let shorten = "PRAGMA wal_checkpoint(TRUNCATE)";
    let busy: i64 = other.query_row(shorten, [], |row| row.get(0)).unwrap();
    assert_eq!(busy, 0, "a snapshot is kept by nobody for long");
    bed.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_is_begun_anew_while_records_are_read_all_the_time() {
    const LOG_BYTES_MAX: u64 = 32 * 1024 * 1024;
    let schema = schema(vec![resource("notes", vec![field("title", Kind::Text)])]);
    let bed = Bed::file(&schema).await;
    let done = Arc::new(AtomicBool::new(false));
    let (store, read, over) = (bed.store.clone(), Arc::clone(&schema), Arc::clone(&done));
    let reader = tokio::spawn(async move {
        while !over.load(Ordering::Relaxed) {
            let key = Key::Integer(1);
            store
                .get(&read.resources[0], Scope::Live, &key, |_| ())
                .await
                .unwrap();
            tokio::task::yield_now().await;
        }
    });
    let large = "x".repeat(1 << 18);
    let log = bed.path().with_extension("db-wal");
    for _ in 0..400 {
        bed.insert("notes", vec![text(&large)]).await.unwrap();
        let length = std::fs::metadata(&log).unwrap().len();
        assert!(length < LOG_BYTES_MAX, "the log has {length} bytes");
    }
    done.store(true, Ordering::Relaxed);
    reader.await.unwrap();
    bed.finish().await;
}

/// Another program's trigger may fail after the row was inserted.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_whose_trigger_fails_is_not_stored_and_takes_no_other_with_it() {
    let schema = schema(vec![resource("notes", vec![field("title", Kind::Text)])]);
    let bed = Bed::file(&schema).await;
    let trigger = "CREATE TABLE told (title TEXT NOT NULL CHECK (title <> 'bad'));
                   CREATE TRIGGER notes_told AFTER INSERT ON notes
                   BEGIN INSERT INTO told (title) VALUES (NEW.title); END;
                   CREATE TRIGGER notes_told_again AFTER UPDATE OF title ON notes
                   BEGIN INSERT INTO told (title) VALUES (NEW.title); END;";
    bed.other().execute_batch(trigger).unwrap();
    let writes: Vec<_> = (0..200)
        .map(|number| {
            let (store, schema) = (bed.store.clone(), Arc::clone(&schema));
            let title = if number % 20 == 7 { "bad" } else { "good" };
            tokio::spawn(async move {
                let insert =
                    store.insert(&schema.resources[0], None, vec![text(title)], stamp(), None);
                (title, insert.await)
            })
        })
        .collect();
    for write in writes {
        let (title, outcome) = write.await.unwrap();
        assert_eq!(outcome.is_ok(), title == "good", "{title}: {outcome:?}");
    }
    assert_eq!(bed.all("notes").await.1, 190);
    let told = "SELECT (SELECT count(*) FROM told) - (SELECT count(*) FROM notes)";
    let difference: i64 = bed.other().query_row(told, [], |row| row.get(0)).unwrap();
    assert_eq!(difference, 0);
    bed.finish().await;
}

/// PostgreSQL is asked for many at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readings_that_meet_are_each_answered_with_their_own_record() {
    let schema = schema(vec![
        resource("notes", vec![field("title", Kind::String)]),
        resource("names", vec![field("title", Kind::String)]).key("name", KeyKind::String),
        resource("codes", vec![field("title", Kind::String)]).key("code", KeyKind::Uuid),
    ]);
    for bed in Bed::each(&schema).await {
        for name in ["notes", "names", "codes"] {
            let mut keys = Vec::new();
            for number in 0..40 {
                let values = vec![text(&number.to_string())];
                let record = match name {
                    "notes" => bed.insert(name, values).await,
                    "names" => {
                        bed.insert_as(name, Key::Text(format!("n{number}")), values)
                            .await
                    }
                    _ => {
                        let key = format!("01939f3e-0b7a-7c3e-9d1b-0000000000{number:02}");
                        bed.insert_as(name, Key::Text(key), values).await
                    }
                };
                keys.push(record.unwrap().key);
            }
            let seventh = bed.get(name, &keys[7]).await.unwrap();
            bed.delete(name, &seventh).await.unwrap();
            let readings = (0..400).map(|number| {
                let (store, schema) = (bed.store.clone(), Arc::clone(&bed.schema));
                let position = number * 7 % 40;
                let key = keys[position].clone();
                let index = bed.resource(name).index;
                tokio::spawn(async move {
                    let resource = &schema.resources[index];
                    let title = |row: &dyn Row| row.cell(column::FIELDS).to_value();
                    (
                        position,
                        store.get(resource, Scope::Live, &key, title).await,
                    )
                })
            });
            let readings: Vec<_> = readings.collect();
            for reading in readings {
                let (position, found) = reading.await.unwrap();
                let expected = (position != 7).then(|| text(&position.to_string()));
                assert_eq!(found.unwrap(), expected, "{name}, {position}");
            }
        }
        bed.finish().await;
    }
}

/// However many readings wait for each other, none is answered from before it began.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reading_among_many_sees_what_was_written_before_it() {
    let schema = schema(vec![resource("notes", vec![field("title", Kind::String)])]);
    for bed in Bed::each(&schema).await {
        let tasks: Vec<_> = (0..16)
            .map(|_| {
                let (store, schema) = (bed.store.clone(), Arc::clone(&bed.schema));
                tokio::spawn(async move {
                    let notes = &schema.resources[0];
                    for _ in 0..40 {
                        let insert = store.insert(notes, None, vec![text("a")], stamp(), None);
                        let key = insert.await.unwrap().key;
                        let found = store.get(notes, Scope::Live, &key, |_| ()).await;
                        assert!(found.unwrap().is_some(), "{key:?}");
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        bed.finish().await;
    }
}

#[tokio::test]
async fn nothing_is_written_into_a_damaged_page() {
    const PAGE: usize = 4096;
    let logs = schema(vec![
        resource("logs", vec![field("title", Kind::String)]).hard(),
    ]);
    let bed = Bed::file(&logs).await;
    for number in 0..40 {
        let title = text(&format!("{number:0300}"));
        bed.insert("logs", vec![title]).await.unwrap();
    }
    bed.database.close().await;
    let mut bytes = std::fs::read(bed.path()).unwrap();
    let last = format!("{:0300}", 39).into_bytes();
    let mut pages = bytes.chunks_mut(PAGE);
    let leaf = pages.find(|page| page.windows(last.len()).any(|part| part == last));
    // The first cell begins so late that it does not fit the page
    // (<https://www.sqlite.org/fileformat.html#b_tree_pages>).
    leaf.unwrap()[8..10].copy_from_slice(&4090_u16.to_be_bytes());
    std::fs::write(bed.path(), &bytes).unwrap();

    let bed = bed.reopen().await;
    let refused = bed.insert("logs", vec![text("one more")]).await;
    assert!(matches!(refused, Err(Error::Other(_))), "{refused:?}");
    bed.database.close().await;
    assert_eq!(std::fs::read(bed.path()).unwrap()[PAGE..], bytes[PAGE..]);
}
