//! What is known of every request before it comes: the texts of its statements.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use carafe_model::cursor::Cursor;
use carafe_model::key::KeyKind;
use carafe_model::query::Query;
use carafe_model::resource::{Order, Resource};
use carafe_model::schema::Schema;

use crate::dialect::Dialect;
use crate::select;
use crate::sqlite::ranks::{NEAR, Ranks};
use crate::statement::Text;
use crate::store::Scope;
use crate::table;
use crate::write::{self, InsertMany};

/// The compiled statements of a schema.
pub(crate) struct Plans {
    pub(crate) schema: Arc<Schema>,
    resources: Vec<Plan>,
}

/// The compiled statements of a resource.
pub(crate) struct Plan {
    pub(crate) one_live: Text,
    pub(crate) one_deleted: Text,
    /// For PostgreSQL, where readings of one record that meet are made together.
    pub(crate) many_live: Option<Text>,
    pub(crate) insert: Text,
    /// For PostgreSQL, where records that are made at once are inserted together.
    pub(crate) insert_many: Option<Arc<InsertMany>>,
    walks: Vec<Walk>,
}

/// The pages of all live records in an order that has an index.
pub(crate) struct Walk {
    order: Vec<Order>,
    pub(crate) first_page: Text,
    pub(crate) deep_page: Text,
    pub(crate) through_table: Option<ThroughTable>,
    /// Where pages far from the first start, in SQLite and in an order that allows it.
    ranks: Option<Ranks>,
}

/// The first page as the table has it, in SQLite: quicker while few rows there are deleted ones.
pub(crate) struct ThroughTable {
    pub(crate) first_page: Text,
    /// The deleted rows that were there the last time.
    deleted: AtomicU64,
}

/// Deleted rows that are passed over rather than left out by an index, some 5 µs.
const PASSED_OVER_MAX: u64 = 100;

impl ThroughTable {
    fn new(first_page: Text) -> Self {
        Self {
            first_page,
            deleted: AtomicU64::new(u64::MAX),
        }
    }

    /// Whether it is quicker than by the index, as far as is known.
    pub(crate) fn is_quick(&self) -> bool {
        is_quick_past(self.deleted.load(Ordering::Relaxed))
    }

    /// Keeps that it may have passed over many, for all that is known.
    pub(crate) fn was_slow(&self) {
        self.saw(u64::MAX);
    }

    /// Keeps how many deleted rows there are in a snapshot that was read, and returns whether it
    /// is quicker than by the index there, whatever other snapshots have.
    pub(crate) fn saw(&self, deleted: u64) -> bool {
        if self.deleted.load(Ordering::Relaxed) != deleted {
            self.deleted.store(deleted, Ordering::Relaxed);
        }
        is_quick_past(deleted)
    }
}

fn is_quick_past(deleted: u64) -> bool {
    deleted <= PASSED_OVER_MAX
}

impl Walk {
    /// The ranks to look a page up by, where it is too far to walk to.
    pub(crate) fn far_ranks(&self, query: &Query) -> Option<&Ranks> {
        self.ranks.as_ref().filter(|_| query.offset() > NEAR)
    }
}

impl Plans {
    pub(crate) fn new(dialect: Dialect, schema: &Arc<Schema>) -> Self {
        let resources = schema
            .resources
            .iter()
            .map(|resource| Plan::new(dialect, resource))
            .collect();
        Self {
            schema: Arc::clone(schema),
            resources,
        }
    }

    /// The walk that a query is, where it asks for a page of all live records in a declared order.
    pub(crate) fn walk(&self, resource: &Resource, scope: Scope, query: &Query) -> Option<&Walk> {
        let is_plain = scope == Scope::Live
            && query.filters.is_empty()
            && query.search.is_none()
            && !matches!(query.cursor, Some(Cursor::After(_)));
        let plan = self.of(resource);
        plan.walk(&query.order).filter(|_| is_plain)
    }

    pub(crate) fn of(&self, resource: &Resource) -> &Plan {
        &self.resources[resource.index]
    }
}

impl Plan {
    fn new(dialect: Dialect, resource: &Resource) -> Self {
        let orders = table::indexed_orders(resource).into_iter();
        let walks = orders
            .flat_map(|order| [order.to_vec(), table::reversed(order)])
            .map(|order| Walk {
                first_page: select::first_page(dialect, resource, &order).into_text(),
                deep_page: select::deep_page(dialect, resource, &order).into_text(),
                through_table: select::first_page_through_table(dialect, resource, &order)
                    .map(|page| ThroughTable::new(page.into_text())),
                ranks: match dialect {
                    Dialect::Sqlite => Ranks::new(resource, &order),
                    Dialect::Postgres => None,
                },
                order,
            });
        Self {
            one_live: select::one(dialect, resource, Scope::Live).into_text(),
            one_deleted: select::one(dialect, resource, Scope::Deleted).into_text(),
            many_live: (dialect == Dialect::Postgres).then(|| select::many(resource).into_text()),
            insert: write::insert(dialect, resource).into_text(),
            insert_many: insert_many(dialect, resource).map(Arc::new),
            walks: walks.collect(),
        }
    }

    /// The walk for an order, if it is one of those that were declared or the reverse of one.
    fn walk(&self, order: &[Order]) -> Option<&Walk> {
        self.walks.iter().find(|walk| walk.order == order)
    }
}

/// Not where one row can be in another's way: all would be refused, or wait for each other.
fn insert_many(dialect: Dialect, resource: &Resource) -> Option<InsertMany> {
    let clashes = !resource.unique.is_empty() || resource.key.kind == KeyKind::String;
    let is_apt = dialect == Dialect::Postgres && !clashes && !resource.fields.is_empty();
    is_apt.then(|| InsertMany::new(resource))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_walked_while_few_are_known_to_be_deleted() {
        let page = ThroughTable::new(Text::from("SELECT"));
        assert!(!page.is_quick());
        for (deleted, is_quick) in [(0, true), (100, true), (101, false), (7, true)] {
            assert_eq!(page.saw(deleted), is_quick, "deleted: {deleted}");
            assert_eq!(page.is_quick(), is_quick, "deleted: {deleted}");
        }
        page.was_slow();
        assert!(!page.is_quick());
    }
}
