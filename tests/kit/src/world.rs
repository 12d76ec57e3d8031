//! Ready-made chains: a small one with a history worth reading, and a large one for the bench.

use crate::{
    abi::{
        AdapterFeed, Asset, Factory, LegacyPool, LegacyRiskEngine, MockV3Aggregator, NotAVault, RiskEngine,
        Vault, ViddhanaPool,
    },
    node::{Node, NodeKind, NodeOptions, Receipt},
};
use alloy::primitives::{Address, I256, U256, aliases::U80};
use anyhow::{Context as _, Result, ensure};

/// `whole` units of something with `decimals` decimals, in base units.
pub fn units(whole: u64, decimals: u8) -> U256 {
    U256::from(whole) * U256::from(10).pow(U256::from(decimals))
}

/// A vault with its asset and its asset's feed.
#[derive(Clone, Copy, Debug)]
pub struct Pool {
    /// The ERC-4626 vault, which is its own share token.
    pub vault: Address,
    /// The ERC-20 it takes.
    pub asset: Address,
    /// Chainlink's mock aggregator for the asset.
    pub feed: Address,
    /// The asset's decimals (the shares have as many).
    pub decimals: u8,
    /// The block that the vault was deployed in.
    pub deploy_block: u64,
}

/// A node with two vaults that have lived a little: deposits, a transfer of shares, a donation, withdrawals.
pub struct World {
    /// The node.
    pub node: Node,
    /// Owns the vaults; has no shares.
    pub owner: Address,
    /// Has shares of both vaults.
    pub alice: Address,
    /// Has shares of both vaults; has withdrawn from `eighteen`.
    pub bob: Address,
    /// Has shares of both vaults; those of `eighteen` came from alice.
    pub carol: Address,
    /// Has assets, and no shares.
    pub dave: Address,
    /// Over an asset of 18 decimals worth 2,000.00 by a feed of 8 decimals; its rate is above one.
    pub eighteen: Pool,
    /// Over an asset of 6 decimals worth 0.999 by a feed of 18 decimals; its rate is one.
    pub six: Pool,
    /// The risk engine of the `viddhana` profile; both vaults are set in it, with roomy caps.
    pub risk: Address,
    /// The risk engine of the `legacy` profile; nothing is set in it.
    pub legacy_risk: Address,
    /// The price source of the `adapter` kind; both assets are set in it.
    pub adapter: Address,
    /// A contract with code that is no vault.
    pub not_a_vault: Address,
}

impl World {
    /// A small world on a node with default options.
    pub fn small(kind: NodeKind) -> Result<Self> {
        Self::on(Node::start(kind, &NodeOptions::default())?)
    }

    /// A small world on a fresh node of yours. The same options give the same blocks, hash for hash.
    pub fn on(node: Node) -> Result<Self> {
        let &[owner, alice, bob, carol, dave, ..] = node.accounts() else {
            anyhow::bail!("too few accounts")
        };
        let eighteen = deploy_pool(&node, owner, 18, 8, I256::try_from(200_000_000_000_i64)?)?;
        let six = deploy_pool(&node, owner, 6, 18, I256::try_from(999_000_000_000_000_000_i64)?)?;
        let risk = node.deploy(owner, "RiskEngine", &RiskEngine::constructorCall { owner })?.address()?;
        let legacy_risk =
            node.deploy(owner, "LegacyRiskEngine", &LegacyRiskEngine::constructorCall {})?.address()?;
        let adapter = node.deploy(owner, "AdapterFeed", &AdapterFeed::constructorCall {})?.address()?;
        let not_a_vault = node.deploy(owner, "NotAVault", &NotAVault::constructorCall {})?.address()?;
        let world = Self {
            node,
            owner,
            alice,
            bob,
            carol,
            dave,
            eighteen,
            six,
            risk,
            legacy_risk,
            adapter,
            not_a_vault,
        };
        world.live()?;
        Ok(world)
    }

