//! Whether the snapshot that a connection reads from is still the newest.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Tells of each commit to a file, by whatever process: a commit is there for readers once the
/// header of the log's index has changed, which all processes share
/// (<https://www.sqlite.org/walformat.html#the_wal_index_header>).
///
/// `PRAGMA data_version` would say the same, but not within a transaction.
#[derive(Debug)]
pub(crate) struct Commits {
    /// `None` where the index cannot be read.
    index: Option<File>,
}

/// What a database is at one moment, to be compared only: the header of the log's index, which
/// its counter of commits makes another after each commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct State([u8; 48]);

impl Commits {
    /// Of the database at `path`, which is open: its index is there as long as it is.
    pub(crate) fn open(path: &Path) -> Self {
        let mut index = path.as_os_str().to_owned();
        index.push("-shm");
        Self {
            index: File::open(index).ok(),
        }
    }

    /// What stays the same until the next commit; `None` where that is not known.
    pub(crate) fn state(&self) -> Option<State> {
        let mut bytes = [0; 48];
        self.index.as_ref()?.read_exact_at(&mut bytes, 0).ok()?;
        Some(State(bytes))
    }
}
