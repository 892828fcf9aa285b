//! P16: other backends with the same notes, the same requests and the same durability.

use anyhow::Result;

use crate::ask::{Create, Read, Write};
use crate::bench::{Bench, Subject};
use crate::client::Requests;
use crate::note::RARE;
use crate::peer::Peer;
use crate::report::{Line, Wanted};
use crate::server::Server;

const CONNECTIONS: usize = 64;
/// Of what takes some peers a second.
const CONNECTIONS_FEW: usize = 4;

pub(crate) fn measure(bench: &Bench<'_>) -> Result<()> {
    for peer in Peer::all()? {
        let rows = bench.args.million().min(peer.rows);
        let (carafe, _) = bench.carafe(rows, &[])?;
        let notes = bench.fixture.notes(rows)?;
        let folder = bench.fixture.folder.join("peer");
        let server = peer.start(&folder, &notes)?;
        let pair = Pair {
            bench,
            carafe: &carafe,
            other: &server,
            peer: &peer,
        };
        pair.measure(rows)?;
    }
    Ok(())
}

struct Pair<'a> {
    bench: &'a Bench<'a>,
    carafe: &'a Server,
    other: &'a Server,
    peer: &'a Peer,
}

impl Pair<'_> {
    fn measure(&self, rows: u64) -> Result<()> {
        let peer = self.peer;
        let read = |path: &str| Read::of(path, rows).wide(peer.id_width);
        let (many, few) = (CONNECTIONS, CONNECTIONS_FEW);
        let one = Read::of("/api/notes/{id}", rows);
        self.tell("GET one", many, 1.0, one, read(&peer.one))?;
        let durable = if peer.name == "PocketBase" { 10.0 } else { 1.0 };
        let (own, other) = (Create::at("/api/notes"), Create::at(&peer.create));
        self.tell("POST", many, durable, own, other)?;
        let write = |method: &str, path: &str, width| Write::at(method, path, rows, width);
        let own = write("PATCH", "/api/notes/{id}", 0);
        let other = write(&peer.update_method, &peer.update, peer.id_width);
        self.tell("PATCH", many, 1.0, own, other)?;
        let list = Read::of("/api/notes", rows);
        self.tell("list of 10", few, 1.0, list, read(&peer.list))?;
        let search = Read::of(&format!("/api/articles?q={RARE}"), rows);
        let path = peer.search.replace("{word}", RARE);
        self.tell("search, rare word", few, 1.0, search, read(&path))
    }

    fn tell<A, B>(
        &self,
        what: &str,
        connections: usize,
        wanted: f64,
        own: A,
        other: B,
    ) -> Result<()>
    where
        A: Requests + Clone + Send,
        B: Requests + Clone + Send,
    {
        let duration = self.bench.duration() / 2;
        let name = &self.peer.name;
        let figures = self.bench.in_turns(vec![
            Subject::server("Carafe", self.carafe, connections, duration, own),
            Subject::server(name, self.other, connections, duration, other),
        ])?;
        let what = format!("{what}, {connections} clients");
        let wanted = Wanted::AtLeast(wanted);
        self.bench
            .tell(Line::of_rates("P16", &what, figures, wanted));
        Ok(())
    }
}
