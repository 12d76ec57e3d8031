//! The kept inputs of a target: the files of its folder.

use anyhow::{Context as _, Result, ensure};
use sha2::{Digest as _, Sha256};
use std::fs;
use std::path::{Path, PathBuf};

/// Where they are kept.
pub const CORPUS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/corpus");

/// The inputs of a target, in the order of their files' names.
///
/// # Errors
/// Where there is none, or one cannot be read.
pub fn load(corpus: &Path, target: &str) -> Result<Vec<Vec<u8>>> {
    let folder = corpus.join(target);
    let cannot = || format!("cannot read {}", folder.display());
    let files = fs::read_dir(&folder).with_context(cannot)?;
    let mut files = files.map(|file| Ok(file?.path())).collect::<Result<Vec<_>>>().with_context(cannot)?;
    files.sort();
    ensure!(!files.is_empty(), "no inputs in {}", folder.display());
    files
        .iter()
        .map(|file| fs::read(file).with_context(|| format!("cannot read {}", file.display())))
        .collect()
}

/// Keeps an input that a target failed on. The same one is kept once.
///
/// # Errors
/// Where the file cannot be written.
pub fn keep(corpus: &Path, target: &str, input: &[u8]) -> Result<PathBuf> {
    let name = Sha256::digest(input).iter().take(8).fold(0, |name: u64, byte| name << 8 | u64::from(*byte));
    let path = corpus.join(target).join(format!("found-{name:016x}"));
    fs::write(&path, input).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path)
}
