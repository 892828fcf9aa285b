//! How resources hang together: parents, and who refers to whom.

use toml::de::DeValue;

use super::field::{Declared, plain};
use super::resource::Outline;
use super::singular::singular;
use super::walker::{Span, Spot};
use crate::field::Field;
use crate::kind::{Kind, OnDelete, Reference};
use crate::name::Name;
use crate::problem::Problem;
use crate::resource::{Parent, Referrer, Resource};

/// Finds the parent that each resource names.
pub(super) fn find_parents(outlines: &mut [Outline<'_>], problems: &mut Vec<Problem>) {
    let mut parents = Vec::new();
    for outline in &*outlines {
        let found = outline.section.item("parent").and_then(|item| {
            let text = item.text_like("\"users\"", problems)?;
            let target = Outline::find(outlines, text, &item, problems)?;
            Some(item.spot(target.index))
        });
        parents.push(found);
    }
    for (index, parent) in parents.iter().enumerate() {
        let Some(parent) = parent else {
            continue;
        };
        if parent.value == index {
            problems.push(
                Problem::new(
                    parent.span.clone(),
                    "a resource cannot be its own parent",
                    "itself",
                )
                .hint("a tree is a field: `parent = { type = \"reference\", to = …, optional = true }`"),
            );
        } else if outlines[parent.value].is_document {
            problems.push(
                Problem::new(
                    parent.span.clone(),
                    format!(
                        "a resource cannot be under a document: the members of `{}` are there",
                        outlines[parent.value].written
                    ),
                    "a document resource",
                )
                .hint("use a field of type `reference` in place of `parent`"),
            );
        } else if parents[parent.value].is_some() {
            problems.push(
                Problem::new(
                    parent.span.clone(),
                    format!(
                        "`{}` has a parent itself, and sub-resources have one level",
                        outlines[parent.value].written
                    ),
                    "a sub-resource",
                )
                .hint("use a field of type `reference` in place of `parent`"),
            );
        }
    }
    for (outline, parent) in outlines.iter_mut().zip(parents) {
        outline.parent = parent.filter(|parent| parent.value != outline.index);
    }
}

/// The field that refers to the parent: the one that is declared, or one that is added as the
/// first field.
pub(super) fn parent(
    outline: &Outline<'_>,
    outlines: &[Outline<'_>],
    fields: &mut Vec<Declared>,
    problems: &mut Vec<Problem>,
) -> Option<Parent> {
    let spot = outline.parent.as_ref()?;
    let target = &outlines[spot.value];
    let name = singular(target.name.as_str());
    let candidates: Vec<usize> = (0..fields.len())
        .filter(|&position| refers_to(&fields[position].field, target.index))
        .collect();
    let named = fields.iter().position(|field| field.written == name);
    let position = match (named, candidates.as_slice()) {
        (Some(position), _) => position,
        (None, [position]) => *position,
        (None, [first, second, ..]) => {
            problems.push(ambiguous(&fields[*second], &fields[*first], target, &name));
            *first
        }
        (None, []) => {
            add_parent_field(spot, target, &name, outline, fields, problems);
            0
        }
    };
    check_parent_field(&fields[position], target, problems);
    Some(Parent {
        resource: target.name.clone(),
        index: target.index,
        field: position,
    })
}

fn ambiguous(second: &Declared, first: &Declared, target: &Outline<'_>, name: &str) -> Problem {
    Problem::new(
        second.span.clone(),
        format!("two fields refer to the parent `{}`", target.written),
        "which is it?",
    )
    .related(first.span.clone(), "or this")
    .hint(format!("call the one that leads to the parent `{name}`"))
}

fn add_parent_field(
    spot: &Spot<usize>,
    target: &Outline<'_>,
    name: &str,
    outline: &Outline<'_>,
    fields: &mut Vec<Declared>,
    problems: &mut Vec<Problem>,
) {
    let Ok(parsed) = Name::parse(name) else {
        return;
    };
    if parsed == outline.key.field {
        problems.push(
            Problem::new(
                spot.span.clone(),
                format!("the reference to the parent would be called `{name}`, as the key is"),
                "clashes with the key",
            )
            .hint("declare a field of type `reference` to the parent, of another name"),
        );
    }
    let kind = Kind::Reference(Reference {
        to: target.name.clone(),
        index: target.index,
        key: target.key.kind,
        on_delete: OnDelete::Cascade,
    });
    fields.insert(
        0,
        Declared {
            written: name.to_owned(),
            span: spot.span.clone(),
            field: Field {
                was: was_called(target, &parsed),
                ..plain(parsed, kind)
            },
            sound: true,
        },
    );
}

/// What the reference was called while its parent had another name.
fn was_called(target: &Outline<'_>, name: &Name) -> Option<Name> {
    let was = target.section.item("was")?;
    let was = match was.value {
        DeValue::String(text) => Name::parse(&singular(text)).ok(),
        // That is reported where the parent is read.
        _ => None,
    };
    was.filter(|was| was != name)
}

fn check_parent_field(declared: &Declared, target: &Outline<'_>, problems: &mut Vec<Problem>) {
    if !declared.sound {
        return;
    }
    if !refers_to(&declared.field, target.index) {
        problems.push(
            Problem::new(
                declared.span.clone(),
                format!(
                    "`{}` is the name of the reference to the parent `{}`",
                    declared.written, target.written
                ),
                "no reference to the parent",
            )
            .hint(format!(
                "write `type = \"reference\", to = \"{}\"`",
                target.written
            )),
        );
    } else if declared.field.optional || declared.field.default.is_some() {
        problems.push(
            Problem::new(
                declared.span.clone(),
                format!(
                    "`{}` refers to the parent, which its path names",
                    declared.written
                ),
                "always there",
            )
            .hint("leave out `optional` and `default`"),
        );
    }
}

fn refers_to(field: &Field, index: usize) -> bool {
    matches!(&field.kind, Kind::Reference(reference) if reference.index == index)
}

/// Refuses fields that have the path of a sub-resource: `/users/3/emails`.
pub(super) fn check_children(
    outline: &Outline<'_>,
    outlines: &[Outline<'_>],
    fields: &[Declared],
    problems: &mut Vec<Problem>,
) {
    let is_child = |child: &&Outline<'_>| {
        let parent = child.parent.as_ref();
        parent.is_some_and(|parent| parent.value == outline.index)
    };
    for child in outlines.iter().filter(is_child) {
        let clash = fields.iter().find(|field| field.written == child.written);
        if let Some(field) = clash {
            problems.push(clash_with_child(&field.span, child));
        }
    }
}

fn clash_with_child(span: &Span, child: &Outline<'_>) -> Problem {
    Problem::new(
        span.clone(),
        format!(
            "a field cannot be called `{}`: that is the path of a sub-resource",
            child.written
        ),
        "the name of a sub-resource",
    )
    .related(child.span.clone(), "the sub-resource")
}

/// Tells each resource who refers to it.
pub(super) fn fill_referrers(resources: &mut [Resource]) {
    let mut found = Vec::new();
    for resource in &*resources {
        for (position, field) in resource.fields.iter().enumerate() {
            if let Kind::Reference(reference) = &field.kind {
                let referrer = Referrer {
                    resource: resource.index,
                    field: position,
                    on_delete: reference.on_delete,
                };
                found.push((reference.index, referrer));
            }
        }
    }
    for (index, referrer) in found {
        resources[index].referrers.push(referrer);
    }
}
