//! What is recorded of fees and stakes, and who can go on by it, beside what the sponsor and the farmers have.

use super::sponsor::{Role, Sponsor};
use super::{FARMERS, Fees, Lack, Payer, bid, lacks, lasts_sec, payers};
use crate::chain::wallet::{Wallet, spares};
use crate::contract::reward::block_reward;
use crate::farmers::enrol;
use crate::farmers::status::Status;
use crate::record::plan::kind;
use crate::record::reason::Reason;
use crate::record::rows;
use crate::settings::Settings;
use base::amount::Base;
use base::{Error, Result};
use outbox::Chain as _;
use rusqlite::Connection;
use std::collections::BTreeMap;
use stellar::submit::{Stellar, SubmitOptions};
use stellar::xdr::AccountId;
use stellar::{View, account};

const DAY: u64 = 86_400;
/// So many of the last envelopes of a kind say what the next one may cost.
const LAST: u32 = 5;

/// What the records say of fees and stakes.
#[derive(Debug, Clone, Default)]
pub struct Books {
    /// What a round may cost.
    pub fees: Fees,
    /// The sponsor, by the audit log.
    pub sponsor: Option<AccountId>,
    /// What the sponsor spent in the last day, in stroops of lumens, where that was asked for.
    spent: i64,
    /// Of the pails that are open, by farmer: stroops of lumens that they still take, stroops of KALE that come back.
    open: BTreeMap<String, (i64, Base)>,
    /// How many of these are not worked yet.
    unworked: usize,
    /// Stroops of KALE that a whole block pays.
    reward: Base,
    /// `kale.min_lumens`.
    min_lumens: i64,
    /// `kale.submitter`.
    pub submitters: Vec<AccountId>,
}

/// What those who pay for others have above their reserves; `None` where there is no account. In stroops of lumens.
#[derive(Debug, Clone, Default)]
pub struct Spares {
    /// The sponsor.
    pub sponsor: Option<i64>,
    /// The submitters, in their order.
    pub submitters: Vec<Option<i64>>,
}

impl Spares {
    /// Reads them.
    pub async fn read(view: &View, books: &Books) -> Result<Self> {
        let accounts: Vec<&AccountId> = books.sponsor.iter().chain(&books.submitters).collect();
        if accounts.is_empty() {
            return Ok(Self::default());
        }
        let mut found = spares(view, &accounts).await?.into_iter();
        let sponsor = books.sponsor.as_ref().and_then(|_| found.next().flatten());
        Ok(Self { sponsor, submitters: found.collect() })
    }
}

impl Books {
    /// Reads them, as of `now`, seconds since 1970.
    pub fn read(conn: &Connection, settings: &Settings, terms: &SubmitOptions, now: i64) -> Result<Self> {
        let offered = |kind| -> Result<i64> {
            let age = |at: i64| now.saturating_sub(at).max(0).unsigned_abs();
            let offers = outbox::offers(conn, Stellar::NAME, kind, LAST)?;
            let before: Vec<_> = offers.into_iter().map(|(at, fee)| (age(at), fee)).collect();
            Ok(bid(&before, terms.max_inclusion_fee))
        };
        let (plant, work, harvest) = (offered(kind::PLANT)?, offered(kind::WORK)?, offered(kind::HARVEST)?);
        let fees = Fees { plant, work, harvest };
        let mut open: BTreeMap<String, (i64, Base)> = BTreeMap::new();
        let mut unworked = 0;
        for pail in rows::pails_before(conn, u32::MAX)?.iter().filter(|pail| pail.held.is_none()) {
            unworked += usize::from(pail.work.is_none());
            let (owed, back) = open.entry(pail.farmer.clone()).or_default();
            *owed = owed.saturating_add(fees.owed(pail));
            let reward = pail.forecast.unwrap_or_else(|| whole_block(pail.block));
            *back = back.saturating_add(pail.stake).saturating_add(reward);
        }
        let sponsor = enrol::last_sponsor(conn)?;
        let sponsor = sponsor.map(|sponsor| account("the sponsor", &sponsor)).transpose()?;
        let reward = whole_block(rows::last_block(conn)?.unwrap_or_default());
        let (min_lumens, submitters) = (settings.min_lumens, settings.submitters.clone());
        Ok(Self { fees, sponsor, spent: 0, open, unworked, reward, min_lumens, submitters })
    }

