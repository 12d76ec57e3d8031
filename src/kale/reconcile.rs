//! `farm reconcile`: what the state says of farmers' pails against all that may still live on the chain. What the state does
//! not know is taken in: pails, losses that are none, harvests that nobody booked.

use super::accounting::base;
use super::contract::{BLOCK_SECONDS, Block, Entry, Pail, decode_block, decode_pail, pail_of};
use super::elsewhere::mints;
use super::events::mint;
use super::harvest::LIVING_BLOCKS;
use super::plan::HarvestPlan;
use super::plan::Stroops;
use super::reason::Reason;
use super::record::{self, FarmRecorder};
use super::rows::{self, Baseline, Hand, OpenPail, Trace};
use super::site::Farming;
use super::view::{Ask, Living, View, Who, living};
use super::work::is_passing;
use super::{asset, forecast, loss, wallet};
use crate::amount::{Base, Delta};
use crate::output::{Code, Error, Result};
use crate::state::{Tx, runs};
use crate::stellar::xdr::{Asset, LedgerKey};
use crate::stellar::{self, Event, Landed};
use rusqlite::Connection;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// Seconds after which all pails are looked at again, though nothing happened to the state: a day.
const AGAIN_SEC: i64 = 86_400;
/// Seconds without a run of the farm after which another machine may have farmed: two blocks.
const GAP_SEC: i64 = 600;

/// So many comparisons must fail to explain a balance before it is taken for an owner's own payment.
const LOOKS: u32 = 3;

/// Something that state and chain disagree about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The farmer.
    pub who: Who,
    /// The block of the pail, where it is about one.
    pub block: Option<u32>,
    /// What it is.
    pub what: What,
}

/// What state and chain disagree about. Amounts in stroops of KALE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// A pail that the state did not know; it is open from now on.
    UnknownPail {
        /// At stake.
        stake: Base,
        /// Zeros of its work.
        zeros: Option<u32>,
    },
    /// A stake that was booked as lost, and is there; it is open again.
    LossReversed {
        /// At stake.
        stake: Base,
    },
    /// A harvest that was not booked; it is from now on.
    UnknownHarvest {
        /// Hash of the transaction.
        tx: String,
        /// The stake that it gave back.
        stake: Base,
        /// The reward that it paid.
        reward: Base,
    },
    /// A mint to the farmer that is the harvest of no pail.
    UnknownMint {
        /// Hash of the transaction.
        tx: String,
        /// What was minted.
        amount: Base,
    },
    /// A pail that is open in the state and is not shown; the harvest finds out why.
    Missing {
        /// At stake, by the state.
        stake: Base,
    },
    /// Another stake than the state has.
    Stake {
        /// By the state.
        recorded: Base,
        /// On the chain.
        shown: Base,
    },
    /// The balance changed by what no event that is still there explains.
    OutOfSight {
        /// First ledger of the endpoint's history.
        oldest: u32,
    },
}

impl What {
    /// Its stable word.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::UnknownPail { .. } => "unknown_pail",
            Self::LossReversed { .. } => "loss_reversed",
            Self::UnknownHarvest { .. } => "unknown_harvest",
            Self::UnknownMint { .. } => "unknown_mint",
            Self::Missing { .. } => "missing",
            Self::Stake { .. } => "stake",
            Self::OutOfSight { .. } => "out_of_sight",
        }
    }

    /// Whether the state is changed by it.
    pub const fn is_taken_in(&self) -> bool {
        matches!(self, Self::UnknownPail { .. } | Self::LossReversed { .. } | Self::UnknownHarvest { .. })
    }
}

/// What a comparison came to.
#[derive(Debug)]
pub struct Reconciled {
    /// The farm as it was looked at.
    pub view: View,
    /// First block whose pails were looked at.
    pub from: u32,
    /// Farmers that were looked at.
    pub farmers: usize,
    /// Pails that were asked for.
    pub asked: usize,
    /// Every difference, by farmer and block.
    pub differences: Vec<Difference>,
    changes: Vec<Change>,
    /// Stroops of KALE that each farmer holds, in the order of the farmers.
    held: Vec<Base>,
    /// Mints whose transaction was not shown, by the event's id: their farmers are compared from the same ledger on the next
    /// time.
    unresolved: HashMap<String, String>,
    baselines: Vec<Baseline>,
}

