//! Query strings and form bodies as pairs (WHATWG URL, `application/x-www-form-urlencoded`).

use std::borrow::Cow;

/// The pairs of `text`, decoded, in the order sent. Bytes that are no UTF-8 become U+FFFD.
pub fn pairs(text: &[u8]) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
    form_urlencoded::parse(text)
}
