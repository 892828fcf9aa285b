//! Why nothing was backed up or brought back.

use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

use crate::error::{Cause, Error};

/// Why nothing was backed up or brought back. The files that were there are then as they were.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// What would be overwritten.
    #[error("{} is there already", .0.display())]
    Exists(PathBuf),
    /// A backup would take the place of what it is made from.
    #[error("{} belongs to the database that is to be backed up", .0.display())]
    Own(PathBuf),
    /// No database of Carafe's.
    #[error("{} is no database of Carafe's", .0.display())]
    Foreign(PathBuf),
    /// The file has none of the application's resources, but these.
    #[error("{} is of another application: it has {}", .file.display(), .resources.join(", "))]
    Other {
        file: PathBuf,
        resources: Vec<String>,
    },
    /// A line for each thing that is wrong with the file.
    #[error("{} is damaged: {}", .file.display(), .complaints.join("; "))]
    Damaged {
        file: PathBuf,
        complaints: Vec<String>,
    },
    /// Another process has the database open.
    #[error("{} is open in another process", .0.display())]
    Open(PathBuf),
    /// What went wrong on the way, a full disk among it.
    #[error("{doing} failed")]
    Failed {
        /// `writing backup.db`
        doing: String,
        #[source]
        cause: Cause,
    },
}

impl Failure {
    /// Makes of an error of SQLite's a failure of doing something with a file.
    pub(super) fn of(doing: &str, file: &Path) -> impl FnOnce(rusqlite::Error) -> Self {
        let (doing, file) = (format!("{doing} {}", file.display()), file.to_owned());
        move |error| match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase) => Failure::Foreign(file),
            Some(ErrorCode::DatabaseCorrupt) => Failure::Damaged {
                file,
                complaints: vec![error.to_string()],
            },
            _ => Failure::Failed {
                doing,
                cause: Box::new(Error::from(error)),
            },
        }
    }

    /// Makes of an error of the system's a failure of doing something with a file.
    pub(super) fn of_file(doing: &str, file: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let doing = format!("{doing} {}", file.display());
        move |error| Failure::Failed {
            doing,
            cause: Box::new(error),
        }
    }
}
