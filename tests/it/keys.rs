//! The key store's file and what unlocks it: every way in, and every way in which it cannot be unlocked (exit 12).

use crate::support::{Home, Run};
use secrecy::ExposeSecret;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

const REGISTER: &str = "farmer register --pooler north --stake-percentage 0.25";
const LIST: &str = "farmer list --keys";

fn chmod(path: &std::path::Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// A home whose key store has one key, locked with this passphrase.
fn with_passphrase(passphrase: &str) -> Home {
    let home = Home::ready();
    home.run("pooler add north").ok();
    home.run(REGISTER).env("POOLCTL_PASSPHRASE", passphrase).ok();
    home
}

#[test]
fn a_passphrase_comes_from_the_first_source_there_is() {
    let home = with_passphrase("correct horse");
    let right = home.write_private("right", "correct horse\n");
    let wrong = home.write_private("wrong", "wrong");
    fs::create_dir(home.path().join("creds")).unwrap();
    fs::copy(&right, home.path().join("creds/poolctl-passphrase")).unwrap();
    chmod(&home.path().join("creds/poolctl-passphrase"), 0o440);
    let list = || home.run(LIST);
    list().env("POOLCTL_PASSPHRASE", "correct horse").exits(0);
    // Each source against the wrong one below it.
    let credential = |run: Run| run.env("CREDENTIALS_DIRECTORY", "creds");
    credential(list()).env("POOLCTL_PASSPHRASE", "wrong").exits(0);
    let command = |run: Run, what: &str| run.env("POOLCTL_KEYS_PASSPHRASE_COMMAND", what);
    command(credential(list()), "echo correct horse").exits(0);
    command(credential(list()), "cat wrong").fails(12, "wrong_passphrase");
    command(list(), "cat wrong").arg("--passphrase-file").arg(&right).exits(0);
    list().env("POOLCTL_KEYS_PASSPHRASE_FILE", right.to_str().unwrap()).exits(0);
    let flag = list().env("POOLCTL_KEYS_PASSPHRASE_FILE", wrong.to_str().unwrap());
    flag.arg("--passphrase-file").arg(&right).exits(0);
    // An identity file does not unlock what a passphrase locks.
    list().env("POOLCTL_KEYS_IDENTITY_FILE", "right").fails(12, "no_passphrase");
}

#[test]
fn sources_that_give_no_passphrase() {
    let home = with_passphrase("x");
    let before = home.snapshot();
    let open = home.write_private("open", "x");
    chmod(&open, 0o644);
    home.write_private("empty", "\n");
    home.write_private("two", "x\ny\n");
    let flag = |name: &str| home.run(LIST).arg("--passphrase-file").arg(home.path().join(name));
    let command = |text: &str| home.run(LIST).env("POOLCTL_KEYS_PASSPHRASE_COMMAND", text);
    for (run, code, needle) in [
        (home.run(LIST), "no_passphrase", "nobody can be asked"),
        (flag("open"), "keys_exposed", "mode 0644"),
        (flag("absent"), "no_passphrase", "there is no passphrase file"),
        (flag("empty"), "no_passphrase", "is empty"),
        (flag("two"), "no_passphrase", "more than one line"),
        (command("exit 3"), "no_passphrase", "failed: exit status: 3"),
        (command("true"), "no_passphrase", "is empty"),
    ] {
        let envelope = run.fails(12, code);
        let message = envelope["error"]["message"].as_str().unwrap();
        assert!(message.contains(needle), "{message}");
        assert!(envelope["error"]["hint"].is_string(), "{message}");
    }
    let hint = flag("open").fails(12, "keys_exposed")["error"]["hint"].as_str().unwrap().to_owned();
    assert!(hint.starts_with(&format!("run: chmod 600 {}", open.display())), "{hint}");
    assert_eq!(home.snapshot(), before);
}

#[test]
fn a_passphrase_command_is_never_shown() {
    let home = Home::ready();
    let run = |line: &str| home.run(line).env("POOLCTL_KEYS_PASSPHRASE_COMMAND", "echo hunter2");
    for line in ["config show --origin", "config show --json", "info --json", "config check -vv"] {
        run(line).exits_one_of(&[0, 5]).hides("hunter2");
    }
    assert!(run("config show").ok().contains("set, not shown"));
}

/// A file that asks for 8 GiB and a minute of work: refused by its header, before anything is computed.
#[test]
fn a_store_that_asks_for_too_much_work_is_refused() {
    let home = with_passphrase("x");
    let own = fs::read(home.keys()).unwrap();
    let header = String::from_utf8_lossy(&own);
    let stanza = header.lines().nth(1).unwrap().to_owned();
    assert!(
        stanza.starts_with("-> scrypt ") && stanza.ends_with(" 18"),
        "what is written is fixed: {stanza}"
    );
    for (work, needs) in
        [("21", "2 GiB"), ("23", "8 GiB"), ("63", "8 EiB"), ("99", "more than any machine has")]
    {
        let mut file = format!(
            "age-encryption.org/v1\n-> scrypt {} {work}\n{}\n--- {}\n",
            "A".repeat(22),
            "A".repeat(43),
            "A".repeat(43)
        )
        .into_bytes();
        file.resize(file.len() + 64, 0);
        fs::write(home.keys(), file).unwrap();
        let before = home.snapshot();
        for line in [LIST, REGISTER] {
            let envelope = home.run(line).env("POOLCTL_PASSPHRASE", "x").fails(12, "keys_corrupt");
            let message = envelope["error"]["message"].as_str().unwrap();
            assert!(message.contains(&format!("work factor of {work}, which needs {needs}")), "{message}");
            assert!(message.contains("at most 20 (1 GiB)"), "{message}");
            assert_eq!(home.snapshot(), before, "{line} {work}");
        }
    }
}

/// Each way in which the store cannot be unlocked: its code, and that neither file nor state changes.
#[test]
fn a_store_that_cannot_be_unlocked() {
    let home = Home::farming();
    home.farm(REGISTER).ok();
    let good = fs::read(home.keys()).unwrap();
    let stranger = age::x25519::Identity::generate();
    home.write_private("stranger.txt", stranger.to_string().expose_secret());
    home.write_private("garbage.txt", "AGE-SECRET-KEY-1NONSENSE\n");
    home.write_private("nothing.txt", "# none\n");
    let mut flipped = good.clone();
    *flipped.last_mut().unwrap() ^= 1;
    // The checksum of the header, and the share that the identity is tried on: that looks like another's.
    let mut header = good.clone();
    let checksum = header.windows(5).position(|part| part == b"\n--- ").unwrap();
    header[checksum + 10] = if header[checksum + 10] == b'A' { b'B' } else { b'A' };
    let mut share = good.clone();
    share[40] = if share[40] == b'A' { b'B' } else { b'A' };
    let mut version = good.clone();
    version[..22].copy_from_slice(b"age-encryption.org/v9\n");
    let not_ours = age::encrypt(
        &fs::read_to_string(home.path().join("identity.txt"))
            .unwrap()
            .lines()
            .last()
            .unwrap()
            .parse::<age::x25519::Identity>()
            .unwrap()
            .to_public(),
        b"{\"version\":2,\"keys\":[],\"sponsor\":null}",
    )
    .unwrap();
    for (bytes, identity, code) in [
        (&good, Some("stranger.txt"), "wrong_identity"),
        (&good, Some("garbage.txt"), "no_passphrase"),
        (&good, Some("nothing.txt"), "no_passphrase"),
        (&good, Some("absent.txt"), "no_passphrase"),
        (&good, None, "no_passphrase"),
        (&good[..good.len() - 1].to_vec(), Some("identity.txt"), "keys_corrupt"),
        (&good[..100].to_vec(), Some("identity.txt"), "keys_corrupt"),
        (&Vec::new(), Some("identity.txt"), "keys_corrupt"),
        (&b"hello".to_vec(), Some("identity.txt"), "keys_corrupt"),
        (&flipped, Some("identity.txt"), "keys_corrupt"),
        (&header, Some("identity.txt"), "keys_corrupt"),
        (&share, Some("identity.txt"), "wrong_identity"),
        (&version, Some("identity.txt"), "keys_corrupt"),
        (&not_ours, Some("identity.txt"), "keys_corrupt"),
    ] {
        fs::write(home.keys(), bytes).unwrap();
        let before = home.snapshot();
        for line in [LIST, REGISTER] {
            let run = home.run(line);
            let run = match identity {
                Some(name) => run.env("POOLCTL_KEYS_IDENTITY_FILE", name),
                None => run,
            };
            let envelope = run.fails(12, code);
            assert!(envelope["error"]["hint"].is_string(), "{envelope}");
            assert_eq!(home.snapshot(), before, "{line} {code}");
        }
    }
    fs::write(home.keys(), &good).unwrap();
    chmod(&home.keys(), 0o644);
    let before = home.snapshot();
    for line in [LIST, REGISTER] {
        let envelope = home.farm(line).fails(12, "keys_exposed");
        let hint = envelope["error"]["hint"].as_str().unwrap();
        assert!(hint.contains(&format!("chmod 600 {}", home.keys().display())), "{hint}");
    }
    assert_eq!(home.snapshot(), before);
    chmod(&home.keys(), 0o600);
    home.farm(LIST).exits(0);
    // Gone: while there are farmers, no new one is begun in its place.
    fs::rename(home.keys(), home.path().join("away")).unwrap();
    for line in [LIST, REGISTER] {
        home.farm(line).fails(12, "keys_missing");
        assert!(!home.keys().exists());
    }
    fs::rename(home.path().join("away"), home.keys()).unwrap();
    home.farm(LIST).exits(0);
}

#[test]
fn the_file_is_private_and_replaced_whole() {
    let home = Home::farming();
    home.farm(REGISTER).ok();
    let mode = || fs::metadata(home.keys()).unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode(), 0o600);
    // What a killed run left behind is no obstacle, and no way to make the new file readable.
    let draft = home.keys().with_file_name(".sandbox.keys.age.0123456789abcdef.draft");
    fs::write(&draft, "left behind").unwrap();
    chmod(&draft, 0o644);
    home.farm(REGISTER).ok();
    assert_eq!(mode(), 0o600);
    assert!(!draft.exists());
    // Through a link, the file behind it is replaced.
    let real = home.path().join("real.age");
    fs::rename(home.keys(), &real).unwrap();
    std::os::unix::fs::symlink(&real, home.keys()).unwrap();
    let before = fs::read(&real).unwrap();
    home.farm(REGISTER).ok();
    assert!(fs::symlink_metadata(home.keys()).unwrap().is_symlink());
    assert_ne!(fs::read(&real).unwrap(), before);
    assert_eq!(home.farm(LIST).json()["keys"]["keys"], 3);
}

#[test]
fn a_key_store_of_another_place() {
    let home = Home::farming();
    home.farm(REGISTER).env("POOLCTL_KEYS_PATH", "vault/k.age").ok();
    assert!(home.path().join("vault/k.age").exists() && !home.keys().exists());
    assert_eq!(fs::metadata(home.path().join("vault")).unwrap().permissions().mode() & 0o777, 0o700);
    home.farm(LIST).env("POOLCTL_KEYS_PATH", "vault/k.age").exits(0);
    // A farmer whose key is elsewhere is named, with exit code 5.
    let other = home.farm(LIST).env("POOLCTL_KEYS_PATH", "other.age");
    other.fails(12, "keys_missing");
}

#[test]
fn farmers_without_a_key_are_named() {
    let home = Home::farming();
    home.farm(REGISTER).ok();
    let first = fs::read(home.keys()).unwrap();
    let second = home.farm(REGISTER).json();
    fs::write(home.keys(), first).unwrap();
    let envelope = home.farm(LIST).fails(5, "check_failed");
    assert_eq!(envelope["data"]["keys"]["without_key"], serde_json::json!([second["address"]]));
}
