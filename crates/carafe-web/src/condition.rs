//! Entity tags and preconditions (RFC 9110 §8.8.3 and §13).

use http::HeaderMap;
use http::header::{HeaderName, HeaderValue, IF_MATCH, IF_NONE_MATCH};

use crate::negotiate::{AcceptEncoding, Coding};

/// The validator of one representation.
///
/// A record's tag is strong and made of its version and the fingerprint of the shape that it is
/// written in (so that a changed declaration changes every tag): `"7.1a2b3c"`. A page of the
/// same record ends in `-html`, a compressed body in the coding: `"7.1a2b3c-html-gzip"`. A list
/// has a weak tag from the hash of its bytes: `W/"9c0f…"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntityTag {
    Record {
        version: u64,
        shape: u32,
        media: Media,
    },
    Content(u64),
}

/// The kind of representation that a record's tag is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Media {
    Json,
    Html,
}

impl EntityTag {
    /// The weak tag of a body: equal bytes, equal tags, on every node and in every build.
    #[must_use]
    pub fn of_content(body: &[u8]) -> Self {
        EntityTag::Content(hash_content(body))
    }

    /// The weak tag of a list: of its body, and of the total that only its header tells.
    #[must_use]
    pub fn of_list(body: &[u8], total: u64) -> Self {
        let mut both = [0; 16];
        both[..8].copy_from_slice(&hash_content(body).to_le_bytes());
        both[8..].copy_from_slice(&total.to_le_bytes());
        EntityTag::Content(hash(&both))
    }

    /// The value of `ETag` for the representation in `coding`. A weak tag is the same in all.
    #[must_use]
    pub fn header_value(&self, coding: Coding) -> HeaderValue {
        let mut text = Text::new();
        let prefix = match self {
            EntityTag::Record { .. } => "\"",
            EntityTag::Content(_) => "W/\"",
        };
        text.push(prefix);
        self.push_opaque(&mut text);
        if coding != Coding::Identity && matches!(self, EntityTag::Record { .. }) {
            text.push("-");
            text.push(coding.as_str());
        }
        text.push("\"");
        HeaderValue::from_bytes(text.as_bytes()).expect("a tag is made of visible ASCII")
    }

    /// What stands between the quotes, without the coding.
    fn push_opaque(&self, text: &mut Text) {
        match self {
            EntityTag::Record {
                version,
                shape,
                media,
            } => {
                text.push(itoa::Buffer::new().format(*version));
                text.push(".");
                let digits = (u32::BITS - shape.leading_zeros()).div_ceil(4).max(1);
                text.push_hexadecimal(u64::from(*shape), digits as usize);
                match media {
                    Media::Json => {}
                    Media::Html => text.push("-html"),
                }
            }
            EntityTag::Content(hash) => text.push_hexadecimal(*hash, 16),
        }
    }

    /// The coding of the representation that `opaque` names, if it is one of ours.
    fn matching_coding(&self, opaque: &[u8]) -> Option<Coding> {
        let mut text = Text::new();
        self.push_opaque(&mut text);
        let suffix = opaque.strip_prefix(text.as_bytes())?;
        if suffix.is_empty() {
            return Some(Coding::Identity);
        }
        let suffix = suffix.strip_prefix(b"-")?;
        let is_record = matches!(self, EntityTag::Record { .. });
        Coding::COMPRESSED
            .into_iter()
            .find(|coding| is_record && suffix == coding.as_str().as_bytes())
    }
}

/// A fingerprint for [`EntityTag::Record`]'s `shape`, equal on every node and in every build.
#[must_use]
pub fn fingerprint(shape: &[u8]) -> u32 {
    let hash = hash(shape);
    (hash ^ (hash >> 32)) as u32
}

/// A tag's text on the stack: at most 20 digits, a point, 8 digits, `-html`, `-zstd`, `W/` and
/// two quotes.
struct Text {
    bytes: [u8; 48],
    length: usize,
}

impl Text {
    fn new() -> Self {
        Self {
            bytes: [0; 48],
            length: 0,
        }
    }

    fn push(&mut self, text: &str) {
        let end = self.length + text.len();
        self.bytes[self.length..end].copy_from_slice(text.as_bytes());
        self.length = end;
    }

    /// The last digits of a number, with zeros at the start where it has fewer.
    fn push_hexadecimal(&mut self, number: u64, digits: usize) {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let end = self.length + digits;
        let mut rest = number;
        for place in self.bytes[self.length..end].iter_mut().rev() {
            *place = DIGITS[(rest % 16) as usize];
            rest /= 16;
        }
        self.length = end;
    }

    fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

/// Whether a request is one that answers 304 where its precondition says "not changed".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Intent {
    /// GET and HEAD.
    Read,
    /// Every other method.
    Write,
}

/// What the preconditions of a request say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// There are none, or they hold.
    Proceed,
    /// 304, with the tag in this coding: the one of the stored response that the client named.
    NotModified(Coding),
    /// 412.
    Failed,
}

/// Evaluates the preconditions of a request in the order of RFC 9110 §13.2.2.
///
/// `current` is the tag of what is there, `None` if nothing is. A representation that differs
/// from the current one only in its coding matches, because it has the same content. Records
/// and lists have no modification date, so `If-Modified-Since` and `If-Unmodified-Since` are
/// ignored, as §13.1.3 and §13.1.4 say. A list that is malformed anywhere matches nothing.
#[must_use]
pub fn evaluate(headers: &HeaderMap, intent: Intent, current: Option<&EntityTag>) -> Outcome {
    if headers.contains_key(IF_MATCH)
        && find(headers, &IF_MATCH, Comparison::Strong, current, |_| true).is_none()
    {
        return Outcome::Failed;
    }
    if !headers.contains_key(IF_NONE_MATCH) {
        return Outcome::Proceed;
    }
    // A stored response in a coding that this client cannot read (one cache, several clients)
    // is no answer for it.
    let usable = |coding| {
        intent == Intent::Write
            || coding == Coding::Identity
            || AcceptEncoding::of(headers).allows(coding)
    };
    let found = find(headers, &IF_NONE_MATCH, Comparison::Weak, current, usable);
    match (found, intent) {
        (None, _) => Outcome::Proceed,
        (Some(coding), Intent::Read) => Outcome::NotModified(coding),
        (Some(_), Intent::Write) => Outcome::Failed,
    }
}

/// Whether a request says on which state of the record it is based.
#[must_use]
pub fn is_conditional(headers: &HeaderMap) -> bool {
    headers.contains_key(IF_MATCH) || headers.contains_key(IF_NONE_MATCH)
}

/// Whether a request names the version it is based on by a tag. `*` names none: it holds for
/// whatever is there.
#[must_use]
pub fn names_version(headers: &HeaderMap) -> bool {
    let mut lines = headers.get_all(IF_MATCH).iter();
    lines.any(|line| line.as_bytes().trim_ascii() != b"*")
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Strong,
    Weak,
}

/// The coding of the first tag in the field that matches `current` and is `usable`; `*` matches
/// whatever is there.
fn find(
    headers: &HeaderMap,
    name: &HeaderName,
    comparison: Comparison,
    current: Option<&EntityTag>,
    usable: impl Fn(Coding) -> bool,
) -> Option<Coding> {
    let lines = || headers.get_all(name).iter().map(HeaderValue::as_bytes);
    let current = current?;
    let mut all = lines().filter(|line| !line.trim_ascii().is_empty());
    if all.next()?.trim_ascii() == b"*" {
        return all.next().is_none().then_some(Coding::Identity);
    }
    let is_weak = matches!(current, EntityTag::Content(_));
    let mut found = None;
    for line in lines() {
        for tag in Tags(line) {
            let tag = tag.ok()?;
            if found.is_some() || (comparison == Comparison::Strong && (tag.is_weak || is_weak)) {
                continue;
            }
            found = current
                .matching_coding(tag.opaque)
                .filter(|&coding| usable(coding));
        }
    }
    found
}

struct Tag<'a> {
    is_weak: bool,
    opaque: &'a [u8],
}

struct Malformed;

/// The tags of one line. Not split like other lists: a backslash in a tag escapes nothing.
struct Tags<'a>(&'a [u8]);

impl<'a> Tags<'a> {
    fn parse(text: &'a [u8]) -> Option<(Tag<'a>, &'a [u8])> {
        let (is_weak, text) = match text.strip_prefix(b"W/") {
            Some(text) => (true, text),
            None => (false, text),
        };
        let text = text.strip_prefix(b"\"")?;
        let end = text.iter().position(|&byte| byte == b'"')?;
        let opaque = &text[..end];
        if opaque.iter().any(|&byte| byte <= b' ' || byte == 0x7f) {
            return None;
        }
        let rest = text[end + 1..].trim_ascii_start();
        if !rest.is_empty() && rest[0] != b',' {
            return None;
        }
        Some((Tag { is_weak, opaque }, rest))
    }
}

