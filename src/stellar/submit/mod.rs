//! Stellar in the outbox: its types, its terms, and [`StellarNetwork`], which prepares, signs, sends and looks up.

mod network;
mod polls;
mod prepare;
mod resources;
mod terms;

pub use network::StellarNetwork;
pub use terms::Terms;

use self::prepare::Prepared;
use crate::diagnostics::Raised;
use crate::replies::Ledger;
use crate::results::Failure;
use crate::transaction::{Action, Signers, stored};
use crate::xdr::{AccountId, ContractEvent, ScVal};
use base::Result;
use futures_util::stream::StreamExt;
use outbox::{Chain, Stored};

/// The kind of operations that restore archived entries for others; nothing beside them is recorded.
pub const RESTORE: &str = "restore";

/// Stellar, for the outbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stellar;

impl Chain for Stellar {
    const NAME: &'static str = "stellar";
    const AHEAD: Option<&'static str> = Some(RESTORE);
    type Account = AccountId;
    type Action = Action;
    type Effect = Effect;
    type Why = Why;
    /// On ed25519.
    type Signers = dyn Signers;

    fn stored(envelope: &str) -> Result<Stored<AccountId>> {
        stored(envelope)
    }
}

/// One transaction that is wanted.
pub type Intent = outbox::Intent<Stellar>;
/// What became of an operation.
pub type Settled = outbox::Settled<Stellar>;
/// What came of an intent.
pub type Submitted = outbox::Submitted<Stellar>;
/// Why an operation had no effect.
pub type Reason = outbox::Reason<Stellar>;
type Fate = outbox::Fate<Stellar>;

/// What a ledger says of a transaction in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Effect {
    /// The ledger that it is in.
    pub ledger: Option<Ledger>,
    /// What it cost, in stroops, the refund taken off; 0 where it is in no ledger.
    pub fee_charged: i64,
    /// What its contract call returned.
    pub value: Option<ScVal>,
    /// The events that it left, in order.
    pub events: Vec<ContractEvent>,
}

/// The network's own account of a failure.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Why {
    /// The error of the contract call, with the contract that raised it.
    pub raised: Option<Raised>,
    /// The network's verdict, where it gave one.
    pub failure: Option<Failure>,
}

/// An intent as it would go now: what a dry run shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rehearsal {
    /// The most that it would cost, in stroops; not known while archived entries keep it from being tried.
    pub max_fee: Option<i64>,
    /// What its contract call would return.
    pub value: Option<ScVal>,
    /// Archived entries would be restored first, for this much in stroops beside.
    pub restore_fee: Option<i64>,
}

/// Simulates the intents without signing, sending or writing anything: what a dry run shows.
///
/// # Errors
/// Of the whole: no endpoint serves. Of one: `transaction_failed` where the simulation fails, and those of
/// [`super::Client::view`].
pub async fn rehearse(
    client: &super::Client,
    terms: &Terms,
    intents: &[Intent],
) -> Result<Vec<Result<Rehearsal>>> {
    let network = StellarNetwork::new(client, terms.clone());
    network.read(intents.iter().map(|intent| &intent.source)).await?;
    let rehearsals = futures_util::stream::iter(intents).map(|intent| rehearse_one(&network, intent));
    Ok(rehearsals.buffered(terms.pace.parallel.max(1)).collect().await)
}

async fn rehearse_one(network: &StellarNetwork, intent: &Intent) -> Result<Rehearsal> {
    match network.compose(intent, 1, None).await? {
        Prepared::Ready(priced) => {
            Ok(Rehearsal { max_fee: Some(priced.max_fee), value: priced.value, restore_fee: None })
        }
        Prepared::Restore(data) => {
            Ok(Rehearsal { max_fee: None, value: None, restore_fee: Some(data.resource_fee) })
        }
        Prepared::Refused(settled) => {
            let reason = settled.reason.unwrap_or_else(|| Reason::of("no reason is known"));
            let error = reason.to_error(&format!("operation \"{}\"", intent.key));
            let raised = reason.why.raised.as_ref().and_then(Raised::contract_error);
            Err(match raised {
                Some((contract, code)) => {
                    error.detail("contract", contract.to_string()).detail("contract_error", code)
                }
                None => error,
            })
        }
    }
}
