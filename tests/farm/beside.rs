//! Beside a run others change the state: what was decided is asked again in the write, and what is found at the next turn is
//! taken in.

use crate::desk::{Desk, KALE, block_on, ended, until};
use crate::run::Clock;
use crate::submitter;
use base::clock::Clock as Time;
use base::{Result, Silent, Stop};
use config::{Config, Sources};
use ed25519_dalek::SigningKey;
use kale::alerts::EXPIRING;
use kale::farming::{Farming, Keyring, Scope, Terms};
use kale::harvest::{self, HarvestOutcome};
use kale::plant::{self, Planted};
use kale::rows;
use kale::settings::Settings;
use kale::site::Site;
use kale::work::{self, LineOutcome};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use state::alert::{self, Subject};
use state::{Consent, Holder, Lease, Lock, Permit, Run, State, ValuePermit, WriteContext};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;
use stellar::Signers;
use stellar::submit::SubmitOptions;
use stellar::xdr::AccountId;

/// The keys of the farmers; there is no sponsor.
struct Keys(Vec<SigningKey>);

struct Pairs(Vec<SigningKey>);

impl Signers for Pairs {
    fn sign(&self, account: &AccountId, hash: &[u8; 32]) -> Result<[u8; 64]> {
        self.0.as_slice().sign(account, hash)
    }
}

impl Keyring for Keys {
    fn signers(&self) -> Result<Rc<dyn Signers>> {
        Ok(Rc::new(Pairs(self.0.clone())))
    }

    fn sponsor(&self) -> Result<Option<AccountId>> {
        Ok(None)
    }

    fn holds(&self, _account: &AccountId) -> Result<bool> {
        Ok(true)
    }

    fn renew(&self) -> Result<bool> {
        Ok(false)
    }
}

/// The config file, with what the state holds.
struct File(Sources);

impl File {
    fn of(desk: &Desk) -> Self {
        let file = config::file::read(&desk.home.config()).unwrap();
        Self(Sources { file, data_dir: desk.home.path().to_owned(), ..Sources::default() })
    }

    fn config(&self, state: &State) -> Result<Config> {
        let settings = state::settings(state.conn())?;
        Config::resolve(&Sources { settings, ..self.0.clone() })
    }
}

impl Terms for File {
    fn read(&self, state: &State) -> Result<(Settings, SubmitOptions)> {
        let pace = SubmitOptions::default().pace;
        let pace = outbox::Pace { poll: Duration::from_millis(10), ..pace };
        Ok((Settings::of(&self.config(state)?)?, SubmitOptions { pace, ..SubmitOptions::default() }))
    }
}

