//! Settings of resources: keys, parents, methods, history, texts.

use serde_json::json;

use crate::support::TestApp;

const USERS: &str = r#"
[resources.users]
history = true
[resources.users.fields]
name = { type = "string" }
email = { type = "email", optional = true, unique = true }
[resources.emails]
parent = "users"
search = ["address"]
[resources.emails.fields]
address = { type = "email" }
"#;

#[tokio::test]
async fn a_sub_resource_is_under_its_parent() {
    let app = TestApp::new(USERS).await;
    for name in ["Ann", "Bob"] {
        app.post("/api/users", json!({ "name": name })).await;
    }
    let made = app
        .post("/api/users/1/emails", json!({ "address": "a@b.c" }))
        .await;
    assert_eq!(
        (made.status, made.header("location")),
        (201, "/api/users/1/emails/1")
    );
    assert_eq!(
        made.json(),
        json!({ "id": 1, "user": 1, "address": "a@b.c" })
    );
    app.post("/api/users/2/emails", json!({ "address": "b@b.c" }))
        .await;
    assert_eq!(app.get("/api/users/1/emails").await.json()["total"], 1);
    assert_eq!(
        app.get("/api/users/1/emails/search?q=B.C").await.json()["count"],
        1
    );
    assert_eq!(
        app.get("/api/users/2/emails/2").await.json()["address"],
        "b@b.c"
    );
    for path in [
        "/api/users/9/emails",
        "/api/users/1/emails/2",
        "/api/users/x/emails",
        "/api/emails",
        "/users/1/emails/2",
        "/users/9/emails",
    ] {
        assert_eq!(app.get(path).await.status, 404, "{path}");
    }
    for method in ["PUT", "PATCH", "DELETE"] {
        let reply = app
            .request(method, "/api/users/1/emails/2")
            .json(json!({ "address": "x@b.c" }))
            .send()
            .await;
        assert_eq!(reply.status, 404, "{method}");
    }
    assert_eq!(
        app.post("/api/users/9/emails", json!({ "address": "a@b.c" }))
            .await
            .status,
        404
    );
    // The pages are under the parent too.
    let form = app
        .form("/users/1/emails/new", &[("address", "c@b.c")])
        .await;
    assert_eq!(
        (form.status, form.header("location")),
        (303, "/users/1/emails/3")
    );
    let list = app.get("/users/1/emails").await.text();
    for part in ["c@b.c", "<a href=\"/users/1\">Ann</a>"] {
        assert!(list.contains(part), "{part}: {list}");
    }
    assert!(app.get("/users/1").await.text().contains("/users/1/emails"));
    // A parent that is deleted takes them along.
    assert_eq!(
        app.request("DELETE", "/api/users/1").send().await.status,
        204
    );
    assert_eq!(app.get("/api/users/1/emails").await.status, 404);
    assert_eq!(app.get("/api/users/2/emails").await.json()["total"], 1);
}

#[tokio::test]
async fn a_deleted_record_comes_back_with_what_it_took_along() {
    let app = TestApp::new(USERS).await;
    app.post("/api/users", json!({ "name": "Ann", "email": "a@b.c" }))
        .await;
    for address in ["a@b.c", "b@b.c"] {
        app.post("/api/users/1/emails", json!({ "address": address }))
            .await;
    }
    app.request("DELETE", "/api/users/1/emails/1").send().await;
    app.request("DELETE", "/api/users/1").send().await;
    let restore = || {
        let request = app.request("PATCH", "/api/users/1?deleted=only");
        request.json(json!({ "deleted_at": null })).send()
    };
    let taken = app
        .post("/api/users", json!({ "name": "Other", "email": "a@b.c" }))
        .await;
    assert_eq!(taken.status, 201, "a unique value is free after deletion");
    let refused = restore().await;
    assert_eq!(refused.status, 409, "it is taken now");
    assert_eq!(refused.json()["errors"][0]["field"], "email");
    app.request("DELETE", "/api/users/2").send().await;
    let restored = restore().await;
    assert_eq!((restored.status, &restored.json()["id"]), (200, &json!(1)));
    let list = app.get("/api/users/1/emails").await.json();
    assert_eq!(
        (&list["total"], &list["emails"][0]["id"]),
        (&json!(1), &json!(2)),
        "only what the deletion hid"
    );
    assert_eq!(restore().await.status, 404, "it is not deleted");
}

