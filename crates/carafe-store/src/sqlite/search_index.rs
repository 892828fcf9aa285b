//! The search index of a resource: which rows have a gram.
//!
//! Rows lie in segments of 4096, by their ids, and segments in units of 4096. The table
//! `<name>__search` has an entry for each segment and each gram that a text in it has or had,
//! with the set of rows; and one for each unit and gram, with the set of segments that have such
//! an entry. So a search looks only at segments that have all of its grams, from whichever end
//! its order begins at.
//!
//! Nothing is taken out when a text changes or a row goes: what the index finds is a superset,
//! and whoever asks it compares the texts. A segment whose rows were taken in many times over is
//! made anew.

use std::collections::HashMap;
use std::ops::RangeInclusive;

use carafe_model::fold::fold;
use carafe_model::resource::Resource;
use carafe_model::value::valid;
use foldhash::fast::RandomState;
use rusqlite::types::ValueRef;
use rusqlite::{CachedStatement, Connection, OptionalExtension, Row};

use crate::dialect::Dialect;
use crate::sqlite::connection::{prepared, run};
use crate::sqlite::gram::{Gram, grams};
use crate::sqlite::row_set::{ROWS, RowSet};
use crate::statement::{Identifier, Statement};
use crate::table;

/// Bits of a number of a row in its segment, and of a segment in its unit.
const ROW_BITS: u32 = ROWS.trailing_zeros();

/// Bits of the number of a segment, with its sign.
const SEGMENT_BITS: u32 = 63 - Gram::BITS;

/// How often all rows of a segment may be taken in before it is made anew.
const ROUNDS_MAX: u32 = 4;

/// Ids that the index can have; all others are found by reading.
pub(crate) const IDS: RangeInclusive<i64> = {
    let end = 1 << (SEGMENT_BITS - 1 + ROW_BITS);
    -end..=end - 1
};

/// 4096 rows with ids one after another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Segment(i64);

/// Where the row with an id of [`IDS`] lies.
pub(crate) fn place(id: i64) -> (Segment, u16) {
    let (segment, row) = split(id);
    (Segment(segment), row)
}

fn split(number: i64) -> (i64, u16) {
    let low = u16::try_from(number & i64::from(ROWS - 1)).unwrap_or(0);
    (number >> ROW_BITS, low)
}

impl Segment {
    pub(crate) fn id(self, row: u16) -> i64 {
        self.0 << ROW_BITS | i64::from(row)
    }

    fn ids(self) -> RangeInclusive<i64> {
        self.id(0)..=self.id(ROWS - 1)
    }

    /// Its unit, and which of the unit's it is.
    fn place(self) -> (Unit, u16) {
        let (unit, number) = split(self.0);
        (Unit(unit), number)
    }

    fn entry(self, gram: Gram) -> i64 {
        entry(self.0, gram)
    }
}

/// 4096 segments one after another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Unit(i64);

impl Unit {
    fn segment(self, number: u16) -> Segment {
        Segment(self.0 << ROW_BITS | i64::from(number))
    }

    /// Below zero, where those of segments are not.
    fn entry(self, gram: Gram) -> i64 {
        entry(self.0, gram) | i64::MIN
    }

    /// That of an entry.
    fn of(entry: i64) -> Self {
        let number = (entry & i64::MAX) >> Gram::BITS;
        Unit(number - (1 << (SEGMENT_BITS - 1)))
    }
}

/// The key of an entry, from zero on.
fn entry(number: i64, gram: Gram) -> i64 {
    let number = number + (1 << (SEGMENT_BITS - 1));
    number << Gram::BITS | i64::from(gram.number())
}

/// Asks an index for rows.
pub(crate) struct SearchIndex<'c> {
    sets: CachedStatement<'c>,
    next: CachedStatement<'c>,
    wanted: Vec<RangeInclusive<Gram>>,
    /// Whether `wanted` begins with what few rows have.
    is_sorted: bool,
}

impl<'c> SearchIndex<'c> {
    /// Candidates of a segment that are so few that comparing their texts is less work than
    /// looking for more grams.
    const FEW: usize = 4;

