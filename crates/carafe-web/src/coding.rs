//! Compression of response bodies: fast levels, only where it pays.

use std::cell::RefCell;
use std::io::{self, Write};

use bytes::Bytes;

use crate::field_value;
use crate::negotiate::Coding;

/// Bodies below this are sent as they are: they fit one network packet anyway.
pub const COMPRESSED_BYTES_MIN: usize = 1024;

/// Levels at which a list costs about as much to compress as to read from the database.
/// gzip's default level 6 would cost five to thirty times the list itself.
const GZIP_LEVEL: u32 = 1;
const BROTLI_LEVEL: u32 = 2;
const ZSTD_LEVEL: i32 = 1;

/// Brotli's window as a power of two: 256 KiB, since bodies are hardly ever larger.
const BROTLI_WINDOW_BITS: u32 = 18;
const BROTLI_BUFFER_BYTES: usize = 4096;

/// Compresses `body` with `coding` if its type and size make that worth while and the result is
/// smaller; otherwise `body` comes back unchanged with [`Coding::Identity`].
#[must_use]
pub fn encode(body: Bytes, content_type: &[u8], coding: Coding) -> (Bytes, Coding) {
    if coding == Coding::Identity
        || body.len() < COMPRESSED_BYTES_MIN
        || !is_text_like(content_type)
    {
        return (body, Coding::Identity);
    }
    match compress(&body, coding) {
        Ok(smaller) if smaller.len() < body.len() => (smaller.into(), coding),
        // An encoder that fails has written nothing yet that anybody saw.
        Ok(_) | Err(_) => (body, Coding::Identity),
    }
}

/// Whether bodies of this media type shrink: text, JSON, XML, scripts.
#[must_use]
pub fn is_text_like(content_type: &[u8]) -> bool {
    let Some(essence) = field_value::split(content_type, b';').next() else {
        return false;
    };
    let lower = essence.to_ascii_lowercase();
    lower.starts_with(b"text/")
        || lower.ends_with(b"+json")
        || lower.ends_with(b"+xml")
        || matches!(
            lower.as_slice(),
            b"application/json"
                | b"application/x-ndjson"
                | b"application/javascript"
                | b"application/xml"
        )
}

fn compress(body: &[u8], coding: Coding) -> io::Result<Vec<u8>> {
    match coding {
        Coding::Identity => Ok(body.to_vec()),
        Coding::Gzip => {
            let compression = flate2::Compression::new(GZIP_LEVEL);
            let mut encoder = flate2::write::GzEncoder::new(buffer_for(body), compression);
            encoder.write_all(body)?;
            encoder.finish()
        }
        Coding::Brotli => {
            let mut encoder = brotli::CompressorWriter::new(
                buffer_for(body),
                BROTLI_BUFFER_BYTES,
                BROTLI_LEVEL,
                BROTLI_WINDOW_BITS,
            );
            encoder.write_all(body)?;
            Ok(encoder.into_inner())
        }
        Coding::Zstd => compress_zstd(body),
    }
}

/// A third is what JSON lists shrink to at these levels; more grows the buffer once or twice.
fn buffer_for(body: &[u8]) -> Vec<u8> {
    Vec::with_capacity(body.len() / 3)
}

thread_local! {
    /// A compressor's tables are larger than most bodies, so each thread keeps one.
    static ZSTD: RefCell<Option<zstd::bulk::Compressor<'static>>> = const { RefCell::new(None) };
}

fn compress_zstd(body: &[u8]) -> io::Result<Vec<u8>> {
    ZSTD.with_borrow_mut(|kept| {
        let mut compressor = match kept.take() {
            Some(compressor) => compressor,
            None => zstd::bulk::Compressor::new(ZSTD_LEVEL)?,
        };
        let compressed = compressor.compress(body)?;
        *kept = Some(compressor);
        Ok(compressed)
    })
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use proptest::prelude::*;

    use super::*;

    fn decompress(body: &[u8], coding: Coding) -> Vec<u8> {
        let mut plain = Vec::new();
        match coding {
            Coding::Identity => plain.extend_from_slice(body),
            Coding::Gzip => {
                flate2::read::GzDecoder::new(body)
                    .read_to_end(&mut plain)
                    .unwrap();
            }
            Coding::Brotli => {
                brotli::Decompressor::new(body, 4096)
                    .read_to_end(&mut plain)
                    .unwrap();
            }
            Coding::Zstd => plain = zstd::bulk::decompress(body, 1 << 20).unwrap(),
        }
        plain
    }

    #[test]
    fn text_shrinks_and_comes_back() {
        let body = Bytes::from(r#"{"title":"Milk","content":"two litres"},"#.repeat(100));
        for coding in Coding::COMPRESSED {
            let (encoded, applied) = encode(body.clone(), b"application/json", coding);
            assert_eq!(applied, coding);
            assert!(encoded.len() < body.len() / 5, "{coding:?}");
            assert_eq!(decompress(&encoded, coding), body, "{coding:?}");
        }
    }

    #[test]
    fn what_does_not_pay_is_left_alone() {
        let text = |length| Bytes::from("x".repeat(length));
        let mut state = 1_u64;
        let random: Bytes = std::iter::repeat_with(|| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 56) as u8
        })
        .take(4096)
        .collect();
        let cases = [
            (
                text(COMPRESSED_BYTES_MIN - 1),
                "text/plain",
                Coding::Gzip,
                false,
            ),
            (text(COMPRESSED_BYTES_MIN), "text/plain", Coding::Gzip, true),
            (text(4096), "text/plain", Coding::Identity, false),
            (text(4096), "image/png", Coding::Zstd, false),
            (text(4096), "", Coding::Zstd, false),
            (
                text(4096),
                "Application/Problem+JSON; x=y",
                Coding::Zstd,
                true,
            ),
            (text(4096), "image/svg+xml", Coding::Brotli, true),
            (random, "text/plain", Coding::Zstd, false),
        ];
        for (body, content_type, coding, expected) in cases {
            let (encoded, applied) = encode(body.clone(), content_type.as_bytes(), coding);
            let applied = applied != Coding::Identity;
            assert_eq!(
                (applied, encoded == body),
                (expected, !expected),
                "{} bytes of {content_type:?} with {coding:?}",
                body.len()
            );
        }
    }

    proptest! {
        #[test]
        fn any_body_comes_back(body in proptest::collection::vec(0_u8..8, 1024..8192)) {
            for coding in Coding::COMPRESSED {
                let (encoded, applied) = encode(body.clone().into(), b"text/plain", coding);
                prop_assert_eq!(decompress(&encoded, applied), body.clone());
            }
        }
    }
}
