//! What probes are told.

use serde_json::json;

use crate::support::TestApp;

#[tokio::test]
async fn a_server_that_works_is_live_and_ready() {
    let app = TestApp::notes().await;
    let checks = json!({ "database": "ok", "migrations": "ok", "serving": "ok" });
    for (path, expected) in [
        ("/health/live", json!({ "status": "live" })),
        (
            "/health/ready",
            json!({ "status": "ready", "checks": checks }),
        ),
    ] {
        let reply = app.get(path).await;
        assert_eq!((reply.status, reply.json()), (200, expected), "{path}");
        assert_eq!(reply.header("content-type"), "application/json", "{path}");
        assert_eq!(reply.header("cache-control"), "no-store", "{path}");
        let head = app.request("HEAD", path).send().await;
        assert_eq!(
            (head.status, head.header("content-length")),
            (200, reply.header("content-length")),
            "{path}"
        );
        for (method, status) in [("OPTIONS", 204), ("POST", 405), ("DELETE", 405)] {
            let reply = app.request(method, path).send().await;
            assert_eq!(
                (reply.status, reply.header("allow")),
                (status, "GET, HEAD, OPTIONS"),
                "{method} {path}"
            );
        }
    }
    assert_eq!(app.get("/health").await.status, 404);
}

#[tokio::test]
async fn probes_are_answered_where_the_api_is_at_the_root() {
    let app = TestApp::of("users").await;
    let reply = app.get_html("/health/ready").await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("content-type"), "application/json");
}
