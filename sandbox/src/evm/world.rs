//! The demo's world: two vaults over two assets with their feeds, a risk engine, and several depositors.

use alloy::primitives::{Address, I256, U256};

use super::abi::{Aggregator, Asset, RiskEngine, Vault};
use super::{DEV_ACCOUNTS, Evm};
use crate::{Error, Result};

/// `whole` units of something with `decimals` decimals, in base units.
pub fn units(whole: u64, decimals: u8) -> U256 {
    U256::from(whole).saturating_mul(U256::from(10).saturating_pow(U256::from(decimals)))
}

/// A vault with its asset and its asset's feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pool {
    /// What the pool is called in the demo.
    pub name: &'static str,
    /// The ERC-4626 vault, which is its own share token.
    pub vault: Address,
    /// The ERC-20 it takes.
    pub asset: Address,
    /// The asset's price feed, as Chainlink's are, with eight decimals.
    pub feed: Address,
    /// Decimals of the asset and of the shares.
    pub decimals: u8,
    /// The block that the vault was deployed in.
    pub deploy_block: u64,
}

/// The contracts and people of the demo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct World {
    /// Owns the contracts and has no shares.
    pub owner: Address,
    /// Those who deposit.
    pub members: [(&'static str, Address); 4],
    /// Over an asset of 6 decimals worth about a dollar; its rate is one at first.
    pub dollars: Pool,
    /// Over an asset of 18 decimals worth about 2,000 dollars.
    pub ether: Pool,
    /// The risk engine, of the `viddhana` profile.
    pub risk: Address,
}

/// What sets one pool apart from the other.
struct Plan {
    name: &'static str,
    asset_name: &'static str,
    symbol: &'static str,
    decimals: u8,
    /// In dollars, with eight decimals.
    price: i64,
}

const DOLLARS: Plan =
    Plan { name: "dollars", asset_name: "Demo Dollar", symbol: "DUSD", decimals: 6, price: 99_990_000 };
const ETHER: Plan =
    Plan { name: "ether", asset_name: "Demo Ether", symbol: "DETH", decimals: 18, price: 200_125_000_000 };

impl World {
    /// Deploys the contracts and gives each member assets: 1,000,000 dollars and 1,000 ether.
    pub fn deploy(evm: &Evm) -> Result<Self> {
        let [owner, alice, bob, carol, dave, ..] = DEV_ACCOUNTS.map(|account| account.address);
        let members = [("alice", alice), ("bob", bob), ("carol", carol), ("dave", dave)];
        let dollars = deploy_pool(evm, owner, &DOLLARS)?;
        let ether = deploy_pool(evm, owner, &ETHER)?;
        let risk = made(evm.deploy(owner, "RiskEngine", &RiskEngine::constructorCall { owner })?.contract)?;
        let world = Self { owner, members, dollars, ether, risk };
        for (pool, whole, cap) in [(dollars, 1_000_000, 5_000_000), (ether, 1_000, 5_000)] {
            for (_, member) in members {
                world.mint(evm, &pool, member, units(whole, pool.decimals))?;
                let approve = Asset::approveCall { spender: pool.vault, amount: U256::MAX };
                evm.send(member, pool.asset, &approve)?;
            }
            let config = RiskEngine::PoolConfig {
                maxTvl: units(cap, pool.decimals),
                maxUserDeposit: units(cap / 2, pool.decimals),
                dailyWithdrawalCap: units(cap / 10, pool.decimals),
                depositsEnabled: true,
                withdrawalsEnabled: true,
                active: true,
            };
            evm.send(owner, risk, &RiskEngine::setCall { pool: pool.vault, config })?;
        }
        Ok(world)
    }

    /// A history worth reading: deposits by all, a transfer of shares, yield, a withdrawal, with blocks between; at the
    /// end both feeds report, and the last of it is final.
    pub fn live(&self, evm: &Evm) -> Result<()> {
        let [(_, alice), (_, bob), (_, carol), (_, dave)] = self.members;
        let (dollars, ether) = (&self.dollars, &self.ether);
        self.deposit(evm, dollars, alice, units(120_000, 6))?;
        self.deposit(evm, dollars, bob, units(45_000, 6))?;
        self.deposit(evm, ether, alice, units(30, 18))?;
        evm.mine(10)?;
        self.deposit(evm, ether, carol, units(12, 18))?;
        self.deposit(evm, dollars, dave, units(8_500, 6))?;
        evm.send(alice, dollars.vault, &Vault::transferCall { to: carol, shares: units(20_000, 6) })?;
        evm.mine(15)?;
        self.earn(evm, dollars, units(1_735, 6))?;
        let withdraw = Vault::withdrawCall { assets: units(5_000, 6), receiver: bob, owner: bob };
        evm.send(bob, dollars.vault, &withdraw)?;
        self.deposit(evm, ether, dave, units(3, 18) / U256::from(4))?;
        evm.mine(10)?;
        self.report(evm, dollars, DOLLARS.price)?;
        self.report(evm, ether, ETHER.price)?;
        evm.mine(2).map(drop)
    }

    /// Gives an account assets out of nothing, in base units.
    pub fn mint(&self, evm: &Evm, pool: &Pool, to: Address, amount: U256) -> Result<()> {
        evm.send(self.owner, pool.asset, &Asset::mintCall { to, amount }).map(drop)
    }

    /// Deposits assets of a member, in base units.
    pub fn deposit(&self, evm: &Evm, pool: &Pool, member: Address, assets: U256) -> Result<()> {
        evm.send(member, pool.vault, &Vault::depositCall { assets, receiver: member }).map(drop)
    }

    /// Gives the vault assets for nothing, in base units: its rate rises.
    pub fn earn(&self, evm: &Evm, pool: &Pool, assets: U256) -> Result<()> {
        self.mint(evm, pool, pool.vault, assets)
    }

    /// Has the pool's feed report, in dollars with eight decimals.
    pub fn report(&self, evm: &Evm, pool: &Pool, answer: i64) -> Result<()> {
        evm.send(self.owner, pool.feed, &Aggregator::reportCall { answer: signed(answer) }).map(drop)
    }

    /// Has both feeds report their newest answers once more, now.
    pub fn report_again(&self, evm: &Evm) -> Result<()> {
        for pool in [&self.dollars, &self.ether] {
            let round = evm.call(pool.feed, &Aggregator::latestRoundDataCall {})?;
            evm.send(self.owner, pool.feed, &Aggregator::reportCall { answer: round.answer })?;
        }
        Ok(())
    }
}

fn deploy_pool(evm: &Evm, owner: Address, plan: &Plan) -> Result<Pool> {
    let arguments = Asset::constructorCall {
        name: plan.asset_name.into(),
        symbol: plan.symbol.into(),
        decimals: plan.decimals,
    };
    let asset = made(evm.deploy(owner, "Asset", &arguments)?.contract)?;
    let arguments = Aggregator::constructorCall {
        decimals: 8,
        description: format!("{} / USD", plan.symbol),
        answer: signed(plan.price),
        owner,
    };
    let feed = made(evm.deploy(owner, "Aggregator", &arguments)?.contract)?;
    let arguments = Vault::constructorCall {
        asset,
        name: format!("{} Vault", plan.asset_name),
        symbol: format!("v{}", plan.symbol),
        offset: 0,
        owner,
    };
    let vault = evm.deploy(owner, "Vault", &arguments)?;
    Ok(Pool {
        name: plan.name,
        vault: made(vault.contract)?,
        asset,
        feed,
        decimals: plan.decimals,
        deploy_block: vault.block,
    })
}

fn made(contract: Option<Address>) -> Result<Address> {
    contract.ok_or_else(|| Error::new("the transaction made no contract"))
}

/// Prices fit well into 256 bits.
fn signed(number: i64) -> I256 {
    I256::try_from(number).unwrap_or_default()
}
