//! Names of components and operations, which become the names of types and functions in clients.

use std::collections::HashMap;

use carafe_model::declaration::singular;
use carafe_model::resource::Resource;
use carafe_model::schema::Schema;

/// How one resource is called: `note`, `notes`, `Note`.
#[derive(Clone, Debug)]
pub(super) struct Names {
    /// One record, in snake case.
    pub(super) one: String,
    /// Many records, in snake case.
    pub(super) many: String,
    /// One record, in Pascal case.
    pub(super) component: String,
}

/// The names of all resources, at their index. Where two resources would be called the same
/// (`note` and `notes`), each keeps its own name.
#[must_use]
pub(super) fn of(schema: &Schema) -> Vec<Names> {
    let singulars: Vec<String> = schema
        .resources
        .iter()
        .map(|resource| singular(resource.name.as_str()))
        .collect();
    let mut counts: HashMap<String, usize> = HashMap::new();
    for one in &singulars {
        *counts.entry(pascal(one)).or_default() += 1;
    }
    let names = schema.resources.iter().zip(singulars);
    names
        .map(|(resource, one)| {
            let is_taken = counts.get(&pascal(&one)).is_some_and(|count| *count > 1)
                || RESERVED.contains(&pascal(&one).as_str());
            names_of(
                resource,
                if is_taken {
                    resource.name.to_string()
                } else {
                    one
                },
            )
        })
        .collect()
}

/// Components that every document has.
const RESERVED: [&str; 3] = ["Fault", "Message", "Problem"];

fn names_of(resource: &Resource, one: String) -> Names {
    let component = match pascal(&one) {
        name if RESERVED.contains(&name.as_str()) => format!("{name}Record"),
        name => name,
    };
    Names {
        one,
        many: resource.name.to_string(),
        component,
    }
}

/// `blog_post` as `BlogPost`.
#[must_use]
pub(super) fn pascal(name: &str) -> String {
    let words = name.split('_').filter(|word| !word.is_empty());
    let capital = |word: &str| {
        let (first, rest) = word.split_at(1);
        format!("{}{rest}", first.to_uppercase())
    };
    words.map(capital).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn components_are_named_after_one_record() {
        let declaration = "
            [resources.notes.fields]
            a = { type = 'string' }
            [resources.blog_categories.fields]
            a = { type = 'string' }
            [resources.problems_seen.fields]
            a = { type = 'string' }
            [resources.datum.fields]
            a = { type = 'string' }
            [resources.datums.fields]
            a = { type = 'string' }
            [resources.faults.fields]
            a = { type = 'string' }
        ";
        let schema =
            carafe_model::declaration::parse(declaration, std::path::Path::new("app")).unwrap();
        let components: Vec<String> = of(&schema).into_iter().map(|n| n.component).collect();
        assert_eq!(
            components,
            [
                "Note",
                "BlogCategory",
                "ProblemsSeen",
                "Datum",
                "Datums",
                "Faults"
            ]
        );
    }
}
