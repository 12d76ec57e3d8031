//! Leases: what is acted on is held by one run at a time. They name their holder and die with it, as its part in the state does.

use crate::support::{Place, holder, run};
use base::{Code, Part, Stop};
use poolctl_testkit::watch;
use serde_json::json;
use state::{Holder, Lease, LeaseHolder, Lock, Permit, State};
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

fn farm(id: &str) -> Lease {
    Lease::Farm { id: id.to_owned(), name: format!("name of {id}") }
}

/// One of each kind, in the order in which they are taken.
fn all() -> [Lease; 6] {
    let (schedule, account) = (Lease::Schedule("sync".to_owned()), Lease::Account("0xa1".to_owned()));
    [schedule, Lease::Pools, farm("a"), farm("b"), account, Lease::Prune]
}

/// The right to write of another run than [`holder`].
fn other(place: &Place, wait: Duration) -> Lock {
    let other = Holder { pid: 7, command: "reward cycle".to_owned(), since: 1_600_000_000 };
    Lock::acquire(&place.path(), &other, wait, &Stop::default()).unwrap()
}

/// What is held on a state, and by which process.
fn held(place: &Place) -> Vec<(String, u32)> {
    let known = |LeaseHolder { lease, holder }| (lease, holder.unwrap().pid);
    state::leases(&place.path()).unwrap().into_iter().map(known).collect()
}

#[test]
fn a_second_holder_is_told_who_the_first_is() {
    let place = Place::fresh().orderly();
    let (first, second) = (place.lock(), other(&place, Duration::ZERO));
    for (lease, said) in all().iter().zip([
        "the scheduled sync is held by",
        "the pools are held by",
        "the farm of pooler \"name of a\" is held by",
        "the farm of pooler \"name of b\" is held by",
        "the account 0xa1 is held by",
        "pruning is held by",
    ]) {
        let leased = first.lease(lease).unwrap();
        assert!(second.try_lease(lease).unwrap().is_none());
        let e = second.lease(lease).unwrap_err();
        assert_eq!(e.code(), Code::LeaseHeld);
        let pid = format!("pid {}", std::process::id());
        for part in [said, "\"poolctl sync\"", &pid, "2023-11-14T22:13:20Z"] {
            assert!(e.message().contains(part), "{e}");
        }
        assert!(e.remedy().unwrap().parts().contains(&Part::Field("wait")), "{e:?}");
        assert_eq!(state::lease_holder(&place.path(), lease).unwrap().unwrap(), holder());
        drop(leased);
        assert!(state::lease_holder(&place.path(), lease).is_none());
        drop(second.lease(lease).unwrap());
    }
}

#[test]
fn each_is_held_for_itself() {
    let place = Place::fresh().orderly();
    let (first, second) = (place.lock(), other(&place, Duration::ZERO));
    for one in all() {
        let leased = first.lease(&one).unwrap();
        // A pooler is the one that it is by its id, whatever it is called.
        let is_one = |lease: &Lease| match (lease, &one) {
            (Lease::Farm { id, .. }, Lease::Farm { id: other, .. }) => id == other,
            _ => *lease == one,
        };
        let renamed = Lease::Farm { id: "a".to_owned(), name: "another".to_owned() };
        for lease in all().into_iter().chain([renamed]) {
            assert_eq!(second.try_lease(&lease).unwrap().is_none(), is_one(&lease), "{lease} {one}");
        }
        drop(leased);
    }
    // Those of another state are others.
    let elsewhere = Place::fresh();
    let (_pools, lock) = (first.lease(&Lease::Pools).unwrap(), elsewhere.lock());
    lock.lease(&Lease::Pools).unwrap();
}

#[test]
fn it_is_waited_for_as_long_as_wanted() {
    let place = Place::fresh().orderly();
    let (first, hasty) = (place.lock(), other(&place, Duration::from_millis(300)));
    let leased = first.lease(&Lease::Prune).unwrap();
    let begun = Instant::now();
    assert_eq!(hasty.lease(&Lease::Prune).unwrap_err().code(), Code::LeaseHeld);
    assert!(begun.elapsed() >= Duration::from_millis(300));
    let patient = other(&place, Duration::from_mins(1));
    std::thread::scope(|scope| {
        let second = scope.spawn(|| patient.lease(&Lease::Prune).map(drop));
        drop(leased);
        second.join().unwrap().unwrap();
    });

    // Who wants to stop does not wait.
    let stop = Stop::default();
    let patient = Lock::acquire(&place.path(), &holder(), Duration::from_mins(1), &stop).unwrap();
    let _leased = first.lease(&Lease::Prune).unwrap();
    stop.flag().store(true, std::sync::atomic::Ordering::Relaxed);
    assert_eq!(patient.lease(&Lease::Prune).unwrap_err().code(), Code::Interrupted);
}

