//! P6 to P9: durable writes beside SQLite itself, and readings beside them.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Result;

use crate::ask::{Beside, Create, Read};
use crate::bare::Bare;
use crate::bench::{Bench, Subject};
use crate::client::{self, End};
use crate::commit::{self, Kind, Work};
use crate::fixture::wait_for_index;
use crate::report::{Line, Wanted};
use crate::sample::Figures;
use crate::server::Server;

const CONNECTIONS: usize = 64;
/// Connections that read while others write.
const READERS: usize = 16;
/// A burst of articles.
const BURST: u64 = 20_000;

pub(crate) fn measure(bench: &Bench<'_>) -> Result<()> {
    let rows = bench.args.million();
    let (carafe, folder) = bench.carafe(rows, &[])?;
    let writes = Writes {
        bench,
        carafe,
        folder,
        rows,
    };
    type Measure<'a> = fn(&Writes<'a>) -> Result<()>;
    let goals: [(&str, Measure<'_>); 5] = [
        ("P6", Writes::group_commit),
        ("P7", Writes::one_client),
        ("P7s", Writes::with_search),
        ("P8", Writes::updates),
        ("P9", Writes::readings_beside),
    ];
    for (name, measure) in goals {
        if bench.args.wants(name) {
            measure(&writes)?;
        }
    }
    Ok(())
}

struct Writes<'a> {
    bench: &'a Bench<'a>,
    carafe: Server,
    folder: PathBuf,
    rows: u64,
}

