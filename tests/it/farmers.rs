//! `farmer register|import|list|show|set|export-key`: what they do, what they refuse, and what a kill leaves behind.

use crate::support::{Home, Run};
use ed25519_dalek::SigningKey;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use stellar_strkey::ed25519::{PrivateKey, PublicKey};

/// A new key: its address and its secret.
fn key() -> (String, String) {
    let seed: [u8; 32] =
        [*uuid::Uuid::new_v4().as_bytes(), *uuid::Uuid::new_v4().as_bytes()].concat().try_into().unwrap();
    let public = SigningKey::from_bytes(&seed).verifying_key().to_bytes();
    let secret = PrivateKey(seed).as_unredacted().to_string().as_str().to_owned();
    (PublicKey(public).to_string().as_str().to_owned(), secret)
}

const REGISTER: &str = "farmer register --pooler north --stake-percentage 0.25";
const IMPORT: &str = "farmer import --pooler north --stake-percentage 0.5";

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn farmers(home: &Home) -> Vec<Value> {
    home.run("farmer list").json()["farmers"].as_array().unwrap().clone()
}

/// The keys in the store, read with age alone.
fn keys(home: &Home) -> Value {
    let identity = std::fs::read_to_string(home.path().join("identity.txt")).unwrap();
    let identity: age::x25519::Identity = identity.lines().last().unwrap().parse().unwrap();
    let plain = age::decrypt(&identity, &std::fs::read(home.keys()).unwrap()).unwrap();
    serde_json::from_slice(&plain).unwrap()
}

#[test]
fn registered_listed_and_shown() {
    let home = Home::farming();
    let (payout, _) = key();
    let one = home.farm(REGISTER).json();
    let two = home.farm(&format!("{REGISTER} --payout {payout}")).json();
    assert_eq!((&one["changed"], &one["adopted"]), (&true.into(), &false.into()));
    assert_ne!(one["address"], two["address"]);
    assert!(uuid::Uuid::parse_str(text(&one["id"])).is_ok());
    assert_eq!((&one["status"], &one["stake_percentage"]), (&"wallet_created".into(), &"0.25".into()));
    assert_eq!((&one["payout"], &two["payout"]), (&Value::Null, &payout.as_str().into()));
    assert_eq!(text(&one["keys"]), home.keys().to_str().unwrap());

    let listed = farmers(&home);
    assert_eq!(listed.len(), 2);
    for farmer in [&one, &two] {
        assert!(listed.iter().any(|l| l["id"] == farmer["id"] && l["address"] == farmer["address"]));
        for name in ["id", "address"] {
            let shown = home.run(&format!("farmer show {}", text(&farmer[name]))).json();
            assert_eq!(shown["id"], farmer["id"]);
            assert_eq!((&shown["farmer_part"], &shown["reward_split"]), (&"0.75".into(), &"0.2".into()));
        }
    }
    // The key store holds a key for each, and age alone can read it.
    let store = keys(&home);
    for (stored, farmer) in store["keys"].as_array().unwrap().iter().zip([&one, &two]) {
        assert_eq!((&stored["address"], &stored["origin"]), (&farmer["address"], &"made".into()));
        let seed = PrivateKey::from_string(text(&stored["secret"])).unwrap().0;
        let public = SigningKey::from_bytes(&seed).verifying_key().to_bytes();
        assert_eq!(PublicKey(public).to_string().as_str(), text(&stored["address"]));
        home.hides(text(&stored["secret"]));
    }
    let compared = home.farm("farmer list --keys").json();
    assert_eq!(
        compared["keys"],
        json!({ "keys": 2, "sponsor": null, "without_farmer": [], "without_key": [] })
    );
    let pooler = &home.run("pooler list").json()["poolers"][0];
    assert_eq!(pooler["farmers"], 2);
    assert_eq!(home.run("events --kind farmer.registered").json()["events"].as_array().unwrap().len(), 2);
    home.run("state check").ok();
}

