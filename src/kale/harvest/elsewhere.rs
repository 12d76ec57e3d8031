//! A pail that is gone without a harvest of ours: was its farmer paid by somebody else's?

use crate::chain::Who;
use crate::contract::call::harvest_result;
use crate::contract::events::mint;
use crate::contract::{base, symbol};
use crate::record::rows::{self, OpenPail};
use base::amount::Base;
use base::redact::bounded;
use base::{Code, Error, Result};
use rusqlite::Connection;
use stellar::xdr::{ContractId, Limits, ScVal, WriteXdr};
use stellar::{Event, EventQuery, Landed, View};

/// Events of one page.
const PAGE: u32 = 1_000;
/// Pages without an event: each looks through some thousand ledgers, and a week has 120,000.
const MOST_EMPTY: u32 = 100;
/// Pages at all: a farmer is paid once a block.
const MOST_PAGES: u32 = 1_000;

/// A mint that paid for a pail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paid {
    /// The event's id, unique on the chain.
    pub event: String,
    /// Hash of the transaction.
    pub tx: String,
    /// Its ledger.
    pub ledger: u32,
    /// The reward in stroops, the stake taken off.
    pub reward: Base,
}

impl Paid {
    fn by(event: &Event, reward: Base) -> Self {
        Self { event: event.id.clone(), tx: event.tx_hash.clone(), ledger: event.ledger, reward }
    }
}

/// What is known of a pail that is gone.
#[derive(Debug, Clone)]
pub struct Gone<'a> {
    /// Whose.
    pub who: &'a Who,
    /// The pail as recorded.
    pub pail: &'a OpenPail,
    /// Its reward by the block's own figures, where the block is still there.
    pub reward: Option<Base>,
    /// Our own harvests of it that were not booked, by hash: those that were never seen again, and those of a pail that was
    /// held and released.
    pub ours: Vec<String>,
}

/// What the chain tells of the mints since a pail's plant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Search {
    /// It was harvested: by somebody else, or by us without being booked.
    Found(Paid),
    /// Our own harvest of it minted so much, which is less than the stake.
    Short(Base),
    /// Nobody did, and the endpoint's history reaches back to the plant.
    Nothing,
    /// Nobody did as far as the endpoint remembers, which is only back to this ledger.
    Forgotten(u32),
}

/// Looks for the mint that paid for a pail: stake and the computed reward, or stake and what the harvest that minted it
/// returned. A mint stands for one pail only; `taken` holds those that were matched in this run. Where a harvest of our own
/// took effect, what it minted is the answer, whatever it returned.
pub async fn search(
    view: &View,
    conn: &Connection,
    asset: &ContractId,
    gone: &Gone<'_>,
    taken: &mut Vec<String>,
) -> Result<Search> {
    let oldest = view.health().await?.oldest_ledger;
    let start = gone.pail.planted_ledger.max(oldest);
    let events = mints(view, asset, gone.who, start).await?;
    if let Some(found) = own(&events, gone)? {
        return Ok(found);
    }
    for event in events {
        let Some(amount) = mint(&event.topics, &event.value, &gone.who.account) else { continue };
        let amount = base(amount)?;
        let fresh = !taken.contains(&event.id)
            && !rows::is_counted(conn, &event.id)?
            && !rows::is_ours(conn, &event.tx_hash)?;
        let Some(reward) = amount.checked_sub(gone.pail.stake).filter(|_| fresh) else { continue };
        if gone.reward == Some(reward) || returned(view, &event).await? == Some(reward) {
            taken.push(event.id.clone());
            return Ok(Search::Found(Paid::by(&event, reward)));
        }
    }
    Ok(if oldest > gone.pail.planted_ledger { Search::Forgotten(oldest) } else { Search::Nothing })
}

/// What our own harvest minted, by the events alone.
fn own(events: &[Event], gone: &Gone<'_>) -> Result<Option<Search>> {
    let mut found: Option<(&Event, Base)> = None;
    for event in events.iter().filter(|event| gone.ours.contains(&event.tx_hash)) {
        let Some(amount) = mint(&event.topics, &event.value, &gone.who.account) else { continue };
        let (first, sum) = found.unwrap_or((event, Base::ZERO));
        found = Some((first, sum.saturating_add(base(amount)?)));
    }
    Ok(found.map(|(event, sum)| match sum.checked_sub(gone.pail.stake) {
        Some(reward) => Search::Found(Paid::by(event, reward)),
        None => Search::Short(sum),
    }))
}

/// Mints of the asset contract to a farmer from ledger `start` on.
pub(crate) async fn mints(view: &View, asset: &ContractId, who: &Who, start: u32) -> Result<Vec<Event>> {
    let name = ScVal::Symbol(symbol("mint")?);
    let to = ScVal::Address(who.contract_address());
    let text = |value: &ScVal| {
        value.to_xdr_base64(Limits::none()).map_err(|e| Error::new(Code::Bug, format!("a topic: {e}")))
    };
    let (name, to, any) = (text(&name)?, text(&to)?, "*".to_owned());
    let topics = vec![vec![name.clone(), to.clone(), any.clone()], vec![name, any.clone(), to, any]];
    let mut query = EventQuery {
        start: Some(start),
        contracts: vec![asset.to_string()],
        topics,
        limit: PAGE,
        ..EventQuery::default()
    };
    let (mut found, mut empty, mut pages) = (Vec::new(), 0, 0);
    loop {
        let page = view.events(&query).await?;
        (empty, pages) = (empty + u32::from(page.events.is_empty()), pages + 1);
        let odd = |why: String| {
            Err(Error::new(Code::BadReply, format!("getEvents: {why}"))
                .hint("use another endpoint in stellar.rpc_urls"))
        };
        if empty > MOST_EMPTY || pages > MOST_PAGES {
            return odd(format!("{pages} pages, {empty} without an event, and no end at {}", page.cursor));
        }
        let Some(reached) = place(&page.cursor) else {
            return odd(format!("invalid cursor: \"{}\"", bounded(&page.cursor)));
        };
        let full = page.events.len() >= usize::try_from(PAGE).unwrap_or(usize::MAX);
        found.extend(page.events);
        if !full && reached >= page.latest_ledger {
            return Ok(found);
        }
        if query.cursor.as_ref() == Some(&page.cursor) {
            let (cursor, newest) = (page.cursor, page.latest_ledger);
            return odd(format!("it does not come past {cursor}, and the newest ledger is {newest}"));
        }
        query.cursor = Some(page.cursor);
        query.start = None;
    }
}

/// The ledger in a cursor: the upper half of the number before the dash (SEP-35).
fn place(cursor: &str) -> Option<u32> {
    let number: u64 = cursor.split('-').next()?.parse().ok()?;
    u32::try_from(number >> 32).ok()
}

/// The transaction that an event is of, where it is shown. What of it cannot be read is never nothing.
pub(crate) async fn landed(view: &View, event: &Event) -> Result<Option<Landed>> {
    let looked = view.transactions(std::slice::from_ref(&event.tx_hash)).await?.into_iter().next();
    let found = looked.transpose()?.and_then(|lookup| lookup.found);
    match found.as_ref().and_then(|landed| landed.newer) {
        Some(newer) => Err(newer.error(&format!("transaction {} cannot be read", event.tx_hash))),
        None => Ok(found),
    }
}

/// What the harvest that minted this returned; `None` where the transaction was something else.
async fn returned(view: &View, event: &Event) -> Result<Option<Base>> {
    let value = landed(view, event).await?.and_then(|landed| landed.value);
    Ok(value.and_then(|value| harvest_result(&value).ok()).and_then(|reward| base(reward).ok()))
}
