//! The rules of a withdrawal: what is known goes in, every failed rule comes out. Pure.

use crate::pool::{Deposit, Pool, underlying};
use crate::risk::verdict::{Reason, ReasonCode, Verdict};
use crate::risk::{Barrier, Window};
use base::amount::Base;
use base::clock;

/// What the rules look at. Shares in base units of the share token, everything else in base units of the asset.
#[derive(Debug, Clone)]
pub struct Facts {
    /// Shares asked for; `None` where what was typed is no amount.
    pub asked: Option<Base>,
    /// The member's side; `None` where there is no such member.
    pub member: Option<Holding>,
    /// The pool at its last sync, or why nothing can be held against that.
    pub figures: Result<Figures, String>,
    /// What the risk side has against any movement of the pool.
    pub barriers: Vec<Barrier>,
    /// Whether the pool's engine lets out.
    pub withdrawals_enabled: bool,
    /// Most withdrawals of a window; `None` = unlimited.
    pub daily_cap: Option<Base>,
    /// The same for one member.
    pub user_daily_cap: Option<Base>,
    /// What the caps look at.
    pub window: Window,
    /// Pending, processing and completed withdrawals of the pool in that window.
    pub withdrawn: Base,
    /// Seconds since 1970.
    pub now: i64,
}

/// What a pool's last sync says.
#[derive(Debug, Clone)]
pub struct Figures {
    /// TVL.
    pub total_assets: Base,
    /// Shares there are.
    pub total_shares: Base,
    /// Whether the vault is paused.
    pub paused: bool,
    /// How long after a deposit nothing can be withdrawn, seconds.
    pub cooldown_sec: u64,
}

/// What a member has in the pool.
#[derive(Debug, Clone, Default)]
pub struct Holding {
    /// Shares at the pool's cursor.
    pub shares: Base,
    /// Shares of them that earlier withdrawals have reserved.
    pub reserved: Base,
    /// The last deposit, if there was one.
    pub last_deposit: Option<Deposit>,
    /// Its pending, processing and completed withdrawals in the window.
    pub withdrawn: Base,
}

impl Facts {
    /// What the shares asked for are worth by the last sync, rounded down.
    pub fn assets(&self) -> Option<Base> {
        let figures = self.figures.as_ref().ok()?;
        Some(underlying(self.asked?, figures.total_assets, figures.total_shares))
    }
}

/// Runs every rule; none hides another.
pub fn check(pool: &Pool, facts: &Facts) -> Verdict {
    let mut reasons: Vec<Reason> = facts.barriers.iter().map(Reason::from).collect();
    match &facts.figures {
        Err(why) => reasons.push(Reason::new(ReasonCode::RiskUnknown, why.as_str())),
        Ok(figures) if figures.paused => {
            reasons.push(Reason::new(ReasonCode::PoolPaused, "the vault is paused"));
        }
        Ok(_) => {}
    }
    if !facts.withdrawals_enabled {
        reasons.push(Reason::new(ReasonCode::PoolPaused, "the engine lets nothing out of this pool"));
    }
    if let Some(member) = &facts.member {
        reasons.extend(facts.asked.and_then(|asked| enough_shares(pool, asked, member)));
        reasons.extend(cooldown(facts, member));
    }
    if let Some(assets) = facts.assets() {
        let of_pool = (ReasonCode::DailyWithdrawalCap, "the pool");
        reasons.extend(within_cap(pool, facts, of_pool, (facts.daily_cap, facts.withdrawn), assets));
        if let Some(member) = &facts.member {
            let of_member = (ReasonCode::UserDailyCap, "the member");
            reasons.extend(within_cap(
                pool,
                facts,
                of_member,
                (facts.user_daily_cap, member.withdrawn),
                assets,
            ));
        }
    }
    Verdict::of(reasons)
}

fn enough_shares(pool: &Pool, asked: Base, member: &Holding) -> Option<Reason> {
    let free = member.shares.saturating_sub(member.reserved);
    if asked <= free {
        return None;
    }
    let shares = |base| pool.shares(base);
    let mut why = format!("{} are asked for, {} are free", shares(asked), shares(free));
    if !member.reserved.is_zero() {
        why = format!("{why}: of {}, withdrawals reserve {}", shares(member.shares), shares(member.reserved));
    }
    let exact = |base| shares(base).exact();
    Some(
        Reason::new(ReasonCode::InsufficientShares, why)
            .detail("asked", exact(asked))
            .detail("held", exact(member.shares))
            .detail("reserved", exact(member.reserved))
            .detail("free", exact(free)),
    )
}

