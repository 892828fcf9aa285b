//! Documents: named objects whose members have addresses of their own.

use std::collections::HashSet;

use serde_json::{Value, json};

use crate::support::TestApp;

const SETTINGS: &str = r#"
[resources.settings]
kind    = "document"
history = true

[resources.prices]
kind    = "document"
members = { label = "Price", value = { type = "decimal", scale = 2, min = 0, label = "Amount" } }
require_if_match = true
delete  = "hard"
put     = "merge"

[resources.prices.methods]
collection = ["GET", "DELETE"]

[limits]
documents = 3
"#;

#[tokio::test]
async fn a_put_replaces_and_creates_nothing_unless_declared() {
    let app = TestApp::new(SETTINGS).await;
    let put = |path: &'static str, body: Value| app.request("PUT", path).json(body).send();
    assert_eq!(
        put("/api/settings/ui", json!({ "theme": "dark" }))
            .await
            .status,
        404
    );
    let made = app
        .post("/api/settings/ui", json!({ "theme": "dark", "n": 1.50 }))
        .await;
    assert_eq!(made.status, 201);
    assert_eq!(made.text(), r#"{"n":1.5,"theme":"dark"}"#);
    assert_eq!(put("/api/settings/ui/none", json!(1)).await.status, 404);
    assert_eq!(
        put("/api/settings/ui", json!({ "a": [1, { "b": null }] }))
            .await
            .status,
        200
    );
    assert_eq!(
        app.get("/api/settings/ui/a").await.text(),
        r#"[1,{"b":null}]"#
    );
    let taken = app.post("/api/settings/ui", json!({})).await;
    assert_eq!(taken.status, 409);
    let gone = app.request("DELETE", "/api/settings/ui").send().await;
    assert_eq!(gone.status, 204);
    assert_eq!(app.get("/api/settings/ui/a").await.status, 404);
    // A name is free again after a deletion.
    assert_eq!(app.post("/api/settings/ui", json!({})).await.status, 201);
    assert_eq!(app.get("/api/settings").await.text(), r#"{"ui":{}}"#);
}

#[tokio::test]
async fn digits_and_order_survive_patches() {
    let app = TestApp::new(SETTINGS).await;
    let body = r#"{"z":12345678901234567890.123,"a":{"x":1,"y":2},"m":"t"}"#;
    let made = app
        .request("POST", "/api/settings/n")
        .header("content-type", "application/json");
    assert_eq!(made.body(body).send().await.status, 201);
    let patch = |kind: &'static str, body: Value| {
        app.request("PATCH", "/api/settings/n")
            .header("content-type", kind)
            .json(body)
            .send()
    };
    let merged = patch(
        "application/merge-patch+json",
        json!({ "a": { "x": null }, "m": null }),
    )
    .await;
    assert_eq!(
        merged.text(),
        r#"{"z":12345678901234567890.123,"a":{"y":2}}"#
    );
    let refused = patch(
        "application/json-patch+json",
        json!([{ "op": "remove", "path": "/a" }]),
    )
    .await;
    assert_eq!(refused.status, 400, "its library counts in floats");
    assert_eq!(
        app.request("DELETE", "/api/settings/n/z")
            .send()
            .await
            .status,
        204
    );
    let ops = json!([
        { "op": "add", "path": "/b~1c", "value": true },
        { "op": "test", "path": "/a/y", "value": 2 },
        { "op": "move", "from": "/a/y", "path": "/y" },
    ]);
    let patched = patch("application/json-patch+json", ops).await;
    assert_eq!(patched.text(), r#"{"a":{},"b/c":true,"y":2}"#);
    let failed =
        json!([{ "op": "remove", "path": "/y" }, { "op": "test", "path": "/a", "value": 1 }]);
    assert_eq!(
        patch("application/json-patch+json", failed).await.status,
        409
    );
    assert_eq!(
        patch(
            "application/json-patch+json",
            json!([{ "op": "replace", "path": "", "value": [1] }])
        )
        .await
        .status,
        400
    );
    assert_eq!(
        app.get("/api/settings/n").await.text(),
        r#"{"a":{},"b/c":true,"y":2}"#
    );
    let member = app
        .request("PATCH", "/api/settings/n/a")
        .json(json!({ "k": 1, "l": null }));
    assert_eq!(member.send().await.text(), r#"{"k":1}"#);
    let member = app
        .request("PATCH", "/api/settings/n/a")
        .header("content-type", "application/json-patch+json");
    let refused = member.body("[]").send().await;
    assert_eq!(
        (refused.status, refused.header("accept-patch")),
        (415, "application/merge-patch+json")
    );
    let history = app.get("/api/settings/n/history").await.json();
    assert_eq!(
        history["history"][0]["record"],
        json!({ "a": { "k": 1 }, "b/c": true, "y": 2 })
    );
    assert_eq!(
        app.request("PATCH", "/api/settings/n")
            .json(json!({ "history": 1 }))
            .send()
            .await
            .status,
        400
    );
}

#[tokio::test]
async fn values_are_kept_in_the_one_form_of_their_type() {
    let app = TestApp::new(SETTINGS).await;
    let made = app
        .post("/api/prices/tea", json!({ "green": "2.5", "black": "3" }))
        .await;
    assert_eq!(made.text(), r#"{"black":"3.00","green":"2.50"}"#);
    let reply = app
        .request("PUT", "/api/prices/tea")
        .header("if-match", made.header("etag"))
        .json(json!({ "white": "9.99" }))
        .send()
        .await;
    assert_eq!(
        reply.text(),
        r#"{"black":"3.00","green":"2.50","white":"9.99"}"#
    );
    let sent = app
        .request("PUT", "/api/prices/tea/white")
        .header("if-match", "*")
        .json(json!("1"))
        .send()
        .await;
    assert_eq!((sent.status, sent.text().as_str()), (200, "\"1.00\""));
    assert!(!sent.has("etag"), "stored in another form than it was sent");
    let bare = app.request("DELETE", "/api/prices/tea/white").send().await;
    assert_eq!(bare.status, 428);
}

#[tokio::test]
async fn a_member_has_an_entity_tag_and_preconditions() {
    let app = TestApp::of("stock").await;
    let path = "/stock/fruit/apple";
    let read = app.get(path).await;
    let tag = read.header("etag").to_owned();
    let known = app
        .request("GET", path)
        .header("if-none-match", &tag)
        .send()
        .await;
    assert_eq!((known.status, known.body.len()), (304, 0));
    let head = app.request("HEAD", path).send().await;
    assert_eq!((head.status, head.header("etag")), (200, tag.as_str()));
    assert_ne!(app.get("/stock/fruit/banana").await.header("etag"), tag);
    let put = |name: &'static str, value: String| {
        app.request("PUT", path)
            .header(name, value)
            .json(json!(1))
            .send()
    };
    assert_eq!(put("if-match", tag.clone()).await.status, 200);
    let stale = put("if-match", tag).await;
    assert_eq!(stale.status, 412);
    assert_eq!(stale.header("etag"), app.get(path).await.header("etag"));
    assert_eq!(put("if-none-match", "*".to_owned()).await.status, 412);
    let new = app
        .request("PUT", "/stock/fruit/kiwi")
        .header("if-none-match", "*");
    assert_eq!(new.json(json!(1)).send().await.status, 201);
    let lost = app
        .request("PUT", "/stock/fruit/lime")
        .header("if-match", "*");
    assert_eq!(lost.json(json!(1)).send().await.status, 412);
    let options = app.request("OPTIONS", path).send().await;
    assert_eq!(
        options.header("allow"),
        "GET, HEAD, PUT, PATCH, DELETE, OPTIONS"
    );
    assert_eq!(
        options.header("accept-patch"),
        "application/merge-patch+json"
    );
    assert_eq!(app.post(path, json!(1)).await.status, 405);
    // Nothing changes where the same value is sent again.
    let before = app.get(path).await.header("etag").to_owned();
    app.request("PUT", path).json(json!(1)).send().await;
    assert_eq!(app.get(path).await.header("etag"), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn patches_of_different_members_at_once_all_stay() {
    let app = TestApp::of("stock").await;
    let writes: Vec<_> = (0..60)
        .map(|number| {
            let (path, body) = match number % 3 {
                0 => (
                    "/stock/fruit".to_owned(),
                    json!({ format!("m{number}"): number }),
                ),
                1 => (format!("/stock/fruit/m{number}"), json!(number)),
                _ => (
                    "/stock/late".to_owned(),
                    json!({ format!("m{number}"): number }),
                ),
            };
            let method = if number % 3 == 1 { "PUT" } else { "PATCH" };
            tokio::spawn(app.request(method, &path).json(body).send())
        })
        .collect();
    let mut created = 0;
    for (number, write) in writes.into_iter().enumerate() {
        let reply = write.await.unwrap();
        assert!(matches!(reply.status, 200 | 201), "{}", reply.text());
        created += usize::from(number % 3 == 2 && reply.status == 201);
    }
    assert_eq!(
        created, 1,
        "one of those that patched what was not there has made it"
    );
    let fruit = app.get("/stock/fruit").await.json();
    let late = app.get("/stock/late").await.json();
    for number in 0..60 {
        let document = if number % 3 == 2 { &late } else { &fruit };
        assert_eq!(document[format!("m{number}")], number, "{document}");
    }
    assert_eq!(fruit["apple"], 30);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_take_one_name_one_succeeds() {
    let app = TestApp::of("stock").await;
    let posts: Vec<_> = (0..20)
        .map(|number| {
            let request = app
                .request("POST", "/stock/one")
                .json(json!({ "by": number }));
            tokio::spawn(request.send())
        })
        .collect();
    let mut statuses = Vec::new();
    for post in posts {
        statuses.push(post.await.unwrap().status);
    }
    assert_eq!(
        statuses.iter().filter(|status| **status == 201).count(),
        1,
        "{statuses:?}"
    );
    assert!(
        statuses.iter().all(|status| matches!(status, 201 | 400)),
        "{statuses:?}"
    );
}

#[tokio::test]
async fn a_map_has_a_limit_and_leads_on() {
    let app = TestApp::new(SETTINGS).await;
    for name in ["a", "b", "c", "d", "e"] {
        assert_eq!(
            app.post(&format!("/api/settings/{name}"), json!({}))
                .await
                .status,
            201
        );
    }
    let (mut path, mut seen) = ("/api/settings".to_owned(), HashSet::new());
    loop {
        let reply = app.get(&path).await;
        assert_eq!(
            (reply.status, reply.header("x-total-count")),
            (200, "5"),
            "{path}"
        );
        let map = reply.json();
        assert!(map.as_object().unwrap().len() <= 3);
        assert!(
            map.as_object()
                .unwrap()
                .keys()
                .all(|name| seen.insert(name.clone()))
        );
        let link = reply.header("link").to_owned();
        let next = link.split(", ").find(|part| part.ends_with("rel=\"next\""));
        match next {
            Some(next) => path = next[1..].split('>').next().unwrap().to_owned(),
            None => break,
        }
    }
    assert_eq!(seen.len(), 5);
    let cases = [
        ("name__in=a,e", 200),
        ("sort=-name&per_page=1", 200),
        ("per_page=4", 400),
        ("fields=name", 400),
        ("nmae=a", 400),
    ];
    for (query, status) in cases {
        assert_eq!(
            app.get(&format!("/api/settings?{query}")).await.status,
            status,
            "{query}"
        );
    }
    assert_eq!(app.get("/api/settings/a?fields=name").await.status, 400);
    for name in ["x", "y"] {
        app.post(&format!("/api/prices/{name}"), json!({})).await;
    }
    let all = app
        .request("DELETE", "/api/prices")
        .header("if-match", "*")
        .send()
        .await;
    assert_eq!(all.status, 204);
    assert_eq!(app.get("/api/prices").await.text(), "{}");
}

#[tokio::test]
async fn a_document_does_not_outgrow_the_limit_of_a_body() {
    let declaration = "[limits]\nbody = \"1 KiB\"\n[resources.notes]\nkind = \"document\"\n";
    let app = TestApp::new(declaration).await;
    assert_eq!(app.post("/api/notes/a", json!({})).await.status, 201);
    let mut stored = String::new();
    let mut refused = 0;
    for number in 0..40 {
        let patch = json!({ format!("m{number}"): "x".repeat(50) });
        let reply = app
            .request("PATCH", "/api/notes/a")
            .json(patch)
            .send()
            .await;
        match reply.status {
            200 => stored = reply.text(),
            400 => {
                refused += 1;
                assert_eq!(reply.json()["errors"][0]["code"], "too_large");
            }
            other => panic!("{other}: {}", reply.text()),
        }
    }
    assert!(refused > 0 && stored.len() <= 1024);
    assert_eq!(app.get("/api/notes/a").await.text(), stored);
}

#[tokio::test]
async fn first_documents_are_read_with_all_their_mistakes() {
    let declaration = "[resources.notes]\nkind = \"document\"\ninitial = \"first.json\"\n\
                       members = { value = { type = \"integer\" } }\n";
    let app = TestApp::with_file(declaration, "first.json", r#"{"b":{"x":1},"a":{}}"#).await;
    assert_eq!(
        app.get("/api/notes").await.text(),
        r#"{"a":{},"b":{"x":1}}"#
    );
    let cases = [
        (
            r#"{"b":{"x":"1","y":2,"z":null},"..":{}}"#,
            "document \"b\": x: Value must be a whole number; z: Value is required\n",
        ),
        (
            r#"{"b":{},"b":{}}"#,
            "document \"b\": the name stands twice",
        ),
        (
            r#"{"..":{}}"#,
            "document \"..\": the name must have 1 to 255",
        ),
        ("[]", "the file must be a JSON object"),
        ("{", "the file must be JSON"),
    ];
    for (text, expected) in cases {
        let refusal = TestApp::refusal(declaration, "first.json", text).await;
        assert!(refusal.contains(expected), "{text}: {refusal}");
    }
}

/// 400 documents of 10 kB each, four times what is answered whole.
async fn with_large_map() -> TestApp {
    let declaration =
        "[resources.notes]\nkind = \"document\"\nput = \"upsert\"\n[limits]\ndocuments = 300\n";
    let app = TestApp::new(declaration).await;
    let made = (0..400).map(|number| {
        let body = json!({ "n": number, "text": "x".repeat(10_000) });
        app.request("PUT", &format!("/api/notes/d{number:03}"))
            .json(body)
            .send()
    });
    for made in made.collect::<Vec<_>>() {
        assert_eq!(made.await.status, 201);
    }
    app
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_map_is_sent_in_chunks() {
    let app = with_large_map().await;
    let numbers = |reply: &crate::support::Reply| -> Vec<i64> {
        let map = reply.json();
        let map = map.as_object().unwrap();
        map.values()
            .map(|document| document["n"].as_i64().unwrap())
            .collect()
    };
    let reply = app.get("/api/notes").await;
    assert_eq!((reply.status, reply.header("x-total-count")), (200, "400"));
    assert!(
        !reply.has("content-length") && !reply.has("etag"),
        "{:?}",
        reply.headers
    );
    assert_eq!(numbers(&reply), (0..300).collect::<Vec<_>>());
    assert!(
        reply
            .header("link")
            .contains("page=2&per_page=300>; rel=\"next\"")
    );
    let second = app.get("/api/notes?page=2").await;
    assert_eq!(numbers(&second), (300..400).collect::<Vec<_>>());
    let part = app
        .get("/api/notes?page=2&per_page=150&name__gte=d050")
        .await;
    assert_eq!(numbers(&part), (200..350).collect::<Vec<_>>());
    let backwards = app.get("/api/notes?sort=-name&per_page=200").await;
    assert!(backwards.text().starts_with("{\"d399\":"));
    assert_eq!(
        numbers(&backwards),
        (200..400).collect::<Vec<_>>(),
        "as JSON sorts them"
    );
    let small = app.get("/api/notes?per_page=20").await;
    assert!(small.has("etag") && small.has("content-length"));
    let head = app.request("HEAD", "/api/notes").send().await;
    assert_eq!(
        (head.status, head.body.len(), head.header("x-total-count")),
        (200, 0, "400")
    );
    assert!(!head.has("content-length"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_that_is_there_throughout_is_in_the_map_once() {
    let app = with_large_map().await;
    let writer = app.clone();
    let writes = tokio::spawn(async move {
        for number in (0..300).step_by(2) {
            writer
                .request("DELETE", &format!("/api/notes/d{number:03}"))
                .send()
                .await;
            writer
                .request("PUT", &format!("/api/notes/e{number:03}"))
                .json(json!({ "n": -1 }))
                .send()
                .await;
        }
    });
    for _ in 0..5 {
        let text = app.get("/api/notes?per_page=300").await.text();
        for number in (1..300).step_by(2) {
            let name = format!("\"d{number:03}\":");
            let times = text.matches(&name).count();
            // The page has 300 documents; deletions before it let later ones in.
            assert!(times == 1 || (times == 0 && number > 250), "{name} {times}");
        }
        serde_json::from_str::<Value>(&text).expect("JSON to its end");
    }
    writes.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_a_map_half_read_costs_nothing_more() {
    let app = with_large_map().await;
    for _ in 0..20 {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let address = app.base.trim_start_matches("http://").to_owned();
        let mut stream = tokio::net::TcpStream::connect(&address).await.unwrap();
        let request = format!("GET /api/notes HTTP/1.1\r\nHost: {address}\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut some = [0; 1000];
        stream.read_exact(&mut some).await.unwrap();
    }
    assert_eq!(app.get("/api/notes/d001/n").await.text(), "1");
}

#[tokio::test]
async fn a_form_that_is_saved_as_it_is_changes_nothing() {
    let declaration = "[resources.a]\nkind = \"document\"\n\
        [resources.b]\nkind = \"document\"\nmembers = { value = { type = \"text\", trim = false } }\n";
    let app = TestApp::new(declaration).await;
    let odd = r#"{"theme":"dark","v":"12","t":"true","n":1,"o":"{\"a\":1}","x":{"y":[1,null]},"e":""," lead":" s ","q":"\"","null":"null","l":"a\r\nb"}"#;
    let made = app
        .request("POST", "/api/a/d")
        .header("content-type", "application/json");
    assert_eq!(made.body(odd).send().await.text(), odd);
    let texts = r#"{" lead":"x","y":" z ","e":"","m":"a\nb"}"#;
    let made = app
        .request("POST", "/api/b/d")
        .header("content-type", "application/json");
    assert_eq!(made.body(texts).send().await.text(), texts);
    for (path, stored) in [("a", odd), ("b", texts)] {
        let edit = format!("/{path}/d/edit");
        let page = app.get(&edit).await;
        let document = scraper::Html::parse_document(&page.text());
        let inputs =
            scraper::Selector::parse("form input:not([type=hidden]), form textarea").unwrap();
        let typed: Vec<(String, String)> = document
            .select(&inputs)
            .map(|input| {
                let element = input.value();
                let text = match element.name() {
                    "textarea" => input.text().collect::<String>().replace('\n', "\r\n"),
                    _ => element.attr("value").unwrap_or_default().to_owned(),
                };
                (element.attr("name").unwrap().to_owned(), text)
            })
            .collect();
        let pairs: Vec<(&str, &str)> = typed
            .iter()
            .map(|(name, text)| (name.as_str(), text.as_str()))
            .collect();
        let tag = app
            .get(&format!("/api/{path}/d"))
            .await
            .header("etag")
            .to_owned();
        let saved = app.submit(&page, &edit, &pairs).await;
        assert_eq!(saved.status, 303, "{path}: {}", saved.text());
        let after = app.get(&format!("/api/{path}/d")).await;
        assert_eq!(
            (after.text().as_str(), after.header("etag")),
            (stored, tag.as_str()),
            "{path}"
        );
    }
    for (typed, stored) in [
        ("bright", "\"bright\""),
        ("12", "12"),
        ("\"12\"", "\"12\""),
        ("[1, 2]", "[1,2]"),
        ("{a", ""),
    ] {
        let name = format!("n{}", typed.len());
        let sent = app
            .form(
                "/a/new",
                &[("name", &name), ("member", "m"), ("value", typed)],
            )
            .await;
        match stored {
            "" => assert!(
                sent.status == 400 && sent.text().contains("Value must be JSON"),
                "{typed}"
            ),
            _ => assert_eq!(
                app.get(&format!("/api/a/{name}/m")).await.text(),
                stored,
                "{typed}"
            ),
        }
        app.request("DELETE", &format!("/api/a/{name}"))
            .send()
            .await;
    }
}

#[tokio::test]
async fn a_value_nests_as_deep_as_its_document_may() {
    let app = TestApp::new(SETTINGS).await;
    app.post("/api/settings/d", json!({ "a": 1 })).await;
    let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    let put = |depth: usize| {
        let request = app
            .request("PUT", "/api/settings/d/a")
            .header("content-type", "application/json");
        request.body(nested(depth)).send()
    };
    assert_eq!(put(64).await.status, 400);
    assert_eq!(put(63).await.status, 200);
    let whole = app.get("/api/settings/d").await.text();
    let back = app
        .request("PUT", "/api/settings/d")
        .header("content-type", "application/json");
    assert_eq!(back.body(whole).send().await.status, 200);
    let part = app
        .request("PUT", "/api/settings/d/a")
        .header("content-range", "bytes 0-1/2");
    assert_eq!(part.json(json!(1)).send().await.status, 400);
}

#[tokio::test]
async fn a_name_that_none_can_have_is_told_where_it_would_be_made() {
    let app = TestApp::of("stock").await;
    let long = "a".repeat(256);
    for name in ["%0a", long.as_str()] {
        for (method, status) in [
            ("POST", 400),
            ("PUT", 400),
            ("PATCH", 400),
            ("GET", 404),
            ("DELETE", 404),
        ] {
            let request = app
                .request(method, &format!("/stock/{name}"))
                .json(json!({ "a": 1 }));
            let reply = request.send().await;
            assert_eq!(reply.status, status, "{method} {name}");
            if status == 400 {
                let error = reply.json()["error"].as_str().unwrap().to_owned();
                assert!(
                    error.starts_with("Collection must have 1 to 255 characters"),
                    "{error}"
                );
            }
        }
    }
}

#[tokio::test]
async fn the_history_of_a_large_document_has_a_limit() {
    let app = TestApp::new(&SETTINGS.replace("[limits]", "[limits]\nbody = \"4 MiB\"")).await;
    app.post("/api/settings/d", json!({})).await;
    for number in 0..8 {
        let patch = json!({ "n": number, "text": "x".repeat(3_000_000) });
        let reply = app
            .request("PATCH", "/api/settings/d")
            .json(patch)
            .send()
            .await;
        assert_eq!(reply.status, 200);
    }
    let history = app.get("/api/settings/d/history").await.json();
    let versions = history["history"].as_array().unwrap();
    assert_eq!((versions.len(), &versions[0]["version"]), (6, &json!(9)));
}

#[tokio::test]
async fn a_body_of_nothing_but_faults_has_a_short_answer() {
    let app = TestApp::new(SETTINGS).await;
    let members: Vec<String> = (0..50_000).map(|_| "\"a\":1".to_owned()).collect();
    let body = format!("{{{}}}", members.join(","));
    let request = app
        .request("POST", "/api/settings/d")
        .header("content-type", "application/json");
    let reply = request.body(body).send().await;
    assert_eq!(
        (
            reply.status,
            reply.json()["errors"].as_array().unwrap().len()
        ),
        (400, 100)
    );
}

#[tokio::test]
async fn copies_of_a_large_part_are_refused_before_they_are_made() {
    let app = TestApp::new(SETTINGS).await;
    let large: Vec<u32> = (0..100_000).collect();
    assert_eq!(
        app.post("/api/settings/d", json!({ "a": large }))
            .await
            .status,
        201
    );
    let copy = |from: &str, to: &str| json!({ "op": "copy", "from": from, "path": to });
    let patch = |operations: Vec<Value>| {
        let request = app
            .request("PATCH", "/api/settings/d")
            .header("content-type", "application/json-patch+json");
        request.json(Value::Array(operations)).send()
    };
    let many = (0..200).map(|_| copy("/a/1", "/a/0")).collect();
    assert_eq!(patch(many).await.status, 200);
    let doubling = (0..10).map(|n| copy("", &format!("/b{n}"))).collect();
    let refused = patch(doubling).await;
    assert_eq!(
        (refused.status, &refused.json()["errors"][0]["code"]),
        (400, &json!("too_large"))
    );
}
