//! Metrics, as Prometheus reads them, and the dashboard over them.

use std::collections::BTreeSet;
use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::{Answer, Client, Folder, Process};
use crate::postgres::{self, TestDatabase};
use crate::support::workspace;

/// A server of notes that has metrics, and a client of these.
fn serve(options: &[&str]) -> (Folder, Process, Client) {
    let folder = Folder::notes();
    let mut command = folder.command(&["serve", "--port", "0", "--metrics", "127.0.0.1:0"]);
    command.args(options);
    let server = Process::start(command);
    let printed = server.stdout();
    let address = printed
        .lines()
        .find_map(|line| line.strip_prefix("  Metrics   "));
    let address = address.and_then(|address| address.strip_suffix("/metrics"));
    let client = Client::new(address.unwrap_or_else(|| panic!("{printed}")));
    (folder, server, client)
}

/// Some requests of every kind.
async fn use_it(client: &Client) {
    let note = json!({ "title": "Milk", "content": "two litres" });
    assert_eq!(client.post("/api/notes", note).await.status, 201);
    for path in [
        "/api/notes/1",
        "/api/notes/1",
        "/api/notes/2",
        "/nothing/here",
    ] {
        client.get(path).await;
    }
    client.send("BREW", "/api/notes", None).await;
}

async fn scrape(metrics: &Client) -> String {
    let Answer { status, text, .. } = metrics.get("/metrics").await;
    assert_eq!(status, 200);
    text
}

/// The value of a sample, as it is written.
fn sample<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    let mut lines = text.lines();
    lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))
}

/// The families of a scrape.
fn families(text: &str) -> BTreeSet<String> {
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    types
        .filter_map(|line| Some(line.split(' ').next()?.to_owned()))
        .collect()
}

