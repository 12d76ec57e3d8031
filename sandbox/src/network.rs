//! Both networks with everything on them that a pool needs: what `sandbox up` and the demo start.

use std::fmt;
use std::time::Duration;

use crate::evm::world::World;
use crate::evm::{Evm, EvmOptions};
use crate::stellar::{FARM_WASM, Farm, Keypair, Stellar, StellarOptions};
use crate::{Error, Result};

/// Chain time after which the feeds report again, in seconds: half of the hour after which poolctl calls a price stale.
const HEARTBEAT_SECONDS: u64 = 1_800;
/// Lumens of each account of the farm, in stroops.
const FARMER_FUNDS: i64 = 100_000_000_000;

/// How the networks are set up.
#[derive(Clone, Debug)]
pub struct Options {
    /// Port of the EVM on 127.0.0.1; 0 takes a free one.
    pub evm_port: u16,
    /// Port of the Stellar network on 127.0.0.1; 0 takes a free one.
    pub stellar_port: u16,
    /// Chain time from one block, and one ledger, to the next, in seconds.
    pub ledger_seconds: u64,
    /// Another build of the farm contract, with the same interface.
    pub farm_wasm: Option<Vec<u8>>,
}

impl Default for Options {
    fn default() -> Self {
        Self { evm_port: 0, stellar_port: 0, ledger_seconds: 5, farm_wasm: None }
    }
}

/// What could not be started, and why.
#[derive(Debug)]
pub enum StartError {
    /// The EVM: its port, most likely.
    Evm(Error),
    /// The Stellar network: its port, most likely.
    Stellar(Error),
    /// The farm contract was not taken.
    Farm(Error),
    /// What is set up on the networks.
    World(Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Evm(why) => write!(out, "the EVM cannot start: {why}"),
            Self::Stellar(why) => write!(out, "the Stellar network cannot start: {why}"),
            Self::Farm(why) => write!(out, "the farm contract cannot be deployed: {why}"),
            Self::World(why) => write!(out, "the networks cannot be furnished: {why}"),
        }
    }
}

impl std::error::Error for StartError {}

/// Both networks, running until this is dropped.
#[derive(Debug)]
pub struct Networks {
    /// The EVM.
    pub evm: Evm,
    /// The vaults, feeds, risk engine and depositors on it.
    pub world: World,
    /// The Stellar network.
    pub stellar: Stellar,
    /// The farm on it.
    pub farm: Farm,
    /// Accounts with lumens: a pooler, and three farmers.
    pub farmers: [(&'static str, Keypair); 4],
    /// Chain time at which the feeds reported last.
    reported: u64,
}

impl Networks {
    /// Starts both networks. Blocks and ledgers come by hand and, on the EVM, with each transaction, until
    /// [`Networks::tick`] says otherwise.
    pub fn start(options: &Options) -> std::result::Result<Self, StartError> {
        // First what can be refused.
        let evm = Evm::start(&EvmOptions {
            port: options.evm_port,
            block_seconds: options.ledger_seconds,
            ..EvmOptions::default()
        })
        .map_err(StartError::Evm)?;
        let stellar = Stellar::start(&StellarOptions {
            port: options.stellar_port,
            ledger_seconds: options.ledger_seconds,
            ..StellarOptions::default()
        })
        .map_err(StartError::Stellar)?;
        let wasm = options.farm_wasm.as_deref().unwrap_or(FARM_WASM);
        let farm = stellar.deploy_farm(wasm).map_err(StartError::Farm)?;
        Self::furnish(evm, stellar, farm).map_err(StartError::World)
    }

    fn furnish(evm: Evm, stellar: Stellar, farm: Farm) -> Result<Self> {
        let account = |name| stellar.account(name, FARMER_FUNDS).map(|key| (name, key));
        let farmers = [account("pooler")?, account("farmer-1")?, account("farmer-2")?, account("farmer-3")?];
        stellar.advance(1)?;
        let world = World::deploy(&evm)?;
        world.live(&evm)?;
        let reported = evm.head()?.timestamp;
        Ok(Self { evm, world, stellar, farm, farmers, reported })
    }

    /// From now on a block and a ledger come at each tick.
    pub fn tick(&mut self, every: Duration) -> Result<()> {
        self.evm.tick(every)?;
        self.stellar.tick(every)
    }

    /// Lets the feeds report their last answers again when half an hour of chain time has passed, as real feeds do;
    /// to be called now and then.
    pub fn keep_feeds_fresh(&mut self) -> Result<()> {
        let now = self.evm.head()?.timestamp;
        if now.saturating_sub(self.reported) >= HEARTBEAT_SECONDS {
            self.world.report_again(&self.evm)?;
            self.reported = now;
        }
        Ok(())
    }
}
