//! `report`, `pool show` and `farmer show` draw what the state holds: in a real browser, on the demo's own state.

use crate::support::{Home, Run};
use base::amount::{Base, Quantity};
use poolctl_testkit::browser::{Browser, Screen};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

const WIDE: Screen = Screen { width: 1200, height: 900, dark: false, print: false };
const PHONE: Screen = Screen { width: 390, height: 844, ..WIDE };
const PAPER: Screen = Screen { width: 794, print: true, ..WIDE };

/// A home, and the config of a demo that was played to its end in it.
struct Played {
    home: Home,
    config: String,
    state: PathBuf,
}

impl Played {
    fn demo() -> Self {
        let home = Home::empty();
        let folder = home.path().to_str().unwrap().to_owned();
        let ran = home.run("demo --json").env("TMPDIR", &folder).exits(0);
        let last: Value = serde_json::from_str(ran.stdout.lines().last().unwrap()).unwrap();
        let data = |name: &str| last["data"][name].as_str().unwrap().to_owned();
        Self { config: data("config"), state: data("state").into(), home }
    }

    fn run(&self, line: &str) -> Run {
        self.home.run(line).env("POOLCTL_CONFIG", &self.config)
    }

    fn conn(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(&self.state).unwrap()
    }

    fn page(&self) -> PathBuf {
        self.home.path().join("report.html")
    }
}

/// What `document.querySelectorAll` finds, each as this JavaScript makes of `e`.
fn all(browser: &Browser, selector: &str, of: &str) -> Value {
    let script = format!("[...document.querySelectorAll({})].map(e => {of})", json!(selector));
    browser.value(&script).unwrap()
}

/// The exact values of the figures of one kind below a selector.
fn exact(browser: &Browser, below: &str, kind: &str) -> Vec<String> {
    let found = all(browser, &format!("{below} data[data-is={kind}]"), "e.value");
    serde_json::from_value(found).unwrap()
}

fn texts(values: &Value, name: &str) -> Vec<String> {
    let of = |value: &Value| value[name].as_str().unwrap().to_owned();
    values.as_array().unwrap().iter().map(of).collect()
}

/// Keeps a picture where somebody wants to look at it.
fn keep(browser: &Browser, name: &str) {
    let Some(folder) = std::env::var_os("REPORT_PICTURES") else { return };
    std::fs::write(Path::new(&folder).join(format!("{name}.png.base64")), browser.picture().unwrap())
        .unwrap();
}

/// Nothing is asked of anybody, nothing is complained of, and nothing is wider than the screen.
#[track_caller]
fn sound(browser: &Browser, page: &Path, screen: Screen) {
    assert_eq!(browser.requests(), [format!("file://{}", page.display())]);
    assert_eq!(browser.complaints(), Vec::<Value>::new());
    let width = browser.value("document.documentElement.scrollWidth").unwrap().as_u64().unwrap();
    assert!(width <= screen.width.into(), "{width} pixels of {}", screen.width);
}

