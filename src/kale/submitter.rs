//! Who sends work and harvests: the submitters, one open transaction each, or else the farmers' own accounts.
//!
//! Neither call needs the farmer's authorisation. The network keeps one pending transaction of an account, and a contract
//! call fills one: a submitter gets out one call a ledger.

use super::farmers;
use super::plan::kind;
use super::purse;
use super::site::Farming;
use super::sponsor::{Role, Sponsor};
use super::wallet::spares;
use base::{Code, Error, Result};
use std::collections::{HashMap, HashSet};
use stellar::submit::{self, Intent};
use stellar::xdr::AccountId;

/// Seconds of a ledger, about.
const LEDGER: u64 = 5;
/// Calls that a submitter sends one after the other before the farm is looked at again.
pub const RUN: usize = 4;
/// Farmers whose work and harvest one submitter gets out in a block: two calls each, and a third of the block for the rest.
pub const FARMERS: usize = 20;
/// How long the first call of a submitter may wait for its ledger, in seconds; each behind it, a ledger longer.
const PATIENCE: u64 = 30;
/// How long a submitter may be busy with [`RUN`] calls, in seconds.
pub const BUSY: u64 = PATIENCE + RUN as u64 * LEDGER;

/// Which submitter sends each call; `None` = none of them. Of a call it is known whether its farmer can send it itself, of a
/// submitter how many it can pay for; within so many ledgers each sends one a ledger. Where not all get out, those of farmers
/// that can send them themselves are left out, and no others while there is money.
pub fn assign(calls: &[bool], means: &[usize], ledgers: usize) -> Vec<Option<usize>> {
    let mut load = vec![0_usize; means.len()];
    let mut assigned = vec![None; calls.len()];
    let order = [false, true].into_iter().flat_map(|can| (0..calls.len()).map(move |place| (place, can)));
    for (place, can) in order.filter(|(place, can)| calls.get(*place) == Some(can)) {
        let most = |means: &usize| if can { ledgers.min(*means) } else { *means };
        let free = load.iter().zip(means).enumerate().filter(|(_, (load, means))| **load < most(means));
        let Some((submitter, _)) = free.min_by_key(|(_, (load, _))| **load) else { continue };
        if let (Some(slot), Some(load)) = (assigned.get_mut(place), load.get_mut(submitter)) {
            *slot = Some(submitter);
            *load += 1;
        }
    }
    assigned
}

/// Ledgers in which a call may still be sent at `now` that must be in one by `until`: the first closes after the next.
pub const fn ledgers(now: u64, until: u64) -> u64 {
    (until.saturating_sub(now) / LEDGER).saturating_sub(1)
}

/// When so many calls must begin to go out through so many submitters, to be out by the deadline: a ledger for each, and a
/// quarter of the time to spare. Without submitters, at the deadline.
pub fn begin(calls: usize, submitters: usize, deadline: u64) -> u64 {
    let ledgers = calls.checked_div(submitters).map_or(0, |_| calls.div_ceil(submitters));
    let ledgers = u64::try_from(ledgers + ledgers / 4).unwrap_or(u64::MAX);
    deadline.saturating_sub(ledgers.saturating_mul(LEDGER))
}

/// How long a call may wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// Until it is its turn.
    Turn,
    /// So many ledgers.
    Ledgers(u64),
}

