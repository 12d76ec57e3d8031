//! The farm's money: which accounts a plant, a harvest and a loss move, in stroops of KALE. Lines only; nothing is written.

use crate::farmers::reward_split::{RewardSplit, Shares};
use base::Result;
use base::amount::{Base, Delta};
use state::{Account, Line, OwnerKind};

/// The asset's code in the ledger.
pub const ASSET: &str = "KALE";

fn account(owner_kind: OwnerKind, owner: &str, purpose: &'static str, overdraft: bool) -> Account {
    Account { owner_kind, owner: owner.to_owned(), purpose, asset: ASSET.to_owned(), overdraft }
}

/// Earned for a farmer, less what is staked: below zero while the farmer's own money is at stake.
pub fn farmer_kale(farmer: &str) -> Account {
    account(OwnerKind::Farmer, farmer, "kale", true)
}

/// At stake for a farmer.
pub fn farmer_staked(farmer: &str) -> Account {
    account(OwnerKind::Farmer, farmer, "staked", false)
}

/// A pooler's earnings.
pub fn pooler_kale(pooler: &str) -> Account {
    account(OwnerKind::Pooler, pooler, "kale", false)
}

/// The operator's earnings.
pub fn platform_fee() -> Account {
    account(OwnerKind::Operator, "operator", "platform_fee", false)
}

/// Where rewards come from.
pub fn mint(network: &str) -> Account {
    account(OwnerKind::Chain, network, "mint", true)
}

/// Where forfeited stakes went.
pub fn lost(network: &str) -> Account {
    account(OwnerKind::Chain, network, "lost", false)
}

fn moves(from: Account, to: Account, amount: Base) -> [Line; 2] {
    [
        Line { account: from, amount: Delta::debit(amount) },
        Line { account: to, amount: Delta::credit(amount) },
    ]
}

/// A stake goes to work.
pub fn planted(farmer: &str, stake: Base) -> Vec<Line> {
    moves(farmer_kale(farmer), farmer_staked(farmer), stake).into()
}

/// A stake returns whole, and the reward is shared out.
pub fn harvested(
    network: &str,
    farmer: &str,
    pooler: &str,
    terms: RewardSplit,
    stake: Base,
    reward: Base,
) -> Result<(Vec<Line>, Shares)> {
    let shares = terms.share(reward)?;
    let mut lines = Vec::from(moves(farmer_staked(farmer), farmer_kale(farmer), stake));
    for (to, part) in [
        (farmer_kale(farmer), shares.farmer),
        (pooler_kale(pooler), shares.pooler),
        (platform_fee(), shares.platform),
    ] {
        lines.extend(moves(mint(network), to, part));
    }
    Ok((lines, shares))
}

/// A stake is gone.
pub fn forfeited(network: &str, farmer: &str, stake: Base) -> Vec<Line> {
    moves(farmer_staked(farmer), lost(network), stake).into()
}

/// A stake that was booked as gone is there after all.
pub fn found_again(network: &str, farmer: &str, stake: Base) -> Vec<Line> {
    moves(lost(network), farmer_staked(farmer), stake).into()
}
