//! Lists that are paged by cursors.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::support::TestApp;

const NOTES: &str = r#"
[resources.notes]
pagination = "cursor"
search = ["title"]
[resources.notes.fields]
title = { type = "string" }
rank  = { type = "integer", optional = true }
size  = { type = "number", optional = true }
due   = { type = "date", optional = true }
done  = { type = "boolean", default = false }

[resources.tags]
pagination = "cursor"
lists = "array"
key   = { field = "name", type = "string" }
[resources.tags.fields]
color = { type = "string" }
"#;

async fn with_notes() -> TestApp {
    let app = TestApp::new(NOTES).await;
    for number in 0..60_i64 {
        let rank = (number % 7 != 0).then_some(number % 5);
        let size = (number % 4 != 0).then_some(f64::from(u32::try_from(number % 6).unwrap()) / 3.0);
        let due = (number % 3 != 0).then(|| format!("2026-01-{:02}", number % 9 + 1));
        let note = json!({ "title": format!("Note {}", number % 10), "rank": rank, "size": size, "due": due, "done": number % 2 == 0 });
        assert_eq!(app.post("/api/notes", note).await.status, 201);
    }
    app
}

/// The ids of all pages in their order, walked by `next`.
async fn walk(app: &TestApp, query: &str) -> Vec<i64> {
    let (mut ids, mut path) = (Vec::new(), format!("/api/notes?{query}"));
    loop {
        let page = app.get(&path).await;
        assert_eq!(page.status, 200, "{path}: {}", page.text());
        let json = page.json();
        ids.extend(
            json["notes"]
                .as_array()
                .unwrap()
                .iter()
                .map(|note| note["id"].as_i64().unwrap()),
        );
        assert_eq!(json["has_next"], json["next"].is_string());
        assert!(json.get("total").is_none() && !page.has("x-total-count"));
        match json["next"].as_str() {
            Some(next) => path = format!("/api/notes?{query}&cursor={next}"),
            None => return ids,
        }
    }
}

#[tokio::test]
async fn a_walk_in_any_order_meets_every_record_once_and_in_order() {
    let app = with_notes().await;
    let whole = |query: &'static str| {
        let app = app.clone();
        async move {
            let all = app
                .get(&format!("/api/notes?per_page=100&{query}"))
                .await
                .json();
            let all = all["notes"].as_array().unwrap().clone();
            all.iter()
                .map(|note| note["id"].as_i64().unwrap())
                .collect::<Vec<_>>()
        }
    };
    for query in [
        "sort=id",
        "sort=-id",
        "sort=rank",
        "sort=-rank",
        "sort=size,-rank",
        "sort=-size,rank",
        "sort=-due,size,-title",
        "sort=done,-due",
        "sort=title&rank__gte=2",
        "q=note 1",
        "q=note&sort=-title",
    ] {
        let expected = whole(query).await;
        for size in [1, 3, 7, 100] {
            let found = walk(&app, &format!("per_page={size}&{query}")).await;
            assert_eq!(found, expected, "{query}, {size} a page");
        }
    }
}

#[tokio::test]
async fn records_that_are_there_throughout_are_met_whatever_else_comes_and_goes() {
    let app = with_notes().await;
    let mut seen: BTreeMap<i64, usize> = BTreeMap::new();
    let mut path = "/api/notes?sort=-rank&per_page=4".to_owned();
    let mut round = 0;
    loop {
        let json = app.get(&path).await.json();
        for note in json["notes"].as_array().unwrap() {
            *seen.entry(note["id"].as_i64().unwrap()).or_default() += 1;
        }
        // Odd ones go, new ones come: before the page and behind it.
        app.request("DELETE", &format!("/api/notes/{}", round * 2 + 1))
            .send()
            .await;
        for rank in [Value::Null, json!(-1), json!(2), json!(99)] {
            app.post("/api/notes", json!({ "title": "new", "rank": rank }))
                .await;
        }
        round += 1;
        match json["next"].as_str() {
            Some(next) => path = format!("/api/notes?sort=-rank&per_page=4&cursor={next}"),
            None => break,
        }
        assert!(round < 200, "the walk ends");
    }
    for id in (2..=60).step_by(2) {
        assert_eq!(seen.get(&id), Some(&1), "{id}");
    }
    assert!(seen.values().all(|times| *times == 1), "{seen:?}");
}

