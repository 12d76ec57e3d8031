//! `pool reconcile`: what the state says of pools against the chain, holder by holder, at the block that each was
//! synced at. Reads only.

use crate::pool::abi::sol::IERC20;
use crate::pool::abi::{self, MaxDeposit, Reading};
use crate::pool::holders::holdings_before;
use crate::pool::{self, Pool, Snapshot};
use alloy::primitives::Address;
use base::amount::{Base, Quantity};
use base::{Code, Error, Progress, Result, Stop, forms, say};
use evm::{At, BlockRef, Chain, Handle, PinnedView, ViewStamp};
use schemars::JsonSchema;
use serde::Serialize;
use state::columns::at;
use state::{State, rows};
use std::collections::BTreeMap;
use std::fmt;

/// Balances that are asked for before the next lot is.
const PER_ROUND: usize = 5_000;

/// A figure that a drift is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Figure {
    /// An amount, a rate, or a limit, where null means no limit.
    Amount(Option<Quantity>),
    /// A flag; null where the contract has none.
    Flag(Option<bool>),
    /// Seconds; null where the contract has none.
    Seconds(Option<u64>),
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Amount(Some(amount)) => write!(f, "{amount}"),
            Self::Flag(Some(flag)) => f.write_str(if *flag { "yes" } else { "no" }),
            // Exact: it stands beside another that differs.
            Self::Seconds(Some(seconds)) => write!(f, "{seconds} s"),
            Self::Amount(None) | Self::Flag(None) | Self::Seconds(None) => f.write_str("none"),
        }
    }
}

/// A figure that the state and the chain disagree about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Drift {
    /// `shares` of one member; of the pool `total_assets`, `total_shares`, `exchange_rate`, `paused`, `min_deposit`,
    /// `max_deposit`, `cooldown_sec`, or `holders`: the sum of all members' shares, on chain the total of shares.
    pub what: &'static str,
    /// Whose, where it is a member's: its address.
    #[schemars(with = "Option<forms::EvmAddress>")]
    pub member: Option<String>,
    /// That member's name, if it has one.
    pub member_name: Option<String>,
    /// In the state.
    pub state: Figure,
    /// On the chain.
    pub chain: Figure,
}

impl fmt::Display for Drift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.what)?;
        if let Some(member) = self.member_name.as_ref().or(self.member.as_ref()) {
            write!(f, " of {member}")?;
        }
        write!(f, " is {} in the state and {} on the chain", self.state, self.chain)
    }
}

/// One pool.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "PoolLine")]
pub struct Reconciled {
    /// Its name.
    pub pool: String,
    /// `equal`, `drift` or `failed`.
    pub status: &'static str,
    /// Members whose shares were compared.
    pub members: u64,
    /// Every difference, with both values.
    pub drifts: Vec<Drift>,
    /// Why it could not be compared.
    pub error: Option<String>,
    /// Block and endpoint of the comparison.
    pub view: Option<ViewStamp>,
    /// Why it could not be compared, whole.
    #[serde(skip)]
    pub failure: Option<Error>,
}