#[tokio::test]
async fn a_history_has_every_version() {
    let app = TestApp::new(USERS).await;
    app.post("/api/users", json!({ "name": "Ann" })).await;
    app.tick();
    app.request("PATCH", "/api/users/1")
        .json(json!({ "name": "Anna" }))
        .send()
        .await;
    let history = app.get("/api/users/1/history").await;
    assert_eq!(
        history.json(),
        json!({ "history": [
            { "version": 2, "at": "2026-01-01T00:00:01.000000Z", "action": "update", "actor": null, "record": { "id": 1, "name": "Anna", "email": null } },
            { "version": 1, "at": "2026-01-01T00:00:00.000000Z", "action": "create", "actor": null, "record": { "id": 1, "name": "Ann", "email": null } },
        ] })
    );
    assert_eq!(app.get("/api/users/9/history").await.status, 404);
    assert_eq!(
        app.request("POST", "/api/users/1/history")
            .send()
            .await
            .status,
        405
    );
    app.post("/api/users/1/emails", json!({ "address": "a@b.c" }))
        .await;
    assert_eq!(
        app.get("/api/users/1/emails/1/history").await.status,
        404,
        "emails keep none"
    );
}

#[tokio::test]
async fn a_collection_is_deleted_where_that_is_declared() {
    let declaration = r#"
[api]
input = "lenient"
[resources.todos]
methods = { collection = ["GET", "POST", "DELETE"] }
[resources.todos.fields]
title = { type = "string" }
completed = { type = "boolean", default = false }
"#;
    let app = TestApp::new(declaration).await;
    for number in 0..5 {
        app.post(
            "/api/todos",
            json!({ "title": "x", "completed": number < 2 }),
        )
        .await;
    }
    assert_eq!(
        app.request("OPTIONS", "/api/todos")
            .send()
            .await
            .header("allow"),
        "GET, HEAD, POST, DELETE, OPTIONS"
    );
    // A mistyped filter does not delete everything, however lenient the resource is.
    let mistyped = app
        .request("DELETE", "/api/todos?complete=true")
        .send()
        .await;
    assert_eq!(
        (
            mistyped.status,
            &app.get("/api/todos").await.json()["total"]
        ),
        (400, &json!(5))
    );
    assert_eq!(
        app.request("DELETE", "/api/todos?completed=true")
            .send()
            .await
            .status,
        204
    );
    assert_eq!(app.get("/api/todos").await.json()["total"], 3);
    assert_eq!(app.request("DELETE", "/api/todos").send().await.status, 204);
    assert_eq!(app.get("/api/todos").await.json()["total"], 0);
}

