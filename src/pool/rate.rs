//! How TVL, shares and exchange rate must fit together. Pure.

use base::amount::{Base, E18, mul_div, pow10};

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

    /// As [`Rate::e18`] at full precision: an asset of few decimals makes this answer too coarse to tell a loss by. The
    /// quotient that it is, give or take one base unit of the asset; where it is none, the contract's `finer` answer
    /// for more shares, as far as the two agree; or else this answer as it stands.
    pub fn exact_e18(
        self,
        finer: Option<Self>,
        of: Totals,
        asset_decimals: u8,
        share_decimals: u8,
    ) -> Option<Base> {
        let e18 = |rate: Self| rate.e18(asset_decimals, share_decimals);
        let own = e18(self)?;
        let unit = e18(Self { assets: Base::ONE, ..self }).unwrap_or(Base::MAX);
        let told = finer.and_then(e18).filter(|finer| finer.abs_diff(own) <= unit).unwrap_or(own);
        let scale = share_decimals.saturating_add(E18).checked_sub(asset_decimals).and_then(pow10);
        let quotients = of.quotients().filter_map(|(assets, shares)| mul_div(assets, scale?, shares));
        // A contract rounds down, if it does not say that it does something else.
        let nearest = quotients
            .filter(|quotient| quotient.abs_diff(told) <= unit)
            .min_by_key(|quotient| (*quotient < told, quotient.abs_diff(told)));
        Some(nearest.unwrap_or(told))
    }

    /// Whether this is TVL ÷ shares within rounding, give or take one base unit of the asset: one of the quotients, or
    /// between them. Without shares there is nothing to compare.
    pub fn fits(self, of: Totals) -> bool {
        if of.shares.is_zero() {
            return true;
        }
        let unit = pow10(self.share_places);
        let each = of.quotients().map(|(assets, shares)| mul_div(unit?, assets, shares));
        let Some(quotients) = each.collect::<Option<Vec<Base>>>() else { return false };
        let (low, high) = (quotients.iter().min(), quotients.iter().max());
        low.is_some_and(|low| self.assets >= low.saturating_sub(Base::ONE))
            && high.is_some_and(|high| self.assets <= high.saturating_add(Base::ONE))
    }
}

/// What a contract works out its rate from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Totals {
    /// TVL, base units of the asset.
    pub assets: Base,
    /// Shares, base units.
    pub shares: Base,
    /// Shares that vaults after OpenZeppelin's `ERC4626` add, with one asset, before they divide: 10^(share decimals −
    /// asset decimals). Zero = this contract does no such thing.
    pub virtual_shares: Base,
}

