//! Files that the operator names. One reader, which is bounded in size and time, and one writer: a regular file is
//! replaced whole, a pipe or a device is written where it is, through a link its target is written, anything else is
//! refused.

mod draft;
mod read;

pub use draft::{Draft, rename_new, sweep};
pub use read::{ROOM, open, read, read_file, read_open};

use crate::{Code, Error, Result, clock};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::OFlags;
use rustix::io::Errno;
use std::ffi::OsStr;
use std::fs::{self, File, FileType, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Who may read a file that was not there before. One that was keeps its mode and, where that is allowed, its owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Whoever the process's umask allows.
    Shared,
    /// Its owner alone, also where an earlier file was open to others.
    Owner,
}

/// How long a pipe may keep its writer waiting before that is an error.
const WRITE_PATIENCE: Duration = Duration::from_secs(if cfg!(test) { 1 } else { 5 });

/// Pause between two looks whether somebody reads a pipe.
const READER_POLL: Duration = Duration::from_millis(20);

/// Links that are followed to a file that is not there yet.
const MOST_LINKS: usize = 40;

/// Writes a file: whole or not at all, or in place where it is a pipe or a device.
///
/// # Errors
/// Those of the system and of `fill`; `TimedOut` where nobody reads a pipe; `InvalidInput` for a folder, a disk or a
/// socket.
pub fn write(
    path: &Path,
    access: Access,
    fill: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    match Target::of(path)? {
        Target::Whole(path) => {
            let draft = Draft::beside(&path, access)?;
            let mut out = BufWriter::new(draft.file());
            fill(&mut out)?;
            out.into_inner().map_err(io::IntoInnerError::into_error)?;
            draft.replace()
        }
        Target::InPlace(path) => {
            let mut out = BufWriter::new(InPlace(open_in_place(&path)?));
            fill(&mut out)?;
            out.into_inner().map_err(io::IntoInnerError::into_error).map(|_| ())
        }
    }
}

/// Whether a path leads to a pipe, a device or an open file, which [`write()`] writes where it is.
pub fn is_in_place(path: &Path) -> bool {
    matches!(Target::of(path), Ok(Target::InPlace(_)))
}

/// Writes a file that must not exist yet; false, and nothing is changed, where its name is taken.
pub fn create(path: &Path, access: Access, bytes: &[u8]) -> io::Result<bool> {
    match fs::metadata(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        found => return found.map(|_| false),
    }
    let draft = Draft::beside(path, access)?;
    draft.file().write_all(bytes)?;
    draft.publish_new()
}

/// Why an output could not be written: bad input where it is nothing that can be, else the disk's fault.
pub fn cannot_write(what: &str, path: &Path, e: &io::Error) -> Error {
    let code = if e.kind() == io::ErrorKind::InvalidInput { Code::InvalidValue } else { Code::Io };
    Error::new(code, format!("cannot write {what} {}: {e}", path.display()))
        .hint("name a file in a folder where you may write, a pipe, or - for stdout")
}

/// Whether there is anything of this name. That it cannot be told is no "no".
pub fn is_there(path: &Path) -> Result<bool> {
    match fs::metadata(path) {
        Ok(_) => Ok(true),
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(false),
        Err(e) => {
            Err(Error::new(Code::Io, format!("cannot tell whether there is a file {}: {e}", path.display()))
                .hint("see to the disk and to the rights of the folder, then run the command again"))
        }
    }
}

/// The folder of a file.
pub fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// How a path is written.
enum Target {
    /// A regular file, or nothing yet: no part of the path is a link to it.
    Whole(PathBuf),
    /// What stays where it is.
    InPlace(PathBuf),
}

impl Target {
    fn of(path: &Path) -> io::Result<Self> {
        // Follows links, and is refused where the system mistrusts them.
        match fs::metadata(path) {
            Ok(_) if is_descriptor(path)? => Ok(Self::InPlace(path.to_owned())),
            Ok(found) if found.is_file() => fs::canonicalize(path).map(Self::Whole),
            Ok(found) if is_stream(found.file_type()) => Ok(Self::InPlace(path.to_owned())),
            Ok(found) => Err(unfit(found.file_type())),
            Err(e) if e.kind() == io::ErrorKind::NotFound => vacant(path).map(Self::Whole),
            Err(e) => Err(e),
        }
    }
}

