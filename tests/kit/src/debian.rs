//! Programs of Debian's archive, for machines without them: unpacked with their libraries into the git-ignored `.cache`.
//! Nothing is installed, and nobody needs to be root.

use crate::{
    tools::{PAUSE, cache, on_path, once, retried, run},
    watch,
};
use anyhow::{Context as _, Result, bail};
use std::{
    env,
    ffi::OsString,
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

/// How long the archive may take for a program and what it needs.
const LIMIT: Duration = Duration::from_mins(5);

/// Programs that are in a package of another name. The ordinary zsh finds its modules only where it would be installed.
const PACKAGES: [(&str, &str); 3] =
    [("groff", "groff-base"), ("promtool", "prometheus"), ("zsh", "zsh-static")];

/// Where unpacked programs look for what they need, if not where they would be installed.
const PLACES: [(&str, &str); 3] = [
    ("python3", "export PYTHONHOME=\"$root/usr\""),
    (
        "groff",
        "export GROFF_BIN_PATH=\"$root/usr/bin\" GROFF_FONT_PATH=\"$root/usr/share/groff/current/font\"",
    ),
    ("groff", "export GROFF_TMAC_PATH=\"$root/etc/groff:$root/usr/share/groff/current/tmac\""),
];

/// A program: the one on `$PATH` if there is one, else that of Debian's package, for which the folder that it is in has
/// nothing else.
pub fn debian(program: &str) -> Result<PathBuf> {
    if let Some(found) = on_path(program) {
        return Ok(found);
    }
    unpacked(program, &cache()?.join("debian"), PAUSE)
}

/// A `$PATH` with these programs in front of the machine's own.
pub fn path_with(programs: &[&str]) -> Result<OsString> {
    let folder = |program: &&str| Ok(debian(program)?.parent().context("a program in no folder")?.to_owned());
    let mut folders: Vec<PathBuf> = programs.iter().map(folder).collect::<Result<_>>()?;
    folders.extend(env::split_paths(&env::var_os("PATH").unwrap_or_default()));
    Ok(env::join_paths(folders)?)
}

fn unpacked(program: &str, deb: &Path, pause: Duration) -> Result<PathBuf> {
    let package = PACKAGES.iter().find(|(name, _)| *name == program).map_or(program, |(_, package)| package);
    let folder = deb.join(package);
    once(&folder, |draft| {
        // One at a time: they share the lists.
        let lock = fs::File::create(deb.join("lock"))?;
        lock.lock()?;
        retried(pause, || fetch(package, deb, draft))?;
        wrap(program, package, draft)
    })
    .with_context(|| {
        format!("{program} is needed; on Debian: apt-get update && apt-get install -y --no-install-recommends {package}")
    })?;
    Ok(folder.join("run").join(program))
}

/// Downloads the package and whatever it needs that the machine lacks, and unpacks all of it.
fn fetch(package: &str, deb: &Path, draft: &Path) -> Result<()> {
    let (lists, archives) = (deb.join("lists"), draft.join("apt/archives"));
    let fresh = !lists.exists();
    fs::create_dir_all(lists.join("partial"))?;
    fs::create_dir_all(archives.join("partial"))?;
    let config = draft.join("apt/apt.conf");
    // Its own folders, the machine's sources, and none of its hooks.
    let settings = format!(
        "Dir::State::Lists \"{}\";\nDir::Cache \"{}\";\nDebug::NoLocking \"true\";\nAPT::Sandbox::User \"root\";\n\
         Acquire::Retries \"2\";\nAcquire::http::Timeout \"30\";\nAcquire::https::Timeout \"30\";\n\
         #clear APT::Update::Pre-Invoke;\n#clear APT::Update::Post-Invoke;\n#clear APT::Update::Post-Invoke-Success;\n\
         #clear DPkg::Pre-Invoke;\n#clear DPkg::Post-Invoke;\n#clear DPkg::Pre-Install-Pkgs;\n",
        lists.display(),
        draft.join("apt").display()
    );
    fs::write(&config, settings)?;
    let apt = |words: &[&str]| {
        let mut command = Command::new("apt-get");
        command.args(["-q", "-y", "-c"]).arg(&config).args(words).env("LC_ALL", "C");
        let output = watch::output_within(&mut command, LIMIT).context("cannot run apt-get")?;
        if !output.status.success() {
            bail!("apt-get {} failed: {}", words.join(" "), String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(())
    };
    let download = ["install", "--download-only", "--reinstall", "--no-install-recommends", package];
    let fetched = if fresh { apt(&["update"]).and_then(|()| apt(&download)) } else { apt(&download) };
    if let Err(error) = fetched {
        // Lists that are old name files that are gone.
        fs::remove_dir_all(&lists)?;
        return Err(error);
    }
    for file in fs::read_dir(&archives)? {
        let path = file?.path();
        if path.extension().is_some_and(|end| end == "deb") {
            run(Command::new("dpkg-deb").arg("-x").arg(&path).arg(draft))?;
        }
    }
    Ok(fs::remove_dir_all(draft.join("apt"))?)
}

/// Puts a script into `run` that starts the program with what it needs, wherever the folder is. The program has its own
/// name in the package, or the package's.
fn wrap(program: &str, package: &str, root: &Path) -> Result<()> {
    let names = [program, package];
    let mut places =
        names.iter().flat_map(|name| ["usr/bin", "bin"].map(|folder| Path::new(folder).join(name)));
    let place = places.find(|place| root.join(place).symlink_metadata().is_ok());
    let place = place.with_context(|| format!("the package has no program {program}"))?;
    let mut lines = vec!["#!/bin/sh".to_owned(), "root=$(cd \"${0%/*}/..\" && pwd -P)".to_owned()];
    let libraries = libraries(root)?;
    if !libraries.is_empty() {
        lines.push(format!("export LD_LIBRARY_PATH=\"{}\"", libraries.join(":")));
    }
    lines.extend(PLACES.iter().filter(|(name, _)| *name == program).map(|(_, line)| (*line).to_owned()));
    lines.push(format!("exec \"$root/{}\" \"$@\"\n", place.display()));
    if root.join("etc").exists() && !root.join("usr/etc").exists() {
        // Where programs look that find their folders by their own place.
        symlink("../etc", root.join("usr/etc"))?;
    }
    let script = root.join("run").join(program);
    fs::create_dir_all(root.join("run"))?;
    fs::write(&script, lines.join("\n"))?;
    Ok(fs::set_permissions(script, fs::Permissions::from_mode(0o755))?)
}

/// The folders of shared libraries, as the script names them.
fn libraries(root: &Path) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for folder in ["usr/lib", "lib"] {
        let Ok(entries) = fs::read_dir(root.join(folder)) else { continue };
        for entry in entries {
            let name = entry?.file_name().to_string_lossy().into_owned();
            if name.contains("-linux-gnu") {
                found.push(format!("$root/{folder}/{name}"));
            }
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_program_that_the_tests_need_runs_installed_or_unpacked() -> Result<()> {
        let runs = |path: PathBuf, args: &[&str]| -> Result<String> {
            let program = path.display().to_string();
            let output = watch::output(Command::new(path).args(args).env("LC_ALL", "C.UTF-8"))?;
            anyhow::ensure!(output.status.success() && output.stderr.is_empty(), "{program}: {output:?}");
            Ok(String::from_utf8(output.stdout)?.trim().to_owned())
        };
        if on_path("apt-get").is_some() {
            // Whether the machine has it or not.
            assert_eq!(runs(unpacked("jq", &cache()?.join("debian"), PAUSE)?, &["-n", "1 + 1"])?, "2");
        }
        for (program, args, want) in [
            ("jq", &["-n", "1 + 1"][..], "2"),
            ("zsh", &["-f", "-c", "print -r $(( 1 + 1 ))"], "2"),
            ("fish", &["--no-config", "-c", "complete -c x -f -a two; complete --do-complete 'x t'"], "two"),
            ("python3", &["-c", "import csv, decimal, json, subprocess; print(decimal.Decimal(2))"], "2"),
            ("groff", &["-man", "-Tutf8", "-ww", "/dev/null"], ""),
            ("mandoc", &["-Tascii", "/dev/null"], "()"),
            ("promtool", &["--version"], "promtool, version"),
            ("strace", &["-V"], "strace -- version"),
        ] {
            let said = runs(debian(program)?, args)?;
            assert!(said.contains(want), "{program}: {said}");
        }
        Ok(())
    }

    #[test]
    fn a_program_that_no_package_has_is_named_with_the_line_that_installs_it() -> Result<()> {
        let folder = tempfile::tempdir()?;
        fs::create_dir(folder.path().join("lists"))?;
        let error = unpacked("no-such-program", folder.path(), Duration::ZERO).err().context("must fail")?;
        let said = format!("{error:#}");
        let line = "apt-get update && apt-get install -y --no-install-recommends no-such-program";
        assert!(said.contains(line) && said.contains("failed 3 times"), "{said}");
        assert!(!folder.path().join("no-such-program").exists());
        Ok(())
    }
}
