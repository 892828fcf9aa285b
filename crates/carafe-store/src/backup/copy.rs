//! A copy of a database as it is at one moment.

use std::path::Path;

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};

use super::Contents;
use super::failure::Failure;
use crate::error::Cause;
use crate::sqlite::connection;
use crate::sqlite::integrity;

/// How far a copy has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    Copying {
        bytes: u64,
        total: u64,
    },
    /// It is all there, and is read again.
    Checking,
}

/// Pages that are copied between two reports: 8 MiB.
const STEP_PAGES: i32 = 2048;

/// Copies `source` into the empty file `target`, which then needs no other file, and checks it.
///
/// The copy is of the moment of its start: one read snapshot is held until it is done. Without
/// that every write of another process would make it begin anew. Writers go on meanwhile.
pub(super) fn copy(
    source: &Path,
    target: &Path,
    watch: &mut dyn FnMut(Progress),
) -> Result<Contents, Failure> {
    copy_pages(source, target, watch)?;
    watch(Progress::Checking);
    // The pages say that there is a log, and a new connection believes it.
    let copied = Connection::open(target).map_err(Failure::of("checking the copy of", source))?;
    copied
        .pragma_update_and_check(None, "journal_mode", "DELETE", |_| Ok(()))
        .map_err(Failure::of("writing", target))?;
    let complaints =
        integrity::check(&copied).map_err(Failure::of("checking the copy of", source))?;
    if !complaints.is_empty() {
        return Err(Failure::Damaged {
            file: source.to_owned(),
            complaints,
        });
    }
    let records =
        integrity::counters(&copied).map_err(Failure::of("checking the copy of", source))?;
    let bytes = std::fs::metadata(target).map_err(Failure::of_file("reading", target))?;
    Ok(Contents {
        records,
        bytes: bytes.len(),
    })
}

fn copy_pages(
    source: &Path,
    target: &Path,
    watch: &mut dyn FnMut(Progress),
) -> Result<(), Failure> {
    let reader = open(source)?;
    let mut copied = writer(target).map_err(Failure::of("writing", target))?;
    let snapshot = reader
        .unchecked_transaction()
        .map_err(Failure::of("reading", source))?;
    snapshot
        .query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))
        .map_err(Failure::of("reading", source))?;
    let page: u64 = snapshot
        .pragma_query_value(None, "page_size", |row| row.get::<_, u32>(0))
        .map_err(Failure::of("reading", source))?
        .into();
    let backup = Backup::new(&snapshot, &mut copied).map_err(Failure::of("writing", target))?;
    loop {
        let step = backup.step(STEP_PAGES);
        let step = step.map_err(Failure::of("writing", target))?;
        let progress = backup.progress();
        let pages = |count: i32| u64::try_from(count).unwrap_or(0) * page;
        watch(Progress::Copying {
            bytes: pages(progress.pagecount - progress.remaining),
            total: pages(progress.pagecount),
        });
        match step {
            StepResult::Done => return Ok(()),
            StepResult::More => {}
            // Nobody else has the target, and the snapshot of the source is held.
            _ => {
                return Err(Failure::Failed {
                    doing: format!("reading {}", source.display()),
                    cause: Cause::from("it is locked"),
                });
            }
        }
    }
}

/// A connection that reads a database of Carafe's.
pub(super) fn open(file: &Path) -> Result<Connection, Failure> {
    // What must not be made if it is not there.
    if let Err(error) = std::fs::File::open(file) {
        return Err(Failure::of_file("reading", file)(error));
    }
    let connection = connection::reader(file).map_err(Failure::of("reading", file))?;
    let is_ours = integrity::has_counters(&connection).map_err(Failure::of("reading", file))?;
    match is_ours {
        true => Ok(connection),
        false => Err(Failure::Foreign(file.to_owned())),
    }
}

/// A connection to a file that counts only when it is whole: it is synced once, at its end.
fn writer(file: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(file, flags)?;
    connection.pragma_update_and_check(None, "journal_mode", "OFF", |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "OFF")?;
    Ok(connection)
}
