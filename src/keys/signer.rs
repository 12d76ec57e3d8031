//! A secret key in memory: how it is made, read and shown as `S…`.

use base::{Code, Error, Result};
use ed25519_dalek::SigningKey;
use secrecy::SecretString;
use stellar_strkey::ed25519::{PrivateKey, PublicKey};
use zeroize::Zeroizing;

/// The address of a key, `G…`.
pub fn address_of(key: &SigningKey) -> String {
    PublicKey(key.verifying_key().to_bytes()).to_string().as_str().to_owned()
}

/// Reads a secret `S…`, surrounding white space aside. No error repeats any of it.
pub fn parse_secret(from: &str, text: &str) -> Result<SigningKey> {
    let text = text.trim();
    let refuse = |why: &str| {
        Error::new(Code::InvalidValue, format!("{from}: {why}"))
            .hint("a secret key is one line of 56 characters that begins with S; it is taken from stdin only")
    };
    if text.is_empty() {
        return Err(refuse("there is nothing"));
    }
    if PublicKey::from_string(text).is_ok() {
        return Err(refuse("that is an address (G…), not its secret key (S…)"));
    }
    let secret = PrivateKey::from_string(text).map_err(|_| refuse("not a secret key"))?;
    let seed = Zeroizing::new(secret.0);
    Ok(SigningKey::from_bytes(&seed))
}

/// A secret as `S…`.
pub(super) fn secret_of(key: &SigningKey) -> SecretString {
    let secret = PrivateKey(key.to_bytes());
    SecretString::from(secret.as_unredacted().to_string().as_str())
}

/// A new key from the system's randomness.
pub(super) fn generate() -> Result<SigningKey> {
    let mut seed = Zeroizing::new([0; 32]);
    getrandom::fill(seed.as_mut_slice())
        .map_err(|e| Error::new(Code::Io, format!("the system gives no randomness for a key: {e}")))?;
    Ok(SigningKey::from_bytes(&seed))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::{Origin, StoredKey};
    use secrecy::ExposeSecret;

    // SEP-23's example seed and its account.
    const SECRET: &str = "SBU2RRGLXH3E5CQHTD3ODLDF2BWDCYUSSBLLZ5GNW7JXHDIYKXZWHOKR";
    const ADDRESS: &str = "GA7QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJVSGZ";

    #[test]
    fn secrets_are_read_and_shown() {
        let key = parse_secret("stdin", &format!("  {SECRET}\n")).unwrap();
        assert_eq!(secret_of(&key).expose_secret(), SECRET);
        let address = PublicKey::from_string(&address_of(&key)).unwrap();
        assert_eq!(address.0, key.verifying_key().to_bytes());
        assert_ne!(address_of(&key), ADDRESS);
    }

    #[test]
    fn signatures_are_those_of_ed25519() {
        let key = generate().unwrap();
        let hash = [7; 32];
        let public = key.verifying_key();
        let signature = ed25519_dalek::Signature::from_bytes(&StoredKey::new(&key, Origin::Made).sign(&hash));
        assert!(public.verify_strict(&hash, &signature).is_ok());
        assert!(public.verify_strict(&[8; 32], &signature).is_err());
    }

    #[test]
    fn no_error_repeats_what_was_given() {
        let flipped = SECRET.replace("SBU2", "SBU3");
        for (bad, why) in [
            ("", "nothing"),
            (flipped.as_str(), "not a secret key"),
            (&SECRET[..55], "not a secret key"),
            ("hunter2", "not a secret key"),
            (ADDRESS, "an address"),
        ] {
            let e = parse_secret("stdin", bad).unwrap_err();
            assert_eq!(e.code(), Code::InvalidValue);
            assert!(e.message().contains(why), "{e}");
            assert!(bad.is_empty() || !format!("{e:?}").contains(bad), "{e:?}");
        }
    }
}
