// SPDX-License-Identifier: MIT OR Apache-2.0
// A contract that has code and none of the functions of any pool, feed or engine.
pragma solidity ^0.8.24;

contract NotAVault {
    function unrelated() external pure returns (uint256) {
        return 42;
    }
}
