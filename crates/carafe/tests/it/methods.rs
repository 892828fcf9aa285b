//! Methods and status codes (contract 1 to 25), and keys of every kind.

use serde_json::json;

use crate::support::TestApp;

#[tokio::test]
async fn every_place_says_which_methods_it_answers_and_keeps_to_it() {
    let app = TestApp::notes().await;
    app.post("/api/notes", json!({ "title": "a", "content": "b" }))
        .await;
    let places = [
        ("/api/notes", "GET, HEAD, POST, OPTIONS"),
        ("/api/notes/1", "GET, HEAD, PUT, PATCH, DELETE, OPTIONS"),
        ("/api/notes/search?q=a", "GET, HEAD, OPTIONS"),
    ];
    for (path, allow) in places {
        let options = app.request("OPTIONS", path).send().await;
        assert_eq!(
            (options.status, options.header("allow")),
            (204, allow),
            "{path}"
        );
        for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"] {
            let reply = app.request(method, path).send().await;
            let allowed = allow.split(", ").any(|known| known == method);
            assert_eq!(
                reply.status == 405,
                !allowed,
                "{method} {path}: {}",
                reply.status
            );
            if !allowed {
                assert_eq!(reply.header("allow"), allow, "{method} {path}");
            }
        }
        app.post("/api/notes", json!({ "title": "a", "content": "b" }))
            .await;
    }
    let item = app.request("OPTIONS", "/api/notes/2").send().await;
    assert_eq!(
        item.header("accept-patch"),
        "application/merge-patch+json, application/json-patch+json"
    );
    for method in ["FROB", "get", "PROPFIND"] {
        assert_eq!(
            app.request(method, "/api/notes").send().await.status,
            501,
            "{method}"
        );
    }
    let tunnelled = app
        .request("POST", "/api/notes")
        .header("x-http-method-override", "DELETE");
    assert_eq!(
        tunnelled
            .json(json!({ "title": "a", "content": "b" }))
            .send()
            .await
            .status,
        201
    );
}

#[tokio::test]
async fn head_equals_get_without_the_body() {
    let app = TestApp::notes().await;
    app.post(
        "/api/notes",
        json!({ "title": "a", "content": "b".repeat(3000) }),
    )
    .await;
    for path in [
        "/api/notes",
        "/api/notes/1",
        "/api/notes/9",
        "/api/notes/search?q=a",
        "/notes",
        "/notes/1",
        "/notes/new",
        "/",
        "/nothing",
        "/problems/validation",
    ] {
        let (get, head) = (app.get(path).await, app.request("HEAD", path).send().await);
        assert_eq!(get.status, head.status, "{path}");
        assert!(head.body.is_empty(), "{path}");
        assert_eq!(
            head.header("content-length"),
            get.body.len().to_string(),
            "{path}"
        );
        for (name, value) in &get.headers {
            if !["date", "x-request-id", "set-cookie", "transfer-encoding"].contains(&name.as_str())
            {
                assert_eq!(head.headers.get(name), Some(value), "{path}: {name}");
            }
        }
    }
}

#[tokio::test]
async fn put_replaces_the_whole_record() {
    let app = TestApp::new("[resources.notes.fields]\ntitle = { type = \"string\" }\nnote = { type = \"string\", optional = true }\nsize = { type = \"integer\", default = 7 }\nat = { type = \"datetime\", set = \"create\" }\n").await;
    app.post(
        "/api/notes",
        json!({ "title": "a", "note": "n", "size": 1 }),
    )
    .await;
    app.tick();
    for _ in 0..2 {
        let reply = app
            .request("PUT", "/api/notes/1")
            .json(json!({ "title": "b" }))
            .send()
            .await;
        assert_eq!(reply.status, 200);
        assert_eq!(
            reply.json(),
            json!({ "id": 1, "title": "b", "note": null, "size": 7, "at": "2026-01-01T00:00:00.000000Z" })
        );
    }
    assert_eq!(
        app.request("PUT", "/api/notes/1")
            .json(json!({ "note": "x" }))
            .send()
            .await
            .status,
        400
    );
    assert_eq!(
        app.request("PUT", "/api/notes/9")
            .json(json!({ "title": "x" }))
            .send()
            .await
            .status,
        404
    );
    let partial = app
        .request("PUT", "/api/notes/1")
        .header("content-range", "bytes 0-1/2")
        .json(json!({ "title": "x" }));
    assert_eq!(partial.send().await.status, 400);
}

