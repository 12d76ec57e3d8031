// SPDX-License-Identifier: MIT OR Apache-2.0
// Chainlink's own mock of a feed, from its package.
pragma solidity ^0.8.24;

import {MockV3Aggregator} from "@chainlink/contracts/src/v0.8/shared/mocks/MockV3Aggregator.sol";
