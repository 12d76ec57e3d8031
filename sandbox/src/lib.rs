//! Embedded networks for the demo and the tests: a Soroban host behind Stellar RPC and an EVM behind Ethereum JSON-RPC,
//! with faults on order.
//!
//! Everything runs in this process and listens on loopback only. Keys made here are derived from public strings: they
//! are worth nothing anywhere else.

#[cfg(any(feature = "evm", feature = "stellar"))]
mod clock;
pub mod control;
#[cfg(feature = "evm")]
pub mod evm;
pub mod fault;
pub mod http;
#[cfg(all(feature = "evm", feature = "stellar"))]
pub mod network;
#[cfg(feature = "stellar")]
pub mod stellar;

use std::fmt;

/// Why a sandbox could not do what it was asked.
#[derive(Debug)]
pub struct Error(String);

impl Error {
    /// An error with this message.
    pub fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl std::error::Error for Error {}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        Self(error.to_string())
    }
}

#[cfg(feature = "stellar")]
impl From<stellar_xdr::Error> for Error {
    fn from(error: stellar_xdr::Error) -> Self {
        Self(format!("XDR: {error}"))
    }
}

#[cfg(feature = "stellar")]
impl From<soroban_env_host::HostError> for Error {
    fn from(error: soroban_env_host::HostError) -> Self {
        Self(format!("host: {:?}", error.error))
    }
}

/// What can fail here.
pub type Result<T> = std::result::Result<T, Error>;
