//! What clients are to leave.

/// Since when clients are to leave something, until when they can use it, and where that is
/// explained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deprecation {
    /// Seconds since 1970 in UTC; may be to come.
    pub since: i64,
    /// Seconds since 1970 in UTC, not before `since`. Nothing is turned off then.
    pub sunset: Option<i64>,
    /// A URL with `http` or `https`, or a path.
    pub link: Option<String>,
}
