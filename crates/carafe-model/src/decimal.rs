//! Exact decimals: a whole number of the smallest unit.

/// The most digits that a decimal may have, as PostgreSQL's `numeric(18, s)` and 64 bits hold.
pub const DIGITS_MAX: u32 = 18;

/// Parses `text` such as `-12.5` into units of `10^-scale`.
///
/// # Errors
///
/// `None` where `text` is no decimal, has more than `scale` digits behind the point (trailing
/// zeros aside) or more than [`DIGITS_MAX`] in all.
#[must_use]
pub fn parse(text: &str, scale: u8) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let is_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if !is_digits(whole) || !is_digits(fraction) {
        return None;
    }
    let fraction = fraction.trim_end_matches('0');
    let scale = usize::from(scale);
    if fraction.len() > scale {
        return None;
    }
    let units: i64 = format!("{whole}{fraction:0<scale$}").parse().ok()?;
    if units >= 10_i64.pow(DIGITS_MAX) {
        return None;
    }
    Some(if negative { -units } else { units })
}

/// Appends units of `10^-scale` to `out` as text with exactly `scale` digits behind the point.
pub fn write(out: &mut String, units: i64, scale: u8) {
    use std::fmt::Write;
    let factor = 10_u64.pow(u32::from(scale));
    let sign = if units < 0 { "-" } else { "" };
    let (whole, fraction) = (units.unsigned_abs() / factor, units.unsigned_abs() % factor);
    let written = if scale == 0 {
        write!(out, "{sign}{whole}")
    } else {
        write!(
            out,
            "{sign}{whole}.{fraction:0width$}",
            width = usize::from(scale)
        )
    };
    written.expect("writing to a String does not fail");
}

/// Units of `10^-scale` as text.
#[must_use]
pub fn format(units: i64, scale: u8) -> String {
    let mut out = String::new();
    write(&mut out, units, scale);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_exact() {
        let cases = [
            ("12.5", Some(1250)),
            ("12.500", Some(1250)),
            ("-0.01", Some(-1)),
            ("0", Some(0)),
            ("-0", Some(0)),
            ("12.505", None),
            ("9999999999999999.99", Some(999_999_999_999_999_999)),
            ("10000000000000000.00", None),
            ("1e2", None),
            (".5", None),
            ("5.", None),
            ("", None),
        ];
        for (text, expected) in cases {
            assert_eq!(parse(text, 2), expected, "decimal: {text:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn what_is_written_is_read_back(units in -999_999_999_999_999_999_i64..=999_999_999_999_999_999, scale in 0_u8..=18) {
            assert_eq!(parse(&format(units, scale), scale), Some(units));
        }
    }
}
