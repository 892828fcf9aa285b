//! The guard: instructions of one request, counted by callgrind, beside those that are recorded.
//!
//! The clock of a shared machine cannot tell a change of a few percent; instructions of the same
//! program for the same requests differ by less than one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::ask::{Create, Delete, Read, Write};
use crate::client::{self, End, Requests};
use crate::fixture::Fixture;
use crate::goals::workspace;
use crate::note::RARE;
use crate::server::{Processors, Server};

const ROWS: u64 = 1000;
/// Requests before it is counted: caches are filled, statements prepared.
const WARM: u64 = 100;
const COUNTED: u64 = 400;
/// How much more than recorded is a regression.
const TOLERANCE: f64 = 0.04;

/// Counts all, prints them beside the recorded ones, and says whether none has grown; with
/// `record`, writes them down in place of that.
pub(crate) fn run(fixture: &Fixture, record: bool) -> Result<bool> {
    let counted = count(fixture, ROWS)?;
    if record {
        let lines = counted
            .iter()
            .map(|(name, count)| format!("{name} = {count}\n"));
        std::fs::write(file(), format!("{HEAD}{}", lines.collect::<String>()))?;
        println!("Recorded in {}", file().display());
        return Ok(true);
    }
    let text = std::fs::read_to_string(file()).context("read what is recorded")?;
    let lines = text.lines().filter_map(|line| line.split_once(" = "));
    let recorded = lines.map(|(name, count)| Ok((name.to_owned(), count.parse()?)));
    let recorded: BTreeMap<String, u64> = recorded.collect::<Result<_>>()?;
    let mut good = recorded.len() == counted.len();
    for (name, now) in &counted {
        let Some(before) = recorded.get(name) else {
            println!("{name:<20} {now:>9}  is not recorded");
            good = false;
            continue;
        };
        let growth = *now as f64 / *before as f64 - 1.0;
        let verdict = match growth > TOLERANCE {
            true => "more than recorded",
            false if growth < -TOLERANCE => "less: record it, so that it stays so",
            false => "",
        };
        good &= growth <= TOLERANCE;
        println!("{name:<20} {now:>9}  {:>+6.1} %  {verdict}", growth * 100.0);
    }
    if !good {
        println!(
            "A request costs more than {} % above what is recorded. If there is a reason, say it in \
             the commit, and record it: cargo run --release -p bench -- --instructions --record",
            TOLERANCE * 100.0
        );
    }
    Ok(good)
}

const HEAD: &str = "# Instructions of one request, by callgrind, of the release build.\n\
                    # Written by `cargo run --release -p bench -- --instructions --record`.\n";

fn file() -> PathBuf {
    workspace().join("bench/instructions.toml")
}

/// Instructions of one request of each kind, with so many rows.
pub(crate) fn count(fixture: &Fixture, rows: u64) -> Result<BTreeMap<String, u64>> {
    let folder = fixture.application(rows)?;
    let profile = folder.join("callgrind.out");
    let server = Server::carafe_in(&fixture.carafe, &folder, &[], Processors::All, |program| {
        let mut command = Command::new("valgrind");
        command.args(["--quiet", "--tool=callgrind", "--dump-instr=no"]);
        command.arg(format!("--callgrind-out-file={}", profile.display()));
        command.arg(program);
        command
    })?;
    let mut counter = Counter {
        server: &server,
        profile: &profile,
        dumps: 0,
        counted: BTreeMap::new(),
    };
    let read = |path: &str| Read::of(path, rows);
    let condition = crate::goals::fetch(&server, read("/api/notes/7"))?.condition()?;
    counter.of("get_one", read("/api/notes/{id}"))?;
    counter.of("not_modified", read("/api/notes/7").with(&condition, 304))?;
    counter.of(
        "missing",
        read("/api/notes/9{id}99").with("accept: */*", 404),
    )?;
    counter.of("list_again", read("/api/notes"))?;
    // First pages are kept, and found again by their queries.
    counter.of("list_of_10", Read::anew("/api/notes?page={id}"))?;
    counter.of(
        "list_of_100",
        Read::anew("/api/notes?per_page=100&page={id}"),
    )?;
    counter.of(
        "list_by_index",
        Read::anew("/api/articles?sort=-rank&page={id}"),
    )?;
    counter.of("second_page", read("/api/notes?page=2"))?;
    counter.of("search", read(&format!("/api/articles?q={RARE}")))?;
    counter.of("page_again", read("/notes").with("accept: text/html", 200))?;
    counter.of(
        "page_for_people",
        Read::anew("/notes?page={id}").with("accept: text/html", 200),
    )?;
    counter.of("post", Create::at("/api/notes"))?;
    counter.of("patch", Write::at("PATCH", "/api/notes/{id}", rows, 0))?;
    // Last, because it takes records away. Each request has a key of its own.
    let step = rows / (WARM + COUNTED + 2);
    let ids = |from: u64, count: u64| {
        let ids = (from..=from + count).map(|number| 1 + number * step);
        Delete::at("/api/notes", ids.collect())
    };
    counter.each("delete", ids(0, WARM), ids(WARM + 1, COUNTED))?;
    Ok(counter.counted)
}

struct Counter<'a> {
    server: &'a Server,
    profile: &'a Path,
    dumps: u32,
    counted: BTreeMap<String, u64>,
}

impl Counter<'_> {
    fn of<R: Requests + Clone + Send>(&mut self, name: &str, requests: R) -> Result<()> {
        self.each(name, requests.clone(), requests)
    }

    fn each<R: Requests + Send>(&mut self, name: &str, warm: R, requests: R) -> Result<()> {
        client::run(self.server, 1, End::Count(WARM), warm)?;
        self.dump()?;
        client::run(self.server, 1, End::Count(COUNTED), requests)?;
        let all = self.dump()?;
        self.counted.insert(name.to_owned(), all / COUNTED);
        Ok(())
    }

    /// Instructions since the last time.
    fn dump(&mut self) -> Result<u64> {
        self.dumps += 1;
        let pid = self.server.id().to_string();
        let ran = Command::new("callgrind_control")
            .args(["--dump", &pid])
            .output();
        let ran = ran.context("run callgrind_control")?;
        let path = format!("{}.{}", self.profile.display(), self.dumps);
        let Ok(text) = std::fs::read_to_string(&path) else {
            bail!(
                "callgrind wrote no {path}: {}",
                String::from_utf8_lossy(&ran.stdout)
            );
        };
        let total = text
            .lines()
            .rev()
            .find_map(|line| line.strip_prefix("totals: "));
        let total = total.or_else(|| text.lines().find_map(|line| line.strip_prefix("summary: ")));
        total
            .and_then(|total| total.trim().parse().ok())
            .context("read callgrind's total")
    }
}
