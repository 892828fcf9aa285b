//! Substring search: what the index finds, and the rows that wait for it, are compared with the
//! text, so that an answer is exact at every moment.
//!
//! Where the order is that of the ids, candidates are compared from one end on, until the page
//! is full and enough is counted. Else all candidates are compared and sorted, or, where they
//! are many, the records are walked in order and the candidates among them compared.

use std::collections::{BTreeMap, HashMap};

use carafe_model::cursor::Cursor;
use carafe_model::query::{Query, Total};
use carafe_model::record::Record;
use carafe_model::resource::{Order, Resource};
use carafe_model::value::Value;
use rusqlite::{CachedStatement, Connection};

use crate::dialect::Dialect;
use crate::error::Result;
use crate::select;
use crate::sqlite::connection::prepared;
use crate::sqlite::gram;
use crate::sqlite::read;
use crate::sqlite::row::{SqliteRow, to_record};
use crate::sqlite::row_set::{ROWS, RowSet};
use crate::sqlite::search_index::{IDS, SearchIndex, Segment, place};
use crate::statement::Statement;
use crate::store::Scope;
use crate::table;

/// How many rows can be walked over while a candidate is fetched and compared.
const ROWS_PER_FETCH: u64 = 10;

/// How many rows can be walked over while one is read and sorted, where no index has the order.
const ROWS_PER_SORT: u64 = 4;

/// Reads a page of the live records that match a query with a search, and counts them. The
/// caller has a transaction open, so that both are of one snapshot.
pub(crate) fn page(
    connection: &Connection,
    resource: &Resource,
    query: &Query,
    folded: &str,
) -> Result<(Vec<Record>, Total)> {
    if has_far_ids(connection, resource)? {
        return scan(connection, resource, Scope::Live, query);
    }
    let mut candidates = Candidates::new(connection, resource, folded)?;
    let hits = Hits::new(query);
    let hits = match *query.order.as_slice() {
        [first, ..] if query.filters.is_empty() && table::is_id(resource, first.column) => {
            let has_text = HasText::new(connection, resource, folded)?;
            in_id_order(&mut candidates, has_text, first, query, hits)?
        }
        _ => match candidates.all(resource, query, hits.end)? {
            All::Few(ids) => sort(connection, resource, &ids, query, hits)?,
            All::Many(sets) => {
                let has_text = HasText::new(connection, resource, folded)?;
                walk(connection, resource, &sets, has_text, query, hits)?
            }
        },
    };
    let statement = select::by_ids(resource, query, &json(&hits.page));
    let records = records(connection, resource, &statement)?;
    Ok((records, Total::counted(query, hits.count)))
}

/// Reads a page and counts by reading every row.
pub(crate) fn scan(
    connection: &Connection,
    resource: &Resource,
    scope: Scope,
    query: &Query,
) -> Result<(Vec<Record>, Total)> {
    let total = match &query.cursor {
        Some(_) => 0,
        None => read::count(
            connection,
            &select::count(Dialect::Sqlite, resource, scope, query),
        )?,
    };
    let records = records(
        connection,
        resource,
        &select::page(Dialect::Sqlite, resource, scope, query),
    )?;
    Ok((records, Total::counted(query, total)))
}

