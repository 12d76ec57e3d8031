//! What is to be harvested: every open pail as the chain shows it, and what is to be done about it.

use super::doubt;
use super::due::{Due, look, of_held, under_way};
use crate::chain::site::{Site, invoke};
use crate::chain::view::{Ask, Living, View};
use crate::contract::call::Call;
use crate::contract::{BLOCK_SECONDS, base, forecast};
use crate::farming::Farming;
use crate::record::loss;
use crate::record::plan::{self, HarvestPlan, harvest_key, kind};
use crate::record::reason::Reason;
use crate::record::rows::{self, FarmerRow, OpenPail};
use base::amount::Base;
use base::{Code, Error, Result, say};
use rusqlite::Connection;
use std::collections::{BTreeMap, HashMap};
use stellar::LedgerPace;
use stellar::submit::Intent;

/// Blocks whose pails may still be there: those of a day.
pub const LIVING_BLOCKS: u32 = 288;

/// A pail that was never worked.
#[derive(Debug, Clone)]
pub struct Unworked<'a> {
    /// The farmer.
    pub hand: &'a FarmerRow,
    /// The block.
    pub block: u32,
    /// Stroops of KALE at stake.
    pub stake: Base,
    /// What it was lost by.
    pub cause: Reason,
    /// Why this look does not book it as lost yet, if it does not.
    pub doubt: Option<Error>,
}

/// What is to be harvested.
#[derive(Debug, Default)]
pub struct PreparedHarvest {
    /// The farm as it was looked at; `None` where no pail is open.
    pub view: Option<View>,
    pub(super) wanted: Vec<(Due, Intent)>,
    pub(super) unworked: Vec<(Due, Reason)>,
    pub(super) gone: Vec<Due>,
    pub(super) refused: Vec<(Due, Reason, Error)>,
    pub(super) lives: Vec<(String, u32, u32)>,
    pub(super) worked: Vec<(String, u32, u32, u32)>,
    /// How fast ledgers close: measured where a pail may expire soon.
    pub pace: LedgerPace,
    /// Pails that expire soon: farmer id, and of each its block and last ledger.
    pub near: BTreeMap<String, Vec<(u32, u32)>>,
    pub(super) back: Vec<Due>,
}

impl PreparedHarvest {
    /// Harvests to be sent: address, block, stake, forecast.
    pub fn wanted(&self) -> impl Iterator<Item = (&FarmerRow, u32, Base, Option<Base>)> {
        self.wanted.iter().map(|(due, _)| (&due.hand, due.pail.block, due.pail.stake, due.pail.forecast))
    }

    /// Leaves the harvests beyond the first so many for later, those of pails that expire soon aside; whether there were any.
    pub fn keep(&mut self, most: usize) -> bool {
        let before = self.wanted.len();
        let rest = self.wanted.split_off(most.min(before));
        self.wanted.extend(rest.into_iter().filter(|(due, _)| due.is_near(&self.near)));
        self.wanted.len() < before
    }

    /// The transactions, for a rehearsal.
    pub fn intents(&self) -> Vec<Intent> {
        self.wanted.iter().map(|(_, intent)| intent.clone()).collect()
    }

    /// Pails that were never worked.
    pub fn unworked(&self, conn: &Connection) -> Result<Vec<Unworked<'_>>> {
        let now = self.view.as_ref().map_or(0, |view| view.at.ledger);
        let unworked = self.unworked.iter().map(|(due, cause)| {
            let (hand, OpenPail { block, stake, .. }) = (&due.hand, &due.pail);
            let doubt = doubt::of(conn, due, now)?;
            Ok(Unworked { hand, block: *block, stake: *stake, cause: *cause, doubt })
        });
        unworked.collect()
    }

    /// Pails that are no longer there.
    pub fn gone(&self) -> impl Iterator<Item = (&FarmerRow, u32, Base)> {
        self.gone.iter().map(|due| (&due.hand, due.pail.block, due.pail.stake))
    }

    /// Whether there is anything to do.
    pub fn is_empty(&self) -> bool {
        self.wanted.is_empty()
            && self.unworked.is_empty()
            && self.gone.is_empty()
            && self.refused.is_empty()
            && self.back.is_empty()
    }
}

/// Looks at every open pail; `hands` are all farmers, whatever their status.
pub async fn prepare(farming: &Farming<'_, '_>, hands: &[FarmerRow]) -> Result<PreparedHarvest> {
    let conn = farming.work.state.conn();
    let (mut open, mut lost) = (rows::pails_before(conn, u32::MAX)?, lost_lately(conn)?);
    farming.scope.retain(conn, &mut open, |pail| &pail.farmer)?;
    farming.scope.retain(conn, &mut lost, |pail| &pail.farmer)?;
    prepare_for(farming, hands, &open, &lost).await
}

/// Whether there is nothing that a harvest would look at.
pub fn is_idle(conn: &Connection) -> Result<bool> {
    Ok(rows::open_count(conn)? == 0 && lost_lately(conn)?.is_empty())
}

/// Stakes that are booked as lost and whose pails may still be seen: those of about a day.
fn lost_lately(conn: &Connection) -> Result<Vec<OpenPail>> {
    let Some(last) = rows::last_block(conn)? else { return Ok(Vec::new()) };
    let losses = rows::losses(conn, last.saturating_sub(LIVING_BLOCKS))?;
    // All but block, farmer and stake is read from the chain, where it is there.
    let pail = |rows::Loss { farmer, block, stake, reason: held }| OpenPail {
        block,
        farmer,
        stake,
        held,
        ..OpenPail::default()
    };
    Ok(losses.into_iter().map(pail).collect())
}

