//! Dates and times in their one canonical text.

use jiff::civil;
use jiff::tz::Offset;

/// A moment as `YYYY-MM-DDTHH:MM:SS.ffffffZ`, which sorts as text in the order of time.
#[must_use]
pub fn format(moment: jiff::Timestamp) -> String {
    format!("{moment:.6}")
}

/// Reads an RFC 3339 `date-time` of the years 1 to 9999 and converts it to UTC, cut to
/// microseconds. A leap second counts as the second before it. Text without an offset, as
/// `<input type="datetime-local">` sends it, is taken as UTC where `local` allows it.
#[must_use]
pub fn parse_datetime(text: &str, local: bool) -> Option<String> {
    let bytes = text.as_bytes();
    let date = parse_civil_date(text.get(..10)?)?;
    if !matches!(bytes.get(10)?, b'T' | b't' | b' ') {
        return None;
    }
    let rest = &text[11..];
    let (hour, rest) = two_digits(rest, 23)?;
    let (minute, mut rest) = two_digits(rest.strip_prefix(':')?, 59)?;
    let mut second = 0;
    match rest.strip_prefix(':') {
        Some(after) => (second, rest) = two_digits(after, 60)?,
        None if local => {}
        None => return None,
    }
    let mut nanosecond = 0;
    if let Some(after) = rest.strip_prefix('.') {
        let end = after
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(after.len());
        let (digits, after) = after.split_at(end);
        if digits.is_empty() {
            return None;
        }
        nanosecond = format!("{:0<6.6}", digits).parse::<i32>().ok()? * 1000;
        rest = after;
    }
    let offset_seconds = match rest {
        "Z" | "z" => 0,
        "" if local => 0,
        _ => parse_offset(rest)?,
    };
    if second == 60 {
        (second, nanosecond) = (59, 999_999_000);
    }
    let time = civil::Time::new(hour, minute, second, nanosecond).ok()?;
    let offset = Offset::from_seconds(offset_seconds).ok()?;
    let moment = offset.to_timestamp(date.to_datetime(time)).ok()?;
    let year = Offset::UTC.to_datetime(moment).year();
    (1..=9999).contains(&year).then(|| format(moment))
}

/// Reads `YYYY-MM-DD`, a day of the years 1 to 9999.
#[must_use]
pub fn parse_date(text: &str) -> Option<String> {
    parse_civil_date(text).map(|_| text.to_owned())
}

fn parse_civil_date(text: &str) -> Option<civil::Date> {
    let bytes = text.as_bytes();
    if bytes.len() != 10 || bytes[4] != b'-' || bytes[7] != b'-' {
        return None;
    }
    let number = |from: usize, to: usize| {
        let digits = text.get(from..to)?;
        digits
            .bytes()
            .all(|b| b.is_ascii_digit())
            .then(|| digits.parse::<i16>().ok())?
    };
    let year = number(0, 4).filter(|&year| year > 0)?;
    let (month, day) = (
        i8::try_from(number(5, 7)?).ok()?,
        i8::try_from(number(8, 10)?).ok()?,
    );
    civil::Date::new(year, month, day).ok()
}

fn parse_offset(text: &str) -> Option<i32> {
    let (sign, rest) = match text.as_bytes().first()? {
        b'+' => (1, &text[1..]),
        b'-' => (-1, &text[1..]),
        _ => return None,
    };
    let (hours, rest) = two_digits(rest, 23)?;
    let (minutes, rest) = two_digits(rest.strip_prefix(':')?, 59)?;
    rest.is_empty()
        .then(|| sign * (i32::from(hours) * 3600 + i32::from(minutes) * 60))
}

fn two_digits(text: &str, max: i8) -> Option<(i8, &str)> {
    let digits = text
        .get(..2)
        .filter(|digits| digits.bytes().all(|b| b.is_ascii_digit()))?;
    let value = digits.parse().ok().filter(|value| *value <= max)?;
    Some((value, &text[2..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_have_one_form() {
        let cases = [
            ("2026-01-02T03:04:05Z", Some("2026-01-02T03:04:05.000000Z")),
            (
                "2026-01-02t03:04:05.1234567z",
                Some("2026-01-02T03:04:05.123456Z"),
            ),
            (
                "2026-01-02T03:04:05+14:00",
                Some("2026-01-01T13:04:05.000000Z"),
            ),
            ("2016-12-31T23:59:60Z", Some("2016-12-31T23:59:59.999999Z")),
            ("2026-01-02T24:00:00Z", None),
            ("2026-02-29T00:00:00Z", None),
            ("2026-01-02T03:04:05", None),
            ("2026-01-02", None),
            ("0001-01-01T00:00:00+01:00", None),
            ("9999-12-31T23:59:59-01:00", None),
            ("2026-01-02T03:04:05.Z", None),
            ("2026-01-02T03:04:05Zé", None),
            ("2026-01-0é", None),
        ];
        for (text, expected) in cases {
            assert_eq!(
                parse_datetime(text, false).as_deref(),
                expected,
                "moment: {text}"
            );
        }
    }

    #[test]
    fn a_form_may_leave_out_offset_and_seconds() {
        assert_eq!(
            parse_datetime("2026-01-02T03:04", true).as_deref(),
            Some("2026-01-02T03:04:00.000000Z")
        );
    }

    #[test]
    fn dates_are_days_of_the_calendar() {
        let cases = [
            ("2024-02-29", true),
            ("2023-02-29", false),
            ("0000-01-01", false),
            ("2024-1-1", false),
            ("20240101", false),
            ("+024-01-01", false),
        ];
        for (text, expected) in cases {
            assert_eq!(parse_date(text).is_some(), expected, "date: {text}");
        }
    }
}
