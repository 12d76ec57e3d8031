//! What farmers lack before they can plant, how to mend it, and how far what they have brings them in their life.

use super::farmers::{self, Change};
use super::reason::Reason;
use super::rows::Hand;
use super::site::Farming;
use super::status::Status;
use super::view::Who;
use super::wallet::{BASE_RESERVE, Look, Wallet};
use crate::amount::{Base, to_units};
use crate::kale::contract::DECIMALS;
use crate::output::{Code, Error, Result};
use crate::stellar::xdr::AccountId;

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
    /// The trustline to KALE.
    Trustline,
    /// The issuer's leave to hold KALE.
    Authorization,
}

impl Lack {
    /// Its stable word.
    pub const fn reason(self) -> Reason {
        match self {
            Self::Account { .. } => Reason::NoAccount,
            Self::Lumens { .. } => Reason::TooFewLumens,
            Self::Trustline => Reason::NoTrustline,
            Self::Authorization => Reason::NotAuthorized,
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
            Self::Authorization => "has a trustline to KALE that its issuer has frozen".to_owned(),
        }
    }

    /// What the operator does about it.
    pub fn mend(self, address: &str) -> String {
        const SPONSOR: &str = "poolctl farmer import --sponsor";
        match self {
            Self::Account { needed } => format!(
                "send at least {} XLM, and the fees to come, to {address}, or let the fee sponsor make it: poolctl farmer trust --create {address}",
                lumens(needed)
            ),
            Self::Lumens { spare, least: 0 } => {
                format!("send at least {} XLM to {address}", lumens(-spare))
            }
            Self::Lumens { spare, least } => format!(
                "send at least {} XLM, and the fees to come, to {address}, or bring in a sponsor for them: {SPONSOR}",
                lumens(least.saturating_sub(spare))
            ),
            Self::Trustline => format!("make it with: poolctl farmer trust {address}"),
            Self::Authorization => "ask the issuer of KALE".to_owned(),
        }
    }

    /// As the error of one farmer.
    pub fn error(self, address: &str) -> Error {
        Error::new(Code::NotReady, format!("farmer {address} {}", self.words())).hint(self.mend(address))
    }
}

fn lumens(stroops: i64) -> String {
    let text = to_units(Base::from(u64::try_from(stroops).unwrap_or_default()), DECIMALS);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// What a farmer lacks that needs `least` stroops above its reserve, the most pressing first. Where the trustline is still
/// to come and nobody sponsors it, its reserve is needed too.
pub fn lacks(wallet: Option<&Wallet>, least: i64) -> Vec<Lack> {
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
        Some(trust) if !trust.authorized => lacks.push(Lack::Authorization),
        Some(_) => {}
    }
    lacks
}

/// What a farmer lacks, and whether it counts on the sponsor, who pays its fees. The keys are asked for one only where
/// lumens are short.
///
/// # Errors
/// Those of unlocking.
pub fn lacking(farming: &Farming<'_, '_>, wallet: Option<&Wallet>) -> Result<(Vec<Lack>, bool)> {
    let own = lacks(wallet, farming.settings.min_lumens);
    let is_short = own.iter().any(|lack| matches!(lack, Lack::Lumens { .. }));
    if is_short && farming.keys.sponsor()?.is_some() {
        return Ok((lacks(wallet, 0), true));
    }
    Ok((own, false))
}

/// The steps that a farmer takes which lacks these. There is none back: one that plants and falls short goes on as soon as
/// it is mended. One that leaves, or has left, stays as it is.
fn steps(status: Status, lacks: &[Lack]) -> &'static [Status] {
    let is_funded = !lacks.iter().any(|lack| matches!(lack, Lack::Account { .. } | Lack::Lumens { .. }));
    match (status, is_funded, lacks.is_empty()) {
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
    /// Its status before.
    pub before: Status,
    /// Its status now.
    pub status: Status,
}

/// The sponsor that farmers count on.
#[derive(Debug, Clone)]
pub struct Sponsor {
    /// Its account.
    pub account: AccountId,
    /// What it has; `None` where the account does not exist.
    pub wallet: Option<Wallet>,
    /// Why it can pay no fees.
    pub lack: Option<Lack>,
}

/// What a check found.
#[derive(Debug, Clone)]
pub struct Check {
    /// The accounts as they were read.
    pub look: Look,
    /// By farmer, in the order in which they were given.
    pub farmers: Vec<Checked>,
    /// The sponsor, where any farmer counts on it.
    pub sponsor: Option<Sponsor>,
}

