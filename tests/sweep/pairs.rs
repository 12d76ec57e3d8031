//! Every pair of commands that write, started at the same moment on one state: it ends as one of the two orders.
//!
//! Some pairs in every run of the tests, others with another `SWEEP_SEED`; so many as wanted with `SWEEP_PAIRS=N`, and all
//! that there are with `SWEEP_PAIRS=all` (a thousand).

use crate::desk::Desk;
use crate::facts::{self, Facts};
use crate::homes::{self, filled};
use crate::same;
use crate::support::Home;
use crate::sweep::{Place, Row, differs, each, setting, shown};
use keys::{Identities, KeyStore, Unlock};
use poolctl_testkit::watch;
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::process::{Command, Output};
use std::sync::{Barrier, Mutex};

type Words = BTreeMap<&'static str, String>;

/// Where commands meet, and the rows of those that do.
struct World<P> {
    place: Mutex<P>,
    words: Words,
    /// Those that meet each other, and all others.
    own: Vec<&'static Row>,
    others: Vec<&'static Row>,
}

impl<P: Place> World<P> {
    /// Rows that meet each other; those with the same line are one.
    fn of(place: P, words: Words, rows: &[&'static [Row]]) -> Self {
        let mut own: Vec<&Row> = Vec::new();
        for row in rows.iter().copied().flatten() {
            if own.iter().all(|known| known.line != row.line) {
                own.push(row);
            }
        }
        Self { place: Mutex::new(place), words, own, others: Vec::new() }
    }

    /// These come to meet them, but not each other.
    fn beside(mut self, rows: &'static [Row]) -> Self {
        self.others = rows.iter().collect();
        self
    }

    fn pairs(&self) -> Vec<[&'static Row; 2]> {
        let rows: Vec<&Row> = self.own.iter().chain(&self.others).copied().collect();
        let of = |first: usize| rows.iter().skip(first).map(move |second| (first, *second));
        let pairs = (0..self.own.len()).flat_map(of).map(|(first, second)| [rows[first], second]);
        pairs.filter(|pair| !meets_in_the_state(pair)).collect()
    }
}

/// Whether one puts a nonce into the state that the other may take up, or not: there is another test of that.
fn meets_in_the_state(pair: &[&Row; 2]) -> bool {
    let has = |words: &str| pair.iter().any(|row| row.line.starts_with(words));
    has("work submit") && has(LEAVES)
}

/// The command that leaves a farm to whoever is at work there, and ends.
const LEAVES: &str = "farm run --once";

/// How two commands ended, in the order of their pair, and what is so afterwards.
struct End {
    outputs: [Option<Output>; 2],
    facts: Facts,
    findings: Vec<String>,
}

impl End {
    fn of<P: Place>(place: &P, outputs: [Option<Output>; 2]) -> Self {
        let mut facts = place.facts();
        let names = facts::names(place.folder());
        let is_sqlites = |name: &String| ["-wal", "-shm", ".lock"].iter().any(|end| name.ends_with(end));
        facts.insert("files".to_owned(), names.into_iter().filter(|name| !is_sqlites(name)).collect());
        let texts = facts::texts(place.folder());
        facts.insert("texts".to_owned(), texts.into_iter().map(|text| format!("{text:?}")).collect());
        facts.insert("keys".to_owned(), keys_of(place));
        let copy = facts::findings(&place.folder().join("copy.sqlite"));
        let findings = facts::findings(&place.state()).into_iter().chain(copy).collect();
        Self { outputs, facts, findings }
    }

    fn codes(&self) -> [Option<i32>; 2] {
        self.outputs.each_ref().map(|output| output.as_ref()?.status.code())
    }

