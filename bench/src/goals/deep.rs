//! P5: pages far from the first, by number and by cursor, beside the first, for one client.

use anyhow::{Context, Result};
use serde_json::Value;

use crate::ask::{Delete, Read};
use crate::bench::{Bench, Subject};
use crate::client::{self, End};
use crate::goals::reads::fetch;
use crate::report::{Line, Wanted};
use crate::server::{Processors, Server};

pub(crate) fn measure(bench: &Bench<'_>) -> Result<()> {
    for rows in bench.args.million_and_more() {
        by_number(bench, rows)?;
        by_cursor(bench, rows)?;
    }
    Ok(())
}

fn by_number(bench: &Bench<'_>, rows: u64) -> Result<()> {
    let (carafe, _) = bench.carafe(rows, &[])?;
    // A gap between the keys, so that a number says nothing of a place.
    let gap = Delete::at("/api/notes", vec![rows / 2]);
    client::run(&carafe, 1, End::Count(1), gap)?;
    let page = (rows / 20).min(50_000);
    for (what, sort) in [("", ""), (", newest first", "&sort=-id")] {
        let far = format!("/api/notes?page={page}{sort}");
        let first = format!("/api/notes?page=1{sort}");
        let what = format!("page {page} by number{what}, {rows} rows");
        compare(bench, &carafe, &what, [&far, &first], 5.0)?;
    }
    Ok(())
}

fn by_cursor(bench: &Bench<'_>, rows: u64) -> Result<()> {
    let (carafe, middle) = with_cursors(bench, rows)?;
    let what = format!("page in the middle by cursor, {rows} rows");
    compare(bench, &carafe, &what, [&middle, "/api/notes"], 1.2)
}

/// A server whose notes have pages by cursor, and the path of the page in their middle.
pub(crate) fn with_cursors(bench: &Bench<'_>, rows: u64) -> Result<(Server, String)> {
    let folder = bench.fixture.application(rows)?;
    let declaration = folder.join("carafe.toml");
    let mut text = std::fs::read_to_string(&declaration)?;
    text.push_str("\n[resources.notes]\npagination = \"cursor\"\n");
    std::fs::write(&declaration, text)?;
    let carafe = Server::carafe(&bench.fixture.carafe, &folder, &[], Processors::One)?;
    let mut middle = "/api/notes?".to_owned();
    for _ in 0..rows / 200 {
        let path = format!("{middle}&per_page=100");
        let answer: Value = serde_json::from_str(&fetch(&carafe, Read::of(&path, 1))?.body)?;
        let next = answer["next"].as_str().context("no next page")?;
        middle = format!("/api/notes?cursor={next}");
    }
    Ok((carafe, middle))
}

fn compare(
    bench: &Bench<'_>,
    carafe: &Server,
    what: &str,
    [far, first]: [&str; 2],
    wanted: f64,
) -> Result<()> {
    let one = |name: &str, path: &str| {
        Subject::server(name, carafe, 1, bench.duration(), Read::of(path, 1))
    };
    let figures = bench.in_turns(vec![one("Carafe", far), one("page 1", first)])?;
    let wanted = Some(Wanted::AtMost(wanted));
    bench.tell(Line::of("P5", what, figures, wanted, "ms", |figures| {
        figures.p50
    }));
    Ok(())
}
