//! What holds for every answer: header fields, caching, problems (contract 38, 89 to 102, 122,
//! 127 to 135).

use serde_json::json;

use crate::support::{Reply, TestApp};

/// One answer of every kind.
async fn answers(app: &TestApp) -> Vec<(String, Reply)> {
    app.post(
        "/api/notes",
        json!({ "title": "a", "content": "<script>alert(1)</script>" }),
    )
    .await;
    let tag = app.get("/api/notes/1").await.header("etag").to_owned();
    let mut answers = Vec::new();
    let mut add = |name: &str, reply: Reply| answers.push((name.to_owned(), reply));
    for path in [
        "/api/notes",
        "/api/notes/1",
        "/api/notes/9",
        "/api/nothing",
        "/api/notes/search",
        "/",
        "/notes",
        "/notes/1",
        "/notes/new",
        "/notes/1/edit",
        "/notes/1/delete",
        "/nothing",
        "/notes/9",
        "/problems/validation",
        "/problems/nothing",
        "/static/nothing.css",
    ] {
        add(path, app.get(path).await);
    }
    add(
        "304",
        app.request("GET", "/api/notes/1")
            .header("if-none-match", &tag)
            .send()
            .await,
    );
    add(
        "406",
        app.request("GET", "/api/notes")
            .header("accept", "image/png")
            .send()
            .await,
    );
    add("405", app.request("PATCH", "/api/notes").send().await);
    add("501", app.request("FROB", "/api/notes").send().await);
    add("400", app.post("/api/notes", json!({ "title": 7 })).await);
    add(
        "malformed",
        app.request("POST", "/api/notes")
            .header("content-type", "application/json")
            .body("{")
            .send()
            .await,
    );
    add(
        "415",
        app.request("POST", "/api/notes").body("x").send().await,
    );
    add(
        "412",
        app.request("DELETE", "/api/notes/1")
            .header("if-match", "\"x\"")
            .send()
            .await,
    );
    add("options", app.request("OPTIONS", "/api/notes").send().await);
    add(
        "201",
        app.post("/api/notes", json!({ "title": "a", "content": "b" }))
            .await,
    );
    add("delete", app.request("DELETE", "/api/notes/2").send().await);
    add(
        "bad form",
        app.request("POST", "/notes/new")
            .header("content-type", "application/x-www-form-urlencoded")
            .body("title=a")
            .send()
            .await,
    );
    answers
}

#[tokio::test]
async fn every_answer_has_the_security_fields_a_date_and_an_id() {
    let app = TestApp::notes().await;
    for (name, reply) in answers(&app).await {
        assert_eq!(reply.header("x-content-type-options"), "nosniff", "{name}");
        assert_eq!(reply.header("x-frame-options"), "DENY", "{name}");
        assert!(!reply.header("referrer-policy").is_empty(), "{name}");
        assert_eq!(
            reply.header("cross-origin-opener-policy"),
            "same-origin",
            "{name}"
        );
        let policy = reply.header("content-security-policy");
        assert!(
            policy.starts_with("default-src 'none'") && policy.contains("frame-ancestors 'none'"),
            "{name}: {policy}"
        );
        assert!(!policy.contains("unsafe"), "{name}: {policy}");
        assert!(reply.has("date") && !reply.has("server"), "{name}");
        assert!(
            !reply.has("strict-transport-security"),
            "{name}: HSTS over plain HTTP"
        );
        assert_eq!(reply.header("x-request-id").len(), 36, "{name}");
        assert!(reply.header("vary").contains("Accept"), "{name}");
        assert!(!reply.header("cache-control").is_empty(), "{name}");
        assert!(!reply.has("content-range"), "{name}");
        match reply.status {
            204 | 304 => assert!(
                !reply.has("content-length") && reply.body.is_empty(),
                "{name}"
            ),
            _ => assert_eq!(
                reply.header("content-length"),
                reply.body.len().to_string(),
                "{name}"
            ),
        }
        if !reply.body.is_empty() {
            let kind = reply.header("content-type");
            assert!(
                [
                    "application/json",
                    "application/problem+json",
                    "text/html; charset=utf-8"
                ]
                .contains(&kind),
                "{name}: {kind}"
            );
        }
    }
}