/// As [`prepare`], of these pails alone; `lost` are looked at for whether they are there after all.
pub(super) async fn prepare_for(
    farming: &Farming<'_, '_>,
    hands: &[FarmerRow],
    open: &[OpenPail],
    lost: &[OpenPail],
) -> Result<PreparedHarvest> {
    let mut prepared = PreparedHarvest::default();
    if open.is_empty() && lost.is_empty() {
        return Ok(prepared);
    }
    let conn = farming.work.state.conn();
    let by_id: HashMap<&str, &FarmerRow> = hands.iter().map(|hand| (hand.who.id.as_str(), hand)).collect();
    let ask = Ask { guess: rows::last_block(conn)?, ..Ask::default() };
    let all: Vec<OpenPail> = open.iter().chain(lost).cloned().collect();
    let site = farming.site;
    let looked = site.client.view(async |chain| {
        let view = View::once(site, chain, &ask).await?;
        let dues = look(site, chain, &all, &by_id).await?;
        // However fast ledgers close, the lives of all others last.
        let soon = view.at.ledger.saturating_add(LedgerPace::at_most(farming.settings.harvest_alarm));
        let lives = dues
            .iter()
            .filter_map(|due| due.chain.as_ref().map_or(due.pail.live_until, |pail| pail.live_until));
        let pace = if lives.min().is_some_and(|until| until <= soon) {
            chain.pace().await?
        } else {
            LedgerPace::default()
        };
        Ok((view, dues, pace))
    });
    let (view, mut dues, pace) = looked.await?;
    let alarm = pace.ledgers_in(farming.settings.harvest_alarm);
    prepared.pace = pace;
    let asset = view.asset_contract()?.to_string();
    let (ledger, index) = (view.at.ledger, view.farm.index);
    prepared.back = dues.split_off(open.len()).into_iter().filter_map(found_again).collect();
    for due in dues {
        let (farmer, block) = (&due.pail.farmer, due.pail.block);
        if let Some(until) = due.chain.as_ref().and_then(|pail| pail.live_until) {
            prepared.lives.push((farmer.clone(), block, until));
            if until.saturating_sub(ledger) <= alarm {
                prepared.near.entry(farmer.clone()).or_default().push((block, until));
            }
        }
        if let Some((gap, zeros)) = due.chain.as_ref().and_then(|pail| pail.entry.gap.zip(pail.entry.zeros)) {
            prepared.worked.push((farmer.clone(), block, gap, zeros));
        }
        if block < index {
            prepared.sort(farming, due, &asset)?;
        }
    }
    prepared.view = Some(view);
    Ok(prepared)
}

/// A pail that is there though it is booked as lost, as it is: one that was never worked stays lost while it is there.
fn found_again(mut due: Due) -> Option<Due> {
    let Living { entry, live_until } = due.chain.as_ref()?;
    let reason = due.pail.held.take();
    if !entry.worked() && reason.as_deref() == Some(Reason::NotWorked.as_str()) {
        return None;
    }
    due.pail.planted_ledger = entry.sequence;
    // Its block is over, whenever that was.
    due.pail.due = due.block.as_ref().map_or(0, |block| block.timestamp.saturating_add(BLOCK_SECONDS));
    due.pail.work = entry.gap.zip(entry.zeros);
    due.pail.live_until = *live_until;
    Some(due)
}

impl PreparedHarvest {
    fn sort(&mut self, farming: &Farming<'_, '_>, mut due: Due, asset: &str) -> Result<()> {
        let conn = farming.work.state.conn();
        let key = harvest_key(farming.site.network(), &due.hand.who.address, due.pail.block);
        if let Some(held) = &due.pail.held {
            let (reason, error) = of_held(held);
            self.refused.push((due, reason, error));
            return Ok(());
        }
        if outbox::find(conn, &key)?.is_some_and(|operation| under_way(operation.state)) {
            let error = Error::new(Code::OutcomeUnknown, "its harvest was sent, and is not seen yet")
                .hint("run the same command again: it settles what was sent");
            self.refused.push((due, Reason::Other, error));
            return Ok(());
        }
        let Some(pail) = due.chain.as_ref().map(|living| living.entry.clone()) else {
            self.gone.push(due);
            return Ok(());
        };
        if base(pail.stake)? != due.pail.stake {
            let why =
                format!("the pail shows a stake of {} stroops, {} were recorded", pail.stake, due.pail.stake);
            let error = Error::new(Code::Drift, why)
                .hint(say("nothing was sent; compare: ").run("events").with("kind").of("plant.planted"));
            self.refused.push((due, Reason::StakeDisagrees, error));
            return Ok(());
        }
        if !pail.worked() {
            let margin = farming.settings.work_margin;
            let cause = loss::why_not_worked(conn, &due.pail, due.pail.due, margin)?;
            self.unworked.push((due, cause));
            return Ok(());
        }
        let paid = due.block.as_ref().map(|block| forecast::paid_now(due.pail.block, block, &pail));
        due.pail.forecast = paid.and_then(Result::ok).and_then(|paid| base(paid).ok());
        due.pail.work = pail.gap.zip(pail.zeros);
        let intent = intent(farming.site, key, &due, asset)?;
        self.wanted.push((due, intent));
        Ok(())
    }
}

fn intent(site: &Site, key: String, due: &Due, asset: &str) -> Result<Intent> {
    let who = &due.hand.who;
    let plan = HarvestPlan::of(&due.hand, &due.pail, asset);
    let call = Call::Harvest { farmer: who.contract_address(), index: due.pail.block };
    plan::intent(kind::HARVEST, key, who, &plan, invoke(site, &call)?, None)
}
