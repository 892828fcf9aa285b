//! Query strings and form bodies as pairs (WHATWG URL, `application/x-www-form-urlencoded`).

use std::borrow::Cow;

/// The pairs of `text`, decoded, in the order sent. Bytes that are no UTF-8 become U+FFFD.
pub fn pairs(text: &[u8]) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
    form_urlencoded::parse(text)
}

/// Whether `text` is UTF-8 once it is percent-decoded.
#[must_use]
pub fn is_utf8(text: &[u8]) -> bool {
    percent_encoding::percent_decode(text).decode_utf8().is_ok()
}
