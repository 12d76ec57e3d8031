//! What a pool's contract is, beside its figures. When that changes, the operator looks first: until the change is accepted,
//! the pool is paid nothing and nothing validates.
//!
//! Looked at are the hash of its code, where it is a proxy of EIP-1967 the implementation, the decimals of its asset, and
//! whether it answers `paused()`.

use super::abi::sol::IERC20;
use super::known::{Contract, Known, difference};
use super::store::{self, Pool};
use super::token::sane_decimals;
use alloy::primitives::{Address, B256, b256};
use base::{Code, Error, Remedy, Result, say};
use evm::{Batch, BatchReply, Fact, Handle, PinnedView};
use rusqlite::params;
use serde_json::{Value, json};
use state::alert::{self, Subject};
use state::columns::db_block;
use state::{Tx, ValuePermit, WriteContext, rows};
use std::collections::HashMap;

/// The alert of a contract that changed.
pub const CHANGED: &str = "contract_changed";

/// Where a proxy keeps the address of its implementation (EIP-1967).
const IMPLEMENTATION: B256 = b256!("0x360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc");

fn remedy(pool: &str) -> Remedy {
    say("look at the contract, then: ").run("pool accept-change").of(pool)
}

/// Why a pool is not paid whose contract changed so.
pub fn changed(pool: &str, why: &str) -> Error {
    Error::new(Code::ContractChanged, format!("its contract changed: {why}")).hint(remedy(pool))
}

/// The questions about one pool's contract, within a batch.
#[derive(Debug)]
pub struct ContractProbe {
    code: Fact,
    /// Asked of contracts that are, or may be, a proxy.
    implementation: Option<Fact>,
    decimals: Handle<IERC20::decimalsCall>,
}

/// Adds the questions about a pool's contract to a batch.
pub fn ask(batch: &mut Batch<'_>, pool: &Pool) -> ContractProbe {
    // What has other code than before is asked once more.
    let maybe_proxy = pool
        .contract
        .as_ref()
        .is_none_or(|known| known.accepted.implementation.or(known.last().implementation).is_some());
    ContractProbe {
        code: batch.add_code_hash(pool.address),
        implementation: maybe_proxy.then(|| batch.add_word(pool.address, IMPLEMENTATION)),
        decimals: batch.add(pool.asset.address, &IERC20::decimalsCall {}),
    }
}

/// How a pool answered for its figures in the same batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answered {
    /// Not at all. What its contract is beside its code is not judged by that.
    Nothing,
    /// It did; whether it is paused was not asked.
    Figures,
    /// It did, and for `paused()` too, or not.
    Pause(bool),
}

/// What the contracts of pools are.
#[derive(Debug, Default)]
pub struct Read<'p> {
    /// Those that were found out.
    pub found: Vec<(&'p Pool, Contract)>,
    /// Why one was not, by pool id.
    pub failed: HashMap<i64, Error>,
}

/// Reads what the contracts of `pools` are, each having `answered` so. One that was never looked at is passed over until it
/// answered for everything; a pool's own failure is in what is returned.
pub async fn read<'p>(
    view: &PinnedView,
    reply: &BatchReply,
    pools: &'p [Pool],
    asked: &[ContractProbe],
    answered: &[Answered],
) -> Result<Read<'p>> {
    let mut read = Read::default();
    let mut again = view.batch();
    let mut open = Vec::new();
    for ((pool, asked), answered) in pools.iter().zip(asked).zip(answered) {
        let known = pool.contract.as_ref();
        let can_pause = match (answered, known) {
            (Answered::Pause(answered), _) => *answered,
            (_, Some(known)) => known.last().can_pause,
            (_, None) => continue,
        };
        let asset_decimals = match reply.get(asked.decimals) {
            Ok(decimals) => Some(decimals),
            Err(e) if e.of_contract() && *answered == Answered::Nothing => {
                known.and_then(|known| known.last().asset_decimals)
            }
            Err(e) if e.of_contract() => None,
            Err(e) => {
                read.failed.insert(pool.id, e.into_error("token"));
                continue;
            }
        };
        let code_hash = reply.fact(asked.code)?;
        if asked.implementation.is_none() && known.is_none_or(|known| known.accepted.code_hash != code_hash) {
            open.push((read.found.len(), again.add_word(pool.address, IMPLEMENTATION)));
        }
        let implementation = asked.implementation.map(|fact| reply.fact(fact)).transpose()?;
        let implementation = implementation.and_then(address);
        read.found.push((pool, Contract { code_hash, implementation, asset_decimals, can_pause }));
    }
    if !open.is_empty() {
        let reply = again.send().await?;
        for (index, fact) in open {
            let word = reply.fact(fact)?;
            if let Some((_, contract)) = read.found.get_mut(index) {
                contract.implementation = address(word);
            }
        }
    }
    Ok(read)
}

