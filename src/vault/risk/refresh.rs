//! Confirming risk parameters: engines are read at one block, limits of our own are what they are.

use super::engine::Asked;
use super::parameters::{RiskRow, row, store, summary};
use super::source::Engine;
use crate::pool::{self, Pool, ViewStamp};
use base::{Code, Error, Result, say};
use evm::{At, Chain};
use state::Work;
use std::collections::HashMap;

/// Confirms the parameters of `pools`: engines are read at one block, local ones are what they are. Returns the
/// view, if one was needed, and why pools could not be refreshed, by id.
///
/// # Errors
/// Those of the transport; a pool's own engine is in the result.
pub async fn refresh(
    work: &mut Work<'_>,
    chain: impl FnOnce() -> Result<Chain>,
    pools: &[Pool],
    at: At,
) -> Result<(Option<ViewStamp>, HashMap<i64, Error>)> {
    let mut failures = HashMap::new();
    let mut local = Vec::new();
    let mut remote: Vec<(&Pool, RiskRow)> = Vec::new();
    for pool in pools {
        match row(work.state.conn(), pool)?.filter(RiskRow::is_set) {
            None => {
                let e = Error::new(
                    Code::MissingSetting,
                    format!("pool \"{}\" has no risk parameters", pool.name),
                )
                .hint(say("give it some: ").run("risk set").of(&pool.name).with("max-tvl").of("…"));
                failures.insert(pool.id, e);
            }
            Some(row) => match row.engine {
                Engine::Local => local.push((pool, row)),
                Engine::Viddhana(_) | Engine::Legacy(_) => remote.push((pool, row)),
            },
        }
    }
    let mut view = None;
    let mut read: Vec<(&Pool, RiskRow)> = Vec::new();
    if !remote.is_empty() {
        let chain = chain()?;
        let known = pool::newest_known(pools);
        let answers = chain.view_above(at, known, async |view| {
            let mut batch = view.batch();
            let asked: Vec<Option<Asked>> =
                remote.iter().map(|(pool, row)| Asked::new(&mut batch, row.engine, pool.address)).collect();
            let reply = batch.send().await?;
            let stamp = ViewStamp::of(view);
            let read = |(asked, (_, row)): (&Option<Asked>, &(&Pool, RiskRow))| match asked {
                Some(asked) => asked.read(&reply, row.clone()),
                None => Ok(row.clone()),
            };
            Ok((stamp, asked.iter().zip(&remote).map(read).collect::<Vec<_>>()))
        });
        let (stamp, answers) = answers.await?;
        for ((pool, _), answer) in remote.into_iter().zip(answers) {
            match answer {
                Ok(mut row) => {
                    row.source = Some((stamp.number, stamp.endpoint.clone()));
                    read.push((pool, row));
                }
                Err(e) => {
                    failures.insert(pool.id, e.context(format!("risk engine of pool \"{}\"", pool.name)));
                }
            }
        }
        view = Some(stamp);
    }
    let now = work.state.run().clock.now();
    work.state.write(work.permit, |tx| {
        for (pool, mut fresh) in local.into_iter().chain(read) {
            let before = row(tx.conn(), pool)?;
            fresh.refreshed_at = Some(now);
            store(tx, pool, &fresh, view.as_ref())?;
            let values =
                |row: &RiskRow| (row.parameters.clone(), row.deposits_enabled, row.withdrawals_enabled);
            if before.as_ref().map(values) != Some(values(&fresh)) {
                tx.event("risk.fetched", &pool.name, &summary(&fresh))?;
            }
        }
        Ok(())
    })?;
    Ok((view, failures))
}
