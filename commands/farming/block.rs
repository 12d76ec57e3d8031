//! `poolctl block`: the farm's current block, and what our farmers have in it.

use crate::output::{Outcome, Page, Present, Table};
use crate::shell::session::Session;
use app::App;
use app::farming;
use app::farming::block::{BlockOutput, RangeView, WorkView};
use base::{Result, clock};
use clap::Args;
use kale::farming::Strategies;
use kale::rows;
use kale::settings::Settings;
use kale::view::{Ask, View};

/// Show the farm's current block: its age, what counts in it, our pails and what they would be paid
///
/// Figures are what a harvest would pay if nobody worked in this block any more. ZERO, LEDGER and KALE are what one more
/// zero, one more ledger and one more KALE of stake would change.
#[derive(Debug, Args)]
#[command(before_help = "Example: poolctl block")]
pub struct Block {}

impl Block {
    pub fn run(self, session: &Session) -> Result<Outcome> {
        let Self {} = self;
        let app = App::open(session)?;
        let state = app.read()?;
        let who: Vec<_> = rows::hands(state.conn())?.into_iter().map(|hand| hand.who).collect();
        let guess = rows::last_block(state.conn())?;
        let settings = Settings::of(&app.config)?;
        let farm = app.farm_contract()?.to_string();
        let view = app
            .look_on_stellar(async |client| {
                let site = farming::site(&app, client)?;
                View::read(&site, &Ask { who: &who, wallets: false, guess }).await
            })
            .map_err(|e| e.context("cannot read the block"))?;
        let open = rows::pails_before(state.conn(), view.farm.index)?.len();
        let strategies = Strategies::read(state.conn(), settings.strategy)?;
        Outcome::document(&BlockOutput::of(&view, farm, open, &strategies))
    }
}

impl Present for BlockOutput {
    fn present(&self, page: &mut Page) {
        let dash = || "–".to_owned();
        let range = |range: Option<&RangeView<u32>>| {
            range.map_or_else(dash, |range| format!("{} to {}", range.min, range.max))
        };
        page.pairs([
            ("block", self.block.to_string()),
            ("farm", format!("{}{}", self.farm, if self.paused { ", paused" } else { "" })),
            ("age", {
                let age = self.age_sec.map_or_else(dash, clock::span);
                match self.left_sec {
                    None => age,
                    Some(0) => format!("{age}, due"),
                    Some(left) => format!("{age}, due in {}", clock::span(left)),
                }
            }),
            ("gives out", self.reward.to_string()),
            ("not worked yet", self.staked.as_ref().map_or_else(dash, ToString::to_string)),
            ("gaps that count", range(self.gaps.as_ref())),
            (
                "stakes that count",
                self.stakes.as_ref().map_or_else(dash, |range| format!("{} to {}", range.min, range.max)),
            ),
            ("zeros that count", range(self.zeros.as_ref())),
        ]);
        if self.pails.is_empty() {
            page.gap().line("none of our farmers has planted in this block");
        } else {
            let mut table = Table::new(&[
                "FARMER",
                ">STAKE",
                ">GAP",
                ">ZEROS",
                ">PAYS",
                ">WORK NOW",
                ">+ZERO",
                ">+LEDGER",
                ">+KALE",
            ]);
            for pail in &self.pails {
                let work = |pick: fn(&WorkView) -> &String| {
                    pail.work.as_ref().map(|work| pick(work).clone()).unwrap_or_default()
                };
                table.row([
                    pail.address.clone(),
                    pail.stake.to_string(),
                    pail.gap.map(|gap| gap.to_string()).unwrap_or_default(),
                    pail.zeros.map(|zeros| zeros.to_string()).unwrap_or_default(),
                    pail.pays.as_ref().map(ToString::to_string).unwrap_or_default(),
                    work(|work| &work.reward),
                    work(|work| &work.one_more_zero),
                    work(|work| &work.one_more_ledger),
                    work(|work| &work.one_more_kale),
                ]);
            }
            page.gap().table(table);
        }
        if self.open_pails > 0 {
            page.line(format!("{} stakes of earlier blocks are open: poolctl harvest", self.open_pails));
        }
        page.line(&self.view);
    }
}
