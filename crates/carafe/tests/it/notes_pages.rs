//! The notes application's pages, item by item (004-16 to 004-33), as a browser without
//! JavaScript sees them.

use serde_json::json;

use crate::support::TestApp;

#[tokio::test]
async fn the_list_has_pins_first_then_the_newest() {
    let app = TestApp::notes().await;
    for number in 1..=12 {
        app.tick();
        app.post(
            "/api/notes",
            json!({ "title": format!("Note {number}"), "content": "x", "is_pinned": number == 3 }),
        )
        .await;
    }
    let first = app.get("/notes").await;
    assert_eq!(first.status, 200);
    let text = first.text();
    let place = |number: usize| text.find(&format!("Note {number}<"));
    assert!(place(3) < place(12) && place(12) < place(11), "{text}");
    assert!(place(1).is_none() && place(2).is_none(), "ten a page");
    for query in [
        "page=x",
        "page=0",
        "page=-3",
        "page=99",
        "per_page=x",
        "colour=red",
    ] {
        assert_eq!(
            app.get(&format!("/notes?{query}")).await.status,
            200,
            "{query}"
        );
    }
    assert!(app.get("/notes?page=2").await.text().contains("Note 1<"));
}

#[tokio::test]
async fn a_note_is_made_by_the_form() {
    let app = TestApp::notes().await;
    let blank = app.get("/notes/new").await;
    let text = blank.text();
    for part in [
        "New Note",
        "Title",
        "Content",
        "Pin this note",
        "name=\"csrf_token\"",
        "<textarea",
        "type=\"checkbox\"",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let made = app
        .form(
            "/notes/new",
            &[
                ("title", " Milk "),
                ("content", "Two\r\nlitres"),
                ("is_pinned", "on"),
            ],
        )
        .await;
    assert_eq!((made.status, made.header("location")), (303, "/notes/1"));
    let note = app.get("/api/notes/1").await.json();
    assert_eq!(
        (&note["title"], &note["content"], &note["is_pinned"]),
        (&json!("Milk"), &json!("Two\nlitres"), &json!(true))
    );
    // The message is shown once, on the next page.
    let shown = app.follow(&made).await;
    assert!(
        shown.text().contains("Note created successfully.") && shown.text().contains("Milk"),
        "{}",
        shown.text()
    );
    assert!(
        !app.get("/notes/1")
            .await
            .text()
            .contains("Note created successfully.")
    );
}

#[tokio::test]
async fn a_refused_form_keeps_what_was_typed_beside_the_errors() {
    let app = TestApp::notes().await;
    let refused = app
        .form(
            "/notes/new",
            &[("title", ""), ("content", "kept <b>"), ("is_pinned", "on")],
        )
        .await;
    let text = refused.text();
    assert_eq!(refused.status, 400);
    for part in [
        "Title is required",
        "kept &lt;b&gt;",
        "checked",
        "aria-invalid=\"true\"",
        "aria-describedby",
        "role=\"alert\"",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert_eq!(app.get("/api/notes").await.json()["total"], 0);
}

#[tokio::test]
async fn a_form_without_a_good_token_stores_nothing() {
    let app = TestApp::notes().await;
    app.post("/api/notes", json!({ "title": "a", "content": "b" }))
        .await;
    let body = "title=x&content=y";
    for path in ["/notes/new", "/notes/1/edit", "/notes/1/delete"] {
        for (headers, body) in [
            (vec![], body.to_owned()),
            (vec![("origin", "https://evil.example")], body.to_owned()),
            (vec![("sec-fetch-site", "cross-site")], body.to_owned()),
            (
                vec![("sec-fetch-site", "same-origin")],
                format!("{body}&csrf_token=forged"),
            ),
        ] {
            let mut request = app
                .request("POST", path)
                .header("content-type", "application/x-www-form-urlencoded");
            for (name, value) in headers {
                request = request.header(name, value);
            }
            let reply = request.body(body).send().await;
            assert!(
                [400, 403].contains(&reply.status),
                "{path}: {}",
                reply.status
            );
            assert!(
                reply.header("content-type").starts_with("text/html"),
                "{path}"
            );
        }
        // A good token does not help a request that another site sent.
        let cross = app
            .form_from(
                "https://evil.example",
                path,
                &[("title", "x"), ("content", "y")],
            )
            .await;
        assert!(
            [400, 403].contains(&cross.status),
            "{path}: {}",
            cross.status
        );
    }
    let list = app.get("/api/notes").await.json();
    assert_eq!(
        (&list["total"], &list["notes"][0]["title"]),
        (&json!(1), &json!("a"))
    );
}

#[tokio::test]
async fn a_note_is_edited_and_unpinned() {
    let app = TestApp::notes().await;
    app.post(
        "/api/notes",
        json!({ "title": "a", "content": "b", "is_pinned": true }),
    )
    .await;
    let form = app.get("/notes/1/edit").await.text();
    for part in ["Edit Note", "value=\"a\"", "\nb</textarea>", "checked"] {
        assert!(form.contains(part), "{part}: {form}");
    }
    let saved = app
        .form("/notes/1/edit", &[("title", "c"), ("content", "d")])
        .await;
    assert_eq!((saved.status, saved.header("location")), (303, "/notes/1"));
    assert!(app.follow(&saved).await.text().contains("Note updated."));
    let note = app.get("/api/notes/1").await.json();
    assert_eq!(
        (&note["title"], &note["content"], &note["is_pinned"]),
        (&json!("c"), &json!("d"), &json!(false))
    );
    let refused = app
        .form("/notes/1/edit", &[("title", "e"), ("content", " ")])
        .await;
    assert_eq!(refused.status, 400);
    assert!(
        refused.text().contains("Content is required") && refused.text().contains("value=\"e\"")
    );
    assert_eq!(app.get("/api/notes/1").await.json()["title"], "c");
}

#[tokio::test]
async fn two_tabs_do_not_overwrite_each_other() {
    let app = TestApp::notes().await;
    app.post("/api/notes", json!({ "title": "first", "content": "b" }))
        .await;
    let stale = app.get("/notes/1/edit").await;
    app.request("PATCH", "/api/notes/1")
        .json(json!({ "title": "theirs" }))
        .send()
        .await;
    let conflict = app
        .submit(
            &stale,
            "/notes/1/edit",
            &[("title", "mine"), ("content", "b")],
        )
        .await;
    assert_eq!(conflict.status, 409);
    assert!(
        conflict.text().contains("theirs") && conflict.text().contains("mine"),
        "{}",
        conflict.text()
    );
    assert_eq!(app.get("/api/notes/1").await.json()["title"], "theirs");
    // Saving again from the page that shows both is a decision.
    let decided = app
        .submit(
            &conflict,
            "/notes/1/edit",
            &[("title", "mine"), ("content", "b")],
        )
        .await;
    assert_eq!(
        (
            decided.status,
            &app.get("/api/notes/1").await.json()["title"]
        ),
        (303, &json!("mine"))
    );
}

#[tokio::test]
async fn a_note_is_deleted_after_a_question() {
    let app = TestApp::notes().await;
    app.post("/api/notes", json!({ "title": "Milk", "content": "b" }))
        .await;
    let question = app.get("/notes/1/delete").await;
    assert!(question.status == 200 && question.text().contains("Milk"));
    assert_eq!(
        app.get("/notes/1").await.status,
        200,
        "asking changes nothing"
    );
    let deleted = app.form("/notes/1/delete", &[]).await;
    assert_eq!(
        (deleted.status, deleted.header("location")),
        (303, "/notes")
    );
    assert!(app.follow(&deleted).await.text().contains("Note deleted."));
    for path in [
        "/notes/1",
        "/notes/1/edit",
        "/notes/1/delete",
        "/notes/abc",
        "/notes/0",
    ] {
        let gone = app.get(path).await;
        assert_eq!(
            (gone.status, gone.header("content-type")),
            (404, "text/html; charset=utf-8"),
            "{path}"
        );
    }
}

#[tokio::test]
async fn what_was_stored_is_escaped() {
    let app = TestApp::notes().await;
    let nasty = "\"><script>alert(1)</script><img src=x onerror=alert(1)>'&";
    app.post("/api/notes", json!({ "title": nasty, "content": nasty }))
        .await;
    for path in [
        "/notes",
        "/notes/1",
        "/notes/1/edit",
        "/notes/1/delete",
        "/notes?q=%3Cscript%3E",
    ] {
        let text = app.get(path).await.text();
        assert!(
            !text.contains("<script>") && !text.contains("<img"),
            "{path}: {text}"
        );
    }
}

#[tokio::test]
async fn the_list_is_searched_and_sorted() {
    let app = TestApp::notes().await;
    for title in ["Banana", "apple", "Cherry"] {
        app.tick();
        app.post("/api/notes", json!({ "title": title, "content": "x" }))
            .await;
    }
    let found = app.get("/notes?q=APP").await.text();
    assert!(
        found.contains("apple") && !found.contains("Banana"),
        "{found}"
    );
    let sorted = app.get("/notes?sort=title").await.text();
    let place = |title: &str| sorted.find(&format!("{title}<")).expect(title);
    assert!(
        place("Banana") < place("Cherry") && place("Cherry") < place("apple"),
        "{sorted}"
    );
    assert!(sorted.contains("aria-sort"), "{sorted}");
    let both = app.get("/notes?q=APP&sort=title&page=1").await.text();
    assert!(
        both.contains("href=\"/notes?q=APP&amp;sort=-title\""),
        "{both}"
    );
}

#[tokio::test]
async fn pages_of_every_field_type_work_both_ways() {
    let declaration = r#"
[resources.users.fields]
name = { type = "string" }
[resources.things.fields]
name   = { type = "string" }
count  = { type = "integer", optional = true, help = "How many there are" }
price  = { type = "decimal", optional = true }
flag   = { type = "boolean", default = true }
day    = { type = "date", optional = true }
moment = { type = "datetime", optional = true }
mail   = { type = "email", optional = true }
link   = { type = "url", optional = true }
shelf  = { type = "choice", one_of = [{ a = "Shelf A" }, { b = "Shelf B" }], optional = true }
secret = { type = "password", optional = true }
data   = { type = "json", optional = true }
owner  = { type = "reference", to = "users", optional = true }
"#;
    let app = TestApp::new(declaration).await;
    app.post("/api/users", json!({ "name": "Ann" })).await;
    let blank = app.get("/things/new").await.text();
    for part in [
        "type=\"date\"",
        "type=\"datetime-local\"",
        "type=\"email\"",
        "type=\"url\"",
        "type=\"password\"",
        "<select",
        "Shelf A",
        "How many there are",
        "Ann",
    ] {
        assert!(blank.contains(part), "{part}: {blank}");
    }
    let values = [
        ("name", "x"),
        ("count", "7"),
        ("price", "1.5"),
        ("day", "2026-01-02"),
        ("moment", "2026-01-02T03:04"),
        ("mail", "a@b.c"),
        ("link", "https://example.org/"),
        ("shelf", "b"),
        ("secret", "hush-hush"),
        ("data", "{\"a\":1}"),
        ("owner", "1"),
    ];
    let made = app.form("/things/new", &values).await;
    assert_eq!(made.status, 303, "{}", made.text());
    let stored = app.get("/api/things/1").await.json();
    assert_eq!(
        stored,
        json!({
            "id": 1, "name": "x", "count": 7, "price": "1.50", "flag": false, "day": "2026-01-02", "moment": "2026-01-02T03:04:00.000000Z",
            "mail": "a@b.c", "link": "https://example.org/", "shelf": "b", "data": { "a": 1 }, "owner": 1
        })
    );
    assert_eq!(app.get("/things/1").await.status, 200);
    // The form as it is filled, sent back, changes nothing.
    let edit = app.get("/things/1/edit").await;
    let same: Vec<(&str, &str)> = values
        .iter()
        .copied()
        .filter(|(name, _)| *name != "secret")
        .collect();
    let saved = app.submit(&edit, "/things/1/edit", &same).await;
    assert_eq!(saved.status, 303, "{}", saved.text());
    assert_eq!(app.get("/api/things/1").await.json(), stored);
    let bad = app
        .form(
            "/things/new",
            &[
                ("name", "x"),
                ("count", "many"),
                ("price", "x"),
                ("day", "x"),
                ("mail", "x"),
                ("link", "x"),
                ("shelf", "z"),
                ("data", "{"),
                ("owner", "99"),
            ],
        )
        .await;
    assert_eq!(bad.status, 400);
    for label in [
        "Count must",
        "Price must",
        "Day must",
        "Mail must",
        "Link must",
        "Shelf must",
        "Data must",
    ] {
        assert!(bad.text().contains(label), "{label}: {}", bad.text());
    }
}

#[tokio::test]
async fn an_application_overrides_templates() {
    let app = TestApp::with_templates(
        "[resources.notes.fields]\ntitle = { type = \"string\" }\n",
        &[
            ("notes/list.html", "{% extends \"base.html\" %}{% block content %}<ul>{% for note in notes.items %}<li><a href=\"{{ url_for('notes.detail', id=note.id) }}\">{{ note.title }}</a>{% endfor %}</ul>{{ notes.total }} {% for category, message in get_flashed_messages(with_categories=true) %}{{ category }}:{{ message }}{% endfor %}{% endblock %}"),
            ("404.html", "gone fishing"),
        ],
    )
    .await;
    app.post("/api/notes", json!({ "title": "<Milk>" })).await;
    let list = app.get("/notes").await.text();
    assert!(
        list.contains("<li><a href=\"/notes/1\">&lt;Milk&gt;</a>"),
        "{list}"
    );
    assert_eq!(app.get("/nothing").await.text(), "gone fishing");
    assert_eq!(app.get("/notes/1").await.status, 200);
}

const SHELF: &str = r#"
[resources.authors.fields]
name = { type = "string" }
[resources.books.fields]
title = { type = "string" }
author = { type = "reference", to = "authors" }
[resources.loans.fields]
name = { type = "string" }
"#;

const LIST_WITH_FORM: &str = "{% extends \"carafe/list.html\" %}{% block footer %}<form>{{ csrf_token() }}</form>{{ request.method }} {{ request.args.colour }}{% endblock %}";

#[tokio::test]
async fn a_page_that_is_asked_again_is_the_one_that_is_there() {
    let app = TestApp::new(SHELF).await;
    let twice = async |path: &str| {
        let first = app.request("GET", path).send().await;
        let again = app.request("GET", path).send().await;
        assert_eq!((first.status, again.status), (200, 200));
        assert_eq!(first.text(), again.text(), "{path}");
        for field in ["content-type", "cache-control", "vary"] {
            assert_eq!(again.header(field), first.header(field), "{field}");
        }
        assert!(!again.has("set-cookie"), "nobody is told apart by it");
        again.text()
    };
    let author = json!({ "name": "Ada" });
    assert_eq!(app.post("/api/authors", author).await.status, 201);
    for number in 1..=3 {
        let book = json!({ "title": format!("Book {number}"), "author": 1 });
        assert_eq!(app.post("/api/books", book).await.status, 201);
        let page = twice("/books").await;
        assert!(page.contains(&format!("Book {number}")) && page.contains("Ada"));
        assert!(twice("/books?sort=title").await.contains("ascending"));
        assert!(twice("/books?page=2").await.contains("nothing on page 2"));
        assert!(twice("/authors").await.contains("Ada"));
        assert_eq!(app.request("HEAD", "/books").send().await.body.len(), 0);
    }
    // What a page shows of another resource is of the same moment.
    let renamed = json!({ "name": "Grace" });
    let patch = app.request("PATCH", "/api/authors/1").json(renamed);
    assert_eq!(patch.header("if-match", "*").send().await.status, 200);
    for path in ["/books", "/authors"] {
        let page = twice(path).await;
        assert!(page.contains("Grace") && !page.contains("Ada"), "{page}");
    }
}

#[tokio::test]
async fn a_page_for_one_person_is_for_nobody_else() {
    let app = TestApp::with_templates(SHELF, &[("loans/list.html", LIST_WITH_FORM)]).await;
    // A form's token is of the browser that gets its cookie with it.
    let token = |page: &str| {
        let form = page.split_once("<form>").unwrap().1;
        form.split_once("</form>").unwrap().0.to_owned()
    };
    let mut tokens = Vec::new();
    for _ in 0..2 {
        let page = app.request("GET", "/loans?colour=red").send().await;
        assert!(page.header("set-cookie").starts_with("carafe_form="));
        assert!(page.text().contains("GET red"));
        tokens.push(token(&page.text()));
    }
    assert!(!tokens[0].is_empty());
    assert_ne!(tokens[0], tokens[1]);

    // A message is for who made the record, once.
    let list = app.request("GET", "/authors").send().await.text();
    assert!(list.contains("There are no "));
    let made = app.form("/authors/new", &[("name", "Ada")]).await;
    assert_eq!(made.status, 303);
    let message = "Author created.";
    let others = app.request("GET", "/authors").send().await.text();
    assert!(others.contains("Ada") && !others.contains(message));
    let shown = app.get("/authors").await;
    assert!(shown.text().contains(message), "{}", shown.text());
    for _ in 0..2 {
        let again = app.get("/authors").await;
        assert_eq!(again.text(), others);
    }
}
