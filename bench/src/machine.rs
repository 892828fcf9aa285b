//! What the figures were measured on.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::Result;
use serde::Serialize;

/// A record of the machine and the versions.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Machine {
    pub(crate) processor: String,
    pub(crate) processors: usize,
    pub(crate) memory_mib: u64,
    pub(crate) kernel: String,
    /// Microseconds of one `fdatasync` after a write of a page where the databases are; the
    /// median of 200.
    pub(crate) sync_micros: f64,
    pub(crate) versions: Vec<String>,
}

impl Machine {
    /// Reads what there is; what cannot be found out is empty.
    pub(crate) fn read(folder: &Path, peers: Vec<String>) -> Result<Self> {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let processors = read("/proc/cpuinfo");
        let processor = processors
            .lines()
            .find(|line| line.starts_with("model name"));
        let memory = read("/proc/meminfo");
        let kib = memory
            .lines()
            .next()
            .and_then(|line| line.split_whitespace().nth(1)?.parse().ok());
        let mut versions = vec![
            format!("SQLite {}", rusqlite::version()),
            said("rustc", "--version"),
            said("postgres", "--version"),
        ];
        versions.extend(peers);
        versions.retain(|version| !version.is_empty());
        Ok(Self {
            processor: processor
                .and_then(|line| line.split_once(": "))
                .map(|(_, name)| name.to_owned())
                .unwrap_or_default(),
            processors: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            memory_mib: kib.unwrap_or(0) / 1024,
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            sync_micros: sync_micros(folder)?,
            versions,
        })
    }
}

/// The first line that a program prints, or nothing.
fn said(program: &str, option: &str) -> String {
    let ran = Command::new(program).arg(option).output();
    let text = ran.map(|ran| String::from_utf8_lossy(&ran.stdout).into_owned());
    let text = text.unwrap_or_default();
    text.lines().next().unwrap_or_default().to_owned()
}

fn sync_micros(folder: &Path) -> Result<f64> {
    use std::io::Write;
    let mut file = tempfile::tempfile_in(folder)?;
    let mut taken = Vec::new();
    for _ in 0..200 {
        file.write_all(&[7; 4096])?;
        let started = Instant::now();
        file.sync_data()?;
        taken.push(started.elapsed().as_secs_f64() * 1e6);
    }
    Ok(crate::sample::median(taken.into_iter()))
}
