//! The columns of a list in a template.

use std::sync::Arc;

use carafe_model::kind::Kind;
use carafe_model::query::Query;
use carafe_model::resource::{Column, Pages, Resource};
use minijinja::value::{Enumerator, Object, Value};

use crate::link::Address;

/// A column: `name`, `label`, `class`, `sort_url` and `direction`.
#[derive(Debug)]
pub struct ColumnView {
    /// The position of the resource whose column it is.
    pub resource: usize,
    pub column: Column,
    name: String,
    label: String,
    /// The class of its cells, or nothing.
    pub class: &'static str,
    /// The address that sorts by it.
    sort_url: Option<String>,
    /// How the list is sorted by it, if it is.
    direction: Option<&'static str>,
}

impl Object for ColumnView {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        Some(match key {
            "name" => Value::from(self.name.as_str()),
            "label" => Value::from(self.label.as_str()),
            "class" => Value::from(self.class),
            "sort_url" => Value::from(self.sort_url.as_deref()),
            "direction" => Value::from(self.direction),
            _ => return None,
        })
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Str(&["class", "direction", "label", "name", "sort_url"])
    }
}

/// The columns of the list at `address` that `query` asks for.
pub(super) fn columns(
    address: Address<'_>,
    resource: &Resource,
    pages: &Pages,
    query: &Query,
) -> Value {
    let unsorted = address.open(&["page", "sort"]);
    let columns = pages.columns.iter().map(|&column| {
        let name = resource.column_name(column).as_str();
        let (label, class, is_sortable) = match column {
            Column::Key => (resource.key.field.to_label(), "", true),
            Column::Field(position) => {
                let field = &resource.fields[position];
                let is_sortable = field.kind.is_comparable();
                (field.label.clone(), class(&field.kind), is_sortable)
            }
        };
        let sorted = query.order.first().filter(|order| order.column == column);
        // The address sorts the other way round where the list is sorted by it already.
        let (direction, sign) = match sorted.map(|order| order.descending) {
            None => (None, ""),
            Some(false) => (Some("ascending"), "-"),
            Some(true) => (Some("descending"), ""),
        };
        Value::from_object(ColumnView {
            resource: resource.index,
            column,
            name: name.to_owned(),
            label,
            class,
            sort_url: is_sortable.then(|| [&unsorted, "sort=", sign, name].concat()),
            direction,
        })
    });
    columns.collect()
}

/// The class of what shows a value of this kind.
pub(super) fn class(kind: &Kind) -> &'static str {
    match kind {
        Kind::Text => "text",
        Kind::Integer | Kind::Number | Kind::Decimal { .. } => "number",
        Kind::String
        | Kind::Boolean
        | Kind::Date
        | Kind::Datetime
        | Kind::Email
        | Kind::Url
        | Kind::Uuid
        | Kind::Choice(_)
        | Kind::Reference(_)
        | Kind::Password
        | Kind::Json => "",
    }
}
