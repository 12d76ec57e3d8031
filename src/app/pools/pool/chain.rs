//! Of `pool reconcile` and `rescan`: the state against the chain, holder by holder and transfer by transfer.

use alloy::primitives::Address;
use base::amount::{Base, Quantity, parse_base, to_units};
use base::{Code, Error, Result, counted, forms, say};
use evm::ViewStamp;
use rusqlite::{Connection, OptionalExtension};
use schemars::JsonSchema;
use serde::Serialize;
use state::WriteContext;
use std::collections::BTreeMap;
use vault::pool::Asset;
use vault::reward::{self, Difference, EpochRow, Subject, Verification};
use vault::sync::{Reconciled, Rescanned, RolledBack};

/// What the comparison found.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ReconcileOutput {
    /// Pool by pool.
    pub pools: Vec<Reconciled>,
    /// Differences in all.
    pub drifts: usize,
}

/// The error of a comparison that found differences, naming pools that could not be compared too.
pub fn drift(found: &[Reconciled]) -> Option<Error> {
    let differs: Vec<&Reconciled> = found.iter().filter(|line| !line.drifts.is_empty()).collect();
    let first = differs.first()?;
    let count: usize = differs.iter().map(|line| line.drifts.len()).sum();
    let names: Vec<&str> = differs.iter().map(|line| line.pool.as_str()).collect();
    let failed = found.iter().filter(|line| line.failure.is_some());
    let failed: Vec<&str> = failed.map(|line| line.pool.as_str()).collect();
    let also =
        if failed.is_empty() { String::new() } else { format!("; not compared: {}", failed.join(", ")) };
    let what = first.drifts.first().map(ToString::to_string).unwrap_or_default();
    let why = format!(
        "{} in {}; first: {}: {what}{also}",
        counted(count, "difference"),
        names.join(", "),
        first.pool
    );
    let hint = say("compare at another endpoint; read its transfers again with: ").run("pool rescan");
    let hint = hint.of(&first.pool);
    Some(Error::new(Code::Drift, why).hint(hint).detail("pools", names).detail("failed", failed))
}

/// Transfers, and members, that are listed one by one; more are counted.
const LISTED: usize = 10_000;

/// What a rescan found.
#[derive(Debug, Serialize, JsonSchema)]
pub struct RescanOutput {
    /// The pool.
    pub pool: String,
    /// The block that was read up to, at which the pool's holders are now, and the endpoint.
    pub view: ViewStamp,
    /// What a reorg took back first.
    pub rolled_back: Vec<RolledBack>,
    /// First block compared.
    pub from_block: u64,
    /// Last block compared.
    pub to_block: u64,
    /// The endpoint of each reading.
    pub endpoints: Vec<String>,
    /// Transfers that were missing.
    pub added: usize,
    /// Transfers that were wrong.
    pub removed: usize,
    /// Both, by block and log index; the first 10,000.
    pub changes: Vec<ChangeView>,
    /// Members whose shares change.
    pub holders_changed: usize,
    /// The first 10,000 of them, by address.
    pub holders: Vec<HolderView>,
    /// Transfers after the last block compared, taken in as by a sync.
    pub transfers: u64,
    /// Paid epochs that turn out wrong; nothing of them was changed.
    pub wrong_epochs: Vec<WrongEpoch>,
    /// Differences in all of them; the first 10,000 are listed.
    pub differences: u64,
}

/// A transfer that was missing, or wrong.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ChangeView {
    /// `added` or `removed`.
    pub change: &'static str,
    /// Block height.
    pub block: u64,
    /// Index of its log in the block.
    pub log_index: u64,
    /// Its transaction.
    #[schemars(with = "forms::EvmHash")]
    pub tx: String,
    /// The giver; null for a mint.
    #[schemars(with = "Option<forms::EvmAddress>")]
    pub from: Option<String>,
    /// The receiver; null for a burn.
    #[schemars(with = "Option<forms::EvmAddress>")]
    pub to: Option<String>,
    /// Shares.
    pub amount: Quantity,
}

/// A member whose shares change.
#[derive(Debug, Serialize, JsonSchema)]
pub struct HolderView {
    /// Its address.
    #[schemars(with = "forms::EvmAddress")]
    pub member: String,
    /// Its name, if it has one.
    pub member_name: Option<String>,
    /// Shares in the state before, at the last block compared.
    pub before: Quantity,
    /// Shares there now.
    pub after: Quantity,
}

/// A paid epoch that turns out wrong.
#[derive(Debug, Serialize, JsonSchema)]
pub struct WrongEpoch {
    /// Its id.
    pub epoch: i64,
    /// First block.
    pub start_block: u64,
    /// First block after it.
    pub end_block: u64,
    /// Members whose reward is wrong.
    pub members: Vec<WrongReward>,
    /// Figures of the epoch itself that are wrong, as `reward epoch verify` names them.
    pub figures: Vec<WrongFigure>,
}

/// A reward that is wrong.
#[derive(Debug, Serialize, JsonSchema)]
pub struct WrongReward {
    /// The member's address.
    #[schemars(with = "forms::EvmAddress")]
    pub member: String,
    /// Its name, if it has one.
    pub member_name: Option<String>,
    /// What was paid.
    pub paid: Quantity,
    /// What is due by the transfers as they are now.
    pub due: Quantity,
    /// Due less paid; negative where too much was paid.
    #[schemars(with = "forms::Change")]
    pub difference: String,
}

