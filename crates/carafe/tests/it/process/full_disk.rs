//! A full disk: writes are refused, reads go on, and when there is space again, so do writes.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Client, Folder, Process, assert_sound};

/// Two records of this size fill a few pages.
const CONTENT_BYTES: usize = 20_000;

/// More than fits on the small disk.
const WRITES_MAX: usize = 2000;

#[tokio::test]
async fn a_full_disk_refuses_writes_keeps_reading_and_heals() {
    let folder = Folder::notes();
    let Some(disk) = Tmpfs::mount("3m") else {
        // The next test fills a disk in another way, so the behaviour is tested all the same.
        eprintln!(
            "NOT RUN: no tmpfs can be mounted here (that takes root); a file-size limit stands in for it"
        );
        return;
    };
    let ballast = disk.path().join("ballast");
    std::fs::write(&ballast, vec![0; 1_900_000]).unwrap();
    let database = disk.path().join("data.db");
    let url = format!("sqlite:{}", database.display());
    let server = Process::start(folder.command(&["serve", "--port", "0", "--database", &url]));
    fill_free_and_write(&server, &database, || {
        std::fs::remove_file(&ballast).unwrap()
    })
    .await;
}

#[tokio::test]
async fn a_file_at_its_size_limit_is_a_full_disk() {
    let folder = Folder::notes();
    // Beyond a soft limit the system sends SIGXFSZ, which ends a process unless it is ignored.
    let script = r#"trap "" XFSZ; ulimit -S -f 2000; exec "$0" serve --port 0"#;
    let mut shell = Command::new("sh");
    shell.args(["-c", script, env!("CARGO_BIN_EXE_carafe")]);
    let server = Process::start(folder.inside(shell));
    let pid = server.pid().to_string();
    fill_free_and_write(&server, &folder.path("data.db"), || {
        let raised = Command::new("prlimit")
            .args(["--pid", &pid, "--fsize=unlimited:"])
            .status();
        assert!(raised.unwrap().success(), "prlimit");
    })
    .await;
}

async fn fill_free_and_write(server: &Process, database: &Path, free: impl FnOnce()) {
    let client = server.client();
    let mut stored: Vec<Value> = Vec::new();
    let refusal = loop {
        assert!(stored.len() < WRITES_MAX, "the disk is never full");
        let answer = client.post("/api/notes", note(stored.len())).await;
        if answer.status != 201 {
            break answer;
        }
        stored.push(answer.json());
    };
    assert!(stored.len() > 5, "the disk was full from the start");
    assert!([503, 507].contains(&refusal.status), "{}", refusal.text);
    assert_eq!(refusal.header("content-type"), "application/problem+json");
    assert_eq!(refusal.json()["type"], "/problems/storage");
    assert_eq!(refusal.json()["status"], refusal.status);

    // Refused again and again, and a change too; reading goes on.
    for _ in 0..10 {
        let again = client.post("/api/notes", note(stored.len())).await;
        assert!([503, 507].contains(&again.status), "{}", again.text);
        assert_all_there(&client, &stored).await;
    }

    free();
    for number in 0..10 {
        let answer = client.post("/api/notes", note(stored.len())).await;
        let text = &answer.text;
        assert_eq!(
            answer.status,
            201,
            "{number} after {}: {text}",
            stored.len()
        );
        stored.push(answer.json());
    }
    assert_all_there(&client, &stored).await;
    let found = client
        .get(&format!("/api/notes?q=note-{}-", stored.len() - 1))
        .await;
    assert_eq!(found.json()["total"], 1);
    assert!(!server.stderr().contains("panicked"), "{}", server.stderr());
    assert_sound(database, "notes");
}

fn note(number: usize) -> Value {
    json!({ "title": format!("note-{number}-"), "content": "z".repeat(CONTENT_BYTES) })
}

async fn assert_all_there(client: &Client, stored: &[Value]) {
    let list = client.get("/api/notes?per_page=1").await;
    assert_eq!(list.json()["total"], stored.len());
    for record in stored {
        let answer = client.get(&format!("/api/notes/{}", record["id"])).await;
        assert_eq!(answer.json(), *record);
    }
}

/// A small disk in memory; gone when it goes out of scope.
struct Tmpfs {
    folder: TempDir,
}

impl Tmpfs {
    /// `None` where the system does not let us.
    fn mount(size: &str) -> Option<Self> {
        let folder = TempDir::new().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"])
            .arg(folder.path())
            .stderr(Stdio::null())
            .status();
        mounted
            .is_ok_and(|status| status.success())
            .then_some(Self { folder })
    }

    fn path(&self) -> PathBuf {
        self.folder.path().to_owned()
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        // Lazily: the server on it may be about to end.
        let unmounted = Command::new("umount")
            .arg("-l")
            .arg(self.folder.path())
            .status();
        if !unmounted.is_ok_and(|status| status.success()) {
            eprintln!("{} is still mounted", self.folder.path().display());
        }
    }
}
