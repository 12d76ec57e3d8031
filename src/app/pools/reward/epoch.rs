//! Of `reward epoch …`: the epochs of pools: listed, shown, made manually, and verified.

use crate::paging::PageEnd;
use base::amount::Quantity;
use base::{Result, clock, forms};
use evm::ViewStamp;
use rusqlite::Connection;
use schemars::JsonSchema;
use serde::Serialize;
use vault::pool::Pool;
use vault::reward::{self, Difference, EpochRow, Verification};

/// An epoch as the state has it.
#[derive(Debug, Serialize, JsonSchema)]
pub struct EpochView {
    /// Its id.
    pub epoch: i64,
    /// Its pool.
    pub pool: String,
    /// First block.
    pub start_block: u64,
    /// First block after it.
    pub end_block: u64,
    /// Hash of its last block; null before it is distributed.
    #[schemars(with = "Option<forms::EvmHash>")]
    pub last_hash: Option<String>,
    /// `cycle`, or `manual` for one made manually.
    pub origin: &'static str,
    /// `time-weighted` or `snapshot`.
    pub basis: &'static str,
    /// `created` or `distributed`.
    pub status: &'static str,
    /// The reward token's symbol.
    pub symbol: String,
    /// The pool's share of the emission, in millionths of the weights' sum; null for one made manually.
    pub weight_ppm: Option<u32>,
    /// Sum of all weights; null for one made manually.
    pub weight_sum_ppm: Option<u64>,
    /// The pool's part of the emission, or the total given manually.
    pub part: Quantity,
    /// Carried in.
    pub carry_in: Quantity,
    /// Given to members.
    pub distributed: Quantity,
    /// Carried to the next epoch.
    pub carry_out: Quantity,
    /// Why: `no_holders`, `pool_paused` or `zero_weight`.
    pub carry_reason: Option<&'static str>,
    /// Members who got something.
    pub holders: u64,
    /// When it was made, RFC 3339.
    #[schemars(with = "forms::Time")]
    pub created_at: String,
    /// When it was distributed.
    #[schemars(with = "Option<forms::Time>")]
    pub distributed_at: Option<String>,
    /// Root of the Merkle tree that its unclaimed rewards were exported to; null where they were not.
    #[schemars(with = "Option<forms::EvmHash>")]
    pub merkle_root: Option<String>,
    /// When they were.
    #[schemars(with = "Option<forms::Time>")]
    pub exported_at: Option<String>,
}

impl EpochView {
    /// From its row.
    pub fn of(conn: &Connection, pool: &Pool, row: &EpochRow) -> Result<Self> {
        let token = reward::token_of(conn, row)?;
        let exported = reward::exported(conn, row.id)?;
        let status = if row.distributed_at.is_some() { "distributed" } else { "created" };
        Ok(Self {
            epoch: row.id,
            pool: pool.name.clone(),
            start_block: row.epoch.start,
            end_block: row.epoch.end,
            last_hash: row.last_hash.map(|hash| hash.to_string()),
            origin: row.origin.as_str(),
            basis: row.basis.as_str(),
            status,
            weight_ppm: row.weight_ppm,
            weight_sum_ppm: row.weight_sum_ppm,
            part: token.quantity(row.part),
            carry_in: token.quantity(row.carry_in),
            distributed: token.quantity(row.distributed),
            carry_out: token.quantity(row.carry_out),
            carry_reason: row.reason.map(reward::emission::CarryReason::as_str),
            holders: row.holders,
            created_at: clock::rfc3339(row.created_at),
            distributed_at: row.distributed_at.map(clock::rfc3339),
            merkle_root: exported.as_ref().map(|tree| tree.root.to_string()),
            exported_at: exported.map(|tree| clock::rfc3339(tree.exported_at)),
            symbol: token.symbol,
        })
    }
}

/// The epochs.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ListOutput {
    /// The newest first.
    pub epochs: Vec<EpochView>,
    /// Where the page ends.
    #[serde(flatten)]
    pub end: PageEnd,
}

/// The epoch that was made.
#[derive(Debug, Serialize, JsonSchema)]
pub struct CreateOutput {
    /// The epoch.
    #[serde(flatten)]
    pub epoch: EpochView,
    /// False where it was there already.
    pub changed: bool,
}

/// Nothing was distributed, because there was nothing to do.
#[derive(Debug, Serialize, JsonSchema)]
pub struct NothingOutput {
    /// The epoch that was asked for, which is distributed already; null where none was named.
    pub already: Option<EpochView>,
}

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
    /// Given to members, as recorded in the state.
    pub distributed: Quantity,
    /// Differences in it.
    pub differences: u64,
}

impl VerifyOutput {
    /// What a verification found.
    pub fn of(conn: &Connection, found: Verification) -> Result<Self> {
        let verified = found.epochs.into_iter().map(|epoch| {
            Ok(VerifiedView {
                epoch: epoch.row.id,
                pool: epoch.pool,
                start_block: epoch.row.epoch.start,
                end_block: epoch.row.epoch.end,
                rewards: epoch.rewards,
                distributed: reward::token_of(conn, &epoch.row)?.quantity(epoch.row.distributed),
                differences: epoch.differences,
            })
        });
        Ok(Self {
            source: if found.view.is_some() { "chain" } else { "state" },
            view: found.view,
            epochs: verified.collect::<Result<_>>()?,
            differences: found.differences,
            difference_count: found.total,
        })
    }
}
