//! `doctor` without a network that answers: settings, files, state, endpoints that are silent; and no secret.

use crate::support::{Home, canary, digest};
use poolctl_testkit::Mute;
use poolctl_testkit::doctor::{line, stands};
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

#[test]
fn endpoints_are_asked_side_by_side() {
    let home = Home::ready();
    let mutes = [(); 4].map(|()| Mute::start().unwrap());
    let [one, two, three, four] = mutes.each_ref().map(Mute::url);
    let limit = 3;
    home.write_config(&format!(
        "[profiles.sandbox]\nevm.rpc_urls = ['one={one}', 'two={two}']\nstellar.rpc_urls = ['three={three}', 'four={four}']\n\
         evm.timeout_sec = {limit}\nstellar.timeout_sec = {limit}\n"
    ));
    let begun = Instant::now();
    let envelope = home.run("doctor").fails(5, "check_failed");
    let took = begun.elapsed();
    for (area, name) in [("evm", "one"), ("evm", "two"), ("stellar", "three"), ("stellar", "four")] {
        stands(&envelope["data"], area, &format!("\"{name}\""), "fail", &format!("within {limit}s"));
    }
    // One after the other they would take four times as long, and with retries more.
    assert!(took < Duration::from_secs(limit * 2), "{took:?}");
    assert!(took >= Duration::from_secs(limit - 1), "nobody was asked: {took:?}");
}

#[test]
fn everything_is_told_although_much_is_wrong() {
    let home = Home::farming();
    let secret = canary();
    home.farm("farmer register --pooler north --stake-percentage 0.1").exits(0);
    std::fs::set_permissions(home.keys(), PermissionsExt::from_mode(0o644)).unwrap();
    let folder = home.state().parent().unwrap().to_owned();
    std::fs::set_permissions(&folder, PermissionsExt::from_mode(0o777)).unwrap();
    std::fs::write(home.path().join("pass"), &secret).unwrap();
    home.write_config(&format!(
        "[profiles.sandbox]\nevm.rpc_urls = ['main=http://user:{secret}@127.0.0.1:1/v2/{secret}?key={secret}']\n\
         keys.passphrase_file = '{}'\nkeys.passphrase_command = 'echo {secret}'\n",
        home.path().join("pass").display()
    ));
    std::fs::set_permissions(home.config(), PermissionsExt::from_mode(0o644)).unwrap();
    let before = digest(&home.state());
    let ran = home.run("doctor --json").exits(5);
    ran.hides(&secret);
    let envelope = ran.envelope();
    let data = &envelope["data"];
    stands(data, "config", "settings", "fail", "can be read by others");
    stands(data, "files", "key store", "fail", "mode 0644");
    stands(data, "files", "passphrase file", "fail", "others than its owner");
    stands(data, "files", "state folder", "warn", "mode 0777");
    assert!(line(data, "files", "free disk")["found"].as_str().unwrap().contains("MiB free"));
    stands(data, "state", "quick check", "ok", "ok");
    stands(data, "state", "sqlite", "ok", rusqlite::version());
    stands(data, "state", "write-ahead log", "ok", "KiB");
    stands(data, "evm", "\"main\" (http://127.0.0.1:1)", "fail", "cannot connect");
    // A farmer asks for the Stellar network, which is not set up here.
    stands(data, "stellar", "endpoints", "fail", "");
    assert_eq!(data["verdict"], "fail");
    let sum = ["ok", "warn", "fail"].map(|name| data[name].as_u64().unwrap()).iter().sum::<u64>();
    assert_eq!(usize::try_from(sum).unwrap(), data["checks"].as_array().unwrap().len());
    assert_eq!(envelope["error"]["hint"], line(data, "config", "settings")["fix"]);

    let ran = home.run("doctor").exits(5);
    ran.hides(&secret);
    assert!(ran.stdout.contains("chmod 600 ") && ran.stdout.contains("FAIL"), "{ran:?}");
    assert_eq!(digest(&home.state()), before);
}

#[test]
fn a_state_that_cannot_be_read_hides_nothing_else() {
    let home = Home::empty();
    let data = &home.run("doctor").env("RPC_URLS", "http://127.0.0.1:1").fails(5, "check_failed")["data"];
    stands(data, "state", "file", "fail", "there is no state");
    stands(data, "evm", "\"127.0.0.1:1\"", "fail", "cannot connect");

    let home = Home::ready();
    std::fs::write(home.state(), "no database".repeat(1000)).unwrap();
    let data = &home.run("doctor").fails(5, "check_failed")["data"];
    stands(data, "state", "file", "fail", "not a readable");
    stands(data, "state", "sqlite", "ok", "version");

    // Another network's.
    let home = Home::ready();
    home.sqlite().execute("INSERT INTO meta VALUES ('evm_chain_id', '5')", []).unwrap();
    let data = &home.run("doctor").fails(5, "check_failed")["data"];
    stands(data, "state", "network", "fail", "belongs to evm_chain_id 5");
}

#[test]
fn settings_that_cannot_be_read_are_a_finding_too() {
    let home = Home::ready();
    home.write_config("profile = ");
    let data = &home.run("doctor").fails(5, "check_failed")["data"];
    assert_eq!(line(data, "config", "settings")["status"], "fail");
    stands(data, "state", "sqlite", "ok", "version");
    stands(data, "state", "file", "warn", "not looked at");
    home.run("doctor --profile nosuch --config /dev/null").fails(2, "unknown_profile");
}

/// Pages that SQLite does not take for its own.
#[test]
fn a_damaged_state_fails_its_quick_check() {
    let home = Home::ready();
    let conn = home.sqlite();
    conn.execute_batch(
        "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET rootpage = 3 WHERE name = 'events_by_run'",
    )
    .unwrap();
    drop(conn);
    let data = &home.run("doctor").fails(5, "check_failed")["data"];
    assert_eq!(line(data, "state", "quick check")["status"], "fail", "{data}");
    assert!(line(data, "state", "quick check")["fix"].as_str().unwrap().contains("state restore"));
}