impl Totals {
    /// Assets and shares whose quotient may be the rate.
    fn quotients(self) -> impl Iterator<Item = (Base, Base)> {
        let shifted =
            (self.assets.saturating_add(Base::ONE), self.shares.saturating_add(self.virtual_shares));
        let shifts = !self.virtual_shares.is_zero() && !self.shares.is_zero();
        shifts.then_some(shifted).into_iter().chain(Some((self.assets, self.shares)))
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

    fn totals(assets: u128, shares: u128, virtual_shares: u128) -> Totals {
        Totals { assets: n(assets), shares: n(shares), virtual_shares: n(virtual_shares) }
    }

    #[test]
    fn few_decimals_hide_nothing() {
        const M: u128 = 1_000_000_000_000;
        // Two decimals each: what the contract answers for one share and for 10^16, and the rate.
        for (own, finer, assets, shares, want) in [
            (101, None, 101_000_001, 100_000_000, 1_010_000_009_899_999_901),
            (101, Some(1_010_000_009_899_999_901), 101_000_001, 100_000_000, 1_010_000_009_899_999_901),
            // A loss of 0.02 takes a whole per cent off the contract's own answer, and hardly anything off the rate.
            (100, None, 100_999_999, 100_000_000, 1_009_999_989_900_000_100),
            // A loss of 0.9 % is none by the contract's own answer.
            (101, None, 101_900_000, 100_000_000, 1_018_999_999_810_000_001),
            (100, None, 101_000_000, 100_000_000, 1_009_999_999_900_000_000),
            // Vaults that add nothing before they divide, one that adds more, and one that rounds up.
            (101, None, 101_000_000, 100_000_000, 1_010_000_000_000_000_000),
            (101, Some(1_010_000_010_000_000_000), 101_000_001, 100_000_000, 1_010_000_010_000_000_000),
            (5_000, None, 10_000, 200, 50_000_000_000_000_000_000),
            (100, Some(1_009_989_900_110_998_899), 101_000_000, 100_000_000, 1_009_999_999_900_000_000),
            (102, None, 101_900_000, 100_000_000, 1_019_000_000_000_000_000),
            // One that works with two decimals whatever it is asked: TVL and shares tell more.
            (101, Some(1_010_000 * M), 101_900_000, 100_000_000, 1_018_999_999_810_000_001),
            // What it gives out less a fee: the answers, the finer one where it has it.
            (97, None, 101_000_001, 100_000_000, 970_000 * M),
            (97, Some(979_700 * M), 101_000_001, 100_000_000, 979_700 * M),
            (104, None, 101_000_001, 100_000_000, 1_040_000 * M),
            // By one share it is the quotient, by more it is not: a fee of 1.5 %.
            (100, Some(1_004_700 * M), 102_000_000, 100_000_000, 1_004_700 * M),
            // Two answers that have nothing to do with each other.
            (97, Some(1_500_000 * M), 101_000_001, 100_000_000, 970_000 * M),
            (100, None, 0, 0, E),
        ] {
            let got = rate(own, 2).exact_e18(finer.map(|n| rate(n, 18)), totals(assets, shares, 1), 2, 2);
            assert_eq!(got, Some(n(want)), "{own} {finer:?} {assets} {shares}");
        }
        for (own, share_places, totals, asset_decimals, share_decimals, want) in [
            // Shares of 18 decimals over an asset of 2, by OpenZeppelin and by `exchangeRate()`.
            (101, 18, totals(101_000_001, 1_000_000 * E, E / 100), 2, 18, 1_010_000_009_899_999_901),
            (101, 18, totals(101_000_001, 1_000_000 * E, 0), 2, 18, 1_010_000_010_000_000_000),
            // More decimals than the rate has: nothing is more exact than the contract's own answer.
            (E, 0, totals(E, 1, 0), 30, 0, 1_000_000),
        ] {
            let got = rate(own, share_places).exact_e18(None, totals, asset_decimals, share_decimals);
            assert_eq!(got, Some(n(want)), "{totals:?}");
        }
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
            let got = rate.fits(totals(assets, shares, virtual_shares));
            assert_eq!(got, ok, "{rate:?} {assets} {shares} {virtual_shares}");
        }
        // A quotient that 256 bits cannot hold is nothing that a contract could answer.
        let totals = Totals { assets: Base::MAX, ..totals(0, 1, 0) };
        assert!(!Rate { assets: Base::MAX, share_places: 18 }.fits(totals));
        assert_eq!(rate(E, 18).exact_e18(None, totals, 18, 18), Some(n(E)));
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
            let of = Totals { virtual_shares, ..totals(assets, shares, 0) };
            prop_assert!(rate.fits(of));
            // No more than its rounding above the contract's own answer, and never below.
            let (own, exact) = (rate.e18(6, share_places), rate.exact_e18(None, of, 6, share_places));
            if let (Some(own), Some(exact)) = (own, exact) {
                prop_assert!(own <= exact && exact - own < pow10(12).unwrap());
            }
            // Asked for so many shares that nothing is rounded, it says the rate itself.
            let more = 12 + share_places;
            if let Some(assets) = mul_div(pow10(more).unwrap(), n(assets) + n(1), n(shares) + virtual_shares) {
                let finer = Some(Rate { assets, share_places: more });
                prop_assert_eq!(rate.exact_e18(finer, of, 6, share_places), Some(assets));
            }
        }

        #[test]
        fn what_an_exchange_rate_answers_is_consistent(
            assets in 0u128..u128::MAX,
            shares in 1u128..u128::MAX,
        ) {
            if let Some(assets_per) = mul_div(pow10(18).unwrap(), n(assets), n(shares)) {
                let rate = Rate { assets: assets_per, share_places: 18 };
                prop_assert!(rate.fits(totals(assets, shares, 0)));
            }
        }
    }
}
