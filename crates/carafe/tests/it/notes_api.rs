//! The notes application's JSON API, item by item (004-08 to 004-15 and 004-34 to 004-64).

use serde_json::{Value, json};

use crate::support::TestApp;

#[tokio::test]
async fn a_note_is_created_with_its_defaults_and_times() {
    let app = TestApp::notes().await;
    let reply = app
        .post(
            "/api/notes",
            json!({ "title": "  Milk ", "content": "Two litres\n" }),
        )
        .await;
    assert_eq!(reply.status, 201);
    assert_eq!(
        reply.json(),
        json!({
            "id": 1, "title": "Milk", "content": "Two litres", "is_pinned": false,
            "created_at": "2026-01-01T00:00:00.000000Z", "updated_at": "2026-01-01T00:00:00.000000Z"
        })
    );
    let location = reply.header("location");
    assert_eq!(location, "/api/notes/1");
    let read = app.get(location).await;
    assert_eq!((read.status, read.json()), (200, reply.json()));
    assert_eq!(read.header("etag"), reply.header("etag"));
}

#[tokio::test]
async fn members_keep_the_order_of_the_declaration() {
    let app = TestApp::notes().await;
    let reply = app
        .post("/api/notes", json!({ "content": "b", "title": "a" }))
        .await;
    let text = reply.text();
    let places: Vec<usize> = [
        "\"id\"",
        "\"title\"",
        "\"content\"",
        "\"is_pinned\"",
        "\"created_at\"",
        "\"updated_at\"",
    ]
    .iter()
    .map(|name| text.find(name).expect("a member"))
    .collect();
    assert!(places.is_sorted(), "{text}");
}

#[tokio::test]
async fn a_note_without_data_or_fields_is_refused_with_every_fault() {
    let app = TestApp::notes().await;
    let cases = [
        (json!(null), "No data provided", vec!["title", "content"]),
        (json!({}), "No data provided", vec!["title", "content"]),
        (
            json!({ "content": "x" }),
            "Title is required",
            vec!["title"],
        ),
        (
            json!({ "title": "x" }),
            "Content is required",
            vec!["content"],
        ),
        (
            json!({ "title": "  ", "content": " " }),
            "Title is required",
            vec!["title", "content"],
        ),
        (
            json!({ "is_pinned": true }),
            "Title is required",
            vec!["title", "content"],
        ),
        (
            json!({ "title": null, "content": 7 }),
            "Title is required",
            vec!["title", "content"],
        ),
        (
            json!({ "title": "x".repeat(201), "content": "x" }),
            "Title must have at most 200 characters",
            vec!["title"],
        ),
        (
            json!({ "title": "x", "content": "x", "is_pinned": "yes" }),
            "Pin this note must be true or false",
            vec!["is_pinned"],
        ),
    ];
    for (body, error, fields) in cases {
        let reply = app.post("/api/notes", body.clone()).await;
        assert_eq!(reply.status, 400, "body: {body}");
        let problem = reply.json();
        assert_eq!(problem["error"], error, "body: {body}");
        let found: Vec<&str> = problem["errors"]
            .as_array()
            .unwrap()
            .iter()
            .map(|e| e["field"].as_str().unwrap())
            .collect();
        assert_eq!(found, fields, "body: {body}");
    }
    let empty = app.request("POST", "/api/notes").send().await;
    assert_eq!(
        (empty.status, &empty.json()["error"]),
        (400, &json!("No data provided"))
    );
    assert_eq!(app.get("/api/notes").await.json()["total"], 0);
}

