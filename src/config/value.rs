//! Reading one setting's text into its form, strictly.

use super::channels;
use super::keys::{Key, Kind};
use alloy::primitives::{Address, B256};
use base::clock::{self, BadDuration};
use base::{Code, Error, Result, amount, redact};
use std::time::Duration;
use stellar_strkey::ed25519::PublicKey;

/// Stands for a duration where nothing is to be done.
pub const OFF: &str = "off";

/// Checks `text` against the key's form and returns it in canonical spelling.
///
/// # Errors
/// `invalid_value` naming the key, where it came from, and what is allowed. A secret value is never quoted.
pub fn canonical(key: &Key, text: &str, origin: &str) -> Result<String> {
    let refuse = |why: String| {
        let shown = if key.secret() {
            "the value".to_owned()
        } else {
            format!("\"{}\"", redact::without_secrets(text))
        };
        Error::new(Code::InvalidValue, format!("{} ({origin}): {shown} {why}", key.name))
            .hint(format!("{}: {}", key.name, key.help))
            .detail("key", key.name)
    };
    let why = match key.kind {
        Kind::Number(min, max) => {
            let number = text.parse::<u64>().ok().filter(|_| text.bytes().all(|b| b.is_ascii_digit()));
            match number {
                Some(number) if (min..=max).contains(&number) => return Ok(number.to_string()),
                Some(_) => Some(format!("is outside {min} to {max}")),
                None => Some("is not a whole number".into()),
            }
        }
        Kind::Duration(_, true) if text == OFF => None,
        Kind::Duration(least, may_be_off) => match clock::duration(text) {
            Ok(span) if span >= Duration::from_secs(least) => None,
            Ok(_) => Some(format!("is shorter than {}", clock::span(least))),
            Err(BadDuration::TooLong) => Some(format!("is longer than {}", clock::LONGEST.0)),
            Err(BadDuration::Malformed) => {
                let or = if may_be_off { ", nor off" } else { "" };
                Some(format!("is not a whole number with its unit, as in 30s, 5m, 2h or 1d{or}"))
            }
        },
        Kind::Digest => {
            if text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit()) {
                return Ok(text.to_ascii_lowercase());
            }
            Some("is not a hash of 64 hex digits".into())
        }
        Kind::Address => return Ok(address(key.name, text)?.to_string()),
        Kind::Accounts => match accounts(text) {
            Ok(list) => return Ok(list.join(",")),
            Err(e) => Some(e.message().to_owned()),
        },
        Kind::Bool => (!matches!(text, "true" | "false")).then(|| "is neither true nor false".into()),
        // The asset's own limit is applied when it is known.
        Kind::Decimal => amount::parse_units(text, 36).err().map(|why| why.to_string()),
        Kind::Ratio => amount::parse_weight(key.name, text)
            .err()
            .map(|_| "is not a decimal from 0 to 1 with at most 6 decimals".into()),
        Kind::Choice(words) => {
            (!words.contains(&text)).then(|| format!("is not one of: {}", words.join(", ")))
        }
        Kind::Text | Kind::Command => text.is_empty().then(|| "is empty".into()),
        Kind::Channels => channels::parse(text).err().map(|why| format!("is refused: {why}")),
        Kind::Endpoints => {
            let list: Vec<_> = text.split(',').collect();
            base::Endpoint::parse_list(&list).err().map(|e| e.to_string())
        }
    };
    why.map_or_else(|| Ok(text.to_owned()), |why| Err(refuse(why)))
}

/// Stellar accounts, separated by commas, each once.
pub fn accounts(text: &str) -> Result<Vec<String>> {
    let mut list: Vec<String> = Vec::new();
    for part in text.split(',').map(str::trim) {
        if PublicKey::from_string(part).is_err() {
            let why =
                format!("has an entry that is not a Stellar account: \"{}\"", redact::without_secrets(part));
            return Err(Error::new(Code::InvalidValue, why));
        }
        if list.iter().any(|before| before == part) {
            return Err(Error::new(Code::InvalidValue, format!("lists {part} twice")));
        }
        list.push(part.to_owned());
    }
    Ok(list)
}

