//! `was`: what a field or a resource was called before.

use super::field::Declared;
use super::resource::Outline;
use super::walker::{Section, Span, parse_name};
use crate::name::Name;
use crate::problem::Problem;
use crate::resource::Resource;

/// Reads the setting.
pub(super) fn read(section: &Section<'_>, problems: &mut Vec<Problem>) -> Option<Name> {
    let item = section.item("was")?;
    let text = item.text_like("\"old_name\"", problems)?;
    Some(parse_name(text, &item.span, problems))
}

/// Refuses old names of fields that are names of fields still, or of two fields.
pub(super) fn check_fields(fields: &[Declared], problems: &mut Vec<Problem>) {
    let renamed = fields.iter().map(|declared| {
        (
            &declared.field.name,
            declared.field.was.as_ref(),
            &declared.span,
        )
    });
    check("field", renamed, problems);
}

/// Refuses old names of resources that are names of resources still, or of two resources.
pub(super) fn check_resources(
    outlines: &[Outline<'_>],
    resources: &[Resource],
    problems: &mut Vec<Problem>,
) {
    let spans = outlines.iter().map(|outline| &outline.span);
    let renamed = resources
        .iter()
        .zip(spans)
        .map(|(resource, span)| (&resource.name, resource.was.as_ref(), span));
    check("resource", renamed, problems);
}

fn check<'a>(
    what: &str,
    renamed: impl Iterator<Item = (&'a Name, Option<&'a Name>, &'a Span)> + Clone,
    problems: &mut Vec<Problem>,
) {
    for (position, (name, was, span)) in renamed.clone().enumerate() {
        let Some(was) = was else { continue };
        let problem = if name == was {
            format!("the {what} `{name}` was always called so")
        } else if renamed.clone().any(|(other, _, _)| other == was) {
            format!("there is a {what} `{was}` still, so `{name}` cannot be what it was")
        } else if renamed
            .clone()
            .take(position)
            .any(|(_, other, _)| other == Some(was))
        {
            format!("two {what}s say that they were called `{was}`")
        } else {
            continue;
        };
        problems.push(
            Problem::new(span.clone(), problem, "cannot be renamed")
                .hint("leave out `was`, or correct it"),
        );
    }
}
