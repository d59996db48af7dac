/**
 * What a histogram chunk says once, at its beginning: schema, zero threshold, spans, custom bounds.
 *
 * Format: FORMAT.md, histogram chunks. Source: prometheus/prometheus, tsdb/chunkenc/histogram_meta.go.
 */

import { type Layout, SCHEMA_CUSTOM, wordsOf, highWord, lowWord, setWords } from '../model/histogram.ts';
import type { BitReader, BitWriter } from './bits.ts';
import { BlockError } from './error.ts';
import { readVarbitInt, readVarbitUint, writeVarbitInt, writeVarbitUint } from './varbit.ts';

/** Custom bounds up to this that are whole thousandths are written as those. */
const THOUSANDTHS_MAX = 33_554_430;

export function writeLayout(bits: BitWriter, layout: Layout): void {
  writeThreshold(bits, layout.zeroThreshold);
  writeVarbitInt(bits, layout.schema);
  writeSpans(bits, layout.positiveSpans);
  writeSpans(bits, layout.negativeSpans);
  if (layout.schema !== SCHEMA_CUSTOM) return;
  writeVarbitUint(bits, layout.customValues.length);
  for (const bound of layout.customValues) writeBound(bits, bound);
}

/** `bitsLeft` is an upper limit of what can still be in the chunk, which nothing that is claimed may exceed. */
export function readLayout(bits: BitReader, bitsLeft: number): Layout {
  const zeroThreshold = readThreshold(bits);
  const schema = readVarbitInt(bits);
  const positiveSpans = readSpans(bits, bitsLeft);
  const negativeSpans = readSpans(bits, bitsLeft);
  let customValues = new Float64Array(0);
  if (schema === SCHEMA_CUSTOM) {
    const count = readVarbitUint(bits);
    if (count > bitsLeft) throw new BlockError(`${count} custom bounds in a histogram chunk`);
    customValues = new Float64Array(count);
    for (let i = 0; i < count; i++) customValues[i] = readBound(bits);
  }
  return { schema, zeroThreshold, positiveSpans, negativeSpans, customValues };
}

function writeSpans(bits: BitWriter, spans: Int32Array): void {
  writeVarbitUint(bits, spans.length / 2);
  for (let i = 0; i < spans.length; i += 2) {
    writeVarbitUint(bits, spans[i + 1]!);
    writeVarbitInt(bits, spans[i]!);
  }
}

function readSpans(bits: BitReader, bitsLeft: number): Int32Array {
  const count = readVarbitUint(bits);
  if (count > bitsLeft) throw new BlockError(`${count} spans in a histogram chunk`);
  const spans = new Int32Array(2 * count);
  let buckets = 0;
  for (let i = 0; i < spans.length; i += 2) {
    const length = readVarbitUint(bits);
    const offset = readVarbitInt(bits);
    buckets += length;
    // Each bucket takes a bit at least.
    if (buckets > bitsLeft || Math.abs(offset) > 0x7fff_ffff) {
      throw new BlockError(`span ${i / 2} of a histogram chunk: ${length} buckets, offset ${offset}`);
    }
    spans[i] = offset;
    spans[i + 1] = length;
  }
  return spans;
}

/** A byte: 0, a power of two from 2^-243 to 2^10 as 1 to 254, or 255 and the double. */
function writeThreshold(bits: BitWriter, threshold: number): void {
  if (threshold === 0) {
    bits.write(0, 8);
    return;
  }
  const exponent = Math.round(Math.log2(threshold));
  if (exponent >= -243 && exponent <= 10 && 2 ** exponent === threshold) bits.write(exponent + 244, 8);
  else {
    bits.write(255, 8);
    writeDouble(bits, threshold);
  }
}

function readThreshold(bits: BitReader): number {
  const byte = bits.read(8);
  if (byte === 0) return 0;
  return byte === 255 ? readDouble(bits) : 2 ** (byte - 244);
}

/** A number of thousandths, plus 1; for all that are not such a number a 0 and the double. */
function writeBound(bits: BitWriter, bound: number): void {
  const thousandths = bound * 1000;
  if (thousandths < 0 || thousandths > THOUSANDTHS_MAX || !isThousandths(bound)) {
    bits.write(0, 1);
    writeDouble(bits, bound);
  } else {
    writeVarbitUint(bits, Math.round(thousandths) + 1);
  }
}

const isThousandths = (bound: number): boolean => Math.round(bound * 1000) / 1000 === bound;

function readBound(bits: BitReader): number {
  const thousandths = readVarbitUint(bits);
  return thousandths === 0 ? readDouble(bits) : (thousandths - 1) / 1000;
}

const scratch = new Float64Array(1);
const words = wordsOf(scratch);

function writeDouble(bits: BitWriter, value: number): void {
  scratch[0] = value;
  bits.write(highWord(words, 0), 32);
  bits.write(lowWord(words, 0), 32);
}

function readDouble(bits: BitReader): number {
  const hi = bits.read(32);
  setWords(words, 0, hi, bits.read(32));
  return scratch[0]!;
}
