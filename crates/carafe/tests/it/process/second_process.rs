//! Another program writes to the same file: the server's very next read has it.

use serde_json::json;

use super::{Folder, assert_sound};

#[tokio::test]
async fn what_the_command_line_writes_is_in_the_next_read() {
    let folder = Folder::notes();
    let server = folder.serve();
    let client = server.client();
    for number in 1..=5 {
        // Reading first, so that a snapshot or a cache would be there to be stale.
        let list = client.get("/api/notes").await.json();
        assert_eq!(list["total"], number - 1);

        let title = format!("title=Outside {number}");
        folder
            .run(&["create", "notes", &title, "content=Marmalade"])
            .ok();
        let record = client.get(&format!("/api/notes/{number}")).await;
        assert_eq!(record.json()["title"], format!("Outside {number}"));
        let list = client.get("/api/notes").await.json();
        assert_eq!(list["total"], number);
        assert_eq!(list["notes"][0]["id"], number);
        let found = client.get("/api/notes?q=MARMALADE").await.json();
        assert_eq!(found["total"], number);
    }

    let before = client.get("/api/notes/2").await;
    folder.run(&["update", "notes", "2", "title=Changed"]).ok();
    let after = client.get("/api/notes/2").await;
    assert_eq!(after.json()["title"], "Changed");
    assert_ne!(before.header("etag"), after.header("etag"));

    folder.run(&["delete", "notes", "2"]).ok();
    assert_eq!(client.get("/api/notes/2").await.status, 404);
    assert_eq!(client.get("/api/notes").await.json()["total"], 4);
    assert_eq!(client.get("/api/notes?q=changed").await.json()["total"], 0);
    server.stop();
    assert_sound(&folder.path("data.db"), "notes");
}

#[tokio::test]
async fn what_raw_sql_writes_is_in_the_next_read() {
    let folder = Folder::notes();
    let server = folder.serve();
    let client = server.client();
    let first = json!({ "title": "First", "content": "by the server" });
    assert_eq!(client.post("/api/notes", first).await.status, 201);
    let other = folder.database();

    let now = "2026-01-01T00:00:00.000000Z";
    let insert =
        "INSERT INTO notes (title, content, created_at, updated_at) VALUES (?1, 'Quince', ?2, ?2)";
    for number in 2..=30 {
        let title = format!("Raw {number}");
        other.execute(insert, [title.as_str(), now]).unwrap();
        let record = client.get(&format!("/api/notes/{number}")).await;
        assert_eq!(record.json()["title"], title);
        assert_eq!(client.get("/api/notes").await.json()["total"], number);
        let found = client.get("/api/notes?q=quince").await.json();
        assert_eq!(found["total"], number - 1);
    }

    let mut etag = client.get("/api/notes/1").await.header("etag").to_owned();
    for number in 0..30 {
        let title = format!("Touched {number}");
        other
            .execute("UPDATE notes SET title = ?1 WHERE id = 1", [&title])
            .unwrap();
        let record = client.get("/api/notes/1").await;
        assert_eq!(record.json()["title"], title);
        assert_ne!(record.header("etag"), etag);
        etag = record.header("etag").to_owned();
        let found = client
            .get(&format!("/api/notes?q=touched%20{number}"))
            .await
            .json();
        assert_eq!(found["total"], 1, "{title}");
    }

    for id in 2..=30 {
        other
            .execute("DELETE FROM notes WHERE id = ?1", [id])
            .unwrap();
        assert_eq!(client.get(&format!("/api/notes/{id}")).await.status, 404);
        assert_eq!(client.get("/api/notes").await.json()["total"], 31 - id);
        let found = client.get("/api/notes?q=quince").await.json();
        assert_eq!(found["total"], 30 - id);
    }
    // An id that another program freed is not given again.
    let next = json!({ "title": "Next", "content": "by the server" });
    assert_eq!(client.post("/api/notes", next).await.json()["id"], 31);
    server.stop();
    assert_sound(&folder.path("data.db"), "notes");
}

#[tokio::test]
async fn a_list_that_is_asked_again_is_the_one_that_is_there() {
    let folder = Folder::notes();
    let server = folder.serve();
    let client = server.client();
    let other = folder.database();
    let queries = [
        "",
        "?per_page=2",
        "?per_page=2&page=1",
        "?sort=id",
        "?sort=-id",
        "?fields=title",
        "?page=2&per_page=2",
        "?title=Note%201",
    ];
    for number in 1..=8 {
        let title = format!("Note {number}");
        let note = json!({ "title": title, "content": "c" });
        match number % 2 {
            0 => assert_eq!(client.post("/api/notes", note).await.status, 201),
            _ => {
                let insert = "INSERT INTO notes (title, content, created_at, updated_at)
                    VALUES (?1, 'c', '2026-01-01T00:00:00.000000Z', '2026-01-01T00:00:00.000000Z')";
                other.execute(insert, [&title]).unwrap();
            }
        }
        for query in queries {
            let list = client.get(&format!("/api/notes{query}")).await;
            let again = client.get(&format!("/api/notes{query}")).await;
            assert_eq!(again.text, list.text, "query: {query}");
            for field in ["etag", "link", "x-total-count", "content-type"] {
                assert_eq!(again.header(field), list.header(field), "query: {query}");
            }
            let expected = if query.contains("title=") { 1 } else { number };
            assert_eq!(list.json()["total"], expected, "query: {query}");
        }
        let newest = client.get("/api/notes?sort=-id").await.json();
        assert_eq!(newest["notes"][0]["title"], title);
        for _ in 0..2 {
            let page = client.get("/notes").await.text;
            assert!(page.contains(&format!(">{title}<")), "{page}");
        }
        let titles = client.get("/api/notes?sort=id&fields=title").await.json();
        assert_eq!(titles["notes"][0], json!({ "title": "Note 1" }));
        let two = client.get("/api/notes?per_page=2").await.json();
        assert_eq!(two["notes"].as_array().unwrap().len(), number.min(2));
    }
}

#[tokio::test]
async fn a_change_between_reading_and_writing_is_a_conflict_also_from_outside() {
    let folder = Folder::notes();
    let server = folder.serve();
    let client = server.client();
    let note = json!({ "title": "Mine", "content": "c" });
    let etag = client
        .post("/api/notes", note)
        .await
        .header("etag")
        .to_owned();
    folder
        .database()
        .execute("UPDATE notes SET title = 'Theirs'", [])
        .unwrap();
    let change = reqwest::Client::new()
        .patch(format!("{}/api/notes/1", server.base))
        .header("if-match", etag)
        .json(&json!({ "title": "Mine again" }))
        .send()
        .await
        .unwrap();
    assert_eq!(change.status(), 412);
    assert_eq!(client.get("/api/notes/1").await.json()["title"], "Theirs");
}
