//! How TVL, shares and exchange rate must fit together. Pure.

use crate::amount::{Base, E18, mul_div, pow10};

/// What `shares` are worth, rounded down: shares × TVL ÷ total shares. Zero where there are no shares.
pub fn underlying(shares: Base, total_assets: Base, total_shares: Base) -> Base {
    mul_div(shares, total_assets, total_shares).unwrap_or_default()
}

/// A contract's own exchange rate: the assets of 10^`share_places` base units of shares, in base units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Assets, base units.
    pub assets: Base,
    /// Of how many shares: this power of ten, base units.
    pub share_places: u8,
}

impl Rate {
    /// Assets per share in whole units, 18 decimals, rounded down; `None` where it passes 256 bits.
    pub fn e18(self, asset_decimals: u8, share_decimals: u8) -> Option<Base> {
        // assets ÷ 10^asset_decimals for 10^share_places ÷ 10^share_decimals shares, times 10^18.
        let up = u16::from(share_decimals) + u16::from(E18);
        let down = u16::from(asset_decimals) + u16::from(self.share_places);
        let scale = pow10(u8::try_from(up.abs_diff(down)).ok()?);
        if up >= down {
            return if self.assets.is_zero() { Some(Base::ZERO) } else { self.assets.checked_mul(scale?) };
        }
        Some(scale.map_or(Base::ZERO, |scale| self.assets / scale))
    }

    /// Whether this is TVL ÷ shares within rounding, give or take one base unit of the asset.
    ///
    /// Vaults after OpenZeppelin's `ERC4626` add one asset and `virtual_shares` before they divide; a rate
    /// between that and the plain quotient is consistent. Zero virtual shares = the plain quotient only. Without
    /// shares there is nothing to compare.
    pub fn fits(self, total_assets: Base, total_shares: Base, virtual_shares: Base) -> bool {
        if total_shares.is_zero() {
            return true;
        }
        let Some(unit) = pow10(self.share_places) else { return false };
        let plain = mul_div(unit, total_assets, total_shares);
        let shifted = if virtual_shares.is_zero() {
            plain
        } else {
            let shares = total_shares.saturating_add(virtual_shares);
            mul_div(unit, total_assets.saturating_add(Base::ONE), shares)
        };
        let (Some(plain), Some(shifted)) = (plain, shifted) else { return false };
        let (low, high) = (plain.min(shifted), plain.max(shifted));
        self.assets >= low.saturating_sub(Base::ONE) && self.assets <= high.saturating_add(Base::ONE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const E: u128 = 1_000_000_000_000_000_000;

    fn n(v: u128) -> Base {
        Base::from(v)
    }

    fn rate(assets: u128, share_places: u8) -> Rate {
        Rate { assets: n(assets), share_places }
    }

    #[test]
    fn a_rate_in_whole_units_minds_both_decimals() {
        for (rate, asset_decimals, share_decimals, want) in [
            // convertToAssets(10^share_decimals): assets of one whole share.
            (rate(E, 18), 18, 18, E),
            (rate(1_050_000, 6), 6, 6, E + E / 20),
            (rate(1_000_000, 12), 6, 12, E),
            (rate(3, 0), 0, 0, 3 * E),
            // exchangeRate(): assets of 10^18 base units of shares.
            (rate(2 * E, 18), 18, 18, 2 * E),
            (rate(E, 18), 6, 6, E),
            (rate(E, 18), 6, 18, E * 1_000_000_000_000),
            (rate(E, 18), 18, 6, 1_000_000),
            (rate(999_999_999_999, 18), 18, 6, 0),
        ] {
            assert_eq!(rate.e18(asset_decimals, share_decimals), Some(n(want)), "{rate:?}");
        }
        let largest = Rate { assets: Base::MAX, share_places: 18 };
        assert_eq!(largest.e18(18, 18), Some(Base::MAX));
        assert_eq!(largest.e18(17, 18), None);
        assert_eq!(rate(1, 0).e18(0, 77), None);
        assert_eq!(rate(0, 0).e18(0, 77), Some(Base::ZERO));
        assert_eq!(Rate { assets: Base::MAX, share_places: 77 }.e18(77, 0), Some(Base::ZERO));
    }

    #[test]
    fn a_rate_is_the_quotient_within_rounding() {
        for (rate, assets, shares, virtual_shares, ok) in [
            (rate(E, 18), 100 * E, 100 * E, 1, true),
            (rate(2 * E, 18), 200 * E, 100 * E, 1, true),
            (rate(2 * E, 18), 100 * E, 100 * E, 1, false),
            (rate(1_000_000, 6), 100_000_000, 100_000_000, 1, true),
            (rate(1_001_000, 6), 100_000_000, 100_000_000, 1, false),
            (rate(1_000_001, 6), 100_000_000, 100_000_000, 1, true),
            (rate(1_000_000, 12), 100_000_000, 100_000_000_000_000, 1_000_000, true),
            (rate(E, 18), 0, 0, 1, true),
            // Without virtual shares, one base unit either way and no more.
            (rate(E + 1, 18), 7, 7, 0, true),
            (rate(E + 2, 18), 7, 7, 0, false),
            (rate(E - 1, 18), 7, 7, 0, true),
            (rate(E - 2, 18), 7, 7, 0, false),
            // One share and a large donation: OpenZeppelin's rate is half the quotient.
            (rate(E * 5_000 + E / 2, 18), 10_000, 1, 1, true),
            (rate(E * 5_000 + E / 2, 18), 10_000, 1, 0, false),
            (rate(0, 18), 0, 5, 0, true),
        ] {
            let got = rate.fits(n(assets), n(shares), n(virtual_shares));
            assert_eq!(got, ok, "{rate:?} {assets} {shares} {virtual_shares}");
        }
        // A quotient that 256 bits cannot hold is nothing that a contract could answer.
        assert!(!Rate { assets: Base::MAX, share_places: 18 }.fits(Base::MAX, Base::ONE, Base::ZERO));
    }

    #[test]
    fn shares_are_worth_their_part_rounded_down() {
        assert_eq!(underlying(n(1), n(10), n(3)), n(3));
        assert_eq!(underlying(n(3), n(10), n(3)), n(10));
        assert_eq!(underlying(n(1), n(10), n(0)), n(0));
        assert_eq!(underlying(Base::MAX, Base::MAX, Base::MAX), Base::MAX);
    }

    proptest! {
        #[test]
        fn what_openzeppelin_answers_is_consistent(
            assets in 0u128..u128::MAX / 4,
            shares in 1u128..u128::MAX / 4,
            offset in 0u8..7,
        ) {
            let share_places = 6 + offset;
            let unit = pow10(share_places).unwrap();
            let virtual_shares = pow10(offset).unwrap();
            let assets_per = mul_div(unit, n(assets) + n(1), n(shares) + virtual_shares).unwrap();
            let rate = Rate { assets: assets_per, share_places };
            prop_assert!(rate.fits(n(assets), n(shares), virtual_shares));
        }

        #[test]
        fn what_an_exchange_rate_answers_is_consistent(
            assets in 0u128..u128::MAX,
            shares in 1u128..u128::MAX,
        ) {
            if let Some(assets_per) = mul_div(pow10(18).unwrap(), n(assets), n(shares)) {
                let rate = Rate { assets: assets_per, share_places: 18 };
                prop_assert!(rate.fits(n(assets), n(shares), Base::ZERO));
            }
        }
    }
}
