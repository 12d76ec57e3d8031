//! Real nodes, real contracts and faulty wires for the tests of `poolctl`.
//!
//! Everything here blocks, and asks the machine for nothing but node with npm, and `sh`.
//!
//! ```
//! use poolctl_testkit::{Fault, NodeKind, Proxy, Rule, World, abi::Vault, units};
//!
//! let world = World::small(NodeKind::Sandbox)?;
//! let proxy = Proxy::start(world.node.url())?;
//! proxy.fault(Rule::new(Fault::Status(429, Some(1))).on_method("eth_call").after(1).times(1));
//! world.deposit(world.six.vault, world.dave, units(10, 6))?;
//! let supply = world.node.call(world.six.vault, &Vault::totalSupplyCall {})?;
//! // Here: run the binary with `proxy.url()` as its endpoint, and compare what it says with `supply`.
//! assert!(proxy.methods().is_empty(), "nobody asked");
//! # assert!(supply > units(10, 6));
//! # anyhow::Ok(())
//! ```

pub mod abi;
mod anvil;
pub mod browser;
pub mod cli;
pub mod client;
pub mod contract;
pub mod contracts;
mod debian;
pub mod doctor;
pub mod examples;
mod http;
pub mod model;
pub mod node;
pub mod once;
pub mod proxy;
pub mod round;
pub mod rpc;
pub mod steps;
mod tamper;
pub mod tools;
pub mod watch;
pub mod web;
pub mod world;

pub use alloy;
pub use node::{MULTICALL3, Node, NodeKind, NodeOptions, Receipt};
pub use proxy::{Answer, Fault, Matcher, Proxy, Rule};
pub use rpc::{Rpc, RpcError};
pub use tamper::tamper;
pub use web::{Mute, Request, Web, nowhere};
pub use world::{ManyVaults, Pool, World, units};
