//! The command-line contract: envelope, exit codes, the split of stdout and stderr, closed pipes, panics.

use crate::support::{Home, canary};
use std::fs::File;
use std::process::Stdio;

#[test]
fn success_in_both_forms() {
    let home = Home::ready();
    let ran = home.run("state path --json").exits(0);
    let path = home.state();
    let want = format!(
        "{{\"schema_version\":1,\"command\":\"state path\",\"ok\":true,\"data\":{{\"path\":{:?},\"exists\":true}},\"warnings\":[],\"error\":null}}\n",
        path.to_str().unwrap()
    );
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), (want.as_str(), ""));
    assert_eq!(home.run("state path").ok(), format!("{}\n", path.display()));
}

#[test]
fn failure_in_both_forms() {
    let home = Home::empty();
    let envelope = home.run("events").fails(2, "state_missing");
    assert_eq!(envelope["command"], "events");
    assert!(envelope["data"].is_null());
    let ran = home.run("events").exits(2);
    assert_eq!(ran.stdout, "");
    let want = format!(
        "error: there is no state at {}\nhint: create it with: poolctl init (or name another one with --state)\n",
        home.state().display()
    );
    assert_eq!(ran.stderr, want);
}

#[test]
fn usage_errors_are_one_document_too() {
    let home = Home::empty();
    for (line, command, needle) in [
        ("--json --no-such-flag", "", "--no-such-flag"),
        ("state bakup x --json", "state", "bakup"),
        ("config set --json", "config set", "<KEY>"),
        ("--json", "", "subcommand"),
        ("state --json", "state", "subcommand"),
        ("events --limit 0 --json", "events", "--limit"),
        ("events --limit 1 --verify --json", "events", "--verify"),
        ("events --json -v --quiet", "events", "--quiet"),
    ] {
        let envelope = home.run(line).exits(2).envelope();
        assert_eq!((&envelope["command"], &envelope["error"]["code"]), (&command.into(), &"usage".into()));
        assert!(envelope["error"]["message"].as_str().unwrap().contains(needle), "{envelope}");
        assert!(envelope["error"]["hint"].as_str().unwrap().contains("--help"), "{envelope}");
    }
    let envelope = home.run("info --wait 30 --json").exits(2).envelope();
    assert_eq!(envelope["error"]["code"], "invalid_value", "a value parser's own code");

    let ran = home.run("state bakup x").exits(2);
    assert_eq!(ran.stdout, "");
    assert!(ran.stderr.starts_with("error: unrecognized subcommand 'bakup'\nhint: "), "{}", ran.stderr);
    assert!(ran.stderr.contains("'backup'"), "{}", ran.stderr);
}

#[test]
fn texts_that_were_asked_for_go_to_stdout() {
    let home = Home::empty();
    assert_eq!(home.run("--version").ok(), format!("poolctl {}\n", env!("CARGO_PKG_VERSION")));
    assert!(home.run("state --help").ok().contains("Usage: poolctl state"));
    let ran = home.run("").exits(2);
    assert!(ran.stdout.is_empty() && ran.stderr.contains("Usage: poolctl"), "{ran:?}");
}

#[test]
fn a_dry_run_says_so() {
    let home = Home::ready();
    let before = crate::support::digest(&home.state());
    let envelope = home.run("config set oracle.cache_ttl_sec 60 --dry-run --json").exits(0).envelope();
    assert_eq!(envelope["dry_run"], true);
    assert_eq!(envelope["data"]["new"], "60");
    let ran = home.run("config set oracle.cache_ttl_sec 60 --dry-run").exits(0);
    assert_eq!(ran.stderr, "dry run: nothing was written\n");
    assert_eq!(crate::support::digest(&home.state()), before);
    assert_eq!(home.run("events").json()["events"].as_array().unwrap().len(), 0);
    let live = home.run("config set oracle.cache_ttl_sec 60 --json").exits(0).envelope();
    assert!(live.get("dry_run").is_none());
}

