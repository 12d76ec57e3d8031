//! Which withdrawals count against a cap, to the second, and what they leave free.

use crate::support::{Place, config};
use vault::withdrawal::{Ask, validate};

const NOW: i64 = 1_700_000_000;

/// Midnight UTC before it.
const MIDNIGHT: i64 = NOW - 80_000;

/// A pool with caps of 100 for all and 60 for one, of which 2,000 shares of one each are alice's.
fn place(window: &str) -> Place {
    let place = Place::lived_in();
    meddle(
        &place,
        &format!(
            "UPDATE pool_risk_parameters SET refreshed_at = {NOW}, window = '{window}',
                 daily_withdrawal_cap = '100000000', user_daily_cap = '60000000' WHERE pool_id = 2"
        ),
    );
    synced(&place, NOW);
    place
}

/// The pools' figures are of this second.
fn synced(place: &Place, at: i64) {
    let sql = "UPDATE pool_snapshots SET block_timestamp = ?1, synced_at = ?1";
    assert!(place.outsider().execute(sql, [at]).unwrap() > 0);
}

fn meddle(place: &Place, sql: &str) {
    assert_eq!(place.outsider().execute(sql, []).unwrap(), 1, "{sql}");
}

/// A withdrawal of whole units of the asset, of a share each.
fn withdrawal(place: &Place, pool: i64, member: i64, assets: u64, status: &str, at: i64) {
    let ended = if matches!(status, "completed" | "failed") { "1" } else { "NULL" };
    meddle(
        place,
        &format!(
            "INSERT INTO pool_withdrawals (pool_id, member_id, shares, assets, status, requested_at, ended_at)
             VALUES ({pool}, {member}, '1', '{assets}000000', '{status}', {at}, {ended})"
        ),
    );
}

/// The reasons against alice's withdrawal from `stable` at `now`.
fn reasons(place: &Place, shares: &str, now: i64) -> Vec<&'static str> {
    let state = place.reader();
    let ask = Ask { pool: "stable", member: "alice", shares };
    let found = validate(state.conn(), &config(&[]), ask, now).unwrap();
    assert_eq!(found.verdict.valid, found.verdict.reasons.is_empty());
    found.verdict.codes()
}

#[test]
fn a_window_begins_at_midnight_or_a_day_ago_to_the_second() {
    const NONE: [&str; 0] = [];
    for (window, first) in [("utc-day", MIDNIGHT), ("rolling-24h", NOW - 86_400)] {
        let place = place(window);
        assert_eq!(reasons(&place, "60", NOW), NONE);
        // Another pool's, and those that failed, never count.
        withdrawal(&place, 1, 1, 1_000, "pending", NOW);
        withdrawal(&place, 2, 1, 1_000, "failed", NOW);
        withdrawal(&place, 2, 1, 1_000, "completed", first - 1);
        assert_eq!(reasons(&place, "60", NOW), NONE, "{window}");
        withdrawal(&place, 2, 1, 20, "pending", first);
        withdrawal(&place, 2, 1, 20, "processing", NOW);
        withdrawal(&place, 2, 1, 20, "completed", NOW - 100);
        assert_eq!(reasons(&place, "0.000001", NOW), ["user_daily_cap"], "{window}");
        // Those of another member count for the pool only.
        withdrawal(&place, 2, 2, 40, "completed", first);
        assert_eq!(reasons(&place, "0.000001", NOW), ["daily_withdrawal_cap", "user_daily_cap"], "{window}");
        // Once the window has moved on by a second, what was at its edge is out of it.
        let (later, rest) = if window == "utc-day" { (MIDNIGHT + 86_400, "60") } else { (NOW + 1, "20") };
        synced(&place, later);
        meddle(&place, &format!("UPDATE pool_risk_parameters SET refreshed_at = {later} WHERE pool_id = 2"));
        assert_eq!(reasons(&place, rest, later), NONE, "{window}");
        assert_eq!(reasons(&place, &format!("{rest}.000001"), later), ["user_daily_cap"], "{window}");
    }
}

#[test]
fn what_is_open_reserves_and_what_has_gone_does_not() {
    let place = place("utc-day");
    meddle(
        &place,
        "UPDATE pool_risk_parameters SET daily_withdrawal_cap = NULL, user_daily_cap = NULL WHERE pool_id = 2",
    );
    // A transfer away from alice that is among the replayed ones.
    let gone = "INSERT INTO share_transfers VALUES (2, 61, 0, x'";
    let hash = "ab".repeat(32);
    meddle(&place, &format!("{gone}{hash}', 1, NULL, '5')"));
    let free = || {
        // In base units; what is typed has six decimals.
        let typed = |units: u64| format!("{}.{:06}", units / 1_000_000, units % 1_000_000);
        let fits = |units: u64| reasons(&place, &typed(units), NOW).is_empty();
        let mut shares = 2_000_000_000;
        while !fits(shares) {
            assert_eq!(reasons(&place, &typed(shares), NOW), ["insufficient_shares"]);
            shares -= 1;
        }
        2_000_000_000 - shares
    };
    assert_eq!(free(), 0);
    withdrawal(&place, 2, 1, 1, "pending", 1);
    withdrawal(&place, 2, 1, 1, "processing", 1);
    withdrawal(&place, 2, 1, 1, "completed", 1);
    withdrawal(&place, 2, 1, 1, "failed", 1);
    withdrawal(&place, 1, 1, 1, "pending", 1);
    withdrawal(&place, 2, 2, 1, "pending", 1);
    assert_eq!(free(), 3, "one pending, one processing, one completed without a transfer");
    let name = |hash: &str, id: i64| {
        meddle(&place, &format!("UPDATE pool_withdrawals SET tx_hash = '0x{hash}' WHERE id = {id}"));
    };
    name(&"cd".repeat(32), 3);
    assert_eq!(free(), 3, "its transaction was not replayed");
    name(&hash, 3);
    assert_eq!(free(), 2, "it was");
    meddle(&place, "UPDATE share_transfers SET from_member = 2 WHERE block_number = 61");
    assert_eq!(free(), 3, "it took another member's shares");
    meddle(&place, "UPDATE share_transfers SET from_member = 1, pool_id = 1 WHERE block_number = 61");
    assert_eq!(free(), 3, "it took shares of another pool");
}
