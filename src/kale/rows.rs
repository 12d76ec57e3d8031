//! The farm's rows. SQL only; who calls it decides.

mod hands;
mod lookups;
mod pails;
mod records;

pub use hands::{Hand, hands};
pub use lookups::{
    LastHarvest, confirmed, count_mint, has_nonce, is_counted, is_ours, last_block, last_harvests,
    open_count, work_failure,
};
pub use pails::{
    OpenPail, amount, close_pail, forecast_pail, held_pails, hold_pail, live_pail, open_pail, pail,
    pails_before, pails_in, release_pail, work_pail,
};
pub use records::{
    Ended, HarvestRow, Tally, Trace, WorkRow, compensation, harvest, last_ends, planting, tally, work,
};