/// An EVM address; where letters are in mixed case, the EIP-55 checksum must hold.
pub fn address(field: &str, text: &str) -> Result<Address> {
    let refuse = |why: &str| {
        Error::field(Code::InvalidAddress, field, format_args!("\"{text}\" {why}")).detail("value", text)
    };
    let digits = text.strip_prefix("0x").ok_or_else(|| {
        refuse("is not an EVM address: it does not start with 0x").hint("an address is 0x and 40 hex digits")
    })?;
    if digits.len() != 40 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(refuse("is not an EVM address").hint("an address is 0x and 40 hex digits"));
    }
    let parsed: Address = text.parse().map_err(|_| refuse("is not an EVM address"))?;
    let mixed =
        digits.bytes().any(|b| b.is_ascii_uppercase()) && digits.bytes().any(|b| b.is_ascii_lowercase());
    if mixed && parsed.to_checksum(None) != text {
        return Err(refuse("has a wrong EIP-55 checksum").hint(format!(
            "one character may be mistyped; the same digits would be spelt {}",
            parsed.to_checksum(None)
        )));
    }
    Ok(parsed)
}

/// The hash of an EVM transaction: 0x and 64 hex digits.
pub fn tx_hash(field: &str, text: &str) -> Result<B256> {
    let digits = text.strip_prefix("0x").unwrap_or_default();
    let hash = text.parse().ok().filter(|_| digits.len() == 64);
    hash.ok_or_else(|| {
        Error::field(Code::InvalidValue, field, format_args!("invalid transaction hash: \"{text}\""))
            .hint("a hash is 0x and 64 hex digits")
            .detail("value", text)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys;

    #[test]
    fn addresses() {
        let good = "0xcA11bde05977b3631167028862bE2a173976CA11";
        assert!(address("POOL", good).is_ok());
        assert!(address("POOL", &good.to_lowercase()).is_ok());
        for bad in [
            "",
            "0x",
            "cA11bde05977b3631167028862bE2a173976CA11",
            "0xcA11bde05977b3631167028862bE2a173976Ca11",
            "0xzz",
        ] {
            assert_eq!(address("POOL", bad).unwrap_err().code(), Code::InvalidAddress, "{bad}");
        }
    }

    #[test]
    fn hashes() {
        let good = format!("0x{}", "aB".repeat(32));
        assert_eq!(tx_hash("tx", &good).ok(), Some(B256::repeat_byte(0xab)));
        for bad in ["", "0x", &good[2..], &good[..65], &format!("{good}0"), &good.replace('B', "g")] {
            assert_eq!(tx_hash("tx", bad).unwrap_err().code(), Code::InvalidValue, "{bad}");
        }
    }

    const ACCOUNT: &str = "GBDVX4VELCDSQ54KQJYTNHXAHFLBCA77ZY2USQBM4CSHTTV7DME7KALE";
    const OTHER: &str = "GBQHTQ7NTSKHVTSVM6EHUO3TU4P4BK2TAAII25V2TT2Q6OWXUJWEKALE";

    #[test]
    fn values_are_checked_against_their_form() {
        for (key, text, ok) in [
            ("evm.chain_id", "1", true),
            ("evm.chain_id", "+1", false),
            ("evm.chain_id", "0", false),
            ("evm.chain_id", "1.0", false),
            ("reward.block_reward", "2.5", true),
            ("reward.block_reward", "-2", false),
            ("risk.max_rate_drop", "0.01", true),
            ("risk.max_rate_drop", "1.1", false),
            ("schedule.sync", "5m", true),
            ("schedule.sync", "off", true),
            ("schedule.sync", "1s", true),
            ("schedule.sync", "999ms", false),
            ("schedule.sync", "0s", false),
            ("schedule.sync", "5", false),
            ("schedule.sync", "Off", false),
            ("schedule.sync", "5301w", false),
            ("schedule.timeout", "off", false),
            ("schedule.prune_older_than", "1d", true),
            ("schedule.prune_older_than", "23h", false),
            ("log.level", "info", true),
            ("log.level", "loud", false),
            ("guard.confirm", "yes", false),
            ("evm.rpc_urls", "main=https://node.example/key,http://127.0.0.1:8545", true),
            ("evm.rpc_urls", "ftp://node.example/SECRET", false),
            ("notify.channels", "a = { service = 'ntfy', url = 'https://h/SECRET' }", true),
            ("notify.channels", "a = { service = 'ntfy', url = 'ftp://h/SECRET' }", false),
            ("kale.submitter", ACCOUNT, true),
            ("kale.submitter", &format!("{ACCOUNT}, {OTHER}"), true),
            ("kale.submitter", &format!("{ACCOUNT},{ACCOUNT}"), false),
            ("kale.submitter", &ACCOUNT[1..], false),
            ("kale.submitter", "", false),
        ] {
            let got = canonical(keys::find(key).unwrap(), text, "test");
            assert_eq!(got.is_ok(), ok, "{key} = {text}");
            if let Err(e) = got {
                assert!(!e.to_string().contains("SECRET"), "{e}");
            }
        }
    }
}
