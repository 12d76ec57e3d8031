//! `serve` and `token …`: who gets in, what is answered, and what a client cannot do to it.

use crate::support::{Home, until};
use poolctl_testkit::client::{Client, Reply, Serving};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::time::{Duration, Instant};

const ALICE: &str = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";
const BOB: &str = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC";

/// A server on this home, until dropped.
fn serve(home: &Home, flags: &str) -> Serving {
    Serving::of(home.farm(&format!("serve --listen 127.0.0.1:0 --json {flags}")).spawn())
}

fn token(home: &Home, role: &str) -> String {
    let made = home.run(&format!("token create --role {role}")).json();
    made["token"].as_str().unwrap().to_owned()
}

/// A home with two members, two poolers and a farmer of each.
fn furnished() -> Home {
    let home = Home::farming();
    home.run(&format!("member add {ALICE} --name alice")).ok();
    home.run(&format!("member add {BOB} --name bob")).ok();
    home.run("pooler add south").ok();
    home.farm("farmer register --pooler north --stake-percentage 0.25 --name nils").ok();
    home.farm("farmer register --pooler south --stake-percentage 0.25 --name sara").ok();
    home
}

#[test]
fn a_token_is_shown_once_and_stored_nowhere() {
    let home = Home::ready();
    let made = home.run("token create --role reader --name board --expires 90d").json();
    let text = made["token"].as_str().unwrap();
    assert_eq!(text.len(), "poolctl_".len() + 8 + 1 + 64, "{text}");
    assert_eq!((&made["role"], &made["in_force"]), (&json!("reader"), &json!(true)));
    home.hides(text);
    home.hides(text.rsplit('_').next().unwrap());
    let shown = home.run("token list").ok();
    assert!(shown.contains("board") && shown.contains("reader") && !shown.contains(text), "{shown}");
    assert_eq!(home.run("token revoke board").json()["changed"], true);
    assert_eq!(home.run("token revoke board").json()["changed"], false);
    let kinds = home.run("events --kind token.").json();
    let kinds: Vec<&str> =
        kinds["events"].as_array().unwrap().iter().map(|e| e["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["token.created", "token.revoked"]);

    let before = home.snapshot();
    let dry = home.run("token create --role reader --dry-run").json();
    assert_eq!(dry["token"], Value::Null);
    for (line, exit, code) in [
        ("token create --role king", 2, "invalid_value"),
        ("token create --role member", 2, "invalid_value"),
        ("token create --role reader:me", 2, "invalid_value"),
        ("token create --role member:nobody", 2, "unknown_member"),
        ("token create --role pooler:nobody", 2, "unknown_pooler"),
        ("token create --role farmer:nobody", 2, "unknown_farmer"),
        ("token create --role reader --name board", 2, "conflict"),
        ("token create --role reader --expires 90", 2, "invalid_value"),
        ("token revoke nobody", 2, "unknown_token"),
    ] {
        home.run(line).fails(exit, code);
        assert_eq!(home.snapshot(), before, "{line}");
    }
    home.run("state check --full").ok();
}

/// Every route, with the roles that may besides operators: `tests/it/routes.txt`, which is written by hand.
fn table() -> Vec<(String, String, BTreeSet<String>)> {
    let lines = include_str!("routes.txt").lines();
    let read = |line: &str| {
        let mut words = line.split_whitespace().map(str::to_owned);
        let (method, path) = (words.next().unwrap(), words.next().unwrap());
        (method, format!("/api/v1{path}"), words.collect())
    };
    lines.map(read).collect()
}

#[test]
fn every_route_lets_in_the_roles_of_its_line_and_nobody_else() {
    let home = furnished();
    let roles = ["operator", "reader", "pooler:north", "farmer:nils", "member:alice", "miner:rig"];
    let tokens: Vec<(&str, String)> = roles.iter().map(|role| (*role, token(&home, role))).collect();
    let expired = token(&home, "operator --expires 1s");
    let revoked =
        home.run("token create --role operator --name gone").json()["token"].as_str().unwrap().to_owned();
    home.run("token revoke gone").ok();
    let serving = serve(&home, "--rate 100000");
    let document = serving.client.get("/openapi.json").json();
    let docs = serving.client.get("/docs");
    assert_eq!(docs.header("content-type"), Some("text/html; charset=utf-8"));
    assert!(docs.header("content-security-policy").unwrap().starts_with("default-src 'none'"), "{docs:?}");
    let mut there = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        there.extend(methods.as_object().unwrap().keys().map(|method| (method.to_uppercase(), path.clone())));
    }
    let table = table();
    let listed: BTreeSet<(String, String)> =
        table.iter().map(|(method, path, _)| (method.clone(), path.clone())).collect();
    assert_eq!(there, listed, "each route has its line, and each line its route");
    for (method, path, _) in &table {
        assert!(docs.body.contains(&format!("{method} {path}</h3>")), "{method} {path} is not in /docs");
    }
    until("the token has expired", || serving.client.with(&expired).get("/api/v1/pools").status == 401);

    for (method, path, may) in &table {
        // Whoever gets in is told that something is missing, or that there is no such thing: nothing is done.
        let is_stream = path.ends_with("/stream");
        let path = path.replace("{farmer}", "nils").replace("{member}", "alice");
        let path = path.replace(['{', '}'], "");
        let ask = |client: &Client| match method.as_str() {
            // That of events goes on for ever for whoever gets in.
            "GET" if is_stream => client.ask("GET", &path, &[("last-event-id", "none")], b""),
            "GET" => client.get(&format!("{path}?no_such_thing=1")),
            _ => client.post(&path, &json!({ "no_such_thing": 1 })),
        };
        for bad in
            [None, Some(expired.as_str()), Some(revoked.as_str()), Some("poolctl_00000000_00"), Some("")]
        {
            let client = bad.map_or_else(|| serving.client.clone(), |token| serving.client.with(token));
            let reply = ask(&client);
            assert_eq!(
                (reply.status, reply.code().as_str()),
                (401, "unauthorized"),
                "{method} {path} {bad:?}"
            );
        }
        for (role, token) in &tokens {
            let reply = ask(&serving.client.with(token));
            let word = role.split(':').next().unwrap();
            let lets_in = word == "operator" || may.contains(word);
            let wrong = if is_stream { "invalid_value" } else { "usage" };
            let want = if lets_in { (400, wrong) } else { (403, "forbidden") };
            assert_eq!(
                (reply.status, reply.code().as_str()),
                want,
                "{method} {path} as {role}: {}",
                reply.body
            );
        }
    }
    assert_eq!(serving.end().0, Some(0));
}

/// What a token sees is its own.
#[test]
fn nobody_sees_or_moves_what_is_another_ones() {
    let home = furnished();
    let [alice, nils, north] = ["member:alice", "farmer:nils", "pooler:north"].map(|role| token(&home, role));
    let serving = serve(&home, "");
    let [alice, nils, north] = [alice, nils, north].map(|token| serving.client.with(&token));
    let ok = |reply: Reply| {
        assert_eq!(reply.status, 200, "{}", reply.body);
        reply.json()["data"].clone()
    };
    let no = |reply: Reply| {
        assert_eq!((reply.status, reply.code().as_str()), (403, "forbidden"), "{}", reply.body);
    };
    assert_eq!(ok(alice.get("/api/v1/members/alice"))["address"], ALICE);
    assert_eq!(ok(alice.get(&format!("/api/v1/members/{ALICE}")))["name"], "alice");
    no(alice.get("/api/v1/members/bob"));
    no(alice.get(&format!("/api/v1/members/{BOB}")));
    no(alice.get("/api/v1/members/nobody"));
    // Who is not named is oneself.
    assert_eq!(ok(alice.get("/api/v1/rewards/pending"))["member"], ALICE);
    no(alice.get("/api/v1/rewards/pending?member=bob"));
    assert_eq!(ok(alice.post("/api/v1/members/alice/claim", &json!({ "all": true })))["credited"], json!([]));
    no(alice.post("/api/v1/members/bob/claim", &json!({ "all": true })));
    assert_eq!(ok(nils.get("/api/v1/farmers/nils"))["name"], "nils");
    no(nils.get("/api/v1/farmers/sara"));
    assert_eq!(ok(north.get("/api/v1/farmers/nils"))["name"], "nils");
    no(north.get("/api/v1/farmers/sara"));
    let listed = ok(north.get("/api/v1/farmers"));
    assert_eq!(listed["farmers"].as_array().unwrap().len(), 1, "{listed}");
    no(north.get("/api/v1/farmers?pooler=south"));
    no(north.post("/api/v1/farmers", &json!({ "pooler": "south", "stake_percentage": "0.5" })));
    no(north.post("/api/v1/plantings", &json!({ "farmers": ["nils", "sara"] })));
    no(north.post("/api/v1/farmers/check-funding", &json!({ "all": true })));
    no(north.post("/api/v1/farmers", &json!({ "stake_percentage": "0.5", "address": "GABC" })));
    let made = north.post("/api/v1/farmers", &json!({ "stake_percentage": "0.5", "name": "nora" }));
    assert_eq!(made.status, 201, "{}", made.body);
    assert_eq!(ok(north.get("/api/v1/farmers"))["farmers"].as_array().unwrap().len(), 2);
    // The audit log names the token.
    let made = home.run("events --kind farmer.registered").json();
    let actor = made["events"].as_array().unwrap().last().unwrap()["actor"].as_str().unwrap().to_owned();
    assert!(actor.starts_with("token "), "{actor}");
    home.run("state check --full").ok();
}

#[test]
fn a_revoked_token_is_worth_nothing_at_once() {
    let home = Home::ready();
    let reader = token(&home, "reader --name board");
    let (one, other) = (serve(&home, ""), serve(&home, ""));
    for serving in [&one, &other] {
        assert_eq!(serving.client.with(&reader).get("/api/v1/pools").status, 200);
    }
    let used = || home.run("token list").json()["tokens"][0]["used_at"].is_string();
    until("its use is noted", used);
    home.run("token revoke board").ok();
    for serving in [&one, &other] {
        assert_eq!(serving.client.with(&reader).get("/api/v1/pools").status, 401);
    }
}

#[test]
fn polling_what_has_not_changed_costs_nothing() {
    let home = Home::ready();
    let reader = token(&home, "reader");
    let serving = serve(&home, "");
    let client = serving.client.with(&reader);
    let first = client.get("/api/v1/members");
    let tag = first.header("etag").unwrap().to_owned();
    let again = client.ask("GET", "/api/v1/members", &[("if-none-match", &tag)], b"");
    assert_eq!((again.status, again.body.as_str()), (304, ""));
    home.run(&format!("member add {ALICE} --name alice")).ok();
    let changed = client.ask("GET", "/api/v1/members", &[("if-none-match", &tag)], b"");
    assert_eq!(changed.status, 200);
    assert_eq!(changed.json()["data"]["members"][0]["name"], "alice");
    assert_ne!(changed.header("etag"), Some(tag.as_str()));
    // Page by page.
    home.run(&format!("member add {BOB} --name bob")).ok();
    let page = client.get("/api/v1/members?limit=1").json();
    let cursor = page["data"]["cursor"].as_str().unwrap();
    let next = client.get(&format!("/api/v1/members?limit=1&cursor={cursor}")).json();
    assert_eq!(next["data"]["members"][0]["name"], "bob");
}

#[test]
fn the_same_key_and_request_are_done_once_and_answered_the_same() {
    let home = Home::ready();
    let operator = token(&home, "operator");
    let (one, other) = (serve(&home, ""), serve(&home, ""));
    let add = json!({ "address": ALICE, "name": "alice" });
    let ask = |serving: &Serving| serving.client.with(&operator).post_once("/api/v1/members", "k1", &add);
    // From two clients, at two servers, at once: one of them is told to come again, or both have the answer.
    let replies = std::thread::scope(|scope| {
        let asked = [&one, &other, &one].map(|serving| scope.spawn(move || ask(serving)));
        asked.map(|asked| asked.join().unwrap())
    });
    for reply in &replies {
        assert!(matches!(reply.status, 201 | 409), "{reply:?}");
    }
    let first = ask(&one);
    assert_eq!((first.status, &first.json()["data"]["changed"]), (201, &json!(true)), "{}", first.body);
    assert_eq!(ask(&other).body, first.body);
    let other_body = json!({ "address": BOB });
    let reply = one.client.with(&operator).post_once("/api/v1/members", "k1", &other_body);
    assert_eq!((reply.status, reply.code().as_str()), (422, "conflict"));
    assert_eq!(home.run("member list").json()["members"].as_array().unwrap().len(), 1);
    // Somebody else's key is another key.
    let reader = token(&home, "operator");
    let reply = one.client.with(&reader).post_once("/api/v1/members", "k1", &other_body);
    assert_eq!(reply.status, 201, "{}", reply.body);
    for bad in ["", "with blank", &"k".repeat(201)] {
        let reply = one.client.with(&operator).post_once("/api/v1/members", bad, &add);
        assert_eq!(reply.status, 400, "{bad}: {}", reply.body);
    }
}

/// One that was killed at it is no obstacle.
#[test]
fn a_request_whose_server_was_killed_is_made_again() {
    let home = Home::ready();
    let operator = token(&home, "operator --name ops");
    let id = home.run("token list").json()["tokens"][0]["id"].as_str().unwrap().to_owned();
    let serving = serve(&home, "");
    let add = json!({ "address": ALICE });
    assert_eq!(serving.client.with(&operator).post_once("/api/v1/members", "k1", &add).status, 201);
    let claim = |worker: &str| {
        let sql = "UPDATE answers SET status = NULL, body = NULL, run_id = ?1 WHERE token_id = ?2";
        assert_eq!(home.sqlite().execute(sql, rusqlite::params![worker, id]).unwrap(), 1);
    };
    // As a process leaves it that is gone, and as one that is there has it.
    claim("4194999 gone");
    let again = serving.client.with(&operator).post_once("/api/v1/members", "k1", &add);
    assert_eq!((again.status, &again.json()["data"]["changed"]), (201, &json!(false)), "{}", again.body);
    claim(&format!("{} here", std::process::id()));
    let busy = serving.client.with(&operator).post_once("/api/v1/members", "k1", &add);
    assert_eq!((busy.status, busy.code().as_str()), (409, "state_locked"), "{}", busy.body);
    assert!(busy.header("retry-after").is_some());
}

#[test]
fn what_is_no_request_is_refused_and_changes_nothing() {
    let home = furnished();
    let operator = token(&home, "operator");
    let serving = serve(&home, "");
    let client = serving.client.with(&operator);
    until("the use of the token is noted", || {
        client.get("/api/v1/version");
        home.run("token list").json()["tokens"][0]["used_at"].is_string()
    });
    let before = home.snapshot();
    let json = [("content-type", "application/json")];
    let deep = format!("{}1{}", "{\"a\":".repeat(10_000), "}".repeat(10_000));
    let large = format!("{{\"name\":\"{}\"}}", "x".repeat(1024 * 1024));
    let huge = format!("{{\"address\":{}}}", "9".repeat(400));
    let twice = format!("{{\"address\":\"{ALICE}\",\"address\":\"{BOB}\"}}");
    for (body, status) in [
        (deep.as_str(), 400),
        (large.as_str(), 413),
        (huge.as_str(), 400),
        (twice.as_str(), 400),
        ("", 400),
        ("[]", 400),
        ("null", 400),
        ("{\"address\":", 400),
        ("{\"address\":\"0x1\"}", 422),
        ("{\"address\":{\"a\":1}}", 422),
        ("{\"address\":1.5}", 422),
        ("{\"address\":[\"a\"]}", 422),
        ("{\"address\":\"--help\"}", 422),
        ("{\"address\":\"0x70997970C51812dc3A010C7d01b50e0d17dc79C8\",\"config\":\"/etc/passwd\"}", 400),
        ("{\"address\":\"0x70997970C51812dc3A010C7d01b50e0d17dc79C8\",\"dry_run\":\"perhaps\"}", 422),
        ("{\"address\":\"0x70997970C51812dc3A010C7d01b50e0d17dc79C8\",\"name\":\"a\\r\\nb: c\"}", 422),
        ("\u{fffd}", 400),
    ] {
        let reply = client.ask("POST", "/api/v1/members", &json, body.as_bytes());
        let begin: String = body.chars().take(60).collect();
        assert_eq!(reply.status, status, "{begin}: {}", reply.body);
        assert_eq!(reply.json()["ok"], false, "{begin}");
    }
    let reply = client.ask("POST", "/api/v1/members", &[("content-type", "text/plain")], b"{}");
    assert_eq!(reply.status, 415, "{}", reply.body);
    for (method, path, status) in [
        ("GET", "/api/v1/../../etc/passwd", 404),
        ("GET", "/api/v1/pools/..%2f..%2fetc%2fpasswd", 404),
        ("GET", "/api/v1/pools/%00", 404),
        ("GET", "/api/v1/pools/%ff", 400),
        ("GET", "/api/v1/pools/--help", 404),
        ("GET", "/api/v1/members?limit=201", 422),
        ("GET", "/api/v1/members?limit=-1", 400),
        ("GET", "/api/v1/members?limit=1&limit=2", 400),
        ("GET", "/api/v1/members?all=true", 400),
        ("GET", "/api/v1/members?csv=true", 400),
        ("GET", "/api/v1/members?cursor=x", 422),
        ("DELETE", "/api/v1/members", 405),
        ("GET", "/api/v1/nothing", 404),
        ("GET", "/", 404),
    ] {
        let reply = client.ask(method, path, &[], b"");
        assert_eq!(reply.status, status, "{method} {path}: {}", reply.body);
        assert!(
            !reply.body.contains("root:") && !reply.body.contains(home.path().to_str().unwrap()),
            "{path}"
        );
    }
    assert_eq!(home.snapshot(), before);
    let (code, log) = serving.end();
    assert_eq!(code, Some(0));
    assert!(!log.contains(&operator) && log.contains("route=\"/api/v1/members\""), "{log}");
    assert!(!log.lines().any(|line| line.starts_with("b: c")), "{log}");
}

#[test]
fn who_asks_too_often_is_told_when_to_come_again() {
    let home = Home::ready();
    let reader = token(&home, "reader");
    let serving = serve(&home, "--rate 2");
    let client = serving.client.with(&reader);
    let replies: Vec<Reply> = (0..30).map(|_| client.get("/api/v1/version")).collect();
    assert_eq!(replies[0].status, 200);
    assert_eq!(replies[0].header("ratelimit-limit"), Some("2"));
    let refused = replies.iter().find(|reply| reply.status == 429).expect("30 in a row are too many");
    assert_eq!(refused.code(), "rate_limited");
    let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=2).contains(&wait), "{wait}");
    // Others are not held up by it, and guesses are counted too.
    let other = token(&home, "reader");
    assert_eq!(serving.client.with(&other).get("/api/v1/version").status, 200);
    let guesses: Vec<u16> =
        (0..30).map(|_| serving.client.with("guess").get("/api/v1/version").status).collect();
    assert!(guesses.contains(&401) && guesses.contains(&429), "{guesses:?}");
}

