//! The grammar that many header fields share: lists, parameters, quoted strings
//! (RFC 9110 §5.6).

use std::borrow::Cow;

use http::HeaderMap;
use http::header::HeaderName;

/// The elements of a list field, over all its lines, as if they were joined by commas.
pub(crate) fn elements<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
) -> impl Iterator<Item = &'a [u8]> + use<'a> {
    headers
        .get_all(name)
        .iter()
        .flat_map(|line| split(line.as_bytes(), b','))
}

/// The parts of `text` between separators that stand outside quoted strings, without the white
/// space around them; empty parts are skipped.
pub(crate) fn split(text: &[u8], separator: u8) -> impl Iterator<Item = &[u8]> {
    let mut rest = text;
    std::iter::from_fn(move || {
        while !rest.is_empty() {
            let end = unquoted_position(rest, separator).unwrap_or(rest.len());
            let part = rest[..end].trim_ascii();
            rest = rest.get(end + 1..).unwrap_or_default();
            if !part.is_empty() {
                return Some(part);
            }
        }
        None
    })
}

/// `name=value` with the quotes of the value removed. White space around `=` is not allowed by
/// the grammar but taken. `None` where there is no `=` or a quoted string does not end.
pub(crate) fn parameter(text: &[u8]) -> Option<(&[u8], Cow<'_, [u8]>)> {
    let equals = text.iter().position(|&byte| byte == b'=')?;
    let name = text[..equals].trim_ascii();
    let value = text[equals + 1..].trim_ascii();
    Some((name, unquote(value)?))
}

fn unquoted_position(text: &[u8], separator: u8) -> Option<usize> {
    let mut quoted = false;
    let mut escaped = false;
    text.iter().position(|&byte| {
        if escaped {
            escaped = false;
        } else if quoted && byte == b'\\' {
            escaped = true;
        } else if byte == b'"' {
            quoted = !quoted;
        } else {
            return !quoted && byte == separator;
        }
        false
    })
}

fn unquote(value: &[u8]) -> Option<Cow<'_, [u8]>> {
    let Some(inner) = value.strip_prefix(b"\"") else {
        return Some(Cow::Borrowed(value));
    };
    let inner = inner.strip_suffix(b"\"")?;
    if !inner.contains(&b'\\') {
        return Some(Cow::Borrowed(inner));
    }
    let mut plain = Vec::with_capacity(inner.len());
    let mut bytes = inner.iter();
    while let Some(&byte) = bytes.next() {
        plain.push(if byte == b'\\' { *bytes.next()? } else { byte });
    }
    Some(Cow::Owned(plain))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parts(text: &str) -> Vec<&str> {
        split(text.as_bytes(), b',')
            .map(|part| std::str::from_utf8(part).unwrap())
            .collect()
    }

    #[test]
    fn lists_are_split_outside_quotes() {
        let cases: [(&str, &[&str]); 7] = [
            ("", &[]),
            (" , ,", &[]),
            ("a", &["a"]),
            ("a, b ,\tc", &["a", "b", "c"]),
            (r#"a="x,y", b"#, &[r#"a="x,y""#, "b"]),
            (r#"a="x\",y", b"#, &[r#"a="x\",y""#, "b"]),
            (r#"a="x, b"#, &[r#"a="x, b"#]),
        ];
        for (text, expected) in cases {
            assert_eq!(parts(text), expected, "list: {text:?}");
        }
    }

    #[test]
    fn parameters_lose_their_quotes() {
        let cases: [(&str, Option<(&str, &str)>); 6] = [
            ("q=0.5", Some(("q", "0.5"))),
            ("charset = \"utf-8\"", Some(("charset", "utf-8"))),
            (r#"a="x\"y""#, Some(("a", "x\"y"))),
            ("a", None),
            ("a=\"x", None),
            ("a=\"", None),
        ];
        for (text, expected) in cases {
            let found = parameter(text.as_bytes());
            let found = found
                .as_ref()
                .map(|(name, value)| (name.escape_ascii().to_string(), value.to_vec()));
            let expected = expected.map(|(name, value)| (name.to_owned(), value.into()));
            assert_eq!(found, expected, "parameter: {text:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_split(text in proptest::collection::vec(any::<u8>(), 0..64)) {
            for part in split(&text, b',') {
                prop_assert!(!part.is_empty());
                parameter(part);
            }
        }
    }
}
