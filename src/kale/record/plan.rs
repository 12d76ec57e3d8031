//! What is stored of an intended transaction before it is signed: all that is needed to record it, whatever becomes of the
//! run that planned it.

use super::rows::{FarmerRow, OpenPail};
use crate::chain::Who;
use base::amount::{Base, parse_base};
use base::{Code, Error, Result, say};
use outbox::Operation;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use stellar::Action;
use stellar::submit::Intent;

/// Kinds of operations, as they stand in `operations.kind`.
pub mod kind {
    /// `plant`.
    pub const PLANT: &str = "plant";
    /// `work`.
    pub const WORK: &str = "work";
    /// `harvest`.
    pub const HARVEST: &str = "harvest";
    /// Extending the life of pails and blocks.
    pub const EXTEND: &str = "extend";
    /// Making the trustline to KALE, and the account where it is missing.
    pub const TRUST: &str = "trust";
    /// Making many accounts with their trustlines in one transaction.
    pub const ADOPT: &str = "adopt";
}

/// The key of a plant: one per farmer and block.
pub fn plant_key(network: &str, address: &str, block: u32) -> String {
    format!("plant:{network}:{address}:{block}")
}

/// The key of work: one per farmer, block and number of zeros.
pub fn work_key(network: &str, address: &str, block: u32, zeros: u32) -> String {
    format!("work:{network}:{address}:{block}:{zeros}")
}

/// The key of a harvest: one per farmer and block.
pub fn harvest_key(network: &str, address: &str, block: u32) -> String {
    format!("harvest:{network}:{address}:{block}")
}

/// Stroops as canonical decimal text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stroops(pub Base);

impl Serialize for Stroops {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Stroops {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        parse_base(&text).map(Self).ok_or_else(|| serde::de::Error::custom("not an amount of stroops"))
    }
}

/// A plant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlantPlan {
    /// Row id of the farmer.
    pub farmer: String,
    /// `G…`.
    pub address: String,
    /// The block it is in.
    pub block: u32,
    /// What is staked.
    pub stake: Stroops,
    /// Ledger time from which that block may roll over.
    pub due: u64,
}

/// Work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkPlan {
    /// Row id of the farmer.
    pub farmer: String,
    /// `G…`.
    pub address: String,
    /// The block it is for.
    pub block: u32,
    /// The nonce.
    pub nonce: u64,
    /// Its hash, lower-case hex.
    pub hash: String,
    /// Leading zeros of the hash.
    pub zeros: u32,
    /// Whether the pail had work before, which this improves on.
    pub improves: bool,
}

/// A harvest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HarvestPlan {
    /// Row id of the farmer.
    pub farmer: String,
    /// `G…`.
    pub address: String,
    /// The block.
    pub block: u32,
    /// What the pail says was staked.
    pub stake: Stroops,
    /// Row id of the farmer's pooler.
    pub pooler: String,
    /// The pooler's part of the reward, in millionths.
    pub reward_split_ppm: u32,
    /// The operator's part of the reward, in millionths.
    pub platform_fee_ppm: u32,
    /// The contract of KALE, `C…`, whose mint pays the harvest.
    pub asset_contract: String,
    /// What the harvest should pay.
    pub forecast: Option<Stroops>,
}

impl HarvestPlan {
    /// Of this pail, by its farmer's terms as they are now.
    pub fn of(hand: &FarmerRow, pail: &OpenPail, asset_contract: &str) -> Self {
        Self {
            farmer: hand.who.id.clone(),
            address: hand.who.address.clone(),
            block: pail.block,
            stake: Stroops(pail.stake),
            pooler: hand.pooler.clone(),
            reward_split_ppm: hand.terms.reward_split_ppm(),
            platform_fee_ppm: hand.terms.platform_fee_ppm(),
            asset_contract: asset_contract.to_owned(),
            forecast: pail.forecast.map(Stroops),
        }
    }
}