#[test]
fn an_import_is_taken_from_stdin_and_once() {
    let home = Home::farming();
    let (address, secret) = key();
    let done = home.farm(IMPORT).input(&format!("{secret}\n")).json();
    assert_eq!((&done["changed"], text(&done["address"])), (&true.into(), address.as_str()));
    assert_eq!(keys(&home)["keys"][0]["origin"], "imported");
    let before = home.snapshot();
    let again = home.farm(IMPORT).input(&secret).json();
    assert_eq!((&again["changed"], &again["id"]), (&false.into(), &done["id"]));
    let other = home.farm("farmer import --pooler north --stake-percentage 0.4").input(&secret);
    let envelope = other.fails(2, "conflict");
    assert!(text(&envelope["error"]["hint"]).contains(text(&done["id"])), "{envelope}");
    assert_eq!(home.snapshot(), before);
}

#[test]
fn the_sponsor_has_a_key_and_is_no_farmer() {
    let home = Home::farming();
    let ((address, secret), (second, second_secret)) = (key(), key());
    let done = home.farm("farmer import --sponsor").input(&secret).json();
    assert_eq!((&done["changed"], text(&done["sponsor"])), (&true.into(), address.as_str()));
    let before = home.snapshot();
    assert_eq!(home.farm("farmer import --sponsor").input(&secret).json()["changed"], false);
    assert_eq!(home.snapshot().0, before.0);
    assert_eq!(farmers(&home).len(), 0);
    let compared = &home.farm("farmer list --keys").json()["keys"];
    assert_eq!((&compared["sponsor"], &compared["without_farmer"]), (&address.as_str().into(), &json!([])));
    // Another sponsor: the first one's key stays.
    home.farm("farmer import --sponsor").input(&second_secret).json();
    let compared = &home.farm("farmer list --keys").json()["keys"];
    assert_eq!(compared["sponsor"], second.as_str());
    assert_eq!(compared["without_farmer"], json!([address]));
    // A farmer is no sponsor.
    let (_, farmer) = key();
    home.farm(IMPORT).input(&farmer).exits(0);
    let before = home.snapshot();
    home.farm("farmer import --sponsor").input(&farmer).fails(2, "conflict");
    assert_eq!(home.snapshot(), before);
}

#[test]
fn set_changes_what_it_names() {
    let home = Home::farming();
    home.run("pooler add south").ok();
    let id = text(&home.farm(REGISTER).json()["id"]).to_owned();
    let (payout, _) = key();
    let set = |rest: &str| home.run(&format!("farmer set {id} {rest}"));
    let now = set(&format!("--stake-percentage 0.5 --payout {payout} --pooler south")).json();
    assert_eq!(
        (&now["changed"], &now["stake_percentage"], &now["payout"], &now["pooler"]),
        (&true.into(), &"0.5".into(), &payout.as_str().into(), &"south".into())
    );
    let events = home.run("events --kind farmer.changed").json();
    assert_eq!(
        events["events"][0]["payload"],
        json!({
            "stake_percentage": { "old": "0.25", "new": "0.5" },
            "payout": { "old": null, "new": payout },
            "pooler": { "old": "north", "new": "south" },
        })
    );
    let before = home.snapshot();
    assert_eq!(set("--stake-percentage 0.5").json()["changed"], false);
    assert_eq!(set("--status leaving --dry-run").json()["status"], "leaving");
    assert_eq!(home.snapshot(), before);
    assert_eq!(set("--no-payout").json()["payout"], Value::Null);
    assert_eq!(set("--status leaving").json()["status"], "leaving");
    assert_eq!(set("--status departed").json()["status"], "departed");
    // One who has departed stays so, and takes no room.
    set("--status active").fails(2, "conflict");
    let poolers = home.run("pooler list").json();
    assert!(poolers["poolers"].as_array().unwrap().iter().all(|pooler| pooler["farmers"] == 0), "{poolers}");
}

#[test]
fn nobody_departs_with_stakes_out() {
    let home = Home::farming();
    let id = text(&home.farm(REGISTER).json()["id"]).to_owned();
    home.run(&format!("farmer set {id} --status leaving")).ok();
    let plant =
        "INSERT INTO plantings (farmer_id, block_index, outcome, stake, at) VALUES (?1, ?2, ?3, '5', 0)";
    for (block, outcome) in [(1, "planted"), (2, "planted"), (3, "failed")] {
        home.sqlite().execute(plant, (&id, block, outcome)).unwrap();
    }
    let harvest = "INSERT INTO harvests (farmer_id, block_index, outcome, stake, reward, at)
         VALUES (?1, ?2, ?3, '5', '0', 0)";
    for (block, outcome) in [(1, "harvested"), (2, "failed")] {
        home.sqlite().execute(harvest, (&id, block, outcome)).unwrap();
    }
    let before = home.snapshot();
    let depart = format!("farmer set {id} --status departed");
    let envelope = home.run(&depart).fails(4, "unsettled");
    assert_eq!(envelope["error"]["details"]["plants"], 1);
    assert_eq!(home.snapshot(), before);
    let loss =
        "INSERT INTO pooler_compensations (pooler_id, farmer_id, block_index, fault, amount, reason, at)
         SELECT pooler_id, id, 2, 'pooler', '5', 'not worked', 0 FROM farmers";
    home.sqlite().execute(loss, []).unwrap();
    assert_eq!(home.run(&depart).json()["status"], "departed");
}

