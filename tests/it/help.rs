//! The whole `--help` of every command, as snapshots. After a change: `INSTA_UPDATE=always cargo test --test it help`.

use crate::support::Home;

/// The names under "Commands:".
fn commands(help: &str) -> Vec<String> {
    let lines = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let lines = lines.take_while(|line| !line.trim().is_empty());
    // Continued descriptions are indented further than names.
    let names = lines.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    names.filter_map(|line| line.split_whitespace().next().map(str::to_owned)).collect()
}

fn walk(home: &Home, path: &[String], all: &mut String) {
    let help = home.args(path).arg("--help").ok();
    assert!(help.starts_with(&format!("Example: poolctl {}", path.join(" "))), "{help}");
    // The global options are the same everywhere; they stand once, in the snapshot of poolctl itself.
    let own = if path.is_empty() { help.as_str() } else { help.split("Global options:").next().unwrap() };
    all.push_str(
        &format!("$ poolctl {} --help\n{}\n\n", path.join(" "), own.trim_end())
            .replace("  --help", " --help"),
    );
    if !path.is_empty() {
        for name in commands(&help) {
            walk(home, &[path, &[name]].concat(), all);
        }
    }
}

#[test]
fn help_of_every_command() {
    let home = Home::empty();
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    let _bound = settings.bind_to_scope();
    let mut root = String::new();
    walk(&home, &[], &mut root);
    insta::assert_snapshot!("help-poolctl", root);
    for group in commands(&root) {
        let mut all = String::new();
        walk(&home, std::slice::from_ref(&group), &mut all);
        insta::assert_snapshot!(format!("help-{group}"), all);
    }
}

#[test]
fn help_of_a_command_by_its_words() {
    let home = Home::empty();
    for (line, flag) in
        [("help pool list", "pool list --help"), ("help pool", "pool --help"), ("help", "--help")]
    {
        let (words, flag) = (home.run(line).ok(), home.run(flag).ok());
        assert_eq!(words.trim_end(), flag.trim_end(), "{line}");
    }
    let text = home.run("help plant").json()["text"].as_str().unwrap().to_owned();
    assert!(text.starts_with("Example: poolctl plant\n"), "{text}");
    home.run("help pool lst").fails(2, "usage");
    home.run("help plant list").fails(2, "usage");
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0, "something was written");
}

#[test]
fn version_names_the_build_and_the_schemas() {
    let home = Home::empty();
    let version = home.run("version").json();
    let flag = home.run("--version").ok();
    assert_eq!(flag.trim_end(), format!("poolctl {}", version["version"].as_str().unwrap()));
    let build = version["build"].as_str().unwrap();
    let (profile, system) = build.split_once(' ').unwrap();
    assert!(["debug", "release"].contains(&profile), "{build}");
    assert_eq!(system, format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS));
    assert_eq!(version["state_schema"], home.run("info").json()["schema"]);
    let envelope = home.run("version").arg("--json").exits(0).envelope();
    assert_eq!(version["json_schema"], envelope["schema_version"]);
    let text = home.run("version").ok();
    assert!(text.starts_with(&format!("{} ({build})\n", flag.trim_end())), "{text}");
}