#[test]
fn slow_and_vanishing_clients_hold_nobody_up() {
    let home = Home::ready();
    let reader = token(&home, "reader");
    let serving = serve(&home, "");
    let begun = Instant::now();
    // One that never ends its headers, one that vanishes in mid-body, one with headers beyond all measure.
    let mut slow = serving.client.connect().unwrap();
    slow.write_all(b"GET /api/v1/version HTTP/1.1\r\nhost: x\r\n").unwrap();
    let mut vanishing = serving.client.connect().unwrap();
    let head = format!(
        "POST /api/v1/members HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {reader}\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{{"
    );
    vanishing.write_all(head.as_bytes()).unwrap();
    drop(vanishing);
    let long =
        format!("GET /api/v1/version HTTP/1.1\r\nhost: x\r\nx-long: {}\r\n\r\n", "x".repeat(64 * 1024));
    let reply = serving.client.send(long.as_bytes()).unwrap();
    assert!(reply.as_ref().is_none_or(|reply| reply.status == 431), "{reply:?}");
    assert_eq!(serving.client.with(&reader).get("/api/v1/version").status, 200);
    let cut_off = Client::read(slow).unwrap();
    assert!(cut_off.as_ref().is_none_or(|reply| reply.status == 408), "{cut_off:?}");
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
    assert_eq!(serving.end().0, Some(0));
}

