//! An operator's desk: a home, a node behind a recording wire, and the state as rows to compare.

use super::NODE;
use crate::support::{Home, Run};
use poolctl_testkit::alloy::primitives::Address;
use poolctl_testkit::{Proxy, World, units};
use rusqlite::{Connection, types::ValueRef};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;

/// Every table's rows as text, by table.
pub type Dump = BTreeMap<String, Vec<String>>;

/// A home after `init`, a small world, and the wire between them.
pub struct Desk {
    pub home: Home,
    pub world: World,
    pub wire: Proxy,
}

/// The lines of a config file's sandbox profile that every test shares.
pub fn config(world: &World, urls: &[(&str, &str)]) -> String {
    let urls: Vec<String> = urls.iter().map(|(name, url)| format!("\"{name}={url}\"")).collect();
    format!(
        "profile = \"sandbox\"\n[profiles.sandbox]\nevm.rpc_urls = [{}]\nevm.attempts = 2\nevm.retry_base_ms = 1\n\
         reward.asset = \"{}\"\nreward.epoch_blocks = 10\nreward.block_reward = \"2\"\n",
        urls.join(", "),
        world.eighteen.asset
    )
}

impl Desk {
    /// A desk with nothing added yet.
    pub fn bare() -> Self {
        Self::on(World::small(NODE).unwrap())
    }

    /// A desk with the pools `growth` (18 decimals) and `stable` (6 decimals) and the member `alice`.
    pub fn ready() -> Self {
        let desk = Self::bare();
        desk.add_pools();
        desk
    }

    /// A desk with both pools, the member, and weights of 0.75 and 0.25.
    pub fn weighted() -> Self {
        let desk = Self::ready();
        desk.run("reward set-weight growth 0.75").ok();
        desk.run("reward set-weight stable 0.25").ok();
        desk
    }

    pub fn add_pools(&self) {
        self.run(&format!("pool add growth {}", self.world.eighteen.vault)).ok();
        self.run(&format!("pool add stable {}", self.world.six.vault)).ok();
        self.run(&format!("member add {} --name alice", self.world.alice)).ok();
        self.wire.clear();
    }

    /// Names other endpoints in the config file.
    pub fn use_urls(&self, urls: &[(&str, &str)]) {
        self.home.write_config(&config(&self.world, urls));
    }

    /// Adds a line to the sandbox profile.
    pub fn setting(&self, line: &str) {
        let mut text = fs::read_to_string(self.home.config()).unwrap();
        writeln!(text, "{line}").unwrap();
        self.home.write_config(&text);
    }

    pub fn run(&self, line: &str) -> Run {
        self.home.run(line)
    }

    pub fn json(&self, line: &str) -> Value {
        self.run(line).json()
    }

    /// First block of the older of both pools.
    pub fn genesis(&self) -> u64 {
        self.world.eighteen.deploy_block.min(self.world.six.deploy_block)
    }

    /// The last final block of the node.
    pub fn final_block(&self) -> u64 {
        self.world.node.block_of_tag("finalized").unwrap()
    }

    /// `reward cycle` of the first time.
    pub fn first_cycle(&self) -> Value {
        self.json(&format!("reward cycle --from {}", self.genesis()))
    }

    pub fn dump(&self) -> Dump {
        dump(&self.home.sqlite())
    }

    /// Runs `body` and demands that no row of the state changed.
    #[track_caller]
    pub fn unchanged<T>(&self, body: impl FnOnce() -> T) -> T {
        let before = self.dump();
        let result = body();
        same(&before, &self.dump());
        result
    }

    /// Demands that the run is refused with this code and these words, that no row changed, and that nothing was sent.
    #[track_caller]
    pub fn refuses_offline(&self, args: &[&str], code: &str, words: &[&str]) -> Value {
        let sent = self.wire.http_count();
        let envelope = self.unchanged(|| self.home.args(args).fails(2, code));
        assert_eq!(self.wire.http_count(), sent, "{args:?} asked the network");
        says(&envelope["error"]["message"], words);
        envelope
    }

    /// `state check` finds nothing.
    #[track_caller]
    pub fn sound(&self) {
        sound(&self.home);
    }

    /// One value of the state.
    #[track_caller]
    pub fn one(&self, sql: &str) -> String {
        let found = rows(&self.home.sqlite(), sql);
        assert_eq!(found.len(), 1, "{sql}: {found:?}");
        found[0].clone()
    }