#[test]
fn a_closed_pipe_ends_quietly() {
    let home = Home::ready();
    for line in ["config show", "config show --json", "--help"] {
        let mut run = home.run(line);
        // A pipe whose reading end is closed before the program starts.
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = poolctl_testkit::watch::spawn(run.command.stdout(writer).stderr(Stdio::piped()))
            .unwrap()
            .wait_with_output()
            .unwrap();
        assert_eq!(output.status.code(), Some(0), "{line}");
        assert_eq!(String::from_utf8(output.stderr).unwrap(), "", "{line}");
    }
}

#[test]
fn a_full_disk_under_stdout_is_a_failure() {
    let home = Home::ready();
    let full = File::options().write(true).open("/dev/full").unwrap();
    let output =
        poolctl_testkit::watch::spawn(home.run("config show").command.stdout(full).stderr(Stdio::piped()))
            .unwrap()
            .wait_with_output()
            .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stderr).unwrap().starts_with("error: cannot write to stdout: "));
}

#[test]
fn colours_only_where_asked() {
    let home = Home::ready();
    assert!(!home.run("config show").ok().contains('\u{1b}'));
    assert!(home.run("config show --color always").ok().contains("\u{1b}["));
    let ran = home.run("--color=always nonsense").exits(2);
    assert!(ran.stderr.contains("\u{1b}[1;31merror:"), "{}", ran.stderr);
    assert!(home.run("--color always --help").ok().contains("\u{1b}["));
}

#[test]
fn a_panic_is_a_bug_and_tells_no_secret() {
    let home = Home::ready();
    let secret = canary();
    let at = format!("panic:{secret}");
    let ran = home.run("info").env("POOLCTL_CRASH_AT", &at).exits(1);
    ran.hides(&secret);
    assert_eq!(ran.stdout, "");
    assert!(ran.stderr.starts_with("error: poolctl ") && ran.stderr.contains("main.rs:"), "{}", ran.stderr);
    let ran = home.run("info --json -vv --metrics-file m.prom").env("POOLCTL_CRASH_AT", &at).exits(1);
    ran.hides(&secret);
    home.hides(&secret);
    assert_eq!(ran.envelope()["error"]["code"], "bug");
    assert!(home.path().join("m.prom").exists());
}

#[test]
fn endpoint_keys_are_never_shown() {
    let home = Home::ready();
    let secret = canary();
    let urls = format!("main=https://user:{secret}@rpc.example.org/v2/{secret}?key={secret}");
    for line in ["config show --origin", "info", "config show --json", "info --json", "config check -vv"] {
        let ran = home.run(line).env("RPC_URLS", &urls).exits(0);
        ran.hides(&secret);
        if line.starts_with("config show") || line.starts_with("info") {
            assert!(ran.stdout.contains("rpc.example.org"), "{}", ran.stdout);
        }
    }
    let broken = format!("main=gopher://{secret}");
    home.run("config show").env("RPC_URLS", &broken).exits(2).hides(&secret);
    let check = home.run("config check").env("POOLCTL_EVM_RPC_URLS", &broken).exits(5);
    check.hides(&secret);
    home.write_config(&format!("[profiles.sandbox]\nevm.rpc_urls = ['{secret}'\n"));
    home.run("config show").exits(2).hides(&secret);
    home.hides(&secret);
}

#[test]
fn logs_go_to_stderr_as_much_as_asked() {
    let home = Home::ready();
    let logged = |run: crate::support::Run| {
        let ran = run.exits(0);
        assert!(serde_json::from_str::<serde_json::Value>(&ran.stdout).is_ok(), "{ran:?}");
        ran.stderr
    };
    let run = || home.run("info --json");
    assert_eq!(logged(run()), "");
    let debug = logged(run().arg("-v"));
    assert!(debug.contains("DEBUG poolctl_app") && debug.contains("profile=\"sandbox\""), "{debug}");
    assert!(logged(run().env("LOG_LEVEL", "debug")).contains("DEBUG"));
    assert_eq!(logged(run().env("LOG_LEVEL", "debug").arg("--quiet")), "", "the flag is stronger");
    assert_eq!(logged(run().env("POOLCTL_LOG_LEVEL", "off")), "");
}
