//! `work submit`: nonces that other machines found. Each is checked by us before anything is sent.

use super::lines::{self, Offer, Wrong};
use super::nonces::hex;
use super::send::{Bid, intent, record_unsent, send};
use super::{WorkOutcome, Worked, nonces, pails};
use crate::chain::Who;
use crate::chain::view::{Ask, View};
use crate::contract::Pail;
use crate::farming::Farming;
use crate::record::reason::Reason;
use crate::record::rows::{self, FarmerRow};
use base::{Result, counted};
use grind::Solution;
use grind::lines::Text;
use serde_json::json;
use state::{Tx, ValuePermit};
use std::collections::{BTreeSet, HashMap, HashSet};
use stellar::submit::Intent;

/// How a line fared.
#[derive(Debug, Clone)]
pub enum LineOutcome {
    /// To be submitted.
    Valid,
    /// Another line has more zeros for the same farmer, and goes instead.
    Superseded {
        /// Its number.
        by: u64,
    },
    /// Not submitted.
    Refused {
        /// A stable word.
        code: &'static str,
        /// Why, for a person.
        message: String,
    },
    /// Put into the state, for the run that works for this farmer.
    Queued,
    /// Submitted; what came of it.
    Sent(WorkOutcome),
}

/// A line and what became of it.
#[derive(Debug, Clone)]
pub struct LineReport {
    /// Its number, from 1.
    pub line: u64,
    /// Whom it names: the farmer's address, where it is one of ours.
    pub named: Option<String>,
    /// The farmer, where it is one of ours.
    pub who: Option<Who>,
    /// The nonce with its hash in the current block, where there is one.
    pub solution: Option<Solution>,
    /// How it fared.
    pub outcome: LineOutcome,
}

impl LineReport {
    /// Whether it was not to be used, or failed.
    pub const fn is_bad(&self) -> bool {
        matches!(self.outcome, LineOutcome::Refused { .. } | LineOutcome::Sent(WorkOutcome::Failed { .. }))
    }
}

/// Lines that were checked against one moment of the farm.
#[derive(Debug)]
pub struct Submission {
    /// The farm as it was looked at.
    pub view: View,
    /// Every line that holds something, in order.
    pub lines: Vec<LineReport>,
    /// What is to be sent, with the place of its line.
    bids: Vec<(usize, Bid)>,
    /// What is left to a run that is at work.
    offers: Vec<(usize, Bid)>,
    until: u64,
}

/// Whether a run is at work for the farmers of a pooler (row id), and takes up what it finds in the state.
pub type AtWork<'w> = &'w dyn Fn(&str) -> bool;

/// What is done with a valid nonce.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// It is put into the state: who works submits it by its policy.
    Queue,
    /// It is sent at once.
    Send,
}

impl Way {
    const fn of(at_work: bool) -> Self {
        if at_work { Self::Queue } else { Self::Send }
    }
}

impl Submission {
    /// The transactions, for a rehearsal.
    pub fn intents(&self, farming: &Farming<'_, '_>) -> Result<Vec<Intent>> {
        let block = self.view.farm.index;
        self.bids.iter().map(|(_, bid)| intent(farming.site, block, bid, self.until)).collect()
    }

    /// How many are to be sent.
    pub const fn count(&self) -> usize {
        self.bids.len()
    }

    /// The numbers of the lines that are to be sent.
    pub fn sent(&self) -> HashSet<u64> {
        self.bids.iter().filter_map(|(place, _)| Some(self.lines.get(*place)?.line)).collect()
    }
}

fn refused(code: &'static str, message: impl Into<String>) -> LineOutcome {
    LineOutcome::Refused { code, message: message.into() }
}

