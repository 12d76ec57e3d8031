// SPDX-License-Identifier: MIT OR Apache-2.0
// A risk engine that answers as the `viddhana` profile expects; only its owner sets it. Amounts are base units of the
// pool's asset, 0 is no cap.
pragma solidity ^0.8.24;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";

contract RiskEngine is Ownable {
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

    constructor(address owner_) Ownable(owner_) {}

    function set(address pool, PoolConfig calldata config) external onlyOwner {
        poolConfigs[pool] = config;
    }

    function setEmergencyMode(bool on) external onlyOwner {
        emergencyMode = on;
    }

    function setPaused(bool on) external onlyOwner {
        paused = on;
    }
}
