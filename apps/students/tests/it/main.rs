//! The program as it is started: a server with the options of `carafe serve`.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "../../../../crates/carafe/tests/it/paper.rs"]
#[expect(
    dead_code,
    reason = "shared with the tests of the whole manual, which use all of it"
)]
mod paper;
#[path = "../../../../crates/carafe/tests/it/stage.rs"]
mod stage;

/// What the papers' player asks for.
mod support {
    use std::path::{Path, PathBuf};

    /// The folder of the workspace.
    pub(crate) fn workspace() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../..")
            .canonicalize()
            .unwrap()
    }
}

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

struct Server {
    child: Child,
    address: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

impl Server {
    fn start() -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_students"))
            .args(["--port", "0", "--database", "sqlite::memory:"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = lines
            .find(|line| line.as_ref().unwrap().contains("http://"))
            .unwrap()
            .unwrap();
        let address = line
            .split("http://")
            .nth(1)
            .unwrap()
            .trim_end_matches('/')
            .to_owned();
        Self { child, address }
    }

    fn ask(&self, method: &str, path: &str, body: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
            self.address,
            body.len()
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }
}

#[test]
fn routes_of_its_own_and_the_declared_ones_share_their_records() {
    let server = Server::start();
    let first = server.ask("GET", "/api/students/1", "");
    assert!(
        first.contains(r#"{"id":1,"name":"Student 0","age":20,"course":"MERN"}"#),
        "{first}"
    );
    let patched = server.ask(
        "PATCH",
        "/student/update/name/1",
        r#"{"name":"<b>Ann</b>"}"#,
    );
    assert!(
        patched.starts_with("HTTP/1.1 200") && patched.ends_with("name record patched... 1"),
        "{patched}"
    );
    assert!(
        patched.contains("content-type: text/plain; charset=utf-8"),
        "{patched}"
    );
    let field = server.ask("GET", "/api/students/1/name", "");
    assert!(field.ends_with("\"<b>Ann</b>\""), "{field}");
    let no_host = {
        let mut stream = TcpStream::connect(&server.address).unwrap();
        stream
            .write_all(b"DELETE /student/delete/2 HTTP/1.1\r\nConnection: close\r\n\r\n")
            .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    assert!(no_host.starts_with("HTTP/1.1 400"), "{no_host}");
    let large = format!(r#"{{"name":"{}"}}"#, "x".repeat(2 * 1024 * 1024));
    let refused = server.ask("PUT", "/student/update/2", &large);
    assert!(refused.starts_with("HTTP/1.1 413"), "{refused}");
    let page = server.ask("GET", "/students/2", "");
    assert!(page.contains("Student 1"), "{page}");
}

#[test]
fn a_request_to_a_route_of_its_own_is_logged_by_the_pattern() {
    let mut server = Server::start();
    let change = r#"{"name":"s3cret"}"#;
    let patched = server.ask("PATCH", "/student/update/name/1", change);
    assert!(patched.starts_with("HTTP/1.1 200"), "{patched}");
    let log = BufReader::new(server.child.stderr.take().unwrap());
    let mut lines = log.lines().map(Result::unwrap);
    let line = lines.find(|line| line.contains("Answered")).unwrap();
    for part in [
        r#"method="PATCH""#,
        r#"route="/student/update/{item}/{index}""#,
        r#"path="/student/update/name/1""#,
        "status=200",
    ] {
        assert!(line.contains(part), "{part}: {line}");
    }
    assert!(!line.contains("s3cret"), "{line}");
}

#[test]
fn the_options_are_those_of_serve() {
    let help = Command::new(env!("CARGO_BIN_EXE_students"))
        .arg("--help")
        .output()
        .unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    for option in [
        "--host",
        "--port",
        "--public-url",
        "--database",
        "--secret-key",
        "--log-level",
        "[DIR]",
    ] {
        assert!(help.contains(option), "{option}: {help}");
    }
    assert!(help.contains("Serves Students"), "{help}");
    assert!(
        help.contains("[default: ") && !help.contains("[default: .]"),
        "{help}"
    );
    let other = Command::new(env!("CARGO_BIN_EXE_students"))
        .arg(support::workspace().join("apps/users"))
        .output()
        .unwrap();
    assert!(!other.status.success());
    assert!(String::from_utf8_lossy(&other.stderr).contains("there is no resource \"students\""));
    let wrong = Command::new(env!("CARGO_BIN_EXE_students"))
        .arg("/nowhere")
        .output()
        .unwrap();
    assert!(!wrong.status.success());
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("there is no carafe.toml"));
}

#[test]
fn the_chapter_of_the_manual_shows_what_happens() {
    let program = stage::Program {
        path: env!("CARGO_BIN_EXE_students"),
        words: &[],
    };
    stage::Stage::play(&paper::Paper::read("docs/src/app-students.md"), program);
}
