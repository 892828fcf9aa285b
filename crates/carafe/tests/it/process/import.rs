//! `carafe import`

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Child, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::{Client, Folder, PATIENCE, Process, Ran, assert_sound, eventually};
use crate::postgres::TestDatabase;

/// A folder, and the database that commands in it are about.
struct Place {
    folder: Folder,
    url: String,
    database: Option<TestDatabase>,
}

impl Place {
    fn on_sqlite(declaration: &str) -> Self {
        Self {
            folder: Folder::new(declaration),
            url: "sqlite:data.db".to_owned(),
            database: None,
        }
    }

    /// One on SQLite, and one on PostgreSQL where there is a server.
    async fn each(declaration: &str) -> Vec<Self> {
        let mut places = vec![Self::on_sqlite(declaration)];
        places.extend(TestDatabase::create().await.map(|database| Self {
            folder: Folder::new(declaration),
            url: database.url(),
            database: Some(database),
        }));
        places
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        let database = ["--database", &self.url];
        self.folder.run(&[arguments, &database].concat())
    }

    /// Imports the lines of `text`.
    fn import(&self, resource: &str, text: impl AsRef<[u8]>) -> Ran {
        std::fs::write(self.folder.path("lines.ndjson"), text).unwrap();
        self.run(&["import", resource, "lines.ndjson"])
    }

    /// Starts an import from standard input, which the caller writes and closes.
    fn start(&self, resource: &str) -> Child {
        let arguments = ["import", resource, "-", "--database", &self.url];
        let mut command = self.folder.command(&arguments);
        command.stdin(Stdio::piped()).spawn().unwrap()
    }

    /// The first records of a resource.
    fn list(&self, resource: &str) -> Vec<Value> {
        let listed = self.run(&["list", resource, "--json", "--per-page", "100"]);
        serde_json::from_str(&listed.ok()).unwrap()
    }

    fn serve(&self) -> Process {
        let arguments = ["serve", "--port", "0", "--database", &self.url];
        Process::start(self.folder.command(&arguments))
    }

    /// What a statement counts.
    async fn count(&self, sql: &str) -> i64 {
        match &self.database {
            None => self
                .folder
                .database()
                .query_row(sql, [], |row| row.get(0))
                .unwrap(),
            Some(database) => {
                let other = database.other().await;
                other.query_one(sql, &[]).await.unwrap().get(0)
            }
        }
    }

    /// Waits until an import has begun to write.
    async fn under_way(&self) {
        let other = match &self.database {
            None => None,
            Some(database) => Some(database.other().await),
        };
        eventually("an import", PATIENCE, async || {
            let writes = match &other {
                None => self.is_locked(),
                Some(other) => {
                    let open = "SELECT 1 FROM pg_stat_activity \
                                WHERE datname = current_database() AND backend_xid IS NOT NULL";
                    !other.query(open, &[]).await.unwrap().is_empty()
                }
            };
            writes.then_some(())
        })
        .await;
    }

    /// Whether somebody has SQLite's lock for writing.
    fn is_locked(&self) -> bool {
        let other = self.folder.database();
        other.busy_timeout(Duration::ZERO).unwrap();
        other.execute_batch("BEGIN IMMEDIATE").is_err()
    }

    async fn done(self, table: &str) {
        match self.database {
            None => assert_sound(&self.folder.path("data.db"), table),
            Some(database) => database.drop().await,
        }
    }
}

/// A line for each number.
fn lines(numbers: std::ops::Range<usize>, line: impl Fn(usize) -> Value) -> String {
    numbers.fold(String::new(), |mut text, number| {
        writeln!(text, "{}", line(number)).unwrap();
        text
    })
}

/// The number of records that a summary tells, which ends with the time that it took.
#[track_caller]
fn assert_imported(ran: Ran, records: &str) {
    let said = ran.ok();
    let rest = said.strip_prefix(&format!("Imported {records} in "));
    let seconds = rest.and_then(|rest| rest.strip_suffix(" s\n"));
    assert!(
        seconds.is_some_and(|seconds| seconds.parse::<f64>().is_ok()),
        "{said}"
    );
}

