//! P12: Carafe on PostgreSQL beside pgbench, all of them on all processors.

use anyhow::Result;

use crate::ask::{Create, Read};
use crate::bench::{Bench, Subject};
use crate::note::Notes;
use crate::postgres::Postgres;
use crate::report::{Line, Wanted};
use crate::sample::Sample;
use crate::server::{Processors, Server};

const CONNECTIONS: usize = 64;
/// More would take minutes to fill, and cost a point read nothing.
const ROWS_MAX: u64 = 100_000;

pub(crate) fn measure(bench: &Bench<'_>) -> Result<()> {
    let rows = bench.args.million().min(ROWS_MAX);
    let folder = bench.fixture.application(rows)?;
    let postgres = Postgres::start()?;
    let from = format!("sqlite:{}", folder.join("data.db").display());
    bench
        .fixture
        .run(&folder, &["move", "--from", &from, "--to", &postgres.url])?;
    postgres.fill(1)?;
    postgres.run(
        "CREATE TABLE limits (id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY, title text \
         NOT NULL, content text NOT NULL, created_at timestamptz NOT NULL, updated_at timestamptz \
         NOT NULL)",
    )?;
    let script = folder.join("insert.sql");
    let note = Notes::new()
        .next()
        .map(|note| (note.title, note.content))
        .unwrap_or_default();
    let insert = format!(
        "INSERT INTO limits (title, content, created_at, updated_at) \
         VALUES ('{}', '{}', now(), now()) RETURNING id;\n",
        note.0, note.1
    );
    std::fs::write(&script, insert)?;
    let script = script.display().to_string();

    let options = ["--database", postgres.url.as_str()];
    let carafe = Server::carafe(&bench.fixture.carafe, &folder, &options, Processors::All)?;
    let duration = bench.duration();
    let pgbench = |name: &str, options: Vec<String>| {
        let postgres = &postgres;
        Subject::new(name, move || {
            let options: Vec<&str> = options.iter().map(String::as_str).collect();
            let rate = postgres.rate(duration, &options)?;
            let seconds = duration.as_secs_f64();
            Ok(Sample {
                count: (rate * seconds) as u64,
                seconds,
                ..Sample::default()
            })
        })
    };
    let read = Read::of("/api/notes/{id}", rows);
    let figures = bench.in_turns(vec![
        Subject::server("Carafe", &carafe, CONNECTIONS, duration, read),
        pgbench("pgbench, select-only", vec!["-S".to_owned()]),
    ])?;
    bench.tell(Line::of_rates(
        "P12",
        "PostgreSQL, GET one",
        figures,
        Wanted::AtLeast(1.0),
    ));
    let figures = bench.in_turns(vec![
        Subject::server(
            "Carafe",
            &carafe,
            CONNECTIONS,
            duration,
            Create::at("/api/notes"),
        ),
        pgbench("pgbench, the same insert", vec!["-f".to_owned(), script]),
    ])?;
    bench.tell(Line::of_rates(
        "P12",
        "PostgreSQL, POST",
        figures,
        Wanted::AtLeast(0.7),
    ));
    Ok(())
}
