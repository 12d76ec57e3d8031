//! Reading what the operator names: never more than is allowed, and never for ever.

use super::{unfit, wait};
use rustix::event::PollFlags;
use rustix::fs::OFlags;
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

/// How long a pipe may be silent: somebody may be typing a passphrase at its other end.
const PATIENCE: Duration = Duration::from_mins(1);

/// Room that a buffer needs beyond what is in the file, so that it never grows.
pub const ROOM: usize = 16 << 10;

/// Reads a file, a pipe or a device of at most `most` bytes.
///
/// # Errors
/// Those of the system; `FileTooLarge`; `TimedOut` where a pipe is silent.
pub fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    read_open(&open(path)?, most, &mut bytes)?;
    Ok(bytes)
}

/// As [`read`], of a regular file only: what is read again later must be the same then.
///
/// # Errors
/// As [`read`], and `InvalidInput` for anything else.
pub fn read_file(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let file = open(path)?;
    let kind = file.metadata()?.file_type();
    if !kind.is_file() {
        return Err(unfit(kind));
    }
    let mut bytes = Vec::new();
    read_open(&file, most, &mut bytes)?;
    Ok(bytes)
}

/// Opens a file for reading without waiting for somebody to write it.
pub fn open(path: &Path) -> io::Result<File> {
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path)
}

/// Reads an open file to its end, into a buffer that grows only where its room is used up.
pub fn read_open(mut file: &File, most: u64, bytes: &mut Vec<u8>) -> io::Result<()> {
    let mut asked = false;
    loop {
        let had = bytes.len();
        let room = usize::try_from(most).unwrap_or(usize::MAX).saturating_add(1).saturating_sub(had);
        bytes.resize(had + ROOM.min(room), 0);
        let got = file.read(&mut bytes[had..]);
        bytes.truncate(had + got.as_ref().copied().unwrap_or_default());
        match got {
            // Nothing at first may be a pipe that nobody has opened to write yet.
            Ok(0) if had == 0 && !asked => {
                wait(file, PollFlags::IN, PATIENCE, "nothing was written to it")?;
                asked = true;
            }
            Ok(0) => return Ok(()),
            Ok(_) if bytes.len() as u64 > most => {
                let why = format!("it is larger than {most} bytes");
                return Err(io::Error::new(io::ErrorKind::FileTooLarge, why));
            }
            Ok(_) => {}
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                wait(file, PollFlags::IN, PATIENCE, "nothing more was written to it")?;
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
}
