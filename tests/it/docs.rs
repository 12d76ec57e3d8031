//! The pages for operators and contributors, kept true: what they name is there.

use base::Code;
use config::keys::KEYS;
use kale::reason::Reason;
use poolctl_testkit::cli::files;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Every page: those at the top, and those below `docs`.
fn pages() -> Vec<PathBuf> {
    let is_page = |path: &PathBuf| path.extension().is_some_and(|kind| kind == "md");
    let top = ["README.md", "CONTRIBUTING.md", "SECURITY.md"].map(|name| root().join(name));
    top.into_iter().chain(files(&root().join("docs")).into_iter().filter(is_page)).collect()
}

/// The files and functions that a page names as `` `file.rs`: `function` ``.
fn stops(text: &str) -> Vec<(&str, &str)> {
    let parts: Vec<&str> = text.split('`').collect();
    let is_source = |name: &str| Path::new(name).extension().is_some_and(|kind| kind == "rs");
    let named = parts.windows(3).filter(|part| is_source(part[0]) && part[1].trim() == ":");
    named.map(|part| (part[0], part[2])).collect()
}

#[test]
fn the_ways_name_functions_that_there_are() {
    let text = read("docs/architecture.md");
    let missing: Vec<String> = stops(&text)
        .into_iter()
        .filter(|(file, function)| {
            let source = std::fs::read_to_string(root().join(file)).unwrap_or_default();
            !["(", "<"].iter().any(|next| source.contains(&format!("fn {function}{next}")))
        })
        .map(|(file, function)| format!("{file}: {function}"))
        .collect();
    assert!(missing.is_empty(), "docs/architecture.md names what is not there:\n{}", missing.join("\n"));
    for command in ["plant", "sync"] {
        let way = text.split("\n## ").find(|part| part.starts_with(&format!("From `{command}`"))).unwrap();
        let numbered: Vec<&str> = way
            .lines()
            .filter(|line| line.split_once(". ").is_some_and(|(number, _)| number.parse::<u8>().is_ok()))
            .collect();
        assert!((5..=8).contains(&numbered.len()), "{command}: {numbered:?}");
        for stop in numbered {
            assert!(!stops(stop).is_empty(), "a stop is a file and a function: {stop}");
        }
    }
}

#[test]
fn the_map_has_every_crate_with_what_it_uses() {
    let map = read("CONTRIBUTING.md");
    let rows: BTreeSet<&str> = map.lines().filter(|line| line.starts_with("| `src/")).collect();
    let mut crates = 0;
    for entry in std::fs::read_dir(root().join("src")).unwrap() {
        let folder = entry.unwrap().path();
        let Ok(manifest) = std::fs::read_to_string(folder.join("Cargo.toml")) else { continue };
        let own = manifest.split("\n[dependencies]\n").nth(1).unwrap_or_default();
        let own = own.split("\n[").next().unwrap();
        let uses: BTreeSet<&str> = own
            .lines()
            .filter_map(|line| line.split(['.', ' ', '=']).next())
            .filter(|name| root().join("src").join(name).join("Cargo.toml").exists() && !name.is_empty())
            .collect();
        let uses = uses.into_iter().collect::<Vec<_>>().join(", ");
        let name = folder.file_name().unwrap().to_str().unwrap();
        let want = format!("| `src/{name}` | {} |", if uses.is_empty() { "–" } else { &uses });
        assert!(
            rows.iter().any(|row| row.starts_with(&want)),
            "no row in CONTRIBUTING.md begins with: {want}"
        );
        crates += 1;
    }
    assert_eq!(rows.len(), crates, "CONTRIBUTING.md has a crate that is not there");
}

#[test]
fn links_lead_to_files() {
    for page in pages() {
        let text = read(&page);
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let file = target.split('#').next().unwrap();
            let is_here = !file.is_empty() && !file.starts_with("http");
            assert!(
                !is_here || page.parent().unwrap().join(file).exists(),
                "{}: a link leads nowhere: {target}",
                page.display()
            );
        }
    }
}

/// First cells of the rows of a page's tables that begin with `` | ` ``.
fn rows(text: &str) -> Vec<&str> {
    text.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect()
}

#[test]
fn every_setting_has_its_row() {
    let text = read("docs/settings.md");
    for key in KEYS {
        let default = key.default.map_or_else(|| "–".to_owned(), |default| format!("`{default}`"));
        let names: Vec<String> = key.legacy.iter().map(|name| format!("`{name}`")).collect();
        let names = if names.is_empty() { "–".to_owned() } else { names.join(", ") };
        let want = format!("| `{}` | {default} | {names} | {} |", key.name, key.help);
        assert!(text.lines().any(|line| line == want), "docs/settings.md wants this row:\n{want}");
    }
    assert_eq!(rows(&text).len(), KEYS.len(), "docs/settings.md has a key that is not there");
}

#[test]
fn every_error_and_reason_has_its_row() {
    let text = read("docs/errors.md");
    for code in Code::ALL {
        let want = format!("| `{}` | {} | ", code.as_str(), code.exit().code());
        assert!(text.contains(&want), "docs/errors.md wants a row that begins with: {want}");
    }
    assert_eq!(rows(&text).len(), Code::ALL.len(), "docs/errors.md has a code that is not there");
    let text = read("docs/rules.md");
    let farm = text.split("\n## The farm\n").nth(1).unwrap();
    for reason in Reason::ALL {
        let row = farm.lines().find(|line| line.starts_with(&format!("| `{}` |", reason.as_str())));
        let row = row.unwrap_or_else(|| panic!("docs/rules.md has no row of {}", reason.as_str()));
        assert!(row.ends_with(&format!("| {} |", reason.blame().as_str())), "{row}");
    }
    assert_eq!(rows(farm).len(), Reason::ALL.len(), "docs/rules.md has a reason that is not there");
}

#[test]
fn every_dependency_has_its_reason() {
    let table = read("docs/dependencies.md");
    let manifest = read("Cargo.toml");
    let list = manifest.split("[workspace.dependencies]\n").nth(1).unwrap().split("\n[").next().unwrap();
    let names =
        list.lines().filter(|line| !line.contains("path = ")).filter_map(|line| line.split(" = ").next());
    let missing: Vec<&str> =
        names.filter(|name| !name.trim().is_empty() && !table.contains(&format!("`{name}`"))).collect();
    assert!(missing.is_empty(), "docs/dependencies.md lacks: {missing:?}");
}

#[test]
fn the_toolchain_is_the_one_that_the_manifest_names() {
    let manifest = read("Cargo.toml");
    let version =
        manifest.lines().find_map(|line| line.strip_prefix("rust-version = ")).unwrap().trim_matches('"');
    let toolchain = read("rust-toolchain.toml");
    let channel =
        toolchain.lines().find_map(|line| line.strip_prefix("channel = ")).unwrap().trim_matches('"');
    assert!(channel.starts_with(&format!("{version}.")), "{channel} is not {version}");
}
