//! Of `reward cycle`: every closed epoch, distributed.

use crate::failures::{Failure, partly};
use base::Error;
use base::amount::Quantity;
use schemars::JsonSchema;
use serde::Serialize;
use vault::pool::ViewStamp;
use vault::reward::{self, CycleReport};

/// What a cycle did.
#[derive(Debug, Serialize, JsonSchema)]
pub struct CycleOutput {
    /// The block and endpoint that the chain was read at.
    pub view: ViewStamp,
    /// The last final block: nothing is paid beyond it.
    pub final_block: u64,
    /// The reward token's symbol.
    pub symbol: String,
    /// Pool by pool.
    pub pools: Vec<PoolCycleView>,
}

/// One pool's part of a cycle.
#[derive(Debug, Serialize, JsonSchema)]
pub struct PoolCycleView {
    /// The pool.
    pub pool: String,
    /// Epochs distributed now.
    pub epochs: Vec<PaidView>,
    /// The epoch that comes next.
    pub next_start_block: Option<u64>,
    /// Its end; it is paid when the block before is final.
    pub next_end_block: Option<u64>,
    /// Why the remaining epochs were not distributed.
    pub error: Option<String>,
}

/// A distributed epoch.
#[derive(Debug, Serialize, JsonSchema)]
pub struct PaidView {
    /// Its id.
    pub epoch: i64,
    /// First block.
    pub start_block: u64,
    /// First block after it.
    pub end_block: u64,
    /// The pool's part of the emission.
    pub part: Quantity,
    /// Carried in.
    pub carry_in: Quantity,
    /// Given to members.
    pub distributed: Quantity,
    /// Carried to the next epoch.
    pub carry_out: Quantity,
    /// Why.
    pub carry_reason: Option<&'static str>,
    /// Members who got something.
    pub holders: u64,
}

impl CycleOutput {
    /// From the report, with why the run did not wholly succeed.
    pub fn of(report: CycleReport) -> (Self, Option<Error>) {
        let failures: Vec<Failure> =
            report.pools.iter().filter_map(|p| Some((p.pool.clone(), p.failure.clone()?))).collect();
        let failure = partly(report.pools.len() - failures.len(), &failures, "pools");
        let token = report.asset;
        let pools = report.pools.into_iter().map(|p| PoolCycleView {
            pool: p.pool,
            epochs: p
                .epochs
                .into_iter()
                .map(|e| PaidView {
                    epoch: e.id,
                    start_block: e.epoch.start,
                    end_block: e.epoch.end,
                    part: token.quantity(e.sums.part),
                    carry_in: token.quantity(e.sums.carry_in),
                    distributed: token.quantity(e.sums.distributed),
                    carry_out: token.quantity(e.sums.carry_out),
                    carry_reason: e.sums.reason.map(reward::emission::CarryReason::as_str),
                    holders: e.sums.holders,
                })
                .collect(),
            next_start_block: p.next_start,
            next_end_block: p.next_end,
            error: p.failure.map(|e| e.to_string()),
        });
        let output = Self {
            view: report.view,
            final_block: report.final_block,
            pools: pools.collect(),
            symbol: token.symbol,
        };
        (output, failure)
    }
}
