//! Pages of an application's own, in its folder `pages`.

use carafe::application;
use carafe_web::pages::site::Site;
use serde_json::json;

use crate::support::TestApp;

const NOTES: &str = "
[resources.notes]
order = [\"-rank\"]
[resources.notes.fields]
title = { type = \"string\" }
rank  = { type = \"integer\", default = 0 }
";

#[tokio::test]
async fn a_page_lists_records_as_it_asks_for_them() {
    let app = TestApp::with_files(
        NOTES,
        &[
            (
                "pages/top.txt",
                "{% for note in records('notes', per_page=2, rank__lt=9) %}{{ note.title }},{% endfor %}\
                 {{ records('notes').total }}",
            ),
        ],
    )
    .await;
    for (title, rank) in [("One", 1), ("Two", 2), ("Three", 3), ("Nine", 9)] {
        app.post("/api/notes", json!({ "title": title, "rank": rank }))
            .await;
    }
    assert_eq!(app.get("/top").await.text(), "Three,Two,4");
}

#[tokio::test]
async fn values_are_escaped_for_the_type_of_the_page() {
    let app = TestApp::with_files(
        NOTES,
        &[
            ("pages/_part.html", "Never by itself."),
            (
                "pages/deep/index.html",
                "{% include 'pages/_part.html' %} {{ request.args.q }}",
            ),
            ("pages/data/q.json", "{\"q\":{{ request.args.q }}}"),
            ("pages/feed.xml", "<a>{{ request.args.q }}</a>"),
            ("pages/plain.txt", "{{ request.args.q }}"),
            ("pages/Ünï cöde.txt", "found"),
        ],
    )
    .await;
    let q = "?q=%3C%22%26'%0A";
    let cases = [
        (
            "/deep",
            "text/html; charset=utf-8",
            "Never by itself. &lt;&#34;&amp;&#39;\n",
        ),
        ("/data/q", "application/json", r#"{"q":"<\"&'\n"}"#),
        (
            "/feed",
            "application/xml; charset=utf-8",
            "<a>&lt;&#34;&amp;&#39;\n</a>",
        ),
        ("/plain", "text/plain; charset=utf-8", "<\"&'\n"),
    ];
    for (path, kind, body) in cases {
        let reply = app.get(&format!("{path}{q}")).await;
        assert_eq!(
            (reply.status, reply.header("content-type")),
            (200, kind),
            "{path}"
        );
        assert_eq!(reply.text(), body, "{path}");
    }
    assert_eq!(app.get("/%C3%9Cn%C3%AF%20c%C3%B6de").await.text(), "found");
    for path in [
        "/_part",
        "/deep/",
        "/deep/index",
        "/pages/plain.txt",
        "/plain.txt",
        "/../carafe.toml",
    ] {
        assert_eq!(app.get(path).await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn a_mistake_in_a_page_is_an_error_of_that_page_alone() {
    let app = TestApp::with_files(
        NOTES,
        &[
            ("pages/a.txt", "{{ records('noets') }}"),
            ("pages/b.txt", "{{ records('notes', rnak=1) }}"),
            ("pages/c.txt", "{{ nothing.at.all }}"),
            (
                "pages/d.txt",
                "{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}",
            ),
            ("pages/e.txt", "fine"),
            (
                "pages/f.txt",
                "{{ records('notes', page=request.args.page, per_page=request.args.n).total }}",
            ),
            ("pages/g.json", "{\"q\":{{ request.args.q }}}"),
            ("pages/h.html~", "{% broken"),
        ],
    )
    .await;
    for path in ["/a", "/b", "/c", "/d"] {
        let reply = app.get(path).await;
        assert_eq!(reply.status, 500, "{path}");
        assert!(
            !reply.text().contains("noets") && !reply.text().contains("pages/"),
            "{}",
            reply.text()
        );
    }
    assert_eq!(app.get("/e").await.text(), "fine");
    for query in [
        "",
        "?n=abc",
        "?n=1000000",
        "?page=x&n=-1",
        "?page=99999999999999999999",
    ] {
        assert_eq!(app.get(&format!("/f{query}")).await.text(), "0", "{query}");
    }
    assert_eq!(app.get("/g").await.text(), "{\"q\":null}");
}

#[tokio::test]
async fn pages_of_ones_own_are_there_where_resources_have_none() {
    let declaration = format!("pages = false\n{NOTES}");
    let app = TestApp::with_files(&declaration, &[("pages/index.txt", "Ready.")]).await;
    assert_eq!(app.get("/").await.text(), "Ready.");
    assert_eq!(app.get("/notes").await.status, 404);
    let hidden = app.get("/nothing").await;
    assert_eq!(hidden.status, 404);
}

#[test]
fn pages_that_cannot_be_served_are_all_reported() {
    let folder = tempfile::TempDir::new().unwrap();
    let form = "pages.paths.new = \"/write\"\n[resources.notes.fields]";
    let declaration = NOTES.replace("[resources.notes.fields]", form);
    std::fs::write(folder.path().join("carafe.toml"), declaration).unwrap();
    for (name, text) in [
        ("pages/notes/help.html", ""),
        ("pages/api/x.txt", ""),
        ("pages/static/x.txt", ""),
        ("pages/write.html", ""),
        ("pages/logo.png", ""),
        ("pages/a.html", ""),
        ("pages/a.txt", ""),
        ("pages/fine.html", ""),
        ("pages/broken.txt", "{% if %}"),
        ("templates/list.html", "one\n{{ a | }}"),
    ] {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let schema = application::read_schema(folder.path()).unwrap();
    let mistakes = Site::open(&schema, Some(folder.path()))
        .unwrap_err()
        .to_string();
    for expected in [
        "notes/help.html: its address /notes/help is a path of the resource `notes`",
        "api/x.txt: its address /api/x is a path of Carafe's own",
        "static/x.txt: its address /static/x is a path of Carafe's own",
        "write.html: its address /write is the form of the resource `notes`",
        "logo.png: a page ends with .html, .txt, .json or .xml",
        "a.txt: its address /a is that of pages/a.html too",
        "broken.txt:1: ",
        "templates/list.html:2: ",
    ] {
        assert!(mistakes.contains(expected), "{expected}: {mistakes}");
    }
    assert!(!mistakes.contains("fine.html"), "{mistakes}");
}
