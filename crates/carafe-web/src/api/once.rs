//! `Idempotency-Key`: a POST that may be repeated is carried out once (IETF draft "The
//! Idempotency-Key HTTP Header Field").

use carafe_model::fault::{Code, Fault, Place};
use carafe_service::record::Once;
use http::HeaderName;
use http::header::CONTENT_TYPE;
use sha2::{Digest, Sha256};

use crate::call::Call;
use crate::error::{Kind, Problem};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Characters of a key.
const KEY_CHARACTERS_MAX: usize = 255;

/// What the request calls itself, if it does, with what tells it from others: its method, path
/// and body.
///
/// # Errors
///
/// 400 for a key that is no string of structured fields (RFC 9651, section 3.3.3), is empty or
/// too long, or stands twice.
pub(super) fn of(call: &Call, content: &[u8]) -> Result<Option<Once>, Problem> {
    let mut lines = call.headers().get_all(IDEMPOTENCY_KEY).iter();
    let Some(line) = lines.next() else {
        return Ok(None);
    };
    let key = line.to_str().ok().and_then(parse);
    let (Some(key), None) = (key, lines.next()) else {
        let message = format!(
            "Idempotency-Key must be 1 to {KEY_CHARACTERS_MAX} characters in quotes, such as \"8e03978e-40d5-43dd-bc93-6894a57f9324\""
        );
        let fault = Fault {
            place: Place::Header("Idempotency-Key"),
            code: Code::Format,
            message,
        };
        return Err(Problem::invalid(Kind::BadHeader, vec![fault]));
    };
    let mut hash = Sha256::new();
    let kind = call.headers().get(CONTENT_TYPE);
    let kind = kind.map_or(&b""[..], |kind| kind.as_bytes());
    for part in [
        call.method().as_str().as_bytes(),
        call.path().as_bytes(),
        kind,
        content,
    ] {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    let fingerprint = hash
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    Ok(Some(Once { key, fingerprint }))
}

/// The content of a string of structured fields.
fn parse(line: &str) -> Option<String> {
    let mut characters = line.trim().strip_prefix('"')?.strip_suffix('"')?.chars();
    let mut key = String::new();
    while let Some(character) = characters.next() {
        match character {
            '\\' => key.push(characters.next().filter(|c| matches!(c, '"' | '\\'))?),
            '"' => return None,
            ' '..='~' => key.push(character),
            _ => return None,
        }
    }
    (1..=KEY_CHARACTERS_MAX).contains(&key.len()).then_some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_a_string_of_structured_fields() {
        let long = format!("\"{}\"", "a".repeat(KEY_CHARACTERS_MAX + 1));
        for (line, expected) in [
            ("\"a\"", Some("a")),
            (" \"a b\\\"c\\\\\" ", Some("a b\"c\\")),
            ("\"\"", None),
            ("a", None),
            ("\"a", None),
            ("\"a\"b\"", None),
            ("\"a\\n\"", None),
            ("\"é\"", None),
            (long.as_str(), None),
        ] {
            assert_eq!(parse(line).as_deref(), expected, "{line}");
        }
    }
}
