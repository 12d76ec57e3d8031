//! `--at`: the block that a command reads at.

use base::Result;
use clap::Args;
use config::Config;
use evm::At;

/// The flag of every command that reads the EVM chain.
#[derive(Debug, Clone, Copy, Args)]
pub struct AtFlag {
    /// Read at this block: finalized, safe, latest or a number [default: evm.at]
    #[arg(long, value_name = "BLOCK", allow_negative_numbers = true)]
    at: Option<At>,
}

impl AtFlag {
    /// Whether a block was asked for.
    pub const fn is_given(self) -> bool {
        self.at.is_some()
    }

    /// The block asked for, or the one that the settings name.
    pub fn or(self, config: &Config) -> Result<At> {
        self.at.map_or_else(|| config.require("evm.at")?.parse(), Ok)
    }
}
