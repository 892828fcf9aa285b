//! Paths that two things would have.

use super::path::first_part;
use super::reserved;
use super::resource::Outline;
use super::walker::Spot;
use crate::problem::Problem;
use crate::resource::Resource;

/// Refuses a sub-resource that has the path of one of a record's own pages.
pub(super) fn check_record_path(outline: &Outline<'_>, problems: &mut Vec<Problem>) {
    if outline.parent.is_some() && reserved::RECORD_PATHS.contains(&outline.written) {
        problems.push(Problem::new(
            outline.span.clone(),
            format!(
                "a sub-resource cannot be called `{}`: a record has a page at that path",
                outline.written
            ),
            "taken",
        ));
    }
}

/// Refuses a resource that lies on the way to a prefix: `v1` under `/api` beside `/api/v1`.
pub(super) fn check_prefixes(
    outline: &Outline<'_>,
    pages: bool,
    prefixes: &[Spot<String>],
    problems: &mut Vec<Problem>,
) {
    if reserved::resource_fault(outline.written).is_some() {
        return;
    }
    let roots = prefixes.iter().map(|spot| spot.value.as_str());
    let own: Vec<String> = roots
        .chain(pages.then_some(""))
        .map(|root| format!("{root}/{}", outline.written))
        .collect();
    let within = |prefix: &str, path: &str| {
        prefix
            .strip_prefix(path)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    for prefix in prefixes {
        if own.iter().any(|path| within(&prefix.value, path)) {
            problems.push(
                Problem::new(
                    outline.span.clone(),
                    format!(
                        "the resource `{}` has the path of the prefix `{}`",
                        outline.written, prefix.value
                    ),
                    "taken",
                )
                .related(prefix.span.clone(), "the prefix"),
            );
            return;
        }
    }
}

/// Refuses paths of forms that lead somewhere else already.
pub(super) fn check_new_paths(
    new_paths: &[(usize, Spot<String>)],
    resources: &[Resource],
    prefixes: &[Spot<String>],
    problems: &mut Vec<Problem>,
) {
    for (position, (index, spot)) in new_paths.iter().enumerate() {
        let mut taken = |by: String| {
            problems.push(Problem::new(
                spot.span.clone(),
                format!("`{}` is {by}", spot.value),
                "taken",
            ));
        };
        let first = first_part(&spot.value);
        let parts = spot.value.matches('/').count();
        let owner = resources.iter().find(|other| other.name.as_str() == first);
        if prefixes
            .iter()
            .any(|prefix| first_part(&prefix.value) == first)
        {
            taken("within the API".to_owned());
        } else if reserved::PATHS.contains(&first) {
            taken("a path of Carafe's own".to_owned());
        } else if let Some(owner) = owner
            && (owner.index != *index || parts != 2)
        {
            taken(format!("a path of the resource `{}`", owner.name));
        } else if new_paths[..position]
            .iter()
            .any(|(_, first)| first.value == spot.value)
        {
            taken("the path of another form".to_owned());
        }
    }
}
