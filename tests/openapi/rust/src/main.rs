//! A round of reading and writing with the client that OpenAPI Generator makes for Rust.

use openapi::apis::configuration::Configuration;
use openapi::apis::Error;
use openapi::apis::notes_api::{create_note, delete_note, get_note, update_note};
use openapi::models::{NewNote, NotePatch};

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let base_path = std::env::args().nth(1).expect("the server's address");
    let configuration = Configuration {
        base_path,
        ..Configuration::default()
    };
    let note = NewNote::new("Milk".to_owned(), "Two litres".to_owned());
    let made = create_note(&configuration, note, None, None).await.expect("created");
    let read = get_note(&configuration, made.id, None, None).await.expect("read");
    assert_eq!(read.title.as_deref(), Some("Milk"));

    let patch = NotePatch {
        title: Some("Bread".to_owned()),
        ..NotePatch::default()
    };
    let changed = update_note(&configuration, made.id, patch.clone(), None, None).await;
    assert_eq!(changed.expect("changed").title, "Bread");
    let stale = update_note(&configuration, made.id, patch, Some("\"1.0\""), None).await;
    match stale {
        Err(Error::ResponseError(refused)) => {
            assert_eq!(refused.status.as_u16(), 412);
            assert!(refused.content.contains("/problems/stale"), "{}", refused.content);
        }
        other => panic!("a lost update: {other:?}"),
    }

    delete_note(&configuration, made.id, None, None).await.expect("deleted");
    get_note(&configuration, made.id, None, None).await.expect_err("it is gone");
}
