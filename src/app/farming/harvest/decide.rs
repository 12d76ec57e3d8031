//! What the operator decides about one pail: to release it, or to book its stake as lost.

use crate::App;
use crate::farming::{chosen, kale, on_farm};
use base::amount::Quantity;
use base::{Code, Error, Result, forms};
use kale::farming::Leads;
use kale::harvest::{self, Released, WrittenOff};
use kale::rows::FarmerRow;
use schemars::JsonSchema;
use serde::Serialize;
use std::slice;

/// What was decided about a pail.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub struct DecisionOutput {
    /// Id.
    pub farmer: String,
    /// `G…`.
    #[schemars(with = "forms::StellarAccount")]
    pub address: String,
    /// The block.
    pub block: u32,
    /// `released`, `lost`, `would_release` or `would_lose`.
    pub status: &'static str,
    /// What was at stake.
    pub stake: Quantity,
    /// Why a released pail was held, in a stable word.
    pub held: Option<String>,
    /// What happened to a stake that is given up, in a stable word.
    pub reason: Option<&'static str>,
    /// What it was lost by, in a stable word.
    pub cause: Option<&'static str>,
    /// Who is responsible: `pooler` or `operator`.
    pub fault: Option<&'static str>,
}

/// Releases a held pail; asks on every profile.
pub fn release(app: &App<'_>, name: &str, block: u32, dry_run: bool) -> Result<DecisionOutput> {
    let hand = one(app, name)?;
    let network = stellar::known(app.config.require("stellar.network")?)?.name;
    let seen = Released::of(app.read()?.conn(), &hand, block)?;
    if dry_run {
        app.call().set_dry_run();
    } else {
        app.write(false, |work| {
            let (address, held) = (&hand.who.address, &seen.held);
            let what = format!("release the pail of {address} in block {block}, held for {held}");
            let agreed = app.agree(work.permit, true, &what)?;
            work.state.write(agreed.permit(), |tx| harvest::release(tx, network, &hand, block, &seen))
        })?;
    }
    let Released { stake, held } = seen;
    let status = if dry_run { "would_release" } else { "released" };
    let output = DecisionOutput::new(hand, block, status, kale(stake));
    Ok(DecisionOutput { held: Some(held), ..output })
}

/// Books a stake as lost that no payment is in sight of; asks on every profile.
pub fn record_lost(app: &App<'_>, name: &str, block: u32, dry_run: bool) -> Result<DecisionOutput> {
    let hand = one(app, name)?;
    let written = on_farm(app, dry_run, None, &Leads::of(slice::from_ref(&hand)), async |farm| {
        let permit = if dry_run {
            None
        } else {
            let what = format!("record the stake of {} in block {block} as lost", hand.who.address);
            Some(app.agree(farm.work.permit, true, &what)?)
        };
        harvest::write_off(farm, &hand, block, permit).await
    })
    .map_err(|e| e.context("cannot record the loss"))?;
    let WrittenOff { stake, reason, cause } = written;
    let status = if dry_run { "would_lose" } else { "lost" };
    Ok(DecisionOutput {
        reason: Some(reason.as_str()),
        cause: Some(cause.as_str()),
        fault: Some(cause.blame().as_str()),
        ..DecisionOutput::new(hand, block, status, kale(stake))
    })
}

fn one(app: &App<'_>, name: &str) -> Result<FarmerRow> {
    let found = chosen(app, &[name.to_owned()])?.into_iter().next();
    found.ok_or_else(|| Error::new(Code::Bug, "a farmer was named and is not there"))
}

impl DecisionOutput {
    fn new(hand: FarmerRow, block: u32, status: &'static str, stake: Quantity) -> Self {
        let (farmer, address) = (hand.who.id, hand.who.address);
        Self { farmer, address, block, status, stake, ..Self::default() }
    }
}
