//! Writing the page, never over a file that is something else.

use alloy::hex;
use base::files::{self, Access};
use base::{Code, Error, Result};
use sha2::{Digest, Sha256};
use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

/// What every page begins with; a file that does not is not replaced.
pub(super) const MARK: &str = "<!DOCTYPE html><!-- poolctl report -->";

/// A page that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Where it is.
    pub path: PathBuf,
    /// Its size.
    pub bytes: usize,
    /// SHA-256 of it, lower-case hex.
    pub sha256: String,
}

impl Written {
    /// A page that goes there.
    pub fn of(path: &Path, page: &str) -> Self {
        let sha256 = hex::encode(Sha256::digest(page.as_bytes()));
        Self { path: path.to_owned(), bytes: page.len(), sha256 }
    }
}

/// Writes a page: a regular file whole, a pipe or a device in place.
///
/// # Errors
/// `conflict` where a file is there that is no report; those of [`files::cannot_write`].
pub fn write(path: &Path, page: &str) -> Result<Written> {
    let refuse = |e: &io::Error| files::cannot_write("the report", path, e);
    if !may_replace(path).map_err(|e| refuse(&e))? {
        let why = format!("{} exists and is not a report", path.display());
        return Err(Error::new(Code::Conflict, why).hint("it is left as it is; name another file"));
    }
    files::write(path, Access::Shared, |out| out.write_all(page.as_bytes())).map_err(|e| refuse(&e))?;
    Ok(Written::of(path, page))
}

/// No regular file is there, or an older report.
fn may_replace(path: &Path) -> io::Result<bool> {
    let mut file = match fs::metadata(path) {
        Ok(found) if found.is_file() => files::open(path)?,
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        Ok(_) | Err(_) => return Ok(true),
    };
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
        assert_eq!(write(folder.path(), &page).unwrap_err().code(), Code::InvalidValue);
        assert_eq!(write(&folder.path().join("no/such.html"), &page).unwrap_err().code(), Code::Io);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no draft is left");
    }
}
