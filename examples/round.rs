//! The whole round of an operator on a real local node: `cargo run --example round`.
//!
//! It installs and starts anvil, deploys vaults, feeds and a risk engine, deposits and transfers by several accounts,
//! and then runs the real `poolctl` binary from `init` to `state check`, printing each command and its output.

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use anyhow::{Context, Result, ensure};
use poolctl_testkit::round::round;
use std::path::PathBuf;
use std::process::Command;

fn main() -> Result<()> {
    let binary = build()?;
    let folder = tempfile::Builder::new().prefix("poolctl-round-").tempdir()?;
    println!(
        "starting anvil, deploying two vaults, and depositing, transferring and withdrawing with four accounts …\n"
    );
    round(&binary, folder.path(), |step| {
        println!("$ poolctl {}\n{}{}", step.command, step.stdout, step.stderr);
    })?;
    let kept = folder.keep();
    println!("The node is gone; the state stays: {}", kept.join("state.sqlite").display());
    println!(
        "Look around with: {} --state {} pool list",
        binary.display(),
        kept.join("state.sqlite").display()
    );
    Ok(())
}

/// Builds the binary beside this example and says where it is.
fn build() -> Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").context("run this with: cargo run --example round")?;
    let status = Command::new(cargo)
        .args(["build", "--quiet", "--workspace", "--bin", "poolctl"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status()?;
    ensure!(status.success(), "cannot build poolctl");
    let example = std::env::current_exe()?;
    let folder =
        example.parent().and_then(|examples| examples.parent()).context("an odd place for an example")?;
    Ok(folder.join(format!("poolctl{}", std::env::consts::EXE_SUFFIX)))
}
