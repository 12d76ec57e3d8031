//! Writing a file that others read: it appears whole, or what was there stays.

use poolctl::output::{Code, Error, Result};
use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::Path;

/// Fills a draft beside `path` and puts it in its place.
///
/// # Errors
/// `io_error` where the folder cannot be written; nothing is changed then. Those of `fill`.
pub fn write(path: &Path, fill: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<()> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let draft = folder.join(format!(".{name}.{}.draft", std::process::id()));
    let written = fs::File::create(&draft).and_then(|file| {
        let mut out = BufWriter::new(file);
        fill(&mut out)?;
        out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
        fs::rename(&draft, path)
    });
    written.map_err(|e| {
        let _ = fs::remove_file(&draft);
        Error::new(Code::Io, format!("cannot write {}: {e}", path.display()))
            .hint("name a file in a folder where you may write")
    })
}
