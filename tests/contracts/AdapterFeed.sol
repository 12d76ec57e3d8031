// SPDX-License-Identifier: MIT OR Apache-2.0
// A price source of the `adapter` kind: one price per asset, scaled by 1e18; anybody may set it.
pragma solidity ^0.8.24;

contract AdapterFeed {
    mapping(address asset => uint256) public getLatestPrice;

    function setPrice(address asset, uint256 priceE18) external {
        getLatestPrice[asset] = priceE18;
    }
}