#[test]
fn the_network_sees_no_token_in_the_clear_and_two_servers_no_common_port() {
    let home = Home::ready();
    home.run("serve --listen 0.0.0.0:0").fails(2, "invalid_value");
    let serving = serve(&home, "--behind-proxy");
    let port = serving.client.connect().unwrap().peer_addr().unwrap().port();
    home.run(&format!("serve --listen 127.0.0.1:{port}")).fails(1, "io_error");
    home.run("serve --tls-cert chain.pem").fails(2, "usage");
    home.run("serve --rate 0").fails(2, "usage");
    // Killed, it leaves nothing behind that another one would have to wait for.
    drop(serving);
    assert_eq!(serve(&home, "").end().0, Some(0));
    Home::empty().run("serve --profile sandbox").fails(2, "state_missing");
}

/// A state that is put in another one's place is the one that is served from then on, with its tokens.
#[test]
fn what_is_restored_beneath_it_is_what_it_serves() {
    let home = Home::ready();
    let old = token(&home, "reader --name old");
    home.run("state backup copy.sqlite").ok();
    let new = token(&home, "reader --name new");
    home.run(&format!("member add {ALICE} --name alice")).ok();
    let serving = serve(&home, "");
    let members = |token: &str| serving.client.with(token).get("/api/v1/members");
    let first = members(&old);
    assert_eq!(first.json()["data"]["members"].as_array().unwrap().len(), 1);
    assert_eq!(members(&new).status, 200);
    let tag = first.header("etag").unwrap().to_owned();
    let same = |tag: &str| {
        serving.client.with(&old).ask("GET", "/api/v1/members", &[("if-none-match", tag)], b"").status
    };
    // That a token was used is noted meanwhile, and is in no answer.
    until("uses are noted", || {
        let tokens = home.run("token list").json();
        tokens["tokens"].as_array().unwrap().iter().all(|token| token["used_at"].is_string())
    });
    assert_eq!(same(&tag), 304);
    home.run("state restore copy.sqlite --yes").ok();
    assert_eq!(members(&old).json()["data"]["members"], json!([]));
    assert_eq!(members(&new).status, 401);
    // As many changes later it has the number of the one before, and is another one.
    let number = || home.snapshot().0;
    let before: u64 = tag.trim_start_matches("W/\"").split('-').next().unwrap().parse().unwrap();
    for n in 0.. {
        if number().parse::<u64>().unwrap() >= before {
            break;
        }
        home.run(&format!("pooler add p{n}")).ok();
    }
    assert_eq!(number(), before.to_string());
    assert_eq!(same(&tag), 200);
}

