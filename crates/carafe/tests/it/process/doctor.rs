//! `carafe doctor`

use std::io::{Seek, SeekFrom, Write};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use serde_json::Value;

use super::tls::{make_certificate, make_expired_certificate};
use super::{Folder, Ran};
use crate::postgres::TestDatabase;

const KEY: &str = "3f1c9a7e5b2d8046c1e7f3a95d20b86e";

/// What the doctor finds, and its exit code.
struct Examined {
    code: Option<i32>,
    findings: Vec<Value>,
}

impl Examined {
    fn of(mut command: Command) -> Self {
        command.arg("--json");
        let output = command.output().unwrap();
        let findings = serde_json::from_slice(&output.stdout);
        Self {
            code: output.status.code(),
            findings: findings.unwrap_or_else(|error| panic!("{error}: {output:?}")),
        }
    }

    /// Fails unless there is a finding of this level whose text has `part`; what is no error has
    /// exit code 0, and what is not well says what to do.
    #[track_caller]
    fn has(&self, level: &str, subject: &str, part: &str) {
        let found = self.findings.iter().find(|finding| {
            let text = finding["text"].as_str().unwrap();
            finding["level"] == level && finding["subject"] == subject && text.contains(part)
        });
        let found = found.unwrap_or_else(|| panic!("no {part:?} in {:#?}", self.findings));
        assert_eq!(found["advice"] == "", level == "ok", "{found}");
    }

    #[track_caller]
    fn ends_with(&self, code: i32) {
        assert_eq!(self.code, Some(code), "{:#?}", self.findings);
    }
}

fn examine(folder: &Folder, options: &[&str]) -> Examined {
    Examined::of(folder.command(&[&["doctor"], options].concat()))
}

fn set_mode(folder: &Folder, name: &str, mode: u32) {
    let permissions = std::fs::Permissions::from_mode(mode);
    std::fs::set_permissions(folder.path(name), permissions).unwrap();
}

#[test]
fn a_new_folder_is_well_and_nothing_is_made_in_it() {
    let folder = Folder::notes();
    let examined = examine(&folder, &[]);
    examined.ends_with(0);
    examined.has("ok", "declaration", "carafe.toml is fine");
    examined.has(
        "ok",
        "secret key",
        "made at the first start, in ./secret.key",
    );
    examined.has("ok", "database", "there is no ./data.db yet");
    assert_eq!(std::fs::read_dir(folder.path("")).unwrap().count(), 1);
}

#[test]
fn a_server_at_work_can_be_examined() {
    let folder = Folder::notes();
    let server = folder.serve();
    set_mode(&folder, "data.db", 0o640);
    let examined = examine(&folder, &[]);
    examined.ends_with(0);
    examined.has("ok", "database", "./data.db is sound (SQLite 3.");
    examined.has("ok", "tables", "they are what the declaration says");
    examined.has("ok", "secret key", "kept in ./secret.key");
    let table = folder.run(&["doctor"]).ok();
    assert!(table.contains("is sound"), "{table}");
    assert!(!table.contains("| warning | file"), "{table}");
    server.stop();
}

#[test]
fn a_declaration_with_a_mistake_is_an_error() {
    let folder = Folder::new("[resources.notes]\n");
    let examined = examine(&folder, &[]);
    examined.ends_with(1);
    examined.has("error", "declaration", "notes");
    let complaint = Folder::empty().run(&["doctor"]);
    assert_eq!(complaint.code, Some(1));
    assert!(
        complaint.stdout.contains("there is no carafe.toml"),
        "{}",
        complaint.stdout
    );
    assert!(complaint.stderr.contains("1 error"), "{}", complaint.stderr);
}

#[test]
fn what_production_needs_is_asked_for() {
    let folder = Folder::notes();
    folder.serve().stop();
    let production = ["--env", "production"];
    let examined = examine(&folder, &production);
    examined.ends_with(1);
    examined.has("error", "secret key", "production needs one");
    examined.has("warning", "public URL", "not said");
    examined.has("warning", "backups", "the server makes none");
    for (key, expected) in [
        ("short", "32 bytes"),
        ("please-change-me-0123456789-abcdef", "guess"),
    ] {
        let mut command = folder.command(&["doctor", "--env", "production"]);
        command.env("SECRET_KEY", key);
        let examined = Examined::of(command);
        examined.ends_with(1);
        examined.has("error", "secret key", expected);
    }
    let mut command = folder.command(&["doctor", "--public-url", "http://a.example"]);
    command
        .args(production)
        .args(["--backup-folder", "."])
        .env("SECRET_KEY", KEY);
    let examined = Examined::of(command);
    examined.ends_with(0);
    examined.has("ok", "secret key", "given");
    examined.has("ok", "backups", "made in .");
    examined.has("warning", "public URL", "not encrypted");
}

#[test]
fn pending_migrations_are_an_error_where_they_are_not_made_at_the_start() {
    let folder = Folder::notes();
    folder.serve().stop();
    let path = folder.path("carafe.toml");
    let declaration = std::fs::read_to_string(path).unwrap();
    folder.write(
        "carafe.toml",
        &format!("{declaration}\n[resources.marks.fields]\ntitle = {{ type = \"string\" }}\n"),
    );
    examine(&folder, &[]).has("ok", "tables", "Create table `marks`; ");
    let mut command = folder.command(&["doctor", "--env", "production"]);
    command.env("SECRET_KEY", KEY);
    let examined = Examined::of(command);
    examined.ends_with(1);
    examined.has("error", "tables", "pending: Create table `marks`");
    let there = "SELECT 1 FROM sqlite_schema WHERE name = 'marks'";
    assert!(
        !folder
            .database()
            .prepare(there)
            .unwrap()
            .exists([])
            .unwrap()
    );
}