const EVERYTHING: &str = r#"
[resources.owners]
key = { field = "code", type = "string" }
[resources.owners.fields]
name = { type = "string" }

[resources.things]
key = { field = "uuid", type = "uuid" }
search = ["title"]
history = true
order = ["count"]
[resources.things.fields]
title   = { type = "string", max_length = 20 }
text    = { type = "text", optional = true }
count   = { type = "integer" }
weight  = { type = "number", optional = true }
price   = { type = "decimal", default = "0.10" }
done    = { type = "boolean", default = false }
due     = { type = "date", optional = true }
at      = { type = "datetime", optional = true }
mail    = { type = "email", optional = true }
link    = { type = "url", optional = true }
tag     = { type = "uuid", optional = true }
state   = { type = "choice", one_of = ["new", "old"], default = "new" }
owner   = { type = "reference", to = "owners", optional = true }
data    = { type = "json", optional = true }
secret  = { type = "password", optional = true }
made    = { type = "datetime", set = "create" }
changed = { type = "datetime", set = "update" }
"#;

#[tokio::test]
async fn records_of_every_type_are_as_if_they_had_been_created() {
    let things = [
        json!({ "title": "A \u{1F375}\n", "text": "", "count": 1, "weight": 0.1, "price": "2.5",
            "done": true, "due": "2026-01-31", "at": "2026-01-31T12:00:00+02:00",
            "mail": "Ann@Example.org", "link": "https://example.org/%20", "state": "old",
            "tag": "0192E4A0-0000-7000-8000-000000000000", "owner": "ann",
            "data": { "b": [1.50, null], "a": "\u{e9}" }, "secret": "hush-hush" }),
        json!({ "title": "Plain", "count": 2 }),
        // What the server sets itself is passed over, as where it is posted.
        json!({ "title": "Own", "count": 3, "uuid": "0192e4a0-0000-7000-8000-000000000001",
            "made": "1999-01-01T00:00:00Z", "changed": 7, "deleted_at": null }),
    ];
    for place in Place::each(EVERYTHING).await {
        let owner = "{\"code\": \"ann\", \"name\": \"Ann\"}\n";
        assert_imported(place.import("owners", owner), "1 owner");
        for thing in &things {
            let thing = thing.to_string();
            place.run(&["create", "things", "--data", &thing]).ok();
        }
        let text = lines(0..3, |number| things[number].clone());
        assert_imported(place.import("things", text), "3 things");

        let mut listed = place.list("things");
        assert_eq!(listed.len(), 6);
        let times = |thing: &Value| [thing["made"].clone(), thing["changed"].clone()];
        let imported: Vec<_> = listed.chunks(2).map(|pair| times(&pair[1])).collect();
        assert!(imported[0][0].as_str() > times(&listed[0])[0].as_str());
        assert_eq!(imported[0][0], imported[0][1]);
        assert_eq!(imported[1..], [imported[0].clone(), imported[0].clone()]);
        for thing in &mut listed {
            for name in ["made", "changed", "uuid"] {
                assert_ne!(thing[name].take(), Value::Null, "{name}");
            }
        }
        for pair in listed.chunks(2) {
            assert_eq!(pair[0], pair[1]);
        }
        let hashes = "SELECT count(*) FROM things WHERE secret LIKE '$argon2id$%'";
        assert_eq!(place.count(hashes).await, 2);
        let versions = "SELECT count(*) FROM things__history \
                        WHERE version = 1 AND action = 'create' AND actor = 'operator'";
        assert_eq!(place.count(versions).await, 6);
        place.done("things").await;
    }
}

