//! `farm reconcile`: what the state says of farmers' pails against all that may still live on the chain. What the state does
//! not know is taken in: pails, losses that are none, harvests that nobody booked.

mod difference;

pub use difference::{Difference, What};

use self::difference::Change;
use crate::chain::view::{Ask, Living, View, living};
use crate::chain::{asset, wallet};
use crate::contract::events::mint;
use crate::contract::fields::bad;
use crate::contract::{
    BLOCK_SECONDS, Block, Entry, Pail, base, decode_block, decode_pail, forecast, pail_of,
};
use crate::farming::{self, Farming};
use crate::harvest::LIVING_BLOCKS;
use crate::harvest::elsewhere::{landed, mints};
use crate::record::FarmRecorder;
use crate::record::reason::Reason;
use crate::record::rows::{self, Baseline, FarmerRow, OpenPail};
use crate::record::still;
use base::amount::{Base, Delta};
use base::{Code, Error, Result, counted, say};
use rusqlite::Connection;
use serde_json::json;
use state::runs;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use stellar::xdr::{Asset, LedgerKey};
use stellar::{Event, Landed, is_of_endpoints};

/// Seconds after which all pails are looked at again, though nothing happened to the state: a day.
const AGAIN_SEC: i64 = 86_400;
/// Seconds without a run of the farm after which another machine may have farmed: two blocks.
const GAP_SEC: i64 = 600;

/// So many comparisons must fail to explain a balance before it is taken for an owner's own payment.
const LOOKS: u32 = 3;

/// A farmer whose balance nothing explains.
struct Unexplained<'h> {
    hand: &'h FarmerRow,
    /// The ledger from which on the reason is to be looked for.
    start: u32,
    /// It holds more than what is known makes it; else less.
    more: bool,
    /// By so many stroops.
    by: Base,
}

/// What a comparison came to.
#[derive(Debug)]
pub struct Reconciled {
    /// The farm as it was looked at.
    pub view: View,
    /// First block whose pails were checked.
    pub from: u32,
    /// Farmers that were checked.
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
    /// What the balances were explained by, of each farmer: its baseline, and what was booked since.
    seen: Vec<(String, Option<Baseline>, Delta)>,
}

/// Why the farm is to be compared with the chain now, if it is: a farmer that never was, a restored state, a long gap, a day.
pub fn why_due(conn: &Connection, hands: &[FarmerRow], now: i64) -> Result<Option<&'static str>> {
    let farmers = hands.iter().filter(|hand| hand.status.is_served());
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
    let farms = |run: &runs::LastRun| runs::FARMING.contains(&&*run.command);
    let last = runs::last_runs(conn)?.into_iter().filter(farms).map(|run| run.at).max();
    let gap = last.is_none_or(|last| now.saturating_sub(last.max(oldest)) >= GAP_SEC);
    Ok((gap && now.saturating_sub(oldest) >= GAP_SEC).then_some("the farm was left alone for a while"))
}

/// Compares where that is due, and takes in what is found. Returns why it was due, and what it came to.
pub async fn where_due(
    farming: &mut Farming<'_, '_>,
    hands: &[FarmerRow],
) -> Result<Option<(&'static str, Reconciled)>> {
    let state = &farming.work.state;
    let Some(why) = why_due(state.conn(), hands, state.run().clock.now())? else { return Ok(None) };
    Ok(Some((why, all(farming, hands).await?)))
}

/// Compares all that may still live, and takes in what is found.
pub async fn all(farming: &mut Farming<'_, '_>, hands: &[FarmerRow]) -> Result<Reconciled> {
    take_in(farming, hands, LIVING_BLOCKS).await
}

/// Compares the last `blocks` blocks, and takes in what is found; anew where other runs have booked something meanwhile.
pub async fn take_in(farming: &mut Farming<'_, '_>, hands: &[FarmerRow], blocks: u32) -> Result<Reconciled> {
    farming::anew(farming, async |farming| {
        let found = look(farming, hands, blocks).await?;
        found.write(farming)?;
        Ok(found)
    })
    .await
}

/// What balances are explained by.
fn seen(conn: &Connection, hands: &[FarmerRow]) -> Result<Vec<(String, Option<Baseline>, Delta)>> {
    let of = |hand: &FarmerRow| {
        let id = &hand.who.id;
        let before = rows::baseline(conn, id)?;
        let booked = before.as_ref().map(|before| booked(conn, id, before)).transpose()?;
        Ok((id.clone(), before, booked.unwrap_or_default()))
    };
    hands.iter().map(of).collect()
}

/// What was booked for a farmer since its baseline.
fn booked(conn: &Connection, farmer: &str, before: &Baseline) -> Result<Delta> {
    rows::moved_since(conn, farmer, before.ledger, before.block.saturating_sub(LIVING_BLOCKS))
}

