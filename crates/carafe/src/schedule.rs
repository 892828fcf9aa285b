//! Backups that a server makes by itself.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use carafe_service::clock::Clock;
use carafe_store::backup::{self, Existing};
use jiff::Timestamp;

use crate::args;
use crate::command::backup::stamp;
use crate::config::DatabaseConfig;

/// How long after a failure the next attempt is, where the interval is not shorter.
const RETRY: Duration = Duration::from_secs(600);

/// When and where backups of a database are made, as `data-20260131T120000Z.db`.
#[derive(Clone, Debug)]
pub(crate) struct Schedule {
    database: PathBuf,
    folder: PathBuf,
    every: Duration,
    /// How many stay.
    keep: usize,
    clock: Clock,
}

impl Schedule {
    /// `None` where the settings name no folder.
    ///
    /// # Errors
    ///
    /// Where the database is no file, or the folder cannot be made.
    pub(crate) fn of(args: &args::Serve) -> Result<Option<Self>> {
        let Some(folder) = &args.backup_folder else {
            return Ok(None);
        };
        let Some(database) = DatabaseConfig::from(&args.database).file() else {
            bail!(
                "--backup-folder is for a database in a file\n\n\
                 hint: on PostgreSQL run `pg_dump` by a timer of the system"
            );
        };
        fs::create_dir_all(folder)
            .with_context(|| format!("--backup-folder {} cannot be used", folder.display()))?;
        Ok(Some(Self {
            database,
            folder: folder.clone(),
            every: args.backup_every,
            keep: args.backup_keep,
            clock: Clock::System,
        }))
    }

    /// Makes backups until the process ends, on a thread of its own: nothing waits for one that
    /// is being made then.
    pub(crate) fn start(self) -> Result<()> {
        let thread = std::thread::Builder::new().name("carafe-backup".to_owned());
        thread.spawn(move || self.run()).context("start backups")?;
        Ok(())
    }

    fn run(&self) {
        loop {
            std::thread::sleep(self.wait());
            if let Err(error) = self.make() {
                let cause = format!("{error:#}");
                tracing::error!(cause, "No backup was made");
                std::thread::sleep(RETRY.min(self.every));
            }
        }
    }

    /// How long it is until the next one: counted from the last that is there, whichever process
    /// has made it.
    fn wait(&self) -> Duration {
        let Some(last) = self.made().last().and_then(|name| self.moment_of(name)) else {
            return Duration::ZERO;
        };
        let passed = self.clock.timestamp().duration_since(last);
        let passed = Duration::try_from(passed).unwrap_or(Duration::ZERO);
        self.every.saturating_sub(passed)
    }

    fn make(&self) -> Result<()> {
        let name = format!("{}{}.db", self.prefix(), stamp(&self.clock));
        let file = self.folder.join(&name);
        let contents = backup::write(&self.database, &file, Existing::Keep, |_| ())?;
        let bytes = contents.bytes;
        tracing::info!(file = %file.display(), bytes, "Made a backup");
        if let Err(error) = self.tidy() {
            let cause = format!("{error:#}");
            tracing::warn!(cause, "Old backups were not deleted");
        }
        Ok(())
    }

    /// Deletes what is too old, and what a killed process has not finished.
    fn tidy(&self) -> Result<()> {
        let made = self.made();
        let old = made.iter().take(made.len().saturating_sub(self.keep));
        let parts = self.names();
        let parts = parts.iter().filter(|name| name.ends_with(".part"));
        for name in old.chain(parts) {
            fs::remove_file(self.folder.join(name)).with_context(|| format!("delete {name}"))?;
        }
        Ok(())
    }

    /// The names of the backups that are there, oldest first.
    fn made(&self) -> Vec<String> {
        let mut made = self.names();
        made.retain(|name| self.moment_of(name).is_some());
        made.sort();
        made
    }

    /// The names of all files of this schedule.
    fn names(&self) -> Vec<String> {
        let prefix = self.prefix();
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
        names.filter(|name| name.starts_with(&prefix)).collect()
    }

    fn moment_of(&self, name: &str) -> Option<Timestamp> {
        let rest = name.strip_prefix(&self.prefix())?;
        rest.strip_suffix(".db")?.parse().ok()
    }

    /// `data-` for `data.db`.
    fn prefix(&self) -> String {
        let stem = self
            .database
            .file_stem()
            .unwrap_or(Path::new("data").as_os_str());
        format!("{}-", stem.to_string_lossy())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicI64;

    use super::*;

    /// 2026-01-31T12:00:00Z in microseconds.
    const NOON: i64 = 1_769_860_800_000_000;

    #[test]
    fn the_next_is_counted_from_the_last_that_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let schedule = Schedule {
            database: PathBuf::from("/srv/data.db"),
            folder: folder.path().to_owned(),
            every: Duration::from_secs(3600),
            keep: 2,
            clock: Clock::Fixed(Arc::new(AtomicI64::new(NOON))),
        };
        assert_eq!(schedule.wait(), Duration::ZERO);
        for (name, minutes) in [
            ("data-20260130T235900Z.db", 0),
            ("data-20260131T115000Z.db", 50),
            ("data-20260131T115500Z.db.7.part", 50),
            ("data-later.db", 50),
            ("other-20260131T120000Z.db", 50),
            // The clock was put back.
            ("data-20260201T000000Z.db", 60),
        ] {
            fs::write(folder.path().join(name), "").unwrap();
            assert_eq!(schedule.wait().as_secs() / 60, minutes, "{name}");
        }
        schedule.tidy().unwrap();
        let mut left: Vec<_> = fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        left.sort();
        let expected = [
            "data-20260131T115000Z.db",
            "data-20260201T000000Z.db",
            "data-later.db",
            "other-20260131T120000Z.db",
        ];
        assert_eq!(left, expected);
    }
}
