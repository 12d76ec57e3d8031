//! The shipped schedule of both halves on one state, as cron and systemd run it: on a profile that asks, beside a farm that is a
//! service, and with nobody written to as long as all is well.

use crate::desk::{BINARY, Desk, KALE, Ran, ended, until};
use crate::examples::{TERMS, command, install};
use crate::run::Clock;
use poolctl_testkit::alloy::primitives::I256;
use poolctl_testkit::examples::{job, jobs, starts, text};
use poolctl_testkit::{NodeKind, World, watch};
use rustix::process::{Pid, Signal, kill_process};
use std::fs::File;
use std::process::{Child, Output, Stdio};

/// Pools and farmers on one state.
struct Both {
    desk: Desk,
    world: World,
}

impl Both {
    /// Two pools with feeds, limits and weights, and two farmers; then a profile that asks before value moves.
    fn furnished() -> Self {
        let both = Self {
            desk: Desk::with_farmers(2, 1_000 * KALE),
            world: World::small(NodeKind::Sandbox).unwrap(),
        };
        let (desk, world) = (&both.desk, &both.world);
        install(desk);
        let url = world.node.url().to_owned();
        both.configure(&url, "");
        let (eighteen, six) = (world.eighteen, world.six);
        for line in [
            format!("pool add growth {}", eighteen.vault),
            format!("pool add stable {}", six.vault),
            "sync".to_owned(),
            format!("oracle add growth-usd --asset {} --address {}", eighteen.asset, eighteen.feed),
            "oracle check".to_owned(),
            format!("risk set growth --engine viddhana --engine-address {}", world.risk),
            "risk set stable --max-tvl 1000000".to_owned(),
            "risk check".to_owned(),
            "reward set-weight growth 0.75".to_owned(),
            "reward set-weight stable 0.25".to_owned(),
            format!("reward cycle --from {}", eighteen.deploy_block.min(six.deploy_block)),
        ] {
            desk.run(&line).exits(0);
        }
        std::fs::create_dir(desk.path("backups")).unwrap();
        both.guard(&url);
        both
    }

    fn configure(&self, evm: &str, more: &str) {
        self.desk.configure(&format!(
            "{TERMS}\nevm.rpc_urls = [\"main={evm}\"]\nevm.attempts = 2\nevm.retry_base_ms = 1\nreward.asset = \"{}\"\n\
             reward.epoch_blocks = 10\n{more}",
            self.world.eighteen.asset
        ));
    }

    /// It asks, and a channel waits for what there is to tell.
    fn guard(&self, evm: &str) {
        let here = self.desk.home.path().display();
        let channel = "notify.channels.ops = { service = \"ntfy\", url = \"http://127.0.0.1:1/x\" }";
        self.configure(
            evm,
            &format!(
                "guard.confirm = true\n{channel}\nschedule.backup_folder = \"{here}/backups\"\n\
                 schedule.metrics_file = \"{here}/all.prom\""
            ),
        );
    }

    /// What a unit of the examples starts.
    fn unit(&self, name: &str) -> Child {
        let starts = starts(&text(name));
        let [start] = starts.as_slice() else { panic!("{name}: {starts:?}") };
        let mut run = command(&self.desk, BINARY);
        run.args(start.strip_prefix("/usr/local/bin/poolctl ").unwrap().split(' '));
        // It says more than a pipe holds.
        let journal = File::create(self.desk.path("journal")).unwrap();
        watch::spawn(run.stdout(journal).stderr(Stdio::piped())).unwrap()
    }

    /// Stops a unit, which is to end well.
    fn stops(&self, unit: Child) -> Ran {
        kill_process(Pid::from_child(&unit), Signal::TERM).unwrap();
        let output = unit.wait_with_output().unwrap();
        let stdout = std::fs::read(self.desk.path("journal")).unwrap();
        let ran = Ran::of(BINARY, Output { stdout, ..output });
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{}", ran.stdout);
        ran
    }

    /// Lets the schedule think that so many minutes more have passed.
    fn passes(&self, minutes: u32) {
        self.desk.sqlite().execute("UPDATE runs SET last_run_at = last_run_at - 60 * ?1", [minutes]).unwrap();
    }

