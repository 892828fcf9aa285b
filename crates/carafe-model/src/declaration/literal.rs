//! Values written in TOML, as a field reads them.

use std::borrow::Cow;

use toml::de::{DeInteger, DeTable, DeValue};

use super::walker::Item;
use crate::fault::Fault;
use crate::field::{Field, Raw};
use crate::kind::Kind;
use crate::value::Value;

/// The value that `item` is to `field`, checked by the field's own rules.
///
/// # Errors
///
/// The first rule that it breaks.
pub(super) fn read(item: &Item<'_>, field: &Field) -> Result<Value, Fault> {
    if field.kind == Kind::Json {
        let mut json = String::new();
        return match write_json(item.value, &mut json) {
            Some(()) => field.read(Raw::Json(Cow::Owned(json))),
            None => field.read(Raw::Compound("")),
        };
    }
    match item.value {
        DeValue::String(text) => field.read(Raw::Text(Cow::Borrowed(text))),
        DeValue::Boolean(value) => field.read(Raw::Boolean(*value)),
        DeValue::Datetime(moment) => field.read(Raw::Text(Cow::Owned(moment.to_string()))),
        DeValue::Integer(integer) => read_number(&whole(integer), field),
        DeValue::Float(float) => read_number(&float.as_str().replace(['_', '+'], ""), field),
        DeValue::Array(_) | DeValue::Table(_) => field.read(Raw::Compound("")),
    }
}

/// In the file a decimal may be a bare number too: its digits are read as they stand.
fn read_number(text: &str, field: &Field) -> Result<Value, Fault> {
    match field.kind {
        Kind::Decimal { .. } => field.read(Raw::Text(Cow::Borrowed(text))),
        _ => field.read(Raw::Number(text)),
    }
}

/// The decimal digits of an integer, however long it is.
fn whole(integer: &DeInteger<'_>) -> String {
    let digits = integer.as_str().replace(['_', '+'], "");
    match (
        integer.radix(),
        i128::from_str_radix(&digits, integer.radix()),
    ) {
        (10, _) | (_, Err(_)) => digits,
        (_, Ok(value)) => value.to_string(),
    }
}

/// Appends a value as compact JSON, members in the order of the file. `None` for what JSON
/// does not have: infinities and NaN.
fn write_json(value: &DeValue<'_>, out: &mut String) -> Option<()> {
    match value {
        DeValue::String(text) => write_text(text, out),
        DeValue::Integer(integer) => out.push_str(&whole(integer)),
        DeValue::Float(float) => {
            let text = float.as_str().replace(['_', '+'], "");
            let value = text.parse::<f64>().ok()?;
            if !value.is_finite() {
                return None;
            }
            out.push_str(&text);
        }
        DeValue::Boolean(value) => out.push_str(if *value { "true" } else { "false" }),
        DeValue::Datetime(moment) => write_text(&moment.to_string(), out),
        DeValue::Array(array) => {
            out.push('[');
            for (index, element) in array.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_json(element.get_ref(), out)?;
            }
            out.push(']');
        }
        DeValue::Table(table) => write_table(table, out)?,
    }
    Some(())
}

fn write_table(table: &DeTable<'_>, out: &mut String) -> Option<()> {
    let mut members: Vec<_> = table.iter().collect();
    members.sort_by_key(|(key, _)| key.span().start);
    out.push('{');
    for (index, (key, value)) in members.into_iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        write_text(key.get_ref(), out);
        out.push(':');
        write_json(value.get_ref(), out)?;
    }
    out.push('}');
    Some(())
}

fn write_text(text: &str, out: &mut String) {
    use std::fmt::Write;
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c < ' ' => {
                write!(out, "\\u{:04x}", u32::from(c)).expect("writing to a String does not fail");
            }
            c => out.push(c),
        }
    }
    out.push('"');
}