/// The intents as they are to be sent: calls that need no authorisation by a submitter where that can be. An error where
/// nobody can send one.
///
/// # Errors
/// Those of [`stellar::Client::view`] and of unlocking.
pub async fn route(farming: &Farming<'_, '_>, intents: &[Intent], wait: Wait) -> Result<Vec<Result<Intent>>> {
    let mut routed: Vec<Result<Intent>> = intents.iter().cloned().map(Ok).collect();
    let is_free = |intent: &Intent| matches!(intent.kind, kind::WORK | kind::HARVEST | kind::EXTEND);
    let places: Vec<usize> =
        intents.iter().enumerate().filter(|(_, intent)| is_free(intent)).map(|(place, _)| place).collect();
    if farming.settings.submitters.is_empty() || places.is_empty() {
        return Ok(routed);
    }
    let held: HashSet<AccountId> =
        submit::under_way(farming.work.state)?.into_iter().map(|(source, _)| source).collect();
    let submitters: Vec<&AccountId> =
        farming.settings.submitters.iter().filter(|s| !held.contains(s)).collect();
    let own: Vec<&AccountId> = places.iter().filter_map(|n| Some(&intents.get(*n)?.source)).collect();
    let asked: Vec<&AccountId> = submitters.iter().chain(&own).copied().collect();
    let client = &farming.site.client;
    let (now, spares) =
        client.view(async |view| Ok((view.ledger().close_time, spares(view, &asked).await?))).await?;
    let fees = farming.books()?.fees;
    let cost = fees.work.max(fees.harvest).max(1);
    let (theirs, own_spares) = spares.split_at(submitters.len());
    let has = |spare: Option<i64>| spare.is_some_and(|spare| spare >= cost);
    let (sponsor, free) = match farming.keys.sponsor()? {
        Some(payer) => {
            let (sponsor, free) = purse::left_for(farming, &payer, intents).await?;
            (Some(sponsor), free)
        }
        None => (None, false),
    };
    // A sponsor that cannot pay for all pays for those alone who cannot: no more calls than it has lumens for.
    let poor = own_spares.iter().filter(|spare| !has(**spare)).count();
    let calls =
        |spare: Option<i64>| usize::try_from(spare.unwrap_or_default().max(0) / cost).unwrap_or(usize::MAX);
    let paid = sponsor.as_ref().map_or(0, |sponsor| calls(sponsor.spare).min(poor));
    let is_sponsor =
        |account: &AccountId| sponsor.as_ref().is_some_and(|sponsor| sponsor.account == *account);
    let means: Vec<usize> = submitters
        .iter()
        .zip(theirs)
        .enumerate()
        .map(|(place, (account, spare))| {
            let part = paid / submitters.len() + usize::from(place < paid % submitters.len());
            match spare {
                None => 0,
                Some(_) if free => usize::MAX,
                Some(_) if is_sponsor(account) => part,
                spare => part.max(calls(*spare)),
            }
        })
        .collect();
    let can: Vec<bool> = own
        .iter()
        .zip(own_spares)
        .map(|(account, spare)| !held.contains(*account) && (free || has(*spare)))
        .collect();
    let most = match wait {
        Wait::Turn => usize::MAX,
        Wait::Ledgers(ledgers) => usize::try_from(ledgers).unwrap_or(usize::MAX),
    };
    let assigned = assign(&can, &means, most);
    let dry: Vec<Sponsor> = submitters
        .iter()
        .zip(theirs)
        .zip(&means)
        .filter(|(_, means)| **means == 0)
        .map(|((account, spare), _)| Sponsor::submitter(account, *spare, cost))
        .chain(sponsor.filter(|_| !free))
        .collect();
    let mut turns: HashMap<usize, u64> = HashMap::new();
    let mut themselves = 0_usize;
    for ((place, submitter), can) in places.iter().zip(&assigned).zip(&can) {
        let Some(slot) = routed.get_mut(*place) else { continue };
        match (slot.as_mut(), submitter) {
            (Ok(intent), Some(submitter)) => {
                let turn = turns.entry(*submitter).or_default();
                let until = now.saturating_add(PATIENCE).saturating_add(*turn * LEDGER);
                *turn += 1;
                intent.valid_until = Some(intent.valid_until.map_or(until, |before| before.min(until)));
                if let Some(account) = submitters.get(*submitter) {
                    intent.source = (*account).clone();
                }
            }
            (Ok(_), None) if *can => themselves += 1,
            (Ok(_), None) => *slot = Err(nobody(&dry)),
            (Err(_), _) => {}
        }
    }
    for why in dry.iter().filter(|payer| payer.role == Role::Submitter).filter_map(Sponsor::why) {
        client.warn(format!("submitter_low: {why}"));
    }
    if themselves > 0 {
        client.warn(format!(
            "submitters: {themselves} of {} calls do not get out through them, for want of {}; the farmers' own accounts send \
             these",
            places.len(),
            if dry.is_empty() { "time" } else { "lumens" }
        ));
    }
    Ok(routed)
}

/// What is said of a call that nobody can send.
fn nobody(dry: &[Sponsor]) -> Error {
    dry.iter().find_map(Sponsor::error).unwrap_or_else(|| {
        Error::new(Code::NotReady, "the submitters have transactions that are not settled yet")
            .hint("run it again: they are settled first; see: poolctl operations list")
    })
}

/// Leaves out the submitters that cannot be one, each with a warning and a fault of the run: farmers, and those without a
/// key. What they would send goes by own accounts.
///
/// # Errors
/// `state_error`; those of unlocking.
pub fn choose(farming: &mut Farming<'_, '_>) -> Result<()> {
    let mut chosen = Vec::new();
    for account in std::mem::take(&mut farming.settings.submitters) {
        let fault = match no_farmer(farming.work.state.conn(), &account) {
            Err(e) if e.code() == Code::Conflict => Some(e),
            Err(e) => return Err(e),
            Ok(()) if farming.keys.holds(&account)? => None,
            Ok(()) => {
                let why = format!("kale.submitter: the key store has no key for {account}");
                let e = Error::new(Code::NoKey, why);
                Some(
                    e.hint("bring it in with: poolctl farmer import --submitter")
                        .detail("address", account.to_string()),
                )
            }
        };
        match fault {
            None => chosen.push(account),
            Some(e) => {
                farming.site.client.warn(format!("{}; it is left out", e.message()));
                farming.faults.push(e);
            }
        }
    }
    farming.settings.submitters = chosen;
    Ok(())
}