    fn is_as(&self, want: &Self) -> bool {
        self.codes() == want.codes() && self.facts == want.facts
    }
}

/// How many keys there are, and whether there is one for each farmer.
fn keys_of<P: Place>(place: &P) -> Vec<String> {
    let path = place.state().with_extension("keys.age");
    if !path.exists() {
        return Vec::new();
    }
    let identity = place.folder().join("identity.txt");
    let text = std::fs::read(&identity).unwrap();
    let store =
        KeyStore::open(&path, Unlock::Identities(Identities::parse(&identity, &text).unwrap())).unwrap();
    let conn = rusqlite::Connection::open(place.state()).unwrap();
    let farmers = crate::evm::desk::rows(&conn, "SELECT address FROM farmers");
    let without = farmers.iter().filter(|address| !store.holds(address)).count();
    let sponsor = store.sponsor().is_some();
    vec![format!("{} keys, sponsor: {sponsor}, farmers without: {without}", store.addresses().count())]
}

/// A pair and where it meets.
struct Pair<'w, P> {
    world: &'w World<P>,
    rows: [&'static Row; 2],
}

impl<P: Place> Pair<'_, P> {
    /// The place after all that comes before both; none where that cannot be.
    fn begin(&self) -> Option<P> {
        let [first, second] = self.rows.map(|row| row.before);
        [[first, second], [second, first]].into_iter().find_map(|befores| {
            let place = self.world.place.lock().unwrap().fork();
            let mut done: Vec<&str> = Vec::new();
            for line in befores.into_iter().flatten().copied() {
                if done.contains(&line) {
                    continue;
                }
                done.push(line);
                let _beside = place.beside();
                let mut command = place.command(&[], &filled(line, &self.world.words), "");
                if !watch::output(&mut command).unwrap().status.success() {
                    return None;
                }
            }
            Some(place)
        })
    }

    fn command(&self, place: &P, which: usize) -> Command {
        let (row, words) = (self.rows[which], &self.world.words);
        // Nobody gives up because the machine is busy.
        let line = format!("{} --wait 2m", filled(row.line, words));
        place.command(&[], &line, &filled(row.input, words))
    }

    /// One after the other.
    fn in_order(&self, begin: &P, order: &[usize]) -> End {
        let place = begin.fork();
        let mut outputs = [None, None];
        for &which in order {
            let _beside = place.beside();
            outputs[which] = Some(watch::output(&mut self.command(&place, which)).unwrap());
        }
        End::of(&place, outputs)
    }

    fn together(&self, begin: &P) -> End {
        let (place, start) = (begin.fork(), Barrier::new(2));
        let commands = [0, 1].map(|which| self.command(&place, which));
        let outputs = {
            let _beside = place.beside();
            std::thread::scope(|scope| {
                let start = &start;
                let run = |mut command: Command| {
                    scope.spawn(move || {
                        start.wait();
                        watch::output(&mut command).unwrap()
                    })
                };
                commands.map(run).map(|run| Some(run.join().unwrap()))
            })
        };
        End::of(&place, outputs)
    }

    /// What is wrong; none where they cannot meet.
    fn tried(&self) -> Option<String> {
        let begin = self.begin()?;
        let end = self.together(&begin);
        let mut wrong: Vec<String> = end.findings.clone();
        let mut orders = vec![self.in_order(&begin, &[0, 1]), self.in_order(&begin, &[1, 0])];
        // One that finds something changed again and again has done nothing; nor has one that left it to the other.
        for which in [0, 1] {
            if end.codes()[which] == Some(75) || self.rows[which].line.starts_with(LEAVES) {
                let mut other = self.in_order(&begin, &[1 - which]);
                other.outputs[which].clone_from(&end.outputs[which]);
                orders.push(other);
            }
        }
        if !orders.iter().any(|order| end.is_as(order)) {
            for order in &orders {
                let codes = order.codes();
                let mut found = Vec::new();
                differs(&order.facts, &end.facts, "at the same moment,", &mut found);
                wrong.push(format!(
                    "not as in order, with exit codes {codes:?}:\n    {}",
                    found.join("\n    ")
                ));
            }
        }
        if wrong.is_empty() {
            return Some(String::new());
        }
        let [first, second] = self.rows.map(|row| row.line);
        let said: Vec<String> = end.outputs.iter().flatten().map(shown).collect();
        Some(format!("{first}  ||  {second}\n  {}\n  {}\n", said.join("\n  "), wrong.join("\n  ")))
    }
}