/// A deposit must be as old as the cooldown; exactly as old is enough.
fn cooldown(facts: &Facts, member: &Holding) -> Option<Reason> {
    let wait = facts.figures.as_ref().map_or(0, |figures| figures.cooldown_sec);
    let deposit = member.last_deposit.filter(|_| wait > 0)?;
    let block = deposit.block;
    let (left, why) = match deposit.at {
        Some(at) => {
            let open = at.saturating_add(i64::try_from(wait).unwrap_or(i64::MAX));
            let left = u64::try_from(open.saturating_sub(facts.now)).unwrap_or(0);
            let (shown, of) = (clock::span(left), clock::span(wait));
            (left, format!("{shown} left of {of} since the last deposit, in block {block}"))
        }
        // Deny, never allow: at worst it was made just now.
        None => (wait, format!("the time of the last deposit, in block {block}, is not known yet: sync")),
    };
    (left > 0).then(|| {
        Reason::new(ReasonCode::Cooldown, why).detail("seconds_left", left).detail("cooldown_sec", wait)
    })
}

/// Exactly the cap is allowed; `used` counts against it so far.
fn within_cap(
    pool: &Pool,
    facts: &Facts,
    (code, whose): (ReasonCode, &str),
    (cap, used): (Option<Base>, Base),
    assets: Base,
) -> Option<Reason> {
    let cap = cap?;
    // Past 256 bits it is above any cap.
    if used.checked_add(assets).is_some_and(|sum| sum <= cap) {
        return None;
    }
    let left = cap.saturating_sub(used);
    let money = |base| pool.asset.quantity(base);
    let (worth, most, rest, window) = (money(assets), money(cap), money(left), facts.window.as_str());
    let why =
        format!("worth {worth}, and of the {most} that {whose} may withdraw ({window}) {rest} are left");
    Some(
        Reason::new(code, why)
            .detail("asked", worth.exact())
            .detail("cap", most.exact())
            .detail("withdrawn", money(used).exact())
            .detail("left", rest.exact())
            .detail("window", window),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pool::{Asset, abi::Abi};
    use alloy::primitives::Address;
    use serde_json::json;

    const NOW: i64 = 1_700_000_000;

    fn n(v: u64) -> Base {
        Base::from(v)
    }

    /// Of six-decimal assets and shares, so that a base unit is a millionth.
    fn pool() -> Pool {
        let asset = Asset { address: Address::ZERO, symbol: "USD".into(), decimals: 6 };
        Pool::new("main", Address::ZERO, Abi::Erc4626, asset, ("sUSD", 6), 0)
    }

    /// Nothing in the way: 40 shares worth 60 are asked for, every limit is reached exactly.
    fn calm() -> Facts {
        Facts {
            asked: Some(n(40)),
            member: Some(Holding {
                shares: n(100),
                reserved: n(60),
                last_deposit: Some(Deposit { block: 7, at: Some(NOW - 3600) }),
                withdrawn: n(40),
            }),
            figures: Ok(Figures {
                total_assets: n(1501),
                total_shares: n(1000),
                paused: false,
                cooldown_sec: 3600,
            }),
            barriers: Vec::new(),
            withdrawals_enabled: true,
            daily_cap: Some(n(500)),
            user_daily_cap: Some(n(100)),
            window: Window::UtcDay,
            withdrawn: n(440),
            now: NOW,
        }
    }

    type Change = fn(&mut Facts);

    fn member(facts: &mut Facts) -> &mut Holding {
        facts.member.as_mut().unwrap()
    }

    fn figures(facts: &mut Facts) -> &mut Figures {
        facts.figures.as_mut().unwrap()
    }

    fn codes(changes: &[Change]) -> Vec<&'static str> {
        let mut facts = calm();
        for change in changes {
            change(&mut facts);
        }
        check(&pool(), &facts).codes()
    }

    /// Each rule by itself: what makes it fail by the least there is, and its code.
    const BREAKS: &[(Change, &str)] = &[
        (|f| f.barriers = vec![Barrier::RiskUnknown("x".into())], "risk_unknown"),
        (|f| figures(f).paused = true, "pool_paused"),
        (|f| f.barriers.push(Barrier::EnginePaused), "emergency_paused"),
        (|f| f.barriers.push(Barrier::EngineBreaker("x".into())), "breaker_active"),
        (|f| member(f).shares = n(99), "insufficient_shares"),
        (|f| f.now -= 1, "cooldown"),
        (|f| f.withdrawn = n(441), "daily_withdrawal_cap"),
        (|f| member(f).withdrawn = n(41), "user_daily_cap"),
    ];

    #[test]
    fn exactly_at_every_limit_is_valid() {
        assert_eq!(calm().assets(), Some(n(60)), "60.04 rounded down");
        assert_eq!(codes(&[]), [""; 0]);
    }

    #[test]
    fn each_rule_fails_alone_by_one_unit() {
        for (change, code) in BREAKS {
            assert_eq!(codes(&[*change]), [*code]);
        }
        let others: &[(Change, &[&str])] = &[
            (|f| f.withdrawals_enabled = false, &["pool_paused"]),
            (|f| member(f).reserved = n(61), &["insufficient_shares"]),
            (|f| member(f).reserved = n(1_000), &["insufficient_shares"]),
            (|f| member(f).last_deposit = Some(Deposit { block: 7, at: None }), &["cooldown"]),
            (|f| member(f).last_deposit = Some(Deposit { block: 7, at: Some(NOW + 60) }), &["cooldown"]),
            (|f| figures(f).cooldown_sec = u64::MAX, &["cooldown"]),
            (|f| f.daily_cap = Some(n(499)), &["daily_withdrawal_cap"]),
            (|f| f.user_daily_cap = Some(n(99)), &["user_daily_cap"]),
            (|f| f.withdrawn = Base::MAX, &["daily_withdrawal_cap"]),
            // A rate that is higher by what makes one base unit more.
            (|f| figures(f).total_assets = n(1525), &["daily_withdrawal_cap", "user_daily_cap"]),
            (|f| f.asked = Some(n(41)), &["insufficient_shares", "daily_withdrawal_cap", "user_daily_cap"]),
            // What was never synced, or too long ago, has neither a worth nor a cooldown.
            (|f| f.figures = Err("never synced".into()), &["risk_unknown"]),
        ];
        for (at, (change, want)) in others.iter().enumerate() {
            assert_eq!(codes(&[*change]), *want, "{at}");
        }
    }

    #[test]
    fn nothing_hides_another() {
        let all: Vec<Change> = BREAKS.iter().map(|(change, _)| *change).collect();
        let want: Vec<&str> = BREAKS.iter().map(|(_, code)| *code).collect();
        assert_eq!(codes(&all), want);
    }

    #[test]
    fn what_is_not_known_is_not_judged() {
        let unknown: Change = |f| f.member = None;
        let nonsense: Change = |f| f.asked = None;
        let all: Vec<Change> = BREAKS.iter().map(|(change, _)| *change).collect();
        // Changes of the member's side come before it is forgotten.
        let with = |last: Change| codes(&[&all[..], &[last]].concat());
        let first = ["risk_unknown", "pool_paused", "emergency_paused", "breaker_active"];
        assert_eq!(with(unknown), [&first[..], &["daily_withdrawal_cap"]].concat());
        assert_eq!(with(nonsense), [&first[..], &["cooldown"]].concat());
    }

    #[test]
    fn unlimited_is_without_limit() {
        let free: Change = |f| {
            (f.daily_cap, f.user_daily_cap) = (None, None);
            (f.withdrawn, member(f).withdrawn) = (Base::MAX, Base::MAX);
            figures(f).cooldown_sec = 0;
            member(f).last_deposit = Some(Deposit { block: 7, at: None });
        };
        assert_eq!(codes(&[free]), [""; 0]);
        assert_eq!(codes(&[|f| member(f).last_deposit = None]), [""; 0], "who never deposited does not wait");
    }

    #[test]
    fn reasons_say_by_how_much() {
        let mut facts = calm();
        facts.asked = Some(n(41));
        facts.now -= 90;
        let verdict = check(&pool(), &facts);
        let found = serde_json::to_value(&verdict).unwrap()["reasons"].clone();
        assert_eq!(
            found,
            json!([
                { "code": "insufficient_shares",
                  "message": "0.000041 sUSD are asked for, 0.00004 sUSD are free: of 0.0001 sUSD, withdrawals reserve 0.00006 sUSD",
                  "details": { "asked": "0.000041", "held": "0.000100", "reserved": "0.000060", "free": "0.000040" } },
                { "code": "cooldown", "message": "1m 30s left of 1h since the last deposit, in block 7",
                  "details": { "seconds_left": 90, "cooldown_sec": 3600 } },
                { "code": "daily_withdrawal_cap",
                  "message": "worth 0.000061 USD, and of the 0.0005 USD that the pool may withdraw (utc-day) 0.00006 USD are left",
                  "details": { "asked": "0.000061", "cap": "0.000500", "withdrawn": "0.000440", "left": "0.000060",
                               "window": "utc-day" } },
                { "code": "user_daily_cap",
                  "message": "worth 0.000061 USD, and of the 0.0001 USD that the member may withdraw (utc-day) 0.00006 USD are left",
                  "details": { "asked": "0.000061", "cap": "0.000100", "withdrawn": "0.000040", "left": "0.000060",
                               "window": "utc-day" } },
            ])
        );
    }
}
