//! What runs learn of the EVM chain and its endpoints, for the runs after them.

use base::Result;
use rusqlite::{Connection, params};
use state::{Permit, State, Tx, meta_get, rows};
use std::collections::{BTreeMap, BTreeSet};

/// What runs learn of a chain and its endpoints, for the runs after them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Learned {
    /// Tags that the chain has shown once: it has them from then on, whatever an endpoint says.
    pub tags: BTreeSet<String>,
    /// Endpoints that refused wide log queries, with the width in blocks that they answered.
    pub log_widths: BTreeMap<String, u64>,
}

/// What earlier runs learned.
pub fn learned(conn: &Connection) -> Result<Learned> {
    let tags = rows::all(conn, "SELECT tag FROM evm_tags", [], |row| Ok(row.get("tag")?))?;
    let widths = "SELECT name, log_blocks FROM evm_endpoints";
    let log_widths = rows::all(conn, widths, [], |row| Ok((row.get("name")?, row.get("log_blocks")?)))?;
    Ok(Learned { tags, log_widths })
}

/// Keeps what a run on chain `chain_id` learned: a tag for good, the widths of the endpoints that were `asked` until
/// they prove different. A state that does not belong to that chain keeps nothing.
pub fn learn(
    state: &mut State,
    permit: Permit<'_>,
    chain_id: u64,
    new: &Learned,
    asked: &[String],
) -> Result<()> {
    let before = learned(state.conn())?;
    let same = |name: &String| before.log_widths.get(name) == new.log_widths.get(name);
    let pinned = meta_get(state.conn(), "evm_chain_id")?.is_some_and(|id| id == chain_id.to_string());
    if !pinned || (new.tags.is_subset(&before.tags) && asked.iter().all(same)) {
        return Ok(());
    }
    state.write(permit, |tx: &Tx<'_>| {
        for tag in &new.tags {
            rows::run(tx.conn(), "INSERT OR IGNORE INTO evm_tags VALUES (?1, ?2)", params![tag, tx.now()])?;
        }
        for name in asked {
            match new.log_widths.get(name) {
                Some(width) => rows::run(
                    tx.conn(),
                    "INSERT INTO evm_endpoints VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET log_blocks = ?2",
                    params![name, i64::try_from(*width).unwrap_or(i64::MAX)],
                )?,
                None => rows::run(tx.conn(), "DELETE FROM evm_endpoints WHERE name = ?1", [name])?,
            }
        }
        Ok(())
    })
}
