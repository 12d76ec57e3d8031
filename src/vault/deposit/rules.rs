//! The rules of a deposit: what is known goes in, every failed rule comes out. Pure.

use crate::pool::abi::MaxDeposit;
use crate::pool::{Asset, underlying};
use crate::risk::Barrier;
use crate::risk::verdict::{Reason, ReasonCode, Verdict};
use base::amount::{Base, to_units};

/// What the rules look at. Amounts in base units of the asset unless they say otherwise.
#[derive(Debug, Clone)]
pub struct Facts {
    /// What is to be deposited; `None` where what was typed is no amount.
    pub amount: Option<Base>,
    /// The member's side; `None` where there is no such member.
    pub member: Option<Depositor>,
    /// The pool as it was read last, or why nothing can be held against that.
    pub figures: Result<Figures, String>,
    /// What the risk side has against any movement of the pool.
    pub barriers: Vec<Barrier>,
    /// Whether the pool's engine lets in.
    pub deposits_enabled: bool,
    /// Largest TVL; `None` = unlimited.
    pub max_tvl: Option<Base>,
    /// The most that one member may have in the pool; `None` = unlimited.
    pub max_user_deposit: Option<Base>,
}

/// What a pool's contract says at one block.
#[derive(Debug, Clone)]
pub struct Figures {
    /// TVL.
    pub total_assets: Base,
    /// Shares there are, share base units.
    pub total_shares: Base,
    /// Whether the pool is paused.
    pub paused: bool,
    /// Smallest deposit; `None` = any.
    pub min_deposit: Option<Base>,
    /// Largest deposit of anybody; `None` = unlimited.
    pub max_deposit: Option<Base>,
    /// The vault's `maxDeposit` of the member.
    pub max_of_member: MaxDeposit,
}

/// What a member has.
#[derive(Debug, Clone, Default)]
pub struct Depositor {
    /// Shares of the pool, share base units.
    pub shares: Base,
    /// What can be deposited.
    pub balance: Base,
    /// Where that balance is: "in the ledger", "on chain".
    pub place: &'static str,
}

/// Runs every rule; none hides another. Exactly a limit is allowed.
pub fn check(asset: &Asset, facts: &Facts) -> Verdict {
    let mut reasons: Vec<Reason> = facts.barriers.iter().map(Reason::from).collect();
    if !facts.deposits_enabled {
        reasons.push(Reason::new(ReasonCode::PoolPaused, "the engine lets nothing into this pool"));
    }
    match &facts.figures {
        Err(why) => reasons.push(Reason::new(ReasonCode::RiskUnknown, why.as_str())),
        Ok(figures) => {
            if figures.paused {
                reasons.push(Reason::new(ReasonCode::PoolPaused, "the pool is paused"));
            }
            if let Some(amount) = facts.amount {
                reasons.extend(sizes(asset, amount, figures));
                reasons.extend(caps(asset, amount, figures, facts));
            }
        }
    }
    if let (Some(amount), Some(member)) = (facts.amount, &facts.member) {
        reasons.extend(enough(asset, amount, member));
    }
    Verdict::of(reasons)
}

/// What the contract itself asks of one deposit.
fn sizes(asset: &Asset, amount: Base, figures: &Figures) -> Vec<Reason> {
    let limit = |code, limit: Base, why: String| {
        Reason::new(code, why).detail("asked", exact(asset, amount)).detail("limit", exact(asset, limit))
    };
    let mut reasons = Vec::new();
    let least = figures.min_deposit.max(worth_of_one(figures)).filter(|least| amount < *least);
    if let Some(least) = least {
        let why = if figures.min_deposit.is_some_and(|min| amount < min) {
            format!("the pool takes {} or more", asset.quantity(least))
        } else {
            format!(
                "it would buy no share: the smallest part of one is worth {}, as after a donation to a pool with \
                 hardly any shares",
                asset.quantity(least)
            )
        };
        reasons.push(limit(ReasonCode::BelowMinimum, least, why));
    }
    if let Some(most) = figures.max_deposit.filter(|most| amount > *most) {
        let why = format!("the pool takes at most {} at once", asset.quantity(most));
        reasons.push(limit(ReasonCode::AboveMaximum, most, why));
    }
    match &figures.max_of_member {
        MaxDeposit::Most(most) if amount > *most => {
            let why = format!("the vault's maxDeposit is {}", asset.quantity(*most));
            reasons.push(limit(ReasonCode::ExceedsMaxDeposit, *most, why));
        }
        MaxDeposit::Unknown(why) => {
            let why = format!("the vault's maxDeposit is not known: {why}");
            reasons.push(Reason::new(ReasonCode::LimitUnknown, why).detail("limit", "max_deposit"));
        }
        MaxDeposit::Unlimited | MaxDeposit::Most(_) => {}
    }
    reasons
}

