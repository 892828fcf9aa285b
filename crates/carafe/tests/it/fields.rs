//! Fields of a record at addresses of their own.

use serde_json::json;

use crate::support::TestApp;

const STUDENTS: &str = r#"
[resources.students]
[resources.students.fields]
name   = { type = "string", max_length = 10 }
age    = { type = "integer", optional = true, min = 0 }
grade  = { type = "decimal", default = "1.00" }
data   = { type = "json", optional = true }
secret = { type = "password", optional = true }
made   = { type = "datetime", set = "create" }
"#;

async fn with_student() -> TestApp {
    let app = TestApp::new(STUDENTS).await;
    let made = app
        .post(
            "/api/students",
            json!({ "name": "Ann", "age": 20, "secret": "hush-hush" }),
        )
        .await;
    assert_eq!(made.status, 201);
    app
}

#[tokio::test]
async fn a_field_is_read_at_its_address() {
    let app = with_student().await;
    let cases = [
        ("name", "\"Ann\""),
        ("age", "20"),
        ("grade", "\"1.00\""),
        ("data", "null"),
        ("made", "\"2026-01-01T00:00:00.000000Z\""),
    ];
    let mut tags = vec![app.get("/api/students/1").await.header("etag").to_owned()];
    for (name, expected) in cases {
        let path = format!("/api/students/1/{name}");
        let reply = app.get(&path).await;
        assert_eq!(
            (reply.status, reply.text().as_str()),
            (200, expected),
            "{name}"
        );
        let tag = reply.header("etag").to_owned();
        let again = app
            .request("GET", &path)
            .header("if-none-match", &tag)
            .send()
            .await;
        assert_eq!(again.status, 304, "{name}");
        assert!(!tags.contains(&tag), "{name}: {tag}");
        tags.push(tag);
    }
    for path in [
        "/api/students/1/secret",
        "/api/students/1/nothing",
        "/api/students/9/name",
        "/api/students/x/name",
    ] {
        assert_eq!(app.get(path).await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn a_field_is_changed_and_the_others_stay() {
    let app = with_student().await;
    let put = |name: &str, body: &str| {
        let request = app
            .request("PUT", &format!("/api/students/1/{name}"))
            .header("content-type", "application/json");
        request.body(body.to_owned()).send()
    };
    let changed = put("name", "\" Bob \"").await;
    assert_eq!((changed.status, changed.text().as_str()), (200, "\"Bob\""));
    let data = put("data", "{ \"n\": 12345678901234567890123 }").await;
    assert_eq!(
        (data.status, data.text().as_str()),
        (200, "{\"n\":12345678901234567890123}")
    );
    let record = app.get("/api/students/1").await.json();
    assert_eq!(
        (&record["name"], &record["age"]),
        (&json!("Bob"), &json!(20))
    );
    let refused = [
        ("name", "", "No data provided"),
        ("name", "null", "Name is required"),
        ("name", "\"\"", "Name is required"),
        ("name", "7", "Name must be text"),
        (
            "name",
            "\"much too long a name\"",
            "Name must have at most 10 characters",
        ),
        ("name", "{", "Bad request"),
        ("age", "-1", "Age must be at least 0"),
        ("age", "1 2", "Bad request"),
    ];
    for (name, body, error) in refused {
        let reply = put(name, body).await;
        assert_eq!(
            (reply.status, &reply.json()["error"]),
            (400, &json!(error)),
            "{name}: {body}"
        );
    }
    assert_eq!(app.get("/api/students/1").await.json(), record);
    let plain = app
        .request("PUT", "/api/students/1/name")
        .body("x")
        .send()
        .await;
    assert_eq!(plain.status, 415);
}

#[tokio::test]
async fn a_field_that_may_be_null_is_deleted() {
    let app = with_student().await;
    let allow = |name: &str| {
        app.request("OPTIONS", &format!("/api/students/1/{name}"))
            .send()
    };
    assert_eq!(
        allow("age").await.header("allow"),
        "GET, HEAD, PUT, DELETE, OPTIONS"
    );
    assert_eq!(
        allow("name").await.header("allow"),
        "GET, HEAD, PUT, OPTIONS"
    );
    assert_eq!(allow("made").await.header("allow"), "GET, HEAD, OPTIONS");
    assert_eq!(
        app.request("DELETE", "/api/students/1/age")
            .send()
            .await
            .status,
        204
    );
    assert_eq!(app.get("/api/students/1/age").await.text(), "null");
    for (method, name) in [
        ("DELETE", "name"),
        ("PUT", "made"),
        ("POST", "name"),
        ("PATCH", "age"),
    ] {
        let reply = app
            .request(method, &format!("/api/students/1/{name}"))
            .json(json!("x"))
            .send()
            .await;
        assert_eq!(reply.status, 405, "{method} {name}");
    }
}

#[tokio::test]
async fn a_field_is_changed_only_in_the_state_that_is_named() {
    let app = with_student().await;
    let tag = app
        .get("/api/students/1/age")
        .await
        .header("etag")
        .to_owned();
    let put = |tag: &str, age: i64| {
        app.request("PUT", "/api/students/1/age")
            .header("if-match", tag)
            .json(json!(age))
            .send()
    };
    assert_eq!(put(&tag, 21).await.status, 200);
    let stale = put(&tag, 22).await;
    assert_eq!(
        (stale.status, stale.header("etag")),
        (412, app.get("/api/students/1/age").await.header("etag"))
    );
    let racing: Vec<_> = (0..40)
        .map(|age| tokio::spawn(put(stale.header("etag"), 30 + age)))
        .collect();
    let mut done = 0;
    for put in racing {
        done += usize::from(put.await.unwrap().status == 200);
    }
    assert_eq!(done, 1);
}
