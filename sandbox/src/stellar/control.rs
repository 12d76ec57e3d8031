//! What only a sandbox can do: move its clock, and give accounts money out of nothing.

use stellar_xdr::{
    AccountId, ContractDataDurability, ContractExecutable, LedgerEntryData, LedgerKey, LedgerKeyContractCode,
    LedgerKeyContractData, PaymentResult, ScAddress, ScVal,
};

use super::chain::Chain;
use super::rpc::Node;
use super::{account, assets};
use crate::{Error, Result};

/// Lumens that an account is given when no amount is said, in stroops.
pub(crate) const DEFAULT_FUNDS: i64 = 100_000_000_000;
/// Most ledgers that one request closes.
const MOST_LEDGERS: u32 = 1_000_000;

/// Closes ledgers over `seconds` in all. Without `ledgers`, as many as fit into that time at the usual length, one at
/// least; without `seconds`, each has the usual length. Returns the newest ledger and its close time.
pub(crate) fn advance(chain: &mut Chain, ledgers: Option<u32>, seconds: Option<u64>) -> Result<(u32, u64)> {
    let usual = chain.ledger_seconds.max(1);
    let count = match (ledgers, seconds) {
        (Some(ledgers), _) => ledgers,
        (None, Some(seconds)) => u32::try_from(seconds / usual).unwrap_or(u32::MAX).max(1),
        (None, None) => 1,
    };
    if count > MOST_LEDGERS {
        return Err(Error::new(format!("{count} ledgers are more than {MOST_LEDGERS} at once")));
    }
    let total = seconds.unwrap_or_else(|| u64::from(count).saturating_mul(usual));
    for place in 0..u64::from(count) {
        let share = |place: u64| u128::from(total) * u128::from(place) / u128::from(count);
        let step = u64::try_from(share(place + 1) - share(place)).unwrap_or(u64::MAX);
        chain.close(step)?;
    }
    let latest = chain.latest()?;
    Ok((latest.sequence, latest.time))
}

fn parse(account: &str) -> Result<AccountId> {
    account.parse().map_err(|_| Error::new(format!("not an account: {account}")))
}

/// Makes an account with this many stroops, or adds them to it.
pub(crate) fn fund(chain: &mut Chain, account: &str, stroops: i64) -> Result<()> {
    let id = parse(account)?;
    let sequence = chain.latest()?.sequence;
    let is_done = chain.edit(|entries| {
        if account::load(entries, &id).is_some() {
            account::add_balance(entries, &id, stroops)
        } else {
            account::store(entries, account::fresh(&id, stroops, sequence));
            true
        }
    })?;
    if is_done { Ok(()) } else { Err(Error::new("the balance cannot hold that much")) }
}

/// Ends the lives of the farm's contract and code with the newest ledger: from the next one on they are archived. By itself
/// that takes half a year in which nobody calls it.
pub(crate) fn archive_farm(node: &Node) -> Result<()> {
    let farm = node.farm().ok_or_else(|| Error::new("no farm is deployed"))?;
    let contract = ScAddress::Contract(farm.contract.parse()?);
    let instance = LedgerKey::ContractData(LedgerKeyContractData {
        contract,
        key: ScVal::LedgerKeyContractInstance,
        durability: ContractDataDurability::Persistent,
    });
    let mut chain = node.chain();
    let last = chain.latest()?.sequence;
    chain.edit(|entries| {
        let value = entries.get(&instance).and_then(|slot| match &slot.entry.data {
            LedgerEntryData::ContractData(data) => Some(data.val.clone()),
            _ => None,
        });
        entries.extend(&instance, last);
        if let Some(ScVal::ContractInstance(instance)) = value
            && let ContractExecutable::Wasm(hash) = instance.executable
        {
            entries.extend(&LedgerKey::ContractCode(LedgerKeyContractCode { hash }), last);
        }
    })
}

/// Issues farm tokens (in stroops) to an account that has the trustline.
pub(crate) fn fund_kale(node: &Node, account: &str, stroops: i64) -> Result<()> {
    let id = parse(account)?;
    let farm = node.farm().ok_or_else(|| Error::new("no farm is deployed"))?;
    let asset = farm.asset_xdr()?;
    let issuer = parse(&farm.issuer.address)?;
    let result = node.chain().edit(|entries| assets::pay(entries, &issuer, &id, &asset, stroops))?;
    match result {
        PaymentResult::Success => Ok(()),
        PaymentResult::NoTrust => Err(Error::new(format!("{account} has no trustline to {}", farm.asset))),
        other => Err(Error::new(format!("cannot issue to {account}: {}", other.name()))),
    }
}
