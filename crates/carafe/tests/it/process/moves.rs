//! `carafe move`

use std::io::{BufRead, BufReader};

use super::{Folder, Ran, assert_sound, open};
use crate::postgres::TestDatabase;

const SHOP: &str = r#"
[resources.makers]
key = { field = "code", type = "string" }
[resources.makers.fields]
name = { type = "string" }
[resources.goods]
search = ["title"]
history = true
[resources.goods.fields]
title = { type = "string", max_length = 200 }
price = { type = "decimal", default = "0.10" }
maker = { type = "reference", to = "makers", optional = true }
[resources.stock]
kind = "document"
members = { value = { type = "integer" } }
"#;

/// A shop with records that were changed and deleted in `data.db`.
fn shop() -> Folder {
    let folder = Folder::new(SHOP);
    for arguments in [
        &["create", "makers", "code=acme", "name=Acme"][..],
        &["create", "goods", "title=Tea \u{1F375}", "maker=acme"],
        &["create", "goods", "title=Jam", "price=2.50"],
        &["create", "goods", "title=Rye"],
        &["update", "goods", "2", "title=Plum jam"],
        &["delete", "goods", "1"],
        &["delete", "goods", "3"],
        &["create", "stock", "name=fruit", "apple=3"],
    ] {
        folder.run(arguments).ok();
    }
    folder
}

