//! Twenty farmers over twelve blocks, with kills, faults and strangers drawn from a seed: every stake is back or booked as
//! lost with its reason, and what is booked is what the chain minted.

use crate::desk::{Desk, Farmer, KALE, Ledgers, Ran, XLM, block_on};
use crate::faults::wrongs;
use crate::funding::sponsor;
use crate::losses::{forget, hide_events, hide_pails, unwork_pails};
use crate::means::{drain, purse};
use kale::events;
use poolctl_testkit::{Fault, Proxy, Rule};
use serde_json::{Value, json};
use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use stellar::EventQuery;
use stellar::xdr::ContractId;

const FARMERS: usize = 20;
const BLOCKS: u32 = 12;
const FUNDS: i64 = 1_000 * KALE;
const SEED: u64 = 0x0CEA_2026;

/// A generator after Steele, Lea and Flood (`SplitMix64`).
pub struct Dice(pub u64);

impl Dice {
    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, end: u64) -> u64 {
        self.roll() % end
    }

    pub fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[usize::try_from(self.below(from.len() as u64)).unwrap()]
    }
}

/// What was done to the runs, so that the test sees that it did something.
#[derive(Debug, Default)]
struct Done {
    kills: u32,
    faults: u32,
    strangers: u32,
}

struct Season {
    desk: Desk,
    stranger: Farmer,
    dice: Dice,
    done: Done,
    /// By endpoints that lie once in a while.
    lied_to: bool,
}

impl Season {
    /// Runs a command with a fault, a kill, both or neither; it ends as such a run may end.
    fn disturbed(&mut self, line: &str) {
        let mut run = self.desk.run(line);
        if !self.lied_to && self.dice.one_in(2) {
            let all = wrongs();
            let (method, wrong, times) = self.dice.pick(&all);
            self.desk.network.fault(method, wrong.clone(), *times);
            self.done.faults += 1;
        }
        if self.dice.one_in(2) {
            run = run.env("POOLCTL_CRASH_AT", &(1 + self.dice.below(80)).to_string());
        }
        let (shown, ran) = run.ends();
        self.done.kills += u32::from(ran.code.is_none());
        assert!(ran.code.is_none() || self.may(&ran), "{shown}: {ran:?}");
        self.desk.network.clear_faults();
    }

    /// Disturbs it once or twice; mostly a run that is left alone follows.
    fn step(&mut self, line: &str) {
        for _ in 0..=self.dice.below(2) {
            self.disturbed(line);
        }
        if !self.dice.one_in(6) {
            let (shown, ran) = self.desk.run(line).ends();
            let calm = [0, 3, 5].map(Some).contains(&ran.code);
            assert!(calm || (self.lied_to && self.may(&ran)), "{shown}: {ran:?}");
        }
    }

    /// Whether a run that was disturbed may end so: done, in part, with findings, or to be tried again; where an endpoint
    /// lies, also without work in time, and without farmers that could be told to be ready.
    fn may(&self, ran: &Ran) -> bool {
        let codes: &[i32] = if self.lied_to { &[0, 1, 3, 4, 5, 75, 76] } else { &[0, 3, 5, 75, 76] };
        ran.code.is_some_and(|code| codes.contains(&code))
    }

    /// Lets the block grow at least so old.
    fn age(&self, age: u64) {
        let (_, now) = self.desk.network.latest().unwrap();
        if now < self.desk.farm().open.unwrap().timestamp + age {
            self.desk.age(age);
        }
    }

    /// Somebody works for a farmer of ours.
    fn strange_work(&mut self) {
        let index = self.desk.farm().index;
        let farmer = self.dice.pick(&self.desk.farmers).clone();
        if self.desk.pail(&farmer, index).is_some_and(|pail| !pail.worked()) {
            self.desk.network.advance(1).unwrap();
            let (nonce, hash, _) = self.desk.grind(&farmer, 0);
            self.desk.act(vec![(&self.stranger, self.desk.work_call(&farmer, nonce, hash))]);
            self.done.strangers += 1;
        }
    }

    /// Somebody harvests for a farmer of ours.
    fn strange_harvest(&mut self) {
        let farmer = self.dice.pick(&self.desk.farmers).clone();
        let Some(block) = self.desk.farm().index.checked_sub(1) else { return };
        if self.desk.pail(&farmer, block).is_some_and(|pail| pail.worked()) {
            self.desk.harvest(&self.stranger, &farmer, block);
            self.done.strangers += 1;
        }
    }

    /// One block by single commands.
    fn by_hand(&mut self) {
        self.step("plant");
        if self.dice.one_in(2) {
            self.strange_work();
        }
        self.age(60);
        if self.dice.one_in(2) {
            self.strange_harvest();
        }
        self.step("harvest");
        self.age(200);
        self.step("work --deadline 200s");
    }

    /// One block by `farm run`, while the clock runs.
    fn by_clock(&mut self) {
        let _clock = Ledgers::ticking(&self.desk, 50);
        self.disturbed("farm run --once");
        self.disturbed("farm run --once");
    }

