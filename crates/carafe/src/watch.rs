//! Notices changes of an application's files while it is served.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::config::DECLARATION;

/// How often the files are looked at. Looking works on every file system, also on those that
/// containers and networks mount, where notifications do not arrive.
const INTERVAL: Duration = Duration::from_millis(300);

/// The files that are read at start-up, as they were when they were last looked at.
#[derive(Debug)]
pub struct Watch {
    folder: PathBuf,
    seen: Vec<(PathBuf, Option<SystemTime>, u64)>,
}

impl Watch {
    /// Looks at the files now; only later changes count.
    #[must_use]
    pub fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            seen: look(folder),
        }
    }

    /// Waits until a file has changed, come or gone.
    pub async fn changed(&mut self) {
        loop {
            tokio::time::sleep(INTERVAL).await;
            let now = look(&self.folder);
            if now != self.seen {
                self.seen = now;
                return;
            }
        }
    }
}

fn look(folder: &Path) -> Vec<(PathBuf, Option<SystemTime>, u64)> {
    let mut paths = vec![folder.join(DECLARATION)];
    collect(&folder.join("templates"), &mut paths);
    collect(&folder.join("pages"), &mut paths);
    paths.sort();
    let stamp = |path: PathBuf| {
        let metadata = std::fs::metadata(&path).ok()?;
        Some((path, metadata.modified().ok(), metadata.len()))
    };
    paths.into_iter().filter_map(stamp).collect()
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => collect(&entry.path(), paths),
            _ => paths.push(entry.path()),
        }
    }
}
