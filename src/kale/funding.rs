//! What farmers lack before they can plant, how to mend it, and how far what they have brings them in their life.

use super::alerts;
use super::farmers::{self, Change};
use super::fees::Payer;
use super::purse::{self, Judged, Verdict};
use super::reason::Reason;
use super::rows::Hand;
use super::site::Farming;
use super::sponsor::Sponsor;
use super::status::Status;
use super::view::Who;
use super::wallet::{BASE_RESERVE, Leave, Look, Trust, Wallet};
use crate::contract::DECIMALS;
use base::amount::{Base, to_units};
use base::{Code, Error, Remedy, Result, say};
use stellar::xdr::AccountId;

/// Something that a farmer needs before it can plant. Amounts in stroops of lumens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lack {
    /// The account.
    Account {
        /// What it would need to begin with.
        needed: i64,
    },
    /// Lumens.
    Lumens {
        /// What it has above its reserve; below 0 where the reserve itself is not there.
        spare: i64,
        /// What it needs above its reserve.
        least: i64,
    },
    /// Lumens, where the sponsor that it counts on has too few itself.
    Sponsor {
        /// What it has above its reserve.
        spare: i64,
        /// What it needs there to pay for itself.
        least: i64,
    },
    /// Lumens, where the submitters that it counts on cannot send for it.
    Submitters {
        /// What it has above its reserve.
        spare: i64,
        /// What it needs there to send for itself.
        least: i64,
    },
    /// The trustline to KALE.
    Trustline,
    /// The issuer's leave to move KALE.
    Authorization {
        /// Whether it may keep its offers.
        maintains: bool,
    },
    /// Room in the trustline. Amounts in stroops of KALE.
    Room {
        /// What may still come in.
        room: Base,
        /// What may have to.
        due: Base,
        /// Whether its limit is the highest that there is.
        is_highest: bool,
    },
}

impl Lack {
    /// Its stable word.
    pub const fn reason(self) -> Reason {
        match self {
            Self::Account { .. } => Reason::NoAccount,
            Self::Lumens { .. } => Reason::TooFewLumens,
            Self::Sponsor { .. } => Reason::SponsorLow,
            Self::Submitters { .. } => Reason::SubmitterLow,
            Self::Trustline => Reason::NoTrustline,
            Self::Authorization { .. } => Reason::NotAuthorized,
            Self::Room { .. } => Reason::TrustlineFull,
        }
    }

    /// What is wrong, after the farmer's name.
    pub fn words(self) -> String {
        match self {
            Self::Account { .. } => "has no account yet".to_owned(),
            Self::Lumens { spare, .. } if spare < 0 => {
                format!("holds {} XLM less than its reserve", lumens(-spare))
            }
            Self::Lumens { spare, least } => {
                format!("holds {} XLM above its reserve, and {} are needed", lumens(spare), lumens(least))
            }
            Self::Trustline => "has no trustline to KALE, so that no harvest could be paid".to_owned(),
            Self::Sponsor { .. } => "counts on the fee sponsor, which has too few lumens".to_owned(),
            Self::Submitters { .. } => {
                "counts on the submitters, which cannot send for everybody: too few lumens, or too few of them"
                    .to_owned()
            }
            Self::Authorization { maintains: false } => {
                "has a trustline to KALE that its issuer has frozen".to_owned()
            }
            Self::Authorization { maintains: true } => {
                "has a trustline to KALE that may keep its offers and move nothing".to_owned()
            }
            Self::Room { room, due, .. } => {
                format!("has room for {} KALE in its trustline, and {} may come in", units(room), units(due))
            }
        }
    }

    /// What the operator does about it.
    pub fn mend(self, address: &str) -> Remedy {
        match self {
            Self::Account { needed } => say(format!(
                "send at least {} XLM, and the fees to come, to {address}, or let the fee sponsor make it: ",
                lumens(needed)
            ))
            .run("farmer trust")
            .with("create")
            .of(address),
            Self::Lumens { spare, least: 0 } => {
                format!("send at least {} XLM to {address}", lumens(-spare)).into()
            }
            Self::Lumens { spare, least } => say(format!(
                "send at least {} XLM, and the fees to come, to {address}, or bring in a sponsor for them: ",
                lumens(least.saturating_sub(spare))
            ))
            .run("farmer import")
            .with("sponsor"),
            Self::Sponsor { spare, least } => format!(
                "send lumens to the sponsor, or at least {} XLM to {address}",
                lumens(least.saturating_sub(spare))
            )
            .into(),
            Self::Submitters { spare, least } => format!(
                "send lumens to the submitters, add one to kale.submitter, or send at least {} XLM to {address}",
                lumens(least.saturating_sub(spare))
            )
            .into(),
            Self::Trustline => say("make it with: ").run("farmer trust").of(address),
            Self::Authorization { .. } => "ask the issuer of KALE".into(),
            Self::Room { room, due, is_highest: true } => format!(
                "send at least {} KALE away from {address}, or take back its offers that buy KALE: the limit is the highest already",
                units(due.saturating_sub(room))
            )
            .into(),
            Self::Room { .. } => say("raise its limit with: ").run("farmer trust").of(address),
        }
    }

