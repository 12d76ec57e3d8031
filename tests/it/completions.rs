//! Completion: the committed scripts are what poolctl prints, real shells take them, and the names come from the state
//! without a lock, a wait or a word on an error.

use crate::support::{BINARY, Home, digest};
use poolctl_testkit::{tools, watch};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const SHELLS: [(&str, &str); 5] = [
    ("bash", "poolctl.bash"),
    ("zsh", "_poolctl"),
    ("fish", "poolctl.fish"),
    ("powershell", "poolctl.ps1"),
    ("nushell", "poolctl.nu"),
];

const ALICE: &str = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";
const FARMER: &str = "GBQHTQ7NTSKHVTSVM6EHUO3TU4P4BK2TAAII25V2TT2Q6OWXUJWEKALE";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("completions")
}

/// A home whose state knows two pools, a member, a feed, two poolers and a farmer.
fn furnished() -> Home {
    let home = Home::ready();
    home.run(&format!("member add {ALICE} --name alice")).ok();
    home.run("pooler add north").ok();
    home.run("pooler add south").ok();
    home.sqlite()
        .execute_batch(&format!(
            "INSERT INTO assets VALUES ('0x5FbDB2315678afecb367f032d93F642f64180aa3', 'TA', 18);
             INSERT INTO pools (id, name, address, abi, asset, share_symbol, share_decimals, deploy_block,
                 max_rate_drop_ppm, added_at)
             SELECT column1, column2, column2 || '-address', 'erc4626', address, 'S', 18, 0, 0, 1
             FROM assets, (VALUES (1, 'growth'), (2, 'great'));
             INSERT INTO oracle_feeds (id, name, asset, kind, fixed_price_e18, max_staleness_sec, added_at)
             SELECT 1, 'growth-usd', address, 'fixed', '1', 60, 1 FROM assets;
             INSERT INTO farmers SELECT 'c0ffee', '{FARMER}', id, 'active', 0, NULL, 1, 1, NULL
             FROM poolers WHERE name = 'north';"
        ))
        .unwrap();
    home
}

/// What the last of these words may be: value and help. stderr is silent and the exit code 0, always.
fn ask(home: &Home, words: &[&str]) -> Vec<(String, String)> {
    let index = (words.len() - 1).to_string();
    let ran = home.args([&["__complete", &index], words].concat()).exits(0);
    assert_eq!(ran.stderr, "", "{words:?}");
    ran.stdout
        .lines()
        .map(|line| line.split_once('\t').unwrap())
        .map(|(value, help)| (value.to_owned(), help.to_owned()))
        .collect()
}

fn values(home: &Home, line: &str) -> Vec<String> {
    ask(home, &line.split(' ').collect::<Vec<_>>()).into_iter().map(|(value, _)| value).collect()
}

/// After a change of the commands: `poolctl completions nushell > completions/poolctl.nu`; the others are their own source.
#[test]
#[cfg(feature = "sandbox")]
fn committed_scripts_are_what_is_printed() {
    let home = Home::empty();
    for (shell, file) in SHELLS {
        let committed = std::fs::read_to_string(folder().join(file)).unwrap();
        assert!(
            home.run(&format!("completions {shell}")).ok() == committed,
            "completions/{file} is out of date"
        );
        let data = home.run(&format!("completions {shell}")).json();
        assert_eq!(data["shell"], shell);
        assert_eq!(data["script"], committed);
    }
    home.run("completions tcsh").fails(2, "usage");
    assert!(std::fs::read_dir(home.path()).unwrap().next().is_none(), "it left something");
}

#[test]
fn commands_flags_and_fixed_values() {
    let home = Home::empty();
    assert_eq!(
        ask(&home, &["poolctl", "poo"]),
        [
            (
                "pool".to_owned(),
                "Add, change, list and show pools, and members' positions in them".to_owned()
            ),
            (
                "pooler".to_owned(),
                "Add, change and list poolers: who works for a group of farmers, and how rewards are split"
                    .to_owned()
            ),
        ]
    );
    assert_eq!(values(&home, "poolctl risk reset"), ["reset-breaker"]);
    assert_eq!(values(&home, "poolctl --color a"), ["auto", "always"]);
    assert_eq!(values(&home, "poolctl --color=n"), ["--color=never"]);
    assert_eq!(values(&home, "poolctl config set oracle.cache"), ["oracle.cache_ttl_sec"]);
    assert_eq!(values(&home, "poolctl events --ki"), ["--kind"]);
    let offered = values(&home, "poolctl pool ");
    assert!(
        offered.contains(&"list".to_owned()) && offered.iter().all(|word| !word.starts_with('-')),
        "{offered:?}"
    );
    assert!(
        values(&home, "poolctl state check ").iter().all(|word| word.starts_with('-')),
        "there is nothing else"
    );
    for line in ["poolctl pool show a b ", "poolctl --no-such-flag=", "poolctl events --limit "] {
        assert!(!values(&home, line).iter().any(|word| !word.starts_with('-')), "{line}");
    }
}

