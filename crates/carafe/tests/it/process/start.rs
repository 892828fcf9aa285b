//! Starting: what is printed, where settings come from, and what is refused before anything
//! changes.

use std::net::TcpListener;
use std::time::Duration;

use serde_json::json;

use super::{Folder, PATIENCE, PLAIN, Process, Ran};
use crate::support::workspace;

#[tokio::test]
async fn the_start_prints_addresses_and_the_database() {
    let folder = Folder::notes();
    let server = folder.serve();
    let base = &server.base;
    let printed = server.stdout();
    for line in [
        "Created table `notes`".to_owned(),
        "Notes is ready.".to_owned(),
        format!("  Pages     {base}/"),
        format!("  API       {base}/api/notes"),
        "  Database  ./data.db".to_owned(),
    ] {
        assert!(
            printed.lines().any(|printed| printed == line),
            "{line}: {printed}"
        );
    }
    assert_eq!(server.client().get("/api/notes").await.status, 200);
    server.stop();
    assert!(!folder.serve().stdout().contains("Created"), "only once");
}

#[test]
fn a_folder_without_a_declaration_gets_a_hint() {
    let folder = Folder::empty();
    let complaint = folder.run(&["serve", "--port", "0"]).refused();
    assert!(
        complaint.contains("there is no carafe.toml in ."),
        "{complaint}"
    );
    assert!(complaint.contains("hint: `carafe new"), "{complaint}");
    assert_eq!(std::fs::read_dir(folder.path("")).unwrap().count(), 0);
}

#[test]
fn a_port_in_use_is_named() {
    let folder = Folder::notes();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let complaint = folder.run(&["serve", "--port", &port]).refused();
    assert!(
        complaint.contains(&format!("listen on 127.0.0.1:{port}")),
        "{complaint}"
    );
    assert!(complaint.contains("--port"), "{complaint}");
}

/// A port that was free a moment ago.
pub(super) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

#[test]
fn an_option_wins_over_the_environment_and_that_over_the_file() {
    let folder = Folder::notes();
    let [by_option, by_environment, by_file] = [(); 3].map(|()| free_port());
    folder.write(".env", &format!("PORT={by_file}\n"));
    let cases = [
        (Some(by_option), Some(by_environment), by_option),
        (None, Some(by_environment), by_environment),
        (None, None, by_file),
    ];
    for (option, environment, expected) in cases {
        let mut command = folder.command(&["serve"]);
        command.args(option.map(|port| format!("--port={port}")));
        command.envs(environment.map(|port| ("PORT", port.to_string())));
        let server = Process::start(command);
        assert_eq!(server.base, format!("http://127.0.0.1:{expected}"));
        server.stop();
    }
}

#[test]
fn settings_that_cannot_be_are_refused() {
    let cases = [
        ("PORT=many\n", "PORT in .env is \"many\""),
        ("DURABILITY=some\n", "DURABILITY in .env is \"some\""),
        ("DATABASE_URL=mysql:x\n", "sqlite:PATH"),
        ("PUBLIC_URL=notes.example.org\n", "notes.example.org"),
        ("SECRET_KEY=short\n", "secret key"),
    ];
    for (dotenv, expected) in cases {
        let folder = Folder::notes();
        folder.write(".env", dotenv);
        let mut command = folder.command(&["serve"]);
        if !dotenv.starts_with("PORT") {
            command.args(["--port", "0"]);
        }
        let complaint = super::Ran::of(command.output().unwrap()).refused();
        assert!(complaint.contains(expected), "{dotenv}: {complaint}");
        assert!(!folder.path("data.db").exists(), "{dotenv}");
    }
}

