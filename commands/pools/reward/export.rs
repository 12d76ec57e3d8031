//! `poolctl reward export`: an epoch's rewards for spreadsheets, scripts and contracts.

use super::epoch::pool_of;
use crate::shell::out_file::{self, Output};
use crate::shell::prelude::*;
use app::pools::reward::export::{ExportOutput, RewardView, proof};
use base::amount::to_units;
use clap::ValueEnum;
use serde_json::{Value, json};
use std::io::{self, Write};
use std::path::PathBuf;
use vault::pool;
use vault::reward::{self, Export};

/// How the rewards are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// address, amount in base units, amount in whole units
    #[default]
    Csv,
    /// One JSON document
    Json,
}

/// Write an epoch's rewards, member by member
///
/// Without --merkle it is a view: nothing is recorded. With --merkle, each has a proof in a StandardMerkleTree of
/// OpenZeppelin with leaves (address, uint256), for contracts that pay whoever proves a claim. As JSON it is what
/// `StandardMerkleTree.load` reads. The epoch is then recorded as exported: its rewards cannot be claimed with reward claim
/// any more, and those that were claimed before are not in the tree. Exporting it again gives the same tree.
#[derive(Debug, Args)]
#[command(before_help = "Example: poolctl reward export 12 --merkle --format json --output epoch-12.json")]
#[expect(clippy::doc_markdown, reason = "clap shows these lines as they stand")]
pub struct ExportCommand {
    /// Id of a distributed epoch
    #[arg(allow_negative_numbers = true)]
    epoch: i64,
    /// How
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Export the unclaimed rewards to a Merkle tree, with its root and proofs
    #[arg(long)]
    merkle: bool,
    /// Write to this file, whole or not at all; to a pipe or a device as it is; - is stdout
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    dry: DryRun,
}

impl ExportCommand {
    pub fn run(self, session: &Session) -> Result<Outcome> {
        let place = self.output.as_deref().map(Output::of).transpose()?;
        let app = App::open(session)?;
        let export = self.export(&app)?;
        let is_stdout = place == Some(Output::Stdout);
        let mut output = ExportOutput::of(&export);
        if self.dry.dry_run {
            // No proof leaves the program before its tree is recorded.
            output.lines.push(output.summary("would write"));
        } else if let Some(Output::File(path)) = place {
            out_file::write(&path, |out| self.format.write(&export, out)).map_err(|e| self.unwritten(e))?;
            output.file = Some(path);
        } else if session.options.json {
            output.rewards = Some((0..export.rewards.len()).map(|n| RewardView::of(&export, n)).collect());
        } else {
            let mut text = Vec::new();
            let broken =
                |e: &dyn std::fmt::Display| Error::new(Code::Bug, format!("cannot write the export: {e}"));
            self.format.write(&export, &mut text).map_err(|e| broken(&e))?;
            let text = String::from_utf8(text).map_err(|e| broken(&e))?;
            output.lines = text.lines().map(str::to_owned).collect();
        }
        Ok(Outcome::of(output).file(is_stdout && !self.dry.dry_run))
    }

    /// A file that was not written: the tree is recorded before its proofs leave the program.
    fn unwritten(&self, e: Error) -> Error {
        if !self.merkle {
            return e;
        }
        let epoch = self.epoch;
        e.context(format!("epoch {epoch} is exported, and its tree was not written"))
            .hint(format!("run it again with another --output: epoch {epoch} has the same tree each time"))
    }

    /// The rewards; with --merkle, of a tree that is recorded.
    fn export(&self, app: &App<'_>) -> Result<Export> {
        let (pool, row) = {
            let state = app.read()?;
            let look = state.look()?;
            let row = reward::epoch(look.conn(), self.epoch)?;
            let pool = pool_of(&pool::list(look.conn())?, &row)?;
            if !self.merkle {
                return reward::export(look.conn(), pool, row);
            }
            if let Some(export) = reward::exported_tree(look.conn(), pool.clone(), row.clone())? {
                // What is recorded needs no lock and no consent.
                return Ok(export);
            }
            (pool, row)
        };
        app.write(self.dry.dry_run, |work| {
            let what = format!(
                "export the unclaimed rewards of epoch {} to a Merkle tree: from then on they can only be claimed on chain",
                row.id
            );
            let agreed = app.value_permit(work.permit, &what)?;
            reward::export_tree(work, &agreed, &pool, &row)
        })
    }
}

impl Format {
    fn write(self, export: &Export, out: &mut dyn Write) -> io::Result<()> {
        match self {
            Self::Csv => csv(export, out),
            Self::Json => document(export, out),
        }
    }
}

/// Every row holds all that its member needs.
fn csv(export: &Export, out: &mut dyn Write) -> io::Result<()> {
    let root = export.tree.as_ref().map(|tree| tree.root().to_string());
    let more = if root.is_some() { ",root,proof" } else { "" };
    writeln!(out, "address,amount,amount_whole{more}")?;
    for (n, (address, amount)) in export.rewards.iter().enumerate() {
        write!(out, "{address},{amount},{}", to_units(*amount, export.token.decimals))?;
        if let Some((root, proof)) = root.as_ref().zip(proof(export, n)) {
            write!(out, ",{root},{}", proof.join(" "))?;
        }
        writeln!(out)?;
    }
    Ok(())
}

/// One line for each reward, so that a large document can be written as it is made.
fn document(export: &Export, out: &mut dyn Write) -> io::Result<()> {
    let head = json!({
        "epoch": export.row.id, "pool": export.pool.name, "pool_address": export.pool.address.to_string(),
        "start_block": export.row.epoch.start, "end_block": export.row.epoch.end,
        "asset": export.token.address.to_string(), "decimals": export.token.decimals,
    });
    writeln!(out, "{{")?;
    if let Some(tree) = &export.tree {
        // What the library's own dump() has.
        writeln!(out, "\"format\":\"standard-v1\",\"leafEncoding\":[\"address\",\"uint256\"],")?;
        writeln!(out, "\"root\":\"{}\",", tree.root())?;
        write!(out, "\"tree\":[")?;
        list(out, tree.nodes().iter().map(|node| json!(node)))?;
        writeln!(out, "],")?;
    }
    for (key, value) in head.as_object().into_iter().flatten() {
        writeln!(out, "{}:{value},", json!(key))?;
    }
    write!(out, "\"values\":[")?;
    let value = |n: usize| {
        let (address, amount) = export.rewards.get(n).copied().unwrap_or_default();
        let (address, base) = (address.to_string(), amount.to_string());
        let whole = to_units(amount, export.token.decimals);
        match export.tree.as_ref().and_then(|tree| tree.place(n)) {
            None => json!({ "address": address, "amount": base, "amount_whole": whole }),
            Some(place) => json!({
                "value": [address, base], "treeIndex": place, "amount_whole": whole, "proof": proof(export, n),
            }),
        }
    };
    list(out, (0..export.rewards.len()).map(value))?;
    writeln!(out, "]")?;
    writeln!(out, "}}")
}

fn list(out: &mut dyn Write, items: impl Iterator<Item = Value>) -> io::Result<()> {
    for (n, item) in items.enumerate() {
        let comma = if n == 0 { "" } else { "," };
        write!(out, "{comma}\n{item}")?;
    }
    Ok(())
}

impl Present for ExportOutput {
    fn present(&self, page: &mut Page) {
        let Some(file) = &self.file else {
            for line in &self.lines {
                page.line(line);
            }
            return;
        };
        page.line(format!("{}, to {}", self.summary("wrote"), file.display()));
        if let Some(root) = &self.merkle_root {
            page.line(format!("root {root}"));
        }
    }
}
