//! Of `reward …`: weights, cycles, epochs, what is owed, and claims.

pub mod apr;
pub mod claim;
pub mod cycle;
pub mod epoch;
pub mod export;
pub mod manual;
pub mod verify;
pub mod weights;