#[test]
fn who_takes_several_in_their_order_never_waits_for_ever() {
    let mut mixed = all();
    mixed.reverse();
    mixed.swap(0, 2);
    mixed.sort();
    assert_eq!(mixed, all());
    let place = Place::fresh();
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let lock = other(&place, Duration::from_mins(1));
                for _ in 0..5 {
                    let leases: Vec<_> = all().iter().map(|lease| lock.lease(lease).unwrap()).collect();
                    assert_eq!(leases.len(), all().len());
                }
            });
        }
    });
}

#[test]
fn a_look_at_who_holds_it_is_in_nobodys_way() {
    let place = Place::fresh();
    let (lock, done) = (place.lock(), std::sync::atomic::AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                state::leases(&place.path()).unwrap();
                state::lease_holder(&place.path(), &Lease::Pools);
            }
        });
        let missed = (0..500).filter(|_| lock.try_lease(&Lease::Pools).unwrap().is_none()).count();
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        assert_eq!(missed, 0);
    });
}

#[test]
fn who_needs_the_state_alone_waits_for_the_others_or_names_them() {
    let place = Place::fresh().orderly();
    let alone =
        |wait| Lock::alone(&place.path(), &holder(), wait, &Stop::default()).map_err(|e| (e.code(), e));
    let (one, two) = (other(&place, Duration::ZERO), other(&place, Duration::ZERO));
    drop(place.writer(&one));
    for _ in 0..2 {
        let (code, e) = alone(Duration::ZERO).unwrap_err();
        assert_eq!(code, Code::StateLocked);
        for part in [place.path().to_str().unwrap(), "\"poolctl reward cycle\" (pid 7)"] {
            assert!(e.message().contains(part), "{e}");
        }
    }
    drop(one);
    assert_eq!(alone(Duration::ZERO).unwrap_err().0, Code::StateLocked);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| alone(Duration::from_mins(1)).map(drop).map_err(|(_, e)| e));
        drop(two);
        waiting.join().unwrap().unwrap();
    });
    // Alone it is: nobody comes in.
    let lock = place.alone();
    let e = Lock::acquire(&place.path(), &holder(), Duration::ZERO, &Stop::default()).unwrap_err();
    assert_eq!(e.code(), Code::StateLocked);
    drop(place.writer(&lock));
}

const PLACE: &str = "POOLCTL_TEST_PLACE";
const READY: &str = "it holds and has written";

/// Another process that takes part in a state, leads a farm, and has written.
struct Process(Child);

