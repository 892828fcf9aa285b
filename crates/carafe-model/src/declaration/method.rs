//! `methods`: what the API answers at a collection and at an item.

use super::walker::{Item, Section, Spot, once};
use crate::problem::Problem;
use crate::resource::{Method, Methods};

const EXAMPLE: &str = "{ collection = [\"GET\", \"POST\"], item = [\"GET\", \"PUT\"] }";

const COLLECTION: [Method; 3] = [Method::Get, Method::Post, Method::Delete];
const ITEM: [Method; 4] = [Method::Get, Method::Put, Method::Patch, Method::Delete];
const DOCUMENTS: [Method; 2] = [Method::Get, Method::Delete];

/// Reads the table `methods`.
pub(super) fn read(
    item: Option<Item<'_>>,
    is_document: bool,
    problems: &mut Vec<Problem>,
) -> Methods {
    let (mut methods, of_collection, of_item) = match is_document {
        false => (Methods::default(), COLLECTION.as_slice(), ITEM.as_slice()),
        true => (
            Methods::of_documents(),
            DOCUMENTS.as_slice(),
            Method::ALL.as_slice(),
        ),
    };
    let Some(section) = item.and_then(|item| item.section(EXAMPLE, problems)) else {
        return methods;
    };
    section.refuse_unknown(&["collection", "item"], problems, |_| None);
    if let Some(list) = list(&section, "collection", of_collection, problems) {
        methods.collection = list;
    }
    if let Some(list) = list(&section, "item", of_item, problems) {
        methods.item = list;
    }
    methods
}

fn list(
    section: &Section<'_>,
    name: &str,
    allowed: &[Method],
    problems: &mut Vec<Problem>,
) -> Option<Vec<Method>> {
    let elements = section.item(name)?.list("[\"GET\"]", problems)?;
    let mut methods: Vec<Spot<Method>> = Vec::new();
    for element in elements {
        let Some(text) = element.text_like("[\"GET\"]", problems) else {
            continue;
        };
        if matches!(text, "HEAD" | "OPTIONS") {
            problems.push(
                element
                    .problem(format!("`{text}` is not declared"), "always there")
                    .hint("HEAD comes with GET, and OPTIONS with every path"),
            );
            continue;
        }
        match allowed.iter().find(|method| method.as_str() == text) {
            Some(method) => methods.push(element.spot(*method)),
            None => {
                let known: Vec<&str> = allowed.iter().map(|method| method.as_str()).collect();
                problems.push(element.unknown_word(text, &known));
            }
        }
    }
    let show = |method: &Method| method.as_str().to_owned();
    let methods = once(methods, &format!("`{name}`"), show, problems);
    Some(methods.into_iter().map(|spot| spot.value).collect())
}
