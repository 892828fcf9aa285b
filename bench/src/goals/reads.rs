//! P1 to P4 and P14: readings beside bare hyper, which has the same bytes in memory.

use anyhow::{Context, Result, bail};

use crate::ask::Read;
use crate::bare::{Bare, Fixed};
use crate::bench::{Bench, Subject};
use crate::client::{self, Answer, End, Requests};
use crate::report::{Line, Wanted};
use crate::server::Server;

/// Connections at once.
const CONNECTIONS: usize = 64;

struct Reading {
    goal: &'static str,
    what: &'static str,
    path: &'static str,
    read: fn(&str, u64) -> Read,
    wanted: Option<f64>,
}

const READINGS: [Reading; 7] = [
    Reading {
        goal: "P1",
        what: "GET one record",
        path: "/api/notes/{id}",
        read: Read::of,
        wanted: Some(0.6),
    },
    Reading {
        goal: "P3",
        what: "list of 10, with total",
        path: "/api/notes",
        read: Read::of,
        wanted: Some(0.5),
    },
    Reading {
        goal: "P3",
        what: "list of 10, read anew",
        path: "/api/notes?page={id}",
        read: |path, _| Read::anew(path),
        wanted: None,
    },
    Reading {
        goal: "P4",
        what: "list of 100, with total",
        path: "/api/notes?per_page=100",
        read: Read::of,
        wanted: Some(0.3),
    },
    Reading {
        goal: "P4",
        what: "list of 100, read anew",
        path: "/api/notes?per_page=100&page={id}",
        read: |path, _| Read::anew(path),
        wanted: None,
    },
    Reading {
        goal: "P14",
        what: "page of 10 for people",
        path: "/notes",
        read: |path, rows| Read::of(path, rows).with("accept: text/html", 200),
        wanted: Some(0.15),
    },
    Reading {
        goal: "P14",
        what: "page of 10, read anew",
        path: "/notes?page={id}",
        read: |path, _| Read::anew(path).with("accept: text/html", 200),
        wanted: None,
    },
];

pub(crate) fn measure(bench: &Bench<'_>) -> Result<()> {
    let rows = bench.args.million();
    let (carafe, folder) = bench.carafe(rows, &[])?;
    for reading in READINGS {
        if !bench.args.wants(reading.goal) {
            continue;
        }
        let read = |path: &str| (reading.read)(path, rows);
        let answer = fetch(&carafe, read(reading.path))?;
        let bare = Bare {
            answers: vec![answer.fixed("/fixed", &["content-type"])],
            journal: None,
        }
        .start(&folder)?;
        let (duration, path) = (bench.duration(), reading.path);
        let figures = bench.in_turns(vec![
            Subject::server("Carafe", &carafe, CONNECTIONS, duration, read(path)),
            Subject::server(
                "bare hyper, same body",
                &bare,
                CONNECTIONS,
                duration,
                read("/fixed"),
            ),
        ])?;
        let wanted = reading.wanted.map(Wanted::AtLeast);
        bench.tell(Line::of_cores(reading.goal, reading.what, figures, wanted));
    }
    if bench.args.wants("P2") {
        not_modified(bench, &carafe, &folder)?;
    }
    Ok(())
}

/// P2: one record that the client has already.
fn not_modified(bench: &Bench<'_>, carafe: &Server, folder: &std::path::Path) -> Result<()> {
    let path = "/api/notes/7";
    let answer = fetch(carafe, Read::of(path, 1))?;
    let condition = answer.condition()?;
    let mut fixed = answer.fixed("/fixed", &["etag"]);
    fixed.status = 304;
    fixed.body = String::new();
    let bare = Bare {
        answers: vec![fixed],
        journal: None,
    }
    .start(folder)?;
    let read = |path: &str| Read::of(path, 1).with(&condition, 304);
    let duration = bench.duration();
    let figures = bench.in_turns(vec![
        Subject::server("Carafe", carafe, CONNECTIONS, duration, read(path)),
        Subject::server(
            "bare hyper, 304",
            &bare,
            CONNECTIONS,
            duration,
            read("/fixed"),
        ),
    ])?;
    let wanted = Some(Wanted::AtLeast(0.85));
    bench.tell(Line::of_cores(
        "P2",
        "conditional GET (304)",
        figures,
        wanted,
    ));
    Ok(())
}

/// An answer that is kept.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    fields: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Kept {
    /// The header field by which a client that has the answer asks for another only.
    pub(crate) fn condition(&self) -> Result<String> {
        let tag = self.fields.iter().find(|(name, _)| name == "etag");
        let (_, tag) = tag.context("no entity tag")?;
        Ok(format!("if-none-match: {tag}"))
    }

    fn fixed(&self, path: &str, fields: &[&str]) -> Fixed {
        let all = self.fields.iter();
        Fixed {
            path: path.to_owned(),
            status: 200,
            fields: all
                .filter(|(name, _)| fields.contains(&name.as_str()))
                .cloned()
                .collect(),
            body: self.body.clone(),
        }
    }
}

/// Asks once, and keeps the answer.
pub(crate) fn fetch(server: &Server, read: Read) -> Result<Kept> {
    let once = Once { read, kept: None };
    let (_, once) = client::run(server, 1, End::Count(1), once)?;
    once.kept.context("no answer")
}

struct Once {
    read: Read,
    kept: Option<Kept>,
}

impl Requests for Once {
    fn write(&mut self, connection: usize, request: &mut Vec<u8>) {
        self.read.write(connection, request);
    }

    fn read(&mut self, connection: usize, answer: &Answer<'_>) -> Result<()> {
        self.read.read(connection, answer)?;
        let names = ["content-type", "etag"];
        let fields = names.iter().filter_map(|name| {
            let value = answer.field(name)?;
            Some(((*name).to_owned(), value.to_owned()))
        });
        let Ok(body) = std::str::from_utf8(answer.body) else {
            bail!("the answer is not text");
        };
        self.kept = Some(Kept {
            fields: fields.collect(),
            body: body.to_owned(),
        });
        Ok(())
    }
}
