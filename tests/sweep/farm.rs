//! The commands of the farm, each on a network of its own.

use crate::desk::{Desk, KALE, Ledgers, XLM};
use crate::facts::Facts;
use crate::homes::filled;
use crate::same::{self, facts};
use crate::sweep::{self, Place, Row, Task};
use poolctl_sandbox::stellar::Keypair;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

/// A row for each command, and a test, so that they are tried side by side.
macro_rules! rows {
    ($($test:ident: $line:literal,)*) => {
        pub const ROWS: &[Row] = &[$(Row::new($line)),*];

        $(
            #[test]
            fn $test() {
                swept($line);
            }
        )*
    };
}

rows! {
    block: "block",
    plant: "plant",
    work: "work",
    work_submit: "work submit found.ndjson",
    harvest: "harvest",
    run_once: "farm run --once",
    reconcile: "farm reconcile",
    settle: "operations settle",
    give_up: "operations give-up 1 --reason lost --yes",
    give_up_expired: "operations give-up 2 --reason lost --yes",
    check_funding: "farmer check-funding",
    trust: "farmer trust --all",
}

/// Disturbs a command on the desk that has something to do for it.
fn swept(line: &str) {
    let place = Mutex::new(place(line));
    let task = Task { place, line: filled(line, &BTreeMap::new()), input: String::new() };
    let reached = sweep::sweep(&[task]);
    assert!(reached >= 4, "{reached}");
}

impl Place for Desk {
    type Beside = Ledgers;

    fn fork(&self) -> Self {
        self.fork()
    }

    fn folder(&self) -> &Path {
        self.home.path()
    }

    fn state(&self) -> PathBuf {
        self.state()
    }

    fn facts(&self) -> Facts {
        facts(self)
    }

    fn beside(&self) -> Ledgers {
        self.ledgers()
    }

    fn command(&self, under: &[OsString], line: &str, input: &str) -> Command {
        sweep::command(self.home.path(), under, line, input)
    }
}

/// The desk on which a row has something to do.
fn place(line: &str) -> Desk {
    match line {
        "block" | "harvest" => same::rolled(),
        "plant" => same::ripe(),
        "work" | "farm run --once" => same::ground(),
        "farm reconcile" => same::forgotten(),
        "operations settle" => same::unsettled(false),
        "operations give-up 1 --reason lost --yes" => same::unsigned(),
        "operations give-up 2 --reason lost --yes" => {
            let desk = same::unsettled(false);
            desk.network.advance_over(40, 400).unwrap();
            desk
        }
        "work submit found.ndjson" => {
            let desk = same::planted();
            let farmer = desk.farmers[0].clone();
            let (nonce, _, _) = desk.grind(&farmer, 2);
            desk.write_private(
                "found.ndjson",
                &format!("{{\"farmer\":\"{}\",\"nonce\":{nonce}}}\n", farmer.address),
            );
            desk
        }
        "farmer check-funding" => Desk::with_farmers(2, 10 * KALE),
        "farmer trust --all" => {
            let mut desk = Desk::empty();
            for name in ["ada", "bob"] {
                desk.register(name, "0.25");
                desk.network
                    .fund(&Keypair::derive(&format!("poolctl farm test: {name}")).address, 5 * XLM)
                    .unwrap();
            }
            desk
        }
        other => panic!("{other}: on which desk?"),
    }
}
