//! Comparing a table of the target with that of the source, row by row.

use std::collections::VecDeque;

use carafe_model::value::Value;

use crate::transaction::Transaction;

use super::batch::Batches;
use super::failure::Failure;
use super::sheet::Sheet;

/// Compares all rows in the order of their keys, and tells `each` of how many were equal.
pub(super) async fn compare(
    source: (&mut impl Transaction, &Sheet<'_>),
    target: (&mut impl Transaction, &Sheet<'_>),
    mut each: impl FnMut(u64),
) -> Result<(), Failure> {
    let ((source, from), (target, to)) = (source, target);
    let title = from.title.as_str();
    let (mut sent, mut kept) = (Batches::new(from), Batches::new(to));
    let (mut expected, mut found) = (VecDeque::new(), VecDeque::new());
    loop {
        if expected.is_empty() {
            let rows = sent.next(source).await;
            expected.extend(rows.map_err(Failure::reading(title))?);
        }
        if found.is_empty() {
            let rows = kept.next(target).await;
            found.extend(rows.map_err(Failure::reading_again(title))?);
        }
        if expected.is_empty() && found.is_empty() {
            return Ok(());
        }
        let mut equal = 0;
        loop {
            match (expected.pop_front(), found.pop_front()) {
                (Some(sent), Some(kept)) => {
                    if let Some(difference) = difference(from, &sent, &kept) {
                        return Err(Failure::Differs(difference));
                    }
                    equal += 1;
                }
                (Some(sent), None) => {
                    expected.push_front(sent);
                    break;
                }
                (None, Some(kept)) => {
                    found.push_front(kept);
                    break;
                }
                (None, None) => break,
            }
        }
        each(equal);
        if equal == 0 {
            // One of them has ended, and the other has not.
            let (row, what) = match expected.front() {
                Some(row) => (row, "is missing"),
                None => (&found[0], "is too many"),
            };
            return Err(Failure::Differs(format!("{} {what}", name(from, row))));
        }
    }
}

/// What is different in two rows, without the values, which may be secret.
fn difference(sheet: &Sheet<'_>, sent: &[Value], kept: &[Value]) -> Option<String> {
    let mut columns = sheet.columns.iter().zip(sent.iter().zip(kept));
    let (column, _) = columns.find(|(_, (sent, kept))| !is_same(sent, kept))?;
    Some(format!(
        "{} has another value in the column \"{}\"",
        name(sheet, sent),
        column.name.as_str()
    ))
}

fn is_same(sent: &Value, kept: &Value) -> bool {
    match (sent, kept) {
        (Value::Number(sent), Value::Number(kept)) => sent.to_bits() == kept.to_bits(),
        _ => sent == kept,
    }
}

/// `the row 7 of notes`
fn name(sheet: &Sheet<'_>, row: &[Value]) -> String {
    let key = row[..sheet.key].iter().map(|value| match value {
        Value::Text(text) => text.clone(),
        Value::Integer(number) => number.to_string(),
        Value::Null | Value::Boolean(_) | Value::Number(_) => "?".to_owned(),
    });
    let key: Vec<String> = key.collect();
    format!("the row {} of {}", key.join(", "), sheet.title)
}
