// SPDX-License-Identifier: MIT OR Apache-2.0
// A price feed with the functions of Chainlink's AggregatorV3Interface; only its owner reports.
pragma solidity ^0.8.24;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";

contract Aggregator is Ownable {
    struct Round {
        int256 answer;
        uint256 startedAt;
        uint256 updatedAt;
        uint80 answeredInRound;
    }

    uint256 public constant version = 4;
    uint8 public immutable decimals;
    string public description;
    uint80 public latestRound;
    mapping(uint80 roundId => Round) private _rounds;

    event AnswerUpdated(int256 indexed current, uint256 indexed roundId, uint256 updatedAt);

    error NoDataPresent();

    constructor(uint8 decimals_, string memory description_, int256 answer, address owner_) Ownable(owner_) {
        decimals = decimals_;
        description = description_;
        _report(answer, block.timestamp);
    }

    /// Starts a round that is answered in this block.
    function report(int256 answer) external onlyOwner {
        _report(answer, block.timestamp);
    }

    /// Starts a round that claims to have been answered at `updatedAt`: a stale or a lying feed.
    function reportAt(int256 answer, uint256 updatedAt) external onlyOwner {
        _report(answer, updatedAt);
    }

    /// Starts a round that nobody has answered yet: it carries the answer of the one before.
    function open() external onlyOwner {
        Round memory last = _rounds[latestRound];
        last.startedAt = block.timestamp;
        _rounds[++latestRound] = last;
    }

    function latestRoundData() external view returns (uint80, int256, uint256, uint256, uint80) {
        return getRoundData(latestRound);
    }

    function getRoundData(uint80 roundId)
        public
        view
        returns (uint80, int256 answer, uint256 startedAt, uint256 updatedAt, uint80 answeredInRound)
    {
        Round storage round = _rounds[roundId];
        if (round.startedAt == 0) revert NoDataPresent();
        return (roundId, round.answer, round.startedAt, round.updatedAt, round.answeredInRound);
    }

    function _report(int256 answer, uint256 updatedAt) private {
        uint80 roundId = ++latestRound;
        _rounds[roundId] = Round(answer, block.timestamp, updatedAt, roundId);
        emit AnswerUpdated(answer, roundId, updatedAt);
    }
}
