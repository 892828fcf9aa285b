//! A PostgreSQL server of this run, and pgbench.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::goals::workspace;

/// Clients of pgbench.
const CLIENTS: &str = "64";

/// A server with `fsync` on, in a folder of its own; ended when it goes out of scope.
pub(crate) struct Postgres {
    child: Child,
    /// The server lives until this is closed.
    held: Option<ChildStdin>,
    pub(crate) url: String,
}

impl Postgres {
    pub(crate) fn start() -> Result<Self> {
        let mut child = Command::new(workspace().join("scripts/with-postgres"))
            .args(["sh", "-c", "echo \"$CARAFE_TEST_POSTGRES\"; cat"])
            .env("POSTGRES_FSYNC", "on")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("start scripts/with-postgres")?;
        let held = child.stdin.take();
        let mut url = String::new();
        if let Some(said) = child.stdout.take() {
            BufReader::new(said).read_line(&mut url)?;
        }
        let url = url.trim().to_owned();
        if url.is_empty() {
            bail!("PostgreSQL did not start: {}", child.wait()?);
        }
        Ok(Self { child, held, url })
    }

    /// Makes pgbench's tables, with 100,000 accounts for each of `scale`.
    pub(crate) fn fill(&self, scale: u64) -> Result<()> {
        self.pgbench(&["-i", "-q", "-s", &scale.to_string()])
            .map(drop)
    }

    /// Transactions a second of pgbench, by 64 clients with prepared statements.
    pub(crate) fn rate(&self, duration: Duration, options: &[&str]) -> Result<f64> {
        let seconds = duration.as_secs().max(1).to_string();
        let mut words = vec!["-n", "-M", "prepared", "-c", CLIENTS, "-T", &seconds];
        words.extend(options);
        let said = self.pgbench(&words)?;
        let line = said.lines().find_map(|line| line.strip_prefix("tps = "));
        let rate = line.and_then(|rest| rest.split(' ').next()?.parse().ok());
        rate.with_context(|| format!("pgbench said: {said}"))
    }

    fn pgbench(&self, options: &[&str]) -> Result<String> {
        let mut command = Command::new(program()?);
        command.args(options).arg(&self.url);
        let ran = command.output().context("run pgbench")?;
        if !ran.status.success() {
            bail!("pgbench: {}", String::from_utf8_lossy(&ran.stderr));
        }
        Ok(String::from_utf8_lossy(&ran.stdout).into_owned())
    }

    /// Runs SQL, a statement or several.
    pub(crate) fn run(&self, sql: &str) -> Result<()> {
        let mut command = Command::new("psql");
        command
            .args(["-q", "-v", "ON_ERROR_STOP=1", "-c", sql])
            .arg(&self.url);
        let ran = command.output().context("run psql")?;
        if !ran.status.success() {
            bail!("psql: {}", String::from_utf8_lossy(&ran.stderr));
        }
        Ok(())
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.held.take();
        let _ = self.child.wait();
    }
}

/// pgbench, which Debian keeps beside the server and not in the path.
fn program() -> Result<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").context("find PostgreSQL")?;
    let mut found: Vec<PathBuf> = versions
        .filter_map(|version| Some(version.ok()?.path().join("bin/pgbench")))
        .filter(|path| Path::exists(path))
        .collect();
    found.sort();
    found.pop().context("find pgbench")
}
