//! Validating a deposit: what the state knows, or the chain at one block, is held against the rules.

mod rules;

use crate::pool::abi::sol::IERC20;
use crate::pool::abi::{self, Abi, Limits, MaxDeposit};
use crate::pool::{self, Member, Pool, Snapshot, ViewStamp, contract, find_member, newest_known};
use crate::risk::verdict::{Reason, Verdict, known, parse_amount, usable};
use crate::risk::{self, Barrier, Gate};
use base::Result;
use base::amount::{Base, Delta};
use config::Config;
use evm::{At, CallError, Chain};
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
///
/// # Errors
/// `invalid_address` for a malformed address; `state_error`, `state_corrupt`.
pub fn validate(conn: &Connection, config: &Config, ask: Ask<'_>, now: i64) -> Result<Validation> {
    let parties = Parties::find(conn, config, ask, now)?;
    let Some(pool) = &parties.pool else { return Ok(parties.unknown()) };
    let snapshot = pool::snapshot(conn, pool)?;
    let depositor = match &parties.member {
        None => None,
        Some(member) => Some(Depositor {
            shares: pool::holding(conn, pool.id, member.id)?.0,
            balance: ledger_balance(conn, pool, member)?,
            place: "in the ledger",
        }),
    };
    let max_age_sec = config.number("risk.max_age_sec")?;
    let figures = known_figures(pool, snapshot.as_ref(), now, max_age_sec);
    let view = snapshot.as_ref().map(|s| ViewStamp::new(s.block, &s.endpoint));
    let read_at = snapshot.map(|s| s.synced_at);
    Ok(parties.judge(figures, depositor, view, read_at))
}

/// Validates a deposit by the pool's figures, the member's shares and its balance of the asset on chain, all at one
/// block. Limits, pauses and breakers of the risk side are as the state knows them.
///
/// # Errors
/// As [`validate`]; `not_a_contract`, `reverted`, and those of the transport.
pub async fn validate_on_chain(
    conn: &Connection,
    config: &Config,
    chain: &Chain,
    ask: Ask<'_>,
    at: At,
    now: i64,
) -> Result<Validation> {
    let parties = Parties::find(conn, config, ask, now)?;
    let Some(pool) = &parties.pool else { return Ok(parties.unknown()) };
    let newest = newest_known(std::slice::from_ref(pool));
    let member = parties.member.as_ref().map(|member| member.address);
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
    let figures = figures(pool, reading.total_assets, reading.total_shares, reading.paused, &reading.limits);
    Ok(parties.with(changed).judge(Ok(figures), depositor, Some(view), Some(now)))
}

/// Who is meant, and what is known without looking at the pool's figures.
struct Parties {
    pool: Option<Pool>,
    member: Option<Member>,
    amount: Option<Base>,
    gate: Option<Gate>,
    reasons: Vec<Reason>,
}

impl Parties {
    fn find(conn: &Connection, config: &Config, ask: Ask<'_>, now: i64) -> Result<Self> {
        let mut reasons = Vec::new();
        let pool = known(pool::find(conn, ask.pool), &mut reasons)?;
        let member = known(find_member(conn, ask.member), &mut reasons)?;
        let amount = parse_amount("AMOUNT", ask.amount, pool.as_ref().map(|pool| pool.asset.decimals));
        let amount = amount.map_err(|reason| reasons.push(reason)).ok();
        let gate = pool.as_ref().map(|pool| risk::gate(conn, config, pool, now)).transpose()?;
        Ok(Self { pool, member, amount, gate, reasons })
    }

    /// With a change of the contract that the chain shows now, where the state does not say so already.
    fn with(mut self, changed: Option<String>) -> Self {
        if let Some(gate) = &mut self.gate {
            let said = gate.barriers.iter().any(|barrier| matches!(barrier, Barrier::ContractChanged(_)));
            gate.barriers.extend(changed.filter(|_| !said).map(Barrier::ContractChanged));
        }
        self
    }

    /// The answer where there is no such pool.
    fn unknown(self) -> Validation {
        Validation {
            pool: None,
            member: self.member,
            amount: None,
            balance: None,
            verdict: Verdict::of(self.reasons),
            view: None,
            read_at: None,
        }
    }

    fn judge(
        self,
        figures: Result<Figures, String>,
        member: Option<Depositor>,
        view: Option<ViewStamp>,
        read_at: Option<i64>,
    ) -> Validation {
        let balance = member.as_ref().map(|member| member.balance);
        let limits = self.gate.as_ref().and_then(|gate| gate.parameters.as_ref().ok());
        let row = self.gate.as_ref().and_then(|gate| gate.row.as_ref());
        let facts = Facts {
            amount: self.amount,
            member,
            figures,
            barriers: self.gate.as_ref().map(|gate| gate.barriers.clone()).unwrap_or_default(),
            deposits_enabled: row.is_none_or(|row| row.deposits_enabled),
            max_tvl: limits.and_then(|limits| limits.max_tvl),
            max_user_deposit: limits.and_then(|limits| limits.max_user_deposit),
        };
        let mut reasons = self.reasons;
        if let Some(pool) = &self.pool {
            reasons.extend(check(&pool.asset, &facts).reasons().iter().cloned());
        }
        Validation {
            pool: self.pool,
            member: self.member,
            amount: self.amount,
            balance,
            verdict: Verdict::of(reasons),
            view,
            read_at,
        }
    }
}

/// The figures of the last sync, if they can be used.
fn known_figures(
    pool: &Pool,
    snapshot: Option<&Snapshot>,
    now: i64,
    max_age_sec: u64,
) -> Result<Figures, String> {
    let s = usable(pool, snapshot, now, max_age_sec)?;
    let (min_deposit, max_deposit) = (s.min_deposit, s.max_deposit.clone());
    let limits = Limits { min_deposit, max_deposit, cooldown_sec: s.cooldown_sec };
    Ok(figures(pool, s.total_assets, s.total_shares, s.paused, &limits))
}

fn figures(
    pool: &Pool,
    total_assets: Base,
    total_shares: Base,
    paused: Option<bool>,
    limits: &Limits,
) -> Figures {
    // A vault's maxDeposit is a member's; the other profiles have one limit for all.
    let (max_deposit, max_of_member) = match pool.abi {
        Abi::Erc4626 => (None, limits.max_deposit.clone()),
        Abi::Legacy | Abi::Viddhana => (limits.max_deposit.amount(), MaxDeposit::Unlimited),
    };
    Figures {
        total_assets,
        total_shares,
        paused: paused.unwrap_or_default(),
        min_deposit: limits.min_deposit,
        max_deposit,
        max_of_member,
    }
}

/// What a member has of the pool's asset in the ledger, to be used at will.
fn ledger_balance(conn: &Connection, pool: &Pool, member: &Member) -> Result<Base> {
    let asset = pool.asset.address.to_string();
    let balances = state::member_balances(conn, &member.address.to_string())?;
    let own = balances
        .into_iter()
        .find(|(purpose, token, _)| purpose == pool::AVAILABLE && *token == asset)
        .map(|(_, _, balance)| balance);
    Ok(own.filter(|balance| !balance.is_negative()).map(Delta::magnitude).unwrap_or_default())
}
