//! A passphrase and a secret key: in no output, log, file, metric or request of a whole round, whatever goes wrong.

use crate::desk::{BINARY, Desk, KALE, XLM, until};
use crate::same;
use poolctl_sandbox::fault::Fault as Wrong;
use poolctl_sandbox::stellar::Keypair;
use poolctl_testkit::cli::files;
use poolctl_testkit::{Proxy, tools, watch};

const PASSPHRASE: &str = "CaNaRy-of-the-key-store-5f1e";

fn holds(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

#[test]
fn secrets_are_shown_and_stored_nowhere_in_a_whole_round() {
    let mut desk = Desk::empty();
    let wire = Proxy::start(&desk.network.url()).unwrap();
    desk.write_private("passphrase.txt", PASSPHRASE);
    let passphrase = format!("keys.passphrase_file = \"{}\"", desk.path("passphrase.txt").display());
    desk.write_config(&[wire.url()], &format!("{passphrase}\n{}", same::STAKES));
    let config = desk.path(".config/poolctl/config.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    let kept: Vec<&str> = text.lines().filter(|line| !line.starts_with("keys.identity_file")).collect();
    std::fs::write(&config, kept.join("\n")).unwrap();

    let farmer = desk.register("canary", "0.25");
    let secret = Keypair::derive("poolctl farm test: canary").secret;
    let seed = farmer.key.to_bytes();
    let hex = kale::nonces::hex(&seed);
    let secrets: [&[u8]; 4] = [PASSPHRASE.as_bytes(), secret.as_bytes(), &seed, hex.as_bytes()];
    desk.network.fund(&farmer.address, 100 * XLM).unwrap();
    desk.trust(std::slice::from_ref(&farmer));
    desk.network.fund_kale(&farmer.address, 1_000 * KALE).unwrap();
    let metrics = desk.path("metrics.prom");
    let hidden = |line: &str| {
        let run = desk.run(line).arg("-vv").arg("--metrics-file").arg(metrics.to_str().unwrap());
        let (shown, ran) = run.ends();
        for secret in secrets {
            for said in [&ran.stdout, &ran.stderr] {
                assert!(!holds(said.as_bytes(), secret), "{shown} said a secret: {said}");
            }
            for file in files(desk.home.path()) {
                if file.ends_with("passphrase.txt") || file.ends_with("wrong.txt") {
                    continue;
                }
                assert!(!holds(&std::fs::read(&file).unwrap(), secret), "{shown}: {}", file.display());
            }
        }
        ran.code
    };

    desk.ripen();
    // A passphrase that is wrong is as secret as the right one.
    desk.write_private("wrong.txt", &format!("{PASSPHRASE}2"));
    assert_eq!(hidden("plant --passphrase-file wrong.txt --json"), Some(12));
    desk.network.fault("sendTransaction", Wrong::BadJson, 1);
    assert_eq!(hidden("plant"), Some(0));
    desk.age(281);
    desk.network.fault("sendTransaction", Wrong::DropAfter, 1);
    assert_eq!(hidden("work --json"), Some(0));
    desk.ripen();
    desk.plant(&desk.stranger(), 0);
    desk.network.fault("getTransaction", Wrong::BadXdr, 1);
    assert_eq!(hidden("harvest"), Some(0));
    assert_eq!(desk.value::<i64>("SELECT count(*) FROM harvests WHERE outcome = 'harvested'"), 1);
    for line in
        ["farm plan --json", "block", "info --json", "config show --origin", "events --json", "farmer list"]
    {
        assert_eq!(hidden(line), Some(0), "{line}");
    }
    for request in wire.requests() {
        let text = request.to_string();
        assert!(secrets.iter().all(|secret| !holds(text.as_bytes(), secret)), "sent: {text}");
    }
}

/// Debug builds let themselves be traced where a test asks for it; this one does not ask.
#[test]
fn the_keys_are_kept_out_of_dumps_and_of_other_processes() {
    let desk = same::ripe();
    let log = desk.path("strace.log");
    let mut traced = std::process::Command::new(tools::debian("strace").unwrap());
    traced.args([
        "-f",
        "-qq",
        "-e",
        "trace=prctl,prlimit64,setrlimit,mlock,openat",
        "-E",
        "LD_LIBRARY_PATH",
        "-o",
    ]);
    traced.arg(&log).arg(BINARY).args(["farmer", "list", "--keys"]).current_dir(desk.home.path());
    traced.env("HOME", desk.home.path()).env("USER", "tester").env_remove("POOLCTL_TRACED");
    let output = watch::output(&mut traced).unwrap();
    assert!(output.status.success(), "{output:?}");
    let log = std::fs::read_to_string(log).unwrap();
    let place = |words: &[&str]| {
        let line = log.lines().position(|line| words.iter().all(|word| line.contains(word)));
        line.unwrap_or_else(|| panic!("{words:?}: {log}"))
    };
    let core = place(&["RLIMIT_CORE", "rlim_cur=0, rlim_max=0", "= 0"]);
    let concealed = place(&["PR_SET_DUMPABLE", "SUID_DUMP_DISABLE", "= 0"]);
    let identity = place(&["openat", "identity.txt"]);
    let locked = place(&["mlock("]);
    assert!(core < concealed && concealed < identity && identity < locked, "{log}");

    let ledgers = desk.ledgers();
    let mut child = desk.run("farm run").spawn();
    let limits = || std::fs::read_to_string(format!("/proc/{}/limits", child.id())).unwrap();
    let is_off = |text: &str| {
        let line = text.lines().find(|line| line.starts_with("Max core file size"));
        line.is_some_and(|line| line.split_whitespace().skip(4).take(2).eq(["0", "0"]))
    };
    until("core dumps are off", || is_off(&limits()));
    child.kill().unwrap();
    child.wait().unwrap();
    drop(ledgers);
}