    /// The same where one more gram has ruled out none of them, so that they have the text, most
    /// likely: so many times more.
    const TIMES_FEW_UNCHANGED: usize = 4;

    /// `wanted`: a candidate has a gram of each range.
    pub(crate) fn new(
        connection: &'c Connection,
        resource: &Resource,
        wanted: Vec<RangeInclusive<Gram>>,
    ) -> rusqlite::Result<Self> {
        let mut sets = select(resource, "rows");
        sets.push("BETWEEN ? AND ?");
        let mut next = select(resource, "id");
        next.push(">= ? ORDER BY id LIMIT 1");
        Ok(Self {
            sets: prepared(connection, &sets)?,
            next: prepared(connection, &next)?,
            wanted,
            is_sorted: false,
        })
    }

    /// The segments that may have candidates, in ascending order.
    pub(crate) fn segments(&mut self) -> rusqlite::Result<Vec<Segment>> {
        let mut segments = Vec::new();
        let mut from = i64::MIN;
        while let Some(entry) = self.next_entry(from)?.filter(|entry| *entry < 0) {
            let unit = Unit::of(entry);
            let numbers = self.all_of(|gram| unit.entry(gram), 0)?;
            segments.extend(numbers.iter().map(|number| unit.segment(number)));
            from = Unit(unit.0 + 1).entry(Gram::NONE);
        }
        Ok(segments)
    }

    /// The rows of a segment that may have the text.
    pub(crate) fn rows(&mut self, segment: Segment) -> rusqlite::Result<RowSet> {
        if !self.is_sorted {
            self.sort(segment)?;
        }
        self.all_of(|gram| segment.entry(gram), Self::FEW)
    }

    /// Puts first what few rows of a segment have, if it has any of them.
    fn sort(&mut self, segment: Segment) -> rusqlite::Result<()> {
        let mut wanted = Vec::new();
        for range in self.wanted.clone() {
            let rows = self.any_of(&range, |gram| segment.entry(gram))?.len();
            self.is_sorted |= rows > 0;
            wanted.push((rows, range));
        }
        wanted.sort_by_key(|(rows, _)| *rows);
        self.wanted = wanted.into_iter().map(|(_, range)| range).collect();
        Ok(())
    }

    /// What has a gram of each range, or of some ranges where that is few already.
    fn all_of(&mut self, entry: impl Fn(Gram) -> i64, few: usize) -> rusqlite::Result<RowSet> {
        let mut all: Option<RowSet> = None;
        for position in 0..self.wanted.len() {
            if all.as_ref().is_some_and(|all| all.len() <= few) {
                break;
            }
            let range = self.wanted[position].clone();
            let set = self.any_of(&range, &entry)?;
            match &mut all {
                None => all = Some(set),
                Some(all) => {
                    let before = all.len();
                    all.keep(&set);
                    if all.len() == before && before <= few * Self::TIMES_FEW_UNCHANGED {
                        break;
                    }
                }
            }
        }
        Ok(all.unwrap_or(RowSet::EMPTY))
    }

    /// What has a gram of a range.
    fn any_of(
        &mut self,
        range: &RangeInclusive<Gram>,
        entry: impl Fn(Gram) -> i64,
    ) -> rusqlite::Result<RowSet> {
        self.sets.raw_bind_parameter(1, entry(*range.start()))?;
        self.sets.raw_bind_parameter(2, entry(*range.end()))?;
        let mut any = RowSet::EMPTY;
        let mut rows = self.sets.raw_query();
        while let Some(row) = rows.next()? {
            any.add(&set(row)?);
        }
        Ok(any)
    }

    fn next_entry(&mut self, from: i64) -> rusqlite::Result<Option<i64>> {
        self.next.raw_bind_parameter(1, from)?;
        let mut rows = self.next.raw_query();
        rows.next()?.map(|row| row.get(0)).transpose()
    }
}

