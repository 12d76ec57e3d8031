//! Validating a deposit: what the state knows, or the chain at one block, is held against the rules.

mod rules;

use crate::pool::abi::sol::IERC20;
use crate::pool::abi::{self, Abi, MaxDeposit};
use crate::pool::{self, Member, Pool, contract, find_member, newest_known};
use crate::risk::verdict::{Verdict, known, parse_amount, usable};
use crate::risk::{self, Barrier, Gate};
use base::Result;
use base::amount::{Base, Delta};
use config::Config;
use evm::{At, CallError, Chain, ViewStamp};
use rules::{Depositor, Facts, Figures, check};
use rusqlite::Connection;

/// What the operator asks.
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    /// Name or address of the pool.
    pub pool: &'a str,
    /// Name or address of the member.
    pub member: &'a str,
    /// Amount in whole units of the pool's asset, as it was typed.
    pub amount: &'a str,
}

/// The answer, and what it stands on.
#[derive(Debug, Clone)]
pub struct Validation {
    /// The pool, if there is one of that name.
    pub pool: Option<Pool>,
    /// The member, if there is one of that name.
    pub member: Option<Member>,
    /// The amount, if it is one; asset base units.
    pub amount: Option<Base>,
    /// What the member can deposit, asset base units; `None` where pool or member is not known.
    pub balance: Option<Base>,
    /// Every failed rule.
    pub verdict: Verdict,
    /// Block and endpoint of the pool's figures; `None` where there are none.
    pub view: Option<ViewStamp>,
    /// When they were read, seconds since 1970.
    pub read_at: Option<i64>,
}

/// Validates a deposit by what the state knows; the balance is that of the member's ledger account.
pub fn validate(conn: &Connection, config: &Config, ask: Ask<'_>, now: i64) -> Result<Validation> {
    let (found, gate) = find(conn, config, ask, now)?;
    let (Some(pool), Some(gate)) = (&found.pool, gate) else { return Ok(found) };
    let snapshot = pool::snapshot(conn, pool)?;
    let depositor = match &found.member {
        None => None,
        Some(member) => Some(Depositor {
            shares: pool::holding(conn, pool.id, member.id)?.0,
            balance: ledger_balance(conn, pool, member)?,
            place: "in the ledger",
        }),
    };
    let s = usable(pool, snapshot.as_ref(), now, config.number("risk.max_age_sec")?);
    let figures =
        s.map(|s| figures(pool, (s.total_assets, s.total_shares), s.paused, s.min_deposit, &s.max_deposit));
    let view = snapshot.as_ref().map(|s| ViewStamp::new(s.block, &s.endpoint));
    let read_at = snapshot.map(|s| s.synced_at);
    Ok(Validation { view, read_at, ..judge(found, gate, figures, depositor) })
}

/// Validates a deposit by the pool's figures, the member's shares and its balance of the asset on chain, all at one
/// block. Limits, pauses and breakers of the risk side are as the state knows them.
pub async fn validate_on_chain(
    conn: &Connection,
    config: &Config,
    chain: &Chain,
    ask: Ask<'_>,
    at: At,
    now: i64,
) -> Result<Validation> {
    let (found, gate) = find(conn, config, ask, now)?;
    let (Some(pool), Some(mut gate)) = (&found.pool, gate) else { return Ok(found) };
    let newest = newest_known(std::slice::from_ref(pool));
    let member = found.member.as_ref().map(|member| member.address);
    let read = chain.view_above(at, newest, async |view| {
        let token = |e: CallError| e.into_error("token");
        let mut batch = view.batch();
        let asked = abi::ask_for(&mut batch, pool, member.unwrap_or_default())?;
        let asked_contract = contract::ask(&mut batch, pool);
        let held = member.map(|account| {
            let call = IERC20::balanceOfCall { account };
            (batch.add(pool.address, &call), batch.add(pool.asset.address, &call))
        });
        let reply = batch.send().await?;
        let reading = asked.read(&reply, pool)?;
        let depositor = match held {
            None => None,
            Some((shares, balance)) => Some(Depositor {
                shares: reply.get(shares).map_err(token)?,
                balance: reply.get(balance).map_err(token)?,
                place: "on chain",
            }),
        };
        let changed = contract::change(view, &reply, pool, asked_contract, reading.paused.is_some()).await?;
        Ok((reading, changed, depositor, ViewStamp::of(view)))
    });
    let (reading, changed, depositor, view) = read.await?;
    let (totals, limits) = ((reading.total_assets, reading.total_shares), &reading.limits);
    let figures = figures(pool, totals, reading.paused, limits.min_deposit, &limits.max_deposit);
    // A change that the chain shows now, where the state does not say so already.
    let said = gate.barriers.iter().any(|barrier| matches!(barrier, Barrier::ContractChanged(_)));
    gate.barriers.extend(changed.filter(|_| !said).map(Barrier::ContractChanged));
    let judged = judge(found, gate, Ok(figures), depositor);
    Ok(Validation { view: Some(view), read_at: Some(now), ..judged })
}

