//! `poolctl harvest --release` and `--book-lost`: what the operator decides about one pail.

use crate::app::App;
use crate::farming::{kale, named, on_farm};
use crate::output::{Outcome, Page, Present};
use base::amount::Quantity;
use base::{Code, Error, Result, forms};
use kale::harvest::{self, Released, WrittenOff};
use kale::rows::Hand;
use schemars::JsonSchema;
use serde::Serialize;

/// What was decided about a pail.
#[derive(Debug, Serialize, JsonSchema)]
pub struct DecisionOutput {
    /// Id.
    farmer: String,
    /// `G…`.
    #[schemars(with = "forms::StellarAccount")]
    address: String,
    /// The block.
    block: u32,
    /// `released`, `lost`, `would_release` or `would_lose`.
    status: &'static str,
    /// What was at stake.
    stake: Quantity,
    /// Why a released pail was held, in a stable word.
    held: Option<String>,
    /// What happened to a stake that is given up, in a stable word.
    reason: Option<&'static str>,
    /// What it was lost by, in a stable word.
    cause: Option<&'static str>,
    /// Who answers for it: `pooler` or `operator`.
    fault: Option<&'static str>,
}

/// Releases a held pail; asks on every profile.
///
/// # Errors
/// `unknown_farmer`, `needs_confirmation`; those of [`harvest::release`].
pub(super) fn release(
    app: &App<'_>,
    hands: Vec<Hand>,
    name: &str,
    block: u32,
    dry_run: bool,
) -> Result<Outcome> {
    let hand = one(hands, name)?;
    let network = stellar::known(app.config.require("stellar.network")?)?.name;
    let Released { stake, held } = Released::of(app.read()?.conn(), &hand, block)?;
    if dry_run {
        app.session.set_dry_run();
    } else {
        app.write(false, |work| {
            let what = format!("release the pail of {} in block {block}, held for {held}", hand.who.address);
            let agreed = app.agree(work.permit, true, &what)?;
            work.state.write(agreed.permit(), |tx| harvest::release(tx, network, &hand, block))
        })?;
    }
    let status = if dry_run { "would_release" } else { "released" };
    let output = DecisionOutput::new(hand, block, status, kale(stake));
    Outcome::of(&DecisionOutput { held: Some(held), ..output })
}

/// Books a stake as lost that no payment is in sight of; asks on every profile.
///
/// # Errors
/// `unknown_farmer`, `needs_confirmation`; those of [`harvest::write_off`].
pub(super) fn book_lost(
    app: &App<'_>,
    hands: Vec<Hand>,
    name: &str,
    block: u32,
    dry_run: bool,
) -> Result<Outcome> {
    let hand = one(hands, name)?;
    let written = on_farm(app, dry_run, None, async |farm| {
        let permit = if dry_run {
            None
        } else {
            let what = format!("book the stake of {} in block {block} as lost", hand.who.address);
            Some(app.agree(farm.work.permit, true, &what)?)
        };
        harvest::write_off(farm, &hand, block, permit).await
    })
    .map_err(|e| e.context("cannot book the loss"))?;
    let WrittenOff { stake, reason, cause } = written;
    let status = if dry_run { "would_lose" } else { "lost" };
    Outcome::of(&DecisionOutput {
        reason: Some(reason.word()),
        cause: Some(cause.word()),
        fault: Some(cause.blame().word()),
        ..DecisionOutput::new(hand, block, status, kale(stake))
    })
}

fn one(hands: Vec<Hand>, name: &str) -> Result<Hand> {
    let found = named(hands, &[name.to_owned()])?.into_iter().next();
    found.ok_or_else(|| Error::new(Code::Bug, "a farmer was named and is not there"))
}

impl DecisionOutput {
    fn new(hand: Hand, block: u32, status: &'static str, stake: Quantity) -> Self {
        Self {
            farmer: hand.who.id,
            address: hand.who.address,
            block,
            status,
            stake,
            held: None,
            reason: None,
            cause: None,
            fault: None,
        }
    }
}

impl Present for DecisionOutput {
    fn present(&self, page: &mut Page) {
        let what = self.status.replace('_', " ");
        let mut line = format!("block {}, {}: {what}, {} at stake", self.block, self.address, self.stake);
        match (&self.held, self.reason, self.cause) {
            (Some(held), ..) => line = format!("{line}; it was held for {held}; next: poolctl harvest"),
            (None, Some(reason), Some(cause)) => line = format!("{line}; {reason}: {cause}"),
            _ => {}
        }
        page.line(line);
    }
}
