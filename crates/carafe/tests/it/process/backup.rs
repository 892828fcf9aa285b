//! `carafe backup` and `carafe restore`.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

use serde_json::json;
use tokio::task::JoinSet;

use super::{Client, Folder, PATIENCE, PLAIN, Process, Ran, assert_sound, eventually, open, pause};
use crate::postgres::TestDatabase;

const CLIENTS: usize = 20;
/// Acknowledged writes before the backup.
const WRITES: usize = 400;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_under_load_has_all_that_was_acknowledged_and_comes_back() {
    let folder = Folder::notes();
    let server = folder.serve();
    let (acknowledged, is_over) = (
        Arc::new(AtomicUsize::new(0)),
        Arc::new(AtomicBool::new(false)),
    );
    let mut clients = JoinSet::new();
    let counters: Vec<_> = (0..CLIENTS)
        .map(|number| {
            let mine = Arc::new(AtomicUsize::new(0));
            clients.spawn(write_until(
                server.client(),
                number,
                Arc::clone(&mine),
                Arc::clone(&acknowledged),
                Arc::clone(&is_over),
            ));
            mine
        })
        .collect();
    let passed = |count: usize| {
        let acknowledged = Arc::clone(&acknowledged);
        eventually("writes", PATIENCE, async move || {
            (acknowledged.load(Ordering::Relaxed) > count).then_some(())
        })
    };
    passed(WRITES).await;
    let before: Vec<usize> = counters
        .iter()
        .map(|mine| mine.load(Ordering::SeqCst))
        .collect();
    let mut command = folder.command(&["backup", "copy.db"]);
    let ran = tokio::task::spawn_blocking(move || Ran::of(command.output().unwrap()));
    let said = ran.await.unwrap().ok();
    assert!(said.contains("| notes "), "{said}");
    assert!(said.contains("Backed up to copy.db: "), "{said}");
    // The writers went on, and do.
    passed(acknowledged.load(Ordering::Relaxed) + CLIENTS).await;
    is_over.store(true, Ordering::Relaxed);
    clients.join_all().await;
    server.stop();

    let copy = folder.path("copy.db");
    assert_sound(&copy, "notes");
    let held = steps(&copy);
    for (number, before) in before.into_iter().enumerate() {
        let steps = held.get(&number).cloned().unwrap_or_default();
        let whole: Vec<usize> = (0..steps.len()).collect();
        assert_eq!(steps, whole, "client {number}: one moment has no gaps");
        assert!(before <= steps.len(), "client {number}: {before} before");
    }
    let highest: i64 = open(&copy)
        .query_row("SELECT max(id) FROM notes", [], |row| row.get(0))
        .unwrap();

    let again = folder.run(&["restore", "copy.db"]).refused();
    assert!(again.contains("data.db is there already"), "{again}");
    let said = folder.run(&["restore", "copy.db", "--force"]).ok();
    assert!(said.contains("Restored ./data.db from copy.db."), "{said}");
    let kept = kept(&folder);
    assert!(said.contains(&kept), "{said}");
    assert!(!folder.path("data.db-wal").exists());
    assert_eq!(steps(&folder.path("data.db")), held);
    let count = |steps: &BTreeMap<usize, Vec<usize>>| steps.values().flatten().count();
    assert!(count(&held) < count(&steps(&folder.path(&kept))));

    let server = folder.serve();
    let note = json!({ "title": "next", "content": "c" });
    let next = server.client().post("/api/notes", note).await;
    assert_eq!(next.json()["id"], highest + 1);
    let found = server.client().get("/api/notes?q=next").await;
    assert_eq!(found.json()["total"], 1);
    server.stop();
    assert_sound(&folder.path("data.db"), "notes");
}

async fn write_until(
    client: Client,
    number: usize,
    mine: Arc<AtomicUsize>,
    acknowledged: Arc<AtomicUsize>,
    is_over: Arc<AtomicBool>,
) {
    for step in 0.. {
        if is_over.load(Ordering::Relaxed) {
            return;
        }
        let note = json!({ "title": format!("{number}-{step}"), "content": "x".repeat(500) });
        let answer = client.post("/api/notes", note).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        mine.fetch_add(1, Ordering::SeqCst);
        acknowledged.fetch_add(1, Ordering::Relaxed);
    }
}

/// The steps of each client that a file holds, in order.
fn steps(file: &Path) -> BTreeMap<usize, Vec<usize>> {
    let connection = open(file);
    let mut titles = connection
        .prepare("SELECT title FROM notes ORDER BY id")
        .unwrap();
    let titles = titles.query_map([], |row| row.get::<_, String>(0)).unwrap();
    let mut steps: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for title in titles {
        let title = title.unwrap();
        let (client, step) = title.split_once('-').unwrap();
        let client = steps.entry(client.parse().unwrap()).or_default();
        client.push(step.parse().unwrap());
    }
    steps
}