impl<'a> Iterator for Tags<'a> {
    type Item = Result<Tag<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        while let Some((b' ' | b'\t' | b',', rest)) = self.0.split_first() {
            self.0 = rest;
        }
        if self.0.is_empty() {
            return None;
        }
        match Self::parse(self.0) {
            Some((tag, rest)) => {
                self.0 = rest;
                Some(Ok(tag))
            }
            None => {
                self.0 = &[];
                Some(Err(Malformed))
            }
        }
    }
}

/// Fractional digits of π, as those of [`LANES`].
const KEYS: [u64; 3] = [
    0x243f_6a88_85a3_08d3,
    0x1319_8a2e_0370_7344,
    0xa409_3822_299f_31d0,
];

/// Where the parts of a long body start.
const LANES: [u64; 4] = [
    0x4528_21e6_38d0_1377,
    0xbe54_66cf_34e9_0c6c,
    0xc0ac_29b7_c97c_50dd,
    0x3f84_d5b5_b547_0917,
];

/// A 64-bit hash by folded multiplication, sixteen bytes a step. Not for secrets.
fn hash(bytes: &[u8]) -> u64 {
    let mut state = KEYS[0] ^ bytes.len() as u64;
    let mut chunks = bytes.chunks_exact(16);
    for chunk in &mut chunks {
        let (low, high) = chunk.split_at(8);
        state = fold(word(low) ^ KEYS[1], word(high) ^ state);
    }
    let rest = chunks.remainder();
    let (low, high) = rest.split_at(rest.len().min(8));
    state = fold(word(low) ^ KEYS[2], word(high) ^ state);
    fold(state ^ KEYS[1], KEYS[2])
}

/// The hash of a body that may be long: four parts of it are multiplied at a time, none of which
/// waits for another.
fn hash_content(bytes: &[u8]) -> u64 {
    let (blocks, rest) = bytes.as_chunks::<64>();
    let mut lanes = LANES;
    for block in blocks {
        let (words, _) = block.as_chunks::<8>();
        let (pairs, _) = words.as_chunks::<2>();
        for (lane, [low, high]) in lanes.iter_mut().zip(pairs) {
            let (low, high) = (u64::from_le_bytes(*low), u64::from_le_bytes(*high));
            *lane = fold(low ^ KEYS[1], high ^ *lane);
        }
    }
    let start = hash(rest) ^ bytes.len() as u64;
    lanes
        .iter()
        .fold(start, |state, lane| fold(state ^ lane, KEYS[2]))
}

fn fold(left: u64, right: u64) -> u64 {
    let product = u128::from(left) * u128::from(right);
    (product as u64) ^ ((product >> 64) as u64)
}

