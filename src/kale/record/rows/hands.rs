//! Farmers, as their plants and harvests need them.

use crate::chain::Who;
use crate::farmers::status::Status;
use crate::farmers::terms::Terms;
use base::Result;
use rusqlite::Connection;

/// A farmer with what its plants and harvests need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hand {
    /// Who.
    pub who: Who,
    /// Where it is in its life.
    pub status: Status,
    /// Part of the balance that is staked, in millionths.
    pub stake_percentage_ppm: u32,
    /// Row id of the pooler.
    pub pooler: String,
    /// How a reward is shared out.
    pub terms: Terms,
}

/// Every farmer, in the order in which they came.
pub fn hands(conn: &Connection) -> Result<Vec<Hand>> {
    let mut statement = conn.prepare_cached(
        "SELECT f.id, f.address, f.status, f.stake_percentage_ppm, f.pooler_id, p.reward_split_ppm, p.platform_fee_ppm
         FROM farmers f JOIN poolers p ON p.id = f.pooler_id ORDER BY f.added_at, f.id",
    )?;
    let mut rows = statement.query([])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let (id, address): (String, String) = (row.get("id")?, row.get("address")?);
        found.push(Hand {
            who: Who::new(&id, &address)?,
            status: Status::stored(&row.get::<_, String>("status")?, &id)?,
            stake_percentage_ppm: row.get("stake_percentage_ppm")?,
            pooler: row.get("pooler_id")?,
            terms: Terms::new(row.get("reward_split_ppm")?, row.get("platform_fee_ppm")?)?,
        });
    }
    Ok(found)
}