#[tokio::test]
async fn a_cursor_is_checked_and_bound_to_its_list() {
    let app = with_notes().await;
    let page = app.get("/api/notes?per_page=5&sort=rank").await.json();
    let next = page["next"].as_str().unwrap().to_owned();
    let ok = |query: String| {
        let app = app.clone();
        async move { app.get(&format!("/api/notes?{query}")).await }
    };
    assert_eq!(
        ok(format!("sort=rank&per_page=20&cursor={next}"))
            .await
            .status,
        200
    );
    assert_eq!(
        ok(format!("sort=rank&fields=title&cursor={next}"))
            .await
            .status,
        200
    );
    for query in [
        format!("cursor={next}"),
        format!("sort=-rank&cursor={next}"),
        format!("sort=rank&done=true&cursor={next}"),
        format!("sort=rank&q=note&cursor={next}"),
        format!("sort=rank&deleted=only&cursor={next}"),
        "sort=rank&cursor=".to_owned(),
        "sort=rank&cursor=abc.def".to_owned(),
    ] {
        let reply = ok(query.clone()).await;
        assert_eq!(
            (reply.status, &reply.json()["errors"][0]["parameter"]),
            (400, &json!("cursor")),
            "{query}"
        );
    }
    for index in (0..next.len()).step_by(5) {
        let mut forged = next.clone().into_bytes();
        forged[index] = if forged[index] == b'A' { b'B' } else { b'A' };
        let forged = String::from_utf8(forged).unwrap();
        assert_eq!(
            ok(format!("sort=rank&cursor={forged}")).await.status,
            400,
            "byte {index}"
        );
    }
    let other = app.get(&format!("/api/tags?cursor={next}")).await;
    assert_eq!(other.status, 400);
    assert_eq!(ok("page=2".to_owned()).await.status, 400);
    assert_eq!(ok("per_page=101".to_owned()).await.status, 400);
}

#[tokio::test]
async fn a_bare_array_leads_on_by_link() {
    let app = TestApp::new(NOTES).await;
    for name in ["a", "b", "c", "d/e ?", "é"] {
        app.post("/api/tags", json!({ "name": name, "color": "red" }))
            .await;
    }
    let (mut path, mut names) = ("/api/tags?per_page=2&color=red".to_owned(), Vec::new());
    loop {
        let page = app.get(&path).await;
        names.extend(
            page.json()
                .as_array()
                .unwrap()
                .iter()
                .map(|tag| tag["name"].as_str().unwrap().to_owned()),
        );
        let link = page.header("link").to_owned();
        assert!(
            link.contains("</api/tags?color=red&per_page=2>; rel=\"first\""),
            "{link}"
        );
        match link.split(", ").find(|part| part.ends_with("rel=\"next\"")) {
            Some(next) => path = next[1..].split('>').next().unwrap().to_owned(),
            None => break,
        }
    }
    assert_eq!(names, ["a", "b", "c", "d/e ?", "é"]);
    let empty = app.get("/api/notes").await;
    assert_eq!(
        empty.json(),
        json!({ "notes": [], "per_page": 10, "has_next": false, "next": null })
    );
    let again = app
        .request("GET", "/api/notes")
        .header("if-none-match", empty.header("etag"))
        .send()
        .await;
    assert_eq!(again.status, 304);
}

#[tokio::test]
async fn pages_for_people_keep_their_numbers() {
    let app = with_notes().await;
    let page = app.get("/notes?page=2").await.text();
    assert!(page.contains("11–20 of 60"), "{page}");
    assert_eq!(app.get("/notes/search").await.status, 404);
    let found = app
        .get("/api/notes/search?q=note 3&per_page=4")
        .await
        .json();
    assert_eq!(
        (found["notes"].as_array().unwrap().len(), &found["has_next"]),
        (4, &json!(true))
    );
    assert_eq!(
        app.get("/api/notes/search").await.json()["error"],
        "Search query required"
    );
}