/// Extending the life of pails and their blocks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExtendPlan {
    /// Row id of the farmer who pays.
    pub farmer: String,
    /// Whose pails (row ids) in which blocks.
    pub pails: Vec<(String, u32)>,
    /// The ledger they are to live to.
    pub live_until: u32,
}

/// A trustline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrustPlan {
    /// Row id of the farmer.
    pub farmer: String,
    /// `G…`.
    pub address: String,
    /// What is trusted, `CODE:ISSUER`.
    pub asset: String,
    /// Who gives the reserve; the farmer itself where nobody does.
    pub sponsor: Option<String>,
    /// Stroops of lumens that the account is made with, where it is made.
    pub created: Option<Stroops>,
}

/// Accounts that are made together with their trustlines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdoptPlan {
    /// Each of them, in the order of the transaction.
    pub farmers: Vec<TrustPlan>,
}

/// Parts of a fee that add up to it; the first ones are larger by a stroop.
pub fn shares(fee: i64, count: usize) -> impl Iterator<Item = i64> {
    let parts = i64::try_from(count).unwrap_or(i64::MAX).max(1);
    (0..parts).map(move |place| fee / parts + i64::from(place < fee % parts))
}

/// A stored plan, by the kind of its operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Plan {
    /// Of a plant.
    Plant(PlantPlan),
    /// Of work.
    Work(WorkPlan),
    /// Of a harvest.
    Harvest(HarvestPlan),
    /// Of an extension.
    Extend(ExtendPlan),
    /// Of a trustline.
    Trust(TrustPlan),
    /// Of many accounts with their trustlines.
    Adopt(AdoptPlan),
}

impl Plan {
    /// Reads the plan of an operation; `None` for one that is not the farm's.
    pub fn of(operation: &Operation) -> Result<Option<Self>> {
        Self::read(&operation.kind, &operation.key, &operation.plan)
    }

    /// The same of an intent.
    pub fn of_intent(intent: &Intent) -> Result<Option<Self>> {
        Self::read(intent.kind, &intent.key, &intent.plan)
    }

    fn read(kind: &str, key: &str, plan: &Value) -> Result<Option<Self>> {
        Ok(Some(match kind {
            kind::PLANT => Self::Plant(read(key, plan)?),
            kind::WORK => Self::Work(read(key, plan)?),
            kind::HARVEST => Self::Harvest(read(key, plan)?),
            kind::EXTEND => Self::Extend(read(key, plan)?),
            kind::TRUST => Self::Trust(read(key, plan)?),
            kind::ADOPT => Self::Adopt(read(key, plan)?),
            _ => return Ok(None),
        }))
    }

    /// Row ids of the farmers that it is about.
    pub fn farmers(&self) -> Vec<&str> {
        match self {
            Self::Plant(plan) => vec![&plan.farmer],
            Self::Work(plan) => vec![&plan.farmer],
            Self::Harvest(plan) => vec![&plan.farmer],
            Self::Extend(plan) => vec![&plan.farmer],
            Self::Trust(plan) => vec![&plan.farmer],
            Self::Adopt(plan) => plan.farmers.iter().map(|plan| plan.farmer.as_str()).collect(),
        }
    }
}

fn read<T: DeserializeOwned>(key: &str, plan: &Value) -> Result<T> {
    T::deserialize(plan).map_err(|e| {
        Error::new(Code::StateCorrupt, format!("operation {key}: its plan cannot be read: {e}"))
            .hint(say("see all of it: ").run("state check").with("full"))
    })
}

/// What is wanted of the network for a farmer, from its own account.
pub fn intent(
    kind: &'static str,
    key: String,
    who: &Who,
    plan: &impl Serialize,
    action: Action,
    valid_until: Option<u64>,
) -> Result<Intent> {
    let unfit = |e| Error::new(Code::Bug, format!("a plan cannot be stored: {e}"));
    let plan = serde_json::to_value(plan).map_err(unfit)?;
    let (subject, source) = (who.id.clone(), who.account.clone());
    Ok(Intent { key, kind, subject, plan, source, action, valid_until })
}