    /// Nobody plants any more, and whatever is out comes in.
    fn end(&mut self) {
        self.age(300);
        self.desk.plant(&self.stranger, 0);
        for _ in 0..3 {
            let (shown, ran) = self.desk.run("harvest").ends();
            assert!([0, 3, 5].map(Some).contains(&ran.code), "{shown}: {ran:?}");
            self.desk.network.advance(12).unwrap();
        }
    }
}

pub fn sum(column: &[String]) -> i128 {
    column.iter().map(|amount| amount.parse::<i128>().unwrap()).sum()
}

/// Stroops that the chain minted to a farmer, from its events.
pub fn minted(desk: &Desk, farmer: &Farmer) -> i128 {
    let asset: ContractId = desk.network.farm().unwrap().asset_contract.parse().unwrap();
    let query = EventQuery {
        start: Some(1_001),
        contracts: vec![asset.to_string()],
        limit: 10_000,
        ..EventQuery::default()
    };
    let mut query = query;
    let mut total = 0;
    loop {
        let page = block_on(desk.client.view(async |view| view.events(&query).await)).unwrap();
        let mints = page
            .events
            .iter()
            .filter_map(|event| events::mint(&event.topics, &event.value, &farmer.account()));
        total += mints.sum::<i128>();
        if page.events.is_empty() {
            return total;
        }
        (query.start, query.cursor) = (None, Some(page.cursor));
    }
}

#[test]
fn twelve_blocks_of_kills_faults_and_strangers_lose_nothing_unbooked() {
    let desk = Desk::with_farmers(FARMERS, FUNDS);
    desk.configure("kale.cap_stake = false\nstrategy.target_zeros = 3");
    let stranger = desk.stranger();
    // Another season, to look for what this one does not meet: SEASON_SEED=7 cargo test --test farm round::
    let seed = std::env::var("SEASON_SEED").map_or(SEED, |seed| seed.parse().unwrap());
    let mut season = Season { desk, stranger, dice: Dice(seed), done: Done::default(), lied_to: false };
    for block in 0..BLOCKS {
        season.age(300);
        if block % 4 == 3 {
            season.by_clock();
        } else {
            season.by_hand();
        }
        // Whatever was done to it, the state is sound between any two runs.
        season.desk.is_sound();
    }
    season.end();
    let Season { desk, done, .. } = season;
    println!("seed {seed}: {done:?}");
    assert!(done.kills >= 10 && done.faults >= 10 && done.strangers >= 3, "{done:?}");

    for outcome in ["harvested", "harvested_elsewhere", "lost"] {
        let count = format!("SELECT count(*) FROM harvests WHERE outcome = '{outcome}'");
        assert!(desk.value::<i64>(&count) > 0, "nothing was {outcome}: the season was too quiet");
    }
    // A forecast that was made at harvest is what was paid.
    let wrong = "SELECT count(*) FROM harvests WHERE outcome = 'harvested' AND forecast IS NOT reward";
    assert_eq!(desk.value::<i64>(wrong), 0);
    balances(&desk);
}

/// Every stake has one end, and what is booked is what the chain minted and holds, to the stroop.
fn balances(desk: &Desk) {
    // Nothing is under way, and no stake is out.
    let under_way =
        "SELECT count(*) FROM operations WHERE state IN ('planned', 'signed', 'sent', 'confirmed')";
    assert_eq!(desk.value::<i64>(under_way), 0);
    assert_eq!(desk.value::<i64>("SELECT count(*) FROM open_pails"), 0);
    // Each plant has one end, and each loss its reason and who answers for it.
    let unended = "SELECT count(*) FROM plantings p WHERE p.outcome = 'planted' AND 1 <> (
        SELECT count(*) FROM harvests h WHERE h.farmer_id = p.farmer_id AND h.block_index = p.block_index
        AND h.outcome <> 'failed' AND h.stake = p.stake)";
    assert_eq!(desk.value::<i64>(unended), 0);
    let unanswered =
        "SELECT count(*) FROM harvests h WHERE h.outcome = 'lost' AND (h.reason IS NULL OR NOT EXISTS (
        SELECT 1 FROM pooler_compensations c WHERE c.farmer_id = h.farmer_id AND c.block_index = h.block_index
        AND c.amount = h.stake))";
    assert_eq!(desk.value::<i64>(unanswered), 0);
    // What is booked is what the chain minted and holds, for each farmer, to the stroop.
    for farmer in &desk.farmers {
        let of = |column: &str, outcomes: &str| {
            sum(&desk.column(&format!(
                "SELECT {column} FROM harvests WHERE farmer_id = '{}' AND outcome IN ({outcomes})",
                farmer.id
            )))
        };
        let (paid, lost) = ("'harvested', 'harvested_elsewhere'", "'lost'");
        let ends = desk.column(&format!(
            "SELECT block_index || ' ' || outcome || ' ' || stake || ' + ' || reward || ' ' || coalesce(ledger, '-')
             FROM harvests WHERE farmer_id = '{}' AND outcome <> 'failed' ORDER BY block_index",
            farmer.id
        ));
        let booked = of("stake", paid) + of("reward", paid);
        assert_eq!(booked, minted(desk, farmer), "{}: {ends:#?}", farmer.address);
        let holds = i128::from(FUNDS) + of("reward", paid) - of("stake", lost);
        assert_eq!(desk.kale_of(farmer), holds, "{}", farmer.address);
        assert_eq!(desk.booked("farmer", &farmer.id, "staked"), 0);
    }
    let rewards = sum(
        &desk.column("SELECT reward FROM harvests WHERE outcome IN ('harvested', 'harvested_elsewhere')")
    );
    assert_eq!(desk.booked("chain", "sandbox", "mint"), -rewards);
    desk.run("state check --full").exits(0);
    desk.run("events --verify").exits(0);
}

