//! Files with secrets: readable by their owner alone, replaced whole or not at all.

use crate::output::{Code, Error, Result};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use zeroize::Zeroizing;

/// A file of secrets is never larger.
const MOST: u64 = 16 << 20;

/// Reads a file of secrets that nobody but its owner may read.
///
/// # Errors
/// `missing` where there is none, `keys_exposed` naming the `chmod` to run, `io_error`.
pub fn read_private(what: &str, path: &Path, missing: Code) -> Result<Zeroizing<Vec<u8>>> {
    let shown = path.display();
    let io = |e: &io::Error| match e.kind() {
        io::ErrorKind::NotFound => Error::new(missing, format!("there is no {what} at {shown}")),
        _ => Error::new(Code::Io, format!("cannot read the {what} {shown}: {e}")),
    };
    let mut file = File::open(path).map_err(|e| io(&e))?;
    // Of the open file, which nobody can exchange meanwhile.
    let metadata = file.metadata().map_err(|e| io(&e))?;
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(Error::new(
            Code::KeysExposed,
            format!("the {what} {shown} has mode {mode:04o}: others than its owner may use it"),
        )
        .hint(format!("run: chmod 600 {shown} (and think of who may have read it)")));
    }
    if metadata.len() > MOST {
        return Err(Error::new(Code::KeysCorrupt, format!("the {what} {shown} is larger than 16 MiB")));
    }
    // With room for all of it, nothing is copied to grow and left behind.
    let room = usize::try_from(metadata.len()).unwrap_or_default() + 4096;
    let mut bytes = Zeroizing::new(Vec::with_capacity(room));
    Read::by_ref(&mut file).take(MOST).read_to_end(&mut bytes).map_err(|e| io(&e))?;
    Ok(bytes)
}

/// Reads the key store's file as it is.
pub(super) fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>> {
    read_private("key store", path, Code::KeysMissing).map_err(|e| match e.code() {
        Code::KeysMissing => {
            e.hint("poolctl farmer register makes it; if there was one, bring it back or set keys.path")
        }
        _ => e,
    })
}

/// Makes the folder of the file, for its owner alone, where there is none.
pub(super) fn make_folder(path: &Path) -> Result<()> {
    let folder = folder_of(path);
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(|e| {
        Error::new(Code::Io, format!("cannot make the folder of the key store {}: {e}", path.display()))
            .hint("choose another place with keys.path")
    })
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Puts `bytes` in the place of the file: draft, fsync, rename, fsync of the folder. With `new`, a file that appeared
/// meanwhile is left as it is, and that is an error.
pub(super) fn replace(path: &Path, bytes: &[u8], new: bool) -> Result<()> {
    let io = |e: &io::Error| {
        Error::new(Code::Io, format!("cannot write the key store {}: {e}", path.display()))
            .hint("the key store is as it was; its folder must be writable and have room")
    };
    // Through a link, what it points to is replaced and not the link.
    let target = if new { path.to_owned() } else { fs::canonicalize(path).map_err(|e| io(&e))? };
    let folder = folder_of(&target);
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    let draft = folder.join(format!(".{name}.draft"));
    let written = write_draft(&draft, bytes).and_then(|()| {
        if new {
            // A hard link fails where a rename would overwrite.
            fs::hard_link(&draft, &target)?;
            fs::remove_file(&draft)?;
        } else {
            fs::rename(&draft, &target)?;
        }
        File::open(folder)?.sync_all()
    });
    if written.is_err() {
        let _ = fs::remove_file(&draft);
    }
    written.map_err(|e| io(&e))
}

fn write_draft(draft: &Path, bytes: &[u8]) -> io::Result<()> {
    // One that a killed run left behind. Whoever writes holds the lock.
    match fs::remove_file(draft) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(draft)?;
    file.write_all(bytes)?;
    file.sync_all()
}
