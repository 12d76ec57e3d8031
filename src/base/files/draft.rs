//! A file in the making beside the one that it becomes: it appears whole, or leaves nothing behind.

use super::{Access, Target, folder_of, unfit};
use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File, OpenOptions, Permissions, TryLockError};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

/// Bytes of a file's name that its drafts are named by, so that theirs are no longer than a system allows.
const MOST_NAME: usize = 200;

/// How a draft's name ends.
const SUFFIX: &str = ".draft";

/// What SQLite leaves beside a draft that is a database.
const SIDES: [&str; 3] = ["-journal", "-wal", "-shm"];

/// A file that is not yet in its place. It is locked as long as its maker lives: what is not locked was left by a run
/// that was killed, and the next draft in the same folder removes it. Dropped, it is gone, with what SQLite left beside it.
///
/// A connection of SQLite to [`Draft::path`] must be closed before the draft is published or dropped: closing any
/// handle of a file lets go of the locks that SQLite holds on it.
#[derive(Debug)]
pub struct Draft {
    file: File,
    path: PathBuf,
    target: PathBuf,
}

impl Draft {
    /// An empty file beside `target`, on the same disk. Where there is a regular file already, its mode and owner are
    /// taken over; a link is followed. Drafts of killed runs are removed first.
    pub fn beside(target: &Path, access: Access) -> io::Result<Self> {
        let target = match Target::of(target)? {
            Target::Whole(target) => target,
            Target::InPlace(target) => return Err(unfit(fs::metadata(target)?.file_type())),
        };
        let stem = stem(&target)?;
        // Tidying is no reason not to write.
        let _ = sweep(&target);
        loop {
            let random = getrandom::u64().map_err(|e| io::Error::other(e.to_string()))?;
            let mut name = stem.clone();
            name.push(format!("{random:016x}{SUFFIX}"));
            let path = folder_of(&target).join(name);
            let mode = if access == Access::Owner { 0o600 } else { 0o666 };
            let file = OpenOptions::new().read(true).write(true).create_new(true).mode(mode).open(&path)?;
            let draft = Self { file, path, target: target.clone() };
            // Where a disk knows no locks, nothing is swept either.
            let _ = draft.file.lock();
            // Between being made and being locked, another run may have taken it for left behind.
            if is_at(&draft.file, &draft.path)? {
                draft.take_over(access)?;
                return Ok(draft);
            }
        }
    }

    /// The mode and the owner of the file that will be replaced.
    fn take_over(&self, access: Access) -> io::Result<()> {
        let Ok(old) = fs::symlink_metadata(&self.target) else { return Ok(()) };
        let own = self.file.metadata()?;
        if (old.uid(), old.gid()) != (own.uid(), own.gid()) {
            // Only root may, and nobody else need.
            let _ = fchown(&self.file, Some(old.uid()), Some(old.gid()));
        }
        match access {
            Access::Owner => Ok(()),
            Access::Shared => self.file.set_permissions(Permissions::from_mode(old.mode() & 0o777)),
        }
    }

    /// The open file.
    pub const fn file(&self) -> &File {
        &self.file
    }

    /// Where the draft is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Brings it to the disk and puts it in the place of the target.
    ///
    /// # Errors
    /// Those of the system; the target is as it was then.
    pub fn replace(self) -> io::Result<()> {
        self.file.sync_all()?;
        remove_sides(&self.path)?;
        fs::rename(&self.path, &self.target)?;
        sync_folder(&self.target)
    }

    /// As [`Draft::replace`], where there must be no target; false, and nothing is changed, where there is one.
    pub fn publish_new(self) -> io::Result<bool> {
        self.file.sync_all()?;
        remove_sides(&self.path)?;
        let target = self.target.clone();
        let renamed = rename_new(&self.path, &target)?;
        drop(self);
        if renamed {
            sync_folder(&target)?;
        }
        Ok(renamed)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // Renamed, there is none. The lock goes with the handle, afterwards.
        let _ = remove(&self.path);
    }
}

/// Gives a file a name that must be free; false where it is taken. A disk that cannot rename so keeps the first name too.
pub fn rename_new(from: &Path, to: &Path) -> io::Result<bool> {
    let renamed = match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // A hard link fails too where the name has been taken meanwhile.
        Err(Errno::INVAL | Errno::NOSYS) => fs::hard_link(from, to),
        renamed => renamed.map_err(io::Error::from),
    };
    match renamed {
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        renamed => renamed.map(|()| true),
    }
}

/// Removes a draft, last of all, so that whoever is killed here leaves what can be found again.
fn remove(draft: &Path) -> io::Result<()> {
    if fs::symlink_metadata(draft).is_err() {
        return Ok(());
    }
    remove_sides(draft)?;
    fs::remove_file(draft)
}

/// Removes what SQLite has left beside a draft: nobody would look for it once the draft has another name.
fn remove_sides(draft: &Path) -> io::Result<()> {
    for suffix in SIDES {
        let mut side = draft.as_os_str().to_owned();
        side.push(suffix);
        match fs::remove_file(side) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
}

/// Removes what killed runs left in the making of files in the folder of `target`: backups and reports have new names
/// each day, and nobody would come back for theirs.
pub fn sweep(target: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder_of(target))? {
        let entry = entry?;
        let (path, name) = (entry.path(), entry.file_name());
        let name = name.as_bytes();
        let of = SIDES.iter().find_map(|side| name.strip_suffix(side.as_bytes()));
        // What is beside a draft goes with it, or, where that is gone, by itself.
        let lost = of.is_some_and(|of| !folder_of(&path).join(OsStr::from_bytes(of)).exists());
        if !entry.file_type()?.is_file() || !is_draft(of.unwrap_or(name)) || of.is_some() && !lost {
            continue;
        }
        let Ok(file) = OpenOptions::new().read(true).write(true).open(&path) else { continue };
        let is_ours = file.metadata()?.uid() == rustix::process::geteuid().as_raw();
        match file.try_lock() {
            Ok(()) if is_ours && is_at(&file, &path)? => {
                tracing::debug!(draft = %path.display(), "removing what a killed run left");
                remove(&path)?;
            }
            Ok(()) | Err(TryLockError::WouldBlock | TryLockError::Error(_)) => {}
        }
    }
    Ok(())
}

/// What the names of a file's drafts begin with.
fn stem(target: &Path) -> io::Result<OsString> {
    let name = target.file_name().map(OsStr::as_bytes).unwrap_or_default();
    if name.is_empty() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the path names no file"));
    }
    let name = name.get(..MOST_NAME).unwrap_or(name);
    Ok(OsString::from_vec([b".", name, b"."].concat()))
}

/// Whether a file is a draft, by its name.
fn is_draft(name: &[u8]) -> bool {
    let random = name.strip_prefix(b".").and_then(|rest| rest.strip_suffix(SUFFIX.as_bytes()));
    random.and_then(|rest| rest.rsplit(|b| *b == b'.').next()).is_some_and(|random| {
        random.len() == 16 && name.len() > 24 && random.iter().all(u8::is_ascii_hexdigit)
    })
}

/// Whether an open file is still what its path names.
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let own = file.metadata()?;
    match fs::symlink_metadata(path) {
        Ok(found) => Ok((found.dev(), found.ino()) == (own.dev(), own.ino())),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(e) => Err(e),
    }
}

/// Brings to the disk which names the folder of a file has.
fn sync_folder(path: &Path) -> io::Result<()> {
    match File::open(folder_of(path)) {
        Ok(folder) => folder.sync_all(),
        // Some folders may be written and not read: then there is no handle to sync.
        Err(e) if e.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        Err(e) => Err(e),
    }
}