/// What is written of a difference.
#[derive(Debug)]
enum Change {
    /// A pail that is open from now on: newly, or again.
    Open { hand: Hand, pail: OpenPail, was_lost: bool },
    /// A harvest that is booked; its pail may be known or not.
    Harvest { hand: Hand, pail: OpenPail, known: bool, was_lost: bool, event: Box<Event>, reward: Base },
}

/// Why the farm is to be compared with the chain now, if it is: a farmer that never was, a restored state, a long gap, a day.
///
/// # Errors
/// `state_error`.
pub fn why_due(conn: &Connection, hands: &[Hand], now: i64) -> Result<Option<&'static str>> {
    let farmers = hands.iter().filter(|hand| hand.status != "departed");
    let known: HashMap<String, i64> = rows::baselines_at(conn)?;
    let mut oldest = None;
    for hand in farmers {
        match known.get(&hand.who.id) {
            None => return Ok(Some("a farmer was never compared with the chain")),
            Some(at) => oldest = Some(oldest.map_or(*at, |oldest: i64| oldest.min(*at))),
        }
    }
    let Some(oldest) = oldest else { return Ok(None) };
    if let Some(why) = rows::knows_less(conn)? {
        return Ok(Some(why));
    }
    if now.saturating_sub(oldest) >= AGAIN_SEC {
        return Ok(Some("the last comparison is a day old"));
    }
    let last = runs::last_runs(conn)?.into_iter().find(|run| run.command == runs::FARM).map(|run| run.at);
    let gap = last.is_none_or(|last| now.saturating_sub(last.max(oldest)) >= GAP_SEC);
    Ok((gap && now.saturating_sub(oldest) >= GAP_SEC).then_some("the farm was left alone for a while"))
}

/// Looks at every pail of these farmers in the last `blocks` blocks that the state does not know the end of, and at what was
/// minted since the last time. Nothing is written.
///
/// # Errors
/// Those of [`crate::stellar::Client::view`]; `state_error`, `state_corrupt`.
pub async fn look(farming: &Farming<'_, '_>, hands: &[Hand], blocks: u32) -> Result<Reconciled> {
    let (conn, client) = (farming.work.state.conn(), &farming.site.client);
    let guess = rows::last_block(conn)?;
    let mut found = client
        .view(async |chain| {
            let view = View::once(farming.site, chain, &Ask { guess, ..Ask::default() }).await?;
            let asset = asset::of(farming.site, chain, view.asset_contract()?).await?;
            let from = view.farm.index.saturating_sub(blocks.saturating_sub(1));
            let mut found = Reconciled {
                from,
                farmers: hands.len(),
                asked: 0,
                differences: Vec::new(),
                changes: Vec::new(),
                held: Vec::new(),
                unresolved: HashMap::new(),
                baselines: Vec::new(),
                view,
            };
            found.pails(farming, chain, hands, &asset).await?;
            let open = found.unexplained(conn, hands)?;
            found.mints(farming, chain, hands, &open).await?;
            Ok(found)
        })
        .await?;
    // What one answer does not explain may be an owner's own payment, or a mint that it leaves out.
    let open = found.unexplained(conn, hands)?;
    if !open.is_empty() {
        let first = found.view.endpoint.clone();
        let elsewhere =
            client.elsewhere(&first, async |chain| found.mints(farming, chain, hands, &open).await).await;
        match elsewhere {
            Some(Err(e)) if !is_passing(e.code()) => return Err(e),
            Some(Ok(())) => {}
            // There is no other one, or it fails.
            _ => client.view(async |chain| found.mints(farming, chain, hands, &open).await).await?,
        }
    }
    found.baselines(conn, hands)?;
    found.differences.sort_by(|a, b| (&a.who.id, a.block).cmp(&(&b.who.id, b.block)));
    Ok(found)
}

impl Reconciled {
    fn differs(&mut self, hand: &Hand, block: impl Into<Option<u32>>, what: What) {
        self.differences.push(Difference { who: hand.who.clone(), block: block.into(), what });
    }