#[test]
fn names_come_from_the_state() {
    let home = furnished();
    assert_eq!(
        ask(&home, &["poolctl", "pool", "show", "g"]),
        [
            ("great".to_owned(), "great-address".to_owned()),
            ("growth".to_owned(), "growth-address".to_owned()),
        ]
    );
    for (line, want) in [
        ("poolctl sync gro", "growth"),
        ("poolctl risk check great gro", "growth"),
        ("poolctl reward claim al", "alice"),
        ("poolctl reward claim alice gro", "growth"),
        ("poolctl member show 0x7099", ALICE),
        ("poolctl oracle check ", "growth-usd"),
        ("poolctl farmer register --pooler s", "south"),
        ("poolctl farmer register --pooler=s", "--pooler=south"),
        ("poolctl farmer show GB", FARMER),
        ("poolctl farmer show c0", "c0ffee"),
        ("poolctl plant ", FARMER),
        ("poolctl --profile san", "sandbox"),
    ] {
        assert_eq!(values(&home, line), [want], "{line}");
    }
    // Text that SQL or LIKE would take for more than it is.
    for odd in ["%", "_", "'", "x' OR '1'='1", "\u{10ffff}"] {
        assert_eq!(ask(&home, &["poolctl", "pool", "show", odd]), [], "{odd}");
    }
    // The shell may leave out the word that is to begin, and give those behind the cursor.
    let missing = home.args(["__complete", "3", "poolctl", "pool", "show"]).exits(0).stdout;
    assert_eq!(missing.lines().count(), 2, "{missing}");
    let behind = home.args(["__complete", "2", "poolctl", "pool", "sh", "growth"]).exits(0).stdout;
    assert!(behind.starts_with("show\t"), "{behind}");
}

/// `--state`, `--config` and `--profile` before the cursor name the state that is asked.
#[test]
fn the_words_before_the_cursor_choose_the_state() {
    let (home, other) = (furnished(), Home::empty());
    let state = home.state();
    let state = state.to_str().unwrap();
    assert_eq!(ask(&other, &["poolctl", "pool", "show", "gro"]), []);
    assert_eq!(ask(&other, &["poolctl", "--state", state, "pool", "show", "gro"]).len(), 1);
    assert_eq!(ask(&other, &["poolctl", "pool", "show", &format!("--state={state}"), "gro"]).len(), 1);
    assert_eq!(values(&home, "poolctl --profile testnet pool show gro"), [""; 0]);
    std::fs::write(
        other.path().join("own.toml"),
        format!("[profiles.own]\nevm.chain_id = 5\nstate.path = {state:?}\n"),
    )
    .unwrap();
    assert_eq!(values(&other, "poolctl --config own.toml --profile o"), ["own"]);
    assert_eq!(values(&other, "poolctl --config own.toml --profile own pool show gro"), ["growth"]);
}

/// While another run writes, and to a state that is in no other use, completion answers, and changes nothing.
#[test]
fn it_neither_locks_nor_writes() {
    let home = furnished();
    let listing = || {
        let mut names: Vec<_> = std::fs::read_dir(home.state().parent().unwrap())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        names.sort();
        names
    };
    let before = (digest(&home.state()), listing());
    assert_eq!(values(&home, "poolctl pool show gro"), ["growth"]);
    assert_eq!((digest(&home.state()), listing()), before);
    let writer = home.sqlite();
    writer.execute_batch("BEGIN IMMEDIATE; DELETE FROM oracle_feeds;").unwrap();
    assert_eq!(values(&home, "poolctl oracle check gro"), ["growth-usd"], "what is not committed is not so");
}

