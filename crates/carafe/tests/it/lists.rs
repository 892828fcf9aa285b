//! Lists: paging, order, filters, fields, search (contract 72 to 88).

use serde_json::{Value, json};

use crate::support::TestApp;

const BOOKS: &str = r#"
[resources.books]
search = ["title"]
[resources.books.fields]
title  = { type = "string" }
pages  = { type = "integer", optional = true, index = true }
price  = { type = "decimal", optional = true }
weight = { type = "number", optional = true }
read   = { type = "boolean", default = false }
shelf  = { type = "choice", one_of = ["a", "b"], optional = true }
out    = { type = "date", optional = true }
page   = { type = "integer", optional = true }
secret = { type = "password", optional = true }
data   = { type = "json", optional = true }
"#;

fn ids(list: &Value) -> Vec<i64> {
    let records = list.get("books").unwrap_or(list);
    records
        .as_array()
        .expect("an array")
        .iter()
        .map(|record| record["id"].as_i64().expect("an id"))
        .collect()
}

async fn with_books() -> TestApp {
    let app = TestApp::new(BOOKS).await;
    let books = [
        json!({ "title": "Alpha", "pages": 100, "price": "1.50", "weight": 0.5, "shelf": "a", "out": "2020-01-01", "page": 1 }),
        json!({ "title": "beta", "pages": 200, "price": "2.00", "weight": 1.5, "shelf": "b", "out": "2021-01-01", "read": true }),
        json!({ "title": "100% \\_ \"q\"", "pages": null, "price": null, "shelf": null, "secret": "hush-hush" }),
        json!({ "title": "Été", "pages": 50, "price": "-0.05", "weight": -1 }),
    ];
    for book in books {
        let reply = app.post("/api/books", book).await;
        assert_eq!(reply.status, 201, "{}", reply.text());
    }
    app
}

#[tokio::test]
async fn a_list_that_is_asked_again_is_still_the_one_that_was_asked_for() {
    let declaration = r#"
[resources.shelves]
links = true
[resources.shelves.fields]
name = { type = "string" }
[resources.books]
parent = "shelves"
[resources.books.fields]
title = { type = "string" }
"#;
    let app = TestApp::new(declaration).await;
    for shelf in ["1", "2"] {
        let name = json!({ "name": shelf });
        assert_eq!(app.post("/api/shelves", name).await.status, 201);
        let books = format!("/api/shelves/{shelf}/books");
        let title = json!({ "title": format!("on {shelf}") });
        assert_eq!(app.post(&books, title).await.status, 201);
    }
    for _ in 0..2 {
        for shelf in ["1", "2"] {
            let books = app.get(&format!("/api/shelves/{shelf}/books")).await.json();
            assert_eq!(books["total"], 1);
            assert_eq!(books["books"][0]["title"], format!("on {shelf}"));
        }
        let local = app.get("/api/shelves").await.json();
        let url = format!("{}/api/shelves/1", app.base);
        assert_eq!(local["shelves"][0]["url"], url);
        let other = { app.request("GET", "/api/shelves") }
            .header("host", "evil.example")
            .send()
            .await;
        assert_eq!(other.json()["shelves"][0]["url"], "/api/shelves/1");
    }
}

#[tokio::test]
async fn a_list_that_is_asked_again_has_the_fields_of_the_first_time() {
    let app = with_books().await;
    let first = app.get("/api/books").await;
    let tag = first.header("etag").to_owned();
    for _ in 0..2 {
        let head = app.request("HEAD", "/api/books").send().await;
        assert_eq!(
            head.header("content-length"),
            first.body.len().to_string().as_str()
        );
        assert!(head.body.is_empty());
        let known = { app.request("GET", "/api/books") }
            .header("if-none-match", &tag)
            .send()
            .await;
        assert_eq!((known.status, known.body.len()), (304, 0));
        let again = app.get("/api/books").await;
        assert_eq!(again.body, first.body);
        for field in ["etag", "link", "x-total-count", "cache-control", "vary"] {
            assert_eq!(again.header(field), first.header(field), "{field}");
        }
    }
    let title = json!({ "title": "Other" });
    assert_eq!(app.post("/api/books", title).await.status, 201);
    let changed = { app.request("GET", "/api/books") }
        .header("if-none-match", &tag)
        .send()
        .await;
    assert_eq!((changed.status, &changed.json()["total"]), (200, &json!(5)));
}