/// Looks at every pail of these farmers in the last `blocks` blocks that the state does not know the end of, and at what was
/// minted since the last time. Nothing is written.
pub async fn look(farming: &Farming<'_, '_>, hands: &[FarmerRow], blocks: u32) -> Result<Reconciled> {
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
                seen: seen(conn, hands)?,
                view,
            };
            found.pails(farming, chain, hands, &asset).await?;
            let open = found.unexplained(conn, hands)?;
            found.mints(farming, chain, &open).await?;
            Ok(found)
        })
        .await?;
    // What one answer does not explain may be an owner's own payment, or a mint that it leaves out.
    let open = found.unexplained(conn, hands)?;
    if !open.is_empty() {
        let first = found.view.endpoint.clone();
        let elsewhere =
            client.elsewhere(&first, async |chain| found.mints(farming, chain, &open).await).await;
        match elsewhere {
            Some(Err(e)) if !is_of_endpoints(e.code()) => return Err(e),
            Some(Ok(())) => {}
            // There is no other one, or it fails.
            _ => client.view(async |chain| found.mints(farming, chain, &open).await).await?,
        }
    }
    found.baselines(conn, hands)?;
    found.differences.sort_by(|a, b| (&a.who.id, a.block).cmp(&(&b.who.id, b.block)));
    Ok(found)
}

impl Reconciled {
    /// Notes a difference. A pail is named once: where its mint is found, that is why it is missing, and a harvest of it is
    /// all that there is to say.
    fn differs(&mut self, hand: &FarmerRow, block: impl Into<Option<u32>>, what: What) {
        let block = block.into();
        let is_told = |before: &What| match what {
            What::UnknownHarvest { .. } => {
                matches!(before, What::Missing { .. } | What::UnknownPail { .. } | What::LossReversed { .. })
            }
            What::UnknownMint { .. } => matches!(before, What::Missing { .. }),
            _ => false,
        };
        self.differences.retain(|one| {
            one.who.id != hand.who.id || block.is_none() || one.block != block || !is_told(&one.what)
        });
        self.differences.push(Difference { who: hand.who.clone(), block, what });
    }

