//! What all goals share: options, databases, and measuring in turns.

use std::cell::RefCell;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;

use crate::args::Args;
use crate::ask::{Delete, Stock, Update};
use crate::client::{self, End, Requests};
use crate::fixture::Fixture;
use crate::note::Random;
use crate::report::Line;
use crate::sample::{Figures, Sample};
use crate::server::{Processors, Server};

/// Deletions of a measurement.
const DELETIONS: u64 = 2000;

/// One run.
pub(crate) struct Bench<'a> {
    pub(crate) args: &'a Args,
    pub(crate) fixture: Fixture,
    lines: RefCell<Vec<Line>>,
}

/// Something that is measured beside others: its name, and one measurement of it.
pub(crate) struct Subject<'a> {
    name: String,
    measure: Box<dyn FnMut() -> Result<Sample> + 'a>,
}

impl<'a> Subject<'a> {
    pub(crate) fn new(
        name: impl Into<String>,
        measure: impl FnMut() -> Result<Sample> + 'a,
    ) -> Self {
        Self {
            name: name.into(),
            measure: Box::new(measure),
        }
    }

    /// A server under load.
    pub(crate) fn server<R>(
        name: impl Into<String>,
        server: &'a Server,
        connections: usize,
        duration: Duration,
        requests: R,
    ) -> Self
    where
        R: Requests + Clone + Send + 'a,
    {
        Self::new(name, move || {
            let end = End::After(duration);
            Ok(client::load(server, connections, end, requests.clone())?.0)
        })
    }

    /// A server whose records are changed, each with the entity tag that the client has of it
    /// from the measurement before.
    pub(crate) fn updates(
        name: impl Into<String>,
        server: &'a Server,
        connections: usize,
        duration: Duration,
        rows: u64,
    ) -> Result<Self> {
        let update = Update::at("/api/notes", rows, connections);
        let known = End::Count(update.unknown() + connections as u64);
        let (_, mut update) = client::run(server, connections, known, update)?;
        Ok(Self::new(name, move || {
            let end = End::After(duration);
            let (sample, after) = client::load(server, connections, end, update.clone())?;
            update = after;
            Ok(sample)
        }))
    }

    /// A server whose notes are deleted, random ones among all; before each measurement as many
    /// are made.
    pub(crate) fn deletions(
        name: impl Into<String>,
        server: &'a Server,
        connections: usize,
        rows: u64,
    ) -> Self {
        let path = "/api/notes";
        let mut there: Vec<u64> = (1..=rows).collect();
        let mut random = Random::new(3);
        Self::new(name, move || {
            let many = End::Count(DELETIONS);
            let (_, stock) = client::run(server, connections, many, Stock::at(path))?;
            there.extend(stock.ids);
            // Some more than are measured are under way at the end.
            let ids = (0..DELETIONS + connections as u64).map(|_| {
                let index = random.below(there.len() as u64);
                there.swap_remove(usize::try_from(index).unwrap_or(0))
            });
            let delete = Delete::at(path, ids.collect());
            Ok(client::load(server, connections, many, delete)?.0)
        })
    }
}

impl<'a> Bench<'a> {
    pub(crate) fn new(args: &'a Args, fixture: Fixture) -> Self {
        Self {
            args,
            fixture,
            lines: RefCell::default(),
        }
    }

    pub(crate) fn duration(&self) -> Duration {
        self.args.duration()
    }

    /// Measures all in turns, and the median of each over the rounds. A first turn does not
    /// count: it fills caches.
    pub(crate) fn in_turns(
        &self,
        mut subjects: Vec<Subject<'_>>,
    ) -> Result<Vec<(String, Figures)>> {
        let mut samples: Vec<Vec<Sample>> = subjects.iter().map(|_| Vec::new()).collect();
        for round in 0..=self.args.rounds {
            for (subject, samples) in subjects.iter_mut().zip(&mut samples) {
                let sample = (subject.measure)()?;
                if round > 0 {
                    samples.push(sample);
                }
            }
        }
        let names = subjects.into_iter().map(|subject| subject.name);
        let figures = samples.iter().map(|samples| Figures::of(samples));
        Ok(names.zip(figures).collect())
    }

    /// Takes a line into the report, and shows it.
    pub(crate) fn tell(&self, line: Line) {
        eprintln!("{line}");
        self.lines.borrow_mut().push(line);
    }

    pub(crate) fn into_lines(self) -> Vec<Line> {
        self.lines.into_inner()
    }

    /// A server of Carafe over SQLite with so many rows, and the folder of its database.
    pub(crate) fn carafe(&self, rows: u64, options: &[&str]) -> Result<(Server, PathBuf)> {
        let folder = self.fixture.application(rows)?;
        let server = Server::carafe(&self.fixture.carafe, &folder, options, Processors::One)?;
        Ok((server, folder))
    }
}