/// The poolers (row ids) of the farmers that these lines name.
pub fn poolers_of(hands: &[FarmerRow], text: &[Text]) -> BTreeSet<String> {
    let named: HashSet<String> =
        text.iter().filter_map(|line| Some(lines::read(line).ok()??.farmer)).collect();
    let is_named = |hand: &&FarmerRow| named.contains(&hand.who.id) || named.contains(&hand.who.address);
    hands.iter().filter(is_named).map(|hand| hand.pooler.clone()).collect()
}

/// Reads and checks every line: a nonce of 64 bits, for a farmer of ours that is planted, whose hash we compute, strictly
/// better than what is submitted. Nothing is sent and nothing written.
pub async fn check(
    farming: &Farming<'_, '_>,
    hands: &[FarmerRow],
    text: &[Text],
    at_work: AtWork<'_>,
) -> Result<Submission> {
    let ours: HashMap<&str, &Who> = hands
        .iter()
        .flat_map(|hand| [(hand.who.id.as_str(), &hand.who), (hand.who.address.as_str(), &hand.who)])
        .collect();
    let parsed: Vec<Result<Option<Offer>, Wrong>> = text.iter().map(lines::read).collect();
    let mut who: Vec<Who> = Vec::new();
    for offer in parsed.iter().filter_map(|line| line.as_ref().ok()?.as_ref()) {
        if let Some(found) = ours.get(offer.farmer.as_str()).filter(|found| !who.contains(found)) {
            who.push((*found).clone());
        }
    }
    let view = farming.look(&who, false).await?;
    let until = view.work_until().unwrap_or_default();
    let mut checker = Checker { view: &view, until, seen: HashSet::new(), best: HashMap::new() };
    let mut reports: Vec<LineReport> = Vec::new();
    for (line, read) in (1..).zip(parsed) {
        let report = |named, who, solution, outcome| LineReport { line, named, who, solution, outcome };
        match read {
            Ok(None) => {}
            Err(wrong) => reports.push(report(wrong.farmer, None, None, refused(wrong.code, wrong.message))),
            Ok(Some(offer)) => {
                let who = ours.get(offer.farmer.as_str()).copied();
                let (solution, outcome) = checker.judge(reports.len(), who, &offer);
                let named = who.map_or_else(|| lines::shown(&offer.farmer), |who| who.address.clone());
                reports.push(report(Some(named), who.cloned(), solution, outcome));
            }
        }
    }
    let worked_for = |who: &Who| hands.iter().any(|hand| hand.who == *who && at_work(&hand.pooler));
    let (offers, bids) = checker
        .best
        .into_values()
        .partition(|(_, bid): &(usize, Bid)| Way::of(worked_for(&bid.who)) == Way::Queue);
    Ok(Submission { lines: reports, bids, offers, until, view }.settled())
}

fn pail_of<'v>(view: &'v View, who: &Who) -> Option<&'v Pail> {
    let standing = view.farmers.iter().find(|standing| standing.who == *who)?;
    standing.pail.as_ref().map(|living| &living.entry)
}

struct Checker<'a> {
    view: &'a View,
    until: u64,
    /// Farmer and nonce of each line so far.
    seen: HashSet<(String, u64)>,
    /// The best of each farmer, with the place of its line.
    best: HashMap<String, (usize, Bid)>,
}

