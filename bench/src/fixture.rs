//! Databases filled once and kept, from which each measurement takes a copy.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rusqlite::Connection;

use crate::note::Notes;
use crate::server::{Processors, Server, without_settings};

/// The declaration that is measured.
const DECLARATION: &str = include_str!("../application/carafe.toml");

/// How long the search index may take.
const INDEXING_MAX: Duration = Duration::from_secs(3600);

/// Where databases are kept, and what makes them.
#[derive(Clone, Debug)]
pub(crate) struct Fixture {
    pub(crate) carafe: PathBuf,
    pub(crate) folder: PathBuf,
}

impl Fixture {
    /// A new folder with the declaration and a database of so many notes and as many articles,
    /// all of them indexed.
    pub(crate) fn application(&self, rows: u64) -> Result<PathBuf> {
        let filled = self.filled(rows)?;
        let folder = self.folder.join(format!("run-{rows}"));
        copy(&filled, &folder)?;
        // What another version of the program keeps beside the rows.
        self.run(&folder, &["migrate"])?;
        Ok(folder)
    }

    /// A new folder with the declaration and an empty database.
    pub(crate) fn empty(&self, folder: &Path) -> Result<()> {
        let _ = std::fs::remove_dir_all(folder);
        std::fs::create_dir_all(folder)?;
        std::fs::write(folder.join("carafe.toml"), DECLARATION)?;
        self.run(folder, &["migrate"])
    }

    /// The file of notes in NDJSON.
    pub(crate) fn notes(&self, rows: u64) -> Result<PathBuf> {
        let path = self.folder.join(format!("notes-{rows}.ndjson"));
        if !path.exists() {
            let mut text = String::new();
            for note in Notes::new().take(usize::try_from(rows)?) {
                text.push_str(&note.json());
                text.push('\n');
            }
            std::fs::write(&path, text)?;
        }
        Ok(path)
    }

    fn filled(&self, rows: u64) -> Result<PathBuf> {
        let folder = self.folder.join(format!("filled-{rows}"));
        let complete = folder.join("complete");
        let declared = std::fs::read_to_string(&complete).unwrap_or_default();
        if declared == DECLARATION {
            return Ok(folder);
        }
        eprintln!("Filling a database with {rows} notes and {rows} articles");
        self.empty(&folder)?;
        fill(&folder.join("data.db"), rows)?;
        let server = Server::carafe(&self.carafe, &folder, &[], Processors::All)?;
        wait_for_index(&folder.join("data.db"))?;
        drop(server);
        Connection::open(folder.join("data.db"))?
            .execute_batch("PRAGMA wal_checkpoint(TRUNCATE)")?;
        std::fs::write(complete, DECLARATION)?;
        Ok(folder)
    }

    /// Runs the program in a folder.
    pub(crate) fn run(&self, folder: &Path, words: &[&str]) -> Result<()> {
        let mut command = Command::new(&self.carafe);
        let ran = without_settings(&mut command)
            .args(words)
            .current_dir(folder)
            .output()
            .with_context(|| format!("run {}", self.carafe.display()))?;
        if !ran.status.success() {
            bail!("carafe {words:?}: {}", String::from_utf8_lossy(&ran.stderr));
        }
        Ok(())
    }
}

/// Copies the files of a folder into one that has nothing else.
fn copy(from: &Path, to: &Path) -> Result<()> {
    let _ = std::fs::remove_dir_all(to);
    std::fs::create_dir_all(to)?;
    for name in ["carafe.toml", "data.db"] {
        std::fs::copy(from.join(name), to.join(name))?;
    }
    Ok(())
}

/// Writes rows as another program would: counters and index are kept by the database's triggers.
fn fill(path: &Path, rows: u64) -> Result<()> {
    let mut connection = Connection::open(path)?;
    // Made anew when anything happens.
    connection.pragma_update(None, "synchronous", "OFF")?;
    let transaction = connection.transaction()?;
    {
        let note = "INSERT INTO notes (title, content, created_at, updated_at) \
                    VALUES (?1, ?2, ?3, ?3)";
        let article = "INSERT INTO articles (title, content, rank, created_at, updated_at) \
                       VALUES (?1, ?2, ?4, ?3, ?3)";
        let mut insert_note = transaction.prepare(note)?;
        let mut insert_article = transaction.prepare(article)?;
        for (number, note) in (1..=rows).zip(Notes::new()) {
            let at = at(number);
            let rank = (number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 54) as u32;
            insert_note.execute((&note.title, &note.content, &at))?;
            insert_article.execute((&note.title, &note.content, &at, rank))?;
        }
    }
    transaction.commit()?;
    Ok(())
}

/// A second after the other, from the start of 2026.
fn at(number: u64) -> String {
    let (hours, minutes, seconds) = (number / 3600 % 24, number / 60 % 60, number % 60);
    let day = number / 86_400;
    let (month, day) = (1 + day / 28 % 12, 1 + day % 28);
    format!("2026-{month:02}-{day:02}T{hours:02}:{minutes:02}:{seconds:02}.000000Z")
}

/// Waits until no row waits for the search index any more.
pub(crate) fn wait_for_index(path: &Path) -> Result<Duration> {
    let started = Instant::now();
    let connection = Connection::open(path)?;
    connection.busy_timeout(Duration::from_secs(30))?;
    loop {
        let waits: bool = connection.query_row(
            "SELECT EXISTS (SELECT 1 FROM articles__pending)",
            [],
            |row| row.get(0),
        )?;
        if !waits {
            return Ok(started.elapsed());
        }
        if started.elapsed() > INDEXING_MAX {
            bail!("the search index is not complete after {INDEXING_MAX:?}");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}
