//! The README and the tour, kept true: each of their console blocks is what the binary prints, in the demo, on what the
//! demo leaves, or on a sandbox of its own.

use crate::support::Home;
use poolctl_testkit::Rpc;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::fs::Permissions;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::LazyLock;

/// Stands for whatever is left out: lines where it is alone in one, words where it is a word.
const LEFT_OUT: &str = "…";

/// Their commands that are not poolctl's.
const CARGO: [&str; 2] = ["cargo run -- demo", "cargo test --workspace"];

/// A command of a block, with the lines shown below it; a block may begin with lines of none.
#[derive(Default)]
struct Step {
    command: String,
    shown: Vec<String>,
}

/// Every console block, as steps.
static BLOCKS: LazyLock<Vec<Vec<Step>>> = LazyLock::new(|| {
    let text = ["README.md", "docs/tour.md"].map(page).concat().replace(" \\\n    ", " ");
    let blocks = text.split("```console\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    blocks.filter(|block| !CARGO.contains(&block.trim())).map(steps).collect()
});

fn page(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

fn steps(block: &str) -> Vec<Step> {
    let mut steps = vec![Step::default()];
    for line in block.lines() {
        if let Some(command) = line.strip_prefix("$ ") {
            steps.push(Step { command: command.to_owned(), shown: Vec::new() });
        } else if !line.is_empty() {
            steps.last_mut().unwrap().shown.push(line.to_owned());
        }
    }
    steps.retain(|step| !step.command.is_empty() || !step.shown.is_empty());
    steps
}

/// What differs from run to run, in one word: ports, hashes, keys, times, ids, the demo's folder.
fn plain(word: &str) -> String {
    let mut out = String::new();
    let mut rest = word;
    while let Some(first) = rest.chars().next() {
        let run = |fits: fn(char) -> bool| rest.find(|c| !fits(c)).unwrap_or(rest.len());
        let alphanumeric = run(|c| c.is_ascii_alphanumeric());
        let hex = rest
            .strip_prefix("0x")
            .map_or(0, |digits| digits.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(digits.len()));
        let stamp = run(|c| c.is_ascii_digit() || "-:.TZ".contains(c));
        let uuid = run(|c| c.is_ascii_hexdigit() || c == '-');
        let (kind, taken) = if hex >= 8 && hex != 40 {
            let cut = rest[2 + hex..].starts_with(LEFT_OUT);
            ("<hash>", 2 + hex + if cut { LEFT_OUT.len() } else { 0 })
        } else if alphanumeric == 56 && "GC".contains(first) {
            ("<key>", 56)
        } else if stamp >= 20 && rest[..stamp].contains('T') {
            ("<time>", stamp)
        } else if uuid == 36 && rest[..uuid].matches('-').count() == 4 {
            ("<id>", 36)
        } else if let Some(port) = rest.strip_prefix("127.0.0.1:") {
            ("<port>", rest.len() - port.trim_start_matches(|c: char| c.is_ascii_digit()).len())
        } else if let Some(name) = rest.strip_prefix("/tmp/poolctl-demo-") {
            ("<folder>", rest.len() - name.trim_start_matches(|c: char| c.is_ascii_hexdigit()).len())
        } else {
            out.push(first);
            rest = &rest[first.len_utf8()..];
            continue;
        };
        out.push_str(kind);
        rest = &rest[taken..];
    }
    out
}

/// A line's words, so that the width of columns does not count.
fn words(line: &str) -> Vec<String> {
    line.split_whitespace().map(plain).collect()
}

/// The same without its figures.
fn figureless(words: &[String]) -> Vec<String> {
    let masked = words.iter().map(|word| word.replace(|c: char| c.is_ascii_digit() || ",.".contains(c), "#"));
    let mut out: Vec<String> = Vec::new();
    for word in masked {
        let mut short = String::new();
        for c in word.chars() {
            if !(c == '#' && short.ends_with('#')) {
                short.push(c);
            }
        }
        // An age has one part or two: "5s", "2m 5s".
        let age = |word: &str| ["#s", "#m", "#h", "#d"].contains(&word.trim_end_matches([',', ')']));
        if age(&short) {
            short = short.replace(['m', 'h', 'd'], "s");
            if out.last().is_some_and(|last| age(last)) {
                out.pop();
            }
        }
        out.push(short);
    }
    out
}

/// Whether a shown line is what a printed one says. Figures must be the same where they are amounts of the EVM's tokens;
/// those of the farm depend on keys and nonces that are new each time.
fn same(shown: &str, printed: &str) -> bool {
    let (shown_words, printed_words) = (words(shown), words(printed));
    let exact = ["DUSD", "DETH"].iter().any(|asset| shown.contains(asset));
    fits(&shown_words, &printed_words)
        || (!exact && fits(&figureless(&shown_words), &figureless(&printed_words)))
}

fn fits(shown: &[String], printed: &[String]) -> bool {
    match shown.split_first() {
        None => printed.is_empty(),
        Some((word, rest)) if word == LEFT_OUT => {
            (0..=printed.len()).any(|skipped| fits(rest, &printed[skipped..]))
        }
        Some((word, rest)) => printed.split_first().is_some_and(|(first, others)| {
            let alike = word.split_once(LEFT_OUT).map_or(word == first, |(head, tail)| {
                first.len() >= head.len() + tail.len() && first.starts_with(head) && first.ends_with(tail)
            });
            alike && fits(rest, others)
        }),
    }
}

/// Compares the shown lines with all printed ones.
///
/// # Errors
/// The first shown line that fits nowhere, and what was printed there.
fn follows(shown: &[String], printed: &[&str]) -> Result<(), String> {
    fn go(shown: &[String], at: (usize, usize), printed: &[&str], far: &mut (usize, usize)) -> bool {
        *far = at.max(*far);
        match (shown.get(at.0), printed.get(at.1)) {
            (None, line) => line.is_none(),
            (Some(line), _) if line == LEFT_OUT => {
                (at.1..=printed.len()).any(|next| go(shown, (at.0 + 1, next), printed, far))
            }
            (Some(line), next) => {
                next.is_some_and(|next| same(line, next)) && go(shown, (at.0 + 1, at.1 + 1), printed, far)
            }
        }
    }
    let mut far = (0, 0);
    if go(shown, (0, 0), printed, &mut far) {
        return Ok(());
    }
    let want = shown.get(far.0).map_or("no more", String::as_str);
    let near = printed[far.1.saturating_sub(2)..printed.len().min(far.1 + 3)].join("\n  ");
    Err(format!("the page shows\n  {want}\nand near there was printed\n  {near}"))
}

fn lines(text: &str) -> Vec<&str> {
    text.lines().filter(|line| !line.trim().is_empty()).collect()
}

/// What `$ command` printed in the demo, each time it was run.
fn in_demo<'a>(demo: &[&'a str], command: &str) -> Vec<Vec<&'a str>> {
    let begins = demo.iter().enumerate().filter(|(_, line)| **line == format!("$ {command}"));
    let until_next = |at: usize| {
        let rest = &demo[at + 1..];
        let end = rest.iter().position(|line| line.starts_with("$ ") || line.starts_with("# "));
        rest[..end.unwrap_or(rest.len())].to_vec()
    };
    begins.map(|(at, _)| until_next(at)).collect()
}

