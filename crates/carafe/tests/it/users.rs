//! `apps/users`: reference application 003, sections A to J and L.

use carafe::{App, Client, Collection};
use serde_json::{Value, json};

use crate::support::{TestApp, workspace};

fn users() -> App {
    App::from_file(workspace().join("apps/users")).unwrap()
}

// The service, without a web server: arrange, act, assert.

async fn service_under_test() -> Collection {
    let service = users().service("sqlite::memory:").await.unwrap();
    Collection::of(&service, "users").unwrap()
}

#[tokio::test]
async fn the_service_creates_a_user_of_valid_data() {
    let users = service_under_test().await;
    let user = users
        .create(&json!({ "email": "ann@example.org", "age": 30 }))
        .await
        .unwrap();
    assert_eq!(user["email"], "ann@example.org");
    assert!(user["id"].is_i64());
}

#[tokio::test]
async fn the_service_refuses_a_user_without_an_email() {
    let users = service_under_test().await;
    let refusal = users.create(&json!({ "age": 30 })).await.unwrap_err();
    assert!(
        refusal.to_string().contains("Email is required"),
        "{refusal}"
    );
}

// The routes, with a client of the same process.

async fn client_under_test() -> Client {
    users().client("sqlite::memory:").await.unwrap()
}

#[tokio::test]
async fn the_route_answers_201_with_the_address_and_the_user() {
    let client = client_under_test().await;
    let reply = client
        .post(
            "/api/v1/users",
            &json!({ "email": "ann@example.org", "age": 30 }),
        )
        .await;
    assert_eq!(reply.status.as_u16(), 201);
    assert!(reply.header("location").starts_with("/api/v1/users/"));
    assert_eq!(reply.header("content-type"), "application/json");
    assert_eq!(reply.json()["email"], "ann@example.org");
    let missing = client.post("/api/v1/users", &json!({ "age": 30 })).await;
    assert_eq!(missing.status.as_u16(), 400);
    assert_eq!(missing.json()["error"], "Email is required");
    assert_eq!(missing.json()["title"], "Validation failed");
}

// Through a server.

const ANN: &str =
    r#"{"email":"ann@example.org","name":"Ann","age":30,"role":"admin","status":"active"}"#;

async fn with_ann() -> TestApp {
    let app = TestApp::of("users").await;
    let ann = serde_json::from_str(ANN).unwrap();
    assert_eq!(app.post("/api/v1/users", ann).await.status, 201);
    app
}

#[tokio::test]
async fn the_workshop_is_ready() {
    let app = TestApp::of("users").await;
    let reply = app.get("/").await;
    assert_eq!(
        (reply.status, reply.text().as_str()),
        (200, "Workshop is ready.")
    );
    assert_eq!(reply.header("content-type"), "text/plain; charset=utf-8");
}

#[tokio::test]
async fn users_are_read_all_and_one() {
    let app = with_ann().await;
    let mut ann: Value = serde_json::from_str(ANN).unwrap();
    ann["id"] = json!(1);
    assert_eq!(app.get("/api/v1/users").await.json(), json!([ann]));
    assert_eq!(app.get("/api/v1/users/1").await.json(), ann);
    for path in [
        "/api/v1/users/2",
        "/api/v1/users/abc",
        "/api/v1/users/-1",
        "/api/v1/users/",
        "/api/v1/nope",
        "/api/users",
        "/api/v2/users",
    ] {
        let reply = app.get(path).await;
        assert_eq!(reply.status, 404, "{path}");
        if path.starts_with("/api/v1") {
            assert_eq!(reply.json()["error"], "Resource not found", "{path}");
        }
    }
}

