//! P10: substring search for one client, beside GET of one record, and against the clock.

use anyhow::Result;

use crate::ask::Read;
use crate::bench::{Bench, Subject};
use crate::note::{ABSENT, COMMON, Notes, RARE};
use crate::report::{Line, Wanted};
use crate::sample::Figures;

/// How many times GET of one record.
const TIMES_MAX: f64 = 20.0;
const MILLISECONDS_MAX: f64 = 10.0;

pub(crate) fn measure(bench: &Bench<'_>) -> Result<()> {
    let rows = bench.args.million();
    let (carafe, _) = bench.carafe(rows, &[])?;
    let subject = |name: &str, path: &str| {
        Subject::server(name, &carafe, 1, bench.duration(), Read::of(path, rows))
    };
    let search = |text: &str| format!("/api/articles?q={text}");
    let p50 = |figures: &Figures| figures.p50;
    for (what, text) in [
        ("search without a match", ABSENT),
        ("search, rare word", RARE),
        ("search, common word", COMMON),
    ] {
        let figures = bench.in_turns(vec![
            subject("Carafe", &search(text)),
            subject("GET one", "/api/notes/{id}"),
        ])?;
        let wanted = Some(Wanted::AtMost(TIMES_MAX));
        bench.tell(Line::of("P10", what, figures, wanted, "ms", p50));
    }
    let long = Notes::new().long_text();
    for (what, text) in [
        ("search, thirty letters", long.as_str()),
        ("search, two letters in many", "qu"),
        ("search, two letters in none", "qx"),
    ] {
        let figures = bench.in_turns(vec![subject("Carafe", &search(text))])?;
        let value = figures.first().map_or(0.0, |(_, figures)| figures.p50);
        bench.tell(Line::limit("P10", what, value, "ms", MILLISECONDS_MAX));
    }
    Ok(())
}
