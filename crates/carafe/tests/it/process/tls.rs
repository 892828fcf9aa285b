//! HTTPS by the server itself, HTTP/2 with real clients, and certificates that change.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use super::{Folder, PATIENCE, Process, Ran, eventually};

/// Makes `NAME.pem`, a certificate for loopback that is its own authority, and `NAME.key`.
pub(super) fn make_certificate(folder: &Folder, name: &str) {
    let (certificate, key) = (format!("{name}.pem"), format!("{name}.key"));
    openssl(
        folder,
        &[
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-days",
            "90",
            "-subj",
            "/CN=carafe",
            "-addext",
            "subjectAltName=IP:127.0.0.1",
            "-out",
            &certificate,
            "-keyout",
            &key,
        ],
    );
}

/// Makes `old.pem` and `old.key`, which were good for one day of the year 2020.
pub(super) fn make_expired_certificate(folder: &Folder) {
    folder.write("ca.index", "");
    folder.write(
        "ca.cnf",
        "[ca]\ndefault_ca=d\n[d]\ndatabase=ca.index\nnew_certs_dir=.\nrand_serial=yes\n\
         default_md=sha256\npolicy=p\nx509_extensions=x\n[x]\nsubjectAltName=IP:127.0.0.1\n[p]\ncommonName=supplied\n",
    );
    openssl(
        folder,
        &[
            "req",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-subj",
            "/CN=carafe",
            "-out",
            "old.csr",
            "-keyout",
            "old.key",
        ],
    );
    openssl(
        folder,
        &[
            "ca",
            "-batch",
            "-notext",
            "-config",
            "ca.cnf",
            "-selfsign",
            "-keyfile",
            "old.key",
            "-startdate",
            "20200101000000Z",
            "-enddate",
            "20200102000000Z",
            "-in",
            "old.csr",
            "-out",
            "old.pem",
        ],
    );
}

/// Makes `NAME.pem`, a certificate for loopback that is no authority, and `NAME.key`.
pub(super) fn make_leaf_certificate(folder: &Folder, name: &str) {
    let (certificate, key) = (format!("{name}.pem"), format!("{name}.key"));
    folder.write(
        "leaf.cnf",
        "[req]\nprompt=no\ndistinguished_name=d\nx509_extensions=x\n[d]\nCN=carafe\n\
         [x]\nsubjectAltName=IP:127.0.0.1\nbasicConstraints=critical,CA:FALSE\n",
    );
    openssl(
        folder,
        &[
            "req",
            "-x509",
            "-config",
            "leaf.cnf",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-out",
            &certificate,
            "-keyout",
            &key,
        ],
    );
}

fn openssl(folder: &Folder, arguments: &[&str]) {
    let mut command = folder.inside(Command::new("openssl"));
    let made = command.args(arguments).output().expect("openssl");
    assert!(made.status.success(), "{made:?}");
}

const OPTIONS: [&str; 7] = [
    "serve",
    "--port",
    "0",
    "--tls-cert",
    "a.pem",
    "--tls-key",
    "a.key",
];

fn serve(folder: &Folder) -> Process {
    Process::start(folder.command(&OPTIONS))
}

fn curl(folder: &Folder, arguments: &[&str]) -> Ran {
    let mut command = folder.inside(Command::new("curl"));
    command.args(["--silent", "--show-error", "--max-time", "20"]);
    Ran::of(command.args(arguments).output().expect("curl"))
}

#[test]
fn https_is_spoken_with_both_versions_of_http() {
    let folder = Folder::notes();
    make_certificate(&folder, "a");
    let server = serve(&folder);
    assert!(server.base.starts_with("https://"), "{}", server.base);
    let url = format!("{}/api/notes", server.base);
    for (option, version) in [("--http2", "2"), ("--http1.1", "1.1")] {
        let shown = [
            "--cacert",
            "a.pem",
            option,
            "-D-",
            "-w",
            "\n%{http_version}",
        ];
        let answer = curl(&folder, &[&shown[..], &[&url]].concat()).ok();
        let lower = answer.to_lowercase();
        assert!(
            lower.starts_with(&format!("http/{version} 200")),
            "{answer}"
        );
        assert!(answer.ends_with(&format!("\n{version}")), "{answer}");
        assert!(
            lower.contains("strict-transport-security: max-age=31536000"),
            "{answer}"
        );
    }
    let form = format!("{}/notes/new", server.base);
    let page = curl(&folder, &["--cacert", "a.pem", "-D-", &form]).ok();
    let cookie = page
        .lines()
        .find(|line| line.to_lowercase().starts_with("set-cookie:"))
        .expect("a cookie");
    assert!(
        cookie.contains("__Host-") && cookie.contains("Secure"),
        "{cookie}"
    );

    // Plain HTTP on this port is no handshake.
    let plain = url.replacen("https", "http", 1);
    assert_ne!(curl(&folder, &[&plain]).code, Some(0));
    curl(&folder, &["--cacert", "a.pem", &url]).ok();
    server.stop();
}

