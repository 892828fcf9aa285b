//! Several servers on one PostgreSQL: behind a load balancer, killed, started anew, beside a
//! replica, and when the database itself goes away.

use std::collections::BTreeSet;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::start::free_port;
use super::{Folder, PATIENCE, Process, eventually};
use crate::postgres::{Server, TestDatabase};
use crate::support::hidden_inputs;

const KEY: &str = "3f1c9a7e5b2d8046c1e7f3a95d20b86e";
const NODES: usize = 3;

/// A server on a database, on a port.
fn node(folder: &Folder, database: &str, port: u16, more: &[&str]) -> Process {
    let port = port.to_string();
    let mut words = vec!["serve", "--database", database, "--port", &port];
    words.extend(more);
    let mut command = folder.command(&words);
    command.env("SECRET_KEY", KEY);
    Process::start(command)
}

/// HAProxy before several ports, in turn, as Debian has it.
pub(super) struct Balancer {
    child: Child,
    pub(super) base: String,
}

impl Balancer {
    pub(super) fn start(folder: &Folder, ports: &[u16]) -> Self {
        let port = free_port();
        let servers: String = ports
            .iter()
            .map(|port| format!("    server n{port} 127.0.0.1:{port} check inter 200ms\n"))
            .collect();
        let configuration = format!(
            "defaults\n    mode http\n    timeout connect 2s\n    timeout client 30s\n    \
             timeout server 30s\n    retries 5\n    option redispatch 1\n    retry-on conn-failure\n    \
             option http-server-close\n    option httpchk GET /health/ready\n\
             listen carafe\n    bind 127.0.0.1:{port}\n    balance roundrobin\n{servers}"
        );
        folder.write("haproxy.cfg", &configuration);
        let child = Command::new("haproxy")
            .args(["-f", "haproxy.cfg"])
            .current_dir(folder.path(""))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("haproxy (scripts/setup installs it)");
        Self {
            child,
            base: format!("http://127.0.0.1:{port}"),
        }
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        // Both fail on a process that has ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A client of HTTP/1.1 that keeps cookies by hand.
fn http() -> reqwest::Client {
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(PATIENCE)
        .build()
        .unwrap()
}

/// The record, if this attempt was answered. A repetition gives what the first attempt made.
async fn create_once(client: &reqwest::Client, base: &str, title: &str) -> Option<Value> {
    let request = client.post(format!("{base}/api/notes"));
    let request = request.header("idempotency-key", format!("\"{title}\""));
    let sent = request.json(&json!({ "title": title, "content": "x" }));
    let answer = sent.send().await.ok()?;
    match answer.status().as_u16() {
        201 => answer.json::<Value>().await.ok(),
        // What a balancer and a server without its database say.
        502..=504 => None,
        status => panic!("{status}: {:?}", answer.text().await),
    }
}

/// Creates records until `stop`; each request is sent again with its key until it is answered.
async fn write_on(
    base: String,
    name: String,
    stop: Arc<AtomicBool>,
    written: Arc<AtomicUsize>,
) -> Vec<i64> {
    let client = http();
    let mut ids = Vec::new();
    let mut number = 0;
    while !stop.load(Ordering::Relaxed) {
        number += 1;
        let title = format!("{name}-{number}");
        let deadline = Instant::now() + PATIENCE;
        let made = loop {
            assert!(
                Instant::now() < deadline,
                "no answer, however often it was asked for"
            );
            if let Some(made) = create_once(&client, &base, &title).await {
                break made;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        };
        assert_eq!(made["title"], title);
        ids.push(made["id"].as_i64().unwrap());
        written.fetch_add(1, Ordering::Relaxed);
    }
    ids
}

struct Load {
    stop: Arc<AtomicBool>,
    written: Arc<AtomicUsize>,
    clients: JoinSet<Vec<i64>>,
}

impl Load {
    fn start(base: &str, clients: usize) -> Self {
        let (stop, written) = (Arc::default(), Arc::default());
        let mut set = JoinSet::new();
        for number in 0..clients {
            let name = format!("c{number}");
            set.spawn(write_on(
                base.to_owned(),
                name,
                Arc::clone(&stop),
                Arc::clone(&written),
            ));
        }
        Self {
            stop,
            written,
            clients: set,
        }
    }

    /// Waits until so many more were written.
    async fn go_on(&self, more: usize) {
        let goal = self.written.load(Ordering::Relaxed) + more;
        eventually("writes", PATIENCE, async || {
            (self.written.load(Ordering::Relaxed) >= goal).then_some(())
        })
        .await;
    }

    /// The ids of all that was acknowledged.
    async fn end(self) -> BTreeSet<i64> {
        self.stop.store(true, Ordering::Relaxed);
        let ids: Vec<i64> = self
            .clients
            .join_all()
            .await
            .into_iter()
            .flatten()
            .collect();
        let set: BTreeSet<i64> = ids.iter().copied().collect();
        assert_eq!(set.len(), ids.len(), "an id was given twice");
        set
    }
}

/// Every acknowledged record is there, and each request made one.
async fn assert_all_there(url: &str, acknowledged: &BTreeSet<i64>) {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls)
        .await
        .unwrap();
    tokio::spawn(connection);
    let rows = client
        .query("SELECT id, title FROM notes", &[])
        .await
        .unwrap();
    let ids: BTreeSet<i64> = rows.iter().map(|row| row.get(0)).collect();
    let lost: Vec<_> = acknowledged.difference(&ids).collect();
    assert!(lost.is_empty(), "lost: {lost:?}");
    let titles: BTreeSet<String> = rows.iter().map(|row| row.get(1)).collect();
    assert_eq!(titles.len(), rows.len(), "a request was carried out twice");
}

/// A page, a form and what follows it come from three different servers; one of them is killed
/// and all are replaced while others write, and no request fails after retries.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_nodes_are_one_server() {
    let Some(database) = TestDatabase::create().await else {
        return;
    };
    let folder = Folder::notes();
    let url = database.url();
    let ports: Vec<u16> = (0..NODES).map(|_| free_port()).collect();
    // All at once: one makes the tables, the others wait for it.
    let starts: Vec<_> = ports
        .iter()
        .map(|&port| {
            let (url, folder) = (url.clone(), Folder::notes());
            tokio::task::spawn_blocking(move || (node(&folder, &url, port, &[]), folder))
        })
        .collect();
    let mut nodes = Vec::new();
    for start in starts {
        nodes.push(Some(start.await.unwrap()));
    }
    let made = |node: &Option<(Process, Folder)>| {
        let node = node.as_ref().unwrap();
        node.0.stdout().contains("Created table `notes`")
    };
    assert_eq!(nodes.iter().filter(|node| made(node)).count(), 1);
    let balancer = Balancer::start(&folder, &ports);
    let client = http();
    let page = eventually("a page", PATIENCE, async || {
        let page = client
            .get(format!("{}/notes/new", balancer.base))
            .send()
            .await;
        page.ok().filter(|page| page.status() == 200)
    })
    .await;
    let cookies = |answer: &reqwest::Response| {
        let cookies = answer.headers().get_all("set-cookie").iter();
        let pairs = cookies.map(|cookie| cookie.to_str().unwrap().split(';').next().unwrap());
        pairs.map(str::to_owned).collect::<Vec<_>>().join("; ")
    };
    let cookie = cookies(&page);
    let mut form = hidden_inputs(&page.text().await.unwrap());
    form.push(("title".to_owned(), "From a form".to_owned()));
    form.push(("content".to_owned(), "x".to_owned()));
    let body = crate::support::serde_urlencoded(&form);
    let sent = client
        .post(format!("{}/notes/new", balancer.base))
        .header("cookie", cookie)
        .header("origin", &balancer.base)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(body)
        .send()
        .await
        .unwrap();
    assert_eq!(sent.status(), 303);
    let next = format!(
        "{}{}",
        balancer.base,
        sent.headers()["location"].to_str().unwrap()
    );
    let shown = client
        .get(next)
        .header("cookie", cookies(&sent))
        .send()
        .await
        .unwrap();
    let shown = shown.text().await.unwrap();
    assert!(shown.contains("Note created successfully."), "{shown}");

    let load = Load::start(&balancer.base, 12);
    load.go_on(200).await;
    let (killed, place) = nodes[0].take().unwrap();
    killed.kill();
    load.go_on(200).await;
    nodes[0] = Some((node(&place, &url, ports[0], &[]), place));
    load.go_on(100).await;
    for position in 0..NODES {
        let (old, place) = nodes[position].take().unwrap();
        // Requests that are under way are finished; new ones go to the others.
        tokio::task::spawn_blocking(move || old.stop())
            .await
            .unwrap();
        nodes[position] = Some((node(&place, &url, ports[position], &[]), place));
        load.go_on(100).await;
    }
    let acknowledged = load.end().await;
    assert!(acknowledged.len() > 700);
    assert_all_there(&url, &acknowledged).await;
    drop((nodes, balancer));
    database.drop().await;
}

#[tokio::test]
async fn a_node_with_another_secret_key_does_not_start() {
    let Some(database) = TestDatabase::create().await else {
        return;
    };
    let folder = Folder::notes();
    let serve = |key: &str, more: &[&str]| {
        let url = database.url();
        let mut words = vec!["serve", "--port", "0", "--database", &url];
        words.extend(more);
        let mut command = folder.command(&words);
        command.env("SECRET_KEY", key);
        command
    };
    Process::start(serve(KEY, &[])).stop();
    let other = "b86ea95d2046c1e7f37e5b2d803f1c9a";
    let refused = serve(other, &[]).output().unwrap();
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(said.contains("is not that of the other servers"), "{said}");
    assert!(!said.contains(other));
    Process::start(serve(other, &["--new-secret-key"])).stop();
    Process::start(serve(other, &[])).stop();
    assert!(!serve(KEY, &[]).output().unwrap().status.success());
    database.drop().await;
}

/// The database is killed under load, twice: what was acknowledged is there, and its files are
/// sound.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_outlives_the_database_being_killed() {
    let Some(server) = Server::start("") else {
        return;
    };
    let folder = Folder::notes();
    let process = node(&folder, &server.url(), 0, &[]);
    let load = Load::start(&process.base, 20);
    for _ in 0..2 {
        load.go_on(300).await;
        server.kill();
        let away = eventually("the database is away", PATIENCE, async || {
            let answer = process.client().send("GET", "/api/notes/1", None).await?;
            (answer.status == 503).then_some(answer)
        })
        .await;
        assert_eq!(away.header("retry-after"), "1");
        let not_ready = eventually("it is not ready", PATIENCE, async || {
            let answer = process.client().get("/health/ready").await;
            (answer.status == 503).then_some(answer)
        })
        .await;
        assert_eq!(not_ready.json()["checks"]["database"], "failed");
        assert_eq!(process.client().get("/health/live").await.status, 200);
        server.up();
        eventually("it is ready again", PATIENCE, async || {
            let answer = process.client().get("/health/ready").await;
            (answer.status == 200).then_some(())
        })
        .await;
    }
    load.go_on(300).await;
    let acknowledged = load.end().await;
    assert_all_there(&server.url(), &acknowledged).await;
    process.stop();
    let port = server.port().to_string();
    let place = [
        "--host",
        "127.0.0.1",
        "--port",
        &port,
        "--username",
        "carafe",
    ];
    let check = [
        "--install-missing",
        "--heapallindexed",
        "--parent-check",
        "postgres",
    ];
    server.run("pg_amcheck", &[place.as_slice(), check.as_slice()].concat());
}

