//! The best nonces found so far, so that a search that was killed goes on where it was, and those that others have found for the
//! run that works. SQL only.
//!
//! What is stored is where to go on and which nonce is best; its hash is computed anew when it is read.

use base::{Error, Result};
use grind::scheduler::Farmer;
use grind::{Job, Solution};
use rusqlite::{Connection, params};
use state::{Tx, rows};
use std::collections::HashMap;

/// Where the search for a farmer stood on exactly this block and entropy: the first nonce not tried, and the best.
pub fn load(conn: &Connection, farmer: &str, job: &Job) -> Result<Option<(u64, Option<Solution>)>> {
    let sql = "SELECT next_nonce, best_nonce FROM nonces
         WHERE farmer_id = ?1 AND block_index = ?2 AND entropy = ?3";
    let nonce = |text: String| {
        text.parse::<u64>().map_err(|_| Error::corrupt(format!("nonces: invalid nonce: \"{text}\"")))
    };
    rows::first(conn, sql, params![farmer, job.index, hex(&job.entropy)], |row| {
        let best: Option<String> = row.get("best_nonce")?;
        let best = best.map(nonce).transpose()?.map(|best| Solution::new(job, best));
        Ok((nonce(row.get("next_nonce")?)?, best))
    })
}

/// Notes where the search for a farmer stands.
pub fn save(tx: &Tx<'_>, farmer: &str, at: &Farmer) -> Result<()> {
    // After the last nonce there is none: it would be tried twice.
    let next = at.next.unwrap_or(u64::MAX).to_string();
    let best = at.best.map(|best| best.nonce.to_string());
    let (hash, zeros) = at.best.map(|best| (hex(&best.hash), best.zeros)).unzip();
    rows::run(
        tx.conn(),
        "INSERT INTO nonces (farmer_id, block_index, entropy, next_nonce, best_nonce, best_hash, best_zeros, updated_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
         ON CONFLICT (farmer_id, block_index, entropy) DO UPDATE SET next_nonce = ?4, updated_at = ?8,
             best_nonce = iif(best_zeros > coalesce(?7, -1), best_nonce, ?5),
             best_hash = iif(best_zeros > coalesce(?7, -1), best_hash, ?6),
             best_zeros = iif(best_zeros > coalesce(?7, -1), best_zeros, ?7)",
        params![farmer, at.job.index, hex(&at.job.entropy), next, best, hash, zeros, tx.now()],
    )
}

/// Puts a nonce that another has found beside a farmer's search, for the run that works for it; false where one that is as
/// good stands there.
pub fn offer(tx: &Tx<'_>, farmer: &str, job: &Job, found: &Solution) -> Result<bool> {
    let Solution { nonce, hash, zeros } = found;
    rows::put(
        tx.conn(),
        "INSERT INTO nonces (farmer_id, block_index, entropy, next_nonce, best_nonce, best_hash, best_zeros, updated_at)
         VALUES (?1, ?2, ?3, '0', ?4, ?5, ?6, ?7)
         ON CONFLICT (farmer_id, block_index, entropy) DO UPDATE SET best_nonce = ?4, best_hash = ?5, best_zeros = ?6,
             updated_at = ?7 WHERE best_zeros IS NULL OR best_zeros < ?6",
        params![farmer, job.index, hex(&job.entropy), nonce.to_string(), hex(hash), zeros, tx.now()],
    )
}

/// Zeros of the best nonces at hand for the open pails of a block, by farmer.
pub fn bests(conn: &Connection, block: u32) -> Result<HashMap<String, u32>> {
    let sql = "SELECT o.farmer_id, max(n.best_zeros) AS zeros FROM open_pails o
         JOIN nonces n ON n.farmer_id = o.farmer_id AND n.block_index = o.block_index
         WHERE o.block_index = ?1 AND n.best_zeros IS NOT NULL GROUP BY o.farmer_id";
    rows::all(conn, sql, [block], |row| Ok((row.get("farmer_id")?, row.get("zeros")?)))
}

/// 32 bytes as lower-case hex.
pub fn hex(bytes: &[u8; 32]) -> String {
    alloy::hex::encode(bytes)
}
