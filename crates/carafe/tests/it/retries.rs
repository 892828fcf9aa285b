//! Requests that are sent again: `Idempotency-Key` (contract 103 to 106).

use serde_json::{Value, json};

use crate::support::{Reply, TestApp};

const ORDERS: &str = r#"
[resources.orders]
[resources.orders.fields]
item   = { type = "string" }
amount = { type = "number", default = 0.1 }
paid   = { type = "boolean", default = false }
secret = { type = "password", optional = true }
made   = { type = "datetime", set = "create" }

[resources.codes]
key = { field = "code", type = "string" }
[resources.codes.fields]
text = { type = "string", optional = true }

[resources.drafts]
kind = "document"
"#;

fn post(
    app: &TestApp,
    path: &str,
    key: &str,
    body: &Value,
) -> impl Future<Output = Reply> + Send + use<> {
    let request = app.request("POST", path).header("idempotency-key", key);
    request.json(body.clone()).send()
}

#[tokio::test]
async fn a_repetition_gives_the_first_answer_and_creates_nothing() {
    let app = TestApp::new(ORDERS).await;
    let order = json!({ "item": "Tea", "amount": 12.5, "secret": "hush-hush" });
    let first = post(&app, "/api/orders", "\"k1\"", &order).await;
    assert_eq!(first.status, 201);
    app.request("PATCH", "/api/orders/1")
        .json(json!({ "item": "Coffee" }))
        .send()
        .await;
    app.tick();
    let again = post(&app, "/api/orders", "\"k1\"", &order).await;
    assert_eq!((again.status, again.json()), (201, first.json()));
    for name in ["location", "etag"] {
        assert_eq!(again.header(name), first.header(name), "{name}");
    }
    app.request("DELETE", "/api/orders/1").send().await;
    assert_eq!(
        post(&app, "/api/orders", "\"k1\"", &order).await.json(),
        first.json()
    );
    assert_eq!(app.get("/api/orders").await.json()["total"], 0);
    let other = post(&app, "/api/orders", "\"k2\"", &order).await;
    assert_eq!((other.status, &other.json()["id"]), (201, &json!(2)));
    let code = json!({ "code": "a b" });
    let named = post(&app, "/api/codes", "\"k3\"", &code).await;
    let again = post(&app, "/api/codes", "\"k3\"", &code).await;
    assert_eq!(
        (again.status, again.header("location")),
        (201, named.header("location"))
    );
    let draft = post(&app, "/api/drafts/d", "\"k4\"", &json!({ "n": 1.50 })).await;
    let again = post(&app, "/api/drafts/d", "\"k4\"", &json!({ "n": 1.50 })).await;
    assert_eq!((again.status, again.text()), (201, draft.text()));
}

#[tokio::test]
async fn a_key_is_of_one_request() {
    let app = TestApp::new(ORDERS).await;
    let order = json!({ "item": "Tea" });
    assert_eq!(post(&app, "/api/orders", "\"k\"", &order).await.status, 201);
    for (path, body) in [
        ("/api/orders", json!({ "item": "Coffee" })),
        ("/api/codes", json!({ "code": "x" })),
        ("/api/drafts/d", json!({ "item": "Tea" })),
    ] {
        let reply = post(&app, path, "\"k\"", &body).await;
        assert_eq!(
            (reply.status, &reply.json()["type"]),
            (400, &json!("/problems/key-reused")),
            "{path}"
        );
    }
    for key in ["k", "\"\"", "\"k", "5"] {
        let reply = post(&app, "/api/orders", key, &order).await;
        assert_eq!(
            (reply.status, &reply.json()["errors"][0]["header"]),
            (400, &json!("Idempotency-Key")),
            "{key}"
        );
    }
    assert_eq!(app.get("/api/orders").await.json()["total"], 1);
    assert_eq!(app.get("/problems/key-reused").await.status, 200);
}

#[tokio::test]
async fn what_was_refused_can_be_sent_again_corrected() {
    let app = TestApp::new(ORDERS).await;
    let refused = post(&app, "/api/orders", "\"k\"", &json!({ "item": 5 })).await;
    assert_eq!(refused.status, 400);
    assert_eq!(
        post(&app, "/api/orders", "\"k\"", &json!({ "item": "Tea" }))
            .await
            .status,
        201
    );
}

#[tokio::test]
async fn a_key_is_forgotten_after_a_day_and_outlives_a_restart() {
    let app = TestApp::new(ORDERS).await;
    let order = json!({ "item": "Tea" });
    assert_eq!(
        post(&app, "/api/orders", "\"k\"", &order).await.json()["id"],
        1
    );
    let app = app.restart().await;
    assert_eq!(
        post(&app, "/api/orders", "\"k\"", &order).await.json()["id"],
        1
    );
    app.advance(24 * 60 * 60 - 1);
    assert_eq!(
        post(&app, "/api/orders", "\"k\"", &order).await.json()["id"],
        1
    );
    app.advance(2);
    assert_eq!(
        post(&app, "/api/orders", "\"k\"", &order).await.json()["id"],
        2
    );
    assert_eq!(
        post(&app, "/api/orders", "\"k\"", &order).await.json()["id"],
        2
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn of_twenty_at_once_there_is_one_record_and_one_answer() {
    let app = TestApp::new(ORDERS).await;
    let order = json!({ "item": "Tea" });
    let sent: Vec<_> = (0..20)
        .map(|_| tokio::spawn(post(&app, "/api/orders", "\"k\"", &order)))
        .collect();
    let mut answers = Vec::new();
    for reply in sent {
        let reply = reply.await.unwrap();
        assert_eq!(reply.status, 201, "{}", reply.text());
        answers.push(reply.text());
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
    assert_eq!(app.get("/api/orders").await.json()["total"], 1);
}
