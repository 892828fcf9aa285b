//! One server after another on one socket: no request fails, and nothing is lost.

use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::nodes::Balancer;
use super::start::free_port;
use super::{Client, Folder, PATIENCE, Process, eventually};

/// A server on a socket that listens already, as systemd hands it over: as descriptor 3, named by
/// variables.
fn serve_on(folder: &Folder, listener: &TcpListener, options: &[&str]) -> Process {
    let script = "exec 3<&0 </dev/null; LISTEN_FDS=1 LISTEN_PID=$$ exec \"$0\" serve \"$@\"";
    let mut command = folder.inside(Command::new("sh"));
    command
        .args(["-c", script, env!("CARGO_BIN_EXE_carafe")])
        .args(options)
        .stdin(Stdio::from(OwnedFd::from(listener.try_clone().unwrap())));
    Process::start(command)
}

/// Clients that create records, each of whose requests must be answered.
struct Load {
    stop: Arc<AtomicBool>,
    written: Arc<AtomicUsize>,
    clients: JoinSet<Vec<i64>>,
}

impl Load {
    fn start(base: &str, clients: usize) -> Self {
        let mut load = Self {
            stop: Arc::default(),
            written: Arc::default(),
            clients: JoinSet::new(),
        };
        for name in 0..clients {
            let (stop, written) = (load.stop.clone(), load.written.clone());
            load.clients
                .spawn(write_on(Client::new(base), name, stop, written));
        }
        load
    }

    async fn go_on(&self, writes: usize) {
        let goal = self.written.load(Ordering::Relaxed) + writes;
        eventually("more writes", PATIENCE, async || {
            (self.written.load(Ordering::Relaxed) >= goal).then_some(())
        })
        .await;
    }

    /// The ids of all records that were made, in order.
    async fn end(self) -> Vec<i64> {
        self.stop.store(true, Ordering::Relaxed);
        let mut ids = self.clients.join_all().await.concat();
        ids.sort_unstable();
        ids
    }
}

async fn write_on(
    client: Client,
    name: usize,
    stop: Arc<AtomicBool>,
    written: Arc<AtomicUsize>,
) -> Vec<i64> {
    let mut ids = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let title = format!("{name}-{}", ids.len());
        let note = json!({ "title": title, "content": "x" });
        let answer = client.send("POST", "/api/notes", Some(&note)).await;
        let answer = answer.unwrap_or_else(|| panic!("{title} was not answered"));
        assert_eq!(answer.status, 201, "{}", answer.text);
        ids.push(answer.json()["id"].as_i64().unwrap());
        written.fetch_add(1, Ordering::Relaxed);
    }
    ids
}

fn ids_in(folder: &Folder) -> Vec<i64> {
    let database = folder.database();
    let mut all = database
        .prepare("SELECT id FROM notes ORDER BY id")
        .unwrap();
    let ids = all.query_map([], |row| row.get(0)).unwrap();
    ids.map(Result::unwrap).collect()
}

#[tokio::test]
async fn servers_take_turns_on_one_socket_without_a_failed_request() {
    let folder = Folder::notes();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let mut server = serve_on(&folder, &listener, &["--stop-delay", "1"]);
    assert_eq!(
        server.base, base,
        "the socket's address, not that of --port"
    );

    let load = Load::start(&base, 8);
    for _ in 0..2 {
        load.go_on(50).await;
        let next = serve_on(&folder, &listener, &["--stop-delay", "1"]);
        tokio::task::spawn_blocking(|| server.stop()).await.unwrap();
        load.go_on(50).await;
        server = next;
    }
    let made = load.end().await;
    assert_eq!(ids_in(&folder), made);
    server.stop();
}

/// The balancer asks for `/health/ready`, and sends requests elsewhere before a server is gone.
#[tokio::test]
async fn servers_are_replaced_behind_a_balancer_without_a_failed_request() {
    let folder = Folder::notes();
    let serve = |port: u16| {
        let port = port.to_string();
        Process::start(folder.command(&["serve", "--port", &port, "--stop-delay", "2"]))
    };
    let ports = [free_port(), free_port()];
    let mut servers = Vec::from(ports.map(serve));
    let balancer = Balancer::start(&folder, &ports);
    let client = Client::new(&balancer.base);
    eventually("an answer", PATIENCE, async || {
        client.send("GET", "/health/ready", None).await
    })
    .await;
    let load = Load::start(&balancer.base, 8);
    for port in ports {
        load.go_on(50).await;
        let old = servers.remove(0);
        tokio::task::spawn_blocking(|| old.stop()).await.unwrap();
        servers.push(serve(port));
    }
    load.go_on(50).await;
    let made = load.end().await;
    assert_eq!(ids_in(&folder), made);
    drop(balancer);
}