const SHOP: &str = r#"
[limits]
body = "1 KiB"
[resources.makers]
key = { field = "code", type = "string" }
[resources.makers.fields]
name  = { type = "string" }
boss  = { type = "reference", to = "makers", optional = true }
[resources.goods]
search = ["title"]
history = true
unique = [["title", "maker"]]
[resources.goods.fields]
title = { type = "string", max_length = 10 }
sku   = { type = "integer", unique = true, optional = true }
maker = { type = "reference", to = "makers", optional = true }
like  = { type = "reference", to = "goods", optional = true }
"#;

#[tokio::test]
async fn every_fault_has_its_line_and_nothing_is_stored() {
    let long = format!("{{\"title\":\"{}\"}}", "x".repeat(1200));
    let bytes: Vec<&[u8]> = vec![
        b"{\"title\":\"a\",\"sku\":1}",
        b"",
        b"{\"title\":",
        b"{\"title\":\"\xff\"}",
        b"[1]",
        b" \t\r",
        b"{}",
        b"{\"title\":\"01234567890\",\"sku\":\"x\",\"colour\":1}",
        long.as_bytes(),
        b"{\"title\":\"b\",\"sku\":1}",
        b"{\"title\":\"c\",\"sku\":9}",
        b"{\"title\":\"d\",\"maker\":\"nobody\",\"sku\":9}",
        b"{\"title\":\"e\",\"maker\":\"acme\"}",
        b"{\"title\":\"e\",\"maker\":\"acme\"}",
        b"{\"title\":\"f\"}\r",
        b"null",
        b"{\"title\":\"g\",\"title\":\"h\"}",
    ];
    let text = bytes.join(&b'\n');
    let expected = "\
error: nothing was imported
  line 3: EOF while parsing a value at column 9
  line 4: byte 11 of the line is not UTF-8
  line 5: The line must be a JSON object
  line 7: Title is required
  line 8: Title must have at most 10 characters; Sku must be a whole number; \"colour\" is not a field of goods
  line 9: the line is longer than 1024 bytes
  line 10: Sku is already taken
  line 11: Sku is already taken
  line 12: Maker refers to a record that is not there
  line 14: Title is already taken; Maker is already taken
  line 16: Title is required
  line 17: \"title\" is given twice
";
    for place in Place::each(SHOP).await {
        place.run(&["create", "makers", "code=acme", "name=A"]).ok();
        place.run(&["create", "goods", "title=x", "sku=9"]).ok();
        assert_eq!(place.import("goods", &text).refused(), expected);
        let dry = ["import", "goods", "lines.ndjson", "--dry-run"];
        assert_eq!(place.run(&dry).refused(), expected);
        assert_eq!(place.list("goods").len(), 1);
        let versions = "SELECT count(*) FROM goods__history";
        assert_eq!(place.count(versions).await, 1);
        place.done("goods").await;
    }
}

#[tokio::test]
async fn of_many_faults_the_first_hundred_lines_are_named() {
    // Refused by the rules and by the database, in turns.
    let bad = |number| match number % 2 {
        0 => json!({ "title": "a", "sku": 0 }),
        _ => json!({ "title": "b", "maker": "nobody" }),
    };
    for place in Place::each(SHOP).await {
        assert_eq!(place.list("goods"), Vec::<Value>::new());
        let good = |number: usize| json!({ "title": number.to_string(), "sku": number });
        let text = lines(0..1500, good) + &lines(0..1500, bad) + &"{}\n".repeat(1000);
        let complaint = place.import("goods", text).refused();
        let told: Vec<&str> = complaint.lines().collect();
        assert_eq!(told.len(), 102, "{complaint}");
        assert_eq!(told[1], "  line 1501: Sku is already taken");
        let last = "  line 1600: Maker refers to a record that is not there";
        assert_eq!(told[100], last);
        assert_eq!(told[101], "  and 2,400 more lines");
        place.done("goods").await;
    }
}

