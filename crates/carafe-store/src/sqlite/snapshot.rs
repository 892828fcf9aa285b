//! Whether the snapshot that a connection reads from is still the newest.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Tells of each commit to a file and of each checkpoint, by whatever process: a commit is there
/// for readers once the header of the log's index has changed, which all processes share
/// (<https://www.sqlite.org/walformat.html#the_wal_index_file_format>).
///
/// `PRAGMA data_version` would tell of commits, but not within a transaction. A snapshot from
/// before a checkpoint is as good as one from after it, but keeps the log from being begun anew.
#[derive(Debug)]
pub(crate) struct Commits {
    /// `None` where the index cannot be read.
    index: Option<File>,
}

/// The second copy of the header, whose counter of commits makes it another after each, and how
/// many frames were carried over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark([u8; 52]);

impl Mark {
    /// Where the second copy begins.
    const OFFSET: u64 = 48;
}

impl Commits {
    /// Of the database at `path`, which is open: its index is there as long as it is.
    pub(crate) fn open(path: &Path) -> Self {
        let mut index = path.as_os_str().to_owned();
        index.push("-shm");
        Self {
            index: File::open(index).ok(),
        }
    }

    /// What stays the same until the next commit or checkpoint; `None` where that is not known.
    pub(crate) fn mark(&self) -> Option<Mark> {
        let mut bytes = [0; 52];
        self.index
            .as_ref()?
            .read_exact_at(&mut bytes, Mark::OFFSET)
            .ok()?;
        Some(Mark(bytes))
    }
}
