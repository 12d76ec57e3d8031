//! The settings of the farm, read once per run.

use crate::contract::DECIMALS;
use crate::strategy::{Program, Strategy};
use base::amount::{Base, parse_units};
use base::{Code, Error, Result};
use config::Config;
use config::value::accounts;
use stellar::account;
use stellar::xdr::AccountId;
use strum::{EnumString, IntoStaticStr, VariantNames};

/// When work is submitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "snake_case")]
pub enum Policy {
    /// The best nonce near the deadline, for the largest gap.
    Late,
    /// As soon as a farmer has enough zeros, or after `early_sec`.
    Early,
    /// A cheap nonce at once, then a strictly better one near the deadline.
    Insured,
}

impl Policy {
    /// Reads the word.
    pub fn of(word: &str) -> Result<Self> {
        word.parse().map_err(|_| {
            Error::new(Code::InvalidValue, format!("invalid work policy: \"{word}\""))
                .hint(format!("one of: {}", Self::VARIANTS.join(", ")))
        })
    }

    /// Its word.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// What the operator set. Times are seconds of ledger time.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `strategy.…`: the terms of every farmer that has none of its own.
    pub strategy: Strategy,
    /// `strategy.command`: who is asked for more.
    pub command: Option<Program>,
    /// `kale.cap_stake`: no more than counts in the block.
    pub cap_stake: bool,
    /// `kale.min_lumens` in stroops.
    pub min_lumens: i64,
    /// `kale.max_resource_fee` in stroops.
    pub max_resource_fee: i64,
    /// `kale.submitter`.
    pub submitters: Vec<AccountId>,
    /// `kale.parallel`.
    pub parallel: usize,
    /// `kale.plant_cutoff_sec`.
    pub plant_cutoff: u64,
    /// `kale.work_margin_sec`.
    pub work_margin: u64,
    /// `kale.work_policy`.
    pub policy: Policy,
    /// `kale.early_sec`.
    pub early: u64,
    /// `kale.harvest_delay_sec`.
    pub harvest_delay: u64,
    /// `kale.wasm_hash`: the code of the farm contract that was accepted last.
    pub wasm_hash: Option<String>,
    /// `kale.harvest_alarm_sec`.
    pub harvest_alarm: u64,
}

impl Settings {
    /// Reads them.
    pub fn of(config: &Config) -> Result<Self> {
        Ok(Self {
            strategy: strategy(config)?,
            command: Program::of(config)?,
            cap_stake: config.get("kale.cap_stake") != Some("false"),
            min_lumens: lumens(config, MIN_LUMENS)?,
            max_resource_fee: lumens(config, MAX_RESOURCE_FEE)?,
            submitters: submitters(config)?,
            parallel: usize::try_from(config.number("kale.parallel")?).unwrap_or(1),
            plant_cutoff: config.number("kale.plant_cutoff_sec")?,
            work_margin: config.number("kale.work_margin_sec")?,
            policy: Policy::of(config.require("kale.work_policy")?)?,
            early: config.number("kale.early_sec")?,
            harvest_delay: config.number("kale.harvest_delay_sec")?,
            wasm_hash: config.get("kale.wasm_hash").map(str::to_owned),
            harvest_alarm: config.number("kale.harvest_alarm_sec")?,
        })
    }

    /// Everything that [`Settings::of`] would refuse although each setting is well formed, not only the first.
    pub fn faults(config: &Config) -> Vec<Error> {
        [
            strategy(config).err(),
            Program::of(config).err(),
            lumens(config, MIN_LUMENS).err(),
            lumens(config, MAX_RESOURCE_FEE).err(),
            submitters(config).err(),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

const MIN_LUMENS: &str = "kale.min_lumens";
const MAX_RESOURCE_FEE: &str = "kale.max_resource_fee";

/// An amount of seven decimals, where it is set.
fn stroops(config: &Config, name: &str) -> Result<Option<Base>> {
    let bad = |text: &str, why| Error::new(Code::InvalidValue, format!("{name}: \"{text}\" {why}"));
    config.get(name).map(|text| parse_units(text, DECIMALS).map_err(|why| bad(text, why))).transpose()
}

fn lumens(config: &Config, name: &str) -> Result<i64> {
    i64::try_from(stroops(config, name)?.unwrap_or_default())
        .map_err(|_| Error::new(Code::InvalidValue, format!("{name} is more than there is")))
}

fn submitters(config: &Config) -> Result<Vec<AccountId>> {
    let listed = config.get("kale.submitter").map_or(Ok(Vec::new()), accounts)?;
    listed.iter().map(|address| account("kale.submitter", address)).collect()
}

/// The terms of every farmer that has none of its own.
fn strategy(config: &Config) -> Result<Strategy> {
    let zeros = |name: &str| -> Result<u32> {
        u32::try_from(config.number(name)?)
            .map_err(|_| Error::new(Code::InvalidValue, format!("{name} is too large")))
    };
    let strategy = Strategy {
        target_zeros: config
            .get("strategy.target_zeros")
            .map(|_| zeros("strategy.target_zeros"))
            .transpose()?,
        min_work_sec: Some(config.number("strategy.min_work_sec")?),
        harvest_only: Some(config.get("strategy.harvest_only") == Some("true")),
        min_stake: stroops(config, "strategy.min_stake")?,
        max_stake: stroops(config, "strategy.max_stake")?,
        stake: None,
    };
    strategy.check().map_err(|e| e.context("strategy.min_stake and strategy.max_stake"))?;
    Ok(strategy)
}