#[tokio::test]
async fn put_replaces_and_patch_merges() {
    let app = with_ann().await;
    let user = "/api/v1/users/1";
    let patched = app
        .request("PATCH", user)
        .json(json!({ "email": "new@example.org" }))
        .send()
        .await;
    assert_eq!(patched.status, 200);
    let mut expected: Value = serde_json::from_str(ANN).unwrap();
    expected["id"] = json!(1);
    expected["email"] = json!("new@example.org");
    assert_eq!(patched.json(), expected, "nothing else is gone");
    let put = app
        .request("PUT", user)
        .json(json!({ "email": "whole@example.org", "name": "Ann B." }))
        .send()
        .await;
    assert_eq!(put.status, 200);
    assert_eq!(
        put.json(),
        json!({ "id": 1, "email": "whole@example.org", "name": "Ann B.", "age": null, "role": null, "status": "active" }),
        "what is not sent is gone"
    );
    let partial = app
        .request("PUT", user)
        .json(json!({ "name": "Ann" }))
        .send()
        .await;
    assert_eq!(
        (partial.status, &partial.json()["error"]),
        (400, &json!("Email is required"))
    );
    let absent = app
        .request("PUT", "/api/v1/users/9")
        .json(json!({ "email": "a@b.c" }))
        .send()
        .await;
    assert_eq!(
        (absent.status, &absent.json()["error"]),
        (404, &json!("Resource not found"))
    );
    // Activation is a patch of its state, not a verb in an address.
    let off = app
        .request("PATCH", user)
        .json(json!({ "status": "inactive" }))
        .send()
        .await;
    assert_eq!(off.json()["status"], "inactive");
    assert_eq!(
        app.post("/api/v1/users/1/activate", json!({})).await.status,
        404
    );
}

#[tokio::test]
async fn a_deleted_user_is_hidden_and_can_be_recovered() {
    let app = with_ann().await;
    app.post(
        "/api/v1/users/1/emails",
        json!({ "address": "second@example.org" }),
    )
    .await;
    assert_eq!(
        app.request("DELETE", "/api/v1/users/1").send().await.status,
        204
    );
    for path in [
        "/api/v1/users/1",
        "/api/v1/users/1/emails",
        "/api/v1/users/1/email",
        "/users/1",
    ] {
        assert_eq!(app.get(path).await.status, 404, "{path}");
    }
    assert_eq!(app.get("/api/v1/users").await.json(), json!([]));
    assert_eq!(app.get("/api/v1/users?q=ann").await.json(), json!([]));
    assert_eq!(
        app.request("DELETE", "/api/v1/users/1").send().await.status,
        404
    );
    let deleted = app.get("/api/v1/users?deleted=only").await.json();
    assert_eq!(
        (&deleted[0]["id"], deleted[0]["deleted_at"].is_string()),
        (&json!(1), true)
    );
    let second = app
        .post("/api/v1/users", json!({ "email": "b@example.org" }))
        .await;
    assert_eq!(second.json()["id"], 2, "an id is never given out twice");
    let back = app
        .request("PATCH", "/api/v1/users/1?deleted=only")
        .json(json!({ "deleted_at": null }))
        .send()
        .await;
    assert_eq!((back.status, &back.json()["name"]), (200, &json!("Ann")));
    assert_eq!(
        app.get("/api/v1/users/1/emails").await.json()[0]["address"],
        "second@example.org"
    );
}

