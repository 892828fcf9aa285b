//! `carafe move`

use std::io::IsTerminal;

use anyhow::{Context, Error, Result, anyhow, bail};
use carafe_store::transfer::{self, Failure, Moved, Phase, Progress};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::application;
use crate::args::Move;
use crate::command::table;
use crate::config::{self, DatabaseConfig};

/// Copies all data of an application from one database to another, and says how much it was.
pub(super) fn run(args: &Move) -> Result<()> {
    let schema = application::read_schema(&args.folder)?;
    let from = config::existing_database(&args.from).context("--from cannot be used")?;
    let to = config::lasting_database(&args.to).context("--to cannot be used")?;
    if is_same(&from, &to) {
        bail!("--from and --to are the same database: {}", from.place());
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("start")?;
    let mut shown = Shown::new();
    let watch = |progress: Progress<'_>| shown.update(progress);
    let moved = runtime.block_on(transfer::run(&from.url, &to.url, &schema, watch));
    shown.end();
    let moved = moved
        .map_err(explain)
        .with_context(|| format!("nothing was moved from {} to {}", from.place(), to.place()))?;
    println!("{}", summary(&moved));
    println!("Moved to {}, and compared row by row.", to.place());
    Ok(())
}

/// Whether two files are one, by whatever path, or two URLs.
fn is_same(from: &DatabaseConfig, to: &DatabaseConfig) -> bool {
    let real = |config: &DatabaseConfig| config.file().and_then(|file| file.canonicalize().ok());
    match (real(from), real(to)) {
        (Some(from), Some(to)) => from == to,
        _ => from.url == to.url,
    }
}

fn summary(moved: &[Moved]) -> comfy_table::Table {
    let mut table = table::new();
    table.set_header(["table", "rows"]);
    for moved in moved {
        table.add_row([moved.title.clone(), moved.rows.to_string()]);
    }
    table
}

/// A failure for the person at the terminal, with what to do about it.
fn explain(failure: Failure) -> Error {
    let lines =
        |lines: &[String]| -> String { lines.iter().map(|line| format!("\n  - {line}")).collect() };
    match failure {
        Failure::Unfit(differences) => anyhow!(
            "the source does not fit the declaration:{}\n\n\
             hint: `carafe serve --database URL` brings its tables to what the declaration says",
            lines(&differences)
        ),
        Failure::Occupied(taken) => anyhow!(
            "the target is not empty:{}\n\nhint: name a new file or an empty database",
            lines(&taken)
        ),
        Failure::Differs(_) => anyhow!(
            "{failure}\n\nhint: the source holds a value that Carafe does not write, or another \
             program wrote to the target meanwhile"
        ),
        Failure::Source { doing, cause } | Failure::Target { doing, cause } => {
            application::explain(cause).context(format!("{doing} failed"))
        }
    }
}

/// How far it has come, on standard error: a bar on a terminal, a line for each table elsewhere.
struct Shown {
    bar: Option<ProgressBar>,
    /// What the last line was about.
    last: Option<(Phase, String)>,
}

impl Shown {
    fn new() -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let style =
                ProgressStyle::with_template("{msg} {wide_bar} {human_pos}/{human_len} {eta}");
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        });
        Self { bar, last: None }
    }

    fn update(&mut self, progress: Progress<'_>) {
        let now = (progress.phase, progress.title.to_owned());
        let is_new = self.last.as_ref() != Some(&now);
        let verb = match progress.phase {
            Phase::Copy => "Copying",
            Phase::Check => "Checking",
        };
        match &self.bar {
            Some(bar) => {
                if is_new {
                    bar.set_message(format!("{verb} {}", progress.title));
                }
                bar.set_length(progress.total);
                bar.set_position(progress.done);
            }
            None if is_new => eprintln!("{verb} {}", progress.title),
            None => {}
        }
        self.last = Some(now);
    }

    fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