/// The name under which the old database is kept.
fn kept(folder: &Folder) -> String {
    let names = std::fs::read_dir(folder.path(".")).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut kept = names.filter(|name| name.ends_with(".old"));
    kept.next().expect("it is kept")
}

#[test]
fn what_is_no_good_backup_is_refused_and_changes_nothing() {
    let folder = Folder::new(PLAIN);
    folder.run(&["create", "marks", "title=Kept"]).ok();
    folder.run(&["backup", "good.db"]).ok();
    let whole = std::fs::read(folder.path("good.db")).unwrap();
    std::fs::write(folder.path("cut.db"), &whole[..whole.len() / 2]).unwrap();
    std::fs::write(folder.path("short.db"), &whole[..50]).unwrap();
    let mut spoiled = whole.clone();
    let title = spoiled.windows(4).rposition(|bytes| bytes == b"Kept");
    let page = title.unwrap() / 4096 * 4096;
    spoiled[page..page + 12].fill(0xff);
    std::fs::write(folder.path("spoiled.db"), spoiled).unwrap();
    folder.write("text.db", &"This is no database.".repeat(100));
    let foreign = open(&folder.path("foreign.db"));
    foreign.execute_batch("CREATE TABLE marks (id)").unwrap();
    folder.write(
        "other/carafe.toml",
        "[resources.flags.fields]\ncolor = { type = \"string\" }\n",
    );
    folder
        .run(&["create", "flags", "color=red", "-C", "other"])
        .ok();
    folder.run(&["backup", "other.db", "-C", "other"]).ok();

    let listed = folder.run(&["list", "marks"]).ok();
    let cases = [
        ("cut.db", "cut.db is damaged: "),
        ("short.db", "short.db is damaged: "),
        ("spoiled.db", "spoiled.db is damaged: "),
        ("text.db", "text.db is no database of Carafe's"),
        ("foreign.db", "foreign.db is no database of Carafe's"),
        (
            "other.db",
            "other.db is of another application: it has flags",
        ),
        ("none.db", "reading none.db failed"),
        ("marks", "which record of marks is it?"),
    ];
    for (file, expected) in cases {
        let complaint = folder.run(&["restore", file, "--force"]).refused();
        assert!(complaint.contains(expected), "{file}: {complaint}");
        assert_eq!(folder.run(&["list", "marks"]).ok(), listed, "{file}");
    }
    let names = std::fs::read_dir(folder.path(".")).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let left: Vec<String> = names
        .filter(|name| name.contains(".part") || name.contains(".old"))
        .collect();
    assert_eq!(left, Vec::<String>::new());
}

#[test]
fn a_backup_overwrites_nothing_unless_it_is_told_to() {
    let folder = Folder::new(PLAIN);
    let none = folder.run(&["backup", "copy.db"]).refused();
    assert!(none.contains("there is no database ./data.db"), "{none}");
    folder.run(&["create", "marks", "title=One"]).ok();
    folder.write("copy.db", "precious");
    let refused = folder.run(&["backup", "copy.db"]).refused();
    assert!(refused.contains("copy.db is there already"), "{refused}");
    assert!(refused.contains("hint: `--force`"), "{refused}");
    let text = std::fs::read_to_string(folder.path("copy.db")).unwrap();
    assert_eq!(text, "precious");
    let foreign = folder.run(&["backup", "copy.db", "--force"]).refused();
    assert!(foreign.contains("copy.db is no database"), "{foreign}");
    let text = std::fs::read_to_string(folder.path("copy.db")).unwrap();
    assert_eq!(text, "precious");
    folder.run(&["backup", "other.db"]).ok();
    folder.run(&["create", "marks", "title=Two"]).ok();
    folder.run(&["backup", "other.db", "--force"]).ok();
    assert_sound(&folder.path("other.db"), "marks");
    let nowhere = folder.run(&["backup", "no/copy.db"]).refused();
    assert!(nowhere.contains("No such file"), "{nowhere}");
    let memory = folder.run(&["backup", "x.db", "--database", "sqlite::memory:"]);
    assert!(memory.refused().contains("in memory"));
}