    /// The history of the world.
    fn live(&self) -> Result<()> {
        let Self { alice, bob, carol, dave, eighteen, six, .. } = *self;
        for pool in [eighteen, six] {
            for account in [alice, bob, carol, dave] {
                self.mint(pool.asset, account, units(1_000_000, pool.decimals))?;
            }
            self.set_risk(
                pool.vault,
                RiskEngine::PoolConfig {
                    maxTvl: units(10_000_000, pool.decimals),
                    maxUserDeposit: units(5_000_000, pool.decimals),
                    dailyWithdrawalCap: units(100_000, pool.decimals),
                    depositsEnabled: true,
                    withdrawalsEnabled: true,
                    active: true,
                },
            )?;
        }
        self.set_adapter_price(eighteen.asset, units(2_001, 18))?;
        self.set_adapter_price(six.asset, units(1, 18))?;
        let whole = |n| units(n, 18);
        self.deposit(eighteen.vault, alice, whole(1_000))?;
        self.deposit(six.vault, alice, units(2_000, 6))?;
        self.node.mine(3)?;
        self.deposit(eighteen.vault, bob, whole(500))?;
        self.deposit(six.vault, bob, units(300, 6))?;
        self.transfer_shares(eighteen.vault, alice, carol, whole(100))?;
        self.node.mine(5)?;
        self.donate(eighteen.vault, dave, whole(75))?;
        self.deposit(six.vault, carol, U256::from(1_234_567))?;
        self.withdraw(eighteen.vault, bob, whole(50))?;
        self.node.mine(4)
    }

    /// Gives an account assets out of nothing.
    pub fn mint(&self, asset: Address, to: Address, amount: U256) -> Result<Receipt> {
        self.node.send(self.owner, asset, &Asset::mintCall { to, amount })
    }

    /// Deposits assets, approving the pool first (in a block of its own) where that has not been done.
    pub fn deposit(&self, vault: Address, account: Address, assets: U256) -> Result<Receipt> {
        let asset = self.node.call(vault, &Vault::assetCall {})?;
        self.approve(asset, account, vault, assets)?;
        self.node.send(account, vault, &Vault::depositCall { assets, receiver: account })
    }

    /// Approves `spender` for ever, unless it already may spend `amount`.
    pub fn approve(&self, asset: Address, owner: Address, spender: Address, amount: U256) -> Result<()> {
        if self.node.call(asset, &Asset::allowanceCall { owner, spender })? < amount {
            self.node.send(owner, asset, &Asset::approveCall { spender, amount: U256::MAX })?;
        }
        Ok(())
    }

    /// Moves shares between accounts.
    pub fn transfer_shares(
        &self,
        vault: Address,
        from: Address,
        to: Address,
        shares: U256,
    ) -> Result<Receipt> {
        self.node.send(from, vault, &Vault::transferCall { to, shares })
    }

    /// Withdraws assets, burning as many shares as that takes.
    pub fn withdraw(&self, vault: Address, account: Address, assets: U256) -> Result<Receipt> {
        self.node.send(account, vault, &Vault::withdrawCall { assets, receiver: account, owner: account })
    }

    /// Gives the vault assets for nothing: its rate rises.
    pub fn donate(&self, vault: Address, from: Address, assets: U256) -> Result<Receipt> {
        let asset = self.node.call(vault, &Vault::assetCall {})?;
        self.node.send(from, asset, &Asset::transferCall { to: vault, amount: assets })
    }

    /// Takes assets out of the vault: its rate falls.
    pub fn loss(&self, vault: Address, assets: U256) -> Result<Receipt> {
        self.node.send(self.owner, vault, &Vault::lossCall { assets })
    }

    /// Stops deposits, withdrawals and transfers.
    pub fn pause(&self, vault: Address) -> Result<Receipt> {
        self.node.send(self.owner, vault, &Vault::pauseCall {})
    }

    /// Ends a pause.
    pub fn unpause(&self, vault: Address) -> Result<Receipt> {
        self.node.send(self.owner, vault, &Vault::unpauseCall {})
    }

    /// Sets what the risk engine of the `viddhana` profile says of a pool, in the asset's base units; 0 is no cap.
    pub fn set_risk(&self, pool: Address, config: RiskEngine::PoolConfig) -> Result<Receipt> {
        self.node.send(self.owner, self.risk, &RiskEngine::setCall { pool, config })
    }

    /// Sets the price of an asset, scaled by 1e18, in the adapter.
    pub fn set_adapter_price(&self, asset: Address, price: U256) -> Result<Receipt> {
        self.node.send(self.owner, self.adapter, &AdapterFeed::setPriceCall { asset, priceE18: price })
    }