/// What one base unit of shares is worth, rounded up: a deposit of less is taken and buys nothing. `None` where
/// there are no shares or no TVL, which say nothing of what shares cost.
fn worth_of_one(figures: &Figures) -> Option<Base> {
    let Figures { total_assets, total_shares, .. } = figures;
    (!total_assets.is_zero() && !total_shares.is_zero()).then(|| total_assets.div_ceil(*total_shares))
}

/// What the operator's limits allow in all.
fn caps(asset: &Asset, amount: Base, figures: &Figures, facts: &Facts) -> Vec<Reason> {
    let over = |code, whose: &str, cap: Option<Base>, there: Base| {
        let cap = cap?;
        // Past 256 bits it is above any cap.
        if there.checked_add(amount).is_some_and(|sum| sum <= cap) {
            return None;
        }
        let left = cap.saturating_sub(there);
        let [may, holds, rest] = [cap, there, left].map(|base| asset.quantity(base));
        let why = format!("{whose} may hold {may} and holds {holds}: {rest} are left");
        Some(
            Reason::new(code, why)
                .detail("asked", exact(asset, amount))
                .detail("cap", exact(asset, cap))
                .detail("held", exact(asset, there))
                .detail("left", exact(asset, left)),
        )
    };
    let mut reasons = Vec::new();
    reasons.extend(over(ReasonCode::TvlCap, "the pool", facts.max_tvl, figures.total_assets));
    if let Some(member) = &facts.member {
        let held = underlying(member.shares, figures.total_assets, figures.total_shares);
        reasons.extend(over(ReasonCode::UserCap, "the member", facts.max_user_deposit, held));
    }
    reasons
}

fn enough(asset: &Asset, amount: Base, member: &Depositor) -> Option<Reason> {
    (amount > member.balance).then(|| {
        let why = format!("the member has {} {}", asset.quantity(member.balance), member.place);
        Reason::new(ReasonCode::InsufficientBalance, why)
            .detail("asked", exact(asset, amount))
            .detail("balance", exact(asset, member.balance))
    })
}

