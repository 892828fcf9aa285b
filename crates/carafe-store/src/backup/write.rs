//! Making a backup.

use std::path::Path;

use super::Contents;
use super::copy::{Progress, copy, open};
use super::failure::Failure;
use super::files::{Existing, Part, with_companions};

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
    refuse_own(source, target)?;
    existing.refuse(target)?;
    if target.exists() {
        // Only a backup gives way to another one.
        open(target).map_err(|_| Failure::Foreign(target.to_owned()))?;
    }
    let part = Part::beside(target, source)?;
    let contents = copy(source, &part.path, &mut watch)?;
    existing.refuse(target)?;
    part.rename(target)?;
    Ok(contents)
}

/// Refuses the database itself, and what SQLite has beside it, by whatever name: whoever has them
/// open would go on writing to files that nobody finds any more.
fn refuse_own(source: &Path, target: &Path) -> Result<(), Failure> {
    let own = with_companions(source);
    let is_own = own.iter().any(|own| is_same(own, target));
    match is_own {
        true => Err(Failure::Own(target.to_owned())),
        false => Ok(()),
    }
}

/// Whether two paths lead to one file, which need not be there.
fn is_same(one: &Path, other: &Path) -> bool {
    let place = |path: &Path| {
        path.canonicalize().ok().or_else(|| {
            let folder = path
                .parent()
                .filter(|folder| !folder.as_os_str().is_empty());
            let folder = folder.unwrap_or(Path::new(".")).canonicalize().ok()?;
            Some(folder.join(path.file_name()?))
        })
    };
    let one_place = place(one);
    one_place.is_some() && one_place == place(other)
}
