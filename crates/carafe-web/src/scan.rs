//! Looking for the bytes of a text that cannot be copied as they are.

/// Bytes that are looked at together.
const CHUNK_BYTES: usize = 16;

/// How many bytes at the start of `text` are not `special`.
pub(crate) fn plain_bytes(text: &[u8], special: impl Fn(u8) -> bool) -> usize {
    let (chunks, _) = text.as_chunks::<CHUNK_BYTES>();
    // Without a way out in the middle of a chunk the compiler compares all of it at once.
    let is_plain = |chunk: &&[u8; CHUNK_BYTES]| {
        let found = chunk
            .iter()
            .fold(false, |found, byte| found | special(*byte));
        !found
    };
    let start = chunks.iter().take_while(is_plain).count() * CHUNK_BYTES;
    let rest = &text[start..];
    if rest.len() < CHUNK_BYTES {
        // Filled up with letters, which nobody looks for, the end is looked at like the rest.
        let mut last = [b'a'; CHUNK_BYTES];
        last[..rest.len()].copy_from_slice(rest);
        if is_plain(&&last) {
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
            }
        }
    }
}