fn exact(asset: &Asset, base: Base) -> String {
    to_units(base, asset.decimals)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy::primitives::Address;
    use base::amount::mul_div;
    use proptest::prelude::*;
    use serde_json::json;

    fn n(v: u64) -> Base {
        Base::from(v)
    }

    /// Of six decimals, so that a base unit is a millionth.
    fn usd() -> Asset {
        Asset { address: Address::ZERO, symbol: "USD".into(), decimals: 6 }
    }

    /// Nothing in the way: every limit is reached exactly. The member's 100 shares are worth 150.
    fn calm() -> Facts {
        Facts {
            amount: Some(n(50)),
            member: Some(Depositor { shares: n(100), balance: n(50), place: "in the ledger" }),
            figures: Ok(Figures {
                total_assets: n(1500),
                total_shares: n(1000),
                paused: false,
                min_deposit: Some(n(50)),
                max_deposit: Some(n(50)),
                max_of_member: MaxDeposit::Most(n(50)),
            }),
            barriers: Vec::new(),
            deposits_enabled: true,
            max_tvl: Some(n(1550)),
            max_user_deposit: Some(n(200)),
        }
    }

    fn figures(facts: &mut Facts) -> &mut Figures {
        facts.figures.as_mut().unwrap()
    }

    /// A pool without limits of its own.
    fn open(total_assets: Base, total_shares: Base) -> Figures {
        let max_of_member = MaxDeposit::Unlimited;
        Figures {
            total_assets,
            total_shares,
            paused: false,
            min_deposit: None,
            max_deposit: None,
            max_of_member,
        }
    }

    type Change = fn(&mut Facts);

    /// Each rule with what makes it fail alone.
    const FAILURES: [(&str, Change); 14] = [
        ("risk_unknown", |f| f.barriers.push(Barrier::RiskUnknown("too old".into()))),
        ("pool_paused", |f| figures(f).paused = true),
        ("emergency_paused", |f| f.barriers.push(Barrier::EnginePaused)),
        ("breaker_active", |f| f.barriers.push(Barrier::EngineBreaker("fell".into()))),
        ("below_minimum", |f| figures(f).min_deposit = Some(n(51))),
        ("above_maximum", |f| figures(f).max_deposit = Some(n(49))),
        ("exceeds_max_deposit", |f| figures(f).max_of_member = MaxDeposit::Most(n(49))),
        ("tvl_cap", |f| f.max_tvl = Some(n(1549))),
        ("user_cap", |f| f.max_user_deposit = Some(n(199))),
        ("insufficient_balance", |f| f.member.as_mut().unwrap().balance = n(49)),
        ("pool_paused", |f| f.deposits_enabled = false),
        ("exceeds_max_deposit", |f| figures(f).max_of_member = MaxDeposit::Most(Base::ZERO)),
        ("limit_unknown", |f| figures(f).max_of_member = MaxDeposit::Unknown("reverted".into())),
        ("user_cap", |f| f.member.as_mut().unwrap().shares = n(101)),
    ];

    fn codes(facts: &Facts) -> Vec<&'static str> {
        check(&usd(), facts).codes()
    }

    #[test]
    fn exactly_every_limit_is_valid_and_each_rule_fails_alone() {
        assert_eq!(codes(&calm()), Vec::<&str>::new());
        for (code, change) in FAILURES {
            let mut facts = calm();
            change(&mut facts);
            assert_eq!(codes(&facts), [code]);
        }
    }

    #[test]
    fn all_that_fails_is_told_at_once_in_one_order() {
        let mut facts = calm();
        for (_, change) in FAILURES.iter().take(10) {
            change(&mut facts);
        }
        let all: Vec<&str> = FAILURES.iter().take(10).map(|(code, _)| *code).collect();
        assert_eq!(codes(&facts), all);
        let verdict = check(&usd(), &facts);
        let of = |code: &str| verdict.reasons.iter().find(|r| r.code.as_str() == code).unwrap();
        assert_eq!(
            of("tvl_cap").message,
            "the pool may hold 0.001549 USD and holds 0.0015 USD: 0.000049 USD are left"
        );
        assert_eq!(
            serde_json::to_value(of("user_cap")).unwrap()["details"],
            json!({ "asked": "0.000050", "cap": "0.000199", "held": "0.000150", "left": "0.000049" })
        );
        assert_eq!(of("insufficient_balance").message, "the member has 0.000049 USD in the ledger");
    }

    #[test]
    fn what_is_not_known_denies_and_hides_nothing_else() {
        let mut facts = calm();
        facts.figures = Err("the pool was never synced".into());
        assert_eq!(codes(&facts), ["risk_unknown"]);
        facts.member.as_mut().unwrap().balance = Base::ZERO;
        assert_eq!(codes(&facts), ["risk_unknown", "insufficient_balance"]);
        // Without an amount or a member, the rules that need one are silent.
        let mut facts = calm();
        (facts.amount, figures(&mut facts).paused) = (None, true);
        facts.member.as_mut().unwrap().balance = Base::ZERO;
        assert_eq!(codes(&facts), ["pool_paused"]);
        let mut facts = calm();
        (facts.member, facts.max_tvl) = (None, Some(n(1)));
        assert_eq!(codes(&facts), ["tvl_cap"]);
    }

    #[test]
    fn no_limit_is_never_passed() {
        let mut facts = calm();
        facts.amount = Some(Base::MAX);
        facts.member.as_mut().unwrap().balance = Base::MAX;
        (facts.max_tvl, facts.max_user_deposit) = (None, None);
        let f = figures(&mut facts);
        (f.min_deposit, f.max_deposit, f.max_of_member) = (None, None, MaxDeposit::Unlimited);
        assert_eq!(codes(&facts), Vec::<&str>::new());
        // A sum past 256 bits is above the largest cap there is.
        (facts.max_tvl, facts.max_user_deposit) = (Some(Base::MAX), Some(Base::MAX));
        assert_eq!(codes(&facts), ["tvl_cap", "user_cap"]);
    }

    #[test]
    fn a_deposit_that_would_buy_no_share_is_too_small() {
        for (assets, shares, amount, valid) in [
            // A first depositor of 1 base unit and a donation: one unit of shares is worth 10,001.
            (10_001, 1, 10_000, false),
            (10_001, 1, 10_001, true),
            // 1.5 for a unit of shares: one asset buys none.
            (1500, 1000, 1, false),
            (1500, 1000, 2, true),
            (1000, 1000, 1, true),
            (1, 1000, 1, true),
            // An empty pool, and one that lost everything.
            (0, 0, 1, true),
            (5, 0, 1, true),
            (0, 1000, 1, true),
        ] {
            let mut facts = calm();
            facts.amount = Some(n(amount));
            facts.member = Some(Depositor { balance: Base::MAX, ..Depositor::default() });
            (facts.max_tvl, facts.max_user_deposit) = (None, None);
            facts.figures = Ok(open(n(assets), n(shares)));
            let want: &[&str] = if valid { &[] } else { &["below_minimum"] };
            assert_eq!(codes(&facts), want, "{assets} {shares} {amount}");
        }
    }

    proptest! {
        #[test]
        fn the_worth_of_one_unit_of_shares_is_the_least_that_buys_one(
            assets in 1u128..u128::MAX,
            shares in 1u128..u128::MAX,
        ) {
            let figures = open(Base::from(assets), Base::from(shares));
            let least = worth_of_one(&figures).unwrap();
            let bought = |amount| mul_div(amount, figures.total_shares, figures.total_assets).unwrap();
            prop_assert!(!bought(least).is_zero());
            prop_assert!(least.is_zero() || bought(least - Base::ONE).is_zero());
        }
    }
}