#[test]
fn the_page_of_the_demo_in_a_browser() {
    let played = Played::demo();
    let written = played.run("report --html report.html").json();
    let page = played.page();
    let text = std::fs::read_to_string(&page).unwrap();
    assert_eq!(written["path"], page.to_str().unwrap());
    assert_eq!(written["bytes"], text.len());
    assert_eq!(written["sha256"], poolctl_testkit::alloy::hex::encode(crate::support::digest(&page)));
    assert_eq!(written["counts"]["pools"], 2);

    let browser = Browser::start().unwrap();
    browser.open(&page, WIDE).unwrap();
    sound(&browser, &page, WIDE);
    // Charts have what the counts say, and each is really drawn.
    let points = all(&browser, "svg.course", "+e.dataset.points");
    let points: u64 = points.as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).sum();
    assert_eq!(points, 2 * written["counts"]["points"].as_u64().unwrap(), "TVL and rate");
    let whole = "e.querySelectorAll('rect.touch').length == e.dataset.points && e.querySelector('.line').getTotalLength() > 900";
    assert_eq!(all(&browser, "svg.course", whole), json!([true, true, true, true]));
    let bars = all(&browser, "svg.bars", "[+e.dataset.points, e.querySelectorAll('rect.solid').length > 0]");
    let epochs = written["counts"]["epochs"].as_u64().unwrap() / 2;
    let blocks = written["counts"]["blocks"].as_u64().unwrap();
    assert_eq!(bars, json!([[epochs, true], [epochs, true], [blocks, true], [blocks, true]]));
    let drawn = all(&browser, "svg:not(.portion)", "e.clientWidth > 200 && e.clientHeight > 80");
    assert_eq!(drawn, json!([true, true, true, true, true, true, true, true]));

    // Every figure is the one that the commands give.
    for name in ["dollars", "ether"] {
        let shown = played.run(&format!("pool show {name}")).json();
        let below = format!("section[data-pool={name}]");
        let one = |kind: &str| exact(&browser, &format!("{below} .row"), kind);
        assert_eq!(one("tvl"), [shown["total_assets"].as_str().unwrap()]);
        assert_eq!(one("rate"), [shown["exchange_rate"].as_str().unwrap()]);
        assert_eq!(one("shares"), [shown["total_shares"].as_str().unwrap()]);
        assert_eq!(one("holders"), [shown["holders"].to_string()]);
        let mut history =
            [texts(&shown["history"], "total_assets"), texts(&shown["history"], "exchange_rate")];
        for series in &mut history {
            series.reverse();
        }
        assert_eq!([exact(&browser, &below, "point-tvl"), exact(&browser, &below, "point-rate")], history);
        let held: Vec<String> = exact(&browser, &below, "held");
        assert_eq!(held.len() as u64, shown["holders"].as_u64().unwrap());
        let position = played.run(&format!("pool position alice {name}")).json();
        assert_eq!(held[0], position["shares"].as_str().unwrap(), "alice has the most");
        // The sum of what the epochs paid, and what was carried between them.
        let conn = played.conn();
        let sql = format!(
            "SELECT e.part, e.distributed, e.carry_out, e.carry_in FROM pool_reward_epochs e
             JOIN pools p ON p.id = e.pool_id WHERE p.name = '{name}' ORDER BY e.start_block DESC"
        );
        let mut statement = conn.prepare(&sql).unwrap();
        let rows =
            statement.query_map([], |row| Ok([row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?])).unwrap();
        let rows: Vec<[String; 4]> = rows.map(Result::unwrap).collect();
        for (at, kind) in ["part", "distributed", "carry-out", "carry-in"].into_iter().enumerate() {
            let base = |text: String| text.replace('.', "").trim_start_matches('0').to_owned();
            let found: Vec<String> = exact(&browser, &below, kind).into_iter().map(base).collect();
            let want: Vec<String> = rows.iter().map(|row| base(row[at].clone())).collect();
            assert_eq!(found, want, "{kind} of {name}");
        }
        assert!(rows.iter().any(|row| row[2] != "0"), "the demo carries something on");
    }
    farm_figures(&browser, &played);

    for (name, screen) in [
        ("wide-dark", Screen { dark: true, ..WIDE }),
        ("phone", PHONE),
        ("phone-dark", Screen { dark: true, ..PHONE }),
        ("paper", PAPER),
        ("wide", WIDE),
    ] {
        browser.open(&page, screen).unwrap();
        sound(&browser, &page, screen);
        keep(&browser, name);
        // What is written can be read: text and ground differ in each scheme.
        let colours = browser
            .value("[getComputedStyle(document.body).color, getComputedStyle(document.body).backgroundColor]")
            .unwrap();
        let light = |colour: &Value| {
            let digits = colour.as_str().unwrap().trim_start_matches("rgb(").trim_end_matches(')').to_owned();
            digits.split(", ").map(|part| part.parse::<u32>().unwrap()).sum::<u32>() > 384
        };
        let want = (screen.dark, !screen.dark);
        assert_eq!((light(&colours[0]), light(&colours[1])), want, "{name}: {colours}");
    }
    // The figures are there for those who open them, and fit a phone too.
    browser.open(&page, PHONE).unwrap();
    browser.value("document.querySelectorAll('details').forEach(e => e.open = true)").unwrap();
    sound(&browser, &page, PHONE);
    keep(&browser, "phone-open");
}

