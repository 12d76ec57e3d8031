//! `poolctl pool reconcile` and `rescan`: the state against the chain, holder by holder and transfer by transfer.

use crate::pools::{NO_POOLS, Pools};
use crate::shell::at::AtFlag;
use crate::shell::prelude::*;
use app::failures::{Failure, partly};
use app::pools::pool::chain::{ReconcileOutput, drift};
use app::pools::pool::chain::{RescanOutput, verify};
use base::amount::to_people;
use vault::pool::{self, Pool};
use vault::sync::{self, Range, Reconciled};
use watch::metrics::Gauge;

/// Compare pools with the chain, holder by holder; exit 5 on any difference
///
/// Each pool is compared at the block of its last sync, so the endpoint must still have that block's state. Every
/// member that has or had shares is asked for by balanceOf. Reads only: nothing is fixed.
#[derive(Debug, Args)]
#[command(before_help = "Example: poolctl pool reconcile --all")]
pub struct Reconcile {
    #[command(flatten)]
    pools: Pools,
}

impl Reconcile {
    pub fn run(self, session: &Session) -> Result<Outcome> {
        let app = App::open(session)?;
        let state = app.read()?;
        let pools = self.pools.select(session, state.conn())?;
        if pools.is_empty() {
            return Ok(Outcome::of(ReconcileOutput { pools: Vec::new(), drifts: 0 }));
        }
        let found = app.look_on_chain(None, async |chain| {
            sync::reconcile(&state, chain, &pools, app.progress(), &session.call.stop).await
        })?;
        let failures: Vec<Failure> =
            found.iter().filter_map(|line| Some((line.pool.clone(), line.failure.clone()?))).collect();
        let failure = drift(&found).or_else(|| partly(found.len() - failures.len(), &failures, "pools"));
        let gauges: Vec<Gauge> = found.iter().map(gauge).collect();
        let drifts = found.iter().map(|line| line.drifts.len()).sum();
        Ok(Outcome::of(ReconcileOutput { pools: found, drifts }).gauges(gauges).but(failure))
    }
}

fn gauge(line: &Reconciled) -> Gauge {
    let help = "Figures of a pool that differ between state and chain.";
    let labels = vec![("pool", line.pool.clone())];
    Gauge { labels, ..Gauge::new("poolctl_pool_drifts", help, line.drifts.len()) }
}

impl Present for ReconcileOutput {
    fn present(&self, page: &mut Page) {
        if self.pools.is_empty() {
            page.line(NO_POOLS);
            return;
        }
        let drifts = self.pools.iter().flat_map(|line| line.drifts.iter().map(move |drift| (line, drift)));
        page.rows(["POOL", "FIGURE", "MEMBER", ">STATE", ">CHAIN"], drifts, |(line, drift)| {
            let member = drift.member_name.as_ref().or(drift.member.as_ref());
            cells![line.pool, drift.what, member, drift.state.to_string(), drift.chain.to_string()]
        });
        for line in &self.pools {
            page.line(match (&line.view, &line.error) {
                (Some(view), _) => {
                    let what = if line.drifts.is_empty() { "equal" } else { "NOT equal" };
                    format!("{}: {what}, {} compared, {view}", line.pool, counted(line.members, "member"))
                }
                (None, error) => format!("{}: {}", line.pool, error.as_deref().unwrap_or("not compared")),
            });
        }
    }
}

/// Read a pool's transfers again and correct the state; exit 5 if paid epochs turn out wrong
///
/// Reads twice, at two endpoints where there are two, in smaller ranges than sync. Nothing is written unless both readings
/// agree, no receipt has a transfer that is to be removed, the holders add up to the total of shares, and balanceOf confirms
/// every member whose shares change. Paid rewards are never rewritten: epochs that were paid on wrong transfers are listed with the difference of each member.
#[derive(Debug, Args)]
#[command(before_help = "Example: poolctl pool rescan main --from 19500000 --dry-run")]
pub struct Rescan {
    /// Name or address of the pool
    pool: String,
    /// First block to read again [default: the pool's deploy block]
    #[arg(long, value_name = "BLOCK", allow_negative_numbers = true)]
    from: Option<u64>,
    #[command(flatten)]
    at: AtFlag,
    #[command(flatten)]
    dry: DryRun,
}

impl Rescan {
    pub fn run(self, session: &Session) -> Result<Outcome> {
        let app = App::open(session)?;
        let at = self.at.or(&app.config)?;
        // What cannot be done is refused before the lock is taken and anything is sent.
        let Pool { id, name, .. } = {
            let state = app.read()?;
            let found = pool::find_active(state.conn(), &self.pool)?;
            Range::of(&found, self.from)?;
            found
        };
        let output = app
            .write_along_chain(self.dry.dry_run, async |work, chain| {
                let found = sync::rescan(work, chain, id, self.from, at).await?;
                let paid = verify(work, &found)?;
                RescanOutput::of(work.state.conn(), found, paid)
            })
            .map_err(|e| e.context(format!("cannot rescan pool \"{name}\"")))?;
        let failure = output.failure();
        let warnings: Vec<String> = output.rolled_back.iter().map(ToString::to_string).collect();
        Ok(Outcome::of(output).warn(warnings).but(failure))
    }
}

impl Present for RescanOutput {
    fn present(&self, page: &mut Page) {
        let heads = ["CHANGE", ">BLOCK", ">LOG", "FROM", "TO", ">SHARES", "TRANSACTION"];
        page.rows(heads, &self.changes, |it| {
            cells![it.change, it.block, it.log_index, it.from, it.to, it.amount, it.tx]
        });
        page.rows(["MEMBER", ">BEFORE", ">AFTER"], &self.holders, |it| {
            cells![it.member_name.as_ref().unwrap_or(&it.member), it.before, it.after]
        });
        let rewards =
            self.wrong_epochs.iter().flat_map(|epoch| epoch.members.iter().map(move |it| (epoch, it)));
        let heads = ["EPOCH", "BLOCKS", "MEMBER", ">PAID", ">DUE", ">DIFFERENCE"];
        page.rows(heads, rewards, |(epoch, reward)| {
            let (paid, due) = (&reward.paid, &reward.due);
            let sign = if due.base < paid.base { "-" } else { "+" };
            let difference = format!("{sign}{}", to_people(paid.base.abs_diff(due.base), paid.decimals));
            let blocks = format!("{}..{}", epoch.start_block, epoch.end_block);
            let member = reward.member_name.as_ref().unwrap_or(&reward.member);
            cells![epoch.epoch, blocks, member, paid, due, difference]
        });
        let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "nothing".to_owned());
        for epoch in &self.wrong_epochs {
            for figure in &epoch.figures {
                let (stored, computed) = (text(&figure.stored), text(&figure.computed));
                page.line(format!(
                    "epoch {}: {} is {stored}, computed {computed}",
                    epoch.epoch, figure.field
                ));
            }
        }
        page.line(format!(
            "{}: blocks {} to {} read again at {}: {} added, {} removed, {} changed, {}",
            self.pool,
            self.from_block,
            self.to_block,
            self.endpoints.join(" and "),
            counted(self.added, "transfer"),
            self.removed,
            counted(self.holders_changed, "holder"),
            counted(self.transfers, "new transfer")
        ));
        page.line(&self.view);
    }
}