    /// With what the sponsor spent in the day before `now`: a walk over that day's events.
    pub fn with_spent(self, conn: &Connection, now: i64) -> Result<Self> {
        let since = now.saturating_sub(DAY.cast_signed());
        let spent = match &self.sponsor {
            Some(sponsor) => outbox::spent_by(conn, &sponsor.to_string(), since)?,
            None => 0,
        };
        Ok(Self { spent, ..self })
    }

    /// Lumens that the pails of a farmer still take.
    fn owed(&self, farmer: &str) -> i64 {
        self.open.get(farmer).map_or(0, |(owed, _)| *owed)
    }

    /// Lumens that all open pails still take.
    pub fn owed_by_all(&self) -> i64 {
        self.open.values().fold(0, |sum: i64, (owed, _)| sum.saturating_add(*owed))
    }

    /// KALE for which a farmer's trustline needs room, one block more: what is staked there has left it before.
    pub fn due(&self, farmer: &str) -> Base {
        self.open.get(farmer).map_or(Base::ZERO, |(_, back)| *back).saturating_add(self.reward)
    }

    /// Lumens above its reserve that a farmer needs who pays for itself.
    pub(crate) fn least(&self, farmer: &str) -> i64 {
        self.min_lumens.max(self.fees.round().saturating_add(self.owed(farmer)))
    }

    /// The sponsor that has so much above its reserve, with what it needs for `cost` beside what is open.
    pub(crate) fn sponsor_for(&self, account: &AccountId, spare: Option<i64>, cost: i64) -> Sponsor {
        Sponsor {
            role: Role::Sponsor,
            account: account.clone(),
            spare,
            need: self.min_lumens.max(self.owed_by_all().saturating_add(cost)),
            lasts_sec: spare.and_then(|spare| lasts_sec(spare, self.spent)),
        }
    }

    /// The sponsor that is to plant for so many farmers, by the lumens that it has above its reserve.
    pub fn sponsor_of(&self, spare: Option<i64>, farmers: usize) -> Option<Sponsor> {
        let rounds = i64::try_from(farmers.max(1)).unwrap_or(i64::MAX);
        Some(self.sponsor_for(self.sponsor.as_ref()?, spare, self.fees.round().saturating_mul(rounds)))
    }

    /// The submitters that are to send for so many farmers, each its part, by the lumens that they have. With a sponsor they
    /// need none.
    pub fn submitters_of(&self, spares: &Spares, farmers: usize) -> Vec<Sponsor> {
        let farmers = i64::try_from(farmers).unwrap_or(i64::MAX);
        let all = self.owed_by_all().saturating_add(self.fees.after_plant().saturating_mul(farmers));
        let count = i64::try_from(self.submitters.len()).unwrap_or(i64::MAX).max(1);
        let need = if self.sponsor.is_some() { 0 } else { all / count + i64::from(all % count != 0) };
        let each = self.submitters.iter().zip(&spares.submitters);
        each.map(|(account, spare)| Sponsor::submitter(account, *spare, need)).collect()
    }

    /// What is left to those who pay for others, beside what open pails take; `None` where nobody does. Submitters count for
    /// as many farmers as they get the calls of out.
    fn left(&self, spares: &Spares) -> Option<i64> {
        if self.sponsor.is_some() {
            return Some(spares.sponsor.unwrap_or_default().saturating_sub(self.owed_by_all()));
        }
        let most = (self.submitters.len() * FARMERS).saturating_sub(self.unworked);
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let all = spares.submitters.iter().flatten().fold(0_i64, |sum, spare| sum.saturating_add(*spare));
        let left = all.saturating_sub(self.owed_by_all());
        (!self.submitters.is_empty()).then(|| left.min(self.fees.after_plant().saturating_mul(most)))
    }

