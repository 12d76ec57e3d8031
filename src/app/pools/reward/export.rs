//! Of `reward export`: an epoch's rewards for spreadsheets, scripts and contracts.

use base::amount::Quantity;
use base::{counted, forms};
use schemars::JsonSchema;
use serde::Serialize;
use std::path::PathBuf;
use vault::reward::Export;

/// What was exported.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ExportOutput {
    /// The epoch.
    pub epoch: i64,
    /// Its pool.
    pub pool: String,
    /// First block.
    pub start_block: u64,
    /// First block after it.
    pub end_block: u64,
    /// The reward token's address.
    #[schemars(with = "forms::EvmAddress")]
    pub asset: String,
    /// Its symbol.
    pub symbol: String,
    /// Its decimals.
    pub decimals: u8,
    /// Number of rewards.
    pub count: usize,
    /// Their sum.
    pub total: Quantity,
    /// Root of the Merkle tree; null without --merkle.
    #[schemars(with = "Option<forms::EvmHash>")]
    pub merkle_root: Option<String>,
    /// The file that was written; null without --output.
    pub file: Option<PathBuf>,
    /// The rewards, by member id; null where they went to a file.
    pub rewards: Option<Vec<RewardView>>,
    /// For a person, line by line.
    #[serde(skip)]
    pub lines: Vec<String>,
}

/// One member's reward.
#[derive(Debug, Serialize, JsonSchema)]
pub struct RewardView {
    /// Who.
    #[schemars(with = "forms::EvmAddress")]
    pub address: String,
    /// Whole units.
    pub amount: Quantity,
    /// Base units, as contracts count.
    #[schemars(with = "forms::Whole")]
    pub amount_base: String,
    /// From the leaf to the root; null without --merkle.
    #[schemars(with = "Option<Vec<forms::EvmHash>>")]
    pub proof: Option<Vec<String>>,
}

impl ExportOutput {
    /// What was done with the file, in a line.
    pub fn summary(&self, verb: &str) -> String {
        format!("{verb} {} of epoch {}, {} together", counted(self.count, "reward"), self.epoch, self.total)
    }

    /// From a tree and its leaves.
    pub fn of(export: &Export) -> Self {
        let token = &export.token;
        Self {
            epoch: export.row.id,
            pool: export.pool.name.clone(),
            start_block: export.row.epoch.start,
            end_block: export.row.epoch.end,
            asset: token.address.to_string(),
            symbol: token.symbol.clone(),
            decimals: token.decimals,
            count: export.rewards.len(),
            total: token.quantity(export.total),
            merkle_root: export.tree.as_ref().map(|tree| tree.root().to_string()),
            file: None,
            rewards: None,
            lines: Vec::new(),
        }
    }
}

impl RewardView {
    /// The leaf with this number.
    pub fn of(export: &Export, n: usize) -> Self {
        let (address, amount) = export.rewards.get(n).copied().unwrap_or_default();
        Self {
            address: address.to_string(),
            amount: export.token.quantity(amount),
            amount_base: amount.to_string(),
            proof: proof(export, n),
        }
    }
}

/// The way from the leaf with this number to the root.
pub fn proof(export: &Export, n: usize) -> Option<Vec<String>> {
    let proof = export.tree.as_ref()?.proof(n)?;
    Some(proof.iter().map(ToString::to_string).collect())
}
