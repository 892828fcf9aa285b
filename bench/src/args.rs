//! The options.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

/// Measures Carafe beside the limits of the machine and beside its peers.
///
/// Everything is measured in one run, in turns, so that what the machine does meanwhile meets
/// all alike; what counts are the ratios. The table goes to the terminal, and with it JSON and a
/// plot go to the folder of --out. Databases are filled once and kept there. The program that is
/// measured is built first as it is shipped, by scripts/dist.
#[derive(Debug, Parser)]
#[command(
    name = "bench",
    after_help = "Examples:
  cargo run --release -p bench                       all goals with a million rows
  cargo run --release -p bench -- --only P1,P2       two of them
  cargo run --release -p bench -- --rows 1000,1000000,10000000
                                                     to ten million, which needs 50 GB
  cargo run --release -p bench -- --seconds 0.3      quickly, and less surely"
)]
pub(crate) struct Args {
    /// Rows of the databases, the largest last; goals that compare sizes use all, those of deep
    /// pages a million and more, others the largest up to a million
    #[arg(long, value_delimiter = ',', default_value = "1000,1000000")]
    pub(crate) rows: Vec<u64>,

    /// Seconds of each measurement
    #[arg(long, default_value_t = 1.0)]
    seconds: f64,

    /// Measurements of each, whose median counts
    #[arg(long, default_value_t = 5)]
    pub(crate) rounds: usize,

    /// Goals and groups to measure, such as P1,P12,workloads; all where it is absent
    #[arg(long, value_delimiter = ',')]
    pub(crate) only: Vec<String>,

    /// Count instructions of requests in place of all that, and compare them with the recorded ones
    #[arg(long)]
    pub(crate) instructions: bool,

    /// Record the instructions
    #[arg(long, requires = "instructions")]
    pub(crate) record: bool,

    /// Send requests of all kinds in place of all that, to a program that notes what it does
    #[arg(long, conflicts_with = "instructions", requires = "carafe")]
    pub(crate) train: bool,

    /// The program to measure, in place of one that is built first
    #[arg(long, value_name = "FILE")]
    pub(crate) carafe: Option<PathBuf>,

    /// The folder of databases and results
    #[arg(long, default_value = "target/bench")]
    pub(crate) out: PathBuf,

    /// Be the bare server that a file tells of
    #[arg(long, hide = true)]
    pub(crate) bare: Option<PathBuf>,
    #[arg(long, hide = true, default_value_t = 0)]
    pub(crate) bare_port: u16,
}

impl Args {
    pub(crate) fn duration(&self) -> Duration {
        Duration::from_secs_f64(self.seconds)
    }

    /// Whether a goal or group is asked for.
    pub(crate) fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only.eq_ignore_ascii_case(name))
    }

    /// The largest number of rows up to a million.
    pub(crate) fn million(&self) -> u64 {
        let rows = self.rows.iter().copied().filter(|rows| *rows <= 1_000_000);
        rows.max().unwrap_or(1000)
    }

    /// That, and all that are more.
    pub(crate) fn million_and_more(&self) -> Vec<u64> {
        let million = self.million();
        let more = self.rows.iter().copied().filter(|rows| *rows > million);
        std::iter::once(million).chain(more).collect()
    }
}
