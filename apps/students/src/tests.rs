//! The routes, called in this process.

use carafe::serde_json::json;
use carafe::{App, Client};

use crate::{FOLDER, with_routes};

async fn client() -> Client {
    let app = with_routes(App::from_file(FOLDER).expect("a declaration"));
    app.client("sqlite::memory:").await.expect("a client")
}

#[tokio::test]
async fn a_record_is_deleted_once_and_its_neighbours_keep_their_places() {
    let client = client().await;
    let deleted = client.delete("/student/delete/3").await;
    assert_eq!(
        (deleted.status.as_u16(), deleted.text().as_str()),
        (200, "Record deleted..")
    );
    assert_eq!(deleted.header("content-type"), "text/plain; charset=utf-8");
    let again = client.delete("/student/delete/3").await;
    assert_eq!(
        (again.status.as_u16(), again.text().as_str()),
        (404, "3 ID does not exist..")
    );
    for index in ["99", "-1", "abc", "0", "1.0"] {
        let reply = client.delete(&format!("/student/delete/{index}")).await;
        assert_eq!(reply.status.as_u16(), 404, "{index}");
        assert_eq!(reply.text(), format!("{index} ID does not exist.."));
    }
    assert_eq!(
        client.get("/api/students/4").await.json()["name"],
        "Student 3"
    );
    assert_eq!(client.get("/api/students").await.json()["total"], 7);
}

#[tokio::test]
async fn one_field_is_patched_and_the_rest_stays() {
    let client = client().await;
    let body = json!({ "age": 33, "name": "Not this", "zzz": 1 });
    let patched = client.patch("/student/update/age/2", &body).await;
    assert_eq!(
        (patched.status.as_u16(), patched.text().as_str()),
        (200, "age record patched... 2")
    );
    let expected = json!({ "id": 2, "name": "Student 1", "age": 33, "course": "MERN" });
    assert_eq!(client.get("/api/students/2").await.json(), expected);
    for (path, body) in [
        ("/student/update/age/2", json!({ "name": "x" })),
        ("/student/update/zzz/2", json!({ "zzz": 1 })),
        ("/student/update/id/2", json!({ "id": 7 })),
        ("/student/update/age/2", json!([1])),
    ] {
        let reply = client.patch(path, &body).await;
        assert_eq!(
            (reply.status.as_u16(), reply.text().as_str()),
            (400, "Key does not exist.."),
            "{path}"
        );
    }
    let wrong = client
        .patch("/student/update/age/2", &json!({ "age": "old" }))
        .await;
    assert_eq!(wrong.status.as_u16(), 400);
    assert_eq!(wrong.header("content-type"), "application/problem+json");
    assert_eq!(wrong.json()["error"], "Age must be a whole number");
    assert_eq!(
        wrong.json()["instance"],
        format!("urn:uuid:{}", wrong.header("x-request-id"))
    );
    let absent = client.patch("/student/update/age/99", &body).await;
    assert_eq!(
        (absent.status.as_u16(), absent.text().as_str()),
        (404, "99 ID does not exist..")
    );
    assert_eq!(client.get("/api/students/2").await.json(), expected);
}

#[tokio::test]
async fn a_put_replaces_the_whole_record_and_creates_nothing() {
    let client = client().await;
    let record = json!({ "name": "Ann", "age": 21, "course": "Rust" });
    let replaced = client.put("/student/update/8", &record).await;
    assert_eq!(
        (replaced.status.as_u16(), replaced.text().as_str()),
        (200, "Entire record updated..")
    );
    assert_eq!(client.get("/api/students/8").await.json()["name"], "Ann");
    let absent = client.put("/student/update/9", &json!("bad")).await;
    assert_eq!(
        absent.status.as_u16(),
        404,
        "the record is looked for first"
    );
    let absent = client.put("/student/update/9", &record).await;
    assert_eq!(
        (absent.status.as_u16(), absent.text().as_str()),
        (404, "9 ID does not exist..")
    );
    for body in [
        json!({ "name": "Ann" }),
        json!([1]),
        json!({ "name": 1, "age": 2, "course": "x" }),
    ] {
        let reply = client.put("/student/update/1", &body).await;
        assert_eq!(reply.status.as_u16(), 400, "{body}");
    }
    let reply = client.get("/api/students").await.json();
    assert_eq!(
        (&reply["total"], &reply["students"][0]["name"]),
        (&json!(8), &json!("Student 0"))
    );
}

#[tokio::test]
async fn other_methods_and_paths_are_told_as_the_api_tells_them() {
    let client = client().await;
    let wrong = client.get("/student/delete/3").await;
    assert_eq!(
        (wrong.status.as_u16(), wrong.header("allow")),
        (405, "DELETE")
    );
    assert_eq!(wrong.header("content-type"), "application/problem+json");
    assert_eq!(wrong.header("x-content-type-options"), "nosniff");
    let request = carafe::axum::http::Request::options("/student/delete/3");
    let options = client
        .send(request.body(Default::default()).expect("a request"))
        .await;
    assert_eq!(
        (options.status.as_u16(), options.header("allow")),
        (204, "DELETE")
    );
    let odd = client.delete("/student/delete/%ff").await;
    assert_eq!(
        (odd.status.as_u16(), odd.header("content-type")),
        (404, "application/problem+json")
    );
    assert_eq!(client.get("/student").await.status.as_u16(), 404);
    assert_eq!(
        client.get("/students").await.header("content-type"),
        "text/html; charset=utf-8"
    );
}
