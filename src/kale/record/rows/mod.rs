//! The farm's rows. SQL only; who calls it decides.

mod baselines;
mod lookups;
mod pails;
mod records;

pub use baselines::{
    Baseline, baseline, baselines_at, harvested_since, is_booked, knows_less, moved_since, set_baseline,
};
pub use lookups::{
    Last, LastHarvest, LastSeen, count_mint, envelopes, has_nonce, is_counted, is_ours, last_block,
    last_harvests, last_planted, last_seen, lost_since, open_count, own_works, work_failures,
};
pub use pails::{
    OpenPail, close_pail, forecast_pail, held_pails, hold_pail, live_pail, miss_pail, missed_of,
    missed_pails, open_pail, open_pails_of, pail, pails_before, pails_in, pails_until, release_pail,
    rolled_and_older, work_pail,
};
pub use records::{
    Ended, HarvestRow, Loss, Lost, Tally, Trace, WorkRow, compensation, harvest, last_ends, losses,
    lost_by_pooler, missing_since, planting, tally, undoubt, unlose, work,
};

use crate::chain::Who;
use crate::farmers::reward_split::RewardSplit;
use crate::farmers::status::Status;
use base::{Error, Result};
use rusqlite::Connection;
use state::rows;
use state::rows::Row;

/// A farmer with what its plants and harvests need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FarmerRow {
    /// Who.
    pub who: Who,
    /// Where it is in its life.
    pub status: Status,
    /// Part of the balance that is staked, in millionths.
    pub stake_percentage_ppm: u32,
    /// Row id of the pooler.
    pub pooler: String,
    /// How a reward is shared out.
    pub terms: RewardSplit,
}

const HAND: &str = "SELECT f.id, f.address, f.status, f.stake_percentage_ppm, f.pooler_id, p.reward_split_ppm, p.platform_fee_ppm
     FROM farmers f JOIN poolers p ON p.id = f.pooler_id";

/// Every farmer, in the order in which they came.
pub fn hands(conn: &Connection) -> Result<Vec<FarmerRow>> {
    rows::all(conn, &format!("{HAND} ORDER BY f.added_at, f.id"), [], read)
}

/// A farmer by its row id, which must be there.
pub fn hand(conn: &Connection, id: &str) -> Result<FarmerRow> {
    let found = rows::first(conn, &format!("{HAND} WHERE f.id = ?1"), [id], read)?;
    found.ok_or_else(|| Error::corrupt(format!("farmer {id} is missing")))
}

fn read(row: &Row<'_>) -> Result<FarmerRow> {
    let (id, address): (String, String) = (row.get("id")?, row.get("address")?);
    Ok(FarmerRow {
        who: Who::new(&id, &address)?,
        status: Status::stored(&row.get::<_, String>("status")?, &id)?,
        stake_percentage_ppm: row.get("stake_percentage_ppm")?,
        pooler: row.get("pooler_id")?,
        terms: RewardSplit::new(row.get("reward_split_ppm")?, row.get("platform_fee_ppm")?)?,
    })
}
