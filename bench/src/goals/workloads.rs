//! What has no goal of its own: all requests, at several numbers of clients.

use anyhow::Result;

use crate::ask::{Create, Mixed, Read};
use crate::bench::{Bench, Subject};
use crate::client::Requests;
use crate::goals::{deep, fetch};
use crate::note::{COMMON, RARE};
use crate::report::Line;
use crate::server::Server;

const CLIENTS: [usize; 4] = [1, 16, 64, 256];
const CLIENTS_MOST: usize = 64;

pub(crate) fn measure(bench: &Bench<'_>) -> Result<()> {
    for rows in bench.args.rows.iter().copied() {
        let (full, folder) = bench.carafe(rows, &[])?;
        reads(bench, &full, rows)?;
        writes(bench, &full, rows, "FULL")?;
        drop((full, folder));
        let (cursors, middle) = deep::with_cursors(bench, rows)?;
        let what = "page by cursor, in the middle";
        at_all_clients(bench, &cursors, rows, what, &Read::of(&middle, 1))?;
        drop(cursors);
        let (normal, _) = bench.carafe(rows, &["--durability", "normal"])?;
        writes(bench, &normal, rows, "NORMAL")?;
    }
    Ok(())
}

fn reads(bench: &Bench<'_>, server: &Server, rows: u64) -> Result<()> {
    let deep = rows / 20;
    let paths = [
        ("GET one", "/api/notes/{id}".to_owned()),
        ("list of 10", "/api/notes".to_owned()),
        ("list of 100", "/api/notes?per_page=100".to_owned()),
        (
            "page by number, in the middle",
            format!("/api/notes?page={deep}"),
        ),
        (
            "list filtered and sorted",
            "/api/articles?rank__gte=1000&sort=-rank".to_owned(),
        ),
        ("search, rare word", format!("/api/articles?q={RARE}")),
        ("search, common word", format!("/api/articles?q={COMMON}")),
        ("search, two letters", "/api/articles?q=qu".to_owned()),
    ];
    for (what, path) in &paths {
        // What takes milliseconds is not faster with more clients on one processor.
        let clients = if what.starts_with("search") {
            &CLIENTS[..1]
        } else {
            &CLIENTS[..]
        };
        for clients in clients {
            let read = Read::of(path, rows);
            tell(bench, server, rows, what, *clients, read)?;
        }
    }
    let one = "/api/notes/7";
    let condition = fetch(server, Read::of(one, 1))?.condition()?;
    let known = Read::of(one, 1).with(&condition, 304);
    at_all_clients(bench, server, rows, "conditional GET (304)", &known)?;
    for clients in CLIENTS {
        let mixed = Mixed::at("/api/notes", rows, clients);
        tell(bench, server, rows, "9 GET to 1 POST", clients, mixed)?;
    }
    let page = Read::of("/notes", rows).with("accept: text/html", 200);
    tell(
        bench,
        server,
        rows,
        "page of 10 for people",
        CLIENTS_MOST,
        page,
    )
}

fn writes(bench: &Bench<'_>, server: &Server, rows: u64, durability: &str) -> Result<()> {
    for clients in CLIENTS {
        let what = format!("POST, {durability}");
        tell(
            bench,
            server,
            rows,
            &what,
            clients,
            Create::at("/api/notes"),
        )?;
    }
    let what = format!("PATCH with If-Match, {durability}");
    let duration = bench.duration() / 2;
    let updates = Subject::updates("Carafe", server, CLIENTS_MOST, duration, rows)?;
    tell_of(bench, rows, &what, CLIENTS_MOST, updates)?;
    let what = format!("DELETE, {durability}");
    let deletions = Subject::deletions("Carafe", server, CLIENTS_MOST, rows);
    tell_of(bench, rows, &what, CLIENTS_MOST, deletions)
}

fn at_all_clients(
    bench: &Bench<'_>,
    server: &Server,
    rows: u64,
    what: &str,
    read: &Read,
) -> Result<()> {
    for clients in CLIENTS {
        tell(bench, server, rows, what, clients, read.clone())?;
    }
    Ok(())
}

fn tell<R: Requests + Clone + Send>(
    bench: &Bench<'_>,
    server: &Server,
    rows: u64,
    what: &str,
    clients: usize,
    requests: R,
) -> Result<()> {
    let subject = Subject::server("Carafe", server, clients, bench.duration() / 2, requests);
    tell_of(bench, rows, what, clients, subject)
}

fn tell_of(
    bench: &Bench<'_>,
    rows: u64,
    what: &str,
    clients: usize,
    subject: Subject<'_>,
) -> Result<()> {
    for (_, figures) in bench.in_turns(vec![subject])? {
        bench.tell(Line::alone(
            "workload",
            &titled(what, rows, clients),
            figures,
        ));
    }
    Ok(())
}

fn titled(what: &str, rows: u64, clients: usize) -> String {
    format!("{what}, {clients} clients, {rows} rows")
}
