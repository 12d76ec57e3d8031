//! The contracts of the sandbox, and those of `tests/contracts` with OpenZeppelin's and Chainlink's beneath them, compiled
//! once per content.

use crate::tools;
use alloy::primitives::{Bytes, Keccak256};
use anyhow::{Context as _, Result};
use poolctl_sandbox::evm::contracts as committed;
use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

static ARTIFACTS: OnceLock<PathBuf> = OnceLock::new();

/// The code that deploys `name`, its constructor's arguments not appended.
pub fn bytecode(name: &str) -> Result<Bytes> {
    committed::bytecode(name).or_else(|_| compiled(name, "bytecode"))
}

/// The code that `name` has once deployed, for `anvil_setCode`; its immutables are zero.
pub fn deployed(name: &str) -> Result<Bytes> {
    committed::deployed(name).or_else(|_| compiled(name, "deployed"))
}

fn compiled(name: &str, kind: &str) -> Result<Bytes> {
    let artifact = fs::read(artifacts()?.join(format!("{name}.json")));
    let artifact: Value =
        serde_json::from_slice(&artifact.with_context(|| format!("no contract is called {name}"))?)?;
    Ok(artifact[kind].as_str().with_context(|| format!("the artifact of {name} has no {kind}"))?.parse()?)
}

/// The folder of the artifacts of `tests/contracts`, each in `NAME.json`: `{abi, bytecode, deployed}`. Compiles when the
/// sources, the script or the versions of the packages have changed since.
fn artifacts() -> Result<&'static PathBuf> {
    if let Some(folder) = ARTIFACTS.get() {
        return Ok(folder);
    }
    let workspace = tools::workspace()?;
    let [sources, shared] = ["tests/contracts", "sandbox/contracts/evm"].map(|folder| workspace.join(folder));
    let packages = [tools::solc()?, tools::openzeppelin()?, tools::chainlink()?];
    let hash = content_hash(&[&sources, &shared], &packages)?;
    let folder = tools::cache()?.join("contracts").join(hash);
    tools::once(&folder, |draft| {
        let [solc, openzeppelin, chainlink] = packages.each_ref().map(|package| package.display());
        let mut node = Command::new("node");
        node.arg(shared.join("compile.js")).arg(&packages[0]).arg(&sources).arg(draft);
        node.arg(format!("@openzeppelin/contracts={openzeppelin}"));
        node.arg(format!("@chainlink/contracts={chainlink}"));
        tools::run(&mut node).with_context(|| format!("compiling the contracts with {solc}"))
    })?;
    Ok(ARTIFACTS.get_or_init(|| folder))
}

fn content_hash(folders: &[&Path], packages: &[PathBuf]) -> Result<String> {
    let mut files = Vec::new();
    for folder in folders {
        for entry in fs::read_dir(folder)? {
            files.push(entry?.path());
        }
    }
    files.retain(|file| file.is_file());
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