/// Whether there are rows that the index cannot have.
fn has_far_ids(connection: &Connection, resource: &Resource) -> Result<bool> {
    let mut sql = Statement::new(Dialect::Sqlite, "SELECT min(");
    table::id(&mut sql, resource);
    sql.push(") FROM ").name(&resource.name);
    sql.push(" UNION ALL SELECT max(");
    table::id(&mut sql, resource);
    sql.push(") FROM ").name(&resource.name);
    let mut statement = prepared(connection, &sql)?;
    let mut rows = statement.raw_query();
    while let Some(row) = rows.next()? {
        if row
            .get::<_, Option<i64>>(0)?
            .is_some_and(|id| !IDS.contains(&id))
        {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Rows that may have a text: what the index finds, and what waits for it.
struct Candidates<'c> {
    index: SearchIndex<'c>,
    pending: BTreeMap<Segment, RowSet>,
}

/// All candidates.
enum All {
    /// So few that fetching all of them is less work than walking the records in order.
    Few(Vec<i64>),
    Many(HashMap<Segment, RowSet>),
}

impl<'c> Candidates<'c> {
    fn new(connection: &'c Connection, resource: &Resource, folded: &str) -> Result<Self> {
        let mut sql = Statement::new(Dialect::Sqlite, "SELECT id FROM ");
        sql.name_with(&resource.name, "__pending");
        let mut pending = BTreeMap::new();
        let mut statement = prepared(connection, &sql)?;
        let mut rows = statement.raw_query();
        while let Some(row) = rows.next()? {
            let (segment, number) = place(row.get(0)?);
            let waiting = pending.entry(segment).or_insert(RowSet::EMPTY);
            waiting.insert(number);
        }
        Ok(Self {
            index: SearchIndex::new(connection, resource, gram::wanted(folded))?,
            pending,
        })
    }

    /// In ascending order.
    fn segments(&mut self) -> Result<Vec<Segment>> {
        let mut segments = self.index.segments()?;
        segments.extend(self.pending.keys());
        segments.sort_unstable();
        segments.dedup();
        Ok(segments)
    }

    fn rows(&mut self, segment: Segment) -> Result<RowSet> {
        let mut rows = self.index.rows(segment)?;
        if let Some(pending) = self.pending.get(&segment) {
            rows.add(pending);
        }
        Ok(rows)
    }

    /// `hits`: how many are looked for.
    fn all(&mut self, resource: &Resource, query: &Query, hits: u64) -> Result<All> {
        let (mut rows, mut count) = (0, 0);
        let mut sets = HashMap::new();
        for segment in self.segments()? {
            let set = self.rows(segment)?;
            rows += u64::from(ROWS);
            count += set.len() as u64;
            sets.insert(segment, set);
        }
        let order = query.order.first();
        let walked = match order.is_some_and(|step| table::leads_an_index(resource, step.column)) {
            true => hits.saturating_mul(rows / count.max(1)).min(rows),
            false => rows * ROWS_PER_SORT,
        };
        if count.saturating_mul(ROWS_PER_FETCH) > walked {
            return Ok(All::Many(sets));
        }
        let ids = |(segment, rows): (&Segment, &RowSet)| {
            let segment = *segment;
            let ids = rows.iter().map(move |row| segment.id(row));
            ids.collect::<Vec<i64>>()
        };
        Ok(All::Few(sets.iter().flat_map(ids).collect()))
    }
}

/// Compares rows with a text.
struct HasText<'c>(CachedStatement<'c>);

impl<'c> HasText<'c> {
    fn new(connection: &'c Connection, resource: &Resource, folded: &str) -> Result<Self> {
        let statement = select::has_text(resource, folded);
        Ok(Self(prepared(connection, &statement)?))
    }

    /// Whether a row is live and has the text.
    fn test(&mut self, id: i64) -> Result<bool> {
        self.0.raw_bind_parameter(select::HAS_TEXT_ID, id)?;
        Ok(self.0.raw_query().next()?.is_some())
    }
}

/// The hits of a query, which come in its order.
struct Hits {
    /// The ids of its page.
    page: Vec<i64>,
    count: u64,
    offset: u64,
    page_end: u64,
    /// What is counted at most, and one more.
    end: u64,
}

impl Hits {
    fn new(query: &Query) -> Self {
        let page_end = query.offset().saturating_add(query.per_page);
        Self {
            page: Vec::new(),
            count: 0,
            offset: query.offset(),
            page_end,
            end: match query.cursor {
                Some(_) => page_end,
                None => query.counted_max().map_or(u64::MAX, |max| max + 1),
            },
        }
    }

    fn is_complete(&self) -> bool {
        self.count >= self.end
    }

    fn add(&mut self, id: i64) {
        if (self.offset..self.page_end).contains(&self.count) {
            self.page.push(id);
        }
        self.count += 1;
    }
}

fn in_id_order(
    candidates: &mut Candidates<'_>,
    mut has_text: HasText<'_>,
    order: Order,
    query: &Query,
    mut hits: Hits,
) -> Result<Hits> {
    let behind = match &query.cursor {
        Some(Cursor::After(values)) => match values.first() {
            Some(Value::Integer(id)) => Some(*id),
            _ => None,
        },
        Some(Cursor::Start | Cursor::Token(_)) | None => None,
    };
    let is_passed = |id: i64| match behind {
        Some(last) if order.descending => id >= last,
        Some(last) => id <= last,
        None => false,
    };
    let mut segments = candidates.segments()?;
    if order.descending {
        segments.reverse();
    }
    for segment in segments {
        // Its last row in this order.
        let last = segment.id(if order.descending { 0 } else { ROWS - 1 });
        if is_passed(last) {
            continue;
        }
        let rows = candidates.rows(segment)?;
        let mut rows = rows.iter();
        while let Some(row) = if order.descending {
            rows.next_back()
        } else {
            rows.next()
        } {
            let id = segment.id(row);
            if !is_passed(id) && has_text.test(id)? {
                hits.add(id);
                if hits.is_complete() {
                    return Ok(hits);
                }
            }
        }
    }
    Ok(hits)
}

/// Compares all candidates, and sorts those that match.
fn sort(
    connection: &Connection,
    resource: &Resource,
    candidates: &[i64],
    query: &Query,
    mut hits: Hits,
) -> Result<Hits> {
    let statement = select::matching(resource, query, &json(candidates));
    let mut statement = prepared(connection, &statement)?;
    let mut rows = statement.raw_query();
    while !hits.is_complete()
        && let Some(row) = rows.next()?
    {
        hits.add(row.get(0)?);
    }
    Ok(hits)
}

/// Walks the records that pass the filters, in order.
fn walk(
    connection: &Connection,
    resource: &Resource,
    candidates: &HashMap<Segment, RowSet>,
    mut has_text: HasText<'_>,
    query: &Query,
    mut hits: Hits,
) -> Result<Hits> {
    let mut statement = prepared(connection, &select::ids(resource, query))?;
    let mut rows = statement.raw_query();
    while !hits.is_complete()
        && let Some(row) = rows.next()?
    {
        let id = row.get(0)?;
        let (segment, number) = place(id);
        let is_candidate = candidates
            .get(&segment)
            .is_some_and(|rows| rows.contains(number));
        if is_candidate && has_text.test(id)? {
            hits.add(id);
        }
    }
    Ok(hits)
}

pub(crate) fn records(
    connection: &Connection,
    resource: &Resource,
    statement: &Statement,
) -> Result<Vec<Record>> {
    let mut statement = prepared(connection, statement)?;
    let mut rows = statement.raw_query();
    let mut records = Vec::new();
    while let Some(row) = rows.next()? {
        records.push(to_record(resource, &SqliteRow(row)));
    }
    Ok(records)
}

/// `[1,2,3]`
fn json(ids: &[i64]) -> String {
    let ids: Vec<String> = ids.iter().map(i64::to_string).collect();
    format!("[{}]", ids.join(","))
}
