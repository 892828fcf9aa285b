//! Changes of the declaration and of templates are taken up while the server runs.

use std::time::Duration;

use serde_json::json;

use super::{Answer, Folder, Process, eventually};

/// From saving a file to the first answer by it.
const TAKEN_UP_WITHIN: Duration = Duration::from_secs(2);

const BEFORE: &str = "
[resources.notes.fields]
title = { type = \"string\" }
";

/// Asks until the answer is as it should be.
async fn eventually_answers(server: &Process, path: &str, is_right: impl Fn(&Answer) -> bool) {
    let client = server.client();
    eventually(path, TAKEN_UP_WITHIN, async || {
        is_right(&client.get(path).await).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_new_field_and_a_new_resource_are_taken_up() {
    let folder = Folder::new(BEFORE);
    let server = folder.serve();
    let client = server.client();
    client.post("/api/notes", json!({ "title": "Old" })).await;

    folder.write(
        "carafe.toml",
        &format!("{BEFORE}color = {{ type = \"string\", default = \"white\" }}\n"),
    );
    eventually_answers(&server, "/api/notes/1", |answer| {
        answer.json()["color"] == "white"
    })
    .await;
    let new = json!({ "title": "New", "color": "red" });
    assert_eq!(client.post("/api/notes", new).await.json()["color"], "red");

    let two = format!(
        "{BEFORE}color = {{ type = \"string\", default = \"white\" }}\n[resources.tags.fields]\nname = {{ type = \"string\" }}\n"
    );
    folder.write("carafe.toml", &two);
    eventually_answers(&server, "/api/tags", |answer| answer.status == 200).await;
    assert_eq!(client.get("/api/notes").await.json()["total"], 2);
    let printed = server.stdout();
    for sentence in [
        "Added field `notes.color`",
        "Created table `tags`",
        "Took up the change.",
    ] {
        assert!(printed.contains(sentence), "{printed}");
    }
}

#[tokio::test]
async fn a_mistake_is_shown_and_what_was_served_goes_on() {
    let folder = Folder::new(BEFORE);
    let server = folder.serve();
    let client = server.client();
    let mistaken = BEFORE.replace("string", "strnig");
    folder.write("carafe.toml", &mistaken);
    eventually("the mistake is shown", TAKEN_UP_WITHIN, async || {
        server.stderr().contains("is not taken up").then_some(())
    })
    .await;
    let report = server.stderr();
    for part in ["carafe.toml:3:18", "^^^^^^^^", "string"] {
        assert!(report.contains(part), "{part}: {report}");
    }
    let stored = client.post("/api/notes", json!({ "title": "Still" })).await;
    assert_eq!(stored.status, 201);

    // Nor is what could lose data.
    folder.write("carafe.toml", &BEFORE.replace("\"string\"", "\"integer\""));
    eventually("the difference is shown", TAKEN_UP_WITHIN, async || {
        server.stderr().contains("could lose data").then_some(())
    })
    .await;
    assert_eq!(client.get("/api/notes/1").await.json()["title"], "Still");

    folder.write("carafe.toml", &format!("name = \"Mended\"\n{BEFORE}"));
    eventually_answers(&server, "/notes", |answer| answer.text.contains("Mended")).await;
}

#[tokio::test]
async fn a_template_is_taken_up_and_a_broken_one_is_not() {
    let folder = Folder::new(BEFORE);
    let server = folder.serve();
    let builtin = server.client().get("/notes").await.text;
    folder.write("templates/notes/list.html", "<p>Mine: {{ 1 + 1 }}</p>");
    eventually_answers(&server, "/notes", |answer| {
        answer.text.contains("<p>Mine: 2</p>")
    })
    .await;

    folder.write("templates/notes/list.html", "<p>\n{{ 1 + }}</p>");
    eventually("the mistake is shown", TAKEN_UP_WITHIN, async || {
        server.stderr().contains("is not taken up").then_some(())
    })
    .await;
    let report = server.stderr();
    assert!(report.contains("list.html:2"), "{report}");
    let page = server.client().get("/notes").await;
    assert!(page.text.contains("<p>Mine: 2</p>"), "{}", page.text);

    std::fs::remove_file(folder.path("templates/notes/list.html")).unwrap();
    let title = |text: &str| text.contains("<title>");
    assert!(title(&builtin));
    eventually_answers(&server, "/notes", |answer| title(&answer.text)).await;
}