#[tokio::test]
async fn texts_and_statuses_are_the_declarations() {
    let declaration = r#"
[resources.boxes]
key = { field = "name", type = "string" }
put = "upsert"
delete = "hard"
reply = { created = "{label} created", replaced = "{label} replaced", updated = "{label} updated", deleted = "record" }
errors = { not_found = { GET = "Not found", DELETE = "{label} not found" }, taken = { text = "{label} already exists", status = 400 } }
[resources.boxes.fields]
size = { type = "integer", optional = true }
"#;
    let app = TestApp::new(declaration).await;
    let put = |size: i64| {
        app.request("PUT", "/api/boxes/a")
            .json(json!({ "size": size }))
            .send()
    };
    let (created, replaced) = (put(1).await, put(2).await);
    assert_eq!(
        (created.status, created.json()),
        (201, json!({ "message": "Box created" }))
    );
    assert_eq!(
        (replaced.status, replaced.json()),
        (200, json!({ "message": "Box replaced" }))
    );
    let patched = app
        .request("PATCH", "/api/boxes/a")
        .json(json!({ "size": 3 }))
        .send()
        .await;
    assert_eq!(patched.json(), json!({ "message": "Box updated" }));
    let twin = app
        .post("/api/boxes", json!({ "name": "a", "size": 1 }))
        .await;
    assert_eq!(
        (twin.status, &twin.json()["error"]),
        (400, &json!("Box already exists"))
    );
    let named = app
        .post("/api/boxes", json!({ "name": "b c", "size": 1 }))
        .await;
    assert_eq!(
        (named.status, named.header("location")),
        (201, "/api/boxes/b%20c")
    );
    let nameless = app.post("/api/boxes", json!({ "size": 1 })).await;
    assert_eq!(
        (nameless.status, &nameless.json()["error"]),
        (400, &json!("Name is required"))
    );
    assert_eq!(app.get("/api/boxes/x").await.json()["error"], "Not found");
    assert_eq!(
        app.request("DELETE", "/api/boxes/x").send().await.json()["error"],
        "Box not found"
    );
    let json_patch = app
        .request("PATCH", "/api/boxes/x")
        .header("content-type", "application/json-patch+json");
    assert_eq!(
        json_patch.body("[]").send().await.json()["error"],
        "Resource not found",
        "there is nothing to patch"
    );
    let merge_patch = app
        .request("PATCH", "/api/boxes/x")
        .json(json!({ "size": null }))
        .send()
        .await;
    assert_eq!(
        (merge_patch.status, merge_patch.json()),
        (201, json!({ "message": "Box created" }))
    );
    assert_eq!(
        app.get("/api/boxes/x").await.json(),
        json!({ "name": "x", "size": null })
    );
    let deleted = app.request("DELETE", "/api/boxes/a").send().await;
    assert_eq!(
        (deleted.status, deleted.json()),
        (200, json!({ "name": "a", "size": 3 }))
    );
}

