//! P11: what a request costs from the smallest number of rows to the largest.

use anyhow::Result;

use crate::ask::{Create, Read};
use crate::bench::{Bench, Subject};
use crate::client::Requests;
use crate::instructions;
use crate::note::{ABSENT, RARE};
use crate::report::{Line, Wanted};
use crate::sample::Figures;
use crate::server::Server;

const CONNECTIONS: usize = 64;
/// How much more a request may cost with many more rows.
const TIMES_MAX: f64 = 1.5;

pub(crate) fn measure(bench: &Bench<'_>) -> Result<()> {
    let mut sizes = bench.args.rows.clone();
    sizes.sort_unstable();
    let (Some(least), Some(most)) = (sizes.first(), sizes.last()) else {
        return Ok(());
    };
    if least == most {
        return Ok(());
    }
    let (small, _) = bench.carafe(*least, &[])?;
    let (large, _) = bench.carafe(*most, &[])?;
    let sides = [(&large, *most), (&small, *least)];
    let search = |text: &str| format!("/api/articles?q={text}");
    let (absent, rare) = (search(ABSENT), search(RARE));
    for (what, path) in [
        ("GET one", "/api/notes/{id}"),
        ("search without a match", absent.as_str()),
        ("search, rare word", rare.as_str()),
    ] {
        compare(bench, what, sides, |rows| Read::of(path, rows))?;
    }
    let list = || Read::anew("/api/notes?page={id}");
    compare(bench, "list of 10, read anew", sides, |_| list())?;
    compare(bench, "POST", sides, |_| Create::at("/api/notes"))?;
    updates(bench, sides)?;
    // Last, because it takes records away.
    let deletions = sides.map(|(server, rows)| {
        Subject::deletions(format!("{rows} rows"), server, CONNECTIONS, rows)
    });
    tell(bench, "DELETE", bench.in_turns(deletions.into())?);
    drop((small, large));
    in_instructions(bench, *least, *most)
}

/// The same by instructions, which no reading or writing of pages by the system is part of.
fn in_instructions(bench: &Bench<'_>, least: u64, most: u64) -> Result<()> {
    let few = instructions::count(&bench.fixture, least)?;
    let many = instructions::count(&bench.fixture, most)?;
    for name in ["get_one", "list_of_10", "search", "post", "patch", "delete"] {
        let (few, many) = (few[name] as f64, many[name] as f64);
        bench.tell(Line {
            goal: "P11",
            what: format!("{name}, {most} rows, instructions"),
            against: format!("{least} rows"),
            carafe: many,
            other: few,
            unit: "",
            ratio: many / few,
            ratios: Vec::new(),
            wanted: Some(Wanted::AtMost(TIMES_MAX)),
            figures: Vec::new(),
        });
    }
    Ok(())
}

/// The same requests of both, and how much more processor time one takes with more rows.
fn compare<R>(
    bench: &Bench<'_>,
    what: &str,
    sides: [(&Server, u64); 2],
    requests: impl Fn(u64) -> R,
) -> Result<()>
where
    R: Requests + Clone + Send,
{
    let duration = bench.duration();
    let subjects = sides.map(|(server, rows)| {
        let name = format!("{rows} rows");
        Subject::server(name, server, CONNECTIONS, duration, requests(rows))
    });
    tell(bench, what, bench.in_turns(subjects.into())?);
    Ok(())
}

/// Each with its own tags, which go on from one measurement to the next.
fn updates(bench: &Bench<'_>, sides: [(&Server, u64); 2]) -> Result<()> {
    let mut subjects = Vec::new();
    for (server, rows) in sides {
        let name = format!("{rows} rows");
        let duration = bench.duration();
        subjects.push(Subject::updates(name, server, CONNECTIONS, duration, rows)?);
    }
    tell(bench, "PATCH with If-Match", bench.in_turns(subjects)?);
    Ok(())
}

fn tell(bench: &Bench<'_>, what: &str, figures: Vec<(String, Figures)>) {
    let cost = |figures: &Figures| 1e6 / figures.rate_of_core;
    let what = format!("{what}, {}", figures[0].0);
    let wanted = Some(Wanted::AtMost(TIMES_MAX));
    bench.tell(Line::of(
        "P11",
        &what,
        figures,
        wanted,
        "µs of a core",
        cost,
    ));
}
