//! Bringing a backup back.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::Contents;
use super::copy::{Progress, copy, open};
use super::failure::Failure;
use super::files::{self, Existing, Part};
use crate::sqlite::integrity;

/// Puts what the file `backup` holds in the place of the database `target`, once it is checked.
/// A database that is there is kept as `aside`, where it may be replaced. The backup must have
/// one of `resources` at least.
///
/// At any moment `target` is the old database or the new one.
///
/// # Errors
///
/// As [`Failure`] says; [`Failure::Open`] as long as another process has the old database.
pub fn restore(
    backup: &Path,
    target: &Path,
    existing: Existing,
    aside: &Path,
    resources: &[&str],
    mut watch: impl FnMut(Progress),
) -> Result<Contents, Failure> {
    check_application(backup, resources)?;
    existing.refuse(target)?;
    let is_there = target.exists();
    // Held until the end, so that no server starts on the old one.
    let locked = match is_there {
        true => lock(target)?,
        false => None,
    };
    let part = Part::beside(target, if is_there { target } else { backup })?;
    let contents = copy(backup, &part.path, &mut watch)?;
    if let Some(locked) = &locked {
        take_in_log(locked).map_err(Failure::of("closing", target))?;
    }
    if is_there {
        files::keep(target, aside)?;
    }
    // A log that was left alone would be taken for one of the new database.
    files::move_companions(target, aside)?;
    part.rename(target)?;
    Ok(contents)
}

fn check_application(backup: &Path, resources: &[&str]) -> Result<(), Failure> {
    let counters = integrity::counters(&open(backup)?);
    let counters = counters.map_err(Failure::of("reading", backup))?;
    let is_known = |(name, _): &(String, u64)| resources.contains(&name.as_str());
    if counters.iter().any(is_known) {
        return Ok(());
    }
    Err(Failure::Other {
        file: backup.to_owned(),
        resources: counters.into_iter().map(|(name, _)| name).collect(),
    })
}

/// Takes the database for this connection alone: whoever has it open with a log keeps a shared
/// lock of the file. `None` where the file is damaged, so that nobody can be using it.
fn lock(target: &Path) -> Result<Option<Connection>, Failure> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let locked = Connection::open_with_flags(target, flags).and_then(|connection| {
        connection.busy_timeout(Duration::ZERO)?;
        connection.pragma_update_and_check(None, "locking_mode", "EXCLUSIVE", |_| Ok(()))?;
        connection.execute_batch("BEGIN EXCLUSIVE; COMMIT")?;
        Ok(connection)
    });
    match locked {
        Ok(connection) => Ok(Some(connection)),
        Err(error) => match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                Err(Failure::Open(target.to_owned()))
            }
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => Ok(None),
            _ => Err(Failure::of("locking", target)(error)),
        },
    }
}

/// Makes the file whole by itself.
fn take_in_log(locked: &Connection) -> rusqlite::Result<()> {
    let taken = locked.pragma_update_and_check(None, "journal_mode", "DELETE", |_| Ok(()));
    match taken {
        // Its log stays beside it.
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseCorrupt) => Ok(()),
        other => other,
    }
}
