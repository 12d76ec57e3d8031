// SPDX-License-Identifier: MIT OR Apache-2.0
// A risk engine that answers as the `viddhana` profile expects; anybody may set it.
pragma solidity ^0.8.24;

contract RiskEngine {
    struct PoolConfig {
        uint256 maxTvl;
        uint256 maxUserDeposit;
        uint256 dailyWithdrawalCap;
        bool depositsEnabled;
        bool withdrawalsEnabled;
        bool active;
    }

    mapping(address pool => PoolConfig) public poolConfigs;
    bool public emergencyMode;
    bool public paused;

    function set(address pool, PoolConfig calldata config) external {
        poolConfigs[pool] = config;
    }

    function setEmergencyMode(bool on) external {
        emergencyMode = on;
    }

    function setPaused(bool on) external {
        paused = on;
    }
}