#[test]
fn each_bad_input_changes_nothing() {
    let home = Home::farming();
    home.run("pooler add tiny --capacity 1").ok();
    home.farm("farmer register --pooler tiny --stake-percentage 0").ok();
    let id = text(&home.farm(REGISTER).json()["id"]).to_owned();
    let (stranger, secret) = key();
    let before = home.snapshot();
    let check = |run: Run, exit: i32, code: &str, needle: &str| {
        let envelope = run.fails(exit, code);
        let error = &envelope["error"];
        assert!(error["hint"].is_string(), "{error}");
        assert!(format!("{} {}", error["message"], error["hint"]).contains(needle), "{error}");
        assert!(!error.to_string().contains(&secret), "{error}");
        assert_eq!(home.snapshot(), before, "{error}");
    };
    let register = "farmer register --stake-percentage 0.1 --pooler";
    let set = format!("farmer set {id}");
    let unknown = "6ba7b810-9dad-11d1-80b4-00c04fd430c8";
    for (line, exit, code, needle) in [
        (format!("{register} nowhere"), 2, "unknown_pooler", "nowhere"),
        (format!("{register} tiny"), 4, "pooler_full", "1 of 1"),
        (format!("{register} north --payout {stranger}X"), 2, "invalid_address", "--payout"),
        (format!("{register} north --payout {secret}"), 2, "invalid_address", "secret key"),
        (format!("{register} north --address {secret}"), 2, "invalid_address", "secret key"),
        (format!("{register} north --address {stranger}"), 12, "no_key", &stranger),
        ("farmer register --pooler north --stake-percentage 1.5".into(), 2, "invalid_weight", "--stake"),
        ("farmer register --pooler north --stake-percentage 0.1234567".into(), 2, "invalid_weight", "6"),
        ("farmer register --pooler north".into(), 2, "usage", "--stake-percentage"),
        (format!("farmer register {secret}"), 2, "usage", "S…"),
        (format!("farmer import {secret} --sponsor"), 2, "usage", "S…"),
        ("farmer import --pooler north".into(), 2, "usage", "--stake-percentage"),
        ("farmer import --sponsor --pooler north".into(), 2, "usage", "--sponsor"),
        (format!("farmer show {unknown}"), 2, "unknown_farmer", unknown),
        (format!("farmer show {secret}"), 2, "unknown_farmer", "S…"),
        (format!("farmer set {unknown} --status leaving"), 2, "unknown_farmer", unknown),
        (format!("{set} --stake-percentage 2"), 2, "invalid_weight", "--stake-percentage"),
        (format!("{set} --pooler tiny"), 4, "pooler_full", "tiny"),
        (format!("{set} --pooler nowhere"), 2, "unknown_pooler", "nowhere"),
        (format!("{set} --status departed"), 2, "conflict", "wallet_created"),
        (format!("{set} --status active"), 2, "conflict", "wallet_created"),
        (format!("{set} --status funded"), 2, "usage", "--status"),
        (format!("{set} --payout x --no-payout"), 2, "usage", "--no-payout"),
        (set.clone(), 2, "usage", "--stake-percentage"),
        ("farmer list --pooler nowhere".into(), 2, "unknown_pooler", "nowhere"),
        ("farmer list --status gone".into(), 2, "usage", "gone"),
        (format!("farmer export-key {unknown} --yes"), 2, "invalid_address", unknown),
        (format!("farmer export-key {secret} --yes"), 2, "invalid_address", "secret"),
        (format!("farmer export-key {stranger} --yes"), 12, "no_key", &stranger),
        (format!("farmer export-key {id}"), 4, "needs_confirmation", "--yes"),
    ] {
        check(home.farm(&line), exit, code, needle);
    }
    for (input, needle) in [
        ("", "nothing"),
        ("\n", "nothing"),
        ("hunter2", "not a secret key"),
        (&stranger, "an address"),
        (&secret[..55], "not a secret key"),
        (&format!("{secret}\n{secret}\n"), "not a secret key"),
    ] {
        check(home.farm(IMPORT).input(input), 2, "invalid_value", needle);
    }
    check(
        home.farm("farmer import --pooler tiny --stake-percentage 0").input(&secret),
        4,
        "pooler_full",
        "tiny",
    );
}

