//! Entity tags and preconditions (contract 48 to 64).

use serde_json::{Value, json};

use crate::support::TestApp;

const COUNTER: &str = r#"
[resources.stock]
[resources.stock.fields]
name = { type = "string" }
quantity = { type = "integer", min = 0 }
"#;

async fn with_note() -> (TestApp, String) {
    let app = TestApp::notes().await;
    let created = app
        .post("/api/notes", json!({ "title": "a", "content": "b" }))
        .await;
    let tag = created.header("etag").to_owned();
    (app, tag)
}

#[tokio::test]
async fn an_entity_tag_changes_with_every_change_and_only_then() {
    let (app, first) = with_note().await;
    assert!(first.starts_with('"'), "a strong tag: {first}");
    let mut seen = vec![first];
    for number in 0..100 {
        let patched = app
            .request("PATCH", "/api/notes/1")
            .json(json!({ "title": format!("{number}") }))
            .send()
            .await;
        let tag = patched.header("etag").to_owned();
        assert_eq!(app.get("/api/notes/1").await.header("etag"), tag);
        assert!(!seen.contains(&tag), "{tag} twice");
        seen.push(tag);
    }
}

#[tokio::test]
async fn if_none_match_answers_304_without_a_body() {
    let (app, tag) = with_note().await;
    let whole = app.get("/api/notes/1").await;
    let cases = [
        (tag.clone(), 304),
        (format!("W/{tag}"), 304),
        (format!("\"x\", {tag}"), 304),
        ("*".to_owned(), 304),
        ("\"x\"".to_owned(), 200),
        ("".to_owned(), 200),
        ("garbage".to_owned(), 200),
    ];
    for (value, expected) in cases {
        for method in ["GET", "HEAD"] {
            let reply = app
                .request(method, "/api/notes/1")
                .header("if-none-match", &value)
                .send()
                .await;
            assert_eq!(reply.status, expected, "{method} If-None-Match: {value}");
            if expected == 304 {
                assert!(reply.body.is_empty());
                for name in ["etag", "vary", "cache-control"] {
                    assert_eq!(reply.header(name), whole.header(name), "{name}");
                }
                assert!(
                    reply.has("date") && !reply.has("content-length"),
                    "{:?}",
                    reply.headers
                );
            }
        }
    }
    let list = app.get("/api/notes").await;
    assert!(
        list.header("etag").starts_with("W/"),
        "{}",
        list.header("etag")
    );
    let again = app
        .request("GET", "/api/notes")
        .header("if-none-match", list.header("etag"))
        .send()
        .await;
    assert_eq!(again.status, 304);
}

#[tokio::test]
async fn if_none_match_wins_over_dates_and_bad_dates_are_ignored() {
    let (app, tag) = with_note().await;
    let future = "Fri, 01 Jan 2100 00:00:00 GMT";
    let stale = app
        .request("GET", "/api/notes/1")
        .header("if-none-match", "\"x\"")
        .header("if-modified-since", future);
    assert_eq!(stale.send().await.status, 200);
    let bad = app
        .request("GET", "/api/notes/1")
        .header("if-modified-since", "yesterday");
    assert_eq!(bad.send().await.status, 200);
    let write = app
        .request("PATCH", "/api/notes/1")
        .header("if-match", &tag)
        .header("if-unmodified-since", "Thu, 01 Jan 1970 00:00:00 GMT");
    assert_eq!(write.json(json!({ "title": "c" })).send().await.status, 200);
}

#[tokio::test]
async fn a_stale_if_match_changes_nothing_and_gives_the_current_tag() {
    let (app, old) = with_note().await;
    let patched = app
        .request("PATCH", "/api/notes/1")
        .header("if-match", &old)
        .json(json!({ "title": "mine" }))
        .send()
        .await;
    assert_eq!(patched.status, 200);
    let current = patched.header("etag").to_owned();
    for method in ["PUT", "PATCH", "DELETE"] {
        for tag in [old.clone(), format!("W/{current}"), "\"x\"".to_owned()] {
            let refused = app
                .request(method, "/api/notes/1")
                .header("if-match", &tag)
                .json(json!({ "title": "theirs" }))
                .send()
                .await;
            assert_eq!(refused.status, 412, "{method} If-Match: {tag}");
            assert_eq!(refused.header("etag"), current, "{method}");
            assert_eq!(refused.json()["type"], "/problems/stale");
        }
    }
    assert_eq!(app.get("/api/notes/1").await.json()["title"], "mine");
    let listed = app
        .request("PATCH", "/api/notes/1")
        .header("if-match", format!("\"x\", {current}"))
        .json(json!({ "title": "b" }));
    assert_eq!(listed.send().await.status, 200);
    let any = app
        .request("DELETE", "/api/notes/1")
        .header("if-match", "*")
        .send()
        .await;
    assert_eq!(any.status, 200);
    let none = app
        .request("PUT", "/api/notes/1")
        .header("if-match", "*")
        .json(json!({ "title": "b" }))
        .send()
        .await;
    assert_eq!(none.status, 404);
}

