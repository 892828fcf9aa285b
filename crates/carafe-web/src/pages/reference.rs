//! What references lead to, in words: headings beside keys, and the choices of a select.

use std::sync::atomic::Ordering;

use carafe_model::key::Key;
use carafe_model::kind::{Choice, Kind, Reference};
use carafe_model::query::{Filter, IN_MAX, Query, Test};
use carafe_model::record::Record;
use carafe_model::resource::{Column, Order, Resource};
use carafe_model::value::Row;

use crate::form::is_editable;
use crate::pages::form::Options;
use crate::pages::view::{Headings, heading};
use crate::pages::visit::Visit;

/// The most records that a reference can choose from in a select; where there are more, the
/// key is typed.
pub const SELECT_MAX: u64 = 100;

fn references(resource: &Resource) -> impl Iterator<Item = (usize, &Reference)> {
    let fields = resource.fields.iter().enumerate();
    fields.filter_map(|(position, field)| match &field.kind {
        Kind::Reference(reference) => Some((position, reference)),
        _ => None,
    })
}

/// The headings of the records that `records` refer to: one query for each reference field.
/// Those that cannot be read are shown by their keys.
pub(super) async fn headings(
    visit: &Visit<'_>,
    resource: &Resource,
    records: &[Record],
) -> Headings {
    let mut headings = Headings::new();
    for (position, reference) in references(resource) {
        let to = &visit.site.links.schema.resources[reference.index];
        let mut keys: Vec<Key> = records
            .iter()
            .filter(|record| !record.values[position].is_null())
            .map(|record| Key::from_cell(record.values[position].as_cell()))
            .filter(|key| !headings.contains_key(&(to.index, key.clone())))
            .collect();
        keys.sort_unstable();
        keys.dedup();
        for keys in keys.chunks(IN_MAX) {
            let mut query = plain_query(&to.order, IN_MAX as u64);
            query.filters.push(Filter {
                column: Column::Key,
                test: Test::In(keys.iter().map(Key::to_value).collect()),
            });
            let (found, _) = read_headings(visit, to, &query).await;
            let found = found.into_iter().map(|(key, text)| ((to.index, key), text));
            headings.extend(found);
        }
    }
    headings
}

/// What the reference fields of a form can choose from, where it is little.
pub(super) async fn options(visit: &Visit<'_>, resource: &Resource) -> Options {
    let mut options = Options::new();
    for (position, reference) in references(resource) {
        if !is_editable(resource, position) {
            continue;
        }
        let to = &visit.site.links.schema.resources[reference.index];
        let order = to.pages.as_ref().map_or(&to.order, |pages| &pages.order);
        let (found, total) = read_headings(visit, to, &plain_query(order, SELECT_MAX)).await;
        if total.is_some_and(|total| total <= SELECT_MAX) {
            let choices = found.into_iter().map(|(key, label)| Choice {
                value: key.to_string(),
                label,
            });
            options.insert(position, choices.collect());
        }
    }
    options
}

/// Keys and headings of the records that `query` finds, and how many there are in all; `None`
/// where they cannot be read, which takes nothing from the page but the headings.
pub(super) async fn read_headings(
    visit: &Visit<'_>,
    resource: &Resource,
    query: &Query,
) -> (Vec<(Key, String)>, Option<u64>) {
    let mut found = Vec::new();
    let service = &visit.call.app.service;
    let total = service
        .list(&visit.call.actor, resource, query, &mut |row: &dyn Row| {
            let record = Record::from_row(resource, row);
            let text = heading(resource, &record);
            found.push((record.key, text));
        })
        .await;
    if total.is_err() {
        visit.lacks_something.store(true, Ordering::Relaxed);
    }
    (found, total.ok().map(|total| total.count))
}

/// All records in `order`, `per_page` of them.
pub(super) fn plain_query(order: &[Order], per_page: u64) -> Query {
    Query {
        per_page,
        ..Query::all(order)
    }
}