    /// As [`Books::judge`], of farmers in any part of their lives: those who leave or have left count for nobody's means.
    pub fn judge_all(&self, spares: &Spares, farmers: &[(&str, Status, Option<&Wallet>)]) -> Judged {
        let pick = |comes: bool| -> Vec<(&str, Option<&Wallet>)> {
            let those = farmers.iter().filter(|(_, status, _)| status.comes() == comes);
            those.map(|(id, _, wallet)| (*id, *wallet)).collect()
        };
        let Judged { farmers: coming, sponsor, submitters } = self.judge(spares, &pick(true));
        let (mut coming, mut others) =
            (coming.into_iter(), self.judge(spares, &pick(false)).farmers.into_iter());
        let next = |(_, status, _): &(&str, Status, Option<&Wallet>)| {
            if status.comes() { coming.next() } else { others.next() }
        };
        Judged { farmers: farmers.iter().filter_map(next).collect(), sponsor, submitters }
    }

    /// What each of these farmers (id, account) lacks to plant once more, and who pays for it; with a sponsor or submitters,
    /// by what they have.
    pub fn judge(&self, spares: &Spares, farmers: &[(&str, Option<&Wallet>)]) -> Judged {
        let is_sponsored = self.sponsor.is_some();
        // Submitters send all but the plant.
        let (cost, rest_least) =
            if is_sponsored { (self.fees.round(), 0) } else { (self.fees.after_plant(), self.fees.plant) };
        let each: Vec<(Vec<Lack>, Vec<Lack>)> = farmers
            .iter()
            .map(|(id, wallet)| {
                let (due, least) = (self.due(id), self.least(id));
                let own = lacks(*wallet, least, due);
                // With a sponsor it needs no lumens but its reserve; an account begins with some all the same.
                let rest = if wallet.is_some() { lacks(*wallet, rest_least, due) } else { own.clone() };
                (own, rest)
            })
            .collect();
        let fit: Vec<(i64, bool)> =
            each.iter().filter(|(_, rest)| rest.is_empty()).map(|(own, _)| (cost, own.is_empty())).collect();
        let left = self.left(spares);
        let mut payers = payers(left, &fit).into_iter();
        let verdict = |(own, rest): (Vec<Lack>, Vec<Lack>)| {
            if left.is_none() {
                let payer = own.is_empty().then_some(Payer::Itself);
                return Readiness { lacks: own, payer };
            }
            let payer = if rest.is_empty() { payers.next().flatten() } else { None };
            let short = own.first().filter(|_| rest.is_empty() && payer.is_none());
            let short = short.map(|lack| match *lack {
                Lack::Lumens { spare, least } if is_sponsored => Lack::Sponsor { spare, least },
                Lack::Lumens { spare, least } => Lack::Submitters { spare, least },
                other => other,
            });
            let payer = payer.map(|payer| match payer {
                Payer::Sponsor if !is_sponsored => Payer::Submitters,
                payer => payer,
            });
            Readiness { lacks: rest.into_iter().chain(short).collect(), payer }
        };
        Judged {
            farmers: each.into_iter().map(verdict).collect(),
            sponsor: self.sponsor_of(spares.sponsor, fit.len()),
            submitters: self.submitters_of(spares, fit.len()),
        }
    }
}

fn whole_block(index: u32) -> Base {
    u128::try_from(block_reward(index)).map(Base::from).unwrap_or_default()
}

/// What a farmer lacks, and who pays its fees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Readiness {
    /// Nothing = a stake may go out.
    pub lacks: Vec<Lack>,
    /// `None` = nobody can.
    pub payer: Option<Payer>,
}

/// Who can go on.
#[derive(Debug, Clone)]
pub struct Judged {
    /// By farmer, in the order in which they were given.
    pub farmers: Vec<Readiness>,
    /// The sponsor, where there is one.
    pub sponsor: Option<Sponsor>,
    /// The submitters.
    pub submitters: Vec<Sponsor>,
}

