//! The log of a server: an event a line, for people or for programs.

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::{Value, json};

use super::{Folder, PATIENCE, Process, eventually};

const KEY: &str = "5f0c2b7e9a41d3865f0c2b7e9a41d386";

/// A server of notes with these options.
fn serve(folder: &Folder, options: &[&str]) -> Process {
    let mut command = folder.command(&["serve", "--port", "0", "--secret-key", KEY]);
    command.args(options);
    Process::start(command)
}

/// The events of a log.
fn events(log: &str) -> Vec<Value> {
    let event = |line: &str| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"));
    log.lines().map(event).collect()
}

/// The event of the request with this path, once it is there.
async fn request(server: &Process, path: &str) -> Value {
    let found = eventually("the request's event", PATIENCE, async || {
        let events = events(&server.stdout());
        events.into_iter().find(|event| event["path"] == path)
    });
    found.await
}

#[tokio::test]
async fn in_production_standard_output_is_json_lines() {
    let folder = Folder::notes();
    let server = serve(&folder, &["--env", "production", "--migrate"]);
    let client = server.client();
    let made = client
        .post(
            "/api/notes",
            json!({ "title": "s3cret-body", "content": "x" }),
        )
        .await;
    assert_eq!(made.status, 201, "{}", made.text);
    let answer = client.get("/api/notes/1?fields=title&q=s3cret-query").await;
    let event = request(&server, "/api/notes/1").await;
    for (field, expected) in [
        ("level", json!("INFO")),
        ("message", json!("Answered")),
        ("id", json!(answer.header("x-request-id"))),
        ("method", json!("GET")),
        ("route", json!("/api/notes/{id}")),
        ("status", json!(answer.status)),
        ("bytes", json!(answer.text.len())),
        ("actor", json!("anonymous")),
        ("resource", json!("notes")),
    ] {
        assert_eq!(event[field], expected, "{field}: {event}");
    }
    assert!(event["duration_ms"].as_f64().is_some_and(|ms| ms > 0.0));
    assert_eq!(server.stderr(), "");
    server.signal("TERM");
    let (status, log) = server.ended();
    assert!(status.success());
    assert!(!log.contains("s3cret"), "{log}");
    let messages = events(&log);
    let says = |text: &str| messages.iter().any(|event| event["message"] == text);
    assert!(says("Ready") && says("Stopped."), "{log}");
}

#[tokio::test]
async fn in_development_the_log_is_text_on_standard_error() {
    let folder = Folder::notes();
    let server = serve(&folder, &[]);
    server.client().get("/notes?q=s3cret").await;
    let line = eventually("the request's line", PATIENCE, async || {
        let log = server.stderr();
        log.lines()
            .find(|line| line.contains("Answered"))
            .map(str::to_owned)
    });
    let line = line.await;
    for part in [
        r#"method="GET""#,
        r#"route="/notes""#,
        r#"path="/notes""#,
        "status=200",
    ] {
        assert!(line.contains(part), "{part}: {line}");
    }
    assert!(!server.stderr().contains("s3cret"), "{line}");
    assert!(!server.stdout().contains("Answered"));
}

#[tokio::test]
async fn a_filter_leaves_requests_out() {
    let folder = Folder::notes();
    let quiet = [
        "--log-format",
        "json",
        "--log-level",
        "info,carafe_web=warn",
    ];
    let server = serve(&folder, &quiet);
    server.client().get("/api/notes").await;
    server.signal("TERM");
    let log = server.ended().1;
    let messages = events(&log);
    assert!(messages.iter().any(|event| event["message"] == "Stopped."));
    assert!(!log.contains("Answered"), "{log}");
}

#[tokio::test]
async fn a_server_goes_on_when_its_log_cannot_be_written() {
    let folder = Folder::notes();
    let mut command = folder.command(&["serve", "--port", "0"]);
    let full = std::fs::File::options().write(true).open("/dev/full");
    command.stderr(full.unwrap());
    let server = Process::start(command);
    let client = server.client();
    for _ in 0..3 {
        assert_eq!(client.get("/api/notes").await.status, 200);
    }
    drop(client);
    server.stop();
}

/// Sends bytes, and gives what comes back until the server closes.
fn raw(server: &Process, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(server.base.trim_start_matches("http://")).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(bytes).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn an_event_is_one_line_whatever_is_in_the_request() {
    let paths = [
        "/api/notes/%0d%0aERROR%20forged%1b[31m",
        "/a%0A{\"level\":\"ERROR\"}",
        "/\u{a0}\u{2028}\u{9b}31m",
    ];
    for format in ["json", "text"] {
        let folder = Folder::notes();
        let server = serve(&folder, &["--log-format", format]);
        for path in paths {
            let request =
                format!("F\u{27}OO {path} HTTP/1.1\r\nHost: x\r\nX-Request-Id: a\x1bb\r\n\r\n");
            raw(&server, request.as_bytes());
            let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
            raw(&server, request.as_bytes());
        }
        server.client().get("/last").await;
        let log = eventually("the last line", PATIENCE, async || {
            let log = match format {
                "json" => server.stdout(),
                _ => server.stderr(),
            };
            log.contains("/last").then_some(log)
        });
        let log = log.await;
        let plain = |char: char| char == '\n' || matches!(char, ' '..='~');
        assert!(log.chars().all(plain), "{log:?}");
        for line in log.lines() {
            match format {
                "json" => drop(serde_json::from_str::<Value>(line).expect(line)),
                _ => assert!(line.starts_with("20") && line.contains(" INFO "), "{line}"),
            }
        }
    }
}
