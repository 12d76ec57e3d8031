//! Asking `strategy.command` about a block, and remembering what it said.

use super::Farming;
use super::question::{TargetBlock, answer, question};
use crate::chain::site::Site;
use crate::chain::wallet::Look;
use crate::farmers::status::Status;
use crate::farmers::{self, Farmer};
use crate::record::rows::{self, Last};
use crate::strategy::{Answer, Heard, Program, Strategy, failed};
use base::{Code, Error, Result, Stop};
use rusqlite::Connection;
use std::collections::HashMap;
use stellar::account;
use stellar::xdr::AccountId;

/// Asks the program about a block: what each farmer that has not departed stakes, aims at and waits for.
/// `strategy_failed`, `interrupted`.
pub async fn ask(
    conn: &Connection,
    site: &Site,
    (program, stop): (&Program, &Stop),
    all: Strategy,
    asked: &TargetBlock,
) -> Result<Answer> {
    let mut farmers: Vec<Farmer> = farmers::list(conn, None, None)?;
    farmers.retain(|farmer| farmer.status != Status::Departed);
    let accounts: Vec<AccountId> =
        farmers.iter().map(|farmer| account("a farmer", &farmer.address)).collect::<Result<_>>()?;
    let look = Look::read(site, &accounts.iter().collect::<Vec<_>>()).await?;
    let strategies = Strategies::read(conn, all)?;
    let mut known = Vec::with_capacity(farmers.len());
    for (farmer, wallet) in farmers.iter().zip(look.wallets) {
        let balance = wallet.and_then(|wallet| wallet.kale).map(|kale| kale.balance);
        let last: Option<Last> = rows::last_planted(conn, &farmer.id, asked.index)?;
        known.push((farmer, strategies.of(&farmer.id), balance, last));
    }
    let question = question(site.network(), asked, &known)
        .map_err(|e| Error::new(Code::Bug, format!("a question for strategy.command: {e}")))?;
    let (program, stop) = (program.clone(), stop.clone());
    let said = tokio::task::spawn_blocking(move || program.run(question, &stop))
        .await
        .map_err(|e| Error::new(Code::Bug, format!("strategy.command: {e}")))??;
    answer(&said, farmers.iter().map(|farmer| (farmer.id.as_str(), farmer.address.as_str())))
        .map_err(|why| failed(format!("gave an answer that cannot be used: {why}")))
}

impl Farming<'_, '_> {
    /// Asks `strategy.command` about this block, where there is one and it was not asked yet, at `now` in ledger time. Returns
    /// whether it was asked; why there is no answer is remembered too.
    pub async fn consult(&mut self, asked: &TargetBlock, now: u64) -> Result<bool> {
        self.forget(now);
        let Some(program) = &self.settings.command else { return Ok(false) };
        if self.heard_of(asked.index).is_some() {
            return Ok(false);
        }
        let conn = self.work.state.conn();
        let answer = ask(conn, self.site, (program, self.work.stop), self.settings.strategy, asked).await;
        match answer {
            Err(e) if e.code() != Code::StrategyFailed => Err(e),
            answer => {
                self.heard = Some(Heard { block: asked.index, at: now, answer });
                Ok(true)
            }
        }
    }

    /// Forgets what was said too long ago, at `now` in ledger time.
    pub fn forget(&mut self, now: u64) {
        self.heard.take_if(|heard| heard.is_old(now));
    }

    /// What the command said of a block, if it was asked.
    pub fn heard_of(&self, block: u32) -> Option<&Result<Answer>> {
        self.heard.as_ref().filter(|heard| heard.block == block).map(|heard| &heard.answer)
    }

    /// Why the command gave no answer for a block, if it was asked and did not.
    pub fn unanswered(&self, block: u32) -> Option<&Error> {
        self.heard_of(block)?.as_ref().err()
    }

