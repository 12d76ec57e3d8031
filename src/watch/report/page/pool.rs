//! A pool's section: its figures, courses, rewards and largest holders.

use super::words::{amount, chain_moment, count, cut, exact, figure, rate, said, shown, span_since};
use crate::report::chart::{self, Bar, Floor, Mark};
use crate::report::{Epoch, Holder, PoolPart};
use base::amount::{Base, E18, Quantity};
use base::counted;
use evm::ViewStamp;
use maud::{Markup, html};

pub(super) fn section(part: &PoolPart, now: i64) -> Markup {
    let pool = &part.pool;
    html! {
        section.pool data-pool=(pool.name) {
            h2 { (said(&pool.name)) }
            p.facts {
                span { (pool.abi.as_str()) " vault of " (said(&pool.asset.symbol)) }
                span { code { (pool.address) } }
            }
            @if let Some(s) = &part.snapshot {
                div.row {
                    (figure("total value locked", &amount("tvl", &pool.asset.quantity(s.total_assets))))
                    (figure("exchange rate", &rate(s.rate_e18)))
                    (figure("shares", &amount("shares", &pool.shares(s.total_shares))))
                    (figure("holders", &html! { data data-is="holders" value=(part.holders) { (part.holders) } }))
                    @if s.paused == Some(true) { (figure("the contract is", &html! { strong { "paused" } })) }
                }
                (courses(part))
            } @else {
                p.note { "Never synced: there is nothing to show yet." }
            }
            (rewards(part))
            (holders(part))
            @if let Some(s) = &part.snapshot {
                p.view {
                    (said(&ViewStamp::new(s.block, &s.endpoint).to_string())) ", synced " (span_since(s.synced_at, now)) " ago"
                }
            }
        }
    }
}

fn courses(part: &PoolPart) -> Markup {
    let asset = &part.pool.asset;
    let mark = |value: Base, time: u64, block: u64, text: String| Mark {
        at: time,
        value,
        title: format!("{text}\n{}, block {block}", chain_moment(time)),
    };
    let tvl: Vec<Mark> = part
        .course
        .iter()
        .map(|p| mark(p.total_assets, p.time, p.block, exact(&asset.quantity(p.total_assets))))
        .collect();
    let rates: Vec<Mark> = part
        .course
        .iter()
        .map(|p| mark(p.rate_e18, p.time, p.block, exact(&Quantity::new(p.rate_e18, E18, ""))))
        .collect();
    html! {
        div.charts {
            (course("Total value locked", &tvl, Floor::Zero, asset.decimals))
            (course("Exchange rate", &rates, Floor::Lowest, E18))
        }
        details {
            summary { (count(part.course.len(), "sync", "syncs")) @if part.thinned { ", picked evenly from more" } }
            div.scroll { table {
                thead { tr { th { "time" } th.n { "block" } th.n { "TVL" } th.n { "rate" } } }
                tbody { @for p in part.course.iter().rev() {
                    tr {
                        td { (chain_moment(p.time)) }
                        td.n { (p.block) }
                        td.n { (amount("point-tvl", &asset.quantity(p.total_assets))) }
                        td.n { (amount("point-rate", &Quantity::new(p.rate_e18, E18, ""))) }
                    }
                } }
            } }
        }
    }
}

/// A course between its scale and its times.
fn course(name: &str, marks: &[Mark], floor: Floor, decimals: u8) -> Markup {
    let Some((low, high)) = chart::scale(marks, floor) else { return html! {} };
    let day = |mark: Option<&Mark>| mark.map(|mark| chain_moment(mark.at)).unwrap_or_default();
    html! {
        figure {
            figcaption { (name) }
            div.plot {
                (chart::course(name, marks, floor))
                @if low == high { span.mid { (shown(high, decimals)) } }
                @else { span.top { (shown(high, decimals)) } span.bottom { (shown(low, decimals)) } }
            }
            p.times { span { (day(marks.first())) } span { (day(marks.last())) } }
        }
    }
}

fn rewards(part: &PoolPart) -> Markup {
    let Some(newest) = part.epochs.last() else {
        return html! { @if part.detailed { p.note { "No rewards yet." } } };
    };
    // Only amounts of one asset can stand beside each other; the table has them all.
    let like = |epoch: &&Epoch| {
        (&epoch.part.symbol, epoch.part.decimals) == (&newest.part.symbol, newest.part.decimals)
    };
    let bars: Vec<Bar> = part.epochs.iter().filter(like).map(bar).collect();
    let high = shown(chart::highest(&bars), newest.part.decimals);
    let (first, last) = (part.epochs.iter().find(like).unwrap_or(newest).start, newest.end - 1);
    html! {
        figure.rewards {
            figcaption {
                span { "Rewards per epoch, " (said(&newest.part.symbol)) }
                span.key { span.swatch.solid {} "to holders" span.swatch.pale {} "carried on" }
            }
            div.plot { (chart::bars("Rewards per epoch", &bars)) span.top { (high) } }
            p.times { span { "block " (first) } span { "block " (last) } }
        }
        details {
            summary { (count(part.epochs.len(), "epoch", "epochs")) }
            div.scroll { table {
                thead { tr {
                    th.n { "from" } th.n { "to" } th.n { "part" } th.n { "carried in" } th.n { "to holders" }
                    th.n { "holders" } th.n { "carried on" } th { "why" }
                } }
                tbody { @for epoch in part.epochs.iter().rev() { (row(epoch)) } }
            } }
        }
    }
}

fn row(epoch: &Epoch) -> Markup {
    html! {
        tr {
            td.n { (epoch.start) }
            td.n { (epoch.end - 1) }
            td.n { (amount("part", &epoch.part)) }
            td.n { (amount("carry-in", &epoch.carry_in)) }
            td.n { (amount("distributed", &epoch.distributed)) }
            td.n { (epoch.holders) }
            td.n { (amount("carry-out", &epoch.carry_out)) }
            td {
                @if let Some(reason) = &epoch.reason { code { (said(reason)) } }
                @else if !epoch.done { "not distributed yet" }
            }
        }
    }
}

fn bar(epoch: &Epoch) -> Bar {
    let reason = epoch.reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
    let title = format!(
        "blocks {} to {}\n{} to {}\n{} carried on{reason}",
        epoch.start,
        epoch.end - 1,
        exact(&epoch.distributed),
        counted(epoch.holders, "holder"),
        exact(&epoch.carry_out),
    );
    Bar { solid: epoch.distributed.base, pale: epoch.carry_out.base, expected: None, title }
}

fn holders(part: &PoolPart) -> Markup {
    if part.top.is_empty() {
        return html! {};
    }
    let pool = &part.pool;
    let whole = part.snapshot.as_ref().map(|s| s.total_shares).unwrap_or_default();
    let row = |holder: &Holder| {
        html! {
            tr {
                td {
                    @if let Some(name) = &holder.name { b { (said(name)) } " " }
                    abbr title=(holder.address) { (cut(&holder.address)) }
                }
                td.wide { (chart::portion(holder.shares, whole)) }
                td.n { (amount("held", &pool.shares(holder.shares))) }
                td.n { @if let Some(worth) = holder.worth { (amount("worth", &pool.asset.quantity(worth))) } @else { "–" } }
            }
        }
    };
    html! {
        h3 {
            "Largest holders"
            @if part.holders > part.top.len() as u64 { span.of { (part.top.len()) " of " (part.holders) } }
        }
        div.scroll { table {
            thead { tr { th { "holder" } th.wide { "part" } th.n { "shares" } th.n { "worth" } } }
            tbody { @for holder in &part.top { (row(holder)) } }
        } }
    }
}
