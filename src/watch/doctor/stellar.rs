//! The Stellar side: every endpoint at once, the farm contract and how long it lives, what farmers lack, pails that expire.

use super::peers::{self, ProbeOptions, Probed};
use super::{Line, Told};
use base::{Code, Result, clock, counted, run};
use futures_util::future::join_all;
use kale::Who;
use kale::contract::Entry;
use kale::farming::code::{self, CodeState};
use kale::fees;
use kale::purse::{Books, Judged, Spares};
use kale::rows::{FarmerRow, OpenPail};
use kale::site::Site;
use kale::sponsor::{Role, Sponsor};
use kale::view::{Ask, View};
use std::collections::BTreeMap;
use stellar::xdr::ContractId;
use stellar::{Client, ClientConfig, Known, LedgerPace, Newer, PROTOCOL};

/// Seconds before the end of the farm's instance from which on it expires soon.
const DAY: u64 = 86_400;

/// The code of the farm contract that was accepted.
#[derive(Debug)]
pub enum Accepted {
    /// Its hash.
    Code(String),
    /// None was yet.
    Nothing,
    /// Whether any was is not known: the state cannot be read.
    Unknown,
}

/// What should be there.
#[derive(Debug)]
pub struct Wanted {
    /// The network.
    pub known: &'static Known,
    /// The farm; none where no farming is done.
    pub farm: Option<ContractId>,
    /// Farmers.
    pub hands: Vec<FarmerRow>,
    /// Stakes that are neither back nor lost.
    pub pails: Vec<OpenPail>,
    /// What the records say of fees and stakes.
    pub books: Books,
    /// Seconds before its end from which on a pail expires soon.
    pub harvest_alarm: u64,
    /// The code of the farm contract that was accepted.
    pub code: Accepted,
}

/// Asks every endpoint side by side. Returns the lines, and by how many seconds the machine's clock is ahead of each
/// endpoint's that tells.
pub async fn examine(
    config: &ClientConfig,
    wanted: &Wanted,
    options: ProbeOptions,
) -> Result<(Vec<Line>, Vec<i64>)> {
    let clients = config
        .endpoints
        .iter()
        .map(|endpoint| {
            let mut own = config.clone();
            own.endpoints = vec![endpoint.clone()];
            own.retry.attempts = 1;
            Ok((endpoint.to_string(), Client::new(own)?))
        })
        .collect::<Result<Vec<_>>>()?;
    let found = join_all(clients.iter().map(|(name, client)| probe(name, client, wanted, options))).await;
    let (probed, farms): (Vec<Probed>, Vec<Told>) = found.into_iter().unzip();
    let mut lines = peers::lines("stellar", "ledger", &probed, options.clock.now(), options.max_head_age_sec);
    let newest = clients.iter().filter_map(|(_, client)| client.protocol()).max();
    lines.extend(newest.map(protocol));
    if wanted.farm.is_some() {
        lines.extend(peers::first_told(farms, "farm", "no endpoint could tell how the farm stands"));
    }
    Ok((lines, probed.iter().filter_map(|peer| peer.skew_sec).collect()))
}

/// The network's protocol against the one that this build knows.
fn protocol(network: u32) -> Line {
    if let Some(newer) = Newer::than_known(network) {
        return Line::warn("stellar", "protocol", newer.words(), Newer::FIX);
    }
    let words = format!("the network is at protocol {network}, this build knows {PROTOCOL}");
    Line::ok("stellar", "protocol", words)
}

/// One endpoint: its head, and the farm if it got so far in time.
async fn probe(name: &str, client: &Client, wanted: &Wanted, options: ProbeOptions) -> (Probed, Told) {
    let look = async |note: &dyn Fn(u64, u64)| {
        let view = async |view: &stellar::View| {
            let ledger = view.ledger();
            note(u64::from(ledger.sequence), ledger.close_time);
            farm(client, view, wanted).await
        };
        client.view(view).await
    };
    peers::probe(("stellar", name), options, || client.server_clock(), look).await
}

/// The farm's lines, from one endpoint.
async fn farm(client: &Client, view: &stellar::View, wanted: &Wanted) -> Result<Vec<Line>> {
    let Some(farm) = &wanted.farm else { return Ok(Vec::new()) };
    let site = Site { client: client.clone(), known: wanted.known, farm: farm.clone() };
    let who: Vec<Who> = wanted.hands.iter().map(|hand| hand.who.clone()).collect();
    let ask = Ask { who: &who, wallets: !who.is_empty(), guess: None };
    let seen = match View::once(&site, view, &ask).await {
        // It is the address that is wrong, whichever endpoint is asked.
        Err(e) if e.code() == Code::NotAContract => return Ok(vec![Line::error("contracts", "farm", &e)]),
        seen => seen?,
    };
    let paused = if seen.farm.paused { ", paused" } else { "" };
    let words = format!("{farm} is a KALE farm, block {}{paused}", seen.farm.index);
    let mut lines = vec![if seen.farm.paused {
        Line::warn("contracts", "farm", words, "nobody can plant; wait for the farm's owner")
    } else {
        Line::ok("contracts", "farm", words)
    }];
    lines.push(of_code(farm, seen.code.as_deref(), &wanted.code));
    let (ledger, pace) = (seen.at.ledger, view.pace().await?);
    let instance = Entry::Instance.key(farm)?;
    let lives = view.entries([instance.clone()]).await?.get(&instance).and_then(|entry| entry.live_until);
    if let Some(until) = lives {
        let fix = "anyone may extend it: stellar contract extend";
        lines.push(expiry("the farm's instance", until, ledger, pace, fix));
    }
    let spares = Spares::read(view, &wanted.books).await?;
    lines.extend(of_farmers(wanted, &seen, &spares));
    lines.extend(of_pails(&wanted.pails, ledger, pace.ledgers_in(wanted.harvest_alarm)));
    Ok(lines)
}