/// Who is meant, and what is known without looking at the pool's figures; no amount nor gate of an unknown pool.
fn find(conn: &Connection, config: &Config, ask: Ask<'_>, now: i64) -> Result<(Validation, Option<Gate>)> {
    let mut reasons = Vec::new();
    let pool = known(pool::find(conn, ask.pool), &mut reasons)?;
    let member = known(find_member(conn, ask.member), &mut reasons)?;
    let amount = parse_amount("AMOUNT", ask.amount, pool.as_ref().map(|pool| pool.asset.decimals));
    let amount = amount.map_err(|reason| reasons.push(reason)).ok().filter(|_| pool.is_some());
    let gate = pool.as_ref().map(|pool| risk::gate(conn, config, pool, now)).transpose()?;
    let verdict = Verdict::of(reasons);
    Ok((Validation { pool, member, amount, balance: None, verdict, view: None, read_at: None }, gate))
}

/// What was found, with what the rules say of it.
fn judge(
    found: Validation,
    gate: Gate,
    figures: Result<Figures, String>,
    member: Option<Depositor>,
) -> Validation {
    let balance = member.as_ref().map(|member| member.balance);
    let (limits, row) = (gate.parameters.as_ref().ok(), gate.row.as_ref());
    let facts = Facts {
        amount: found.amount,
        member,
        figures,
        deposits_enabled: row.is_none_or(|row| row.deposits_enabled),
        max_tvl: limits.and_then(|limits| limits.max_tvl),
        max_user_deposit: limits.and_then(|limits| limits.max_user_deposit),
        barriers: gate.barriers,
    };
    let mut reasons = found.verdict.reasons.clone();
    reasons.extend(found.pool.iter().flat_map(|pool| check(&pool.asset, &facts).reasons));
    Validation { balance, verdict: Verdict::of(reasons), ..found }
}

fn figures(
    pool: &Pool,
    (total_assets, total_shares): (Base, Base),
    paused: Option<bool>,
    min_deposit: Option<Base>,
    most: &MaxDeposit,
) -> Figures {
    // A vault's maxDeposit is a member's; the other profiles have one limit for all.
    let (max_deposit, max_of_member) = match pool.abi {
        Abi::Erc4626 => (None, most.clone()),
        Abi::Legacy | Abi::Viddhana => (most.amount(), MaxDeposit::Unlimited),
    };
    let paused = paused.unwrap_or_default();
    Figures { total_assets, total_shares, paused, min_deposit, max_deposit, max_of_member }
}

/// What a member has of the pool's asset in the ledger, to be used at will.
fn ledger_balance(conn: &Connection, pool: &Pool, member: &Member) -> Result<Base> {
    let (asset, owner) = (pool.asset.address.to_string(), member.address.to_string());
    let mut balances = state::member_balances(conn, &owner)?.into_iter();
    let own = balances.find(|(purpose, token, _)| purpose == pool::AVAILABLE && *token == asset);
    let own = own.map(|(.., balance)| balance).filter(|balance| !balance.is_negative());
    Ok(own.map(Delta::magnitude).unwrap_or_default())
}
