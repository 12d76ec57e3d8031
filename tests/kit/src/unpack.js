// Unpacks a tar file, as it is or compressed by gzip or (.br) Brotli: node unpack.js FILE FOLDER
const fs = require('fs');
const path = require('path');
const zlib = require('zlib');

const [from, to] = process.argv.slice(-2);
let bytes = fs.readFileSync(from);
if (bytes[0] === 0x1f && bytes[1] === 0x8b) bytes = zlib.gunzipSync(bytes);
else if (from.endsWith('.br')) bytes = zlib.brotliDecompressSync(bytes);

let longName;
for (let at = 0; at + 512 <= bytes.length && bytes[at] !== 0;) {
  const header = bytes.subarray(at, at + 512);
  const field = (start, size) => header.toString('utf8', start, start + size).split('\0')[0];
  const size = parseInt(field(124, 12).trim() || '0', 8);
  const body = bytes.subarray(at + 512, at + 512 + size);
  at += 512 + Math.ceil(size / 512) * 512;
  const type = field(156, 1) || '0';
  // Names that are too long for a header stand in an entry of their own, of POSIX or of GNU.
  if (type === 'x') longName = (/^\d+ path=(.*)$/m.exec(body.toString()) || [])[1];
  else if (type === 'L') longName = body.toString().split('\0')[0];
  if ('xgL'.includes(type)) continue;
  const prefix = field(257, 6) === 'ustar' ? field(345, 155) : '';
  const place = path.resolve(to, longName || path.join(prefix, field(0, 100)));
  longName = undefined;
  if (!(place + path.sep).startsWith(path.resolve(to) + path.sep)) throw new Error(`outside of ${to}: ${place}`);
  fs.mkdirSync(path.dirname(place), { recursive: true });
  if (type === '5') fs.mkdirSync(place, { recursive: true });
  else if (type === '2') fs.symlinkSync(field(157, 100), place);
  else if (type === '0') fs.writeFileSync(place, body, { mode: parseInt(field(100, 8), 8) & 0o777 });
  else throw new Error(`an entry of kind ${type}: ${place}`);
}
