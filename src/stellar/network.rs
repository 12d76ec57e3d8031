//! Which Stellar network: its passphrase and id, and what of the KALE farm is known of it beforehand.

use super::xdr::{AccountId, AlphaNum4, Asset, AssetCode4, ContractId};
use base::{Code, Error, Result};
use sha2::{Digest, Sha256};
use std::str::FromStr;

/// A network that poolctl knows by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// `stellar.network`.
    pub name: &'static str,
    /// What every signature on it includes (CAP-0015 and before).
    pub passphrase: &'static str,
    /// The KALE farm contract, `C…`; none where each sandbox deploys its own.
    pub farm: Option<&'static str>,
    /// The farm's asset, `CODE:ISSUER`.
    pub asset: Option<&'static str>,
    /// The asset's contract (SAC), `C…`.
    pub asset_contract: Option<&'static str>,
}

/// Every known network.
pub const KNOWN: &[Known] = &[
    Known {
        name: "mainnet",
        passphrase: "Public Global Stellar Network ; September 2015",
        farm: Some("CDL74RF5BLYR2YBLCCI7F5FB6TPSCLKEJUBSD2RSVWZ4YHF3VMFAIGWA"),
        asset: Some("KALE:GBDVX4VELCDSQ54KQJYTNHXAHFLBCA77ZY2USQBM4CSHTTV7DME7KALE"),
        asset_contract: Some("CB23WRDQWGSP6YPMY4UV5C4OW5CBTXKYN3XEATG7KJEZCXMJBYEHOUOV"),
    },
    Known {
        name: "testnet",
        passphrase: "Test SDF Network ; September 2015",
        farm: Some("CDSWUUXGPWDZG76ISK6SUCVPZJMD5YUV66J2FXFXFGDX25XKZJIEITAO"),
        asset: Some("KALE:GCHPTWXMT3HYF4RLZHWBNRF4MPXLTJ76ISHMSYIWCCDXWUYOQG5MR2AB"),
        asset_contract: Some("CAAVU2UQJLMZ3GUZFM56KVNHLPA3ZSSNR4VP2U53YBXFD2GI3QLIVHZZ"),
    },
    Known {
        name: "sandbox",
        passphrase: "Standalone Network ; February 2017",
        farm: None,
        asset: None,
        asset_contract: None,
    },
];

/// A known network by name. Errors: `invalid_value` listing the names.
pub fn known(name: &str) -> Result<&'static Known> {
    KNOWN.iter().find(|known| known.name == name).ok_or_else(|| {
        let names: Vec<_> = KNOWN.iter().map(|known| known.name).collect();
        Error::new(Code::InvalidValue, format!("invalid Stellar network: \"{name}\""))
            .hint(format!("one of: {}", names.join(", ")))
    })
}

/// SHA-256 of the passphrase, under which everything on the network is signed.
pub fn network_id(passphrase: &str) -> [u8; 32] {
    Sha256::digest(passphrase).into()
}

/// Reads `G…`. Errors: `invalid_address` naming `what` (a field or a setting), for any other strkey (SEP-23).
pub fn account(what: &str, text: &str) -> Result<AccountId> {
    strkey(what, text, ("an", "account", 'G'))
}

/// Reads `C…`. Errors: as [`account`].
pub fn contract(what: &str, text: &str) -> Result<ContractId> {
    strkey(what, text, ("a", "contract", 'C'))
}

fn strkey<T: FromStr>(what: &str, text: &str, (a, noun, letter): (&str, &str, char)) -> Result<T> {
    text.parse().map_err(|_| {
        Error::field(Code::InvalidAddress, what, format_args!("invalid Stellar {noun}: \"{text}\""))
            .hint(format!(
                "{a} {noun} is {letter} and 55 more capital letters and digits; one may be mistyped"
            ))
            .detail("value", text)
    })
}

/// Reads `CODE:ISSUER` with a code of at most four characters, or `native`. Errors: `invalid_value` naming `what`;
/// `invalid_address` for the issuer.
pub fn asset(what: &str, text: &str) -> Result<Asset> {
    if text == "native" {
        return Ok(Asset::Native);
    }
    let refused = || {
        Error::field(
            Code::InvalidValue,
            what,
            format_args!("invalid asset: \"{text}\" is not an asset of this pool"),
        )
        .hint("write CODE:ISSUER with a code of 1 to 4 letters and digits, as in KALE:G…")
    };
    let (code, issuer) = text.split_once(':').ok_or_else(refused)?;
    let mut bytes = [0; 4];
    match bytes.get_mut(..code.len()) {
        Some(place) if !code.is_empty() && code.bytes().all(|b| b.is_ascii_alphanumeric()) => {
            place.copy_from_slice(code.as_bytes());
        }
        _ => return Err(refused()),
    }
    let issuer = account(what, issuer)?;
    Ok(Asset::CreditAlphanum4(AlphaNum4 { asset_code: AssetCode4(bytes), issuer }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xdr::{ContractIdPreimage, Hash, HashIdPreimage, HashIdPreimageContractId, Limits, WriteXdr};
    use config::profile;

    #[test]
    fn the_table_is_consistent() {
        for network in KNOWN {
            let built_in = profile::built_in(network.name).unwrap();
            assert_eq!(built_in.passphrase, network.passphrase);
            let Some(text) = network.asset else { continue };
            // The asset's contract follows from the asset and the network (CAP-0046-06).
            let preimage = HashIdPreimage::ContractId(HashIdPreimageContractId {
                network_id: Hash(network_id(network.passphrase)),
                contract_id_preimage: ContractIdPreimage::Asset(asset("asset", text).unwrap()),
            });
            let id: [u8; 32] = Sha256::digest(preimage.to_xdr(Limits::none()).unwrap()).into();
            assert_eq!(Some(ContractId(Hash(id)).to_string().as_str()), network.asset_contract);
            contract("farm", network.farm.unwrap()).unwrap();
        }
    }

    #[test]
    fn addresses_are_strict() {
        let good = "GBDVX4VELCDSQ54KQJYTNHXAHFLBCA77ZY2USQBM4CSHTTV7DME7KALE";
        assert_eq!(account("A", good).unwrap().to_string(), good);
        let farm = KNOWN[0].farm.unwrap();
        assert_eq!(contract("C", farm).unwrap().to_string(), farm);
        for bad in ["", "G", &good[..55], &good.to_lowercase(), &good.replace('X', "Y"), farm, "KALE"] {
            assert_eq!(account("A", bad).unwrap_err().code(), Code::InvalidAddress, "{bad}");
        }
        assert_eq!(contract("C", good).unwrap_err().code(), Code::InvalidAddress);
        for bad in ["KALE", ":G", "KALES:G", "K-E:G"] {
            assert_eq!(asset("asset", bad).unwrap_err().code(), Code::InvalidValue, "{bad}");
        }
        assert_eq!(asset("asset", "KALE:G").unwrap_err().code(), Code::InvalidAddress);
        assert_eq!(asset("asset", "native").unwrap(), Asset::Native);
    }
}
