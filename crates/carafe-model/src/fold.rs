//! Text as search compares it: NFC, then Unicode simple case folding, character by character
//! (Unicode Standard, section 3.13, and `CaseFolding.txt` status C and S): ς folds to σ, ß
//! stays ß. Both databases use this one function.

use std::borrow::Cow;

use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

/// `text` folded. Borrowed where it is folded already.
#[must_use]
pub fn fold(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        // Without a way out in the middle many bytes are looked at at once.
        let bytes = text.bytes();
        return match bytes.fold(false, |found, byte| found | byte.is_ascii_uppercase()) {
            true => Cow::Owned(text.to_ascii_lowercase()),
            false => Cow::Borrowed(text),
        };
    }
    match is_nfc_quick(text.chars()) {
        IsNormalized::Yes => Cow::Owned(text.chars().map(fold_char).collect()),
        IsNormalized::No | IsNormalized::Maybe => Cow::Owned(text.nfc().map(fold_char).collect()),
    }
}

/// Whether `text`, once folded, has `folded` in it, which is folded already.
#[must_use]
pub fn contains(text: &str, folded: &str) -> bool {
    fold(text).contains(folded)
}

/// Every character that folding changes, with what it becomes.
pub fn pairs() -> impl Iterator<Item = (char, char)> {
    (char::MIN..=char::MAX).filter_map(|c| {
        let folded = fold_char(c);
        (folded != c).then_some((c, folded))
    })
}

fn fold_char(c: char) -> char {
    if c.is_ascii() {
        return c.to_ascii_lowercase();
    }
    unicode_case_mapping::case_folded(c)
        .and_then(|code| char::from_u32(code.get()))
        .unwrap_or(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capitals_and_forms_are_the_same_text() {
        let cases = [
            ("ÉCLAIR", "éclair"),
            ("E\u{301}clair", "éclair"),
            ("ΣΊΣΥΦΟΣ", "σίσυφοσ"),
            ("σίσυφος", "σίσυφοσ"),
            ("Straße", "straße"),
            ("İ", "İ"),
            ("100%", "100%"),
        ];
        for (text, expected) in cases {
            assert_eq!(fold(text), expected, "text: {text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn folding_twice_is_folding_once(text in "\\PC{0,20}") {
            assert_eq!(fold(&fold(&text)), fold(&text));
        }
    }
}
