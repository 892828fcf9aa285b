//! The schemas of a resource under the names that operations refer to them by.

use carafe_model::resource::{Delete, Lists, Pagination, Put, Resource};

use super::name::Names;
use super::schema::{self, Purpose, reference, typed};
use super::tree::{Json, Object};

/// The schemas of a resource, by the names of their components.
#[must_use]
pub(super) fn of(resource: &Resource, names: &Names) -> Vec<(String, Object)> {
    let name = &names.component;
    let mut components = Vec::new();
    let mut add = |name: String, schema: Object| components.push((name, schema));
    let soft = resource.delete == Delete::Soft;
    if soft {
        add(format!("{name}Restoration"), schema::restoration(resource));
    }
    if resource.members.is_some() {
        add(name.clone(), schema::document(resource));
        add(format!("{name}Value"), schema::member_value(resource));
        add(format!("{name}Patch"), schema::document_patch(resource));
        add(format!("{name}JsonPatch"), schema::document_json_patch());
        if soft {
            add(format!("Deleted{name}"), schema::deleted(resource, false));
            let items = reference(&format!("Deleted{name}"));
            add(format!("Deleted{name}List"), list_of(resource, items));
        }
    } else {
        add(name.clone(), schema::record(resource, true));
        add(format!("{name}Fields"), schema::record(resource, false));
        add(
            format!("New{name}"),
            schema::input(resource, Purpose::Create),
        );
        let put = match resource.put {
            Put::Replace | Put::Upsert => Purpose::Replace,
            Put::Merge => Purpose::Merge { empty: false },
        };
        add(format!("{name}Input"), schema::input(resource, put));
        add(
            format!("{name}Patch"),
            schema::input(resource, Purpose::Merge { empty: true }),
        );
        add(format!("{name}JsonPatch"), schema::patch(resource));
        let mut items = reference(&format!("{name}Fields"));
        if soft {
            add(format!("Deleted{name}"), schema::deleted(resource, false));
            let deleted = reference(&format!("Deleted{name}"));
            items = Object::new().with("anyOf", vec![items, deleted]);
        }
        add(format!("{name}List"), list_of(resource, items));
    }
    if resource.history {
        let record = match resource.members {
            Some(_) => reference(name),
            None => reference(&format!("{name}Fields")),
        };
        add(format!("{name}History"), history(record));
    }
    components
}

fn list_of(resource: &Resource, items: Object) -> Object {
    let records = Object::new().with("type", "array").with("items", items);
    if resource.lists == Lists::Array {
        return records;
    }
    let number = |least: i64| typed("integer", false).with("minimum", least);
    let flag = || typed("boolean", false);
    let mut members = vec![(resource.name.to_string(), records)];
    let mut add = |name: &str, schema: Object| members.push((name.to_owned(), schema));
    match resource.pagination {
        Pagination::Page => {
            add("total", number(0));
            add("pages", number(0));
            add("current_page", number(1));
            add("per_page", number(1));
            add("has_next", flag());
            add("has_prev", flag());
        }
        Pagination::Cursor => {
            add("per_page", number(1));
            add("has_next", flag());
            add("next", typed("string", true));
        }
    }
    let counts = resource.pagination == Pagination::Page && !resource.search.is_empty();
    let optional = counts.then(|| schema::not_exact("total_is_exact"));
    schema::object_with(members, optional.into_iter().collect())
}

fn history(record: Object) -> Object {
    let action = typed("string", false).with(
        "enum",
        Json::from(vec!["create", "update", "delete", "restore"]),
    );
    let version = schema::object_of(
        vec![
            (
                "version".to_owned(),
                typed("integer", false).with("minimum", 1_i64),
            ),
            (
                "at".to_owned(),
                typed("string", false).with("format", "date-time"),
            ),
            ("action".to_owned(), action),
            ("actor".to_owned(), typed("string", true)),
            ("record".to_owned(), record),
        ],
        true,
    );
    let versions = Object::new().with("type", "array").with("items", version);
    schema::object_of(vec![("history".to_owned(), versions)], true)
}
