//! Looking for the bytes of a text that cannot be copied as they are.

/// Bytes that are looked at together.
const CHUNK_BYTES: usize = 16;

/// How many bytes at the start of `text` are not `special`.
pub(crate) fn plain_bytes(text: &[u8], special: impl Fn(u8) -> bool) -> usize {
    // Without a way out in the middle of a chunk the compiler compares all of it at once.
    let is_plain = |chunk: &[u8; CHUNK_BYTES]| {
        let found = chunk
            .iter()
            .fold(false, |found, byte| found | special(*byte));
        !found
    };
    in_chunks(text, is_plain, &special)
}

/// How many bytes at the start of `text` are printable ASCII or DEL, and none of `special`, which
/// are so too.
pub(crate) fn plain_ascii_bytes<const COUNT: usize>(text: &[u8], special: &[u8; COUNT]) -> usize {
    let is_plain = |chunk: &[u8; CHUNK_BYTES]| {
        let (words, _) = chunk.as_chunks::<8>();
        let flags = words.iter().fold(0, |flags, word| {
            flags | flags_of(u64::from_ne_bytes(*word), special)
        });
        flags & each(0x80) == 0
    };
    let is_special = |byte: u8| !byte.is_ascii() || byte < b' ' || special.contains(&byte);
    in_chunks(text, is_plain, &is_special)
}

/// The high bits of eight bytes: one at least is set where a byte is not ASCII, below the space,
/// or in `special`, and none where there is no such byte. Subtracting borrows from the byte above
/// only at such a byte.
fn flags_of<const COUNT: usize>(word: u64, special: &[u8; COUNT]) -> u64 {
    let low = word.wrapping_sub(each(b' '));
    special.iter().fold(word | low, |flags, byte| {
        flags | (word ^ each(*byte)).wrapping_sub(each(1))
    })
}

/// Eight times the byte.
const fn each(byte: u8) -> u64 {
    u64::from_ne_bytes([byte; 8])
}

fn in_chunks(
    text: &[u8],
    is_plain: impl Fn(&[u8; CHUNK_BYTES]) -> bool,
    special: &impl Fn(u8) -> bool,
) -> usize {
    let (chunks, _) = text.as_chunks::<CHUNK_BYTES>();
    let start = chunks.iter().take_while(|chunk| is_plain(chunk)).count() * CHUNK_BYTES;
    let rest = &text[start..];
    if rest.len() < CHUNK_BYTES {
        // Filled up with letters, which nobody looks for, the end is looked at like the rest.
        let mut last = [b'a'; CHUNK_BYTES];
        last[..rest.len()].copy_from_slice(rest);
        if is_plain(&last) {
            return text.len();
        }
    }
    let end = rest.iter().position(|byte| special(*byte));
    start + end.unwrap_or(rest.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_special_byte_ends_what_is_plain() {
        for length in 0..70 {
            let plain = "a".repeat(length);
            for behind in ["", "!", "!!", "!aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!"] {
                let text = plain.clone() + behind;
                let found = plain_bytes(text.as_bytes(), |byte| byte == b'!');
                assert_eq!(found, length, "text: {text}");
                let found = plain_ascii_bytes(text.as_bytes(), b"?!");
                assert_eq!(found, length, "text: {text}");
            }
        }
    }

    #[test]
    fn every_byte_is_plain_ascii_or_not_wherever_it_stands() {
        for byte in 0..=u8::MAX {
            for place in 0..CHUNK_BYTES {
                for beside in [b' ', b'!', b'a', 0x7f] {
                    let mut text = [beside; CHUNK_BYTES];
                    text[place] = byte;
                    let is_plain = (b' '..=0x7f).contains(&byte) && !matches!(byte, b'"' | b'\\');
                    let expected = if is_plain { CHUNK_BYTES } else { place };
                    let found = plain_ascii_bytes(&text, b"\"\\");
                    assert_eq!(found, expected, "{byte:#x} at {place} among {beside:#x}");
                }
            }
        }
    }
}
