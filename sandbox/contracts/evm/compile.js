// Compiles every contract of this folder into artifacts/NAME.json: {abi, bytecode, deployed}.
// Usage: node compile.js SOLC_FOLDER OPENZEPPELIN_FOLDER OUT_FOLDER
"use strict";
const fs = require("fs");
const path = require("path");

const [solcFolder, openzeppelin, out] = process.argv.slice(2).map((p) => path.resolve(p));
const solc = require(solcFolder);

const prefix = "@openzeppelin/contracts/";
const sources = {};
for (const file of fs.readdirSync(__dirname).filter((f) => f.endsWith(".sol")).sort()) {
  sources[file] = { content: fs.readFileSync(path.join(__dirname, file), "utf8") };
}

function findImport(name) {
  if (!name.startsWith(prefix)) return { error: `${name} is in no known package` };
  try {
    return { contents: fs.readFileSync(path.join(openzeppelin, name.slice(prefix.length)), "utf8") };
  } catch (error) {
    return { error: error.message };
  }
}

const input = {
  language: "Solidity",
  sources,
  settings: {
    optimizer: { enabled: true, runs: 200 },
    evmVersion: "prague",
    // Without the hash of the sources at its end, code changes only when it does something else.
    metadata: { appendCBOR: false, bytecodeHash: "none" },
    outputSelection: { "*": { "*": ["abi", "evm.bytecode.object", "evm.deployedBytecode.object"] } },
  },
};
const output = JSON.parse(solc.compile(JSON.stringify(input), { import: findImport }));
const errors = (output.errors || []).filter((e) => e.severity === "error");
if (errors.length > 0) {
  process.stderr.write(errors.map((e) => e.formattedMessage).join("\n"));
  process.exit(1);
}

fs.mkdirSync(out, { recursive: true });
for (const file of Object.keys(sources)) {
  for (const [name, contract] of Object.entries(output.contracts[file] || {})) {
    const artifact = {
      abi: contract.abi,
      bytecode: `0x${contract.evm.bytecode.object}`,
      deployed: `0x${contract.evm.deployedBytecode.object}`,
    };
    fs.writeFileSync(path.join(out, `${name}.json`), `${JSON.stringify(artifact, null, 1)}\n`);
  }
}