#[tokio::test]
async fn every_refusal_of_the_api_is_a_problem() {
    let app = TestApp::notes().await;
    let mut titles = std::collections::HashMap::new();
    for (name, reply) in answers(&app).await {
        if reply.status < 400 || reply.header("content-type") != "application/problem+json" {
            assert!(
                reply.status < 400 || reply.header("content-type").starts_with("text/html"),
                "{name}"
            );
            continue;
        }
        assert_eq!(reply.header("cache-control"), "no-store", "{name}");
        let problem = reply.json();
        assert_eq!(problem["status"], reply.status, "{name}");
        for member in ["type", "title", "detail", "instance", "error"] {
            assert!(
                problem[member]
                    .as_str()
                    .is_some_and(|text| !text.is_empty()),
                "{name}: {member}"
            );
        }
        assert_eq!(
            problem["instance"],
            format!("urn:uuid:{}", reply.header("x-request-id")),
            "{name}"
        );
        let kind = problem["type"].as_str().unwrap().to_owned();
        if kind != "about:blank" {
            let page = app.get(&kind).await;
            assert_eq!(
                (page.status, page.header("content-type")),
                (200, "text/html; charset=utf-8"),
                "{kind}"
            );
            let title = titles
                .entry(kind.clone())
                .or_insert_with(|| problem["title"].clone());
            assert_eq!(*title, problem["title"], "{kind}");
        }
        for secret in ["SQLITE", "sqlite", "panicked", "/src/", "rusqlite", "::"] {
            assert!(!reply.text().contains(secret), "{name}: {}", reply.text());
        }
    }
}

#[tokio::test]
async fn nothing_but_what_is_public_is_served() {
    let app = TestApp::notes().await;
    for path in [
        "/.git/config",
        "/.env",
        "/carafe.toml",
        "/data.db",
        "/data.db-wal",
        "/secret.key",
        "/static/../carafe.toml",
        "/static/..%2fcarafe.toml",
        "/static/%2e%2e/carafe.toml",
        "/static/%252e%252e/carafe.toml",
        "/static//etc/passwd",
        "/static/.hidden",
        "/static/..\\carafe.toml",
        "/static/",
        "/api/../carafe.toml",
    ] {
        let reply = app
            .raw(&format!(
                "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
            ))
            .await;
        assert!(
            reply.starts_with("HTTP/1.1 404"),
            "{path}: {}",
            reply.lines().next().unwrap_or_default()
        );
    }
}

#[tokio::test]
async fn other_origins_are_allowed_only_where_declared() {
    let none = TestApp::notes().await;
    let reply = none
        .request("GET", "/api/notes")
        .header("origin", "https://evil.example")
        .send()
        .await;
    assert!(!reply.has("access-control-allow-origin"));
    let fields = "[resources.notes.fields]\ntitle = { type = \"string\" }\n";
    let any = TestApp::new(&format!("[api]\ncors = [\"*\"]\n{fields}")).await;
    let reply = any
        .request("GET", "/api/notes")
        .header("origin", "https://a.example")
        .send()
        .await;
    assert_eq!(reply.header("access-control-allow-origin"), "*");
    assert!(!reply.has("access-control-allow-credentials"));
    assert!(
        reply
            .header("access-control-expose-headers")
            .contains("X-Total-Count")
    );
    let some = TestApp::new(&format!("[api]\ncors = [\"https://a.example\"]\n{fields}")).await;
    for (origin, expected) in [
        ("https://a.example", true),
        ("https://sub.a.example", false),
        ("null", false),
        ("https://a.example.evil", false),
        ("http://a.example", false),
    ] {
        let reply = some
            .request("GET", "/api/notes")
            .header("origin", origin)
            .send()
            .await;
        assert_eq!(
            reply.has("access-control-allow-origin"),
            expected,
            "{origin}"
        );
        assert!(
            reply
                .headers
                .get_all("vary")
                .iter()
                .any(|vary| vary.to_str().unwrap().contains("Origin"))
        );
        let preflight = some
            .request("OPTIONS", "/api/notes/1")
            .header("origin", origin)
            .header("access-control-request-method", "PATCH");
        let preflight = preflight.send().await;
        assert_eq!(
            preflight.has("access-control-allow-methods"),
            expected,
            "{origin}"
        );
    }
    some.post("/api/notes", json!({ "title": "a" })).await;
    let preflight = some
        .request("OPTIONS", "/api/notes/1")
        .header("origin", "https://a.example")
        .header("access-control-request-method", "PATCH")
        .send()
        .await;
    assert!(
        preflight
            .header("access-control-allow-methods")
            .contains("PATCH")
    );
    assert!(
        preflight
            .header("access-control-allow-headers")
            .contains("If-Match")
    );
}