#[tokio::test]
async fn a_search_counts_only_some_way_behind_its_page() {
    let app = TestApp::new(&format!("{BOOKS}\n[resources.books.pages]\nper_page = 5\n")).await;
    let behind = carafe_model::query::COUNTED_BEHIND;
    let books = behind + 15;
    for number in 0..books {
        let book = json!({ "title": format!("Common {number}"), "pages": number % 7 });
        assert_eq!(app.post("/api/books", book).await.status, 201);
    }
    for sort in ["id", "-pages", "title"] {
        let first = app.get(&format!("/api/books?q=common&sort={sort}")).await;
        let list = first.json();
        assert_eq!(list["total"], 10 + behind, "sort: {sort}");
        assert_eq!(list["total_is_exact"], false, "sort: {sort}");
        assert_eq!(list["has_next"], true, "sort: {sort}");
        assert_eq!(first.header("x-total-count"), "");
        let links = first.header("link");
        assert!(links.contains("next") && !links.contains("last"), "{links}");
        let path = format!("/api/books?q=common&page=2&sort={sort}");
        let second = app.get(&path).await;
        let list = second.json();
        assert_eq!(list["total"], books, "sort: {sort}");
        assert_eq!(list.get("total_is_exact"), None, "sort: {sort}");
        assert_eq!(second.header("x-total-count"), books.to_string());
    }
    let found = app.get("/api/books/search?q=COMMON&per_page=5").await;
    let found = found.json();
    assert_eq!(found["count"], 5 + behind);
    assert_eq!(found["count_is_exact"], false);
    let found = app.get("/api/books/search?q=common&per_page=15").await;
    let found = found.json();
    assert_eq!(found["count"], books);
    assert_eq!(found.get("count_is_exact"), None);
    let all = app.get("/api/books").await.json();
    assert_eq!(all["total"], books);
    let page = app.get("/books?q=common").await.text();
    let said = format!("1–5 of more than {}", 5 + behind);
    assert!(page.contains(&said), "{page}");
    let page = app.get("/books?q=common&page=23").await.text();
    assert!(page.contains(&format!("111–115 of {books}")), "{page}");
}

#[tokio::test]
async fn filters_compare_by_the_type_of_the_field() {
    let app = with_books().await;
    let cases: [(&str, &[i64]); 38] = [
        ("pages=100", &[1]),
        ("pages__eq=100", &[1]),
        ("pages__gt=100", &[2]),
        ("pages__gte=100", &[1, 2]),
        ("pages__lt=100", &[4]),
        ("pages__lte=100", &[1, 4]),
        ("pages__ne=100", &[2, 3, 4]),
        ("pages__in=50,200", &[2, 4]),
        ("pages__isnull=true", &[3]),
        ("pages__isnull=false", &[1, 2, 4]),
        ("pages=", &[3]),
        ("pages__ne=", &[1, 2, 4]),
        ("price=1.5", &[1]),
        ("price__lt=0", &[4]),
        ("price__gte=1.50", &[1, 2]),
        ("weight=1.5", &[2]),
        ("weight__lt=0", &[4]),
        ("read=true", &[2]),
        ("read__ne=true", &[1, 3, 4]),
        ("shelf=a", &[1]),
        ("shelf__in=a,b", &[1, 2]),
        ("out__gt=2020-06-01", &[2]),
        ("title=beta", &[2]),
        ("title=BETA", &[]),
        ("title__contains=ET", &[2]),
        ("title__contains=%C3%89T%C3%89", &[4]),
        ("title__contains=%25", &[3]),
        ("title__contains=_", &[3]),
        ("title__contains=%5C", &[3]),
        ("title__contains=%22q", &[3]),
        ("title__contains='", &[]),
        ("title__gt=a", &[2, 4]),
        ("id=2", &[2]),
        ("id__gt=2", &[3, 4]),
        ("page__eq=1", &[1]),
        ("pages__gt=60&read=false", &[1]),
        ("q=ALPH", &[1]),
        ("q=a&pages__gt=150", &[2]),
    ];
    for (query, expected) in cases {
        let reply = app.get(&format!("/api/books?{query}")).await;
        assert_eq!(reply.status, 200, "{query}: {}", reply.text());
        assert_eq!(ids(&reply.json()), expected, "{query}");
        assert_eq!(reply.json()["total"], expected.len(), "{query}");
    }
}

