//! Where what a command writes goes: to stdout, or to what a path names.

use app::App;
use base::files::{self, Access};
use base::{Code, Error, Result};
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The place of an output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// `-`, or whatever else stdout is: `/dev/stdout`.
    Stdout,
    /// A file, a pipe or a device, from the root on.
    File(PathBuf),
}

impl Output {
    /// What a path means.
    pub fn of(path: &Path) -> Result<Self> {
        if path == Path::new("-") || is_stdout(path) {
            return Ok(Self::Stdout);
        }
        App::absolute(path).map(Self::File)
    }
}

/// Whether a path names what stdout is. A rename there would replace a link that everybody uses.
fn is_stdout(path: &Path) -> bool {
    let same = || -> io::Result<bool> {
        let found = fs::metadata(path)?;
        let stdout = File::from(io::stdout().as_fd().try_clone_to_owned()?).metadata()?;
        Ok((found.dev(), found.ino()) == (stdout.dev(), stdout.ino()))
    };
    same().unwrap_or(false)
}

/// Writes a file whole, or a pipe or a device in place.
pub fn write(path: &Path, fill: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<()> {
    files::write(path, Access::Shared, fill).map_err(|e| files::cannot_write("the file", path, &e))
}

/// Writes a file that must not exist yet, readable by its owner only, since configs hold keys of endpoints; false, and
/// nothing is changed, where there is one already.
pub fn create_private(path: &Path, text: &str) -> Result<bool> {
    let made = fs::create_dir_all(files::folder_of(path))
        .and_then(|()| files::create(path, Access::Owner, text.as_bytes()));
    made.map_err(|e| {
        Error::new(Code::Io, format!("cannot write config {}: {e}", path.display()))
            .hint("name a place where you may write")
    })
}
