//! Who asks.

/// Who a request or a command acts for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    /// Nobody that is known: a request without credentials.
    Anonymous,
    /// The person at the command line of the server, who has the database file anyway.
    Operator,
}
