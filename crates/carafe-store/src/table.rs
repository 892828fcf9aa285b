//! How a resource lies in its table: the names of its columns and what makes a row live.

use carafe_model::field::Field;
use carafe_model::key::KeyKind;
use carafe_model::kind::Kind;
use carafe_model::resource::{Column, Delete, Order, Resource};

use crate::statement::Statement;
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
pub(crate) fn row(sql: &mut Statement, resource: &Resource) {
    sql.name(&resource.key.field).push(", _version, ");
    id(sql, resource);
    sql.push(match resource.delete {
        Delete::Soft => ", _deleted_at",
        Delete::Hard => ", NULL",
    });
    for field in &resource.fields {
        sql.push(", ").name(&field.name);
    }
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

/// Whether a column is the database's own number of the row.
pub(crate) fn is_id(resource: &Resource, column: Column) -> bool {
    column == Column::Key && resource.key.kind == KeyKind::Integer
}

/// The type of a field's column in a STRICT table.
pub(crate) fn storage(field: &Field) -> &'static str {
    match &field.kind {
        Kind::Boolean | Kind::Integer | Kind::Decimal { .. } => "INTEGER",
        Kind::Number => "REAL",
        Kind::Reference(reference) if reference.key == KeyKind::Integer => "INTEGER",
        Kind::String
        | Kind::Text
        | Kind::Date
        | Kind::Datetime
        | Kind::Email
        | Kind::Url
        | Kind::Uuid
        | Kind::Choice(_)
        | Kind::Reference(_)
        | Kind::Password
        | Kind::Json => "TEXT",
    }
}
