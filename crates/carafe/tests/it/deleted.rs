//! Records that are deleted softly: hidden everywhere, kept, listed and restored.

use serde_json::{Value, json};

use crate::support::{Reply, TestApp};

const SHELVES: &str = r#"
[resources.shelves]
label   = "Shelf"
search  = ["name"]
history = true
[resources.shelves.fields]
name = { type = "string", unique = true }

[resources.books]
parent = "shelves"
[resources.books.fields]
title = { type = "string" }

[resources.labels]
key    = { field = "name", type = "string" }
[resources.labels.fields]
color  = { type = "string", optional = true }

[resources.drafts]
kind = "document"

[resources.stamps]
delete = "hard"
[resources.stamps.fields]
deleted = { type = "boolean", default = false }
"#;

async fn with_shelves() -> TestApp {
    let app = TestApp::new(SHELVES).await;
    for name in ["Art", "Law", "Tea"] {
        app.post("/api/shelves", json!({ "name": name })).await;
    }
    for title in ["One", "Two"] {
        app.post("/api/shelves/2/books", json!({ "title": title }))
            .await;
    }
    app.tick();
    app.request("DELETE", "/api/shelves/2").send().await;
    app
}

async fn restore(app: &TestApp, path: &str) -> Reply {
    let request = app.request("PATCH", &format!("{path}?deleted=only"));
    request.json(json!({ "deleted_at": null })).send().await
}

#[tokio::test]
async fn a_deleted_record_is_hidden_everywhere_and_never_comes_back_under_another() {
    let app = with_shelves().await;
    let law = "/api/shelves/2";
    for method in ["GET", "HEAD", "PUT", "PATCH", "DELETE"] {
        let request = app
            .request(method, law)
            .header("content-type", "application/json");
        assert_eq!(
            request.body("{\"name\":\"x\"}").send().await.status,
            404,
            "{method}"
        );
    }
    for path in [
        "/api/shelves/2/name",
        "/api/shelves/2/history",
        "/api/shelves/2/books",
    ] {
        assert_eq!(app.get(path).await.status, 404, "{path}");
    }
    for path in [
        "/shelves/2",
        "/shelves/2/edit",
        "/shelves/2/delete",
        "/shelves/2/books",
    ] {
        assert_eq!(app.get(path).await.status, 404, "{path}");
    }
    let list = app.get("/api/shelves").await.json();
    assert_eq!(
        (&list["total"], &list["shelves"][1]["name"]),
        (&json!(2), &json!("Tea"))
    );
    assert_eq!(app.get("/api/shelves?q=law").await.json()["total"], 0);
    assert_eq!(app.get("/api/shelves?name=Law").await.json()["total"], 0);
    assert!(!app.get("/shelves").await.text().contains("Law"));
    let new = app.post("/api/shelves", json!({ "name": "Law" })).await;
    assert_eq!((new.status, &new.json()["id"]), (201, &json!(4)));
}

#[tokio::test]
async fn deleted_records_are_listed_read_and_restored() {
    let app = with_shelves().await;
    let list = app.get("/api/shelves?deleted=only").await;
    let law = json!({ "id": 2, "name": "Law", "deleted_at": "2026-01-01T00:00:01.000000Z" });
    assert_eq!(list.json()["shelves"], json!([law]));
    assert_eq!(list.header("x-total-count"), "1");
    assert_eq!(
        app.get("/api/shelves?deleted=only&q=LAW").await.json()["total"],
        1
    );
    assert_eq!(
        app.get("/api/shelves/search?deleted=only&q=tea")
            .await
            .json()["count"],
        0
    );
    let fields = app
        .get("/api/shelves?deleted=only&fields=name")
        .await
        .json();
    assert_eq!(fields["shelves"], json!([{ "name": "Law" }]));
    let one = app.get("/api/shelves/2?deleted=only").await;
    assert_eq!((one.status, one.json()), (200, law));
    assert_eq!(app.get("/api/shelves/1?deleted=only").await.status, 404);
    let options = app
        .request("OPTIONS", "/api/shelves/2?deleted=only")
        .send()
        .await;
    assert_eq!(options.header("allow"), "GET, HEAD, PATCH, OPTIONS");

    let restored = restore(&app, "/api/shelves/2").await;
    assert_eq!(
        (restored.status, restored.json()),
        (200, json!({ "id": 2, "name": "Law" }))
    );
    assert_eq!(
        restored.header("etag"),
        app.get("/api/shelves/2").await.header("etag")
    );
    assert_eq!(app.get("/api/shelves/2/books").await.json()["total"], 2);
    assert_eq!(
        app.get("/api/shelves?deleted=only").await.json()["total"],
        0
    );
    assert_eq!(restore(&app, "/api/shelves/2").await.status, 404);
    let history = app.get("/api/shelves/2/history").await.json();
    let actions: Vec<&Value> = history["history"]
        .as_array()
        .unwrap()
        .iter()
        .map(|v| &v["action"])
        .collect();
    assert_eq!(actions, ["restore", "delete", "create"]);
}

