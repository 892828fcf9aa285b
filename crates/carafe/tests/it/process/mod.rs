//! The real program: folders of applications, commands, servers as processes of their own, and
//! clients of them.

mod backup;
mod command_line;
mod completions;
mod config;
mod crash;
mod doctor;
mod export;
mod full_disk;
mod handover;
mod hosts;
mod import;
mod inspect;
mod log;
mod metrics;
mod migrate;
mod moves;
mod nodes;
mod proxy;
mod reload;
mod restart;
mod second_process;
mod slow;
mod start;
mod stop;
mod syncs;
mod systemd;
mod tls;

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, LazyLock, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use clap::CommandFactory;
use serde_json::Value;
use tempfile::TempDir;

use crate::support::workspace;

/// What every wait of these tests is given, unless the wait itself is what is tested.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Variables that would change what is tested.
static VARIABLES: LazyLock<Vec<String>> = LazyLock::new(|| {
    let program = carafe::args::Args::command();
    let arguments = program.get_subcommands().flat_map(|c| c.get_arguments());
    let variables = arguments.filter_map(|argument| argument.get_env());
    variables
        .map(|name| name.to_str().unwrap().to_owned())
        .collect()
});

/// Resources of one string each, without a search index.
const PLAIN: &str = r#"
[resources.marks]
delete = "hard"
[resources.marks.fields]
title = { type = "string" }
"#;

/// The folder of an application.
pub(crate) struct Folder {
    folder: TempDir,
}

impl Folder {
    /// A folder without anything.
    pub(crate) fn empty() -> Self {
        Self {
            folder: TempDir::new().unwrap(),
        }
    }

    /// A folder with this `carafe.toml`.
    pub(crate) fn new(declaration: &str) -> Self {
        let folder = Self::empty();
        folder.write("carafe.toml", declaration);
        folder
    }

    /// The notes application.
    pub(crate) fn notes() -> Self {
        let declaration = workspace().join("apps/notes/carafe.toml");
        Self::new(&std::fs::read_to_string(declaration).unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// The program with these arguments, to be run in the folder.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_carafe"));
        command.args(arguments);
        self.inside(command)
    }

    /// A command, to be run in the folder and without settings of this place.
    pub(crate) fn inside(&self, mut command: Command) -> Command {
        for name in VARIABLES.iter() {
            command.env_remove(name);
        }
        command
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs the program to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        Ran::of(self.command(arguments).output().unwrap())
    }

    /// Serves the folder on a free port.
    pub(crate) fn serve(&self) -> Process {
        Process::start(self.command(&["serve", "--port", "0"]))
    }

    /// A connection of another program to the database.
    pub(crate) fn database(&self) -> rusqlite::Connection {
        open(&self.path("data.db"))
    }
}

/// A connection as another program has it: without Carafe's functions.
pub(crate) fn open(path: &Path) -> rusqlite::Connection {
    let connection = rusqlite::Connection::open(path).unwrap();
    connection.busy_timeout(PATIENCE).unwrap();
    connection
}

/// Fails if the file is damaged, or the counter of a table is wrong.
pub(crate) fn assert_sound(path: &Path, table: &str) {
    let connection = open(path);
    let text = |sql: &str| -> String { connection.query_row(sql, [], |row| row.get(0)).unwrap() };
    assert_eq!(text("PRAGMA integrity_check"), "ok");
    let number = |sql: &str| -> i64 { connection.query_row(sql, [], |row| row.get(0)).unwrap() };
    assert_eq!(
        number(&format!(
            "SELECT live FROM _carafe_count WHERE resource = '{table}'"
        )),
        number(&format!("SELECT count(*) FROM {table}")),
        "the counter of {table}"
    );
}

/// A command that has ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    fn of(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
        Self {
            code: output.status.code(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }

    /// What it printed, if it went well; that a table was made for it is no complaint.
    #[track_caller]
    pub(crate) fn ok(self) -> String {
        let mut complaints = self
            .stderr
            .lines()
            .filter(|line| !line.starts_with("Created table `"));
        assert_eq!(
            (self.code, complaints.next()),
            (Some(0), None),
            "{}{}",
            self.stdout,
            self.stderr
        );
        self.stdout
    }

    /// What it complained about, if it ended with exit code 1.
    #[track_caller]
    pub(crate) fn refused(self) -> String {
        assert_eq!(self.code, Some(1), "{self:?}");
        self.stderr
    }
}

/// A server that runs; it is killed when it goes out of scope.
pub(crate) struct Process {
    child: Child,
    /// `http://127.0.0.1:PORT`
    pub(crate) base: String,
    stdout: Printed,
    stderr: Printed,
}

impl Process {
    /// Starts a server, and waits until it says that it is ready.
    #[track_caller]
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let stdout = Printed::by(child.stdout.take().unwrap());
        let stderr = match child.stderr.take() {
            Some(stderr) => Printed::by(stderr),
            // The test has it go elsewhere.
            None => Printed::by(std::io::empty()),
        };
        let mut process = Self {
            child,
            base: String::new(),
            stdout,
            stderr,
        };
        let deadline = Instant::now() + PATIENCE;
        while !is_ready(&process.stdout()) {
            let ended = process.child.try_wait().unwrap();
            assert!(ended.is_none(), "{ended:?}: {}", process.stderr());
            assert!(
                Instant::now() < deadline,
                "no start: {}{}",
                process.stdout(),
                process.stderr()
            );
            pause();
        }
        process.base = address(&process.stdout()).expect("an address is printed");
        process
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has printed so far.
    pub(crate) fn stdout(&self) -> String {
        self.stdout.text()
    }