    /// What each farmer is farmed by in a block, by what the command answered.
    pub fn strategies(&self, block: u32) -> Result<Strategies> {
        let strategies = Strategies::read(self.work.state.conn(), self.settings.strategy)?;
        Ok(match self.heard_of(block) {
            Some(Ok(answer)) => strategies.with(answer),
            Some(Err(_)) => strategies,
            None => Strategies { open: self.settings.command.is_some(), ..strategies },
        })
    }
}

/// What every farmer is farmed by.
#[derive(Debug, Clone, Default)]
pub struct Strategies {
    all: Strategy,
    own: HashMap<String, Strategy>,
    /// Whether `strategy.command` is still to be asked.
    open: bool,
}

impl Strategies {
    /// Each farmer's own terms, and those for all.
    pub fn read(conn: &Connection, all: Strategy) -> Result<Self> {
        Ok(Self { all, own: farmers::strategies(conn)?, open: false })
    }

    /// With an answer of `strategy.command`: what it says comes first.
    #[must_use]
    pub fn with(mut self, answer: &Answer) -> Self {
        for (farmer, said) in answer {
            let own = self.own.entry(farmer.clone()).or_default();
            *own = said.or(*own);
        }
        self
    }

    /// Whether a farmer is planted for, as far as that is known.
    pub fn may_plant(&self, farmer: &str) -> bool {
        self.open || self.of(farmer).plants()
    }

    /// The terms of a farmer: its own, and those for all where it has none.
    pub fn of(&self, farmer: &str) -> Strategy {
        self.own.get(farmer).map_or(self.all, |own| own.or(self.all))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::strategy::Term;
    use base::amount::Base;

    fn base(n: Option<u64>) -> Option<Base> {
        n.map(Base::from)
    }

    #[test]
    fn a_farmers_own_terms_come_first() {
        let all = Strategy {
            target_zeros: Some(5),
            harvest_only: Some(true),
            max_stake: base(Some(9)),
            ..Strategy::default()
        };
        let mut own = Strategy { target_zeros: Some(7), ..Strategy::default() };
        own.set(Term::HarvestOnly(Some(false)));
        own.set(Term::MinWork(Some(180)));
        let strategies = Strategies { all, own: HashMap::from([("a".to_owned(), own)]), open: false };
        let of_a = strategies.of("a");
        assert_eq!((of_a.target_zeros, of_a.max_stake, of_a.plants()), (Some(7), base(Some(9)), true));
        assert_eq!((of_a.work_from(1_000), strategies.of("b").work_from(1_000)), (1_180, 1_000));
        assert_eq!(strategies.of("b"), all);
        assert!(!all.plants());
        own.set(Term::HarvestOnly(None));
        assert!(!own.or(all).plants(), "taken back");
    }

    #[test]
    fn what_the_command_says_comes_first_within_the_bounds() {
        let all = Strategy { max_stake: base(Some(9)), target_zeros: Some(5), ..Strategy::default() };
        let own = Strategy { harvest_only: Some(true), ..Strategy::default() };
        let said = |stake, target_zeros| Strategy { stake: base(stake), target_zeros, ..Strategy::default() };
        let strategies = Strategies { all, own: HashMap::from([("a".to_owned(), own)]), open: false }.with(
            &Answer::from([("a".to_owned(), said(Some(20), None)), ("b".to_owned(), said(None, Some(7)))]),
        );
        let of_a = strategies.of("a");
        assert_eq!((of_a.plants(), of_a.target_zeros), (false, Some(5)), "what it does not say stays");
        for (balance, block, want) in [(100, None, 9), (4, None, 4), (100, Some(3), 3)] {
            let got = of_a.stake(Base::from(balance), 10, base(block)).unwrap();
            assert_eq!(got, Base::from(want), "{balance} {block:?}");
        }
        assert_eq!(strategies.of("b").target_zeros, Some(7));
        assert_eq!(strategies.of("c"), all);
    }
}