/// More connections than there may be are closed, and those that say nothing are cut off: the others get in.
#[test]
fn idle_connections_do_not_keep_others_out() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let maximum = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).unwrap();
    let home = Home::ready();
    let reader = token(&home, "reader");
    let serving = serve(&home, "");
    let count = maximum.map_or(10_000, |most| most.saturating_sub(2_000).min(10_000));
    assert!(count > 5_000, "ulimit -Hn is {maximum:?}: too few for this test");
    let idle: Vec<_> = (0..count).map(|_| serving.client.connect().unwrap()).collect();
    let client = serving.client.with(&reader);
    let get = b"GET /health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    until("somebody gets in", || client.send(get).is_ok_and(|reply| reply.is_some_and(|r| r.status == 200)));
    assert_eq!(client.get("/api/v1/version").status, 200);
    drop(idle);
    assert_eq!(serving.end().0, Some(0));
}

#[test]
fn by_tls_it_is_reached_from_elsewhere() {
    let home = Home::ready();
    let reader = token(&home, "reader");
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    home.write_private("chain.pem", &made.cert.pem());
    home.write_private("key.pem", &made.signing_key.serialize_pem());
    let mut child =
        home.run("serve --listen 0.0.0.0:0 --json --tls-cert chain.pem --tls-key key.pem").spawn();
    let mut said = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut said).unwrap();
    let line: Value = serde_json::from_str(&said).unwrap();
    let url = line["url"].as_str().unwrap().replace("0.0.0.0", "localhost");
    assert!(url.starts_with("https://"), "{url}");
    let script = "import ssl, sys, urllib.request\n\
         context = ssl.create_default_context(cafile='chain.pem')\n\
         asked = urllib.request.Request(sys.argv[1], headers={'Authorization': 'Bearer ' + sys.argv[2]})\n\
         print(urllib.request.urlopen(asked, context=context).status)\n";
    let python = std::process::Command::new("python3")
        .args(["-c", script, &format!("{url}/api/v1/version"), &reader])
        .current_dir(home.path())
        .output()
        .expect("python3 is wanted: apt-get install python3");
    assert_eq!(
        String::from_utf8_lossy(&python.stdout),
        "200\n",
        "{}",
        String::from_utf8_lossy(&python.stderr)
    );
    let plain = Client::new(&url.replace("https", "http")).send(b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n");
    assert!(plain.is_err() || plain.unwrap().is_none_or(|reply| reply.status >= 400));
    child.kill().unwrap();
    child.wait().unwrap();
    home.write_private("key.pem", "no key");
    home.run("serve --tls-cert chain.pem --tls-key key.pem").fails(2, "invalid_value");
    home.run("serve --tls-cert chain.pem --tls-key nowhere.pem").fails(1, "io_error");
}

