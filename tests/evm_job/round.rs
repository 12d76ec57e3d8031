//! A whole round, and every figure of it worked out again from the chain alone.

use super::NODE;
use super::desk::{dump, rows, same};
use crate::support::BINARY;
use poolctl_testkit::abi::Vault;
use poolctl_testkit::alloy::primitives::{Address, U256};
use poolctl_testkit::{Rpc, model, round, units, watch};
use rusqlite::Connection;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

fn poolctl(folder: &Path, line: &str) -> Value {
    let mut command = Command::new(BINARY);
    command.args(line.split_whitespace()).arg("--json").current_dir(folder);
    let output = watch::output(command.env_clear().env("POOLCTL_CONFIG", "config.toml")).unwrap();
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice::<Value>(&output.stdout).unwrap()["data"].clone()
}

#[test]
fn every_figure_of_the_round_follows_from_the_chain() {
    let folder = tempfile::tempdir().unwrap();
    let mut steps = Vec::new();
    let world = round::round(NODE, Path::new(BINARY), folder.path(), |step| {
        steps.push((step.command.clone(), step.stdout.clone(), step.stderr.clone()));
    })
    .unwrap();
    let conn = Connection::open(folder.path().join("state.sqlite")).unwrap();

    // The figures of each pool are the contract's own at the block that the state names.
    for (name, pool) in [("growth", world.eighteen), ("stable", world.six)] {
        let sql = format!(
            "SELECT s.block_number, s.block_hash, s.total_assets, s.total_shares, s.rate_e18, s.paused
             FROM pools p JOIN pool_snapshots s ON s.pool_id = p.id AND s.block_number = p.synced_block
             WHERE p.name = '{name}'"
        );
        let (number, hash) =
            conn.query_row(&sql, [], |row| Ok((row.get::<_, u64>(0)?, row.get::<_, String>(1)?))).unwrap();
        assert_eq!(hash, world.node.block_hash(number).unwrap().to_string());
        let at = json!({"blockHash": hash});
        let call = |call: Vault::totalAssetsCall| world.node.call_at(pool.vault, &call, at.clone()).unwrap();
        let assets = call(Vault::totalAssetsCall {});
        let shares = world.node.call_at(pool.vault, &Vault::totalSupplyCall {}, at.clone()).unwrap();
        let one = Vault::convertToAssetsCall { shares: units(1, pool.decimals) };
        let rate = world.node.call_at(pool.vault, &one, at.clone()).unwrap() * units(1, 18 - pool.decimals);
        assert_eq!(rows(&conn, &sql), [format!("{number} | {hash} | {assets} | {shares} | {rate} | 0")]);
        // So are the shares of every holder.
        for holder in [world.alice, world.bob, world.carol, world.dave, world.owner] {
            let held = world
                .node
                .call_at(pool.vault, &Vault::balanceOfCall { account: holder }, at.clone())
                .unwrap();
            let sql = format!(
                "SELECT u.shares FROM user_pool_shares u JOIN members m ON m.id = u.member_id
                 JOIN pools p ON p.id = u.pool_id WHERE p.name = '{name}' AND m.address = '{holder}'"
            );
            let stored = rows(&conn, &sql).first().map_or(U256::ZERO, |text| text.parse().unwrap());
            assert_eq!(stored, held, "{name} {holder}");
        }
    }

    // Every reward, block by block.
    let first = world.eighteen.deploy_block.min(world.six.deploy_block);
    let last_final = world.node.block_of_tag("finalized").unwrap();
    let order = rows(&conn, "SELECT address FROM members ORDER BY id");
    let rank = |holder: &Address| order.iter().position(|a| *a == holder.to_string()).unwrap();
    let rpc = Rpc::new(world.node.url()).unwrap();
    let epochs = (last_final + 1 - first) / 10;
    assert!(epochs >= 3, "{epochs}");
    let mut everything = U256::ZERO;
    let mut of_alice = BTreeMap::new();
    for (name, vault, part) in
        [("growth", world.eighteen.vault, units(15, 18)), ("stable", world.six.vault, units(5, 18))]
    {
        let moved = model::moved(&rpc, vault, first).unwrap();
        let want = model::rewards(&moved, first, last_final, part, rank);
        let got = rows(
            &conn,
            &format!(
                "SELECT e.start_block, m.address, r.amount FROM pool_rewards r
                 JOIN pool_reward_epochs e ON e.id = r.epoch_id JOIN members m ON m.id = r.member_id
                 JOIN pools p ON p.id = e.pool_id WHERE p.name = '{name}'
                 UNION ALL SELECT reward_cursor_block, '{}', reward_carry FROM pools
                 WHERE name = '{name}' AND reward_carry <> '0'",
                Address::ZERO
            ),
        );
        let mut want_rows: Vec<String> =
            want.iter().map(|((start, holder), amount)| format!("{start} | {holder} | {amount}")).collect();
        let mut got = got;
        want_rows.sort();
        got.sort();
        assert_eq!(got, want_rows, "{name}");
        everything += want.values().sum::<U256>();
        let alice: U256 =
            want.iter().filter(|((_, holder), _)| *holder == world.alice).map(|(_, a)| *a).sum();
        of_alice.insert(name, alice);
    }
    assert_eq!(everything, units(2 * 10 * epochs, 18), "nothing is lost, nothing is made");

    // What alice claimed is that sum: in her position, in the ledger, and as marked rows.
    let claimed: U256 = of_alice.values().sum();
    let decimal = |amount: U256| {
        let (whole, rest) = amount.div_rem(units(1, 18));
        format!("{whole}.{:0>18}", rest.to_string())
    };
    for (name, amount) in &of_alice {
        let position = poolctl(folder.path(), &format!("pool position alice {name}"));
        assert_eq!(position["claimed"][0]["amount"], decimal(*amount), "{position}");
        assert_eq!(position["unclaimed"], json!([]));
    }
    let available =
        "SELECT balance FROM ledger_accounts WHERE owner_kind = 'member' AND purpose = 'available'";
    assert_eq!(rows(&conn, available), [claimed.to_string()]);
    let sql = format!(
        "SELECT r.amount FROM pool_rewards r JOIN members m ON m.id = r.member_id
         WHERE m.address = '{}' AND r.claimed_at IS NOT NULL",
        world.alice
    );
    assert_eq!(rows(&conn, &sql).iter().map(|a| a.parse::<U256>().unwrap()).sum::<U256>(), claimed);
    assert_eq!(rows(&conn, "SELECT count(*) FROM events WHERE kind = 'reward.claimed'"), ["1"]);

    // The round told it as it is, and telling it again changes nothing.
    let said = |command: &str| {
        steps.iter().filter(|(c, ..)| c.starts_with(command)).map(|(_, out, _)| out).collect::<Vec<_>>()
    };
    let claims = said("reward claim");
    assert!(claims[0].contains("credited"), "{}", claims[0]);
    assert_eq!(claims[1], "nothing to claim\n");
    assert!(steps.iter().all(|(_, _, stderr)| stderr.is_empty()), "{steps:?}");
    let before = dump(&conn);
    poolctl(folder.path(), "reward cycle");
    poolctl(folder.path(), "reward claim alice --all");
    poolctl(folder.path(), "sync --all");
    same(&before, &dump(&conn));
    assert_eq!(poolctl(folder.path(), "state check --full")["findings"], json!([]));
}
