/**
 * Values in histogram chunks, each as its difference to the one before, as in an XOR chunk. A histogram has many values, and each has a window of its
 * own. The same as in xor.ts, which has one value and is the hot path of a cut.
 *
 * Source: prometheus/prometheus, tsdb/chunkenc/xor.go (xorWrite, xorRead).
 */

import type { BitReader, BitWriter } from './bits.ts';
import { BlockError } from './error.ts';

/** No window yet: nothing has as many leading zeros. */
const NONE = 255;

/** Windows of `count` values: leading and trailing zeros by turns. */
export function newWindows(count: number): Uint8Array {
  const windows = new Uint8Array(2 * count);
  for (let i = 0; i < windows.length; i += 2) windows[i] = NONE;
  return windows;
}

/** Writes value `i`, whose bits differ from those before in `hi` and `lo`. */
export function writeXor(bits: BitWriter, hi: number, lo: number, windows: Uint8Array, i: number): void {
  if ((hi | lo) === 0) {
    bits.write(0, 1);
    return;
  }
  const leading = hi === 0 ? 31 : Math.clz32(hi);
  const trailing = lo === 0 ? 32 + trailingZeros(hi) : trailingZeros(lo);
  if (leading >= windows[2 * i]! && trailing >= windows[2 * i + 1]!) {
    bits.write(0b10, 2);
  } else {
    windows[2 * i] = leading;
    windows[2 * i + 1] = trailing;
    bits.write((0b11 << 11) | (leading << 6) | ((64 - leading - trailing) & 63), 13);
  }
  const shift = windows[2 * i + 1]!;
  const significant = 64 - windows[2 * i]! - shift;
  if (shift >= 32) {
    bits.write(hi >>> (shift - 32), significant);
    return;
  }
  const low = shift === 0 ? lo >>> 0 : ((lo >>> shift) | (hi << (32 - shift))) >>> 0;
  if (significant > 32) {
    bits.write(hi >>> shift, significant - 32);
    bits.write(low, 32);
  } else {
    bits.write(low, significant);
  }
}

/** The difference of value `i` to the one before, into `out`: high and low half. */
export function readXor(bits: BitReader, windows: Uint8Array, i: number, out: Uint32Array): void {
  out[0] = out[1] = 0;
  if (bits.read(1) === 0) return;
  if (bits.read(1) === 1) {
    const window = bits.read(11);
    const trailing = 64 - (window >>> 6) - (window & 63 || 64);
    if (trailing < 0) throw new BlockError('a value of more than 64 bits in a histogram chunk');
    windows[2 * i] = window >>> 6;
    windows[2 * i + 1] = trailing;
  } else if (windows[2 * i] === NONE) {
    // Prometheus' decoder has a window of all 64 bits then.
    windows[2 * i] = windows[2 * i + 1] = 0;
  }
  const shift = windows[2 * i + 1]!;
  const significant = 64 - windows[2 * i]! - shift;
  const high = significant > 32 ? bits.read(significant - 32) : 0;
  const low = bits.read(Math.min(significant, 32));
  if (shift >= 32) out[0] = low << (shift - 32);
  else if (shift === 0) {
    out[0] = high;
    out[1] = low;
  } else {
    out[0] = (high << shift) | (low >>> (32 - shift));
    out[1] = low << shift;
  }
}

function trailingZeros(word: number): number {
  return 31 - Math.clz32(word & -word);
}
