//! The KALE rules against `tests/kale.json` (what the contract itself did) and against what must always hold.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod contract;
mod forecast;
mod replay;
mod reward;
mod vectors;
