//! Bodies, types and negotiation (contract 27 to 47).

use serde_json::{Value, json};

use crate::support::TestApp;

const EVERYTHING: &str = r#"
[resources.things]
[resources.things.fields]
name     = { type = "string", optional = true }
body     = { type = "text", optional = true }
count    = { type = "integer", optional = true }
ratio    = { type = "number", optional = true }
price    = { type = "decimal", optional = true }
flag     = { type = "boolean", optional = true }
day      = { type = "date", optional = true }
moment   = { type = "datetime", optional = true }
mail     = { type = "email", optional = true }
link     = { type = "url", optional = true }
token    = { type = "uuid", optional = true }
shelf    = { type = "choice", one_of = ["a", "b"], optional = true }
secret   = { type = "password", optional = true, min_length = 4 }
data     = { type = "json", optional = true }
required = { type = "string", default = "r" }
made     = { type = "datetime", set = "create" }
"#;

#[tokio::test]
async fn values_are_checked_strictly_and_come_back_exactly() {
    let app = TestApp::new(EVERYTHING).await;
    let ok =
        |field: &'static str, sent: &'static str, stored: &'static str| (field, sent, Some(stored));
    let bad = |field: &'static str, sent: &'static str| (field, sent, None);
    let cases = [
        ok(
            "name",
            r#""a \"b\" \\ é 👩‍👩‍👧 \u0041""#,
            r#""a \"b\" \\ é 👩‍👩‍👧 A""#,
        ),
        bad("name", r#""a\u0000b""#),
        bad("name", r#""a\nb""#),
        bad("name", r#""\ud800""#),
        bad("name", "7"),
        bad("name", "true"),
        bad("name", "[]"),
        ok("name", r#""\ufffe""#, "\"\u{fffe}\""),
        ok("body", r#""a\n\tb""#, r#""a\n\tb""#),
        bad("body", r#""a\u0000b""#),
        ok("count", "1.0", "1"),
        ok("count", "1e2", "100"),
        ok("count", "-9223372036854775808", "-9223372036854775808"),
        bad("count", "9223372036854775808"),
        bad("count", "12345678901234567890"),
        bad("count", "1.5"),
        bad("count", "\"1\""),
        bad("count", "true"),
        bad("count", "1e400"),
        ok("ratio", "0.1", "0.1"),
        ok("ratio", "1e300", "1e300"),
        ok("ratio", "3", "3.0"),
        ok("ratio", "-0.0", "0.0"),
        bad("ratio", "1e400"),
        bad("ratio", "12345678901234567890"),
        bad("ratio", "\"1\""),
        ok("price", "\"12.5\"", "\"12.50\""),
        bad("price", "12.5"),
        bad("price", "\"12.505\""),
        bad("price", "\"1e2\""),
        ok("flag", "true", "true"),
        bad("flag", "1"),
        bad("flag", "\"true\""),
        ok("day", "\"2024-02-29\"", "\"2024-02-29\""),
        bad("day", "\"2023-02-29\""),
        ok(
            "moment",
            "\"2016-12-31T23:59:60Z\"",
            "\"2016-12-31T23:59:59.999999Z\"",
        ),
        ok(
            "moment",
            "\"2026-01-01T00:00:00+14:00\"",
            "\"2025-12-31T10:00:00.000000Z\"",
        ),
        bad("moment", "\"2026-01-01T24:00:00Z\""),
        bad("moment", "\"2026-01-01T00:00:00\""),
        ok("mail", "\"a@b.c\"", "\"a@b.c\""),
        bad("mail", "\"a b@c\""),
        ok(
            "link",
            "\"https://example.org/?q=1\"",
            "\"https://example.org/?q=1\"",
        ),
        bad("link", "\"javascript:alert(1)\""),
        ok(
            "token",
            "\"01939F3E-0B7A-7C3E-9D1B-2F6D4C5E8A10\"",
            "\"01939f3e-0b7a-7c3e-9d1b-2f6d4c5e8a10\"",
        ),
        bad("token", "\"x\""),
        ok("shelf", "\"a\"", "\"a\""),
        bad("shelf", "\"c\""),
        ok(
            "data",
            r#"{ "a" : [ 1.10, 12345678901234567890123, null ] }"#,
            r#"{"a":[1.10,12345678901234567890123,null]}"#,
        ),
        ok("data", "\"text\"", "\"text\""),
        bad("data", r#"{"a":1,"a":2}"#),
        bad("data", r#"["\ud800"]"#),
        bad("required", "null"),
        ok("name", "null", "null"),
        ok("name", "\"   \"", "null"),
    ];
    for (field, sent, stored) in cases {
        let body = format!("{{\"{field}\":{sent}}}");
        let reply = app
            .request("POST", "/api/things")
            .header("content-type", "application/json")
            .body(body.clone())
            .send()
            .await;
        match stored {
            Some(stored) => {
                assert_eq!(reply.status, 201, "{body}: {}", reply.text());
                let read = app.get(reply.header("location")).await.text();
                assert!(
                    read.contains(&format!("\"{field}\":{stored}")),
                    "{body}: {read}"
                );
            }
            None => {
                assert_eq!(reply.status, 400, "{body}");
                let problem = reply.json();
                assert_eq!(problem["type"], "/problems/validation", "{body}");
                assert_eq!(problem["errors"][0]["field"], field, "{body}");
            }
        }
    }
}

#[tokio::test]
async fn all_faults_are_reported_at_once_in_the_order_of_the_fields() {
    let app = TestApp::new(EVERYTHING).await;
    let body =
        json!({ "moment": 1, "count": "x", "name": [], "colour": 1, "required": null, "nmae": 2 });
    let reply = app.post("/api/things", body.clone()).await;
    let problem = reply.json();
    let errors = problem["errors"].as_array().unwrap();
    let fields: Vec<&str> = errors
        .iter()
        .map(|error| error["field"].as_str().unwrap())
        .collect();
    assert_eq!(
        fields,
        ["name", "count", "moment", "required", "colour", "nmae"]
    );
    for error in errors {
        let pointer = error["pointer"]
            .as_str()
            .unwrap()
            .strip_prefix('#')
            .unwrap();
        assert!(body.pointer(pointer).is_some(), "{pointer}");
    }
    assert!(
        errors[5]["message"]
            .as_str()
            .unwrap()
            .contains("did you mean \"name\"?")
    );
    assert_eq!(problem["error"], errors[0]["message"]);
    let detail = problem["detail"].as_str().unwrap();
    assert!(
        errors
            .iter()
            .all(|error| detail.contains(error["message"].as_str().unwrap())),
        "{detail}"
    );
    let strange = json!({ "a/b~c %\"": 1 });
    let reply = app.post("/api/things", strange).await.json();
    assert_eq!(reply["errors"][0]["pointer"], "#/a~1b~0c%20%25%22");
}

#[tokio::test]
async fn what_is_not_json_is_malformed() {
    let app = TestApp::new(EVERYTHING).await;
    let deep = format!("{{\"data\":{}{}}}", "[".repeat(64), "]".repeat(64));
    let bottomless = "[".repeat(100_000);
    let cases: Vec<&[u8]> = vec![
        b"{",
        b"}",
        b"[1,]",
        b"{\"a\":1,}",
        b"{'a':1}",
        b"{a:1}",
        b"{\"a\" 1}",
        b"{\"a\":}",
        b"nul",
        b"NaN",
        b"Infinity",
        b"-",
        b"01",
        b"1.",
        b".5",
        b"1e",
        b"0x1",
        b"+1",
        b"\"",
        b"\"\\x\"",
        b"\"\\u12\"",
        b"\"a\nb\"",
        b"{\"name\":\"\xff\"}",
        b"\xff\xfe",
        b"\xef\xbb\xbf{}",
        b"{} {}",
        b"{}x",
        b"[",
        b"[1",
        b"[1,,2]",
        b"[\"a\":1]",
        b"{\"name\":\"a\tb\"}",
        b"//\n{}",
        b"{/**/}",
        b"True",
        b"{\"a\":1}]",
        deep.as_bytes(),
        bottomless.as_bytes(),
        b"{\"a\":tru}",
        b"{\"name\":\"\\u{41}\"}",
        b"{\"name\":1e}",
        b"{\"name\":-}",
        b"{\"name\":1.e1}",
    ];
    for body in cases {
        let shown = String::from_utf8_lossy(&body[..body.len().min(40)]).into_owned();
        let reply = app
            .request("POST", "/api/things")
            .header("content-type", "application/json")
            .body(body.to_vec())
            .send()
            .await;
        assert_eq!(reply.status, 400, "{shown}");
        let problem = reply.json();
        assert_eq!(
            (&problem["type"], &problem["error"]),
            (&json!("/problems/malformed-json"), &json!("Bad request")),
            "{shown}"
        );
    }
}

#[tokio::test]
async fn every_well_formed_body_is_parsed() {
    let app = TestApp::new(EVERYTHING).await;
    let cases = [
        "[]",
        "{}",
        "null",
        "true",
        "7",
        "-0",
        "\"x\"",
        " {} ",
        "\t\n\r{}",
        "[[] , [ ] ]",
        "{\"a\":1}",
        "{\"\":0}",
        "{\"a\":1,\"a\":2}",
        "{\"a\":[]}",
        "[123e65]",
        "[0e+1]",
        "[1E-2]",
        "[\"\\u0060\\u012a\\u12AB\"]",
        "[\"\\ud801\\udc37\"]",
        "[\"\u{7f}\"]",
        "[\"\\u0000\"]",
        "{\"foo\\u0000bar\": 42}",
        "[null,1,\"1\",{}]",
        "[-123.456e-10]",
        "[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"]",
    ];
    for body in cases {
        let reply = app
            .request("POST", "/api/things")
            .header("content-type", "application/json")
            .body(body.to_owned())
            .send()
            .await;
        assert_eq!(reply.status, 400, "{body}");
        assert_eq!(reply.json()["type"], "/problems/validation", "{body}");
    }
}

#[tokio::test]
async fn a_member_given_twice_is_refused() {
    let app = TestApp::new(EVERYTHING).await;
    let body = r#"{"name":"a","name":"b"}"#;
    let reply = app
        .request("POST", "/api/things")
        .header("content-type", "application/json")
        .body(body)
        .send()
        .await;
    assert_eq!(
        (reply.status, &reply.json()["errors"][0]["code"]),
        (400, &json!("duplicate"))
    );
}

#[tokio::test]
async fn the_content_type_must_be_json() {
    let app = TestApp::new(EVERYTHING).await;
    app.post("/api/things", json!({ "name": "a" })).await;
    let cases = [
        ("application/json", 200, 201),
        ("Application/JSON; Charset=\"UTF-8\"", 200, 201),
        ("application/json; charset=utf-8; x=y", 200, 201),
        ("application/vnd.api+json", 200, 201),
        ("application/json; charset=latin1", 415, 415),
        ("text/plain", 415, 415),
        ("text/xml", 415, 415),
        ("application/x-www-form-urlencoded", 415, 415),
        ("multipart/form-data; boundary=x", 415, 415),
        ("nonsense", 415, 415),
        ("", 415, 415),
    ];
    for (kind, put, post) in cases {
        let send = |method: &str, path: &str| {
            let request = app.request(method, path).body(r#"{"name":"b"}"#);
            if kind.is_empty() {
                request.send()
            } else {
                request.header("content-type", kind).send()
            }
        };
        assert_eq!(send("PUT", "/api/things/1").await.status, put, "PUT {kind}");
        let reply = send("POST", "/api/things").await;
        assert_eq!(reply.status, post, "POST {kind}");
        if post == 415 {
            assert_eq!(reply.header("accept-post"), "application/json");
            assert!(
                reply.json()["error"]
                    .as_str()
                    .unwrap()
                    .contains("Content-Type: application/json")
            );
            let patch = send("PATCH", "/api/things/1").await;
            assert_eq!(
                (patch.status, patch.header("accept-patch")),
                (
                    415,
                    "application/merge-patch+json, application/json-patch+json"
                )
            );
        }
    }
    let coded = app
        .request("POST", "/api/things")
        .header("content-encoding", "gzip")
        .json(json!({ "name": "a" }))
        .send()
        .await;
    assert_eq!(
        (coded.status, coded.header("accept-encoding")),
        (415, "identity")
    );
}

#[tokio::test]
async fn a_body_over_the_limit_is_413_and_one_at_it_is_not() {
    let declaration =
        "[limits]\nbody = 2000\n[resources.notes.fields]\ntitle = { type = \"text\" }\n";
    let app = TestApp::new(declaration).await;
    let body = |length: usize| format!("{{\"title\":\"{}\"}}", "x".repeat(length - 12));
    for (length, expected) in [(2000, 201), (2001, 413), (2_000_000, 413)] {
        let reply = app
            .request("POST", "/api/notes")
            .header("content-type", "application/json")
            .body(body(length))
            .send()
            .await;
        assert_eq!(reply.status, expected, "{length} bytes");
        if expected == 413 {
            assert_eq!(reply.json()["error"], "The body must be at most 2000 bytes");
        }
    }
}

#[tokio::test]
async fn lengths_count_code_points_by_api_and_form() {
    let app = TestApp::notes().await;
    let title = "👩".repeat(200);
    assert_eq!(
        app.post("/api/notes", json!({ "title": title, "content": "x" }))
            .await
            .status,
        201
    );
    let form = app
        .form("/notes/new", &[("title", &title), ("content", "x")])
        .await;
    assert_eq!(form.status, 303, "{}", form.text());
    let long = "👩".repeat(201);
    assert_eq!(
        app.post("/api/notes", json!({ "title": long, "content": "x" }))
            .await
            .status,
        400
    );
    assert_eq!(
        app.form("/notes/new", &[("title", &long), ("content", "x")])
            .await
            .status,
        400
    );
}

#[tokio::test]
async fn what_the_server_set_is_taken_back_and_ignored() {
    let app = TestApp::new(EVERYTHING).await;
    let created = app
        .post(
            "/api/things",
            json!({ "name": "a", "id": 99, "made": "2020-01-01T00:00:00Z" }),
        )
        .await;
    assert_eq!((created.status, &created.json()["id"]), (201, &json!(1)));
    let mut whole = created.json();
    whole["name"] = json!("b");
    whole["made"] = json!("1999-01-01T00:00:00Z");
    let put = app.request("PUT", "/api/things/1").json(whole).send().await;
    assert_eq!(
        (put.status, &put.json()["name"], &put.json()["made"]),
        (200, &json!("b"), &created.json()["made"])
    );
}

#[tokio::test]
async fn a_password_never_comes_back_and_stays_when_it_is_not_sent() {
    let app = TestApp::new(EVERYTHING).await;
    let marker = "correct horse";
    let created = app
        .post("/api/things", json!({ "name": "a", "secret": marker }))
        .await;
    assert_eq!(created.status, 201);
    let short = app.post("/api/things", json!({ "secret": "xyz" })).await;
    assert_eq!(
        (short.status, short.text().contains("xyz")),
        (400, false),
        "{}",
        short.text()
    );
    app.request("PUT", "/api/things/1")
        .json(created.json())
        .send()
        .await;
    for path in [
        "/api/things/1",
        "/api/things",
        "/things/1",
        "/things",
        "/things/1/edit",
    ] {
        let text = app.get(path).await.text();
        assert!(
            !text.contains(marker) && !text.contains("argon2"),
            "{path}: {text}"
        );
    }
}

#[tokio::test]
async fn the_api_is_json_whatever_accept_says_of_html() {
    let app = TestApp::notes().await;
    let cases = [
        (
            "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
            200,
        ),
        ("*/*", 200),
        ("application/json, text/plain, */*", 200),
        ("application/problem+json", 200),
        ("application/json;q=0", 406),
        ("image/png", 406),
        ("text/html", 406),
    ];
    for (accept, expected) in cases {
        for path in ["/api/notes", "/api/notes/search?q=x"] {
            let reply = app
                .request("GET", path)
                .header("accept", accept)
                .send()
                .await;
            assert_eq!(reply.status, expected, "{path} Accept: {accept}");
            let kind = if expected == 200 {
                "application/json"
            } else {
                "application/problem+json"
            };
            assert_eq!(
                reply.header("content-type"),
                kind,
                "{path} Accept: {accept}"
            );
        }
    }
    let write = app
        .request("POST", "/api/notes")
        .header("accept", "image/png")
        .json(json!({ "title": "a", "content": "b" }));
    assert_eq!(write.send().await.status, 201);
    let page = app
        .request("GET", "/notes")
        .header("accept", "application/json")
        .send()
        .await;
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
}

#[tokio::test]
async fn with_an_empty_prefix_accept_decides() {
    let app = TestApp::new(
        "[api]\nprefix = \"\"\n[resources.notes.fields]\ntitle = { type = \"string\" }\n",
    )
    .await;
    assert_eq!(
        app.post("/notes", json!({ "title": "a" })).await.status,
        201
    );
    let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
    for path in ["/notes", "/notes/1"] {
        for (accept, kind) in [
            (browser, "text/html; charset=utf-8"),
            ("*/*", "application/json"),
            ("application/json, text/html", "application/json"),
        ] {
            let reply = app
                .request("GET", path)
                .header("accept", accept)
                .send()
                .await;
            assert_eq!(
                (reply.status, reply.header("content-type")),
                (200, kind),
                "{path} {accept}"
            );
        }
    }
    assert_eq!(
        app.request("GET", "/notes/new")
            .header("accept", browser)
            .send()
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn large_replies_are_compressed_when_asked() {
    let app = TestApp::notes().await;
    app.post(
        "/api/notes",
        json!({ "title": "a", "content": "b ".repeat(5000) }),
    )
    .await;
    let plain = app.get("/api/notes/1").await;
    let mut tags = vec![plain.header("etag").to_owned()];
    for coding in ["gzip", "br", "zstd"] {
        let reply = app
            .request("GET", "/api/notes/1")
            .header("accept-encoding", coding)
            .send()
            .await;
        assert_eq!(reply.header("content-encoding"), coding);
        assert!(
            reply.body.len() < plain.body.len() / 10,
            "{coding}: {}",
            reply.body.len()
        );
        assert!(reply.header("vary").contains("Accept-Encoding"));
        let tag = reply.header("etag").to_owned();
        assert!(!tags.contains(&tag), "{tag}");
        let known = app
            .request("GET", "/api/notes/1")
            .header("accept-encoding", coding)
            .header("if-none-match", &tag)
            .send()
            .await;
        assert_eq!((known.status, known.header("etag")), (304, tag.as_str()));
        tags.push(tag);
    }
    for accept in [
        "identity;q=0",
        "gzip;q=0",
        "nonsense",
        "*;q=0",
        "",
        "gzip;q=2",
    ] {
        let reply = app
            .request("GET", "/api/notes/1")
            .header("accept-encoding", accept)
            .send()
            .await;
        assert_eq!(reply.status, 200, "{accept}");
    }
    for tag in tags {
        let patch = app
            .request("PATCH", "/api/notes/1")
            .header("if-match", &tag)
            .json(json!({ "title": "a" }))
            .send()
            .await;
        assert_eq!(patch.status, 200, "{tag}");
    }
    let small = app
        .request("GET", "/api/notes/9")
        .header("accept-encoding", "gzip")
        .send()
        .await;
    assert!(!small.has("content-encoding"));
}

#[tokio::test]
async fn every_value_round_trips() {
    let app = TestApp::new(EVERYTHING).await;
    let naughty = [
        "\u{202e}abc",
        "\u{feff}x",
        "ﬀ",
        "Ω≈ç√∫",
        "<script>alert(1)</script>",
        "'; DROP TABLE things; --",
        "%s%n",
        "$(id)",
        "{{7*7}}",
        "\u{10ffff}",
        "e\u{301}",
        "a\u{85}b",
    ];
    for text in naughty {
        let reply = app
            .post(
                "/api/things",
                json!({ "body": text, "data": { "t": text } }),
            )
            .await;
        if text == "a\u{85}b" {
            assert_eq!(reply.status, 400, "a control character");
            continue;
        }
        assert_eq!(reply.status, 201, "{text:?}: {}", reply.text());
        let read: Value = app.get(reply.header("location")).await.json();
        assert_eq!(
            (&read["body"], &read["data"]["t"]),
            (&json!(text), &json!(text))
        );
    }
}
