//! Confirming risk parameters: engines are read at one block, limits of our own are what they are.

use super::engine::{RowDecoder, ask};
use super::parameters::{RiskRow, row, store, summary};
use super::source::Engine;
use crate::pool::{self, Pool};
use base::{Code, Error, Result, say};
use evm::{At, Chain, ViewStamp};
use state::WriteContext;
use std::collections::HashMap;

/// Confirms the parameters of `pools`. Returns the view, if one was needed, and why pools could not be refreshed, by id.
pub async fn refresh(
    work: &mut WriteContext<'_>,
    chain: impl FnOnce() -> Result<Chain>,
    pools: &[Pool],
    at: At,
) -> Result<(Option<ViewStamp>, HashMap<i64, Error>)> {
    let mut failures = HashMap::new();
    let mut read: Vec<(&Pool, RiskRow)> = Vec::new();
    let mut remote: Vec<(&Pool, RiskRow)> = Vec::new();
    for pool in pools {
        match row(work.state.conn(), pool)?.filter(RiskRow::is_set) {
            None => {
                let why = format!("pool \"{}\" has no risk parameters", pool.name);
                let e = Error::new(Code::MissingSetting, why)
                    .hint(say("give it some: ").run("risk set").of(&pool.name).with("max-tvl").of("…"));
                failures.insert(pool.id, e);
            }
            Some(row) if row.engine == Engine::Local => read.push((pool, row)),
            Some(row) => remote.push((pool, row)),
        }
    }
    let mut view = None;
    if !remote.is_empty() {
        let chain = chain()?;
        let answers = chain.view_above(at, pool::newest_known(pools), async |view| {
            let mut batch = view.batch();
            let asked: Vec<Option<RowDecoder>> =
                remote.iter().map(|(pool, row)| ask(&mut batch, row.engine, pool.address)).collect();
            let reply = batch.send().await?;
            let read = |(asked, (_, row)): (&Option<RowDecoder>, &(&Pool, RiskRow))| match asked {
                Some(asked) => asked(&reply, row.clone()),
                None => Ok(row.clone()),
            };
            Ok((ViewStamp::of(view), asked.iter().zip(&remote).map(read).collect::<Vec<_>>()))
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
        for (pool, mut fresh) in read {
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