#[tokio::test]
async fn several_prefixes_and_no_pages() {
    let declaration = "pages = false\n[api]\nprefix = [\"/api/v1\", \"/api/v2\"]\n[resources.notes]\nmethods = { collection = [\"GET\", \"POST\"], item = [\"GET\"] }\n[resources.notes.fields]\ntitle = { type = \"string\" }\n";
    let app = TestApp::new(declaration).await;
    let made = app.post("/api/v2/notes", json!({ "title": "a" })).await;
    assert_eq!(
        (made.status, made.header("location")),
        (201, "/api/v2/notes/1")
    );
    assert_eq!(app.get("/api/v1/notes/1").await.json()["title"], "a");
    assert_eq!(
        app.request("DELETE", "/api/v1/notes/1").send().await.status,
        405
    );
    for path in ["/", "/notes", "/notes/1", "/notes/new", "/api/notes"] {
        assert_eq!(app.get(path).await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn lenient_input_ignores_what_it_does_not_know() {
    let app = TestApp::notes().await;
    let made = app
        .post(
            "/api/notes",
            json!({ "title": "a", "content": "b", "colour": "red" }),
        )
        .await;
    assert_eq!(made.status, 201);
    assert!(made.json().get("colour").is_none());
    let strict = TestApp::new("[resources.notes.fields]\ntitle = { type = \"string\" }\n").await;
    let refused = strict
        .post("/api/notes", json!({ "title": "a", "titel": "b" }))
        .await;
    assert_eq!(
        (refused.status, &refused.json()["errors"][0]["code"]),
        (400, &json!("unknown"))
    );
    assert!(
        refused.json()["error"]
            .as_str()
            .unwrap()
            .contains("did you mean \"title\"?")
    );
}

#[tokio::test]
async fn a_form_names_the_key_where_clients_do() {
    let app = TestApp::new("[resources.boxes]\nkey = { field = \"name\", type = \"string\" }\n[resources.boxes.fields]\nsize = { type = \"integer\", optional = true }\n").await;
    let made = app
        .form("/boxes/new", &[("name", " a b "), ("size", "1")])
        .await;
    assert_eq!(
        (made.status, made.header("location")),
        (303, "/boxes/a%20b"),
        "{}",
        made.text()
    );
    for (name, message) in [
        ("", "Name is required"),
        ("new", "Name cannot be that"),
        ("a b", "Name is already taken"),
    ] {
        let refused = app
            .form("/boxes/new", &[("name", name), ("size", "1")])
            .await;
        assert!(
            [400, 409].contains(&refused.status),
            "{name}: {}",
            refused.status
        );
        assert!(
            refused.text().contains(message),
            "{name}: {}",
            refused.text()
        );
    }
}

#[tokio::test]
async fn first_records_are_loaded_once_and_all_or_none() {
    let declaration = "[resources.users]\ninitial = \"users.json\"\n[resources.users.fields]\nname = { type = \"string\", unique = true }\n";
    let names = |app: TestApp| async move {
        let list = app.get("/api/users").await.json();
        let names: Vec<String> = list["users"]
            .as_array()
            .unwrap()
            .iter()
            .map(|user| user["name"].as_str().unwrap().to_owned())
            .collect();
        (app, names)
    };
    let app = TestApp::with_file(
        declaration,
        "users.json",
        r#"[{ "name": "cosmo" }, { "name": "jake" }]"#,
    )
    .await;
    let (app, found) = names(app).await;
    assert_eq!(found, ["cosmo", "jake"]);
    for id in 1..=2 {
        app.request("DELETE", &format!("/api/users/{id}"))
            .send()
            .await;
    }
    let (_, found) = names(app.restart().await).await;
    assert!(found.is_empty(), "{found:?}");
    let twins = r#"[{ "name": "cosmo" }, { "name": "cosmo" }]"#;
    let refused = TestApp::refusal(declaration, "users.json", twins).await;
    assert!(refused.contains("Name is already taken"), "{refused}");
    let faulty = r#"[{ "name": "" }, { "nmae": "x" }]"#;
    let refused = TestApp::refusal(declaration, "users.json", faulty).await;
    assert!(
        refused.contains("record 1: Name is required") && refused.contains("record 2: "),
        "{refused}"
    );
}

#[tokio::test]
async fn the_parent_in_the_path_wins() {
    let app = TestApp::new(USERS).await;
    for name in ["Ann", "Bob"] {
        app.post("/api/users", json!({ "name": name })).await;
    }
    app.post(
        "/api/users/1/emails",
        json!({ "address": "a@b.c", "user": 2 }),
    )
    .await;
    let patch = app
        .request("PATCH", "/api/users/1/emails/1")
        .json(json!({ "user": 2, "address": "b@b.c" }))
        .send()
        .await;
    assert_eq!((patch.status, &patch.json()["user"]), (200, &json!(1)));
    let put = app
        .request("PUT", "/api/users/1/emails/1")
        .json(json!({ "user": 2, "address": "c@b.c" }))
        .send()
        .await;
    assert_eq!((put.status, &put.json()["user"]), (200, &json!(1)));
    let history = app.get("/api/users/1/history").await;
    let known = app
        .request("GET", "/api/users/1/history")
        .header("if-none-match", history.header("etag"))
        .send()
        .await;
    assert_eq!(known.status, 304);
    assert_eq!(app.get("/api/users/1/history?zzz=1").await.status, 400);
}

#[tokio::test]
async fn a_collection_that_refers_to_itself_is_deleted() {
    for (on_delete, optional) in [
        ("restrict", ", optional = true"),
        ("set_null", ", optional = true"),
        ("cascade", ", optional = true"),
    ] {
        let declaration = format!(
            "[resources.nodes]\nmethods = {{ collection = [\"GET\", \"POST\", \"DELETE\"] }}\n[resources.nodes.fields]\ntitle = {{ type = \"string\" }}\nabove = {{ type = \"reference\", to = \"nodes\", on_delete = \"{on_delete}\"{optional} }}\n"
        );
        let app = TestApp::new(&declaration).await;
        for (title, above) in [
            ("a", json!(null)),
            ("b", json!(1)),
            ("c", json!(2)),
            ("d", json!(1)),
        ] {
            let made = app
                .post("/api/nodes", json!({ "title": title, "above": above }))
                .await;
            assert_eq!(made.status, 201, "{}", made.text());
        }
        assert_eq!(
            app.request("DELETE", "/api/nodes").send().await.status,
            204,
            "{on_delete}"
        );
        assert_eq!(
            app.get("/api/nodes").await.json()["total"],
            0,
            "{on_delete}"
        );
    }
}

#[tokio::test]
async fn what_goes_together_may_refer_to_each_other() {
    // Loans restrict books, and both go with the user: in whatever order they are declared.
    let user = "[resources.users]\ndelete = \"hard\"\n[resources.users.fields]\nname = { type = \"string\" }\n";
    let books = "[resources.books]\ndelete = \"hard\"\n[resources.books.fields]\nowner = { type = \"reference\", to = \"users\", on_delete = \"cascade\" }\n";
    let loans = "[resources.loans]\ndelete = \"hard\"\n[resources.loans.fields]\nuser = { type = \"reference\", to = \"users\", on_delete = \"cascade\" }\nbook = { type = \"reference\", to = \"books\" }\n";
    for declaration in [
        format!("{user}{loans}{books}"),
        format!("{user}{books}{loans}"),
    ] {
        let app = TestApp::new(&declaration).await;
        app.post("/api/users", json!({ "name": "Ann" })).await;
        app.post("/api/books", json!({ "owner": 1 })).await;
        app.post("/api/loans", json!({ "user": 1, "book": 1 }))
            .await;
        assert_eq!(
            app.request("DELETE", "/api/books/1").send().await.status,
            409
        );
        assert_eq!(
            app.request("DELETE", "/api/users/1").send().await.status,
            204
        );
        for path in ["/api/books", "/api/loans"] {
            assert_eq!(app.get(path).await.json()["total"], 0, "{path}");
        }
    }
}

#[tokio::test]
async fn a_form_does_not_overwrite_another_record_of_the_same_key() {
    let app = TestApp::new("[resources.boxes]\nkey = { field = \"name\", type = \"string\" }\n[resources.boxes.fields]\nsize = { type = \"integer\" }\n").await;
    app.post("/api/boxes", json!({ "name": "k", "size": 1 }))
        .await;
    let form = app.get("/boxes/k/edit").await;
    app.request("DELETE", "/api/boxes/k").send().await;
    app.post("/api/boxes", json!({ "name": "k", "size": 2 }))
        .await;
    let sent = app.submit(&form, "/boxes/k/edit", &[("size", "3")]).await;
    assert_eq!(
        (sent.status, &app.get("/api/boxes/k").await.json()["size"]),
        (409, &json!(2))
    );
}

#[tokio::test]
async fn a_key_that_is_under_another_parent_is_taken() {
    let declaration = "
        [resources.tags]
        key = { field = \"name\", type = \"string\" }
        put = \"upsert\"
        [resources.tags.fields]
        title = { type = \"string\", optional = true }
        note  = { type = \"string\", optional = true }
        [resources.parts]
        key = { field = \"code\", type = \"string\" }
        put = \"upsert\"
        parent = \"tags\"
        [resources.parts.fields]
        name = { type = \"string\" }";
    let app = TestApp::new(declaration).await;
    // An empty patch is no fault, also where it creates.
    for name in ["one", "two"] {
        let made = app
            .request("PATCH", &format!("/api/tags/{name}"))
            .json(json!({}))
            .send()
            .await;
        assert_eq!(made.status, 201, "{}", made.text());
    }
    let write = |method: &'static str, path: &'static str| {
        app.request(method, path)
            .json(json!({ "name": "P" }))
            .send()
    };
    assert_eq!(write("PATCH", "/api/tags/one/parts/p").await.status, 201);
    for method in ["PUT", "PATCH"] {
        let taken = write(method, "/api/tags/two/parts/p").await;
        assert_eq!(
            (taken.status, &taken.json()["errors"][0]["field"]),
            (409, &json!("code")),
            "{method}"
        );
    }
    let nothing = app
        .request("PATCH", "/api/tags/one/parts/q")
        .json(json!({}))
        .send()
        .await;
    assert_eq!(
        (nothing.status, &nothing.json()["error"]),
        (400, &json!("Name is required"))
    );
}

#[tokio::test]
async fn a_path_of_the_api_that_is_no_text_is_refused_as_json() {
    let app = TestApp::new(USERS).await;
    for path in ["/api/users/%ff", "/api/%ff", "/%61pi/%ff"] {
        let reply = app.get(path).await;
        assert_eq!(
            (reply.status, reply.header("content-type")),
            (404, "application/problem+json"),
            "{path}"
        );
    }
    assert_eq!(
        app.get("/users/%ff").await.header("content-type"),
        "text/html; charset=utf-8"
    );
}
