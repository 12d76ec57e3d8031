//! The operator wants to stop: what is at stake, and the best nonces at hand, which go out while there is time.

use super::Worked;
use super::patience::Patience;
use super::shift::Shift;
use crate::chain::view::{Ask, View};
use crate::contract::DECIMALS;
use crate::contract::model::Moment;
use crate::farming::Farming;
use crate::record::rows;
use base::amount::{Base, to_people};
use base::{Result, clock, counted};
use state::ValuePermit;
use std::fmt;
use std::time::{Duration, Instant};

/// How long that takes at the most, by this machine's clock: whoever ends a service waits no longer for it.
const MOST: Duration = Duration::from_secs(30);

/// So long of it an outcome is waited for.
const WAIT: Duration = Duration::from_secs(20);

/// What is planted in the current block and not worked, while work can still get in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AtStake {
    /// The block.
    pub block: u32,
    /// Farmers, by row id.
    pub farmers: Vec<String>,
    /// Stroops of KALE in all.
    pub stake: Base,
    /// The last second in which work gets in.
    pub until: u64,
}

impl AtStake {
    /// What is said when a run is stopped; whether it first submits the nonces that it has.
    pub fn stopping(&self, submits: bool) -> String {
        let then = if submits { "; the best nonces so far are submitted first" } else { "" };
        format!("stopping: {self}{then}")
    }
}

impl fmt::Display for AtStake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { block, farmers, stake, until } = self;
        let (stake, farmers) = (to_people(*stake, DECIMALS), counted(farmers.len(), "farmer"));
        let until = clock::rfc3339(i64::try_from(*until).unwrap_or(i64::MAX));
        if self.stake == Base::ZERO {
            return write!(
                f,
                "{farmers} without a stake in block {block} not worked; work gets in until {until}"
            );
        }
        write!(f, "{stake} KALE of {farmers} in block {block} will be lost unless worked by {until}")
    }
}

/// What is at stake for `ours` (row ids) in this block, where work gets in until then; `None` where nothing is, or it is too
/// late.
pub fn at_stake(
    farming: &Farming<'_, '_>,
    block: u32,
    until: Option<u64>,
    ours: impl Fn(&str) -> bool,
) -> Result<Option<AtStake>> {
    let Some(until) = until else { return Ok(None) };
    let conn = farming.work.state.conn();
    let mut pails = rows::pails_in(conn, block)?;
    farming.scope.retain(conn, &mut pails, |pail| &pail.farmer)?;
    pails.retain(|pail| pail.work.is_none() && ours(&pail.farmer));
    let stake = pails.iter().fold(Base::ZERO, |sum, pail| sum.saturating_add(pail.stake));
    let farmers: Vec<String> = pails.into_iter().map(|pail| pail.farmer).collect();
    Ok((!farmers.is_empty()).then_some(AtStake { block, farmers, stake, until }))
}

/// Does this for half a minute at the most; what is under way then is for the next run to settle. A write in progress is not
/// cut short.
pub async fn in_time(leaving: impl Future<Output = Result<()>>) -> Result<()> {
    tokio::time::timeout(MOST, leaving).await.unwrap_or_else(|_| {
        tracing::warn!("stopped after {} s; what is under way is settled by the next run", MOST.as_secs());
        Ok(())
    })
}

/// Submits the best nonces that there are, and no better ones; adds what came of each try to `worked`. Failures that pass
/// are borne.
pub async fn leave(
    farming: &mut Farming<'_, '_>,
    permit: ValuePermit<'_>,
    shift: &mut Shift,
    at: Moment,
    worked: &mut Vec<Worked>,
) -> Result<()> {
    let (begun, mut moment, mut patience) = (Instant::now(), (at, shift.block), Patience::default());
    let pace = &mut farming.submit_options.pace;
    pace.wait = pace.wait.min(WAIT);
    shift.hurry(at)?;
    loop {
        // Who was told that it is queued meanwhile, was told so of this run.
        shift.take_up(farming)?;
        let ticked = shift.tick(farming, permit, moment).await;
        worked.extend(patience.bear(ticked)?.unwrap_or_default());
        if !shift.has_to_send(moment.0) {
            return Ok(());
        }
        tokio::time::sleep(farming.submit_options.pace.after(begun.elapsed())).await;
        let ask = Ask { guess: Some(shift.block), ..Ask::default() };
        if let Some(view) = patience.bear(View::read(farming.site, &ask).await)? {
            moment = (view.at, view.farm.index);
        }
    }
}
