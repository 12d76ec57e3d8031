//! The `erc4626` profile: a tokenized vault of EIP-4626, with `paused()` if it answers.

use super::figures::{FigureReader, Figures};
use super::profile::{Limits, MaxDeposit};
use super::question::{Question, question};
use super::sol::{IERC20, IERC4626, IPausable};
use crate::pool::Pool;
use crate::pool::rate::{Rate, Totals};
use alloy::primitives::{Address, U256};
use base::amount::{E18, pow10};
use base::{Code, Error, Result};
use evm::{Batch, CallError};

/// Asks a vault, for the largest deposit of `receiver`.
pub(super) fn ask(batch: &mut Batch<'_>, pool: &Pool, receiver: Address) -> Result<FigureReader> {
    let (to, share_places) = (pool.address, pool.share_decimals);
    let shares =
        pow10(share_places).ok_or_else(|| Error::new(Code::Bug, format!("{share_places} decimals")))?;
    // Of so many shares, a power of ten, 18 decimals of the rate can be told.
    let places = share_places.saturating_add(E18).checked_sub(pool.asset.decimals);
    let finer = places.filter(|places| *places > share_places).and_then(|places| {
        let call = IERC4626::convertToAssetsCall { shares: pow10(places)? };
        Some((batch.add(to, &call), places))
    });
    let total_assets = batch.add(to, &IERC4626::totalAssetsCall {});
    let total_shares = batch.add(to, &IERC20::totalSupplyCall {});
    let per_share = batch.add(to, &IERC4626::convertToAssetsCall { shares });
    let max_deposit = batch.add(to, &IERC4626::maxDepositCall { receiver });
    let is_paused = batch.add(to, &IPausable::pausedCall {});
    Ok(FigureReader::new(move |reply, pool| {
        let vault = |e: CallError| e.into_error(pool.abi.noun());
        let rate = Rate { assets: reply.get(per_share).map_err(vault)?, share_places };
        // A vault may find so many shares too many.
        let finer = finer.map(|(asked, share_places)| {
            let assets = reply.get_optional(asked).map_err(vault)?;
            Ok::<_, Error>(assets.map(|assets| Rate { assets, share_places }))
        });
        let virtual_shares = pow10(share_places.saturating_sub(pool.asset.decimals)).unwrap_or(U256::ONE);
        let (assets, shares) =
            (reply.get(total_assets).map_err(vault)?, reply.get(total_shares).map_err(vault)?);
        Ok(Figures {
            totals: Totals { assets, shares, virtual_shares },
            rate,
            finer: finer.transpose()?.flatten(),
            paused: paused(reply.get(is_paused))?,
            limits: Limits { max_deposit: most(reply.get(max_deposit))?, ..Limits::default() },
        })
    }))
}

/// A vault's largest deposit. EIP-4626: 2^256-1 stands for no limit, and there is always an answer.
fn most(answer: Result<U256, CallError>) -> Result<MaxDeposit> {
    match answer {
        Ok(U256::MAX) => Ok(MaxDeposit::Unlimited),
        Ok(most) => Ok(MaxDeposit::Most(most)),
        Err(e) if e.of_contract() => Ok(MaxDeposit::Unknown(e.sentence("vault"))),
        Err(e) => Err(e.into_error("vault")),
    }
}

/// Whether a vault is paused; `None` where it has no such function.
pub(super) fn paused(answer: Result<bool, CallError>) -> Result<Option<bool>> {
    match answer {
        Ok(paused) => Ok(Some(paused)),
        // A fallback that answers something else: there is no such function.
        Err(e) if e.of_contract() => Ok(None),
        Err(e) => Err(e.into_error("vault")),
    }
}

/// What a contract must answer to be such a vault.
pub(super) fn required(batch: &mut Batch<'_>, to: Address) -> Vec<Question> {
    vec![
        question(batch, to, &IERC4626::assetCall {}),
        question(batch, to, &IERC4626::totalAssetsCall {}),
        question(batch, to, &IERC20::totalSupplyCall {}),
        question(batch, to, &IERC4626::convertToAssetsCall { shares: U256::ONE }),
        question(batch, to, &IERC20::decimalsCall {}),
    ]
}
