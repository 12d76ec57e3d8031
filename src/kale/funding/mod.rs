//! What farmers lack before they can plant, how to fix it, and how far what they have brings them in their life.

pub mod trust;

use crate::chain::Who;
use crate::chain::wallet::{Look, Wallet};
use crate::farmers::status::Status;
use crate::farmers::{self, Change};
use crate::farming::{self, Farming};
use crate::fees::purse::{Judged, Readiness};
use crate::fees::sponsor::Sponsor;
use crate::fees::{Lack, Payer};
use crate::record::rows::{self, FarmerRow};
use base::Result;
use std::collections::HashSet;
use stellar::xdr::AccountId;

/// The steps that a farmer takes which lacks these. There is none back: one that plants and falls short goes on as soon as
/// it is fixed. One that leaves, or has left, stays as it is. What the sponsor lacks is not the farmer's.
fn steps(status: Status, lacks: &[Lack]) -> &'static [Status] {
    let is_funded = !lacks.iter().any(|lack| matches!(lack, Lack::Account { .. } | Lack::Lumens { .. }));
    let is_ready = lacks.iter().all(|lack| matches!(lack, Lack::Sponsor { .. } | Lack::Submitters { .. }));
    match (status, is_funded, is_ready) {
        (Status::WalletCreated, true, true) => &[Status::Funded, Status::Active],
        (Status::WalletCreated, true, false) => &[Status::Funded],
        (Status::Funded, _, true) => &[Status::Active],
        _ => &[],
    }
}

/// What a farmer has, and where that brings it.
#[derive(Debug, Clone)]
pub struct Checked {
    /// Which farmer.
    pub who: Who,
    /// Its account; `None` where it does not exist.
    pub wallet: Option<Wallet>,
    /// What it lacks; nothing = ready.
    pub lacks: Vec<Lack>,
    /// Who pays its fees; `None` = nobody can.
    pub payer: Option<Payer>,
    /// Its status before.
    pub before: Status,
    /// Its status now.
    pub status: Status,
}

/// What a check found.
#[derive(Debug, Clone)]
pub struct Check {
    /// The accounts as they were read.
    pub look: Look,
    /// By farmer, in the order in which they were given.
    pub farmers: Vec<Checked>,
    /// The sponsor, where there is one.
    pub sponsor: Option<Sponsor>,
    /// The submitters.
    pub submitters: Vec<Sponsor>,
}