#[tokio::test]
async fn emails_are_a_part_of_their_user() {
    let app = with_ann().await;
    let made = app
        .post(
            "/api/v1/users/1/emails",
            json!({ "address": "a@example.org" }),
        )
        .await;
    assert_eq!(
        (made.status, made.header("location")),
        (201, "/api/v1/users/1/emails/1")
    );
    assert_eq!(
        made.json(),
        json!({ "id": 1, "user": 1, "address": "a@example.org" })
    );
    let wrong = app
        .post("/api/v1/users/1/emails", json!({ "address": "no" }))
        .await;
    assert_eq!(wrong.status, 400);
    let of_nobody = app
        .post(
            "/api/v1/users/9/emails",
            json!({ "address": "a@example.org" }),
        )
        .await;
    assert_eq!(of_nobody.status, 404);
    assert_eq!(
        app.get("/api/v1/users/1/emails/1/address").await.text(),
        "\"a@example.org\""
    );
    let page = app.get("/users/1").await.text();
    for part in [
        "href=\"/users/1/emails\"",
        "href=\"/users/1/emails/1\">a@example.org<",
        "href=\"/users/1/emails/new\"",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert!(!page.contains("All "), "{page}");
    for number in 0..11 {
        app.post(
            "/api/v1/users/1/emails",
            json!({ "address": format!("n{number}@example.org") }),
        )
        .await;
    }
    let page = app.get("/users/1").await.text();
    assert!(
        page.contains("n8@example.org") && !page.contains("n9@example.org"),
        "{page}"
    );
    assert!(page.contains(">All 12<"), "{page}");
    let list = app.get("/users/1/emails").await.text();
    assert!(list.contains("a@example.org"), "{list}");
    assert_eq!(
        app.request("DELETE", "/api/v1/users/1/emails/1")
            .send()
            .await
            .status,
        204
    );
    let left = app.get("/api/v1/users/1/emails").await;
    assert_eq!(left.header("x-total-count"), "11");
}

#[tokio::test]
async fn every_error_of_the_api_is_json_with_a_sentence() {
    let app = with_ann().await;
    let users = "/api/v1/users";
    let cases = [
        (
            app.request("POST", users)
                .header("content-type", "application/json")
                .body("{"),
            400,
            "Bad request",
        ),
        (
            app.request("POST", users)
                .header("content-type", "application/json")
                .body(""),
            400,
            "No data provided",
        ),
        (
            app.request("POST", users).json(json!({})),
            400,
            "No data provided",
        ),
        (
            app.request("POST", users).json(json!([])),
            400,
            "The body must be a JSON object",
        ),
        (
            app.request("POST", users)
                .header("content-type", "text/plain")
                .body("x"),
            415,
            "The body must be JSON; send Content-Type: application/json",
        ),
        (
            app.request("PUT", users).json(json!({})),
            405,
            "PUT is not possible here",
        ),
        (
            app.request("DELETE", users),
            405,
            "DELETE is not possible here",
        ),
        (
            app.request("POST", users)
                .header("content-type", "application/json")
                .body(vec![b' '; 1024 * 1024 + 1]),
            413,
            "The body must be at most 1048576 bytes",
        ),
        (
            app.request("GET", "/api/v1/nothing"),
            404,
            "Resource not found",
        ),
        (
            app.request("POST", users)
                .json(json!({ "email": "no", "age": -1 })),
            400,
            "Email must be an e-mail address, such as ann@example.org",
        ),
    ];
    for (index, (request, status, error)) in cases.into_iter().enumerate() {
        let reply = request.send().await;
        assert_eq!(
            (reply.status, &reply.json()["error"]),
            (status, &json!(error)),
            "case {index}"
        );
        assert_eq!(
            reply.header("content-type"),
            "application/problem+json",
            "case {index}"
        );
    }
    let page = app.get("/nothing").await;
    assert_eq!(
        (page.status, page.header("content-type")),
        (404, "text/html; charset=utf-8")
    );
}

#[tokio::test]
async fn another_prefix_moves_every_route() {
    let text = std::fs::read_to_string(workspace().join("apps/users/carafe.toml")).unwrap();
    let app = TestApp::new(&text.replace("\"/api/v1\"", "[\"/api/v1\", \"/api/v2\"]")).await;
    let made = app
        .post("/api/v2/users", json!({ "email": "a@example.org" }))
        .await;
    assert_eq!(made.header("location"), "/api/v2/users/1");
    assert_eq!(
        app.get("/api/v1/users/1").await.json(),
        app.get("/api/v2/users/1").await.json()
    );
    let moved = TestApp::new(&text.replace("/api/v1", "/api/v2")).await;
    assert_eq!(moved.get("/api/v1/users").await.status, 404);
    assert_eq!(moved.get("/api/v2/users").await.status, 200);
}