/// Moves, and gives what it said on standard output.
#[track_caller]
fn moved(folder: &Folder, from: &str, to: &str) -> String {
    let ran = folder.run(&["move", "--from", from, "--to", to]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    // Lines in place of a bar, because standard error is no terminal.
    for line in ["Copying goods\n", "Checking history of goods\n"] {
        assert!(ran.stderr.contains(line), "{line}: {}", ran.stderr);
    }
    assert!(!ran.stderr.contains('\u{1b}'), "{}", ran.stderr);
    ran.stdout
}

/// What the records are, as JSON.
fn told(folder: &Folder, database: &str) -> Vec<String> {
    let list = |resource, deleted: &[&'static str]| {
        let mut all = vec!["list", resource, "--json", "--database", database];
        all.extend(deleted);
        folder.run(&all).ok()
    };
    ["makers", "goods", "stock"]
        .into_iter()
        .flat_map(|resource| [list(resource, &[]), list(resource, &["--deleted"])])
        .collect()
}

/// Checks that a target has what the shop had, and goes on where it was.
fn assert_goes_on(folder: &Folder, database: &str) {
    assert_eq!(told(folder, database), told(folder, "sqlite:data.db"));
    let run = |arguments: &[&str]| {
        let all = [arguments, &["--database", database, "--json"]].concat();
        folder.run(&all).ok()
    };
    assert!(run(&["list", "goods", "--q", "PLUM"]).contains("\"id\":2"));
    let created = run(&["create", "goods", "title=New"]);
    assert!(created.contains("\"id\":4"), "{created}");
    let restored = run(&["restore", "goods", "1"]);
    assert!(restored.contains("\u{1F375}"), "{restored}");
}

#[test]
fn an_application_moves_to_another_file() {
    let folder = shop();
    let said = moved(&folder, "sqlite:data.db", "sqlite:copy.db");
    for part in [
        "| goods               | 3    |",
        "| history of goods    | 6    |",
        "Moved to copy.db",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert_goes_on(&folder, "sqlite:copy.db");
    let integrity = open(&folder.path("copy.db"))
        .query_row("PRAGMA integrity_check", [], |row| row.get::<_, String>(0));
    assert_eq!(integrity.unwrap(), "ok");
}

#[tokio::test]
async fn an_application_moves_to_postgres_and_back() {
    let Some(database) = TestDatabase::create().await else {
        return;
    };
    let folder = shop();
    let url = database.url();
    moved(&folder, "sqlite:data.db", &url);
    moved(&folder, &url, "sqlite:back.db");
    assert_goes_on(&folder, &url);
    assert_goes_on(&folder, "sqlite:back.db");
    database.drop().await;
}

#[test]
fn what_cannot_be_moved_is_refused_with_a_hint() {
    let folder = shop();
    moved(&folder, "sqlite:data.db", "sqlite:copy.db");
    folder.write("old/carafe.toml", SHOP);
    folder.write("old/more/carafe.toml", &SHOP.replace("price", "cost"));
    let data = "sqlite:data.db";
    let cases: [(&[&str], &[&str]); 8] = [
        (
            &["--from", data, "--to", "sqlite:copy.db"],
            &["goods", "makers", "hint: name a new file"],
        ),
        (
            &["--from", data, "--to", "sqlite:./data.db"],
            &["the same database"],
        ),
        (
            &["--from", "sqlite:none.db", "--to", "sqlite:new.db"],
            &["there is no file none.db"],
        ),
        (
            &["--from", data, "--to", "sqlite::memory:"],
            &["name a file"],
        ),
        (
            &["--from", data, "--to", "copy.db"],
            &["write sqlite:copy.db"],
        ),
        (&["--from", data, "--to", "mysql://x"], &["sqlite:PATH"]),
        (
            &["--from", data, "--to", "sqlite:new.db", "old/more"],
            &["`cost`", "hint: `carafe serve"],
        ),
        (
            &["--from", data, "--to", "sqlite:new.db", "nowhere"],
            &["there is no carafe.toml in nowhere"],
        ),
    ];
    for (arguments, expected) in cases {
        let all = [&["move"], arguments].concat();
        let complaint = folder.run(&all).refused();
        for part in expected {
            assert!(
                complaint.contains(part),
                "{arguments:?}: {part}: {complaint}"
            );
        }
    }
    assert!(!folder.path("none.db").exists() && !folder.path("new.db").exists());
    let url = "postgres://nobody:secret@127.0.0.1:1/none";
    let complaint = folder.run(&["move", "--from", data, "--to", url]);
    let complaint = complaint.refused();
    assert!(complaint.contains("opening the target"), "{complaint}");
    assert!(!complaint.contains("secret"), "{complaint}");
    let ran = folder.run(&["move", "--from", data]);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(ran.stderr.contains("--to <URL>"), "{ran:?}");
}

#[test]
fn help_says_that_no_server_may_run() {
    let help = Folder::empty().run(&["move", "--help"]).ok();
    assert!(help.contains("No server may run"), "{help}");
}

/// A program that is killed in the middle leaves all or nothing, and can be started again.
#[tokio::test]
async fn a_move_that_is_killed_leaves_nothing() {
    let folder = Folder::new("[resources.goods.fields]\ntitle = { type = \"string\" }\n");
    folder.run(&["create", "goods", "title=a"]).ok();
    open(&folder.path("data.db"))
        .execute_batch(
            "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 100000) \
             INSERT INTO goods (title) SELECT 'Number ' || n FROM c",
        )
        .unwrap();
    let database = TestDatabase::create().await;
    let mut targets = vec!["sqlite:copy.db".to_owned()];
    targets.extend(database.as_ref().map(TestDatabase::url));
    for to in &targets {
        let arguments = ["move", "--from", "sqlite:data.db", "--to", to];
        let mut child = folder.command(&arguments).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        assert_eq!(lines.next().unwrap().unwrap(), "Copying goods");
        child.kill().unwrap();
        child.wait().unwrap();
        let ran = Ran::of(folder.command(&arguments).output().unwrap());
        assert_eq!(ran.code, Some(0), "{ran:?}");
        assert!(ran.stdout.contains("100001"), "{}", ran.stdout);
    }
    assert_sound(&folder.path("copy.db"), "goods");
    if let Some(database) = database {
        let other = database.other().await;
        let row = other.query_one("SELECT count(*) FROM goods", &[]).await;
        assert_eq!(row.unwrap().get::<_, i64>(0), 100_001);
        database.drop().await;
    }
}
