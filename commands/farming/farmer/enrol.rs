//! `poolctl farmer register` and `farmer import`.

use crate::shell::console::ask_secret;
use crate::shell::prelude::*;
use app::farming::farmer::{EnrolOutput, FarmerView, SponsorOutput, SubmitterOutput};
use app::{conceal, edit_keys};
use base::amount::parse_weight;
use kale::address::account;
use kale::enrol::{self, KeyFor, Serving};
use kale::farmers::Joining;
use kale::reward_split::ratio;
use kale::{Status, farmers, poolers};
use keys::{Editor, Origin, address_of, parse_secret};
use rusqlite::Connection;
use std::io::Read;
use std::path::PathBuf;
use zeroize::Zeroizing;

/// Register a farmer: makes its key, stores it, and prints its id and address
///
/// The key is in the key store, on the disk, before the farmer is recorded. Where a run died in between, the next one
/// takes that key instead of making another.
#[derive(Debug, Args)]
#[command(before_help = "Example: poolctl farmer register --pooler north --stake-percentage 0.25")]
pub struct Register {
    #[command(flatten)]
    terms: JoiningArgs,
    /// Take the key of this address, which is in the key store without a farmer
    #[arg(long, value_name = "ADDRESS")]
    address: Option<String>,
    #[command(flatten)]
    dry: DryRun,
}

/// What a farmer joins with.
#[derive(Debug, Args)]
struct JoiningArgs {
    /// Name or id of its pooler
    #[arg(long, value_name = "POOLER")]
    pooler: String,
    /// The part of its balance to stake in each block, 0 to 1
    #[arg(long, value_name = "RATIO")]
    stake_percentage: String,
    /// Where its proceeds go [default: to itself]
    #[arg(long, value_name = "ADDRESS")]
    payout: Option<String>,
    /// A name of your own
    #[arg(long)]
    name: Option<String>,
}

impl JoiningArgs {
    fn read(self) -> Result<Joining> {
        self.name.as_deref().map_or(Ok(()), |name| state::check_words("name", name))?;
        Ok(Joining {
            name: self.name,
            stake_percentage_ppm: parse_weight("stake-percentage", &self.stake_percentage)?,
            payout: self.payout.map(|payout| account("payout", &payout)).transpose()?,
            pooler: self.pooler,
        })
    }
}

impl Register {
    pub(super) fn run(self, session: &Session) -> Result<Outcome> {
        let mut joining = self.terms.read()?;
        let address = self.address.map(|address| account("address", &address)).transpose()?;
        let app = App::open(session)?;
        let state = app.read()?;
        joining.pooler = poolers::find(state.conn(), &joining.pooler)?.id;
        match &address {
            Some(address) => {
                let serving = serving(&app, state.conn())?;
                enrol::check_address(state.conn(), address, &joining, &serving)?;
            }
            None => joining.check(state.conn()).map(|_| ())?,
        }
        let keys_path = app.config.keys_path()?;
        if self.dry.dry_run {
            session.call.set_dry_run();
            let adopted = address.is_some();
            return planned(state.conn(), address, adopted, &joining, keys_path);
        }
        let keys = edit_keys(&app, state.conn())?;
        drop(state);
        register(&app, keys, address.map_or(KeyFor::Any, KeyFor::Address), &joining)
    }
}

/// Registers a farmer, and says which keys have none while the key store is open anyway.
fn register(app: &App<'_>, mut keys: Editor, key: KeyFor, joining: &Joining) -> Result<Outcome> {
    let done = app.write(false, |work| enrol::register(work, &mut keys, key, joining))?;
    let submitters = app.config.get("kale.submitter").unwrap_or_default();
    let idle = enrol::idle(app.read()?.conn(), keys.store())?;
    for address in idle.iter().filter(|address| !submitters.contains(*address)) {
        app.call().warn(format!(
            "the key store holds a key for {address}, which is not a farmer; add it with: farmer register --address"
        ));
    }
    let (changed, adopted, farmer) = (done.changed, done.adopted, done.farmer.into());
    Ok(Outcome::of(EnrolOutput { changed, adopted, farmer, keys: app.config.keys_path()? }))
}

/// What would be registered. No key is made, and the key store is not looked into.
fn planned(
    conn: &Connection,
    address: Option<String>,
    adopted: bool,
    joining: &Joining,
    keys: PathBuf,
) -> Result<Outcome> {
    let there = address.as_deref().map(|address| farmers::look_up(conn, address)).transpose()?.flatten();
    let changed = there.is_none();
    let farmer = match there {
        Some(farmer) => farmer.into(),
        None => FarmerView {
            address,
            pooler: poolers::find(conn, &joining.pooler)?.name,
            status: Status::WalletCreated.as_str(),
            stake_percentage: ratio(joining.stake_percentage_ppm),
            payout: joining.payout.clone(),
            name: joining.name.clone(),
            ..FarmerView::default()
        },
    };
    Ok(Outcome::of(EnrolOutput { changed, adopted, farmer, keys }))
}

/// Who can be no farmer, as far as that is known without the key store.
fn serving<'a>(app: &'a App<'_>, conn: &Connection) -> Result<Serving<'a>> {
    Ok(Serving { sponsor: enrol::last_sponsor(conn)?, submitters: app.config.get("kale.submitter") })
}

impl Present for EnrolOutput {
    fn present(&self, page: &mut Page) {
        page.line(match (self.changed, self.adopted) {
            (false, _) => "this farmer is registered already",
            (true, false) => "registered a farmer; its key is in the key store, which is worth a backup",
            (true, true) => "registered a farmer with a key that was in the key store",
        });
        let mut pairs = self.farmer.pairs();
        pairs.push(("key store", self.keys.display().to_string()));
        page.pairs(pairs);
    }
}

