// Compiles every contract of a folder, and those that it takes from packages other than OpenZeppelin's, into
// OUT_FOLDER/NAME.json: {abi, bytecode, deployed}. `@sandbox/` is the folder of this script.
// Usage: node compile.js SOLC_FOLDER SOURCES_FOLDER OUT_FOLDER PACKAGE=FOLDER...
"use strict";
const fs = require("fs");
const path = require("path");

const [solcFolder, folder, out] = process.argv.slice(2, 5).map((p) => path.resolve(p));
const solc = require(solcFolder);

const roots = { "@sandbox/": __dirname };
for (const [name, root] of process.argv.slice(5).map((argument) => argument.split("="))) {
  roots[`${name}/`] = path.resolve(root);
}
const sources = {};
for (const file of fs.readdirSync(folder).filter((f) => f.endsWith(".sol")).sort()) {
  sources[file] = { content: fs.readFileSync(path.join(folder, file), "utf8") };
}

function findImport(name) {
  const prefix = Object.keys(roots).find((known) => name.startsWith(known));
  if (prefix === undefined) return { error: `${name} is in no known package` };
  try {
    return { contents: fs.readFileSync(path.join(roots[prefix], name.slice(prefix.length)), "utf8") };
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
for (const [file, contracts] of Object.entries(output.contracts)) {
  if (file.startsWith("@openzeppelin/")) continue;
  for (const [name, contract] of Object.entries(contracts)) {
    const artifact = {
      abi: contract.abi,
      bytecode: `0x${contract.evm.bytecode.object}`,
      deployed: `0x${contract.evm.deployedBytecode.object}`,
    };
    fs.writeFileSync(path.join(out, `${name}.json`), `${JSON.stringify(artifact, null, 1)}\n`);
  }
}