    /// The next minute of cron: every job that is due in it, all at once. What it sends by mail, with how the job ended.
    fn minute(&self, minute: u32) -> Vec<(String, Ran)> {
        self.passes(1);
        let price = I256::try_from(200_000_000_000_i64).unwrap();
        self.world.set_answer(self.world.eighteen.feed, price, None).unwrap();
        self.world.node.mine(2).unwrap();
        let table = text("schedule/crontab");
        let jobs = jobs(&table);
        assert_eq!(jobs.len(), 3);
        let start = |line: &&str| {
            let mut sh = command(&self.desk, "sh");
            sh.arg("-c").arg(job(line)).stdout(Stdio::piped()).stderr(Stdio::piped());
            ((*line).to_owned(), watch::spawn(&mut sh).unwrap())
        };
        let is_due = |line: &&&str| match line.split_whitespace().next().unwrap().split_once('/') {
            Some((_, step)) => minute.is_multiple_of(step.parse().unwrap()),
            None => true,
        };
        let children: Vec<(String, Child)> = jobs.iter().filter(is_due).map(start).collect();
        let ran = children.into_iter().map(|(line, child)| (line, ended(child)));
        let is_mail = |(line, ran): &(String, Ran)| {
            let silent = ran.stdout.is_empty() && ran.stderr.is_empty();
            assert_eq!(silent, ran.code == Some(0), "{line}: {ran:?}");
            !silent
        };
        ran.filter(is_mail).collect()
    }

    fn count(&self, rows: &str) -> i64 {
        self.desk.value(&format!("SELECT count(*) FROM {rows}"))
    }
}

#[test]
fn twelve_blocks_beside_a_farm_service_are_no_mail_and_what_is_wrong_is_one() {
    let both = Both::furnished();
    let desk = &both.desk;
    desk.ripen();
    let (epochs, synced) = ("pool_reward_epochs", "pool_snapshots");
    let before = (both.count(epochs), both.count(synced));
    let farm = both.unit("farm/poolctl-farm.service");
    until("it leads the farm", || {
        state::leases(&desk.state()).unwrap().iter().any(|held| held.lease.starts_with("farm:"))
    });
    let clock = Clock::start(desk, 30);
    both.passes(5);
    let end = desk.farm().index + 12;
    let mut minutes = 0;
    while desk.farm().index < end {
        let mails = both.minute(minutes);
        assert!(mails.is_empty(), "{mails:?}");
        minutes += 1;
    }
    assert!(minutes >= 3, "{minutes} of cron's minutes in twelve blocks");
    // All of it was done, side by side.
    assert!(both.count(epochs) > before.0 && both.count(synced) > before.1);
    assert!(both.count("harvests WHERE outcome = 'harvested'") >= 20);
    assert_eq!(both.count("harvests WHERE outcome = 'lost'"), 0);
    assert_eq!(both.count("runs WHERE exit_code <> 0"), 0);
    assert!(desk.path("all.prom").exists());
    assert_eq!(std::fs::read_dir(desk.path("backups")).unwrap().count(), 1);
    // No endpoint of the pools answers: one mail, from the one job that is concerned, and it says what is wrong.
    both.guard("http://127.0.0.1:1");
    both.passes(5);
    let mails = both.minute(1);
    let [(line, ran)] = mails.as_slice() else { panic!("{mails:?}") };
    assert!(line.contains("poolctl run"), "{line}");
    assert_eq!(ran.code, Some(75), "{ran:?}");
    let parts =
        [("sync", "failed"), ("oracle", "failed"), ("risk", "done"), ("cycle", "failed"), ("farm", "done")];
    for (part, status) in parts {
        let row = ran.stdout.lines().find(|row| row.starts_with(part)).unwrap();
        assert!(row.contains(status), "{row}");
    }
    assert!(ran.stderr.contains("\nerror: 3 parts of the schedule did not go well"), "{}", ran.stderr);
    both.stops(farm);
    drop(clock);
    desk.is_sound();
}

#[test]
fn the_service_does_both_halves() {
    let both = Both::furnished();
    let desk = &both.desk;
    // Alone, from cron.
    desk.ripen();
    let clock = Clock::start(desk, 40);
    let mails = both.minute(0);
    assert!(mails.is_empty(), "{mails:?}");
    assert_eq!((both.count("plantings WHERE outcome = 'planted'"), both.count("works")), (2, 2));
    // As a service; the farm is looked at more often than each minute.
    let text = std::fs::read_to_string(desk.home.config()).unwrap();
    desk.home.write_config(&format!("{text}\nschedule.farm = \"1s\"\n"));
    desk.sqlite().execute("DELETE FROM runs", []).unwrap();
    // One of the same second would be in the way.
    for copy in std::fs::read_dir(desk.path("backups")).unwrap() {
        std::fs::remove_file(copy.unwrap().path()).unwrap();
    }
    let child = both.unit("schedule/poolctl.service");
    until("two more blocks are worked", || both.count("works") >= 6);
    let noted = || desk.column("SELECT command FROM runs WHERE exit_code = 0 ORDER BY command");
    let all = [
        "farm run",
        "metrics",
        "oracle check",
        "reward cycle",
        "risk check",
        "state backup",
        "state prune",
        "sync",
    ];
    until("everything is done", || noted() == all);
    let ran = both.stops(child);
    drop(clock);
    let parts = ran.stdout.lines().filter(|line| line.contains("\"type\":\"part\"")).count();
    assert!(parts >= all.len(), "{}", ran.stdout);
    assert_eq!(ran.last()["ok"], true);
    desk.is_sound();
}
