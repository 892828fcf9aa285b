//! Imports: rows without end into one table, all or none.
//!
//! Rows come in parts through a bounded channel, so that whoever reads and checks them is at work
//! while others are written, and memory does not grow with their number.

use std::collections::BTreeMap;

use carafe_model::key::Key;
use carafe_model::value::Value;

use crate::error::Error;

/// What comes through a channel of an import.
#[derive(Debug)]
pub enum Part<T> {
    Rows(Vec<T>),
    /// That was all, and it is to be kept, unless a row was refused. Where the channel ends
    /// without it, rows are checked only.
    Keep,
}

/// A row of an import.
#[derive(Debug)]
pub struct ImportRow {
    /// What its caller calls it, rising.
    pub number: u64,
    /// For `uuid` and `string` keys.
    pub key: Option<Key>,
    /// In the order of the resource's fields.
    pub values: Vec<Value>,
}

/// What an import did, or would have done.
#[derive(Debug)]
pub struct Imported<E> {
    /// Rows that were accepted. They are stored where none was refused and they were to be kept.
    pub accepted: u64,
    pub refused: Refused<E>,
}

/// The rows of an import that were refused: the first of them with the reason, the others
/// counted.
#[derive(Debug)]
pub struct Refused<E> {
    first: BTreeMap<u64, E>,
    others: u64,
}

impl<E> Default for Refused<E> {
    fn default() -> Self {
        Self {
            first: BTreeMap::new(),
            others: 0,
        }
    }
}

impl<E> Default for Imported<E> {
    fn default() -> Self {
        Self {
            accepted: 0,
            refused: Refused::default(),
        }
    }
}

impl<E> Refused<E> {
    /// The rows whose reason is kept.
    pub const FIRST_MAX: usize = 100;

    pub fn note(&mut self, number: u64, reason: E) {
        self.first.insert(number, reason);
        if self.first.len() > Self::FIRST_MAX {
            self.first.pop_last();
            self.others += 1;
        }
    }

    /// Counts rows behind all that were noted, of which [`is_full`](Self::is_full) has enough.
    pub(crate) fn count(&mut self, rows: u64) {
        self.others += rows;
    }

    /// Whether no row behind those that were noted can be one of the first.
    pub(crate) fn is_full(&self) -> bool {
        self.first.len() == Self::FIRST_MAX
    }

    /// Adds rows of the same import that were refused elsewhere.
    pub fn extend(&mut self, more: Self) {
        self.others += more.others;
        for (number, reason) in more.first {
            self.note(number, reason);
        }
    }

    /// The same rows with other words for the reasons.
    pub fn map<T>(self, word: impl Fn(E) -> T) -> Refused<T> {
        let first = self.first.into_iter();
        Refused {
            first: first
                .map(|(number, reason)| (number, word(reason)))
                .collect(),
            others: self.others,
        }
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.first.is_empty()
    }

    /// The first rows and their reasons, in order.
    pub fn first(&self) -> impl Iterator<Item = (u64, &E)> {
        self.first.iter().map(|(number, reason)| (*number, reason))
    }

    /// How many there are beside the first.
    #[must_use]
    pub fn others(&self) -> u64 {
        self.others
    }
}

/// Whether an error is about the one row that met it, and others may be well.
pub(crate) fn is_of_row(err: &Error) -> bool {
    match err {
        Error::Taken { .. } | Error::KeyTaken | Error::NoReference { .. } => true,
        Error::Stale
        | Error::Repeated
        | Error::Referenced { .. }
        | Error::ParentDeleted { .. }
        | Error::Member { .. }
        | Error::Incompatible(_)
        | Error::Migration { .. }
        | Error::Full(_)
        | Error::Unavailable(_)
        | Error::Other(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_refused_rows_are_told_and_the_others_counted() {
        let mut refused = Refused::default();
        for number in (1..=150).rev() {
            refused.note(number, number);
        }
        let mut more = Refused::default();
        (200..=310).for_each(|number| more.note(number, number));
        more.note(0, 0);
        refused.extend(more);
        let first: Vec<u64> = refused.first().map(|(number, _)| number).collect();
        assert_eq!(first, (0..100).collect::<Vec<_>>());
        assert_eq!(refused.others(), 162);
        assert_eq!(refused.map(|_| ()).others(), 162);
    }
}
