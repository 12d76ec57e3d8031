//! KALE farming: the round of a block, farmers and poolers, and the grinder.

pub mod block;
pub mod farm;
pub mod farmer;
pub mod grind;
pub mod harvest;
pub mod plant;
pub mod pooler;
pub mod work;