#[test]
fn a_backup_never_takes_the_place_of_its_own_database() {
    let folder = Folder::new(PLAIN);
    let server = folder.serve();
    folder.run(&["create", "marks", "title=One"]).ok();
    std::os::unix::fs::symlink("data.db", folder.path("link.db")).unwrap();
    for target in [
        "data.db",
        "./data.db",
        "data.db-wal",
        "data.db-shm",
        "data.db-journal",
        "link.db",
    ] {
        let refused = folder.run(&["backup", target, "--force"]).refused();
        assert!(
            refused.contains("belongs to the database"),
            "{target}: {refused}"
        );
    }
    folder.run(&["create", "marks", "title=Two"]).ok();
    server.kill();
    let listed = folder.run(&["list", "marks"]).ok();
    assert!(listed.contains("One") && listed.contains("Two"), "{listed}");
}

#[test]
fn nothing_is_restored_under_a_server() {
    let folder = Folder::new(PLAIN);
    folder.run(&["create", "marks", "title=One"]).ok();
    folder.run(&["backup", "copy.db"]).ok();
    let server = folder.serve();
    let refused = folder.run(&["restore", "copy.db", "--force"]).refused();
    assert!(
        refused.contains("data.db is open in another process"),
        "{refused}"
    );
    assert!(refused.contains("hint: stop the server"), "{refused}");
    server.stop();
    folder.run(&["restore", "copy.db", "--force"]).ok();
}

/// A database that is deleted or damaged is what restoring is for, and its log must not come
/// into the new one.
#[test]
fn a_lost_database_is_restored_and_its_log_is_kept_aside() {
    let folder = Folder::new(PLAIN);
    folder.run(&["create", "marks", "title=One"]).ok();
    folder.run(&["backup", "copy.db"]).ok();
    let listed = folder.run(&["list", "marks"]).ok();
    let server = folder.serve();
    folder.run(&["create", "marks", "title=Two"]).ok();
    server.kill();
    assert!(folder.path("data.db-wal").exists());

    std::fs::remove_file(folder.path("data.db")).unwrap();
    folder.run(&["restore", "copy.db"]).ok();
    assert!(!folder.path("data.db-wal").exists());
    assert_eq!(folder.run(&["list", "marks"]).ok(), listed);

    std::fs::write(folder.path("data.db"), "rubbish".repeat(1000)).unwrap();
    folder.run(&["restore", "copy.db", "--force"]).ok();
    assert_eq!(folder.run(&["list", "marks"]).ok(), listed);
}

/// A folder with a database that takes its time.
fn large() -> Folder {
    let folder = Folder::new(PLAIN);
    folder.run(&["create", "marks", "title=a"]).ok();
    folder
        .database()
        .execute_batch(
            "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 300000) \
             INSERT INTO marks (title) SELECT 'A long enough title ' || n FROM c",
        )
        .unwrap();
    folder
}

#[test]
fn a_backup_or_restore_that_is_killed_leaves_what_was_there() {
    let folder = large();
    kill_on_the_way(&folder, &["backup", "copy.db"], "copy.db");
    assert!(!folder.path("copy.db").exists());
    folder.run(&["backup", "copy.db"]).ok();
    assert_sound(&folder.path("copy.db"), "marks");

    folder.run(&["create", "marks", "title=After"]).ok();
    let counted = |folder: &Folder| {
        let connection = folder.database();
        connection
            .query_row("SELECT count(*) FROM marks", [], |row| row.get::<_, i64>(0))
            .unwrap()
    };
    kill_on_the_way(&folder, &["restore", "copy.db", "--force"], "data.db");
    assert_eq!(counted(&folder), 300_002);
    assert_sound(&folder.path("data.db"), "marks");
    folder.run(&["restore", "copy.db", "--force"]).ok();
    assert_eq!(counted(&folder), 300_001);
    assert_sound(&folder.path("data.db"), "marks");
}

