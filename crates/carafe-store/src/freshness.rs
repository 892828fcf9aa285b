//! How fresh what is read must be, where reads may go to a replica that is behind.

use std::fmt;

/// A place in the log of a PostgreSQL server (`pg_lsn`): what was committed before it is in
/// every state of a server that has reached it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position(u64);

impl Position {
    /// Reads `16/B374D848`: two hexadecimal numbers of 32 bits (PostgreSQL documentation,
    /// "pg_lsn Type").
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (high, low) = text.split_once('/')?;
        let part = |text: &str| {
            let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit());
            digits.then(|| u32::from_str_radix(text, 16).ok())?
        };
        Some(Self(u64::from(part(high)?) << 32 | u64::from(part(low)?)))
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:X}/{:X}", self.0 >> 32, self.0 & 0xFFFF_FFFF)
    }
}

/// What a read must see at least.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// Any state of the database that was once the last.
    Any,
    /// Everything that was committed before this.
    Since(Position),
}

tokio::task_local! {
    /// Without one, everything that is committed is seen.
    static FRESHNESS: Freshness;
}

/// Runs a future whose reads may be behind the last commit, as far as `freshness` allows.
pub async fn reading<F: Future>(freshness: Freshness, future: F) -> F::Output {
    FRESHNESS.scope(freshness, future).await
}

/// How fresh the reads of this task must be; `None` for the last commit.
pub(crate) fn current() -> Option<Freshness> {
    FRESHNESS.try_with(|freshness| *freshness).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_read_as_postgres_writes_them() {
        let cases = [
            ("0/16B3748", Some("0/16B3748")),
            ("16/b374d848", Some("16/B374D848")),
            ("FFFFFFFF/FFFFFFFF", Some("FFFFFFFF/FFFFFFFF")),
            ("", None),
            ("0", None),
            ("/", None),
            ("0/+1", None),
            ("0/1FFFFFFFF", None),
            ("g/0", None),
        ];
        for (text, expected) in cases {
            let position = Position::parse(text).map(|position| position.to_string());
            assert_eq!(position.as_deref(), expected, "position: {text:?}");
        }
    }
}
