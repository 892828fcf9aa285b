//! The units of systemd.

use std::collections::{BTreeMap, BTreeSet};
use std::process::{Command, Output};

use serde_json::json;

use super::{Folder, Process, shipped};

/// The units of `notes` as they would be installed, with this program for that of the package.
fn units(folder: &Folder) -> [String; 2] {
    ["service", "socket"].map(|kind| {
        let unit = shipped(&format!("ship/carafe@.{kind}"));
        let name = format!("carafe@notes.{kind}");
        folder.write(
            &name,
            &unit.replace("/usr/bin/carafe", env!("CARGO_BIN_EXE_carafe")),
        );
        name
    })
}

fn systemd_analyze(folder: &Folder, arguments: &[&str]) -> Output {
    let mut analyze = Command::new("systemd-analyze");
    analyze.args(arguments);
    folder.inside(analyze).output().unwrap()
}

#[test]
fn the_units_are_what_systemd_understands() {
    let folder = Folder::empty();
    let [service, socket] = units(&folder);
    let output = systemd_analyze(&folder, &["verify", "--man=no", &service, &socket]);
    assert!(
        output.status.success() && output.stderr.is_empty(),
        "{output:?}"
    );
}

#[test]
fn the_service_is_shut_in() {
    let folder = Folder::empty();
    let [service, _] = units(&folder);
    // In tenths: 1.5 of 10, where 10 is a service with every right.
    let arguments = ["security", "--offline=true", "--threshold=15", &service];
    let output = systemd_analyze(&folder, &arguments);
    assert!(output.status.success(), "{output:?}");
}

#[tokio::test]
async fn the_service_may_make_every_system_call_that_it_makes() {
    let folder = Folder::notes();
    let listed = systemd_analyze(&folder, &["syscall-filter"]);
    let sets = SystemCalls::of(&String::from_utf8_lossy(&listed.stdout));
    let filters = values(&shipped("ship/carafe@.service"), "SystemCallFilter=");
    let mut allowed = BTreeSet::new();
    for filter in &filters {
        match filter.strip_prefix('~') {
            None => allowed.extend(sets.named(filter)),
            Some(denied) => {
                let denied = sets.named(denied);
                allowed.retain(|call| !denied.contains(call));
            }
        }
    }
    assert!(allowed.contains("openat") && !allowed.contains("mount"));

    let mut tracer = Command::new("strace");
    // -D: the server is our child and not the tracer's.
    tracer.args(["-D", "-f", "-qq", "-o", "trace"]);
    tracer.arg(env!("CARGO_BIN_EXE_carafe"));
    tracer.args(["serve", "--port", "0"]);
    let server = Process::start(folder.inside(tracer));
    let client = server.client();
    let note = json!({ "title": "Milk", "content": "Two litres" });
    assert_eq!(client.post("/api/notes", note).await.status, 201);
    assert_eq!(client.get("/notes").await.status, 200);
    server.stop();

    let trace = String::from_utf8_lossy(&std::fs::read(folder.path("trace")).unwrap()).into_owned();
    let mut made: BTreeSet<String> = trace.lines().filter_map(call).map(str::to_owned).collect();
    assert!(made.contains("fdatasync"), "{made:?}");
    // SQLite gives its files to the owner of the database where it is root; the service is not.
    made.remove("fchown");
    let refused: Vec<_> = made.difference(&allowed).collect();
    assert!(refused.is_empty(), "{refused:?}");
}

/// The system call of a line of strace: `71 openat(AT_FDCWD, …`.
fn call(line: &str) -> Option<&str> {
    let (_, rest) = line.split_once(' ')?;
    let (name, _) = rest.trim_start().split_once('(')?;
    let is_name = |name: &str| {
        name.bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
    };
    is_name(name).then_some(name)
}

/// The sets that filters of system calls are made of, which may name others.
struct SystemCalls(BTreeMap<String, Vec<String>>);

impl SystemCalls {
    /// Reads what `systemd-analyze syscall-filter` prints: a set, then its members, indented.
    fn of(text: &str) -> Self {
        let mut sets = BTreeMap::<String, Vec<String>>::new();
        let mut set = None;
        for line in text.lines() {
            let word = line.trim();
            if !line.starts_with(' ') {
                set = word.starts_with('@').then(|| word.to_owned());
            } else if let Some(set) = &set
                && !word.starts_with('#')
            {
                sets.entry(set.clone()).or_default().push(word.to_owned());
            }
        }
        Self(sets)
    }

    /// The calls of the sets with these names, which have spaces between.
    fn named(&self, names: &str) -> BTreeSet<String> {
        let mut calls = BTreeSet::new();
        for name in names.split_whitespace() {
            for member in &self.0[name] {
                if member.starts_with('@') {
                    calls.extend(self.named(member));
                } else {
                    calls.insert(member.clone());
                }
            }
        }
        calls
    }
}

/// What follows `key` on the lines of a unit that begin with it.
pub(super) fn values(unit: &str, key: &str) -> Vec<String> {
    let lines = unit.lines();
    lines
        .filter_map(|line| Some(line.strip_prefix(key)?.to_owned()))
        .collect()
}
