//! What looks at everything: is the state sound, is the installation, is it well, what does it come to; and what tells of it.

pub mod check;
pub mod doctor;
pub mod health;
pub mod leases;
pub mod metrics;
pub mod notify;
pub mod report;
pub mod spark;
pub mod status;
pub mod telemetry;
