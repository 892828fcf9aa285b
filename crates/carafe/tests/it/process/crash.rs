//! `kill -9` while many write: what was acknowledged is there afterwards.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;
use tokio::task::JoinSet;

use super::{Client, Folder, PATIENCE, assert_sound, eventually};

const ROUNDS: usize = 3;
const CLIENTS: usize = 50;
/// Acknowledged writes of a round before the kill.
const WRITES: usize = 600;

/// What a record may be after a crash.
#[derive(Clone, Debug, PartialEq)]
enum State {
    Present {
        title: String,
        /// Unknown where the write was not acknowledged.
        etag: Option<String>,
    },
    Gone,
}

/// What is known of the records of one client: nobody else writes them. More than one state
/// where the last write was not acknowledged: it may have happened or not.
type Known = BTreeMap<i64, Vec<State>>;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_outlives_kill_9_and_no_id_is_used_twice() {
    let folder = Folder::notes();
    let mut known = Known::new();
    let mut ids = BTreeSet::new();
    for round in 0..ROUNDS {
        let server = folder.serve();
        let acknowledged = Arc::new(AtomicUsize::new(0));
        let mut clients = JoinSet::new();
        for number in 0..CLIENTS {
            let client = server.client();
            clients.spawn(write_until_it_breaks(
                client,
                format!("{round}-{number}"),
                acknowledged.clone(),
            ));
        }
        eventually("writes", PATIENCE, async || {
            (acknowledged.load(Ordering::Relaxed) > WRITES).then_some(())
        })
        .await;
        server.kill();
        let before = ids.last().copied().unwrap_or(0);
        for (created, states) in clients.join_all().await {
            for id in created {
                assert!(ids.insert(id), "round {round}: id {id} was used twice");
                assert!(before < id, "round {round}: id {id} after {before}");
            }
            known.extend(states);
        }

        let server = folder.serve();
        for (id, states) in &mut known {
            let found = look(&server.client(), *id).await;
            let expected = states.iter().any(|state| fits(state, &found));
            assert!(
                expected,
                "round {round}: note {id} is {found:?}, but was {states:?}"
            );
            *states = vec![found];
        }
        assert_sound(&folder.path("data.db"), "notes");
        server.stop();
    }
    let gone = known.values().filter(|states| **states == [State::Gone]);
    assert!(gone.count() > 0, "deletions are part of the test");
}

/// Creates, changes and deletes notes of its own until the server is gone.
async fn write_until_it_breaks(
    client: Client,
    name: String,
    acknowledged: Arc<AtomicUsize>,
) -> (Vec<i64>, Known) {
    let (mut created, mut known) = (Vec::new(), Known::new());
    for step in 0.. {
        let title = format!("{name}-{step}");
        let body = json!({ "title": title, "content": "x".repeat(200) });
        let Some(answer) = client.send("POST", "/api/notes", Some(&body)).await else {
            break;
        };
        assert_eq!(answer.status, 201, "{}", answer.text);
        acknowledged.fetch_add(1, Ordering::Relaxed);
        let id = answer.json()["id"].as_i64().unwrap();
        created.push(id);
        known.insert(id, vec![present(&title, Some(answer.header("etag")))]);

        let path = format!("/api/notes/{id}");
        let title = format!("{name}-{step}-changed");
        let states = known.entry(id).or_default();
        states.push(present(&title, None));
        let change = json!({ "title": title });
        let Some(answer) = client.send("PATCH", &path, Some(&change)).await else {
            break;
        };
        assert_eq!(answer.status, 200, "{}", answer.text);
        acknowledged.fetch_add(1, Ordering::Relaxed);
        *states = vec![present(&title, Some(answer.header("etag")))];

        if step % 3 == 0 {
            states.push(State::Gone);
            let Some(answer) = client.send("DELETE", &path, None).await else {
                break;
            };
            assert_eq!(answer.status, 200, "{}", answer.text);
            acknowledged.fetch_add(1, Ordering::Relaxed);
            *states = vec![State::Gone];
        }
    }
    (created, known)
}

fn present(title: &str, etag: Option<&str>) -> State {
    State::Present {
        title: title.to_owned(),
        etag: etag.map(str::to_owned),
    }
}

async fn look(client: &Client, id: i64) -> State {
    let answer = client.get(&format!("/api/notes/{id}")).await;
    match answer.status {
        200 => present(
            answer.json()["title"].as_str().unwrap(),
            Some(answer.header("etag")),
        ),
        404 => State::Gone,
        other => panic!("note {id}: {other}: {}", answer.text),
    }
}

fn fits(state: &State, found: &State) -> bool {
    match (state, found) {
        (State::Gone, State::Gone) => true,
        (
            State::Present { title, etag },
            State::Present {
                title: found_title,
                etag: found_etag,
            },
        ) => title == found_title && (etag.is_none() || etag == found_etag),
        (State::Gone, State::Present { .. }) | (State::Present { .. }, State::Gone) => false,
    }
}

/// What a client that cannot know does: it sends the request again, with the same key.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_is_repeated_after_kill_9_is_carried_out_once() {
    let folder = Folder::notes();
    let server = folder.serve();
    let acknowledged = Arc::new(AtomicUsize::new(0));
    let mut clients = JoinSet::new();
    for number in 0..20 {
        let (client, acknowledged) = (server.client(), acknowledged.clone());
        clients.spawn(async move {
            let mut answers = Vec::new();
            for step in 0.. {
                let key = format!("{number}-{step}");
                let answer = post_once(&client, &key).await;
                let broken = answer.is_none();
                acknowledged.fetch_add(usize::from(!broken), Ordering::Relaxed);
                answers.push((key, answer));
                if broken {
                    break;
                }
            }
            answers
        });
    }
    eventually("writes", PATIENCE, async || {
        (acknowledged.load(Ordering::Relaxed) > WRITES).then_some(())
    })
    .await;
    server.kill();
    let answers: Vec<_> = clients.join_all().await.into_iter().flatten().collect();

    let server = folder.serve();
    let client = server.client();
    let mut ids = BTreeSet::new();
    for (key, answer) in &answers {
        let again = post_once(&client, key).await.expect("an answer");
        if let Some(id) = answer {
            assert_eq!(again, *id, "{key}");
        }
        assert!(ids.insert(again), "{key}: id {again} is another's");
    }
    assert!(answers.iter().any(|(_, answer)| answer.is_none()));
    let total = client.get("/api/notes").await.json()["total"].clone();
    assert_eq!(total, answers.len(), "one note for each key");
    server.stop();
}

/// The id of the note that the key stands for; none where the answer did not come.
async fn post_once(client: &Client, key: &str) -> Option<i64> {
    let request = client
        .http
        .post(format!("{}/api/notes", client.base))
        .header("idempotency-key", format!("\"{key}\""))
        .json(&json!({ "title": key, "content": "x" }));
    let answer = request.send().await.ok()?;
    assert_eq!(answer.status(), 201);
    let note: serde_json::Value = answer.json().await.ok()?;
    note["id"].as_i64()
}
