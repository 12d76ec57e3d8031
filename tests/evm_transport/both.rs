//! What must hold on either node.

use super::NODE;

mod calls;
mod failover;
mod logs;
mod pin;
mod refusals;
