//! What the contracts of the demo understand, as typed calls.
#![allow(missing_docs, reason = "the Solidity sources are the documentation")]

alloy::sol! {
    #[derive(Debug, PartialEq)]
    contract Asset {
        constructor(string name, string symbol, uint8 decimals);
        function mint(address to, uint256 amount) external;
        function approve(address spender, uint256 amount) external returns (bool);
        function transfer(address to, uint256 amount) external returns (bool);
        function allowance(address owner, address spender) external view returns (uint256);
        function balanceOf(address account) external view returns (uint256);
        function decimals() external view returns (uint8);
    }

    #[derive(Debug, PartialEq)]
    contract Vault {
        event Transfer(address indexed from, address indexed to, uint256 value);
        constructor(address asset, string name, string symbol, uint8 offset, address owner);
        function asset() external view returns (address);
        function decimals() external view returns (uint8);
        function paused() external view returns (bool);
        function totalAssets() external view returns (uint256);
        function totalSupply() external view returns (uint256);
        function balanceOf(address account) external view returns (uint256);
        function convertToAssets(uint256 shares) external view returns (uint256);
        function convertToShares(uint256 assets) external view returns (uint256);
        function maxDeposit(address receiver) external view returns (uint256);
        function deposit(uint256 assets, address receiver) external returns (uint256);
        function withdraw(uint256 assets, address receiver, address owner) external returns (uint256);
        function redeem(uint256 shares, address receiver, address owner) external returns (uint256);
        function transfer(address to, uint256 shares) external returns (bool);
        function pause() external;
        function unpause() external;
        function setDepositCap(uint256 cap) external;
        function loss(uint256 assets) external;
    }

    #[derive(Debug, PartialEq)]
    contract Aggregator {
        error NoDataPresent();
        constructor(uint8 decimals, string description, int256 answer, address owner);
        function decimals() external view returns (uint8);
        function description() external view returns (string);
        function latestRoundData() external view
            returns (uint80 roundId, int256 answer, uint256 startedAt, uint256 updatedAt, uint80 answeredInRound);
        function report(int256 answer) external;
        function reportAt(int256 answer, uint256 updatedAt) external;
        function open() external;
    }

    #[derive(Debug, PartialEq)]
    contract RiskEngine {
        #[derive(Default)]
        struct PoolConfig {
            uint256 maxTvl;
            uint256 maxUserDeposit;
            uint256 dailyWithdrawalCap;
            bool depositsEnabled;
            bool withdrawalsEnabled;
            bool active;
        }
        constructor(address owner);
        function poolConfigs(address pool) external view returns (
            uint256 maxTvl,
            uint256 maxUserDeposit,
            uint256 dailyWithdrawalCap,
            bool depositsEnabled,
            bool withdrawalsEnabled,
            bool active
        );
        function emergencyMode() external view returns (bool);
        function paused() external view returns (bool);
        function set(address pool, PoolConfig config) external;
        function setEmergencyMode(bool on) external;
        function setPaused(bool on) external;
    }
}