/// Up to eight bytes as a number, the first the lowest.
fn word(bytes: &[u8]) -> u64 {
    let mut word = [0; 8];
    word[..bytes.len()].copy_from_slice(bytes);
    u64::from_le_bytes(word)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use http::header::{ACCEPT_ENCODING, IF_MODIFIED_SINCE, IF_UNMODIFIED_SINCE};
    use proptest::prelude::*;

    use super::*;

    const RECORD: EntityTag = EntityTag::Record {
        version: 7,
        shape: 0x1a_2b3c,
        media: Media::Json,
    };
    const PAGE: EntityTag = EntityTag::Record {
        version: 7,
        shape: 0x1a_2b3c,
        media: Media::Html,
    };
    const LIST: EntityTag = EntityTag::Content(0xab);

    fn headers(lines: &[(HeaderName, &'static str)]) -> HeaderMap {
        lines
            .iter()
            .map(|(name, value)| (name.clone(), HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn tags_tell_representations_apart() {
        let cases = [
            (RECORD, Coding::Identity, r#""7.1a2b3c""#),
            (RECORD, Coding::Gzip, r#""7.1a2b3c-gzip""#),
            (RECORD, Coding::Brotli, r#""7.1a2b3c-br""#),
            (PAGE, Coding::Zstd, r#""7.1a2b3c-html-zstd""#),
            (LIST, Coding::Identity, r#"W/"00000000000000ab""#),
            (LIST, Coding::Zstd, r#"W/"00000000000000ab""#),
            (
                EntityTag::Record {
                    version: u64::MAX,
                    shape: u32::MAX,
                    media: Media::Html,
                },
                Coding::Zstd,
                r#""18446744073709551615.ffffffff-html-zstd""#,
            ),
        ];
        for (tag, coding, expected) in cases {
            assert_eq!(tag.header_value(coding), expected);
        }
    }

    #[test]
    fn if_match_compares_strongly() {
        let cases = [
            (r#""7.1a2b3c""#, true),
            (r#""7.1a2b3c-gzip""#, true),
            (r#""6.1a2b3c", "7.1a2b3c-br""#, true),
            (r#","7.1a2b3c" ,"#, true),
            ("*", true),
            (" * ", true),
            (r#"W/"7.1a2b3c""#, false),
            (r#"W/"7.1a2b3c", "7.1a2b3c""#, true),
            (r#""6.1a2b3c""#, false),
            (r#""7.1a2b3c-html""#, false),
            (r#""7.1a2b3c-deflate""#, false),
            (r#""7.1a2b3cc""#, false),
            (r#""17.1a2b3c""#, false),
            ("7.1a2b3c", false),
            (r#""7.1a2b3c"#, false),
            (r#""7.1a2b3c" "x""#, false),
            (r#""7.1a2b3c", x"#, false),
            (r#"*, "7.1a2b3c""#, false),
            (r#""x", *"#, false),
            (r#"w/"7.1a2b3c""#, false),
            ("", false),
        ];
        for (text, holds) in cases {
            let headers = headers(&[(IF_MATCH, text)]);
            let expected = if holds {
                Outcome::Proceed
            } else {
                Outcome::Failed
            };
            for intent in [Intent::Read, Intent::Write] {
                assert_eq!(
                    evaluate(&headers, intent, Some(&RECORD)),
                    expected,
                    "If-Match: {text}"
                );
            }
            assert_eq!(
                evaluate(&headers, Intent::Write, None),
                Outcome::Failed,
                "without a record, If-Match: {text}"
            );
        }
        let weak = headers(&[(IF_MATCH, r#""00000000000000ab""#)]);
        assert_eq!(evaluate(&weak, Intent::Read, Some(&LIST)), Outcome::Failed);
    }

    #[test]
    fn if_none_match_compares_weakly() {
        let cases = [
            (r#""7.1a2b3c""#, Some(Coding::Identity)),
            (r#"W/"7.1a2b3c""#, Some(Coding::Identity)),
            (r#""a\", "7.1a2b3c""#, Some(Coding::Identity)),
            (r#""a,b", "7.1a2b3c""#, Some(Coding::Identity)),
            (r#""7.1a2b3c-gzip""#, Some(Coding::Gzip)),
            (r#""7.1a2b3c-br", "7.1a2b3c-gzip""#, Some(Coding::Gzip)),
            (r#""7.1a2b3c-br""#, None),
            ("*", Some(Coding::Identity)),
            (r#""8.1a2b3c""#, None),
            (r#""7.1a2b3c-html""#, None),
            ("nonsense", None),
            ("", None),
        ];
        for (text, expected) in cases {
            let headers = headers(&[(IF_NONE_MATCH, text), (ACCEPT_ENCODING, "gzip")]);
            assert_eq!(
                evaluate(&headers, Intent::Read, Some(&RECORD)),
                expected.map_or(Outcome::Proceed, Outcome::NotModified),
                "If-None-Match: {text}"
            );
            assert_eq!(
                evaluate(&headers, Intent::Read, None),
                Outcome::Proceed,
                "without a record, If-None-Match: {text}"
            );
        }
    }

    #[test]
    fn if_none_match_on_a_write_fails_where_it_matches() {
        let any = headers(&[(IF_NONE_MATCH, "*")]);
        let tag = headers(&[(IF_NONE_MATCH, r#""7.1a2b3c-br""#)]);
        for (headers, current, expected) in [
            (&any, Some(&RECORD), Outcome::Failed),
            (&any, None, Outcome::Proceed),
            (&tag, Some(&RECORD), Outcome::Failed),
            (&tag, Some(&PAGE), Outcome::Proceed),
        ] {
            assert_eq!(evaluate(headers, Intent::Write, current), expected);
        }
    }

    #[test]
    fn fields_have_their_order_and_dates_are_ignored() {
        const OLD: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
        let good = r#""7.1a2b3c""#;
        let cases: [(&[(HeaderName, &str)], Outcome); 7] = [
            (&[], Outcome::Proceed),
            (&[(IF_MODIFIED_SINCE, "nonsense")], Outcome::Proceed),
            (&[(IF_UNMODIFIED_SINCE, OLD)], Outcome::Proceed),
            (
                &[(IF_NONE_MATCH, good), (IF_MODIFIED_SINCE, OLD)],
                Outcome::NotModified(Coding::Identity),
            ),
            (
                &[(IF_MATCH, good), (IF_UNMODIFIED_SINCE, OLD)],
                Outcome::Proceed,
            ),
            (
                &[(IF_MATCH, good), (IF_NONE_MATCH, good)],
                Outcome::NotModified(Coding::Identity),
            ),
            (
                &[(IF_MATCH, "\"x\""), (IF_NONE_MATCH, good)],
                Outcome::Failed,
            ),
        ];
        for (lines, expected) in cases {
            assert_eq!(
                evaluate(&headers(lines), Intent::Read, Some(&RECORD)),
                expected,
                "{lines:?}"
            );
        }
    }

    #[test]
    fn lines_are_joined() {
        let two = headers(&[(IF_MATCH, "\"x\""), (IF_MATCH, "\"7.1a2b3c\"")]);
        assert_eq!(
            evaluate(&two, Intent::Write, Some(&RECORD)),
            Outcome::Proceed
        );
        let mixed = headers(&[(IF_MATCH, "*"), (IF_MATCH, "\"7.1a2b3c\"")]);
        assert_eq!(
            evaluate(&mixed, Intent::Write, Some(&RECORD)),
            Outcome::Failed
        );
    }

    #[test]
    fn the_hash_is_the_same_in_every_build() {
        let mut hashes = ["", "[]", "0123456789abcdef", "0123456789abcdefg"]
            .map(|text| format!("{:016x}", hash(text.as_bytes())))
            .to_vec();
        let long = "0123456789abcdefg".repeat(10);
        hashes.push(format!("{:016x}", hash_content(long.as_bytes())));
        insta::assert_snapshot!(
            hashes.join("\n"),
            @r"
        167942cfea989203
        2d3adbe4316acd92
        d84658b2069c9092
        6be864d2b192bcbe
        17968eb628bd9c09
        "
        );
    }

    #[test]
    fn small_changes_change_the_hash() {
        let mut seen = HashSet::new();
        for length in 0..200 {
            for place in 0..=length {
                let mut body = vec![b'0'; length];
                if let Some(byte) = body.get_mut(place) {
                    *byte = b'1';
                }
                let what = format!("{length} bytes, place {place}");
                assert!(length >= 64 || seen.insert(hash(&body)), "{what}");
                assert!(seen.insert(hash_content(&body)), "{what}");
            }
        }
    }

    #[test]
    fn tags_are_numbers_as_they_are_formatted() {
        for shape in [0, 1, 0xf, 0x10, 0xfff_ffff, 0x1000_0000, u32::MAX] {
            for (version, hash) in [(0, 0), (7, 0x10), (u64::MAX, u64::MAX)] {
                let media = Media::Html;
                let tag = EntityTag::Record {
                    version,
                    shape,
                    media,
                };
                let expected = format!("\"{version}.{shape:x}-html-gzip\"");
                assert_eq!(tag.header_value(Coding::Gzip), expected);
                let expected = format!("W/\"{hash:016x}\"");
                assert_eq!(
                    EntityTag::Content(hash).header_value(Coding::Gzip),
                    expected
                );
            }
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_evaluated(text in proptest::collection::vec(32_u8..=255, 0..64)) {
            if let Ok(line) = HeaderValue::from_bytes(&text) {
                let headers = HeaderMap::from_iter([
                    (IF_MATCH, line.clone()),
                    (IF_NONE_MATCH, line),
                ]);
                let _ = evaluate(&headers, Intent::Read, Some(&RECORD));
                let _ = evaluate(&headers, Intent::Write, Some(&LIST));
            }
        }

        #[test]
        fn a_tag_matches_itself_only(
            version: u64,
            other: u64,
            shape: u32,
            coding in proptest::sample::select(&[
                Coding::Identity, Coding::Gzip, Coding::Brotli, Coding::Zstd,
            ][..]),
        ) {
            let tag = EntityTag::Record { version, shape, media: Media::Json };
            let headers = HeaderMap::from_iter([(IF_MATCH, tag.header_value(coding))]);
            prop_assert_eq!(evaluate(&headers, Intent::Write, Some(&tag)), Outcome::Proceed);
            let next = EntityTag::Record { version: other, shape, media: Media::Json };
            prop_assert_eq!(
                evaluate(&headers, Intent::Write, Some(&next)) == Outcome::Proceed,
                version == other
            );
        }
    }
}