/// Reads accounts and trustlines, of all who plant or come to plant since what pays for them depends on it, moves on the status of the farmers that have what it takes, and opens and closes the
/// alerts on the sponsor and on active farmers that lack something.
pub async fn check(farming: &mut Farming<'_, '_>, hands: &[FarmerRow]) -> Result<Check> {
    let named: HashSet<&str> = hands.iter().map(|hand| hand.who.id.as_str()).collect();
    let mut others = rows::hands(farming.work.state.conn())?;
    others.retain(|hand| hand.status.comes() && !named.contains(hand.who.id.as_str()));
    let everybody = || hands.iter().chain(&others);
    let accounts: Vec<&AccountId> = everybody().map(|hand| &hand.who.account).collect();
    let look = Look::read(farming.site, &accounts).await?;
    let wallets = look.wallets.iter().map(Option::as_ref);
    let each: Vec<_> =
        everybody().zip(wallets).map(|(hand, wallet)| (hand.who.id.as_str(), hand.status, wallet)).collect();
    let Judged { farmers: verdicts, sponsor, submitters } = farming::judge(farming, &each).await?;
    let farmers = farming.write(|tx| {
        if let Some(sponsor) = &sponsor {
            sponsor.alert(tx)?;
        }
        let mut farmers = Vec::with_capacity(hands.len());
        for ((hand, wallet), Readiness { lacks, payer }) in hands.iter().zip(&look.wallets).zip(verdicts) {
            // As it is now: another run may have let it leave while this one waited for the lock.
            let before = farmers::by_id(tx.conn(), &hand.who.id)?.status;
            let mut status = before;
            for step in steps(before, &lacks) {
                let change = Change { status: Some(*step), ..Change::default() };
                status = farmers::change(tx, &hand.who.id, &change)?.0.status;
            }
            let wanting: &[Lack] = if status == Status::Active { &lacks } else { &[] };
            farming::farmer(tx, &hand.who.id, &hand.who.address, wanting)?;
            farmers.push(Checked { who: hand.who.clone(), wallet: *wallet, lacks, payer, before, status });
        }
        Ok(farmers)
    })?;
    Ok(Check { look, farmers, sponsor, submitters })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chain::wallet::{BASE_RESERVE, Leave, Trust};
    use crate::fees::lacks;
    use crate::record::reason::Reason;
    use base::amount::Base;

    const MIN: i64 = 10_000_000;

    fn wallet(spare: i64, kale: Option<(Leave, u64)>) -> Wallet {
        let (balance, buying, selling) = (Base::ZERO, Base::ZERO, Base::ZERO);
        let kale = kale.map(|(leave, room)| {
            let room = Base::from(room);
            Trust { balance, room, limit: room, buying, selling, leave }
        });
        Wallet { sequence: 1, lumens: 15_000_000 + spare, reserve: 15_000_000, kale }
    }

    #[test]
    fn what_is_lacking_decides_the_steps() {
        use Status::{Active, Departed, Funded, Leaving, WalletCreated};
        const DUE: u64 = 30;
        // Spare lumens, trustline, what is needed above the reserve; what is lacking, and where it brings whom.
        type Case = (Option<Wallet>, i64, &'static [Reason], &'static [Status], &'static [Status]);
        let on = Some((Leave::Full, DUE));
        let cases: &[Case] = &[
            (None, MIN, &[Reason::NoAccount], &[], &[]),
            (Some(wallet(MIN, on)), MIN, &[], &[Funded, Active], &[Active]),
            (Some(wallet(MIN - 1, on)), MIN, &[Reason::TooFewLumens], &[], &[]),
            // The reserve of the trustline is still to come, unless it is sponsored.
            (Some(wallet(MIN, None)), MIN, &[Reason::TooFewLumens, Reason::NoTrustline], &[], &[]),
            (Some(wallet(MIN + BASE_RESERVE, None)), MIN, &[Reason::NoTrustline], &[Funded], &[]),
            (Some(wallet(0, None)), 0, &[Reason::NoTrustline], &[Funded], &[]),
            (Some(wallet(0, on)), 0, &[], &[Funded, Active], &[Active]),
            (Some(wallet(-1, on)), 0, &[Reason::TooFewLumens], &[], &[]),
            (Some(wallet(MIN, Some((Leave::Frozen, DUE)))), MIN, &[Reason::NotAuthorized], &[Funded], &[]),
            (Some(wallet(MIN, Some((Leave::Maintain, DUE)))), MIN, &[Reason::NotAuthorized], &[Funded], &[]),
            (Some(wallet(MIN, Some((Leave::Full, DUE - 1)))), MIN, &[Reason::TrustlineFull], &[Funded], &[]),
        ];
        for (wallet, least, reasons, first, second) in cases {
            let lacks = lacks(wallet.as_ref(), *least, Base::from(DUE));
            let found: Vec<Reason> = lacks.iter().map(|lack| lack.reason()).collect();
            assert_eq!(found, *reasons, "{wallet:?}");
            assert_eq!(steps(WalletCreated, &lacks), *first, "{wallet:?}");
            assert_eq!(steps(Funded, &lacks), *second, "{wallet:?}");
            for status in [Active, Leaving, Departed] {
                assert_eq!(steps(status, &lacks), [], "{wallet:?}");
            }
        }
        let sponsored = [Lack::Sponsor { spare: 0, least: MIN }];
        assert_eq!(steps(WalletCreated, &sponsored), &[Funded, Active], "it lacks nothing itself");
    }
}