/// How one pool's contract is not what was accepted, as a view shows it; `None` where it is, or was never looked at.
pub async fn change(
    view: &PinnedView,
    reply: &BatchReply,
    pool: &Pool,
    asked: ContractProbe,
    can_pause: bool,
) -> Result<Option<String>> {
    let read = read(view, reply, std::slice::from_ref(pool), &[asked], &[Answered::Pause(can_pause)]).await?;
    read.failed.into_values().next().map_or(Ok(()), Err)?;
    let accepted = pool.contract.as_ref().map(|known| &known.accepted);
    let now = read.found.first().map(|(_, now)| now);
    Ok(accepted.zip(now).filter(|(accepted, now)| accepted != now).map(|(a, b)| difference(a, b)))
}

/// The address in a word of storage; none where there is nothing.
fn address(word: B256) -> Option<Address> {
    (!word.is_zero()).then(|| Address::from_word(word))
}

/// Holds what was read against what is known, and keeps what is new. Returns how contracts changed whose change is not
/// accepted, by pool id: that is an alert for as long as it holds.
pub fn keep(
    work: &mut WriteContext<'_>,
    view: &PinnedView,
    found: &[(&Pool, Contract)],
) -> Result<HashMap<i64, String>> {
    if found.iter().all(|(pool, contract)| News::of(pool, contract).is_none()) {
        return Ok(HashMap::new());
    }
    let block = view.block().number;
    work.state.write(work.permit, |tx| {
        let mut changed = HashMap::new();
        for (pool, contract) in found {
            // As it stands now: the operator may have accepted the change meanwhile.
            let pool = store::by_id(tx.conn(), pool.id)?;
            let Some(News { accepted, change }) = News::of(&pool, contract) else { continue };
            if pool.contract.is_none() {
                put(tx, pool.id, &accepted, block)?;
            }
            set_found(tx, &pool, change.as_ref().map(|_| contract), block)?;
            let why = change.as_ref().map(|why| format!("{why}; {}", remedy(&pool.name)));
            alert::edge(tx, Subject::Pool(pool.id, &pool.name), CHANGED, why.as_deref())?;
            changed.extend(change.map(|why| (pool.id, why)));
        }
        Ok(changed)
    })
}

/// What is to be kept of a contract that was read.
struct News {
    /// What is accepted.
    accepted: Contract,
    /// How it is something else.
    change: Option<String>,
}

impl News {
    /// `None` where it is what it was, and nothing else was found before.
    fn of(pool: &Pool, contract: &Contract) -> Option<Self> {
        let first = || Contract { asset_decimals: Some(pool.asset.decimals), ..contract.clone() };
        let accepted = pool.contract.as_ref().map_or_else(first, |known| known.accepted.clone());
        let change = (accepted != *contract).then(|| difference(&accepted, contract));
        let held = pool.contract.as_ref().is_some_and(|known| known.found.is_some());
        (pool.contract.is_none() || held || change.is_some()).then_some(Self { accepted, change })
    }
}

/// Keeps what the contract of a new pool is.
pub fn put(tx: &Tx<'_>, pool_id: i64, contract: &Contract, block: u64) -> Result<()> {
    rows::run(
        tx.conn(),
        "INSERT INTO pool_contracts (pool_id, code_hash, implementation, asset_decimals, can_pause, from_block)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![
            pool_id,
            contract.code_hash.to_string(),
            contract.implementation.map(|it| it.to_string()),
            contract.asset_decimals,
            contract.can_pause,
            db_block(block)?,
        ],
    )
}

