//! Default values as the catalogs write them.

use super::table::DefaultValue;
use super::token::{TokenKind, bare};

/// Functions that give the time of the insertion.
const CLOCKS: [&str; 9] = [
    "clock_timestamp",
    "current_timestamp",
    "getdate",
    "localtimestamp",
    "now",
    "statement_timestamp",
    "sysdate",
    "transaction_timestamp",
    "unixepoch",
];

/// Functions that give a value which no other row has.
const GIVERS: [&str; 4] = ["gen_random_uuid", "nextval", "uuid_generate_v4", "uuidv7"];

/// Understands a default.
pub(super) fn read(text: Option<&str>) -> DefaultValue {
    let Some(text) = text else {
        return DefaultValue::None;
    };
    let is_one_of =
        |word: &str, known: &[&str]| known.iter().any(|known| known.eq_ignore_ascii_case(word));
    match bare(text).as_slice() {
        [] => DefaultValue::None,
        [TokenKind::Text(literal) | TokenKind::Number(literal) | TokenKind::Quoted(literal)] => {
            DefaultValue::Literal(literal.clone())
        }
        [TokenKind::Symbol('-'), TokenKind::Number(number)] => {
            DefaultValue::Literal(format!("-{number}"))
        }
        [TokenKind::Symbol('+'), TokenKind::Number(number)] => {
            DefaultValue::Literal(number.clone())
        }
        [TokenKind::Word(word)] if word.eq_ignore_ascii_case("null") => DefaultValue::None,
        [TokenKind::Word(word)] if is_one_of(word, &["true", "false"]) => {
            DefaultValue::Literal(word.to_ascii_lowercase())
        }
        [TokenKind::Word(word), ..] if is_one_of(word, &GIVERS) => DefaultValue::Given,
        all if is_now(all, |word| is_one_of(word, &CLOCKS)) => DefaultValue::Now,
        _ => DefaultValue::Expression(text.to_owned()),
    }
}

/// Whether it is the time of the insertion, be it cast or moved to UTC.
fn is_now(tokens: &[TokenKind], is_clock: impl Fn(&str) -> bool) -> bool {
    let is_utc = |token: &TokenKind| matches!(token, TokenKind::Text(text) if text.eq_ignore_ascii_case("utc"));
    match tokens {
        [TokenKind::Word(word)] => is_clock(word),
        // CURRENT_TIMESTAMP(3)
        [TokenKind::Word(word), TokenKind::Number(_)] => is_clock(word),
        [TokenKind::Word(word), TokenKind::Text(now), ..] if now == "now" => {
            ["datetime", "strftime", "timezone"]
                .iter()
                .any(|known| known.eq_ignore_ascii_case(word))
        }
        [
            TokenKind::Word(word),
            TokenKind::Text(_),
            TokenKind::Symbol(','),
            TokenKind::Text(now),
            ..,
        ] => word.eq_ignore_ascii_case("strftime") && now == "now",
        [zone, utc, TokenKind::Symbol(','), rest @ ..] if zone.is_word("timezone") => {
            is_utc(utc) && is_now(rest, is_clock)
        }
        [rest @ .., at, time, zone, utc]
            if at.is_word("at") && time.is_word("time") && zone.is_word("zone") =>
        {
            is_utc(utc) && is_now(rest, is_clock)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_understood_as_both_databases_write_them() {
        let literal = |text: &str| DefaultValue::Literal(text.to_owned());
        let expression = |text: &str| DefaultValue::Expression(text.to_owned());
        let cases = [
            ("'draft'", literal("draft")),
            ("'it''s'::character varying", literal("it's")),
            ("'draft'::public.state", literal("draft")),
            ("\"draft\"", literal("draft")),
            ("0", literal("0")),
            ("(-1)", literal("-1")),
            ("'-1'::integer", literal("-1")),
            ("1.50", literal("1.50")),
            ("TRUE", literal("true")),
            ("'{}'::jsonb", literal("{}")),
            ("NULL::character varying", DefaultValue::None),
            ("CURRENT_TIMESTAMP", DefaultValue::Now),
            ("CURRENT_TIMESTAMP(3)", DefaultValue::Now),
            ("now()", DefaultValue::Now),
            ("timezone('utc'::text, now())", DefaultValue::Now),
            ("(now() AT TIME ZONE 'utc'::text)", DefaultValue::Now),
            (
                "(CURRENT_TIMESTAMP)::timestamp without time zone",
                DefaultValue::Now,
            ),
            ("datetime('now')", DefaultValue::Now),
            ("(strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))", DefaultValue::Now),
            ("nextval('books_id_seq'::regclass)", DefaultValue::Given),
            ("gen_random_uuid()", DefaultValue::Given),
            ("CURRENT_DATE", expression("CURRENT_DATE")),
            (
                "now() + '1 day'::interval",
                expression("now() + '1 day'::interval"),
            ),
            ("lower('X')", expression("lower('X')")),
            ("x'00'", expression("x'00'")),
        ];
        for (text, expected) in cases {
            assert_eq!(read(Some(text)), expected, "default: {text}");
        }
    }
}
