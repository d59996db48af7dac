/**
 * Numbers of the text format: bytes to the two halves of a float64, exactly as Prometheus reads them (Go's `strconv.ParseFloat`, less
 * hexadecimal floats and underscores, which Prometheus refuses: model/textparse, `parseFloat`). Not a general number parser: it knows
 * no locale and takes no blanks.
 *
 * The one invariant: the bits are those of the nearest float64. The fast path is taken only where one multiplication or
 * division of exact operands gives them (Clinger); everything else goes through `Number`, which rounds correctly too.
 */

import { NAN_HI, NAN_LO } from '../../model/sample.ts';

/** Where a parsed value goes: the high and low half of its bits, unsigned. */
export interface ValueBits {
  hi: number;
  lo: number;
}

const DOUBLE = new Float64Array(1);
/** Low half first: every machine that runs this is little-endian. */
const HALVES = new Uint32Array(DOUBLE.buffer);

/** Powers of ten that a double holds exactly. */
const TENS = Array.from({ length: 23 }, (_, i) => Number(`1e${i}`));
/** A mantissa of that many digits is below 2⁵³. */
const EXACT_DIGITS = 15;

/** Unambiguous, so that it fails in linear time. */
const DECIMAL = /^[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$/;
const INFINITY = /^[+-]?inf(?:inity)?$/i;
const OUT_OF_RANGE = 'a float64 cannot hold it';
const NOT_A_NUMBER = /^nan$/i;

/** Puts the bits of a number into `out`. */
export function putBits(value: number, out: ValueBits): void {
  DOUBLE[0] = value;
  out.hi = HALVES[1]!;
  out.lo = HALVES[0]!;
}

/** The number of these bits. */
export function doubleOf({ hi, lo }: ValueBits): number {
  HALVES[0] = lo;
  HALVES[1] = hi;
  return DOUBLE[0]!;
}

/** Parses `bytes[start, end)`. Returns null, or why it is not a value; every NaN becomes the one that Prometheus stores. */
export function parseValue(bytes: Uint8Array, start: number, end: number, out: ValueBits): string | null {
  let i = start;
  const sign = bytes[i]!;
  if (sign === 0x2d || sign === 0x2b) i++;

  let mantissa = 0;
  let digits = 0;
  let places = 0;
  const whole = i;
  for (; i < end; i++) {
    const digit = bytes[i]! - 0x30;
    if (digit < 0 || digit > 9) break;
    mantissa = mantissa * 10 + digit;
    if (mantissa > 0) digits++;
  }
  let seen = i - whole;
  if (i < end && bytes[i] === 0x2e) {
    const fraction = ++i;
    for (; i < end; i++) {
      const digit = bytes[i]! - 0x30;
      if (digit < 0 || digit > 9) break;
      mantissa = mantissa * 10 + digit;
      if (mantissa > 0) digits++;
    }
    places = i - fraction;
    seen += places;
  }
  // Not `-places`: a negative zero is no small integer, and the engine would compile this again and again.
  let exponent = 0 - places;
  if (seen > 0 && i < end && (bytes[i]! | 0x20) === 0x65) {
    i++;
    const negative = bytes[i] === 0x2d;
    if (i < end && (negative || bytes[i] === 0x2b)) i++;
    const from = i;
    let written = 0;
    for (; i < end && i < from + 4; i++) {
      const digit = bytes[i]! - 0x30;
      if (digit < 0 || digit > 9) break;
      written = written * 10 + digit;
    }
    if (i === from) seen = 0;
    exponent = negative ? exponent - written : exponent + written;
  }
  if (i !== end || seen === 0) return parseOther(bytes, start, end, out);
  if (digits > EXACT_DIGITS || exponent > 22 || exponent < -22) {
    const value = Number(asciiText(bytes, start, end));
    if (!Number.isFinite(value)) return OUT_OF_RANGE;
    putBits(value, out);
    return null;
  }
  const value = exponent < 0 ? mantissa / TENS[-exponent]! : mantissa * TENS[exponent]!;
  DOUBLE[0] = sign === 0x2d ? -value : value;
  out.hi = HALVES[1]!;
  out.lo = HALVES[0]!;
  return null;
}

/** Infinities, NaN, exponents of many digits, and everything that is not a number. */
function parseOther(bytes: Uint8Array, start: number, end: number, out: ValueBits): string | null {
  const text = asciiText(bytes, start, end);
  const value = parseText(text);
  if (value === undefined) {
    return /[pP_]/.test(text) ? 'hexadecimal floats and underscores are not taken' : 'not a number';
  }
  if (Number.isNaN(value)) {
    out.hi = NAN_HI;
    out.lo = NAN_LO;
    return null;
  }
  if (!Number.isFinite(value) && !INFINITY.test(text)) return OUT_OF_RANGE;
  putBits(value, out);
  return null;
}

/** A character a byte. Short texts go through one array: a third of the time of adding up characters. */
function asciiText(bytes: Uint8Array, start: number, end: number): string {
  let text = '';
  for (let from = start; from < end; from += 64) {
    const codes: number[] = [];
    for (let i = from; i < end && i < from + 64; i++) codes.push(bytes[i]!);
    text += String.fromCharCode.apply(null, codes);
  }
  return text;
}

function parseText(text: string): number | undefined {
  if (DECIMAL.test(text)) return Number(text);
  if (INFINITY.test(text)) return text.startsWith('-') ? -Infinity : Infinity;
  return NOT_A_NUMBER.test(text) ? NaN : undefined;
}

/**
 * A bucket bound or quantile as Prometheus 3 spells it, so that `le="1"` and `le="1.0"` are one series (model/labels,
 * `FormatOpenMetricsFloat`). What is not a decimal number, or is out of range, stays as it is; so do hexadecimal floats and underscores, which
 * Prometheus would normalise here.
 */
export function canonicalBound(text: string): string {
  const value = parseText(text);
  if (value === undefined || (!Number.isFinite(value) && DECIMAL.test(text))) return text;
  return formatBound(value);
}

/** A bucket bound or quantile as text. */
export function formatBound(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf';
  if (value === 0) return '0.0';
  const [mantissa, power] = value.toExponential().split('e') as [string, string];
  const exponent = Number(power);
  // Go's shortest 'g' form: an exponent of at least two digits below 1e-4 and from 1e6 on.
  if (exponent < -4 || exponent >= 6) {
    return `${mantissa}e${exponent < 0 ? '-' : '+'}${String(Math.abs(exponent)).padStart(2, '0')}`;
  }
  const plain = String(value);
  return plain.includes('.') ? plain : `${plain}.0`;
}