#[tokio::test]
async fn get_and_head_change_nothing() {
    let app = TestApp::notes().await;
    answers(&app).await;
    let before = app.get("/api/notes").await.text();
    for path in [
        "/api/notes",
        "/api/notes/1",
        "/notes",
        "/notes/1",
        "/notes/new",
        "/notes/1/edit",
        "/notes/1/delete",
        "/",
    ] {
        for method in ["GET", "HEAD"] {
            assert_eq!(
                app.request(method, path).send().await.status,
                200,
                "{method} {path}"
            );
        }
    }
    assert_eq!(app.get("/api/notes").await.text(), before);
}

#[tokio::test]
async fn over_https_cookies_are_bound_to_it() {
    let app = TestApp::notes_at("https://notes.example.org").await;
    let page = app.get("/notes/new").await;
    let cookie = page.header("set-cookie");
    assert!(
        cookie.starts_with("__Host-") && cookie.contains("Secure"),
        "{cookie}"
    );
    assert_eq!(page.header("strict-transport-security"), "max-age=31536000");
    // The browser names the public address, whatever the proxy makes of Host.
    let values = [("title", "a"), ("content", "b")];
    let made = app
        .submit_from("https://notes.example.org", &page, "/notes/new", &values)
        .await;
    assert_eq!(made.status, 303, "{}", made.text());
    let evil = app
        .submit_from("https://evil.example", &page, "/notes/new", &values)
        .await;
    assert_eq!(evil.status, 400);
}

#[tokio::test]
async fn a_range_is_ignored() {
    let app = TestApp::notes().await;
    app.post("/api/notes", json!({ "title": "a", "content": "b" }))
        .await;
    for path in ["/api/notes", "/api/notes/1", "/notes"] {
        let whole = app.get(path).await;
        let reply = app
            .request("GET", path)
            .header("range", "bytes=0-4")
            .send()
            .await;
        assert_eq!(
            (reply.status, reply.body.len()),
            (200, whole.body.len()),
            "{path}"
        );
    }
}

