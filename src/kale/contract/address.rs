//! Account addresses that people type. A secret key that is given by mistake is never repeated.

use base::redact::is_secret;
pub use base::redact::{shown, without_secrets};
use base::{Code, Error, Result};
use stellar_strkey::Strkey;

/// An account, `G…`, with its checksum.
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
        _ if is_secret(text) => Err(refuse("is not an account").hint(
            "it looks like a secret key: whoever sees the list of processes has seen it; use another one",
        )),
        _ => Err(refuse("is not an account address: a character is missing or mistyped")),
    }
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
