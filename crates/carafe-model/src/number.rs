//! Numbers as text, without losing a digit.

/// Parses a JSON number as a whole number: `1`, `1.0` and `1e2` are whole, `1.5` is not
/// (JSON Schema 2020-12, Validation 6.1.1: a number with a zero fractional part is an integer).
#[must_use]
pub fn integer(text: &str) -> Option<i64> {
    if let Ok(value) = text.parse() {
        return Some(value);
    }
    let (digits, exponent) = significant(text)?;
    if digits == "0" || digits == "-0" {
        return Some(0);
    }
    // 19 digits is the most that 64 bits can hold.
    let zeros = usize::try_from(exponent).ok().filter(|&zeros| zeros < 19)?;
    format!("{digits}{}", "0".repeat(zeros)).parse().ok()
}

/// Parses a JSON number as a 64-bit float, where that keeps what it says: finite, with no more
/// than 17 significant digits unless it is just that whole number, and a whole number with the
/// digits that it is written with.
#[must_use]
pub fn float(text: &str) -> Option<f64> {
    let value: f64 = text.parse().ok().filter(|value: &f64| value.is_finite())?;
    let (digits, exponent) = significant(text)?;
    let count = digits.trim_start_matches('-').len();
    if count > 17 {
        let written = significant(&format!("{value:.0}"));
        return (written == Some((digits, exponent))).then_some(value);
    }
    if value == 0.0 {
        // What is not zero but too small for a float is refused like what is too large.
        return digits.ends_with('0').then_some(0.0);
    }
    let comes_back = || significant(&format!("{value:e}")).as_ref() == Some(&(digits, exponent));
    (exponent < 0 || count <= 15 || comes_back()).then_some(value)
}

/// Whether `text` is written as a number, however large.
#[must_use]
pub fn is_number(text: &str) -> bool {
    text.bytes().any(|b| b.is_ascii_digit())
        && text
            .bytes()
            .all(|b| b.is_ascii_digit() || matches!(b, b'+' | b'-' | b'.' | b'e' | b'E'))
}

/// The digits of a number without leading and trailing zeros, and the power of ten of the last.
fn significant(text: &str) -> Option<(String, i64)> {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().ok()?),
        None => (text, 0),
    };
    let (sign, mantissa) = match mantissa.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", mantissa),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let exponent = exponent.checked_sub(i64::try_from(fraction.len()).ok()?)?;
    let trimmed = digits.trim_end_matches('0');
    let exponent = exponent.checked_add(i64::try_from(digits.len() - trimmed.len()).ok()?)?;
    match trimmed.trim_start_matches('0') {
        "" => Some((format!("{sign}0"), 0)),
        digits => Some((format!("{sign}{digits}"), exponent)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_are_read_exactly() {
        let cases = [
            ("0", Some(0)),
            ("-0", Some(0)),
            ("-0.0", Some(0)),
            ("1.0", Some(1)),
            ("1e2", Some(100)),
            ("120E-1", Some(12)),
            ("1.5", None),
            ("9223372036854775807", Some(i64::MAX)),
            ("9223372036854775807.0", Some(i64::MAX)),
            ("-9223372036854775808", Some(i64::MIN)),
            ("9223372036854775808", None),
            ("1e400", None),
            ("1e99999999999999999999", None),
            ("0e999", Some(0)),
        ];
        for (text, expected) in cases {
            assert_eq!(integer(text), expected, "number: {text}");
        }
    }

    #[test]
    fn floats_keep_what_the_text_says() {
        let cases = [
            ("0.1", Some(0.1)),
            ("-0.0", Some(0.0)),
            ("0.30000000000000004", Some(0.300_000_000_000_000_04)),
            ("1e308", Some(1e308)),
            ("1e400", None),
            ("1e-400", None),
            ("9007199254740992", Some(9_007_199_254_740_992.0)),
            ("9007199254740993", None),
            ("12345678901234567890", None),
            ("0.1234567890123456789", None),
        ];
        for (text, expected) in cases {
            assert_eq!(float(text), expected, "number: {text}");
        }
    }
}
