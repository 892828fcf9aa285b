//! Regular expressions for `min` and `max` of values that are texts in JSON: a schema has no
//! other words for them.

use carafe_model::decimal;
use carafe_model::field::Field;
use carafe_model::kind::Kind;
use carafe_model::value::Value;

/// The patterns that hold a text to the limits of `field`.
#[must_use]
pub(super) fn patterns(field: &Field) -> Vec<String> {
    let (min, max) = (&field.rules.min, &field.rules.max);
    match &field.kind {
        Kind::Decimal { scale } => {
            let units = |value: &Option<Value>| match value {
                Some(Value::Integer(units)) => Some(*units),
                _ => None,
            };
            let least = units(min).map(|units| decimal_from(units, *scale));
            let most = units(max).map(|units| decimal_to(units, *scale));
            least.into_iter().chain(most).collect()
        }
        Kind::Date | Kind::Datetime => {
            let text = |value: &Option<Value>| match value {
                Some(Value::Text(text)) => Some(text.clone()),
                _ => None,
            };
            let rest = match field.kind {
                Kind::Date => "",
                // In UTC, which is the one offset in which texts are in the order of time.
                _ => r"(?:\.[0-9]+)?[zZ]",
            };
            let least = text(min).map(|min| format!("^(?:{}){rest}$", from(second(&min))));
            let most = text(max).map(|max| format!("^(?:{}){rest}$", to(second(&max), rest)));
            least.into_iter().chain(most).collect()
        }
        _ => Vec::new(),
    }
}

/// A date, or a moment without the part of its second: a day and a second are the steps of bounds.
fn second(text: &str) -> &str {
    text.get(..19).unwrap_or(text)
}

/// Texts of the form of `least` that do not come before it.
fn from(least: &str) -> String {
    let mut options = steps(least, '9');
    options.push(least.to_owned());
    options.join("|")
}

/// Texts of the form of `most` that do not come after it, whatever follows.
fn to(most: &str, rest: &str) -> String {
    let mut options = steps(most, '0');
    // What follows the last second would come after it.
    let last = match rest.is_empty() {
        true => most.to_owned(),
        false => format!(r"{most}(?=(?:\.0+)?[zZ]$)"),
    };
    options.push(last);
    options.join("|")
}

/// Texts that differ from `text` first at one digit, which is nearer to `end`; behind it there
/// may be any digits.
fn steps(text: &str, end: char) -> Vec<String> {
    let mut options = Vec::new();
    for (index, digit) in text.char_indices().filter(|(_, c)| c.is_ascii_digit()) {
        let Some(range) = towards(digit, end) else {
            continue;
        };
        let any = |c: char| match c.is_ascii_digit() {
            true => "[0-9]".to_owned(),
            false => c.to_string(),
        };
        let rest: String = text[index + 1..].chars().map(any).collect();
        options.push(format!("{}{range}{rest}", &text[..index]));
    }
    options
}

/// The digits from the one behind `digit` to `end`, `0` or `9`.
fn towards(digit: char, end: char) -> Option<String> {
    let digit = digit as u8;
    match end {
        '9' if digit < b'9' => Some(format!("[{}-9]", char::from(digit + 1))),
        '0' if digit > b'0' => Some(format!("[0-{}]", char::from(digit - 1))),
        _ => None,
    }
}

fn decimal_from(units: i64, scale: u8) -> String {
    match units > 0 {
        true => format!("^(?:{})$", at_least(units, scale)),
        // A minus before zero is zero.
        false => format!(r"^(?:[0-9]+(?:\.[0-9]+)?|-(?:{}))$", at_most(-units, scale)),
    }
}

fn decimal_to(units: i64, scale: u8) -> String {
    match units < 0 {
        true => format!("^-(?:{})$", at_least(-units, scale)),
        false => format!(r"^(?:-[0-9]+(?:\.[0-9]+)?|{})$", at_most(units, scale)),
    }
}

