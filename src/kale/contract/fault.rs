//! The errors of the KALE contract (`contracterror` of its public source) and of the asset's own (soroban-env-host), with
//! what each means to an operator.

use std::fmt;

macro_rules! faults {
    ($(#[$about:meta])* $type:ident, $whose:literal; $($(#[$doc:meta])* $name:ident = $code:literal, $says:literal;)+) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[repr(u32)]
        pub enum $type { $($(#[$doc])* $name = $code,)+ }

        impl $type {
            /// All of them, by code.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// What happened, for an operator.
            pub const fn says(self) -> &'static str {
                match self { $(Self::$name => $says,)+ }
            }

            /// The error of this code.
            pub fn of_code(code: u32) -> Option<Self> {
                Self::ALL.iter().copied().find(|fault| fault.code() == code)
            }

            /// Its code.
            pub const fn code(self) -> u32 {
                self as u32
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!("{} (", $whose, " error {})"), self.says(), self.code())
            }
        }

        impl std::error::Error for $type {}
    };
}

faults! {
    /// An error of the farm contract. The asset contract has codes of its own: the same code means another thing there.
    Fault, "contract";

    /// The contract was set up before.
    HomesteadExists = 1, "the farm is set up already";
    /// The contract was never set up.
    HomesteadMissing = 2, "the farm has no administrator: it was never set up";
    /// The contract holds no open block.
    FarmBlockMissing = 3, "the farm has no open block";
    /// Planting is stopped by the administrator.
    FarmPaused = 4, "the farm is paused: nobody can plant";
    /// Unpaused although not paused.
    FarmNotPaused = 5, "the farm is not paused";
    /// A negative stake.
    PlantAmountTooLow = 6, "the stake is below zero";
    /// Work that does not improve on the work before.
    ZeroCountTooLow = 7, "the work has no more zeros than the work that is there already";
    /// The farmer planted in this block before.
    PailExists = 8, "the farmer has planted in this block already";
    /// The farmer did not plant in this block, or the pail was harvested or has expired.
    PailMissing = 9, "the farmer has no pail in this block: not planted, harvested already, or expired";
    /// Harvest of a pail that nobody worked.
    WorkMissing = 10, "the pail was never worked, so its stake is forfeited";
    /// The block's entry is gone.
    BlockMissing = 11, "the block is not there: not begun, or expired";
    /// The block's ranges contradict themselves.
    BlockInvalid = 12, "the block's ranges are broken: it takes no work";
    /// The hash is not that of index, nonce, entropy and farmer.
    HashInvalid = 13, "the hash does not fit the nonce in this block: the block has rolled over";
    /// Harvest of a block that is still open.
    HarvestNotReady = 14, "the block is still open: harvest after the next one has begun";
    /// Work in the ledger of the plant.
    GapCountTooLow = 15, "the work came in the same ledger as the plant: try again a ledger later";
}

faults! {
    /// An error of the asset contract (`ContractError` of the built-in contracts; 1 is reserved).
    AssetFault, "asset contract";

    /// Not for this asset or account.
    OperationNotSupported = 2, "the asset does not support this";
    /// The contract was made before.
    AlreadyInitialized = 3, "the asset's contract is set up already";
    /// Not allowed to whoever asked.
    Unauthorized = 4, "the caller is not authorised: the farm does not administer the asset";
    /// A signature is missing or wrong.
    Authentication = 5, "the signature is missing or wrong";
    /// No such account.
    AccountMissing = 6, "the account does not exist";
    /// A contract where an account is needed.
    AccountIsNotClassic = 7, "the address is a contract's, not an account's";
    /// Below zero.
    NegativeAmount = 8, "the amount is below zero";
    /// More than was allowed.
    Allowance = 9, "the allowance is too small or has expired";
    /// The balance would leave its bounds: below what offers sell, or above the limit less what offers buy.
    Balance = 10, "the trustline's balance would fall below what its offers sell, or rise above its limit less what its offers buy";
    /// The issuer's leave is missing.
    BalanceDeauthorized = 11, "the trustline is frozen by its issuer";
    /// Beyond the range of amounts.
    Overflow = 12, "the amount is too large";
    /// No trustline.
    TrustlineMissing = 13, "the account has no trustline";
    /// Too few lumens for what an entry reserves.
    InsufficientAccountReserve = 14, "the account has too few lumens for the reserve";
    /// The account is full.
    TooManyAccountSubentries = 15, "the account has too many entries";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_one_to_fifteen() {
        let codes: Vec<u32> = Fault::ALL.iter().map(|fault| fault.code()).collect();
        assert_eq!(codes, (1..=15).collect::<Vec<_>>());
        assert_eq!(Fault::of_code(8), Some(Fault::PailExists));
        assert_eq!((Fault::of_code(0), Fault::of_code(16)), (None, None));
        let codes: Vec<u32> = AssetFault::ALL.iter().map(|fault| fault.code()).collect();
        assert_eq!(codes, (2..=15).collect::<Vec<_>>());
        assert!(AssetFault::TrustlineMissing.to_string().ends_with("(asset contract error 13)"));
        assert!(Fault::HashInvalid.to_string().ends_with("(contract error 13)"));
    }
}
