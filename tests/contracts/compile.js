// Compiles every contract of this folder, and the two taken from Chainlink's package, into one JSON file.
// Usage: node compile.js SOLC_FOLDER OPENZEPPELIN_FOLDER CHAINLINK_FOLDER OUT_FILE
"use strict";
const fs = require("fs");
const path = require("path");

const [solcFolder, openzeppelin, chainlink, out] = process.argv.slice(2).map((p) => path.resolve(p));
const solc = require(solcFolder);

const roots = { "@openzeppelin/contracts/": openzeppelin, "@chainlink/contracts/": chainlink };
const multicall = fs
  .readdirSync(path.join(chainlink, "src/v0.8/vendor/multicall"))
  .map((version) => `src/v0.8/vendor/multicall/${version}/src/Multicall3.sol`);

const sources = {};
for (const file of fs.readdirSync(__dirname).filter((f) => f.endsWith(".sol")).sort()) {
  sources[file] = { content: fs.readFileSync(path.join(__dirname, file), "utf8") };
}
for (const file of ["src/v0.8/shared/mocks/MockV3Aggregator.sol", multicall[0]]) {
  sources[`@chainlink/contracts/${file}`] = { content: fs.readFileSync(path.join(chainlink, file), "utf8") };
}
const wanted = new Set(Object.keys(sources));

function findImport(name) {
  for (const [prefix, root] of Object.entries(roots)) {
    if (name.startsWith(prefix)) {
      try {
        return { contents: fs.readFileSync(path.join(root, name.slice(prefix.length)), "utf8") };
      } catch (error) {
        return { error: error.message };
      }
    }
  }
  return { error: `${name} is in no known package` };
}

const input = {
  language: "Solidity",
  sources,
  settings: {
    optimizer: { enabled: true, runs: 200 },
    evmVersion: "prague",
    outputSelection: { "*": { "*": ["abi", "evm.bytecode.object", "evm.deployedBytecode.object"] } },
  },
};
const output = JSON.parse(solc.compile(JSON.stringify(input), { import: findImport }));
const errors = (output.errors || []).filter((e) => e.severity === "error");
if (errors.length > 0) {
  process.stderr.write(errors.map((e) => e.formattedMessage).join("\n"));
  process.exit(1);
}

const artifacts = {};
for (const file of wanted) {
  for (const [name, contract] of Object.entries(output.contracts[file] || {})) {
    artifacts[name] = {
      abi: contract.abi,
      bytecode: `0x${contract.evm.bytecode.object}`,
      deployed: `0x${contract.evm.deployedBytecode.object}`,
    };
  }
}
fs.writeFileSync(out, JSON.stringify(artifacts));
