//! Text as JSON: what is plain is copied in pieces.

use carafe_model::value::valid;

use crate::scan::{plain_ascii_bytes, plain_bytes};

/// Appends `text` as a JSON string.
pub fn write_string(out: &mut Vec<u8>, text: &str) {
    out.reserve(text.len() + 2);
    out.push(b'"');
    write_escaped(out, text);
    out.push(b'"');
}

/// Appends a stored text as a JSON string. ASCII is UTF-8 and needs no other look than that for
/// what is escaped.
pub(super) fn write_stored(out: &mut Vec<u8>, text: &[u8]) {
    out.reserve(text.len() + 2);
    out.push(b'"');
    let (plain, rest) = text.split_at(plain_ascii_bytes(text, [b'"', b'\\']));
    out.extend_from_slice(plain);
    if !rest.is_empty() {
        write_escaped(out, valid(rest));
    }
    out.push(b'"');
}

/// Appends what stands between the quotes of a JSON string (RFC 8259, section 7).
pub fn write_escaped(out: &mut Vec<u8>, text: &str) {
    let mut rest = text.as_bytes();
    loop {
        let (plain, after) = rest.split_at(plain_bytes(rest, is_escaped));
        out.extend_from_slice(plain);
        let Some((byte, after)) = after.split_first() else {
            return;
        };
        write_escape(out, *byte);
        rest = after;
    }
}

fn is_escaped(byte: u8) -> bool {
    (byte < b' ') | (byte == b'"') | (byte == b'\\')
}

fn write_escape(out: &mut Vec<u8>, byte: u8) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let short = match byte {
        b'"' | b'\\' => byte,
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        0x08 => b'b',
        0x0c => b'f',
        _ => {
            let [high, low] = [byte >> 4, byte & 15].map(|digit| DIGITS[usize::from(digit)]);
            return out.extend_from_slice(&[b'\\', b'u', b'0', b'0', high, low]);
        }
    };
    out.extend_from_slice(&[b'\\', short]);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn string(text: &str) -> String {
        let mut out = Vec::new();
        write_string(&mut out, text);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_json_cannot_hold_is_escaped() {
        let cases = [
            ("", r#""""#),
            ("plain é 漢 🙂 / \u{7f}", "\"plain é 漢 🙂 / \u{7f}\""),
            (r#"a"b\c"#, r#""a\"b\\c""#),
            ("\u{8}\t\n\u{c}\r", r#""\b\t\n\f\r""#),
            ("\0\u{1b}\u{1f}", r#""\u0000\u001b\u001f""#),
            (
                "sixteen bytes...\nand then some",
                r#""sixteen bytes...\nand then some""#,
            ),
            ("fifteen bytes..\n", r#""fifteen bytes..\n""#),
        ];
        for (text, expected) in cases {
            assert_eq!(string(text), expected, "text: {text:?}");
        }
    }

    #[test]
    fn what_is_stored_ends_where_it_is_no_text() {
        let cases: [(&[u8], &str); 4] = [
            (b"plain", r#""plain""#),
            (b"one\ntwo\xff three", r#""one\ntwo""#),
            (b"\xc3\xa9\xff", "\"é\""),
            (b"\xc3", r#""""#),
        ];
        for (stored, expected) in cases {
            let mut out = Vec::new();
            write_stored(&mut out, stored);
            assert_eq!(String::from_utf8_lossy(&out), expected, "{stored:?}");
        }
    }

    proptest! {
        #[test]
        fn strings_are_those_of_serde(text in any::<String>(), ascii in "[\\x00-\\x7f]{0,64}") {
            for text in [text, ascii] {
                prop_assert_eq!(string(&text), serde_json::to_string(&text).unwrap());
                let mut stored = Vec::new();
                write_stored(&mut stored, text.as_bytes());
                prop_assert_eq!(String::from_utf8_lossy(&stored), string(&text));
            }
        }
    }
}
