//! `poolctl block`: the farm's current block, and what our farmers have in it.

use crate::shell::prelude::*;
use app::farming;
use app::farming::block::{BlockOutput, RangeView, WorkView};
use base::clock;
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
        Ok(Outcome::document(BlockOutput::of(&view, farm, open, &strategies)))
    }
}

impl Present for BlockOutput {
    fn present(&self, page: &mut Page) {
        let dash = || "–".to_owned();
        let range = |range: &Option<RangeView<u32>>| range.as_ref().map(ToString::to_string).cell();
        let age = self.age_sec.map_or_else(dash, clock::span);
        let due = match self.left_sec {
            None => String::new(),
            Some(0) => ", due".to_owned(),
            Some(left) => format!(", due in {}", clock::span(left)),
        };
        page.pairs([
            ("block", self.block.to_string()),
            ("farm", format!("{}{}", self.farm, if self.paused { ", paused" } else { "" })),
            ("age", age + &due),
            ("gives out", self.reward.to_string()),
            ("not worked yet", self.staked.cell()),
            ("gaps that count", range(&self.gaps)),
            ("stakes that count", self.stakes.as_ref().map(ToString::to_string).cell()),
            ("zeros that count", range(&self.zeros)),
        ]);
        if self.pails.is_empty() {
            page.gap().line("none of our farmers has planted in this block");
        } else {
            let heads =
                ["FARMER", ">STAKE", ">GAP", ">ZEROS", ">PAYS", ">WORK NOW", ">+ZERO", ">+LEDGER", ">+KALE"];
            page.gap().rows(heads, &self.pails, |pail| {
                let work = |pick: fn(&WorkView) -> &String| pail.work.as_ref().map(pick);
                let (zero, ledger) = (work(|work| &work.one_more_zero), work(|work| &work.one_more_ledger));
                let (reward, kale) = (work(|work| &work.reward), work(|work| &work.one_more_kale));
                let reward = if pail.too_late { "too late".to_owned() } else { reward.cell() };
                cells![pail.address, pail.stake, pail.gap, pail.zeros, pail.pays, reward, zero, ledger, kale]
            });
        }
        if self.open_pails > 0 {
            page.line(format!(
                "{} of earlier blocks open: poolctl harvest",
                counted(self.open_pails, "stake")
            ));
        }
        page.line(&self.view);
    }
}
