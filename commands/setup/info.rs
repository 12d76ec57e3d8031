//! `poolctl info`: versions, networks, the state and the limits in force, without asking any network.

use crate::shell::prelude::*;
use app::watching::{ConfigFacts, Contents, InfoOutput, Network, StateFacts, endpoints, limits};
use base::{clock, files};
use config::profile;
use state::State;
use watch::leases::leases;

/// Show versions, networks, the state and the limits in force
///
/// Asks no network: doctor and health do.
#[derive(Debug, Args)]
#[command(before_help = "Example: poolctl info --json")]
pub struct Info {}

impl Info {
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
        let read = contents.is_ok().then(|| app.read()).transpose()?;
        let leases = leases(&state_path, read.as_ref().map(State::conn))?;
        let output = InfoOutput {
            leases,
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
                fault: fault.map(|e: &Error| e.code().as_str()),
                contents: contents.ok(),
            },
            limits: limits(config),
        };
        Ok(Outcome::of(output))
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
        if !self.leases.is_empty() {
            page.gap().rows(["HELD", "BY", "SINCE"], &self.leases, |one| {
                cells![one.what(), one.by(), one.since.map(clock::rfc3339)]
            });
        }
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