/// Compares `pools` with the chain. A pool that cannot be compared hides no other; its failure is in what is returned: `drift`
/// where it was never synced, `reorged` where its block is not canonical any more.
pub async fn reconcile(
    state: &State,
    chain: &Chain,
    pools: &[Pool],
    progress: &dyn Progress,
    stop: &Stop,
) -> Result<Vec<Reconciled>> {
    let mut by_block: BTreeMap<u64, Vec<Known>> = BTreeMap::new();
    let mut done: BTreeMap<i64, Reconciled> = BTreeMap::new();
    for pool in pools {
        if let Some(known) = Known::read(state, pool)? {
            by_block.entry(known.snapshot.block.number).or_default().push(known);
        } else {
            let e = Error::new(Code::Drift, "it was never synced: the state knows nothing of its holders")
                .hint(say("run: ").run("sync").of(&pool.name));
            done.insert(pool.id, failed(pool, e));
        }
    }
    let members: usize = by_block.values().flatten().map(|known| known.members.len()).sum();
    progress.begin("comparing holders", Some(members as u64));
    for (block, known) in &by_block {
        let compared =
            chain.view(At::Number(*block), async |view| compare(view, known, progress, stop).await);
        match compared.await {
            Ok(compared) => {
                done.extend(known.iter().map(|known| known.pool.id).zip(compared));
            }
            // The endpoints may keep no state of so old a block, or have no such block: no word on the other pools.
            Err(e) if matches!(e.code(), Code::Rpc | Code::InvalidValue) => {
                for Known { pool, .. } in known {
                    let e = Error::new(Code::Rpc, e.message())
                        .hint("an endpoint that keeps old state is needed, or a fresh sync");
                    done.insert(pool.id, failed(pool, e));
                }
            }
            Err(e) => return Err(e),
        }
    }
    progress.end();
    Ok(pools.iter().filter_map(|pool| done.remove(&pool.id)).collect())
}

/// What the state knows of a pool at the block of its last sync.
struct Known {
    pool: Pool,
    snapshot: Snapshot,
    members: Vec<Holder>,
}

struct Holder {
    address: Address,
    name: Option<String>,
    shares: Base,
}

impl Known {
    fn read(state: &State, pool: &Pool) -> Result<Option<Self>> {
        let look = state.look()?;
        let Some(snapshot) = pool::snapshot(look.conn(), pool)? else { return Ok(None) };
        let holdings = holdings_before(look.conn(), pool.id, snapshot.block.number + 1)?;
        let sql = "SELECT u.member_id, m.address, m.name FROM user_pool_shares u JOIN members m ON m.id = u.member_id
         WHERE u.pool_id = ?1 ORDER BY u.member_id";
        // Every member that has or ever had shares of it.
        let members = rows::all(look.conn(), sql, [pool.id], |row| {
            let shares = holdings.of(row.get("member_id")?);
            Ok(Holder { address: at(row, "address")?, name: row.get("name")?, shares })
        })?;
        Ok(Some(Self { pool: pool.clone(), snapshot, members }))
    }
}

fn failed(pool: &Pool, e: Error) -> Reconciled {
    let e = e.context(format!("cannot compare pool \"{}\"", pool.name));
    let (pool, drifts, error) = (pool.name.clone(), Vec::new(), Some(e.to_string()));
    Reconciled { pool, status: "failed", members: 0, drifts, error, view: None, failure: Some(e) }
}

