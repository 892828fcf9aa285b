//! Limits on how many requests a client sends.

use std::time::Duration;

use carafe_web::layers::Connection;
use http::{HeaderMap, Request, StatusCode};
use serde_json::json;
use tower::ServiceExt;

use crate::support::TestApp;

const NOTES: &str = "[resources.notes.fields]\ntitle = { type = \"string\" }\n";

/// The numbers of a field's only item: of `"requests";r=1;t=20` those of r and t.
fn numbers(headers: &HeaderMap, name: &str) -> Vec<u64> {
    let item = headers[name].to_str().unwrap();
    assert!(!item.contains(','), "{item}");
    let parameters = item.split(';').skip(1);
    let numbers = parameters.map(|parameter| {
        let (name, value) = parameter.split_once('=').expect(parameter);
        assert!(name.len() == 1, "{item}");
        value.parse().expect(parameter)
    });
    numbers.collect()
}

#[tokio::test]
async fn what_is_too_much_is_refused_wherever_it_goes() {
    let app = TestApp::new(&format!("[limits]\nrate = \"4/hour\"\n{NOTES}")).await;
    for (number, (method, path)) in [
        ("GET", "/api/notes"),
        ("OPTIONS", "/api/notes"),
        ("GET", "/nothing"),
        ("GET", "/notes"),
    ]
    .into_iter()
    .enumerate()
    {
        let reply = app.request(method, path).send().await;
        assert_ne!(reply.status, 429, "{method} {path}");
        assert_eq!(numbers(&reply.headers, "ratelimit-policy"), [4, 3600]);
        let [remaining, reset] = numbers(&reply.headers, "ratelimit")[..] else {
            panic!("{:?}", reply.headers)
        };
        let used = number as u64 + 1;
        assert_eq!(remaining, 4 - used);
        assert!((used * 900 - 5..=used * 900).contains(&reset), "{reset}");
    }

    let refused = app.get("/api/notes").await;
    assert_eq!(refused.status, 429);
    assert_eq!(refused.header("content-type"), "application/problem+json");
    let problem = refused.json();
    assert_eq!(problem["type"], "/problems/rate-limited");
    assert_eq!(problem["status"], 429);
    assert_eq!(problem["error"], "Too many requests");
    let retry: u64 = refused.header("retry-after").parse().unwrap();
    assert!((895..=900).contains(&retry), "{retry}");
    let [remaining, reset] = numbers(&refused.headers, "ratelimit")[..] else {
        panic!("{:?}", refused.headers)
    };
    assert_eq!((remaining, reset), (0, retry));

    // A write is not carried out, and its sender reads the answer.
    let body = json!({ "title": "x".repeat(100_000) });
    assert_eq!(app.post("/api/notes", body).await.status, 429);
    // Nobody becomes another client by saying so.
    let forged = app.request("GET", "/api/notes");
    let forged = forged.header("x-forwarded-for", "198.51.100.1");
    let forged = forged.header("forwarded", "for=198.51.100.1").send().await;
    assert_eq!(forged.status, 429);
    let page = app.get("/notes").await;
    assert_eq!(page.status, 429);
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    assert!(page.text().contains("Too many requests"), "{}", page.text());
    assert!(page.has("retry-after"));
    // What the page needs to look like one, and what explains the refusal.
    let text = page.text();
    let (_, style) = text.split_once("href=\"/static/").unwrap();
    let style = format!("/static/{}", style.split('"').next().unwrap());
    assert_eq!(app.get(&style).await.status, 200, "{style}");
    assert_eq!(app.get("/problems/rate-limited").await.status, 200);
    assert_eq!(app.get("/health/ready").await.status, 200);
}

#[tokio::test]
async fn who_waits_as_told_is_answered() {
    let app = TestApp::new(&format!("[limits]\nrate = \"2/second\"\n{NOTES}")).await;
    let refused = loop {
        let reply = app.get("/api/notes").await;
        if reply.status == 429 {
            break reply;
        }
        assert_eq!(reply.status, 200);
    };
    let seconds: u64 = refused.header("retry-after").parse().unwrap();
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    assert_eq!(app.get("/api/notes").await.status, 200);
}

#[tokio::test]
async fn writes_have_a_rate_of_their_own() {
    let app = TestApp::new(&format!("[limits]\nwrite_rate = \"1/hour\"\n{NOTES}")).await;
    let body = json!({ "title": "a" });
    let created = app.post("/api/notes", body.clone()).await;
    assert_eq!(created.status, 201);
    assert_eq!(created.header("ratelimit"), "\"writes\";r=0;t=3600");
    assert_eq!(app.post("/api/notes", body).await.status, 429);
    for path in ["/api/notes", "/notes", "/notes/new"] {
        let read = app.get(path).await;
        assert_eq!((read.status, read.has("ratelimit")), (200, false), "{path}");
    }
    assert_eq!(app.get("/api/notes").await.json()["total"], 1);
}

#[tokio::test]
async fn where_no_rate_is_declared_nothing_is_counted() {
    let app = TestApp::new(NOTES).await;
    let reply = app.get("/api/notes").await;
    assert!(!reply.has("ratelimit") && !reply.has("ratelimit-policy"));
}

#[tokio::test]
async fn routes_of_an_applications_own_are_counted_too() {
    let folder = tempfile::tempdir().unwrap();
    let declaration = format!("[limits]\nrate = \"2/hour\"\n{NOTES}");
    std::fs::write(folder.path().join("carafe.toml"), declaration).unwrap();
    let own = carafe::axum::Router::new().route("/own", carafe::axum::routing::get(async || "own"));
    let app = carafe::App::from_file(folder.path()).unwrap().routes(own);
    let router = app.into_router("sqlite::memory:", &[7; 32]).await.unwrap();
    let statuses = async |client: Option<[u8; 4]>| {
        let mut statuses = Vec::new();
        for path in ["/own", "/api/notes", "/own"] {
            let request = Request::get(path).header("host", "localhost");
            let connection = Connection {
                secure: false,
                local: None,
                client: client.map(Into::into),
            };
            let request = request.extension(connection);
            let request = request.body(carafe::axum::body::Body::empty()).unwrap();
            let response = router.clone().oneshot(request).await.unwrap();
            assert!(response.headers().contains_key("ratelimit-policy"));
            statuses.push(response.status());
        }
        statuses
    };
    let (ok, refused) = (StatusCode::OK, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(statuses(Some([192, 0, 2, 1])).await, [ok, ok, refused]);
    assert_eq!(statuses(Some([192, 0, 2, 2])).await, [ok, ok, refused]);
    // Of what is called in the same process no client is known.
    assert_eq!(statuses(None).await, [ok, ok, ok]);
}