#[test]
fn dry_runs_make_no_key_and_write_nothing() {
    let home = Home::farming();
    let (address, secret) = key();
    let before = home.snapshot();
    let planned = home.run(&format!("{REGISTER} --dry-run")).json();
    assert_eq!(
        (&planned["changed"], &planned["id"], &planned["address"]),
        (&true.into(), &Value::Null, &Value::Null)
    );
    let planned = home.run(&format!("{IMPORT} --dry-run")).input(&secret).json();
    assert_eq!((text(&planned["address"]), &planned["changed"]), (address.as_str(), &true.into()));
    let planned = home.run("farmer import --sponsor --dry-run").input(&secret).json();
    assert_eq!(text(&planned["sponsor"]), address);
    assert_eq!(home.snapshot(), before);
    assert!(!home.keys().exists());
    let id = text(&home.farm(REGISTER).json()["id"]).to_owned();
    let before = home.snapshot();
    let planned = home.run(&format!("farmer export-key {id} --dry-run")).json();
    assert_eq!(planned["secret"], Value::Null);
    assert_eq!(home.snapshot(), before);
}

#[test]
fn an_exported_key_is_the_key_and_leaves_an_event() {
    let home = Home::farming();
    let (address, secret) = key();
    let id = text(&home.farm(IMPORT).input(&secret).json()["id"]).to_owned();
    assert_eq!(home.farm(&format!("farmer export-key {id} --yes")).ok(), format!("{secret}\n"));
    let data = home.farm(&format!("farmer export-key {address} --yes")).json();
    assert_eq!(data, json!({ "address": address, "secret": secret }));
    let events = home.run("events --kind farmer.key_exported").json();
    let events = events["events"].as_array().unwrap();
    assert_eq!(events.len(), 2);
    assert_eq!((&events[0]["subject"], &events[0]["payload"]), (&id.into(), &json!({ "address": address })));
    // A key without a farmer too.
    let (other, other_secret) = key();
    home.farm("farmer import --sponsor").input(&other_secret).exits(0);
    assert_eq!(home.farm(&format!("farmer export-key {other} --yes")).ok(), format!("{other_secret}\n"));
}

#[test]
fn killed_at_any_step_a_registration_is_finished_by_the_next() {
    for step in 1..20 {
        let home = Home::farming();
        let run = home.farm(REGISTER).env("POOLCTL_CRASH_AT", &step.to_string());
        let mut command = run.command;
        let output = poolctl_testkit::watch::output(&mut command).unwrap();
        let kept: Vec<String> = if home.keys().exists() {
            keys(&home)["keys"]
                .as_array()
                .unwrap()
                .iter()
                .map(|key| text(&key["address"]).to_owned())
                .collect()
        } else {
            Vec::new()
        };
        // A farmer has its key at every moment.
        for farmer in farmers(&home) {
            assert!(kept.iter().any(|address| address == text(&farmer["address"])), "step {step}");
        }
        if output.status.success() {
            assert!(step > 3, "no step was hit");
            return;
        }
        assert_eq!(output.status.code(), None, "step {step}: killed");
        if farmers(&home).is_empty() {
            if !kept.is_empty() {
                let shown = home.farm("farmer list --keys").json();
                assert_eq!(shown["keys"]["without_farmer"], json!(kept), "step {step}");
            }
            let done = home.farm(REGISTER).json();
            assert_eq!(done["adopted"], !kept.is_empty(), "step {step}");
        }
        let (farmers, store) = (farmers(&home), keys(&home));
        assert_eq!((farmers.len(), store["keys"].as_array().unwrap().len()), (1, 1), "step {step}");
        assert_eq!(farmers[0]["address"], store["keys"][0]["address"]);
        home.run("state check").ok();
    }
    panic!("the run has more steps than were tried");
}

