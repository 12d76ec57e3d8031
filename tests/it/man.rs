//! `poolctl man`: a page for every command, which the formatters of this machine find nothing wrong with.

use crate::support::Home;
use poolctl_testkit::{tools, watch};
use std::path::Path;
use std::process::Command;

/// What the program says of a page, stdout and stderr.
fn format(program: &str, args: &[&str], page: &Path) -> (String, String) {
    let mut command = Command::new(tools::debian(program).unwrap());
    let output = watch::output(command.args(args).arg(page).env("LC_ALL", "C.UTF-8")).unwrap();
    (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn every_command_has_a_sound_page() {
    let home = Home::empty();
    let data = home.run("man --output pages").json();
    let pages = data["pages"].as_array().unwrap();
    let schemas = home.run("schema").json();
    let commands: Vec<String> = schemas["schemas"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| format!("poolctl-{}.1", one["command"].as_str().unwrap().replace(' ', "-")))
        .collect();
    for name in commands.iter().map(String::as_str).chain(["poolctl.1", "poolctl-pool.1"]) {
        assert!(pages.iter().any(|page| page["name"] == name), "{name} is missing");
    }
    for page in pages {
        let path = Path::new(page["path"].as_str().unwrap());
        assert!(page["text"].is_null());
        let text = std::fs::read_to_string(path).unwrap();
        assert!(text.contains(".SH NAME") && text.contains(".SH EXAMPLES"), "{text}");
        assert!(text.is_ascii(), "a plain formatter would show something else");
        let (shown, said) = format("groff", &["-man", "-Tutf8", "-ww"], path);
        assert_eq!(said, "", "{}", path.display());
        assert!(shown.lines().count() > 10, "{shown}");
        assert_eq!(format("mandoc", &["-Tlint", "-Werror"], path).0, "");
        // What is printed is the same page.
        let words = page["name"].as_str().unwrap().trim_start_matches("poolctl").trim_end_matches(".1");
        let known = commands.iter().any(|name| name == page["name"].as_str().unwrap());
        if known && words.matches('-').count() == 1 {
            assert_eq!(home.run(&format!("man {}", &words[1..])).ok(), text);
        }
    }
    let list = home.run("man pool list").json();
    assert_eq!(list["pages"][0]["name"], "poolctl-pool-list.1");
    let text = list["pages"][0]["text"].as_str().unwrap();
    assert!(text.contains("poolctl pool list") && !text.contains("metrics"), "{text}");
}

/// The exit codes are said once, in the page of poolctl itself, with the README's words.
#[test]
fn the_page_of_poolctl_has_the_exit_codes() {
    let page = Home::empty().run("man").ok();
    let readme = include_str!("../../README.md");
    let rows = readme.lines().skip_while(|line| *line != "| code | meaning |").skip(2);
    let rows: Vec<&str> = rows.take_while(|line| line.starts_with('|')).collect();
    assert_eq!(rows.len(), 10, "{rows:?}");
    for row in rows {
        let [code, meaning] = row.trim_matches('|').split('|').collect::<Vec<_>>()[..] else {
            panic!("{row}")
        };
        let meaning = meaning.trim().replace('`', "").replace("--", "\\-\\-");
        let want = format!(".TP\n{}\n{meaning}\n", code.trim());
        assert!(page.contains(&want), "{want}\nis not in\n{page}");
    }
    assert!(page.contains("metrics\\-file"), "the options of every command");
}

#[test]
fn a_page_that_there_is_not() {
    let home = Home::empty();
    home.run("man pool lst").fails(2, "usage");
    home.run("man pool --output pages").fails(2, "usage");
    std::fs::write(home.path().join("file"), "").unwrap();
    home.run("man --output file").fails(1, "io_error");
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 1, "something was written");
}