#[test]
fn http2_with_prior_knowledge_needs_no_tls() {
    let folder = Folder::notes();
    let server = folder.serve();
    let url = format!("{}/api/notes", server.base);
    let options = ["--http2-prior-knowledge", "-D-", "-w", "\n%{http_version}"];
    let answer = curl(&folder, &[&options[..], &[&url]].concat()).ok();
    assert!(
        answer.starts_with("HTTP/2 200") && answer.ends_with("\n2"),
        "{answer}"
    );
    assert!(!answer.contains("strict-transport-security"), "{answer}");
    server.stop();
}

#[tokio::test]
async fn sighup_takes_up_a_certificate_and_drops_no_connection() {
    let folder = Folder::notes();
    for name in ["a", "b"] {
        make_certificate(&folder, name);
    }
    let first = std::fs::read(folder.path("a.pem")).unwrap();
    folder.write("first.pem", &String::from_utf8(first).unwrap());
    let server = serve(&folder);
    let url = format!("{}/api/notes", server.base);
    let mut kept = Connection::open(&folder, &server);
    assert_eq!(kept.get("/api/notes"), "HTTP/1.1 200 OK");

    for (from, to) in [("b.pem", "a.pem"), ("b.key", "a.key")] {
        std::fs::copy(folder.path(from), folder.path(to)).unwrap();
    }
    server.signal("HUP");
    eventually("the new certificate", PATIENCE, async || {
        (curl(&folder, &["--cacert", "b.pem", &url]).code == Some(0)).then_some(())
    })
    .await;
    assert_eq!(
        curl(&folder, &["--cacert", "first.pem", &url]).code,
        Some(60)
    );
    assert_eq!(kept.get("/api/notes"), "HTTP/1.1 200 OK");

    folder.write("a.pem", "what is no certificate");
    server.signal("HUP");
    eventually("the complaint", PATIENCE, async || {
        let complaint = server.stderr();
        complaint
            .contains("The certificate is not taken up")
            .then_some(complaint)
    })
    .await;
    assert!(
        server.stderr().contains("no certificate in a.pem"),
        "{}",
        server.stderr()
    );
    curl(&folder, &["--cacert", "b.pem", &url]).ok();
    assert_eq!(kept.get("/api/notes"), "HTTP/1.1 200 OK");
    drop(kept);
    server.stop();
}

#[test]
fn files_that_cannot_be_used_are_told_at_the_start() {
    let folder = Folder::notes();
    for name in ["a", "b"] {
        make_certificate(&folder, name);
    }
    folder.write("text.pem", "what is no certificate");
    for (certificate, key, expected) in [
        (Some("a.pem"), None, "--tls-cert needs --tls-key too"),
        (None, Some("a.key"), "--tls-key needs --tls-cert too"),
        (Some("none.pem"), Some("a.key"), "none.pem: "),
        (Some("a.pem"), Some("none.key"), "none.key: "),
        (
            Some("text.pem"),
            Some("a.key"),
            "there is no certificate in text.pem",
        ),
        (
            Some("a.pem"),
            Some("text.pem"),
            "there is no private key in text.pem",
        ),
        (
            Some("a.pem"),
            Some("b.key"),
            "b.key is the key of another certificate than a.pem",
        ),
    ] {
        let mut command = folder.command(&["serve", "--port", "0"]);
        command.args(certificate.map(|file| format!("--tls-cert={file}")));
        command.args(key.map(|file| format!("--tls-key={file}")));
        let complaint = Ran::of(command.output().unwrap()).refused();
        assert!(complaint.contains(expected), "{expected}: {complaint}");
        assert!(!folder.path("data.db").exists(), "{expected}");
    }
}

#[tokio::test]
async fn an_expired_certificate_is_a_warning() {
    let folder = Folder::notes();
    make_expired_certificate(&folder);
    folder.write(".env", "TLS_CERT=old.pem\nTLS_KEY=old.key\n");
    let server = folder.serve();
    eventually("the warning", PATIENCE, async || {
        server
            .stderr()
            .contains("The certificate has expired")
            .then_some(())
    })
    .await;
    assert!(
        server.stderr().contains("2020-01-02T00:00:00Z"),
        "{}",
        server.stderr()
    );
    server.stop();
}

/// A connection by TLS that is kept open.
struct Connection {
    client: std::process::Child,
    answers: BufReader<std::process::ChildStdout>,
    host: String,
}

impl Connection {
    fn open(folder: &Folder, server: &Process) -> Self {
        let host = server.base.trim_start_matches("https://").to_owned();
        let mut command = folder.inside(Command::new("openssl"));
        let mut client = command
            .args(["s_client", "-quiet", "-connect", &host])
            .stdin(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("openssl");
        let answers = BufReader::new(client.stdout.take().unwrap());
        Self {
            client,
            answers,
            host,
        }
    }

    /// The first line of the answer.
    fn get(&mut self, path: &str) -> String {
        let request = format!("HEAD {path} HTTP/1.1\r\nHost: {}\r\n\r\n", self.host);
        let stdin = self.client.stdin.as_mut().unwrap();
        stdin.write_all(request.as_bytes()).unwrap();
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            let length = self.answers.read_line(&mut line).unwrap();
            assert!(length > 0, "the connection was closed");
            if line == "\r\n" {
                return lines.swap_remove(0);
            }
            lines.push(line.trim_end().to_owned());
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        drop(self.client.kill());
        drop(self.client.wait());
    }
}
