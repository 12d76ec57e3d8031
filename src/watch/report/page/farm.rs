//! The farm's section: rewards against forecasts and stakes by block, yields by farmer, losses.

use super::words::{amount, count, cut, exact, figure, kale, percent, said, shown, stroops};
use crate::report::chart::{self, Bar};
use crate::report::{BlockSum, Farm, FarmerSum, Loss};
use base::counted;
use kale::contract::DECIMALS;
use maud::{Markup, html};

pub(super) fn section(farm: &Farm) -> Markup {
    html! {
        section.farm {
            h2 { "KALE farm" }
            div.row {
                (figure("farmers", &html! { (farm.active) }))
                (figure("at stake now", &html! {
                    (kale("open-stakes", farm.open.1)) " " span.unit { "in " (count(farm.open.0, "pail", "pails")) }
                }))
                (figure("rewards so far", &kale("rewards", farm.minted)))
                (figure("the operator's part", &kale("fees", farm.fees)))
                @if farm.missed.0 > 0 {
                    (figure("will be lost", &html! {
                        (kale("missed-stakes", farm.missed.1)) " " span.unit { "in " (count(farm.missed.0, "pail", "pails")) }
                    }))
                }
                @if !farm.lost.is_zero() { (figure("stakes lost", &kale("stakes-lost", farm.lost))) }
            }
            @if farm.blocks.is_empty() { p.note { "No block was harvested yet." } } @else { (blocks(&farm.blocks)) }
            (farmers(farm))
            (losses(&farm.losses))
        }
    }
}

fn blocks(blocks: &[BlockSum]) -> Markup {
    let rewards: Vec<Bar> = blocks.iter().map(reward).collect();
    let stakes: Vec<Bar> = blocks.iter().map(stake).collect();
    let (first, last) = (blocks.first().map_or(0, |b| b.block), blocks.last().map_or(0, |b| b.block));
    let chart = |name: &str, key: &Markup, bars: &[Bar]| {
        html! {
            figure {
                figcaption { (name) (key) }
                div.plot { (chart::bars(name, bars)) span.top { (shown(chart::highest(bars), DECIMALS)) } }
                p.times { span { "block " (first) } span { "block " (last) } }
            }
        }
    };
    let expected = html! { span.key { span.swatch.solid {} "paid" span.swatch.expected {} "forecast" } };
    let lost = html! { span.key { span.swatch.solid {} "came back" span.swatch.pale {} "lost" } };
    html! {
        div.charts {
            (chart("Rewards per block, KALE", &expected, &rewards))
            div.lost { (chart("Stakes per block, KALE", &lost, &stakes)) }
        }
        details {
            summary { (count(blocks.len(), "block", "blocks")) }
            div.scroll { table {
                thead { tr { th.n { "block" } th.n { "harvests" } th.n { "stake" } th.n { "reward" } th.n { "forecast" } th.n { "lost" } } }
                tbody { @for block in blocks.iter().rev() {
                    tr {
                        td.n { (block.block) }
                        td.n { (block.harvested) }
                        td.n { (kale("block-stake", block.stake)) }
                        td.n { (kale("block-reward", block.reward)) }
                        td.n { @if let Some(forecast) = block.forecast { (kale("block-forecast", forecast)) } @else { "–" } }
                        td.n { (kale("block-lost", block.lost)) }
                    }
                } }
            } }
        }
    }
}

fn reward(block: &BlockSum) -> Bar {
    let forecast = block.forecast.map(|f| format!("\n{} forecast", exact(&stroops(f)))).unwrap_or_default();
    let (paid, pails) = (exact(&stroops(block.reward)), counted(block.harvested, "pail"));
    let title = format!("block {}\n{paid} for {pails}{forecast}", block.block);
    Bar { solid: block.reward, pale: base::amount::Base::ZERO, expected: block.forecast, title }
}

fn stake(block: &BlockSum) -> Bar {
    let lost =
        if block.lost.is_zero() { String::new() } else { format!("\n{} lost", exact(&stroops(block.lost))) };
    let title = format!("block {}\n{} staked{lost}", block.block, exact(&stroops(block.stake)));
    Bar { solid: block.stake.saturating_sub(block.lost), pale: block.lost, expected: None, title }
}

fn farmers(farm: &Farm) -> Markup {
    let most = farm.farmers.iter().map(|farmer| farmer.reward).max().unwrap_or_default();
    let row = |farmer: &FarmerSum| {
        html! {
            tr {
                td { abbr title=(farmer.address) { (cut(&farmer.address)) } }
                td { (said(&farmer.pooler)) }
                td { @if let Some(status) = farmer.status { (status) } }
                td.wide { (chart::portion(farmer.reward, most)) }
                td.n { (kale("farmer-reward", farmer.reward)) }
                td.n { (kale("farmer-stake", farmer.stake)) }
                td.n { @if let Some(ppm) = farmer.yield_ppm() { (percent(ppm)) } @else { "–" } }
                td.n { (farmer.pails) }
                td.n { @if farmer.lost.is_zero() { "–" } @else { (kale("farmer-lost", farmer.lost)) } }
            }
        }
    };
    html! {
        h3 {
            "Farmers"
            @if farm.active > farm.farmers.len() { span.of { (farm.farmers.len()) " of " (farm.active) } }
        }
        div.scroll { table {
            thead { tr {
                th { "farmer" } th { "pooler" } th { "status" } th.wide { "" } th.n { "reward" } th.n { "stake" }
                th.n title="reward to stake" { "yield" } th.n { "pails" } th.n { "lost" }
            } }
            tbody { @for farmer in &farm.farmers { (row(farmer)) } }
        } }
        p.note { "Of the " (count(farm.blocks.len(), "block", "blocks")) " above, before a reward is shared out." }
    }
}

fn losses(losses: &[Loss]) -> Markup {
    if losses.is_empty() {
        return html! {};
    }
    html! {
        h3 { "Losses" }
        div.scroll { table {
            thead { tr { th.n { "block" } th { "farmer" } th.n { "stake" } th { "why" } } }
            tbody { @for loss in losses {
                tr {
                    td.n { (loss.block) }
                    td { abbr title=(loss.farmer) { (cut(&loss.farmer)) } }
                    td.n { (amount("loss", &stroops(loss.stake))) }
                    td { code { (said(&loss.reason)) } }
                }
            } }
        } }
    }
}
