//! What outlives a restart: the secret key, and with it cookies; entity tags; first records.

use std::os::unix::fs::PermissionsExt;

use reqwest::header::HeaderMap;
use serde_json::json;

use super::{Folder, PLAIN, Process};

/// Gets a page as a browser with these cookies.
async fn visit(server: &Process, path: &str, cookies: &str) -> (HeaderMap, String) {
    let response = browser()
        .get(format!("{}{path}", server.base))
        .header("cookie", cookies)
        .send()
        .await
        .unwrap();
    (response.headers().clone(), response.text().await.unwrap())
}

fn browser() -> reqwest::Client {
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
    client.build().unwrap()
}

/// `name=value` of the cookies that are set.
fn cookies(headers: &HeaderMap) -> String {
    let lines = headers
        .get_all("set-cookie")
        .iter()
        .map(|line| line.to_str().unwrap());
    let pairs: Vec<&str> = lines.map(|line| line.split(';').next().unwrap()).collect();
    pairs.join("; ")
}

/// The value of the first hidden input of a page, and its name.
fn token(html: &str) -> (&str, &str) {
    let input = html
        .split("<input")
        .find(|input| input.contains("type=\"hidden\""))
        .expect("a form has a token");
    let attribute = |name: &str| {
        let (_, rest) = input.split_once(&format!("{name}=\"")).unwrap();
        rest.split('"').next().unwrap()
    };
    (attribute("name"), attribute("value"))
}

#[tokio::test]
async fn forms_and_messages_of_before_a_restart_are_good_after_it() {
    let folder = Folder::notes();
    let server = folder.serve();
    let mode = std::fs::metadata(folder.path("secret.key"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let key = std::fs::read(folder.path("secret.key")).unwrap();
    assert!(key.len() >= 32, "{} bytes", key.len());
    let (headers, form) = visit(&server, "/notes/new", "").await;
    server.stop();

    let server = folder.serve();
    assert_eq!(std::fs::read(folder.path("secret.key")).unwrap(), key);
    let (name, value) = token(&form);
    let sent = browser()
        .post(format!("{}/notes/new", server.base))
        .header("cookie", cookies(&headers))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(format!("{name}={value}&title=Kept&content=c"))
        .send()
        .await
        .unwrap();
    assert_eq!(sent.status(), 303, "{}", sent.text().await.unwrap());
    let message = cookies(sent.headers());
    server.stop();

    let server = folder.serve();
    let (_, page) = visit(&server, "/notes", &message).await;
    assert!(page.contains("Note created successfully."), "{page}");
    // Another key makes them worthless.
    server.stop();
    std::fs::remove_file(folder.path("secret.key")).unwrap();
    let server = folder.serve();
    let (_, page) = visit(&server, "/notes", &message).await;
    assert!(!page.contains("Note created successfully."), "{page}");
}

#[tokio::test]
async fn entity_tags_outlive_a_restart() {
    let folder = Folder::notes();
    let server = folder.serve();
    let note = json!({ "title": "Milk", "content": "c" });
    let client = server.client();
    let created = client.post("/api/notes", note).await;
    let listed = client.get("/api/notes").await;
    server.stop();
    let client = folder.serve();
    for (path, before) in [("/api/notes/1", created), ("/api/notes", listed)] {
        let after = client.client().get(path).await;
        assert_eq!(before.header("etag"), after.header("etag"), "{path}");
    }
}

#[tokio::test]
async fn first_records_are_loaded_once() {
    let folder = Folder::new(&PLAIN.replace(
        "delete = \"hard\"",
        "delete = \"hard\"\ninitial = \"first.json\"",
    ));
    folder.write("first.json", r#"[{ "title": "One" }, { "title": "Two" }]"#);
    let server = folder.serve();
    let client = server.client();
    assert_eq!(client.get("/api/marks").await.json()["total"], 2);
    assert_eq!(client.get("/api/marks/1").await.json()["title"], "One");
    server.stop();

    let server = folder.serve();
    let client = server.client();
    assert_eq!(client.get("/api/marks").await.json()["total"], 2);
    for id in [1, 2] {
        let path = format!("/api/marks/{id}");
        assert_eq!(
            client.send("DELETE", &path, None).await.unwrap().status,
            204
        );
    }
    server.stop();

    let server = folder.serve();
    let client = server.client();
    assert_eq!(client.get("/api/marks").await.json()["total"], 0);
    let next = client.post("/api/marks", json!({ "title": "Three" })).await;
    assert_eq!(next.json()["id"], 3);
}