    /// Compares the pails, and reads what each farmer holds.
    async fn pails(
        &mut self,
        farming: &Farming<'_, '_>,
        chain: &stellar::View,
        hands: &[Hand],
        asset: &Asset,
    ) -> Result<()> {
        let (conn, farm) = (farming.work.state.conn(), &farming.site.farm);
        let ended = rows::harvested_since(conn, self.from)?;
        let mut keys: BTreeMap<LedgerKey, (&Hand, u32)> = BTreeMap::new();
        for hand in hands {
            for block in self.from..=self.view.farm.index {
                if !ended.contains(&(hand.who.id.clone(), block)) {
                    keys.insert(Entry::Pail(hand.who.contract_address(), block).key(farm)?, (hand, block));
                }
            }
        }
        self.asked = keys.len();
        let wallet_keys = hands.iter().flat_map(|hand| wallet::keys(&hand.who.account, asset));
        let entries = chain.entries(keys.keys().cloned().chain(wallet_keys)).await?;
        self.held = hands
            .iter()
            .map(
                |hand| Ok(wallet::decode(&entries, &hand.who.account, asset)?.and_then(|wallet| wallet.kale)),
            )
            .map(|kale: Result<_>| Ok(kale?.map_or(Base::ZERO, |kale| kale.balance)))
            .collect::<Result<Vec<Base>>>()?;
        let mut shown: Vec<(&Hand, u32, Living<Pail>)> = Vec::new();
        for (key, (hand, block)) in &keys {
            let address = hand.who.contract_address();
            if let Some(pail) = living(&entries, key, |data| decode_pail(farm, &address, *block, data))? {
                shown.push((hand, *block, pail));
            }
        }
        let lost: HashMap<(String, u32), Option<String>> = rows::losses(conn, self.from)?
            .into_iter()
            .map(|loss| ((loss.farmer, loss.block), loss.reason))
            .collect();
        let mut unknown = Vec::new();
        let mut seen = HashSet::new();
        for (hand, block, pail) in shown {
            seen.insert((hand.who.id.clone(), block));
            let stake = base(pail.entry.stake)?;
            match (rows::pail(conn, &hand.who.id, block)?, lost.get(&(hand.who.id.clone(), block))) {
                (Some(open), _) if open.stake != stake => {
                    self.differs(hand, block, What::Stake { recorded: open.stake, shown: stake });
                }
                (Some(_), _) => {}
                // One that was never worked is lost, and there until it expires.
                (None, Some(reason))
                    if !pail.entry.worked() && reason.as_deref() == Some(Reason::NotWorked.word()) => {}
                (None, loss) => unknown.push((hand, block, pail, loss.is_some())),
            }
        }
        let blocks = self.blocks(farming, chain, unknown.iter().map(|(_, block, ..)| *block)).await?;
        for (hand, block, pail, was_lost) in unknown {
            let stake = base(pail.entry.stake)?;
            let what = if was_lost {
                What::LossReversed { stake }
            } else {
                What::UnknownPail { stake, zeros: pail.entry.zeros }
            };
            self.differs(hand, block, what);
            let pail = as_open(hand, block, &pail, blocks.get(&block), &self.view)?;
            self.changes.push(Change::Open { hand: hand.clone(), pail, was_lost });
        }
        for open in rows::pails_before(conn, u32::MAX)? {
            let hand = hands.iter().find(|hand| hand.who.id == open.farmer);
            if let Some(hand) = hand.filter(|_| open.block >= self.from)
                && !seen.contains(&(open.farmer.clone(), open.block))
            {
                self.differs(hand, open.block, What::Missing { stake: open.stake });
            }
        }
        Ok(())
    }

