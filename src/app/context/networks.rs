//! The networks that the profile names: an EVM chain and a Stellar network, looked at or written about.

use super::{App, EVM_PIN, Way, guard, way};
use base::{Code, Error, Result};
use config::Config;
use evm::{Chain, ChainConfig};
use net::{HttpLimits, RetryPolicy};
use outbox::Pace;
use state::WriteContext;
use std::time::Duration;
use stellar::submit::SubmitOptions;
use stellar::xdr::ContractId;
use stellar::{Client, ClientConfig};

impl App<'_> {
    /// As [`App::write_async`], on the profile's EVM chain, which the state remembers from now on.
    pub fn write_on_chain<T>(
        &self,
        dry_run: bool,
        body: impl AsyncFnOnce(&mut WriteContext<'_>, &Chain) -> Result<T>,
    ) -> Result<T> {
        self.write_about_chain(way(dry_run), body)
    }

    /// As [`App::write_on_chain`], for a service that asks the chain again after it has written: a dry run of it writes to a
    /// private copy of the state.
    pub fn write_along_chain<T>(
        &self,
        dry_run: bool,
        body: impl AsyncFnOnce(&mut WriteContext<'_>, &Chain) -> Result<T>,
    ) -> Result<T> {
        self.write_about_chain(if dry_run { Way::Copy } else { Way::Live }, body)
    }

    fn write_about_chain<T>(
        &self,
        way: Way,
        body: impl AsyncFnOnce(&mut WriteContext<'_>, &Chain) -> Result<T>,
    ) -> Result<T> {
        let chain = self.chain()?;
        self.write_in(way, async |work| {
            let value = body(work, &chain).await?;
            // Only now: a first command that fails leaves the state as it was.
            state::pin_network(work.state, work.permit, EVM_PIN, &chain.chain_id().to_string())?;
            Ok(value)
        })
    }

    /// Reads from the profile's EVM chain, at one endpoint alone where it is named; nothing is written.
    pub fn look_on_chain<T>(
        &self,
        endpoint: Option<&str>,
        body: impl AsyncFnOnce(&Chain) -> Result<T>,
    ) -> Result<T> {
        let chain = self.chain_at(endpoint)?;
        let found = self.host.runtime()?.block_on(body(&chain));
        for warning in chain.take_warnings() {
            self.call().warn(warning);
        }
        found
    }

    /// Reads from the profile's Stellar network; nothing is written.
    pub fn look_on_stellar<T>(&self, body: impl AsyncFnOnce(&Client) -> Result<T>) -> Result<T> {
        let client = self.stellar()?;
        let found = self.host.runtime()?.block_on(body(&client));
        for warning in client.take_warnings() {
            self.call().warn(warning);
        }
        found
    }

    /// The profile's EVM chain, unless the state belongs to another; nothing is sent yet. What its endpoints do
    /// wrong and others make good becomes warnings after the work.
    pub fn chain(&self) -> Result<Chain> {
        self.chain_at(None)
    }

    /// As [`App::chain`], with one endpoint alone where it is named.
    pub fn chain_at(&self, endpoint: Option<&str>) -> Result<Chain> {
        if let Some(e) = &self.foreign {
            return Err(e.clone());
        }
        let mut chain = self.chain_config()?;
        if let Some(name) = endpoint {
            let names: Vec<String> =
                chain.endpoints.iter().map(|endpoint| endpoint.name().to_owned()).collect();
            chain.endpoints.retain(|endpoint| endpoint.name() == name);
            if chain.endpoints.is_empty() {
                return Err(Error::field(
                    Code::InvalidValue,
                    "endpoint",
                    format_args!("no endpoint \"{name}\""),
                )
                .hint(format!("the profile's endpoints are: {}", names.join(", ")))
                .detail("endpoint", name));
            }
        }
        let chain = Chain::new(chain)?;
        guard(&self.chains).push(chain.clone());
        Ok(chain)
    }

    /// The profile's Stellar network, under the same terms.
    pub fn stellar(&self) -> Result<Client> {
        if let Some(e) = &self.foreign_stellar {
            return Err(e.clone());
        }
        let client = Client::new(self.client_config()?)?;
        guard(&self.clients).push(client.clone());
        Ok(client)
    }

    /// What the profile says about its EVM chain.
    pub fn chain_config(&self) -> Result<ChainConfig> {
        let config = &self.config;
        let mut chain = ChainConfig::new(
            config.profile.as_str(),
            config.number("evm.chain_id")?,
            config.endpoints("evm.rpc_urls")?,
        );
        (chain.http, chain.retry) = self.patience("evm")?;
        chain.confirmations = config.number("evm.confirmations")?;
        if let Some(multicall) = config.address("evm.multicall")? {
            chain.multicall = multicall;
        }
        chain.logs.most = config.number("evm.log_blocks")?;
        chain.logs.start = chain.logs.start.min(chain.logs.most);
        chain.logs.blooms = config.number("evm.bloom_blocks")?;
        chain.learned = self.learned.clone();
        Ok(chain)
    }

    /// What the profile says about its Stellar network.
    pub fn client_config(&self) -> Result<ClientConfig> {
        let config = &self.config;
        let known = stellar::known(config.require("stellar.network")?)?;
        let endpoints = config.endpoints("stellar.rpc_urls")?;
        let mut client = ClientConfig::new(config.profile.as_str(), known.passphrase, endpoints);
        (client.http, client.retry) = self.patience("stellar")?;
        Ok(client)
    }

    /// Why the state does not belong to the profile's networks, where it does not.
    pub fn foreign(&self) -> impl Iterator<Item = &Error> {
        self.foreign.iter().chain(&self.foreign_stellar)
    }

    /// The KALE farm contract: the one that is set, or the network's.
    pub fn farm_contract(&self) -> Result<ContractId> {
        farm_contract(&self.config)
    }

    /// The terms on which transactions are offered, as the settings say.
    pub fn submit_options(&self) -> Result<SubmitOptions> {
        submit_options(&self.config)
    }

    /// How long and how often one endpoint is asked, by the settings of that group.
    fn patience(&self, group: &str) -> Result<(HttpLimits, RetryPolicy)> {
        let number = |name: &str| self.config.number(&format!("{group}.{name}"));
        let (http, retry) = (HttpLimits::default(), RetryPolicy::default());
        let timeout = Duration::from_secs(number("timeout_sec")?);
        let http = HttpLimits { timeout, connect_timeout: http.connect_timeout.min(timeout), ..http };
        let attempts = u32::try_from(number("attempts")?).unwrap_or(u32::MAX);
        let base = Duration::from_millis(number("retry_base_ms")?);
        Ok((http, RetryPolicy { attempts, base, ..retry }))
    }
}

/// The terms on which transactions are offered, as these settings say.
pub fn submit_options(config: &Config) -> Result<SubmitOptions> {
    let small = |name| config.number(name).map(|n| u32::try_from(n).unwrap_or(u32::MAX));
    let valid_sec = config.number("stellar.tx_valid_sec")?;
    Ok(SubmitOptions {
        pace: Pace {
            poll: Duration::from_millis(config.number("stellar.poll_ms")?),
            // Past its end, and then some for ledgers that close late.
            wait: Duration::from_secs(valid_sec + 60),
            ..SubmitOptions::default().pace
        },
        valid_sec,
        percentile: config.require("stellar.fee_percentile")?.parse().unwrap_or_default(),
        max_inclusion_fee: small("stellar.max_inclusion_fee")?,
        resource_margin: small("stellar.resource_margin")?,
        ..SubmitOptions::default()
    })
}

/// The KALE farm contract that the settings name, or the network's.
pub fn farm_contract(config: &Config) -> Result<ContractId> {
    let known = stellar::known(config.require("stellar.network")?)?;
    match (config.get("kale.contract_id"), known.farm) {
        (Some(text), _) | (None, Some(text)) => stellar::contract("kale.contract_id", text),
        (None, None) => Err(Error::new(
            Code::MissingSetting,
            format!("the farm contract of network \"{}\" is not known", known.name),
        )
        .hint("set kale.contract_id in the config, or KALE_CONTRACT_ID")),
    }
}
