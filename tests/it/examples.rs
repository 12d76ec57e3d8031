//! The examples that need no network: configs, units, backup and log rotation.

use crate::support::{BINARY, Home};
use poolctl_testkit::cli::files;
use poolctl_testkit::examples::{path as example, systemd_accepts, text};
use std::path::Path;
use std::process::Command;

/// Names of the files of a folder of examples.
fn names(folder: &str) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(example(folder))
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn each_config_is_sound() {
    let names = names("config");
    assert_eq!(names, ["farm.toml", "l2.toml", "mainnet.toml", "sandbox.toml", "testnet.toml"]);
    for name in names {
        let home = Home::empty();
        home.write_private("config.toml", &text(&format!("config/{name}")));
        let check = home.run("config check --config config.toml").json();
        assert_eq!(check["findings"].as_array().unwrap().len(), 0, "{name}: {check}");
        let shown = home.run("config show --config config.toml").json();
        let profile = shown["profile"].as_str().unwrap();
        let own = shown["settings"].as_array().unwrap().iter().filter(|setting| {
            setting["origin"].to_string().contains(profile) && setting["key"] != "state.path"
        });
        assert!(own.count() >= 3, "{name} sets little: {shown}");
        // It would work as it stands: another profile of the same file is refused.
        home.run("config check --config config.toml --profile nosuch").fails(2, "unknown_profile");
    }
}

#[test]
fn systemd_accepts_the_units_of_the_pools_and_their_hardening() {
    systemd_accepts(BINARY, "pools", &["poolctl-pools.service", "poolctl-pools.timer"]);
    systemd_accepts(BINARY, "schedule", &["poolctl.service"]);
    systemd_accepts(BINARY, "server", &["poolctl-pool.service", "poolctl-serve.service"]);
}

/// What moves value asks on a terminal: where there is none, each command agrees to it beforehand.
#[test]
fn what_runs_unattended_agrees_to_what_moves_value() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut texts: Vec<(String, String)> = Vec::new();
    for file in files(&root.join("examples")) {
        let bytes = std::fs::read(&file).unwrap();
        texts.push((file.display().to_string(), String::from_utf8_lossy(&bytes).into_owned()));
    }
    for page in ["README.md", "docs/operations.md"] {
        let all = std::fs::read_to_string(root.join(page)).unwrap();
        let blocks: Vec<&str> =
            all.split("```crontab\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
        assert_eq!(blocks.len(), 1, "{page}");
        texts.push((page.to_owned(), blocks.concat()));
    }
    let mut seen = 0;
    for (name, text) in &texts {
        for line in text.lines().filter(|line| !line.trim_start().starts_with('#')) {
            for command in line.split([';', '&', '|']) {
                if ["reward cycle", "farm run", "work submit", "poolctl run", "serve --farm"]
                    .iter()
                    .any(|words| command.contains(words))
                {
                    assert!(command.split_whitespace().any(|word| word == "--yes"), "{name}: {line}");
                    seen += 1;
                }
            }
        }
    }
    assert!(seen >= 10, "{seen} commands: some are not seen");
}

/// Nothing hides how a command of a schedule ended, nor what it wrote.
#[test]
fn what_is_scheduled_hides_nothing() {
    for folder in ["farm", "pools", "schedule"] {
        for name in names(folder) {
            let text = text(&format!("{folder}/{name}"));
            let lines = text.lines().filter(|line| !line.starts_with('#'));
            for line in lines.filter(|line| line.contains("poolctl") || line.contains("Exit")) {
                let hides = ["/dev/null", "&&", "=-", "SuccessExitStatus", "|| true"];
                assert!(!hides.iter().any(|sign| line.contains(sign)), "{folder}/{name}: {line}");
            }
        }
    }
}

#[test]
fn litestream_copies_the_state_that_the_config_names() {
    let config = text("config/mainnet.toml");
    let state = config.lines().find_map(|line| line.strip_prefix("state.path = ")).unwrap().trim_matches('"');
    let yaml = text("backup/litestream.yml");
    assert!(yaml.lines().any(|line| line.trim() == format!("- path: {state}")), "{yaml}");
    assert!(!yaml.contains('\t'), "YAML is indented with spaces");
    // The commands that its comments give are ones that poolctl takes.
    let home = Home::ready();
    home.run("state backup restored.sqlite").ok();
    home.run("state check --full --state restored.sqlite").ok();
    let restore = yaml.lines().find_map(|line| line.split("&& poolctl ").nth(1)).unwrap();
    home.run(restore).arg("--yes").exits(0);
}

#[test]
fn logrotate_takes_its_file() {
    let rules = text("backup/logrotate");
    assert_eq!(rules.matches('{').count(), rules.matches('}').count());
    assert!(rules.contains("copytruncate"), "a service keeps its file open");
    if Command::new("logrotate").arg("--version").output().is_ok() {
        let folder = tempfile::tempdir().unwrap();
        // Its user is not on every machine.
        let path = folder.path().join("logrotate");
        std::fs::write(&path, rules.replace("    su poolctl poolctl\n", "")).unwrap();
        let state = folder.path().join("status");
        let output = Command::new("logrotate").arg("-d").arg("-s").arg(state).arg(&path).output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }
}