/// A figure that is wrong.
#[derive(Debug, Serialize, JsonSchema)]
pub struct WrongFigure {
    /// Which one.
    pub field: &'static str,
    /// What the state has; amounts in base units.
    pub stored: Option<String>,
    /// What it comes to.
    pub computed: Option<String>,
}

/// Computes the paid epochs again that blocks of the rescan belong to, by the transfers as they are now.
pub fn verify(work: &WriteContext<'_>, found: &Rescanned) -> Result<Verification> {
    let mut epochs = reward::distributed_epochs(work.state.conn(), &found.pool)?;
    epochs.retain(|row| row.epoch.end > found.range.from);
    let subject = Subject { pool: found.pool.clone(), epochs };
    reward::verify_stored(work.state.conn(), &[subject], work.progress, work.stop)
}

impl RescanOutput {
    /// What reading again found, and what was paid on wrong figures.
    pub fn of(conn: &Connection, found: Rescanned, paid: Verification) -> Result<Self> {
        let Rescanned { pool, view, rolled_back, range, endpoints, corrections, holders, taken } = found;
        let added = corrections.iter().filter(|correction| correction.added).count();
        let side = |address: Address| (!address.is_zero()).then(|| address.to_string());
        let changes = corrections.iter().take(LISTED).map(|change| ChangeView {
            change: if change.added { "added" } else { "removed" },
            block: change.block,
            log_index: change.log_index,
            tx: change.tx.to_string(),
            from: side(change.from),
            to: side(change.to),
            amount: pool.shares(change.shares),
        });
        let holders_changed = holders.len();
        let holders = holders.into_iter().take(LISTED).map(|holder| HolderView {
            member: holder.member.to_string(),
            member_name: holder.name,
            before: pool.shares(holder.before),
            after: pool.shares(holder.after),
        });
        Ok(Self {
            view,
            rolled_back,
            from_block: range.from,
            to_block: range.to,
            endpoints,
            added,
            removed: corrections.len() - added,
            changes: changes.collect(),
            holders_changed,
            holders: holders.collect(),
            transfers: taken,
            differences: paid.total,
            wrong_epochs: wrong_epochs(conn, paid)?,
            pool: pool.name,
        })
    }

    /// Why not all is well, where something was paid on wrong figures.
    pub fn failure(&self) -> Option<Error> {
        let first = self.wrong_epochs.first()?;
        let (count, pool, differences) = (self.wrong_epochs.len(), &self.pool, self.differences);
        let (epochs, differences) = (counted(count, "paid epoch"), counted(differences, "difference"));
        let why =
            format!("{epochs} of pool \"{pool}\" wrong, with {differences}; first: epoch {}", first.epoch);
        let hint = say("paid rewards are not rewritten: settle the differences with the members; see: ")
            .run("reward epoch verify")
            .with("pool")
            .of(&self.pool);
        let ids: Vec<i64> = self.wrong_epochs.iter().map(|epoch| epoch.epoch).collect();
        Some(Error::new(Code::Drift, why).hint(hint).detail("pool", self.pool.clone()).detail("epochs", ids))
    }
}

/// The differences by epoch.
fn wrong_epochs(conn: &Connection, paid: Verification) -> Result<Vec<WrongEpoch>> {
    let mut rows: BTreeMap<i64, EpochRow> =
        paid.epochs.into_iter().map(|epoch| (epoch.row.id, epoch.row)).collect();
    let mut wrong = Vec::new();
    for differences in paid.differences.chunk_by(|one, next| one.epoch == next.epoch) {
        let Some(Difference { epoch, .. }) = differences.first() else { continue };
        let missing = || Error::new(Code::Bug, format!("epoch {epoch} was not verified"));
        let row = rows.remove(epoch).ok_or_else(missing)?;
        let token = reward::token_of(conn, &row)?;
        let (mut members, mut figures) = (Vec::new(), Vec::new());
        for difference in differences {
            let Difference { member, field, stored, computed, .. } = difference.clone();
            match member {
                Some(member) => members.push(WrongReward::of(conn, &token, member, difference)?),
                None => figures.push(WrongFigure { field, stored, computed }),
            }
        }
        let (start_block, end_block) = (row.epoch.start, row.epoch.end);
        wrong.push(WrongEpoch { epoch: row.id, start_block, end_block, members, figures });
    }
    Ok(wrong)
}

impl WrongReward {
    fn of(conn: &Connection, token: &Asset, member: String, difference: &Difference) -> Result<Self> {
        let amount = |text: Option<&String>| match text {
            Some(text) => {
                parse_base(text).ok_or_else(|| Error::new(Code::Bug, format!("\"{text}\" is not an amount")))
            }
            None => Ok(Base::ZERO),
        };
        let (paid, due) = (amount(difference.stored.as_ref())?, amount(difference.computed.as_ref())?);
        let sign = if due < paid { "-" } else { "" };
        let member_name: Option<Option<String>> = conn
            .prepare_cached("SELECT name FROM members WHERE address = ?1")?
            .query_row([&member], |row| row.get(0))
            .optional()?;
        Ok(Self {
            member,
            member_name: member_name.flatten(),
            paid: token.quantity(paid),
            due: token.quantity(due),
            difference: format!("{sign}{}", to_units(paid.abs_diff(due), token.decimals)),
        })
    }
}