    async fn blocks(
        &self,
        farming: &Farming<'_, '_>,
        chain: &stellar::View,
        wanted: impl Iterator<Item = u32>,
    ) -> Result<HashMap<u32, Block>> {
        let farm = &farming.site.farm;
        let wanted: BTreeSet<u32> = wanted.collect();
        if wanted.is_empty() {
            return Ok(HashMap::new());
        }
        let keys: Vec<LedgerKey> =
            wanted.iter().map(|block| Entry::Block(*block).key(farm)).collect::<Result<_>>()?;
        let entries = chain.entries(keys.iter().cloned()).await?;
        let mut found = HashMap::new();
        for (block, key) in wanted.into_iter().zip(&keys) {
            if let Some(living) = living(&entries, key, |data| decode_block(farm, block, data))? {
                found.insert(block, living.entry);
            }
        }
        Ok(found)
    }

    /// The farmers (places in the list) whose balance is not explained by what was booked since they were last compared, and by
    /// what was found since; each with the ledger from which on that is to be looked for.
    fn unexplained(&self, conn: &Connection, hands: &[Hand]) -> Result<Vec<(usize, u32)>> {
        let mut open = Vec::new();
        for (place, (hand, held)) in hands.iter().zip(&self.held).enumerate() {
            let id = &hand.who.id;
            let Some(before) = rows::baseline(conn, id)? else { continue };
            let from = before.block.saturating_sub(LIVING_BLOCKS);
            let booked = rows::moved_since(conn, id, before.ledger, from)?;
            let found = self.changes.iter().map(|change| change.moves(id, before.ledger));
            let expected =
                found.flatten().chain([booked]).try_fold(Delta::credit(before.held), Delta::checked_add);
            let start = before.ledger.saturating_add(1);
            if expected != Some(Delta::credit(*held)) && start <= self.view.at.ledger {
                open.push((place, start));
            }
        }
        Ok(open)
    }

    /// Looks for harvests of these farmers that were not booked. Asked again, elsewhere or later, it adds what was left out.
    async fn mints(
        &mut self,
        farming: &Farming<'_, '_>,
        chain: &stellar::View,
        hands: &[Hand],
        open: &[(usize, u32)],
    ) -> Result<()> {
        if open.is_empty() {
            return Ok(());
        }
        let asset = self.view.asset_contract()?.clone();
        let oldest = chain.health().await?.oldest_ledger;
        for (place, start) in open {
            let Some(hand) = hands.get(*place) else { continue };
            let is_short = |what: &What| matches!(what, What::OutOfSight { .. });
            self.differences.retain(|one| one.who.id != hand.who.id || !is_short(&one.what));
            if oldest > *start {
                self.differs(hand, None, What::OutOfSight { oldest });
            }
            let events = mints(chain, &asset, &hand.who, oldest.max(*start)).await?;
            self.unbooked(farming, chain, hand, events).await?;
        }
        Ok(())
    }

    /// Those of a farmer's mints that nothing is booked for.
    async fn unbooked(
        &mut self,
        farming: &Farming<'_, '_>,
        chain: &stellar::View,
        hand: &Hand,
        events: Vec<Event>,
    ) -> Result<()> {
        let conn = farming.work.state.conn();
        for event in events {
            let Some(amount) = mint(&event.topics, &event.value, &hand.who.account) else { continue };
            let amount = base(amount)?;
            let is_found = |change: &Change| matches!(change, Change::Harvest { event: found, .. } if found.id == event.id);
            if self.changes.iter().any(is_found) {
                continue;
            }
            if rows::is_counted(conn, &event.id)? || rows::is_booked(conn, &event.tx_hash, &hand.who.id)? {
                continue;
            }
            let looked = chain.transactions(std::slice::from_ref(&event.tx_hash)).await?.into_iter().next();
            let landed = looked.transpose()?.and_then(|lookup| lookup.found);
            let tx = event.tx_hash.clone();
            // What was said of it before is said anew.
            let is_it = |what: &What| matches!(what, What::UnknownMint { tx: told, .. } if *told == tx);
            self.differences.retain(|one| one.who.id != hand.who.id || !is_it(&one.what));
            if landed.is_none() {
                self.unresolved.insert(event.id.clone(), hand.who.id.clone());
            } else {
                self.unresolved.remove(&event.id);
            }
            let Some((block, pail)) = landed.as_ref().and_then(|landed| harvested(farming, hand, landed))
            else {
                self.differs(hand, None, What::UnknownMint { tx, amount });
                continue;
            };
            let stake = base(pail.stake)?;
            let Some(reward) = amount.checked_sub(stake) else {
                self.differs(hand, block, What::UnknownMint { tx, amount });
                continue;
            };
            let known = rows::pail(conn, &hand.who.id, block)?;
            if known.as_ref().is_some_and(|known| known.stake != stake || known.held.is_some()) {
                self.differs(hand, block, What::UnknownMint { tx, amount });
                continue;
            }
            let was_lost = rows::losses(conn, block)?
                .iter()
                .any(|loss| loss.farmer == hand.who.id && loss.block == block);
            let pail = Living { entry: pail, live_until: None };
            let open = as_open(hand, block, &pail, None, &self.view)?;
            self.differs(hand, block, What::UnknownHarvest { tx, stake, reward });
            // What the endpoint still shows of it is of a ledger before.
            self.changes.retain(|change| {
                !matches!(change, Change::Open { pail, .. } if pail.farmer == open.farmer && pail.block == block)
            });
            let (hand, known) = (hand.clone(), known.is_some());
            let event = Box::new(event);
            self.changes.push(Change::Harvest { hand, pail: open, known, was_lost, event, reward });
        }
        Ok(())
    }