#[test]
fn an_error_is_silence() {
    let home = furnished();
    std::fs::write(home.state(), "no database at all, but long enough to be read as the head of one")
        .unwrap();
    assert_eq!(ask(&home, &["poolctl", "pool", "show", "g"]), []);
    home.write_config("[profiles.sandbox]\nno_such_key = 1\n");
    assert_eq!(ask(&home, &["poolctl", "pool", "show", "g"]), []);
    for question in [
        &["__complete"][..],
        &["__complete", "x"],
        &["__complete", "0"],
        &["__complete", "99999999999999999999"],
    ] {
        let ran = home.args(question).exits(0);
        assert_eq!((ran.stderr.as_str(), ran.stdout.contains("Usage")), ("", false), "{question:?}");
    }
}

/// Runs a script in a shell that reads no files of its own, with poolctl on its path.
fn shell(home: &Home, program: &str, args: &[&str], script: &str) -> String {
    let bin = Path::new(BINARY).parent().unwrap().display().to_string();
    let mut command = Command::new(tools::debian(program).unwrap());
    command.args(args).arg(script).current_dir(home.path()).env_clear().stdin(Stdio::null());
    command.env("HOME", home.path()).env("PATH", format!("{bin}:/usr/local/bin:/usr/bin:/bin"));
    let output = watch::output(&mut command).unwrap();
    assert!(output.stderr.is_empty(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn bash_completes() {
    let home = furnished();
    std::fs::create_dir(home.path().join("folder")).unwrap();
    let script = folder().join("poolctl.bash");
    // As readline calls it: COMP_WORDS, COMP_CWORD, and what `complete -p` names.
    let complete = |words: &str| {
        let script = format!(
            "source '{}'; [[ $(complete -p poolctl) == 'complete -F _poolctl poolctl' ]] || echo unregistered
             COMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); _poolctl; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
            script.display()
        );
        shell(&home, "bash", &["--norc", "--noprofile", "-c"], &script)
    };
    assert_eq!(complete("poolctl pool show g"), "great\ngrowth\n");
    assert_eq!(complete("poolctl pool show ''"), "great\ngrowth\n");
    assert_eq!(complete("poolctl risk reset"), "reset-breaker\n");
    // Readline splits at "=" and replaces only what follows.
    assert_eq!(complete("poolctl --profile = san"), "sandbox\n");
    assert_eq!(complete("poolctl --profile = ''"), "mainnet\ntestnet\nsandbox\n");
    assert_eq!(complete("poolctl --profile = testnet pool show gro"), "\n", "another profile's state");
    assert_eq!(complete("poolctl state backup fol"), "folder/\n");
    assert_eq!(complete("poolctl nonsense x"), "\n");
}

#[test]
fn zsh_completes() {
    let home = furnished();
    let script = folder().join("_poolctl");
    // Outside of its line editor zsh has no compadd: what it would be handed is printed.
    let complete = |words: &str| {
        let script = format!(
            "compdef() {{ print -r registered $2 }}; compadd() {{ print -rl -- ${{(P)@[-1]}} }}
             source '{}'; words=({words}); CURRENT=$#words; _poolctl",
            script.display()
        );
        shell(&home, "zsh", &["-f", "-c"], &script)
    };
    assert_eq!(complete("poolctl pool show g"), "registered poolctl\ngreat\ngrowth\n");
    assert_eq!(complete("poolctl pool show ''"), "registered poolctl\ngreat\ngrowth\n");
    assert_eq!(complete("poolctl pool show gro"), "registered poolctl\ngrowth\n");
    assert_eq!(complete("poolctl nonsense x"), "registered poolctl\n");
}

#[test]
fn fish_completes() {
    let home = furnished();
    let script = folder().join("poolctl.fish");
    let complete = |line: &str| {
        let script = format!("source '{}'; complete --do-complete '{line}'", script.display());
        shell(&home, "fish", &["--no-config", "-c"], &script)
    };
    let names = complete("poolctl pool show g");
    assert_eq!(names, "great\tgreat-address\ngrowth\tgrowth-address\n");
    assert_eq!(complete("poolctl pool show "), names);
    assert_eq!(complete("poolctl --profile=san"), "--profile=sandbox\n");
    assert_eq!(complete("poolctl risk reset").split('\t').next(), Some("reset-breaker"));
    assert_eq!(complete("poolctl nonsense x"), "");
}
