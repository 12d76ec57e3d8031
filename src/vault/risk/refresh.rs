//! Confirming risk parameters: engines are read at one block, limits of our own are what they are.

use super::engine::{RowDecoder, ask};
use super::parameters::{RiskRow, row, store, summary};
use super::source::Engine;
use crate::pool::{self, Pool};
use base::{Code, Error, Result, say};
use evm::{At, BatchReply, Chain, ViewStamp};
use rusqlite::Connection;
use state::{Tx, WriteContext};
use std::collections::HashMap;

/// Why pools' parameters could not be refreshed, by pool id.
pub type Failures = HashMap<i64, Error>;

/// Confirms the parameters of `pools`. Returns the view, if one was needed, and why pools could not be refreshed, by id.
pub async fn refresh(
    work: &mut WriteContext<'_>,
    chain: impl Fn() -> Result<Chain>,
    pools: &[Pool],
    at: At,
) -> Result<(Option<ViewStamp>, Failures)> {
    state::anew_async(async || refresh_once(work, &chain, pools, at).await).await
}

async fn refresh_once(
    work: &mut WriteContext<'_>,
    chain: impl Fn() -> Result<Chain>,
    pools: &[Pool],
    at: At,
) -> Result<(Option<ViewStamp>, Failures)> {
    let answers = Answers::ask(work, chain, pools, at).await?;
    let failures = work.state.write(work.permit, |tx| answers.take_in(tx))?;
    Ok((answers.view().cloned(), failures))
}

/// What engines answered at one block, with what stood in the state when they were asked.
pub(super) struct Answers<'p> {
    pools: Vec<Seen<'p>>,
    read: Option<(ViewStamp, BatchReply, HashMap<i64, RowDecoder>)>,
}

impl<'p> Answers<'p> {
    /// Asks the engines of those of `pools` that have one.
    pub async fn ask(
        work: &WriteContext<'_>,
        chain: impl Fn() -> Result<Chain>,
        pools: &'p [Pool],
        at: At,
    ) -> Result<Self> {
        let seen = seen(work.state.conn(), pools)?;
        if seen.iter().all(is_own) {
            return Ok(Self { pools: seen, read: None });
        }
        let chain = chain()?;
        let read = chain.view_above(at, pool::newest_known(pools), async |view| {
            let mut batch = view.batch();
            let mut asked = HashMap::new();
            for (pool, row) in &seen {
                let engine = row.as_ref().map_or(Engine::Local, |row| row.engine);
                asked.extend(ask(&mut batch, engine, pool.address).map(|asked| (pool.id, asked)));
            }
            Ok((ViewStamp::of(view), batch.send().await?, asked))
        });
        let read = Some(read.await?);
        Ok(Self { pools: seen, read })
    }

    /// Those that need no chain, and the ids of the others.
    pub fn without_chain(work: &WriteContext<'_>, pools: &'p [Pool]) -> Result<(Self, Vec<i64>)> {
        let (own, others): (Vec<_>, Vec<_>) = seen(work.state.conn(), pools)?.into_iter().partition(is_own);
        Ok((Self { pools: own, read: None }, others.into_iter().map(|(pool, _)| pool.id).collect()))
    }

    /// Where the engines were read.
    pub fn view(&self) -> Option<&ViewStamp> {
        self.read.as_ref().map(|(view, ..)| view)
    }

    /// Puts what the engines say into the rows as they stand now, whose other limits stay. Returns why pools could not be
    /// refreshed; `state_changed` where a pool's parameters come from somewhere else by now.
    pub fn take_in(&self, tx: &Tx<'_>) -> Result<Failures> {
        let mut failures = Failures::new();
        for (pool, seen) in &self.pools {
            let now = row(tx.conn(), pool)?.filter(RiskRow::is_set);
            if seen.as_ref().map(|row| row.engine) != now.as_ref().map(|row| row.engine) {
                return Err(state::changed(format_args!("where pool \"{}\" has its limits from", pool.name)));
            }
            let Some(now) = now else {
                failures.insert(pool.id, missing(pool));
                continue;
            };
            match self.refreshed(pool, seen.as_ref(), &now) {
                Ok(None) => {}
                Ok(Some(mut fresh)) => {
                    fresh.refreshed_at = Some(tx.now());
                    store(tx, pool, &fresh, self.view().filter(|_| fresh.source.is_some()))?;
                    let values = |row: &RiskRow| {
                        (row.parameters.clone(), row.deposits_enabled, row.withdrawals_enabled)
                    };
                    if values(&now) != values(&fresh) {
                        tx.event("risk.fetched", &pool.name, &summary(&fresh))?;
                    }
                }
                Err(e) => {
                    failures.insert(pool.id, e.context(format!("risk engine of pool \"{}\"", pool.name)));
                }
            }
        }
        Ok(failures)
    }

    /// A pool's row with what its engine says; `None` where another run has read the engine at a later block meanwhile.
    fn refreshed(&self, pool: &Pool, seen: Option<&RiskRow>, now: &RiskRow) -> Result<Option<RiskRow>> {
        let asked =
            self.read.as_ref().and_then(|(view, reply, asked)| Some((view, reply, asked.get(&pool.id)?)));
        let Some((view, reply, decode)) = asked else { return Ok(Some(now.clone())) };
        let source = |row: &RiskRow| row.source.as_ref().map(|(block, _)| *block);
        if seen.and_then(source) != source(now) && source(now) > Some(view.number) {
            return Ok(None);
        }
        let source = Some((view.number, view.endpoint.clone()));
        Ok(Some(RiskRow { source, ..decode(reply, now.clone())? }))
    }
}

/// A pool with its parameters, where it has any.
type Seen<'p> = (&'p Pool, Option<RiskRow>);

fn seen<'p>(conn: &Connection, pools: &'p [Pool]) -> Result<Vec<Seen<'p>>> {
    pools.iter().map(|pool| Ok((pool, row(conn, pool)?.filter(RiskRow::is_set)))).collect()
}

/// Whether no engine is to be asked.
fn is_own((_, row): &Seen<'_>) -> bool {
    row.as_ref().is_none_or(|row| row.engine.address().is_none())
}

fn missing(pool: &Pool) -> Error {
    let why = format!("pool \"{}\" has no risk parameters", pool.name);
    Error::new(Code::MissingSetting, why)
        .hint(say("give it some: ").run("risk set").of(&pool.name).with("max-tvl").of("…"))
}
