//! A farm's past, written straight into a state: what each block leaves behind, without having farmed it.

use anyhow::{Context as _, Result};
use rusqlite::{Connection, params};
use std::path::Path;

/// Seconds of a block.
const BLOCK: u64 = 300;
/// When the first block began.
const BEGAN: u64 = 1_750_000_000;
const STAKE: &str = "1250000000";
const REWARD: &str = "48123456";

/// What was written.
pub struct History {
    /// Number of the newest block.
    pub newest: u32,
    /// Plants; as many works and harvests.
    pub rows: usize,
    /// Bytes of the file.
    pub size: u64,
}

/// Adds so many blocks for every farmer of the state, after those that are in it: each planted, worked and harvested,
/// with its events, and the counts of the pooler.
///
/// The hashes of these events chain nothing; nothing that is timed here walks the chain.
pub fn write(state: &Path, blocks: u32) -> Result<History> {
    let mut conn = Connection::open(state)?;
    // A file that is thrown away if this fails needs no journal, nor twice the room.
    conn.execute_batch(
        "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA locking_mode = EXCLUSIVE;
         PRAGMA cache_size = -262144; PRAGMA foreign_keys = OFF;",
    )?;
    let farmers: Vec<(String, String)> = conn
        .prepare("SELECT id, pooler_id FROM farmers ORDER BY id")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    let pooler = farmers.first().context("no farmer")?.1.clone();
    let mut event: i64 = conn.query_row("SELECT coalesce(max(id), 0) FROM events", [], |row| row.get(0))?;
    let first: u32 =
        conn.query_row("SELECT coalesce(max(block_index) + 1, 0) FROM plantings", [], |row| row.get(0))?;
    let tx = conn.transaction()?;
    {
        let mut plant = tx.prepare(
            "INSERT INTO plantings (farmer_id, block_index, outcome, stake, ledger, at) VALUES (?1, ?2, 'planted', ?3, ?4, ?5)",
        )?;
        let mut work = tx.prepare(
            "INSERT INTO works (farmer_id, block_index, outcome, nonce, hash, zeros, gap, ledger, at)
             VALUES (?1, ?2, 'worked', ?3, ?4, ?5, 53, ?6, ?7)",
        )?;
        let mut harvest = tx.prepare(
            "INSERT INTO harvests (farmer_id, block_index, outcome, stake, reward, forecast, ledger, at)
             VALUES (?1, ?2, 'harvested', ?3, ?4, ?4, ?5, ?6)",
        )?;
        let mut count = tx.prepare(
            "INSERT INTO block_operations (pooler_id, block_index, planted, worked, harvested, staked, rewarded, updated_at)
             VALUES (?1, ?2, ?3, ?3, ?3, ?4, ?5, ?6)",
        )?;
        let mut tell = tx.prepare(
            "INSERT INTO events VALUES (?1, strftime('%Y-%m-%dT%H:%M:%fZ', ?2, 'unixepoch'), ?3, 'bench', ?4, ?5, ?6, ?7, ?7)",
        )?;
        for block in first..first + blocks {
            let began = BEGAN + u64::from(block) * BLOCK;
            let ledger = 1_000 + block * 60;
            let run = format!("{block:08x}-0000-4000-8000-000000000000");
            for (farmer, _) in &farmers {
                let nonce = u64::from(block).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                let zeros = 7 + block % 2;
                let hash = format!("{nonce:064x}");
                plant.execute(params![farmer, block, STAKE, ledger + 1, began + 5])?;
                work.execute(params![
                    farmer,
                    block,
                    nonce.to_string(),
                    hash,
                    zeros,
                    ledger + 55,
                    began + 280
                ])?;
                harvest.execute(params![farmer, block, STAKE, REWARD, ledger + 73, began + 365])?;
                for (kind, at, payload) in [
                    (
                        "plant.planted",
                        5,
                        format!(r#"{{"block":{block},"stake":"{STAKE}","ledger":{ledger},"hash":"{hash}"}}"#),
                    ),
                    (
                        "work.worked",
                        280,
                        format!(
                            r#"{{"block":{block},"nonce":"{nonce}","zeros":{zeros},"gap":53,"hash":"{hash}"}}"#
                        ),
                    ),
                    (
                        "harvest.harvested",
                        365,
                        format!(
                            r#"{{"block":{block},"stake":"{STAKE}","reward":"{REWARD}","ledger":{ledger},"hash":"{hash}"}}"#
                        ),
                    ),
                ] {
                    event += 1;
                    tell.execute(params![event, began + at, run, kind, farmer, payload, hash])?;
                }
            }
            let sum = |each: &str| each.parse::<u64>().map(|each| (each * farmers.len() as u64).to_string());
            count.execute(params![pooler, block, farmers.len(), sum(STAKE)?, sum(REWARD)?, began + 365])?;
        }
    }
    tx.commit()?;
    conn.execute_batch("PRAGMA journal_mode = WAL; PRAGMA locking_mode = NORMAL; PRAGMA optimize;")?;
    drop(conn);
    let rows = farmers.len() * blocks as usize;
    Ok(History { newest: first + blocks - 1, rows, size: std::fs::metadata(state)?.len() })
}
