//! The built-in profiles and the networks they pin.

/// A network that poolctl knows by name.
#[derive(Debug, Clone, Copy)]
pub struct Profile {
    /// `--profile` name.
    pub name: &'static str,
    /// EVM chain id (EIP-155).
    pub chain_id: u64,
    /// Stellar network passphrase.
    pub passphrase: &'static str,
    /// Whether value moves only after confirmation.
    pub confirm: bool,
}

/// Profiles that need no config file to exist.
pub const BUILT_IN: &[Profile] = &[
    Profile {
        name: "mainnet",
        chain_id: 1,
        passphrase: "Public Global Stellar Network ; September 2015",
        confirm: true,
    },
    Profile {
        name: "testnet",
        chain_id: 11_155_111,
        passphrase: "Test SDF Network ; September 2015",
        confirm: false,
    },
    Profile {
        name: "sandbox",
        chain_id: 31_337,
        passphrase: "Standalone Network ; February 2017",
        confirm: false,
    },
];

/// A built-in profile by name.
pub fn built_in(name: &str) -> Option<&'static Profile> {
    BUILT_IN.iter().find(|p| p.name == name)
}