#[test]
fn secrets_and_data_that_others_can_read_are_a_warning() {
    let folder = Folder::notes();
    make_certificate(&folder, "a");
    folder.write(".env", "TLS_CERT=a.pem\nTLS_KEY=a.key\n");
    folder.serve().stop();
    for name in ["secret.key", "a.key", "data.db"] {
        set_mode(&folder, name, 0o604);
    }
    let examined = examine(&folder, &[]);
    examined.ends_with(0);
    examined.has("ok", "certificate", "valid until ");
    for name in ["secret.key", "a.key", "data.db"] {
        examined.has(
            "warning",
            "file",
            &format!("./{name} can be read by other users"),
        );
    }
    folder.write(".env", &format!("SECRET_KEY={KEY}\n"));
    set_mode(&folder, ".env", 0o644);
    examine(&folder, &[]).has("warning", "file", "./.env can be read");
    set_mode(&folder, ".env", 0o600);
    set_mode(&folder, "data.db", 0o600);
    let table = folder.run(&["doctor"]).ok();
    assert!(!table.contains("can be read by other"), "{table}");
}

#[test]
fn certificates_that_clients_refuse_are_an_error() {
    let folder = Folder::notes();
    make_expired_certificate(&folder);
    make_certificate(&folder, "b");
    let options = |key| ["--tls-cert", "old.pem", "--tls-key", key];
    let examined = examine(&folder, &options("old.key"));
    examined.ends_with(1);
    examined.has(
        "error",
        "certificate",
        "it has expired, at 2020-01-02T00:00:00Z",
    );
    let examined = examine(&folder, &options("b.key"));
    examined.ends_with(1);
    examined.has(
        "error",
        "certificate",
        "b.key is the key of another certificate",
    );
}

#[test]
fn a_damaged_database_is_an_error() {
    let folder = Folder::notes();
    folder.serve().stop();
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .open(folder.path("data.db"))
        .unwrap();
    // The page after the first, which has the catalog.
    file.seek(SeekFrom::Start(4096)).unwrap();
    file.write_all(&[0xAB; 4096]).unwrap();
    drop(file);
    let examined = examine(&folder, &[]);
    examined.ends_with(1);
    examined.has("error", "database", "./data.db is damaged: ");

    folder.write("data.db", &"what is no database\n".repeat(1000));
    let examined = examine(&folder, &[]);
    examined.ends_with(1);
    examined.has("error", "database", "./data.db cannot be used");
}

#[test]
fn what_can_lose_writes_is_a_warning() {
    let folder = Folder::notes();
    folder.serve().stop();
    let connection = folder.database();
    let mode = connection.pragma_update_and_check(None, "journal_mode", "DELETE", |_| Ok(()));
    mode.unwrap();
    drop(connection);
    let examined = examine(&folder, &["--durability", "normal"]);
    examined.ends_with(0);
    examined.has(
        "warning",
        "durability",
        "a power cut can lose the last writes",
    );
    examined.has("warning", "database", "its journal mode is delete");
    let examined = examine(&folder, &["--database", "sqlite::memory:"]);
    examined.has("warning", "database", "in memory");
    let examined = examine(&folder, &["--database", "sqlite:none/data.db"]);
    examined.ends_with(1);
    examined.has("error", "disk", "the folder none is not there");
}

#[test]
fn few_open_files_are_a_warning_and_the_server_raises_its_limit() {
    let folder = Folder::notes();
    let limited = |limit: &str, word: &str| {
        let script = format!("ulimit {limit}; exec \"$0\" {word} \"$@\"");
        let mut command = folder.inside(Command::new("sh"));
        command.args(["-c", &script, env!("CARGO_BIN_EXE_carafe")]);
        command
    };
    let examined = Examined::of(limited("-n 500", "doctor"));
    examined.ends_with(0);
    examined.has("warning", "open files", "500 at most");
    let mut command = limited("-S -n 500", "serve");
    command.args(["--port", "0"]);
    let server = super::Process::start(command);
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", server.pid())).unwrap();
    let line = limits
        .lines()
        .find(|line| line.starts_with("Max open files"))
        .unwrap();
    assert!(!line.contains(" 500 "), "{line}");
    server.stop();
}

#[tokio::test]
async fn a_server_of_postgresql_is_asked() {
    let folder = Folder::notes();
    let away = "postgres://carafe:s3cret@127.0.0.1:1/notes";
    let ran: Ran = folder.run(&["doctor", "--database", away]);
    assert_eq!(ran.code, Some(1));
    let said = format!("{}{}", ran.stdout, ran.stderr);
    assert!(
        said.contains("cannot be used") && !said.contains("s3cret"),
        "{said}"
    );
    let Some(database) = TestDatabase::create().await else {
        return;
    };
    let url = database.url();
    let examined = examine(&folder, &["--database", &url, "--read-database", &url]);
    examined.ends_with(0);
    examined.has("ok", "database", "answers (PostgreSQL 1");
    examined.has(
        "ok",
        "database",
        "connections are in use; a process takes 16 at most",
    );
    examined.has("ok", "tables", "Create table `notes`; ");
    examined.has("warning", "replica", "is no replica");
    // That of the tests syncs nothing.
    examined.has("warning", "database", "fsync is off");
    database.drop().await;
}
