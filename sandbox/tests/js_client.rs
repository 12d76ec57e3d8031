//! The network's own JavaScript SDK, as an independent client, does a farmer's day against the sandbox.

use std::path::Path;
use std::process::Command;

use poolctl_sandbox::stellar::{FARM_WASM, Stellar, StellarOptions};

#[test]
fn javascript_sdk_farms() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let modules = poolctl_testkit::tools::stellar_sdk().unwrap();
    let network = Stellar::start(&StellarOptions::default()).unwrap();
    network.deploy_farm(FARM_WASM).unwrap();
    let mut node = Command::new("node");
    node.arg(root.join("tests/js/farm.cjs")).env("NODE_PATH", modules).env("SANDBOX_URL", network.url());
    let output = poolctl_testkit::watch::output(&mut node).unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}\n{err}");
    assert_eq!(out, "farmer's day done\n");
}