    /// Starts a new round of a feed: `answer` in the feed's decimals, updated in this block or at `updated_at` (Unix
    /// seconds, 0 too).
    pub fn set_answer(&self, feed: Address, answer: I256, updated_at: Option<u64>) -> Result<Receipt> {
        let Some(updated_at) = updated_at else {
            return self.node.send(self.owner, feed, &MockV3Aggregator::updateAnswerCall { answer });
        };
        let round = self.node.call(feed, &MockV3Aggregator::latestRoundCall {})? + U256::ONE;
        let timestamp = U256::from(updated_at);
        let call = MockV3Aggregator::updateRoundDataCall {
            roundId: U80::from(round),
            answer,
            timestamp,
            startedAt: timestamp,
        };
        self.node.send(self.owner, feed, &call)
    }

    /// Deploys one more vault over an asset, its shares with `offset` decimals more than the asset; owned by `owner`.
    pub fn add_vault(&self, asset: Address, offset: u8) -> Result<Receipt> {
        deploy_vault(&self.node, self.owner, asset, offset)
    }

    /// Deploys a pool of the `legacy` profile.
    pub fn add_legacy_pool(&self, asset: Address) -> Result<Receipt> {
        self.node.deploy(self.owner, "LegacyPool", &LegacyPool::constructorCall { underlying: asset })
    }

    /// Deploys a pool of the `viddhana` profile that names the world's risk engine.
    pub fn add_viddhana_pool(&self, asset: Address) -> Result<Receipt> {
        let arguments = ViddhanaPool::constructorCall { asset, riskEngine: self.risk };
        self.node.deploy(self.owner, "ViddhanaPool", &arguments)
    }

    /// A node with `count` vaults over one asset of 18 decimals, each with one holder.
    pub fn many_vaults(kind: NodeKind, count: usize) -> Result<ManyVaults> {
        ManyVaults::start(kind, count)
    }
}

fn deploy_vault(node: &Node, owner: Address, asset: Address, offset: u8) -> Result<Receipt> {
    let arguments =
        Vault::constructorCall { asset, name: "Test Vault".into(), symbol: "tv".into(), offset, owner };
    node.deploy(owner, "Vault", &arguments)
}

fn deploy_pool(node: &Node, owner: Address, decimals: u8, feed_decimals: u8, answer: I256) -> Result<Pool> {
    let arguments = Asset::constructorCall {
        name: format!("Test Asset {decimals}"),
        symbol: format!("TA{decimals}"),
        decimals,
    };
    let asset = node.deploy(owner, "Asset", &arguments)?.address()?;
    let arguments = MockV3Aggregator::constructorCall { decimals: feed_decimals, initialAnswer: answer };
    let feed = node.deploy(owner, "MockV3Aggregator", &arguments)?.address()?;
    let vault = deploy_vault(node, owner, asset, 0)?;
    Ok(Pool { vault: vault.address()?, asset, feed, decimals, deploy_block: vault.block })
}

/// A node with many vaults.
pub struct ManyVaults {
    /// The node.
    pub node: Node,
    /// The one asset of all, with 18 decimals.
    pub asset: Address,
    /// The vaults, in the order of their deployment; vault `i` holds `i + 1` whole units of the asset.
    pub vaults: Vec<Address>,
    /// The only holder of the vault of the same index.
    pub holders: Vec<Address>,
    /// The block of the first deployment.
    pub deploy_block: u64,
}

impl ManyVaults {
    /// A vault in a transaction costs less than this.
    const GAS_PER_VAULT: u64 = 2_500_000;
    const BATCH: usize = 100;

    fn start(kind: NodeKind, count: usize) -> Result<Self> {
        let gas = Self::GAS_PER_VAULT * Self::BATCH as u64;
        let node = Node::start(kind, &NodeOptions { gas_limit: gas, ..NodeOptions::default() })?;
        let &owner = node.accounts().first().context("no accounts")?;
        let factory = node.deploy(owner, "Factory", &Factory::constructorCall { decimals: 18 })?;
        let deploy_block = factory.block + 1;
        let factory = factory.address()?;
        let mut left = count;
        while left > 0 {
            let batch = left.min(Self::BATCH);
            let call = Factory::makeCall { count: U256::from(batch), unit: units(1, 18) };
            let receipt = node.send_with_gas(owner, factory, &call, gas)?;
            ensure!(receipt.success, "a batch of {batch} vaults took more than {gas} gas");
            left -= batch;
        }
        let asset = node.call(factory, &Factory::assetCall {})?;
        let vaults = node.call(factory, &Factory::vaultsCall {})?;
        let holders = (0..count)
            .map(|i| node.call(factory, &Factory::holderOfCall { i: U256::from(i) }))
            .collect::<Result<_>>()?;
        Ok(Self { node, asset, vaults, holders, deploy_block })
    }
}
