//! Which processor does what: the client has the first, what is measured the second.

use rustix::thread::{CpuSet, Pid, sched_setaffinity};

/// Where load comes from.
pub(crate) const CLIENT: usize = 0;
/// What is measured.
pub(crate) const SERVER: usize = 1;

/// Whether there are two processors, so that client and server do not take turns on one.
pub(crate) fn are_two() -> bool {
    std::thread::available_parallelism().is_ok_and(|count| count.get() >= 2)
}

/// Keeps this thread, and those that it starts, on one processor. Does nothing where there is
/// only one.
pub(crate) fn stay_on(processor: usize) {
    let mut set = CpuSet::new();
    set.set(processor);
    // A machine with one processor refuses the second.
    let _ = sched_setaffinity(None::<Pid>, &set);
}
