//! Sending trustlines: those of accounts that are there one by one, the others with their accounts, many in one transaction:
//! as many as can sign it, from as many accounts as there are.

use super::{PreparedTrust, TrustOutcome, Trusted, Wanted, free_key, outcome};
use crate::farming::Farming;
use crate::record::plan::{kind, shares};
use base::{Code, Error, Result};
use outbox::Status;
use serde_json::json;
use state::ValuePermit;
use std::collections::VecDeque;
use stellar::Action;
use stellar::submit::{Intent, Submitted};
use stellar::xdr::AccountId;

/// Sends what was prepared, records every outcome, and returns one line per farmer. Accounts are made many at a time.
/// A farmer's own failure is in its line.
pub async fn execute(
    farming: &mut Farming<'_, '_>,
    prepared: PreparedTrust,
    permit: ValuePermit<'_>,
) -> Result<Vec<Trusted>> {
    let PreparedTrust { wanted, mut settled, payer, .. } = prepared;
    let (made, own): (Vec<Wanted>, Vec<Wanted>) = wanted.into_iter().partition(|wanted| wanted.creates);
    let intents: Vec<Intent> = own.iter().map(|wanted| wanted.intent.clone()).collect();
    let results = farming.submit(permit, &intents).await?;
    for (Wanted { who, creates, .. }, result) in own.into_iter().zip(results) {
        settled.push(Trusted { who, creates, outcome: outcome(&result, |fee| fee) });
    }
    if let Some(sponsor) = payer {
        settled.extend(make(farming, permit, &sponsor, made).await?);
    }
    Ok(settled)
}

/// Accounts that go in one transaction, and who sends it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Group<T> {
    source: AccountId,
    members: Vec<T>,
}

/// The transactions of one ledger: one from each source, since an account sends one a ledger. Those that failed together
/// go alone.
fn wave<T>(
    sponsor: &AccountId,
    sources: &[AccountId],
    together: &mut VecDeque<T>,
    alone: &mut VecDeque<T>,
) -> Vec<Group<T>> {
    let mut groups = Vec::new();
    for source in sources {
        let members: Vec<T> = if let Some(member) = alone.pop_front() {
            vec![member]
        } else {
            let most = Action::most_adopted(source, sponsor).min(together.len());
            together.drain(..most).collect()
        };
        if members.is_empty() {
            break;
        }
        groups.push(Group { source: source.clone(), members });
    }
    groups
}

/// Makes them all: from the sponsor, and from the accounts made before, while the sponsor pays.
/// A farmer's own failure is in its line.
async fn make(
    farming: &mut Farming<'_, '_>,
    permit: ValuePermit<'_>,
    sponsor: &AccountId,
    wanted: Vec<Wanted>,
) -> Result<Vec<Trusted>> {
    let (mut together, mut alone) = (VecDeque::from(wanted), VecDeque::new());
    let mut sources = vec![sponsor.clone()];
    let mut done = Vec::new();
    while !(together.is_empty() && alone.is_empty()) {
        let groups = wave(sponsor, &sources, &mut together, &mut alone);
        let intents: Vec<Intent> =
            groups.iter().map(|group| intent(farming, group)).collect::<Result<_>>()?;
        let results = farming.submit(permit, &intents).await?;
        for (Group { members, .. }, result) in groups.into_iter().zip(results) {
            if members.len() > 1 && has_failed(&result) {
                alone.extend(members);
                continue;
            }
            let count = members.len();
            for (place, member) in members.into_iter().enumerate() {
                let part = |fee| shares(fee, count).nth(place).unwrap_or_default();
                let outcome = outcome(&result, part);
                if matches!(outcome, TrustOutcome::Made { .. }) {
                    sources.push(member.who.account.clone());
                }
                done.push(Trusted { who: member.who, creates: true, outcome });
            }
        }
    }
    Ok(done)
}

/// It is in a ledger without effect: one of them is at fault, and it is not known which.
fn has_failed(result: &Result<Submitted>) -> bool {
    matches!(result, Ok(Submitted::Settled(settled)) if settled.status == Status::Failed && settled.effect.ledger.is_some())
}

/// The transaction of a group: what each would send alone, put together.
fn intent(farming: &Farming<'_, '_>, group: &Group<Wanted>) -> Result<Intent> {
    let Group { source, members } = group;
    let empty = || Error::new(Code::Bug, "a transaction that makes no account");
    let first = members.first().ok_or_else(empty)?;
    let source = source.clone();
    let (Action::Adopt { sponsor, balance, asset, limit, .. }, true) =
        (&first.intent.action, members.len() > 1)
    else {
        return Ok(Intent { source, ..first.intent.clone() });
    };
    Ok(Intent {
        key: free_key(farming, kind::ADOPT, &first.who.address)?,
        kind: kind::ADOPT,
        subject: sponsor.to_string(),
        plan: json!({ "farmers": members.iter().map(|member| &member.intent.plan).collect::<Vec<_>>() }),
        source,
        action: Action::Adopt {
            accounts: members.iter().map(|member| member.who.account.clone()).collect(),
            sponsor: sponsor.clone(),
            balance: *balance,
            asset: asset.clone(),
            limit: *limit,
        },
        valid_until: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ed25519_dalek::SigningKey;
    use proptest::prelude::*;
    use stellar::account_of;

    fn account(number: u8) -> AccountId {
        account_of(&SigningKey::from_bytes(&[number; 32]))
    }

    #[test]
    fn two_hundred_accounts_take_two_ledgers() {
        let (sponsor, mut together, mut alone) = (account(0), (0..200).collect(), VecDeque::new());
        let first = wave(&sponsor, &[account(0)], &mut together, &mut alone);
        assert_eq!(first.iter().map(|group| group.members.len()).collect::<Vec<_>>(), [19]);
        let sources: Vec<AccountId> = (0..20).map(account).collect();
        let second = wave(&sponsor, &sources, &mut together, &mut alone);
        let sizes: Vec<usize> = second.iter().map(|group| group.members.len()).collect();
        assert_eq!(sizes, [19, 18, 18, 18, 18, 18, 18, 18, 18, 18]);
        assert!(together.is_empty());
    }

    proptest! {
        #[test]
        fn nobody_is_lost_and_no_source_sends_twice(many in 0_usize..300, few in 0_usize..30, sources in 1_u8..12) {
            let (mut together, mut alone): (VecDeque<usize>, VecDeque<usize>) =
                ((0..many).collect(), (many..many + few).collect());
            let sources: Vec<AccountId> = (0..sources).map(account).collect();
            let mut gone: Vec<usize> = Vec::new();
            while !(together.is_empty() && alone.is_empty()) {
                let groups = wave(&sources[0], &sources, &mut together, &mut alone);
                prop_assert!(!groups.is_empty() && groups.len() <= sources.len());
                for (group, source) in groups.iter().zip(&sources) {
                    prop_assert_eq!(&group.source, source);
                    let most = Action::most_adopted(source, &sources[0]);
                    prop_assert!((1..=most).contains(&group.members.len()));
                    gone.extend(&group.members);
                }
            }
            gone.sort_unstable();
            prop_assert_eq!(gone, (0..many + few).collect::<Vec<_>>());
        }

        #[test]
        fn parts_of_a_fee_add_up(fee in 0_i64..1_000_000_000, count in 1_usize..20) {
            let parts: Vec<i64> = shares(fee, count).collect();
            prop_assert_eq!((parts.len(), parts.iter().sum::<i64>()), (count, fee));
            prop_assert!(parts.iter().max().unwrap() - parts.iter().min().unwrap() <= 1);
        }
    }
}