/// What a run of the farm works with, and what this test does with it, while ledgers close for what is sent.
fn at_work<T>(desk: &Desk, body: impl AsyncFnOnce(&mut Farming<'_, '_>, ValuePermit<'_>) -> T) -> T {
    let _ledgers = desk.ledgers();
    let (terms, stop) = (File::of(desk), Stop::default());
    // Not that of the state: others write beside this one.
    let folder = tempfile::tempdir().unwrap();
    let lock = Lock::acquire(&folder.path().join("none"), &holder(), Duration::ZERO, &stop).unwrap();
    let mut state = State::write_access(&desk.state(), run(), &lock).unwrap();
    let config = terms.config(&state).unwrap();
    let (settings, submit_options) = terms.read(&state).unwrap();
    let stored = state::settings(state.conn()).unwrap();
    let permit = Permit::of(&lock);
    let mut work =
        WriteContext { config: &config, state: &mut state, permit, progress: &Silent, stop: &stop };
    let known = stellar::known("sandbox").unwrap();
    let site = Site { client: desk.client.clone(), known, farm: desk.contract.clone() };
    let keys = Keys(desk.farmers.iter().map(|farmer| farmer.key.clone()).collect());
    let mut farming = Farming {
        work: &mut work,
        site: &site,
        settings,
        submit_options,
        stored,
        terms: &terms,
        scope: Scope::All,
        leases: BTreeMap::new(),
        elsewhere: Vec::new(),
        keys: &keys,
        heard: None,
        faults: Vec::new(),
    };
    let consent = ValuePermit::obtain(permit, Consent::NotNeeded, "test").unwrap();
    block_on(body(&mut farming, consent))
}

/// Another run's write.
fn beside(desk: &Desk, sql: &str) {
    assert_eq!(desk.sqlite().execute(sql, []).unwrap(), 1, "{sql}");
}

fn planted(desk: &Desk, count: usize) {
    desk.ripen();
    let done = desk.run("plant").json();
    assert_eq!(done["planted"].as_u64(), u64::try_from(count).ok());
    desk.network.advance(1).unwrap();
}

fn changed(planted: &[Planted]) -> Vec<bool> {
    planted.iter().map(Planted::is_changed).collect()
}

#[test]
fn a_stake_is_planned_only_on_what_it_was_worked_out_from() {
    let desk = Desk::with_farmers(1, 100 * KALE);
    desk.configure("kale.cap_stake = false");
    let id = desk.farmers[0].id.clone();
    desk.ripen();
    let settings = "INSERT INTO system_config VALUES ('strategy.max_stake', '3', 0)";
    let other = "INSERT INTO system_config VALUES ('log.level', 'debug', 0)";
    let mut stakes = Vec::new();
    for (change, holds) in [
        (format!("UPDATE farmers SET stake_percentage_ppm = 500000 WHERE id = '{id}'"), false),
        (settings.to_owned(), false),
        (format!("INSERT INTO farmer_strategies (farmer_id, max_stake) VALUES ('{id}', '20000000')"), false),
        (format!("UPDATE farmers SET status = 'leaving' WHERE id = '{id}'"), false),
        (other.to_owned(), true),
    ] {
        if holds {
            beside(&desk, &format!("UPDATE farmers SET status = 'active' WHERE id = '{id}'"));
        }
        stakes.push(at_work(&desk, async |farming, permit| {
            let hands = rows::hands(farming.work.state.conn()).unwrap();
            let prepared = plant::prepare(farming, &hands).await.unwrap();
            let total = prepared.total();
            beside(&desk, &change);
            let done = plant::execute(farming, prepared, permit).await.unwrap();
            assert_eq!(changed(&done), [!holds], "{change}: {done:?}");
            total
        }));
    }
    let kale = |whole: i64| base::amount::Base::from(u64::try_from(whole * KALE).unwrap());
    assert_eq!(stakes, [25, 50, 3, 2, 2].map(kale));
    // Nothing of what did not hold is planned or told as failed.
    assert_eq!(desk.value::<i64>("SELECT count(*) FROM operations WHERE kind = 'plant'"), 1);
    assert_eq!(desk.value::<i64>("SELECT count(*) FROM plantings WHERE outcome = 'failed'"), 0);
    assert_eq!(desk.value::<i64>("SELECT count(*) FROM plantings WHERE outcome = 'planted'"), 1);
}

#[test]
fn a_harvest_is_shared_out_by_the_terms_of_the_write_that_plans_it() {
    let desk = Desk::with_farmers(1, 100 * KALE);
    let farmer = desk.farmers[0].clone();
    desk.run("pooler add south --reward-split 0.5 --platform-fee 0").exits(0);
    planted(&desk, 1);
    desk.run("work --policy early").exits(0);
    desk.ripen();
    desk.run("plant").exits(0);
    desk.network.advance(20).unwrap();
    at_work(&desk, async |farming, permit| {
        let hands = rows::hands(farming.work.state.conn()).unwrap();
        let prepared = harvest::prepare(farming, &hands).await.unwrap();
        moved(&desk, &farmer.id, "south");
        let ends = harvest::execute(farming, prepared, permit).await.unwrap();
        assert!(ends.len() == 1 && ends[0].is_changed(), "{ends:?}");
        let hands = rows::hands(farming.work.state.conn()).unwrap();
        let prepared = harvest::prepare(farming, &hands).await.unwrap();
        let ends = harvest::execute(farming, prepared, permit).await.unwrap();
        assert!(matches!(ends[0].outcome, HarvestOutcome::Harvested { .. }), "{ends:?}");
    });
    let [south, north] = ["south", "north"].map(|name| {
        let id: String = desk.value(&format!("SELECT id FROM poolers WHERE name = '{name}'"));
        desk.booked("pooler", &id, "kale")
    });
    assert!(south > 0 && north == 0, "{south} {north}");
    assert_eq!(desk.value::<i64>("SELECT count(*) FROM harvests"), 1);
    desk.is_sound();
}

#[test]
fn a_loss_is_booked_only_of_a_pail_that_is_open_and_as_it_was() {
    for (change, is_open) in [
        // Another run has booked its end.
        ("DELETE FROM open_pails WHERE zeros IS NULL AND block_index = ", false),
        // Another run has recorded its work, or holds it.
        ("UPDATE open_pails SET gap = 1, zeros = 3 WHERE block_index = ", true),
        ("UPDATE open_pails SET held = 'mint_disagrees' WHERE block_index = ", true),
    ] {
        let desk = Desk::with_farmers(1, 100 * KALE);
        planted(&desk, 1);
        let block = desk.farm().index;
        desk.ripen();
        desk.run("plant").exits(0);
        desk.network.advance(20).unwrap();
        // The first look makes it doubtful, one some ledgers later may book it.
        desk.run("harvest").ends();
        desk.network.advance(20).unwrap();
        at_work(&desk, async |farming, permit| {
            let hands = rows::hands(farming.work.state.conn()).unwrap();
            let prepared = harvest::prepare(farming, &hands).await.unwrap();
            beside(&desk, &format!("{change}{block}"));
            let ends = harvest::execute(farming, prepared, permit).await.unwrap();
            let is_failed = matches!(ends[0].outcome, HarvestOutcome::Failed { .. });
            let is_already = matches!(ends[0].outcome, HarvestOutcome::Already);
            assert!(ends.len() == 1 && is_failed == is_open && is_already != is_open, "{ends:?}");
        });
        assert_eq!(desk.value::<i64>("SELECT count(*) FROM harvests WHERE outcome = 'lost'"), 0, "{change}");
        assert_eq!(desk.value::<i64>("SELECT count(*) FROM pooler_compensations"), 0, "{change}");
    }
}

#[test]
fn an_alert_on_a_farmer_is_closed_only_by_a_run_that_acts_for_it() {
    let desk = Desk::with_farmers(1, 100 * KALE);
    desk.run("pooler add south --reward-split 0.5 --platform-fee 0").exits(0);
    let subject = Subject::Farm(&desk.farmers[0].id);
    at_work(&desk, async |farming, permit| {
        farming.write(|tx| alert::edge(tx, subject, EXPIRING, Some("soon"))).unwrap();
        for (name, is_open) in [("south", true), ("north", false)] {
            let pooler = desk.value(&format!("SELECT id FROM poolers WHERE name = '{name}'"));
            farming.scope = Scope::Poolers(BTreeSet::from([pooler]));
            let hands = farming.scope.hands(farming.work.state.conn()).unwrap();
            let prepared = harvest::prepare(farming, &hands).await.unwrap();
            harvest::execute(farming, prepared, permit).await.unwrap();
            let conn = farming.work.state.conn();
            assert_eq!(alert::is_open(conn, subject, EXPIRING).unwrap(), is_open, "{name}");
        }
    });
}

/// Moves a farmer to another pooler, whatever is out.
fn moved(desk: &Desk, farmer: &str, pooler: &str) {
    let id = format!("SELECT id FROM poolers WHERE name = '{pooler}'");
    beside(desk, &format!("UPDATE farmers SET pooler_id = ({id}) WHERE id = '{farmer}'"));
}

#[test]
fn nonces_are_left_in_the_state_for_the_run_that_is_at_work() {
    let desk = Desk::with_farmers(2, 100 * KALE);
    desk.configure("strategy.target_zeros = 3");
    desk.run("pooler add south --reward-split 0.5 --platform-fee 0").exits(0);
    let [one, two] = [0, 1].map(|n| desk.farmers[n].clone());
    moved(&desk, &two.id, "south");
    planted(&desk, 2);
    let index = desk.farm().index;
    let (good, _, zeros) = desk.grind(&one, 3);
    let (small, ..) = desk.grind(&one, 1);
    let (sent, ..) = desk.grind(&two, 1);
    let north: String = desk.value("SELECT id FROM poolers WHERE name = 'north'");
    let line = |farmer: &str, nonce: u64| Ok(json!({ "farmer": farmer, "nonce": nonce }).to_string());
    let first =
        [line(&one.address, small), line(&two.address, sent), line(&one.id, good), Ok("x".to_owned())];
    let again = [line(&one.address, good)];
    at_work(&desk, async |farming, permit| {
        let hands = rows::hands(farming.work.state.conn()).unwrap();
        let at_work = |pooler: &str| pooler == north;
        let submission = work::check(farming, &hands, &first, &at_work).await.unwrap();
        assert_eq!(submission.count(), 1, "nobody is at work for the other");
        let (_, lines) = work::submit(farming, permit, submission, &at_work).await.unwrap();
        let outcomes: Vec<&LineOutcome> = lines.iter().map(|line| &line.outcome).collect();
        let [superseded, sent, queued, refused] = outcomes.as_slice() else { panic!("{lines:?}") };
        assert!(matches!(superseded, LineOutcome::Superseded { by: 3 }), "{superseded:?}");
        assert!(matches!(sent, LineOutcome::Sent(_)) && matches!(queued, LineOutcome::Queued), "{lines:?}");
        assert!(matches!(refused, LineOutcome::Refused { .. }), "{refused:?}");
        // One that is as good is at hand.
        let submission = work::check(farming, &hands, &again, &at_work).await.unwrap();
        let (_, lines) = work::submit(farming, permit, submission, &at_work).await.unwrap();
        assert!(matches!(&lines[0].outcome, LineOutcome::Refused { code: "not_better", .. }), "{lines:?}");
    });
    assert_eq!(desk.column("SELECT farmer_id FROM works WHERE outcome <> 'failed'"), [two.id]);
    assert_eq!(
        desk.column("SELECT subject FROM events WHERE kind = 'work.offered'"),
        std::slice::from_ref(&one.id)
    );
    assert_eq!(desk.column("SELECT best_nonce FROM nonces"), [good.to_string()]);
    // Whoever works next takes it up.
    let data = desk.run(&format!("work --policy early {}", one.id)).json();
    let work = &data["farmers"][0];
    assert_eq!(
        (work["nonce"].as_str(), work["zeros"].as_u64()),
        (Some(&*good.to_string()), Some(zeros.into()))
    );
    assert_eq!(desk.pail(&one, index).unwrap().zeros, Some(zeros));
    desk.is_sound();
}

fn terminate(child: &std::process::Child) {
    kill_process(Pid::from_child(child), Signal::TERM).unwrap();
}

#[test]
fn a_run_takes_up_what_others_put_into_the_state() {
    let desk = Desk::with_farmers(1, 100 * KALE);
    let more = "strategy.target_zeros = 3\nkale.work_margin_sec = 60\nkale.work_policy = \"early\"";
    desk.configure(&format!("{more}\nkale.cap_stake = false"));
    let farmer = desk.farmers[0].clone();
    planted(&desk, 1);
    let index = desk.farm().index;
    let _ledgers = desk.ledgers();
    let child = desk.run("farm run --json").spawn();
    until("it is worked", || desk.value::<i64>("SELECT count(*) FROM works WHERE outcome = 'worked'") == 1);
    // It may have found a better one since.
    let best: u32 = desk.value("SELECT max(best_zeros) FROM nonces");
    let has = desk.pail(&farmer, index).unwrap().zeros.unwrap().max(best);
    let (nonce, _, zeros) = desk.grind(&farmer, has + 1);
    let address = stellar::xdr::ScAddress::Account(farmer.account());
    let job = desk.block(index).unwrap().job(index, &address).unwrap();
    let found = grind::Solution::new(&job, nonce);
    let folder = tempfile::tempdir().unwrap();
    let lock =
        Lock::acquire(&folder.path().join("none"), &holder(), Duration::ZERO, &Stop::default()).unwrap();
    let mut state = State::write_access(&desk.state(), run(), &lock).unwrap();
    let offer = |state: &mut State, found| {
        state.write(Permit::of(&lock), |tx| kale::nonces::offer(tx, &farmer.id, &job, found)).unwrap()
    };
    assert!(offer(&mut state, &found) && !offer(&mut state, &found));
    // Its settings too: the next stake is another.
    beside(&desk, "INSERT INTO system_config VALUES ('strategy.max_stake', '3', 0)");
    until("the better one is in, and the next block is planted in", || {
        desk.value::<i64>("SELECT count(*) FROM works WHERE outcome = 'improved'") == 1
            && desk.value::<i64>("SELECT count(*) FROM plantings WHERE outcome = 'planted'") >= 2
    });
    terminate(&child);
    let ran = ended(child);
    assert_eq!(ran.code, Some(0), "{}\n{}", ran.stdout, ran.stderr);
    let improved = format!(
        "SELECT nonce || ' ' || zeros FROM works WHERE outcome = 'improved' AND block_index = {index}"
    );
    assert_eq!(desk.column(&improved), [format!("{nonce} {zeros}")]);
    let next =
        format!("SELECT stake FROM plantings WHERE block_index > {index} ORDER BY block_index LIMIT 1");
    assert_eq!(desk.column(&next), [(3 * KALE).to_string()]);
}

#[test]
fn settings_that_cannot_be_used_are_told_once_and_the_old_ones_stay() {
    let desk = Desk::with_farmers(1, 100 * KALE);
    at_work(&desk, async |farming, _| {
        assert!(!farming.renew().unwrap());
        beside(&desk, "INSERT INTO system_config VALUES ('strategy.max_stake', '3', 0)");
        assert!(farming.renew().unwrap());
        let most = farming.settings.strategy.max_stake;
        assert!(most.is_some() && !farming.renew().unwrap());
        beside(&desk, "UPDATE system_config SET value = 'much'");
        assert!(farming.renew().is_err());
        assert_eq!((farming.settings.strategy.max_stake, farming.renew().unwrap()), (most, false));
    });
}

#[test]
fn a_key_store_that_was_changed_is_opened_again_and_nobody_is_asked() {
    let desk = Desk::with_farmers(1, 0);
    let text = std::fs::read(desk.path("identity.txt")).unwrap();
    let unlock =
        || keys::Unlock::Identities(keys::Identities::parse("identity.txt".as_ref(), &text).unwrap());
    let path = desk.home.keys();
    let store = keys::KeyStore::open(&path, unlock()).unwrap();
    assert!(!store.is_replaced());
    let lock = |path: &std::path::Path| Lock::keys(path, &holder(), Duration::ZERO, &Stop::default());
    let made = keys::Editor::open(&path, lock, |_| Ok(unlock())).unwrap().make().unwrap();
    assert!(store.is_replaced() && !store.is_replaced(), "told once");
    let again = store.again().unwrap();
    assert!(again.holds(&made) && !store.holds(&made) && !again.is_replaced());
}

#[test]
fn a_farmer_moves_and_departs_only_when_nothing_is_out() {
    let desk = Desk::with_farmers(2, 100 * KALE);
    desk.run("pooler add south --reward-split 0.5 --platform-fee 0").exits(0);
    let [one, two] = [0, 1].map(|n| desk.farmers[n].id.clone());
    planted(&desk, 2);
    let said = |line: String, what: &str| {
        let (before, envelope) = (desk.home.snapshot().0, desk.run(&line).fails(4, "unsettled"));
        let message = envelope["error"]["message"].as_str().unwrap_or_default().to_owned();
        assert!(message.contains(what), "{message}");
        assert_eq!(desk.home.snapshot().0, before);
    };
    said(format!("farmer set {one} --pooler south"), "1 plant neither harvested");
    desk.run(&format!("farmer set {one} --status leaving")).exits(0);
    said(format!("farmer set {one} --status departed"), "1 plant neither harvested");
    // Nothing is at stake, and a transaction is under way.
    for table in ["open_pails", "works", "plantings"] {
        desk.sqlite().execute(&format!("DELETE FROM {table}"), []).unwrap();
    }
    beside(
        &desk,
        &format!(
            "INSERT INTO operations (key, kind, subject, state, plan, planned_at, network)
             VALUES ('plant:x', 'plant', '{two}', 'planned', '{{}}', 0, 'stellar')"
        ),
    );
    said(format!("farmer set {two} --pooler south"), "under way: plant:x");
    beside(&desk, "UPDATE operations SET state = 'expired' WHERE key = 'plant:x'");
    desk.run(&format!("farmer set {two} --pooler south")).exits(0);
    desk.run(&format!("farmer set {one} --status departed")).exits(0);
}

#[test]
fn two_runs_that_lead_a_farm_each_share_a_submitter() {
    let settings = "strategy.target_zeros = 1\nkale.work_margin_sec = 60";
    let desk = submitter::with(Desk::with_farmers(4, 100 * KALE), settings, 1);
    desk.run("pooler add south --reward-split 0.5 --platform-fee 0").exits(0);
    for farmer in &desk.farmers[2..] {
        desk.run(&format!("farmer set {} --pooler south", farmer.id)).exits(0);
    }
    desk.run("farm reconcile").exits(0);
    desk.ripen();
    let south: String = desk.value("SELECT id FROM poolers WHERE name = 'south'");
    let lock = Lock::acquire(&desk.state(), &holder(), Duration::ZERO, &Stop::default()).unwrap();
    drop(State::write_access(&desk.state(), run(), &lock).unwrap());
    let leased = lock.lease(&Lease::Farm { id: south, name: "south".into() }).unwrap();

    // No ledger closes yet: the first stays with its plants, and the other farm is for the second.
    let sent =
        || desk.value::<i64>("SELECT count(*) FROM operations WHERE kind = 'plant' AND state = 'sent'");
    let farm = || desk.run("farm run --once --json").spawn();
    let first = farm();
    until("the first has sent its plants", || sent() == 2);
    drop((leased, lock));
    let second = farm();
    until("so has the second", || sent() == 4);
    let clock = Clock::start(&desk, 100);
    let runs = [first, second].map(ended);
    drop(clock);

    for ran in &runs {
        assert_eq!(ran.code, Some(0), "{}\n{}", ran.stdout, ran.stderr);
        let data = &ran.last()["data"];
        assert_eq!((&data["planted"], &data["worked"]), (&json!(2), &json!(2)), "{data}");
    }
    let count = |sql: &str| desk.value::<i64>(&format!("SELECT count(*) FROM {sql}"));
    assert_eq!(count("plantings"), 4, "each is planted for once");
    assert_eq!(count("plantings WHERE outcome = 'planted'"), 4);
    assert_eq!(count("works WHERE outcome = 'failed'"), 0);
    // An envelope whose number another has used would have failed, or expired.
    assert_eq!(count("operation_attempts WHERE outcome IS NOT 'confirmed'"), 0);
    assert!(count("events WHERE kind = 'work.worked' AND payload ->> 'sent_by' IS NOT NULL") >= 2);
    desk.is_sound();
}

fn holder() -> Holder {
    Holder { pid: 1, command: "test".into(), since: 0 }
}

fn run() -> Run {
    Run { id: "test".into(), actor: "test".into(), clock: Time::System }
}
