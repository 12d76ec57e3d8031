//! The farm's rows. SQL only; who calls it decides.

mod baselines;
mod hands;
mod lookups;
mod pails;
mod records;

pub use baselines::{
    Baseline, baseline, baselines_at, harvested_since, is_booked, knows_less, moved_since, set_baseline,
};
pub use hands::{Hand, hands};
pub use lookups::{
    Last, LastHarvest, count_mint, envelopes, has_nonce, is_counted, is_ours, last_block, last_harvests,
    last_planted, open_count, own_works, work_failures,
};
pub use pails::{
    OpenPail, close_pail, forecast_pail, held_pails, hold_pail, live_pail, open_pail, open_pails_of, pail,
    pails_before, pails_in, pails_until, release_pail, work_pail,
};
pub use records::{
    Ended, HarvestRow, Loss, Tally, Trace, WorkRow, compensation, harvest, last_ends, losses, missing_since,
    planting, tally, undoubt, unlose, work,
};