impl Process {
    fn begin(place: &Place) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "leases::a_run_is_named_with_its_lease", "--nocapture"]);
        command.env(PLACE, place.path()).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = watch::spawn(&mut command).unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(lines.any(|line| line.unwrap().contains(READY)));
        Self(child)
    }

    fn killed(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// What the other process does; then, where this is that process, it stays until it is killed, or nobody is there who could.
#[test]
fn a_run_is_named_with_its_lease() {
    let (own, other) = (Place::fresh(), std::env::var_os(PLACE));
    let path = other.as_ref().map_or_else(|| own.path(), PathBuf::from);
    let holder = Holder { pid: std::process::id(), command: "farm run".to_owned(), since: 1 };
    let lock = Lock::acquire(&path, &holder, Duration::from_secs(10), &Stop::default()).unwrap();
    let mut state = State::write_access(&path, run(), &lock).unwrap();
    let _farm = lock.lease(&farm("a")).unwrap();
    state.write(Permit::of(&lock), |tx| tx.event("kind", "subject", &json!({}))).unwrap();
    for lease in ["farm:a", "run"] {
        let named = LeaseHolder { lease: lease.to_owned(), holder: Some(holder.clone()) };
        assert!(state::leases(&path).unwrap().contains(&named), "{lease}");
    }
    if other.is_some() {
        println!("{READY}");
        std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
    }
}

#[test]
fn a_lease_dies_with_its_holder() {
    let place = Place::fresh();
    let process = Process::begin(&place);
    let pid = process.0.id();
    let lock = place.lock();
    assert_eq!(
        held(&place),
        [
            ("farm:a".to_owned(), pid),
            ("run".to_owned(), std::process::id().min(pid)),
            ("run".to_owned(), std::process::id().max(pid))
        ]
    );
    let e = lock.lease(&farm("a")).unwrap_err();
    assert!(e.message().contains(&format!("\"poolctl farm run\" (pid {pid})")), "{e}");
    process.killed();
    let _leased = lock.lease(&farm("a")).unwrap();
    let mine = std::process::id();
    assert_eq!(held(&place), [("farm:a".to_owned(), mine), ("run".to_owned(), mine)]);
    assert_eq!(place.check().events, 1, "what it wrote stays");
}

/// What the lock file says.
fn said(place: &Place) -> String {
    std::fs::read_to_string(place.folder().join("state.sqlite.lock")).unwrap()
}

#[test]
fn what_a_killed_writer_left_is_looked_at_by_the_next_that_is_alone() {
    for beside in [false, true] {
        let place = Place::lived_in();
        let process = Process::begin(&place);
        let pid = process.0.id();
        if beside {
            // The other lives on, and ends in order.
            let lock = place.lock();
            let mut state = place.writer(&lock);
            process.killed();
            state.write(Permit::of(&lock), |tx| tx.event("kind", "subject", &json!({}))).unwrap();
            // Nobody is kept waiting by a look while somebody is at work.
            drop(place.writer(&other(&place, Duration::ZERO)));
            drop(state);
        } else {
            process.killed();
            assert!(said(&place).contains(&format!("\"pid\":{pid}")), "{}", said(&place));
        }
        assert!(said(&place).starts_with("{\"pid\":"), "{}", said(&place));
        let whole = std::fs::read(place.path()).unwrap();
        let mut damaged = whole.clone();
        let page = damaged.len() / 2 / 4096 * 4096;
        damaged[page..page + 64].fill(0xa5);
        std::fs::write(place.path(), damaged).unwrap();
        for _ in 0..2 {
            let e = State::write_access(&place.path(), run(), &place.lock()).unwrap_err();
            assert_eq!(e.code(), Code::StateCorrupt, "{e}");
        }
        std::fs::write(place.path(), whole).unwrap();
        let lock = place.lock();
        drop(place.writer(&lock));
        drop(lock);
        assert!(said(&place).starts_with("{\"left\":"), "{}", said(&place));
        assert!(place.check().findings.is_empty());
    }
}

#[test]
fn what_a_run_doubts_is_looked_at_by_the_next_that_is_alone() {
    for beside in [false, true] {
        let place = Place::lived_in().orderly();
        let one = beside.then(|| other(&place, Duration::ZERO));
        let lock = place.lock();
        drop(place.writer(&lock));
        lock.doubt();
        drop(lock);
        if let Some(one) = one {
            drop(place.writer(&one));
        }
        assert!(said(&place).starts_with("{\"pid\":"), "{}", said(&place));
        assert_eq!(place.files("locks"), Vec::<String>::new());
        drop(place.writer(&place.lock()));
        assert!(said(&place).starts_with("{\"left\":"), "{}", said(&place));
    }
}

#[test]
fn the_last_one_leaves_nothing_but_the_lock_file() {
    let place = Place::fresh().orderly();
    let (one, two) = (place.lock(), place.lock());
    drop((place.writer(&one), one.lease(&Lease::Pools).unwrap()));
    drop(one);
    assert_eq!(place.files("locks"), ["state.sqlite.locks"]);
    Process::begin(&place).killed();
    drop(two);
    let left = |place: &Place| {
        let mut left = place.files("");
        left.sort();
        left
    };
    // SQLite's own, of the one that was killed, go with the next that opens it.
    drop(place.writer(&place.lock()));
    assert_eq!(left(&place), ["state.sqlite", "state.sqlite.lock"]);
    // Killed with nobody beside it, what it left goes when the next one leaves.
    Process::begin(&place).killed();
    assert_eq!(place.files("locks"), ["state.sqlite.locks"]);
    drop(place.writer(&place.lock()));
    assert_eq!(left(&place), ["state.sqlite", "state.sqlite.lock"]);
}
