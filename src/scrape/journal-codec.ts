/**
 * The journal as bytes: every flush writes all of it, so a target takes some 18 of them where JSON took 146. Times are told against the slot, texts and intervals that
 * many have stand once. See FORMAT.md. What an earlier version stored is JSON, and is read too.
 *
 * The one invariant: what was encoded decodes to the same journal, but for fractions of a millisecond that a scrape took.
 */

import type { Journal, TargetJournal } from './journal.ts';
import { StateReader, StateWriter } from './page/page-bytes.ts';
import type { Asked } from './standing.ts';

const VERSION = 2;
/** The first version knew of no target that hung how long it took to answer before. */
const VERSION_MIN = 1;
/** The first byte of a journal that is JSON. */
const JSON_BEGINS = 0x7b;
const TIMES_MAX = 2 ** 53;

const HASH = 1;
const ON_SLOT = 2;
const INTERVAL = 4;
const SERIES = 8;
const ERROR = 16;
const HUNG = 32;
const TOOK = 64;

const HASH_DIGITS = 16;

export function encodeJournal({ targets, ...totals }: Journal): Uint8Array<ArrayBuffer> {
  const keys = Object.keys(targets);
  const errors = new Map<string, number>();
  const intervals = new Map<number, number>();
  let firstMs = Infinity;
  for (const key of keys) {
    const { slotMs, error, intervalMs } = targets[key]!;
    firstMs = Math.min(firstMs, slotMs);
    if (error !== null && !errors.has(error)) errors.set(error, errors.size);
    if (intervalMs !== undefined && !intervals.has(intervalMs)) intervals.set(intervalMs, intervals.size);
  }
  const out = new StateWriter();
  out.reserve(1_000 + 24 * keys.length);
  out.tag(VERSION);
  out.text(JSON.stringify(totals));
  out.texts([...errors.keys()]);
  out.uint32(intervals.size);
  for (const ms of intervals.keys()) long(out, ms);
  out.uint32(keys.length);
  long(out, keys.length === 0 ? 0 : firstMs);
  for (const key of keys) {
    const { slotMs, timestampMs, durationMs, intervalMs, samples, error, series, hung } = targets[key]!;
    const flagsAt = out.length;
    out.tag(
      (timestampMs === slotMs ? ON_SLOT : 0) |
        (intervalMs === undefined ? 0 : INTERVAL) |
        (series === undefined ? 0 : SERIES) |
        (error === null ? 0 : ERROR) |
        (hung === undefined ? 0 : HUNG) |
        (hung?.tookMs === undefined ? 0 : TOOK),
    );
    if (hash(out, key)) out.bytes[flagsAt]! |= HASH;
    else out.text(key);
    long(out, slotMs - firstMs);
    if (timestampMs !== slotMs) long(out, zigzag(timestampMs - slotMs));
    long(out, Math.max(0, Math.round(durationMs)));
    if (intervalMs !== undefined) out.uint32(intervals.get(intervalMs)!);
    long(out, samples);
    if (series !== undefined) long(out, series);
    if (error !== null) out.uint32(errors.get(error)!);
    if (hung !== undefined) {
      long(out, zigzag(hung.triedMs - slotMs));
      long(out, zigzag(hung.lookedMs - slotMs));
      if (hung.tookMs !== undefined) long(out, Math.max(0, Math.round(hung.tookMs)));
    }
  }
  return out.bytes.slice(0, out.length);
}

/** The journal that was stored; null is that of a new agent. Throws Error on damage. */
export function decodeJournal(bytes: Uint8Array | null): Journal {
  if (bytes === null) return { targets: {}, scrapes: 0, refused: {}, highestMs: null };
  if (bytes[0] === JSON_BEGINS) return JSON.parse(new TextDecoder().decode(bytes)) as Journal;
  const from = new StateReader(bytes as Uint8Array<ArrayBuffer>, 'the journal of an agent');
  const version = from.number();
  if (version < VERSION_MIN || version > VERSION) throw from.damaged();
  const totals = JSON.parse(from.text()) as Omit<Journal, 'targets'>;
  const errors = from.texts();
  const intervals = Array.from({ length: from.count() }, () => readLong(from));
  const targets: Record<string, TargetJournal> = {};
  const count = from.count();
  const firstMs = readLong(from);
  for (let i = 0; i < count; i++) {
    const flags = from.number();
    const key = (flags & HASH) === 0 ? from.text() : readHash(from);
    const slotMs = firstMs + readLong(from);
    const timestampMs = (flags & ON_SLOT) === 0 ? slotMs + readZigzag(from) : slotMs;
    const durationMs = readLong(from);
    const intervalMs = (flags & INTERVAL) === 0 ? undefined : intervals[from.number()];
    const samples = readLong(from);
    const series = (flags & SERIES) === 0 ? undefined : readLong(from);
    const error = (flags & ERROR) === 0 ? null : errors[from.number()];
    if (error === undefined || ((flags & INTERVAL) !== 0 && intervalMs === undefined)) throw from.damaged();
    targets[key] = {
      slotMs,
      timestampMs,
      durationMs,
      samples,
      error,
      ...(intervalMs === undefined ? {} : { intervalMs }),
      ...(series === undefined ? {} : { series }),
      ...((flags & HUNG) === 0 ? {} : { hung: readAsked(from, slotMs, (flags & TOOK) !== 0) }),
    };
  }
  from.end();
  return { targets, ...totals };
}

function readAsked(from: StateReader, slotMs: number, took: boolean): Asked {
  const asked = { triedMs: slotMs + readZigzag(from), lookedMs: slotMs + readZigzag(from) };
  return took ? { ...asked, tookMs: readLong(from) } : asked;
}

const zigzag = (value: number): number => (value < 0 ? -2 * value - 1 : 2 * value);

/** A whole number below 2^53, 7 bits a byte. */
function long(out: StateWriter, value: number): void {
  out.reserve(8);
  let rest = value;
  while (rest >= 0x80) {
    out.bytes[out.length++] = (rest % 0x80) | 0x80;
    rest = Math.floor(rest / 0x80);
  }
  out.bytes[out.length++] = rest;
}

function readLong(from: StateReader): number {
  let value = 0;
  for (let unit = 1; unit < TIMES_MAX; unit *= 0x80) {
    const byte = from.bytes[from.at];
    if (byte === undefined) break;
    from.at++;
    value += (byte & 0x7f) * unit;
    if (byte < 0x80) return value;
  }
  throw from.damaged();
}

function readZigzag(from: StateReader): number {
  const value = readLong(from);
  return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
}

/** A key that is a hash as eight bytes; false, and nothing is written, when it is none. Digit by digit: there are thousands of them in each flush. */
function hash(out: StateWriter, key: string): boolean {
  if (key.length !== HASH_DIGITS) return false;
  out.reserve(HASH_DIGITS / 2);
  for (let i = 0; i < HASH_DIGITS; i += 2) {
    const high = DIGITS[key.charCodeAt(i)] ?? -1;
    const low = DIGITS[key.charCodeAt(i + 1)] ?? -1;
    if (high < 0 || low < 0) return false;
    out.bytes[out.length + i / 2] = high * 16 + low;
  }
  out.length += HASH_DIGITS / 2;
  return true;
}

function readHash(from: StateReader): string {
  let text = '';
  for (const byte of from.take(HASH_DIGITS / 2)) text += HEX[byte];
  return text;
}

const DIGITS = new Int8Array(128).fill(-1);
for (let digit = 0; digit < 16; digit++) DIGITS[digit.toString(16).charCodeAt(0)] = digit;

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));
