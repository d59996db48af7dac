/**
 * MD5 (RFC 1321), for `hashmod` alone: the only hash that gives the shards that Prometheus gives. Not for secrets. Own, because
 * relabelling is synchronous, and WebCrypto is not.
 */

const SHIFTS = [7, 12, 17, 22, 5, 9, 14, 20, 4, 11, 16, 23, 6, 10, 15, 21];
const SINES = Int32Array.from({ length: 64 }, (_, i) => Math.floor(Math.abs(Math.sin(i + 1)) * 2 ** 32) | 0);

/** The digest of some bytes, 16 bytes. */
export function md5(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  // A one bit, zeros, and the length in bits as 64 bits, so that blocks of 64 bytes are full.
  const padded = new DataView(new ArrayBuffer(Math.ceil((bytes.length + 9) / 64) * 64));
  new Uint8Array(padded.buffer).set(bytes);
  padded.setUint8(bytes.length, 0x80);
  padded.setUint32(padded.byteLength - 8, (bytes.length << 3) >>> 0, true);
  padded.setUint32(padded.byteLength - 4, Math.floor(bytes.length / 2 ** 29), true);

  const state = Int32Array.of(0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476);
  for (let block = 0; block < padded.byteLength; block += 64) addBlock(state, padded, block);

  const digest = new DataView(new ArrayBuffer(16));
  state.forEach((word, i) => digest.setInt32(i * 4, word, true));
  return new Uint8Array(digest.buffer);
}

function addBlock(state: Int32Array, input: DataView, block: number): void {
  let a = state[0]!;
  let b = state[1]!;
  let c = state[2]!;
  let d = state[3]!;
  for (let i = 0; i < 64; i++) {
    const round = i >>> 4;
    let mixed: number;
    let word: number;
    if (round === 0) {
      mixed = (b & c) | (~b & d);
      word = i;
    } else if (round === 1) {
      mixed = (d & b) | (~d & c);
      word = (5 * i + 1) & 15;
    } else if (round === 2) {
      mixed = b ^ c ^ d;
      word = (3 * i + 5) & 15;
    } else {
      mixed = c ^ (b | ~d);
      word = (7 * i) & 15;
    }
    const sum = (a + mixed + SINES[i]! + input.getInt32(block + word * 4, true)) | 0;
    const shift = SHIFTS[round * 4 + (i & 3)]!;
    a = d;
    d = c;
    c = b;
    b = (b + ((sum << shift) | (sum >>> (32 - shift)))) | 0;
  }
  state[0] = (state[0]! + a) | 0;
  state[1] = (state[1]! + b) | 0;
  state[2] = (state[2]! + c) | 0;
  state[3] = (state[3]! + d) | 0;
}

/** The remainder by which `hashmod` shares out: the digest's last eight bytes as a big-endian number, modulo a safe integer above 0. */
export function md5Modulo(text: string, modulus: number): number {
  const digest = md5(new TextEncoder().encode(text));
  const halves = new DataView(digest.buffer);
  const hi = halves.getUint32(8);
  const lo = halves.getUint32(12);
  // Up to 2²¹ everything in between is a safe integer; more shards than that nobody has.
  if (modulus <= 2 ** 21) return ((hi % modulus) * 2 ** 32 + lo) % modulus;
  return Number(((BigInt(hi) << 32n) | BigInt(lo)) % BigInt(modulus));
}