#[tokio::test]
async fn refusals_have_one_order() {
    let (app, tag) = with_note().await;
    let big = "x".repeat(1024 * 1024 + 1);
    let cases = [
        (
            "PATCH",
            "/api/nothing/1",
            "application/json",
            "{",
            "\"x\"",
            404,
        ),
        (
            "POST",
            "/api/notes/1",
            "application/json",
            "{",
            "\"x\"",
            405,
        ),
        (
            "PATCH",
            "/api/notes/9",
            "text/plain",
            big.as_str(),
            "\"x\"",
            404,
        ),
        (
            "PATCH",
            "/api/notes/1",
            "text/plain",
            big.as_str(),
            "\"x\"",
            413,
        ),
        ("PATCH", "/api/notes/1", "text/plain", "{", "\"x\"", 415),
        (
            "PATCH",
            "/api/notes/1",
            "application/json",
            "{",
            "\"x\"",
            412,
        ),
        (
            "PATCH",
            "/api/notes/1",
            "application/json",
            "{",
            tag.as_str(),
            400,
        ),
    ];
    for (method, path, kind, body, tag, expected) in cases {
        let request = app
            .request(method, path)
            .header("content-type", kind)
            .header("if-match", tag)
            .body(body.to_owned());
        assert_eq!(
            request.send().await.status,
            expected,
            "{method} {path} {kind} {tag}"
        );
    }
}

#[tokio::test]
async fn of_a_hundred_writers_with_one_tag_exactly_one_succeeds() {
    let (app, tag) = with_note().await;
    for method in ["PUT", "PATCH"] {
        let tag = if method == "PUT" {
            tag.clone()
        } else {
            app.get("/api/notes/1").await.header("etag").to_owned()
        };
        let writers: Vec<_> = (0..100)
            .map(|number| {
                let request = app.request(method, "/api/notes/1").header("if-match", &tag);
                tokio::spawn(
                    request
                        .json(json!({ "title": format!("{method} {number}") }))
                        .send(),
                )
            })
            .collect();
        let mut statuses = Vec::new();
        for writer in writers {
            statuses.push(writer.await.unwrap().status);
        }
        assert_eq!(
            statuses.iter().filter(|status| **status == 200).count(),
            1,
            "{method}: {statuses:?}"
        );
        assert_eq!(
            statuses.iter().filter(|status| **status == 412).count(),
            99,
            "{method}: {statuses:?}"
        );
    }
}

#[tokio::test]
async fn patches_of_different_fields_at_once_all_stay() {
    let app = TestApp::notes().await;
    app.post("/api/notes", json!({ "title": "a", "content": "b" }))
        .await;
    let bodies = [
        json!({ "title": "new" }),
        json!({ "content": "new" }),
        json!({ "is_pinned": true }),
    ];
    let writers: Vec<_> = bodies
        .into_iter()
        .map(|body| tokio::spawn(app.request("PATCH", "/api/notes/1").json(body).send()))
        .collect();
    for writer in writers {
        assert_eq!(writer.await.unwrap().status, 200);
    }
    let note = app.get("/api/notes/1").await.json();
    assert_eq!(
        (&note["title"], &note["content"], &note["is_pinned"]),
        (&json!("new"), &json!("new"), &json!(true))
    );
}