/// Where a file will be that is not there yet: through links that lead nowhere, where they lead.
fn vacant(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..MOST_LINKS {
        match fs::read_link(&path) {
            Ok(link) => path = folder_of(&path).join(link),
            Err(_) if path.file_name().is_none() || path.as_os_str().as_bytes().ends_with(b"/") => {
                return Err(io::Error::new(io::ErrorKind::InvalidInput, "the path names no file"));
            }
            Err(_) => return Ok(path),
        }
    }
    Err(Errno::LOOP.into())
}

/// Whether a path leads to an open file of a process: a rename there would replace what somebody else writes to.
fn is_descriptor(path: &Path) -> io::Result<bool> {
    let mut path = std::path::absolute(path)?;
    for _ in 0..MOST_LINKS {
        let folder = folder_of(&path);
        let of_process = folder.starts_with("/proc") && folder.file_name() == Some(OsStr::new("fd"));
        if of_process || folder == Path::new("/dev/fd") {
            return Ok(true);
        }
        match fs::read_link(&path) {
            Ok(link) => path = folder.join(link),
            Err(_) => return Ok(false),
        }
    }
    Err(Errno::LOOP.into())
}

fn is_stream(kind: FileType) -> bool {
    kind.is_fifo() || kind.is_char_device()
}

fn unfit(kind: FileType) -> io::Error {
    let what = match kind {
        kind if kind.is_dir() => "a folder",
        kind if kind.is_block_device() => "a disk",
        kind if kind.is_socket() => "a socket",
        kind if kind.is_fifo() => "a pipe",
        kind if kind.is_char_device() => "a device",
        _ => "no regular file",
    };
    io::Error::new(io::ErrorKind::InvalidInput, format!("it is {what}"))
}

/// Opens a pipe, a device, or an open file, without waiting for ever for its other end.
fn open_in_place(path: &Path) -> io::Result<File> {
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    let begun = Instant::now();
    loop {
        match OpenOptions::new().append(true).custom_flags(flags.bits().cast_signed()).open(path) {
            Err(e) if e.raw_os_error() == Some(Errno::NXIO.raw_os_error()) => {
                if begun.elapsed() >= WRITE_PATIENCE {
                    return Err(late(format!(
                        "nobody reads it; waited {}",
                        clock::span(WRITE_PATIENCE.as_secs())
                    )));
                }
                std::thread::sleep(READER_POLL);
            }
            Err(e) => return Err(e),
            Ok(file) => {
                // Of the open file, which nobody can exchange meanwhile.
                let kind = file.metadata()?.file_type();
                let fits = is_stream(kind) || kind.is_file() && is_descriptor(path)?;
                return if fits { Ok(file) } else { Err(unfit(kind)) };
            }
        }
    }
}

/// A pipe or a device, whose reader is waited for within bounds.
struct InPlace(File);

impl Write for InPlace {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match (&self.0).write(bytes) {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                    wait(&self.0, PollFlags::OUT, WRITE_PATIENCE, "its reader has stopped reading")?;
                }
                done => return done,
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Waits until a file can be read or written; a signal ends that.
fn wait(file: &File, event: PollFlags, patience: Duration, otherwise: &str) -> io::Result<()> {
    let time = Timespec { tv_sec: patience.as_secs().cast_signed(), tv_nsec: patience.subsec_nanos().into() };
    match poll(&mut [PollFd::new(file, event)], Some(&time)) {
        Ok(0) => Err(late(format!("{otherwise}; waited {}", clock::span(patience.as_secs())))),
        Ok(_) => Ok(()),
        // Not as an interruption, which would be tried again.
        Err(Errno::INTR) => Err(io::Error::other("interrupted by a signal")),
        Err(e) => Err(e.into()),
    }
}

fn late(why: String) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, why)
}

#[cfg(test)]
mod tests;
