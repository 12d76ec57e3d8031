//! The life of a farmer. Pure.

use base::{Code, Error, Result};
use strum::{Display, EnumString, IntoStaticStr, VariantArray};

/// Where a farmer is in its life.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Display, EnumString, IntoStaticStr, VariantArray,
)]
#[strum(serialize_all = "snake_case")]
pub enum Status {
    /// There is a key; the account may not exist yet.
    WalletCreated,
    /// The account exists and has what it needs.
    Funded,
    /// It plants.
    Active,
    /// It plants no more; what stands is worked and harvested.
    Leaving,
    /// It has left; nothing is done for it any more.
    Departed,
}

impl Status {
    /// All of them, in the order of life.
    pub const ALL: &[Self] = Self::VARIANTS;

    /// The word as it stands in the state.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Reads the word of a farmer's row.
    pub fn stored(word: &str, farmer: &str) -> Result<Self> {
        let odd = || format!("farmer {farmer} has the status \"{word}\"");
        word.parse().map_err(|_| Error::new(Code::StateCorrupt, odd()))
    }

    /// Whether the next status may be this one: a step forward, leaving at any time, and back from leaving. What has
    /// departed stays so.
    pub const fn may_become(self, next: Self) -> bool {
        match next {
            Self::WalletCreated => false,
            Self::Funded => matches!(self, Self::WalletCreated),
            Self::Active => matches!(self, Self::Funded | Self::Leaving),
            Self::Leaving => matches!(self, Self::WalletCreated | Self::Funded | Self::Active),
            Self::Departed => matches!(self, Self::Leaving),
        }
    }

    /// Whether it may plant.
    pub const fn plants(self) -> bool {
        matches!(self, Self::Active)
    }

    /// Whether it plants, or does once it has what that takes.
    pub const fn comes(self) -> bool {
        matches!(self, Self::WalletCreated | Self::Funded | Self::Active)
    }

    /// Whether its pails are worked and harvested.
    pub const fn is_served(self) -> bool {
        !matches!(self, Self::Departed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_step_and_no_other() {
        use Status::{Active, Departed, Funded, Leaving, WalletCreated};
        let allowed = [
            (WalletCreated, Funded),
            (WalletCreated, Leaving),
            (Funded, Active),
            (Funded, Leaving),
            (Active, Leaving),
            (Leaving, Active),
            (Leaving, Departed),
        ];
        for from in Status::ALL {
            for to in Status::ALL {
                assert_eq!(from.may_become(*to), allowed.contains(&(*from, *to)), "{from} to {to}");
            }
            assert_eq!(from.as_str().parse(), Ok(*from));
        }
    }
}