#[tokio::test]
async fn a_minimum_holds_under_racing_writes() {
    let app = TestApp::new(COUNTER).await;
    app.post("/api/stock", json!({ "name": "apple", "quantity": 20 }))
        .await;
    let take = |app: TestApp| async move {
        for _ in 0..200 {
            let read = app.get("/api/stock/1").await;
            let quantity = read.json()["quantity"].as_i64().unwrap();
            let request = app
                .request("PATCH", "/api/stock/1")
                .header("if-match", read.header("etag"));
            match request
                .json(json!({ "quantity": quantity - 1 }))
                .send()
                .await
                .status
            {
                412 => {}
                status => return status,
            }
        }
        panic!("no end of conflicts");
    };
    let takers: Vec<_> = (0..40).map(|_| tokio::spawn(take(app.clone()))).collect();
    let mut taken = 0;
    for taker in takers {
        match taker.await.unwrap() {
            200 => taken += 1,
            status => assert_eq!(status, 400),
        }
    }
    assert_eq!(
        (taken, &app.get("/api/stock/1").await.json()["quantity"]),
        (20, &json!(0))
    );
}

#[tokio::test]
async fn a_declared_precondition_is_required() {
    let app = TestApp::new("[resources.notes]\nrequire_if_match = true\n[resources.notes.fields]\ntitle = { type = \"string\" }\n").await;
    let created = app.post("/api/notes", json!({ "title": "a" })).await;
    for method in ["PUT", "PATCH", "DELETE"] {
        let bare = app
            .request(method, "/api/notes/1")
            .json(json!({ "title": "b" }))
            .send()
            .await;
        assert_eq!(
            (bare.status, &bare.json()["type"]),
            (428, &json!("/problems/precondition-required")),
            "{method}"
        );
        assert_eq!(bare.header("cache-control"), "no-store");
    }
    let right = app
        .request("PATCH", "/api/notes/1")
        .header("if-match", created.header("etag"))
        .json(json!({ "title": "b" }));
    assert_eq!(right.send().await.status, 200);
}

#[tokio::test]
async fn put_gives_a_tag_only_for_what_was_stored_as_sent() {
    let app =
        TestApp::new("[resources.tags]\n[resources.tags.fields]\ntitle = { type = \"string\" }\n")
            .await;
    app.post("/api/tags", json!({ "title": "a" })).await;
    let exact = app
        .request("PUT", "/api/tags/1")
        .json(json!({ "id": 1, "title": "b" }))
        .send()
        .await;
    assert!(exact.has("etag"));
    assert_eq!(
        exact.header("etag"),
        app.get("/api/tags/1").await.header("etag")
    );
    let trimmed = app
        .request("PUT", "/api/tags/1")
        .json(json!({ "id": 1, "title": " c " }))
        .send()
        .await;
    assert_eq!((trimmed.status, trimmed.has("etag")), (200, false));
}

#[tokio::test]
async fn tags_survive_a_restart() {
    let (app, tag) = with_note().await;
    let app = app.restart().await;
    assert_eq!(app.get("/api/notes/1").await.header("etag"), tag);
    let again = app
        .request("GET", "/api/notes/1")
        .header("if-none-match", &tag)
        .send()
        .await;
    assert_eq!(again.status, 304);
}

#[tokio::test]
async fn reads_and_writes_of_one_record_are_linearizable() {
    // Each writer moves the counter up by one with If-Match; each reader sees it never go back.
    let app = TestApp::new(COUNTER).await;
    app.post("/api/stock", json!({ "name": "x", "quantity": 0 }))
        .await;
    let readers: Vec<_> = (0..4)
        .map(|_| {
            let app = app.clone();
            tokio::spawn(async move {
                let mut last = 0;
                for _ in 0..200 {
                    let now = app.get("/api/stock/1").await.json()["quantity"]
                        .as_i64()
                        .unwrap();
                    assert!(now >= last, "{now} after {last}");
                    last = now;
                }
            })
        })
        .collect();
    for expected in 1..=200 {
        let patched = app
            .request("PATCH", "/api/stock/1")
            .json(json!({ "quantity": expected }))
            .send()
            .await;
        assert_eq!(patched.status, 200);
        // What was acknowledged is what everybody reads from then on.
        let read: Value = app.get("/api/stock/1").await.json();
        assert_eq!(read["quantity"], expected);
    }
    for reader in readers {
        reader.await.unwrap();
    }
}

