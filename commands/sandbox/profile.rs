//! The config file of embedded networks, the state file and the identity beside it, for use from another terminal.

use crate::setup::config::template;
use crate::shell::out_file;
use crate::shell::prelude::*;
use base::files;
use poolctl_sandbox::network::Networks;
use secrecy::ExposeSecret;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Blocks of a reward epoch: a minute of chain time at the usual pace.
const EPOCH_BLOCKS: u64 = 10;
/// Pause between two looks at a transaction: ledgers come fast here.
const POLL_MS: u64 = 50;
/// Zeros that are enough in a block without a range of its own: a million hashes or so.
const TARGET_ZEROS: u32 = 5;
/// These chains have a time of their own, which the clock says nothing about.
const ANY_AGE_SEC: u32 = 4_000_000_000;
/// Emission of a block, in whole units of the reward token.
pub const BLOCK_REWARD: &str = "2";

/// Where the files will be.
#[derive(Debug)]
pub struct Files {
    /// The config file.
    pub config: PathBuf,
    /// The state file, named after the config file.
    pub state: PathBuf,
    /// The age identity that unlocks the key store.
    pub identity: PathBuf,
}

impl Files {
    /// A config file at this path, and the others beside it; none of them may exist.
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
        let files = Self { state, identity: config.with_extension("identity.txt"), config };
        for path in [&files.config, &files.state, &files.identity] {
            if files::is_there(path)? {
                return Err(taken(path));
            }
        }
        Ok(files)
    }

    /// Writes the config file, a profile with all that is known of these networks, and the identity.
    pub fn write_config(&self, networks: &Networks) -> Result<()> {
        let text = |path: &Path| {
            let text = path.to_str().map(str::to_owned);
            text.ok_or_else(|| Error::new(Code::InvalidValue, format!("{} is not UTF-8", path.display())))
        };
        let values = BTreeMap::from([
            ("state.path", text(&self.state)?),
            ("evm.chain_id", networks.evm.chain_id().to_string()),
            ("evm.rpc_urls", format!("sandbox={}", networks.evm.url())),
            ("evm.max_head_age_sec", ANY_AGE_SEC.to_string()),
            ("reward.asset", networks.world.dollars.asset.to_string()),
            ("reward.epoch_blocks", EPOCH_BLOCKS.to_string()),
            ("reward.block_reward", BLOCK_REWARD.to_owned()),
            ("stellar.network", "sandbox".to_owned()),
            ("stellar.rpc_urls", format!("sandbox={}", networks.stellar.url())),
            ("stellar.max_head_age_sec", ANY_AGE_SEC.to_string()),
            ("stellar.poll_ms", POLL_MS.to_string()),
            ("kale.contract_id", networks.farm.contract.clone()),
            // Nobody else stakes: no more than counts would forever be nothing.
            ("kale.cap_stake", false.to_string()),
            ("strategy.target_zeros", TARGET_ZEROS.to_string()),
            ("keys.identity_file", text(&self.identity)?),
        ]);
        let identity = age::x25519::Identity::generate().to_string();
        for (path, text) in [
            (&self.config, template("sandbox", &values).as_str()),
            (&self.identity, &format!("{}\n", identity.expose_secret())),
        ] {
            if !out_file::create_private(path, text)? {
                return Err(taken(path));
            }
        }
        Ok(())
    }
}

fn taken(path: &Path) -> Error {
    Error::new(Code::Conflict, format!("--write-config: {} exists already", path.display())).hint(
        "it is left as it is; name another file, or remove it first: networks of an earlier run are gone",
    )
}
