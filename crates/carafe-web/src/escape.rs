//! Text as HTML, in elements and in quoted attributes alike.

use std::fmt;

use crate::scan::{plain_ascii_bytes, plain_bytes};

const DELETE: u8 = 0x7f;

/// Bytes of printable ASCII, and DEL, that stand for something else in HTML.
const SPECIAL: [u8; 6] = [b'<', b'>', b'&', b'"', b'\'', DELETE];

/// Writes `text` so that it reads as text wherever it stands: markup characters and quotes as
/// references, control characters and noncharacters, which HTML cannot hold (HTML Standard,
/// preprocessing the input stream), as something that can be seen.
pub(crate) fn write(out: &mut (impl fmt::Write + ?Sized), text: &str) -> fmt::Result {
    let mut written = 0;
    let mut index = plain_ascii_bytes(text.as_bytes(), SPECIAL);
    if index == text.len() {
        return out.write_str(text);
    }
    loop {
        index += plain_bytes(&text.as_bytes()[index..], may_be_markup);
        let Some(c) = text[index..].chars().next() else {
            return out.write_str(&text[written..]);
        };
        let start = index;
        index += c.len_utf8();
        let reference = match c {
            '<' => "&lt;",
            '>' => "&gt;",
            '&' => "&amp;",
            '"' => "&#34;",
            '\'' => "&#39;",
            '\t' | '\n' | '\r' => continue,
            _ if c.is_control() || is_noncharacter(c) => "",
            _ => continue,
        };
        out.write_str(&text[written..start])?;
        match reference {
            "" => out.write_char(visible(c))?,
            _ => out.write_str(reference)?,
        }
        written = index;
    }
}

/// Whether a character that begins with this byte needs a look.
fn may_be_markup(byte: u8) -> bool {
    let is_outside = (byte < b' ') | !byte.is_ascii();
    let specials = SPECIAL.iter();
    specials.fold(is_outside, |found, special| found | (byte == *special))
}

/// Whether [`write`] writes `text`, and each part of it, as it is: it is printable ASCII without
/// anything special. Of other text the answer is no, though it may be so.
pub(crate) fn is_plain(text: &str) -> bool {
    plain_ascii_bytes(text.as_bytes(), SPECIAL) == text.len()
}

/// Appends `text` as [`write`] writes it.
pub(crate) fn push(out: &mut String, text: &str) {
    write(out, text).expect("a String takes all that is written");
}

/// `text` as [`write`] writes it.
pub(crate) fn html(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    push(&mut out, text);
    out
}

/// The control picture of a C0 code or DEL; U+FFFD for what has none.
fn visible(c: char) -> char {
    let picture = match c {
        '\0'..='\u{1f}' => char::from_u32(0x2400 + u32::from(c)),
        '\u{7f}' => Some('\u{2421}'),
        _ => None,
    };
    picture.unwrap_or(char::REPLACEMENT_CHARACTER)
}

/// The 66 code points that Unicode never gives to a character.
fn is_noncharacter(c: char) -> bool {
    matches!(c, '\u{fdd0}'..='\u{fdef}') || u32::from(c) & 0xfffe == 0xfffe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_stays_text() {
        let cases = [
            ("plain é 漢 🙂", "plain é 漢 🙂"),
            (
                "<script>alert(1)</script>",
                "&lt;script&gt;alert(1)&lt;/script&gt;",
            ),
            (
                "\" onmouseover='x' &amp;",
                "&#34; onmouseover=&#39;x&#39; &amp;amp;",
            ),
            ("a\tb\r\nc", "a\tb\r\nc"),
            ("\0\u{1b}[31m\u{7f}", "␀␛[31m␡"),
            ("\u{80}\u{85}\u{9f}", "\u{fffd}\u{fffd}\u{fffd}"),
            (
                "\u{fdd0}\u{ffff}\u{1fffe}\u{fffc}",
                "\u{fffd}\u{fffd}\u{fffd}\u{fffc}",
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(html(text), expected, "text: {text:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn nothing_that_opens_markup_is_left(text in proptest::prelude::any::<String>()) {
            let html = html(&text);
            proptest::prop_assert!(!html.contains(['<', '>', '"', '\'']));
            proptest::prop_assert!(html.chars().all(|c| !c.is_control() || matches!(c, '\t' | '\n' | '\r')));
        }
    }
}
