//! A declaration sketched from the tables of a database: text, with a remark beside all that has
//! no counterpart.

mod field;
mod literal;
mod name;
mod outline;
mod resource;
#[cfg(test)]
mod tests;

use carafe_store::inspect::{Relation, Table};

use outline::Outline;

/// The declaration of all tables that can be resources, in the order of `tables`; `None` where
/// there is none. `place` is where they are, for people.
#[must_use]
pub fn declaration(tables: &[Table], place: &str) -> Option<String> {
    let outlines = outline::outlines(tables);
    if !outlines.iter().any(Outline::is_resource) {
        return None;
    }
    let mut text = format!(
        "# Sketched by `carafe inspect` from {}. Read it over before you serve it: Carafe makes\n\
         # tables of its own from it, and leaves those that it was sketched from alone.\n",
        name::remark(place)
    );
    for table in tables {
        text.push('\n');
        let of_table = |outline: &&Outline<'_>| outline.table.name == table.name;
        let left_out = match (table.relation, outlines.iter().find(of_table)) {
            (Relation::Table, Some(outline)) if outline.is_resource() => {
                text.push_str(&resource::write(outline, &outlines));
                continue;
            }
            (Relation::Table, _) => "table without a column that could be a field",
            (Relation::View, _) => "view",
            (Relation::Partition, _) => "partition of another table",
            (Relation::Foreign, _) => "foreign table",
            (Relation::Extension, _) => "table of an extension",
        };
        let name = name::remark(&table.name);
        text.push_str(&format!("# \"{name}\" is a {left_out}: left out\n"));
    }
    Some(text)
}