/// Refuses a farmer as submitter: its own plants would wait for the calls of others.
///
/// # Errors
/// `conflict`; `state_error`.
pub fn no_farmer(conn: &rusqlite::Connection, account: &AccountId) -> Result<()> {
    match farmers::look_up(conn, &account.to_string())? {
        None => Ok(()),
        Some(farmer) => Err(Error::new(
            Code::Conflict,
            format!("kale.submitter: {account} is farmer {}: it cannot send for others", farmer.id),
        )
        .hint("a submitter is an account of its own; the fee sponsor may be one")),
    }
}

/// How many more submitters so many farmers take.
pub fn short_of(farmers: usize, submitters: usize) -> Option<String> {
    let wanted = farmers.div_ceil(FARMERS);
    (submitters > 0 && wanted > submitters).then(|| {
        format!(
            "{submitters} {} out the work and harvest of {} farmers in a block, and there are {farmers}: the \
             other farmers' own accounts send theirs; {wanted} submitters would do",
            if submitters == 1 { "submitter gets" } else { "submitters get" },
            submitters * FARMERS
        )
    })
}

impl Sponsor {
    /// A submitter that has so much above its reserve and needs so much.
    pub fn submitter(account: &AccountId, spare: Option<i64>, need: i64) -> Self {
        Self { role: Role::Submitter, account: account.clone(), spare, need, lasts_sec: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn calls_are_spread_and_what_does_not_fit_goes_by_own_accounts() {
        const ALL: usize = usize::MAX;
        // Calls by whether the farmer can send them, what each submitter can pay, ledgers; who sends.
        type Case<'a> = (&'a [bool], &'a [usize], usize, &'a [Option<usize>]);
        let (rich, poor) = (true, false);
        let cases: &[Case<'_>] = &[
            (&[], &[ALL], 9, &[]),
            (&[rich, poor], &[], 9, &[None, None]),
            (&[rich; 3], &[ALL], 3, &[Some(0), Some(0), Some(0)]),
            (&[rich; 3], &[ALL], 2, &[Some(0), Some(0), None]),
            (&[rich; 3], &[ALL], 0, &[None, None, None]),
            (&[rich; 5], &[ALL, ALL], 2, &[Some(0), Some(1), Some(0), Some(1), None]),
            // Who cannot send it itself comes first, and is sent for while there is money, however late.
            (&[rich, poor], &[ALL], 1, &[None, Some(0)]),
            (&[poor; 3], &[ALL], 1, &[Some(0), Some(0), Some(0)]),
            (&[poor; 3], &[1, 1], 9, &[Some(0), Some(1), None]),
            (&[rich; 3], &[0, 2], 9, &[Some(1), Some(1), None]),
        ];
        for (calls, means, ledgers, want) in cases {
            assert_eq!(assign(calls, means, *ledgers), *want, "{calls:?} {means:?} {ledgers}");
        }
    }

    #[test]
    fn the_first_work_goes_out_so_early_that_the_last_is_in_time() {
        for (calls, submitters, want) in [
            (0, 1, 1_000),
            (1, 1, 995),
            (4, 1, 975),
            (12, 1, 925),
            (12, 4, 985),
            (13, 4, 975),
            (12, 0, 1_000),
        ] {
            assert_eq!(begin(calls, submitters, 1_000), want, "{calls} {submitters}");
        }
        for (now, until, want) in [(281, 299, 2), (290, 299, 0), (295, 299, 0), (300, 299, 0), (0, 299, 58)] {
            assert_eq!(ledgers(now, until), want, "{now}");
        }
        assert_eq!(short_of(20, 1), None);
        assert_eq!(short_of(21, 0), None);
        assert!(
            short_of(41, 2).is_some_and(|why| why.contains("40 farmers") && why.contains("3 submitters"))
        );
    }

    proptest! {
        #[test]
        fn nobody_is_forgotten_for_thrift(
            calls in proptest::collection::vec(any::<bool>(), 0..80),
            means in proptest::collection::vec(0_usize..40, 0..6),
            ledgers in 0_usize..40,
        ) {
            let assigned = assign(&calls, &means, ledgers);
            prop_assert_eq!(assigned.len(), calls.len());
            let mut load = vec![0_usize; means.len()];
            for submitter in assigned.iter().flatten() {
                load[*submitter] += 1;
            }
            prop_assert!(load.iter().zip(&means).all(|(load, means)| load <= means), "none pays more than it has");
            let poor = calls.iter().filter(|can| !**can).count();
            let paid: usize = means.iter().sum();
            let left_out = calls.iter().zip(&assigned).filter(|(can, by)| !**can && by.is_none()).count();
            prop_assert_eq!(left_out, poor.saturating_sub(paid), "who cannot send itself goes first");
            // A call of one who can send it itself never waits beyond the last ledger.
            let rich_sent = calls.iter().zip(&assigned).any(|(can, by)| *can && by.is_some());
            if rich_sent && poor == 0 {
                prop_assert!(load.iter().all(|load| *load <= ledgers));
            }
            let room: usize = means.iter().map(|means| (*means).min(ledgers)).sum();
            let sent = assigned.iter().flatten().count();
            prop_assert!(sent >= calls.len().min(room), "what fits goes through the submitters");
        }
    }
}
