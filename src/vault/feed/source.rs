//! Where quotes come from: every kind of feed, how its contract is looked at, asked, and understood.

use super::quote::{RawQuote, Refusal};
use alloy::primitives::{Address, I256};
use base::amount::{Base, E18};
use base::{Code, Error, Result};
use evm::{Batch, BatchReply, CallError, PinnedView};
use strum::VariantNames;

/// The Solidity interfaces of feeds.
#[allow(missing_docs, reason = "the names are the contracts' own")]
pub mod sol {
    alloy::sol! {
        interface AggregatorV3Interface {
            function decimals() external view returns (uint8);
            function description() external view returns (string);
            function latestRoundData() external view
                returns (uint80 roundId, int256 answer, uint256 startedAt, uint256 updatedAt, uint80 answeredInRound);
        }
        interface IPriceAdapter {
            function getLatestPrice(address asset) external view returns (uint256);
        }
    }
}
use sol::{AggregatorV3Interface as Aggregator, IPriceAdapter as Adapter};

/// Where the quotes of a feed come from; its kind is the word for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::IntoStaticStr, VariantNames)]
#[strum(serialize_all = "snake_case")]
pub enum Source {
    /// Chainlink's `AggregatorV3Interface`.
    Chainlink(Address),
    /// `getLatestPrice(token)` of a contract, 18 decimals. It tells no time: a quote is as old as its block.
    #[allow(missing_docs, reason = "said above")]
    Adapter { contract: Address, token: Address },
    /// A price that the operator set, 18 decimals. It is no quote: no rule applies, and it never enters the cache.
    Fixed(Base),
}

crate::words!(Source);

impl Source {
    /// The contract, where there is one.
    pub const fn address(self) -> Option<Address> {
        match self {
            Self::Chainlink(address) | Self::Adapter { contract: address, .. } => Some(address),
            Self::Fixed(_) => None,
        }
    }

    /// The operator's own price.
    pub const fn fixed(self) -> Option<Base> {
        match self {
            Self::Fixed(price_e18) => Some(price_e18),
            _ => None,
        }
    }

    /// Reads a kind with what belongs to it: a contract, or for `fixed` a price; an adapter prices a token's address.
    pub fn parse(kind: &str, asset: &str, address: Option<Address>, price_e18: Option<Base>) -> Result<Self> {
        let wrong = |field: &str, why: String| Error::field(Code::InvalidValue, field, why);
        match (kind, address, price_e18) {
            ("chainlink", Some(address), None) => Ok(Self::Chainlink(address)),
            ("adapter", Some(contract), None) => {
                let token = asset.parse().map_err(|_| {
                    wrong("asset", format!("an adapter needs a token's address, not \"{asset}\""))
                })?;
                Ok(Self::Adapter { contract, token })
            }
            ("fixed", None, Some(price)) if price.is_zero() => {
                Err(wrong("price", "a fixed price must be above zero".into()))
            }
            ("fixed", None, Some(price)) => Ok(Self::Fixed(price)),
            ("fixed", _, None) => Err(wrong("price", "the kind fixed needs one".into())),
            ("fixed", Some(_), _) => Err(wrong("address", "the kind fixed has none".into())),
            ("chainlink" | "adapter", None, _) => Err(wrong("address", format!("the kind {kind} needs one"))),
            ("chainlink" | "adapter", _, Some(_)) => {
                Err(wrong("price", format!("the kind {kind} has none: the contract gives it")))
            }
            _ => Err(Error::new(Code::InvalidValue, format!("invalid feed kind: \"{kind}\""))
                .hint(format!("there are: {}", Self::VARIANTS.join(", ")))),
        }
    }

    /// What the contract says it is, after seeing that it answers like a feed.
    pub async fn describe(self, view: &PinnedView) -> Result<Option<String>> {
        let mut batch = view.batch();
        match self {
            Self::Fixed(_) => Ok(None),
            Self::Chainlink(address) => {
                let feed = |e: CallError| {
                    e.into_error("feed").hint("a chainlink feed answers like AggregatorV3Interface")
                };
                let decimals = batch.add(address, &Aggregator::decimalsCall {});
                let description = batch.add(address, &Aggregator::descriptionCall {});
                let round = batch.add(address, &Aggregator::latestRoundDataCall {});
                let reply = batch.send().await?;
                reply.get(decimals).map_err(feed)?;
                let description = reply.get_optional(description).ok().flatten();
                // A new feed may have no round yet and revert; then at least it says what it is.
                if reply.get_optional(round).map_err(feed)?.is_none() && description.is_none() {
                    reply.get(round).map_err(feed)?;
                }
                Ok(description)
            }
            Self::Adapter { contract, token } => {
                let feed = |e: CallError| {
                    e.into_error("feed").hint("an adapter feed answers to getLatestPrice(address)")
                };
                let price = batch.add(contract, &Adapter::getLatestPriceCall { asset: token });
                batch.send().await?.get(price).map_err(feed)?;
                Ok(None)
            }
        }
    }

    /// Asks for a quote: of the answers and the block's time it is the quote, or that the feed could not be read.
    pub(crate) fn ask(self, batch: &mut Batch<'_>) -> QuoteDecoder {
        let silent = |e: CallError| Refusal::Unreachable(e.sentence("feed"));
        match self {
            Self::Chainlink(address) => {
                let round = batch.add(address, &Aggregator::latestRoundDataCall {});
                let decimals = batch.add(address, &Aggregator::decimalsCall {});
                Box::new(move |reply, _| {
                    let round = reply.get(round).map_err(silent)?;
                    Ok(RawQuote {
                        answer: round.answer,
                        decimals: reply.get(decimals).map_err(silent)?,
                        round_id: round.roundId.to(),
                        answered_in_round: round.answeredInRound.to(),
                        // A time past 2^64 is in the future, which is what the rule will say.
                        updated_at: u64::try_from(round.updatedAt).unwrap_or(u64::MAX),
                    })
                })
            }
            Self::Adapter { contract, token } => {
                let price = batch.add(contract, &Adapter::getLatestPriceCall { asset: token });
                Box::new(move |reply, updated_at| {
                    let price = reply.get(price).map_err(silent)?;
                    let answer = I256::try_from(price)
                        .map_err(|_| Refusal::Invalid(format!("answer {price} passes 255 bits")))?;
                    Ok(RawQuote { answer, decimals: E18, round_id: 0, answered_in_round: 0, updated_at })
                })
            }
            Self::Fixed(_) => Box::new(|_, _| Err(Refusal::Unreachable("a fixed price is not read".into()))),
        }
    }
}

/// A question that is under way.
pub(crate) type QuoteDecoder = Box<dyn Fn(&BatchReply, u64) -> Result<RawQuote, Refusal>>;
