//! How the system gives the process memory.

/// Asks for pages of the usual size, best before anything else. In pages of 2 MiB, which the
/// allocator asks for else, a server that has nothing to do holds 12 MB more than it uses (Linux,
/// `prctl(2)`, `PR_SET_THP_DISABLE`).
#[cfg(target_os = "linux")]
pub fn in_small_pages() {
    // An old kernel has no such setting, and only takes more.
    let _ = rustix::thread::disable_transparent_huge_pages(true);
}

#[cfg(not(target_os = "linux"))]
pub fn in_small_pages() {}
