//! The contracts of the demo as compiled: their sources and the build script are in `contracts/evm`.

use alloy::primitives::Bytes;
use serde_json::Value;

use crate::{Error, Result};

/// Each contract's artifact, `{abi, bytecode, deployed}` as JSON.
const ARTIFACTS: [(&str, &str); 5] = [
    ("Aggregator", include_str!("../../contracts/evm/artifacts/Aggregator.json")),
    ("Asset", include_str!("../../contracts/evm/artifacts/Asset.json")),
    ("Multicall3", include_str!("../../contracts/evm/artifacts/Multicall3.json")),
    ("RiskEngine", include_str!("../../contracts/evm/artifacts/RiskEngine.json")),
    ("Vault", include_str!("../../contracts/evm/artifacts/Vault.json")),
];

/// The names of the contracts.
pub fn names() -> impl Iterator<Item = &'static str> {
    ARTIFACTS.iter().map(|(name, _)| *name)
}

/// A contract's ABI (Solidity's JSON).
pub fn abi(name: &str) -> Result<Value> {
    part(name, "abi")
}

/// The code that deploys a contract, its constructor's arguments not appended.
pub fn bytecode(name: &str) -> Result<Bytes> {
    code(name, "bytecode")
}

/// The code that a contract has once deployed; its immutables are zero.
pub fn deployed(name: &str) -> Result<Bytes> {
    code(name, "deployed")
}

fn code(name: &str, kind: &str) -> Result<Bytes> {
    let value = part(name, kind)?;
    let code = value.as_str().and_then(|code| code.parse().ok());
    code.ok_or_else(|| Error::new(format!("the artifact of {name} has no {kind}")))
}

fn part(name: &str, kind: &str) -> Result<Value> {
    let (_, artifact) = ARTIFACTS
        .iter()
        .find(|(known, _)| *known == name)
        .ok_or_else(|| Error::new(format!("no contract is called {name}")))?;
    let mut artifact: Value = serde_json::from_str(artifact)
        .map_err(|error| Error::new(format!("the artifact of {name}: {error}")))?;
    Ok(artifact.get_mut(kind).map(Value::take).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_artifact_is_whole() {
        for name in names() {
            assert!(abi(name).unwrap().as_array().is_some_and(|abi| !abi.is_empty()), "{name}");
            assert!(bytecode(name).unwrap().len() > 100, "{name}");
            // EIP-170.
            assert!((100..24_576).contains(&deployed(name).unwrap().len()), "{name}");
        }
        assert!(bytecode("Nothing").is_err());
    }
}
