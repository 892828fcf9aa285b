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
    let rare = format!("/api/articles?q={RARE}");
    let json = |path| Read::of(path, KEPT);
    let html = |path| Read::of(path, KEPT).with("accept: text/html", 200);
    let asked = [
        json("/api/notes/{id}"),
        json("/api/articles/{id}"),
        json("/api/notes"),
        json("/api/notes?page={id}&per_page=7"),
        json("/api/articles?sort=-rank&page=2"),
        json("/api/articles?rank__lt=500"),
        json("/api/articles?q=the&page=1"),
        json(&rare),
        Read::anew("/api/notes?page={id}"),
        Read::anew("/api/notes?per_page=100&page={id}"),
        html("/notes"),
        html("/notes/{id}"),
        html("/articles?q=the"),
        html("/notes/new"),
        json("/api/notes/7").with(&condition, 304),
        json("/api/notes/9{id}9999").with("accept: */*", 404),
        Read::anew("/notes?page={id}").with("accept: text/html", 200),
    ];
    for requests in asked {
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