#[tokio::test]
async fn systemd_hands_its_socket_over() {
    const PROGRAM: &str = "/usr/bin/systemd-socket-activate";
    if !std::path::Path::new(PROGRAM).exists() {
        eprintln!("without {PROGRAM}, this is not tested");
        return;
    }
    let folder = Folder::notes();
    let port = free_port();
    let mut command = folder.inside(Command::new(PROGRAM));
    command.args([
        &format!("--listen=127.0.0.1:{port}"),
        env!("CARGO_BIN_EXE_carafe"),
        "serve",
    ]);
    let mut child = command.spawn().unwrap();
    // The program is started by the first connection, and answers it.
    let client = Client::new(&format!("http://127.0.0.1:{port}"));
    eventually("an answer", PATIENCE, async || {
        client.send("GET", "/api/notes", None).await
    })
    .await;
    // It has taken the place of the program that started it.
    let sent = Command::new("kill").arg(child.id().to_string()).status();
    assert!(sent.unwrap().success());
    let status = tokio::task::spawn_blocking(move || child.wait())
        .await
        .unwrap();
    assert_eq!(status.unwrap().code(), Some(0));
}

#[test]
fn the_supervisor_is_told_of_the_start_and_of_the_stop() {
    let folder = Folder::notes();
    let supervisor = UnixDatagram::bind(folder.path("notify")).unwrap();
    supervisor.set_read_timeout(Some(PATIENCE)).unwrap();
    let heard = || {
        let mut buffer = [0; 100];
        let length = supervisor.recv(&mut buffer).unwrap();
        String::from_utf8(buffer[..length].to_vec()).unwrap()
    };
    let mut command = folder.command(&["serve", "--port", "0"]);
    command.env("NOTIFY_SOCKET", folder.path("notify"));
    let server = Process::start(command);
    assert_eq!(heard(), "READY=1");
    server.stop();
    assert_eq!(heard(), "STOPPING=1");
}

#[tokio::test]
async fn until_the_delay_of_a_stop_is_over_requests_are_answered_and_connections_closed() {
    let folder = Folder::notes();
    let server = Process::start(folder.command(&["serve", "--port", "0", "--stop-delay", "600"]));
    let client = server.client();
    assert_eq!(client.get("/api/notes").await.header("connection"), "");
    server.signal("TERM");
    let last: Value = eventually("a connection that is closed", PATIENCE, async || {
        let answer = client.get("/api/notes").await;
        assert_eq!(answer.status, 200);
        (answer.header("connection") == "close").then(|| answer.json())
    })
    .await;
    assert_eq!(last["total"], 0);
    let ready = client.get("/health/ready").await;
    assert_eq!((ready.status, ready.header("retry-after")), (503, "1"));
    let expected = json!({ "database": "ok", "migrations": "ok", "serving": "stopping" });
    assert_eq!(
        ready.json(),
        json!({ "status": "not ready", "checks": expected })
    );
    assert_eq!(client.get("/health/live").await.status, 200);
}

#[tokio::test]
async fn a_server_whose_migration_was_taken_back_is_not_ready() {
    let folder = Folder::notes();
    let server = folder.serve();
    let client = server.client();
    assert_eq!(client.get("/health/ready").await.status, 200);
    let undone = "DELETE FROM _carafe_migration";
    assert_eq!(folder.database().execute(undone, []).unwrap(), 1);
    let checks = eventually("it is noticed", PATIENCE, async || {
        let answer = client.get("/health/ready").await;
        (answer.status == 503).then(|| answer.json()["checks"].clone())
    });
    let expected = json!({ "database": "ok", "migrations": "failed", "serving": "ok" });
    assert_eq!(checks.await, expected);
}
