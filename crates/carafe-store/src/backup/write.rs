//! Making a backup.

use std::path::Path;

use super::Contents;
use super::copy::{Progress, copy};
use super::failure::Failure;
use super::files::{Existing, Part};

/// Writes all that the database in the file `source` holds at this moment into one file
/// `target`, and checks it. Others may read and write meanwhile. Until all is done `target` is
/// as it was.
///
/// # Errors
///
/// As [`Failure`] says.
pub fn write(
    source: &Path,
    target: &Path,
    existing: Existing,
    mut watch: impl FnMut(Progress),
) -> Result<Contents, Failure> {
    existing.refuse(target)?;
    let part = Part::beside(target, source)?;
    let contents = copy(source, &part.path, &mut watch)?;
    existing.refuse(target)?;
    part.rename(target)?;
    Ok(contents)
}
