//! What the state knows of a pool's contract beside its figures, and how it changed.

use alloy::primitives::{Address, B256};
use base::{Error, Result};
use state::columns::maybe_at;
use state::rows::Row;

/// What a contract is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contract {
    /// Keccak-256 of its code.
    pub code_hash: B256,
    /// The contract that its calls are passed on to, where it is a proxy of EIP-1967.
    pub implementation: Option<Address>,
    /// `decimals()` of its asset; `None` = the asset does not tell them.
    pub asset_decimals: Option<u8>,
    /// Whether it answers `paused()`.
    pub can_pause: bool,
}

/// What the state knows of a pool's contract.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// As it was first seen, or accepted since.
    pub accepted: Contract,
    /// It is so from this block on, as far as is known.
    pub from_block: u64,
    /// What it is instead, if it changed, and the block at which that was found first.
    pub found: Option<(Contract, u64)>,
}

impl Known {
    /// How it changed, where the operator has not accepted that.
    pub fn change(&self) -> Option<String> {
        self.found.is_some().then(|| difference(&self.accepted, self.last()))
    }

    /// What it was when it was looked at last.
    pub fn last(&self) -> &Contract {
        self.found.as_ref().map_or(&self.accepted, |(found, _)| found)
    }

    /// Whether it has to answer `paused()` at a block.
    pub const fn can_pause_at(&self, block: u64) -> bool {
        self.accepted.can_pause && block >= self.from_block
    }
}

/// How `now` is not what was `before`, in words.
pub fn difference(before: &Contract, now: &Contract) -> String {
    let mut words = Vec::new();
    if before.code_hash != now.code_hash {
        words.push(format!("its code has the hash {} instead of {}", now.code_hash, before.code_hash));
    }
    if before.implementation != now.implementation {
        let shown = |it: Option<Address>| it.map_or_else(|| "none".to_owned(), |it| it.to_string());
        let (now, before) = (shown(now.implementation), shown(before.implementation));
        words.push(format!("its implementation is {now} instead of {before}"));
    }
    if before.asset_decimals != now.asset_decimals {
        let shown = |it: Option<u8>| it.map_or_else(|| "unknown".to_owned(), |it| it.to_string());
        let (now, before) = (shown(now.asset_decimals), shown(before.asset_decimals));
        words.push(format!("the decimals of its asset are {now} instead of {before}"));
    }
    match (before.can_pause, now.can_pause) {
        (true, false) => words.push("it does not answer paused() any more".to_owned()),
        (false, true) => words.push("it answers paused(), which it did not".to_owned()),
        _ => {}
    }
    words.join("; ")
}

/// What is known of a contract, by a row with the columns of `pool_contracts`, if there is one.
pub fn of_row(row: &Row<'_>) -> Result<Option<Known>> {
    let read = |[code_hash, implementation, decimals, can_pause]: [&str; 4]| -> Result<Option<Contract>> {
        let Some(code_hash) = maybe_at(row, code_hash)? else { return Ok(None) };
        let (implementation, asset_decimals) = (maybe_at(row, implementation)?, row.get(decimals)?);
        Ok(Some(Contract { code_hash, implementation, asset_decimals, can_pause: row.get(can_pause)? }))
    };
    let Some(accepted) = read(["code_hash", "implementation", "asset_decimals", "can_pause"])? else {
        return Ok(None);
    };
    let found = read(["found_code_hash", "found_implementation", "found_asset_decimals", "found_can_pause"])?;
    let found = found.map(|found| Ok::<_, Error>((found, row.get("found_block")?))).transpose()?;
    Ok(Some(Known { accepted, from_block: row.get("from_block")?, found }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_difference_is_named() {
        let code_hash = B256::repeat_byte(1);
        let before = Contract { code_hash, implementation: None, asset_decimals: Some(6), can_pause: true };
        assert_eq!(difference(&before, &before), "");
        let at = Address::repeat_byte(7);
        let decimals = |asset_decimals| Contract { asset_decimals, ..before.clone() };
        for (now, want) in [
            (Contract { code_hash: B256::repeat_byte(2), ..before.clone() }, "its code has the hash 0x0202"),
            (Contract { implementation: Some(at), ..before.clone() }, "its implementation is 0x0707"),
            (decimals(Some(18)), "decimals of its asset are 18 instead of 6"),
            (decimals(None), "decimals of its asset are unknown instead of 6"),
            (Contract { can_pause: false, ..before.clone() }, "it does not answer paused() any more"),
        ] {
            let said = difference(&before, &now);
            assert!(said.contains(want), "{said}");
            assert!(!difference(&now, &before).is_empty());
        }
    }
}