#[tokio::test]
async fn what_http_forbids_is_a_problem_too() {
    let app = TestApp::notes().await;
    let cases = [
        ("GET /api/notes HTTP/1.1\r\n\r\n", "400"),
        (
            "GET /api/notes HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
            "400",
        ),
        ("GET /api/notes HTTP/1.1\r\nHost: a b\r\n\r\n", "400"),
        (
            "POST /api/notes HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
            "501",
        ),
        ("TRACE /api/notes HTTP/1.1\r\nHost: a\r\n\r\n", "405"),
    ];
    for (text, status) in cases {
        let text = text.replacen("\r\n", "\r\nConnection: close\r\n", 1);
        let reply = app.raw(&text).await;
        assert!(
            reply.starts_with(&format!("HTTP/1.1 {status}")),
            "{text}: {reply}"
        );
        assert!(
            reply.contains("application/problem+json") && reply.contains("\"error\":\""),
            "{text}: {reply}"
        );
    }
    let long = format!(
        "GET /api/notes?title={} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        "x".repeat(9000)
    );
    assert!(app.raw(&long).await.starts_with("HTTP/1.1 414"));
    let many: String = (0..200)
        .map(|number| format!("X-{number}: y\r\n"))
        .collect();
    let many = format!("GET /api/notes HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{many}\r\n");
    assert!(app.raw(&many).await.starts_with("HTTP/1.1 431"));
    let star = app
        .raw("OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        .await;
    assert!(star.starts_with("HTTP/1.1 204"), "{star}");
}

#[tokio::test]
async fn a_refusal_before_the_body_is_read_reaches_the_client() {
    let app = TestApp::notes().await;
    let body = format!("{{\"title\":\"{}\"}}", "x".repeat(900_000));
    let request = format!(
        "PUT /api/notes/99 HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let next = "GET /api/notes HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let answers = app.raw(&format!("{request}{next}")).await;
    assert!(
        answers.starts_with("HTTP/1.1 404") && answers.contains("HTTP/1.1 200"),
        "{answers:.300}"
    );
}

#[tokio::test]
async fn a_form_is_urlencoded_utf_8() {
    let app = TestApp::notes().await;
    let form = |kind: &str, body: &str| {
        let request = app
            .request("POST", "/notes/new")
            .header("origin", &app.base);
        let request = if kind.is_empty() {
            request
        } else {
            request.header("content-type", kind)
        };
        request.body(body.to_owned()).send()
    };
    for kind in [
        "text/plain",
        "application/json",
        "multipart/form-data; boundary=x",
        "",
        "application/x-www-form-urlencoded; charset=iso-8859-1",
    ] {
        assert_eq!(form(kind, "title=a&content=b").await.status, 415, "{kind}");
    }
    let bytes = form("application/x-www-form-urlencoded", "title=a%ffb&content=b").await;
    assert_eq!(
        (bytes.status, bytes.text().contains("not UTF-8")),
        (400, true)
    );
}

#[tokio::test]
async fn places_that_can_only_be_read_say_so() {
    let app = TestApp::notes().await;
    for path in ["/problems/validation", "/static/carafe.css"] {
        let options = app.request("OPTIONS", path).send().await;
        assert_eq!(
            (options.status, options.header("allow")),
            (204, "GET, HEAD, OPTIONS"),
            "{path}"
        );
        assert_eq!(app.request("POST", path).send().await.status, 405, "{path}");
    }
    assert_eq!(
        app.request("POST", "/api/notes/abc").send().await.status,
        405
    );
    assert_eq!(
        app.request("OPTIONS", "/api/notes/abc").send().await.status,
        204
    );
    let picture = app
        .request("GET", "/notes")
        .header("accept", "image/png")
        .send()
        .await;
    assert_eq!(
        (picture.status, picture.header("content-type")),
        (406, "text/html; charset=utf-8")
    );
    assert_eq!(
        app.get("/%61pi/n%6ftes").await.status,
        200,
        "escapes of plain letters are the letters"
    );
}

#[tokio::test]
async fn a_file_of_the_application_revalidates_in_every_coding() {
    let app = TestApp::with_templates(
        "[resources.notes.fields]\ntitle = { type = \"string\" }\n",
        &[("../static/my.css", &"a { color: red }\n".repeat(200))],
    )
    .await;
    for coding in ["identity", "gzip", "br", "zstd"] {
        let request = || {
            app.request("GET", "/static/my.css")
                .header("accept-encoding", coding)
        };
        let file = request().send().await;
        assert_eq!(
            (file.status, file.header("content-type")),
            (200, "text/css; charset=utf-8")
        );
        let tag = file.header("etag").to_owned();
        for known in [
            tag.clone(),
            format!("W/{tag}"),
            format!("\"x\", {tag}"),
            "*".to_owned(),
        ] {
            let again = request().header("if-none-match", &known).send().await;
            assert_eq!(again.status, 304, "{coding}: {known}");
        }
        assert_eq!(
            request()
                .header("if-none-match", "\"x\"")
                .send()
                .await
                .status,
            200
        );
    }
}
