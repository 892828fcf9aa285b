//! Statements that take long are told of in the log, with their plan and without any value.

use serde_json::{Value, json};

use super::{Folder, PATIENCE, Process, eventually};
use crate::postgres::{self, TestDatabase};

/// Texts that no index helps to look through, enough of them for milliseconds.
const ROWS: usize = 20_000;

const DECLARATION: &str = r#"
[resources.marks.fields]
title = { type = "string" }
"#;

/// Serves marks, with statements slow from so many milliseconds on.
fn serve(folder: &Folder, slow: &str, options: &[&str]) -> Process {
    let mut command = folder.command(&["serve", "--port", "0", "--log-format", "json"]);
    command.args(["--slow-query", slow]).args(options);
    Process::start(command)
}

/// What is told of slow statements whose text has `part`, once there is a plan among it.
async fn told(server: &Process, part: &str) -> Vec<Value> {
    let found = eventually("a slow statement's event", PATIENCE, async || {
        let log = server.stdout();
        let events = log.lines().map(|line| serde_json::from_str(line).unwrap());
        let is_asked_for = |event: &Value| {
            event["message"] == "Slow query"
                && event["sql"].as_str().is_some_and(|sql| sql.contains(part))
        };
        let events: Vec<Value> = events.filter(is_asked_for).collect();
        let has_plan = events.iter().any(|event| event["plan"].is_string());
        has_plan.then_some(events)
    });
    found.await
}

/// Asks twice for a text that no record has, and looks at what the log says of it.
async fn check(server: &Process, part: &str, step: &str) {
    for word in ["s3cret-one", "s3cret-two"] {
        let path = format!("/api/marks?title__contains={word}");
        let answer = server.client().get(&path).await;
        assert_eq!(answer.json()["total"], 0, "{}", answer.text);
    }
    let events = told(server, part).await;
    let event = events
        .iter()
        .find(|event| event["plan"].is_string())
        .unwrap();
    assert_eq!(event["level"], "WARN");
    assert!(
        event["duration_ms"].as_f64().is_some_and(|ms| ms >= 1.0),
        "{event}"
    );
    assert!(event["plan"].as_str().unwrap().contains(step), "{event}");
    let plans = events
        .iter()
        .filter(|other| other["sql"] == event["sql"] && other["plan"].is_string());
    assert_eq!(plans.count(), 1, "a plan once: {events:?}");
    assert!(!server.stdout().contains("s3cret"), "{}", server.stdout());
}

#[tokio::test]
async fn a_slow_statement_of_sqlite_is_told_with_its_plan() {
    let folder = Folder::new(DECLARATION);
    let server = serve(&folder, "1", &[]);
    let first = server
        .client()
        .post("/api/marks", json!({ "title": "x" }))
        .await;
    assert_eq!(first.status, 201);
    let more = format!(
        "WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < {ROWS}) \
         INSERT INTO marks (title) SELECT 'mark ' || i FROM n"
    );
    folder.database().execute_batch(&more).unwrap();
    check(&server, "carafe_contains", "SCAN marks").await;
    server.stop();
}

#[tokio::test]
async fn a_slow_statement_of_postgresql_is_told_with_its_plan() {
    if !postgres::is_there() {
        return;
    }
    let database = TestDatabase::create().await.expect("a server");
    let folder = Folder::new(DECLARATION);
    let server = serve(&folder, "1", &["--database", &database.url()]);
    let first = server
        .client()
        .post("/api/marks", json!({ "title": "x" }))
        .await;
    assert_eq!(first.status, 201);
    let more = format!(
        "INSERT INTO marks (title) SELECT 'mark ' || i FROM generate_series(2, {ROWS}) AS i"
    );
    database.other().await.batch_execute(&more).await.unwrap();
    check(&server, "strpos", " on marks").await;
    let sleepy = "CREATE FUNCTION sleep() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN PERFORM pg_sleep(0.01); RETURN NEW; END $$;
        CREATE TRIGGER sleep BEFORE INSERT ON marks FOR EACH ROW EXECUTE FUNCTION sleep()";
    database.other().await.batch_execute(sleepy).await.unwrap();
    let slow = server.client();
    let slow = slow.post("/api/marks", json!({ "title": "s3cret" })).await;
    assert_eq!(slow.status, 201);
    eventually("a slow insertion's event", PATIENCE, async || {
        let log = server.stdout();
        let mut events = log.lines().map(|line| serde_json::from_str(line).unwrap());
        let is_told = events.any(|event: Value| {
            let sql = event["sql"].as_str().unwrap_or_default();
            event["message"] == "Slow query" && sql.starts_with("INSERT INTO \"marks\"")
        });
        is_told.then_some(())
    })
    .await;
    assert!(!server.stdout().contains("s3cret"), "{}", server.stdout());
    server.stop();
    database.drop().await;
}

#[tokio::test]
async fn nothing_is_slow_where_that_is_turned_off() {
    let folder = Folder::new(DECLARATION);
    let server = serve(&folder, "0", &[]);
    server
        .client()
        .post("/api/marks", json!({ "title": "x" }))
        .await;
    server.signal("TERM");
    let log = server.ended().1;
    assert!(
        log.contains("Stopped.") && !log.contains("Slow query"),
        "{log}"
    );
}
