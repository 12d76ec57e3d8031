//! Of `info`: versions, networks, the state and the limits in force, without asking any network.

use base::{Result, clock, forms};
use config::{Config, keys};
use rusqlite::Row;
use schemars::JsonSchema;
use serde::Serialize;
use state::State;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// What `info` shows.
#[derive(Debug, Serialize, JsonSchema)]
pub struct InfoOutput {
    /// Version of poolctl.
    pub version: &'static str,
    /// Version of the bundled SQLite.
    pub sqlite: &'static str,
    /// The state schema that this poolctl reads and writes.
    pub schema: u32,
    /// The config file.
    pub config: ConfigFacts,
    /// The EVM network of the profile.
    pub evm: Network,
    /// The Stellar network of the profile.
    pub stellar: Network,
    /// The state file.
    pub state: StateFacts,
    /// Limits and intervals in force, by setting.
    pub limits: BTreeMap<&'static str, String>,
}

/// The config file in force.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ConfigFacts {
    /// Where it is, or would be.
    pub path: Option<PathBuf>,
    /// Whether there is one.
    pub exists: bool,
    /// The profile.
    pub profile: String,
    /// Whether commands that move value ask.
    pub confirm: bool,
}

/// A network as the profile pins it.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Network {
    /// EVM chain id, or Stellar network name.
    #[serde(rename = "network")]
    pub pin: Option<String>,
    /// Stellar network passphrase.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub passphrase: Option<&'static str>,
    /// Endpoints by name and host.
    pub endpoints: Vec<String>,
    /// The KALE farm contract, on Stellar where one is known or set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub farm: Option<String>,
}

/// The state file.
#[derive(Debug, Serialize, JsonSchema)]
pub struct StateFacts {
    /// Where it is, or would be.
    pub path: PathBuf,
    /// Whether there is one.
    pub exists: bool,
    /// Why it cannot be read, as the word of `error.code`.
    pub fault: Option<&'static str>,
    /// What is in it, where it can be read.
    pub contents: Option<Contents>,
}

/// What is in the state.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Contents {
    /// Size of the main file in bytes.
    pub bytes: u64,
    /// Counts the write transactions.
    pub data_version: String,
    /// Audit events.
    pub events: i64,
    /// Pools.
    pub pools: i64,
    /// Members.
    pub members: i64,
    /// The EVM chain that it belongs to, once a command has used one.
    pub evm_chain_id: Option<String>,
    /// Height of the newest accepted sync.
    pub synced_block: Option<i64>,
    /// When that was, RFC 3339 UTC.
    #[schemars(with = "Option<forms::Time>")]
    pub synced_at: Option<String>,
}

/// Endpoints of a setting by name and host; none where it is not set.
pub fn endpoints(config: &Config, key: &str) -> Vec<String> {
    let endpoints = config.endpoints(key).unwrap_or_default();
    endpoints.iter().map(ToString::to_string).collect()
}

/// Numbers, ratios and the like that bound what poolctl does.
pub fn limits(config: &Config) -> BTreeMap<&'static str, String> {
    let bounds = |kind: keys::Kind| {
        matches!(
            kind,
            keys::Kind::Number(..) | keys::Kind::Ratio | keys::Kind::Decimal | keys::Kind::Choice(_)
        )
    };
    let entries = config.entries().iter().filter(|e| e.key.runtime && bounds(e.key.kind));
    entries.filter_map(|e| Some((e.key.name, e.value.clone()?))).collect()
}

impl Contents {
    /// What the state holds.
    pub fn of(state: &State) -> Result<Self> {
        let conn = state.conn();
        let (bytes, data_version, evm_chain_id) = (
            std::fs::metadata(state.path()).map(|file| file.len()).unwrap_or_default(),
            state::meta_get(conn, "data_version")?.unwrap_or_default(),
            state::meta_get(conn, "evm_chain_id")?,
        );
        let contents = |row: &Row<'_>| {
            Ok(Self {
                bytes,
                data_version,
                events: row.get("events")?,
                pools: row.get("pools")?,
                members: row.get("members")?,
                evm_chain_id,
                synced_block: row.get("synced_block")?,
                synced_at: row.get::<_, Option<i64>>("synced_at")?.map(clock::rfc3339),
            })
        };
        Ok(conn.query_row(
            "SELECT (SELECT coalesce(max(id), 0) FROM events) AS events, (SELECT count(*) FROM pools) AS pools,
                (SELECT count(*) FROM members) AS members,
                max(s.block_number) AS synced_block, max(s.synced_at) AS synced_at
             FROM pools p JOIN pool_snapshots s ON s.pool_id = p.id AND s.block_number = p.synced_block",
            [],
            contents,
        )?)
    }
}
