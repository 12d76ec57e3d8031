//! The line that says that the networks are ready, with all that is needed to use them.

use super::{Files, broken};
use crate::shell::prelude::*;
use base::forms;
use poolctl_sandbox::evm::MULTICALL3;
use poolctl_sandbox::network::Networks;
use serde_json::Value;
use std::fmt::Write as _;
use std::path::PathBuf;

/// What there is on the networks. All keys are worthless anywhere else.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Ready {
    #[serde(rename = "type")]
    #[schemars(extend("const" = "ready"))]
    kind: &'static str,
    evm: Evm,
    stellar: Stellar,
    /// The config file that names all this, if one was written.
    #[serde(skip_serializing_if = "Option::is_none")]
    config: Option<PathBuf>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Evm {
    url: String,
    chain_id: u64,
    #[schemars(with = "forms::EvmAddress")]
    multicall: String,
    #[schemars(with = "forms::EvmAddress")]
    risk_engine: String,
    pools: Vec<Pool>,
    accounts: Vec<EvmAccount>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Pool {
    name: &'static str,
    #[schemars(with = "forms::EvmAddress")]
    vault: String,
    #[schemars(with = "forms::EvmAddress")]
    asset: String,
    decimals: u8,
    #[schemars(with = "forms::EvmAddress")]
    feed: String,
    deploy_block: u64,
}

#[derive(Debug, Serialize, JsonSchema)]
struct EvmAccount {
    name: &'static str,
    #[schemars(with = "forms::EvmAddress")]
    address: String,
    private_key: String,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Stellar {
    url: String,
    passphrase: String,
    #[schemars(with = "forms::StellarContract")]
    farm: String,
    asset: String,
    #[schemars(with = "forms::StellarContract")]
    asset_contract: String,
    accounts: Vec<StellarAccount>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct StellarAccount {
    name: &'static str,
    #[schemars(with = "forms::StellarAccount")]
    address: String,
    secret: String,
}

impl Ready {
    /// What there is on these networks.
    pub fn of(networks: &Networks, files: Option<&Files>) -> Self {
        let (evm, world, stellar, farm) = (&networks.evm, &networks.world, &networks.stellar, &networks.farm);
        let named = |address| {
            let member = world.members.iter().find(|(_, member)| *member == address);
            member.map(|(name, _)| *name).or_else(|| (address == world.owner).then_some("owner"))
        };
        let pool = |pool: poolctl_sandbox::evm::world::Pool| Pool {
            name: pool.name,
            vault: pool.vault.to_string(),
            asset: pool.asset.to_string(),
            decimals: pool.decimals,
            feed: pool.feed.to_string(),
            deploy_block: pool.deploy_block,
        };
        let accounts = evm.accounts().into_iter().filter_map(|account| {
            Some(EvmAccount {
                name: named(account.address)?,
                address: account.address.to_string(),
                private_key: account.key.to_string(),
            })
        });
        let farmers = networks.farmers.iter().map(|(name, key)| StellarAccount {
            name,
            address: key.address.clone(),
            secret: key.secret.clone(),
        });
        Self {
            kind: "ready",
            evm: Evm {
                url: evm.url(),
                chain_id: evm.chain_id(),
                multicall: MULTICALL3.to_string(),
                risk_engine: world.risk.to_string(),
                pools: vec![pool(world.dollars), pool(world.ether)],
                accounts: accounts.collect(),
            },
            stellar: Stellar {
                url: stellar.url(),
                passphrase: stellar.passphrase(),
                farm: farm.contract.clone(),
                asset: farm.asset.clone(),
                asset_contract: farm.asset_contract.clone(),
                accounts: farmers.collect(),
            },
            config: files.map(|files| files.config.clone()),
        }
    }

    /// Writes the line to stdout; false where nobody reads it.
    pub fn tell(&self, session: &Session) -> Result<bool> {
        if session.options.json {
            return Console::tell(self);
        }
        let value = serde_json::to_value(self).map_err(|e| broken(&e))?;
        let mut line = String::new();
        fields(&mut line, "", &value);
        Console::emit(line.trim_start_matches("\ttype="))
    }
}

/// `name=value` for each value within, a tab before each; what has a name goes by it.
fn fields(line: &mut String, name: &str, value: &Value) {
    let dotted = |inner: &str| if name.is_empty() { inner.to_owned() } else { format!("{name}.{inner}") };
    match value {
        Value::Object(map) => {
            for (inner, value) in map.iter().filter(|(inner, _)| *inner != "name") {
                fields(line, &dotted(inner), value);
            }
        }
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                let own =
                    item.get("name").and_then(Value::as_str).map_or_else(|| at.to_string(), str::to_owned);
                fields(line, &dotted(&own), item);
            }
        }
        Value::String(text) => drop(write!(line, "\t{name}={text}")),
        other => drop(write!(line, "\t{name}={other}")),
    }
}