/// Reads accounts and trustlines, and moves on the status of the farmers that have what it takes.
///
/// # Errors
/// Those of [`Look::read`], of unlocking, `state_error`.
pub async fn check(farming: &mut Farming<'_, '_>, hands: &[Hand]) -> Result<Check> {
    let accounts: Vec<&AccountId> = hands.iter().map(|hand| &hand.who.account).collect();
    let look = Look::read(farming.site, &accounts).await?;
    let mut verdicts = Vec::with_capacity(hands.len());
    for wallet in &look.wallets {
        verdicts.push(lacking(farming, wallet.as_ref())?);
    }
    let is_sponsored = verdicts.iter().any(|(_, is_sponsored)| *is_sponsored);
    let sponsor = if is_sponsored { sponsor(farming).await? } else { None };
    let permit = farming.work.permit;
    let farmers = farming.work.state.write(permit, |tx| {
        let mut farmers = Vec::with_capacity(hands.len());
        for ((hand, wallet), (lacks, _)) in hands.iter().zip(&look.wallets).zip(verdicts) {
            // As it is now: another run may have let it leave while this one waited for the lock.
            let before = farmers::find(tx.conn(), &hand.who.id)?.status;
            let mut status = before;
            for step in steps(before, &lacks) {
                let change = Change { status: Some(*step), ..Change::default() };
                status = farmers::change(tx, &hand.who.id, &change)?.0.status;
            }
            farmers.push(Checked { who: hand.who.clone(), wallet: *wallet, lacks, before, status });
        }
        Ok(farmers)
    })?;
    Ok(Check { look, farmers, sponsor })
}

/// The sponsor with what it has; it needs as much to pay fees from as a farmer that pays its own.
async fn sponsor(farming: &Farming<'_, '_>) -> Result<Option<Sponsor>> {
    let Some(account) = farming.keys.sponsor()? else { return Ok(None) };
    let wallet = Look::read(farming.site, &[&account]).await?.wallets.into_iter().next().flatten();
    let least = farming.settings.min_lumens;
    let lack = match &wallet {
        None => Some(Lack::Account { needed: (2 * BASE_RESERVE).saturating_add(least) }),
        Some(wallet) if wallet.spare() < least => Some(Lack::Lumens { spare: wallet.spare(), least }),
        Some(_) => None,
    };
    Ok(Some(Sponsor { account, wallet, lack }))
}

impl Sponsor {
    /// Why it can pay no fees, as an error.
    pub fn error(&self) -> Option<Error> {
        let lack = self.lack?;
        let address = self.account.to_string();
        let hint = match lack {
            Lack::Lumens { spare, least } => {
                format!("send at least {} XLM to it", lumens(least.saturating_sub(spare)))
            }
            Lack::Account { needed } => format!("send at least {} XLM to it", lumens(needed)),
            Lack::Trustline | Lack::Authorization => return None,
        };
        let why = format!("the fee sponsor {address} {}", lack.words());
        Some(Error::new(Code::NotReady, why).hint(hint))
    }
}

#[cfg(test)]
mod tests {
    use super::super::wallet::Trust;
    use super::*;

    const MIN: i64 = 10_000_000;

    fn wallet(spare: i64, kale: Option<bool>) -> Wallet {
        let kale = kale.map(|authorized| Trust { balance: Base::ZERO, authorized });
        Wallet { sequence: 1, lumens: 15_000_000 + spare, reserve: 15_000_000, kale }
    }

    #[test]
    fn what_is_lacking_decides_the_steps() {
        use Status::{Active, Departed, Funded, Leaving, WalletCreated};
        // Spare lumens, trustline, what is needed above the reserve; what is lacking, and where it brings whom.
        type Case = (Option<Wallet>, i64, &'static [Reason], &'static [Status], &'static [Status]);
        let cases: &[Case] = &[
            (None, MIN, &[Reason::NoAccount], &[], &[]),
            (Some(wallet(MIN, Some(true))), MIN, &[], &[Funded, Active], &[Active]),
            (Some(wallet(MIN - 1, Some(true))), MIN, &[Reason::TooFewLumens], &[], &[]),
            // The reserve of the trustline is still to come, unless it is sponsored.
            (Some(wallet(MIN, None)), MIN, &[Reason::TooFewLumens, Reason::NoTrustline], &[], &[]),
            (Some(wallet(MIN + BASE_RESERVE, None)), MIN, &[Reason::NoTrustline], &[Funded], &[]),
            (Some(wallet(0, None)), 0, &[Reason::NoTrustline], &[Funded], &[]),
            (Some(wallet(0, Some(true))), 0, &[], &[Funded, Active], &[Active]),
            (Some(wallet(-1, Some(true))), 0, &[Reason::TooFewLumens], &[], &[]),
            (Some(wallet(MIN, Some(false))), MIN, &[Reason::NotAuthorized], &[Funded], &[]),
        ];
        for (wallet, least, reasons, first, second) in cases {
            let lacks = lacks(wallet.as_ref(), *least);
            let found: Vec<Reason> = lacks.iter().map(|lack| lack.reason()).collect();
            assert_eq!(found, *reasons, "{wallet:?}");
            assert_eq!(steps(WalletCreated, &lacks), *first, "{wallet:?}");
            assert_eq!(steps(Funded, &lacks), *second, "{wallet:?}");
            for status in [Active, Leaving, Departed] {
                assert_eq!(steps(status, &lacks), [], "{wallet:?}");
            }
        }
    }

    #[test]
    fn the_words_name_the_sum_that_mends_it() {
        let mends = |lack: Lack| lack.mend("G");
        assert!(mends(Lack::Account { needed: 25_000_000 }).starts_with("send at least 2.5 XLM, "));
        assert!(mends(Lack::Lumens { spare: 2_000_000, least: MIN }).starts_with("send at least 0.8 XLM, "));
        assert_eq!(mends(Lack::Lumens { spare: -1, least: 0 }), "send at least 0.0000001 XLM to G");
    }
}
