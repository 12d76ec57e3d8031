//! What every room stands on and what needs none of them: amounts, the one error type, files, time, and the wish to stop.

pub mod amount;
pub mod clock;
mod endpoint;
mod error;
mod exit;
pub mod files;
pub mod forms;
pub mod killpoint;
mod progress;
pub mod redact;
mod remedy;
mod stop;
mod words;

pub use clock::Clock;
pub use endpoint::Endpoint;
pub use error::{Code, Error, Result};
pub use exit::Exit;
pub use progress::{Progress, Silent};
pub use remedy::{Part, Remedy, run, say};
pub use stop::Stop;
pub use words::counted;
