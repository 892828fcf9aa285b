//! How many files and connections the process may have open at once.

/// Descriptors beside those of connections: the database, the log, files.
const OTHERS: u64 = 256;

/// As many as so many connections and what is behind them take.
pub(crate) fn needed(connections: usize) -> u64 {
    connections as u64 + OTHERS
}

/// The most that the process may give itself; `None` where there is no limit.
#[cfg(unix)]
pub(crate) fn most() -> Option<u64> {
    use rustix::process::{Resource, getrlimit};
    getrlimit(Resource::Nofile).maximum
}

#[cfg(not(unix))]
pub(crate) fn most() -> Option<u64> {
    None
}

/// Raises the limit to `needed`, as far as it may be: many systems begin with 1024, for the
/// sake of programs that cannot cope with more.
#[cfg(unix)]
pub(crate) fn raise(needed: u64) {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    let wanted = limit.maximum.map_or(needed, |most| most.min(needed));
    if limit.current.is_some_and(|current| current < wanted) {
        limit.current = Some(wanted);
        if let Err(error) = setrlimit(Resource::Nofile, limit) {
            tracing::warn!(%error, "Could not raise the limit of open files");
        }
    }
}

#[cfg(not(unix))]
pub(crate) fn raise(_: u64) {}
