//! `--ping-url-file`: a watchdog hears of start and end, and whatever goes wrong with it changes no result.

use crate::support::{Home, canary, until};
use poolctl_testkit::{Mute, Web};
use serde_json::Value;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

/// A home with a file that names the watchdog, and the secret in its URL.
fn watched(url: &str) -> (Home, String) {
    let (home, secret) = (Home::ready(), canary());
    home.write_private("ping.url", &format!("# the watchdog\n{url}/{secret}\n"));
    (home, secret)
}

#[test]
fn start_and_end_are_told_in_this_order() {
    let web = Web::start().unwrap();
    let (home, secret) = watched(&web.url());
    home.run("events --ping-url-file ping.url").ok();
    let told = web.take();
    let lines: Vec<&str> = told.iter().map(|request| request.line.as_str()).collect();
    assert_eq!(lines, [format!("POST /{secret}/start"), format!("POST /{secret}")]);
    let body: Value = serde_json::from_str(&told[1].body).unwrap();
    assert_eq!((&body["command"], &body["exit_code"]), (&"events".into(), &0.into()));

    std::fs::remove_file(home.state()).unwrap();
    let ran = home.run("events --ping-url-file ping.url --json").exits(2);
    ran.hides(&secret);
    assert_eq!(ran.envelope()["warnings"], Value::Array(Vec::new()));
    let told = web.take();
    assert_eq!(told[1].line, format!("POST /{secret}/fail"));
    assert!(told[1].body.contains("\"exit_code\":2"), "{told:?}");

    // One that panics is told of too.
    home.run("info --ping-url-file ping.url").env("POOLCTL_CRASH_AT", "panic:x").exits(1);
    assert_eq!(web.take()[1].line, format!("POST /{secret}/fail"));
}

#[test]
fn a_query_stays_where_it_is() {
    let web = Web::start().unwrap();
    let home = Home::ready();
    home.write_private("ping.url", &format!("{}/ping/KEY?rid=7", web.url()));
    home.run("events --ping-url-file ping.url").ok();
    let lines: Vec<String> = web.take().into_iter().map(|request| request.line).collect();
    assert_eq!(lines, ["POST /ping/KEY/start?rid=7", "POST /ping/KEY?rid=7"]);
}

#[test]
fn a_watchdog_that_fails_changes_nothing_but_a_warning() {
    let web = Web::start().unwrap();
    let (home, secret) = watched(&web.url());
    let alone = home.run("config path").ok();
    for status in [404, 500, 302] {
        web.answer(status);
        let ran = home.run("config path --ping-url-file ping.url").exits(0);
        ran.hides(&secret);
        assert_eq!(ran.stdout, alone);
        let want = format!("warning: no ping: watchdog {}: answered with HTTP status {status}\n", web.url());
        assert_eq!(ran.stderr, want, "once, although both pings failed");
        assert_eq!(web.take().len(), 2, "a redirection is not followed");
    }
    let (home, secret) = watched("http://127.0.0.1:1");
    let envelope = home.run("events --ping-url-file ping.url --json").exits(0).envelope();
    assert!(envelope["warnings"][0].as_str().unwrap().contains("cannot connect"), "{envelope}");
    assert!(!envelope.to_string().contains(&secret));
}

/// The command runs while the watchdog is silent, and the end is not waited for long.
#[test]
fn a_watchdog_that_is_silent_is_given_up() {
    let mute = Mute::start().unwrap();
    let (home, secret) = watched(mute.url());
    let begun = Instant::now();
    let child = home.run("config set oracle.cache_ttl_sec 77 --ping-url-file ping.url").spawn();
    let done = || {
        let sql = "SELECT count(*) FROM system_config WHERE value = '77'";
        home.sqlite().query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap() == 1
    };
    until("the setting is stored", done);
    let stored = begun.elapsed();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("no answer within 5s") && !told.contains(&secret), "{told}");
    assert!(stored < begun.elapsed().checked_sub(Duration::from_secs(4)).unwrap(), "it was waited for first");
}

#[test]
fn a_file_that_others_may_read_or_that_is_no_url_is_a_warning() {
    let web = Web::start().unwrap();
    let (home, secret) = watched(&web.url());
    let path = home.path().join("ping.url");
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).unwrap();
    let warned = |words: &str| {
        let ran = home.run("events --ping-url-file ping.url").exits(0);
        ran.hides(&secret);
        assert!(ran.stderr.starts_with("warning: no ping: ") && ran.stderr.contains(words), "{ran:?}");
        assert_eq!(ran.stderr.lines().count(), 1, "{ran:?}");
    };
    warned("chmod 600");
    for (text, words) in [
        (String::new(), "it is empty"),
        (format!("ftp://{secret}"), "is not supported"),
        (format!("http://a/{secret}\nhttp://b/{secret}"), "more than one line"),
    ] {
        home.write_private("ping.url", &text);
        warned(words);
    }
    std::fs::remove_file(&path).unwrap();
    warned("there is no ping URL file");
    assert!(web.take().is_empty(), "nobody was told");
    // The service manager's access lists show as group bits.
    home.write_private("ping.url", &web.url());
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o440)).unwrap();
    let run = home.run("events --ping-url-file").arg(&path);
    run.env("CREDENTIALS_DIRECTORY", home.path().to_str().unwrap()).ok();
    assert_eq!(web.take().len(), 2);
}
