//! What the program does while it is built the first time, so that it is built anew for that.

use anyhow::Result;

use crate::ask::{Create, Delete, Read, Write};
use crate::client::{self, End, Requests};
use crate::fixture::Fixture;
use crate::note::RARE;
use crate::server::{Processors, Server};

const ROWS: u64 = 20_000;
/// Those with keys up to here are read and changed; behind them some are deleted.
const KEPT: u64 = ROWS / 2;
/// Connections at once, and how many requests of each kind they send.
const LOADS: [(usize, u64); 2] = [(1, 300), (64, 3000)];
const IMPORTED: u64 = 20_000;

/// Fills a database, imports records, and answers requests of each kind.
pub(crate) fn run(fixture: &Fixture) -> Result<()> {
    let folder = fixture.folder.join("import");
    fixture.empty(&folder)?;
    let notes = fixture.notes(IMPORTED)?.display().to_string();
    fixture.run(&folder, &["import", "notes", &notes])?;
    let folder = fixture.application(ROWS)?;
    let server = Server::carafe(&fixture.carafe, &folder, &[], Processors::All)?;
    for (position, load) in LOADS.into_iter().enumerate() {
        read(&server, load)?;
        write(&server, load, position as u64)?;
    }
    Ok(())
}

fn read(server: &Server, load: (usize, u64)) -> Result<()> {
    let condition = crate::goals::fetch(server, Read::of("/api/notes/7", KEPT))?.condition()?;
    let known = Read::of("/api/notes/7", KEPT).with(&condition, 304);
    let missing = Read::of("/api/notes/9{id}9999", KEPT).with("accept: */*", 404);
    let paths = [
        "/api/notes/{id}",
        "/api/articles/{id}",
        "/api/notes",
        "/api/notes?page={id}&per_page=7",
        "/api/articles?sort=-rank&page=2",
        "/api/articles?rank__lt=500",
        "/api/articles?q=the&page=1",
    ];
    let anew = ["/api/notes?page={id}", "/api/notes?per_page=100&page={id}"];
    let pages = ["/notes", "/notes/{id}", "/articles?q=the", "/notes/new"];
    let rare = format!("/api/articles?q={RARE}");
    let asked = paths.into_iter().chain([rare.as_str()]);
    let html = |path| Read::of(path, KEPT).with("accept: text/html", 200);
    let asked = asked.map(|path| Read::of(path, KEPT));
    let asked = asked.chain(anew.map(Read::anew)).chain(pages.map(html));
    let page_anew = Read::anew("/notes?page={id}").with("accept: text/html", 200);
    for requests in asked.chain([known, missing, page_anew]) {
        send(server, load, requests)?;
    }
    Ok(())
}

/// The deletions of each round are of other records.
fn write(server: &Server, load: (usize, u64), round: u64) -> Result<()> {
    for resource in ["notes", "articles"] {
        let collection = format!("/api/{resource}");
        let item = format!("{collection}/{{id}}");
        send(server, load, Create::at(&collection))?;
        for method in ["PATCH", "PUT"] {
            send(server, load, Write::at(method, &item, KEPT, 0))?;
        }
        let from = KEPT + 1 + round * KEPT / 2;
        let keys = (from..from + load.1).collect();
        send(server, load, Delete::at(&collection, keys))?;
    }
    Ok(())
}

fn send<R: Requests + Send>(
    server: &Server,
    (connections, count): (usize, u64),
    requests: R,
) -> Result<()> {
    client::run(server, connections, End::Count(count), requests).map(drop)
}