/// The code that the farm contract runs against the one that was accepted.
fn of_code(farm: &ContractId, found: Option<&str>, accepted: &Accepted) -> Line {
    let hash = found.unwrap_or("none of its own");
    let accepted = match accepted {
        Accepted::Code(hash) => Some(hash.as_str()),
        Accepted::Nothing => None,
        Accepted::Unknown => {
            let words = format!("{hash}; whether it was accepted is not known: the state cannot be read");
            return Line::warn(
                "contracts",
                "code of the farm",
                words,
                "the line of the state says what to do",
            );
        }
    };
    match code::compare(found, None, accepted) {
        CodeState::Accepted => Line::ok("contracts", "code of the farm", hash),
        CodeState::New => {
            Line::ok("contracts", "code of the farm", format!("{hash}; the next command of the farm pins it"))
        }
        CodeState::Changed(accepted) => {
            Line::fail("contracts", "code of the farm", code::words(farm, found, &accepted), code::fix(found))
        }
    }
}

fn expiry(what: &str, until: u32, ledger: u32, pace: LedgerPace, fix: &'static str) -> Line {
    let left = until.saturating_sub(ledger);
    let span = clock::span(pace.seconds_of(left));
    let words = format!("{what} lives until ledger {until}, {left} from now, about {span}");
    if until < ledger {
        Line::fail("expiry", what, format!("{what} ended at ledger {until}"), fix)
    } else if left < pace.ledgers_in(DAY) {
        Line::warn("expiry", what, words, fix)
    } else {
        Line::ok("expiry", what, words)
    }
}

/// How the sponsor and the submitters stand that have so much above their reserves; what active farmers lack: a line for each that lacks
/// something, or one for all.
fn of_farmers(wanted: &Wanted, seen: &View, spares: &Spares) -> Vec<Line> {
    let asked: Vec<_> = (wanted.hands.iter().zip(&seen.farmers))
        .map(|(hand, farmer)| (farmer.who.id.as_str(), hand.status, farmer.wallet.as_ref()))
        .collect();
    let Judged { farmers: all, sponsor, submitters } = wanted.books.judge_all(spares, &asked);
    let judged = wanted.hands.iter().zip(&seen.farmers).zip(all);
    let active = judged.filter(|((hand, _), _)| hand.status.plants());
    let farmers: Vec<_> = active.map(|((_, farmer), verdict)| (farmer, verdict)).collect();
    let mut lines: Vec<Line> = Vec::new();
    for (farmer, verdict) in &farmers {
        for lack in &verdict.lacks {
            let (address, words) = (&farmer.who.address, format!("it {}", lack.words()));
            lines.push(Line::fail("farmers", address.clone(), words, lack.fix(address)));
        }
    }
    if lines.is_empty() && !farmers.is_empty() {
        let words = format!("{} active farmers lack nothing", farmers.len());
        lines.push(Line::ok("farmers", "funding", words));
    }
    let of_payer = |payer: &Sponsor| {
        let subject = payer.role.as_str();
        let account = payer.account.to_string();
        if payer.role == Role::Submitter && wanted.hands.iter().any(|hand| hand.who.address == account) {
            let words = format!("{account} is a farmer: it is left out");
            return Line::fail("farmers", subject, words, "name an account of its own in kale.submitter");
        }
        match payer.why() {
            None => Line::ok("farmers", subject, format!("{account} has enough for the fees")),
            Some(why) if payer.is_ready() => Line::warn("farmers", subject, why, payer.fix()),
            Some(why) => Line::fail("farmers", subject, why, payer.fix()),
        }
    };
    let short = fees::short_of(farmers.len(), submitters.len());
    let short = short.map(|why| Line::warn("farmers", "submitters", why, "add accounts to kale.submitter"));
    sponsor.iter().chain(&submitters).map(of_payer).chain(short).chain(lines).collect()
}

/// Stakes that are lost unless they are harvested soon, by the life of their entries as of the last look.
fn of_pails(pails: &[OpenPail], ledger: u32, alarm: u32) -> Vec<Line> {
    let mut soon: BTreeMap<&str, u32> = BTreeMap::new();
    for pail in pails {
        let near = pail.live_until.filter(|until| until.saturating_sub(ledger) < alarm);
        if let Some(until) = near {
            let first = soon.entry(&pail.farmer).or_insert(until);
            *first = until.min(*first);
        }
    }
    if soon.is_empty() && !pails.is_empty() {
        return vec![Line::ok("expiry", "pails", format!("none of {} expires soon", pails.len()))];
    }
    let line = |(farmer, until): (&str, u32)| {
        let words = format!(
            "a pail expires at ledger {until}, in {}",
            counted(until.saturating_sub(ledger), "ledger")
        );
        let fix = run("harvest").say(", or ").run("harvest").with("extend");
        Line::fail("expiry", format!("farmer {farmer}"), words, fix)
    };
    soon.into_iter().map(line).collect()
}