#[tokio::test]
async fn a_list_is_newest_first_and_paged() {
    let app = TestApp::notes().await;
    for number in 1..=25 {
        app.tick();
        let body =
            json!({ "title": format!("Note {number}"), "content": "x", "is_pinned": number == 1 });
        assert_eq!(app.post("/api/notes", body).await.status, 201);
    }
    let ids = |value: &Value| -> Vec<i64> {
        value["notes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|note| note["id"].as_i64().unwrap())
            .collect()
    };
    let first = app.get("/api/notes").await.json();
    assert_eq!(ids(&first), (16..=25).rev().collect::<Vec<_>>());
    let paging = |value: &Value| {
        ["total", "pages", "current_page", "per_page"].map(|name| value[name].as_u64().unwrap())
    };
    assert_eq!(paging(&first), [25, 3, 1, 10]);
    assert_eq!(
        (&first["has_next"], &first["has_prev"]),
        (&json!(true), &json!(false))
    );
    let last = app.get("/api/notes?page=3").await.json();
    assert_eq!(ids(&last), [5, 4, 3, 2, 1]);
    assert_eq!(
        (&last["has_next"], &last["has_prev"]),
        (&json!(false), &json!(true))
    );
    // Lenient as the declaration says: what is malformed counts as the default.
    for (query, page, per_page, count) in [
        ("page=x", 1, 10, 10),
        ("page=0", 1, 10, 10),
        ("page=-1", 1, 10, 10),
        ("page=99", 99, 10, 0),
        ("per_page=x", 1, 10, 10),
        ("per_page=0", 1, 10, 10),
        ("per_page=1000", 1, 100, 25),
        ("per_page=7&page=2", 2, 7, 7),
        ("colour=red", 1, 10, 10),
    ] {
        let reply = app.get(&format!("/api/notes?{query}")).await;
        assert_eq!(reply.status, 200, "query: {query}");
        let list = reply.json();
        assert_eq!(
            (
                list["current_page"].as_i64(),
                list["per_page"].as_i64(),
                ids(&list).len()
            ),
            (Some(page), Some(per_page), count),
            "query: {query}"
        );
    }
}

#[tokio::test]
async fn a_note_that_is_not_there_is_404() {
    let app = TestApp::notes().await;
    for id in [
        "1",
        "0",
        "-1",
        "1e3",
        "%00",
        "18446744073709551616",
        "abc",
        "9999",
    ] {
        for method in ["GET", "PUT", "PATCH", "DELETE"] {
            let reply = app
                .request(method, &format!("/api/notes/{id}"))
                .json(json!({ "title": "x" }))
                .send()
                .await;
            assert_eq!(reply.status, 404, "{method} {id}");
            assert_eq!(reply.json()["error"], "Resource not found", "{method} {id}");
        }
    }
}

#[tokio::test]
async fn put_changes_only_what_is_sent() {
    let app = TestApp::notes().await;
    app.post(
        "/api/notes",
        json!({ "title": "a", "content": "b", "is_pinned": true }),
    )
    .await;
    app.tick();
    let reply = app
        .request("PUT", "/api/notes/1")
        .json(json!({ "title": " c " }))
        .send()
        .await;
    assert_eq!(reply.status, 200);
    assert_eq!(
        reply.json(),
        json!({
            "id": 1, "title": "c", "content": "b", "is_pinned": true,
            "created_at": "2026-01-01T00:00:00.000000Z", "updated_at": "2026-01-01T00:00:01.000000Z"
        })
    );
    let cases = [
        (json!({}), "No data provided"),
        (json!(null), "No data provided"),
        (json!({ "title": "" }), "Title is required"),
        (json!({ "content": "  " }), "Content is required"),
        (json!({ "title": null }), "Title is required"),
        (json!({ "title": ["x"] }), "Title must be text"),
    ];
    for (body, error) in cases {
        let refused = app
            .request("PUT", "/api/notes/1")
            .json(body.clone())
            .send()
            .await;
        assert_eq!(
            (refused.status, &refused.json()["error"]),
            (400, &json!(error)),
            "body: {body}"
        );
    }
    assert_eq!(app.get("/api/notes/1").await.json(), reply.json());
}

#[tokio::test]
async fn a_change_that_changes_nothing_moves_nothing() {
    let app = TestApp::notes().await;
    let created = app
        .post("/api/notes", json!({ "title": "a", "content": "b" }))
        .await;
    app.tick();
    for method in ["PUT", "PATCH"] {
        let reply = app
            .request(method, "/api/notes/1")
            .json(json!({ "title": "a" }))
            .send()
            .await;
        assert_eq!(
            (reply.status, reply.json()),
            (200, created.json()),
            "{method}"
        );
    }
    assert_eq!(
        app.get("/api/notes/1").await.header("etag"),
        created.header("etag")
    );
}

#[tokio::test]
async fn a_deleted_note_is_gone() {
    let app = TestApp::notes().await;
    app.post("/api/notes", json!({ "title": "a", "content": "b" }))
        .await;
    let reply = app.request("DELETE", "/api/notes/1").send().await;
    assert_eq!(
        (reply.status, reply.json()),
        (200, json!({ "message": "Note deleted successfully" }))
    );
    assert_eq!(app.get("/api/notes/1").await.status, 404);
    assert_eq!(
        app.request("DELETE", "/api/notes/1").send().await.status,
        404
    );
    // Its id is not given out again.
    assert_eq!(
        app.post("/api/notes", json!({ "title": "a", "content": "b" }))
            .await
            .json()["id"],
        2
    );
}

#[tokio::test]
async fn search_finds_any_part_in_any_capitals() {
    let app = TestApp::notes().await;
    for (title, content) in [
        ("Éclair recipe", "Butter, sugar"),
        ("Shopping", "100% cotton, snake_case"),
        ("ΣΊΣΥΦΟΣ", "rolling a stone"),
        ("Plain", "nothing of note"),
    ] {
        app.tick();
        app.post("/api/notes", json!({ "title": title, "content": content }))
            .await;
    }
    let cases: [(&str, &[i64]); 12] = [
        ("éCLAIR", &[1]),
        ("e\u{301}clair", &[1]),
        ("%", &[2]),
        ("_", &[2]),
        ("0%25 c", &[]),
        ("ke_ca", &[2]),
        ("σίσυφος", &[3]),
        ("O", &[4, 3, 2]),
        ("note", &[4]),
        ("\"", &[]),
        ("  stone ", &[3]),
        ("xyz", &[]),
    ];
    for (q, expected) in cases {
        let reply = app
            .request("GET", "/api/notes/search")
            .query(&[("q", q)])
            .send()
            .await;
        assert_eq!(reply.status, 200, "q: {q}");
        let found = reply.json();
        let ids: Vec<i64> = found["notes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|note| note["id"].as_i64().unwrap())
            .collect();
        assert_eq!(ids, expected, "q: {q}");
        assert_eq!(
            found["count"].as_u64(),
            Some(expected.len() as u64),
            "q: {q}"
        );
        assert_eq!(found["query"], q.trim(), "q: {q}");
    }
    for query in ["", "?q=", "?q=%20%20", "?colour=red"] {
        let reply = app.get(&format!("/api/notes/search{query}")).await;
        assert_eq!(
            (reply.status, &reply.json()["error"]),
            (400, &json!("Search query required")),
            "query: {query}"
        );
    }
}

#[tokio::test]
async fn search_gives_a_hundred_hits_and_counts_all() {
    let app = TestApp::notes().await;
    for number in 0..120 {
        app.post(
            "/api/notes",
            json!({ "title": format!("Hit {number}"), "content": "x" }),
        )
        .await;
    }
    let reply = app.get("/api/notes/search?q=hit").await;
    let found = reply.json();
    assert_eq!(found["count"], 120);
    assert_eq!(found["notes"].as_array().unwrap().len(), 100);
    assert!(
        reply
            .header("link")
            .contains("page=2&per_page=100>; rel=\"next\""),
        "{}",
        reply.header("link")
    );
    let second = app
        .get("/api/notes/search?q=hit&page=2&per_page=100")
        .await
        .json();
    assert_eq!(second["notes"].as_array().unwrap().len(), 20);
}

#[tokio::test]
async fn errors_are_json_under_the_api_and_pages_elsewhere() {
    let app = TestApp::notes().await;
    let unknown = app.get("/api/nothing").await;
    assert_eq!(
        (unknown.status, &unknown.json()["error"]),
        (404, &json!("Resource not found"))
    );
    let malformed = app
        .request("POST", "/api/notes")
        .header("content-type", "application/json")
        .body("{")
        .send()
        .await;
    assert_eq!(
        (malformed.status, &malformed.json()["error"]),
        (400, &json!("Bad request"))
    );
    assert!(
        malformed.json()["detail"]
            .as_str()
            .unwrap()
            .contains("line 1 column"),
        "{}",
        malformed.text()
    );
    let page = app.get("/nothing").await;
    assert_eq!(
        (page.status, page.header("content-type")),
        (404, "text/html; charset=utf-8")
    );
}
