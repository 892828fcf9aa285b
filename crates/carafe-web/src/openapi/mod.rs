//! The OpenAPI document (version 3.1.1) of an application: every operation, parameter, header
//! field, status and body that its API has.

mod bound;
mod component;
mod example;
mod name;
mod operation;
mod parameter;
mod response;
mod schema;
mod text;
pub mod tree;

use std::collections::BTreeSet;

use bytes::Bytes;
use carafe_model::schema::Schema;

use self::operation::{ALWAYS, Place};
use self::tree::{Json, Object};
use crate::condition::EntityTag;

/// The version of the specification that the document follows.
const VERSION: &str = "3.1.1";

/// The dialect of its schemas.
const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// The document of `schema`. `public_url` is the scheme and authority that clients see; without
/// one, addresses start from wherever the document is read.
#[must_use]
pub fn document(schema: &Schema, public_url: Option<&str>) -> Object {
    let names = name::of(schema);
    let mut paths = Object::new();
    let mut components = Object::new();
    for (index, prefix) in schema.prefixes.iter().enumerate() {
        for resource in &schema.resources {
            let place = Place {
                schema,
                resource,
                names: &names,
                prefix,
                suffix: suffix(prefix, index),
            };
            for (path, item) in place.paths() {
                paths.set(path, item);
            }
        }
    }
    for resource in &schema.resources {
        for (name, component) in component::of(resource, &names[resource.index]) {
            components.set(name, component);
        }
    }
    for (name, component) in response::schemas() {
        components.set(name, component);
    }
    let statuses = statuses_of(&paths);
    let tags = schema.resources.iter().map(|resource| {
        Object::new()
            .with("name", resource.label_plural.clone())
            .with("description", format!("The resource `{}`.", resource.name))
    });
    let server = Object::new().with("url", public_url.unwrap_or("/").to_owned());
    let components = Object::new()
        .with("schemas", components)
        .with("responses", response::refusals(&statuses))
        .with("headers", response::headers());
    let components = used(&paths, &components);
    Object::new()
        .with("openapi", VERSION)
        .with("jsonSchemaDialect", DIALECT)
        .with("info", info(schema))
        .with("servers", vec![server])
        .with("security", Json::Array(Vec::new()))
        .with("tags", tags.collect::<Vec<_>>())
        .with("paths", paths)
        .with("components", components)
}

/// The document of an application, as it is served.
#[derive(Debug)]
pub struct Document {
    pub tree: Object,
    pub json: Bytes,
    /// Of the JSON.
    pub tag: EntityTag,
}

impl Document {
    /// # Panics
    ///
    /// Never: a tree of texts and numbers can always be written.
    #[must_use]
    pub fn new(schema: &Schema, public_url: Option<&str>) -> Self {
        let tree = document(schema, public_url);
        let json = serde_json::to_vec(&tree).expect("a tree can be written");
        Self {
            tag: EntityTag::of_content(&json),
            json: json.into(),
            tree,
        }
    }
}

/// The components that `paths` refer to, or that those refer to.
fn used(paths: &Object, components: &Object) -> Object {
    let mut known = BTreeSet::new();
    paths.references(&mut known);
    let mut waiting: Vec<&str> = known.iter().copied().collect();
    while let Some(target) = waiting.pop() {
        let mut found = BTreeSet::new();
        if let Some(component) = target_of(components, target) {
            component.references(&mut found);
        }
        waiting.extend(found.into_iter().filter(|target| known.insert(target)));
    }
    let kinds = components.iter().map(|(kind, members)| {
        let members = match members {
            Json::Object(members) => members.clone(),
            _ => Object::new(),
        };
        let is_known = |name: &str| known.contains(format!("#/components/{kind}/{name}").as_str());
        let kept = members.iter().filter(|(name, _)| is_known(name));
        let kept: Object = kept
            .map(|(name, component)| (name.to_owned(), component.clone()))
            .collect();
        (kind.to_owned(), kept)
    });
    kinds.collect()
}

/// What a reference such as `#/components/schemas/Note` leads to.
fn target_of<'a>(components: &'a Object, target: &str) -> Option<&'a Object> {
    let (kind, name) = target.strip_prefix("#/components/")?.split_once('/')?;
    let Json::Object(kind) = components.get(kind)? else {
        return None;
    };
    match kind.get(name)? {
        Json::Object(component) => Some(component),
        _ => None,
    }
}

fn info(schema: &Schema) -> Object {
    let contact = Object::new().with("name", schema.name.clone());
    // `NONE` is what SPDX says where there is none.
    let license = Object::new()
        .with("name", "No licence is declared")
        .with("identifier", "NONE");
    Object::new()
        .with("title", schema.name.clone())
        .with("version", "1.0.0")
        .with("description", DESCRIPTION)
        .with("contact", contact)
        .with("license", license)
}

const DESCRIPTION: &str = "\
Every refusal is a problem (RFC 9457) with all faults at once. HEAD is answered like GET without \
the body, and OPTIONS with `Allow`, at every address. Send `If-Match` with the entity tag that \
you have read, and nobody's change is overwritten unseen.";

/// What tells operations under this prefix from those under the first.
fn suffix(prefix: &str, index: usize) -> String {
    match index {
        0 => String::new(),
        _ => {
            let mut words = prefix.split(|c: char| !c.is_ascii_alphanumeric());
            let last = words.rfind(|word| !word.is_empty());
            format!("_{}", last.unwrap_or("root").to_ascii_lowercase())
        }
    }
}

/// The statuses of refusals that operations refer to.
fn statuses_of(paths: &Object) -> Vec<u16> {
    let mut statuses = ALWAYS.to_vec();
    for (_, item) in paths.iter() {
        let Json::Object(item) = item else { continue };
        for (_, operation) in item.iter() {
            let Json::Object(operation) = operation else {
                continue;
            };
            if let Some(Json::Object(responses)) = operation.get("responses") {
                let found = responses
                    .iter()
                    .filter_map(|(status, _)| status.parse::<u16>().ok());
                statuses.extend(found);
            }
        }
    }
    statuses
}