impl Checker<'_> {
    fn judge(&mut self, place: usize, who: Option<&Who>, offer: &Offer) -> (Option<Solution>, LineOutcome) {
        let Some(who) = who else {
            let why = format!("no farmer has the id or address {:?}", lines::shown(&offer.farmer));
            return (None, refused("unknown_farmer", why));
        };
        let index = self.view.farm.index;
        if !self.seen.insert((who.id.clone(), offer.nonce)) {
            let why = "the same nonce for the same farmer stands above";
            return (None, refused(Reason::Duplicate.as_str(), why));
        }
        let (Some(block), Some(pail)) = (self.view.current(), pail_of(self.view, who)) else {
            let why = format!("farmer {} has no pail in block {index}", who.address);
            return (None, refused(Reason::NotPlanted.as_str(), why));
        };
        let Some(job) = block.job(index, &who.contract_address()) else {
            return (None, refused(Reason::NotPlanted.as_str(), "not an address that can plant"));
        };
        let solution = Solution::new(&job, offer.nonce);
        if let Some((reason, why)) = self.fault(who, pail, &solution, offer.hash.as_deref()) {
            return (Some(solution), refused(reason.as_str(), why));
        }
        let bid = Bid { who: who.clone(), pail: pail.clone(), solution };
        self.best.insert(who.id.clone(), (place, bid));
        (Some(solution), LineOutcome::Valid)
    }

    /// Why a nonce is not submitted, whose finder `said` its hash to be that.
    fn fault(
        &self,
        who: &Who,
        pail: &Pail,
        nonce: &Solution,
        said: Option<&str>,
    ) -> Option<(Reason, String)> {
        let (index, hash, zeros) = (self.view.farm.index, hex(&nonce.hash), nonce.zeros);
        let above = self.best.get(&who.id).map(|(_, other)| other.solution.zeros);
        Some(if said.is_some_and(|said| !said.eq_ignore_ascii_case(&hash)) {
            let why =
                format!("in block {index} its hash is {hash}: it was ground for another block or farmer");
            (Reason::HashInvalid, why)
        } else if self.view.at.time >= self.until {
            (Reason::TooLate, format!("block {index} may roll over before the work is in"))
        } else if self.view.at.ledger <= pail.sequence {
            (Reason::SameLedger, "planted in this ledger: try again in the next one".to_owned())
        } else if let Some(has) = pail.zeros.filter(|has| zeros <= *has) {
            (Reason::NotBetter, format!("{}, and {has} submitted already", counted(zeros, "zero")))
        } else if let Some(above) = above.filter(|above| zeros <= *above) {
            (Reason::NotBetter, format!("{}, and a line above has {above}", counted(zeros, "zero")))
        } else {
            return None;
        })
    }
}

impl Submission {
    /// Puts the bids in the order of their lines, and names for each line that was outdone the one that did.
    fn settled(mut self) -> Self {
        self.bids.sort_by_key(|(place, _)| *place);
        let winners: HashMap<&str, (usize, u64)> = self
            .bids
            .iter()
            .chain(&self.offers)
            .filter_map(|(place, bid)| Some((bid.who.id.as_str(), (*place, self.lines.get(*place)?.line))))
            .collect();
        for (place, line) in self.lines.iter_mut().enumerate() {
            if let (LineOutcome::Valid, Some(who)) = (&line.outcome, &line.who)
                && let Some((winner, by)) = winners.get(who.id.as_str())
                && *winner != place
            {
                line.outcome = LineOutcome::Superseded { by: *by };
            }
        }
        self
    }
}

/// Records what is refused, puts into the state what a run at work is to take up, and submits the rest. What fails for one line
/// is in its report. It is `state_changed`, and nothing is done, where nobody is at work any more who would take one up.
pub async fn submit(
    farming: &mut Farming<'_, '_>,
    permit: ValuePermit<'_>,
    submission: Submission,
    at_work: AtWork<'_>,
) -> Result<(View, Vec<LineReport>)> {
    let Submission { view, mut lines, bids, offers, until } = submission;
    let block = view.farm.index;
    farming.write(|tx| {
        for (place, bid) in &offers {
            if let Some(line) = lines.get_mut(*place) {
                line.outcome = offer(tx, &view, bid, at_work)?;
            }
        }
        lines.iter().try_for_each(|line| record(tx, block, line))
    })?;
    let (places, bids): (Vec<usize>, Vec<Bid>) = bids.into_iter().unzip();
    for (places, bids) in places.chunks(GROUP).zip(bids.chunks(GROUP)) {
        let sent = group(farming, permit, block, bids, until).await?;
        for (place, outcome) in places.iter().zip(sent) {
            if let Some(line) = lines.get_mut(*place) {
                line.outcome = outcome;
            }
        }
    }
    Ok((view, lines))
}

