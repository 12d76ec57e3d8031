//! What the contracts of the sandbox and of `tests/contracts` understand, as typed calls.
#![allow(missing_docs, reason = "the Solidity sources are the documentation")]

pub use poolctl_sandbox::evm::abi::{Asset, RiskEngine, Vault};

alloy::sol! {
    #[derive(Debug, PartialEq)]
    contract FeeVault {
        constructor(address asset, uint256 fee);
    }

    #[derive(Debug, PartialEq)]
    contract Factory {
        constructor(uint8 decimals);
        function asset() external view returns (address);
        function make(uint256 count, uint256 unit) external;
        function vaults() external view returns (address[] memory);
        function holderOf(uint256 i) external pure returns (address);
    }

    #[derive(Debug, PartialEq)]
    contract LegacyRiskEngine {
        constructor();
        function getMaxTvl(address pool) external view returns (uint256);
        function getMaxDailyWithdrawals(address pool) external view returns (uint256);
        function isCircuitBreakerActive(address pool) external view returns (bool);
        function circuitBreakerReason(address pool) external view returns (string memory);
        function emergencyPaused(address pool) external view returns (bool);
        function setCaps(address pool, uint256 maxTvl, uint256 maxDailyWithdrawals) external;
        function setBreaker(address pool, bool active, string calldata reason) external;
        function setEmergencyPaused(address pool, bool on) external;
    }

    #[derive(Debug, PartialEq)]
    contract LegacyPool {
        constructor(address underlying);
        function totalValueLocked() external view returns (uint256);
        function totalShares() external view returns (uint256);
        function exchangeRate() external view returns (uint256);
        function deposit(uint256 assets) external;
        function withdraw(uint256 shares) external;
        function setPaused(bool on) external;
        function setLimits(uint256 minDeposit, uint256 maxDeposit, uint256 cooldownSeconds) external;
    }

    #[derive(Debug, PartialEq)]
    contract TwoProfiles {
        constructor(address underlying);
    }

    #[derive(Debug, PartialEq)]
    contract LyingPool {
        constructor(address underlying);
        function lie(uint256 rate) external;
    }

    #[derive(Debug, PartialEq)]
    contract ViddhanaPool {
        constructor(address asset, address riskEngine);
        function totalAssets() external view returns (uint256);
        function totalSupply() external view returns (uint256);
        function exchangeRate() external view returns (uint256);
        function riskEngine() external view returns (address);
        function deposit(uint256 assets) external;
        function withdraw(uint256 shares) external;
        function setPaused(bool on) external;
        function setLimits(uint256 minDeposit, uint256 cooldownSeconds) external;
    }

    #[derive(Debug, PartialEq)]
    contract MockV3Aggregator {
        constructor(uint8 decimals, int256 initialAnswer);
        function decimals() external view returns (uint8);
        function latestRound() external view returns (uint256);
        function latestRoundData() external view
            returns (uint80 roundId, int256 answer, uint256 startedAt, uint256 updatedAt, uint80 answeredInRound);
        function updateAnswer(int256 answer) external;
        function updateRoundData(uint80 roundId, int256 answer, uint256 timestamp, uint256 startedAt) external;
    }

    #[derive(Debug, PartialEq)]
    contract RoundFeed {
        #[derive(Default)]
        struct Round {
            uint80 roundId;
            int256 answer;
            uint256 startedAt;
            uint256 updatedAt;
            uint80 answeredInRound;
        }
        constructor(uint8 decimals, string description);
        function latestRoundData() external view returns (Round memory);
        function set(Round calldata round) external;
    }

    #[derive(Debug, PartialEq)]
    contract AdapterFeed {
        constructor();
        function getLatestPrice(address asset) external view returns (uint256);
        function setPrice(address asset, uint256 priceE18) external;
    }

    #[derive(Debug, PartialEq)]
    contract NotAVault {
        constructor();
    }
}
