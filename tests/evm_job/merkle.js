// Reads an export as OpenZeppelin's own library does, and builds the same tree from nothing.
// Arguments: the library's folder, the exported JSON. Prints the root.
const { StandardMerkleTree } = require(process.argv[2]);
const assert = require('node:assert');
const exported = JSON.parse(require('node:fs').readFileSync(process.argv[3], 'utf8'));
const loaded = StandardMerkleTree.load(exported);
loaded.validate();
const values = exported.values.map(({ value }) => value);
const built = StandardMerkleTree.of(values, ['address', 'uint256']);
assert.strictEqual(exported.root, built.root);
const { format, leafEncoding, tree } = exported;
const own = exported.values.map(({ value, treeIndex }) => ({ value, treeIndex }));
assert.deepStrictEqual({ format, leafEncoding, tree, values: own }, JSON.parse(JSON.stringify(built.dump())));
for (const [n, { value, proof }] of exported.values.entries()) {
  assert.deepStrictEqual(proof, built.getProof(n));
  assert(StandardMerkleTree.verify(exported.root, ['address', 'uint256'], value, proof));
}
console.log(built.root);
