//! How a resource lies in its table: the names of its columns and what makes a row live.

use carafe_model::key::KeyKind;
use carafe_model::kind::Kind;
use carafe_model::resource::{Column, Delete, Order, Resource};

use crate::dialect::Dialect;
use crate::statement::{Identifier, Parameter, Statement};
use crate::storage::Storage;
use crate::store::Scope;

/// The column with the database's own number of a row: an integer key, or `_id`.
pub(crate) fn id(sql: &mut Statement, resource: &Resource) {
    match resource.key.kind {
        KeyKind::Integer => sql.name(&resource.key.field),
        KeyKind::Uuid | KeyKind::String => sql.push("_id"),
    };
}

pub(crate) fn column(sql: &mut Statement, resource: &Resource, column: Column) {
    sql.name(resource.column_name(column));
}

/// Key, version, id, time of deletion, fields: as a [`Row`](carafe_model::value::Row) has them.
pub(crate) fn row(sql: &mut Statement, resource: &Resource, scope: Scope) {
    key(sql, resource);
    sql.push(", _version, ");
    id(sql, resource);
    sql.push(", ");
    match (resource.delete, scope) {
        (Delete::Soft, Scope::Deleted) => read(sql, Storage::Datetime, |sql| {
            sql.push("_deleted_at");
        }),
        (_, Scope::Live) | (Delete::Hard, Scope::Deleted) => {
            sql.push("NULL");
        }
    }
    for field in &resource.fields {
        sql.push(", ");
        read(sql, Storage::of(field), |sql| {
            sql.name(&field.name);
        });
    }
}

/// The key as it is in memory.
pub(crate) fn key(sql: &mut Statement, resource: &Resource) {
    read(sql, Storage::of_key(resource.key.kind), |sql| {
        sql.name(&resource.key.field);
    });
}

/// A column of a result. One that is converted gets a name that no column has: `ORDER BY` would
/// take it for the column else.
fn read(sql: &mut Statement, storage: Storage, expression: impl FnOnce(&mut Statement)) {
    storage.write_conversion(sql, expression);
    let converts = match storage {
        Storage::Decimal { .. } | Storage::Date | Storage::Datetime | Storage::Uuid => true,
        Storage::Boolean | Storage::Integer | Storage::Number | Storage::Text => false,
    };
    if converts && sql.dialect() == Dialect::Postgres {
        sql.push(" AS _");
    }
}

/// The id of a row, which an earlier statement of the same write may have made.
pub(crate) fn bind_id(sql: &mut Statement, resource: &Resource, id: Parameter) {
    match (sql.dialect(), id) {
        (Dialect::Postgres, Parameter::InsertedId) => {
            sql.push("currval('");
            sql.identifier(&sequence(sql.dialect(), resource));
            sql.push("')");
        }
        (_, id) => {
            sql.bind(id);
        }
    }
}

/// The sequence that gives PostgreSQL's rows their ids.
pub(crate) fn sequence(dialect: Dialect, resource: &Resource) -> Identifier {
    Identifier::new(dialect, &resource.name, "__id")
}

/// The column with the folded text of a row, which PostgreSQL searches.
pub(crate) fn has_search_column(dialect: Dialect, resource: &Resource) -> bool {
    dialect == Dialect::Postgres && !resource.search.is_empty()
}

/// The condition of a scope.
pub(crate) fn scope(sql: &mut Statement, resource: &Resource, scope: Scope) {
    sql.push(match (resource.delete, scope) {
        (Delete::Soft, Scope::Live) => "_deleted_at IS NULL",
        (Delete::Soft, Scope::Deleted) => "_deleted_at IS NOT NULL",
        (Delete::Hard, Scope::Live) => "TRUE",
        (Delete::Hard, Scope::Deleted) => "FALSE",
    });
}

/// ` AND _deleted_at IS NULL`, where rows can be deleted and still be there.
pub(crate) fn and_live(sql: &mut Statement, resource: &Resource) {
    if resource.delete == Delete::Soft {
        sql.push(" AND _deleted_at IS NULL");
    }
}

/// The columns of an order, `DESC` where it descends.
pub(crate) fn order(sql: &mut Statement, resource: &Resource, order: &[Order]) {
    for (position, step) in order.iter().enumerate() {
        if position > 0 {
            sql.push(", ");
        }
        column(sql, resource, step.column);
        if step.descending {
            sql.push(" DESC");
        }
        // SQLite's own way. Said only where a null can be, because an index that is made
        // without a word on nulls is not taken for an order that has one.
        if can_be_null(resource, step.column) && sql.dialect() == Dialect::Postgres {
            sql.push(if step.descending {
                " NULLS LAST"
            } else {
                " NULLS FIRST"
            });
        }
    }
}

pub(crate) fn can_be_null(resource: &Resource, column: Column) -> bool {
    match column {
        Column::Key => false,
        // A column that was added later is null in older rows, also where the server sets it.
        Column::Field(position) => {
            let field = &resource.fields[position];
            field.optional || field.set.is_some()
        }
    }
}

/// The same order walked from its end.
pub(crate) fn reversed(order: &[Order]) -> Vec<Order> {
    let turn = |step: &Order| Order {
        descending: !step.descending,
        ..*step
    };
    order.iter().map(turn).collect()
}

/// The orders that have an index: the declared one and that of the pages, without repeats.
pub(crate) fn indexed_orders(resource: &Resource) -> Vec<&[Order]> {
    let pages = resource.pages.as_ref().map(|pages| pages.order.as_slice());
    let mut orders: Vec<&[Order]> = Vec::new();
    for order in [Some(resource.order.as_slice()), pages]
        .into_iter()
        .flatten()
    {
        let known = |known: &&[Order]| *known == order || reversed(known) == order;
        if !order.is_empty() && !orders.iter().any(known) {
            orders.push(order);
        }
    }
    orders
}

/// Whether rows can be looked up or walked by a column: an index begins with it.
pub(crate) fn leads_an_index(resource: &Resource, column: Column) -> bool {
    let leads_an_order = |order: &&[Order]| order.first().is_some_and(|step| step.column == column);
    match column {
        Column::Key => true,
        Column::Field(position) => {
            let field = &resource.fields[position];
            field.index
                || matches!(field.kind, Kind::Reference(_))
                || resource.unique.iter().any(|set| set[0] == position)
                || indexed_orders(resource).iter().any(leads_an_order)
        }
    }
}

/// Whether a column is the database's own number of the row.
pub(crate) fn is_id(resource: &Resource, column: Column) -> bool {
    column == Column::Key && resource.key.kind == KeyKind::Integer
}
