//! Statements on how many rows lie before others in an order: pure functions of a resource, for
//! SQLite.
//!
//! Ranks are counted from the end of an order that old rows are at, so that new ones, which come
//! at the other, change none.

use carafe_model::field::Set;
use carafe_model::resource::{Column, Order, Resource};

use crate::ddl;
use crate::dialect::Dialect;
use crate::select;
use crate::statement::Statement;
use crate::storage::Storage;
use crate::store::Scope;
use crate::table;

/// Whether rows are ranked in an order: not where its columns have different directions, so that
/// one comparison cannot say what lies behind a row, nor where every change of a record moves it.
pub(crate) fn is_ranked(resource: &Resource, order: &[Order]) -> bool {
    let moves = |column: Column| match column {
        Column::Key => false,
        Column::Field(position) => resource.fields[position].set == Some(Set::Update),
    };
    let order = ddl::up_to_key(order);
    order
        .iter()
        .all(|step| step.descending == order[0].descending && !moves(step.column))
}

/// The columns whose values are the places of rows in the orders that are ranked.
pub(crate) fn columns(resource: &Resource) -> Vec<Column> {
    let mut columns = vec![Column::Key];
    let orders = table::indexed_orders(resource).into_iter();
    let ranked = orders.filter(|order| is_ranked(resource, order));
    for step in ranked.flat_map(ddl::up_to_key) {
        if !columns.contains(&step.column) {
            columns.push(step.column);
        }
    }
    columns
}

/// How many live rows there are, and how often one has gone or moved.
pub(crate) fn counters(resource: &Resource) -> Statement {
    let mut sql = Statement::new(
        Dialect::Sqlite,
        "SELECT live, moved FROM _carafe_count WHERE resource = ",
    );
    sql.name_text(&resource.name);
    sql
}

/// The place of a row in an order, as many rows behind another place as the first parameter
/// says; that place is in the parameters after it. Without one: behind the first row.
pub(crate) fn hop(resource: &Resource, order: &[Order], from: From) -> Statement {
    let mut sql = Statement::new(Dialect::Sqlite, "SELECT ");
    columns_of(&mut sql, resource, order);
    from_rank(&mut sql, resource, order, from, 2);
    sql.push(" ORDER BY ");
    ascending(&mut sql, resource, order);
    sql.push(" LIMIT 1 OFFSET ").hole(1, Storage::Integer);
    sql
}

/// How many rows there are from a place on.
pub(crate) fn tail(resource: &Resource, order: &[Order]) -> Statement {
    let mut sql = Statement::new(Dialect::Sqlite, "SELECT count(*)");
    from_rank(&mut sql, resource, order, From::Place, 1);
    sql
}

/// Rows in an order, chosen by their ranks: limit, rows between a place and the first of them,
/// and the place.
pub(crate) fn page(resource: &Resource, order: &[Order], from: From) -> Statement {
    let mut sql = Statement::new(Dialect::Sqlite, "SELECT ");
    table::row(&mut sql, resource, Scope::Live);
    sql.push(" FROM ").name(&resource.name).push(" WHERE ");
    table::id(&mut sql, resource);
    sql.push(" IN (SELECT ");
    table::id(&mut sql, resource);
    from_rank(&mut sql, resource, order, from, 3);
    sql.push(" ORDER BY ");
    ascending(&mut sql, resource, order);
    sql.push(" LIMIT ")
        .hole(1, Storage::Integer)
        .push(" OFFSET ")
        .hole(2, Storage::Integer);
    sql.push(") ORDER BY ");
    table::order(&mut sql, resource, order);
    sql
}

/// Where ranks are counted from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum From {
    /// The first row.
    Start,
    /// A place, whose values are parameters. None of them is null.
    Place,
}

/// The live rows, those from a place on, whose values start at a parameter.
fn from_rank(
    sql: &mut Statement,
    resource: &Resource,
    order: &[Order],
    from: From,
    first_hole: usize,
) {
    select::from_live(sql, resource, order);
    if from == From::Start {
        return;
    }
    sql.push(" AND (");
    columns_of(sql, resource, order);
    sql.push(") >= (");
    for (position, step) in ddl::up_to_key(order).iter().enumerate() {
        sql.push(if position == 0 { "" } else { ", " });
        sql.hole(
            first_hole + position,
            Storage::of_column(resource, step.column),
        );
    }
    sql.push(")");
}

fn ascending(sql: &mut Statement, resource: &Resource, order: &[Order]) {
    let ascending = |step: &Order| Order {
        descending: false,
        ..*step
    };
    let order: Vec<Order> = ddl::up_to_key(order).iter().map(ascending).collect();
    table::order(sql, resource, &order);
}