#[tokio::test]
async fn what_a_list_does_not_know_is_refused_with_a_hint() {
    let app = with_books().await;
    let cases = [
        ("pagse=1", "pagse", "unknown", Some("pages")),
        (
            "titel__contains=x",
            "titel__contains",
            "unknown",
            Some("title"),
        ),
        ("pages__gtt=1", "pages__gtt", "unknown", Some("__gt")),
        ("pages=x", "pages", "type", None),
        ("pages=1.5", "pages", "type", None),
        ("price=x", "price", "format", None),
        ("read=maybe", "read", "type", None),
        ("out=2020", "out", "format", None),
        ("pages__contains=1", "pages__contains", "type", None),
        ("pages__isnull=x", "pages__isnull", "type", None),
        ("pages__gt=", "pages__gt", "required", None),
        ("sort=secret", "sort", "unknown", None),
        ("sort=data", "sort", "unknown", None),
        ("sort=titel", "sort", "unknown", Some("title")),
        ("sort=title,title", "sort", "duplicate", None),
        ("secret=hush-hush", "secret", "unknown", None),
        ("fields=secret", "fields", "unknown", None),
        ("fields=nothing", "fields", "unknown", None),
        ("page=0", "page", "too_small", None),
        ("page=-1", "page", "too_small", None),
        ("page=x", "page", "too_small", None),
        ("page=99999999999999999999", "page", "too_small", None),
        ("per_page=0", "per_page", "too_small", None),
        ("per_page=101", "per_page", "too_large", Some("100")),
        ("per_page=1e9", "per_page", "too_small", None),
        ("page=1&page=2", "page", "duplicate", None),
        ("pages=1&pages=2", "pages", "duplicate", None),
        ("q=%00", "q", "character", None),
        ("title=%00", "title", "character", None),
    ];
    for (query, parameter, code, hint) in cases {
        let reply = app.get(&format!("/api/books?{query}")).await;
        assert_eq!(reply.status, 400, "{query}");
        let problem = reply.json();
        assert_eq!(problem["type"], "/problems/bad-parameter", "{query}");
        let fault = &problem["errors"][0];
        assert_eq!(
            (&fault["parameter"], &fault["code"]),
            (&json!(parameter), &json!(code)),
            "{query}"
        );
        let message = fault["message"].as_str().unwrap();
        assert!(
            hint.is_none_or(|hint| message.contains(hint)),
            "{query}: {message}"
        );
    }
    let both = app.get("/api/books?pagse=1&page=0").await.json();
    assert_eq!(both["errors"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn order_is_total_and_nulls_come_first() {
    let app = with_books().await;
    let cases: [(&str, &[i64]); 8] = [
        ("", &[1, 2, 3, 4]),
        ("?sort=pages", &[3, 4, 1, 2]),
        ("?sort=-pages", &[2, 1, 4, 3]),
        ("?sort=title", &[3, 1, 2, 4]),
        ("?sort=price", &[3, 4, 1, 2]),
        ("?sort=read,-pages", &[1, 4, 3, 2]),
        ("?sort=-id", &[4, 3, 2, 1]),
        ("?sort=-read", &[2, 4, 3, 1]),
    ];
    for (query, expected) in cases {
        assert_eq!(
            ids(&app.get(&format!("/api/books{query}")).await.json()),
            expected,
            "{query}"
        );
    }
}

#[tokio::test]
async fn a_walk_by_link_meets_every_record_once() {
    let app = TestApp::new(BOOKS).await;
    for number in 0..95 {
        app.post(
            "/api/books",
            json!({ "title": "same", "pages": number % 3 }),
        )
        .await;
    }
    let mut next =
        Some("/api/books?sort=pages&per_page=10&title__contains=SAM%25".replace("%25", ""));
    let mut seen = Vec::new();
    while let Some(path) = next {
        let reply = app.get(&path).await;
        assert_eq!(reply.status, 200, "{path}");
        seen.extend(ids(&reply.json()));
        let link = reply.header("link").to_owned();
        assert!(link.contains("title__contains=SAM"), "{link}");
        for relation in ["first", "last"] {
            assert!(link.contains(&format!("rel=\"{relation}\"")), "{link}");
        }
        next = link
            .split(", ")
            .find(|part| part.contains("rel=\"next\""))
            .map(|part| part[1..part.find('>').unwrap()].to_owned());
        assert_eq!(reply.header("x-total-count"), "95");
    }
    let mut unique = seen.clone();
    unique.sort_unstable();
    unique.dedup();
    assert_eq!((seen.len(), unique.len()), (95, 95));
}

#[tokio::test]
async fn an_empty_list_and_a_page_past_the_end_are_no_errors() {
    let app = TestApp::new(BOOKS).await;
    let empty = app.get("/api/books").await;
    assert_eq!(
        (empty.status, empty.json()),
        (
            200,
            json!({ "books": [], "total": 0, "pages": 0, "current_page": 1, "per_page": 10, "has_next": false, "has_prev": false })
        )
    );
    app.post("/api/books", json!({ "title": "x" })).await;
    let past = app.get("/api/books?page=999").await.json();
    assert_eq!(
        (&past["books"], &past["total"], &past["has_next"]),
        (&json!([]), &json!(1), &json!(false))
    );
}

#[tokio::test]
async fn a_bare_array_is_paged_at_the_maximum() {
    let declaration = "[api]\nlists = \"array\"\n[limits]\npage_size = 20\n[resources.notes.fields]\ntitle = { type = \"string\" }\n";
    let app = TestApp::new(declaration).await;
    for _ in 0..50 {
        app.post("/api/notes", json!({ "title": "x" })).await;
    }
    let reply = app.get("/api/notes").await;
    assert_eq!(reply.json().as_array().unwrap().len(), 20);
    assert_eq!(reply.header("x-total-count"), "50");
    assert!(
        reply
            .header("link")
            .contains("page=2&per_page=20>; rel=\"next\""),
        "{}",
        reply.header("link")
    );
}

#[tokio::test]
async fn fields_choose_members() {
    let app = with_books().await;
    let list = app
        .get("/api/books?fields=title,id&per_page=1")
        .await
        .json();
    assert_eq!(list["books"], json!([{ "title": "Alpha", "id": 1 }]));
    let one = app.get("/api/books/1?fields=pages").await;
    assert_eq!(one.text(), r#"{"pages":100}"#);
    assert_ne!(
        one.header("etag"),
        app.get("/api/books/1").await.header("etag")
    );
    let hidden = app.get("/api/books/1?fields=secret").await;
    assert_eq!(hidden.status, 400);
    assert_eq!(app.get("/api/books/1?colour=red").await.status, 400);
    for path in ["/api/books/3", "/api/books", "/api/books/search?q=100"] {
        let text = app.get(path).await.text();
        assert!(
            !text.contains("secret") && !text.contains("argon2") && !text.contains("hush"),
            "{path}: {text}"
        );
    }
}

#[tokio::test]
async fn totals_are_of_the_same_moment_as_the_page() {
    let app = TestApp::new(BOOKS).await;
    let writer = {
        let app = app.clone();
        tokio::spawn(async move {
            for _ in 0..100 {
                app.post("/api/books", json!({ "title": "x" })).await;
            }
        })
    };
    for _ in 0..100 {
        let list = app.get("/api/books?per_page=100").await.json();
        let (rows, total) = (
            list["books"].as_array().unwrap().len() as u64,
            list["total"].as_u64().unwrap(),
        );
        assert_eq!(rows, total.min(100), "rows {rows}, total {total}");
    }
    writer.await.unwrap();
}

#[tokio::test]
async fn softly_deleted_records_are_in_no_list_count_or_search() {
    let app = with_books().await;
    assert_eq!(
        app.request("DELETE", "/api/books/1").send().await.status,
        204
    );
    assert_eq!(app.get("/api/books/1").await.status, 404);
    assert_eq!(ids(&app.get("/api/books").await.json()), [2, 3, 4]);
    assert_eq!(app.get("/api/books").await.json()["total"], 3);
    assert_eq!(app.get("/api/books?pages=100").await.json()["total"], 0);
    assert_eq!(
        app.get("/api/books/search?q=alpha").await.json()["count"],
        0
    );
    assert_eq!(
        app.request("PATCH", "/api/books/1")
            .json(json!({ "title": "x" }))
            .send()
            .await
            .status,
        404
    );
}