/// Puts a nonce into the state, if it is better than all that is known there of its pail.
fn offer(tx: &Tx<'_>, view: &View, bid: &Bid, at_work: AtWork<'_>) -> Result<LineOutcome> {
    let (conn, index) = (tx.conn(), view.farm.index);
    let Bid { who, solution, .. } = bid;
    let Some(job) = view.current().and_then(|block| block.job(index, &who.contract_address())) else {
        return Ok(refused(Reason::NotPlanted.as_str(), "not an address that can plant"));
    };
    let hand = rows::hand(conn, &who.id)?;
    if !at_work(&hand.pooler) {
        return Err(state::changed("which run is at work on the farm"));
    }
    if !hand.status.is_served() {
        return Ok(refused(Reason::NotPlanted.as_str(), format!("farmer {} has departed", who.address)));
    }
    let has = rows::pail(conn, &who.id, index)?.and_then(|pail| pail.work).map(|(_, zeros)| zeros);
    if has.is_some_and(|has| has >= solution.zeros) || !nonces::offer(tx, &who.id, &job, solution)? {
        let why = format!("{}, and one that is as good is at hand", counted(solution.zeros, "zero"));
        return Ok(refused(Reason::NotBetter.as_str(), why));
    }
    let facts = json!({
        "farmer": who.address, "block": index, "zeros": solution.zeros, "nonce": solution.nonce.to_string(),
    });
    tx.event("work.offered", &who.id, &facts)?;
    Ok(LineOutcome::Queued)
}

/// Lines that are submitted together; the farm's index is read again before each group.
const GROUP: usize = 50;

async fn group(
    farming: &mut Farming<'_, '_>,
    permit: ValuePermit<'_>,
    block: u32,
    bids: &[Bid],
    until: u64,
) -> Result<Vec<LineOutcome>> {
    let who: Vec<Who> = bids.iter().map(|bid| bid.who.clone()).collect();
    let ask = Ask { who: &who, wallets: false, guess: Some(block) };
    let view = View::read(farming.site, &ask).await?;
    if view.farm.index != block {
        let why = format!("block {block} has rolled over; the farm is at block {}", view.farm.index);
        return Ok(bids.iter().map(|_| refused(Reason::RolledOver.as_str(), why.clone())).collect());
    }
    let sent: Vec<Worked> = send(farming, permit, block, bids, until).await?;
    let view = View::read(farming.site, &ask).await?;
    if view.farm.index == block {
        pails::note(farming, &view)?;
    }
    let has = |who: &Who| pail_of(&view, who)?.zeros;
    let outcome = |worked: Worked| match (worked.outcome, has(&worked.who)) {
        (WorkOutcome::Failed { reason: Reason::NotBetter, .. }, Some(zeros)) => {
            WorkOutcome::Elsewhere { zeros }
        }
        (outcome, _) => outcome,
    };
    Ok(sent.into_iter().map(|worked| LineOutcome::Sent(outcome(worked))).collect())
}

/// An attempt that is not sent: in the audit log always, and beside the farmer's works where it holds a nonce.
fn record(tx: &Tx<'_>, block: u32, line: &LineReport) -> Result<()> {
    let LineOutcome::Refused { code, message } = &line.outcome else { return Ok(()) };
    if let (Some(who), Some(solution)) = (&line.who, &line.solution) {
        record_unsent(tx, who, block, solution, code)?;
    }
    let subject = line.who.as_ref().map_or("unknown", |who| who.id.as_str());
    let facts = json!({
        "line": line.line, "block": block, "reason": code, "why": message,
        "nonce": line.solution.map(|solution| solution.nonce.to_string()),
    });
    tx.event("work.refused", subject, &facts).map(|_| ())
}
