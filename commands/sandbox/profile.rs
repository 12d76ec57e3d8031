//! The config file and the state file of embedded networks, for use from another terminal.

use crate::app::App;
use crate::new_file;
use poolctl::config::template;
use poolctl::output::{Code, Error, Result};
use poolctl::state;
use poolctl_sandbox::network::Networks;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Blocks of a reward epoch: a minute of chain time at the usual pace.
const EPOCH_BLOCKS: u64 = 10;
/// Emission of a block, in whole units of the reward token.
pub const BLOCK_REWARD: &str = "2";

/// Where both files will be.
#[derive(Debug)]
pub struct Files {
    /// The config file.
    pub config: PathBuf,
    /// The state file, named after the config file.
    pub state: PathBuf,
}

impl Files {
    /// A config file at this path and the state file beside it, neither of which may exist.
    ///
    /// # Errors
    /// `conflict` naming the file that is there; `invalid_value` for a path that names no file.
    pub fn beside(config: &Path) -> Result<Self> {
        let config = App::absolute(config)?;
        let state = config.with_extension("sqlite");
        if state == config || config.file_name().is_none() {
            return Err(Error::new(
                Code::InvalidValue,
                format!("--write-config: {} cannot be a config file", config.display()),
            )
            .hint("name it like sandbox.toml; the state file beside it is then sandbox.sqlite"));
        }
        let files = Self { config, state };
        for path in [&files.config, &files.state] {
            if path.exists() {
                return Err(taken(path));
            }
        }
        Ok(files)
    }

    /// Writes the config file: a profile with all that is known of these networks.
    ///
    /// # Errors
    /// `conflict`, `io_error`.
    pub fn write_config(&self, networks: &Networks) -> Result<()> {
        let state = self
            .state
            .to_str()
            .ok_or_else(|| Error::new(Code::InvalidValue, format!("{} is no UTF-8", self.state.display())))?;
        let values = BTreeMap::from([
            ("state.path", state.to_owned()),
            ("evm.chain_id", networks.evm.chain_id().to_string()),
            ("evm.rpc_urls", format!("sandbox={}", networks.evm.url())),
            ("reward.asset", networks.world.dollars.asset.to_string()),
            ("reward.epoch_blocks", EPOCH_BLOCKS.to_string()),
            ("reward.block_reward", BLOCK_REWARD.to_owned()),
            ("stellar.network", "sandbox".to_owned()),
            ("stellar.rpc_urls", format!("sandbox={}", networks.stellar.url())),
            ("kale.contract_id", networks.farm.contract.clone()),
        ]);
        if new_file::write(&self.config, &template("sandbox", &values))? {
            return Ok(());
        }
        Err(taken(&self.config))
    }

    /// Creates the state file.
    ///
    /// # Errors
    /// `conflict`, `io_error`.
    pub fn create_state(&self) -> Result<()> {
        state::create(&self.state)
    }
}

fn taken(path: &Path) -> Error {
    Error::new(Code::Conflict, format!("--write-config: {} exists already", path.display())).hint(
        "it is left as it is; name another file, or remove it first: networks of an earlier run are gone",
    )
}
