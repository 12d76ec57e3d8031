//! What a farmer lacks before it can plant, and how to fix it. Pure; amounts in stroops.

use crate::chain::wallet::{BASE_RESERVE, Leave, Trust, Wallet};
use crate::contract::DECIMALS;
use crate::record::reason::Reason;
use base::amount::{Base, to_units};
use base::{Code, Error, Remedy, say};

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
    pub fn fix(self, address: &str) -> Remedy {
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
        Error::new(Code::NotReady, format!("farmer {address} {}", self.words())).hint(self.fix(address))
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

#[cfg(test)]
mod tests {
    use super::*;

    const MIN: i64 = 10_000_000;

    #[test]
    fn the_words_name_the_sum_that_fixes_it() {
        let fixes = |lack: Lack| lack.fix("G").to_string();
        assert!(fixes(Lack::Account { needed: 25_000_000 }).starts_with("send at least 2.5 XLM, "));
        assert!(fixes(Lack::Lumens { spare: 2_000_000, least: MIN }).starts_with("send at least 0.8 XLM, "));
        let room = |is_highest| Lack::Room { room: Base::from(2_u64), due: Base::from(5_u64), is_highest };
        assert_eq!(fixes(room(false)), "raise its limit with: farmer trust G");
        assert!(fixes(room(true)).starts_with("send at least 0.0000003 KALE away from G, "));
        assert_eq!(fixes(Lack::Lumens { spare: -1, least: 0 }), "send at least 0.0000001 XLM to G");
    }
}
