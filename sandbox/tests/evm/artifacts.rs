//! The committed artifacts are those of the sources.

use std::path::Path;
use std::process::Command;

#[test]
fn the_committed_artifacts_are_those_of_the_sources() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    // Installed here, or an error with the line that installs them.
    poolctl_testkit::tools::solc().unwrap();
    poolctl_testkit::tools::openzeppelin().unwrap();
    let check = Command::new("sh")
        .arg(root.join("contracts/evm/build.sh"))
        .arg("--check")
        .env("POOLCTL_CACHE", root.join("../.cache"))
        .output()
        .unwrap();
    assert!(check.status.success(), "{}", String::from_utf8_lossy(&check.stderr));
}