/// The set of an entry, its only column.
fn set(row: &Row<'_>) -> rusqlite::Result<RowSet> {
    Ok(match row.get_ref(0)? {
        ValueRef::Blob(bytes) => RowSet::decode(bytes),
        // No blob: damaged as well.
        ValueRef::Null | ValueRef::Integer(_) | ValueRef::Real(_) | ValueRef::Text(_) => {
            RowSet::decode(&[0])
        }
    })
}

fn select(resource: &Resource, column: &'static str) -> Statement {
    let mut sql = Statement::new(Dialect::Sqlite, "SELECT ");
    sql.push(column)
        .push(" FROM ")
        .name_with(&resource.name, "__search")
        .push(" WHERE id ");
    sql
}

/// Takes rows into an index. The caller has a transaction open.
pub(crate) struct Taker<'c> {
    connection: &'c Connection,
    resource: &'c Resource,
    set: CachedStatement<'c>,
    insert: CachedStatement<'c>,
    update: CachedStatement<'c>,
    segment: Option<Segment>,
    /// What the rows of the segment have.
    grams: HashMap<Gram, Vec<u16>, RandomState>,
    rows: u32,
}

impl<'c> Taker<'c> {
    pub(crate) fn new(
        connection: &'c Connection,
        resource: &'c Resource,
    ) -> rusqlite::Result<Self> {
        let mut set = select(resource, "rows");
        set.push("= ?");
        // `INSERT OR REPLACE` would keep a copy of each page that it changes.
        let mut insert = Statement::new(Dialect::Sqlite, "INSERT INTO ");
        insert
            .name_with(&resource.name, "__search")
            .push(" (rows, id) VALUES (?, ?)");
        let mut update = Statement::new(Dialect::Sqlite, "UPDATE ");
        update
            .name_with(&resource.name, "__search")
            .push(" SET rows = ? WHERE id = ?");
        Ok(Self {
            connection,
            resource,
            set: prepared(connection, &set)?,
            insert: prepared(connection, &insert)?,
            update: prepared(connection, &update)?,
            segment: None,
            grams: HashMap::default(),
            rows: 0,
        })
    }

    /// Takes in the rows of a statement: id and texts of each, by ascending ids.
    pub(crate) fn take(&mut self, texts: &Statement) -> rusqlite::Result<()> {
        let mut statement = prepared(self.connection, texts)?;
        let columns = statement.column_count();
        let mut rows = statement.raw_query();
        while let Some(row) = rows.next()? {
            let id: i64 = row.get(0)?;
            if !IDS.contains(&id) {
                continue;
            }
            let (segment, number) = place(id);
            if self.segment != Some(segment) {
                self.put()?;
                self.segment = Some(segment);
            }
            self.rows += 1;
            for column in 1..columns {
                if let ValueRef::Text(text) = row.get_ref(column)? {
                    self.note(number, valid(text));
                }
            }
        }
        self.put()
    }

    fn note(&mut self, number: u16, text: &str) {
        for gram in grams(&fold(text)) {
            let rows = self.grams.entry(gram).or_default();
            if rows.last() != Some(&number) {
                rows.push(number);
            }
        }
    }

    /// Adds what was noted to the entries of its segment.
    fn put(&mut self) -> rusqlite::Result<()> {
        let Some(segment) = self.segment.take() else {
            return Ok(());
        };
        let rows = std::mem::take(&mut self.rows);
        let mut before = self.taken(segment)?;
        if before.unwrap_or(0).saturating_add(rows) > u32::from(ROWS) * ROUNDS_MAX {
            self.forget(segment)?;
            if rows < u32::from(ROWS) {
                self.grams.clear();
                return self.take(&texts_of(self.resource, segment));
            }
            before = None;
        }
        let taken = before.unwrap_or(0).saturating_add(rows);
        let count = segment.entry(Gram::NONE);
        self.write(count, &taken.to_le_bytes(), before.is_none())?;
        let (unit, number) = segment.place();
        // By key, so that neighbours are written together.
        let mut grams: Vec<(Gram, Vec<u16>)> = self.grams.drain().collect();
        grams.sort_unstable_by_key(|(gram, _)| *gram);
        for (gram, rows) in grams {
            let is_new = self.add(segment.entry(gram), rows.into_iter().collect())?;
            if is_new {
                self.add(unit.entry(gram), RowSet::from_iter([number]))?;
            }
        }
        Ok(())
    }

