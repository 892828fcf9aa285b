//! Names that a declaration cannot use, and why.

/// First parts of Carafe's own paths, which a resource's pages would hide.
pub(crate) const PATHS: [&str; 10] = [
    "api", "docs", "health", "healthz", "login", "logout", "metrics", "problems", "ready", "static",
];

/// Members of the object that a list is, beside the records under the resource's name.
pub(super) const LIST_MEMBERS: [&str; 11] = [
    "count",
    "count_is_exact",
    "current_page",
    "has_next",
    "has_prev",
    "next",
    "pages",
    "per_page",
    "query",
    "total",
    "total_is_exact",
];

/// Last parts of the paths of a record's own pages: `/users/3/edit`.
pub(super) const RECORD_PATHS: [&str; 4] = ["delete", "edit", "history", "restore"];

/// The member that says when a record was deleted; no field or key can be called that.
pub const DELETED_AT: &str = "deleted_at";

/// Why no resource can be called `name`, which is a [`Name`](crate::name::Name).
#[must_use]
pub fn resource_fault(name: &str) -> Option<&'static str> {
    if PATHS.contains(&name) {
        Some("it is a path of Carafe's own")
    } else if LIST_MEMBERS.contains(&name) {
        Some("a list has a member of that name beside its records")
    } else if name.starts_with("sqlite_") {
        Some("SQLite keeps names that start with `sqlite_` for itself")
    } else if name.starts_with("carafe_") {
        Some("names that start with `carafe_` are for Carafe's own tables")
    } else {
        None
    }
}