fn set_found(tx: &Tx<'_>, pool: &Pool, found: Option<&Contract>, block: u64) -> Result<()> {
    let known = pool.contract.as_ref().and_then(|known| known.found.as_ref());
    let since = match known {
        Some((before, since)) if Some(before) == found => *since,
        _ => block,
    };
    rows::run(
        tx.conn(),
        "UPDATE pool_contracts SET found_code_hash = ?2, found_implementation = ?3, found_asset_decimals = ?4,
             found_can_pause = ?5, found_block = ?6 WHERE pool_id = ?1",
        params![
            pool.id,
            found.map(|it| it.code_hash.to_string()),
            found.and_then(|it| it.implementation).map(|it| it.to_string()),
            found.and_then(|it| it.asset_decimals),
            found.map(|it| it.can_pause),
            found.map(|_| db_block(since)).transpose()?,
        ],
    )
}

/// Accepts how a pool's contract changed, as the operator was shown it: what was found is what it is from now on. Returns false
/// where another run has accepted just that.
///
/// # Errors
/// `conflict` where the change is not the one that was shown; `not_a_contract` for decimals that no amount can have.
pub fn accept(work: &mut WriteContext<'_>, agreed: &ValuePermit<'_>, pool: &Pool) -> Result<bool> {
    work.state.write(agreed.permit(), |tx| {
        let now = store::by_id(tx.conn(), pool.id)?.contract;
        let shown = pool.contract.as_ref().map(Known::last);
        if now.as_ref().is_some_and(|now| now.found.is_none() && shown == Some(&now.accepted)) {
            return Ok(false);
        }
        let Some(Known { accepted, found: Some((found, block)), .. }) =
            now.filter(|now| Some(now) == pool.contract.as_ref())
        else {
            let why = format!("the contract of pool \"{}\" changed once more meanwhile", pool.name);
            return Err(
                Error::new(Code::Conflict, why).hint(say("see how with: ").run("pool show").of(&pool.name))
            );
        };
        let units = found.asset_decimals.filter(|_| found.asset_decimals != accepted.asset_decimals);
        if let Some(decimals) = units {
            sane_decimals(pool.asset.address, decimals)?;
            let asset = pool.asset.address.to_string();
            let other = tx.conn().execute(
                "UPDATE assets SET decimals = ?2 WHERE address = ?1 AND decimals <> ?2",
                params![asset, decimals],
            )?;
            if other > 0 {
                // Rates of before are in other units, those of every pool of this asset.
                tx.conn().execute(
                    "UPDATE pool_contracts SET rates_from_block = p.synced_block + 1 FROM pools p
                     WHERE p.id = pool_id AND p.asset = ?1",
                    [asset],
                )?;
            }
        }
        tx.conn().execute(
            "UPDATE pool_contracts SET code_hash = found_code_hash, implementation = found_implementation,
                 asset_decimals = found_asset_decimals, can_pause = found_can_pause, from_block = found_block
             WHERE pool_id = ?1",
            [pool.id],
        )?;
        set_found(tx, pool, None, block)?;
        alert::edge(tx, Subject::Pool(pool.id, &pool.name), CHANGED, None)?;
        tx.event(
            "pool.change_accepted",
            &pool.name,
            &json!({ "before": told(&accepted), "now": told(&found), "found_at_block": block }),
        )?;
        Ok(true)
    })
}

fn told(contract: &Contract) -> Value {
    json!({
        "code_hash": contract.code_hash.to_string(),
        "implementation": contract.implementation.map(|it| it.to_string()),
        "asset_decimals": contract.asset_decimals,
        "can_pause": contract.can_pause,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slot_is_that_of_the_standard() {
        // EIP-1967: the hash of this text, less one.
        let hash = alloy::primitives::keccak256("eip1967.proxy.implementation");
        let slot = alloy::primitives::U256::from_be_bytes(hash.0) - alloy::primitives::U256::ONE;
        assert_eq!(B256::from(slot), IMPLEMENTATION);
    }
}