    /// Compares the pails, and reads what each farmer holds.
    async fn pails(
        &mut self,
        farming: &Farming<'_, '_>,
        chain: &stellar::View,
        hands: &[FarmerRow],
        asset: &Asset,
    ) -> Result<()> {
        let (conn, farm) = (farming.work.state.conn(), &farming.site.farm);
        let ended = rows::harvested_since(conn, self.from)?;
        let mut keys: BTreeMap<LedgerKey, (&FarmerRow, u32)> = BTreeMap::new();
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
        for hand in hands {
            let kale = wallet::decode(&entries, &hand.who.account, asset)?.and_then(|wallet| wallet.kale);
            self.held.push(kale.map_or(Base::ZERO, |kale| kale.balance));
        }
        let lost: HashMap<(String, u32), Option<String>> = rows::losses(conn, self.from)?
            .into_iter()
            .map(|loss| ((loss.farmer, loss.block), loss.reason))
            .collect();
        let mut unknown = Vec::new();
        let mut seen = HashSet::new();
        for (key, (hand, block)) in keys {
            let address = hand.who.contract_address();
            let shown = living(&entries, &key, |data| decode_pail(farm, &address, block, data))?;
            let Some(pail) = shown else { continue };
            seen.insert((hand.who.id.clone(), block));
            let stake = base(pail.entry.stake)?;
            match (rows::pail(conn, &hand.who.id, block)?, lost.get(&(hand.who.id.clone(), block))) {
                (Some(open), _) if open.stake != stake => {
                    self.differs(hand, block, What::Stake { recorded: open.stake, shown: stake });
                }
                (Some(_), _) => {}
                // One that was never worked is lost, and there until it expires.
                (None, Some(reason))
                    if !pail.entry.worked() && reason.as_deref() == Some(Reason::NotWorked.as_str()) => {}
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

    /// The farmers whose balance is not explained by what was booked since they were last compared, and by
    /// what was found since.
    fn unexplained<'h>(&self, conn: &Connection, hands: &'h [FarmerRow]) -> Result<Vec<Unexplained<'h>>> {
        let mut open = Vec::new();
        for (hand, held) in hands.iter().zip(&self.held) {
            let id = &hand.who.id;
            let Some(before) = rows::baseline(conn, id)? else { continue };
            let booked = booked(conn, id, &before)?;
            let found = self.changes.iter().map(|change| change.moves(id, before.ledger));
            let explained = found
                .flatten()
                .chain([booked, Delta::credit(before.held)])
                .try_fold(Delta::debit(*held), Delta::checked_add)
                .ok_or_else(|| bad("a farmer's balance", format!("{held} stroops pass 256 bits")))?;
            let start = before.ledger.saturating_add(1);
            if !explained.is_zero() && start <= self.view.at.ledger {
                let (more, by) = (explained.is_negative(), explained.magnitude());
                open.push(Unexplained { hand, start, more, by });
            }
        }
        Ok(open)
    }

    /// Looks for harvests of these farmers that were not booked. Asked again, elsewhere or later, it adds what was left out.
    async fn mints(
        &mut self,
        farming: &Farming<'_, '_>,
        chain: &stellar::View,
        open: &[Unexplained<'_>],
    ) -> Result<()> {
        if open.is_empty() {
            return Ok(());
        }
        let asset = self.view.asset_contract()?.clone();
        let oldest = chain.health().await?.oldest_ledger;
        for Unexplained { hand, start, .. } in open {
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
        hand: &FarmerRow,
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
            let landed = landed(chain, &event).await?;
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
            let known = rows::pail(conn, &hand.who.id, block)?;
            let is_other = |known: &OpenPail| known.stake != stake || known.held.is_some();
            let reward = amount.checked_sub(stake).filter(|_| !known.as_ref().is_some_and(is_other));
            let Some(reward) = reward else {
                self.differs(hand, block, What::UnknownMint { tx, amount });
                continue;
            };
            let is_it = |loss: &rows::Loss| loss.farmer == hand.who.id && loss.block == block;
            let was_lost = rows::losses(conn, block)?.iter().any(is_it);
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
    fn baselines(&mut self, conn: &Connection, hands: &[FarmerRow]) -> Result<()> {
        let unexplained = self.unexplained(conn, hands)?;
        for Unexplained { hand, more, by, .. } in &unexplained {
            // Where a reason is named already, that is it.
            let is_named = |one: &Difference| {
                one.who.id == hand.who.id
                    && matches!(one.what, What::UnknownMint { .. } | What::OutOfSight { .. })
            };
            if !self.differences.iter().any(is_named) {
                self.differs(hand, None, What::Balance { more: *more, by: *by });
            }
        }
        for (hand, held) in hands.iter().zip(&self.held) {
            let farmer = hand.who.id.clone();
            let before = rows::baseline(conn, &farmer)?.filter(|before| {
                let is_unresolved = self.unresolved.values().any(|id| *id == farmer);
                let is_unexplained = unexplained.iter().any(|one| one.hand.who.id == farmer);
                is_unresolved || (is_unexplained && before.looks + 1 < LOOKS)
            });
            let (ledger, block) = (self.view.at.ledger, self.view.farm.index);
            let again = before.map(|before| Baseline { looks: before.looks.saturating_add(1), ..before });
            let now = Baseline { farmer, ledger, block, held: *held, looks: 0 };
            self.baselines.push(again.unwrap_or(now));
        }
        Ok(())
    }

    /// Takes in what is found, in one write, and notes what was compared.
    ///
    /// # Errors
    /// `state_changed` where another run has booked something for these farmers since they were compared.
    pub fn write(&self, farming: &mut Farming<'_, '_>) -> Result<()> {
        let network = farming.site.network();
        let recorder = FarmRecorder::of(farming.site);
        let asset = self.view.asset_contract()?.to_string();
        farming.write(|tx| {
            for (farmer, before, moved) in &self.seen {
                let now = rows::baseline(tx.conn(), farmer)?;
                let since = now.as_ref().map(|now| booked(tx.conn(), farmer, now)).transpose()?;
                if now != *before || since.unwrap_or_default() != *moved {
                    return Err(still::changed(format_args!("farmer {farmer} was compared or booked for")));
                }
            }
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

/// The error of a comparison that found differences.
pub fn failure(found: &Reconciled) -> Option<Error> {
    let first = found.differences.first()?;
    let open = found.differences.iter().filter(|difference| !difference.what.is_taken_in()).count();
    let count = found.differences.len();
    let block = first.block.map(|block| format!(" in block {block}")).unwrap_or_default();
    let why = format!(
        "{} between state and chain, {} taken in; first: {} of {}{block}",
        counted(count, "difference"),
        count - open,
        first.what.as_str(),
        first.who.address
    );
    let hint = if open == 0 {
        say("the next harvest goes on with them: ").run("harvest")
    } else {
        say("see them with ").with("json").say("; then: ").run("harvest")
    };
    Some(Error::new(Code::Drift, why).hint(hint))
}

/// The pail of this farmer that a transaction took away, which is what a harvest does.
fn harvested(farming: &Farming<'_, '_>, hand: &FarmerRow, landed: &Landed) -> Option<(u32, Pail)> {
    let address = hand.who.contract_address();
    let mut gone = landed.removed.iter().filter_map(|data| pail_of(&farming.site.farm, &address, data));
    // Two at once in one transaction cannot be told apart by the mint.
    gone.next().filter(|_| gone.next().is_none())
}

/// The pail as it is open from now on; `of` is its block, where that is shown.
fn as_open(
    hand: &FarmerRow,
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
        due,
        work: entry.gap.zip(entry.zeros),
        forecast: paid.map(base).transpose()?,
        live_until: *live_until,
        ..OpenPail::default()
    })
}
