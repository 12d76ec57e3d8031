//! The operator wants to stop: what is at stake is told, and what was found for it is submitted while there is time.

use super::{Farmhand, Note};
use crate::chain::Who;
use crate::chain::view::{Ask, View};
use crate::farming::Farming;
use crate::record::rows;
use crate::schedule::{self, Step};
use crate::work::{self, AtStake, Deadline, Orders, Shift, Worked};
use base::Result;
use state::ValuePermit;
use std::time::{Duration, Instant};

/// So long the farm's answer is waited for.
const LOOK: Duration = Duration::from_secs(10);

impl Farmhand<'_> {
    pub(super) async fn leave(
        &mut self,
        farming: &mut Farming<'_, '_>,
        permit: ValuePermit<'_>,
    ) -> Result<()> {
        let (begun, Some((index, until, now))) = (Instant::now(), self.last_look(farming).await?) else {
            return Ok(());
        };
        let Some(stake) = work::at_stake(farming, index, until, |_| true)? else { return Ok(()) };
        let submits = !self.terms.orders.abandon;
        (self.tell)(&Note::Stopping(&stake, submits));
        if submits {
            let mut worked = Vec::new();
            let submitting = Box::pin(self.submit_all(farming, permit, &stake, &mut worked));
            let done = work::in_time(submitting).await;
            for worked in &worked {
                (self.tell)(&Note::Worked(worked));
            }
            match done {
                Err(e) if e.code().is_transient() => (self.tell)(&Note::Trouble(Step::Work, &e)),
                done => done?,
            }
        }
        let until = until.filter(|until| now.saturating_add(begun.elapsed().as_secs()) < *until);
        self.ran.at_stake = work::at_stake(farming, index, until, |_| true)?;
        self.ran.unsettled = submits && self.ran.at_stake.is_some();
        Ok(())
    }

    /// The block, until when work gets into it, and the time there. A plant may have begun the next block since the last look, so
    /// the farm is looked at once more; where nobody answers, the records tell of that.
    async fn last_look(&mut self, farming: &Farming<'_, '_>) -> Result<Option<(u32, Option<u64>, u64)>> {
        let ask = Ask { guess: self.ran.view.as_ref().map(|view| view.farm.index), ..Ask::default() };
        match tokio::time::timeout(LOOK, View::read(farming.site, &ask)).await {
            Ok(Ok(view)) => self.ran.view = Some(view),
            Ok(Err(e)) if !e.code().is_transient() => return Err(e),
            _ => {}
        }
        let Some(view) = &self.ran.view else { return Ok(None) };
        let (index, now) = (view.farm.index, view.at.time);
        let next = index.saturating_add(1);
        let planted = rows::pails_in(farming.work.state.conn(), next)?;
        Ok(Some(match planted.first() {
            Some(pail) => (next, schedule::work_until(pail.due, now), now),
            None => (index, view.work_until(), now),
        }))
    }

    async fn submit_all(
        &mut self,
        farming: &mut Farming<'_, '_>,
        permit: ValuePermit<'_>,
        stake: &AtStake,
        worked: &mut Vec<Worked>,
    ) -> Result<()> {
        let conn = farming.work.state.conn();
        let who = stake.farmers.iter().map(|farmer| Ok(rows::hand(conn, farmer)?.who));
        let who: Vec<Who> = who.collect::<Result<_>>()?;
        let ask = Ask { who: &who, wallets: false, guess: Some(stake.block) };
        let view = View::read(farming.site, &ask).await?;
        if view.farm.index != stake.block {
            return Ok(());
        }
        work::note(farming, &view)?;
        if let Some(shift) = self.shift.as_mut().filter(|shift| shift.block == stake.block) {
            shift.enlist(farming, &view)?;
        } else {
            // They were planted by the turn that was the last.
            let orders = Orders { deadline: Some(Deadline::At(view.at.time)), ..self.terms.orders };
            let kernel = self.kernel(farming);
            self.shift = Shift::begin(farming, &view, &orders, kernel)?;
        }
        let Some(shift) = &mut self.shift else { return Ok(()) };
        work::leave(farming, permit, shift, view.at, worked).await
    }
}
