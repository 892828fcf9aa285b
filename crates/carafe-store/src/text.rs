//! The text that a search looks through on PostgreSQL.

use carafe_model::fold::fold;

/// Stands between fields, and for NUL, which PostgreSQL has in no text. What has this character
/// is looked for field by field.
pub(crate) const SEPARATOR: char = '\u{FFFD}';

/// What is searched of a row: its texts, folded, with a mark between them that no search
/// crosses.
pub(crate) fn searched<'a>(texts: impl Iterator<Item = &'a str>) -> String {
    let mut searched = String::new();
    for text in texts {
        if !searched.is_empty() {
            searched.push(SEPARATOR);
        }
        match text.contains('\0') {
            true => searched.push_str(&fold(text).replace('\0', "\u{FFFD}")),
            false => searched.push_str(&fold(text)),
        }
    }
    searched
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_folded_and_kept_apart() {
        assert_eq!(searched(["Ab", "c\0D"].into_iter()), "ab\u{FFFD}c\u{FFFD}d");
        assert_eq!(searched(["", "É"].into_iter()), "é");
    }
}