fn columns_of(sql: &mut Statement, resource: &Resource, order: &[Order]) {
    for (position, step) in ddl::up_to_key(order).iter().enumerate() {
        sql.push(if position == 0 { "" } else { ", " });
        table::column(sql, resource, step.column);
    }
}

#[cfg(test)]
mod tests {
    use carafe_model::kind::Kind;
    use insta::assert_snapshot;

    use super::*;
    use crate::draft::{field, order, resource, schema};

    #[test]
    fn statements() {
        let fields = || vec![field("title", Kind::String), field("rank", Kind::Integer)];
        let schema = schema(vec![
            resource("notes", fields()).order(&["-rank"]),
            resource("tags", fields()).hard(),
        ]);
        let [notes, tags] = [&schema.resources[0], &schema.resources[1]];
        let texts = |resource: &Resource, order: &[Order]| {
            let statements = [
                hop(resource, order, From::Start),
                hop(resource, order, From::Place),
                tail(resource, order),
                page(resource, order, From::Start),
                page(resource, order, From::Place),
            ];
            statements.map(|sql| sql.text().to_owned()).join("\n")
        };
        assert_snapshot!(counters(notes).text(), @"SELECT live, moved FROM _carafe_count WHERE resource = 'notes'");
        assert_snapshot!(texts(notes, &notes.order), @r#"
        SELECT "rank", "id" FROM "notes" INDEXED BY "notes__by__-rank__-id" WHERE _deleted_at IS NULL ORDER BY "rank", "id" LIMIT 1 OFFSET ?1
        SELECT "rank", "id" FROM "notes" INDEXED BY "notes__by__-rank__-id" WHERE _deleted_at IS NULL AND ("rank", "id") >= (?2, ?3) ORDER BY "rank", "id" LIMIT 1 OFFSET ?1
        SELECT count(*) FROM "notes" INDEXED BY "notes__by__-rank__-id" WHERE _deleted_at IS NULL AND ("rank", "id") >= (?1, ?2)
        SELECT "id", _version, "id", NULL, "title", "rank" FROM "notes" WHERE "id" IN (SELECT "id" FROM "notes" INDEXED BY "notes__by__-rank__-id" WHERE _deleted_at IS NULL ORDER BY "rank", "id" LIMIT ?1 OFFSET ?2) ORDER BY "rank" DESC, "id" DESC
        SELECT "id", _version, "id", NULL, "title", "rank" FROM "notes" WHERE "id" IN (SELECT "id" FROM "notes" INDEXED BY "notes__by__-rank__-id" WHERE _deleted_at IS NULL AND ("rank", "id") >= (?3, ?4) ORDER BY "rank", "id" LIMIT ?1 OFFSET ?2) ORDER BY "rank" DESC, "id" DESC
        "#);
        assert_snapshot!(texts(tags, &order(tags, &["id"])), @r#"
        SELECT "id" FROM "tags" WHERE TRUE ORDER BY "id" LIMIT 1 OFFSET ?1
        SELECT "id" FROM "tags" WHERE TRUE AND ("id") >= (?2) ORDER BY "id" LIMIT 1 OFFSET ?1
        SELECT count(*) FROM "tags" WHERE TRUE AND ("id") >= (?1)
        SELECT "id", _version, "id", NULL, "title", "rank" FROM "tags" WHERE "id" IN (SELECT "id" FROM "tags" WHERE TRUE ORDER BY "id" LIMIT ?1 OFFSET ?2) ORDER BY "id"
        SELECT "id", _version, "id", NULL, "title", "rank" FROM "tags" WHERE "id" IN (SELECT "id" FROM "tags" WHERE TRUE AND ("id") >= (?3) ORDER BY "id" LIMIT ?1 OFFSET ?2) ORDER BY "id"
        "#);
    }

    #[test]
    fn rows_are_ranked_where_one_comparison_finds_those_behind_them() {
        let mut changed = field("changed_at", Kind::Datetime);
        changed.set = Some(Set::Update);
        let fields = vec![field("title", Kind::String), changed];
        let schema = schema(vec![
            resource("notes", fields)
                .order(&["-title", "-id"])
                .pages_order(&["-changed_at"]),
        ]);
        let notes = &schema.resources[0];
        let cases = [
            (vec!["id"], true),
            (vec!["-id", "title"], true),
            (vec!["-title"], true),
            (vec!["-title", "id"], false),
            (vec!["changed_at"], false),
        ];
        for (names, expected) in cases {
            let order = order(notes, &names);
            assert_eq!(is_ranked(notes, &order), expected, "order: {names:?}");
        }
        assert_eq!(columns(notes), [Column::Key, Column::Field(0)]);
    }
}
