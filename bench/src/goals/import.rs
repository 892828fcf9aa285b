//! P13: records from a file, beside the import of SQLite's own shell.

use std::fmt::Write;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::bench::{Bench, Subject};
use crate::note::Notes;
use crate::report::{Line, Wanted};
use crate::sample::Sample;

pub(crate) fn measure(bench: &Bench<'_>) -> Result<()> {
    let rows = bench.args.million();
    let lines = bench.fixture.notes(rows)?;
    let folder = bench.fixture.folder.join("import");
    let csv = bench.fixture.folder.join("import.csv");
    write_csv(&csv, rows)?;
    let carafe = Subject::new("Carafe", || {
        bench.fixture.empty(&folder)?;
        let file = lines.display().to_string();
        timed(rows, || {
            bench.fixture.run(&folder, &["import", "notes", &file])
        })
    });
    let database = bench.fixture.folder.join("import.db");
    let shell = Subject::new("sqlite3 .import", || {
        for suffix in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(format!("{}{suffix}", database.display()));
        }
        timed(rows, || shell(&database, &csv))
    });
    let figures = bench.in_turns(vec![carafe, shell])?;
    let what = format!("import of {rows} records");
    bench.tell(Line::of_rates("P13", &what, figures, Wanted::AtLeast(0.5)));
    Ok(())
}

fn timed(rows: u64, work: impl FnOnce() -> Result<()>) -> Result<Sample> {
    let started = Instant::now();
    work()?;
    Ok(Sample {
        count: rows,
        seconds: started.elapsed().as_secs_f64(),
        ..Sample::default()
    })
}

/// The same notes with all their columns.
fn write_csv(path: &Path, rows: u64) -> Result<()> {
    let mut text = String::new();
    for (id, note) in (1..=rows).zip(Notes::new()) {
        const AT: &str = "2026-01-01T00:00:00.000000Z";
        writeln!(
            text,
            "{id},\"{}\",\"{}\",{AT},{AT}",
            note.title, note.content
        )?;
    }
    std::fs::write(path, text)?;
    Ok(())
}

fn shell(database: &Path, csv: &Path) -> Result<()> {
    let table = "PRAGMA journal_mode = WAL; CREATE TABLE notes (id INTEGER PRIMARY KEY, \
                 title TEXT NOT NULL, content TEXT NOT NULL, created_at TEXT NOT NULL, \
                 updated_at TEXT NOT NULL) STRICT;";
    let import = format!(".import --csv {} notes", csv.display());
    let ran = Command::new("sqlite3")
        .arg(database)
        .args([table, &import])
        .output();
    let ran = ran.context("run sqlite3")?;
    if !ran.status.success() || !ran.stderr.is_empty() {
        bail!("sqlite3: {}", String::from_utf8_lossy(&ran.stderr));
    }
    Ok(())
}
