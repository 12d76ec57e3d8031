//! Foundry's `anvil` as a process that outlives nobody.

use crate::{node::NodeOptions, tools};
use anyhow::{Context as _, Result};
use std::{
    fs,
    io::{BufRead as _, BufReader, Read},
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};
use tempfile::TempDir;

/// Starts anvil and outlives nobody: when the other end of its standard input goes away, however that process ended, it
/// kills anvil. Its own standard output is closed so that anvil's end is the end of the pipe.
const GUARDIAN: &str = r#""$0" "$@" & child=$!; exec >&- 2>&-; read line; kill -9 $child; wait $child"#;
const START_LIMIT: Duration = Duration::from_secs(30);

/// A running anvil, ended when dropped.
pub struct Process {
    guardian: Child,
    /// Anvil's home, where it would leave its states behind.
    _home: TempDir,
}

/// Starts anvil on a free port and gives its URL. Fails when it is missing and cannot be installed, saying how to.
pub fn start(options: &NodeOptions) -> Result<(Process, String)> {
    let anvil = tools::anvil()?;
    let home = tempfile::tempdir()?;
    let mut command = Command::new("sh");
    command.args(["-c", GUARDIAN]).arg(anvil).args(["--host", "127.0.0.1", "--port", "0"]);
    command.args(["--chain-id", &options.chain_id.to_string()]);
    command.args(["--timestamp", &options.timestamp.to_string()]);
    command.args(["--slots-in-an-epoch", &options.slots_in_an_epoch.to_string()]);
    command.args(["--gas-limit", &options.gas_limit.to_string()]);
    if !options.automine {
        command.arg("--no-mining");
    }
    let errors = fs::File::create(home.path().join("stderr"))?;
    command.env("HOME", home.path()).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(errors);
    let mut guardian = command.spawn().context("cannot start `sh`")?;
    let stdout = guardian.stdout.take().context("no standard output")?;
    match listening(stdout) {
        Ok(address) => Ok((Process { guardian, _home: home }, format!("http://{address}"))),
        Err(error) => {
            drop(guardian.stdin.take());
            guardian.wait()?;
            let said = fs::read_to_string(home.path().join("stderr"))?;
            Err(error.context(format!("anvil did not start: {}", said.trim())))
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.guardian.stdin.take());
        // Nothing to do about it in a drop: the guardian ends by itself, and the home is a temporary folder.
        self.guardian.wait().ok();
    }
}

/// The address that anvil says it listens on. Goes on reading afterwards, so that anvil never waits for its reader.
fn listening(stdout: impl Read + Send + 'static) -> Result<String> {
    let (found, wanted) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            if let Some(address) = line.strip_prefix("Listening on ") {
                // Nobody waits any more when the limit has passed.
                found.send(address.to_owned()).ok();
            }
        }
    });
    wanted.recv_timeout(START_LIMIT).context("it never said where it listens")
}
