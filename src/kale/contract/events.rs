//! Events of the asset contract: what was minted to whom. Source: CAP-0046-06, and CAP-0067 for the newer form.

use super::base;
use base::Result;
use base::amount::Base;
use stellar::xdr::{AccountId, ContractEvent, ContractEventBody, ContractId, ScAddress, ScVal};

/// Stroops minted to `account` by the asset contract `asset` in these events; `None` where nothing was.
pub fn minted(events: &[ContractEvent], asset: &ContractId, account: &AccountId) -> Result<Option<Base>> {
    let mut sum = None;
    for event in events.iter().filter(|event| event.contract_id.as_ref() == Some(asset)) {
        let ContractEventBody::V0(body) = &event.body;
        if let Some(amount) = mint(&body.topics, &body.data, account) {
            sum = Some(base(amount)?.saturating_add(sum.unwrap_or_default()));
        }
    }
    Ok(sum)
}

/// The amount of a mint to `account`; `None` for any other event. The newer form names the receiver second, the older one
/// the administrator second and the receiver third.
pub fn mint(topics: &[ScVal], data: &ScVal, account: &AccountId) -> Option<i128> {
    let is = |value: &ScVal| matches!(value, ScVal::Address(ScAddress::Account(id)) if id == account);
    let to_us = match topics {
        [ScVal::Symbol(name), to, ScVal::String(_)]
        | [ScVal::Symbol(name), ScVal::Address(_), to, ScVal::String(_)] => {
            name.as_slice() == b"mint" && is(to)
        }
        _ => false,
    };
    to_us.then(|| amount(data)).flatten()
}

/// The amount in an event's data: alone, or in a map beside the id of a muxed receiver.
fn amount(data: &ScVal) -> Option<i128> {
    match data {
        ScVal::I128(parts) => Some(parts.into()),
        ScVal::Map(Some(map)) => map.iter().find_map(|entry| match (&entry.key, &entry.val) {
            (ScVal::Symbol(name), ScVal::I128(parts)) if name.as_slice() == b"amount" => Some(parts.into()),
            _ => None,
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use stellar::xdr::{ScMap, ScMapEntry, ScString, ScSymbol};

    fn account(byte: u8) -> AccountId {
        stellar::account_of(&ed25519_dalek::SigningKey::from_bytes(&[byte; 32]))
    }

    fn address(byte: u8) -> ScVal {
        ScVal::Address(ScAddress::Account(account(byte)))
    }

    #[test]
    fn mints_of_both_forms_are_read_and_others_are_not() {
        let symbol = |name: &str| ScVal::Symbol(ScSymbol(name.try_into().unwrap()));
        let asset = ScVal::String(ScString("KALE:G".try_into().unwrap()));
        let plain = ScVal::from(7i128);
        let muxed = ScVal::Map(Some(ScMap(
            vec![ScMapEntry { key: symbol("amount"), val: ScVal::from(9i128) }].try_into().unwrap(),
        )));
        for (topics, data, want) in [
            (vec![symbol("mint"), address(1), asset.clone()], &plain, Some(7)),
            (vec![symbol("mint"), address(1), asset.clone()], &muxed, Some(9)),
            (vec![symbol("mint"), address(2), address(1), asset.clone()], &plain, Some(7)),
            (vec![symbol("mint"), address(2), asset.clone()], &plain, None),
            // In the older form, the second is the administrator, not the receiver.
            (vec![symbol("mint"), address(1), address(2), asset.clone()], &plain, None),
            (vec![symbol("burn"), address(1), asset], &plain, None),
            (vec![], &plain, None),
        ] {
            assert_eq!(mint(&topics, data, &account(1)), want, "{topics:?}");
        }
    }
}