    /// Adds to the set of an entry. True if there was no such entry.
    fn add(&mut self, entry: i64, mut rows: RowSet) -> rusqlite::Result<bool> {
        let old = self.set.query_row([entry], set).optional()?;
        if let Some(old) = &old {
            rows.add(old);
        }
        if old.as_ref() != Some(&rows) {
            self.write(entry, &rows.encode(), old.is_none())?;
        }
        Ok(old.is_none())
    }

    fn write(&mut self, entry: i64, rows: &[u8], is_new: bool) -> rusqlite::Result<()> {
        let statement = match is_new {
            true => &mut self.insert,
            false => &mut self.update,
        };
        statement.execute((rows, entry)).map(drop)
    }

    /// Takes out the entries of a segment.
    fn forget(&mut self, segment: Segment) -> rusqlite::Result<()> {
        let mut sql = Statement::new(Dialect::Sqlite, "DELETE FROM ");
        sql.name_with(&self.resource.name, "__search")
            .push(" WHERE id BETWEEN ")
            .bind(segment.entry(Gram::NONE))
            .push(" AND ")
            .bind(Segment(segment.0 + 1).entry(Gram::NONE) - 1);
        run(self.connection, &sql).map(drop)
    }

    /// How many rows were taken into a segment since it was made, if it was: four bytes,
    /// little-endian, where the gram that no text has would be.
    fn taken(&mut self, segment: Segment) -> rusqlite::Result<Option<u32>> {
        let bytes = self
            .set
            .query_row([segment.entry(Gram::NONE)], |row| row.get(0));
        Ok(bytes.optional()?.map(u32::from_le_bytes))
    }
}

/// How many rows neither wait for an index nor lie in a segment that was taken into it.
pub(crate) fn count_unknown(
    table: &Identifier,
    index: &Identifier,
    pending: &Identifier,
) -> Statement {
    let mut sql = Statement::new(Dialect::Sqlite, "SELECT count(*) FROM ");
    sql.identifier(table).push(" WHERE _rowid_ BETWEEN ");
    sql.bind(*IDS.start()).push(" AND ").bind(*IDS.end());
    sql.push(" AND _rowid_ NOT IN (SELECT id FROM ")
        .identifier(pending);
    sql.push(") AND _rowid_ >> ")
        .bind(i64::from(ROW_BITS))
        .push(" NOT IN (SELECT (id >> ")
        .bind(i64::from(Gram::BITS));
    sql.push(") - ")
        .bind(1_i64 << (SEGMENT_BITS - 1))
        .push(" FROM ")
        .identifier(index);
    sql.push(" WHERE id >= 0 AND id & ")
        .bind((1_i64 << Gram::BITS) - 1)
        .push(" = 0)");
    sql
}

/// `SELECT id, texts FROM table WHERE id`
pub(crate) fn texts(resource: &Resource) -> Statement {
    let mut sql = Statement::new(Dialect::Sqlite, "SELECT ");
    table::id(&mut sql, resource);
    for &field in &resource.search {
        sql.push(", ").name(&resource.fields[field].name);
    }
    sql.push(" FROM ").name(&resource.name).push(" WHERE ");
    table::id(&mut sql, resource);
    sql
}

/// The texts of all rows of a segment.
fn texts_of(resource: &Resource, segment: Segment) -> Statement {
    let mut sql = texts(resource);
    sql.push(" BETWEEN ").bind(*segment.ids().start());
    sql.push(" AND ").bind(*segment.ids().end());
    by_id(&mut sql, resource);
    sql
}

pub(crate) fn by_id(sql: &mut Statement, resource: &Resource) {
    sql.push(" ORDER BY ");
    table::id(sql, resource);
}
