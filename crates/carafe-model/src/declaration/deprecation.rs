//! `deprecated`: what clients are to leave, of a resource and of prefixes of the API.

use toml::de::DeValue;

use super::walker::{Item, Section, Spot, refuse};
use crate::deprecation::Deprecation;
use crate::near::nearest;
use crate::problem::Problem;
use crate::time;

const SETTINGS: [&str; 3] = ["since", "sunset", "link"];
const DATE: &str = "\"2026-01-31\"";
const EXAMPLE: &str = "{ since = \"2026-01-31\", sunset = \"2027-01-31\" }";

/// Reads the day since when, or a table.
pub(super) fn read(item: &Item<'_>, problems: &mut Vec<Problem>) -> Option<Deprecation> {
    match item.value {
        DeValue::Table(_) => read_table(&item.section(EXAMPLE, problems)?, problems),
        DeValue::String(_) | DeValue::Datetime(_) => Some(Deprecation {
            since: moment(item, problems)?,
            sunset: None,
            link: None,
        }),
        _ => refuse(
            problems,
            item.wrong_type("the day since when it is, or a table", DATE),
        ),
    }
}

/// Reads the table `api.deprecated`, which has deprecations by prefix.
pub(super) fn of_prefixes(
    item: &Item<'_>,
    prefixes: &[Spot<String>],
    problems: &mut Vec<Problem>,
) -> Vec<(String, Deprecation)> {
    let Some(section) = item.section("{ \"/api/v1\" = \"2026-01-31\" }", problems) else {
        return Vec::new();
    };
    let mut deprecated = Vec::new();
    for item in section.items() {
        let known = || prefixes.iter().map(|prefix| prefix.value.as_str());
        if !known().any(|prefix| prefix == item.name) {
            let problem = Problem::new(
                item.key.clone(),
                format!("the API has no prefix `{}`", item.name),
                "no such prefix",
            );
            problems.push(match nearest(item.name, known()) {
                Some(near) => problem.hint(format!("did you mean `{near:?}`?")),
                None => problem.hint("it must stand in `api.prefix` too"),
            });
        } else if let Some(deprecation) = read(&item, problems) {
            deprecated.push((item.name.to_owned(), deprecation));
        }
    }
    deprecated
}

fn read_table(section: &Section<'_>, problems: &mut Vec<Problem>) -> Option<Deprecation> {
    section.refuse_unknown(&SETTINGS, problems, |_| None);
    let Some(item) = section.item("since") else {
        return refuse(
            problems,
            Problem::new(
                section.key.clone(),
                "`deprecated` does not say since when",
                "no `since`",
            )
            .hint(format!("add `since = {DATE}`")),
        );
    };
    let since = moment(&item, problems)?;
    let item = section.item("sunset");
    let sunset = item
        .as_ref()
        .and_then(|item| Some((item, moment(item, problems)?)));
    if let Some((item, sunset)) = &sunset
        && *sunset < since
    {
        problems.push(item.problem("`sunset` is before `since`", "too early"));
    }
    let item = section.item("link");
    Some(Deprecation {
        since,
        sunset: sunset.map(|(_, sunset)| sunset),
        link: item.and_then(|item| link(&item, problems)),
    })
}

/// The start of a day in UTC, or a moment with its offset, in seconds since 1970.
fn moment(item: &Item<'_>, problems: &mut Vec<Problem>) -> Option<i64> {
    let text = match item.value {
        DeValue::Datetime(moment) => moment.to_string(),
        _ => item.text_like(DATE, problems)?.to_owned(),
    };
    let canonical = match time::parse_date(&text) {
        Some(day) => Some(format!("{day}T00:00:00Z")),
        None => time::parse_datetime(&text, false),
    };
    let moment = canonical.and_then(|text| text.parse::<jiff::Timestamp>().ok());
    match moment {
        Some(moment) => Some(moment.as_second()),
        None => refuse(
            problems,
            item.problem(format!("`{}` must be a day", item.name), "not a day")
                .hint(format!("write it like `{} = {DATE}`", item.name)),
        ),
    }
}

fn link(item: &Item<'_>, problems: &mut Vec<Problem>) -> Option<String> {
    const EXAMPLE: &str = "\"https://example.org/changes\"";
    let text = item.text_like(EXAMPLE, problems)?;
    let rest = ["https://", "http://", "/"]
        .into_iter()
        .find_map(|start| text.strip_prefix(start));
    // What a URL has to encode, and what would end it in a header field (RFC 3986, RFC 8288).
    let is_plain = |c: char| c.is_ascii_graphic() && !"<>\"\\^`{|}".contains(c);
    match rest {
        Some(rest) if !(rest.is_empty() && text != "/") && text.chars().all(is_plain) => {
            Some(text.to_owned())
        }
        _ => refuse(
            problems,
            item.problem("`link` must be a URL, or a path", "not a URL")
                .hint(format!("write it like `link = {EXAMPLE}`")),
        ),
    }
}
