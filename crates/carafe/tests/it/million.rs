//! A million notes: how long the first answer after a start takes, and how long each of the
//! usual requests does. Runs where `CARAFE_MILLION` is set, over the binary in `CARAFE_BIN`
//! (a release build), because it takes minutes; `scripts/test` does so.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use carafe_model::query::COUNTED_BEHIND;
use serde_json::Value;
use tempfile::TempDir;

use crate::postgres::TestDatabase;
use crate::support::workspace;

const NOTES: i64 = 1_000_000;

/// How often each request is measured.
const TIMES: usize = 21;

/// How long the search index may take to be complete.
const INDEXING_MAX: Duration = Duration::from_secs(900);

/// What is asked, and the median that it must stay below. The machine has two cores and may be
/// busy; on an idle one the medians are a small part of this.
const REQUESTS: [(&str, &str, u64); 7] = [
    ("one note", "/api/notes/{id}", 5),
    ("page 1", "/api/notes", 10),
    ("page 1,000", "/api/notes?page=1000", 50),
    (
        "search, rare word (1,351 hits)",
        "/api/notes/search?q=ZYXWVUT",
        50,
    ),
    (
        "search, common word (76,923 hits)",
        "/api/notes/search?q=quxfrob",
        50,
    ),
    ("search, no hit", "/api/notes/search?q=nothing-like-it", 20),
    ("the page for people", "/notes", 20),
];

/// What no index of PostgreSQL has.
const SHORT_TEXTS: [(&str, &str, u64); 2] = [
    ("search, two letters in many", "/api/notes/search?q=qu", 50),
    ("search, two letters in none", "/api/notes/search?q=qx", 20),
];

#[test]
fn a_million_notes_answer_in_milliseconds() {
    if std::env::var_os("CARAFE_MILLION").is_none() {
        eprintln!("Not run: CARAFE_MILLION is not set.");
        return;
    }
    let folder = TempDir::new().unwrap();
    std::fs::copy(
        workspace().join("apps/notes/carafe.toml"),
        folder.path().join("carafe.toml"),
    )
    .unwrap();
    drop(Server::start(folder.path()));
    let took = fill(&folder.path().join("data.db"));
    println!("{NOTES} notes written in {:.1} s", took.as_secs_f64());
    let indexing = Server::start(folder.path());
    println!(
        "indexed for search in {:.1} s",
        wait_for_index(&folder.path().join("data.db")).as_secs_f64()
    );
    drop(indexing);

    let server = Server::start(folder.path());
    println!(
        "first answer {:.1} ms after the start",
        milliseconds(server.first_answer)
    );
    assert!(
        server.first_answer <= Duration::from_millis(100),
        "{:?}",
        server.first_answer
    );
    check(&server, REQUESTS.iter().chain(&SHORT_TEXTS), 1);
    drop(server);
    on_postgres_and_back(folder.path());
    changes_its_tables(folder.path(), None);
}

/// The same notes on PostgreSQL, and back in another file.
fn on_postgres_and_back(folder: &Path) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let Some(database) = runtime.block_on(TestDatabase::create()) else {
        return;
    };
    let file = format!("sqlite:{}", folder.join("data.db").display());
    let back = format!("sqlite:{}", folder.join("back.db").display());
    moved(folder, &file, &database.url());
    let server = Server::start_on(folder, Some(&database.url()));
    println!("On PostgreSQL:");
    // Its index finds rows that may match, and each is looked at.
    check(&server, REQUESTS.iter(), 5);
    drop(server);
    moved(folder, &database.url(), &back);
    let connection = rusqlite::Connection::open(folder.join("data.db")).unwrap();
    let attach = format!("ATTACH '{}' AS back", folder.join("back.db").display());
    connection.execute_batch(&attach).unwrap();
    let different = "SELECT (SELECT count(*) FROM notes) - (SELECT count(*) FROM back.notes) \
                     + (SELECT count(*) FROM (SELECT * FROM notes EXCEPT SELECT * FROM back.notes))";
    let different: i64 = connection
        .query_row(different, [], |row| row.get(0))
        .unwrap();
    assert_eq!(different, 0, "what has come back is what was there");
    std::fs::remove_file(folder.join("back.db")).unwrap();
    changes_its_tables(folder, Some(&database.url()));
    runtime.block_on(database.drop());
}