    /// From where on each farmer is compared the next time: from now where all is explained, and where it stays unexplained
    /// after several looks.
    fn baselines(&mut self, conn: &Connection, hands: &[Hand]) -> Result<()> {
        let unexplained: HashSet<usize> =
            self.unexplained(conn, hands)?.into_iter().map(|(place, _)| place).collect();
        for (place, (hand, held)) in hands.iter().zip(&self.held).enumerate() {
            let farmer = hand.who.id.clone();
            let before = rows::baseline(conn, &farmer)?.filter(|before| {
                let is_unresolved = self.unresolved.values().any(|id| *id == farmer);
                is_unresolved || (unexplained.contains(&place) && before.looks + 1 < LOOKS)
            });
            let now = || Baseline {
                farmer,
                ledger: self.view.at.ledger,
                block: self.view.farm.index,
                held: *held,
                looks: 0,
            };
            let again = before.map(|before| Baseline { looks: before.looks.saturating_add(1), ..before });
            self.baselines.push(again.unwrap_or_else(now));
        }
        Ok(())
    }

    /// Takes in what is found, in one write, and notes what was compared.
    ///
    /// # Errors
    /// `state_error`, `state_corrupt`.
    pub fn write(&self, farming: &mut Farming<'_, '_>) -> Result<()> {
        let (permit, network) = (farming.work.permit, farming.site.network());
        let recorder = FarmRecorder::of(farming.site);
        let asset = self.view.asset_contract()?.to_string();
        farming.work.state.write(permit, |tx| {
            for change in &self.changes {
                change.write(tx, network, &recorder, &asset)?;
            }
            for baseline in &self.baselines {
                rows::set_baseline(tx, baseline)?;
            }
            // A comparison that found nothing is none to keep, unless something happened that asked for it.
            if self.differences.is_empty() && rows::knows_less(tx.conn())?.is_none() {
                return Ok(());
            }
            let facts = json!({
                "ledger": self.view.at.ledger, "from_block": self.from, "to_block": self.view.farm.index,
                "pails": self.asked, "differences": self.differences.len(),
            });
            tx.event("farm.reconciled", network, &facts).map(|_| ())
        })
    }
}

impl Change {
    /// What it says of a farmer's balance after a ledger, beside what is booked.
    fn moves(&self, farmer: &str, ledger: u32) -> Vec<Delta> {
        let staked = |pail: &OpenPail| (pail.planted_ledger > ledger).then(|| Delta::debit(pail.stake));
        match self {
            Self::Open { pail, was_lost, .. } if pail.farmer == farmer && !was_lost => {
                staked(pail).into_iter().collect()
            }
            Self::Harvest { pail, known, was_lost, reward, .. } if pail.farmer == farmer => {
                let planted = if *known || *was_lost { None } else { staked(pail) };
                planted.into_iter().chain([Delta::credit(pail.stake), Delta::credit(*reward)]).collect()
            }
            _ => Vec::new(),
        }
    }

