//! Account addresses that people type. A secret key that is given by mistake is never repeated.

use base::{Code, Error, Result};
use stellar_strkey::Strkey;
use stellar_strkey::ed25519::PrivateKey;

/// An account, `G…`, with its checksum.
///
/// # Errors
/// `invalid_address` naming the field and what is wrong.
pub fn account(field: &str, text: &str) -> Result<String> {
    let refuse = |why: &str| {
        Error::field(Code::InvalidAddress, field, format_args!("{} {why}", shown(text)))
            .hint("an account is 56 characters that begin with G")
    };
    match Strkey::from_string(text) {
        Ok(Strkey::PublicKeyEd25519(_)) => Ok(text.to_owned()),
        Ok(Strkey::Contract(_)) => Err(refuse("is a contract, not an account")),
        Ok(Strkey::MuxedAccountEd25519(_)) => {
            Err(refuse("is a muxed account; give the account itself, which begins with G"))
        }
        _ if secret(text) => Err(refuse("is no account").hint(
            "it looks like a secret key: whoever sees the list of processes has seen it; use another one",
        )),
        _ => Err(refuse("is no account address: a character is missing or mistyped")),
    }
}

/// A text for a message, in quotes: not at length, and not if it looks like a secret key.
pub fn shown(text: &str) -> String {
    if secret(text) {
        return "\"S…\"".to_owned();
    }
    match text.char_indices().nth(80) {
        Some((end, _)) => format!("\"{}…\"", &text[..end]),
        None => format!("\"{text}\""),
    }
}

/// Takes everything out of a text that could be a secret key.
pub fn without_secrets(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    for part in text.split_inclusive(|c: char| !c.is_ascii_alphanumeric()) {
        let end = part.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(part.len());
        let (word, rest) = part.split_at(end);
        clean.push_str(if secret(word) { "S…" } else { word });
        clean.push_str(rest);
    }
    clean
}

/// A secret key, or one that is mistyped or cut by a little.
fn secret(text: &str) -> bool {
    let alphabet = |b: u8| b.is_ascii_uppercase() || (b'2'..=b'7').contains(&b);
    PrivateKey::from_string(text.trim()).is_ok()
        || (text.len() >= 50 && text.starts_with('S') && text.bytes().all(alphabet))
        || text.to_ascii_uppercase().starts_with("AGE-SECRET-KEY-")
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACCOUNT: &str = "GBQHTQ7NTSKHVTSVM6EHUO3TU4P4BK2TAAII25V2TT2Q6OWXUJWEKALE";
    const SECRET: &str = "SBU2RRGLXH3E5CQHTD3ODLDF2BWDCYUSSBLLZ5GNW7JXHDIYKXZWHOKR";

    #[test]
    fn accounts() {
        assert_eq!(account("payout", ACCOUNT).unwrap(), ACCOUNT);
        for (bad, why) in [
            ("", "mistyped"),
            (&ACCOUNT[..55], "mistyped"),
            (&ACCOUNT.to_lowercase(), "mistyped"),
            (&ACCOUNT.replace("GBQH", "GBQJ"), "mistyped"),
            ("CDL74RF5BLYR2YBLCCI7F5FB6TPSCLKEJUBSD2RSVWZ4YHF3VMFAIGWA", "contract"),
            ("MA7QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJVAAAAAAAAAAAAAJLK", "muxed"),
        ] {
            let e = account("payout", bad).unwrap_err();
            assert_eq!(e.code(), Code::InvalidAddress);
            assert!(e.message().starts_with("payout: ") && e.message().contains(why), "{e}");
        }
    }

    #[test]
    fn a_secret_is_never_repeated() {
        for secret in [SECRET, &SECRET[..54], &SECRET.replace("SBU2", "SBU3")] {
            let e = account("payout", secret).unwrap_err();
            assert!(!format!("{e:?}").contains(&secret[2..]), "{e:?}");
            assert_eq!(shown(secret), "\"S…\"");
            let text = format!("unexpected argument '{secret}' found, {ACCOUNT}");
            assert_eq!(without_secrets(&text), format!("unexpected argument 'S…' found, {ACCOUNT}"));
        }
    }
}
