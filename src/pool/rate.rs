//! How TVL, shares and exchange rate must fit together. Pure.

use crate::amount::{Base, SCALE_E18, mul_div, pow10};

/// What `shares` are worth, rounded down: shares × TVL ÷ total shares. Zero where there are no shares.
pub fn underlying(shares: Base, total_assets: Base, total_shares: Base) -> Base {
    mul_div(shares, total_assets, total_shares).unwrap_or_default()
}

/// Whether the vault's own rate (18 decimals, whole units) is TVL ÷ shares within rounding.
///
/// Vaults after OpenZeppelin's `ERC4626` add one virtual asset and 10^offset virtual shares; a rate between that
/// and the plain quotient, give or take one unit of the last place that the asset has, is consistent. Without
/// shares there is nothing to compare.
pub fn consistent_rate(
    rate_e18: Base,
    total_assets: Base,
    total_shares: Base,
    asset_decimals: u8,
    share_decimals: u8,
) -> bool {
    if total_shares.is_zero() {
        return true;
    }
    let one = Base::from(1u8);
    let (Some(share_unit), Some(asset_unit)) = (pow10(share_decimals), pow10(asset_decimals)) else {
        return false;
    };
    let offset = pow10(share_decimals.saturating_sub(asset_decimals)).unwrap_or(one);
    let per_share = |assets: Base, shares: Base| mul_div(share_unit, assets, shares);
    let plain = per_share(total_assets, total_shares);
    let shifted = per_share(total_assets.saturating_add(one), total_shares.saturating_add(offset));
    let (Some(plain), Some(shifted)) = (plain, shifted) else { return false };
    let Some(given) = mul_div(rate_e18, asset_unit, SCALE_E18) else { return false };
    let (low, high) = (plain.min(shifted), plain.max(shifted));
    given >= low.saturating_sub(one) && given <= high.saturating_add(one)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn n(v: u128) -> Base {
        Base::from(v)
    }

    #[test]
    fn a_rate_is_the_quotient_within_rounding() {
        let e18 = 1_000_000_000_000_000_000u128;
        for (rate, assets, shares, asset_decimals, share_decimals, ok) in [
            (e18, 100 * e18, 100 * e18, 18, 18, true),
            (2 * e18, 200 * e18, 100 * e18, 18, 18, true),
            (2 * e18, 100 * e18, 100 * e18, 18, 18, false),
            (e18, 100_000_000, 100_000_000, 6, 6, true),
            (e18 + e18 / 1_000, 100_000_000, 100_000_000, 6, 6, false),
            (e18 + e18 / 1_000_000, 100_000_000, 100_000_000, 6, 6, true),
            (e18, 100_000_000, 100_000_000_000_000, 6, 12, true),
            (e18, 0, 0, 18, 18, true),
        ] {
            let got = consistent_rate(n(rate), n(assets), n(shares), asset_decimals, share_decimals);
            assert_eq!(got, ok, "{rate} {assets} {shares} {asset_decimals} {share_decimals}");
        }
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
            let share_decimals = 6 + offset;
            let unit = pow10(share_decimals).unwrap();
            let answer = mul_div(unit, n(assets) + n(1), n(shares) + pow10(offset).unwrap()).unwrap();
            if let Some(rate) = mul_div(answer, SCALE_E18, n(1_000_000)) {
                prop_assert!(consistent_rate(rate, n(assets), n(shares), 6, share_decimals));
            }
        }
    }
}
