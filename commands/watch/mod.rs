//! What looks at everything, and what tells of it.

pub mod doctor;
pub mod health;
pub mod metrics;
pub mod notify;
pub mod report;
pub mod status;