    fn write(&self, tx: &Tx<'_>, network: &str, recorder: &FarmRecorder, asset: &str) -> Result<()> {
        match self {
            Self::Open { hand, pail, was_lost: true } => loss::take_back(tx, network, hand, pail).map(|_| ()),
            Self::Open { hand, pail, was_lost: false } => adopt(tx, hand, pail),
            Self::Harvest { hand, pail, known, was_lost, event, reward } => {
                if *was_lost {
                    loss::take_back(tx, network, hand, pail)?;
                } else if !known {
                    adopt(tx, hand, pail)?;
                }
                let plan = HarvestPlan {
                    farmer: hand.who.id.clone(),
                    address: hand.who.address.clone(),
                    block: pail.block,
                    stake: Stroops(pail.stake),
                    pooler: hand.pooler.clone(),
                    reward_split_ppm: hand.terms.reward_split_ppm(),
                    platform_fee_ppm: hand.terms.platform_fee_ppm(),
                    asset_contract: asset.to_owned(),
                    forecast: None,
                };
                let facts = json!({ "tx": event.tx_hash, "ledger": event.ledger, "event": event.id });
                let trace = Trace { ledger: Some(event.ledger), ..Trace::default() };
                recorder.credit(tx, &plan, "harvested_elsewhere", *reward, &trace, &facts)?;
                rows::count_mint(tx, &event.id, &hand.who.id, pail.block)
            }
        }
    }
}

fn adopt(tx: &Tx<'_>, hand: &Hand, pail: &OpenPail) -> Result<()> {
    let trace = Trace { ledger: Some(pail.planted_ledger), ..Trace::default() };
    let facts = json!({
        "farmer": hand.who.address, "block": pail.block, "stake": pail.stake.to_string(),
        "ledger": pail.planted_ledger, "found": true,
    });
    record::planted(tx, pail, &trace, &facts)
}

/// The pail of this farmer that a transaction took away, which is what a harvest does.
fn harvested(farming: &Farming<'_, '_>, hand: &Hand, landed: &Landed) -> Option<(u32, Pail)> {
    let address = hand.who.contract_address();
    let mut gone = landed.removed.iter().filter_map(|data| pail_of(&farming.site.farm, &address, data));
    // Two at once in one transaction cannot be told apart by the mint.
    gone.next().filter(|_| gone.next().is_none())
}

fn as_open(
    hand: &Hand,
    block: u32,
    pail: &Living<Pail>,
    of: Option<&Block>,
    view: &View,
) -> Result<OpenPail> {
    let Living { entry, live_until } = pail;
    // Of a block that is over, whenever that was.
    let over = of.map(|of| of.timestamp.saturating_add(BLOCK_SECONDS));
    let due = view.due().filter(|_| block == view.farm.index).or(over).unwrap_or(view.at.time);
    let paid = of.and_then(|of| forecast::paid_now(block, of, entry).ok());
    Ok(OpenPail {
        block,
        farmer: hand.who.id.clone(),
        stake: base(entry.stake)?,
        planted_ledger: entry.sequence,
        planted_time: None,
        due,
        work: entry.gap.zip(entry.zeros),
        forecast: paid.map(base).transpose()?,
        live_until: *live_until,
        held: None,
    })
}

/// The error of a comparison that found differences.
pub fn failure(found: &Reconciled) -> Option<Error> {
    let first = found.differences.first()?;
    let open = found.differences.iter().filter(|difference| !difference.what.is_taken_in()).count();
    let count = found.differences.len();
    let block = first.block.map(|block| format!(" in block {block}")).unwrap_or_default();
    let why = format!(
        "{count} differences between state and chain, {} taken in; first: {} of {}{block}",
        count - open,
        first.what.word(),
        first.who.address
    );
    let hint = if open == 0 {
        "the next harvest goes on with them: poolctl harvest"
    } else {
        "see them with --json; then: poolctl harvest"
    };
    Some(Error::new(Code::Drift, why).hint(hint))
}

/// Blocks whose pails can still live, which is how far a comparison looks back.
pub const BLOCKS: u32 = LIVING_BLOCKS;