#[tokio::test]
async fn a_restoration_that_cannot_be_is_refused_and_changes_nothing() {
    let app = with_shelves().await;
    let path = "/api/shelves/2?deleted=only";
    for (method, body, status) in [
        ("PATCH", r#"{"deleted_at":"2026-01-01T00:00:00Z"}"#, 400),
        ("PATCH", r#"{"deleted_at":null,"name":"Other"}"#, 400),
        ("PATCH", "{}", 400),
        ("PATCH", "[]", 400),
        ("PATCH", "{", 400),
        ("PUT", r#"{"name":"Other"}"#, 405),
        ("DELETE", "", 405),
    ] {
        let request = app
            .request(method, path)
            .header("content-type", "application/json");
        let reply = request.body(body).send().await;
        assert_eq!(reply.status, status, "{method} {body}: {}", reply.text());
    }
    // What is neither `only` nor a time asks for nothing: a live record, strictly read.
    assert_eq!(app.get("/api/shelves/2?deleted=yes").await.status, 400);
    assert_eq!(app.get("/api/shelves/1?deleted=yes").await.status, 400);
    for query in ["deleted=only&x=1", "deleted=only&deleted=only"] {
        assert_eq!(
            app.get(&format!("/api/shelves/2?{query}")).await.status,
            400,
            "{query}"
        );
    }
    assert_eq!(app.get("/api/shelves?deleted=all").await.status, 400);
    let all = app
        .request("DELETE", "/api/shelves?deleted=only")
        .send()
        .await;
    assert_eq!(all.status, 405);
    let stale = app.request("PATCH", path).header("if-match", "\"1.0\"");
    assert_eq!(
        stale
            .json(json!({ "deleted_at": null }))
            .send()
            .await
            .status,
        412
    );
    app.post("/api/shelves", json!({ "name": "Law" })).await;
    let taken = restore(&app, "/api/shelves/2").await;
    assert_eq!(
        (taken.status, taken.json()["errors"][0]["field"].clone()),
        (409, json!("name"))
    );
    assert_eq!(
        app.get("/api/shelves?deleted=only").await.json()["total"],
        1
    );
    assert_eq!(app.get("/api/shelves/4").await.status, 200);
}

#[tokio::test]
async fn a_whole_record_that_is_sent_back_restores_it() {
    let app = with_shelves().await;
    let mut record = app.get("/api/shelves/2?deleted=only").await.json();
    record["deleted_at"] = Value::Null;
    let read = app.get("/api/shelves/2?deleted=only").await;
    let request = app
        .request("PATCH", "/api/shelves/2?deleted=only")
        .header("if-match", read.header("etag"));
    assert_eq!(request.json(record).send().await.status, 200);
}

#[tokio::test]
async fn names_that_are_free_again_are_restored_last_first() {
    let app = with_shelves().await;
    for color in ["red", "blue"] {
        app.post("/api/labels", json!({ "name": "x", "color": color }))
            .await;
        app.tick();
        app.request("DELETE", "/api/labels/x").send().await;
    }
    assert_eq!(app.get("/api/labels?deleted=only").await.json()["total"], 2);
    assert_eq!(
        app.get("/api/labels/x?deleted=only").await.json()["color"],
        "blue"
    );
    assert_eq!(restore(&app, "/api/labels/x").await.json()["color"], "blue");
    assert_eq!(restore(&app, "/api/labels/x").await.status, 409);

    app.post("/api/drafts/a", json!({ "n": 1 })).await;
    app.request("DELETE", "/api/drafts/a").send().await;
    app.tick();
    app.post("/api/drafts/a", json!({ "n": 2 })).await;
    app.request("DELETE", "/api/drafts/a").send().await;
    let drafts = app.get("/api/drafts?deleted=only").await.json();
    let at = |n: i64| {
        let all = drafts["drafts"].as_array().unwrap();
        let one = all.iter().find(|draft| draft["content"]["n"] == n).unwrap();
        assert_eq!(one["name"], "a");
        one["deleted_at"].as_str().unwrap().to_owned()
    };
    // The one that was deleted first, by the time of its deletion.
    let older = app.request("PATCH", &format!("/api/drafts/a?deleted={}", at(1)));
    let older = older.json(json!({ "deleted_at": null })).send().await;
    assert_eq!((older.status, older.text().as_str()), (200, r#"{"n":1}"#));
    app.request("DELETE", "/api/drafts/a").send().await;
    let page = format!("/drafts/a/restore?deleted={}", at(2));
    let trash = app.get("/drafts?deleted=only").await.text();
    assert!(trash.contains(&page), "{trash}");
    assert_eq!(app.form(&page, &[]).await.status, 303);
    assert_eq!(app.get("/api/drafts/a/n").await.text(), "2");
    app.request("DELETE", "/api/drafts/a").send().await;
    app.tick();
    app.post("/api/drafts/a", json!({ "n": 1 })).await;
    app.request("DELETE", "/api/drafts/a").send().await;
    assert_eq!(restore(&app, "/api/drafts/a").await.text(), r#"{"n":1}"#);
    assert_eq!(app.get("/api/drafts/a/n").await.text(), "1");
}

#[tokio::test]
async fn where_nothing_is_kept_the_parameter_is_a_field_or_unknown() {
    let app = with_shelves().await;
    app.post("/api/stamps", json!({ "deleted": true })).await;
    app.post("/api/stamps", json!({})).await;
    assert_eq!(app.get("/api/stamps?deleted=true").await.json()["total"], 1);
    assert_eq!(app.get("/api/stamps?deleted=only").await.status, 400);
    assert_eq!(app.get("/stamps/1/restore").await.status, 404);
    assert!(!app.get("/stamps").await.text().contains("deleted=only"));
}

#[tokio::test]
async fn people_restore_on_pages() {
    let app = with_shelves().await;
    let list = app.get("/shelves").await.text();
    assert!(list.contains("/shelves?deleted=only"), "{list}");
    let trash = app.get("/shelves?deleted=only").await.text();
    for part in [
        "Deleted Shelves",
        "Law",
        "/shelves/2/restore",
        "2026-01-01 00:00 UTC",
    ] {
        assert!(trash.contains(part), "{part}: {trash}");
    }
    assert!(!trash.contains("Art"));
    let page = app.get("/shelves/2/restore").await;
    assert!(
        page.text()
            .contains("Do you want <strong>Law</strong> back?"),
        "{}",
        page.text()
    );
    assert_eq!(app.get("/shelves/1/restore").await.status, 404);
    let forged = app
        .form_from("https://evil.example", "/shelves/2/restore", &[])
        .await;
    assert_eq!(forged.status, 400);
    assert_eq!(app.get("/api/shelves/2").await.status, 404);

    app.post("/api/shelves", json!({ "name": "Law" })).await;
    let taken = app.form("/shelves/2/restore", &[]).await;
    assert_eq!(taken.status, 409);
    assert!(
        taken.text().contains("Name is already taken"),
        "{}",
        taken.text()
    );
    app.request("DELETE", "/api/shelves/4").send().await;

    let back = app.form("/shelves/2/restore", &[]).await;
    assert_eq!((back.status, back.header("location")), (303, "/shelves/2"));
    assert!(app.follow(&back).await.text().contains("Shelf restored."));
    assert_eq!(app.get("/shelves/2/restore").await.status, 404);
    let empty = app.get("/shelves?deleted=only").await.text();
    assert!(empty.contains("/shelves/4/restore"), "{empty}");
}

#[tokio::test]
async fn a_child_comes_back_only_to_its_parent() {
    let app = with_shelves().await;
    app.request("DELETE", "/api/shelves/2/books/1").send().await;
    restore(&app, "/api/shelves/2").await;
    app.request("DELETE", "/api/shelves/2/books/1").send().await;
    let trash = app.get("/api/shelves/2/books?deleted=only").await.json();
    assert_eq!(trash["total"], 1);
    assert_eq!(restore(&app, "/api/shelves/1/books/1").await.status, 404);
    assert_eq!(restore(&app, "/api/shelves/2/books/1").await.status, 200);
    assert_eq!(app.get("/api/shelves/2/books").await.json()["total"], 2);
}

#[tokio::test]
async fn a_lenient_reader_takes_other_values_for_nothing() {
    let declaration = format!("[api]\ninput = \"lenient\"\n{SHELVES}");
    let app = TestApp::new(&declaration).await;
    app.post("/api/shelves", json!({ "name": "Art" })).await;
    for value in ["false", "0", "", "all"] {
        let path = format!("/api/shelves/1?deleted={value}");
        assert_eq!(app.get(&path).await.status, 200, "{value}");
        let patched = app
            .request("PATCH", &path)
            .json(json!({ "name": "Art" }))
            .send()
            .await;
        assert_eq!(patched.status, 200, "{value}");
    }
    assert_eq!(
        app.request("DELETE", "/api/shelves/1?deleted=only")
            .send()
            .await
            .status,
        405
    );
    assert_eq!(app.get("/api/shelves/1").await.status, 200);
}

#[tokio::test]
async fn what_a_deletion_took_along_comes_back_with_it_only() {
    let declaration = "
        [resources.tags]
        key = { field = \"name\", type = \"string\" }
        put = \"upsert\"
        [resources.tags.fields]
        title = { type = \"string\" }
        [resources.parts]
        parent = \"tags\"
        [resources.parts.fields]
        label = { type = \"string\", unique = true }";
    let app = TestApp::new(declaration).await;
    let put = |title: &'static str| {
        app.request("PUT", "/api/tags/a")
            .json(json!({ "title": title }))
            .send()
    };
    put("First").await;
    app.post("/api/tags/a/parts", json!({ "label": "x" })).await;
    app.tick();
    app.request("DELETE", "/api/tags/a").send().await;
    put("Second").await;
    // The part was of the first, whose name the second has now.
    assert_eq!(restore(&app, "/api/tags/a/parts/1").await.status, 409);
    app.tick();
    app.request("DELETE", "/api/tags/a").send().await;
    let deleted = app.get("/api/tags?deleted=only").await.json();
    let at = deleted["tags"][0]["deleted_at"]
        .as_str()
        .unwrap()
        .to_owned();
    let first = |body: Value| {
        app.request("PATCH", &format!("/api/tags/a?deleted={at}"))
            .json(body)
            .send()
    };
    // A unique value of what comes back with it is taken.
    app.request("PUT", "/api/tags/b")
        .json(json!({ "title": "B" }))
        .send()
        .await;
    app.post("/api/tags/b/parts", json!({ "label": "x" })).await;
    let taken = first(json!({ "deleted_at": null })).await;
    let error = &taken.json()["errors"][0];
    assert_eq!(
        (taken.status, &error["pointer"]),
        (409, &json!("#/deleted_at"))
    );
    assert_eq!(
        error["message"],
        "Part that was deleted with it: Label is already taken"
    );
    app.request("DELETE", "/api/tags/b/parts/2").send().await;
    assert_eq!(
        first(json!({ "deleted_at": null })).await.json()["title"],
        "First"
    );
    assert_eq!(app.get("/api/tags/a/parts").await.json()["total"], 1);
}

#[tokio::test]
async fn of_a_deleted_record_too_refusals_keep_their_order() {
    let app = with_shelves().await;
    let path = "/api/shelves/2?deleted=only&x=1";
    let patch = |kind: &'static str, tag: &'static str| {
        let request = app
            .request("PATCH", path)
            .header("content-type", kind)
            .header("if-match", tag);
        request.body(r#"{"deleted_at":null}"#).send()
    };
    assert_eq!(patch("text/plain", "\"1.0\"").await.status, 415);
    assert_eq!(patch("application/json", "\"1.0\"").await.status, 412);
    assert_eq!(patch("application/json", "*").await.status, 400);
}
