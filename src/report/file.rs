//! Writing the page: whole or not at all, and never over a file that is something else.

use crate::output::{Code, Error, Result};
use alloy::hex;
use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// What every page begins with; a file that does not is not replaced.
pub(super) const MARK: &str = "<!DOCTYPE html><!-- poolctl report -->";

/// A page on the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Where it is.
    pub path: PathBuf,
    /// Its size.
    pub bytes: usize,
    /// SHA-256 of it, lower-case hex.
    pub sha256: String,
}

/// Writes a page to `path` through a neighbour and a rename.
///
/// # Errors
/// `conflict` where something stands there that is no report; `io_error` where the disk refuses.
pub fn write(path: &Path, page: &str) -> Result<Written> {
    let refuse = |e: &io::Error| {
        Error::new(Code::Io, format!("cannot write the report {}: {e}", path.display()))
            .hint("name a file in a folder where you may write")
    };
    if !may_replace(path).map_err(|e| refuse(&e))? {
        return Err(Error::new(
            Code::Conflict,
            format!("{} is there already, and is no report", path.display()),
        )
        .hint("it is left as it is; name another file"));
    }
    let name = path.file_name().ok_or_else(|| refuse(&io::Error::other("the path names no file")))?;
    let draft = path.with_file_name(format!(".{}.{}.draft", name.to_string_lossy(), std::process::id()));
    let written = File::create(&draft)
        .and_then(|mut file| file.write_all(page.as_bytes()).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&draft, path));
    if written.is_err() {
        let _ = fs::remove_file(&draft);
    }
    written.map_err(|e| refuse(&e))?;
    let sha256 = hex::encode(Sha256::digest(page.as_bytes()));
    Ok(Written { path: path.to_owned(), bytes: page.len(), sha256 })
}

/// Nothing is there, or an older report.
fn may_replace(path: &Path) -> io::Result<bool> {
    match fs::metadata(path) {
        Ok(found) if !found.is_file() => return Ok(false),
        Ok(_) => {}
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(true),
        Err(e) => return Err(e),
    }
    let mut file = File::open(path)?;
    let mut head = vec![0; MARK.len()];
    match file.read_exact(&mut head) {
        Ok(()) => Ok(head == MARK.as_bytes()),
        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(e) => Err(e),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_report_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report.html");
        let page = format!("{MARK}<p>one</p>");
        let written = write(&path, &page).unwrap();
        assert_eq!((written.bytes, written.path.as_path()), (page.len(), path.as_path()));
        let again = write(&path, &format!("{MARK}<p>two</p>")).unwrap();
        assert_ne!(again.sha256, written.sha256);
        assert!(fs::read_to_string(&path).unwrap().ends_with("two</p>"));
        for foreign in ["", "<!DOCTYPE html>", "SQLite format 3\0 and much more than the mark is long"] {
            fs::write(&path, foreign).unwrap();
            assert_eq!(write(&path, &page).unwrap_err().code(), Code::Conflict, "{foreign}");
            assert_eq!(fs::read_to_string(&path).unwrap(), foreign);
        }
        assert_eq!(write(folder.path(), &page).unwrap_err().code(), Code::Conflict);
        assert_eq!(write(&folder.path().join("no/such.html"), &page).unwrap_err().code(), Code::Io);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no draft is left");
    }
}
