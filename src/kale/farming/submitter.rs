//! Who sends work and harvests: the submitters, one open transaction each, or else the farmers' own accounts. Neither call
//! needs the farmer's authorisation.

use super::{Farming, payers};
use crate::chain::wallet::spares;
use crate::farmers::enrol::no_farmer;
use crate::fees::sponsor::{Role, Sponsor};
use crate::fees::{LEDGER, PATIENCE, assign};
use crate::record::plan::kind;
use base::{Code, Error, Result, say};
use state::{Lease, Leased};
use std::collections::{HashMap, HashSet};
use stellar::submit::{Intent, Stellar};
use stellar::xdr::AccountId;

/// How long a call may wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// Until it is its turn.
    Turn,
    /// So many ledgers.
    Ledgers(u64),
}

/// What is to be sent, and the leases of the submitters that send it.
type Routed = (Vec<Result<Intent>>, Vec<(AccountId, Leased)>);

/// The intents as they are to be sent: calls that need no authorisation by a submitter where that can be, and no other run
/// uses it just now. An error where nobody can send one.
pub async fn route(farming: &Farming<'_, '_>, intents: &[Intent], wait: Wait) -> Result<Routed> {
    let mut routed: Vec<Result<Intent>> = intents.iter().cloned().map(Ok).collect();
    let is_free = |intent: &Intent| matches!(intent.kind, kind::WORK | kind::HARVEST | kind::EXTEND);
    let calls: Vec<(usize, &Intent)> =
        intents.iter().enumerate().filter(|(_, intent)| is_free(intent)).collect();
    if farming.settings.submitters.is_empty() || calls.is_empty() {
        return Ok((routed, Vec::new()));
    }
    let mut leases = Vec::new();
    let mut held: HashSet<AccountId> = outbox::under_way::<Stellar>(farming.work.state.conn())?
        .into_iter()
        .map(|(source, _)| source)
        .collect();
    for account in &farming.settings.submitters {
        match farming.work.permit.try_lease(&Lease::Account(account.to_string()))? {
            Some(leased) => leases.push((account.clone(), leased)),
            None => drop(held.insert(account.clone())),
        }
    }
    let submitters: Vec<&AccountId> =
        farming.settings.submitters.iter().filter(|s| !held.contains(s)).collect();
    let own: Vec<&AccountId> = calls.iter().map(|(_, intent)| &intent.source).collect();
    let asked: Vec<&AccountId> = submitters.iter().chain(&own).copied().collect();
    let client = &farming.site.client;
    let (now, spares) =
        client.view(async |view| Ok((view.ledger().close_time, spares(view, &asked).await?))).await?;
    let fees = farming.books()?.fees;
    let cost = fees.work.max(fees.harvest).max(1);
    let (theirs, own_spares) = spares.split_at(submitters.len());
    let has = |spare: Option<i64>| spare.is_some_and(|spare| spare >= cost);
    let (mut sponsor, mut free) = (None, false);
    if let Some(payer) = farming.keys.sponsor()? {
        let (left, pays_all) = payers::left_for(farming, &payer, intents).await?;
        (sponsor, free) = (Some(left), pays_all);
    }
    // A sponsor that cannot pay for all pays for those alone who cannot: no more calls than it has lumens for.
    let poor = own_spares.iter().filter(|spare| !has(**spare)).count();
    let worth =
        |spare: Option<i64>| usize::try_from(spare.unwrap_or_default().max(0) / cost).unwrap_or(usize::MAX);
    let paid = sponsor.as_ref().map_or(0, |sponsor| worth(sponsor.spare).min(poor));
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
                spare => part.max(worth(*spare)),
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
    for (((place, intent), submitter), can) in calls.iter().zip(&assigned).zip(&can) {
        let Some(slot) = routed.get_mut(*place) else { continue };
        match submitter.and_then(|submitter| Some((submitter, *submitters.get(submitter)?))) {
            Some((submitter, account)) => {
                let turn = turns.entry(submitter).or_default();
                let until = now.saturating_add(PATIENCE).saturating_add(*turn * LEDGER);
                *turn += 1;
                let valid_until = Some(intent.valid_until.map_or(until, |before| before.min(until)));
                *slot = Ok(Intent { source: account.clone(), valid_until, ..(*intent).clone() });
            }
            None if *can => themselves += 1,
            None => *slot = Err(nobody(&dry)),
        }
    }
    for why in dry.iter().filter(|payer| payer.role == Role::Submitter).filter_map(Sponsor::why) {
        client.warn(format!("submitter_low: {why}"));
    }
    if themselves > 0 {
        client.warn(format!(
            "submitters: {themselves} of {} calls do not get out through them, for want of {}; the farmers' own accounts send \
             these",
            calls.len(),
            if dry.is_empty() { "time, or since other runs use them" } else { "lumens" }
        ));
    }
    // Those that send nothing of this are for other runs.
    leases.retain(|(account, _)| routed.iter().flatten().any(|intent| intent.source == *account));
    Ok((routed, leases))
}

/// What is said of a call that nobody can send.
fn nobody(dry: &[Sponsor]) -> Error {
    dry.iter().find_map(Sponsor::error).unwrap_or_else(|| {
        let why = "the submitters have transactions that are not settled yet, or other runs use them";
        Error::new(Code::NotReady, why)
            .hint(say("run it again: what is open is settled first; see: ").run("operations list"))
    })
}

/// Leaves out the submitters that cannot be one, each with a warning and a fault of the run: farmers, and those without a
/// key. What they would send goes by own accounts.
pub fn choose(farming: &mut Farming<'_, '_>) -> Result<()> {
    let mut chosen = Vec::new();
    for account in std::mem::take(&mut farming.settings.submitters) {
        let e = match no_farmer(farming.work.state.conn(), &account) {
            Ok(()) if farming.keys.holds(&account)? => {
                chosen.push(account);
                continue;
            }
            Ok(()) => {
                let why = format!("kale.submitter: the key store has no key for {account}");
                Error::new(Code::NoKey, why)
                    .hint(say("bring it in with: ").run("farmer import").with("submitter"))
                    .detail("address", account.to_string())
            }
            Err(e) if e.code() == Code::Conflict => e,
            Err(e) => return Err(e),
        };
        farming.site.client.warn(format!("{}; it is left out", e.message()));
        farming.faults.push(e);
    }
    farming.settings.submitters = chosen;
    Ok(())
}