fn moved(folder: &Path, from: &str, to: &str) {
    let started = Instant::now();
    carafe(folder, &["move", "--from", from, "--to", to]);
    let kind = |url: &str| url.split(':').next().unwrap_or_default().to_owned();
    println!(
        "moved from {} to {} in {:.1} s",
        kind(from),
        kind(to),
        started.elapsed().as_secs_f64()
    );
}

/// A new name, a new type, a new index and a new field over a million rows.
fn changes_its_tables(folder: &Path, database: Option<&str>) {
    let path = folder.join("carafe.toml");
    let old = std::fs::read_to_string(&path).unwrap();
    let new = old
        .replace("title      = {", "name = { was = \"title\",")
        .replace("\"title\", \"content\"]", "\"name\", \"content\"]")
        .replace(
            "is_pinned  = { type = \"boolean\", default = false,",
            "is_pinned  = { type = \"integer\", default = 0,",
        )
        .replace(
            "[resources.notes.fields]\n",
            "[resources.notes.fields]\nrank = { type = \"integer\", default = 7, index = true }\n",
        );
    std::fs::write(&path, new).unwrap();
    let mut words = vec!["migrate"];
    if let Some(url) = database {
        words.extend(["--database", url]);
    }
    let started = Instant::now();
    let said = carafe(folder, &words);
    println!("migrated in {:.1} s", started.elapsed().as_secs_f64());
    assert!(
        said.contains("Converted field `notes.is_pinned` from boolean to integer"),
        "{said}"
    );
    let server = Server::start_on(folder, database);
    let note = server.get("/api/notes/500000");
    assert_eq!(
        (&note["is_pinned"], &note["rank"]),
        (&Value::from(0), &Value::from(7))
    );
    assert!(note["name"].is_string());
    assert_eq!(server.get("/api/notes?rank=7&per_page=1")["total"], NOTES);
    drop(server);
    std::fs::write(&path, old).unwrap();
    std::fs::remove_dir_all(folder.join("migrations")).unwrap();
}

/// Runs the program in a folder, and returns what it prints.
fn carafe(folder: &Path, words: &[&str]) -> String {
    let ran = Command::new(binary())
        .args(words)
        .current_dir(folder)
        .output()
        .unwrap();
    let text = String::from_utf8(ran.stdout).unwrap();
    assert!(
        ran.status.success(),
        "{words:?}: {text}{}",
        String::from_utf8_lossy(&ran.stderr)
    );
    text
}

fn binary() -> PathBuf {
    std::env::var_os("CARAFE_BIN")
        .map_or_else(|| workspace().join("target/release/carafe"), PathBuf::from)
}

