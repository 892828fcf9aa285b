//! Files that are whole or not there.

use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};

use super::failure::Failure;

/// What is done with a file that is in the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// It stays, and is an error.
    Keep,
    Replace,
}

impl Existing {
    pub(super) fn refuse(self, file: &Path) -> Result<(), Failure> {
        match self {
            Existing::Keep if file.exists() => Err(Failure::Exists(file.to_owned())),
            Existing::Keep | Existing::Replace => Ok(()),
        }
    }
}

/// A file that is being written beside the one that it will be; it is deleted unless it gets
/// there. One that a killed process has left is of no use.
pub(super) struct Part {
    pub(super) path: PathBuf,
}

impl Part {
    /// An empty file with the permissions of `model`.
    pub(super) fn beside(target: &Path, model: &Path) -> Result<Self, Failure> {
        let part = Self {
            // Two processes may write the same file.
            path: with_suffix(target, &format!(".{}.part", std::process::id())),
        };
        let made = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .open(&part.path)
            .and_then(|file| file.set_permissions(fs::metadata(model)?.permissions()));
        made.map_err(Failure::of_file("writing", &part.path))?;
        Ok(part)
    }

    /// Gives the file its name, on disk, in the place of what has that name.
    pub(super) fn rename(self, target: &Path) -> Result<(), Failure> {
        let renamed = File::open(&self.path)
            .and_then(|file| file.sync_all())
            .and_then(|()| fs::rename(&self.path, target));
        renamed.map_err(Failure::of_file("writing", target))?;
        sync_folder(target)
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        for suffix in ["", "-journal", "-wal", "-shm"] {
            // Most of them are not there, least of all the one that was renamed.
            let _ = fs::remove_file(with_suffix(&self.path, suffix));
        }
    }
}

/// Gives a file a second name. Where the file system has none, the other is a copy.
pub(super) fn keep(file: &Path, aside: &Path) -> Result<(), Failure> {
    if aside.exists() {
        return Err(Failure::Exists(aside.to_owned()));
    }
    fs::hard_link(file, aside)
        .or_else(|_| {
            fs::copy(file, aside)?;
            File::open(aside)?.sync_all()
        })
        .map_err(Failure::of_file("keeping the old database as", aside))
}

/// What SQLite may have beside a file, by the ends of their names.
const COMPANIONS: [&str; 3] = ["-journal", "-wal", "-shm"];

/// A database's file, and those that SQLite may have beside it.
pub(super) fn with_companions(file: &Path) -> Vec<PathBuf> {
    let companions = COMPANIONS.map(|suffix| with_suffix(file, suffix));
    std::iter::once(file.to_owned()).chain(companions).collect()
}

/// Takes along what SQLite has beside a file.
pub(super) fn move_companions(file: &Path, aside: &Path) -> Result<(), Failure> {
    for suffix in COMPANIONS {
        let (from, to) = (with_suffix(file, suffix), with_suffix(aside, suffix));
        if from.exists() {
            fs::rename(&from, &to).map_err(Failure::of_file("keeping", &from))?;
        }
    }
    Ok(())
}

/// What a folder has is on disk when the folder is.
pub(super) fn sync_folder(file: &Path) -> Result<(), Failure> {
    let folder = match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    // Elsewhere a folder cannot be opened.
    if cfg!(unix) {
        let synced = File::open(folder).and_then(|folder| folder.sync_all());
        synced.map_err(Failure::of_file("writing", folder))?;
    }
    Ok(())
}

/// The path with something behind the file's name.
fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut path = path.as_os_str().to_owned();
    path.push(suffix);
    PathBuf::from(path)
}