#[tokio::test]
async fn a_value_that_is_unique_is_so_in_the_file_and_beside_it() {
    let good = |sku: u32| json!({ "title": sku.to_string(), "sku": sku });
    for place in Place::each(SHOP).await {
        assert_imported(
            place.import("goods", format!("{}\n{}", good(1), good(2))),
            "2 goods",
        );
        // What is deleted softly holds nothing.
        place.run(&["delete", "goods", "1"]).ok();
        assert_imported(place.import("goods", good(1).to_string()), "1 good");
        let makers = r#"{"code":"a","name":"1"}
            {"code":"b","name":"2"}
            {"code":"a","name":"3"}
            {"name":"4"}
            {"code":"..","name":"5"}"#;
        assert_eq!(
            place.import("makers", makers).refused(),
            "error: nothing was imported\n  \
             line 3: Code is already taken\n  \
             line 4: Code is required\n  \
             line 5: Code must have 1 to 255 characters, no control characters, and not be . or ..\n"
        );
        assert_eq!(place.list("makers"), Vec::<Value>::new());
        place.done("makers").await;
    }
}

#[tokio::test]
async fn a_reference_leads_to_a_record_that_is_there_or_to_an_earlier_line() {
    let maker = |code: &str, boss: &str| json!({ "code": code, "name": "n", "boss": boss });
    let good = |title: &str, like: u32| json!({ "title": title, "like": like });
    for place in Place::each(SHOP).await {
        let chain = lines(0..1200, |number| match number {
            0 => maker("0", "0"),
            number => maker(&number.to_string(), &(number - 1).to_string()),
        });
        assert_imported(place.import("makers", chain), "1,200 makers");
        let broken = [
            maker("a", "0"),
            maker("b", "c"),
            maker("c", "a"),
            maker("d", "b"),
            maker("0", "none"),
        ];
        let there = "Boss refers to a record that is not there";
        assert_eq!(
            place
                .import("makers", lines(0..5, |line| broken[line].clone()))
                .refused(),
            format!(
                "error: nothing was imported\n  line 2: {there}\n  line 4: {there}\n  line 5: {there}\n"
            )
        );

        // An id is not known before its record is there.
        let own = format!("{}\n{}", good("a", 1), good("b", 1));
        let refused = place.import("goods", own).refused();
        assert_eq!(refused.matches("Like refers to").count(), 2, "{refused}");
        place.run(&["create", "goods", "title=x"]).ok();
        let first = place.list("goods")[0]["id"].as_u64().unwrap();
        let first = u32::try_from(first).unwrap();
        let text = [good("a", first), good("b", first + 1)].map(|line| line.to_string());
        assert_imported(place.import("goods", text.join("\n")), "2 goods");
        place
            .run(&["delete", "goods", &(first + 2).to_string()])
            .ok();
        let refused = place.import("goods", good("c", first + 2).to_string());
        assert!(refused.refused().contains("line 1: Like refers to"));
        place.done("makers").await;
    }
}

#[tokio::test]
async fn what_was_imported_is_counted_found_and_remembered() {
    for place in Place::each(SHOP).await {
        let server = place.serve();
        let client = server.client();
        assert_eq!(client.get("/api/goods").await.json()["total"], 0);
        let text = lines(0..5000, |number| json!({ "title": format!("Nr {number}") }));
        assert_imported(place.import("goods", text), "5,000 goods");
        // At once, whether they are in the search index already or not.
        for _ in 0..20 {
            assert_eq!(client.get("/api/goods").await.json()["total"], 5000);
            let found = client.get("/api/goods?q=NR%20499").await.json();
            assert_eq!(found["total"], 11);
        }
        let good = client.get("/api/goods?q=Nr%204999").await.json()["goods"][0].clone();
        let path = format!("/api/goods/{}", good["id"]);
        let history = client.get(&format!("{path}/history")).await.json();
        let versions = history["history"].as_array().map(Vec::len);
        assert_eq!(versions, Some(1), "{history}");
        let change = json!({ "title": "Changed" });
        let changed = client.send("PATCH", &path, Some(&change)).await.unwrap();
        assert_eq!(changed.status, 200);
        assert_eq!(
            client.get("/api/goods?q=NR%20499").await.json()["total"],
            10
        );
        if place.database.is_none() {
            let waiting = "SELECT count(*) FROM goods__pending";
            eventually("the index", PATIENCE, async || {
                (place.count(waiting).await == 0).then_some(())
            })
            .await;
        }
        server.stop();
        place.done("goods").await;
    }
}

