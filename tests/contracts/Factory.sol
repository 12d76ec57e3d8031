// SPDX-License-Identifier: MIT OR Apache-2.0
// Deploys many vaults in one transaction, each with one holder: a thousand pools for a bench.
pragma solidity ^0.8.24;

import {Strings} from "@openzeppelin/contracts/utils/Strings.sol";
import {Asset} from "@sandbox/Asset.sol";
import {Vault} from "@sandbox/Vault.sol";

contract Factory {
    Asset public immutable asset;
    Vault[] private _vaults;

    constructor(uint8 decimals) {
        asset = new Asset("Bench Asset", "BENCH", decimals);
    }

    /// Adds `count` vaults over the asset, owned by the caller; the holder of vault `i` has deposited `(i + 1) * unit`.
    function make(uint256 count, uint256 unit) external {
        for (uint256 n = 0; n < count; n++) {
            uint256 i = _vaults.length;
            string memory label = Strings.toString(i);
            Vault vault =
                new Vault(asset, string.concat("Bench Vault ", label), string.concat("bv", label), 0, msg.sender);
            uint256 assets = (i + 1) * unit;
            asset.mint(address(this), assets);
            asset.approve(address(vault), assets);
            vault.deposit(assets, holderOf(i));
            _vaults.push(vault);
        }
    }

    function vaults() external view returns (Vault[] memory) {
        return _vaults;
    }

    function holderOf(uint256 i) public pure returns (address) {
        return address(uint160(uint256(keccak256(abi.encode("holder", i)))));
    }
}