/// Compares pools that stand at the view's height.
async fn compare(
    view: &PinnedView,
    known: &[Known],
    progress: &dyn Progress,
    stop: &Stop,
) -> Result<Vec<Reconciled>> {
    let stamp = ViewStamp::of(view);
    let mut batch = view.batch();
    let asked = known.iter().map(|known| abi::ask(&mut batch, &known.pool)).collect::<Result<Vec<_>>>()?;
    let reply = batch.send().await?;
    let mut report: Vec<Reconciled> = known
        .iter()
        .zip(asked)
        .map(|(known, asked)| {
            if view.block().hash != known.snapshot.block.hash {
                return failed(&known.pool, replaced(known));
            }
            match asked.read(&reply, &known.pool) {
                Ok(reading) => Reconciled {
                    pool: known.pool.name.clone(),
                    status: "equal",
                    members: 0,
                    drifts: figures(known, &reading),
                    error: None,
                    view: Some(stamp.clone()),
                    failure: None,
                },
                Err(e) => failed(&known.pool, e),
            }
        })
        .collect();
    let places: Vec<(usize, &Known, &Holder)> = known
        .iter()
        .enumerate()
        .filter(|(i, _)| report.get(*i).is_some_and(|pool| pool.failure.is_none()))
        .flat_map(|(i, known)| known.members.iter().map(move |holder| (i, known, holder)))
        .collect();
    for round in places.chunks(PER_ROUND) {
        let mut batch = view.batch();
        let ask = |(_, known, holder): &(usize, &Known, &Holder)| {
            batch.add(known.pool.address, &IERC20::balanceOfCall { account: holder.address })
        };
        let asked: Vec<Handle<IERC20::balanceOfCall>> = round.iter().map(ask).collect();
        let reply = batch.send().await?;
        for ((i, known, holder), handle) in round.iter().zip(asked) {
            let Some(line) = report.get_mut(*i).filter(|line| line.failure.is_none()) else { continue };
            let figure = |base| Figure::Amount(Some(known.pool.shares(base)));
            match reply.get(handle) {
                Ok(held) => {
                    line.members += 1;
                    line.drifts.extend((held != holder.shares).then(|| Drift {
                        what: "shares",
                        member: Some(holder.address.to_string()),
                        member_name: holder.name.clone(),
                        state: figure(holder.shares),
                        chain: figure(held),
                    }));
                }
                Err(e) => *line = failed(&known.pool, e.into_error(known.pool.abi.noun())),
            }
        }
        progress.advance(round.len() as u64);
        stop.check()?;
    }
    for line in report.iter_mut().filter(|line| !line.drifts.is_empty()) {
        line.status = "drift";
    }
    Ok(report)
}

fn replaced(known: &Known) -> Error {
    let BlockRef { number, hash, .. } = known.snapshot.block;
    let why = format!("block {number} ({hash}), which it was synced at, is not canonical any more");
    Error::new(Code::Reorged, why)
        .hint(say("a sync takes it back to common ground: ").run("sync").of(&known.pool.name))
}

/// The pool's own figures, and the sum of its holders.
fn figures(known: &Known, reading: &Reading) -> Vec<Drift> {
    let Known { pool, snapshot: s, members } = known;
    let assets = |base: Option<Base>| Figure::Amount(base.map(|base| pool.asset.quantity(base)));
    let shares = |base: Base| Figure::Amount(Some(pool.shares(base)));
    let rate = |base: Base| Figure::Amount(Some(Quantity::new(base, 18, "")));
    let (chain, limits) = (reading, &reading.limits);
    // Earlier versions kept the contract's own answer.
    let as_answered = s.rate_e18 == chain.answered_e18;
    let rate_e18 = if as_answered { s.rate_e18 } else { chain.rate_e18 };
    // What one side was not told is no difference.
    let told = match (&s.max_deposit, &limits.max_deposit) {
        (MaxDeposit::Unknown(_), _) | (_, MaxDeposit::Unknown(_)) => (None, None),
        (state, chain) => (state.amount(), chain.amount()),
    };
    // A sum past 256 bits is none that the chain could have.
    let sum = members.iter().try_fold(Base::ZERO, |sum, holder| sum.checked_add(holder.shares));
    let sum = Figure::Amount(sum.map(|sum| pool.shares(sum)));
    [
        ("total_assets", assets(Some(s.total_assets)), assets(Some(chain.total_assets))),
        ("total_shares", shares(s.total_shares), shares(chain.total_shares)),
        ("exchange_rate", rate(s.rate_e18), rate(rate_e18)),
        ("paused", Figure::Flag(s.paused), Figure::Flag(chain.paused)),
        ("min_deposit", assets(s.min_deposit), assets(limits.min_deposit)),
        ("max_deposit", assets(told.0), assets(told.1)),
        ("cooldown_sec", Figure::Seconds(s.cooldown_sec), Figure::Seconds(limits.cooldown_sec)),
        ("holders", sum, shares(chain.total_shares)),
    ]
    .into_iter()
    .filter(|(_, state, chain)| state != chain)
    .map(|(what, state, chain)| Drift { what, member: None, member_name: None, state, chain })
    .collect()
}
