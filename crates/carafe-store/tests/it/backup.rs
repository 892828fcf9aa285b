//! Backups of a file.

use carafe_store::backup::{self, Existing, Failure, Progress};
use rusqlite::Connection;

/// Without a held snapshot, a copy would begin anew at each write of another connection.
#[test]
fn a_backup_ends_however_much_is_written_and_is_of_one_moment() {
    let folder = tempfile::tempdir().unwrap();
    let (source, target) = (folder.path().join("a.db"), folder.path().join("b.db"));
    let other = Connection::open(&source).unwrap();
    other
        .execute_batch(
            "PRAGMA journal_mode = WAL;
             CREATE TABLE _carafe_count (resource TEXT PRIMARY KEY, live INTEGER) STRICT;
             CREATE TABLE notes (id INTEGER PRIMARY KEY, title BLOB);
             WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 300)
             INSERT INTO notes SELECT n, zeroblob(100000) FROM c;
             INSERT INTO _carafe_count VALUES ('notes', 300)",
        )
        .unwrap();
    let mut reports = 0;
    let contents = backup::write(&source, &target, Existing::Keep, |progress| {
        reports += 1;
        assert!(reports < 100, "it begins again and again");
        if let Progress::Copying { bytes, total } = progress {
            assert!(bytes <= total);
            let write = "UPDATE notes SET title = zeroblob(100000 + ?1);
                         INSERT INTO notes (title) VALUES ('later')";
            other
                .execute_batch(&write.replace("?1", &reports.to_string()))
                .unwrap();
        }
    })
    .unwrap();
    assert!(reports > 3, "{reports}");
    assert_eq!(contents.records, [("notes".to_owned(), 300)]);
    let copied = Connection::open(&target).unwrap();
    let rows = "SELECT count(*) FROM notes WHERE length(title) = 100000";
    let rows: i64 = copied.query_row(rows, [], |row| row.get(0)).unwrap();
    assert_eq!(rows, 300);
    let names = std::fs::read_dir(folder.path()).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert!(
        names
            .into_iter()
            .all(|name| !name.starts_with("b.db-") && !name.contains("part"))
    );
}

#[test]
fn a_counter_that_is_wrong_fails_the_check() {
    let folder = tempfile::tempdir().unwrap();
    let (source, target) = (folder.path().join("a.db"), folder.path().join("b.db"));
    Connection::open(&source)
        .unwrap()
        .execute_batch(
            "CREATE TABLE _carafe_count (resource TEXT PRIMARY KEY, live INTEGER) STRICT;
             CREATE TABLE notes (id INTEGER PRIMARY KEY);
             INSERT INTO _carafe_count VALUES ('notes', 7)",
        )
        .unwrap();
    let failed = backup::write(&source, &target, Existing::Keep, |_| ()).unwrap_err();
    let Failure::Damaged { complaints, .. } = failed else {
        panic!("{failed:?}")
    };
    assert_eq!(complaints, ["notes has 0 records, but its counter says 7"]);
    assert!(!target.exists());
}
