//! Traces and error reports, as a collector and Sentry get them: receivers of the tests' own, which
//! read what comes.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};

use super::tls::make_leaf_certificate;
use super::{Folder, PATIENCE, Process, eventually};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const PARENT: &str = "b7ad6b7169203331";

/// What was sent to a receiver.
#[derive(Clone, Debug)]
struct Received {
    /// The request line and the header fields, a line each, in small letters.
    head: String,
    body: String,
}

/// An HTTP server that takes every POST.
struct Receiver {
    /// `http://127.0.0.1:PORT`
    base: String,
    received: Arc<Mutex<Vec<Received>>>,
}

impl Receiver {
    fn start() -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").unwrap(), |stream| {
            take(stream)
        })
    }

    /// One that speaks TLS, with `NAME.pem` and `NAME.key` of a folder.
    fn with_tls(folder: &Folder, name: &str) -> Self {
        let certificate = CertificateDer::from_pem_file(folder.path(&format!("{name}.pem")));
        let key = PrivateKeyDer::from_pem_file(folder.path(&format!("{name}.key")));
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.unwrap()], key.unwrap());
        let config = Arc::new(config.unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let plain = Self::on(listener, move |stream| {
            let connection = ServerConnection::new(config.clone()).unwrap();
            take(StreamOwned::new(connection, stream))
        });
        Self {
            base: plain.base.replace("http:", "https:"),
            ..plain
        }
    }

    fn on(
        listener: TcpListener,
        take: impl Fn(TcpStream) -> Option<Received> + Send + 'static,
    ) -> Self {
        let base = format!("http://{}", listener.local_addr().unwrap());
        let received = Arc::<Mutex<Vec<Received>>>::default();
        let shared = received.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if let Some(request) = take(stream.unwrap()) {
                    shared.lock().unwrap().push(request);
                }
            }
        });
        Self { base, received }
    }

    fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }

    /// The spans so far, with the requests that they came in.
    fn spans(&self) -> Vec<(Received, Value)> {
        let spans = self.received().into_iter().flat_map(|request| {
            let sent: Value = serde_json::from_str(&request.body).unwrap();
            let spans = sent["resourceSpans"][0]["scopeSpans"][0]["spans"].clone();
            let spans = spans.as_array().unwrap().clone();
            spans.into_iter().map(move |span| (request.clone(), span))
        });
        spans.collect()
    }

    async fn span(&self, path: &str) -> (Received, Value) {
        let found = eventually("a span", PATIENCE, async || {
            let mut spans = self.spans().into_iter();
            spans.find(|(_, span)| attribute(span, "url.path") == path)
        });
        found.await
    }
}

/// Reads a request, and answers that it was taken; `None` where the connection breaks.
fn take(stream: impl Read + Write) -> Option<Received> {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let head = head.to_lowercase();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length?.parse().ok()?];
    reader.read_exact(&mut body).ok()?;
    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
    let stream = reader.get_mut();
    stream
        .write_all(answer)
        .and_then(|()| stream.flush())
        .ok()?;
    Some(Received {
        head,
        body: String::from_utf8(body).ok()?,
    })
}

/// The value of a span's attribute, as text; empty without one.
fn attribute(span: &Value, key: &str) -> String {
    let attributes = span["attributes"].as_array().unwrap();
    let found = attributes.iter().find(|attribute| attribute["key"] == key);
    let value = found.map(|attribute| &attribute["value"]);
    let value =
        value.and_then(|value| value["stringValue"].as_str().or(value["intValue"].as_str()));
    value.unwrap_or_default().to_owned()
}

fn serve(folder: &Folder, options: &[&str]) -> Process {
    let mut command = folder.command(&["serve", "--port", "0", "--log-format", "json"]);
    command.args(options);
    Process::start(command)
}

/// Sends a GET in a trace.
async fn get_in_trace(server: &Process, path: &str, flags: &str) {
    let request = reqwest::Client::new().get(format!("{}{path}", server.base));
    let request = request.header("traceparent", format!("00-{TRACE}-{PARENT}-{flags}"));
    request.send().await.unwrap();
}

