//! `poolctl farmer register` and `farmer import`.

use crate::farmer::FarmerView;
use base::forms;
use schemars::JsonSchema;
use serde::Serialize;
use std::path::PathBuf;

/// What was registered.
#[derive(Debug, Serialize, JsonSchema)]
pub struct EnrolOutput {
    /// False where it was there before, just so.
    pub changed: bool,
    /// True where the key was in the key store before.
    pub adopted: bool,
    /// The farmer.
    #[serde(flatten)]
    pub farmer: FarmerView,
    /// The key store.
    pub keys: PathBuf,
}

/// The submitter whose key was stored.
#[derive(Debug, Serialize, JsonSchema)]
pub struct SubmitterOutput {
    /// False where the key was there before.
    pub changed: bool,
    /// The account.
    #[schemars(with = "forms::StellarAccount")]
    pub submitter: String,
    /// The key store.
    pub keys: PathBuf,
}

/// The sponsor that was set.
#[derive(Debug, Serialize, JsonSchema)]
pub struct SponsorOutput {
    /// False where it was the sponsor before.
    pub changed: bool,
    /// The account that pays the fees.
    #[schemars(with = "forms::StellarAccount")]
    pub sponsor: String,
    /// The key store.
    pub keys: PathBuf,
}
