// SPDX-License-Identifier: MIT OR Apache-2.0
// A Chainlink-shaped feed whose whole round is free, `answeredInRound` too (Chainlink's mock ties it to the round).
pragma solidity ^0.8.24;

contract RoundFeed {
    struct Round {
        uint80 roundId;
        int256 answer;
        uint256 startedAt;
        uint256 updatedAt;
        uint80 answeredInRound;
    }

    uint8 public immutable decimals;
    string public description;
    Round public latestRoundData;

    constructor(uint8 decimals_, string memory description_) {
        decimals = decimals_;
        description = description_;
    }

    function set(Round calldata round) external {
        latestRoundData = round;
    }
}
