//! `poolctl pool rescan`: a pool's transfers read again, and what that changes.

use crate::at::AtFlag;
use crate::options::DryRun;
use crate::output::{Outcome, Page, Present, Table};
use crate::session::Session;
use app::App;
use base::amount::{Base, Quantity, parse_base, to_people, to_units};
use base::{Code, Error, Result, forms};
use clap::Args;
use rusqlite::{Connection, OptionalExtension};
use schemars::JsonSchema;
use serde::Serialize;
use state::Work;
use std::collections::BTreeMap;
use vault::pool::{self, Asset, Pool, ViewStamp};
use vault::reward::{self, Difference, EpochRow, Subject, Verification};
use vault::sync::{self, Correction, HolderChange, Range, Rescanned, RolledBack};

/// Transfers, and members, that are listed one by one; more are counted.
const LISTED: usize = 10_000;

/// Read a pool's transfers again and correct the state; exit 5 if paid epochs turn out wrong
///
/// Reads twice, at two endpoints where there are two, in smaller ranges than sync. Nothing is written unless both readings
/// agree, no receipt has a transfer that is to be removed, the holders add up to the total of shares, and balanceOf confirms
/// every member whose shares change. Paid rewards are never rewritten: epochs that were paid on wrong transfers are listed with the difference of each member.
#[derive(Debug, Args)]
#[command(before_help = "Example: poolctl pool rescan main --from 19500000 --dry-run")]
pub struct Rescan {
    /// Name or address of the pool
    pool: String,
    /// First block to read again [default: the pool's deploy block]
    #[arg(long, value_name = "BLOCK", allow_negative_numbers = true)]
    from: Option<u64>,
    #[command(flatten)]
    at: AtFlag,
    #[command(flatten)]
    dry: DryRun,
}

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

impl Rescan {
    /// # Errors
    /// `drift` where nothing could be proved, or where paid epochs turn out wrong; what the services say.
    pub fn run(self, session: &Session) -> Result<Outcome> {
        let app = App::open(session)?;
        let at = self.at.or(&app.config)?;
        // What cannot be done is refused before the lock is taken and anything is sent.
        let Pool { name, .. } = {
            let state = app.read()?;
            let found = pool::find(state.conn(), &self.pool)?;
            Range::of(&found, self.from)?;
            found
        };
        let output = app
            .write_on_chain(self.dry.dry_run, async |work, chain| {
                let found = sync::rescan(work, chain, &name, self.from, at).await?;
                let paid = verify(work, &found)?;
                RescanOutput::of(work.state.conn(), found, paid)
            })
            .map_err(|e| e.context(format!("cannot rescan pool \"{name}\"")))?;
        let failure = output.failure();
        let warnings: Vec<String> = output.rolled_back.iter().map(ToString::to_string).collect();
        Ok(Outcome::of(&output)?.warn(warnings).but(failure))
    }
}

/// Computes the paid epochs again that blocks of the rescan belong to, by the transfers as they are now.
fn verify(work: &Work<'_>, found: &Rescanned) -> Result<Verification> {
    let mut epochs = reward::distributed_epochs(work.state.conn(), &found.pool)?;
    epochs.retain(|row| row.epoch.end > found.range.from);
    let subject = Subject { pool: found.pool.clone(), epochs };
    reward::verify_stored(work.state.conn(), &[subject], work.progress, work.stop)
}

impl RescanOutput {
    fn of(conn: &Connection, found: Rescanned, paid: Verification) -> Result<Self> {
        let Rescanned { pool, view, rolled_back, range, endpoints, corrections, holders, taken } = found;
        let added = corrections.iter().filter(|correction| correction.added).count();
        Ok(Self {
            view,
            rolled_back,
            from_block: range.from,
            to_block: range.to,
            endpoints,
            added,
            removed: corrections.len() - added,
            changes: corrections.iter().take(LISTED).map(|change| ChangeView::of(&pool, change)).collect(),
            holders_changed: holders.len(),
            holders: holders.into_iter().take(LISTED).map(|holder| HolderView::of(&pool, holder)).collect(),
            transfers: taken,
            differences: paid.total,
            wrong_epochs: wrong_epochs(conn, paid)?,
            pool: pool.name,
        })
    }

    fn failure(&self) -> Option<Error> {
        let first = self.wrong_epochs.first()?;
        let why = format!(
            "{} paid epochs of pool \"{}\" turn out wrong, with {} differences; the first is epoch {}",
            self.wrong_epochs.len(),
            self.pool,
            self.differences,
            first.epoch
        );
        let hint = format!(
            "paid rewards are not rewritten: settle the differences with the members; see: poolctl reward epoch verify \
             --pool {}",
            self.pool
        );
        let ids: Vec<i64> = self.wrong_epochs.iter().map(|epoch| epoch.epoch).collect();
        Some(Error::new(Code::Drift, why).hint(hint).detail("pool", self.pool.clone()).detail("epochs", ids))
    }
}

