//! Other backends: the folders of `peers`, each with a script that serves the same notes.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, anyhow, bail};
use toml::de::{DeTable, DeValue};

use crate::goals::workspace;
use crate::server::{Processors, Server};

/// What a peer says of itself in `peer.toml`.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    pub(crate) name: String,
    /// The most rows that it is given.
    pub(crate) rows: u64,
    /// Digits that keys have at least.
    pub(crate) id_width: usize,
    pub(crate) one: String,
    pub(crate) list: String,
    pub(crate) search: String,
    pub(crate) create: String,
    pub(crate) update: String,
    pub(crate) update_method: String,
    folder: PathBuf,
}

impl Peer {
    /// All there are, by name, once what they need is installed.
    pub(crate) fn all() -> Result<Vec<Self>> {
        let status = Command::new(folder().join("setup"))
            .status()
            .context("run peers/setup")?;
        if !status.success() {
            bail!("peers/setup: {status}");
        }
        let mut peers = Vec::new();
        for entry in std::fs::read_dir(folder())? {
            let folder = entry?.path();
            if let Ok(text) = std::fs::read_to_string(folder.join("peer.toml")) {
                let context = || format!("read {}", folder.display());
                peers.push(Self::read(&text, folder.clone()).with_context(context)?);
            }
        }
        peers.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(peers)
    }

    fn read(text: &str, folder: PathBuf) -> Result<Self> {
        let table = DeTable::parse(text).map_err(|err| anyhow!("{err}"))?;
        let table = table.get_ref();
        let text = |name: &str| match table.get(name).map(|value| value.get_ref()) {
            Some(DeValue::String(text)) => Ok(text.to_string()),
            _ => Err(anyhow!("`{name}` is to be a text")),
        };
        let number = |name: &str| match table.get(name).map(|value| value.get_ref()) {
            Some(DeValue::Integer(number)) => number.as_str().parse().ok(),
            _ => None,
        };
        Ok(Self {
            name: text("name")?,
            rows: number("rows").unwrap_or(u64::MAX),
            id_width: number("id_width").map_or(Ok(0), usize::try_from)?,
            one: text("one")?,
            list: text("list")?,
            search: text("search")?,
            create: text("create")?,
            update: text("update")?,
            update_method: text("update_method")?,
            folder,
        })
    }

    /// Starts it over a new database with the notes of a file, each write on disk before it is
    /// answered, where it can do that.
    pub(crate) fn start(&self, folder: &Path, notes: &Path) -> Result<Server> {
        let _ = std::fs::remove_dir_all(folder);
        std::fs::create_dir_all(folder)?;
        let program = self.folder.join("run");
        Server::start(Processors::One, |port| {
            let mut command = Command::new(&program);
            command.arg(port.to_string()).args([folder, notes]);
            command.env("BENCH_SYNCHRONOUS", "FULL").current_dir(folder);
            command
        })
    }
}

/// The versions of all, a line each; none where they are not installed.
pub(crate) fn versions() -> Vec<String> {
    let ran = Command::new(folder().join("versions")).output();
    let text = ran.map(|ran| String::from_utf8_lossy(&ran.stdout).into_owned());
    text.unwrap_or_default()
        .lines()
        .map(str::to_owned)
        .collect()
}

fn folder() -> PathBuf {
    workspace().join("bench/peers")
}
