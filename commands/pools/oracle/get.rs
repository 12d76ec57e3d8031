//! `poolctl oracle get`: one price, from the cache while it is fresh.

use crate::output::{Outcome, Page, Present};
use crate::shell::at::AtFlag;
use crate::shell::options::DryRun;
use crate::shell::session::Session;
use app::App;
use app::pools::oracle::GetOutput;
use base::{Result, clock};
use clap::Args;
use vault::feed;
use vault::oracle;

/// The price of an asset: from the cache, or read now
///
/// Where the chain cannot be read, a cached price that is not stale is served and marked degraded.
#[derive(Debug, Args)]
#[command(before_help = "Example: poolctl oracle get ETH")]
pub struct Get {
    /// A symbol or a token's address
    asset: String,
    /// Read the chain even if the cache is fresh
    #[arg(long)]
    refresh: bool,
    #[command(flatten)]
    at: AtFlag,
    #[command(flatten)]
    dry: DryRun,
}

impl Get {
    /// # Errors
    /// `unknown_asset`, `no_price`; those of the transport where the cache has nothing that serves.
    pub fn run(self, session: &Session) -> Result<Outcome> {
        let asset = feed::asset_name("ASSET", &self.asset)?;
        let app = App::open(session)?;
        let at = self.at.or(&app.config)?;
        let ttl = app.config.number("oracle.cache_ttl_sec")?;
        let state = app.read()?;
        let hit = oracle::cached(state.conn(), &asset, session.call.run.clock.now(), Some(ttl))?;
        drop(state);
        if let Some(price) = hit.filter(|_| !self.refresh) {
            if self.dry.dry_run {
                session.call.set_dry_run();
            }
            return Outcome::of(&GetOutput::of(price, "cache"));
        }
        let (price, degraded) = app
            .write_async(self.dry.dry_run, async |work| oracle::price(work, || app.chain(), &asset, at).await)
            .map_err(|e| e.context(format!("cannot price {asset}")))?;
        let source = if degraded.is_some() { "degraded" } else { "chain" };
        let warning =
            degraded.map(|e| format!("the chain cannot be read, this price is from the cache: {e}"));
        Ok(Outcome::of(&GetOutput::of(price, source))?.warn(warning))
    }
}

impl Present for GetOutput {
    fn present(&self, page: &mut Page) {
        page.pairs([
            ("asset", self.asset.clone()),
            ("price", self.price.to_string()),
            ("feed", self.feed.clone()),
            ("from", self.source.to_owned()),
            ("age", self.age_sec.map(clock::span).unwrap_or_default()),
            ("read at", self.view.as_ref().map(ToString::to_string).unwrap_or_default()),
        ]);
    }
}
