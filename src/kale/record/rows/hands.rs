//! Farmers, as their plants and harvests need them.

use crate::chain::Who;
use crate::farmers::terms::Terms;
use base::Result;
use rusqlite::Connection;

/// A farmer with what its plants and harvests need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hand {
    /// Who.
    pub who: Who,
    /// `wallet_created`, `funded`, `active`, `leaving` or `departed`.
    pub status: String,
    /// Part of the balance that is staked, in millionths.
    pub stake_percentage_ppm: u32,
    /// Row id of the pooler.
    pub pooler: String,
    /// How a reward is shared out.
    pub terms: Terms,
}

/// Every farmer, in the order in which they came.
///
/// # Errors
/// `state_error`, `state_corrupt`.
pub fn hands(conn: &Connection) -> Result<Vec<Hand>> {
    let mut statement = conn.prepare_cached(
        "SELECT f.id, f.address, f.status, f.stake_percentage_ppm, f.pooler_id, p.reward_split_ppm, p.platform_fee_ppm
         FROM farmers f JOIN poolers p ON p.id = f.pooler_id ORDER BY f.added_at, f.id",
    )?;
    let mut rows = statement.query([])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let (id, address): (String, String) = (row.get(0)?, row.get(1)?);
        found.push(Hand {
            who: Who::new(&id, &address)?,
            status: row.get(2)?,
            stake_percentage_ppm: row.get(3)?,
            pooler: row.get(4)?,
            terms: Terms::new(row.get(5)?, row.get(6)?)?,
        });
    }
    Ok(found)
}
