//! What looks at everything and changes nothing: is the state sound, is the installation, is it well, what does it come to.

pub mod check;
pub mod doctor;
pub mod health;
pub mod metrics;
pub mod report;
pub mod spark;
pub mod telemetry;
