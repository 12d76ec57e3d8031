//! Asking `strategy.command` about a block, and remembering what it said.

use super::program::{Program, failed};
use super::question::{Answer, Asked, Last, answer, question};
use super::{Strategies, Strategy};
use crate::contract::BLOCK_SECONDS;
use crate::farmers::{self, Farmer};
use crate::rows;
use crate::site::{Farming, Site};
use crate::status::Status;
use crate::wallet::Look;
use base::{Code, Error, Result, Stop};
use rusqlite::Connection;
use stellar::account;
use stellar::xdr::AccountId;

/// What was said of a block.
#[derive(Debug, Clone)]
pub struct Heard {
    block: u32,
    /// When it was asked, in seconds of ledger time.
    at: u64,
    /// What it answered, or why there is no answer.
    answer: Result<Answer>,
}

impl Heard {
    /// A block may never begin without us: what was said of it does not stand for ever.
    fn is_old(&self, now: u64) -> bool {
        let blocks = if self.answer.is_ok() { 2 } else { 1 };
        now >= self.at.saturating_add(blocks * BLOCK_SECONDS)
    }
}

/// Asks the program about a block: what each farmer that has not departed stakes, aims at and waits for.
///
/// # Errors
/// `strategy_failed`, `interrupted`; `state_error`, `state_corrupt`; those of [`Look::read`].
pub async fn ask(
    conn: &Connection,
    site: &Site,
    (program, stop): (&Program, &Stop),
    all: Strategy,
    asked: &Asked,
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
    ///
    /// # Errors
    /// As [`ask`], what the command failed with aside.
    pub async fn consult(&mut self, asked: &Asked, now: u64) -> Result<bool> {
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
    ///
    /// # Errors
    /// `state_error`, `state_corrupt`.
    pub fn strategies(&self, block: u32) -> Result<Strategies> {
        let strategies = Strategies::read(self.work.state.conn(), self.settings.strategy)?;
        Ok(match self.heard_of(block) {
            Some(Ok(answer)) => strategies.with(answer),
            Some(Err(_)) => strategies,
            None => Strategies { open: self.settings.command.is_some(), ..strategies },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_said_is_forgotten_after_a_block_or_two() {
        for (answer, old) in [(Ok(Answer::new()), 1_600), (Err(failed("failed")), 1_300)] {
            let heard = Heard { block: 7, at: 1_000, answer };
            assert!(!heard.is_old(old - 1) && heard.is_old(old), "{heard:?}");
        }
    }
}
