//! `poolctl farm plan`: what would be done next, and why.

use crate::farming::work::OrderFlags;
use crate::shell::prelude::*;
use app::farming::plan::{EarningView, PlanOutput, plan};
use app::farming::time;
use base::clock;

/// Explain what would be done next, when and why, and what each farmer's work would earn
///
/// Times are the ledger's. Rewards are what the contract would pay if nobody else worked in this block from now on; the
/// marginal values are what one more zero, one more ledger and one more KALE of stake would change.
#[derive(Debug, Args)]
#[command(before_help = "Example: poolctl farm plan --json")]
pub struct Plan {
    #[command(flatten)]
    orders: OrderFlags,
}

impl Plan {
    pub(super) fn run(self, session: &Session) -> Result<Outcome> {
        let app = App::open(session)?;
        Ok(Outcome::document(plan(&app, &self.orders.or(&app)?)?))
    }
}

impl Present for PlanOutput {
    fn present(&self, page: &mut Page) {
        let dash = || "–".to_owned();
        let age = self.age_sec.map_or_else(dash, clock::span);
        let paused = if self.paused { ", paused" } else { "" };
        page.pairs([
            ("block", format!("{}{paused}", self.block)),
            ("age", age),
            ("rolls over", self.due_at.clone().unwrap_or_else(dash)),
            ("work by", self.deadline.clone().unwrap_or_else(dash)),
            ("zeros that count", self.zeros_cap.map_or_else(dash, |cap| cap.to_string())),
        ]);
        page.gap();
        for payer in self.sponsor.iter().chain(&self.submitters) {
            page.line(payer);
        }
        if self.agenda.is_empty() {
            page.line("nothing is to be done");
            if self.farmers.iter().any(|farmer| farmer.status == "not_active") {
                page.line("what farmers lack to be active: poolctl farmer check-funding --all");
            }
        } else {
            page.rows(["WHEN", "STEP", ">BLOCK", ">FOR", "BY", "WHY"], &self.agenda, |one| {
                let left = one.from.saturating_sub(self.now);
                let when = if left == 0 { "now".to_owned() } else { format!("in {}", clock::span(left)) };
                cells![when, one.step.as_str(), one.block, one.count, one.until.map(time), one.why]
            });
        }
        if !self.farmers.is_empty() {
            page.gap();
        }
        let heads = [
            "FARMER",
            "STATUS",
            ">ZEROS",
            ">BEST",
            ">AIM",
            ">PAYS NOW",
            ">WITH",
            ">WORK PAYS",
            ">+1 ZERO",
            ">+1 LEDGER",
            ">+1 KALE",
        ];
        page.rows(heads, &self.farmers, |one| {
            let work = |pick: fn(&EarningView) -> &String| one.work.as_ref().map(pick);
            cells![
                one.address,
                one.status.replace('_', " "),
                one.zeros,
                one.best_zeros,
                one.target_zeros,
                one.reward_now,
                one.work.as_ref().map(|work| work.zeros),
                work(|work| &work.reward),
                work(|work| &work.one_more_zero),
                work(|work| &work.one_more_ledger),
                work(|work| &work.one_more_kale),
            ]
        });
        if let Some(answer) = self.strategy.as_ref().filter(|answer| !answer.farmers.is_empty()) {
            page.gap().line(format!("strategy.command says of block {}:", answer.block));
            let heads = ["FARMER", ">STAKE", ">AIM", ">NO WORK BEFORE", "HARVEST ONLY"];
            page.rows(heads, &answer.farmers, |said| {
                let (before, only) = (said.min_work_sec.map(clock::span), said.harvest_only);
                cells![said.farmer, said.stake, said.target_zeros, before, only.map(|only| only.to_string())]
            });
        }
        page.line(&self.view);
    }
}
