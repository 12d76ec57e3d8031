//! `poolctl farmer export-key`.

use crate::shell::prelude::*;
use app::open_keys;
use base::forms;
use kale::address::account;
use kale::farmers;
use secrecy::{ExposeSecret, SecretString};
use serde::Serializer;
use serde_json::json;
use state::Named;

/// Print a secret key (S…), and nothing else, on stdout
///
/// It asks, or needs --yes, on every profile, and leaves an event in the audit log before the key is shown. Whoever has
/// the key has the account: send the output where nobody reads along.
#[derive(Debug, Args)]
#[command(
    before_help = "Example: poolctl farmer export-key GBQHTQ7NTSKHVTSVM6EHUO3TU4P4BK2TAAII25V2TT2Q6OWXUJWEKALE --yes | age -p > key.age"
)]
pub struct ExportKey {
    /// The farmer's name, address or id, or the address of another key in the key store
    farmer: String,
    #[command(flatten)]
    dry: DryRun,
}

/// The key.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ExportOutput {
    /// Whose.
    #[schemars(with = "forms::StellarAccount")]
    pub address: String,
    /// The secret; null in a dry run.
    #[schemars(with = "Option<String>")]
    pub secret: Option<Shown>,
}

/// A secret that is meant to be shown.
#[derive(Debug)]
pub struct Shown(SecretString);

impl Serialize for Shown {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.expose_secret())
    }
}

impl ExportKey {
    pub(super) fn run(self, session: &Session) -> Result<Outcome> {
        let app = App::open(session)?;
        let state = app.read()?;
        let named = state::look_up::<String>(state.conn(), Named::Farmer, &self.farmer)?;
        let farmer = named.map(|id| farmers::by_id(state.conn(), &id)).transpose()?;
        drop(state);
        let (subject, address) = if let Some(farmer) = farmer {
            (farmer.id, farmer.address)
        } else {
            let address = account("FARMER", &self.farmer)?;
            (address.clone(), address)
        };
        if self.dry.dry_run {
            session.call.set_dry_run();
            return Ok(Outcome::of(ExportOutput { address, secret: None }));
        }
        let secret = open_keys(&app)?.export(&address)?;
        app.write(false, |work| {
            let what = format!("print the secret key of {address}");
            let agreed = app.agree(work.permit, true, &what)?;
            let facts = json!({ "address": address });
            work.state.write(agreed.permit(), |tx| tx.event("farmer.key_exported", &subject, &facts))
        })?;
        Ok(Outcome::of(ExportOutput { address, secret: Some(Shown(secret)) }))
    }
}

impl Present for ExportOutput {
    fn present(&self, page: &mut Page) {
        match &self.secret {
            Some(Shown(secret)) => page.line(secret.expose_secret()),
            None => page.line(format!("would print the secret key of {}", self.address)),
        };
    }
}
