//! Databases of their own on the PostgreSQL server of the tests, and servers of their own.

use std::path::{Path, PathBuf};
use std::process::Command;

use std::sync::atomic::{AtomicU32, Ordering};

use tokio_postgres::{Client, NoTls};

/// Where the server of the tests is, as `scripts/with-postgres` says.
const SERVER: &str = "CARAFE_TEST_POSTGRES";

/// A database that is dropped when the test is done with it; `scripts/with-postgres` gives the
/// server.
pub(crate) struct TestDatabase {
    server: String,
    name: String,
}

impl TestDatabase {
    /// A new, empty database; `None`, said aloud, where there is no server.
    pub(crate) async fn create() -> Option<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let Some(server) = variable(SERVER) else {
            eprintln!("{SERVER} names no server: not tested on PostgreSQL");
            return None;
        };
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("test_{}_{number}", std::process::id());
        let database = Self { server, name };
        let create = format!("CREATE DATABASE {}", database.name);
        database.on_server(&create).await;
        Some(database)
    }

    pub(crate) fn url(&self) -> String {
        let (server, _) = self.server.rsplit_once('/').expect("a URL with a database");
        format!("{server}/{}", self.name)
    }

    /// Another program's connection.
    pub(crate) async fn other(&self) -> Client {
        connect(&self.url()).await
    }

    pub(crate) async fn drop(&self) {
        let drop = format!("DROP DATABASE {} WITH (FORCE)", self.name);
        self.on_server(&drop).await;
    }

    async fn on_server(&self, sql: &str) {
        let client = connect(&self.server).await;
        client.batch_execute(sql).await.expect(sql);
    }
}

async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.expect("connect");
    tokio::spawn(connection);
    client
}

#[expect(
    clippy::disallowed_methods,
    reason = "that is no setting of the program's"
)]
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// A PostgreSQL server of its own, which a test may configure, stop and kill. It syncs what it
/// commits.
pub(crate) struct Server {
    folder: tempfile::TempDir,
    bin: PathBuf,
    port: u16,
}

impl Server {
    /// A new server with further lines of configuration; `None`, said aloud, where no
    /// PostgreSQL is installed or none is wanted.
    pub(crate) fn start(configuration: &str) -> Option<Self> {
        let server = Self::prepare()?;
        server.run(
            "initdb",
            &[
                "--pgdata",
                &server.data(),
                "--username=carafe",
                "--auth=trust",
                "--encoding=UTF8",
                "--locale=C.UTF-8",
                "--no-sync",
            ],
        );
        server.configure(configuration);
        server.up();
        Some(server)
    }

    /// A streaming copy of this server's data, as a server of its own that follows it.
    pub(crate) fn replica(&self, configuration: &str) -> Self {
        let replica = Self::prepare().expect("PostgreSQL is installed");
        let from = format!("host=127.0.0.1 port={} user=carafe", self.port);
        let arguments = [
            "--pgdata",
            &replica.data(),
            "--write-recovery-conf",
            "--dbname",
            &from,
        ];
        replica.run("pg_basebackup", &arguments);
        replica.configure(configuration);
        replica.up();
        replica
    }

    fn prepare() -> Option<Self> {
        variable(SERVER).or_else(|| {
            eprintln!("{SERVER} names no server: not tested on PostgreSQL");
            None
        })?;
        let bin = variable("POSTGRES_BIN").map(PathBuf::from).or_else(|| {
            let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?;
            let mut versions: Vec<PathBuf> = versions
                .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
                .collect();
            versions.sort();
            versions.pop()
        })?;
        let folder = tempfile::tempdir().expect("a folder");
        let port = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = port.local_addr().expect("a port").port();
        let server = Self { folder, bin, port };
        if is_root() {
            let owned = Command::new("chown")
                .arg("postgres")
                .arg(server.folder.path())
                .status();
            assert!(owned.expect("chown").success());
        }
        Some(server)
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    fn data(&self) -> String {
        self.folder.path().join("data").display().to_string()
    }

    fn configure(&self, configuration: &str) {
        let text = format!(
            "\nlisten_addresses = '127.0.0.1'\nport = {}\nunix_socket_directories = '{}'\n{configuration}\n",
            self.port,
            self.folder.path().display(),
        );
        let path = self.folder.path().join("data/postgresql.conf");
        let mut old = std::fs::read_to_string(&path).expect("a configuration");
        old.push_str(&text);
        std::fs::write(&path, old).expect("write the configuration");
    }

    /// `postgres://…`
    pub(crate) fn url(&self) -> String {
        format!("postgres://carafe@127.0.0.1:{}/postgres", self.port)
    }

    /// Starts it, or starts it again.
    pub(crate) fn up(&self) {
        let log = self.folder.path().join("log").display().to_string();
        // What is left of a killed server can hold its memory for a moment.
        for _ in 0..50 {
            let arguments = ["--pgdata", &self.data(), "--log", &log, "--wait", "start"];
            if self
                .command("pg_ctl", &arguments)
                .status()
                .expect("pg_ctl")
                .success()
            {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        panic!("{}", std::fs::read_to_string(log).unwrap_or_default());
    }

    /// Stops it as an operator does.
    pub(crate) fn stop(&self) {
        self.run(
            "pg_ctl",
            &["--pgdata", &self.data(), "--mode=fast", "--wait", "stop"],
        );
    }

    /// Kills it and all that it has started, as a power cut would.
    pub(crate) fn kill(&self) {
        Command::new("kill")
            .arg("-9")
            .args(self.processes())
            .status()
            .expect("kill");
    }

    /// Stops all of its processes where they are, or lets them go on.
    pub(crate) fn freeze(&self, freezes: bool) {
        let signal = if freezes { "-STOP" } else { "-CONT" };
        Command::new("kill")
            .arg(signal)
            .args(self.processes())
            .status()
            .expect("kill");
    }

    /// The ids of the server and of all that it has started.
    fn processes(&self) -> Vec<String> {
        let pids = format!("{}/postmaster.pid", self.data());
        let pids = std::fs::read_to_string(pids).expect("a server that runs");
        let pid = pids.lines().next().expect("a process id").to_owned();
        let children = Command::new("pgrep")
            .args(["--parent", &pid])
            .output()
            .expect("pgrep");
        let children = String::from_utf8_lossy(&children.stdout).into_owned();
        let children = children.split_whitespace().map(str::to_owned);
        children.chain([pid]).collect()
    }

    /// Makes a server that follows another one that writes.
    pub(crate) fn promote(&self) {
        self.run("pg_ctl", &["--pgdata", &self.data(), "--wait", "promote"]);
    }

    /// Runs one of PostgreSQL's programs, and returns what it prints.
    pub(crate) fn run(&self, program: &str, arguments: &[&str]) -> String {
        let output = self.command(program, arguments).output().expect(program);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{program}: {text}{errors}");
        text
    }

    /// The server refuses to run as root.
    fn command(&self, program: &str, arguments: &[&str]) -> Command {
        let program = self.bin.join(program);
        let mut command = match is_root() {
            true => {
                let mut command = Command::new("setpriv");
                command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]);
                command.arg(program);
                command
            }
            false => Command::new(program),
        };
        command.args(arguments).current_dir("/");
        command
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let arguments = [
            "--pgdata",
            &self.data(),
            "--mode=immediate",
            "--no-wait",
            "stop",
        ];
        let stopped = self.command("pg_ctl", &arguments).output();
        drop(stopped);
    }
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}