/// The digits before and behind the point.
fn parts(units: i64, scale: u8) -> (String, String) {
    let text = decimal::format(units, scale);
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    (
        whole.trim_start_matches('0').to_owned(),
        fraction.trim_end_matches('0').to_owned(),
    )
}

const FRACTION: &str = r"(?:\.[0-9]+)?";

/// Decimals without a sign that are not larger.
fn at_most(units: i64, scale: u8) -> String {
    let (whole, fraction) = parts(units, scale);
    let mut options: Vec<String> = steps(&whole, '0');
    match whole.len() {
        0 => {}
        1 => options.push("0".to_owned()),
        length => options.push(format!("[0-9]{{1,{}}}", length - 1)),
    }
    let mut options: Vec<String> = options
        .into_iter()
        .map(|option| format!("0*{option}{FRACTION}"))
        .collect();
    let mut behind: Vec<String> = fraction
        .char_indices()
        .filter_map(|(index, digit)| {
            let range = towards(digit, '0')?;
            Some(format!("{}{range}[0-9]*", &fraction[..index]))
        })
        .collect();
    behind.extend((1..=fraction.len()).map(|length| fraction[..length].to_owned()));
    behind.push(format!("{fraction}0+"));
    let whole = match whole.as_str() {
        "" => "0+".to_owned(),
        whole => format!("0*{whole}"),
    };
    options.push(format!(r"{whole}(?:\.(?:{}))?", behind.join("|")));
    options.join("|")
}

/// Decimals without a sign that are not smaller; more than zero.
fn at_least(units: i64, scale: u8) -> String {
    let (whole, fraction) = parts(units, scale);
    let mut options: Vec<String> = steps(&whole, '9');
    options.push(format!("[1-9][0-9]{{{},}}", whole.len()));
    let mut options: Vec<String> = options
        .into_iter()
        .map(|option| format!("0*{option}{FRACTION}"))
        .collect();
    let whole = match whole.as_str() {
        "" => "0+".to_owned(),
        whole => format!("0*{whole}"),
    };
    if fraction.is_empty() {
        options.push(format!("{whole}{FRACTION}"));
    } else {
        let mut behind: Vec<String> = fraction
            .char_indices()
            .filter_map(|(index, digit)| {
                let range = towards(digit, '9')?;
                Some(format!("{}{range}[0-9]*", &fraction[..index]))
            })
            .collect();
        behind.push(format!("{fraction}[0-9]*"));
        options.push(format!(r"{whole}\.(?:{})", behind.join("|")));
    }
    options.join("|")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(pattern: &str, text: &str) -> bool {
        // The engine of the tests has no look-ahead; what stands in one comes to the same here.
        let pattern = pattern.replace(r"(?=(?:\.0+)?[zZ]$)", "");
        regex::Regex::new(&pattern).unwrap().is_match(text)
    }

    proptest::proptest! {
        #[test]
        fn decimals_are_held_to_their_limits(
            bound in -2000_i64..2000,
            text in "-?0{0,2}[0-9]{1,3}(\\.[0-9]{1,2}0{0,2})?",
        ) {
            let units = decimal::parse(&text, 2).unwrap();
            proptest::prop_assert_eq!(fits(&decimal_from(bound, 2), &text), units >= bound, "{} {}", bound, decimal_from(bound, 2));
            proptest::prop_assert_eq!(fits(&decimal_to(bound, 2), &text), units <= bound, "{} {}", bound, decimal_to(bound, 2));
        }

        #[test]
        fn dates_are_held_to_their_limits(
            bound in "20[0-2][0-9]-0[1-9]-[12][0-9]",
            text in "20[0-2][0-9]-0[1-9]-[12][0-9]",
        ) {
            proptest::prop_assert_eq!(fits(&format!("^(?:{})$", from(&bound)), &text), text >= bound);
            proptest::prop_assert_eq!(fits(&format!("^(?:{})$", to(&bound, "")), &text), text <= bound);
        }
    }
}
