//! Where pages by number start: the ranks of some rows of an order, remembered.
//!
//! `OFFSET` passes over every row before a page, 18 ns each. Of an order that was asked for a
//! page far from its first, each 256th row is remembered with the number of rows before it.
//!
//! What is remembered is exact in any snapshot, whoever wrote, where two numbers say so: no live
//! row has gone or moved, which triggers count, and there are as many live rows from the last
//! mark on as there should be. Then none can have come before it. Rows that come behind the last
//! mark, as new ones do, leave all others as they are.

use std::sync::{Arc, Mutex};

use carafe_model::query::Query;
use carafe_model::resource::{Order, Resource};
use carafe_model::value::{Row, Value};
use rusqlite::{CachedStatement, Connection};

use crate::rank::{self, From};
use crate::sqlite::connection::bind;
use crate::sqlite::readers::locked;
use crate::sqlite::row::SqliteRow;
use crate::statement::Text;

/// Rows from one mark to the next.
const STRIDE: u64 = 256;

/// Rows that are passed over rather than marked, some 20 µs.
pub(crate) const NEAR: u64 = 1000;

/// The ranks of an order.
#[derive(Debug)]
pub(crate) struct Ranks {
    texts: Texts,
    descending: bool,
    /// Shared with whoever reads a page at the moment.
    known: Mutex<Arc<Known>>,
    /// One looks for marks at a time.
    learning: Mutex<()>,
}

#[derive(Debug)]
struct Texts {
    counters: Text,
    first_hop: Text,
    hop: Text,
    tail: Text,
    page_from_start: Text,
    page: Text,
}

/// Marks, and the counter of rows that went or moved when they were made.
#[derive(Clone, Debug, Default)]
struct Known {
    moved: i64,
    marks: Vec<Mark>,
}

/// A row, by its values in the columns of the order, and how many live rows lie before it.
#[derive(Clone, Debug)]
struct Mark {
    rank: u64,
    place: Vec<Value>,
}

#[derive(Clone, Copy, Debug)]
struct Counters {
    live: u64,
    moved: i64,
}

impl Ranks {
    /// `None` for an order whose ranks cannot be remembered.
    pub(crate) fn new(resource: &Resource, order: &[Order]) -> Option<Self> {
        if !rank::is_ranked(resource, order) {
            return None;
        }
        let hop = |from| rank::hop(resource, order, from).into_text();
        let page = |from| rank::page(resource, order, from).into_text();
        Some(Self {
            texts: Texts {
                counters: rank::counters(resource).into_text(),
                first_hop: hop(From::Start),
                hop: hop(From::Place),
                tail: rank::tail(resource, order).into_text(),
                page_from_start: page(From::Start),
                page: page(From::Place),
            },
            descending: order.first().is_some_and(|step| step.descending),
            known: Mutex::default(),
            learning: Mutex::default(),
        })
    }

    /// Reads a page, and returns how many records there are in all; `None` where that is far from
    /// any mark. The caller has a snapshot.
    pub(crate) fn page(
        &self,
        connection: &Connection,
        query: &Query,
        each: &mut dyn FnMut(&dyn Row),
    ) -> rusqlite::Result<Option<u64>> {
        let counters = self.counters(connection)?;
        let Some(window) = self.window(counters, query) else {
            return Ok(Some(counters.live));
        };
        let known = Arc::clone(&locked(&self.known));
        if !self.is_exact(connection, &known, counters)? {
            return Ok(None);
        }
        self.read(connection, &known, window, each)?;
        Ok(Some(counters.live))
    }

    /// Makes marks as far as there are rows, and reads a page. It passes over all rows once
    /// where nothing is known. The caller has a snapshot.
    pub(crate) fn learn(
        &self,
        connection: &Connection,
        query: &Query,
        each: &mut dyn FnMut(&dyn Row),
    ) -> rusqlite::Result<u64> {
        let counters = self.counters(connection)?;
        let known = {
            let _one_at_a_time = locked(&self.learning);
            let mut known = Known::clone(&locked(&self.known));
            if !self.is_exact(connection, &known, counters)? {
                self.mark(connection, &mut known, counters)?;
            }
            let known = Arc::new(known);
            *locked(&self.known) = Arc::clone(&known);
            known
        };
        if let Some(window) = self.window(counters, query) {
            self.read(connection, &known, window, each)?;
        }
        Ok(counters.live)
    }

    fn counters(&self, connection: &Connection) -> rusqlite::Result<Counters> {
        let mut statement = connection.prepare_cached(&self.texts.counters)?;
        let mut rows = statement.raw_query();
        Ok(match rows.next()? {
            Some(row) => Counters {
                live: u64::try_from(row.get::<_, i64>(0)?).unwrap_or(0),
                moved: row.get(1)?,
            },
            None => Counters { live: 0, moved: 0 },
        })
    }