/// Runs a command line of a page: `poolctl …`, perhaps with `| jq -r .a.b` behind it.
fn run(home: &Home, config: &Path, line: &str) -> String {
    let (line, path) = line.split_once(" | jq -r ").map_or((line, None), |(line, path)| (line, Some(path)));
    let words = line.strip_prefix("poolctl ").unwrap_or_else(|| panic!("no poolctl: {line}"));
    let mut run = home.run(words);
    run.command.env("POOLCTL_CONFIG", config);
    let ran = run.alone();
    let Some(path) = path else {
        return ran.stdout + &ran.stderr;
    };
    let json: Value = serde_json::from_str(&ran.stdout).unwrap();
    json.pointer(&path.replace('.', "/")).unwrap().as_str().unwrap().to_owned()
}

/// A block that needs a sandbox, rather than the demo.
fn of_sandbox(block: &[Step]) -> bool {
    block.iter().any(|step| step.command.contains("sandbox"))
}

#[test]
fn the_demo_and_what_it_leaves_are_as_the_readme_shows() {
    let home = Home::empty();
    let demo = home.run("demo").env("TMPDIR", "/tmp").exits(0).stdout;
    let config = demo.lines().find_map(|line| line.strip_prefix("config  ")).unwrap();
    let config = Path::new(config);
    let printed = lines(&demo);
    for block in BLOCKS.iter().filter(|block| !of_sandbox(block)) {
        if block[0].command.is_empty() {
            // An excerpt of the demo as a whole.
            let shown: Vec<String> = block.iter().flat_map(whole).collect();
            follows(&shown, &printed).unwrap_or_else(|why| panic!("{why}"));
            continue;
        }
        for Step { command, shown } in block {
            let shown_once = in_demo(&printed, command);
            if shown_once.is_empty() {
                let text = run(&home, config, command);
                follows(shown, &lines(&text)).unwrap_or_else(|why| panic!("$ {command}: {why}"));
            } else {
                let found: Vec<_> = shown_once.iter().map(|printed| follows(shown, printed)).collect();
                assert!(found.iter().any(Result::is_ok), "$ {command}: {found:?}");
            }
        }
    }
    std::fs::remove_dir_all(config.parent().unwrap()).unwrap();
}

