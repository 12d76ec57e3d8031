//! `poolctl demo`: the whole job on embedded networks, through the binary's own commands.

mod farm;
mod pools;

pub mod stage;
mod tally;

use crate::sandbox::{Files, Ready, Tick, broken, hold};
use crate::shell::prelude::*;
use poolctl_sandbox::network::{Networks, Options};
use stage::{End, Stage};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tally::{Harvests, Rewards};

/// What ticks once the show is over, with --keep.
const TICK: Tick = Tick::Every(Duration::from_secs(1));

/// Run every step on two embedded chains in seconds: no config, no node, no keys
///
/// Starts an EVM and a Stellar network inside this process, with vaults, depositors, price feeds, a risk engine and a
/// farm, and runs poolctl on them as an operator would: every command is shown with its output. Nothing leaves this
/// machine, and no config or state of yours is touched: the demo makes a folder of its own among the temporary files,
/// which stays, so that you can look around.
#[derive(Debug, Args)]
#[command(before_help = "Example: poolctl demo")]
pub struct Demo {
    /// Leave the networks running afterwards, until Ctrl-C
    #[arg(long)]
    keep: bool,
}

/// How the demo ended; with `--json` in the stream's last line.
#[derive(Debug, Serialize, JsonSchema)]
pub struct DemoOutput {
    /// The demo's folder.
    pub folder: PathBuf,
    /// The config file in it.
    pub config: PathBuf,
    /// The state file in it.
    pub state: PathBuf,
    /// This program.
    pub program: PathBuf,
    /// Commands that were run.
    pub commands: u64,
    /// Time they took, with the networks' start.
    pub milliseconds: u64,
    /// Where every unit of the emission went.
    pub rewards: Rewards,
    /// Where every stroop of the harvests went.
    pub harvests: Harvests,
}

impl Demo {
    pub fn run(self, session: &Session) -> Result<Outcome> {
        let mut stage = Stage::open(session)?;
        match self.play(session, &mut stage) {
            Ok(outcome) => Ok(outcome.streamed()),
            Err(End::Unread) => Ok(Outcome::of(Unread {}).streamed()),
            Err(End::Failed(e)) => {
                let folder = stage.folder.display().to_string();
                let e = e.hint(format!("what was done so far stays in {folder}")).detail("folder", folder);
                Ok(Outcome::failed(e).streamed())
            }
        }
    }

    fn play(&self, session: &Session, stage: &mut Stage<'_>) -> Result<Outcome, End> {
        let mut networks = Networks::start(&Options::default()).map_err(|e| broken(&e))?;
        let files = Files::beside(&stage.config())?;
        files.write_config(&networks)?;
        introduce(stage, &networks)?;
        let rewards = pools::play(stage, &networks)?;
        let harvests = farm::play(stage, &networks)?;
        let output = DemoOutput {
            folder: stage.folder.clone(),
            config: files.config.clone(),
            state: files.state.clone(),
            commands: stage.commands,
            milliseconds: stage.milliseconds(),
            program: stage.binary.clone(),
            rewards,
            harvests,
        };
        let wrong = output.wrong().map(|why| {
            Error::new(Code::CheckFailed, why).hint("keep the folder, and compare with: poolctl state check")
        });
        let mut outcome = Outcome::of(output).but(wrong);
        if self.keep {
            if !session.options.json {
                // Now, and not only when the networks end.
                session.console.present(&outcome.page_now())?;
            }
            stage.say(
                "The networks go on until Ctrl-C. Use them with poolctl as above, or with any client of Ethereum \
                 JSON-RPC and Stellar RPC; the methods sandbox_advance, sandbox_fund and sandbox_fault are their own.",
            )?;
            if Ready::of(&networks, Some(&files)).tell(session)? {
                hold(session, &mut networks, TICK)?;
            }
        }
        Ok(outcome)
    }
}

impl DemoOutput {
    /// What does not add up.
    fn wrong(&self) -> Option<&'static str> {
        if !self.rewards.add_up() {
            return Some("the rewards do not add up to the emission");
        }
        (!self.harvests.add_up()).then_some("the harvests do not add up to what the contract minted")
    }
}

/// Says what there is.
fn introduce(stage: &mut Stage<'_>, networks: &Networks) -> Result<(), End> {
    stage.say(&format!(
        "Two networks run in this process, on loopback: an EVM at {} and a Stellar network at {}. On the EVM \
         alice, bob, carol and dave have deposited into two vaults; on Stellar the farm contract {} awaits its \
         farmers. Each command below is the real one, with its real output.",
        networks.evm.url(),
        networks.stellar.url(),
        networks.farm.contract,
    ))?;
    stage.show_setting("POOLCTL_CONFIG", &stage.config().display().to_string())
}

/// The output of a demo that nobody reads to its end.
#[derive(Debug, Serialize, JsonSchema)]
struct Unread {}

impl Present for Unread {
    fn present(&self, _page: &mut Page) {}
}

impl Present for DemoOutput {
    fn present(&self, page: &mut Page) {
        self.rewards.present(page);
        page.gap();
        self.harvests.present(page);
        let (seconds, tenths) = (self.milliseconds / 1_000, self.milliseconds % 1_000 / 100);
        page.gap();
        page.line(format!("{} commands in {seconds}.{tenths} s. All that they wrote stays:", self.commands));
        let shown = |path: &Path| path.display().to_string();
        page.pairs([("config", shown(&self.config)), ("state", shown(&self.state))]);
        page.gap();
        page.line("Look around:");
        page.line(format!("  alias poolctl={}", self.program.display()));
        page.line(format!("  export POOLCTL_CONFIG={}", self.config.display()));
        for command in ["pool list", "member list", "farmer list", "events", "report --html report.html"] {
            page.line(format!("  poolctl {command}"));
        }
        page.line("Networks of your own, to try more: poolctl sandbox up --write-config sandbox.toml");
    }
}