/// Answers given so far, by both endpoints of the season.
static ANSWERS: AtomicU64 = AtomicU64::new(0);

/// One answer in thirty is a lie.
fn now_and_then(request: &Value, answer: Value) -> Value {
    let turn = Dice(ANSWERS.fetch_add(1, Ordering::Relaxed)).roll();
    if !turn.is_multiple_of(30) {
        return answer;
    }
    let mut lied = answer.clone();
    match request["method"].as_str().unwrap_or_default() {
        "getLedgerEntries" if turn.is_multiple_of(4) => lied["result"]["entries"] = Value::Null,
        "getLedgerEntries" if turn.is_multiple_of(2) => lied = hide_pails(request, answer),
        "getLedgerEntries" => lied = unwork_pails(request, answer),
        "getEvents" => lied = hide_events(request, answer),
        "getTransaction" => lied = forget(request, answer),
        "getLatestLedger" => lied["result"]["sequence"] = json!(4_000_000_000_u32),
        "simulateTransaction" if answer["result"]["minResourceFee"].is_string() => {
            lied["result"]["minResourceFee"] = json!("4020000000");
        }
        _ => {}
    }
    lied
}

/// The farmers and blocks of which the chain has work.
fn worked(desk: &Desk, index: u32) -> Vec<(String, u32)> {
    let farmers = desk.farmers.iter();
    let has = farmers.filter(|farmer| desk.pail(farmer, index).is_some_and(|pail| pail.worked()));
    has.map(|farmer| (farmer.id.clone(), index)).collect()
}

#[test]
fn a_season_of_lies_a_griefer_a_dry_sponsor_and_a_restore_loses_nothing_that_was_worked() {
    let desk = Desk::with_farmers(5, FUNDS);
    let purse = purse();
    sponsor(&desk, 20 * XLM);
    let stranger = desk.stranger();
    let proxies = [(); 2].map(|()| Proxy::start(&desk.network.url()).unwrap());
    let lying = proxies.each_ref().map(Proxy::url);
    let settings = "kale.cap_stake = false\nstrategy.target_zeros = 3";
    desk.configure(settings);
    desk.run("farm reconcile").exits(0);
    for proxy in &proxies {
        proxy.fault(Rule::new(Fault::Custom(now_and_then)));
    }
    desk.write_config(&lying, settings);
    let seed = std::env::var("SEASON_SEED").map_or(SEED + 1, |seed| seed.parse().unwrap());
    let mut season = Season { desk, stranger, dice: Dice(seed), done: Done::default(), lied_to: true };
    let mut have_work = HashSet::new();
    for block in 0..8 {
        season.age(300);
        match block {
            2 => {
                season.desk.configure(settings);
                season.desk.run("state backup middle.sqlite").exits(0);
                season.desk.write_config(&lying, settings);
            }
            3 => drain(&season.desk, &purse, 100),
            4 => {
                season.desk.run("state restore middle.sqlite --yes").exits(0);
                season.desk.run("farm reconcile").ends();
            }
            5 => season.desk.network.fund(&purse.address, 20 * XLM).unwrap(),
            _ => {}
        }
        season.step("plant");
        // A griefer, with the least that is work, right after the plant.
        season.strange_work();
        season.age(60);
        season.step("harvest");
        season.age(200);
        season.step("work --deadline 200s");
        season.desk.is_sound();
        have_work.extend(worked(&season.desk, season.desk.farm().index));
    }
    // Whoever was lied to about what the restored state did not know finds it when nobody lies.
    season.desk.configure(settings);
    season.desk.run("farm reconcile").ends();
    season.end();
    let Season { desk, done, .. } = season;
    println!("seed {seed}: {done:?}, {} answers", ANSWERS.load(Ordering::Relaxed));
    assert!(done.kills >= 3 && done.strangers >= 3, "{done:?}");
    let lost = desk.column(
        "SELECT farmer_id || ' ' || block_index || ' ' || reason FROM harvests WHERE outcome = 'lost'",
    );
    for one in &lost {
        let [farmer, block, reason] = one.split(' ').collect::<Vec<_>>()[..] else { panic!("{one}") };
        assert!(!have_work.contains(&(farmer.to_owned(), block.parse().unwrap())), "{one}: it was worked");
        assert_eq!(reason, "not_worked", "{one}");
    }
    balances(&desk);
}
