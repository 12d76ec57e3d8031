//! What looks at everything: doctor, health, info, metrics, report, version; and what tells of it: notify.

pub mod health;
pub mod notify;
pub mod status;

use base::{Result, clock, forms};
use config::{Config, keys};
use rusqlite::Row;
use schemars::JsonSchema;
use serde::Serialize;
use state::State;
use std::collections::BTreeMap;
use std::path::PathBuf;
use watch::leases::LeaseView;
use watch::metrics::Gauge;
use watch::report::Counts;

/// What was checked.
#[derive(Debug, Serialize, JsonSchema)]
pub struct DoctorOutput {
    /// `ok`, `warn` or `fail`: the worst of all.
    pub verdict: &'static str,
    /// How many are as they should be.
    pub ok: usize,
    /// How many work, but should be fixed.
    pub warn: usize,
    /// How many do not work.
    pub fail: usize,
    /// One by one.
    pub checks: Vec<LineView>,
}

/// One thing that was checked.
#[derive(Debug, Serialize, JsonSchema)]
pub struct LineView {
    /// `config`, `files`, `state`, `clock`, `evm`, `stellar`, `contracts`, `farmers`, `expiry` or `notify`.
    pub area: &'static str,
    /// What was checked.
    pub subject: String,
    /// `ok`, `warn` or `fail`.
    pub status: &'static str,
    /// What was found.
    pub found: String,
    /// What fixes it.
    pub fix: Option<String>,
}

/// The metrics.
#[derive(Debug, Serialize, JsonSchema)]
pub struct MetricsOutput {
    /// Sample by sample; those of one name may be apart.
    pub metrics: Vec<MetricView>,
    /// Prometheus' text format.
    #[serde(skip)]
    pub text: String,
}

/// One sample of a gauge.
#[derive(Debug, Serialize, JsonSchema)]
pub struct MetricView {
    /// The metric's name, with its unit.
    pub name: &'static str,
    /// What it says.
    pub help: &'static str,
    /// Labels by name.
    pub labels: BTreeMap<&'static str, String>,
    /// An exact decimal.
    #[schemars(with = "forms::Decimal")]
    pub value: String,
}

impl From<Gauge> for MetricView {
    fn from(gauge: Gauge) -> Self {
        Self {
            name: gauge.name,
            help: gauge.help,
            labels: gauge.labels.into_iter().collect(),
            value: gauge.value,
        }
    }
}

/// The page that was written.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ReportOutput {
    /// Where it is.
    pub path: PathBuf,
    /// Its size in bytes.
    pub bytes: usize,
    /// SHA-256 of it, lower-case hex.
    #[schemars(with = "forms::Digest")]
    pub sha256: String,
    /// How much of everything is on it.
    pub counts: Counts,
    /// The page itself, where it goes to stdout.
    #[serde(skip)]
    pub html: Option<String>,
}

/// Versions.
#[derive(Debug, Serialize, JsonSchema)]
pub struct VersionOutput {
    /// Of poolctl.
    pub version: &'static str,
    /// How it was built: `release` or `debug`, and for which system and processor.
    pub build: String,
    /// The state schema that it reads and writes.
    pub state_schema: u32,
    /// `schema_version` of what it writes with `--json`.
    pub json_schema: u32,
}

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
    /// Who is at work on it.
    pub leases: Vec<LeaseView>,
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
