//! The network's protocol, the one that this build knows, and what is said where the network's is newer.

use base::{Code, Error};

/// The protocol whose types this build knows: the major version of `stellar-xdr`.
pub const PROTOCOL: u32 = 30;

/// A network at a newer protocol than this build knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Newer {
    /// The network's protocol.
    pub network: u32,
}

impl Newer {
    /// What to do about it.
    pub const FIX: &'static str = "update poolctl";

    /// The network's protocol, where it is newer.
    pub const fn than_known(network: u32) -> Option<Self> {
        if network > PROTOCOL { Some(Self { network }) } else { None }
    }

    /// In words.
    pub fn words(self) -> String {
        format!("the network is at protocol {}, this build knows {PROTOCOL}", self.network)
    }

    /// The error of something that cannot be read for it.
    pub fn error(self, what: &str) -> Error {
        Error::new(Code::NewerProtocol, format!("{what}: {}", self.words()))
            .hint(Self::FIX)
            .detail("network_protocol", self.network)
            .detail("known_protocol", PROTOCOL)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_protocol_is_that_of_the_types() {
        let major = crate::xdr::VERSION.pkg.split('.').next().map(str::parse);
        assert_eq!(major, Some(Ok(PROTOCOL)));
        for (network, newer) in [(0, false), (PROTOCOL - 1, false), (PROTOCOL, false), (PROTOCOL + 1, true)] {
            assert_eq!(Newer::than_known(network).is_some(), newer, "{network}");
        }
    }
}
