//! Conditions of tables, as far as they list the values of a column.

use super::table::{Column, Held, Table};
use super::token::{TokenKind, bare, tokens};

/// The conditions behind `CHECK` in the definition of a table or a constraint.
pub(super) fn checks(definition: &str) -> Vec<&str> {
    let tokens = tokens(definition);
    let mut checks = Vec::new();
    for (index, token) in tokens.iter().enumerate() {
        let opens = tokens
            .get(index + 1)
            .filter(|next| next.kind.is_symbol('('));
        let (true, Some(opens)) = (token.kind.is_word("check"), opens) else {
            continue;
        };
        let mut depth = 0;
        for inner in &tokens[index + 1..] {
            depth += i32::from(inner.kind.is_symbol('(')) - i32::from(inner.kind.is_symbol(')'));
            if depth == 0 {
                checks.push(definition[opens.span.end..inner.span.start].trim());
                break;
            }
        }
    }
    checks
}

/// Takes a condition that lists the values of a column into the column's type. False where it
/// is no such condition.
pub(super) fn take(table: &mut Table, check: &str) -> bool {
    let Some((name, values)) = listed(&bare(check)) else {
        return false;
    };
    let mut columns = table.columns.iter_mut();
    let column = columns.find(|column| column.name.eq_ignore_ascii_case(&name));
    column.is_some_and(|column| narrow(column, values))
}

/// Makes a text with listed values a choice, and a number that is 0 or 1 a boolean.
fn narrow(column: &mut Column, values: Vec<String>) -> bool {
    let is_flag = values.iter().all(|value| value == "0" || value == "1");
    match column.held {
        Held::String { .. } | Held::Text => {
            column.held = Held::Choice(values);
            true
        }
        Held::Integer | Held::Boolean if is_flag => {
            column.held = Held::Boolean;
            true
        }
        _ => false,
    }
}

/// The column and the values of `x IN ('a', 'b')`, also where null is allowed aloud.
fn listed(tokens: &[TokenKind]) -> Option<(String, Vec<String>)> {
    let tokens = match tokens {
        [first, is, null, or, rest @ ..]
            if is.is_word("is") && null.is_word("null") && or.is_word("or") =>
        {
            first.name()?;
            rest
        }
        [rest @ .., or, last, is, null]
            if is.is_word("is") && null.is_word("null") && or.is_word("or") =>
        {
            last.name()?;
            rest
        }
        _ => tokens,
    };
    let (column, values) = match tokens {
        [column, is_in, values @ ..] if is_in.is_word("in") => (column, values),
        [column, equals, any, array, opens, values @ .., closes]
            if equals.is_symbol('=')
                && any.is_word("any")
                && array.is_word("array")
                && opens.is_symbol('[')
                && closes.is_symbol(']') =>
        {
            (column, values)
        }
        [column, equals, value @ TokenKind::Text(_)] if equals.is_symbol('=') => {
            (column, std::slice::from_ref(value))
        }
        _ => return None,
    };
    let mut found = Vec::new();
    for (index, value) in values.iter().enumerate() {
        match value {
            TokenKind::Symbol(',') if index % 2 == 1 => {}
            TokenKind::Text(text) | TokenKind::Number(text) | TokenKind::Quoted(text)
                if index % 2 == 0 =>
            {
                found.push(text.clone());
            }
            _ => return None,
        }
    }
    (!found.is_empty()).then(|| Some((column.name()?.to_owned(), found)))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_are_found_in_definitions() {
        let definition = "CREATE TABLE t (a TEXT CHECK (a IN ('x', ')')), -- CHECK (no)\n \
                          \"check\" INTEGER, CONSTRAINT c CHECK ((length(a) > 1)))";
        assert_eq!(checks(definition), ["a IN ('x', ')')", "(length(a) > 1)"]);
    }

    #[test]
    fn lists_of_values_are_understood_as_both_databases_write_them() {
        let found = |column: &str, values: &[&str]| {
            let values = values.iter().map(|value| (*value).to_owned()).collect();
            Some((column.to_owned(), values))
        };
        let cases = [
            ("state IN ('new','it''s')", found("state", &["new", "it's"])),
            ("\"state\" in (\"a\", \"b\")", found("state", &["a", "b"])),
            (
                "(state = ANY (ARRAY['a'::text, 'b'::text]))",
                found("state", &["a", "b"]),
            ),
            (
                "((state)::text = ANY ((ARRAY['a'::character varying, 'b'::character varying(20)])::text[]))",
                found("state", &["a", "b"]),
            ),
            (
                "((state IS NULL) OR (state = 'a'::text))",
                found("state", &["a"]),
            ),
            ("state IN ('a') OR state IS NULL", found("state", &["a"])),
            ("done IN (0, 1)", found("done", &["0", "1"])),
            ("state NOT IN ('a')", None),
            ("length(state) IN (1, 2)", None),
            ("state IN ('a') AND price > 0", None),
            ("price > 0", None),
            ("", None),
        ];
        for (check, expected) in cases {
            assert_eq!(listed(&bare(check)), expected, "condition: {check}");
        }
    }
}