/// A replica that is behind: who wrote reads what he wrote, others may read what was before.
/// Then the primary is killed and the replica takes its place.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_is_read_from_and_takes_over() {
    let Some(primary) = Server::start("wal_level = replica\nmax_wal_senders = 4\n") else {
        return;
    };
    let replica = primary.replica("hot_standby = on\n");
    let folder = Folder::notes();
    let both = format!(
        "postgres://carafe@127.0.0.1:{},127.0.0.1:{}/postgres?target_session_attrs=read-write",
        primary.port(),
        replica.port()
    );
    let process = node(&folder, &both, 0, &["--read-database", &replica.url()]);
    let client = http();
    let notes = format!("{}/api/notes", process.base);
    let create = async |title: &str| {
        let note = json!({ "title": title, "content": "x" });
        let made = client.post(&notes).json(&note).send().await.unwrap();
        assert_eq!(made.status(), 201);
        let position = made.headers()["carafe-position"]
            .to_str()
            .unwrap()
            .to_owned();
        let cookie = made.headers()["set-cookie"].to_str().unwrap().to_owned();
        assert!(
            cookie.starts_with(&format!("carafe_position={position};")),
            "{cookie}"
        );
        position
    };
    let total = async |position: Option<&str>| {
        let mut request = client.get(&notes);
        if let Some(position) = position {
            request = request.header("carafe-position", position);
        }
        request.send().await.unwrap().json::<Value>().await.unwrap()["total"].clone()
    };
    let first = create("first").await;
    assert_eq!(total(Some(&first)).await, 1);
    let on_replica = async |sql: &str| {
        let connected = tokio_postgres::connect(&replica.url(), tokio_postgres::NoTls).await;
        let (client, connection) = connected.ok()?;
        tokio::spawn(connection);
        client.batch_execute(sql).await.ok()
    };
    // Asked itself: where it has no table yet, the server reads from the primary.
    eventually("the replica follows", PATIENCE, async || {
        on_replica("SELECT 1 / (count(*) = 1)::int FROM notes").await
    })
    .await;
    assert_eq!(total(None).await, 1);
    on_replica("SELECT pg_wal_replay_pause()").await.unwrap();
    // That is a request: what was under way is still replayed.
    eventually("the replica pauses", PATIENCE, async || {
        on_replica("SELECT 1 / (pg_get_wal_replay_pause_state() = 'paused')::int").await
    })
    .await;
    let second = create("second").await;
    let cookie = format!("carafe_position={second}");
    for _ in 0..5 {
        assert_eq!(total(Some(&second)).await, 2, "the writer reads its write");
        let by_cookie = client
            .get(&notes)
            .header("cookie", &cookie)
            .send()
            .await
            .unwrap();
        assert_eq!(by_cookie.json::<Value>().await.unwrap()["total"], 2);
        // Where it was slow to answer, which a busy machine can make it, it is left alone for a
        // while.
        eventually("others read what the replica has", PATIENCE, async || {
            (total(None).await == 1).then_some(())
        })
        .await;
    }
    on_replica("SELECT pg_wal_replay_resume()").await.unwrap();
    eventually("the replica follows", PATIENCE, async || {
        (total(None).await == 2).then_some(())
    })
    .await;

    // A replica that hangs keeps nobody waiting for long, and nobody at all a moment later.
    replica.freeze(true);
    for limit in [Duration::from_secs(8), Duration::from_secs(1)] {
        let started = Instant::now();
        assert_eq!(total(Some(&second)).await, 2);
        assert!(started.elapsed() < limit, "{:?}", started.elapsed());
    }
    replica.freeze(false);

    // From here on a commit is acknowledged when the replica has it too: then nothing may be lost.
    let place = primary.url();
    let synchronous = "ALTER SYSTEM SET synchronous_standby_names = '*'";
    let reload = "SELECT pg_reload_conf()";
    primary.run(
        "psql",
        &[&place, "--command", synchronous, "--command", reload],
    );
    eventually("the replica confirms", PATIENCE, async || {
        let state = "SELECT sync_state FROM pg_stat_replication";
        let state = primary.run("psql", &[&place, "--tuples-only", "--command", state]);
        (state.trim() == "sync").then_some(())
    })
    .await;

    let load = Load::start(&process.base, 8);
    load.go_on(200).await;
    primary.kill();
    replica.promote();
    load.go_on(200).await;
    let acknowledged = load.end().await;
    assert_all_there(&replica.url(), &acknowledged).await;
    process.stop();
}
