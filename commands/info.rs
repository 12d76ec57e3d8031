//! `poolctl info`: versions, networks, the state and the limits in force, without asking any network.

use crate::output::{Outcome, Page, Present};
use crate::session::Session;
use app::App;
use base::{Error, Result, clock, files, forms};
use clap::Args;
use config::{Config, keys, profile};
use schemars::JsonSchema;
use serde::Serialize;
use state::State;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Show versions, networks, the state and the limits in force
///
/// Asks no network: doctor and health do.
#[derive(Debug, Args)]
#[command(before_help = "Example: poolctl info --json")]
pub struct Info {}

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

impl Info {
    /// # Errors
    /// Those of the settings; a state that cannot be read is shown as such.
    pub fn run(self, session: &Session) -> Result<Outcome> {
        let app = App::open_lenient(session)?;
        let config = &app.config;
        let path = session.config_path().ok().and_then(|(path, _)| App::absolute(&path).ok());
        let state_path = App::absolute(&app.state_path)?;
        let exists = files::is_there(&state_path)?;
        let contents = app.read().and_then(|state| Contents::of(&state));
        let fault = contents.as_ref().err().filter(|_| exists);
        if let Some(e) = fault {
            session.call.warn(format!("the state cannot be read: {e}"));
        }
        let output = InfoOutput {
            version: env!("CARGO_PKG_VERSION"),
            sqlite: rusqlite::version(),
            schema: state::SCHEMA_VERSION,
            config: ConfigFacts {
                exists: path.as_deref().map(files::is_there).transpose()?.unwrap_or_default(),
                path,
                profile: config.profile.clone(),
                confirm: config.confirm(),
            },
            evm: Network {
                pin: config.get("evm.chain_id").map(str::to_owned),
                passphrase: None,
                endpoints: endpoints(config, "evm.rpc_urls"),
                farm: None,
            },
            stellar: Network {
                pin: config.get("stellar.network").map(str::to_owned),
                passphrase: config.get("stellar.network").and_then(profile::built_in).map(|p| p.passphrase),
                endpoints: endpoints(config, "stellar.rpc_urls"),
                farm: app.farm_contract().ok().map(|farm| farm.to_string()),
            },
            state: StateFacts {
                path: state_path,
                exists,
                fault: fault.map(|e: &Error| e.code().word()),
                contents: contents.ok(),
            },
            limits: limits(config),
        };
        Outcome::of(&output)
    }
}

fn endpoints(config: &Config, key: &str) -> Vec<String> {
    let endpoints = config.endpoints(key).unwrap_or_default();
    endpoints.iter().map(ToString::to_string).collect()
}

/// Numbers, ratios and the like that bound what poolctl does.
fn limits(config: &Config) -> BTreeMap<&'static str, String> {
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
    fn of(state: &State) -> Result<Self> {
        let conn = state.conn();
        let count = |table: &str| -> Result<i64> {
            Ok(conn.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0))?)
        };
        let events = conn.query_row("SELECT coalesce(max(id), 0) FROM events", [], |row| row.get(0))?;
        let synced: (Option<i64>, Option<i64>) = conn.query_row(
            "SELECT max(s.block_number), max(s.synced_at) FROM pools p
             JOIN pool_snapshots s ON s.pool_id = p.id AND s.block_number = p.synced_block",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?;
        Ok(Self {
            bytes: std::fs::metadata(state.path()).map(|file| file.len()).unwrap_or_default(),
            data_version: state::meta_get(conn, "data_version")?.unwrap_or_default(),
            events,
            pools: count("pools")?,
            members: count("members")?,
            evm_chain_id: state::meta_get(conn, "evm_chain_id")?,
            synced_block: synced.0,
            synced_at: synced.1.map(clock::rfc3339),
        })
    }
}

impl Present for InfoOutput {
    fn present(&self, page: &mut Page) {
        let network = |n: &Network| n.pin.clone().unwrap_or_else(|| "not pinned".to_owned());
        let list =
            |n: &Network| if n.endpoints.is_empty() { "none".to_owned() } else { n.endpoints.join(", ") };
        let config = match &self.config.path {
            Some(path) if self.config.exists => path.display().to_string(),
            Some(path) => format!("{} (none yet)", path.display()),
            None => "no folder for it".to_owned(),
        };
        page.pairs([
            ("poolctl", self.version.to_owned()),
            ("sqlite", self.sqlite.to_owned()),
            ("config", config),
            ("profile", self.config.profile.clone()),
            ("asks before value moves", if self.config.confirm { "yes" } else { "no" }.to_owned()),
            ("evm chain", network(&self.evm)),
            ("evm endpoints", list(&self.evm)),
            ("stellar network", network(&self.stellar)),
            ("stellar endpoints", list(&self.stellar)),
            ("kale farm", self.stellar.farm.clone().unwrap_or_else(|| "not known".to_owned())),
        ]);
        let state = self.state.path.display();
        let mut pairs = vec![("state", state.to_string())];
        match (&self.state.contents, self.state.fault) {
            (Some(c), _) => {
                let synced = match (c.synced_block, &c.synced_at) {
                    (Some(block), Some(at)) => format!("block {block} at {at}"),
                    _ => "never".to_owned(),
                };
                pairs.extend([
                    ("schema", self.schema.to_string()),
                    ("data version", c.data_version.clone()),
                    ("size in bytes", c.bytes.to_string()),
                    ("events", c.events.to_string()),
                    ("pools", c.pools.to_string()),
                    ("members", c.members.to_string()),
                    ("belongs to evm chain", c.evm_chain_id.clone().unwrap_or_else(|| "none yet".to_owned())),
                    ("last sync", synced),
                ]);
            }
            (None, Some(fault)) => pairs.push(("state cannot be read", fault.to_owned())),
            (None, None) => pairs.push(("", "none yet; create it with: poolctl init".to_owned())),
        }
        page.gap().pairs(pairs).gap().pairs(self.limits.iter().map(|(name, value)| (*name, value.clone())));
    }
}
