//! `poolctl completions`: the scripts that make a shell complete poolctl's commands, flags and names.

use crate::shell::cli::Cli;
use crate::shell::prelude::*;
use clap::{CommandFactory, ValueEnum};
use clap_complete_nushell::Nushell;

/// Print the completion script of a shell
///
/// Commands, flags and their values are completed; in bash, zsh, fish and PowerShell also the names of pools, members,
/// feeds, poolers and farmers in the state, of profiles, and of settings. The script's first line says where it belongs.
#[derive(Debug, Args)]
#[command(
    before_help = "Example: poolctl completions bash > ~/.local/share/bash-completion/completions/poolctl"
)]
pub struct Completions {
    /// Which shell
    shell: Shell,
}

/// A shell that can complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Shell {
    /// Bash 4 or newer, or 3.2.
    Bash,
    /// Zsh.
    Zsh,
    /// Fish.
    Fish,
    /// `PowerShell`.
    Powershell,
    /// Nushell.
    Nushell,
}

/// A completion script.
#[derive(Debug, Serialize, JsonSchema)]
pub struct CompletionsOutput {
    /// Whose.
    pub shell: Shell,
    /// The script.
    pub script: String,
}

impl Completions {
    pub fn run(self, _session: &Session) -> Result<Outcome> {
        Ok(Outcome::of(CompletionsOutput { shell: self.shell, script: self.shell.script()? }))
    }
}

impl Shell {
    fn script(self) -> Result<String> {
        // Those that ask poolctl are the same for every version, and stand in files of their own.
        Ok(match self {
            Self::Bash => include_str!("../../completions/poolctl.bash").to_owned(),
            Self::Zsh => include_str!("../../completions/_poolctl").to_owned(),
            Self::Fish => include_str!("../../completions/poolctl.fish").to_owned(),
            Self::Powershell => include_str!("../../completions/poolctl.ps1").to_owned(),
            Self::Nushell => {
                let mut script = Vec::new();
                clap_complete::generate(Nushell, &mut Cli::command(), "poolctl", &mut script);
                String::from_utf8(script)
                    .map_err(|e| Error::new(Code::Bug, format!("the script is not text: {e}")))?
            }
        })
    }
}

impl Present for CompletionsOutput {
    fn present(&self, page: &mut Page) {
        page.line(&self.script);
    }
}
