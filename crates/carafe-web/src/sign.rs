//! Signatures for what a client keeps for us: cookies and form tokens.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

/// The length of a signature, HMAC-SHA256 (RFC 2104).
pub const SIGNATURE_BYTES: usize = 32;

/// What a signature is for. A text that was signed for one purpose is refused for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Purpose(&'static str);

impl Purpose {
    /// `name` must not be used for anything else; it is part of what is signed.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self(name)
    }
}

/// The secret that all nodes of one server share.
#[derive(Clone)]
pub struct SecretKey(Hmac<Sha256>);

/// The key is shorter than [`SecretKey::BYTES_MIN`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a secret key needs at least {} bytes", SecretKey::BYTES_MIN)]
pub struct KeyTooShort;

impl SecretKey {
    /// 256 bits, what SHA-256 can use.
    pub const BYTES_MIN: usize = 32;

    /// Takes `bytes` as the key.
    ///
    /// # Errors
    ///
    /// [`KeyTooShort`] below [`Self::BYTES_MIN`].
    pub fn new(bytes: &[u8]) -> Result<Self, KeyTooShort> {
        if bytes.len() < Self::BYTES_MIN {
            return Err(KeyTooShort);
        }
        Hmac::new_from_slice(bytes)
            .map(Self)
            .map_err(|_| KeyTooShort)
    }

    /// A key for this process only: what it signs is worthless after a restart.
    ///
    /// # Errors
    ///
    /// When the operating system has no random numbers.
    pub fn random() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; Self::BYTES_MIN];
        getrandom::fill(&mut bytes)?;
        Ok(Self(
            Hmac::new_from_slice(&bytes).expect("HMAC takes keys of any length"),
        ))
    }

    /// What tells this key from others, and nothing of the key itself.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        const FINGERPRINT: Purpose = Purpose::new("fingerprint");
        let signature = self.signature(FINGERPRINT, b"");
        signature[..16]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }

    /// The signature of `payload` for `purpose`.
    #[must_use]
    pub fn signature(&self, purpose: Purpose, payload: &[u8]) -> [u8; SIGNATURE_BYTES] {
        let mut mac = self.0.clone();
        // The length keeps purpose and payload apart.
        mac.update(&(purpose.0.len() as u64).to_le_bytes());
        mac.update(purpose.0.as_bytes());
        mac.update(payload);
        mac.finalize().into_bytes().into()
    }

    /// `payload` and its signature as one text of letters, digits, `-`, `_` and a point, fit for
    /// a cookie, a URL or a form.
    #[must_use]
    pub fn sign(&self, purpose: Purpose, payload: &[u8]) -> String {
        let mut text = String::with_capacity(payload.len() * 4 / 3 + 48);
        URL_SAFE_NO_PAD.encode_string(payload, &mut text);
        text.push('.');
        URL_SAFE_NO_PAD.encode_string(self.signature(purpose, payload), &mut text);
        text
    }

    /// The payload of a text that [`Self::sign`] made with this key for this purpose. The
    /// signature is compared in constant time.
    #[must_use]
    pub fn verify(&self, purpose: Purpose, text: &str) -> Option<Vec<u8>> {
        let (payload, signature) = text.split_once('.')?;
        let payload = URL_SAFE_NO_PAD.decode(payload).ok()?;
        self.is_signature(purpose, &payload, signature)
            .then_some(payload)
    }

    /// Whether `signature`, in base64url, is that of `payload` for `purpose`.
    #[must_use]
    pub fn is_signature(&self, purpose: Purpose, payload: &[u8], signature: &str) -> bool {
        let mut given = [0; SIGNATURE_BYTES];
        let decoded = URL_SAFE_NO_PAD.decode_slice(signature, &mut given);
        let expected = self.signature(purpose, payload);
        decoded == Ok(SIGNATURE_BYTES) && bool::from(expected.ct_eq(&given))
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(…)")
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;

    const ONE: Purpose = Purpose::new("one");
    const TWO: Purpose = Purpose::new("two");

    pub(crate) fn key() -> SecretKey {
        SecretKey::new(b"0123456789abcdef0123456789abcdef").unwrap()
    }

    #[test]
    fn a_signed_text_is_stable() {
        insta::assert_snapshot!(key().sign(ONE, b"payload"), @"cGF5bG9hZA.I2NbZVX9My83fHJWBvU5y3pM7_2Kfj_Q010ICb5UEsk");
    }

    #[test]
    fn short_keys_are_refused() {
        assert_eq!(SecretKey::new(&[1; 31]).err(), Some(KeyTooShort));
        assert!(SecretKey::new(&[1; 200]).is_ok());
    }

    #[test]
    fn a_key_is_never_printed() {
        assert_eq!(format!("{:?}", key()), "SecretKey(…)");
    }

    #[test]
    fn another_purpose_or_key_is_refused() {
        let text = key().sign(ONE, b"payload");
        assert_eq!(key().verify(ONE, &text).as_deref(), Some(&b"payload"[..]));
        assert_eq!(key().verify(TWO, &text), None);
        assert_eq!(SecretKey::random().unwrap().verify(ONE, &text), None);
    }

    #[test]
    fn what_is_no_signed_text_is_refused() {
        let good = key().sign(ONE, b"");
        assert_eq!(key().verify(ONE, &good).as_deref(), Some(&b""[..]));
        for text in [
            "",
            ".",
            "a",
            "a.b",
            "é.é",
            &good[..good.len() - 1],
            &good[1..],
        ] {
            assert_eq!(key().verify(ONE, text), None, "text: {text:?}");
        }
        assert_eq!(key().verify(ONE, &format!("{good}A")), None);
    }

    proptest! {
        #[test]
        fn what_is_signed_is_verified(payload in proptest::collection::vec(any::<u8>(), 0..100)) {
            let text = key().sign(ONE, &payload);
            prop_assert_eq!(key().verify(ONE, &text), Some(payload));
        }

        #[test]
        fn tampering_is_refused(
            payload in proptest::collection::vec(any::<u8>(), 1..40),
            place: proptest::sample::Index,
            byte in "[A-Za-z0-9_.-]",
        ) {
            let text = key().sign(ONE, &payload);
            let place = place.index(text.len());
            let mut changed = text.clone();
            changed.replace_range(place..=place, &byte);
            prop_assume!(changed != text);
            prop_assert_eq!(key().verify(ONE, &changed), None);
        }

        #[test]
        fn any_text_is_checked(text in "\\PC*") {
            prop_assert_eq!(key().verify(ONE, &text), None);
        }
    }
}