#[test]
fn bad_first_records_are_refused_before_a_table_is_made() {
    let declaration = PLAIN.replace(
        "delete = \"hard\"",
        "delete = \"hard\"\ninitial = \"first.json\"",
    );
    let cases = [
        (
            r#"[{ "title": 1 }, { "title": "fine" }, {}]"#,
            vec!["record 1", "record 3", "required"],
        ),
        (r#"[{ "title": "fine" }, 7]"#, vec!["record 2"]),
        (r#"{ "title": "fine" }"#, vec!["array"]),
        ("[", vec!["first.json"]),
    ];
    for (records, expected) in cases {
        for command in [
            &["serve", "--port", "0"][..],
            &["check"],
            &["list", "marks"],
        ] {
            let folder = Folder::new(&declaration);
            folder.write("first.json", records);
            let complaint = folder.run(command).refused();
            for part in &expected {
                assert!(
                    complaint.contains(part),
                    "{records} {command:?}: {complaint}"
                );
            }
            let made = folder.path("data.db").exists()
                && folder
                    .database()
                    .prepare("SELECT 1 FROM sqlite_schema WHERE name = 'marks'")
                    .unwrap()
                    .exists([])
                    .unwrap();
            assert!(!made, "{records} {command:?}");
        }
    }
}

#[tokio::test]
async fn first_records_that_contradict_each_other_leave_nothing_behind() {
    let folder = Folder::new(
        "[resources.marks]\ninitial = \"first.json\"\n[resources.marks.fields]\n\
         title = { type = \"string\", unique = true }\n",
    );
    let twice = r#"[{ "title": "One" }, { "title": "One" }]"#;
    folder.write("first.json", twice);
    let complaint = folder.run(&["serve", "--port", "0"]).refused();
    for part in ["first.json", "Title is already taken"] {
        assert!(complaint.contains(part), "{complaint}");
    }
    // Mended, it starts with all of them.
    folder.write("first.json", &twice.replacen("One", "Two", 1));
    let server = folder.serve();
    let list = server.client().get("/api/marks").await;
    assert_eq!(list.json()["total"], 2, "{}", list.text);
}

#[tokio::test]
async fn changes_that_could_lose_data_are_refused_with_the_difference() {
    let two =
        "[resources.marks.fields]\ntitle = { type = \"string\" }\ncount = { type = \"integer\" }\n";
    let folder = Folder::new(two);
    let server = folder.serve();
    let record = json!({ "title": "twelve", "count": 1 });
    let stored = server.client().post("/api/marks", record).await;
    server.stop();
    let cases = [
        (
            two.replace("\"string\"", "\"integer\""),
            "field `marks.title`: the type is integer, but the column was made for string and has values that do not fit: 1 has \"twelve\"",
        ),
        (
            format!("{two}more = {{ type = \"string\" }}\n"),
            "field `marks.more`: it is new and has no value",
        ),
    ];
    for (declaration, difference) in cases {
        folder.write("carafe.toml", &declaration);
        let complaint = folder.run(&["serve", "--port", "0"]).refused();
        assert!(complaint.contains("could lose data"), "{complaint}");
        assert!(complaint.contains(difference), "{complaint}");
    }
    folder.write("carafe.toml", two);
    let server = folder.serve();
    assert_eq!(server.client().get("/api/marks/1").await.text, stored.text);
}

#[test]
fn production_starts_only_with_a_secret_key_of_its_own() {
    let folder = Folder::notes();
    let good = "3f1c9a7e5b2d8046c1e7f3a95d20b86e";
    for (key, complaint) in [
        (None, "production needs a secret key"),
        (Some("short"), "one that others can guess"),
        (
            Some("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
            "one that others can guess",
        ),
        (
            Some("please-change-me-0123456789-abcdefgh"),
            "one that others can guess",
        ),
    ] {
        let mut command = folder.command(&["serve", "--port", "0", "--env", "production"]);
        command.envs(key.map(|key| ("SECRET_KEY", key)));
        let said = Ran::of(command.output().unwrap()).refused();
        assert!(
            said.contains(complaint) && said.contains("openssl rand"),
            "{key:?}: {said}"
        );
        assert!(!folder.path("data.db").exists() && !folder.path("secret.key").exists());
    }
    folder.write(
        ".env",
        &format!("CARAFE_ENV=production\nSECRET_KEY={good}\n"),
    );
    // An empty database is one that lacks every table.
    let pending = folder.run(&["serve", "--port", "0"]).refused();
    assert!(
        pending.contains("- Create table `notes`") && pending.contains("carafe migrate"),
        "{pending}"
    );
    folder.run(&["migrate"]).ok();
    folder.serve().stop();
    assert!(!folder.path("secret.key").exists());
    folder.write(".env", "CARAFE_ENV=prod\n");
    let wrong = folder.run(&["serve", "--port", "0"]).refused();
    assert!(wrong.contains("development or production"), "{wrong}");
}

/// What hosts run, on loopback in place of every address.
#[tokio::test]
async fn the_procfile_starts_a_server_on_the_port_that_the_host_gives() {
    let procfile = std::fs::read_to_string(workspace().join("Procfile")).unwrap();
    let line = procfile
        .lines()
        .find_map(|line| line.strip_prefix("web: "))
        .unwrap();
    let mut words = line.split_whitespace();
    assert_eq!(words.next(), Some("target/release/carafe"));
    let words = words.map(|word| match word {
        "apps/notes" => ".",
        "0.0.0.0" => "127.0.0.1",
        word => word,
    });
    let folder = Folder::notes();
    let mut command = folder.command(&words.collect::<Vec<_>>());
    let port = free_port();
    command.env("PORT", port.to_string());
    command.env("SECRET_KEY", "3f1c9a7e5b2d8046c1e7f3a95d20b86e");
    let server = Process::start(command);
    assert_eq!(server.base, format!("http://127.0.0.1:{port}"));
    assert_eq!(server.client().get("/api/notes").await.status, 200);
    server.stop();
}

#[tokio::test]
async fn a_server_goes_on_when_nobody_reads_what_it_prints() {
    let folder = Folder::notes();
    let port = free_port();
    let mut command = folder.command(&["serve", "--port", &port.to_string()]);
    command.stdout(std::process::Stdio::piped());
    let mut child = command.spawn().unwrap();
    drop(child.stdout.take());
    let client = super::Client::new(&format!("http://127.0.0.1:{port}"));
    let note = json!({ "title": "a", "content": "b" });
    let made = super::eventually("an answer", super::PATIENCE, async || {
        client.send("POST", "/api/notes", Some(&note)).await
    });
    assert_eq!(made.await.status, 201);
    child.kill().unwrap();
    child.wait().unwrap();
}

#[tokio::test]
async fn connections_beyond_the_most_wait() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    let folder = Folder::notes();
    let server = Process::start(folder.command(&["serve", "--port=0", "--max-connections=1"]));
    let address = server.base.trim_start_matches("http://").to_owned();
    let ask = async || {
        let mut stream = TcpStream::connect(&address).await.unwrap();
        let head = b"GET /api/notes HTTP/1.1\r\nHost: localhost\r\n\r\n";
        stream.write_all(head).await.unwrap();
        stream
    };
    let mut byte = [0];
    let mut first = ask().await;
    first.read_exact(&mut byte).await.unwrap();
    let mut second = ask().await;
    let early = tokio::time::timeout(Duration::from_millis(200), second.read_exact(&mut byte));
    assert!(
        early.await.is_err(),
        "the second is answered beside the first"
    );
    drop(first);
    let answered = tokio::time::timeout(PATIENCE, second.read_exact(&mut byte)).await;
    answered.expect("an answer").unwrap();
}