    /// The ranks of a page's rows, first and how many; `None` past the end.
    fn window(&self, counters: Counters, query: &Query) -> Option<(u64, u64)> {
        let left = counters.live.checked_sub(query.offset())?;
        let count = left.min(query.per_page);
        let first = match self.descending {
            true => left - count,
            false => query.offset(),
        };
        (count > 0).then_some((first, count))
    }

    /// Whether marks are right in this snapshot, and reach near to the end.
    fn is_exact(
        &self,
        connection: &Connection,
        known: &Known,
        counters: Counters,
    ) -> rusqlite::Result<bool> {
        let Some(last) = known.marks.last() else {
            return Ok(false);
        };
        let Some(behind) = counters.live.checked_sub(last.rank) else {
            return Ok(false);
        };
        if known.moved != counters.moved || behind > NEAR {
            return Ok(false);
        }
        self.is_last(connection, last, behind)
    }

    /// Whether so many rows are there from a mark on.
    fn is_last(&self, connection: &Connection, last: &Mark, behind: u64) -> rusqlite::Result<bool> {
        let mut statement = connection.prepare_cached(&self.texts.tail)?;
        bind_place(&mut statement, 1, &last.place)?;
        let mut rows = statement.raw_query();
        let count = match rows.next()? {
            Some(row) => row.get::<_, i64>(0)?,
            None => 0,
        };
        Ok(u64::try_from(count) == Ok(behind))
    }

    /// Adds marks up to the end, from the last one on if it is right.
    fn mark(
        &self,
        connection: &Connection,
        known: &mut Known,
        counters: Counters,
    ) -> rusqlite::Result<()> {
        let is_right = match known.marks.last() {
            Some(last) if known.moved == counters.moved => {
                match counters.live.checked_sub(last.rank) {
                    Some(behind) => self.is_last(connection, last, behind)?,
                    None => false,
                }
            }
            Some(_) | None => false,
        };
        if !is_right {
            *known = Known {
                moved: counters.moved,
                marks: Vec::new(),
            };
        }
        while let Some(mark) = self.next_mark(connection, known.marks.last())? {
            known.marks.push(mark);
        }
        Ok(())
    }

    /// A row behind a mark, [`STRIDE`] or more rows after it; `None` at the end.
    fn next_mark(
        &self,
        connection: &Connection,
        last: Option<&Mark>,
    ) -> rusqlite::Result<Option<Mark>> {
        let mut steps = STRIDE;
        while let Some(place) = self.hop(connection, last, steps)? {
            if !place.iter().any(Value::is_null) {
                let rank = last.map_or(0, |mark| mark.rank) + steps;
                return Ok(Some(Mark { rank, place }));
            }
            // Nothing can be compared with null: the mark is set behind such rows.
            steps *= 2;
        }
        Ok(None)
    }

    /// The place of the row so many rows behind a mark, or behind the first row.
    fn hop(
        &self,
        connection: &Connection,
        from: Option<&Mark>,
        steps: u64,
    ) -> rusqlite::Result<Option<Vec<Value>>> {
        let text = match from {
            Some(_) => &self.texts.hop,
            None => &self.texts.first_hop,
        };
        let mut statement = connection.prepare_cached(text)?;
        bind(&mut statement, 1, &whole(steps))?;
        if let Some(mark) = from {
            bind_place(&mut statement, 2, &mark.place)?;
        }
        let columns = statement.column_count();
        let mut rows = statement.raw_query();
        let Some(row) = rows.next()? else {
            return Ok(None);
        };
        let row = SqliteRow(row);
        let values = (0..columns).map(|index| row.cell(index).to_value());
        Ok(Some(values.collect()))
    }

    /// Reads the rows of some ranks, from the last mark that is not behind them.
    fn read(
        &self,
        connection: &Connection,
        known: &Known,
        (first, count): (u64, u64),
        each: &mut dyn FnMut(&dyn Row),
    ) -> rusqlite::Result<()> {
        let before = known.marks.partition_point(|mark| mark.rank <= first);
        let mark = before.checked_sub(1).map(|index| &known.marks[index]);
        let text = match mark {
            Some(_) => &self.texts.page,
            None => &self.texts.page_from_start,
        };
        let mut statement = connection.prepare_cached(text)?;
        bind(&mut statement, 1, &whole(count))?;
        bind(
            &mut statement,
            2,
            &whole(first - mark.map_or(0, |mark| mark.rank)),
        )?;
        if let Some(mark) = mark {
            bind_place(&mut statement, 3, &mark.place)?;
        }
        let mut rows = statement.raw_query();
        while let Some(row) = rows.next()? {
            each(&SqliteRow(row));
        }
        Ok(())
    }
}

fn bind_place(
    statement: &mut CachedStatement<'_>,
    first: usize,
    place: &[Value],
) -> rusqlite::Result<()> {
    for (index, value) in (first..).zip(place) {
        bind(statement, index, value)?;
    }
    Ok(())
}

fn whole(number: u64) -> Value {
    Value::Integer(i64::try_from(number).unwrap_or(i64::MAX))
}
