//! An acknowledgement leaves after its write is on disk, as the system calls of the server show.

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::json;
use tokio::task::JoinSet;

use super::{Client, Folder, PATIENCE, PLAIN, Process, eventually};

/// What the server did, in the order in which the tracer saw it.
#[derive(Debug)]
struct Trace {
    events: Vec<Event>,
}

#[derive(Debug)]
enum Event {
    /// The log of the database took pages with these marks, old ones among them.
    Logged(Vec<usize>),
    SyncBegun,
    SyncDone,
    /// `201` with the record of this mark goes to a socket.
    Acknowledged(usize),
}

#[tokio::test]
async fn every_acknowledgement_follows_a_sync_of_its_own() {
    let Some(trace) = traced("full", async |client| {
        for number in 0..30 {
            create(&client, number).await;
        }
    })
    .await
    else {
        return;
    };
    assert_eq!(trace.acknowledged(), 30);
    assert_eq!(trace.unsynced(), Vec::<usize>::new());
    // With one client there is nothing to share: a sync between any two acknowledgements.
    let mut synced = false;
    for event in &trace.events {
        match event {
            Event::SyncDone => synced = true,
            Event::Acknowledged(number) => {
                assert!(synced, "no sync before the acknowledgement of {number}");
                synced = false;
            }
            Event::Logged(_) | Event::SyncBegun => {}
        }
    }
}

#[tokio::test]
async fn writes_share_syncs_and_none_is_acknowledged_before_its_own() {
    let (clients, each) = (50, 8);
    let Some(trace) = traced("full", async |client| {
        let mut writers = JoinSet::new();
        for writer in 0..clients {
            let client = client.clone();
            writers.spawn(async move {
                for number in 0..each {
                    create(&client, writer * each + number).await;
                }
            });
        }
        writers.join_all().await;
    })
    .await
    else {
        return;
    };
    let writes = clients * each;
    assert_eq!(trace.acknowledged(), writes);
    assert_eq!(trace.unsynced(), Vec::<usize>::new());
    let syncs = trace
        .events
        .iter()
        .filter(|event| matches!(event, Event::SyncDone));
    let syncs = syncs.count();
    assert!(syncs < writes, "{syncs} syncs for {writes} writes");
}

/// The test of the two tests above.
#[tokio::test]
async fn without_full_durability_acknowledgements_do_not_wait_for_syncs() {
    let Some(trace) = traced("normal", async |client| {
        for number in 0..10 {
            create(&client, number).await;
        }
    })
    .await
    else {
        return;
    };
    assert_eq!(trace.acknowledged(), 10);
    assert_eq!(trace.unsynced(), (0..10).collect::<Vec<_>>());
}

/// Stands around a number in a record, so that it is found in pages and in answers.
fn mark(number: usize) -> String {
    format!("<<{number}>>")
}

async fn create(client: &Client, number: usize) {
    let answer = client
        .post("/api/marks", json!({ "title": mark(number) }))
        .await;
    assert_eq!(answer.status, 201, "{}", answer.text);
}

/// Runs clients on a traced server. `None`, with a word on standard error, where there is no
/// tracer; on CI there must be one.
async fn traced(durability: &str, run: impl AsyncFnOnce(Client)) -> Option<Trace> {
    if Command::new("strace").arg("-V").output().is_err() {
        #[expect(
            clippy::disallowed_methods,
            reason = "what a test may leave out is no setting"
        )]
        let is_ci = std::env::var("CI").is_ok();
        assert!(!is_ci, "strace must be installed (scripts/setup does it)");
        eprintln!("NOT RUN: strace is not installed, so nobody watches the syncs");
        return None;
    }
    let folder = Folder::new(PLAIN);
    let mut tracer = Command::new("strace");
    // -D: the server is our child and not the tracer's. -y: files by name. -s: whole pages.
    tracer.args(["-D", "-f", "-y", "-s", "20000", "-o", "trace", "-e"]);
    tracer.arg("trace=fsync,fdatasync,write,pwrite64,writev,sendto,sendmsg");
    tracer.arg(env!("CARGO_BIN_EXE_carafe"));
    tracer.args(["serve", "--port", "0", "--durability", durability]);
    let server = Process::start(folder.inside(tracer));
    let pid = server.pid();
    run(server.client()).await;
    server.kill();
    let end = format!("{pid} +++ killed by SIGKILL +++");
    let text = eventually("the whole trace", PATIENCE, async || {
        let text =
            String::from_utf8_lossy(&std::fs::read(folder.path("trace")).unwrap_or_default())
                .into_owned();
        text.lines()
            .any(|line| line.split_whitespace().eq(end.split_whitespace()))
            .then_some(text)
    })
    .await;
    Some(Trace::parse(&text))
}

impl Trace {
    /// Reads lines such as `17 fdatasync(9</tmp/x/data.db-wal>) = 0`, which stands in two lines
    /// where another thread did something meanwhile: `… <unfinished ...>` and
    /// `17 <... fdatasync resumed>) = 0`.
    fn parse(text: &str) -> Self {
        let mut events = Vec::new();
        // Threads that are in a sync of the log.
        let mut syncing: Vec<&str> = Vec::new();
        for line in text.lines() {
            let Some((thread, call)) = line.split_once(' ') else {
                continue;
            };
            let call = call.trim_start();
            let is_sync = call.starts_with("fdatasync(") || call.starts_with("fsync(");
            if is_sync && call.contains("-wal>") {
                events.push(Event::SyncBegun);
                match call.ends_with("<unfinished ...>") {
                    true => syncing.push(thread),
                    false if call.ends_with("= 0") => events.push(Event::SyncDone),
                    false => {}
                }
            } else if call.starts_with("<... f") && call.contains("sync resumed") {
                if let Some(position) = syncing.iter().position(|other| *other == thread) {
                    syncing.remove(position);
                    if call.ends_with("= 0") {
                        events.push(Event::SyncDone);
                    }
                }
            } else if call.contains("-wal>") && call.contains("write") {
                events.push(Event::Logged(marks(call)));
            } else if call.contains("HTTP/1.1 201") {
                events.extend(marks(call).into_iter().map(Event::Acknowledged));
            }
        }
        Self { events }
    }

    fn acknowledged(&self) -> usize {
        let acknowledgements = self
            .events
            .iter()
            .filter(|event| matches!(event, Event::Acknowledged(_)));
        acknowledgements.count()
    }

    /// Marks that were acknowledged before a sync that began after they were logged had ended.
    fn unsynced(&self) -> Vec<usize> {
        // When a mark was logged first, which is its own commit: later ones repeat the page.
        let mut logged: BTreeMap<usize, usize> = BTreeMap::new();
        let mut begun = 0;
        let mut synced_before = 0;
        let mut unsynced = Vec::new();
        for (now, event) in self.events.iter().enumerate() {
            match event {
                Event::Logged(marks) => {
                    for mark in marks {
                        logged.entry(*mark).or_insert(now);
                    }
                }
                Event::SyncBegun => begun = now,
                Event::SyncDone => synced_before = begun,
                Event::Acknowledged(mark) => {
                    if logged.get(mark).is_none_or(|at| synced_before <= *at) {
                        unsynced.push(*mark);
                    }
                }
            }
        }
        unsynced
    }
}

/// The numbers of all marks in a line of the trace.
fn marks(line: &str) -> Vec<usize> {
    let ends = line.split("<<").skip(1);
    ends.filter_map(|rest| rest.split_once(">>")?.0.parse().ok())
        .collect()
}