/// How long each request takes, and that the answers are right.
fn check<'a>(
    server: &Server,
    requests: impl Iterator<Item = &'a (&'a str, &'a str, u64)>,
    slower: u32,
) {
    let mut slow = Vec::new();
    for &(name, path, milliseconds_max) in requests {
        let mut taken: Vec<Duration> = (0..TIMES)
            .map(|number| server.measure(path, number))
            .collect();
        taken.sort_unstable();
        let median = taken[TIMES / 2];
        println!(
            "{name:<34} {:>8.2} ms (median of {TIMES})",
            milliseconds(median)
        );
        if median > slower * Duration::from_millis(milliseconds_max) {
            slow.push(format!(
                "{name}: {median:?}, more than {milliseconds_max} ms"
            ));
        }
    }
    assert!(slow.is_empty(), "{slow:?}");
    for (text, hits) in [("zyxwvut", NOTES / 740), ("quxfrob", NOTES / 13)] {
        let found = server.get(&format!("/api/notes/search?q={text}"));
        let counted = 100 + COUNTED_BEHIND;
        assert_eq!(found["count"], counted, "{text}");
        assert_eq!(found["count_is_exact"], false, "{text}");
        let last = (hits - 1) / 100 + 1;
        let found = server.get(&format!("/api/notes/search?q={text}&page={last}"));
        assert_eq!(found["count"], hits, "{text}");
        assert_eq!(found.get("count_is_exact"), None, "{text}");
    }
    assert_eq!(server.get("/api/notes")["total"], NOTES);
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

/// Writes the notes as another program would: what keeps counters and the index are the
/// database's own triggers.
fn fill(path: &Path) -> Duration {
    let started = Instant::now();
    let mut connection = rusqlite::Connection::open(path).unwrap();
    // Made anew for each run: a power cut in the middle costs nothing.
    connection
        .pragma_update(None, "synchronous", "OFF")
        .unwrap();
    let transaction = connection.transaction().unwrap();
    let mut random = Random(1);
    let words: Vec<String> = (0..5000).map(|_| random.word()).collect();
    {
        let sql =
            "INSERT INTO notes (title, content, created_at, updated_at) VALUES (?1, ?2, ?3, ?3)";
        let mut insert = transaction.prepare(sql).unwrap();
        for number in 1..=NOTES {
            let title = random.text(&words, 4);
            let mut content = random.text(&words, 35);
            if number % 740 == 0 {
                content.push_str(" Zyxwvut");
            }
            if number % 13 == 0 {
                content.push_str(" quxfrobnicate");
            }
            let (hours, minutes, seconds) = (number / 3600 % 24, number / 60 % 60, number % 60);
            let day = 1 + number / 86_400;
            let at = format!("2026-01-{day:02}T{hours:02}:{minutes:02}:{seconds:02}.000000Z");
            insert.execute((title, content, at)).unwrap();
        }
    }
    transaction.commit().unwrap();
    started.elapsed()
}

/// Waits until no row waits for the search index any more.
fn wait_for_index(path: &Path) -> Duration {
    let started = Instant::now();
    let connection = rusqlite::Connection::open(path).unwrap();
    loop {
        let waiting: i64 = connection
            .query_row("SELECT count(*) FROM notes__pending", [], |row| row.get(0))
            .unwrap();
        if waiting == 0 {
            return started.elapsed();
        }
        assert!(
            started.elapsed() < INDEXING_MAX,
            "{waiting} rows still wait for the index"
        );
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// Words and texts that are the same in every run (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % end as u64).unwrap()
    }

    fn word(&mut self) -> String {
        let syllables = 1 + self.below(4);
        let letter = |random: &mut Self, letters: &str| {
            letters.as_bytes()[random.below(letters.len())] as char
        };
        (0..syllables)
            .flat_map(|_| [letter(self, "bcdfghklmnprstvw"), letter(self, "aeiou")])
            .collect()
    }

    fn text(&mut self, words: &[String], count: usize) -> String {
        (0..count)
            .map(|_| words[self.below(words.len())].as_str())
            .collect::<Vec<_>>()
            .join(" ")
    }
}

/// A release build that serves a folder; stopped when it goes out of scope.
struct Server {
    child: Child,
    address: String,
    /// From the start of the process to its first answer.
    first_answer: Duration,
}

impl Server {
    fn start(folder: &Path) -> Self {
        Self::start_on(folder, None)
    }

    /// Over another database than the file in the folder.
    fn start_on(folder: &Path, database: Option<&str>) -> Self {
        let binary = binary();
        let started = Instant::now();
        let mut child = Command::new(&binary)
            .args(["serve", "--port", "0"])
            .arg(folder)
            .args(database.iter().flat_map(|url| ["--database", url]))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", binary.display()));
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let address = lines.map_while(Result::ok).find_map(|line| {
            Some(
                line.split_once("API ")?
                    .1
                    .trim()
                    .strip_prefix("http://")?
                    .split('/')
                    .next()?
                    .to_owned(),
            )
        });
        let mut server = Self {
            child,
            address: address.expect("the address is printed"),
            first_answer: Duration::ZERO,
        };
        server.get("/api/notes/1?fields=id");
        server.first_answer = started.elapsed();
        server
    }

    fn measure(&self, path: &str, number: usize) -> Duration {
        let id = 1 + (number as i64 * 7_919_317) % NOTES;
        let path = path.replace("{id}", &id.to_string());
        let started = Instant::now();
        let answer = self.ask(&path);
        let taken = started.elapsed();
        assert!(
            answer.starts_with(b"HTTP/1.1 200"),
            "{path}: {}",
            String::from_utf8_lossy(&answer)
        );
        taken
    }

    fn get(&self, path: &str) -> Value {
        let answer = String::from_utf8(self.ask(path)).unwrap();
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        serde_json::from_str(body).unwrap_or(Value::Null)
    }

    fn ask(&self, path: &str) -> Vec<u8> {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
            self.address
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        answer
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let stopped = Command::new("kill")
            .arg(self.child.id().to_string())
            .status();
        assert!(stopped.is_ok_and(|status| status.success()));
        self.child.wait().unwrap();
    }
}
