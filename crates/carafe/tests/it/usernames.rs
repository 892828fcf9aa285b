//! `apps/usernames`: reference application 001, the PUT lesson.

use serde_json::json;

use crate::support::TestApp;

#[tokio::test]
async fn three_users_are_there_at_first() {
    let app = TestApp::of("usernames").await;
    let users = json!([
        { "id": 1, "username": "cosmo" },
        { "id": 2, "username": "jake" },
        { "id": 3, "username": "emma" },
    ]);
    assert_eq!(app.get("/users").await.json(), users);
    assert_eq!(app.get("/users/2").await.json(), users[1]);
    let made = app.post("/users", json!({ "username": "ann" })).await;
    assert_eq!(
        (made.status, made.json()),
        (201, json!({ "id": 4, "username": "ann" }))
    );
    assert_eq!(made.header("location"), "/users/4");
}

#[tokio::test]
async fn a_put_changes_the_username_of_the_user_that_the_address_names() {
    let app = TestApp::of("usernames").await;
    let put =
        |path: &'static str, body: serde_json::Value| app.request("PUT", path).json(body).send();
    let changed = put(
        "/users/1",
        json!({ "username": "kramer", "id": 9, "admin": true }),
    )
    .await;
    assert_eq!(
        (changed.status, changed.json()),
        (200, json!({ "id": 1, "username": "kramer" }))
    );
    assert_eq!(changed.header("content-type"), "application/json");
    let absent = put("/users/99", json!({ "username": "x" })).await;
    assert_eq!(
        (absent.status, &absent.json()["error"]),
        (404, &json!("User not found"))
    );
    for path in ["/users/abc", "/users/1.0", "/users/-1", "/users/01"] {
        assert_eq!(
            put(path, json!({ "username": "x" })).await.status,
            404,
            "{path}"
        );
    }
    assert_eq!(app.get("/users/99").await.json()["error"], "User not found");
    assert_eq!(
        app.get("/users").await.json().as_array().unwrap().len(),
        3,
        "PUT does not create"
    );
}

#[tokio::test]
async fn a_put_without_a_username_is_refused() {
    let app = TestApp::of("usernames").await;
    for (body, error) in [
        (r#"{"name":"x"}"#, "Username is required"),
        (r#"{"username":null}"#, "Username is required"),
        (r#"{"username":"  "}"#, "Username is required"),
        (r#"{"username":5}"#, "Username must be text"),
        ("{}", "No data provided"),
        ("[]", "The body must be a JSON object"),
        ("\"x\"", "The body must be a JSON object"),
        ("{", "Bad request"),
    ] {
        let request = app
            .request("PUT", "/users/1")
            .header("content-type", "application/json");
        let reply = request.body(body).send().await;
        assert_eq!(
            (reply.status, &reply.json()["error"]),
            (400, &json!(error)),
            "{body}"
        );
    }
    assert_eq!(app.get("/users/1").await.json()["username"], "cosmo");
}

#[tokio::test]
async fn other_methods_are_not_there() {
    let app = TestApp::of("usernames").await;
    for method in ["PATCH", "DELETE", "POST"] {
        let reply = app.request(method, "/users/1").json(json!({})).send().await;
        assert_eq!(
            (reply.status, reply.header("allow")),
            (405, "GET, HEAD, PUT, OPTIONS"),
            "{method}"
        );
    }
}

#[tokio::test]
async fn one_address_is_json_for_programs_and_a_page_for_people() {
    let app = TestApp::of("usernames").await;
    for accept in [
        "*/*",
        "application/json",
        "application/json, text/plain, */*",
    ] {
        let reply = app
            .request("GET", "/users")
            .header("accept", accept)
            .send()
            .await;
        assert_eq!(reply.header("content-type"), "application/json", "{accept}");
    }
    let page = app.get_html("/users").await;
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    assert!(page.text().contains("cosmo") && page.header("vary").contains("Accept"));
}
