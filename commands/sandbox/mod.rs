//! `poolctl sandbox …`: embedded networks on loopback, for trying things out from another terminal.

mod profile;
mod ready;

pub use profile::{BLOCK_REWARD, Files};
pub use ready::Ready;

use crate::shell::options::duration;
use crate::shell::prelude::*;
use base::files;
use poolctl_sandbox::network::{Networks, Options, StartError};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

/// How often it is looked whether to stop.
const POLL: Duration = Duration::from_millis(100);
/// What a wasm module starts with: its magic and version 1.
const WASM: &[u8] = b"\0asm\x01\0\0\0";

/// A contract is never larger, bytes.
const MOST_WASM: u64 = 16 << 20;

commands! {
    /// Run networks of your own on this machine: an EVM and a Stellar network
    #[command(before_help = "Example: poolctl sandbox up --write-config sandbox.toml")]
    Command {
        Up(Up) = "sandbox up": UpOutput => Ready;
    }
}

/// Start both networks with sample contracts and accounts, and run them until Ctrl-C
///
/// On the EVM there are two vaults with their feeds, a risk engine and four depositors; on the Stellar network the KALE
/// farm contract, a pooler and three farmers with lumens. One line on stdout says that all is ready: NAME=VALUE
/// fields between tabs, or JSON with --json. Its keys are public test keys: never use them elsewhere.
/// Only this machine can connect: both networks listen on 127.0.0.1.
///
/// Chain time starts four weeks ago, and runs as the ticks do until it has caught up with the clock. An EVM transaction is
/// mined at once, a Stellar one with the next ledger. The JSON-RPC methods sandbox_advance, sandbox_fund and
/// sandbox_fault advance time, fund accounts and inject faults.
#[derive(Debug, Args)]
#[command(before_help = "Example: poolctl sandbox up --write-config sandbox.toml")]
#[expect(clippy::doc_markdown, reason = "clap shows these lines as they stand")]
pub struct Up {
    /// Port of the EVM; 0 takes a free one
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    evm_port: u16,
    /// Port of the Stellar network; 0 takes a free one
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    stellar_port: u16,
    /// Deploy this build of the farm contract instead of the built-in one; it must have the same interface
    #[arg(long, value_name = "FILE")]
    farm_wasm: Option<PathBuf>,
    /// A block and a ledger come this often, as in 1s or 250ms; or "manual": only sandbox_advance makes them
    #[arg(long, value_name = "DURATION", default_value = "1s")]
    tick: Tick,
    /// Chain time of a block and a ledger: with a tick of 1s, 5 is five times as fast as the clock
    #[arg(long, value_name = "SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=3600))]
    ledger_seconds: u64,
    /// Write a config file for these networks, for use from another terminal; beside it an empty state file and the age identity of a key store
    #[arg(long, value_name = "FILE")]
    write_config: Option<PathBuf>,
}

/// When blocks and ledgers come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tick {
    /// This often.
    Every(Duration),
    /// When they are asked for.
    Manual,
}

impl FromStr for Tick {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        const MANUAL: &str = "manual";
        if text == MANUAL {
            return Ok(Self::Manual);
        }
        let every = duration(text)?;
        if every.is_zero() {
            return Err(Error::new(Code::InvalidValue, "a tick of no time would never rest").hint(format!(
                "use 1ms or more, or {MANUAL} to make blocks and ledgers with sandbox_advance"
            )));
        }
        Ok(Self::Every(every))
    }
}

/// How far the networks came; with `--json` in the stream's last line.
#[derive(Debug, Serialize, JsonSchema)]
pub struct UpOutput {
    /// Number of the EVM's newest block.
    pub block: u64,
    /// Number of the newest ledger.
    pub ledger: u32,
}

impl Present for UpOutput {
    /// stdout has the ready line, and nothing else.
    fn present(&self, _page: &mut Page) {}
}

impl Up {
    fn run(self, session: &Session) -> Result<Outcome> {
        let farm_wasm = self.farm_wasm.as_deref().map(read_wasm).transpose()?;
        let files = self.write_config.as_deref().map(Files::beside).transpose()?;
        let options = Options {
            evm_port: self.evm_port,
            stellar_port: self.stellar_port,
            ledger_seconds: self.ledger_seconds,
            farm_wasm,
        };
        let mut networks = Networks::start(&options).map_err(|e| self.refused(&e))?;
        if let Some(files) = &files {
            files.write_config(&networks)?;
            state::create(&files.state)?;
        }
        let ready = Ready::of(&networks, files.as_ref());
        if ready.tell(session)? {
            hold(session, &mut networks, self.tick)?;
        }
        let output = UpOutput {
            block: networks.evm.head().map_err(|e| broken(&e))?.number,
            ledger: networks.stellar.latest().map_err(|e| broken(&e))?.0,
        };
        Ok(Outcome::of(output).streamed())
    }

    /// Which flag the refusal is about.
    fn refused(&self, why: &StartError) -> Error {
        let port = |flag: &str, port: u16| {
            Error::new(Code::Io, format!("{flag} {port}: {why}"))
                .hint(format!("leave {flag} out, and a free port is taken"))
        };
        match why {
            StartError::Evm(_) => port("--evm-port", self.evm_port),
            StartError::Stellar(_) => port("--stellar-port", self.stellar_port),
            StartError::Farm(_) => {
                let file = self.farm_wasm.as_ref().map(|file| format!("--farm-wasm {}: ", file.display()));
                Error::new(Code::InvalidValue, format!("{}{why}", file.unwrap_or_default()))
                    .hint("the contract must have the interface of the built-in one")
            }
            StartError::World(_) => broken(why),
        }
    }
}

/// Keeps the networks going until the operator wants to stop.
pub fn hold(session: &Session, networks: &mut Networks, tick: Tick) -> Result<()> {
    if let Tick::Every(every) = tick {
        networks.tick(every).map_err(|e| broken(&e))?;
    }
    let mut feeds_live = tick != Tick::Manual;
    while !session.call.stop.wanted() {
        std::thread::sleep(POLL);
        // The operator may have taken the chain back to before there were feeds.
        feeds_live = feeds_live && networks.keep_feeds_fresh().is_ok();
    }
    Ok(())
}

/// Something of the sandbox itself that should not fail.
pub fn broken(why: &dyn std::fmt::Display) -> Error {
    Error::new(Code::Bug, format!("sandbox: {why}"))
}

fn read_wasm(path: &Path) -> Result<Vec<u8>> {
    let shown = path.display();
    let bytes = files::read(path, MOST_WASM)
        .map_err(|e| Error::new(Code::Io, format!("--farm-wasm: cannot read {shown}: {e}")))?;
    if !bytes.starts_with(WASM) {
        return Err(Error::new(Code::InvalidValue, format!("--farm-wasm: {shown} is not a wasm module"))
            .hint("build one with sandbox/contracts/build.sh, or leave the flag out"));
    }
    Ok(bytes)
}