/// Tries so many pairs of these worlds, of as many commands as can be, and demands that all end as they should.
fn try_pairs<P: Place>(worlds: &[World<P>], usually: usize) {
    let (wanted, seed) = (setting("SWEEP_PAIRS"), setting("SWEEP_SEED").unwrap_or_default());
    let most = match wanted.as_deref() {
        Some("all") => usize::MAX,
        Some(count) => count.parse().expect("SWEEP_PAIRS"),
        None => usually,
    };
    let dice = |rows: &[&Row; 2]| {
        let mut hasher = DefaultHasher::new();
        (&seed, rows.map(|row| row.line)).hash(&mut hasher);
        hasher.finish()
    };
    // In turn one of each command.
    let mut turns: Vec<(usize, u64, Pair<'_, P>)> = Vec::new();
    for world in worlds {
        let mut pairs: Vec<_> = world.pairs().into_iter().map(|rows| (dice(&rows), rows)).collect();
        pairs.sort_by_key(|(place, _)| *place);
        let mut met: BTreeMap<&str, usize> = BTreeMap::new();
        for (place, rows) in pairs {
            let times = rows.map(|row| met.get(row.line).copied().unwrap_or_default());
            for row in rows {
                *met.entry(row.line).or_default() += 1;
            }
            turns.push((times[0].max(times[1]), place, Pair { world, rows }));
        }
    }
    turns.sort_by_key(|(turn, place, _)| (*turn, *place));
    turns.truncate(most);
    let tried = each(&turns, |(_, _, pair)| pair.tried());
    let count = tried.iter().flatten().count();
    let wrong: Vec<&String> = tried.iter().flatten().filter(|wrong| !wrong.is_empty()).collect();
    let shown: Vec<&str> = wrong.iter().map(|wrong| wrong.as_str()).collect();
    assert!(wrong.is_empty(), "{} of {count} pairs:\n\n{}", wrong.len(), shown.join("\n"));
    assert!(count * 10 >= turns.len() * 9, "{count} of {} pairs could meet", turns.len());
    eprintln!("{count} pairs of commands");
}

#[test]
fn what_acts_on_a_home_and_on_pools_ends_as_one_of_its_orders() {
    let (desk, mut words) = homes::pools();
    desk.home.make_farming();
    words.extend(homes::registered(&desk.home));
    let whole = Place::fork(&desk.home);
    homes::change(&desk);
    let changed = Place::fork(&desk.home);
    let none = BTreeMap::new;
    try_pairs(
        &[
            World::of(whole, words.clone(), &[homes::LOCAL, homes::NEW, homes::POOLS]),
            World::of(changed, words, &[homes::CHANGED]).beside(homes::POOLS),
            World::of(Home::empty(), none(), &[homes::BARE]),
            World::of(homes::older(), none(), &[homes::OLDER]).beside(homes::NEW),
            World::of(homes::old(), none(), &[homes::OLD]).beside(homes::NEW),
        ],
        40,
    );
}

/// What acts on a farm, and what changes what that decides from.
const FARM: &[Row] = &[
    Row::new("block"),
    Row::new("plant"),
    Row::new("harvest"),
    Row::new("farm reconcile"),
    Row::new("farmer check-funding"),
    Row::new("farmer trust --all"),
    Row::new("operations settle"),
    Row::new("farmer set {farmer} --stake-percentage 0.75"),
    Row::new("config set strategy.max_stake 3"),
];

#[test]
fn what_acts_on_a_farm_ends_as_one_of_its_orders() {
    let desk = same::rolled_well();
    desk.ripen();
    let words = BTreeMap::from([("farmer", desk.farmers[0].id.clone())]);
    try_pairs::<Desk>(&[World::of(desk, words, &[FARM])], 8);
}

/// What works for farms whose nonces are ground, and what changes what that decides from.
const WORK: &[Row] = &[
    Row::new("work"),
    Row::new("work {one}"),
    Row::new("work {two}"),
    Row::new("work submit found.ndjson"),
    Row::new("farm run --once"),
    Row::new("block"),
    Row::new("farm reconcile"),
    Row::new("farmer set {one} --stake-percentage 0.75"),
    Row::new("config set strategy.max_stake 3"),
];

/// The same of planting.
const PLANT: &[Row] = &[
    Row::new("plant"),
    Row::new("plant {one}"),
    Row::new("plant {two}"),
    Row::new("farmer check-funding"),
    Row::new("farmer set {two} --stake-percentage 0.75"),
];

#[test]
fn what_acts_on_the_farms_of_two_poolers_ends_as_one_of_its_orders() {
    let ripe = same::ripe();
    let [one, two] = [0, 1].map(|n| ripe.farmers[n].clone());
    ripe.run("pooler add south --reward-split 0.5 --platform-fee 0").exits(0);
    ripe.run(&format!("farmer set {} --pooler south", two.id)).exits(0);
    let ground = same::ground_on(ripe.fork(), 100);
    // Whoever comes second has time enough.
    ground.configure(&format!("{}\nkale.work_policy = \"early\"", same::STAKES));
    let (nonce, ..) = ground.grind(&one, 5);
    let line = format!("{{\"farmer\":\"{}\",\"nonce\":{nonce}}}\n", one.address);
    ground.write_private("found.ndjson", &line);
    let words = BTreeMap::from([("one", one.id), ("two", two.id)]);
    try_pairs::<Desk>(&[World::of(ground, words.clone(), &[WORK]), World::of(ripe, words, &[PLANT])], 12);
}
