//! Grams: three characters in a row of a folded text, by which a search finds rows.
//!
//! A character counts for a byte: ASCII for itself, all others for one of 128. So a gram is a
//! number of 24 bits, and the grams that begin with one or two given characters are a range.
//! Grams of different texts can be the same number: what they find is compared with the text.

use std::ops::RangeInclusive;

/// Three bytes, the first character's the highest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Gram(u32);

impl Gram {
    /// Bits of a gram.
    pub(crate) const BITS: u32 = 24;

    /// None: no text has this gram.
    pub(crate) const NONE: Gram = Gram(0);

    pub(crate) fn number(self) -> u32 {
        self.0
    }

    fn followed_by(self, byte: u8) -> Self {
        Gram((self.0 << 8 | u32::from(byte)) & 0xFF_FFFF)
    }
}

/// Stands behind the end of a text.
const END: u8 = 0;

/// Grams of a search that are looked up; what they find is compared with the whole text.
const WANTED_MAX: usize = 48;

/// The grams of a folded text: one begins at each of its characters, the last two with marks of
/// the end. One that repeats comes again.
pub(crate) fn grams(folded: &str) -> impl Iterator<Item = Gram> {
    let bytes = folded.chars().map(byte).chain([END, END]);
    windows(bytes)
}

/// What each text with `folded` in it has a gram of, range by range: all of the grams inside of
/// `folded`, or those that begin with it where it is shorter than a gram.
pub(crate) fn wanted(folded: &str) -> Vec<RangeInclusive<Gram>> {
    let bytes: Vec<u8> = folded.chars().map(byte).collect();
    match *bytes.as_slice() {
        [] => Vec::new(),
        [first] => vec![of(first, 0, 0)..=of(first, 0xFF, 0xFF)],
        [first, second] => vec![of(first, second, 0)..=of(first, second, 0xFF)],
        _ => {
            let mut grams: Vec<Gram> = windows(bytes.into_iter()).take(WANTED_MAX).collect();
            grams.sort_unstable();
            grams.dedup();
            grams.into_iter().map(|gram| gram..=gram).collect()
        }
    }
}

fn windows(bytes: impl Iterator<Item = u8>) -> impl Iterator<Item = Gram> {
    let mut last = Gram::NONE;
    let grams = bytes.map(move |byte| {
        last = last.followed_by(byte);
        last
    });
    grams.skip(2)
}

fn of(first: u8, second: u8, third: u8) -> Gram {
    Gram(u32::from_be_bytes([0, first, second, third]))
}

fn byte(c: char) -> u8 {
    match u8::try_from(c) {
        Ok(0) => 1,
        Ok(ascii) if ascii.is_ascii() => ascii,
        // Neighbours in an alphabet are spread.
        _ => (u32::from(c).wrapping_mul(0x9E37_79B1) >> 25) as u8 | 0x80,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str, searched: &str) -> bool {
        let grams: Vec<Gram> = grams(text).collect();
        let has = |range: &RangeInclusive<Gram>| grams.iter().any(|gram| range.contains(gram));
        wanted(searched).iter().all(has)
    }

    #[test]
    fn a_text_has_a_gram_from_each_character_on() {
        let all: Vec<Gram> = grams("abc").collect();
        assert_eq!(
            all,
            [of(b'a', b'b', b'c'), of(b'b', b'c', 0), of(b'c', 0, 0)]
        );
        assert_eq!(grams("a").collect::<Vec<_>>(), [of(b'a', 0, 0)]);
        assert_eq!(grams("").count(), 0);
        assert!(grams("\0\0é").all(|gram| gram != Gram::NONE));
    }

    #[test]
    fn texts_are_told_apart() {
        let cases = [
            ("quxfrobnicate", "frob", true),
            ("quxfrobnicate", "forb", false),
            ("quxfrobnicate", "te", true),
            ("quxfrobnicate", "e", true),
            ("quxfrobnicate", "tq", false),
            ("éclair", "éc", true),
            ("éclair", "z", false),
        ];
        for (text, searched, expected) in cases {
            assert_eq!(found(text, searched), expected, "{searched} in {text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn each_part_of_a_text_is_found(
            before in "\\PC{0,8}", searched in "\\PC{1,60}", after in "\\PC{0,8}",
        ) {
            let text = format!("{before}{searched}{after}");
            assert!(found(&text, &searched));
        }
    }
}