/// Import a key: register its account as a farmer, make it the fee sponsor, or keep it for a submitter
///
/// The secret key (S…) is taken from stdin, never from the command line: asked for on a terminal, else read as one line.
#[derive(Debug, Args)]
#[command(
    before_help = "Example: poolctl farmer import --pooler north --stake-percentage 0.25  < secret.txt",
    override_usage = "poolctl farmer import [OPTIONS] --pooler <POOLER> --stake-percentage <RATIO>\n       \
                      poolctl farmer import [OPTIONS] --sponsor\n       \
                      poolctl farmer import [OPTIONS] --submitter"
)]
pub struct Import {
    /// Store it as the key of the account that pays the fees; no farmer is registered
    #[arg(long, conflicts_with_all = ["pooler", "stake_percentage", "payout", "name"])]
    sponsor: bool,
    /// Store it as the key of an account of kale.submitter; no farmer is registered
    #[arg(long, conflicts_with_all = ["sponsor", "pooler", "stake_percentage", "payout", "name"])]
    submitter: bool,
    /// Name or id of its pooler
    #[arg(long, value_name = "POOLER", required_unless_present_any = ["sponsor", "submitter"])]
    pooler: Option<String>,
    /// The part of its balance to stake in each block, 0 to 1
    #[arg(long, value_name = "RATIO", required_unless_present_any = ["sponsor", "submitter"])]
    stake_percentage: Option<String>,
    /// Where its proceeds go [default: to itself]
    #[arg(long, value_name = "ADDRESS")]
    payout: Option<String>,
    /// A name of your own
    #[arg(long)]
    name: Option<String>,
    #[command(flatten)]
    dry: DryRun,
}

impl Import {
    pub(super) fn run(self, session: &Session) -> Result<Outcome> {
        let dry_run = self.dry.dry_run;
        let mut joining = match (self.pooler, self.stake_percentage) {
            (Some(pooler), Some(stake_percentage)) => {
                Some(JoiningArgs { pooler, stake_percentage, payout: self.payout, name: self.name }.read()?)
            }
            _ => None,
        };
        let app = App::open(session)?;
        let state = app.read()?;
        if let Some(joining) = &mut joining {
            // Before a secret is asked for. That the pooler is full is no fault where the farmer is there already.
            joining.pooler = poolers::find(state.conn(), &joining.pooler)?.id;
        }
        let key = parse_secret("stdin", &secret_from_stdin(&app, session)?)?;
        let address = address_of(&key);
        let keys_path = app.config.keys_path()?;
        match &joining {
            Some(joining) => {
                let serving = serving(&app, state.conn())?;
                enrol::check_address(state.conn(), &address, joining, &serving)?;
            }
            None if self.submitter => {
                enrol::no_farmer(state.conn(), &stellar::account("stdin", &address)?)?;
            }
            None => enrol::check_sponsor(state.conn(), &address)?,
        }
        if dry_run {
            session.call.set_dry_run();
            return match &joining {
                Some(joining) => planned(state.conn(), Some(address), false, joining, keys_path),
                None => Ok(stored(self.submitter, true, address, keys_path)),
            };
        }
        let mut keys = edit_keys(&app, state.conn())?;
        drop(state);
        let Some(joining) = joining else {
            let (address, changed) = if self.submitter {
                (address, keys.add(&key, Origin::Submitter)?)
            } else {
                app.write(false, |work| enrol::sponsor(work, &mut keys, &key))?
            };
            return Ok(stored(self.submitter, changed, address, keys_path));
        };
        register(&app, keys, KeyFor::Imported(key), &joining)
    }
}

/// The key of a submitter, or of the sponsor, is in the key store.
fn stored(submitter: bool, changed: bool, address: String, keys: PathBuf) -> Outcome {
    if submitter {
        return Outcome::of(SubmitterOutput { changed, submitter: address, keys });
    }
    Outcome::of(SponsorOutput { changed, sponsor: address, keys })
}

impl Present for SponsorOutput {
    fn present(&self, page: &mut Page) {
        let what = if self.changed { "the fee sponsor is now" } else { "the fee sponsor is already" };
        page.line(format!("{what} {}", self.sponsor));
        page.pairs([("key store", self.keys.display().to_string())]);
    }
}

impl Present for SubmitterOutput {
    fn present(&self, page: &mut Page) {
        let what = if self.changed { "stored the key of" } else { "the key store has the key of" };
        page.line(format!("{what} {}; it sends once it is in kale.submitter", self.submitter));
        page.pairs([("key store", self.keys.display().to_string())]);
    }
}

/// A secret key is never longer, bytes.
const MOST: u64 = 4096;

/// A secret key from stdin: asked for on a terminal, else one line.
fn secret_from_stdin(app: &App<'_>, session: &Session) -> Result<Zeroizing<String>> {
    conceal(app);
    if session.console.can_ask {
        return ask_secret("Secret key (S…)", &session.call.stop);
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(8192));
    std::io::stdin()
        .take(MOST)
        .read_to_end(&mut bytes)
        .map_err(|e| Error::new(Code::Io, format!("cannot read the secret key from stdin: {e}")))?;
    match std::str::from_utf8(&bytes) {
        Ok(text) => Ok(Zeroizing::new(text.to_owned())),
        Err(_) => Err(Error::new(Code::InvalidValue, "stdin: not a secret key")),
    }
}
