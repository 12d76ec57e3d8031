//! The kinds of alerts that the farm raises.

/// The alert about an active farmer for whom nothing is staked, since it could not come back.
pub const NOT_READY: &str = "not_ready";

/// The alert about the farm contract, whose code is not the one that was accepted.
pub const CODE_CHANGED: &str = "farm_code_changed";

/// The alert about a sponsor that cannot pay for what is to be farmed, or not for another day.
pub const SPONSOR_LOW: &str = "sponsor_low";

/// The alert about a farmer whose last stake is lost. It closes when a later one comes back, or the farmer leaves.
pub const LOST: &str = "stake_lost";

/// The alert about stakes that will be lost: their block ended without work. It closes when the losses are recorded.
pub const MISSED: &str = "work_missed";

/// The alert about pails that expire soon.
pub const EXPIRING: &str = "pail_expiring";

/// The alert about a pail that is no longer harvested because the chain contradicts itself about it.
pub const HELD: &str = "pail_held";

/// The alert about pails that look lost, while not everything agrees that they are.
pub const MISSING: &str = "pail_missing";

/// The alert about pails that are gone, of which the endpoint cannot tell whether they were paid.
pub const OUT_OF_SIGHT: &str = "pail_out_of_sight";
