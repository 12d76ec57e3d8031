//! Every list of the pools' side: whole, page by page, and as CSV it has the same rows.

use super::desk::{Desk, says};
use poolctl_testkit::cli::pages;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// List, its rows, a field that tells them apart, and the first heads of its CSV.
const LISTS: [(&str, &str, &str, &str); 12] = [
    ("pool list", "pools", "name", "name,address,abi,asset.address,asset.symbol,"),
    ("pool holders growth", "holders", "member", "member,member_name,shares,part,underlying"),
    ("member list", "members", "address", "address,name"),
    ("reward epoch list", "epochs", "epoch", "epoch,pool,start_block,end_block,"),
    ("reward epoch list growth", "epochs", "epoch", "epoch,pool,start_block,end_block,"),
    ("reward pending alice", "pending", "pool", "member,member_name,pool,symbol,amount,epochs"),
    ("oracle list", "feeds", "name", "name,asset,kind,address,fixed_price,"),
    ("oracle alerts --closed", "alerts", "id", "id,subject,kind,why,open,"),
    ("risk violations --closed", "alerts", "id", "id,subject,kind,why,open,"),
    ("events", "events", "id", "id,at,run_id,actor,kind,subject,payload,"),
    ("events --kind reward.", "events", "id", "id,at,run_id,actor,kind,subject,payload,"),
    ("events --since 24h", "events", "id", "id,at,run_id,actor,kind,subject,payload,"),
];

fn desk() -> Desk {
    let desk = Desk::bare();
    desk.furnish();
    desk.run(&format!(
        "oracle add six-usd --asset {} --address {}",
        desk.world.six.asset, desk.world.six.feed
    ))
    .ok();
    for n in 1..=3 {
        desk.run(&format!("config set oracle.cache_ttl_sec {n}")).ok();
    }
    desk.wire.clear();
    desk
}

fn fields(rows: &Value, field: &str) -> Vec<Value> {
    rows.as_array().unwrap().iter().map(|row| row[field].clone()).collect()
}

#[test]
fn every_list_is_the_same_whole_in_pages_and_as_csv() {
    let desk = desk();
    desk.unchanged(|| {
        let mut cut = 0;
        for (line, rows, field, heads) in LISTS {
            let data = desk.json(&format!("{line} --all"));
            let all = fields(&data[rows], field);
            assert_eq!((&data["more"], &data["cursor"]), (&json!(false), &Value::Null), "{line}");
            assert_eq!(data["total"], all.len(), "{line}");
            let mut paged = pages(|line| desk.run(line), line, rows, field);
            // The newest come first, and each page has its events in their order.
            if line.starts_with("events") {
                paged.reverse();
            }
            assert_eq!(paged, all, "{line}");
            let csv = desk.run(&format!("{line} --all --csv")).ok();
            assert!(csv.starts_with(heads), "{line}: {csv}");
            assert_eq!(csv.lines().count(), 1 + all.len(), "{line}: {csv}");
            let first = desk.run(&format!("{line} --limit 1")).ok();
            let told = format!("1 of {}, see all with --all, the next with --after ", all.len());
            assert_eq!(first.contains(&told), all.len() > 1, "{line}: {first}");
            let ran = desk.run(&format!("{line} --limit 1 --csv")).exits(0);
            assert_eq!(ran.stderr.contains(&told), all.len() > 1, "{line}: {}", ran.stderr);
            assert_eq!(ran.stdout.lines().count(), 1 + all.len().min(1), "{line}: {}", ran.stdout);
            cut += usize::from(all.len() > 1);
            desk.run(&format!("{line} --after nothing")).fails(2, "invalid_value");
            for bad in ["--limit 0", "--limit -1", "--limit x", "--limit 1 --all", "--csv"] {
                desk.run(&format!("{line} {bad}")).fails(2, "usage");
            }
        }
        assert!(cut >= 9, "{cut} lists have more than one row");
    });
    assert_eq!(desk.wire.http_count(), 0);
}

