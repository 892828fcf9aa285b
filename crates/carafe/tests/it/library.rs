//! Carafe as a library: routes, hooks, a client in the same process, a service without a server.

use std::sync::{Arc, Mutex};

use axum::routing::{get, post};
use carafe::axum::{self, Router};
use carafe::{Actor, App, Collection, JsonBody, Refusal, Service, Value, Verb};
use serde_json::json;
use tempfile::TempDir;

use crate::support::workspace;

const NOTES: &str = "
[resources.notes]
history = true
[resources.notes.fields]
title = { type = \"string\", max_length = 20 }
slug  = { type = \"string\", optional = true, unique = true }
made  = { type = \"datetime\", set = \"create\" }

[resources.tags]
parent = \"notes\"
[resources.tags.fields]
name = { type = \"string\" }
";

fn folder(declaration: &str) -> TempDir {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("carafe.toml"), declaration).unwrap();
    folder
}

fn text(value: Option<&Value>) -> String {
    match value {
        Some(Value::Text(text)) => text.clone(),
        other => format!("{other:?}"),
    }
}

/// Makes slugs, and does not like spam; keeps the good ones.
fn with_hooks(app: App) -> App {
    app.before("notes", |write| {
        Box::pin(async move {
            let title = text(write.get("title"));
            if title.contains("spam") {
                return Err(write.refuse("title", "is not welcome"));
            }
            if write.verb == Verb::Delete && title == "Keep" {
                return Err(carafe::Error::Forbidden);
            }
            write.set("slug", Value::Text(title.to_lowercase().replace(' ', "-")))
        })
    })
    .unwrap()
}

#[tokio::test]
async fn a_service_for_a_test_is_one_line() {
    let service = App::from_file(workspace().join("apps/notes"))
        .unwrap()
        .service("sqlite::memory:")
        .await
        .unwrap();
    let notes = Collection::of(&service, "notes").unwrap();
    let made = notes
        .create(&json!({ "title": "Milk", "content": "Two" }))
        .await
        .unwrap();
    assert_eq!((&made["id"], &made["title"]), (&json!(1), &json!("Milk")));
    let refused = notes.create(&json!({ "title": "" })).await.unwrap_err();
    assert_eq!(refused.status().as_u16(), 400);
    assert_eq!(
        refused.to_string(),
        "Title is required; Content is required"
    );
    assert_eq!(refused.faults().len(), 2);
    assert_eq!(
        notes
            .create(&json!({}))
            .await
            .unwrap_err()
            .status()
            .as_u16(),
        400
    );
    let changed = notes
        .merge("1", &json!({ "content": "Three" }))
        .await
        .unwrap();
    assert_eq!(changed["content"], "Three");
    let replaced = notes
        .replace("1", &json!({ "title": "Tea", "content": "One" }))
        .await
        .unwrap();
    assert_eq!(notes.get("1").await.unwrap(), replaced);
    let (listed, total) = notes.list(&[("title", "Tea")]).await.unwrap();
    assert_eq!((listed, total.count), (vec![replaced.clone()], 1));
    assert_eq!(
        notes
            .list(&[("titel", "Tea")])
            .await
            .unwrap_err()
            .status()
            .as_u16(),
        400
    );
    assert_eq!(notes.delete("1").await.unwrap(), replaced);
    for key in ["1", "x", "01"] {
        assert_eq!(
            notes.get(key).await.unwrap_err().status().as_u16(),
            404,
            "{key}"
        );
    }
    assert!(Collection::of(&service, "noets").is_err());
}

#[tokio::test]
async fn a_hook_changes_and_refuses_writes_whichever_way_they_come() {
    let folder = folder(NOTES);
    let app = with_hooks(App::from_file(folder.path()).unwrap());
    let client = app.client("sqlite::memory:").await.unwrap();
    let made = client
        .post("/api/notes", &json!({ "title": "Some Milk" }))
        .await;
    assert_eq!(
        (made.status.as_u16(), &made.json()["slug"]),
        (201, &json!("some-milk"))
    );
    let spam = client.post("/api/notes", &json!({ "title": "spam" })).await;
    assert_eq!(spam.status.as_u16(), 400);
    let error = &spam.json()["errors"][0];
    assert_eq!(
        (&error["code"], &error["message"]),
        (&json!("refused"), &json!("Title is not welcome"))
    );
    assert_eq!(error["pointer"], "#/title");
    let changed = client
        .patch("/api/notes/1", &json!({ "title": "Tea" }))
        .await;
    assert_eq!(changed.json()["slug"], "tea");
    let refused = client.put("/api/notes/1/title", &json!("spam")).await;
    assert_eq!(refused.status.as_u16(), 400);
    // What the hook makes is checked like what clients send.
    let twin = client.post("/api/notes", &json!({ "title": "TEA" })).await;
    assert_eq!(
        (twin.status.as_u16(), &twin.json()["errors"][0]["field"]),
        (409, &json!("slug"))
    );
    client
        .patch("/api/notes/1", &json!({ "title": "Keep" }))
        .await;
    assert_eq!(client.delete("/api/notes/1").await.status.as_u16(), 403);
    assert_eq!(client.get("/api/notes/1").await.json()["title"], "Keep");
    assert_eq!(client.get("/api/notes").await.json()["total"], 1);
    let history = client.get("/api/notes/1/history").await.json();
    assert_eq!(history["history"].as_array().unwrap().len(), 3, "{history}");

    let service = app.service("sqlite::memory:").await.unwrap();
    let notes = Collection::of(&service, "notes").unwrap();
    let refused = notes.create(&json!({ "title": "spam" })).await.unwrap_err();
    assert_eq!(refused.to_string(), "Title is not welcome");
}

#[tokio::test]
async fn a_hook_hears_of_each_write_once_it_is_done() {
    let folder = folder(NOTES);
    let heard: Arc<Mutex<Vec<String>>> = Arc::default();
    let ears = heard.clone();
    let app = App::from_file(folder.path()).unwrap();
    let app = app
        .after("notes", move |written| {
            let ears = ears.clone();
            Box::pin(async move {
                let actor = written.actor == Actor::Anonymous;
                let line = format!(
                    "{:?} {} {} {actor}",
                    written.verb,
                    written.record.key,
                    text(written.get("title"))
                );
                ears.lock().unwrap().push(line);
            })
        })
        .unwrap();
    let client = app.client("sqlite::memory:").await.unwrap();
    client.post("/api/notes", &json!({ "title": "One" })).await;
    client.post("/api/notes", &json!({ "title": "" })).await;
    client
        .patch("/api/notes/1", &json!({ "title": "Two" }))
        .await;
    client
        .patch("/api/notes/1", &json!({ "title": "Two" }))
        .await;
    client.delete("/api/notes/1").await;
    client.delete("/api/notes/1").await;
    client
        .patch("/api/notes/1?deleted=only", &json!({ "deleted_at": null }))
        .await;
    let heard = heard.lock().unwrap().clone();
    assert_eq!(
        heard,
        [
            "Create 1 One true",
            "Update 1 Two true",
            "Delete 1 Two true",
            "Restore 1 Two true"
        ]
    );
}

#[tokio::test]
async fn a_value_that_breaks_a_rule_is_not_taken_from_a_hook_either() {
    let folder = folder(NOTES);
    let app = App::from_file(folder.path()).unwrap();
    let app = app
        .before("notes", |write| {
            Box::pin(async move {
                match text(write.get("title")).as_str() {
                    "long" => write.set("title", Value::Text("x".repeat(21))),
                    "null" => write.set("title", Value::Null),
                    "none" => write.set("titel", Value::Null),
                    _ => Ok(()),
                }
            })
        })
        .unwrap();
    let client = app.client("sqlite::memory:").await.unwrap();
    for (title, message) in [
        ("long", "Title must have at most 20 characters"),
        ("null", "Title is required"),
        ("none", "titel is no field"),
    ] {
        let reply = client.post("/api/notes", &json!({ "title": title })).await;
        assert_eq!(
            (reply.status.as_u16(), &reply.json()["error"]),
            (400, &json!(message))
        );
    }
    assert_eq!(client.get("/api/notes").await.json()["total"], 0);
}

#[test]
fn a_hook_for_what_is_not_declared_is_refused() {
    let folder = folder(NOTES);
    let app = App::from_file(folder.path().join("carafe.toml")).unwrap();
    let error = app
        .before("note", |_| Box::pin(async { Ok(()) }))
        .map(drop)
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "there is no resource \"note\"; did you mean \"notes\"?"
    );
    let missing = App::from_file("/nowhere")
        .map(drop)
        .unwrap_err()
        .to_string();
    assert!(
        missing.contains("there is no carafe.toml in /nowhere"),
        "{missing}"
    );
}

async fn count(
    axum::extract::State(service): axum::extract::State<Service>,
) -> Result<String, Refusal> {
    let notes = Collection::of(&service, "notes").expect("it is declared");
    let (_, total) = notes.list(&[]).await?;
    Ok(format!("{} notes", total.count))
}

async fn missing(
    axum::extract::State(service): axum::extract::State<Service>,
) -> Result<(), Refusal> {
    let notes = Collection::of(&service, "notes").expect("it is declared");
    notes.get("99").await.map(drop)
}

fn routes() -> Router<Service> {
    Router::new()
        .route("/count", get(count))
        .route("/missing", get(missing))
        .route(
            "/panic",
            get(async || -> &'static str { panic!("the cause") }),
        )
        .route(
            "/slow",
            get(async || std::future::pending::<&'static str>().await),
        )
        .route("/page", get(async || axum::response::Html("<p>Hello</p>")))
        .route(
            "/echo",
            post(async |JsonBody(body): JsonBody| body.to_string()),
        )
        // Before Carafe's own.
        .route("/api/notes/special", get(async || "special"))
}

#[tokio::test]
async fn own_routes_are_answered_with_the_care_of_declared_ones() {
    let folder = folder(&format!(
        "{NOTES}\n[limits]\nrequest = \"1 s\"\nbody = \"1 KiB\"\n"
    ));
    let app = App::from_file(folder.path()).unwrap().routes(routes());
    let client = app.client("sqlite::memory:").await.unwrap();
    client.post("/api/notes", &json!({ "title": "One" })).await;
    assert_eq!(client.get("/count").await.text(), "1 notes");
    assert_eq!(client.get("/api/notes/special").await.text(), "special");
    assert_eq!(client.get("/api/notes/1").await.json()["title"], "One");
    for (path, status, error) in [
        ("/missing", 404, "Resource not found"),
        ("/panic", 500, "Internal server error"),
        ("/slow", 503, "The answer took too long"),
    ] {
        let reply = client.get(path).await;
        assert_eq!(
            (reply.status.as_u16(), &reply.json()["error"]),
            (status, &json!(error)),
            "{path}"
        );
        assert_eq!(
            reply.header("content-type"),
            "application/problem+json",
            "{path}"
        );
        let id = reply.header("x-request-id");
        assert_eq!(reply.json()["instance"], format!("urn:uuid:{id}"), "{path}");
        assert!(!reply.text().contains("the cause"));
    }
    let page = client.get("/page").await;
    assert!(
        page.header("content-security-policy")
            .contains("style-src 'self'")
    );
    for (kind, body, status) in [
        ("application/json", "{\"a\":1}".to_owned(), 200),
        ("application/json", "{\"a\":".to_owned(), 400),
        ("application/json", "{\"a\":1,\"a\":2}".to_owned(), 400),
        ("application/json", "[".repeat(100) + &"]".repeat(100), 400),
        ("application/json", format!("\"{}\"", "x".repeat(1024)), 413),
        ("text/plain", "{}".to_owned(), 415),
    ] {
        let request = axum::http::Request::post("/echo").header("content-type", kind);
        let reply = client
            .send(request.body(body.clone().into()).unwrap())
            .await;
        assert_eq!(
            reply.status.as_u16(),
            status,
            "{kind} {body}: {}",
            reply.text()
        );
        if status != 200 {
            assert!(
                !reply.json()["error"].as_str().unwrap().is_empty(),
                "{}",
                reply.text()
            );
        }
    }
}

#[tokio::test]
async fn an_application_can_be_a_part_of_another_router() {
    let folder = folder(NOTES);
    let app = App::from_file(folder.path()).unwrap();
    assert!(app.into_router("sqlite::memory:", b"short").await.is_err());
    let app = App::from_file(folder.path()).unwrap().routes(routes());
    let router = app.into_router("sqlite::memory:", &[7; 32]).await.unwrap();
    let whole = Router::new()
        .route("/outer", get(async || "outer"))
        .fallback_service(router);
    let ask = |path: &'static str| {
        let request = axum::http::Request::get(path).header("host", "localhost");
        tower::ServiceExt::oneshot(
            whole.clone(),
            request.body(axum::body::Body::empty()).unwrap(),
        )
    };
    for (path, status) in [
        ("/outer", 200),
        ("/count", 200),
        ("/api/notes", 200),
        ("/notes", 200),
        ("/none", 404),
    ] {
        assert_eq!(ask(path).await.unwrap().status().as_u16(), status, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hooks_hold_under_races() {
    let folder = folder(
        "[resources.counters.fields]\nn = { type = \"integer\", default = 0 }\nseen = { type = \"integer\", default = 0 }\n",
    );
    let app = App::from_file(folder.path()).unwrap();
    let app = app
        .before("counters", |write| {
            Box::pin(async move {
                let n = match write
                    .current
                    .as_ref()
                    .map(|record| record.values[1].clone())
                {
                    Some(Value::Integer(n)) => n,
                    _ => 0,
                };
                write.set("seen", Value::Integer(n + 1))
            })
        })
        .unwrap();
    let client = app.client("sqlite::memory:").await.unwrap();
    client.post("/api/counters", &json!({ "n": 0 })).await;
    let writes = (1..=40).map(|n| {
        let client = client.clone();
        tokio::spawn(async move {
            client
                .patch("/api/counters/1", &json!({ "n": n }))
                .await
                .status
        })
    });
    for write in writes.collect::<Vec<_>>() {
        assert_eq!(write.await.unwrap().as_u16(), 200);
    }
    assert_eq!(client.get("/api/counters/1").await.json()["seen"], 41);
}
