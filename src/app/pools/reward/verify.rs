//! Of `reward epoch verify`: what was paid, computed again.

use base::Result;
use base::amount::Quantity;
use rusqlite::Connection;
use schemars::JsonSchema;
use serde::Serialize;
use vault::pool::ViewStamp;
use vault::reward::{self, Difference, Verification};

/// What was found.
#[derive(Debug, Serialize, JsonSchema)]
pub struct VerifyOutput {
    /// `chain`, or `state` with --offline.
    pub source: &'static str,
    /// The block and endpoint that the logs were read at; null with --offline.
    pub view: Option<ViewStamp>,
    /// Epoch by epoch.
    pub epochs: Vec<VerifiedView>,
    /// What is not as it should be; the first 10,000.
    pub differences: Vec<Difference>,
    /// How many there are.
    pub difference_count: u64,
}

/// An epoch that was computed again.
#[derive(Debug, Serialize, JsonSchema)]
pub struct VerifiedView {
    /// Its id.
    pub epoch: i64,
    /// Its pool.
    pub pool: String,
    /// First block.
    pub start_block: u64,
    /// First block after it.
    pub end_block: u64,
    /// Rewards compared.
    pub rewards: u64,
    /// Given to members, as it stands in the state.
    pub distributed: Quantity,
    /// Differences in it.
    pub differences: u64,
}

impl VerifyOutput {
    /// What a verification found.
    pub fn of(conn: &Connection, found: Verification) -> Result<Self> {
        let mut epochs = Vec::with_capacity(found.epochs.len());
        for epoch in found.epochs {
            let token = reward::token_of(conn, &epoch.row)?;
            epochs.push(VerifiedView {
                epoch: epoch.row.id,
                pool: epoch.pool,
                start_block: epoch.row.epoch.start,
                end_block: epoch.row.epoch.end,
                rewards: epoch.rewards,
                distributed: token.quantity(epoch.row.distributed),
                differences: epoch.differences,
            });
        }
        Ok(Self {
            source: if found.view.is_some() { "chain" } else { "state" },
            view: found.view,
            epochs,
            differences: found.differences,
            difference_count: found.total,
        })
    }
}
