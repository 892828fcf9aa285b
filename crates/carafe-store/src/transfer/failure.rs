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
    /// The source cannot be read.
    #[error("reading {what} from the source failed")]
    Source {
        what: String,
        #[source]
        cause: Error,
    },
    /// The target cannot be written.
    #[error("writing {what} to the target failed")]
    Target {
        what: String,
        #[source]
        cause: Error,
    },
}

impl Failure {
    /// Makes a failure of the source of an error.
    pub(super) fn source(what: &str) -> impl FnOnce(Error) -> Self {
        let what = what.to_owned();
        move |cause| Failure::Source { what, cause }
    }

    /// Makes a failure of the target of an error.
    pub(super) fn target(what: &str) -> impl FnOnce(Error) -> Self {
        let what = what.to_owned();
        move |cause| Failure::Target { what, cause }
    }
}
