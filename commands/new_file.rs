//! Writing a config file that must not exist yet: whole or not at all, for its owner only.

use poolctl::output::{Code, Error, Result};
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Writes the file, readable by its owner only, since endpoints hold keys; false, and nothing is changed, where there is
/// one already.
///
/// # Errors
/// `io_error` where the folder cannot be made or written.
pub fn write(path: &Path, text: &str) -> Result<bool> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let draft = folder.join(format!(".poolctl-config.{}.draft", std::process::id()));
    let drafted = fs::create_dir_all(folder)
        .and_then(|()| {
            fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)
        })
        .and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()));
    // A hard link fails if the name has been taken meanwhile; rename would overwrite.
    let written = drafted.and_then(|()| match fs::hard_link(&draft, path) {
        Ok(()) => Ok(true),
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(e) => Err(e),
    });
    let _ = fs::remove_file(&draft);
    written.map_err(|e| {
        Error::new(Code::Io, format!("cannot write config {}: {e}", path.display()))
            .hint("name a place where you may write")
    })
}
