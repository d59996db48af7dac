/**
 * A remote that checks what it gets in the order in which it comes: every sample once and as the target said it, each series in the order of time, a marker
 * exactly where a series was for the last time. It keeps numbers only: millions of series pass.
 */

import { expect } from 'vitest';
import { type Decoded, decodeWrite } from '../../../src/encoding/remote-write/decoded.ts';
import { snappyUncompress } from '../../../src/encoding/snappy.ts';
import { STALE_HI, STALE_LO } from '../../../src/model/sample.ts';
import { ABSENT, type Fleet, REPORTS } from './fleet.ts';

const REPORT_NAMES = [
  'up',
  'scrape_duration_seconds',
  'scrape_samples_scraped',
  'scrape_samples_post_metric_relabeling',
  'scrape_series_added',
];
const PROBLEMS_MAX = 20;
const FIRST_MS = 2_000;

export class Auditor {
  samples = 0;
  markers = 0;
  requests = 0;
  /** What was wrong, the first of it. */
  readonly problems: string[] = [];
  readonly #fleet: Fleet;
  readonly #offsetMs: readonly number[];
  /** The slot number that stands at 0 in the arrays. */
  readonly #firstSlot: number;
  readonly #slots: number;
  /** By series: the slot of its newest sample. */
  readonly #newest: Int32Array;
  /** By target and slot. */
  readonly #counted: Uint16Array;
  readonly #marked: Uint16Array;
  readonly #decoded: Decoded = decodeWrite(2, new Uint8Array(0));
  readonly #utf8 = new TextDecoder();
  readonly #value = new DataView(new ArrayBuffer(8));

  constructor(fleet: Fleet, offsetMs: readonly number[], firstSlot: number, slots: number) {
    const { targets, series } = fleet.options;
    this.#fleet = fleet;
    this.#offsetMs = offsetMs;
    this.#firstSlot = firstSlot;
    this.#slots = slots;
    this.#newest = new Int32Array(targets * (series + REPORTS)).fill(-1);
    this.#counted = new Uint16Array(targets * slots);
    this.#marked = new Uint16Array(targets * slots);
  }