#[tokio::test]
async fn delete_ignores_a_body_and_answers_204_once() {
    let app = TestApp::new("[resources.notes.fields]\ntitle = { type = \"string\" }\n").await;
    app.post("/api/notes", json!({ "title": "a" })).await;
    let delete = app
        .request("DELETE", "/api/notes/1")
        .header("content-type", "text/plain")
        .header("accept", "application/problem+json");
    let reply = delete.body("whatever").send().await;
    assert_eq!((reply.status, reply.has("content-length")), (204, false));
    assert_eq!(
        app.request("DELETE", "/api/notes/1").send().await.status,
        404
    );
    let get = app
        .request("GET", "/api/notes")
        .header("content-type", "text/plain")
        .body("x")
        .send()
        .await;
    assert_eq!(get.status, 200);
}

#[tokio::test]
async fn preferences_are_followed_and_confirmed() {
    let app = TestApp::new("[resources.notes.fields]\ntitle = { type = \"string\" }\n").await;
    let minimal = app
        .request("POST", "/api/notes")
        .header("prefer", "return=minimal")
        .json(json!({ "title": "a" }))
        .send()
        .await;
    assert_eq!(
        (
            minimal.status,
            minimal.body.len(),
            minimal.header("preference-applied")
        ),
        (201, 0, "return=minimal")
    );
    assert_eq!(minimal.header("location"), "/api/notes/1");
    let patch = |prefer: &str| {
        app.request("PATCH", "/api/notes/1")
            .header("prefer", prefer)
            .json(json!({ "title": prefer }))
            .send()
    };
    assert_eq!(patch("return=minimal").await.status, 204);
    assert_eq!(
        patch("respond-async, return=\"representation\"")
            .await
            .header("preference-applied"),
        "return=representation"
    );
    let ignored = patch("handling=lenient").await;
    assert_eq!(
        (ignored.status, ignored.has("preference-applied")),
        (200, false)
    );
    assert!(ignored.header("vary").contains("Prefer"));
    let deleted = app
        .request("DELETE", "/api/notes/1")
        .header("prefer", "return=representation")
        .send()
        .await;
    assert_eq!((deleted.status, &deleted.json()["id"]), (200, &json!(1)));
}

