//! Who got what: the demo's rewards, added up from what the commands say, and its harvests, from the audit log and the chain.

use super::farm::addresses;
use super::stage::{End, Stage};
use crate::sandbox::{BLOCK_REWARD, broken};
use crate::shell::prelude::*;
use app::farming::kale;
use base::amount::{Base, Quantity, parse_units};
use base::{Endpoint, forms};
use kale::contract::base;
use kale::events::mint;
use poolctl_sandbox::network::Networks;
use serde_json::Value;
use stellar::xdr::AccountId;
use stellar::{Client, ClientConfig, EventQuery, account};

/// The emission of the blocks paid so far, and who got it.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Rewards {
    /// First block that earned rewards.
    pub first_block: u64,
    /// First block after the last paid epoch.
    pub end_block: u64,
    /// What those blocks emit.
    pub emission: Quantity,
    /// Who got what.
    pub members: Vec<Share>,
    /// The sum over the members.
    pub total: Quantity,
    /// The token.
    pub symbol: String,
}

/// A member's rewards over all pools.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Share {
    /// The member.
    pub member: String,
    /// Credited to the member's account.
    pub claimed: Quantity,
    /// Not claimed yet.
    pub unclaimed: Quantity,
}

impl Rewards {
    /// Asks for every member's position in every pool; the token is that of the first pool.
    pub fn of(stage: &Stage<'_>, members: &[&str], pools: &[&str]) -> Result<Self, End> {
        let shown = pools.iter().map(|pool| stage.ask(&format!("pool show {pool}")));
        let shown = shown.collect::<Result<Vec<_>, _>>()?;
        let first = shown.first().ok_or_else(|| broken(&"no pool"))?;
        let asset = &first["asset"];
        let decimals = asset["decimals"].as_u64().and_then(|decimals| u8::try_from(decimals).ok());
        let symbol = asset["symbol"].as_str().ok_or_else(|| odd(asset))?.to_owned();
        let token = Token { symbol, decimals: decimals.ok_or_else(|| odd(asset))? };
        let block = |pool: &Value, name: &str| pool[name].as_u64().ok_or_else(|| odd(pool));
        let (first_block, end_block) =
            (block(first, "reward_genesis_block")?, block(first, "reward_next_block")?);
        for pool in &shown {
            if block(pool, "reward_next_block")? != end_block {
                return Err(broken(&"the pools were not paid to the same block").into());
            }
        }
        let per_block = parse_units(BLOCK_REWARD, token.decimals).map_err(|e| broken(&e))?;
        let blocks = Base::from(end_block.saturating_sub(first_block));
        let emission = per_block.checked_mul(blocks).ok_or_else(|| broken(&"the emission is too large"))?;

        let mut total = Base::ZERO;
        let mut shares = Vec::new();
        for member in members {
            let (mut claimed, mut unclaimed) = (Base::ZERO, Base::ZERO);
            for pool in pools {
                let position = stage.ask(&format!("pool position {member} {pool}"))?;
                claimed = token.plus(claimed, &position["claimed"])?;
                unclaimed = token.plus(unclaimed, &position["unclaimed"])?;
            }
            total = total.saturating_add(claimed).saturating_add(unclaimed);
            shares.push(Share {
                member: (*member).to_owned(),
                claimed: token.quantity(claimed),
                unclaimed: token.quantity(unclaimed),
            });
        }
        Ok(Self {
            first_block,
            end_block,
            emission: token.quantity(emission),
            members: shares,
            total: token.quantity(total),
            symbol: token.symbol,
        })
    }

    /// Whether the members got the emission, to the last base unit.
    pub fn add_up(&self) -> bool {
        self.total.base == self.emission.base
    }

    /// Shows who got what.
    pub fn present(&self, page: &mut Page) {
        page.rows(["MEMBER", ">CLAIMED", ">UNCLAIMED"], &self.members, |it| {
            cells![it.member, it.claimed, it.unclaimed]
        });
        page.line(format!(
            "together {}; the emission of blocks {}..{} is {}",
            self.total, self.first_block, self.end_block, self.emission
        ));
    }
}

/// The reward token.
struct Token {
    symbol: String,
    decimals: u8,
}

impl Token {
    fn quantity(&self, base: Base) -> Quantity {
        Quantity { base, decimals: self.decimals, symbol: self.symbol.clone() }
    }

    /// A sum with the amounts of a position's list, all of which must be in this token.
    fn plus(&self, mut sum: Base, rewards: &Value) -> Result<Base, End> {
        for reward in rewards.as_array().ok_or_else(|| odd(rewards))? {
            let amount = reward["amount"].as_str().filter(|_| reward["symbol"] == self.symbol.as_str());
            let amount = amount.and_then(|text| parse_units(text, self.decimals).ok());
            sum = amount.and_then(|amount| sum.checked_add(amount)).ok_or_else(|| odd(reward))?;
        }
        Ok(sum)
    }
}

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
        let events = log["events"].as_array().ok_or_else(|| odd(&log))?;
        let facts: Vec<&Value> = events.iter().map(|event| &event["payload"]).collect();
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
        let farmers = self.farmers.iter().map(|it| cells![it.address, it.stakes, it.rewards]);
        let others = [("pooler north", &self.pooler), ("operator", &self.operator)];
        let others = others.map(|(name, part)| cells![name, "", part]);
        page.rows(["KALE", ">STAKES BACK", ">REWARDS"], farmers.chain(others), |row| row);
        page.line(format!("together {}; the contract minted {}", self.total, self.minted));
        let (pails, rewards, forecast) = (self.pails, &self.rewards, &self.forecast);
        page.line(format!("{} paid {rewards}; the forecasts were {forecast}", counted(pails, "harvest")));
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
