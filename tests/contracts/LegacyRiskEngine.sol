// SPDX-License-Identifier: MIT OR Apache-2.0
// A risk engine that answers as the `legacy` profile expects; anybody may set it.
pragma solidity ^0.8.24;

contract LegacyRiskEngine {
    mapping(address pool => uint256) public getMaxTvl;
    mapping(address pool => uint256) public getMaxDailyWithdrawals;
    mapping(address pool => bool) public isCircuitBreakerActive;
    mapping(address pool => string) public circuitBreakerReason;
    mapping(address pool => bool) public emergencyPaused;

    function setCaps(address pool, uint256 maxTvl, uint256 maxDailyWithdrawals) external {
        getMaxTvl[pool] = maxTvl;
        getMaxDailyWithdrawals[pool] = maxDailyWithdrawals;
    }

    function setBreaker(address pool, bool active, string calldata reason) external {
        isCircuitBreakerActive[pool] = active;
        circuitBreakerReason[pool] = reason;
    }

    function setEmergencyPaused(address pool, bool on) external {
        emergencyPaused[pool] = on;
    }
}