impl Writes<'_> {
    /// A path for a database that is not there.
    fn new_database(&self, name: &str) -> PathBuf {
        new_database(&self.folder, name)
    }

    fn creating(&self, clients: usize) -> Subject<'_> {
        let create = Create::at("/api/notes");
        Subject::server(
            "Carafe",
            &self.carafe,
            clients,
            self.bench.duration(),
            create,
        )
    }

    fn in_process(&self, name: &str, kind: Kind, clients: usize) -> Subject<'_> {
        let path = self.new_database("limit.db");
        let duration = self.bench.duration();
        Subject::new(name, move || {
            commit::measure(&path, kind, clients, Work::Insert, duration)
        })
    }

    /// Bare hyper that writes with a transaction for each request.
    fn bare_single(&self) -> Result<Server> {
        let journal = self.new_database("single.db");
        Bare {
            answers: Vec::new(),
            journal: Some((journal.display().to_string(), Kind::Single)),
        }
        .start(&self.folder)
    }

    /// P6: 64 clients.
    fn group_commit(&self) -> Result<()> {
        let single = self.bare_single()?;
        let duration = self.bench.duration();
        let figures = self.bench.in_turns(vec![
            self.creating(CONNECTIONS),
            Subject::server(
                "bare hyper, a transaction each",
                &single,
                CONNECTIONS,
                duration,
                Create::at("/"),
            ),
            self.in_process("group commit in process", Kind::Group, CONNECTIONS),
        ])?;
        let what = "durable POST, 64 clients";
        self.bench.tell(Line::of_rates(
            "P6",
            what,
            pair(&figures, 1),
            Wanted::AtLeast(6.0),
        ));
        self.bench.tell(Line::of_rates(
            "P6",
            what,
            pair(&figures, 2),
            Wanted::AtLeast(0.35),
        ));
        Ok(())
    }

    /// P7: one client. Beside bare hyper as well, which shows what HTTP takes of it.
    fn one_client(&self) -> Result<()> {
        let path = self.new_database("one.db");
        let single = self.bare_single()?;
        let duration = self.bench.duration();
        let figures = self.bench.in_turns(vec![
            self.creating(1),
            Subject::new("one SQLite transaction", move || {
                commit::one_by_one(&path, duration)
            }),
            Subject::server(
                "bare hyper, a transaction each",
                &single,
                1,
                duration,
                Create::at("/"),
            ),
        ])?;
        let what = "durable POST, 1 client";
        self.bench.tell(Line::of_rates(
            "P7",
            what,
            pair(&figures, 1),
            Wanted::AtLeast(0.8),
        ));
        self.bench
            .tell(Line::of_rates("P7", what, pair(&figures, 2), None));
        Ok(())
    }

    /// P7s: a resource whose texts are searched.
    fn with_search(&self) -> Result<()> {
        let database = self.folder.join("data.db");
        let articles = || Create::at("/api/articles");
        let burst = Subject::new("Carafe, burst with search", || {
            wait_for_index(&database)?;
            let end = End::Count(BURST);
            Ok(client::run(&self.carafe, CONNECTIONS, end, articles())?.0)
        });
        let figures = self
            .bench
            .in_turns(vec![burst, self.creating(CONNECTIONS)])?;
        let named = vec![
            figures[0].clone(),
            (
                "Carafe, POST without search".to_owned(),
                figures[1].1.clone(),
            ),
        ];
        let what = "burst of 20,000 POST, 2 searched fields";
        self.bench
            .tell(Line::of_rates("P7s", what, named, Wanted::AtLeast(0.7)));

        // Steady: many times what may wait, with the index complete at the end.
        let path = self.new_database("search.db");
        let duration = self.bench.duration() * 4;
        let steady = Subject::new("Carafe", || {
            wait_for_index(&database)?;
            let started = Instant::now();
            let (mut sample, _) =
                client::load(&self.carafe, CONNECTIONS, End::After(duration), articles())?;
            wait_for_index(&database)?;
            sample.seconds = started.elapsed().as_secs_f64();
            Ok(sample)
        });
        let triggers = Subject::new("FTS5 by triggers in process", move || {
            commit::measure(
                &path,
                Kind::GroupWithSearch,
                CONNECTIONS,
                Work::Insert,
                duration,
            )
        });
        let figures = self.bench.in_turns(vec![steady, triggers])?;
        let what = "steady POST until all is indexed";
        self.bench
            .tell(Line::of_rates("P7s", what, figures, Wanted::AtLeast(4.0)));
        Ok(())
    }

    /// P8: changes of random rows, each on the condition of its entity tag.
    fn updates(&self) -> Result<()> {
        let path = self.new_database("update.db");
        commit::fill(&path, self.rows)?;
        let (rows, duration) = (self.rows, self.bench.duration());
        let carafe = Subject::updates("Carafe", &self.carafe, CONNECTIONS, duration, rows)?;
        let limit = Subject::new("group commit in process", move || {
            commit::measure(
                &path,
                Kind::Group,
                CONNECTIONS,
                Work::Update(rows),
                duration,
            )
        });
        let figures = self.bench.in_turns(vec![carafe, limit])?;
        let what = "PATCH with If-Match, 64 clients";
        self.bench
            .tell(Line::of_rates("P8", what, figures, Wanted::AtLeast(0.6)));
        Ok(())
    }

    /// P9: how much later readings are answered while 64 clients write.
    fn readings_beside(&self) -> Result<()> {
        let read = || Read::of("/api/notes/{id}", self.rows);
        let beside = Beside::of(read(), Create::at("/api/notes"), CONNECTIONS);
        let duration = self.bench.duration();
        let all = READERS + CONNECTIONS;
        let figures = self.bench.in_turns(vec![
            Subject::server(
                "Carafe, beside 64 writers",
                &self.carafe,
                all,
                duration,
                beside,
            ),
            Subject::server("no writers", &self.carafe, READERS, duration, read()),
        ])?;
        let p99 = |figures: &Figures| figures.p99;
        let wanted = Some(Wanted::AtMost(3.0));
        self.bench.tell(Line::of(
            "P9",
            "p99 of GET, 16 readers",
            figures,
            wanted,
            "ms",
            p99,
        ));
        Ok(())
    }
}

/// The first figures and one of the others.
fn pair(figures: &[(String, Figures)], other: usize) -> Vec<(String, Figures)> {
    vec![figures[0].clone(), figures[other].clone()]
}

/// A path in `folder` where nothing is.
fn new_database(folder: &Path, name: &str) -> PathBuf {
    let path = folder.join(name);
    for suffix in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{}{suffix}", path.display()));
    }
    path
}
