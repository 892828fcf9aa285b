//! Messages for the next page that a person sees, kept in a signed cookie.

use http::HeaderMap;
use http::header::HeaderValue;

use crate::cookie::{Lifetime, Name};
use crate::sign::{Purpose, SecretKey};

/// The cookie that holds the messages.
pub const COOKIE: Name = Name::new("carafe_flash", "__Host-carafe_flash");

const PURPOSE: Purpose = Purpose::new("flash");

/// What all messages may take together. In base64 and with its signature that stays below the
/// 4096 bytes that browsers keep of one cookie (RFC 6265 §6.1).
const PAYLOAD_BYTES_MAX: usize = 2048;

/// A message's category and length.
const HEAD_BYTES: usize = 3;

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flash {
    pub category: Category,
    pub message: String,
}

/// What a message is about, which pages show by its colour and role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Category {
    Success,
    Info,
    Warning,
    Error,
}

impl Category {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Category::Success => "success",
            Category::Info => "info",
            Category::Warning => "warning",
            Category::Error => "error",
        }
    }

    fn code(self) -> u8 {
        match self {
            Category::Success => b's',
            Category::Info => b'i',
            Category::Warning => b'w',
            Category::Error => b'e',
        }
    }

    fn parse(code: u8) -> Option<Self> {
        match code {
            b's' => Some(Category::Success),
            b'i' => Some(Category::Info),
            b'w' => Some(Category::Warning),
            b'e' => Some(Category::Error),
            _ => None,
        }
    }
}

/// The messages that a request brings, oldest first; none where the cookie is missing, forged
/// or damaged.
#[must_use]
pub fn read(key: &SecretKey, headers: &HeaderMap, secure: bool) -> Vec<Flash> {
    COOKIE
        .values(headers, secure)
        .find_map(|value| decode(&key.verify(PURPOSE, value)?))
        .unwrap_or_default()
}

/// The `Set-Cookie` value that keeps `messages`. Where they are too long together, the oldest
/// go, and a single one is cut.
#[must_use]
pub fn write(key: &SecretKey, messages: &[Flash], secure: bool) -> HeaderValue {
    COOKIE
        .set(
            &key.sign(PURPOSE, &encode(messages)),
            Lifetime::Session,
            secure,
        )
        .unwrap_or_else(|| clear(secure))
}

/// The `Set-Cookie` value that keeps `message` after those that the request brought.
#[must_use]
pub fn append(key: &SecretKey, headers: &HeaderMap, message: Flash, secure: bool) -> HeaderValue {
    let mut messages = read(key, headers, secure);
    messages.push(message);
    write(key, &messages, secure)
}

/// The `Set-Cookie` value that removes all messages.
#[must_use]
pub fn clear(secure: bool) -> HeaderValue {
    COOKIE.clear(secure)
}

fn encode(messages: &[Flash]) -> Vec<u8> {
    let mut room = PAYLOAD_BYTES_MAX;
    let mut kept = Vec::new();
    for flash in messages.iter().rev() {
        let Some(text_room) = room.checked_sub(HEAD_BYTES) else {
            break;
        };
        if flash.message.len() > text_room && !kept.is_empty() {
            break;
        }
        let end = flash.message.floor_char_boundary(text_room);
        room = text_room - end;
        kept.push((flash.category, &flash.message[..end]));
    }
    let mut payload = Vec::with_capacity(PAYLOAD_BYTES_MAX - room);
    for (category, text) in kept.into_iter().rev() {
        payload.push(category.code());
        // Below PAYLOAD_BYTES_MAX, so nothing is cut off.
        payload.extend_from_slice(&(text.len() as u16).to_le_bytes());
        payload.extend_from_slice(text.as_bytes());
    }
    payload
}

fn decode(mut payload: &[u8]) -> Option<Vec<Flash>> {
    let mut messages = Vec::new();
    while !payload.is_empty() {
        let (&[code, low, high], rest) = payload.split_first_chunk::<HEAD_BYTES>()?;
        let (text, rest) = rest.split_at_checked(u16::from_le_bytes([low, high]).into())?;
        messages.push(Flash {
            category: Category::parse(code)?,
            message: str::from_utf8(text).ok()?.to_owned(),
        });
        payload = rest;
    }
    Some(messages)
}

#[cfg(test)]
mod tests {
    use http::header;
    use proptest::prelude::*;

    use super::*;
    use crate::sign::tests::key;

    fn flash(category: Category, message: &str) -> Flash {
        Flash {
            category,
            message: message.to_owned(),
        }
    }

    /// What a browser sends back after `set`.
    fn returned(set: &HeaderValue) -> HeaderMap {
        let text = set.to_str().unwrap();
        let pair = text.split(';').next().unwrap();
        HeaderMap::from_iter([(header::COOKIE, HeaderValue::from_str(pair).unwrap())])
    }

    #[test]
    fn messages_add_up_until_they_are_cleared() {
        let key = key();
        let first = append(
            &key,
            &HeaderMap::new(),
            flash(Category::Success, "Note created."),
            false,
        );
        let second = append(
            &key,
            &returned(&first),
            flash(Category::Error, "Título; \"é\""),
            false,
        );
        assert_eq!(
            read(&key, &returned(&second), false),
            [
                flash(Category::Success, "Note created."),
                flash(Category::Error, "Título; \"é\"")
            ]
        );
        assert_eq!(read(&key, &returned(&clear(false)), false), []);
    }

    #[test]
    fn a_forged_cookie_brings_no_message() {
        let other = SecretKey::new(&[9; 32]).unwrap();
        let forged = write(&other, &[flash(Category::Info, "x")], true);
        assert_eq!(read(&key(), &returned(&forged), true), []);
    }

    #[test]
    fn the_cookie_stays_small_and_the_newest_message_stays() {
        let long = flash(Category::Info, &"é".repeat(5000));
        let many: Vec<_> = (0..500)
            .map(|n| flash(Category::Info, &format!("message {n}")))
            .collect();
        for messages in [&[long][..], &many] {
            let set = write(&key(), messages, true);
            assert!(set.len() < 4096);
            let kept = read(&key(), &returned(&set), true);
            let last = messages.last().unwrap();
            assert!(!kept.is_empty() && last.message.starts_with(&kept.last().unwrap().message));
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(texts in proptest::collection::vec("\\PC{0,40}", 0..8)) {
            let messages: Vec<_> = texts
                .iter()
                .map(|text| flash(Category::Warning, text))
                .collect();
            let set = write(&key(), &messages, false);
            prop_assert_eq!(read(&key(), &returned(&set), false), messages);
        }

        #[test]
        fn any_payload_is_decoded(payload in proptest::collection::vec(any::<u8>(), 0..64)) {
            decode(&payload);
        }
    }
}
