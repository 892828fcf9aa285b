//! Why nothing was moved.

use crate::error::Error;

/// Why nothing was moved. The target has then none of it, and the source is as it was.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// A line for each difference between the source's tables and the declaration.
    #[error("the source does not fit the declaration: {}", .0.join("; "))]
    Unfit(Vec<String>),
    /// A line for each table of the target that has rows already.
    #[error("the target is not empty: {}", .0.join("; "))]
    Occupied(Vec<String>),
    /// What was written reads differently: the first row, and what of it.
    #[error("the target does not hold what the source does: {0}")]
    Differs(String),
    /// The source cannot be opened or read.
    #[error("{doing} failed")]
    Source {
        /// `reading notes from the source`
        doing: String,
        #[source]
        cause: Error,
    },
    /// The target cannot be opened or written.
    #[error("{doing} failed")]
    Target {
        /// `writing notes to the target`
        doing: String,
        #[source]
        cause: Error,
    },
}

impl Failure {
    /// Makes of an error a failure of doing something with the source.
    pub(super) fn source(doing: &'static str) -> impl FnOnce(Error) -> Self {
        move |cause| Failure::Source {
            doing: doing.to_owned(),
            cause,
        }
    }

    /// Makes of an error a failure of doing something with the target.
    pub(super) fn target(doing: &'static str) -> impl FnOnce(Error) -> Self {
        move |cause| Failure::Target {
            doing: doing.to_owned(),
            cause,
        }
    }

    /// Makes of an error a failure of reading a table of the source.
    pub(super) fn reading(title: &str) -> impl FnOnce(Error) -> Self + use<> {
        let doing = format!("reading {title} from the source");
        move |cause| Failure::Source { doing, cause }
    }

    /// Makes of an error a failure of reading a table of the target again.
    pub(super) fn reading_again(title: &str) -> impl FnOnce(Error) -> Self + use<> {
        let doing = format!("reading {title} from the target");
        move |cause| Failure::Target { doing, cause }
    }

    /// Makes of an error a failure of writing a table of the target.
    pub(super) fn writing(title: &str) -> impl FnOnce(Error) -> Self + use<> {
        let doing = format!("writing {title} to the target");
        move |cause| Failure::Target { doing, cause }
    }
}
