//! Who got what of the demo's harvests, added up from the audit log, and what the contract minted for them.

use super::farm::addresses;
use super::stage::{End, Stage};
use crate::output::{Page, Table};
use crate::sandbox::broken;
use app::farming::kale;
use base::amount::{Base, Quantity};
use base::{Endpoint, Error, Result, forms};
use kale::contract::base;
use kale::events::mint;
use poolctl_sandbox::network::Networks;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use stellar::xdr::AccountId;
use stellar::{Client, ClientConfig, EventQuery, account};

/// Events asked for at once.
const PAGE: u32 = 1_000;

/// The harvests so far, and who got them.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Harvests {
    /// Pails that were harvested.
    pub pails: usize,
    /// By farmer.
    pub farmers: Vec<FarmerPart>,
    /// The pooler's part of the rewards.
    pub pooler: Quantity,
    /// The operator's part.
    pub operator: Quantity,
    /// The sum of all of these, stakes included.
    pub total: Quantity,
    /// What the contract minted for the farmers, by the chain's events.
    pub minted: Quantity,
    /// The rewards that were paid.
    pub rewards: Quantity,
    /// What the formula had said they would be.
    pub forecast: Quantity,
}

/// What a farmer got.
#[derive(Debug, Serialize, JsonSchema)]
pub struct FarmerPart {
    /// `G…`.
    #[schemars(with = "forms::StellarAccount")]
    pub address: String,
    /// Its stakes, back.
    pub stakes: Quantity,
    /// Its part of its rewards.
    pub rewards: Quantity,
}

impl Harvests {
    /// Reads the harvests from the audit log, and the mints from the chain.
    pub fn of(stage: &Stage<'_>, networks: &Networks) -> Result<Self, End> {
        let log = stage.ask("events --kind harvest.harvested --limit 1000")?;
        let facts: Vec<&Value> = log["events"]
            .as_array()
            .ok_or_else(|| odd(&log))?
            .iter()
            .map(|event| &event["payload"])
            .collect();
        let addresses = addresses(stage)?;
        let sum = |name: &str, of: &dyn Fn(&Value) -> bool| -> Result<Base> {
            facts.iter().filter(|facts| of(facts)).try_fold(Base::ZERO, |sum, facts| {
                let amount = facts[name].as_str().and_then(|text| text.parse::<Base>().ok());
                amount.and_then(|amount| sum.checked_add(amount)).ok_or_else(|| odd(facts))
            })
        };
        let all = |_: &Value| true;
        let mut total = Base::ZERO;
        let mut add = |part: Base| {
            total = total.saturating_add(part);
            kale(part)
        };
        let mut farmers = Vec::new();
        for address in &addresses {
            let own = |facts: &Value| facts["farmer"] == address.as_str();
            let (stakes, rewards) = (add(sum("stake", &own)?), add(sum("to_farmer", &own)?));
            farmers.push(FarmerPart { address: address.clone(), stakes, rewards });
        }
        let (pooler, operator) = (add(sum("to_pooler", &all)?), add(sum("platform_fee", &all)?));
        Ok(Self {
            pails: facts.len(),
            farmers,
            pooler,
            operator,
            total: kale(total),
            minted: kale(minted(networks, &addresses)?),
            rewards: kale(sum("reward", &all)?),
            forecast: kale(sum("forecast", &all)?),
        })
    }

    /// Whether what was credited is what was minted, to the last stroop.
    pub fn add_up(&self) -> bool {
        self.total.base == self.minted.base
    }

    /// Shows who got what.
    pub fn present(&self, page: &mut Page) {
        let mut table = Table::new(&["KALE", ">STAKES BACK", ">REWARDS"]);
        for farmer in &self.farmers {
            table.row([farmer.address.clone(), farmer.stakes.to_string(), farmer.rewards.to_string()]);
        }
        for (name, part) in [("pooler north", &self.pooler), ("operator", &self.operator)] {
            table.row([name.to_owned(), String::new(), part.to_string()]);
        }
        page.table(table);
        page.line(format!("together {}; the contract minted {}", self.total, self.minted));
        page.line(format!(
            "{} harvests paid {}; the forecasts were {}",
            self.pails, self.rewards, self.forecast
        ));
    }
}

/// Stroops that the asset contract minted to these accounts, by the events of all ledgers.
fn minted(networks: &Networks, addresses: &[String]) -> Result<Base> {
    let accounts: Vec<AccountId> =
        addresses.iter().map(|address| account("a farmer", address)).collect::<Result<_>>()?;
    let endpoints = Endpoint::parse_list(&[networks.stellar.url()])?;
    let client = Client::new(ClientConfig::new("demo", networks.stellar.passphrase(), endpoints))?;
    let runtime = crate::shell::session::runtime()?;
    runtime.block_on(client.view(async |view| {
        let contracts = vec![networks.farm.asset_contract.clone()];
        let mut query = EventQuery { contracts, limit: PAGE, ..EventQuery::default() };
        query.start = Some(view.health().await?.oldest_ledger);
        let mut sum = Base::ZERO;
        loop {
            let page = view.events(&query).await?;
            for event in &page.events {
                for amount in accounts.iter().filter_map(|to| mint(&event.topics, &event.value, to)) {
                    sum = sum.saturating_add(base(amount)?);
                }
            }
            if page.events.is_empty() {
                return Ok(sum);
            }
            (query.start, query.cursor) = (None, Some(page.cursor));
        }
    }))
}

fn odd(value: &Value) -> Error {
    broken(&format!("cannot make sense of {value}"))
}