#[tokio::test]
async fn a_star_holds_for_whatever_is_there() {
    let (app, _) = with_note().await;
    for (name, value) in [("if-match", "*"), ("if-none-match", "\"other\"")] {
        let request = |number: usize| {
            app.request("PATCH", "/api/notes/1")
                .header(name, value)
                .json(json!({ "title": format!("{value} {number}") }))
        };
        let writers: Vec<_> = (0..50)
            .map(|number| tokio::spawn(request(number).send()))
            .collect();
        for writer in writers {
            assert_eq!(writer.await.unwrap().status, 200, "{name}: {value}");
        }
    }
}

#[tokio::test]
async fn every_412_of_a_record_has_the_current_tag() {
    let (app, tag) = with_note().await;
    let request = |number: usize| {
        app.request("PATCH", "/api/notes/1")
            .header("if-match", &tag)
            .json(json!({ "title": format!("{number}") }))
    };
    let writers: Vec<_> = (0..60)
        .map(|number| tokio::spawn(request(number).send()))
        .collect();
    for writer in writers {
        let reply = writer.await.unwrap();
        assert!(
            reply.status == 200 || (reply.status == 412 && reply.has("etag")),
            "{reply:?}"
        );
    }
    for path in ["/api/notes", "/api/notes/1"] {
        let read = app
            .request("GET", path)
            .header("if-match", "\"zz\"")
            .send()
            .await;
        assert_eq!((read.status, read.has("etag")), (412, true), "{path}");
    }
}

#[tokio::test]
async fn racing_puts_of_a_new_key_create_it_once() {
    let app = TestApp::new("[resources.tags]\nkey = { field = \"tag\", type = \"string\" }\nput = \"upsert\"\n[resources.tags.fields]\ncolour = { type = \"string\" }\n").await;
    for round in 0..5 {
        let put = |number: usize| {
            app.request("PUT", &format!("/api/tags/r{round}"))
                .json(json!({ "colour": format!("c{number}") }))
        };
        let puts: Vec<_> = (0..40)
            .map(|number| tokio::spawn(put(number).send()))
            .collect();
        let mut statuses = Vec::new();
        for put in puts {
            statuses.push(put.await.unwrap().status);
        }
        statuses.sort_unstable();
        assert!(
            statuses[..39].iter().all(|status| *status == 200) && statuses[39] == 201,
            "{statuses:?}"
        );
        let only = |number: usize| put(number).header("if-none-match", "*");
        let only: Vec<_> = (0..20)
            .map(|number| tokio::spawn(only(number).send()))
            .collect();
        for put in only {
            assert_eq!(put.await.unwrap().status, 412);
        }
    }
    let partial = app
        .request("PUT", "/api/tags/new")
        .header("content-range", "bytes 0-1/2")
        .json(json!({ "colour": "x" }));
    assert_eq!(partial.send().await.status, 400);
}

#[tokio::test]
async fn a_bare_list_has_another_tag_when_its_total_moves() {
    let app = TestApp::new(
        "[api]\nlists = \"array\"\n[resources.notes.fields]\ntitle = { type = \"string\" }\n",
    )
    .await;
    app.post("/api/notes", json!({ "title": "a" })).await;
    let first = app.get("/api/notes?per_page=1").await;
    app.post("/api/notes", json!({ "title": "b" })).await;
    let again = app
        .request("GET", "/api/notes?per_page=1")
        .header("if-none-match", first.header("etag"))
        .send()
        .await;
    assert_eq!((again.status, again.header("x-total-count")), (200, "2"));
}

#[tokio::test]
async fn a_collection_is_deleted_under_its_preconditions() {
    let app = TestApp::new("[resources.notes]\nrequire_if_match = true\nmethods = { collection = [\"GET\", \"POST\", \"DELETE\"] }\n[resources.notes.fields]\ntitle = { type = \"string\" }\n").await;
    app.post("/api/notes", json!({ "title": "a" })).await;
    for (tag, expected) in [("", 428), ("\"nope\"", 412)] {
        let request = app.request("DELETE", "/api/notes");
        let request = if tag.is_empty() {
            request
        } else {
            request.header("if-match", tag)
        };
        assert_eq!(request.send().await.status, expected, "{tag}");
    }
    let paged = app
        .request("DELETE", "/api/notes?per_page=1")
        .header("if-match", "*")
        .send()
        .await;
    assert_eq!(
        (paged.status, &app.get("/api/notes").await.json()["total"]),
        (400, &json!(1))
    );
    assert_eq!(
        app.request("DELETE", "/api/notes")
            .header("if-match", "*")
            .send()
            .await
            .status,
        204
    );
}
