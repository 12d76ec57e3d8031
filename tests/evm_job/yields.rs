//! `reward apr`: from weights, emission, TVL and prices that are accepted and fresh, or not at all.

use super::desk::{Desk, says};
use serde_json::{Value, json};

fn of<'a>(data: &'a Value, name: &str) -> &'a Value {
    data["pools"].as_array().unwrap().iter().find(|p| p["pool"] == name).unwrap()
}

fn why(desk: &Desk, name: &str) -> String {
    let data = desk.unchanged(|| desk.json("reward apr"));
    let pool = of(&data, name);
    assert_eq!((&pool["apr"], &pool["apy"]), (&Value::Null, &Value::Null), "{pool}");
    pool["why"].as_str().unwrap().to_owned()
}

#[test]
fn a_yield_needs_a_weight_a_sync_and_both_prices() {
    let desk = Desk::ready();
    let (eighteen, six) = (desk.world.eighteen, desk.world.six);
    desk.setting("reward.block_time_sec = 31536");
    says(&json!(why(&desk, "stable")), &["no weight"]);
    desk.run("reward set-weight stable 0.25").ok();
    desk.run("reward set-weight growth 0.75").ok();
    says(&json!(why(&desk, "stable")), &["never synced"]);
    desk.run("sync").ok();
    says(&json!(why(&desk, "stable")), &["no price of the reward token"]);
    desk.run(&format!("oracle add growth-usd --kind fixed --asset {} --price 2", eighteen.asset)).ok();
    says(&json!(why(&desk, "stable")), &["no price of the pool's asset"]);
    desk.run(&format!("oracle add stable-usd --kind fixed --asset {} --price 0.5", six.asset)).ok();
    let data = desk.unchanged(|| desk.json("reward apr"));
    let stable = of(&data, "stable");
    // 1,000 blocks a year of 2, a quarter of it: 500 at 2, to a TVL of 2,301.234567 at 0.5.
    assert_eq!(stable["yearly_emission"], "500.000000000000000000");
    assert_eq!(stable["tvl"], "2301.234567");
    assert_eq!(stable["apr"], "0.869098");
    assert_eq!(stable["apy"], "1.382298");
    assert_eq!(stable["why"], Value::Null);
    assert_eq!(
        (&stable["reward_price"]["fixed"], &stable["asset_price"]["feed"]),
        (&json!(true), &json!("stable-usd"))
    );
    // 1,500 of it, to what the other vault holds in the same token.
    let growth = of(&data, "growth");
    assert_eq!((&growth["tvl"], &growth["apr"]), (&json!("1525.000000000000000000"), &json!("0.983606")));
    let one = desk.json("reward apr growth");
    assert_eq!(one["pools"], json!([growth]));
    says(&json!(desk.run("reward apr").ok()), &["86.9098%", "138.2298%", "stable", "2,301.234567"]);
    desk.run("reward apr nowhere").fails(2, "unknown_pool");
    // The cycle's terms count once they are written down.
    desk.first_cycle();
    let config = std::fs::read_to_string(desk.home.config()).unwrap();
    desk.home.write_config(&config.replace("reward.block_reward = \"2\"", "reward.block_reward = \"4\""));
    assert_eq!(of(&desk.json("reward apr"), "stable")["apr"], "0.869098");
    desk.run("reward cycle --json").exits(0);
    assert_eq!(of(&desk.json("reward apr"), "stable")["apr"], "1.738197");
}

#[test]
fn a_stale_price_is_none() {
    let desk = Desk::ready();
    let (eighteen, six) = (desk.world.eighteen, desk.world.six);
    desk.run("reward set-weight growth 1").ok();
    desk.run("sync").ok();
    desk.run(&format!("oracle add growth-usd --asset {} --address {}", eighteen.asset, eighteen.feed)).ok();
    desk.run(&format!("oracle add stable-usd --asset {} --address {}", six.asset, six.feed)).ok();
    desk.run("oracle fetch").ok();
    let data = desk.json("reward apr growth");
    // 12,614,400 a year to 1,525 of the same token.
    assert_eq!(data["pools"][0]["apr"], "8271.737704");
    says(&data["pools"][0]["why"], &["APY is too large"]);
    assert_eq!(data["pools"][0]["apy"], Value::Null);
    assert!(data["pools"][0]["asset_price"]["age_sec"].is_u64());
    desk.meddle("UPDATE oracle_price_cache SET fetched_at = fetched_at - 3700");
    says(&json!(why(&desk, "growth")), &["no price"]);
}
