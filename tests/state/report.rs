//! The report stays small whatever the state holds, and leaves out what is between, never the ends.

use crate::support::{Place, config};
use base::amount::Base;
use watch::report::{MOST_BLOCKS, MOST_EPOCHS, MOST_FARMERS, MOST_HOLDERS, MOST_POINTS, Report, page};

/// Seconds since 1970.
const NOW: i64 = 1_800_000_000;

fn gather(place: &Place, names: &[&str]) -> Report {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let state = place.reader();
    let look = state.look().unwrap();
    Report::gather(look.conn(), &config(&[]), &names, NOW).unwrap()
}

/// A year of syncs each five minutes, of epochs each hour and of farm blocks each five minutes for a hundred farmers' worth
/// of rows in the newest ones; the TVL is the block's number, so that one sees which points were taken.
fn a_year(place: &Place) {
    let conn = place.outsider();
    conn.execute_batch(
        "PRAGMA foreign_keys = OFF;
         DELETE FROM pool_snapshots WHERE pool_id = 1;
         WITH RECURSIVE n(i) AS (SELECT 1000 UNION ALL SELECT i + 25 FROM n WHERE i < 1000 + 25 * 105119)
         INSERT INTO pool_snapshots (pool_id, block_number, block_hash, block_timestamp, endpoint, synced_at,
             total_assets, total_shares, rate_e18)
         SELECT 1, i, '0x' || printf('%064x', i), 1700000000 + i * 12, 'node', 1700000000 + i * 12, i, i, i FROM n;
         UPDATE pools SET synced_block = (SELECT max(block_number) FROM pool_snapshots WHERE pool_id = 1) WHERE id = 1;
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 8760)
         INSERT INTO pool_reward_epochs (pool_id, start_block, end_block, origin, basis, asset, part, distributed, status,
             created_at, distributed_at)
         SELECT 1, 10000 + i * 300, 10300 + i * 300, 'cycle', 'time-weighted', (SELECT asset FROM pools WHERE id = 1),
             '7', '7', 'distributed', 1, 1 FROM n;
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
         INSERT INTO members (id, address, added_at) SELECT 1000 + i, printf('0x%040x', i), 1 FROM n;
         INSERT INTO user_pool_shares (pool_id, member_id, shares) SELECT 1, id, (id - 1000) || '000000000000000000000'
             FROM members WHERE id > 1000;
         INSERT INTO poolers VALUES ('p', 'north', 500, 0, 0, 1, NULL);
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100)
         INSERT INTO farmers SELECT printf('f%03d', i), printf('G%055d', i), 'p', 'active', 1, NULL, 1, 1, NULL FROM n;
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300)
         INSERT INTO harvests (farmer_id, block_index, outcome, stake, reward, forecast, reason, at)
         SELECT f.id, n.i, CASE WHEN n.i = 290 AND f.id = 'f001' THEN 'lost' ELSE 'harvested' END, '10',
             CASE WHEN n.i = 290 AND f.id = 'f001' THEN '0' ELSE substr(f.id, 2) + n.i END, NULL,
             CASE WHEN n.i = 290 AND f.id = 'f001' THEN 'expired' END, 1
         FROM n CROSS JOIN farmers f;
         INSERT INTO harvests (farmer_id, block_index, outcome, stake, reward, reason, at)
             VALUES ('f001', 290, 'failed', '10', '0', 'unreachable', 1);",
    )
    .unwrap();
}