#[test]
fn killed_at_any_step_an_import_is_finished_by_the_same_import() {
    for (line, made) in [(IMPORT, "farmer.registered"), ("farmer import --sponsor", "sponsor.set")] {
        for step in 1.. {
            let home = Home::farming();
            let (address, secret) = key();
            let run = home.farm(line).input(&secret).env("POOLCTL_CRASH_AT", &step.to_string());
            let mut command = run.command;
            let output = poolctl_testkit::watch::output(&mut command).unwrap();
            if output.status.success() {
                assert!(step > 3, "no step was hit");
                break;
            }
            assert_eq!(output.status.code(), None, "step {step}: killed");
            // A registration in between does not take the imported key for its own.
            if step == 3 && made == "farmer.registered" {
                let envelope = home.farm(REGISTER).arg("--json").exits(0).envelope();
                assert_ne!(text(&envelope["data"]["address"]), address);
                assert!(envelope["warnings"][0].as_str().unwrap().contains(&address), "{envelope}");
            }
            home.farm(line).input(&secret).exits(0);
            assert!(
                keys(&home)["keys"].as_array().unwrap().iter().any(|key| text(&key["address"]) == address)
            );
            let events = home.run(&format!("events --kind {made}")).json();
            let mine = |event: &&Value| event.to_string().contains(&address);
            assert_eq!(events["events"].as_array().unwrap().iter().filter(mine).count(), 1, "step {step}");
        }
    }
}

#[test]
fn two_registrations_at_once_keep_both_keys() {
    let home = Home::farming();
    let children: Vec<_> = (0..4).map(|_| home.farm(&format!("{REGISTER} --wait 30s")).spawn()).collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    assert_eq!((farmers(&home).len(), keys(&home)["keys"].as_array().unwrap().len()), (4, 4));
}

#[test]
fn a_key_store_that_is_being_changed_is_left_alone() {
    let home = Home::farming();
    home.farm(REGISTER).ok();
    let lock = std::fs::File::open(format!("{}.lock", home.keys().display())).unwrap();
    lock.lock().unwrap();
    let holder = r#"{"pid":7,"command":"farmer register","since":0}"#;
    std::fs::write(format!("{}.lock", home.keys().display()), holder).unwrap();
    let before = home.snapshot();
    let envelope = home.farm(&format!("{REGISTER} --wait 0s")).fails(11, "keys_locked");
    let message = text(&envelope["error"]["message"]);
    assert!(message.contains("key store") && message.contains("poolctl farmer register"), "{message}");
    assert_eq!(home.snapshot(), before);
    // Those who only sign never wait.
    home.farm("farmer list --keys").exits(0);
}

/// The canary: what goes in through stdin comes out nowhere.
#[test]
fn a_secret_is_said_and_stored_nowhere() {
    let home = Home::farming();
    let (address, secret) = key();
    let metrics = home.path().join("run.prom");
    let loud = |line: &str| home.farm(line).arg("-vv").arg("--metrics-file").arg(&metrics);
    for line in [IMPORT, "farmer import --sponsor", REGISTER, "farmer list --keys"] {
        for json in [false, true] {
            let run = loud(line).input(&secret);
            let run = if json { run.arg("--json") } else { run };
            run.exits_one_of(&[0, 2]).hides(&secret);
        }
    }
    loud(&format!("farmer show {address}")).exits(0).hides(&secret);
    loud("state check").exits(0).hides(&secret);
    let panicked = home.farm(IMPORT).input(&secret).env("POOLCTL_CRASH_AT", "panic:oops");
    panicked.exits(1).hides(&secret);
    let identity = std::fs::read_to_string(home.path().join("identity.txt")).unwrap();
    for made in keys(&home)["keys"].as_array().unwrap() {
        home.hides(text(&made["secret"]));
    }
    let state = std::fs::read(home.state()).unwrap();
    let identity = identity.lines().last().unwrap();
    assert!(!state.windows(identity.len()).any(|part| part == identity.as_bytes()));
}

