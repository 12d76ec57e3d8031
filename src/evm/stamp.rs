//! Where figures come from, as people and programs are told.

use super::view::PinnedView;
use super::wire::BlockRef;
use alloy::primitives::B256;
use base::forms;
use schemars::JsonSchema;
use serde::Serialize;

/// The block and endpoint that figures come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ViewStamp {
    /// Block height.
    pub number: u64,
    /// Block hash.
    #[schemars(with = "forms::EvmHash")]
    pub hash: B256,
    /// RFC 3339 time of the block.
    #[schemars(with = "forms::Time")]
    pub time: String,
    /// Name of the endpoint.
    pub endpoint: String,
    /// By what the block was chosen: `finalized`, `safe`, `latest`, `number`, or `head-N` where the chain has no such
    /// tag; null for figures of an earlier run.
    pub chosen_by: Option<String>,
    /// The last final block, as far as the view reaches; null for figures of an earlier run.
    pub final_block: Option<u64>,
    /// By what that one was found: `finalized` or `head-N`.
    pub final_by: Option<String>,
}

impl ViewStamp {
    /// Of a view.
    pub fn of(view: &PinnedView) -> Self {
        let (chosen_by, final_by) = view.chosen_words();
        Self {
            chosen_by: Some(chosen_by),
            final_block: Some(view.final_block().number),
            final_by: Some(final_by),
            ..Self::new(view.block(), view.endpoint())
        }
    }

    /// Of a block that an earlier run read at an endpoint.
    pub fn new(block: BlockRef, endpoint: &str) -> Self {
        Self {
            number: block.number,
            hash: block.hash,
            time: base::clock::rfc3339(i64::try_from(block.timestamp).unwrap_or(i64::MAX)),
            endpoint: endpoint.to_owned(),
            chosen_by: None,
            final_block: None,
            final_by: None,
        }
    }
}

impl std::fmt::Display for ViewStamp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let hash = self.hash.to_string();
        write!(f, "block {} ({}…", self.number, hash.get(..10).unwrap_or(&hash))?;
        if let Some(by) = &self.chosen_by {
            write!(f, ", {by}")?;
        }
        write!(f, ") at \"{}\"", self.endpoint)?;
        match (self.final_block, &self.final_by) {
            (Some(block), Some(by)) if self.chosen_by.as_ref() != Some(by) => {
                write!(f, ", final block {block} ({by})")
            }
            _ => Ok(()),
        }
    }
}
