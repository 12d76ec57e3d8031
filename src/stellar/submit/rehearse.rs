//! What a dry run shows: intents tried, without signing, sending or writing anything.

use super::chain::{Intent, Reason};
use super::prepare::StellarNetwork;
use super::terms::Terms;
use crate::Client;
use crate::diagnostics::Raised;
use crate::transaction::Action;
use crate::xdr::ScVal;
use base::Result;
use futures_util::stream::{StreamExt, iter};
use outbox::Prepared;

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
/// [`Client::view`].
pub async fn rehearse(client: &Client, terms: &Terms, intents: &[Intent]) -> Result<Vec<Result<Rehearsal>>> {
    let network = StellarNetwork::new(client, terms.clone());
    network.read(intents.iter().map(|intent| &intent.source)).await?;
    let rehearsals = iter(intents).map(|intent| rehearse_one(&network, intent));
    Ok(rehearsals.buffered(terms.pace.parallel.max(1)).collect().await)
}

async fn rehearse_one(network: &StellarNetwork, intent: &Intent) -> Result<Rehearsal> {
    match network.compose(intent, 1, None).await? {
        Prepared::Ready { draft, .. } => {
            Ok(Rehearsal { max_fee: Some(draft.max_fee), value: draft.value, restore_fee: None })
        }
        Prepared::First(first, _) => {
            let restore_fee = match first.action {
                Action::Restore { data } => Some(data.resource_fee),
                _ => None,
            };
            Ok(Rehearsal { max_fee: None, value: None, restore_fee })
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