/// The farm's figures against what `farmer show` gives and the ledger holds.
fn farm_figures(browser: &Browser, played: &Played) {
    let farmers = played.run("farmer list").json();
    let stroops = |text: &str| text.replace('.', "").parse::<u128>().unwrap();
    let mut rewards = Vec::new();
    let mut by_block = std::collections::BTreeMap::<u64, (u128, u128)>::new();
    for farmer in farmers["farmers"].as_array().unwrap() {
        let shown = played.run(&format!("farmer show {}", farmer["address"].as_str().unwrap())).json();
        let blocks = shown["blocks"].as_array().unwrap();
        assert!(!blocks.is_empty());
        for block in blocks {
            let sum = by_block.entry(block["block"].as_u64().unwrap()).or_default();
            sum.0 += stroops(block["stake"].as_str().unwrap());
            sum.1 += stroops(block["reward"].as_str().unwrap());
        }
        rewards.push(blocks.iter().map(|block| stroops(block["reward"].as_str().unwrap())).sum::<u128>());
    }
    rewards.sort_unstable_by(|a, b| b.cmp(a));
    let figures = |kind: &str| -> Vec<u128> {
        exact(browser, "section.farm", kind).iter().map(|text| stroops(text)).collect()
    };
    assert_eq!(figures("farmer-reward"), rewards);
    let newest_first = || by_block.values().rev();
    assert_eq!(figures("block-reward"), newest_first().map(|sum| sum.1).collect::<Vec<_>>());
    assert_eq!(figures("block-stake"), newest_first().map(|sum| sum.0).collect::<Vec<_>>());
    assert_eq!(figures("block-forecast"), figures("block-reward"), "the demo's forecasts are exact");
    assert_eq!(figures("rewards"), [rewards.iter().sum::<u128>()]);
}

#[test]
fn a_page_of_hostile_names_is_only_text() {
    let played = Played::demo();
    let benign = played.run("report --html report.html").json();
    let evil = "<img src=http://203.0.113.1/x.png onerror=alert(1)>\"'&lt;</td></table><script>document.title='owned'</script>";
    // Every text that a chain, an engine, an endpoint or an operator can put into the state.
    let sql = format!(
        "UPDATE pools SET share_symbol = {0};
         UPDATE assets SET symbol = {0};
         UPDATE pool_snapshots SET endpoint = {0};
         UPDATE members SET name = {0} WHERE id = 1;
         UPDATE poolers SET name = {0};
         UPDATE meta SET value = {0} WHERE key IN ('evm_chain_id', 'stellar_passphrase', 'audit_head');
         INSERT INTO risk_violations (pool_id, rule, message, first_seen, last_seen, count) VALUES (1, {0}, {0}, 1, 1, 1);
         INSERT INTO oracle_alerts (feed_id, kind, message, first_seen, last_seen, count) VALUES (1, {0}, {0}, 1, 1, 1);
         UPDATE oracle_feeds SET name = {0} WHERE id = 1;
         INSERT INTO farm_alerts (subject, kind, message, first_seen, last_seen, count)
             SELECT id, {0}, {0}, 1, 1, 1 FROM farmers;
         INSERT INTO circuit_breaker_status VALUES (1, 1, {0}, {0}, 1, NULL, NULL);
         UPDATE harvests SET outcome = 'lost', reason = {0} WHERE block_index = 0;
         UPDATE pool_snapshots SET total_assets = '{1}' WHERE pool_id = 2;",
        format!("'{}'", evil.replace('\'', "''")),
        Base::MAX
    );
    played.conn().execute_batch(&sql).unwrap();
    // The state now belongs to another network as far as it says; a report asks none.
    let written = played.run("report --html report.html").json();
    let page = played.page();
    let text = std::fs::read_to_string(&page).unwrap();
    assert!(
        !text.contains("<img") && !text.contains("<script") && !text.contains("</td></table><"),
        "not escaped"
    );
    assert!(text.matches("&lt;img src=").count() > 40, "the names are there");
    let browser = Browser::start().unwrap();
    for screen in [PAPER, WIDE, PHONE] {
        browser.open(&page, screen).unwrap();
        sound(&browser, &page, screen);
    }
    assert_eq!(
        browser
            .value("document.querySelectorAll('img, script, link, iframe, object, [onerror]').length")
            .unwrap(),
        0
    );
    assert_eq!(browser.value("document.title.includes('owned')").unwrap(), false);
    let alarms = browser.value("document.querySelectorAll('#alarms .alarm').length").unwrap();
    assert_eq!(alarms, written["counts"]["alarms"]);
    let more = written["counts"]["alarms"].as_u64().unwrap() - benign["counts"]["alarms"].as_u64().unwrap();
    assert_eq!(more, 6, "a violation, a feed's alert, the breaker, and three farmers'");
    let shown = browser.value("document.querySelector('#alarms .why').innerText").unwrap();
    assert!(shown.as_str().unwrap().contains("<script>document.title='owned'</script>"), "{shown}");
    keep(&browser, "hostile");
}