/// What is under way when it is to end is answered.
#[test]
fn it_ends_when_what_is_under_way_is_done() {
    let home = Home::ready();
    let operator = token(&home, "operator");
    let serving = serve(&home, "");
    let mut begun = serving.client.connect().unwrap();
    let body = json!({ "address": ALICE }).to_string();
    let head = format!(
        "POST /api/v1/members HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {operator}\r\n\
         content-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    begun.write_all(head.as_bytes()).unwrap();
    begun.write_all(&body.as_bytes()[..5]).unwrap();
    // It is at work once its use is noted.
    until("the request is under way", || home.run("token list").json()["tokens"][0]["used_at"].is_string());
    let client = serving.client.clone();
    let ended = std::thread::spawn(move || serving.end());
    until("it takes no more", || client.connect().is_err());
    begun.write_all(&body.as_bytes()[5..]).unwrap();
    let reply = Client::read(begun).unwrap().unwrap();
    assert_eq!(reply.status, 201, "{}", reply.body);
    assert_eq!(ended.join().unwrap().0, Some(0));
}

/// The events that come on a stream behind this one, so many.
fn events(client: &Client, token: &str, after: Option<&str>, count: usize) -> Vec<(String, Value)> {
    let mut stream = client.connect().unwrap();
    let after = after.map(|id| format!("last-event-id: {id}\r\n")).unwrap_or_default();
    let head = format!(
        "GET /api/v1/events/stream HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n{after}\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    let (mut found, mut id) = (Vec::new(), String::new());
    for line in BufReader::new(stream).lines().map(Result::unwrap) {
        if let Some(told) = line.strip_prefix("id: ") {
            told.clone_into(&mut id);
        } else if let Some(data) = line.strip_prefix("data: ") {
            found.push((std::mem::take(&mut id), serde_json::from_str(data).unwrap()));
        }
        if found.len() == count {
            break;
        }
    }
    found
}

#[test]
fn the_stream_of_events_has_no_gap() {
    let home = Home::ready();
    let reader = token(&home, "reader --name board");
    let serving = serve(&home, "");
    home.run(&format!("member add {ALICE} --name alice")).ok();
    let first = events(&serving.client, &reader, Some("0"), 1);
    assert_eq!(first[0].1["kind"], "token.created");
    assert_eq!(first[0].0, first[0].1["id"].to_string());
    let rest = events(&serving.client, &reader, Some(&first[0].0), 1);
    assert_eq!(rest[0].1["kind"], "member.added");
    // What happens while somebody listens, and who has listened long enough.
    let (client, token) = (serving.client.clone(), reader.clone());
    let listening = std::thread::spawn(move || events(&client, &token, None, 2));
    let mut turn = 0;
    until("somebody listens, and hears", || {
        turn += 1;
        home.run(&format!("member rename {ALICE} a{turn}")).ok();
        listening.is_finished()
    });
    assert!(listening.join().unwrap().iter().all(|(_, event)| event["kind"] == "member.named"));
    let (client, token) = (serving.client.clone(), reader.clone());
    let listening = std::thread::spawn(move || events(&client, &token, None, usize::MAX));
    home.run("token revoke board").ok();
    until("the stream of a token that is revoked ends", || listening.is_finished());
    for bad in ["x", "-1", "1.5"] {
        let other = self::token(&home, "reader");
        let reply =
            serving.client.with(&other).ask("GET", "/api/v1/events/stream", &[("last-event-id", bad)], b"");
        assert_eq!(reply.status, 400, "{bad}: {}", reply.body);
    }
    let other = self::token(&home, "reader");
    let client = serving.client.clone();
    let listening = std::thread::spawn(move || events(&client, &other, None, usize::MAX));
    assert_eq!(serving.end().0, Some(0), "it ends with somebody listening");
    listening.join().unwrap();
}

#[test]
fn what_a_proxy_says_counts_only_where_there_is_one() {
    let home = Home::ready();
    for (flag, address) in [("", "address=127.0.0.1"), ("--behind-proxy", "address=203.0.113.7")] {
        let serving = serve(&home, flag);
        let said = [
            ("x-forwarded-for", "198.51.100.1, 198.51.100.2"),
            ("x-forwarded-for", "198.51.100.3, 203.0.113.7"),
        ];
        assert_eq!(serving.client.ask("GET", "/health", &said, b"").status, 200);
        let (_, log) = serving.end();
        assert!(log.contains(address) && !log.contains("198.51.100"), "{log}");
    }
}

/// As systemd starts it: it says when it listens, and takes the socket that is there.
#[test]
fn a_service_manager_is_told_and_lends_its_socket() {
    let home = Home::ready();
    let path = home.path().join("notify.sock");
    let manager = std::os::unix::net::UnixDatagram::bind(&path).unwrap();
    manager.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
    let script = "import os, socket, sys\n\
         lent = socket.socket()\n\
         lent.bind(('127.0.0.1', 0))\n\
         lent.listen()\n\
         os.dup2(lent.fileno(), 3, inheritable=True)\n\
         os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='1', NOTIFY_SOCKET=sys.argv[1])\n\
         os.execv(sys.argv[2], [sys.argv[2], 'serve', '--json', '--listen', '127.0.0.1:1'])\n";
    let mut child = std::process::Command::new("python3")
        .args(["-c", script, path.to_str().unwrap(), crate::support::BINARY])
        .current_dir(home.path())
        .env("HOME", home.path())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("python3 is wanted: apt-get install python3");
    let mut told = [0; 64];
    let length = manager.recv(&mut told).unwrap();
    assert_eq!(std::str::from_utf8(&told[..length]).unwrap().trim(), "READY=1");
    let mut said = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut said).unwrap();
    let line: Value = serde_json::from_str(&said).unwrap();
    let client = Client::new(line["url"].as_str().unwrap());
    assert_eq!(client.get("/health").status, 200, "{line}");
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
}
