//! Files with secrets: readable by their owner alone, replaced whole or not at all.

use base::files::{self, Access};
use base::{Code, Error, Result, run};
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
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
    let file = files::open(path).map_err(|e| io(&e))?;
    // Of the open file, which nobody can exchange meanwhile.
    let metadata = file.metadata().map_err(|e| io(&e))?;
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        let why = format!("the {what} {shown} has mode {mode:04o}: others than its owner may use it");
        return Err(Error::new(Code::KeysExposed, why)
            .hint(format!("run: chmod 600 {shown} (and think of who may have read it)")));
    }
    // With room for all of it, nothing is copied to grow and left behind.
    let room = usize::try_from(metadata.len().min(MOST)).unwrap_or_default() + files::ROOM;
    let mut bytes = Zeroizing::new(Vec::with_capacity(room));
    files::read_open(&file, MOST, &mut bytes).map_err(|e| match e.kind() {
        io::ErrorKind::FileTooLarge => Error::new(Code::KeysCorrupt, format!("the {what} {shown}: {e}")),
        _ => io(&e),
    })?;
    Ok(bytes)
}

/// Reads the key store's file as it is. Unlike a passphrase, it comes through no pipe: it is replaced as a whole.
pub(super) fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>> {
    if fs::metadata(path).is_ok_and(|found| !found.is_file()) {
        let why = format!("key store {} is not a regular file", path.display());
        return Err(Error::new(Code::InvalidValue, why).hint("name a file with keys.path; it is not read"));
    }
    read_private("key store", path, Code::KeysMissing).map_err(|e| match e.code() {
        Code::KeysMissing => {
            e.hint(run("farmer register").say(" makes it; if there was one, bring it back or set keys.path"))
        }
        _ => e,
    })
}

/// Which file stands at a path, and when it was written: it is replaced as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    inode: u64,
    bytes: u64,
    written: (i64, i64),
}

impl Stamp {
    /// Of the file that stands there now; `None` where none can be seen.
    pub fn of(path: &Path) -> Option<Self> {
        let found = fs::metadata(path).ok()?;
        Some(Self { inode: found.ino(), bytes: found.size(), written: (found.mtime(), found.mtime_nsec()) })
    }
}

/// Makes the folder of the file, for its owner alone, where there is none.
pub(super) fn make_folder(path: &Path) -> Result<()> {
    let folder = files::folder_of(path);
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(|e| {
        Error::new(Code::Io, format!("cannot make the folder of the key store {}: {e}", path.display()))
            .hint("choose another place with keys.path")
    })
}

/// Puts `bytes` in the place of the file, whole. With `new`, a file that appeared meanwhile is left as it is, and that is
/// an error.
pub(super) fn replace(path: &Path, bytes: &[u8], new: bool) -> Result<()> {
    let written = if new {
        files::create(path, Access::Owner, bytes)
            .and_then(|made| made.then_some(()).ok_or_else(|| io::ErrorKind::AlreadyExists.into()))
    } else {
        files::write(path, Access::Owner, |out| out.write_all(bytes))
    };
    written.map_err(|e| {
        Error::new(Code::Io, format!("cannot write the key store {}: {e}", path.display()))
            .hint("the key store is as it was; its folder must be writable and have room")
    })
}