/// Kills a command when it has written a part of a file.
fn kill_on_the_way(folder: &Folder, arguments: &[&str], file: &str) {
    let mut child = folder.command(arguments).spawn().unwrap();
    let part = folder.path(&format!("{file}.{}.part", child.id()));
    let deadline = Instant::now() + PATIENCE;
    while !std::fs::metadata(&part).is_ok_and(|part| part.len() > 0) {
        assert_eq!(child.try_wait().unwrap(), None, "it was too quick");
        assert!(Instant::now() < deadline, "{arguments:?} writes nothing");
        pause();
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_backup_that_finds_no_space_says_so() {
    let folder = large();
    // A file that may not grow stands for a full disk.
    let script = r#"trap "" XFSZ; ulimit -f 2000; exec "$0" backup copy.db"#;
    let mut shell = Command::new("sh");
    shell.args(["-c", script, env!("CARGO_BIN_EXE_carafe")]);
    let refused = Ran::of(folder.inside(shell).output().unwrap()).refused();
    assert!(refused.contains("the disk is full"), "{refused}");
    let names = std::fs::read_dir(folder.path(".")).unwrap();
    let mut names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert!(names.all(|name| !name.starts_with("copy.db")));
}

/// The names of the backups in a folder, oldest first.
fn backups(folder: &Path) -> Vec<String> {
    let names = std::fs::read_dir(folder).into_iter().flatten();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|name| name.ends_with(".db")).collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_server_makes_backups_and_goes_on_after_a_failure() {
    let folder = Folder::new(PLAIN);
    let command = [
        "serve",
        "--port=0",
        "--backup-folder=kept/backups",
        "--backup-every=1s",
        "--backup-keep=2",
    ];
    let server = Process::start(folder.command(&command));
    let made = folder.path("kept/backups");
    let first = eventually("a backup", PATIENCE, async || backups(&made).pop()).await;
    eventually("the first is deleted", PATIENCE, async || {
        let there = backups(&made);
        (there.len() == 2 && !there.contains(&first)).then_some(())
    })
    .await;
    let newest = backups(&made).pop().unwrap();
    std::fs::copy(made.join(newest), folder.path("copy.db")).unwrap();
    assert_sound(&folder.path("copy.db"), "marks");

    // A folder that is gone, as that of a disk which is not mounted.
    std::fs::rename(&made, folder.path("away")).unwrap();
    eventually("an error", PATIENCE, async || {
        server.stderr().contains("No backup was made").then_some(())
    })
    .await;
    assert!(
        server.stderr().contains("No such file"),
        "{}",
        server.stderr()
    );
    std::fs::create_dir(&made).unwrap();
    eventually("a backup", PATIENCE, async || backups(&made).pop()).await;
    let mark = json!({ "title": "on" });
    assert_eq!(server.client().post("/api/marks", mark).await.status, 201);
    server.stop();
}

#[test]
fn a_schedule_that_cannot_be_is_refused_at_the_start() {
    let folder = Folder::new(PLAIN);
    folder.write("file", "");
    let cases = [
        (
            &["--backup-folder=b", "--database=sqlite::memory:"][..],
            1,
            "for a database in a file",
        ),
        (
            &["--backup-folder=file"],
            1,
            "--backup-folder file cannot be used",
        ),
        (
            &["--backup-folder=b", "--backup-every=soon"],
            2,
            "such as 24h",
        ),
        (
            &["--backup-folder=b", "--backup-every=0h"],
            2,
            "such as 24h",
        ),
        (
            &["--backup-folder=b", "--backup-keep=0"],
            2,
            "a number from 1",
        ),
    ];
    for (options, code, expected) in cases {
        let ran = folder.run(&[&["serve", "--port=0"], options].concat());
        assert_eq!(ran.code, Some(code), "{options:?}: {ran:?}");
        assert!(ran.stderr.contains(expected), "{options:?}: {ran:?}");
    }
}

/// The lines that the commands print do what they say.
#[tokio::test]
async fn on_postgres_the_commands_name_those_of_postgres() {
    let (Some(source), Some(target)) = (TestDatabase::create().await, TestDatabase::create().await)
    else {
        return;
    };
    let folder = Folder::notes();
    let (source_url, target_url) = (source.url(), target.url());
    let create = ["create", "notes", "title=Milk", "content=x", "--database"];
    folder.run(&[&create[..], &[&source_url]].concat()).ok();
    let refused = folder.run(&["backup", "notes.dump", "--database", &source_url]);
    run_line(&folder, &refused.refused(), "pg_dump");
    let refused = folder.run(&["restore", "notes.dump", "--database", &target_url]);
    run_line(&folder, &refused.refused(), "pg_restore");

    let list = |url: &str| {
        folder
            .run(&["list", "notes", "--q", "milk", "--json", "--database", url])
            .ok()
    };
    assert!(list(&target_url).contains("Milk"));
    assert_eq!(list(&target_url), list(&source_url));
    folder.run(&[&create[..], &[&target_url]].concat()).ok();
    assert!(list(&target_url).contains("\"id\":2"));
    source.drop().await;
    target.drop().await;
}

/// Runs the line of a text that begins with a program's name.
fn run_line(folder: &Folder, text: &str, program: &str) {
    let mut lines = text.lines().map(str::trim);
    let line = lines.find(|line| line.starts_with(program)).unwrap();
    let mut shell = Command::new("sh");
    shell.args(["-c", line]);
    let ran = Ran::of(folder.inside(shell).output().unwrap());
    assert_eq!(ran.code, Some(0), "{line}: {}", ran.stderr);
}