#[test]
fn what_is_pending_adds_up() {
    let desk = desk();
    let data = desk.json("reward pending");
    let rows = data["pending"].as_array().unwrap();
    assert_eq!((&data["member"], &data["exported"]), (&Value::Null, &json!([])));
    let base = |amount: &Value| amount.as_str().unwrap().replace('.', "").parse::<u128>().unwrap();
    let mut by_pool: BTreeMap<String, u128> = BTreeMap::new();
    for row in rows {
        *by_pool.entry(row["pool"].as_str().unwrap().to_owned()).or_default() += base(&row["amount"]);
        // The same as each member is told.
        let one = desk.json(&format!("reward pending {}", row["member"].as_str().unwrap()));
        assert!(one["pending"].as_array().unwrap().contains(row), "{one}");
    }
    let pools = data["pools"].as_array().unwrap();
    let owed: BTreeMap<String, u128> =
        pools.iter().map(|pool| (pool["pool"].as_str().unwrap().to_owned(), base(&pool["amount"]))).collect();
    assert_eq!(by_pool, owed, "the members' parts are what the ledger owes");
    assert_eq!(data["totals"].as_array().unwrap().len(), 1);
    assert_eq!(base(&data["totals"][0]["amount"]), owed.values().sum::<u128>());
    // A page is so many members, each with all that it has.
    let (mut paged, mut after) = (Vec::new(), String::new());
    loop {
        let page = desk.json(&format!("reward pending --limit 1{after}"));
        assert_eq!((&page["totals"], &page["total"]), (&data["totals"], &Value::Null));
        paged.extend(page["pending"].as_array().unwrap().clone());
        let Some(cursor) = page["cursor"].as_str() else { break };
        after = format!(" --after {cursor}");
    }
    assert_eq!(&paged, rows);
    let shown = desk.run("reward pending").ok();
    says(&shown.into(), &["MEMBER", "alice", "pool \"growth\" owes ", "together "]);
    let of_stable = desk.json("reward pending --pool stable");
    assert!(fields(&of_stable["pending"], "pool").iter().all(|pool| pool == "stable"), "{of_stable}");
    // What is claimed is pending no more.
    let mine = base(&desk.json("reward pending alice")["totals"][0]["amount"]);
    desk.run("reward claim alice --all --yes").ok();
    let after = desk.json("reward pending");
    assert!(!fields(&after["pending"], "member_name").contains(&json!("alice")), "{after}");
    assert_eq!(base(&after["totals"][0]["amount"]), owed.values().sum::<u128>() - mine);
    desk.run("reward pending nobody").fails(2, "unknown_member");
    desk.run("reward pending --pool grwth").fails(2, "unknown_pool");
}

#[test]
fn holders_are_ranked_by_number_and_are_all_there_is() {
    let desk = desk();
    desk.run("sync").ok();
    for name in ["growth", "stable"] {
        let (data, shown) =
            (desk.json(&format!("pool holders {name}")), desk.json(&format!("pool show {name}")));
        let base = |amount: &Value| amount.as_str().unwrap().replace('.', "").parse::<u128>().unwrap();
        let held: Vec<u128> = fields(&data["holders"], "shares").iter().map(base).collect();
        assert!(held.len() > 1 && held.is_sorted_by(|a, b| a >= b), "{held:?}");
        assert_eq!(held.iter().sum::<u128>(), base(&shown["total_shares"]));
        assert_eq!((&data["total"], &data["view"]), (&shown["holders"], &shown["view"]));
        assert_eq!(data["transfers_through"], shown["transfers_through"]);
        let position = desk.json(&format!("pool position alice {name}"));
        let alice =
            data["holders"].as_array().unwrap().iter().find(|one| one["member_name"] == "alice").unwrap();
        assert_eq!((&alice["shares"], &alice["underlying"]), (&position["shares"], &position["underlying"]));
        // Every sync of the history has its time.
        for point in shown["history"].as_array().unwrap() {
            assert!(point["time"].as_str().unwrap().ends_with('Z'), "{point}");
        }
    }
    desk.run("pool holders grwth").fails(2, "unknown_pool");
    desk.run("pool holders growth --after 12").fails(2, "invalid_value");
    let empty = Desk::ready();
    assert_eq!(empty.run("pool holders growth").ok(), "pool \"growth\" has no holders\n");
}

/// A page that was asked for by time goes on by time, even where the clock was set back.
#[test]
fn events_by_time_go_on_by_time() {
    let desk = desk();
    let all = pages(|line| desk.run(line), "events --since 24h", "events", "id");
    assert_eq!(all.len() as u64, desk.json("events --all")["total"].as_u64().unwrap());
    let sql = "UPDATE events SET at = '2100-01-01T00:00:00.000Z' WHERE id = 3";
    poolctl_testkit::tamper(&desk.home.sqlite(), |conn| conn.execute(sql, [])).unwrap();
    let mut after = pages(|line| desk.run(line), "events --since 24h", "events", "id");
    assert_eq!(after.remove(0), 3, "it is dated last");
    assert_eq!(after, all.iter().filter(|id| **id != json!(3)).cloned().collect::<Vec<_>>());
    desk.run("events --since 24h --after 999999").fails(2, "invalid_value");
}