#[test]
fn a_year_is_thinned_and_its_ends_stay() {
    let place = Place::lived_in();
    a_year(&place);
    let report = gather(&place, &[]);
    let part = &report.pools[0];
    assert!(part.thinned);
    let blocks: Vec<u64> = part.course.iter().map(|point| point.block).collect();
    assert_eq!(blocks.len(), MOST_POINTS as usize);
    let last = 1_000 + 25 * 105_119;
    assert_eq!((blocks.first(), blocks.last()), (Some(&1_000), Some(&last)));
    let widest = blocks.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap();
    assert!(widest <= (last - 1_000) / u64::from(MOST_POINTS - 1) + 25, "{widest}: evenly");
    for point in &part.course {
        assert_eq!((point.total_assets, point.rate_e18), (Base::from(point.block), Base::from(point.block)));
        assert_eq!(point.time, 1_700_000_000 + point.block * 12);
    }
    // The course ends in the figures of the last sync.
    assert_eq!(part.snapshot.as_ref().unwrap().total_assets, part.course.last().unwrap().total_assets);

    let starts: Vec<u64> = part.epochs.iter().map(|epoch| epoch.start).collect();
    let want: Vec<u64> = (8_761 - u64::from(MOST_EPOCHS)..=8_760).map(|i| 10_000 + i * 300).collect();
    assert_eq!(starts, want, "the newest, the oldest first");

    let held: Vec<String> = part.top.iter().map(|holder| holder.shares.to_string()).collect();
    let want: Vec<String> = (0..MOST_HOLDERS).map(|i| format!("{}{}", 20_000 - i, "0".repeat(21))).collect();
    assert_eq!(held, want, "the largest first, by number and not by text");

    let html = page(&report);
    assert!(html.len() < 400_000, "{} bytes", html.len());
}

#[test]
fn the_farms_sums_are_exact() {
    let place = Place::lived_in();
    a_year(&place);
    let farm = gather(&place, &[]).farm.unwrap();
    let blocks: Vec<u32> = farm.blocks.iter().map(|block| block.block).collect();
    assert_eq!(blocks, (301 - MOST_BLOCKS..=300).collect::<Vec<_>>());
    let n = |value: u32| Base::from(value);
    for block in &farm.blocks {
        // 1 + … + 100, and the block's number for each farmer.
        let whole = 5_050 + 100 * block.block;
        let (harvested, reward, lost) =
            if block.block == 290 { (99, whole - 291, 10) } else { (100, whole, 0) };
        assert_eq!((block.harvested, block.reward, block.lost), (harvested, n(reward), n(lost)));
        assert_eq!((block.stake, block.forecast), (n(1_000), None));
    }
    assert_eq!((farm.farmers.len(), farm.active), (MOST_FARMERS, 100));
    let best = &farm.farmers[0];
    let sum: u32 = (301 - MOST_BLOCKS..=300).map(|block| block + 100).sum();
    assert_eq!((best.address.as_str(), best.reward), (format!("G{:055}", 100).as_str(), n(sum)));
    assert_eq!(best.yield_ppm(), Some(n(sum) * n(1_000_000) / n(10 * MOST_BLOCKS)));
    let losses: Vec<_> = farm.losses.iter().map(|l| (l.block, l.stake, l.reason.as_str())).collect();
    assert_eq!(losses, [(290, n(10), "expired")]);
}

#[test]
fn what_needs_a_look_is_told_once_and_the_gravest_first() {
    let place = Place::lived_in();
    place
        .outsider()
        .execute_batch(
            "UPDATE pool_risk_parameters SET refreshed_at = 1799999999;
             INSERT INTO risk_violations (pool_id, rule, message, first_seen, last_seen, count, closed_at) VALUES
                 (1, 'tvl_cap_exceeded', 'too much', 5, 6, 2, NULL), (1, 'exchange_rate_drop', 'gone', 5, 6, 2, 7),
                 (1, 'circuit_breaker_active', 'a breaker is open', 5, 6, 2, NULL);
             INSERT INTO oracle_alerts (feed_id, kind, message, first_seen, last_seen, count) VALUES
                 (1, 'stale', 'old', 5, 6, 1);
             INSERT INTO circuit_breaker_status VALUES (1, 1, 'withdrawal_rate', 'a run', 9, NULL, NULL);",
        )
        .unwrap();
    let all = |report: &Report| -> Vec<(bool, String, String, Option<i64>)> {
        let alarms = report.alarms.iter();
        alarms.map(|a| (a.grave, a.kind.clone(), a.why.clone(), a.since)).collect()
    };
    let told = |grave: bool, kind: &str, why: &str, since: i64| (grave, kind.into(), why.into(), Some(since));
    let want = [
        told(true, "breaker_active", "withdrawal_rate: a run", 9),
        told(false, "tvl_cap_exceeded", "too much", 5),
        told(false, "stale", "old", 5),
    ];
    assert_eq!(all(&gather(&place, &[])), want);
    // One pool asked for, and the feeds and the farm as ever.
    let other = gather(&place, &["stable"]);
    assert_eq!((other.pools.len(), all(&other)), (1, want[2..].to_vec()));
}
