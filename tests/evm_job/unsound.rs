//! Nobody is paid by rows that disagree: the cycle refuses the pool, and nothing of it changes.

use super::desk::{Desk, rows, says};
use poolctl_testkit::tamper;

/// (what is done to the last epoch or the pool, words of the refusal).
const BREAKS: &[(&str, &[&str])] = &[
    (
        "UPDATE pools SET reward_carry = '5' WHERE name = 'growth'",
        &["carries 5", "its last epoch", "nothing is paid"],
    ),
    ("UPDATE pools SET reward_cursor_block = reward_cursor_block - 10 WHERE name = 'growth'", &["ends at"]),
    (
        "UPDATE pool_reward_epochs SET distributed = distributed || '0' WHERE distributed <> '0'",
        &["is not distributed"],
    ),
    (
        "UPDATE ledger_accounts SET balance = '7' WHERE purpose = 'reward_carry'",
        &["carries", "the ledger has 7"],
    ),
];

#[test]
fn a_cycle_over_rows_that_disagree_pays_nobody() {
    let desk = Desk::ready();
    desk.run("reward set-weight growth 1").ok();
    desk.first_cycle();
    desk.world.node.mine(40).unwrap();
    desk.run("sync").ok();
    let undisturbed = desk.home.fork();
    undisturbed.run("reward cycle").ok();
    let paid = "SELECT * FROM pool_rewards";
    for (sql, words) in BREAKS {
        let home = desk.home.fork();
        let changed = tamper(&home.sqlite(), |conn| conn.execute(sql, [])).unwrap();
        assert!(changed > 0, "nothing was broken by: {sql}");
        let before = (rows(&home.sqlite(), paid), rows(&home.sqlite(), "SELECT * FROM ledger_entries"));
        let envelope = home.run("reward cycle --json").exits(1).envelope();
        assert_eq!(envelope["error"]["code"], "state_corrupt", "{sql}: {envelope}");
        says(&envelope["error"]["message"], words);
        assert_eq!(
            (rows(&home.sqlite(), paid), rows(&home.sqlite(), "SELECT * FROM ledger_entries")),
            before,
            "{sql}"
        );
    }
    assert!(
        rows(&undisturbed.sqlite(), paid).len() > rows(&desk.home.sqlite(), paid).len(),
        "there was something to pay"
    );
}

/// What a pool that lags is paid of: damaged between its making and the payment.
#[test]
fn a_budget_that_no_setting_makes_pays_nobody() {
    let desk = Desk::weighted();
    desk.first_cycle();
    desk.run("risk pause growth --reason seen").ok();
    desk.world.node.mine(40).unwrap();
    desk.run("sync").ok();
    // The other pool is paid of the budgets, this one waits.
    desk.run("reward cycle").exits(3);
    desk.run("risk unpause growth --reason seen").ok();
    let first = "(SELECT reward_cursor_block FROM pools WHERE name = 'growth')";
    for (sql, words) in [
        (
            format!("UPDATE reward_emissions SET emission = emission || '0' WHERE start_block = {first}"),
            "by the settings of its day",
        ),
        (
            format!("UPDATE reward_emissions SET carry_in = '7' WHERE start_block = {first}"),
            "by the settings of its day",
        ),
        (format!("DELETE FROM reward_emissions WHERE start_block = {first}"), "is missing"),
    ] {
        let home = desk.home.fork();
        assert_eq!(tamper(&home.sqlite(), |conn| conn.execute(&sql, [])).unwrap(), 1, "{sql}");
        let before = home.run("state check --full").fails(5, "check_failed")["data"]["findings"].clone();
        let paid = rows(&home.sqlite(), "SELECT * FROM pool_rewards");
        let envelope = home.run("reward cycle").fails(3, "partial");
        says(&envelope["error"]["message"], &[words, "nothing is paid"]);
        assert_eq!(rows(&home.sqlite(), "SELECT * FROM pool_rewards"), paid, "{sql}");
        let after = home.run("state check --full").fails(5, "check_failed")["data"]["findings"].clone();
        assert_eq!(after, before, "{sql}");
    }
    desk.run("reward cycle").ok();
    desk.sound();
}

#[test]
fn a_reward_whose_epoch_is_missing_is_not_left_out_in_silence() {
    let desk = Desk::weighted();
    desk.first_cycle();
    desk.run("reward pending alice").ok();
    let sql = "DELETE FROM pool_reward_epochs WHERE id = (SELECT min(epoch_id) FROM pool_rewards)";
    let conn = desk.home.sqlite();
    conn.pragma_update(None, "foreign_keys", false).unwrap();
    assert_eq!(tamper(&conn, |conn| conn.execute(sql, [])).unwrap(), 1);
    drop(conn);
    for line in [
        "reward pending alice",
        "reward pending alice --pool growth",
        "reward claim alice --all",
        "pool position alice growth",
    ] {
        desk.unchanged(|| desk.run(line).fails(1, "state_corrupt"));
    }
}
