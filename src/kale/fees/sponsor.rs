//! Who pays for others, the fee sponsor or a submitter: whether it has enough, for how long, and the sponsor's alert.

use super::lack::{Lack, lumens};
use crate::alerts::SPONSOR_LOW;
use crate::chain::wallet::BASE_RESERVE;
use crate::record::reason::Reason;
use base::{Code, Error, Result, clock};
use state::Tx;
use state::alert::{self, Subject};
use stellar::Client;
use stellar::xdr::AccountId;
use strum::{Display, IntoStaticStr};

const DAY: u64 = 86_400;

/// What for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Display, IntoStaticStr)]
pub enum Role {
    /// It pays the fees of all transactions.
    #[strum(to_string = "fee sponsor")]
    Sponsor,
    /// It sends work and harvests.
    #[strum(to_string = "submitter")]
    Submitter,
}

impl Role {
    /// In words.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// The sponsor, or a submitter. Amounts in stroops of lumens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sponsor {
    /// Which of them.
    pub role: Role,
    /// Its account.
    pub account: AccountId,
    /// What it has above its reserve; `None` where the account does not exist.
    pub spare: Option<i64>,
    /// What it needs there for what is open and to be planted.
    pub need: i64,
    /// How long it lasts at the rate of the last day; `None` where it spent nothing.
    pub lasts_sec: Option<u64>,
}

impl Sponsor {
    /// A submitter that has so much above its reserve and needs so much.
    pub fn submitter(account: &AccountId, spare: Option<i64>, need: i64) -> Self {
        Self { role: Role::Submitter, account: account.clone(), spare, need, lasts_sec: None }
    }

    /// Whether it can pay for what is open and to be planted.
    pub fn is_ready(&self) -> bool {
        self.spare.is_some_and(|spare| spare >= self.need)
    }

    /// What is wrong with it; `None` where nothing is, for a day at least.
    pub fn why(&self) -> Option<String> {
        let Self { role, account, spare, need, lasts_sec } = self;
        let lasts = |sec| format!("at the rate of the last day it lasts {}", clock::span(sec));
        let short = match spare {
            None => Some(Lack::Account { needed: 0 }.words()),
            Some(spare) if spare < need => Some(Lack::Lumens { spare: *spare, least: *need }.words()),
            Some(_) => None,
        };
        match (short, lasts_sec) {
            (Some(short), Some(sec)) => Some(format!("the {role} {account} {short}; {}", lasts(*sec))),
            (Some(short), None) => Some(format!("the {role} {account} {short}")),
            (None, Some(sec)) if *sec < DAY => {
                Some(format!("the {role} {account} runs low: {}", lasts(*sec)))
            }
            (None, _) => None,
        }
    }

    /// What the operator does about it.
    pub fn fix(&self) -> String {
        let missing = match self.spare {
            None => self.need.saturating_add(2 * BASE_RESERVE),
            Some(spare) => self.need.saturating_sub(spare),
        };
        if missing > 0 {
            format!("send at least {} XLM to {}", lumens(missing), self.account)
        } else {
            format!("send XLM to {}", self.account)
        }
    }

    /// What is wrong with it, as an error.
    pub fn error(&self) -> Option<Error> {
        Some(Error::new(Code::NotReady, self.why()?).hint(self.fix()))
    }

    /// Opens or closes its alert.
    pub fn alert(&self, tx: &Tx<'_>) -> Result<bool> {
        alert::edge(tx, Subject::Farm(&self.account.to_string()), SPONSOR_LOW, self.why().as_deref())
    }

    /// Warns that farmers with lumens of their own pay for themselves.
    pub(crate) fn warn(&self, client: &Client) {
        let Self { role, account, .. } = self;
        let kind = match role {
            Role::Sponsor => SPONSOR_LOW,
            Role::Submitter => Reason::SubmitterLow.as_str(),
        };
        client.warn(format!(
            "{kind}: the {role} {account} cannot pay for everybody; farmers with lumens of their own pay for themselves"
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const XLM: i64 = 10_000_000;
    const SPONSOR: &str = "GBDVX4VELCDSQ54KQJYTNHXAHFLBCA77ZY2USQBM4CSHTTV7DME7KALE";

    #[test]
    fn a_sponsor_is_low_when_it_cannot_pay_or_not_for_a_day() {
        let sponsor = |spare, lasts_sec| Sponsor {
            role: Role::Sponsor,
            account: SPONSOR.parse().unwrap(),
            spare,
            need: XLM,
            lasts_sec,
        };
        for (spare, lasts, want) in [
            (Some(XLM), None, None),
            (Some(XLM), Some(DAY), None),
            (Some(XLM), Some(DAY - 1), Some("runs low: at the rate of the last day it lasts 23h 59m")),
            (Some(100), None, Some("holds 0.00001 XLM above its reserve, and 1 are needed")),
            (Some(100), Some(3_600), Some("and 1 are needed; at the rate of the last day it lasts 1h")),
            (Some(-1), None, Some("holds 0.0000001 XLM less than its reserve")),
            (None, None, Some("has no account yet")),
        ] {
            let why = sponsor(spare, lasts).why();
            assert_eq!(why.is_some(), want.is_some(), "{why:?}");
            assert!(want.is_none_or(|want| why.as_ref().is_some_and(|why| why.contains(want))), "{why:?}");
        }
        assert_eq!(sponsor(Some(100), None).fix(), format!("send at least 0.99999 XLM to {SPONSOR}"));
        assert_eq!(sponsor(None, None).fix(), format!("send at least 2 XLM to {SPONSOR}"));
    }
}