#[tokio::test]
async fn a_unique_value_is_taken_once() {
    let declaration = r#"
[resources.users]
unique = [["first", "last"]]
[resources.users.fields]
email = { type = "email", unique = true }
first = { type = "string", default = "x" }
last  = { type = "string", optional = true }
"#;
    let app = TestApp::new(declaration).await;
    let posts: Vec<_> = (0..20)
        .map(|_| {
            tokio::spawn(
                app.request("POST", "/api/users")
                    .json(json!({ "email": "a@b.c" }))
                    .send(),
            )
        })
        .collect();
    let mut statuses = Vec::new();
    for post in posts {
        let reply = post.await.unwrap();
        if reply.status == 409 {
            let problem = reply.json();
            assert_eq!(
                (&problem["type"], &problem["errors"][0]["field"]),
                (&json!("/problems/taken"), &json!("email"))
            );
            assert_eq!(problem["error"], "Email is already taken");
        }
        statuses.push(reply.status);
    }
    statuses.sort_unstable();
    assert_eq!(
        (
            statuses[0],
            statuses[1..].iter().all(|status| *status == 409)
        ),
        (201, true),
        "{statuses:?}"
    );
    let pair = |email: &str| json!({ "email": email, "first": "Ann", "last": "Lee" });
    assert_eq!(app.post("/api/users", pair("b@b.c")).await.status, 201);
    let clash = app.post("/api/users", pair("c@b.c")).await;
    assert_eq!(
        (
            clash.status,
            clash.json()["errors"].as_array().unwrap().len()
        ),
        (409, 2)
    );
    let other = app
        .post("/api/users", json!({ "email": "d@b.c", "first": "Bob" }))
        .await
        .json()["id"]
        .clone();
    let patch = app
        .request("PATCH", &format!("/api/users/{other}"))
        .json(json!({ "email": "b@b.c" }))
        .send()
        .await;
    assert_eq!(patch.status, 409);
    // Deleted softly, its values are free again.
    let first = app.get("/api/users?email=b@b.c").await.json()["users"][0]["id"].clone();
    assert_eq!(
        app.request("DELETE", &format!("/api/users/{first}"))
            .send()
            .await
            .status,
        204
    );
    assert_eq!(
        app.request("PATCH", &format!("/api/users/{other}"))
            .json(json!({ "email": "b@b.c" }))
            .send()
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn references_lead_somewhere_and_deletion_follows_the_declaration() {
    let declaration = r#"
[resources.users.fields]
name = { type = "string" }
[resources.posts.fields]
author = { type = "reference", to = "users" }
[resources.likes.fields]
user = { type = "reference", to = "users", on_delete = "cascade" }
[resources.drafts.fields]
editor = { type = "reference", to = "users", on_delete = "set_null", optional = true }
"#;
    let app = TestApp::new(declaration).await;
    for name in ["ann", "bob"] {
        app.post("/api/users", json!({ "name": name })).await;
    }
    let nowhere = app.post("/api/posts", json!({ "author": 999_999 })).await;
    assert_eq!(
        (nowhere.status, &nowhere.json()["errors"][0]["pointer"]),
        (400, &json!("#/author"))
    );
    assert_eq!(nowhere.json()["errors"][0]["code"], "reference");
    app.post("/api/posts", json!({ "author": 1 })).await;
    app.post("/api/likes", json!({ "user": 2 })).await;
    app.post("/api/drafts", json!({ "editor": 2 })).await;
    let restricted = app.request("DELETE", "/api/users/1").send().await;
    assert_eq!(
        (restricted.status, &restricted.json()["type"]),
        (409, &json!("/problems/referenced"))
    );
    assert_eq!(
        restricted.json()["error"],
        "User cannot be deleted while Posts refer to it"
    );
    assert_eq!(
        app.request("DELETE", "/api/users/2").send().await.status,
        204
    );
    assert_eq!(app.get("/api/likes/1").await.status, 404);
    assert_eq!(app.get("/api/drafts/1").await.json()["editor"], json!(null));
    assert_eq!(
        app.post("/api/likes", json!({ "user": 2 })).await.status,
        400,
        "a deleted record is not referred to"
    );
    assert_eq!(
        app.request("DELETE", "/api/posts/1").send().await.status,
        204
    );
    assert_eq!(
        app.request("DELETE", "/api/users/1").send().await.status,
        204
    );
}

#[tokio::test]
async fn keys_that_clients_name_are_created_by_put() {
    let declaration = r#"
[resources.articles]
key = { field = "slug", type = "string" }
put = "upsert"
delete = "hard"
[resources.articles.fields]
body = { type = "text" }
"#;
    let app = TestApp::new(declaration).await;
    let put = |path: &str, body: &str| {
        app.request("PUT", path)
            .json(json!({ "body": body }))
            .send()
    };
    let created = put("/api/articles/a%2Fb%20%C3%A9", "one").await;
    assert_eq!(
        (created.status, created.header("location")),
        (201, "/api/articles/a%2Fb%20%C3%A9")
    );
    assert_eq!(created.json(), json!({ "slug": "a/b é", "body": "one" }));
    let first = app.get("/api/articles/a%2Fb%20%C3%A9").await;
    assert_eq!(put("/api/articles/a%2Fb%20%C3%A9", "two").await.status, 200);
    let only = app
        .request("PUT", "/api/articles/a%2Fb%20%C3%A9")
        .header("if-none-match", "*")
        .json(json!({ "body": "x" }));
    assert_eq!(only.send().await.status, 412);
    let fresh = app
        .request("PUT", "/api/articles/fresh")
        .header("if-none-match", "*")
        .json(json!({ "body": "x" }));
    assert_eq!(fresh.send().await.status, 201);
    let missing = app
        .request("PUT", "/api/articles/missing")
        .header("if-match", "*")
        .json(json!({ "body": "x" }));
    assert_eq!(missing.send().await.status, 412);
    assert_eq!(app.get("/api/articles/missing").await.status, 404);
    // A key that comes back has another record behind it, and another tag.
    assert_eq!(
        app.request("DELETE", "/api/articles/a%2Fb%20%C3%A9")
            .send()
            .await
            .status,
        204
    );
    let again = put("/api/articles/a%2Fb%20%C3%A9", "one").await;
    assert_eq!(again.status, 201);
    assert_ne!(again.header("etag"), first.header("etag"));
    assert_eq!(
        put("/api/articles/new", "x").await.status,
        400,
        "the form for a new page is there"
    );
    let bad = put("/api/articles/%00", "x").await;
    assert_eq!(
        (bad.status, &bad.json()["errors"][0]["code"]),
        (400, &json!("format"))
    );
}

#[tokio::test]
async fn uuid_keys_are_version_7() {
    let app = TestApp::new("[resources.notes]\nkey = { field = \"id\", type = \"uuid\" }\n[resources.notes.fields]\ntitle = { type = \"string\" }\n").await;
    let created = app.post("/api/notes", json!({ "title": "a" })).await;
    let id = created.json()["id"].as_str().unwrap().to_owned();
    assert_eq!((created.status, &id[14..15]), (201, "7"));
    assert_eq!(created.header("location"), format!("/api/notes/{id}"));
    assert_eq!(
        app.get(&format!("/api/notes/{}", id.to_uppercase()))
            .await
            .status,
        200
    );
    assert_eq!(app.get("/api/notes/1").await.status, 404);
}

#[tokio::test]
async fn a_trailing_slash_is_404_with_the_right_path() {
    let app = TestApp::notes().await;
    for (path, right) in [
        ("/api/notes/", "/api/notes"),
        ("/api/note", "/api/notes"),
        ("/notes/", "/notes"),
    ] {
        let reply = app.get(path).await;
        assert_eq!(reply.status, 404, "{path}");
        assert!(reply.text().contains(right), "{path}: {}", reply.text());
    }
}

#[tokio::test]
async fn location_never_comes_from_the_host() {
    let app = TestApp::new("[resources.notes]\nlinks = true\n[resources.notes.fields]\ntitle = { type = \"string\" }\n").await;
    let evil = app
        .request("POST", "/api/notes")
        .header("host", "evil.example")
        .json(json!({ "title": "a" }))
        .send()
        .await;
    assert_eq!(
        (evil.header("location"), &evil.json()["url"]),
        ("/api/notes/1", &json!("/api/notes/1"))
    );
    let local = app.get("/api/notes/1").await;
    assert_eq!(local.json()["url"], format!("{}/api/notes/1", app.base));
    assert_eq!(
        local.header("etag"),
        evil.header("etag"),
        "the address is no part of the tag"
    );
}

#[tokio::test]
async fn a_write_has_no_query_parameters() {
    let app = TestApp::new("[resources.notes.fields]\ntitle = { type = \"string\" }\n").await;
    app.post("/api/notes", json!({ "title": "a" })).await;
    for (method, path) in [
        ("POST", "/api/notes?foo=1"),
        ("PUT", "/api/notes/1?foo=1"),
        ("PATCH", "/api/notes/1?foo=1"),
        ("DELETE", "/api/notes/1?foo=1"),
    ] {
        let reply = app
            .request(method, path)
            .json(json!({ "title": "b" }))
            .send()
            .await;
        assert_eq!(
            (reply.status, &reply.json()["errors"][0]["parameter"]),
            (400, &json!("foo")),
            "{method}"
        );
    }
    assert_eq!(app.get("/api/notes?title=%ff").await.status, 400);
    assert_eq!(
        app.get("/api/notes").await.json()["notes"],
        json!([{ "id": 1, "title": "a" }])
    );
    let encoded = app.get("/api/notes?p%61ge=1&per_page=1").await;
    let next = encoded
        .header("link")
        .split('<')
        .nth(1)
        .unwrap()
        .split('>')
        .next()
        .unwrap()
        .to_owned();
    assert_eq!(app.get(&next).await.status, 200, "{next}");
}

#[tokio::test]
async fn with_an_empty_prefix_a_program_is_answered_in_json() {
    let app = TestApp::new(
        "[api]\nprefix = \"\"\n[resources.notes.fields]\ntitle = { type = \"string\" }\n",
    )
    .await;
    app.post("/notes", json!({ "title": "a" })).await;
    for (method, path) in [
        ("POST", "/notes"),
        ("PATCH", "/notes/1"),
        ("PUT", "/notes/1"),
    ] {
        let reply = app
            .request(method, path)
            .header("content-type", "application/x-www-form-urlencoded")
            .body("title=x")
            .send()
            .await;
        assert_eq!(
            (reply.status, reply.header("content-type")),
            (415, "application/problem+json"),
            "{method}"
        );
    }
    for path in ["/notez", "/notes/", "/a/%ff"] {
        assert_eq!(
            app.get(path).await.header("content-type"),
            "application/problem+json",
            "{path}"
        );
        let browser = app
            .request("GET", path)
            .header("accept", "text/html,*/*;q=0.8")
            .send()
            .await;
        assert_eq!(
            (browser.status, browser.header("content-type")),
            (404, "text/html; charset=utf-8"),
            "{path}"
        );
    }
    assert_eq!(app.form("/notes/new", &[("title", "b")]).await.status, 303);
}

#[tokio::test]
async fn dots_are_no_keys() {
    let app = TestApp::new("[resources.tags]\nkey = { field = \"tag\", type = \"string\" }\n[resources.tags.fields]\ncolour = { type = \"string\", optional = true }\n").await;
    for tag in [".", ".."] {
        let reply = app.post("/api/tags", json!({ "tag": tag })).await;
        assert_eq!(
            (reply.status, &reply.json()["errors"][0]["field"]),
            (400, &json!("tag")),
            "{tag}"
        );
    }
    assert_eq!(
        app.post("/api/tags", json!({ "tag": "..." })).await.status,
        201
    );
}
