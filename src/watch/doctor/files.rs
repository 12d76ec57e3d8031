//! Files and folders: who may read and write them, and whether there is room.

use super::Line;
use base::redact::hidden;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Free bytes below which a state may soon not be written any more.
const LITTLE: u64 = 1 << 30;
/// Free bytes below which nothing should be begun.
const TOO_LITTLE: u64 = 100 << 20;

/// A file with secrets: it must be there if it is `needed`, and be its owner's alone. It is not read.
pub fn secret(what: &str, path: &Path, needed: bool) -> Line {
    let shown = path.display();
    let fail = |words: String, fix: String| Line::fail("files", what, format!("{shown}: {words}"), fix);
    let found = match fs::metadata(path) {
        Ok(found) => found,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound && !needed => {
            return Line::ok("files", what, format!("{shown}: none yet"));
        }
        Err(e) => return fail(e.to_string(), format!("bring {shown} back, or correct its setting")),
    };
    let mode = found.permissions().mode();
    if !found.is_file() {
        fail("no file".to_owned(), format!("name a file for the {what}"))
    } else if mode & 0o077 != 0 {
        let words = format!("mode {:04o}, others than its owner may use it", mode & 0o7777);
        fail(words, format!("chmod 600 {shown}"))
    } else if !is_ours(found.uid()) {
        let words = format!("{shown}: belongs to uid {}", found.uid());
        Line::warn("files", what, words, format!("chown it: {shown}"))
    } else {
        Line::ok("files", what, format!("{shown}: its owner's alone"))
    }
}

/// A program that is run: at its path, or in one of these folders where it is a bare name.
pub fn program(what: &str, name: &str, folders: &[PathBuf]) -> Line {
    let is_there = |path: &Path| {
        fs::metadata(path).is_ok_and(|found| found.is_file())
            && rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok()
    };
    let found = if name.contains('/') {
        is_there(Path::new(name))
    } else {
        folders.iter().any(|folder| is_there(&folder.join(name)))
    };
    let shown = hidden(name);
    if found {
        return Line::ok("files", what, format!("{shown}: can be run"));
    }
    let fix = format!("write the whole path of a program that may be run: {what}");
    Line::fail("files", what, format!("{shown}: no program that can be run"), fix)
}

/// A folder that files are written in: it must be writable, and not by everybody.
pub fn folder(what: &str, path: &Path) -> Line {
    let shown = path.display();
    let found = match fs::metadata(path) {
        Ok(found) => found,
        Err(e) => return Line::fail("files", what, format!("{shown}: {e}"), format!("mkdir -p {shown}")),
    };
    if rustix::fs::access(path, rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK).is_err() {
        let fix = format!("run as its owner, or: chmod u+rwx {shown}");
        return Line::fail("files", what, format!("{shown}: cannot be written"), fix);
    }
    let mode = found.permissions().mode();
    // Where the sticky bit is set, nobody replaces the files of another.
    if mode & 0o022 != 0 && mode & 0o1000 == 0 {
        let words = format!("{shown}: mode {:04o}, others may replace what is in it", mode & 0o7777);
        return Line::warn("files", what, words, format!("chmod go-w {shown}"));
    }
    Line::ok("files", what, format!("{shown}: writable"))
}

/// Room on the disk of a folder.
pub fn room(path: &Path) -> Line {
    match rustix::fs::statvfs(path) {
        Err(e) => Line::warn("files", "free disk", format!("{}: {e}", path.display()), "see: df -h"),
        Ok(found) => {
            let free = found.f_bavail.saturating_mul(found.f_frsize);
            let words = format!("{} MiB free at {}", free >> 20, path.display());
            match free {
                0..TOO_LITTLE => {
                    Line::fail("files", "free disk", words, "make room before anything is begun")
                }
                TOO_LITTLE..LITTLE => Line::warn("files", "free disk", words, "make room"),
                _ => Line::ok("files", "free disk", words),
            }
        }
    }
}

fn is_ours(uid: u32) -> bool {
    let own = rustix::process::geteuid();
    own.is_root() || own.as_raw() == uid
}

#[cfg(test)]
mod tests {
    use super::super::CheckStatus;
    use super::*;

    #[test]
    fn secrets_are_their_owners_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        assert_eq!(secret("key store", &path, false).verdict, CheckStatus::Ok);
        assert_eq!(secret("key store", &path, true).verdict, CheckStatus::Fail);
        fs::write(&path, "x").unwrap();
        for (mode, want) in [
            (0o600, CheckStatus::Ok),
            (0o400, CheckStatus::Ok),
            (0o640, CheckStatus::Fail),
            (0o604, CheckStatus::Fail),
        ] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(secret("key store", &path, true).verdict, want, "{mode:o}");
        }
        assert_eq!(secret("key store", folder.path(), true).verdict, CheckStatus::Fail, "a folder");
    }

    #[test]
    fn folders_are_not_everybodys() {
        let outer = tempfile::tempdir().unwrap();
        let path = outer.path().join("state");
        assert_eq!(folder("state folder", &path).verdict, CheckStatus::Fail, "there is none");
        fs::create_dir(&path).unwrap();
        for (mode, want) in [
            (0o700, CheckStatus::Ok),
            (0o755, CheckStatus::Ok),
            (0o777, CheckStatus::Warn),
            (0o1777, CheckStatus::Ok),
        ] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(folder("state folder", &path).verdict, want, "{mode:o}");
        }
        assert!(room(&path).words.contains("MiB free"));
    }
}
