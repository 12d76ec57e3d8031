//! The network's own JavaScript SDK, as an independent client, does a farmer's day against the sandbox.

use std::path::Path;
use std::process::Command;

use poolctl_sandbox::stellar::{FARM_WASM, Stellar, StellarOptions};

const PACKAGE: &str = "@stellar/stellar-sdk@15.1.0";

#[test]
fn javascript_sdk_farms() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let cache = root.join(".cache/js");
    let modules = cache.join("node_modules");
    if !modules.join("@stellar/stellar-sdk").is_dir() {
        std::fs::create_dir_all(&cache).unwrap();
        let mut install = Command::new("npm");
        install.args(["install", "--no-save", "--no-package-lock", "--no-audit", "--no-fund", "--prefix"]);
        let installed = install.arg(&cache).arg(PACKAGE).output();
        assert!(
            installed.as_ref().is_ok_and(|output| output.status.success()),
            "the JavaScript SDK is missing; with node 20: npm install --no-save --prefix sandbox/.cache/js {PACKAGE}\n{installed:?}"
        );
    }
    let network = Stellar::start(&StellarOptions::default()).unwrap();
    network.deploy_farm(FARM_WASM).unwrap();
    let output = Command::new("node")
        .arg(root.join("tests/js/farm.cjs"))
        .env("NODE_PATH", &modules)
        .env("SANDBOX_URL", network.url())
        .output()
        .expect("node 20 is needed: apt-get install nodejs");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}\n{err}");
    assert_eq!(out, "farmer's day done\n");
}