#[test]
fn nothing_but_a_report_is_replaced() {
    let home = Home::ready();
    home.run("report --html report.html").ok();
    let first = std::fs::read(home.path().join("report.html")).unwrap();
    assert!(String::from_utf8(first).unwrap().contains("Nothing needs a look"));
    home.run("report --html report.html").ok();
    let state = home.state();
    let before = crate::support::digest(&state);
    let failed = home.run("report").arg("--html").arg(&state).fails(2, "conflict");
    assert!(failed["error"]["message"].as_str().unwrap().contains("is not a report"), "{failed}");
    assert_eq!(crate::support::digest(&state), before);
    home.run("report --html .").fails(2, "invalid_value");
    home.run("report --html no/such/report.html").fails(1, "io_error");
    home.run("report --html other.html nope").fails(2, "unknown_pool");
    home.run("report").fails(2, "usage");
    assert!(!home.path().join("other.html").exists());
    Home::empty().run("report --html report.html").fails(2, "state_missing");
    let names =
        std::fs::read_dir(home.path()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
    assert!(!names.into_iter().any(|name| name.contains("draft")));
}

#[test]
fn courses_are_drawn_where_people_look() {
    let played = Played::demo();
    let shown = played.run("pool show dollars").ok();
    let data = played.run("pool show dollars").json();
    let history = data["history"].as_array().unwrap();
    assert_eq!(history.last().unwrap()["total_assets"], data["total_assets"]);
    assert_eq!(history.last().unwrap()["block"], data["view"]["number"]);
    let course = shown.lines().find(|line| line.contains('█')).expect(&shown).trim();
    let blocks = course.chars().take_while(|c| ('▁'..='█').contains(c)).count();
    assert_eq!(blocks, history.len(), "{shown}");
    assert!(course.ends_with(&format!(", {} syncs", history.len())), "{shown}");

    let farmers = played.run("farmer list").json();
    let address = farmers["farmers"][0]["address"].as_str().unwrap();
    let shown = played.run(&format!("farmer show {address}")).ok();
    let rewards = shown.lines().find_map(|line| line.strip_prefix("rewards ")).expect(&shown).trim();
    let data = played.run(&format!("farmer show {address}")).json();
    let blocks = data["blocks"].as_array().unwrap();
    assert_eq!(rewards.chars().take_while(|c| ('▁'..='█').contains(c)).count(), blocks.len(), "{shown}");
    let stroops = |text: &String| text.replace('.', "").parse::<u64>().unwrap();
    let most = texts(&data["blocks"], "reward").iter().map(stroops).max().unwrap();
    let (_, said) = rewards.split_once("at most ").unwrap();
    assert_eq!(said, Quantity::new(Base::from(most), 7, "KALE").to_string());
}
