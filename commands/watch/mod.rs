//! What looks at everything and changes nothing.

pub mod doctor;
pub mod health;
pub mod metrics;
pub mod report;