/// A step's lines as they stand.
fn whole(step: &Step) -> Vec<String> {
    let command = (!step.command.is_empty()).then(|| format!("$ {}", step.command));
    command.into_iter().chain(step.shown.iter().cloned()).collect()
}

#[test]
fn the_sandbox_is_as_the_readme_shows() {
    let home = Home::empty();
    let mut steps = BLOCKS.iter().filter(|block| of_sandbox(block)).flatten();
    let first = steps.next().unwrap();
    let up = first.command.strip_prefix("poolctl ").unwrap();
    let mut child = home.run(up).spawn();
    let mut printed = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut printed).unwrap();
    follows(&first.shown, &lines(&printed)).unwrap();
    let url = printed.split('\t').find_map(|word| word.strip_prefix("evm.url=")).unwrap();
    let rpc = Rpc::new(url).unwrap();
    let config = home.path().join("sandbox.toml");
    let mut seen = 0;
    for Step { command, shown } in steps {
        let text = if command.starts_with("export ") {
            assert_eq!(command, "export POOLCTL_CONFIG=sandbox.toml");
            String::new()
        } else if let Some((_, body)) = command.strip_prefix("curl ").and_then(|line| line.split_once(" -d "))
        {
            let asked: Value = serde_json::from_str(body.trim_matches('\'')).unwrap();
            let result = rpc.call(asked["method"].as_str().unwrap(), asked["params"].clone()).unwrap();
            json!({ "jsonrpc": "2.0", "id": asked["id"], "result": result }).to_string()
        } else {
            run(&home, &config, command)
        };
        follows(shown, &lines(&text)).unwrap_or_else(|why| panic!("$ {command}: {why}"));
        seen += 1;
    }
    assert!(seen > 3, "{seen}");
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

/// The config file in the README is one that poolctl takes.
#[test]
fn the_readmes_config_is_taken() {
    let text = page("README.md");
    let block = text.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    let home = Home::empty();
    let filled = block
        .replace("main=https://…", "main=https://one.example.org")
        .replace("backup=https://…", "backup=https://two.example.org")
        .replace("0x…", "0x5FbDB2315678afecb367f032d93F642f64180aa3");
    home.write_config(&filled);
    std::fs::set_permissions(home.config(), Permissions::from_mode(0o600)).unwrap();
    home.run("config check").ok();
}

#[test]
fn lines_are_compared_as_they_should_be() {
    for (shown, printed, alike) in [
        ("a  1,234.50 DUSD", "a 1,234.50 DUSD", true),
        ("a 1,234.50 DUSD", "a 1,234.51 DUSD", false),
        ("a 18.00 KALE 1083", "a 37.50 KALE 1085", true),
        ("a 18.00 KALE", "a 37.50 XLM", false),
        ("block 2, 1s old", "block 2, 1m 5s old", true),
        ("age 2m", "age 2m 10s", true),
        ("age 2m, old", "age 1d 3h old", false),
        ("block 72 (0xa368fa44…) at \"sandbox\"", "block 98 (0x82c5a7db…) at \"sandbox\"", true),
        ("0x9fE46736679d2D9a65F0992F2272dE9f3c7fa6e0", "0x5FbDB2315678afecb367f032d93F642f64180aa3", false),
        ("by 2026-10-25T03:51:43Z", "by 2026-11-22T04:59:35.459Z", true),
        ("ready … config=…/x.toml", "ready a b config=/home/x.toml", true),
        ("ready … config=…/x.toml", "ready a b config=/home/y.toml", false),
    ] {
        assert_eq!(same(shown, printed), alike, "{shown} | {printed}");
    }
    let shown = |text: &str| text.split('|').map(str::to_owned).collect::<Vec<_>>();
    assert!(follows(&shown("a|…|c"), &["a", "b", "b", "c"]).is_ok());
    assert!(follows(&shown("a|c"), &["a", "b", "c"]).is_err());
    assert!(follows(&shown("a|…"), &["a", "b"]).is_ok());
    assert!(follows(&shown("a"), &["a", "b"]).is_err(), "what is left out is said");
}