#[tokio::test]
async fn requests_are_counted_by_route_method_and_status() {
    let (folder, server, metrics) = serve(&[]);
    let client = server.client();
    use_it(&client).await;
    let text = scrape(&metrics).await;
    for (labels, count) in [
        (r#"method="POST",route="/api/notes",status="201""#, 1),
        (r#"method="GET",route="/api/notes/{id}",status="200""#, 2),
        (r#"method="GET",route="/api/notes/{id}",status="404""#, 1),
        (r#"method="GET",route="unmatched",status="404""#, 1),
        (r#"method="other",route="/api/notes",status="501""#, 1),
    ] {
        let name = format!("http_requests_total{{{labels}}}");
        assert_eq!(
            sample(&text, &name),
            Some(&*count.to_string()),
            "{name}: {text}"
        );
    }
    for name in [
        r#"http_request_duration_seconds_count{method="GET",route="/api/notes/{id}"}"#,
        r#"http_request_duration_seconds_bucket{method="GET",route="/api/notes/{id}",le="+Inf"}"#,
    ] {
        assert_eq!(sample(&text, name), Some("3"), "{name}");
    }
    assert_eq!(sample(&text, "http_requests_in_flight"), Some("0"));
    assert_eq!(sample(&text, "carafe_write_batch_size_sum"), Some("1"));
    assert_eq!(
        sample(&text, "carafe_commit_duration_seconds_count"),
        Some("1")
    );
    assert!(
        !text.contains("nothing/here") && !text.contains("BREW"),
        "{text}"
    );
    let open = sample(&text, "http_connections_open").unwrap();
    assert!(open.parse::<u32>().unwrap() >= 1, "{open}");
    let size: u64 = sample(&text, "carafe_database_size_bytes")
        .unwrap()
        .parse()
        .unwrap();
    assert_eq!(size, folder.path("data.db").metadata().unwrap().len());
}

#[tokio::test]
async fn metrics_are_at_their_own_address_only() {
    let (_folder, server, metrics) = serve(&[]);
    assert_eq!(server.client().get("/metrics").await.status, 404);
    for (method, path, status) in [
        ("HEAD", "/metrics", 200),
        ("POST", "/metrics", 405),
        ("GET", "/", 404),
        ("GET", "/api/notes", 404),
    ] {
        let answer = metrics.send(method, path, None).await.unwrap();
        assert_eq!(answer.status, status, "{method} {path}");
    }
    let plain = Folder::notes();
    assert!(
        !plain.serve().stdout().contains("Metrics"),
        "off by default"
    );
}

#[tokio::test]
async fn counts_outlive_a_changed_declaration() {
    let (folder, server, metrics) = serve(&[]);
    use_it(&server.client()).await;
    let declaration = std::fs::read_to_string(folder.path("carafe.toml")).unwrap();
    folder.write(
        "carafe.toml",
        &format!("{declaration}\n[resources.marks.fields]\ntitle = {{ type = \"string\" }}\n"),
    );
    super::eventually("the change", super::PATIENCE, async || {
        server
            .stdout()
            .contains("Took up the change.")
            .then_some(())
    })
    .await;
    server.client().get("/api/notes/1").await;
    server.client().get("/api/marks").await;
    let text = scrape(&metrics).await;
    for (labels, count) in [
        (r#"method="GET",route="/api/notes/{id}",status="200""#, "3"),
        (r#"method="GET",route="/api/marks",status="200""#, "1"),
    ] {
        let name = format!("http_requests_total{{{labels}}}");
        assert_eq!(sample(&text, &name), Some(count), "{name}: {text}");
    }
}

#[track_caller]
fn assert_promtool_is_satisfied(text: &str) {
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool (scripts/setup installs it)");
    promtool
        .stdin
        .take()
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
    let output = promtool.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr) + String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.is_empty(), "{said}\n{text}");
}

/// What a server says on PostgreSQL; `None` without one.
async fn scrape_on_postgres() -> Option<String> {
    if !postgres::is_there() {
        return None;
    }
    let database = TestDatabase::create().await.expect("a server");
    let (_folder, server, metrics) = serve(&["--database", &database.url()]);
    use_it(&server.client()).await;
    let text = scrape(&metrics).await;
    server.stop();
    database.drop().await;
    Some(text)
}

#[tokio::test]
async fn promtool_is_satisfied() {
    let (_folder, server, metrics) = serve(&[]);
    assert_promtool_is_satisfied(&scrape(&metrics).await);
    use_it(&server.client()).await;
    assert_promtool_is_satisfied(&scrape(&metrics).await);
    if let Some(text) = scrape_on_postgres().await {
        assert_promtool_is_satisfied(&text);
        assert_eq!(sample(&text, "carafe_pool_connections_max"), Some("16"));
        let size: u64 = sample(&text, "carafe_database_size_bytes")
            .unwrap()
            .parse()
            .unwrap();
        assert!(size > 1_000_000, "{size}");
    }
}

/// The metrics that the queries of a dashboard name.
fn queried(dashboard: &Value) -> BTreeSet<String> {
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let targets = panels
        .filter_map(|panel| panel["targets"].as_array())
        .flatten();
    let queries = targets.map(|target| target["expr"].as_str().unwrap());
    let words = queries
        .flat_map(|query| query.split(|char: char| !(char.is_ascii_alphanumeric() || char == '_')));
    let is_metric = |word: &&str| {
        ["http_", "carafe_", "process_"]
            .iter()
            .any(|start| word.starts_with(start))
    };
    let family = |name: &str| {
        let part = ["_bucket", "_sum", "_count"]
            .iter()
            .find_map(|end| name.strip_suffix(end));
        part.unwrap_or(name).to_owned()
    };
    words.filter(is_metric).map(family).collect()
}

#[tokio::test]
async fn the_dashboard_asks_for_what_there_is() {
    let dashboard = std::fs::read_to_string(workspace().join("ops/grafana.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&dashboard).unwrap();
    let (_folder, server, metrics) = serve(&[]);
    use_it(&server.client()).await;
    let mut there = families(&scrape(&metrics).await);
    let mut asked = queried(&dashboard);
    match scrape_on_postgres().await {
        Some(text) => there.extend(families(&text)),
        None => asked.retain(|name| !name.starts_with("carafe_pool_")),
    }
    // How much is mapped says little.
    there.remove("process_virtual_memory_bytes");
    assert_eq!(asked, there);
}

#[tokio::test]
async fn the_manual_has_every_metric() {
    let manual = std::fs::read_to_string(workspace().join("docs/src/observing.md")).unwrap();
    let (_folder, server, metrics) = serve(&[]);
    use_it(&server.client()).await;
    let mut there = families(&scrape(&metrics).await);
    if let Some(text) = scrape_on_postgres().await {
        there.extend(families(&text));
    }
    let missing: Vec<&String> = there
        .iter()
        .filter(|name| !manual.contains(&format!("| `{name}` |")))
        .collect();
    assert!(missing.is_empty(), "not in observing.md: {missing:#?}");
}