    /// Rows of the state as text.
    pub fn rows(&self, sql: &str) -> Vec<String> {
        rows(&self.home.sqlite(), sql)
    }

    /// Changes the state as only a test would.
    pub fn meddle(&self, sql: &str) {
        assert!(self.home.sqlite().execute(sql, []).unwrap() > 0, "{sql}");
    }
}

/// The same digits with one letter's case wrong.
pub fn misspelt(address: Address) -> String {
    let good = address.to_string();
    let at = good.char_indices().skip(2).find(|(_, c)| c.is_ascii_alphabetic()).unwrap().0;
    let mut bytes = good.into_bytes();
    bytes[at] ^= 0x20;
    String::from_utf8(bytes).unwrap()
}

/// Demands that a text holds all of these words.
#[track_caller]
pub fn says(text: &Value, words: &[&str]) {
    let text = text.as_str().unwrap();
    for word in words {
        assert!(text.contains(word), "{word:?} is not in: {text}");
    }
}

/// The envelope's warnings as one text.
pub fn warnings(envelope: &Value) -> Value {
    let lines: Vec<&str> =
        envelope["warnings"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    Value::String(lines.join("\n"))
}

/// `state check` finds nothing.
#[track_caller]
pub fn sound(home: &Home) {
    let report = home.run("state check --full").json();
    assert_eq!(report["findings"], Value::Array(Vec::new()), "{report}");
}

/// Everything that is in a state.
pub fn dump(conn: &Connection) -> Dump {
    tables(conn)
        .into_iter()
        .map(|table| (table.clone(), rows(conn, &format!("SELECT * FROM {table}"))))
        .collect()
}

/// Everything that two runs of the same work must agree on: not when and by which run it was done.
pub fn lasting(conn: &Connection) -> Dump {
    const CHAIN_TIMES: [&str; 2] = ["last_deposit_at", "block_at"];
    const VOLATILE: [&str; 5] = ["at", "run_id", "actor", "prev_hash", "hash"];
    let mut found = Dump::new();
    // Nor what was learned of the endpoints on the way.
    for table in tables(conn).into_iter().filter(|table| table != "evm_endpoints") {
        let columns = rows(conn, &format!("SELECT name FROM pragma_table_info('{table}')"));
        let shown: Vec<String> = columns
            .into_iter()
            .filter(|c| !(table == "events" && VOLATILE.contains(&c.as_str())))
            .map(|c| {
                let clock = (c.ends_with("_at") || c.ends_with("_seen"))
                    && !CHAIN_TIMES.contains(&c.as_str())
                    && table != "oracle_price_cache";
                if clock { format!("{c} IS NULL") } else { c }
            })
            .collect();
        let clause = if table == "meta" { "WHERE key NOT IN ('data_version', 'audit_head')" } else { "" };
        found
            .insert(table.clone(), rows(conn, &format!("SELECT {} FROM {table} {clause}", shown.join(", "))));
    }
    found
}

/// Demands that two dumps are the same, naming what differs.
#[track_caller]
pub fn same(left: &Dump, right: &Dump) {
    for (table, rows) in left {
        assert_eq!(rows, &right[table], "{table}");
    }
    assert_eq!(left.len(), right.len());
}

/// All but `runs`: when a run ended is noted whatever came of it.
fn tables(conn: &Connection) -> Vec<String> {
    rows(
        conn,
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name <> 'runs' ORDER BY name",
    )
}

/// The rows of a query, each as one line.
pub fn rows(conn: &Connection, sql: &str) -> Vec<String> {
    let mut statement = conn.prepare(sql).unwrap();
    let count = statement.column_count();
    let mut rows = statement.query([]).unwrap();
    let mut found = Vec::new();
    while let Some(row) = rows.next().unwrap() {
        let cells: Vec<String> = (0..count)
            .map(|i| match row.get_ref(i).unwrap() {
                ValueRef::Null => "NULL".to_owned(),
                ValueRef::Integer(n) => n.to_string(),
                ValueRef::Real(n) => n.to_string(),
                ValueRef::Text(text) => String::from_utf8(text.to_vec()).unwrap(),
                ValueRef::Blob(bytes) => poolctl_testkit::alloy::hex::encode_prefixed(bytes),
            })
            .collect();
        found.push(cells.join(" | "));
    }
    found
}

/// What a state says of pools, whoever was seen first in it: figures, transfers, holders.
pub fn figures(conn: &Connection) -> Vec<Vec<String>> {
    [
        "SELECT p.name, p.deploy_block, p.cursor_block, p.cursor_hash, p.synced_block, s.block_hash, s.block_timestamp,
             s.total_assets, s.total_shares, s.rate_e18, s.paused, s.max_deposit
         FROM pools p JOIN pool_snapshots s ON s.pool_id = p.id AND s.block_number = p.synced_block ORDER BY 1",
        "SELECT p.name, t.block_number, t.log_index, t.tx_hash, f.address, g.address, t.shares FROM share_transfers t
         JOIN pools p ON p.id = t.pool_id LEFT JOIN members f ON f.id = t.from_member
         LEFT JOIN members g ON g.id = t.to_member ORDER BY 1, 2, 3",
        "SELECT p.name, m.address, u.shares, u.last_deposit_block, u.last_deposit_at FROM user_pool_shares u
         JOIN pools p ON p.id = u.pool_id JOIN members m ON m.id = u.member_id WHERE u.shares <> '0' ORDER BY 1, 2",
        "SELECT p.name, c.code_hash, c.implementation, c.asset_decimals, c.can_pause, c.found_block FROM pool_contracts c
         JOIN pools p ON p.id = c.pool_id ORDER BY 1",
    ]
    .map(|sql| rows(conn, sql))
    .into()
}

/// The figures of a home that knows nothing but the chain as it is.
pub fn straight(world: &World) -> Vec<Vec<String>> {
    let home = Home::ready();
    home.write_config(&config(world, &[("main", world.node.url())]));
    home.run(&format!("pool add growth {}", world.eighteen.vault)).ok();
    home.run(&format!("pool add stable {}", world.six.vault)).ok();
    home.run("sync").ok();
    figures(&home.sqlite())
}

impl Desk {
    /// A desk on this world.
    pub fn on(world: World) -> Self {
        let wire = Proxy::start(world.node.url()).unwrap();
        let desk = Self { home: Home::ready(), world, wire };
        desk.use_urls(&[("main", &desk.wire.url())]);
        desk
    }

    /// Everything there is: pools, weights, feeds, an engine, a first cycle, and new blocks since.
    pub fn furnish(&self) {
        let eighteen = self.world.eighteen;
        self.add_pools();
        self.run("sync").ok();
        self.run(&format!("oracle add growth-usd --asset {} --address {}", eighteen.asset, eighteen.feed))
            .ok();
        self.run("oracle check").ok();
        self.run(&format!("risk set growth --engine viddhana --engine-address {}", self.world.risk)).ok();
        self.run("risk set stable --max-tvl 1000000").ok();
        self.run("risk check").ok();
        self.run("reward set-weight growth 0.75").ok();
        self.run("reward set-weight stable 0.25").ok();
        self.first_cycle();
        self.world.node.mine(12).unwrap();
        self.wire.clear();
    }

    /// Every command that reads the chain, each with something to do on a furnished desk.
    pub fn chain_commands(&self) -> Vec<String> {
        let six = self.world.six;
        let third = self.world.add_vault(six.asset, 0).unwrap().address().unwrap();
        self.run("withdrawal request stable alice 1").ok();
        let gone = self.world.withdraw(six.vault, self.world.alice, units(1, 6)).unwrap().tx;
        self.world.node.mine(2).unwrap();
        vec![
            format!("withdrawal complete 1 --tx {gone}"),
            "sync --all".to_owned(),
            format!("oracle add stable-usd --asset {} --address {}", six.asset, six.feed),
            "oracle fetch".to_owned(),
            "oracle check".to_owned(),
            format!("oracle get {} --refresh", self.world.eighteen.asset),
            format!("oracle aggregate {}", self.world.eighteen.asset),
            "risk fetch --all".to_owned(),
            "risk check --all".to_owned(),
            "reward set-weight growth 0.5".to_owned(),
            "reward cycle".to_owned(),
            "pool validate-deposit growth alice 1 --on-chain".to_owned(),
            "pool reconcile --all".to_owned(),
            format!("pool add third {third}"),
        ]
    }
}
