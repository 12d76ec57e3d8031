//! `poolctl help`: the text that `--help` shows, of any command.

use crate::shell::cli;
use crate::shell::prelude::*;

/// Show the help of a command, or of a group of commands
#[derive(Debug, Args)]
#[command(before_help = "Example: poolctl help pool list")]
pub struct Help {
    /// The command; none = poolctl itself
    #[arg(value_name = "COMMAND")]
    words: Vec<String>,
}

/// A help text.
#[derive(Debug, Serialize, JsonSchema)]
pub struct HelpOutput {
    /// The text, as `--help` shows it.
    pub text: String,
}

impl Help {
    pub fn run(self, _session: &Session) -> Result<Outcome> {
        Ok(Outcome::of(HelpOutput { text: cli::find(&self.words)?.render_long_help().to_string() }))
    }
}

impl Present for HelpOutput {
    fn present(&self, page: &mut Page) {
        page.line(&self.text);
    }
}
