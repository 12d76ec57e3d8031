//! The sweep once more, beside a run of the farm and somebody who reads: whatever becomes of a command, they go on.
//!
//! Some commands in every run of the tests, all with `SWEEP_POINTS`.

use crate::desk::{Desk, until};
use crate::facts::{self, Facts};
use crate::homes::filled;
use crate::same;
use crate::sweep::{self, Place, Row, Task, setting};
use poolctl_sandbox::stellar::Keypair;
use poolctl_testkit::watch;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

/// What needs no lease of the farm.
const ROWS: &[Row] = &[
    Row::new("pooler add south --capacity 9"),
    Row::new("member add 0x00000000000000000000000000000000000000a1 --name ann"),
    Row::new("config set oracle.cache_ttl_sec 60"),
    Row::new("farmer set {farmer} --stake-percentage 0.75"),
    Row::new("farmer register --pooler north --stake-percentage 0.25"),
    Row::new("farmer import --sponsor").input("{secret}"),
    Row::new("farmer check-funding"),
    Row::new("state backup copy.sqlite"),
    Row::new("report --html report.html"),
];

/// Commands that are tried in every run.
const USUALLY: usize = 4;

/// A desk whose farm is at work while a command runs. The network's time stands still: it grinds, and saves how far it is.
struct Busy(Desk);

impl Place for Busy {
    type Beside = Company;

    fn fork(&self) -> Self {
        Self(self.0.fork())
    }

    fn folder(&self) -> &Path {
        self.0.home.path()
    }

    fn state(&self) -> PathBuf {
        self.0.state()
    }

    fn facts(&self) -> Facts {
        let mut facts = facts::rows(&self.state(), self.folder());
        facts.remove("nonces");
        facts
    }

    fn beside(&self) -> Company {
        Company::of(&self.0)
    }

    fn command(&self, under: &[OsString], line: &str, input: &str) -> Command {
        sweep::command(self.folder(), under, line, input)
    }
}

/// A run of the farm, and whoever reads again and again.
struct Company {
    farm: Child,
    stop: Arc<AtomicBool>,
    /// Gives what went wrong.
    reader: Option<JoinHandle<Vec<String>>>,
}

impl Company {
    fn of(desk: &Desk) -> Self {
        let farm = desk.run("farm run --wait 2m").spawn();
        let state = desk.state();
        until("the farm is led", || {
            state::leases(&state).unwrap().iter().any(|held| held.lease.starts_with("farm:"))
        });
        let (folder, stop) = (desk.home.path().to_owned(), Arc::new(AtomicBool::new(false)));
        let ended = Arc::clone(&stop);
        let reader = std::thread::spawn(move || {
            let mut wrong = Vec::new();
            while !ended.load(Ordering::Relaxed) {
                for line in ["status --json", "events --json"] {
                    let output = watch::output(&mut sweep::command(&folder, &[], line, "")).unwrap();
                    if !output.status.success() {
                        wrong.push(format!("{line}: {}", sweep::shown(&output)));
                    }
                }
            }
            wrong
        });
        Self { farm, stop, reader: Some(reader) }
    }
}

impl Drop for Company {
    fn drop(&mut self) {
        let ended = self.farm.try_wait().unwrap();
        self.farm.kill().unwrap();
        self.farm.wait().unwrap();
        self.stop.store(true, Ordering::Relaxed);
        let wrong = self.reader.take().map(|reader| reader.join().unwrap());
        if !std::thread::panicking() {
            assert!(ended.is_none(), "the farm's run ended: {ended:?}");
            assert_eq!(wrong, Some(Vec::new()), "reading failed");
        }
    }
}

#[test]
fn beside_a_farm_at_work_and_a_reader() {
    let desk = same::planted();
    desk.configure("kale.cap_stake = false\nstrategy.target_zeros = 16");
    desk.run("farm reconcile").exits(0);
    let secret = Keypair::derive("poolctl sweep").secret;
    let words = BTreeMap::from([("farmer", desk.farmers[0].id.clone()), ("secret", secret)]);
    let mut rows: Vec<&Row> = ROWS.iter().collect();
    if setting("SWEEP_POINTS").is_none() {
        let seed = setting("SWEEP_SEED").unwrap_or_default();
        rows.sort_by_key(|row| {
            let mut hasher = DefaultHasher::new();
            (&seed, row.line).hash(&mut hasher);
            hasher.finish()
        });
        rows.truncate(USUALLY);
    }
    let task = |row: &&Row| Task {
        place: Mutex::new(Busy(desk.fork())),
        line: filled(row.line, &words),
        input: filled(row.input, &words),
    };
    let tasks: Vec<Task<Busy>> = rows.iter().map(task).collect();
    let reached = sweep::sweep(&tasks);
    assert!(reached >= 3 * USUALLY, "{reached}");
}
