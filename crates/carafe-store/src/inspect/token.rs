//! The words of an SQL text, as both databases write them.

use std::ops::Range;

/// A token, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) kind: TokenKind,
    pub(super) span: Range<usize>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum TokenKind {
    /// A keyword or a name.
    Word(String),
    /// A name in quotes, without them.
    Quoted(String),
    /// A text, without its quotes.
    Text(String),
    Number(String),
    Symbol(char),
}

impl TokenKind {
    /// Whether it is this keyword, in whatever capitals.
    pub(super) fn is_word(&self, word: &str) -> bool {
        matches!(self, TokenKind::Word(text) if text.eq_ignore_ascii_case(word))
    }

    pub(super) fn is_symbol(&self, symbol: char) -> bool {
        *self == TokenKind::Symbol(symbol)
    }

    /// A name, in quotes or not.
    pub(super) fn name(&self) -> Option<&str> {
        match self {
            TokenKind::Word(name) | TokenKind::Quoted(name) => Some(name),
            TokenKind::Text(_) | TokenKind::Number(_) | TokenKind::Symbol(_) => None,
        }
    }
}

/// Cuts a text into tokens; comments and white space are none.
pub(super) fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut start = 0;
    while let Some(c) = text[start..].chars().next() {
        let rest = &text[start..];
        let length = if c.is_whitespace() {
            c.len_utf8()
        } else if rest.starts_with("--") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else {
            let (kind, length) = token(rest, c);
            tokens.push(Token {
                kind,
                span: start..start + length,
            });
            length
        };
        start += length;
    }
    tokens
}

/// The token that `rest` begins with, and its bytes.
fn token(rest: &str, first: char) -> (TokenKind, usize) {
    let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
    match first {
        '\'' => {
            let (text, length) = quoted(rest, '\'');
            (TokenKind::Text(text), length)
        }
        '"' | '`' => {
            let (name, length) = quoted(rest, first);
            (TokenKind::Quoted(name), length)
        }
        '[' if rest[1..].starts_with(|c: char| c.is_alphabetic() || c == '_') => {
            let length = rest.find(']').map_or(rest.len(), |end| end + 1);
            let name = rest[1..length].trim_end_matches(']');
            (TokenKind::Quoted(name.to_owned()), length)
        }
        '0'..='9' => {
            let is_number = |c: char| c.is_ascii_alphanumeric() || c == '.';
            let length = rest.find(|c| !is_number(c)).unwrap_or(rest.len());
            (TokenKind::Number(rest[..length].to_owned()), length)
        }
        c if is_part(c) => {
            let length = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
            (TokenKind::Word(rest[..length].to_owned()), length)
        }
        c => (TokenKind::Symbol(c), c.len_utf8()),
    }
}

/// What stands between quotes, doubled ones for one, and the bytes of the whole.
fn quoted(rest: &str, quote: char) -> (String, usize) {
    let mut text = String::new();
    let mut characters = rest.char_indices().skip(1).peekable();
    while let Some((index, c)) = characters.next() {
        if c != quote {
            text.push(c);
        } else if characters.next_if(|(_, next)| *next == quote).is_some() {
            text.push(quote);
        } else {
            return (text, index + 1);
        }
    }
    (text, rest.len())
}

/// The tokens of an expression without parentheses and casts: both databases write more of them
/// than were written.
pub(super) fn bare(text: &str) -> Vec<TokenKind> {
    const OPERATORS: [&str; 9] = [
        "and", "any", "array", "at", "collate", "in", "is", "not", "or",
    ];
    let mut all = tokens(text).into_iter().map(|token| token.kind).peekable();
    let mut bare = Vec::new();
    while let Some(kind) = all.next() {
        let is_cast = kind.is_symbol(':') && all.next_if(|next| next.is_symbol(':')).is_some();
        if is_cast {
            let is_type = |next: &TokenKind| match next {
                TokenKind::Word(word) => !OPERATORS
                    .iter()
                    .any(|known| word.eq_ignore_ascii_case(known)),
                TokenKind::Quoted(_) | TokenKind::Number(_) => true,
                TokenKind::Symbol(symbol) => matches!(symbol, '.' | '('),
                TokenKind::Text(_) => false,
            };
            while let Some(part) = all.next_if(is_type) {
                // The length in `character varying(20)`.
                if part.is_symbol('(') {
                    while all.next_if(|next| !next.is_symbol(')')).is_some() {}
                    all.next();
                }
            }
            if all.next_if(|next| next.is_symbol('[')).is_some() {
                all.next_if(|next| next.is_symbol(']'));
            }
        } else if !kind.is_symbol('(') && !kind.is_symbol(')') {
            bare.push(kind);
        }
    }
    bare
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn casts_and_parentheses_are_no_part_of_an_expression() {
        let words = |text: &str| {
            let kinds = bare(text);
            let shown = kinds.iter().map(|kind| match kind {
                TokenKind::Word(text) | TokenKind::Quoted(text) => text.clone(),
                TokenKind::Text(text) | TokenKind::Number(text) => format!("'{text}'"),
                TokenKind::Symbol(symbol) => symbol.to_string(),
            });
            shown.collect::<Vec<_>>().join(" ")
        };
        let cases = [
            ("('a'::character varying(20))", "'a'"),
            ("(\"a b\")::public.\"Mood\" IS NULL", "a b IS NULL"),
            ("ARRAY['a'::text]::text[] = x", "ARRAY [ 'a' ] = x"),
            ("now() AT TIME ZONE 'utc'::text", "now AT TIME ZONE 'utc'"),
            ("[a b] -- no\n/* no */ `c`", "a b c"),
            ("'it''s", "'it's'"),
        ];
        for (text, expected) in cases {
            assert_eq!(words(text), expected, "text: {text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn every_text_can_be_cut(text: String, sql in "['\"\\[\\]():, */a-c0-9-]{0,30}") {
            for text in [text, sql] {
                let mut end = 0;
                for token in tokens(&text) {
                    assert!(end <= token.span.start && token.span.start < token.span.end);
                    end = token.span.end;
                }
                bare(&text);
            }
        }
    }
}