  /** The number of the slot that a target's scrape at this moment is for. */
  slotOf(target: number, atMs: number): number {
    return Math.floor((atMs - this.#offsetMs[target]!) / this.#fleet.options.intervalMs);
  }

  slotMs(target: number, slot: number): number {
    return slot * this.#fleet.options.intervalMs + this.#offsetMs[target]!;
  }

  readonly receive = async (request: Request): Promise<Response> => {
    const body = new Uint8Array(await request.arrayBuffer());
    this.requests++;
    const samples = this.#take(decodeWrite(2, snappyUncompress(body, 1 << 26), this.#decoded));
    return new Response(null, { status: 204, headers: { 'X-Prometheus-Remote-Write-Samples-Written': `${samples}` } });
  };

  #take(decoded: Decoded): number {
    const { message, symbolStart, symbolEnd, symbolCount, nameRef, valueRef } = decoded;
    const symbols = Array.from({ length: symbolCount }, (_, s) =>
      this.#utf8.decode(message.subarray(symbolStart[s], symbolEnd[s])),
    );
    const numbers = symbols.map((text) => Number(/^h?(\d+)/.exec(text)?.[1] ?? NaN));
    const [name, instance, i, v] = ['__name__', 'instance', 'i', 'v'].map((text) => symbols.indexOf(text));
    for (let s = 0, label = 0, sample = 0; s < decoded.seriesCount; s++) {
      let target = NaN;
      let series = -1;
      let version = 0;
      for (; label < decoded.labelEnd[s]!; label++) {
        const ref = nameRef[label];
        const value = valueRef[label]!;
        if (ref === instance) target = numbers[value]!;
        else if (ref === i) series = numbers[value]!;
        else if (ref === v) version = numbers[value]!;
        else if (ref === name && series < 0) {
          const report = REPORT_NAMES.indexOf(symbols[value]!);
          if (report >= 0) series = this.#fleet.options.series + report;
        }
      }
      for (; sample < decoded.sampleEnd[s]!; sample++) this.#one(target, series, version, decoded, sample);
    }
    return decoded.sampleCount;
  }

  #one(target: number, series: number, version: number, { t, hi, lo }: Decoded, sample: number): void {
    const fleet = this.#fleet;
    const slot = this.slotOf(target, t[sample]!);
    const at = slot - this.#firstSlot;
    const isReport = series >= fleet.options.series;
    const where = target * (fleet.options.series + REPORTS) + series;
    const newest = this.#newest[where];
    if (newest === undefined || !(at >= 0 && at < this.#slots)) {
      this.#wrong(`unknown series or time: target ${target}, series ${series}, ${t[sample]}`);
      return;
    }
    const is = (): string => `target ${target}, series ${series}, slot ${at}, after ${newest}`;
    if (hi[sample] === STALE_HI && lo[sample] === STALE_LO) {
      this.markers++;
      this.#marked[target * this.#slots + at]!++;
      if (newest !== at && newest !== at - 1) this.#wrong(`a marker out of order: ${is()}`);
      // The version that ended had a sample in the slot before.
      if (!isReport && fleet.version(target, series, slot - 1) !== version) this.#wrong(`a false marker: ${is()}`);
      return;
    }
    this.samples++;
    this.#counted[target * this.#slots + at]!++;
    if (newest >= at) this.#wrong(`a sample out of order: ${is()}`);
    this.#newest[where] = at;
    if (isReport) {
      if (series !== fleet.options.series) return;
      const up = fleet.fails(target, slot) ? 0 : 1;
      if (this.#number(hi[sample]!, lo[sample]!) !== up) this.#wrong(`up is not ${up}: ${is()}`);
      return;
    }
    if (version === ABSENT || fleet.version(target, series, slot) !== version) this.#wrong(`another series: ${is()}`);
    if (this.#number(hi[sample]!, lo[sample]!) !== slot) this.#wrong(`another value: ${is()}`);
  }

  #number(hi: number, lo: number): number {
    this.#value.setUint32(0, hi);
    this.#value.setUint32(4, lo);
    return this.#value.getFloat64(0);
  }

  #wrong(problem: string): void {
    if (this.problems.length < PROBLEMS_MAX) this.problems.push(problem);
  }

  /**
   * Whether everything came, from the first slot at or after `fromMs` to the last before `untilMs`, but for slots in which the target was away: `mayBeAway` tells
   * which, and the first of them has the markers of all its series.
   */
  check(fromMs: number, untilMs: number, mayBeAway: (target: number, atMs: number) => boolean): void {
    const { targets } = this.#fleet.options;
    for (let target = 0; target < targets; target++) {
      let before = 'new';
      let beforeSlot = 0;
      for (let at = 0; at < this.#slots; at++) {
        const slot = this.#firstSlot + at;
        const slotMs = this.slotMs(target, slot);
        if (slotMs < fromMs || slotMs >= untilMs) continue;
        const counted = this.#counted[target * this.#slots + at]!;
        // The crons of all lanes come within the first seconds.
        if (before === 'new' && counted === 0 && slotMs < fromMs + FIRST_MS) continue;
        const isAway = counted === 0 && mayBeAway(target, slotMs);
        const now = isAway ? 'away' : this.#fleet.fails(target, slot) ? 'down' : 'up';
        const shown = this.#fleet.present(target, beforeSlot);
        let markers = 0;
        if (before === 'up' && now === 'up') markers = this.#fleet.vanished(target, slot);
        else if (before === 'up') markers = shown;
        if (now === 'away' && (before === 'up' || before === 'down')) markers += REPORTS;
        const samples = isAway ? 0 : REPORTS + (now === 'up' ? this.#fleet.present(target, slot) : 0);
        const marked = this.#marked[target * this.#slots + at]!;
        if (counted !== samples || marked !== markers)
          this.#wrong(
            `target ${target}, slot ${at} (${before}, now ${now}): ${counted} samples and ${marked} markers, not ${samples} and ${markers}`,
          );
        before = now;
        beforeSlot = slot;
      }
    }
    expect(this.problems).toEqual([]);
  }
}
