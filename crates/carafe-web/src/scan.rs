//! Looking for the bytes of a text that cannot be copied as they are.

/// How many bytes at the start of `text` are not `special`.
pub(crate) fn plain_bytes(text: &[u8], special: impl Fn(u8) -> bool) -> usize {
    // Without a way out in the middle of a chunk the compiler compares all of it at once.
    let is_plain = |chunk: &[u8; 16]| {
        let found = chunk
            .iter()
            .fold(false, |found, byte| found | special(*byte));
        !found
    };
    up_to_special(text, plain_chunks(text, is_plain), is_plain, &special)
}

/// How many bytes at the start of `text` are printable ASCII or DEL, and none of `special`, which
/// are so too.
// Where it is called the compiler knows what is special.
#[inline(always)]
pub(crate) fn plain_ascii_bytes<const COUNT: usize>(text: &[u8], special: [u8; COUNT]) -> usize {
    let start = plain_chunks(text, |chunk: &[u8; 64]| is_plain_ascii(chunk, special));
    let is_plain = |chunk: &[u8; 16]| is_plain_ascii(chunk, special);
    let start = start + plain_chunks(&text[start..], is_plain);
    up_to_special(text, start, is_plain, |byte| flag(byte, special) >= 0x80)
}

#[inline(always)]
fn is_plain_ascii<const COUNT: usize>(chunk: &[u8], special: [u8; COUNT]) -> bool {
    let flags = chunk
        .iter()
        .fold(0, |flags, byte| flags | flag(*byte, special));
    flags < 0x80
}

/// A byte whose high bit is set where `byte` is not ASCII, below the space, or in `special`: of
/// ASCII only zero gets it when one is taken away. The compiler does this for many at once.
#[inline(always)]
fn flag<const COUNT: usize>(byte: u8, special: [u8; COUNT]) -> u8 {
    let outside = byte | byte.wrapping_sub(b' ');
    special.into_iter().fold(outside, |flag, special| {
        flag | (byte ^ special).wrapping_sub(1)
    })
}

/// How many bytes at the start of `text` are in whole chunks that are plain.
#[inline(always)]
fn plain_chunks<const LENGTH: usize>(
    text: &[u8],
    is_plain: impl Fn(&[u8; LENGTH]) -> bool,
) -> usize {
    let (chunks, _) = text.as_chunks::<LENGTH>();
    chunks.iter().take_while(|chunk| is_plain(chunk)).count() * LENGTH
}

/// How many bytes there are before the first `special` one, which is not among the first `start`.
#[inline(always)]
fn up_to_special<const LENGTH: usize>(
    text: &[u8],
    start: usize,
    is_plain: impl Fn(&[u8; LENGTH]) -> bool,
    special: impl Fn(u8) -> bool,
) -> usize {
    let rest = &text[start..];
    if rest.len() < LENGTH {
        let is_rest_plain = match text.last_chunk::<LENGTH>() {
            // Some of it has been looked at, and was plain.
            Some(last) => is_plain(last),
            None => {
                // Filled up with letters, which nobody looks for.
                let mut last = [b'a'; LENGTH];
                last[..rest.len()].copy_from_slice(rest);
                is_plain(&last)
            }
        };
        if is_rest_plain {
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
        for length in 0..150 {
            let plain = "a".repeat(length);
            for behind in ["", "!", "!!", "!aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!"] {
                let text = plain.clone() + behind;
                let found = plain_bytes(text.as_bytes(), |byte| byte == b'!');
                assert_eq!(found, length, "text: {text}");
                let found = plain_ascii_bytes(text.as_bytes(), [b'?', b'!']);
                assert_eq!(found, length, "text: {text}");
            }
        }
    }

    #[test]
    fn every_byte_is_plain_ascii_or_not_wherever_it_stands() {
        // Wide chunks, narrow ones, and an end.
        const LENGTH: usize = 91;
        for byte in 0..=u8::MAX {
            for place in 0..LENGTH {
                for beside in [b' ', b'!', b'a', 0x7f] {
                    let mut text = [beside; LENGTH];
                    text[place] = byte;
                    let is_plain = (b' '..=0x7f).contains(&byte) && !matches!(byte, b'"' | b'\\');
                    let expected = if is_plain { LENGTH } else { place };
                    let found = plain_ascii_bytes(&text, [b'"', b'\\']);
                    assert_eq!(found, expected, "{byte:#x} at {place} among {beside:#x}");
                }
            }
        }
    }
}