impl Judged {
    /// Why a farmer that lacks this is not planted for: by who should pay for it, where that is what it lacks.
    pub fn why(&self, lack: Lack, address: &str) -> Error {
        let error = match lack.reason() {
            Reason::SponsorLow => self.sponsor.as_ref().and_then(Sponsor::error),
            Reason::SubmitterLow => self.submitters.iter().find_map(Sponsor::error),
            _ => None,
        };
        error.unwrap_or_else(|| lack.error(address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chain::wallet::{Leave, Trust};

    const XLM: i64 = 10_000_000;
    const SPONSOR: &str = "GBDVX4VELCDSQ54KQJYTNHXAHFLBCA77ZY2USQBM4CSHTTV7DME7KALE";

    fn books(sponsor: bool) -> Books {
        Books {
            fees: Fees { plant: XLM, work: XLM, harvest: XLM },
            sponsor: sponsor.then(|| SPONSOR.parse().unwrap()),
            open: BTreeMap::from([("b".to_owned(), (2 * XLM, Base::from(50u8)))]),
            unworked: 0,
            reward: Base::from(100u8),
            min_lumens: XLM,
            spent: 0,
            submitters: Vec::new(),
        }
    }

    fn wallet(spare: i64, room: u64) -> Wallet {
        let (room, zero) = (Base::from(room), Base::ZERO);
        let trust =
            Trust { balance: zero, room, limit: room, buying: zero, selling: zero, leave: Leave::Full };
        Wallet { sequence: 1, lumens: 15_000_000 + spare, reserve: 15_000_000, kale: Some(trust) }
    }

    #[test]
    fn submitters_pay_for_all_but_the_plant_of_as_many_as_they_serve() {
        use Payer::{Itself, Submitters};
        use Reason::{SubmitterLow, TooFewLumens};
        let one = || vec![SPONSOR.parse::<AccountId>().unwrap()];
        let books = Books { submitters: one(), ..books(false) };
        // Work and harvest of each are 2 XLM, and 2 XLM more for the pail that is out.
        let (rich, poor, bare) = (wallet(9 * XLM, 1_000), wallet(XLM, 1_000), wallet(XLM - 1, 1_000));
        for (spare, want, ready) in [
            (Some(6 * XLM), [(None, Some(Submitters)), (None, Some(Submitters))], true),
            (Some(6 * XLM - 1), [(None, Some(Itself)), (None, Some(Submitters))], false),
            (Some(4 * XLM - 1), [(None, Some(Itself)), (Some(SubmitterLow), None)], false),
            (None, [(None, Some(Itself)), (Some(SubmitterLow), None)], false),
        ] {
            let spares = Spares { sponsor: None, submitters: vec![spare] };
            let judged = books.judge(&spares, &[("a", Some(&rich)), ("c", Some(&poor)), ("d", Some(&bare))]);
            let got: Vec<_> = judged
                .farmers
                .iter()
                .map(|farmer| (farmer.lacks.first().map(|lack| lack.reason()), farmer.payer))
                .collect();
            assert_eq!(got[..2], want, "{spare:?}");
            assert_eq!(got[2], (Some(TooFewLumens), None), "it cannot pay for its plant: {spare:?}");
            assert_eq!(judged.submitters.iter().all(Sponsor::is_ready), ready, "{spare:?}");
        }
        // However much it has, it gets out the calls of so many only.
        let many = vec![("c", Some(&poor)); FARMERS + 1];
        let spares = Spares { sponsor: None, submitters: vec![Some(1_000 * XLM)] };
        let served = books.judge(&spares, &many).farmers;
        assert_eq!(served.iter().filter(|one| one.payer == Some(Submitters)).count(), FARMERS);
        // Pails that are planted and not worked take their places.
        let busy = Books { unworked: 7, ..books.clone() };
        let served = busy.judge(&spares, &many).farmers;
        assert_eq!(served.iter().filter(|one| one.payer == Some(Submitters)).count(), FARMERS - 7);
        // With a sponsor, all that a submitter needs is to be there.
        let sponsored = Books { submitters: one(), ..self::books(true) };
        let spares = |own| Spares { sponsor: Some(9 * XLM), submitters: vec![own] };
        let ready = |own| sponsored.judge(&spares(own), &[("c", Some(&bare))]).submitters[0].is_ready();
        assert!(ready(Some(0)) && !ready(None));
    }

    #[test]
    fn who_leaves_takes_nothing_from_the_sponsor() {
        use Status::{Active, Departed, Funded, Leaving, WalletCreated};
        let (poor, need) = (wallet(0, 1_000), |farmers: i64| 2 * XLM + 3 * XLM * farmers);
        let spares = |spare| Spares { sponsor: Some(spare), submitters: Vec::new() };
        for (statuses, counted) in [
            (&[Active, Active][..], 2),
            (&[Leaving, Active, Departed], 1),
            (&[WalletCreated, Funded, Active, Leaving], 3),
        ] {
            let farmers: Vec<_> = statuses.iter().map(|status| ("c", *status, Some(&poor))).collect();
            let judged = books(true).judge_all(&spares(need(counted)), &farmers);
            assert_eq!(judged.farmers.len(), statuses.len());
            let sponsor = judged.sponsor.unwrap();
            assert_eq!((sponsor.need, sponsor.is_ready()), (need(counted), true), "{statuses:?}");
            let short = books(true).judge_all(&spares(need(counted) - 1), &farmers).sponsor.unwrap();
            assert!(!short.is_ready(), "{statuses:?}");
        }
    }

    #[test]
    fn who_can_go_on_is_known_before_it_costs() {
        use Payer::{Itself, Sponsor};
        use Reason::{NoAccount, SponsorLow, TooFewLumens, TrustlineFull};
        type Want<'a> = &'a [(&'a [Reason], Option<Payer>)];
        type Case<'a> = (Option<i64>, &'a [(&'a str, Option<&'a Wallet>)], Want<'a>, bool);
        let (rich, poor, full) = (wallet(9 * XLM, 1_000), wallet(0, 1_000), wallet(9 * XLM, 99));
        // Farmer b has a pail out: its fees are 2 XLM more, and 50 stroops more are to come back.
        let (edge, short) = (wallet(5 * XLM, 150), wallet(5 * XLM - 1, 149));
        let two = &[("a", Some(&rich)), ("c", Some(&poor))];
        let out = &[("b", Some(&edge)), ("b", Some(&short))];
        let four = &[("d", None), ("c", Some(&poor)), ("a", Some(&full)), ("e", Some(&poor))];
        let (itself, sponsor): (_, (&[Reason], _)) = ((&[][..], Some(Itself)), (&[], Some(Sponsor)));
        let cases: &[Case<'_>] = &[
            (None, two, &[itself, (&[TooFewLumens], None)], true),
            (None, out, &[itself, (&[TooFewLumens, TrustlineFull], None)], true),
            // Two rounds, and 2 XLM for the pail that is out.
            (Some(8 * XLM), two, &[sponsor, sponsor], true),
            (Some(8 * XLM - 1), two, &[itself, sponsor], false),
            (Some(5 * XLM - 1), two, &[itself, (&[SponsorLow], None)], false),
            // The first that has nothing is paid for; who could not plant anyway takes nothing from it.
            (
                Some(5 * XLM),
                four,
                &[(&[NoAccount], None), sponsor, (&[TrustlineFull], None), (&[SponsorLow], None)],
                false,
            ),
        ];
        for (spare, farmers, want, ready) in cases {
            let spares = Spares { sponsor: *spare, submitters: Vec::new() };
            let judged = books(spare.is_some()).judge(&spares, farmers);
            let lacks: Vec<Vec<Reason>> = judged
                .farmers
                .iter()
                .map(|farmer| farmer.lacks.iter().map(|lack| lack.reason()).collect())
                .collect();
            let got: Vec<_> =
                lacks.iter().zip(&judged.farmers).map(|(lacks, one)| (lacks.as_slice(), one.payer)).collect();
            assert_eq!(got, *want, "{spare:?} {farmers:?}");
            let is_ready = judged.sponsor.is_none_or(|sponsor| sponsor.is_ready());
            assert_eq!(is_ready, *ready, "{spare:?} {farmers:?}");
        }
    }
}
