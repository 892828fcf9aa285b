//! `apps/stock`: reference application 002, item by item.

use serde_json::json;

use crate::support::TestApp;

#[tokio::test]
async fn the_stock_is_read_at_every_level() {
    let app = TestApp::of("stock").await;
    let fruit = json!({ "apple": 30, "banana": 45, "cherry": 1000 });
    let cases = [
        ("/stock", 200, json!({ "fruit": fruit })),
        ("/stock/fruit", 200, fruit),
        ("/stock/fruit/apple", 200, json!(30)),
    ];
    for (path, status, body) in cases {
        let reply = app.get(path).await;
        assert_eq!((reply.status, reply.json()), (status, body), "{path}");
        assert_eq!(reply.header("content-type"), "application/json", "{path}");
    }
    for path in ["/stock/none", "/stock/fruit/none", "/stock/none/apple"] {
        let reply = app.get(path).await;
        assert_eq!(reply.status, 404, "{path}");
        assert_eq!(reply.json()["error"], "Not found", "{path}");
    }
}

#[tokio::test]
async fn each_method_answers_in_the_words_of_the_declaration() {
    let app = TestApp::of("stock").await;
    let steps = [
        (
            "POST",
            "/stock/veg",
            json!({ "leek": 0 }),
            201,
            "message",
            "Collection created",
        ),
        (
            "POST",
            "/stock/veg",
            json!({ "leek": 9 }),
            400,
            "error",
            "Collection already exists",
        ),
        ("GET", "/stock/veg/leek", json!(null), 200, "", "0"),
        (
            "PUT",
            "/stock/veg",
            json!({ "kale": 2 }),
            200,
            "message",
            "Collection replaced",
        ),
        ("GET", "/stock/veg", json!(null), 200, "", r#"{"kale":2}"#),
        (
            "PUT",
            "/stock/nuts",
            json!({ "almond": 1 }),
            201,
            "message",
            "Collection created",
        ),
        (
            "PATCH",
            "/stock/nuts",
            json!({ "pecan": 3 }),
            200,
            "message",
            "Collection updated",
        ),
        (
            "GET",
            "/stock/nuts",
            json!(null),
            200,
            "",
            r#"{"almond":1,"pecan":3}"#,
        ),
        (
            "PATCH",
            "/stock/tea",
            json!({ "green": 7 }),
            201,
            "message",
            "Collection created",
        ),
        (
            "PUT",
            "/stock/tea/green",
            json!(8),
            200,
            "message",
            "Member replaced",
        ),
        (
            "PUT",
            "/stock/tea/black",
            json!(0),
            201,
            "message",
            "Member created",
        ),
        (
            "PATCH",
            "/stock/tea/black",
            json!(2),
            200,
            "message",
            "Member updated",
        ),
        (
            "PUT",
            "/stock/none/black",
            json!(0),
            404,
            "error",
            "Resource not found",
        ),
        (
            "GET",
            "/stock/tea",
            json!(null),
            200,
            "",
            r#"{"green":8,"black":2}"#,
        ),
        (
            "DELETE",
            "/stock/tea/none",
            json!(null),
            404,
            "error",
            "Member not found",
        ),
        (
            "DELETE",
            "/stock/none/green",
            json!(null),
            404,
            "error",
            "Collection not found",
        ),
        ("DELETE", "/stock/tea/green", json!(null), 204, "", ""),
        ("DELETE", "/stock/tea/black", json!(null), 204, "", ""),
        ("GET", "/stock/tea", json!(null), 200, "", "{}"),
        ("DELETE", "/stock/tea", json!(null), 204, "", ""),
        (
            "DELETE",
            "/stock/tea",
            json!(null),
            404,
            "error",
            "Collection not found",
        ),
        (
            "POST",
            "/stock/tea",
            json!({}),
            201,
            "message",
            "Collection created",
        ),
        (
            "DELETE",
            "/stock",
            json!(null),
            405,
            "error",
            "DELETE is not possible here",
        ),
    ];
    for (index, (method, path, body, status, member, text)) in steps.into_iter().enumerate() {
        let request = app.request(method, path);
        let request = match body.is_null() {
            true => request,
            false => request.json(body),
        };
        let reply = request.send().await;
        let step = format!("step {index}: {method} {path}: {}", reply.text());
        assert_eq!(reply.status, status, "{step}");
        match member {
            "" => assert_eq!(reply.text(), text, "{step}"),
            member => assert_eq!(reply.json()[member], text, "{step}"),
        }
    }
}

#[tokio::test]
async fn names_take_any_characters_and_case_counts() {
    let app = TestApp::of("stock").await;
    let made = app
        .post(
            "/stock/Fruit%20%26%20N%C3%BCsse%2F2",
            json!({ "ä b/c": 1, "%": 2 }),
        )
        .await;
    assert_eq!(made.status, 201);
    assert_eq!(
        made.header("location"),
        "/stock/Fruit%20%26%20N%C3%BCsse%2F2"
    );
    let place = made.header("location");
    assert_eq!(
        app.get(&format!("{place}/%C3%A4%20b%2Fc")).await.text(),
        "1"
    );
    assert_eq!(app.get(&format!("{place}/%25")).await.text(), "2");
    assert_eq!(app.get("/stock/FRUIT").await.status, 404);
    let added = app
        .request("PUT", &format!("{place}/x%20%C3%A9"))
        .json(json!(5))
        .send()
        .await;
    assert_eq!(added.header("location"), format!("{place}/x%20%C3%A9"));
    assert_eq!(app.get(added.header("location")).await.text(), "5");
}

#[tokio::test]
async fn nothing_that_breaks_a_rule_is_stored() {
    let app = TestApp::of("stock").await;
    let before = app.get("/stock").await.text();
    for body in [
        "[1]",
        "\"x\"",
        "null",
        "5",
        "",
        "{\"a\":-1}",
        "{\"a\":\"1\"}",
        "{\"a\":1.5}",
        "{\"a\":null}",
        "{\"a\":true}",
        "{\"\":1}",
        "{\"a\\u0000\":1}",
        "{\"..\":1}",
        "{\"a\":1,\"a\":2}",
        "{\"a\":99999999999999999999}",
        "{\"a\":1",
    ] {
        for (method, path) in [
            ("POST", "/stock/new"),
            ("PUT", "/stock/new"),
            ("PUT", "/stock/fruit"),
        ] {
            let request = app
                .request(method, path)
                .header("content-type", "application/json");
            let reply = request.body(body.to_owned()).send().await;
            assert_eq!(reply.status, 400, "{method} {path} {body}");
            assert!(!reply.json()["error"].as_str().unwrap().is_empty());
        }
    }
    assert_eq!(app.get("/stock").await.text(), before);
}

#[tokio::test]
async fn all_faults_of_a_document_are_told_at_once() {
    let app = TestApp::of("stock").await;
    let reply = app
        .post(
            "/stock/new",
            json!({ "a": -1, "b": "x", "c": 1, "d/e": 1.5 }),
        )
        .await;
    let errors = reply.json()["errors"].clone();
    let told: Vec<_> = errors
        .as_array()
        .unwrap()
        .iter()
        .map(|error| {
            (
                error["pointer"].as_str().unwrap(),
                error["message"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("#/a", "a: Qty must be at least 0"),
            ("#/b", "b: Qty must be a whole number"),
            ("#/d~1e", "d/e: Qty must be a whole number"),
        ]
    );
}

#[tokio::test]
async fn the_form_creates_and_comes_back() {
    let app = TestApp::of("stock").await;
    let page = app.get("/add-collection").await.text();
    for part in [
        "name=\"collection\"",
        "name=\"member\"",
        "name=\"qty\"",
        "apple: 30",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert!(!page.contains("Collection created"), "{page}");
    let sent = app
        .form(
            "/add-collection",
            &[("collection", "veg"), ("member", "leek"), ("qty", "4")],
        )
        .await;
    assert_eq!(
        (sent.status, sent.header("location")),
        (303, "/add-collection")
    );
    let page = app.follow(&sent).await;
    assert_eq!(page.status, 200);
    assert!(
        page.text().contains("Collection created"),
        "{}",
        page.text()
    );
    assert!(page.text().contains("leek: 4"));
    assert_eq!(app.get("/stock/veg/leek").await.text(), "4");
    assert!(
        !app.get("/add-collection")
            .await
            .text()
            .contains("Collection created")
    );

    let again = app
        .form(
            "/add-collection",
            &[("collection", "veg"), ("member", "kale"), ("qty", "5")],
        )
        .await;
    assert_eq!(again.status, 400);
    assert!(
        again.text().contains("Collection already exists"),
        "{}",
        again.text()
    );
    assert_eq!(app.get("/stock/veg").await.text(), r#"{"leek":4}"#);
}

#[tokio::test]
async fn a_form_that_breaks_a_rule_is_shown_again_with_what_was_typed() {
    let app = TestApp::of("stock").await;
    let before = app.get("/stock").await.text();
    type Values<'a> = &'a [(&'a str, &'a str)];
    let cases: [(Values<'_>, &[&str]); 4] = [
        (
            &[("collection", ""), ("member", " "), ("qty", "")],
            &[
                "Collection is required",
                "Member is required",
                "Qty is required",
            ],
        ),
        (
            &[("collection", "veg"), ("member", "leek"), ("qty", "many")],
            &[
                "Qty must be a whole number",
                "value=\"many\"",
                "value=\"leek\"",
            ],
        ),
        (
            &[("collection", "veg"), ("member", "leek"), ("qty", "-1")],
            &["Qty must be at least 0"],
        ),
        (
            &[("collection", "..")],
            &["Collection must have 1 to 255 characters"],
        ),
    ];
    for (values, expected) in cases {
        let page = app.form("/add-collection", values).await;
        assert_eq!(page.status, 400, "{values:?}");
        for text in expected {
            assert!(page.text().contains(text), "{text}: {}", page.text());
        }
    }
    let forged = app
        .form_from(
            "https://evil.example",
            "/add-collection",
            &[("collection", "veg")],
        )
        .await;
    assert_eq!(forged.status, 400);
    assert_eq!(app.get("/stock").await.text(), before);
}

#[tokio::test]
async fn a_document_is_seen_changed_and_deleted_on_pages() {
    let app = TestApp::of("stock").await;
    let list = app.get_html("/stock").await.text();
    assert!(list.contains("apple: 30, banana: 45"), "{list}");
    let page = app.get_html("/stock/fruit").await.text();
    assert!(page.contains("<dt>cherry</dt>"), "{page}");

    // Without a wish for a page it is the member of that name.
    assert_eq!(app.get("/stock/fruit/edit").await.status, 404);
    // Apples change, bananas go, dates come.
    let page = app.get_html("/stock/fruit/edit").await;
    let typed = [
        ("qty", "31"),
        ("qty", ""),
        ("qty", "1000"),
        ("member", "date"),
        ("qty", "7"),
    ];
    let changed = app.submit(&page, "/stock/fruit/edit", &typed).await;
    assert_eq!(
        (changed.status, changed.header("location")),
        (303, "/stock/fruit")
    );
    let json = app.get("/stock/fruit").await.text();
    assert_eq!(json, r#"{"apple":31,"cherry":1000,"date":7}"#);

    let page = app.get_html("/stock/fruit/edit").await;
    let half = [
        ("qty", "31"),
        ("qty", "1000"),
        ("qty", "x"),
        ("member", ""),
        ("qty", "3"),
    ];
    let refused = app.submit(&page, "/stock/fruit/edit", &half).await;
    assert_eq!(refused.status, 400);
    for text in [
        "Qty must be a whole number",
        "Member is required",
        "value=\"x\"",
    ] {
        assert!(refused.text().contains(text), "{text}: {}", refused.text());
    }
    assert_eq!(app.get("/stock/fruit").await.text(), json);
}

#[tokio::test]
async fn a_document_that_somebody_else_changed_is_not_overwritten() {
    let app = TestApp::of("stock").await;
    app.get("/add-collection").await;
    let page = app.get_html("/stock/fruit/edit").await;
    let other = app
        .request("PATCH", "/stock/fruit")
        .json(json!({ "apple": 99 }));
    assert_eq!(other.send().await.status, 200);
    let typed = [
        ("qty", "1"),
        ("qty", "45"),
        ("qty", "1000"),
        ("member", ""),
        ("qty", ""),
    ];
    let conflict = app.submit(&page, "/stock/fruit/edit", &typed).await;
    assert_eq!(conflict.status, 409, "{}", conflict.text());
    assert!(conflict.text().contains("Somebody else has changed this"));
    assert_eq!(app.get("/stock/fruit/apple").await.text(), "99");
    let saved = app.submit(&conflict, "/stock/fruit/edit", &typed).await;
    assert_eq!(saved.status, 303, "{}", saved.text());
    assert_eq!(app.get("/stock/fruit/apple").await.text(), "1");

    let page = app.get_html("/stock/fruit/delete").await;
    let gone = app.submit(&page, "/stock/fruit/delete", &[]).await;
    assert_eq!((gone.status, gone.header("location")), (303, "/stock"));
    assert_eq!(app.get("/stock").await.text(), "{}");
}

#[tokio::test]
async fn its_own_pages_are_served_at_their_paths() {
    let app = TestApp::of("stock").await;
    let text = app.get("/get-text").await;
    assert_eq!((text.status, text.text().as_str()), (200, "some text"));
    assert_eq!(text.header("content-type"), "text/plain; charset=utf-8");
    let cases = [
        ("/qs", "No query"),
        (
            "/qs?name=john&language=python",
            "name: john language: python",
        ),
        ("/qs?z=1&a=2", "z: 1 a: 2"),
        ("/qs?a=1&b=2&a=3", "a: 1 b: 2"),
        ("/qs?a=%3Cb%3E%26&c=%C3%A9+%25", "a: <b>& c: é %"),
        ("/qs?a", "a: "),
    ];
    for (path, expected) in cases {
        let reply = app.get(path).await;
        assert_eq!(
            (reply.status, reply.text().as_str()),
            (200, expected),
            "{path}"
        );
        assert_eq!(
            reply.header("content-type"),
            "text/plain; charset=utf-8",
            "{path}"
        );
        assert_eq!(reply.header("x-content-type-options"), "nosniff", "{path}");
    }
    let head = app.request("HEAD", "/get-text").send().await;
    assert_eq!((head.status, head.header("content-length")), (200, "9"));
    for (method, status) in [
        ("OPTIONS", 204),
        ("POST", 405),
        ("PUT", 405),
        ("DELETE", 405),
    ] {
        let reply = app.request(method, "/get-text").send().await;
        assert_eq!(
            (reply.status, reply.header("allow")),
            (status, "GET, HEAD, OPTIONS"),
            "{method}"
        );
    }
    assert_eq!(app.get("/get-text.txt").await.status, 404);
}

#[tokio::test]
async fn the_first_page_shows_the_stock() {
    let app = TestApp::of("stock").await;
    app.post("/stock/veg", json!({ "<b>": 7 })).await;
    let page = app.get("/").await;
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    for part in [
        "<dt>apple</dt>",
        "<dd>30</dd>",
        "<a href=\"/stock/veg\">veg</a>",
        "&lt;b&gt;",
    ] {
        assert!(page.text().contains(part), "{part}: {}", page.text());
    }
}

#[tokio::test]
async fn the_log_in_form_is_shown_again() {
    let app = TestApp::of("stock").await;
    let page = app.get("/log-in").await;
    assert_eq!(page.status, 200);
    assert!(page.text().contains("name=\"password\""));
    let values = [("username", "<ann>"), ("password", "hush-hush")];
    let again = app.form("/log-in", &values).await;
    assert_eq!(again.status, 200);
    assert!(
        again.text().contains("value=\"&lt;ann&gt;\""),
        "{}",
        again.text()
    );
    assert!(!again.text().contains("hush-hush"));
    let forged = app
        .form_from("https://evil.example", "/log-in", &values)
        .await;
    assert_eq!(forged.status, 400);
    assert_eq!(app.post("/log-in", json!({})).await.status, 415);
}
