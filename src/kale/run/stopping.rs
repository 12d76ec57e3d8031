//! The operator wants to stop: what is at stake is told, and what was found for it is submitted while there is time.

use super::{Farmhand, Note};
use crate::chain::Who;
use crate::chain::view::{Ask, View};
use crate::farming::Farming;
use crate::record::rows;
use crate::schedule::Step;
use crate::work::{self, AtStake, Deadline, Orders, Shift, Worked};
use base::Result;
use state::ValuePermit;

impl Farmhand<'_> {
    pub(super) async fn leave(
        &mut self,
        farming: &mut Farming<'_, '_>,
        permit: ValuePermit<'_>,
    ) -> Result<()> {
        let Some(view) = &self.ran.view else { return Ok(()) };
        let (index, until) = (view.farm.index, view.work_until());
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
        self.ran.at_stake = work::at_stake(farming, index, until, |_| true)?;
        Ok(())
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
        if let Some(shift) = &mut self.shift {
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
