// An independent client: the network's own JavaScript SDK does a farmer's day against the sandbox at SANDBOX_URL.
'use strict';

const assert = require('node:assert/strict');
const sdk = require('@stellar/stellar-sdk');
const { Address, Asset, BASE_FEE, Contract, Keypair, Operation, TransactionBuilder, authorizeEntry, nativeToScVal, rpc, scValToNative, xdr } = sdk;

const url = process.env.SANDBOX_URL;
const server = new rpc.Server(url, { allowHttp: true });

async function control(method, params) {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
  });
  const answer = await response.json();
  assert.ok(!answer.error, JSON.stringify(answer.error));
  return answer.result;
}

// keccak256 by the book: the SDK has none, and node's SHA-3 pads otherwise.
const MASK = (1n << 64n) - 1n;
const turn = (word, by) => ((word << BigInt(by % 64)) | (word >> BigInt(64 - (by % 64)))) & MASK;
function keccak256(bytes) {
  const padded = Buffer.alloc(136 * (Math.floor(bytes.length / 136) + 1));
  bytes.copy(padded);
  padded[bytes.length] ^= 0x01;
  padded[padded.length - 1] ^= 0x80;
  const lanes = Array(25).fill(0n);
  for (let start = 0; start < padded.length; start += 136) {
    for (let lane = 0; lane < 17; lane += 1) lanes[lane] ^= padded.readBigUInt64LE(start + 8 * lane);
    let register = 1;
    for (let round = 0; round < 24; round += 1) {
      const parity = [0, 1, 2, 3, 4].map((x) => lanes[x] ^ lanes[x + 5] ^ lanes[x + 10] ^ lanes[x + 15] ^ lanes[x + 20]);
      for (let x = 0; x < 5; x += 1) {
        const mix = parity[(x + 4) % 5] ^ turn(parity[(x + 1) % 5], 1);
        for (let y = 0; y < 25; y += 5) lanes[x + y] ^= mix;
      }
      let [x, y] = [1, 0];
      let carried = lanes[1];
      for (let step = 0; step < 24; step += 1) {
        [x, y] = [y, (2 * x + 3 * y) % 5];
        const next = lanes[x + 5 * y];
        lanes[x + 5 * y] = turn(carried, ((step + 1) * (step + 2)) / 2);
        carried = next;
      }
      for (let row = 0; row < 25; row += 5) {
        const old = lanes.slice(row, row + 5);
        for (let place = 0; place < 5; place += 1) {
          lanes[row + place] = old[place] ^ (~old[(place + 1) % 5] & MASK & old[(place + 2) % 5]);
        }
      }
      for (let bit = 0; bit < 7; bit += 1) {
        if (register & 1) lanes[0] ^= 1n << ((1n << BigInt(bit)) - 1n);
        register = (register << 1) ^ (register >> 7 ? 0x171 : 0);
      }
    }
  }
  const hash = Buffer.alloc(32);
  for (let lane = 0; lane < 4; lane += 1) hash.writeBigUInt64LE(lanes[lane], 8 * lane);
  return hash;
}

async function land(transaction) {
  const sent = await server.sendTransaction(transaction);
  assert.equal(sent.status, 'PENDING', JSON.stringify(sent.errorResult ?? sent));
  await control('sandbox_advance', { ledgers: 1 });
  const landed = await server.pollTransaction(sent.hash, { attempts: 5, sleepStrategy: () => 50 });
  assert.equal(landed.status, 'SUCCESS', landed.resultXdr && landed.resultXdr.toXDR('base64'));
  return landed;
}

