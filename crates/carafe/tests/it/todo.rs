//! `examples/todo`: a backend by declaration alone for clients of the TODO-Backend interface.

use serde_json::{Value, json};

use crate::support::{TestApp, workspace};

async fn todo() -> TestApp {
    let text = std::fs::read_to_string(workspace().join("examples/todo/carafe.toml")).unwrap();
    TestApp::new(&text).await
}

const ROOT: &str = "/api/todos";

/// The path of a record's own address.
fn path(app: &TestApp, record: &Value) -> String {
    let url = record["url"].as_str().unwrap();
    url.strip_prefix(&app.base)
        .expect("an address of this server")
        .to_owned()
}

#[tokio::test]
async fn what_the_interface_asks_for_works() {
    let app = todo().await;
    assert_eq!(app.get(ROOT).await.json(), json!([]));
    let made = app.post(ROOT, json!({ "title": "walk the dog" })).await;
    assert_eq!(made.status, 201);
    let record = made.json();
    assert_eq!(
        (&record["title"], &record["completed"]),
        (&json!("walk the dog"), &json!(false))
    );
    assert_eq!(app.get(&path(&app, &record)).await.json(), record);
    assert_eq!(app.get(ROOT).await.json(), json!([record]));
    let ordered = app
        .post(ROOT, json!({ "title": "blah", "order": 523 }))
        .await
        .json();
    assert_eq!(ordered["order"], 523);
    let place = path(&app, &ordered);
    for (change, name, value) in [
        (
            json!({ "title": "bathe the cat" }),
            "title",
            json!("bathe the cat"),
        ),
        (json!({ "completed": true }), "completed", json!(true)),
        (json!({ "order": 95 }), "order", json!(95)),
    ] {
        let patched = app.request("PATCH", &place).json(change).send().await;
        assert_eq!((patched.status, &patched.json()[name]), (200, &value));
        assert_eq!(app.get(&place).await.json()[name], value);
    }
    // A client sends back all that it has, its own members among it.
    let mut whole = app.get(&place).await.json();
    whole["editing"] = json!(true);
    whole["title"] = json!("all of it");
    let patched = app.request("PATCH", &place).json(whole).send().await;
    assert_eq!(
        (patched.status, &patched.json()["title"]),
        (200, &json!("all of it"))
    );
    assert_eq!(app.request("DELETE", &place).send().await.status, 204);
    assert_eq!(app.get(&place).await.status, 404);
    assert_eq!(app.request("DELETE", ROOT).send().await.status, 204);
    assert_eq!(app.get(ROOT).await.json(), json!([]));
}

#[tokio::test]
async fn browsers_of_any_origin_may_ask() {
    let app = todo().await;
    for method in ["GET", "POST", "DELETE"] {
        let preflight = app
            .request("OPTIONS", ROOT)
            .header("origin", "https://client.example")
            .header("access-control-request-method", method)
            .header("access-control-request-headers", "content-type")
            .send()
            .await;
        assert!(matches!(preflight.status, 200 | 204), "{method}");
        assert_eq!(
            preflight.header("access-control-allow-origin"),
            "*",
            "{method}"
        );
        let methods = preflight.header("access-control-allow-methods");
        assert!(methods.contains(method), "{method}: {methods}");
        assert!(
            preflight
                .header("access-control-allow-headers")
                .to_lowercase()
                .contains("content-type")
        );
    }
    let list = app
        .request("GET", ROOT)
        .header("origin", "https://client.example")
        .send()
        .await;
    assert_eq!(list.header("access-control-allow-origin"), "*");
    assert!(!list.has("access-control-allow-credentials"));
}