impl ChangeView {
    fn of(pool: &Pool, change: &Correction) -> Self {
        let side = |address: alloy::primitives::Address| (!address.is_zero()).then(|| address.to_string());
        Self {
            change: if change.added { "added" } else { "removed" },
            block: change.block,
            log_index: change.log_index,
            tx: change.tx.to_string(),
            from: side(change.from),
            to: side(change.to),
            amount: pool.shares(change.shares),
        }
    }
}

impl HolderView {
    fn of(pool: &Pool, holder: HolderChange) -> Self {
        Self {
            member: holder.member.to_string(),
            member_name: holder.name,
            before: pool.shares(holder.before),
            after: pool.shares(holder.after),
        }
    }
}

/// The differences by epoch.
fn wrong_epochs(conn: &Connection, paid: Verification) -> Result<Vec<WrongEpoch>> {
    let mut rows: BTreeMap<i64, EpochRow> =
        paid.epochs.into_iter().map(|epoch| (epoch.row.id, epoch.row)).collect();
    let mut wrong: Vec<(WrongEpoch, Asset)> = Vec::new();
    for difference in paid.differences {
        if wrong.last().is_none_or(|(epoch, _)| epoch.epoch != difference.epoch) {
            let missing = || Error::new(Code::Bug, format!("epoch {} was not verified", difference.epoch));
            let row = rows.remove(&difference.epoch).ok_or_else(missing)?;
            let (start_block, end_block) = (row.epoch.start, row.epoch.end);
            let (members, figures) = (Vec::new(), Vec::new());
            let epoch = WrongEpoch { epoch: row.id, start_block, end_block, members, figures };
            wrong.push((epoch, reward::token_of(conn, &row)?));
        }
        let Some((epoch, token)) = wrong.last_mut() else { continue };
        match difference.member.clone() {
            Some(member) => epoch.members.push(WrongReward::of(conn, token, member, &difference)?),
            None => epoch.figures.push(WrongFigure {
                field: difference.field,
                stored: difference.stored,
                computed: difference.computed,
            }),
        }
    }
    Ok(wrong.into_iter().map(|(epoch, _)| epoch).collect())
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

impl Present for RescanOutput {
    fn present(&self, page: &mut Page) {
        let shown = |address: &Option<String>| address.clone().unwrap_or_default();
        let mut changes = Table::new(&["CHANGE", ">BLOCK", ">LOG", "FROM", "TO", ">SHARES", "TRANSACTION"]);
        for change in &self.changes {
            changes.row([
                change.change.to_owned(),
                change.block.to_string(),
                change.log_index.to_string(),
                shown(&change.from),
                shown(&change.to),
                change.amount.to_string(),
                change.tx.clone(),
            ]);
        }
        let mut holders = Table::new(&["MEMBER", ">BEFORE", ">AFTER"]);
        for holder in &self.holders {
            let name = holder.member_name.clone().unwrap_or_else(|| holder.member.clone());
            holders.row([name, holder.before.to_string(), holder.after.to_string()]);
        }
        let mut wrong = Table::new(&["EPOCH", "BLOCKS", "MEMBER", ">PAID", ">DUE", ">DIFFERENCE"]);
        let mut figures = Vec::new();
        for epoch in &self.wrong_epochs {
            for reward in &epoch.members {
                let (paid, due) = (&reward.paid, &reward.due);
                let sign = if due.base < paid.base { "-" } else { "+" };
                wrong.row([
                    epoch.epoch.to_string(),
                    format!("{}..{}", epoch.start_block, epoch.end_block),
                    reward.member_name.clone().unwrap_or_else(|| reward.member.clone()),
                    paid.to_string(),
                    due.to_string(),
                    format!("{sign}{}", to_people(paid.base.abs_diff(due.base), paid.decimals)),
                ]);
            }
            let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "nothing".to_owned());
            figures.extend(epoch.figures.iter().map(|figure| {
                let (stored, computed) = (text(&figure.stored), text(&figure.computed));
                format!("epoch {}: {} is {stored}, computed {computed}", epoch.epoch, figure.field)
            }));
        }
        for table in [changes, holders, wrong] {
            if !table.is_empty() {
                page.table(table);
            }
        }
        for line in figures {
            page.line(line);
        }
        page.line(format!(
            "{}: blocks {} to {} read again at {}: {} transfers added, {} removed, {} holders changed, {} new transfers",
            self.pool,
            self.from_block,
            self.to_block,
            self.endpoints.join(" and "),
            self.added,
            self.removed,
            self.holders_changed,
            self.transfers
        ));
        page.line(&self.view);
    }
}
