//! The contracts of `tests/contracts`, OpenZeppelin's and Chainlink's beneath them, compiled once per content.

use crate::tools;
use alloy::primitives::{Bytes, Keccak256};
use anyhow::{Context as _, Result};
use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::{Mutex, PoisonError},
};

static LOADED: Mutex<Option<Value>> = Mutex::new(None);

/// The code that deploys `name`, its constructor's arguments not appended.
pub fn bytecode(name: &str) -> Result<Bytes> {
    code(name, "bytecode")
}

/// The code that `name` has once deployed, for `anvil_setCode`; its immutables are zero.
pub fn deployed(name: &str) -> Result<Bytes> {
    code(name, "deployed")
}

fn code(name: &str, kind: &str) -> Result<Bytes> {
    let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    let artifacts = match loaded.as_ref() {
        Some(artifacts) => artifacts,
        None => loaded.insert(serde_json::from_slice(&fs::read(artifacts()?)?)?),
    };
    let code = artifacts[name][kind].as_str().with_context(|| format!("no contract is called {name}"))?;
    Ok(code.parse()?)
}

/// The file of all artifacts: `{name: {abi, bytecode, deployed}}`. Compiles when the sources, the script or the versions
/// of the packages have changed since.
pub fn artifacts() -> Result<PathBuf> {
    let sources = tools::workspace()?.join("tests/contracts");
    let packages = [tools::solc()?, tools::openzeppelin()?, tools::chainlink()?];
    let folder = tools::cache()?.join("contracts").join(content_hash(&sources, &packages)?);
    tools::once(&folder, |draft| {
        let script = sources.join("compile.js");
        let out = draft.join("artifacts.json");
        tools::run(Command::new("node").arg(script).args(&packages).arg(out))
            .context("compiling the contracts")
    })?;
    Ok(folder.join("artifacts.json"))
}

fn content_hash(sources: &Path, packages: &[PathBuf]) -> Result<String> {
    let mut files: Vec<_> = fs::read_dir(sources)?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    files.sort();
    files.extend(packages.iter().map(|package| package.join("package.json")));
    let mut hasher = Keccak256::new();
    for file in files {
        let content = fs::read(&file).with_context(|| format!("reading {}", file.display()))?;
        hasher.update(file.file_name().unwrap_or_default().as_encoded_bytes());
        hasher.update((content.len() as u64).to_be_bytes());
        hasher.update(content);
    }
    Ok(format!("{:x}", hasher.finalize()).chars().take(16).collect())
}
