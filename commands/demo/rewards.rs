//! Where every unit of the demo's emission went, added up from what the commands say.

use super::stage::{End, Stage};
use crate::output::{Page, Table};
use crate::sandbox::{BLOCK_REWARD, broken};
use base::Error;
use base::amount::{Base, Quantity, parse_units};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

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
        let shown = pools
            .iter()
            .map(|pool| stage.ask(&format!("pool show {pool}")))
            .collect::<Result<Vec<_>, _>>()?;
        let first = shown.first().ok_or_else(|| broken(&"no pool"))?;
        let asset = &first["asset"];
        let token = Token {
            symbol: asset["symbol"].as_str().ok_or_else(|| odd(asset))?.to_owned(),
            decimals: asset["decimals"]
                .as_u64()
                .and_then(|d| u8::try_from(d).ok())
                .ok_or_else(|| odd(asset))?,
        };
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
        let mut table = Table::new(&["MEMBER", ">CLAIMED", ">UNCLAIMED"]);
        for share in &self.members {
            table.row([share.member.clone(), share.claimed.to_string(), share.unclaimed.to_string()]);
        }
        page.table(table);
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

fn odd(value: &Value) -> Error {
    broken(&format!("cannot make sense of {value}"))
}
