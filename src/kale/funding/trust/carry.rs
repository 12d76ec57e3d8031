//! Sending trustlines: those of accounts that are there one by one, the others with their accounts.

use super::{Prepared, Trusted, Wanted, adopt, fate};
use crate::farming::Farming;
use base::Result;
use state::ValuePermit;
use stellar::submit::Intent;

/// Sends what was prepared, records every outcome, and returns one line per farmer. Accounts are made many at a time.
/// A farmer's own failure is in its line.
pub async fn carry_out(
    farming: &mut Farming<'_, '_>,
    prepared: Prepared,
    permit: ValuePermit<'_>,
) -> Result<Vec<Trusted>> {
    let Prepared { wanted, mut settled, payer, .. } = prepared;
    let (made, own): (Vec<Wanted>, Vec<Wanted>) = wanted.into_iter().partition(|wanted| wanted.creates);
    let intents: Vec<Intent> = own.iter().map(|wanted| wanted.intent.clone()).collect();
    let results = farming.submit(permit, &intents).await?;
    for (Wanted { who, creates, .. }, result) in own.into_iter().zip(results) {
        settled.push(Trusted { who, creates, fate: fate(&result, |fee| fee) });
    }
    if let Some(sponsor) = payer {
        settled.extend(adopt::carry_out(farming, permit, &sponsor, made).await?);
    }
    Ok(settled)
}