#[tokio::test]
async fn a_request_is_a_span_of_the_trace_that_it_is_part_of() {
    let receiver = Receiver::start();
    let folder = Folder::notes();
    let server = serve(
        &folder,
        &[
            "--otlp-endpoint",
            &receiver.base,
            "--otlp-headers",
            "api-key=a%20key",
        ],
    );
    get_in_trace(&server, "/api/notes/1?title=s3cret", "01").await;
    let (request, span) = receiver.span("/api/notes/1").await;
    assert!(
        request.head.starts_with("post /v1/traces http/1.1"),
        "{request:?}"
    );
    assert!(
        request.head.contains("\r\napi-key: a key\r\n"),
        "{request:?}"
    );
    assert!(
        request
            .head
            .contains("\r\ncontent-type: application/json\r\n"),
        "{request:?}"
    );
    let sent: Value = serde_json::from_str(&request.body).unwrap();
    assert_eq!(
        attribute(&sent["resourceSpans"][0]["resource"], "service.name"),
        "Notes"
    );
    assert_eq!(
        (&span["traceId"], &span["parentSpanId"]),
        (&json!(TRACE), &json!(PARENT))
    );
    assert_eq!(
        (&span["name"], &span["kind"]),
        (&json!("GET /api/notes/{id}"), &json!(2))
    );
    assert_eq!(span["status"], json!({}));
    for (key, value) in [
        ("http.request.method", "GET"),
        ("http.route", "/api/notes/{id}"),
        ("http.response.status_code", "404"),
        ("carafe.resource", "notes"),
    ] {
        assert_eq!(attribute(&span, key), value, "{key}: {span}");
    }
    let nanos = |name: &str| span[name].as_str().unwrap().parse::<u64>().unwrap();
    assert!(
        nanos("startTimeUnixNano") < nanos("endTimeUnixNano"),
        "{span}"
    );
    // The log and the trace are joined by both ids.
    let id = attribute(&span, "carafe.request_id");
    let line = server.stdout();
    let line = line.lines().find(|line| line.contains(&id)).unwrap();
    assert!(line.contains(&format!(r#""trace_id":"{TRACE}""#)), "{line}");
    assert!(!request.body.contains("s3cret"), "{request:?}");
    server.stop();
}

#[tokio::test]
async fn what_is_left_is_sent_at_the_stop_and_only_what_is_kept() {
    let receiver = Receiver::start();
    let folder = Folder::notes();
    let server = serve(
        &folder,
        &["--otlp-endpoint", &receiver.base, "--service-name", "shop"],
    );
    get_in_trace(&server, "/api/notes", "00").await;
    let client = server.client();
    let note = json!({ "title": "s3cret", "content": "s3cret" });
    client.post("/api/notes", note).await;
    client.get("/api/notes/1").await;
    client.send("BREW", "/no/such/place", None).await;
    drop(client);
    server.stop();
    let spans = receiver.spans();
    let names: Vec<&Value> = spans.iter().map(|(_, span)| &span["name"]).collect();
    assert_eq!(names, ["POST /api/notes", "GET /api/notes/{id}", "HTTP"]);
    assert_ne!(spans[0].1["traceId"], spans[1].1["traceId"]);
    for (request, span) in &spans {
        assert_eq!(span["parentSpanId"], "");
        assert!(
            request.body.contains(r#""stringValue":"shop""#),
            "{}",
            request.body
        );
        assert!(!request.body.contains("s3cret"), "{}", request.body);
    }
    let failed = &spans[2].1;
    assert_eq!(attribute(failed, "http.request.method"), "_OTHER");
    assert_eq!(
        (attribute(failed, "error.type"), &failed["status"]),
        ("501".to_owned(), &json!({ "code": 2 }))
    );
}

#[tokio::test]
async fn a_collector_that_is_away_costs_a_line_in_the_log() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let folder = Folder::notes();
    let server = serve(&folder, &["--otlp-endpoint", &format!("http://{address}")]);
    let client = server.client();
    assert_eq!(client.get("/api/notes/1").await.status, 404);
    eventually("the line", PATIENCE, async || {
        server.stdout().contains("Could not be sent").then_some(())
    })
    .await;
    assert_eq!(client.get("/api/notes/2").await.status, 404);
    let receiver = Receiver::on(TcpListener::bind(address).unwrap(), take);
    receiver.span("/api/notes/1").await;
    receiver.span("/api/notes/2").await;
    drop(client);
    server.signal("TERM");
    let log = server.ended().1;
    assert_eq!(log.matches("Could not be sent").count(), 1, "{log}");
    assert_eq!(log.matches("Sent again").count(), 1, "{log}");
}

#[tokio::test]
async fn a_collector_behind_tls_must_show_a_certificate_that_the_system_believes() {
    let folder = Folder::notes();
    make_leaf_certificate(&folder, "a");
    make_leaf_certificate(&folder, "b");
    let receiver = Receiver::with_tls(&folder, "a");
    for (believed, is_taken) in [("a.pem", true), ("b.pem", false)] {
        let mut command = folder.command(&["serve", "--port", "0", "--log-format", "json"]);
        command.args(["--otlp-endpoint", &receiver.base]);
        command
            .env("SSL_CERT_FILE", folder.path(believed))
            .env_remove("SSL_CERT_DIR");
        let server = Process::start(command);
        let path = format!("/api/notes?{believed}");
        server.client().get(&path).await;
        server.signal("TERM");
        let log = server.ended().1;
        assert_eq!(log.contains("Could not be sent"), !is_taken, "{log}");
        assert_eq!(receiver.spans().len(), 1, "{log}");
    }
}

#[tokio::test]
async fn an_error_of_the_server_is_reported_with_its_cause() {
    let receiver = Receiver::start();
    let folder = Folder::notes();
    let dsn = format!("{}/42", receiver.base.replace("http://", "http://abc123@"));
    let server = serve(&folder, &["--sentry-dsn", &dsn]);
    let client = server.client();
    client.get("/api/notes/1").await;
    folder.database().execute_batch("DROP TABLE notes").unwrap();
    let note = json!({ "title": "s3cret", "content": "s3cret" });
    let answer = client
        .send("POST", "/api/notes?x=s3cret", Some(&note))
        .await
        .unwrap();
    assert_eq!(answer.status, 500, "{}", answer.text);
    let reports = eventually("a report", PATIENCE, async || {
        let received = receiver.received();
        (!received.is_empty()).then_some(received)
    });
    let reports = reports.await;
    assert_eq!(reports.len(), 1, "{reports:?}");
    let Received { head, body } = &reports[0];
    assert!(
        head.starts_with("post /api/42/envelope/ http/1.1"),
        "{head}"
    );
    assert!(
        head.contains("sentry_version=7") && head.contains("sentry_key=abc123"),
        "{head}"
    );
    let lines: Vec<&str> = body.lines().collect();
    let [start, item, event] = lines.as_slice() else {
        panic!("three lines: {body}")
    };
    let [start, item, parsed] =
        [start, item, event].map(|line| serde_json::from_str::<Value>(line).unwrap());
    let id = answer.header("x-request-id");
    assert_eq!(start["event_id"], id.replace('-', ""));
    assert_eq!(item, json!({ "type": "event", "length": event.len() }));
    let cause = parsed["exception"]["values"][0]["value"].as_str().unwrap();
    assert!(cause.contains("no such table"), "{cause}");
    for (pointer, value) in [
        ("/level", "error"),
        ("/transaction", "POST /api/notes"),
        ("/environment", "development"),
        ("/tags/request_id", id),
        ("/tags/route", "/api/notes"),
        ("/tags/status", "500"),
        ("/request/url", "/api/notes"),
    ] {
        assert_eq!(
            parsed.pointer(pointer),
            Some(&json!(value)),
            "{pointer}: {event}"
        );
    }
    assert!(!body.contains("s3cret"), "{body}");
    assert!(!answer.text.contains("no such table"), "{}", answer.text);
    server.stop();
}

#[test]
fn what_cannot_be_a_receiver_is_refused_at_the_start() {
    let folder = Folder::notes();
    for (options, said) in [
        (["--otlp-endpoint", "localhost:4317"], "--otlp-endpoint"),
        (
            ["--sentry-dsn", "https://sentry.example.org/42"],
            "https://KEY@HOST/PROJECT",
        ),
    ] {
        let ran = folder
            .command(&["serve", "--port", "0"])
            .args(options)
            .output()
            .unwrap();
        let complaint = String::from_utf8(ran.stderr).unwrap();
        assert!(
            !ran.status.success() && complaint.contains(said),
            "{complaint}"
        );
    }
    assert!(!folder.path("data.db").exists());
}