#[test]
fn the_address_of_a_secret_is_that_of_the_sdk() {
    // From the documentation of the JavaScript SDK: Keypair.fromSecret(…).publicKey().
    let secret = "SDJHRQF4GCMIIKAAAQ6IHY42X73FQFLHUULAPSKKD4DFDM7UXWWCRHBE";
    let home = Home::farming();
    let done = home.farm(IMPORT).input(secret).json();
    assert_eq!(done["address"], "GCZHXL5HXQX5ABDM26LHYRCQZ5OJFHLOPLZX47WEBP3V2PF5AVFK2A5D");
    let shown = age::secrecy::SecretString::from(secret);
    assert_eq!(
        home.farm("farmer export-key GCZHXL5HXQX5ABDM26LHYRCQZ5OJFHLOPLZX47WEBP3V2PF5AVFK2A5D --yes")
            .ok()
            .trim(),
        shown.expose_secret()
    );
}

#[test]
fn a_farmer_has_a_name_and_is_found_by_it_or_the_beginning_of_the_rest() {
    let home = Home::farming();
    let ada = home.farm(&format!("{REGISTER} --name ada")).json();
    let bob = home.farm(REGISTER).json();
    assert_eq!((&ada["name"], &bob["name"]), (&"ada".into(), &Value::Null));
    let (id, address) = (text(&ada["id"]).to_owned(), text(&ada["address"]).to_owned());
    for name in ["ada", &id, &address, &id[..13], &id[..13].to_uppercase(), &address[..20]] {
        assert_eq!(home.run(&format!("farmer show {name}")).json()["id"], ada["id"], "{name}");
    }
    let listed = home.run("farmer list").ok();
    assert!(listed.starts_with("FARMER ") && listed.contains("NAME") && listed.contains(" ada "), "{listed}");
    // Another name, the same again, none.
    let set = |who: &str, name: &str| home.args(["farmer", "set", who, "--name", name]);
    let named = set(text(&bob["id"]), "Bob of the Hill").json();
    assert_eq!((&named["changed"], &named["name"]), (&true.into(), &"Bob of the Hill".into()));
    let before = home.snapshot();
    assert_eq!(set("Bob of the Hill", "Bob of the Hill").json()["changed"], false);
    assert_eq!(home.args(["farmer", "set", "ada", "--name", "eve", "--dry-run"]).json()["name"], "eve");
    let long = "x".repeat(65);
    for (bad, code) in [
        ("Bob of the Hill", "conflict"),
        ("", "invalid_value"),
        (" ada", "invalid_value"),
        ("a\nb", "invalid_value"),
        (&*long, "invalid_value"),
        (&*id, "invalid_value"),
        (&*address, "invalid_value"),
        ("0x00000000000000000000000000000000000000a1", "invalid_value"),
    ] {
        let envelope = set("ada", bad).fails(2, code);
        assert!(envelope["error"]["hint"].is_string(), "{envelope}");
        let register =
            ["farmer", "register", "--pooler", "north", "--stake-percentage", "0.1", "--name", bad];
        home.args(register).env("POOLCTL_KEYS_IDENTITY_FILE", "identity.txt").fails(2, code);
        assert_eq!(home.snapshot(), before, "{bad}");
    }
    assert_eq!(set("Bob of the Hill", "none").json()["name"], Value::Null);
    // A name goes before the beginning of an id.
    set(text(&bob["id"]), &id[..8]).json();
    assert_eq!(home.run(&format!("farmer show {}", &id[..8])).json()["id"], bob["id"]);
    assert_eq!(home.run(&format!("farmer show {}", &id[..9])).json()["id"], ada["id"]);
    let envelope = home.run("farmer show aba").fails(2, "unknown_farmer");
    assert_eq!(envelope["error"]["hint"], "did you mean \"ada\"?");
    // Addresses that begin alike: all of them are named.
    let twin = format!("{}{}", &address[..30], "A".repeat(26));
    let sql =
        "INSERT INTO farmers SELECT 'f', ?1, pooler_id, status, 0, NULL, 9, 9, 'twin' FROM farmers LIMIT 1";
    home.sqlite().execute(sql, [&twin]).unwrap();
    let envelope = home.run(&format!("farmer show {}", &address[..10])).fails(2, "ambiguous");
    let said = text(&envelope["error"]["message"]);
    assert!(said.contains("\"ada\" (") && said.contains("\"twin\" ("), "{said}");
    assert_eq!(envelope["error"]["details"]["candidates"].as_array().unwrap().len(), 2);
    // A secret that is typed by mistake is never repeated.
    let (_, secret) = key();
    let envelope = home.run(&format!("farmer show {secret}")).fails(2, "unknown_farmer");
    assert!(!envelope.to_string().contains(&secret[1..]), "{envelope}");
}
