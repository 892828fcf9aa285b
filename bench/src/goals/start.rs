//! P15: from the start of the process to its first answer, and its memory.

use std::time::{Duration, Instant};

use anyhow::Result;

use crate::ask::{Mixed, Read};
use crate::bench::Bench;
use crate::client::{self, End};
use crate::report::Line;
use crate::sample::median;
use crate::server::{Processors, Server};

const CONNECTIONS: usize = 64;
/// After a start, before memory is looked at.
const SETTLE: Duration = Duration::from_secs(1);
const MIB: f64 = 1024.0 * 1024.0;

pub(crate) fn measure(bench: &Bench<'_>) -> Result<()> {
    let rows = bench.args.million();
    let folder = bench.fixture.application(rows)?;
    let binary = &bench.fixture.carafe;
    let mut taken = Vec::new();
    for _ in 0..bench.args.rounds.max(3) {
        let started = Instant::now();
        let server = Server::carafe(binary, &folder, &[], Processors::One)?;
        client::run(&server, 1, End::Count(1), Read::of("/api/notes/{id}", rows))?;
        taken.push(started.elapsed().as_secs_f64() * 1e3);
    }
    let what = format!("start to first answer, {rows} rows");
    bench.tell(Line::limit(
        "P15",
        &what,
        median(taken.into_iter()),
        "ms",
        50.0,
    ));

    let server = Server::carafe(binary, &folder, &[], Processors::One)?;
    std::thread::sleep(SETTLE);
    let idle = server.memory_bytes() as f64 / MIB;
    bench.tell(Line::limit("P15", "memory, idle", idle, "MiB", 25.0));
    let mixed = Mixed::at("/api/notes", rows, CONNECTIONS);
    let list = Read::of("/api/articles?per_page=100", rows);
    client::load(
        &server,
        CONNECTIONS,
        End::After(bench.duration() * 3),
        mixed,
    )?;
    client::load(&server, CONNECTIONS, End::After(bench.duration()), list)?;
    let loaded = server.memory_bytes() as f64 / MIB;
    bench.tell(Line::limit(
        "P15",
        "memory, after load",
        loaded,
        "MiB",
        100.0,
    ));
    Ok(())
}
