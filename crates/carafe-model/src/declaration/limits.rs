//! `limits`: sizes with their units, within bounds.

use std::ops::RangeInclusive;
use std::time::Duration;

use toml::de::DeValue;

use super::walker::{Item, Section, refuse};
use crate::problem::Problem;
use crate::schema::{Limits, Rate};

const BODY_BYTES: RangeInclusive<u64> = 1024..=1024 * 1024 * 1024;
const REQUEST_MILLISECONDS: RangeInclusive<u64> = 1000..=3_600_000;
pub(super) const PAGE_SIZE: RangeInclusive<usize> = 1..=10_000;
const DOCUMENTS: RangeInclusive<usize> = 1..=1_000_000;
const DEPTH: RangeInclusive<usize> = 1..=128;
const RATE: RangeInclusive<u32> = 1..=1_000_000;

/// Bytes of each unit, in small letters.
const SIZES: [(&str, u64); 7] = [
    ("b", 1),
    ("kb", 1000),
    ("kib", 1024),
    ("mb", 1_000_000),
    ("mib", 1024 * 1024),
    ("gb", 1_000_000_000),
    ("gib", 1024 * 1024 * 1024),
];

/// Milliseconds of each unit, in small letters.
const TIMES: [(&str, u64); 5] = [
    ("ms", 1),
    ("s", 1000),
    ("m", 60_000),
    ("min", 60_000),
    ("h", 3_600_000),
];

/// Reads the table `limits`.
pub(super) fn read(section: &Section<'_>, problems: &mut Vec<Problem>) -> Limits {
    const SETTINGS: [&str; 7] = [
        "body",
        "page_size",
        "documents",
        "request",
        "depth",
        "rate",
        "write_rate",
    ];
    section.refuse_unknown(&SETTINGS, problems, |_| None);
    let mut limits = Limits::default();
    if let Some(bytes) = section.item("body").and_then(|item| body(&item, problems)) {
        limits.body_bytes_max = bytes;
    }
    if let Some(time) = section
        .item("request")
        .and_then(|item| request(&item, problems))
    {
        limits.request_time_max = time;
    }
    for (name, range, limit) in [
        ("page_size", PAGE_SIZE, &mut limits.per_page_max),
        ("documents", DOCUMENTS, &mut limits.documents_max),
        ("depth", DEPTH, &mut limits.json_depth_max),
    ] {
        let item = section.item(name);
        if let Some(value) = item.and_then(|item| item.whole(range, problems)) {
            *limit = value;
        }
    }
    for (name, limit) in [
        ("rate", &mut limits.rate),
        ("write_rate", &mut limits.write_rate),
    ] {
        *limit = section.item(name).and_then(|item| rate(&item, problems));
    }
    limits
}

fn rate(item: &Item<'_>, problems: &mut Vec<Problem>) -> Option<Rate> {
    const EXAMPLE: &str = "\"100/minute\"";
    let text = item.text_like(EXAMPLE, problems)?;
    let Some((requests, period)) = parse_rate(text) else {
        return refuse(
            problems,
            item.problem(
                format!("`{}` must be a number a second, minute or hour", item.name),
                "not understood",
            )
            .hint(format!("write it like `{} = {EXAMPLE}`", item.name)),
        );
    };
    match u32::try_from(requests) {
        Ok(requests) if RATE.contains(&requests) => Some(Rate { requests, period }),
        _ => refuse(
            problems,
            item.problem(
                format!("`{}` must be from 1 to 1000000", item.name),
                "out of range",
            ),
        ),
    }
}

/// Reads a number and its time: `100/minute`.
fn parse_rate(text: &str) -> Option<(u64, Duration)> {
    let (number, period) = text.split_once('/')?;
    let number = number.trim();
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    let seconds = match period.trim() {
        "s" | "second" => 1,
        "m" | "min" | "minute" => 60,
        "h" | "hour" => 3600,
        _ => return None,
    };
    let number = number.parse().unwrap_or(u64::MAX);
    is_number.then_some((number, Duration::from_secs(seconds)))
}

fn body(item: &Item<'_>, problems: &mut Vec<Problem>) -> Option<usize> {
    let bytes = quantity(item, 1, &SIZES, "a size", "\"1 MiB\"", problems)?;
    if BODY_BYTES.contains(&bytes) {
        return usize::try_from(bytes).ok();
    }
    refuse(
        problems,
        item.problem("`body` must be from 1 KiB to 1 GiB", "out of range"),
    )
}

fn request(item: &Item<'_>, problems: &mut Vec<Problem>) -> Option<Duration> {
    let time = quantity(item, 1000, &TIMES, "a time", "\"30s\"", problems)?;
    if REQUEST_MILLISECONDS.contains(&time) {
        return Some(Duration::from_millis(time));
    }
    refuse(
        problems,
        item.problem("`request` must be from 1s to 1h", "out of range"),
    )
}

/// A whole number of `bare` units, or text with a unit; saturated where it is too large.
fn quantity(
    item: &Item<'_>,
    bare: u64,
    units: &[(&str, u64)],
    what: &str,
    example: &str,
    problems: &mut Vec<Problem>,
) -> Option<u64> {
    let value = match item.value {
        DeValue::Integer(_) => {
            let value = item.integer().unwrap_or(i64::MAX);
            Some(u64::try_from(value).unwrap_or(0).saturating_mul(bare))
        }
        DeValue::String(text) => parse(text, units),
        _ => return refuse(problems, item.wrong_type(what, example)),
    };
    match value {
        Some(value) => Some(value),
        None => refuse(
            problems,
            item.problem(format!("`{}` must be {what}", item.name), "not understood")
                .hint(format!("write it like `{} = {example}`", item.name)),
        ),
    }
}

/// Reads a whole number and its unit: `1 MiB`, `30s`.
fn parse(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(end);
    if number.is_empty() {
        return None;
    }
    let unit = unit.trim().to_lowercase();
    let (_, factor) = units.iter().find(|(name, _)| *name == unit)?;
    let number = number.parse::<u64>().unwrap_or(u64::MAX);
    Some(number.saturating_mul(*factor))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_times_have_units() {
        for (text, expected) in [
            ("1 MiB", Some(1_048_576)),
            ("1mb", Some(1_000_000)),
            (" 512 KiB ", Some(524_288)),
            ("10b", Some(10)),
            ("99999999999999999999 GiB", Some(u64::MAX)),
            ("1", None),
            ("MiB", None),
            ("1.5 MiB", None),
            ("-1 MiB", None),
            ("", None),
        ] {
            assert_eq!(parse(text, &SIZES), expected, "size: {text:?}");
        }
        assert_eq!(parse("30s", &TIMES), Some(30_000));
        assert_eq!(parse("2 min", &TIMES), Some(120_000));
    }

    #[test]
    fn rates_are_numbers_in_a_time() {
        for (text, expected) in [
            ("100/minute", Some((100, 60))),
            ("5 / s", Some((5, 1))),
            ("1/hour", Some((1, 3600))),
            ("99999999999999999999/h", Some((u64::MAX, 3600))),
            ("100", None),
            ("100/day", None),
            ("/minute", None),
            ("-1/minute", None),
            ("+1/minute", None),
            ("1.5/second", None),
        ] {
            let expected = expected.map(|(number, time)| (number, Duration::from_secs(time)));
            assert_eq!(parse_rate(text), expected, "rate: {text:?}");
        }
    }
}