/// Of a client that posts one record after the other: how many were created, and how many were
/// refused because the database was not free.
async fn post_many(client: Client, writer: usize) -> (u64, u64) {
    let (mut created, mut refused) = (0, 0);
    for number in 0..50 {
        let good = json!({ "title": format!("w{writer} {number}") });
        match client.post("/api/goods", good).await.status {
            201 => created += 1,
            503 => refused += 1,
            status => panic!("{status}"),
        }
    }
    (created, refused)
}

/// The server's writes wait for an import, or are answered 503; none is lost, and nothing of the
/// import is seen before all of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_goes_on_meanwhile() {
    for place in Place::each(SHOP).await {
        let server = place.serve();
        let client = server.client();
        let mut child = place.start("goods");
        let mut input = child.stdin.take().unwrap();
        let text = lines(0..20_000, |number| json!({ "title": format!("i{number}") }));
        let (first, second) = text.as_bytes().split_at(text.len() / 2);
        input.write_all(first).unwrap();
        place.under_way().await;
        let mut writers = JoinSet::new();
        for writer in 0..4 {
            writers.spawn(post_many(server.client(), writer));
        }
        for _ in 0..20 {
            let found = client.get("/api/goods?title__contains=i1").await;
            assert_eq!(found.json()["total"], 0);
        }
        input.write_all(second).unwrap();
        drop(input);
        assert_imported(Ran::of(child.wait_with_output().unwrap()), "20,000 goods");
        let mut acknowledged = 0;
        for (created, refused) in writers.join_all().await {
            acknowledged += created;
            assert_eq!(created + refused, 50);
        }
        assert!(acknowledged > 0);
        let total = client.get("/api/goods").await.json()["total"].clone();
        assert_eq!(total, 20_000 + acknowledged);
        server.stop();
        place.done("goods").await;
    }
}

#[tokio::test]
async fn an_import_that_is_killed_leaves_nothing() {
    for place in Place::each(SHOP).await {
        place.run(&["create", "goods", "title=a"]).ok();
        let mut child = place.start("goods");
        let mut input = child.stdin.take().unwrap();
        let text = lines(0..20_000, |number| json!({ "title": format!("i{number}") }));
        input.write_all(text.as_bytes()).unwrap();
        place.under_way().await;
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(place.list("goods").len(), 1);
        assert_imported(place.import("goods", text), "20,000 goods");
        assert_eq!(place.count("SELECT count(*) FROM goods").await, 20_001);
        place.done("goods").await;
    }
}

#[test]
fn what_cannot_be_imported_is_refused() {
    let place = Place::on_sqlite(
        "[resources.stock]\nkind = \"document\"\n\
         [resources.marks.fields]\ntitle = { type = \"string\" }\n",
    );
    let cases: [(&[&str], &str); 4] = [
        (&["stock", "none.ndjson"], "read none.ndjson"),
        (&["marks", "."], "nothing was imported: . cannot be read"),
        (&["mark", "carafe.toml"], "did you mean marks?"),
        (&["stock", "carafe.toml"], "are documents"),
    ];
    for (arguments, expected) in cases {
        let complaint = place.run(&[&["import"], arguments].concat()).refused();
        assert!(complaint.contains(expected), "{arguments:?}: {complaint}");
    }
    assert_imported(place.import("marks", ""), "0 marks");
    assert_imported(place.import("marks", "\n{\"title\":\"a\"}"), "1 mark");
    let dry = ["import", "marks", "lines.ndjson", "--dry-run"];
    assert_eq!(place.run(&dry).ok(), "1 mark can be imported\n");
    assert_eq!(place.list("marks").len(), 1);
}