(async () => {
  const info = await control('sandbox_info', null);
  const passphrase = info.passphrase;
  const farm = new Contract(info.farm.contract);
  const [code, issuer] = info.farm.asset.split(':');
  const kale = new Asset(code, issuer);
  assert.equal(kale.contractId(passphrase), info.farm.assetContract);

  assert.equal((await server.getHealth()).status, 'healthy');
  assert.equal((await server.getNetwork()).passphrase, passphrase);
  assert.ok((await server.getVersionInfo()).protocolVersion >= 23);
  const first = await server.getLatestLedger();
  assert.equal(first.headerXdr.ledgerSeq(), first.sequence);
  assert.equal((await server.getFeeStats()).sorobanInclusionFee.p50.length > 0, true);

  const farmer = Keypair.random();
  const sponsor = Keypair.random();
  for (const key of [farmer, sponsor]) await control('sandbox_fund', { account: key.publicKey() });
  const build = async (key, operation) =>
    new TransactionBuilder(await server.getAccount(key.publicKey()), { fee: BASE_FEE, networkPassphrase: passphrase })
      .addOperation(operation).setTimeout(300).build();
  const invoke = async (key, operation) => {
    const prepared = await server.prepareTransaction(await build(key, operation));
    prepared.sign(key);
    return land(prepared);
  };

  // Trustline, and tokens to stake.
  const trust = await build(farmer, Operation.changeTrust({ asset: kale }));
  trust.sign(farmer);
  await land(trust);
  await control('sandbox_fund', { account: farmer.publicKey(), kale: '10000000000' });
  assert.equal((await server.getTrustline(farmer.publicKey(), kale)).balance().toString(), '10000000000');

  // Plant.
  const me = Address.fromString(farmer.publicKey());
  const plant = (amount) => farm.call('plant', me.toScVal(), nativeToScVal(amount, { type: 'i128' }));
  const planted = await invoke(farmer, plant(5_000_000n));
  assert.equal(planted.resultMetaXdr.switch(), 4);
  assert.equal((await server.getTrustline(farmer.publicKey(), kale)).balance().toString(), '9995000000');

  const symbol = (name) => xdr.ScVal.scvSymbol(name);
  const temporary = async (...key) => {
    const data = await server.getContractData(farm, xdr.ScVal.scvVec(key), rpc.Durability.Temporary);
    return { value: scValToNative(data.val.contractData().val()), liveUntil: data.liveUntilLedgerSeq };
  };
  const index = 0;
  const block = await temporary(symbol('Block'), xdr.ScVal.scvU32(index));
  const pail = await temporary(symbol('Pail'), me.toScVal(), xdr.ScVal.scvU32(index));
  assert.equal(pail.value.stake, 5_000_000n);
  assert.equal(pail.value.zeros ?? null, null);
  assert.equal(pail.liveUntil, planted.ledger + 17280 - 1);

  // Work: the best of a few nonces, sent by somebody else, since anyone may.
  let best = { zeros: -1 };
  for (let nonce = 0n; nonce < 64n; nonce += 1n) {
    const head = Buffer.alloc(12);
    head.writeUInt32BE(index);
    head.writeBigUInt64BE(nonce, 4);
    const hash = keccak256(Buffer.concat([head, Buffer.from(block.value.entropy), farmer.rawPublicKey()]));
    const zeros = hash.toString('hex').match(/^0*/)[0].length;
    if (zeros > best.zeros) best = { zeros, nonce, hash };
  }
  await control('sandbox_advance', { ledgers: 3 });
  const worked = await invoke(sponsor, farm.call('work', me.toScVal(), xdr.ScVal.scvBytes(best.hash), nativeToScVal(best.nonce, { type: 'u64' })));
  const gap = scValToNative(worked.returnValue);
  assert.equal(gap, worked.ledger - planted.ledger);
  const after = await temporary(symbol('Pail'), me.toScVal(), xdr.ScVal.scvU32(index));
  assert.deepEqual([after.value.zeros, after.value.gap], [best.zeros, gap]);

  // Too early a harvest is refused in simulation, with the contract's own error.
  const harvest = farm.call('harvest', me.toScVal(), xdr.ScVal.scvU32(index));
  const early = await server.simulateTransaction(await build(sponsor, harvest));
  assert.match(early.error, /Error\(Contract, #14\)/);

  // The block rolls over with a plant that the farmer only authorises: the sponsor is the source and pays.
  await control('sandbox_advance', { seconds: 300 });
  const asked = await build(sponsor, plant(0n));
  const recorded = await server.simulateTransaction(asked);
  const latest = (await server.getLatestLedger()).sequence;
  const entries = await Promise.all(recorded.result.auth.map((entry) => authorizeEntry(entry, farmer, latest + 100, passphrase)));
  const call = asked.operations[0];
  const authorised = await build(sponsor, Operation.invokeHostFunction({ func: call.func, auth: entries }));
  const enforced = await server.prepareTransaction(authorised);
  enforced.sign(sponsor);
  await land(enforced);

  // Harvest, its fee bumped by the sponsor.
  const inner = await server.prepareTransaction(await build(farmer, harvest));
  inner.sign(farmer);
  const bumped = TransactionBuilder.buildFeeBumpTransaction(sponsor, '1000', inner, passphrase);
  bumped.sign(sponsor);
  const before = BigInt((await server.getAccountEntry(farmer.publicKey())).balance().toString());
  const harvested = await land(bumped);
  assert.equal(harvested.feeBump, true);
  assert.equal(BigInt((await server.getAccountEntry(farmer.publicKey())).balance().toString()), before);
  const reward = scValToNative(harvested.returnValue);
  assert.equal(reward, 25_050_000_000n);
  assert.equal((await server.getTrustline(farmer.publicKey(), kale)).balance().toString(), String(10_000_000_000n + reward));

  // The mint in the transaction and in the events.
  const mints = await server.getEvents({
    startLedger: first.sequence,
    filters: [{ type: 'contract', contractIds: [info.farm.assetContract], topics: [[symbol('mint').toXDR('base64'), me.toScVal().toXDR('base64'), '**']] }],
    limit: 10,
  });
  assert.equal(mints.events.length, 1);
  const data = scValToNative(mints.events[0].value);
  assert.equal(typeof data === 'bigint' ? data : data.amount, 5_000_000n + reward);
  assert.equal(mints.events[0].txHash, harvested.txHash);
  assert.equal(harvested.events.contractEventsXdr[0].length, 1);

  // The history has every transaction, a page at a time.
  let listed = 0;
  for (let page = await server.getTransactions({ startLedger: first.sequence + 1, pagination: { limit: 2 } }); page.transactions.length > 0;) {
    listed += page.transactions.length;
    page = await server.getTransactions({ pagination: { cursor: page.cursor, limit: 2 } });
  }
  assert.equal(listed, 5);
  const newest = await server.getLatestLedger();
  const sequences = [];
  for (let cursor; sequences.at(-1) !== newest.sequence;) {
    assert.ok(sequences.length < 100);
    const from = cursor ? {} : { startLedger: first.sequence };
    const page = await server.getLedgers({ ...from, pagination: { cursor, limit: 3 } });
    for (const ledger of page.ledgers) {
      assert.equal(ledger.headerXdr.header().ledgerSeq(), ledger.sequence);
      sequences.push(ledger.sequence);
    }
    cursor = page.cursor;
  }
  assert.equal(sequences.length, newest.sequence - first.sequence + 1);

  // Refusals in the network's words.
  const repeated = await server.sendTransaction(inner);
  assert.equal(repeated.status, 'ERROR');
  assert.equal(repeated.errorResult.result().switch().name, 'txBadSeq');
  process.stdout.write('farmer\'s day done\n');
})().catch((error) => {
  process.stderr.write(`${error.stack ?? error}\n`);
  process.exit(1);
});
