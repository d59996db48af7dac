/**
 * Whole numbers in a stream of bits, short ones short: a prefix of ones says how many bits follow. Histogram chunks are made of these.
 *
 * Format: FORMAT.md, varbit. Source: prometheus/prometheus, tsdb/chunkenc/varbit.go.
 */

import type { BitReader, BitWriter } from './bits.ts';
import { BlockError } from './error.ts';

const WORD = 0x1_0000_0000;

/** Widths after a prefix of one 1 and a 0, of two … ; eight ones without a 0 come before 64 bits. */
const WIDTHS = [3, 6, 9, 12, 18, 25, 56] as const;

/** A safe integer. Each width n holds -(2^(n-1) - 1) to 2^(n-1). */
export function writeVarbitInt(bits: BitWriter, value: number): void {
  if (value === 0) bits.write(0, 1);
  else if (value >= -3 && value <= 4) bits.write((0b10 << 3) | (value & 7), 5);
  else if (value >= -31 && value <= 32) bits.write((0b110 << 6) | (value & 63), 9);
  else if (value >= -255 && value <= 256) bits.write((0b1110 << 9) | (value & 511), 13);
  else if (value >= -2047 && value <= 2048) bits.write((0b11110 << 12) | (value & 4095), 17);
  else if (value >= -131_071 && value <= 131_072) bits.write((0b111110 << 18) | (value & 0x3ffff), 24);
  else if (value >= -16_777_215 && value <= 16_777_216) {
    bits.write(0b1111110, 7);
    bits.write(value & 0x1ffffff, 25);
  } else writeLong(bits, value);
}

/** A safe integer from 0 on. Each width n holds 0 to 2^n - 1. */
export function writeVarbitUint(bits: BitWriter, value: number): void {
  if (value === 0) bits.write(0, 1);
  else if (value < 8) bits.write((0b10 << 3) | value, 5);
  else if (value < 64) bits.write((0b110 << 6) | value, 9);
  else if (value < 512) bits.write((0b1110 << 9) | value, 13);
  else if (value < 4096) bits.write((0b11110 << 12) | value, 17);
  else if (value < 0x40000) bits.write((0b111110 << 18) | value, 24);
  else if (value < 0x2000000) {
    bits.write(0b1111110, 7);
    bits.write(value, 25);
  } else writeLong(bits, value);
}

/** In 56 bits, which hold every safe integer. */
function writeLong(bits: BitWriter, value: number): void {
  if (!Number.isSafeInteger(value)) throw new BlockError(`${value} is not a whole number below 2^53`);
  bits.write(0b11111110, 8);
  bits.write(Math.floor(value / WORD) & 0xffffff, 24);
  bits.write(value >>> 0, 32);
}

/** Throws BlockError beyond 2^53, where Prometheus goes to 2^63. */
export function readVarbitInt(bits: BitReader): number {
  const width = readWidth(bits);
  if (width === 0) return 0;
  if (width <= 25) {
    const value = bits.read(width);
    // Only what is strictly above 2^(n-1) is negative.
    return value > 1 << (width - 1) ? value - (1 << width) : value;
  }
  let high = bits.read(width - 32);
  const low = bits.read(32);
  if (width === 64) high |= 0;
  else if (high > 0x800000 || (high === 0x800000 && low > 0)) high -= 0x1000000;
  return safe(high * WORD + low);
}

/** Throws BlockError beyond 2^53, where Prometheus goes to 2^64. */
export function readVarbitUint(bits: BitReader): number {
  const width = readWidth(bits);
  if (width === 0) return 0;
  if (width <= 25) return bits.read(width);
  const high = bits.read(width - 32);
  return safe(high * WORD + bits.read(32));
}

function readWidth(bits: BitReader): number {
  let ones = 0;
  while (ones < 8 && bits.read(1) === 1) ones++;
  return ones === 0 ? 0 : (WIDTHS[ones - 1] ?? 64);
}

function safe(value: number): number {
  if (!Number.isSafeInteger(value)) throw new BlockError(`a number in the chunk is beyond 2^53`);
  return value;
}
