//! `carafe backup`, and `carafe restore` of a file.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Error, Result, anyhow, bail};
use carafe_service::clock::Clock;
use carafe_store::backup::{self, Contents, Existing, Failure, Progress};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::application;
use crate::args::{Backup, Restore};
use crate::command::table;
use crate::config::DatabaseConfig;

/// Writes all of a database into one file, and says how much it was.
pub(super) fn run(args: &Backup) -> Result<()> {
    let config = DatabaseConfig::from(&args.database);
    let database = file(&config, || postgres_backup(&config, &args.file))?;
    if !database.is_file() {
        bail!(
            "there is no database {} to back up\n\n\
             hint: `-C DIR` names the folder of the application, `--database` another file",
            database.display()
        );
    }
    let shown = Shown::new();
    let started = Instant::now();
    let contents = backup::write(&database, &args.file, existing(args.force), |step| {
        shown.update(step);
    });
    shown.end();
    let contents = contents
        .map_err(explain)
        .with_context(|| format!("{} was not backed up", database.display()))?;
    println!("{}", summary(&contents));
    println!(
        "Backed up to {}: {} in {}, checked.",
        args.file.display(),
        size(contents.bytes),
        time(started.elapsed())
    );
    Ok(())
}

/// Puts what a file holds in the place of the database.
pub(super) fn restore(args: &Restore) -> Result<()> {
    let backup = Path::new(&args.subject);
    let schema = application::read_schema(&args.folder)?;
    let names = schema.resources.iter().map(|known| known.name.as_str());
    let names: Vec<&str> = names.collect();
    if names.contains(&args.subject.as_str()) && !backup.exists() {
        bail!(
            "which record of {0} is it? Name its key: `carafe restore {0} KEY`",
            args.subject
        );
    }
    let config = DatabaseConfig::from(&args.database);
    let database = file(&config, || postgres_restore(&config, backup))?;
    let aside = kept_aside(&database, &Clock::System);
    let was_there = database.exists();
    let shown = Shown::new();
    let contents = backup::restore(
        backup,
        &database,
        existing(args.force),
        &aside,
        &names,
        |step| shown.update(step),
    );
    shown.end();
    let contents = contents
        .map_err(explain)
        .with_context(|| format!("{} was not restored", database.display()))?;
    println!("{}", summary(&contents));
    println!("Restored {} from {}.", database.display(), backup.display());
    if was_there {
        println!("What was there before is kept as {}.", aside.display());
    }
    Ok(())
}

fn existing(force: bool) -> Existing {
    match force {
        true => Existing::Replace,
        false => Existing::Keep,
    }
}

/// The file of a database.
fn file(config: &DatabaseConfig, elsewhere: impl FnOnce() -> String) -> Result<PathBuf> {
    match config.file() {
        Some(file) => Ok(file),
        None if config.is_in_memory() => {
            bail!("a database in memory is gone when its server stops, and has no backups")
        }
        None => Err(anyhow!(elsewhere())),
    }
}

fn postgres_backup(config: &DatabaseConfig, file: &Path) -> String {
    format!(
        "the database is on PostgreSQL, whose own program makes its backups, while it is in \
         use:\n\n  pg_dump --format=custom --file={} {}",
        file.display(),
        config.url_without_password()
    )
}

fn postgres_restore(config: &DatabaseConfig, file: &Path) -> String {
    format!(
        "the database is on PostgreSQL, whose own program brings backups back, while no server \
         runs:\n\n  pg_restore --clean --if-exists --no-owner --single-transaction --dbname={} {}",
        config.url_without_password(),
        file.display()
    )
}

/// `data.db.20260131T120000Z.old` for `data.db`.
fn kept_aside(database: &Path, clock: &Clock) -> PathBuf {
    let mut path = database.as_os_str().to_owned();
    path.push(format!(".{}.old", stamp(clock)));
    PathBuf::from(path)
}

/// The present second in UTC, for the name of a file: `20260131T120000Z`.
pub(crate) fn stamp(clock: &Clock) -> String {
    let now = clock.now();
    let second = now.split('.').next().unwrap_or(&now);
    format!("{}Z", second.replace(['-', ':'], ""))
}

fn summary(contents: &Contents) -> comfy_table::Table {
    let mut table = table::new();
    table.set_header(["resource", "records"]);
    for (name, records) in &contents.records {
        table.add_row([name.clone(), records.to_string()]);
    }
    table
}

fn size(bytes: u64) -> String {
    indicatif::HumanBytes(bytes).to_string()
}

fn time(elapsed: Duration) -> String {
    format!("{:.1} s", elapsed.as_secs_f64())
}

/// A failure for the person at the terminal, with what to do about it.
pub(crate) fn explain(failure: Failure) -> Error {
    let hint = match &failure {
        Failure::Exists(_) => {
            "hint: `--force` takes its place: that of an older backup, or of the database, which is \
             kept under another name then"
        }
        Failure::Own(_) => "hint: name another file, best on another disk",
        Failure::Foreign(_) => "hint: a backup is a file that `carafe backup` has written",
        Failure::Other { .. } => "hint: `-C DIR` names the folder of the application",
        Failure::Damaged { .. } => "hint: take an older backup",
        Failure::Open(_) => "hint: stop the server first, and start it again afterwards",
        Failure::Failed { .. } => return failure.into(),
    };
    anyhow!("{failure}\n\n{hint}")
}

/// How far it has come, on standard error where that is a terminal.
struct Shown(Option<ProgressBar>);

impl Shown {
    fn new() -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template(
                "{msg} {wide_bar} {decimal_bytes}/{decimal_total_bytes} {eta}",
            );
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        });
        Self(bar)
    }

    fn update(&self, progress: Progress) {
        let Some(bar) = &self.0 else { return };
        match progress {
            Progress::Copying { bytes, total } => {
                bar.set_message("Copying");
                bar.set_length(total);
                bar.set_position(bytes);
            }
            Progress::Checking => bar.set_message("Checking"),
        }
    }

    fn end(&self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}
