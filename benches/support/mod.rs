//! Homes for the binary on an EVM.

mod measure;

pub use self::measure::{Table, interleaved, median, quiet, spread};

use alloy::primitives::Address;
use anyhow::{Result, ensure};
use base::clock::Clock;
use base::{Endpoint, Silent, Stop};
use config::{Config, Sources};
use evm::{At, Chain, ChainConfig};
use state::{Holder, Lock, Permit, Run, State, WriteContext};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;
use vault::pool::abi::Abi;
use vault::pool::{self, AddPool};

const BINARY: &str = env!("CARGO_BIN_EXE_poolctl");
const CHAIN_ID: u64 = 31_337;

/// A folder with a config file, where the binary runs.
pub struct Home {
    folder: TempDir,
    state: PathBuf,
}

impl Home {
    /// A home with an empty state.
    pub fn new(endpoints: &[(&str, &str)], asset: Address) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let home = Self { state: folder.path().join("state.sqlite"), folder };
        home.configure(endpoints, asset)?;
        home.run("init")?;
        Ok(home)
    }

    /// Another way to the same state.
    pub fn over(other: &Self, endpoints: &[(&str, &str)], asset: Address) -> Result<Self> {
        let home = Self { folder: tempfile::tempdir()?, state: other.state() };
        home.configure(endpoints, asset)?;
        Ok(home)
    }

    fn configure(&self, endpoints: &[(&str, &str)], asset: Address) -> Result<()> {
        let urls: Vec<String> = endpoints.iter().map(|(name, url)| format!("{name}={url}")).collect();
        let text = format!(
            "profile = \"sandbox\"\n[profiles.sandbox]\nstate.path = {:?}\nevm.rpc_urls = {urls:?}\n\
             reward.asset = \"{asset}\"\nreward.block_reward = \"2\"\n",
            self.state.display().to_string()
        );
        Ok(std::fs::write(self.folder.path().join("config.toml"), text)?)
    }

    /// Where the state is.
    pub fn state(&self) -> PathBuf {
        self.state.clone()
    }

    fn command(&self, line: &str) -> Command {
        let mut command = Command::new(BINARY);
        command.args(line.split_whitespace()).current_dir(self.folder.path());
        command.env_clear().env("POOLCTL_CONFIG", "config.toml").stdin(Stdio::null());
        command
    }

    /// Runs the binary and gives what it printed; anything but success is an error.
    pub fn run(&self, line: &str) -> Result<String> {
        let output = self.command(line).output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "poolctl {line}: {}\n{said}", output.status);
        Ok(String::from_utf8(output.stdout)?)
    }

    /// Runs the binary with its output thrown away.
    pub fn silent(&self, line: &str) -> Result<()> {
        quiet(&mut self.command(line))
    }

    /// Adds the vaults as `p0`, `p1`, … as `pool add` does, in one process: each contract is looked at.
    pub fn add_pools(&self, url: &str, vaults: &[Address], deploy_block: u64) -> Result<()> {
        let chain = Chain::new(ChainConfig::new(
            "sandbox",
            CHAIN_ID,
            Endpoint::parse_list(&[format!("anvil={url}")])?,
        ))?;
        let config = Config::resolve(&Sources { data_dir: "/".into(), ..Sources::default() })?;
        let lock = lock(&self.state)?;
        let mut state = State::write_access(&self.state, run(), &lock)?;
        let stop = Stop::default();
        let mut work = WriteContext {
            config: &config,
            state: &mut state,
            permit: Permit::of(&lock),
            progress: &Silent,
            stop: &stop,
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        for (i, vault) in vaults.iter().enumerate() {
            let ask = AddPool {
                name: format!("p{i}"),
                address: *vault,
                abi: Some(Abi::Erc4626),
                asset: None,
                deploy_block: Some(deploy_block),
                max_rate_drop_ppm: None,
                default_rate_drop_ppm: 10_000,
                reward_genesis: None,
                symbol: None,
            };
            let added = runtime.block_on(pool::add(&mut work, &chain, &ask, At::Latest))?;
            ensure!(added.new, "{vault} was there already");
        }
        Ok(())
    }
}

/// A state of its own, open for writing.
pub struct Scratch {
    folder: TempDir,
    lock: Lock,
}

impl Scratch {
    pub fn new() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("state.sqlite");
        state::create(&path)?;
        Ok(Self { lock: lock(&path)?, folder })
    }

    pub fn lock(&self) -> &Lock {
        &self.lock
    }

    pub fn writer(&self) -> Result<State> {
        Ok(State::write_access(&self.folder.path().join("state.sqlite"), run(), &self.lock)?)
    }
}

fn run() -> Run {
    Run { id: "bench".into(), actor: "bench".into(), clock: Clock::System }
}

fn lock(state: &std::path::Path) -> Result<Lock> {
    let holder = Holder { pid: std::process::id(), command: "bench".into(), since: 0 };
    Ok(Lock::acquire(state, &holder, Duration::ZERO, &Stop::default())?)
}

/// What opens a view, asked for by a new connection: the round trip that no run can do without.
pub fn round_trip(url: &str) -> Result<()> {
    let body = r#"[{"jsonrpc":"2.0","id":1,"method":"eth_chainId","params":[]},{"jsonrpc":"2.0","id":2,"method":"eth_getBlockByNumber","params":["finalized",false]},{"jsonrpc":"2.0","id":3,"method":"eth_getBlockByNumber","params":["latest",false]}]"#;
    measure::round_trips(url, &[body])
}