    /// As the error of one farmer.
    pub fn error(self, address: &str) -> Error {
        Error::new(Code::NotReady, format!("farmer {address} {}", self.words())).hint(self.mend(address))
    }
}

/// Stroops of lumens as a person writes them; less than nothing is nothing.
pub(super) fn lumens(stroops: i64) -> String {
    units(Base::from(u64::try_from(stroops).unwrap_or_default()))
}

fn units(stroops: Base) -> String {
    let text = to_units(stroops, DECIMALS);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// What a farmer lacks that needs `least` stroops above its reserve and room for `due` stroops of KALE, the most pressing
/// first. Where the trustline is still to come and nobody sponsors it, its reserve is needed too.
pub fn lacks(wallet: Option<&Wallet>, least: i64, due: Base) -> Vec<Lack> {
    let line = if least > 0 { BASE_RESERVE } else { 0 };
    let Some(wallet) = wallet else {
        return vec![Lack::Account { needed: (2 * BASE_RESERVE + line).saturating_add(least) }];
    };
    let mut lacks = Vec::new();
    let least = if wallet.kale.is_none() { least.saturating_add(line) } else { least };
    if wallet.spare() < least {
        lacks.push(Lack::Lumens { spare: wallet.spare(), least });
    }
    match wallet.kale {
        None => lacks.push(Lack::Trustline),
        Some(Trust { leave: Leave::Maintain, .. }) => lacks.push(Lack::Authorization { maintains: true }),
        Some(Trust { leave: Leave::Frozen, .. }) => lacks.push(Lack::Authorization { maintains: false }),
        Some(kale) if kale.room < due => {
            lacks.push(Lack::Room { room: kale.room, due, is_highest: kale.is_highest() });
        }
        Some(_) => {}
    }
    lacks
}

/// The steps that a farmer takes which lacks these. There is none back: one that plants and falls short goes on as soon as
/// it is mended. One that leaves, or has left, stays as it is. What the sponsor lacks is not the farmer's.
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

/// Reads accounts and trustlines, moves on the status of the farmers that have what it takes, and opens and closes the
/// alerts on the sponsor and on active farmers that lack something.
///
/// # Errors
/// Those of [`Look::read`], of [`purse::judge`], `state_error`.
pub async fn check(farming: &mut Farming<'_, '_>, hands: &[Hand]) -> Result<Check> {
    let accounts: Vec<&AccountId> = hands.iter().map(|hand| &hand.who.account).collect();
    let look = Look::read(farming.site, &accounts).await?;
    let wallets = look.wallets.iter().map(Option::as_ref);
    let each: Vec<_> = hands.iter().map(|hand| hand.who.id.as_str()).zip(wallets).collect();
    let Judged { farmers: verdicts, sponsor, submitters } = purse::judge(farming, &each).await?;
    let permit = farming.work.permit;
    let farmers = farming.work.state.write(permit, |tx| {
        if let Some(sponsor) = &sponsor {
            sponsor.alert(tx)?;
        }
        let mut farmers = Vec::with_capacity(hands.len());
        for ((hand, wallet), Verdict { lacks, payer }) in hands.iter().zip(&look.wallets).zip(verdicts) {
            // As it is now: another run may have let it leave while this one waited for the lock.
            let before = farmers::find(tx.conn(), &hand.who.id)?.status;
            let mut status = before;
            for step in steps(before, &lacks) {
                let change = Change { status: Some(*step), ..Change::default() };
                status = farmers::change(tx, &hand.who.id, &change)?.0.status;
            }
            let wanting: &[Lack] = if status == Status::Active { &lacks } else { &[] };
            alerts::farmer(tx, &hand.who.id, &hand.who.address, wanting)?;
            farmers.push(Checked { who: hand.who.clone(), wallet: *wallet, lacks, payer, before, status });
        }
        Ok(farmers)
    })?;
    Ok(Check { look, farmers, sponsor, submitters })
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn the_words_name_the_sum_that_mends_it() {
        let mends = |lack: Lack| lack.mend("G").to_string();
        assert!(mends(Lack::Account { needed: 25_000_000 }).starts_with("send at least 2.5 XLM, "));
        assert!(mends(Lack::Lumens { spare: 2_000_000, least: MIN }).starts_with("send at least 0.8 XLM, "));
        let room = |is_highest| Lack::Room { room: Base::from(2_u64), due: Base::from(5_u64), is_highest };
        assert_eq!(mends(room(false)), "raise its limit with: farmer trust G");
        assert!(mends(room(true)).starts_with("send at least 0.0000003 KALE away from G, "));
        assert_eq!(mends(Lack::Lumens { spare: -1, least: 0 }), "send at least 0.0000001 XLM to G");
    }
}