    /// What it has complained about so far.
    pub(crate) fn stderr(&self) -> String {
        self.stderr.text()
    }

    pub(crate) fn client(&self) -> Client {
        Client::new(&self.base)
    }

    /// Sends a signal by its name.
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .args([&format!("-{name}"), &self.pid().to_string()])
            .status();
        assert!(sent.unwrap().success(), "kill -{name}");
    }

    /// Waits for the end, and gives all that was printed.
    pub(crate) fn ended(mut self) -> (ExitStatus, String) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return (status, self.stdout.whole());
            }
            assert!(Instant::now() < deadline, "the server does not end");
            pause();
        }
    }

    /// Ends it as a power button does.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Ends it as an operator does.
    #[track_caller]
    pub(crate) fn stop(self) {
        self.signal("TERM");
        let (status, _) = self.ended();
        assert!(status.success(), "{status}");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail on a process that has ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Whether a server has said that it is ready: to people, or in a log of JSON.
fn is_ready(printed: &str) -> bool {
    printed.contains("Press Ctrl-C to stop.") || printed.contains(r#""message":"Ready""#)
}

/// The first `http://127.0.0.1:PORT` of a text, or the same with `https`.
fn address(text: &str) -> Option<String> {
    let ends = [' ', '"', '/', '\n'];
    let middle = text.find("://127.0.0.1:")?;
    let start = text[..middle].rfind(ends).map_or(0, |end| end + 1);
    let end = text[middle + 3..].find(ends)?;
    Some(text[start..middle + 3 + end].to_owned())
}

/// A file of the repository.
pub(crate) fn shipped(name: &str) -> String {
    std::fs::read_to_string(workspace().join(name)).unwrap()
}

/// What a process prints, as it prints it.
struct Printed {
    text: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
}

impl Printed {
    fn by(stream: impl Read + Send + 'static) -> Self {
        let text = Arc::new(Mutex::new(String::new()));
        let shared = Arc::clone(&text);
        let reader = std::thread::spawn(move || {
            let mut lines = BufReader::new(stream);
            let mut line = Vec::new();
            while lines
                .read_until(b'\n', &mut line)
                .is_ok_and(|length| length > 0)
            {
                shared
                    .lock()
                    .unwrap()
                    .push_str(&String::from_utf8_lossy(&line));
                line.clear();
            }
        });
        Self {
            text,
            reader: Some(reader),
        }
    }

    fn text(&self) -> String {
        self.text.lock().unwrap().clone()
    }

    /// All of it, once the process has ended.
    fn whole(&mut self) -> String {
        if let Some(reader) = self.reader.take() {
            reader.join().unwrap();
        }
        self.text()
    }
}

fn pause() {
    std::thread::sleep(Duration::from_millis(5));
}

/// Asks until there is an answer; fails after `limit`.
pub(crate) async fn eventually<T>(
    what: &str,
    limit: Duration,
    mut ask: impl AsyncFnMut() -> Option<T>,
) -> T {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(Instant::now() < deadline, "{what}: not within {limit:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// A client that copes with a server that goes away.
#[derive(Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    base: String,
}

impl Client {
    pub(crate) fn new(base: &str) -> Self {
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(PATIENCE)
            .no_gzip()
            .build();
        Self {
            http: http.unwrap(),
            base: base.to_owned(),
        }
    }

    /// The answer, `None` where the connection broke before it was whole.
    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Option<Answer> {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let mut request = self.http.request(method, format!("{}{path}", self.base));
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await.ok()?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Some(Answer {
            status,
            headers,
            text: response.text().await.ok()?,
        })
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, None).await.expect("an answer")
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.send("POST", path, Some(&body))
            .await
            .expect("an answer")
    }
}

/// An answer, read whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: http::HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    /// The value of a header field, empty if it is not there.
    pub(crate) fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.map_or("", |value| value.to_str().expect("visible ASCII"))
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }
}
