/**
 * What one target exposed last, and how a scrape becomes samples: parse, final labels, stale markers, report series. Prometheus keeps the
 * same in its scrape cache (scrape/scrape.go, `scrapeCache`); here it also survives an object's sleep, as `encode` and `decode`.
 *
 * The one invariant: a series that had a sample without a timestamp of its own gets exactly one stale marker, in the first scrape that
 * does not have it, later than its last sample and with the same labels.
 */

import type { RequestBuilder } from '../../encoding/remote-write/builder.ts';
import { snappyLength } from '../../encoding/snappy.ts';
import type { Labels } from '../../model/labels.ts';
import { Emitter } from './emitter.ts';
import { Entries, UNTRACKED } from './entries.ts';
import { type Exemplar, Exemplars } from './exemplars.ts';
import type { Families } from './families.ts';
import type { ScrapeResult } from '../reach/fetch.ts';
import { PageError, type ScrapeLimit } from './page-error.ts';
import { putBits } from '../exposition/number.ts';
import { applyChange, encodeChange } from './page-change.ts';
import { decodeState, emptyState, encodeState, type PageState } from './page-codec.ts';
import { type PageLimits, readBody, Reading } from './reading.ts';
import { GAUGE, REPORT, REPORT_ALWAYS, reportLabels } from './report.ts';
import { OVER_TARGET_LIMIT } from '../target.ts';
import { TextError } from '../exposition/text-bytes.ts';
import { keepShape } from '../../model/shape.ts';

export { PageError } from './labels.ts';

/** What a page must know of its target. A scrape configuration with the target's labels is one. */
export interface PageTarget extends PageLimits {
  readonly labels: Labels;
  /** For the series of `extra_scrape_metrics`, which are left out without it. */
  readonly extraMetrics?: { readonly timeoutMs: number };
}

/** A change of bytes more than this share of those of the whole is not worth it: it is read with the whole after every sleep. */
const CHANGE_SHARE = 1 / 4;

/** Nor is one that would not share its row with others, bytes as stored. */
const CHANGE_BYTES_MAX = 500_000;

/** A whole of which less than this share of the series is left is not worth keeping either. */
const SERIES_SHARE = 1 / 4;

/** What is to be written: a whole, which makes the change before it void, or a change. */
export type StoredPage =
  | { readonly whole: Uint8Array<ArrayBuffer>; readonly change: null }
  | { readonly whole: null; readonly change: Uint8Array<ArrayBuffer> };

export interface PageScrape {
  /** What `store` gives is no longer what was stored. */
  readonly changed: boolean;
  /** Samples in the body, as `scrape_samples_scraped` has it. */
  readonly samples: number;
  readonly error: string | null;
  readonly health: 'up' | 'down';
  /** Samples left out: a series' second one; a timestamp more than ten minutes ahead. */
  readonly duplicates: number;
  readonly outOfBounds: number;
  readonly staleMarkers: number;
  readonly exemplars: number;
  /** The limit that failed the scrape; null when none did. */
  readonly limit: ScrapeLimit | null;
  /** Series that the target has now, the report series among them. */
  readonly series: number;
}

export class Page {
  #state: PageState;
  /** Not part of the state: see `exemplars.ts`. */
  readonly #exemplars = new Exemplars();
  /** Texts that there were when all of them were in use. */
  #settled: number;

  private constructor(state: PageState) {
    this.#state = state;
    this.#settled = textsOf(state);
  }

  /**
   * The page that was stored; null is one that has never been scraped. `change` is what became of it since, if that was stored. Throws Error on
   * damage.
   */
  static decode(stored: Uint8Array | null, change: Uint8Array | null = null): Page {
    const state = stored === null ? emptyState() : decodeState(stored);
    if (stored !== null && change !== null) applyChange(state, change);
    return new Page(state);
  }

  /** About what it takes in memory, bytes: the columns as they are, texts and the tables that find them by experience. */
  get bytes(): number {
    const { entries, symbols, families, stored } = this.#state;
    return 2_000 + entries.bytes + 5 * (stored?.count ?? 0) + 100 * symbols.count + 300 * families.count;
  }

  /**
   * The page as it is to be stored now: only what changed since it was stored as a whole; or, when that is more than a share of it, a whole, and no change
   * any more. The next one is told against what this gives, so a page must be forgotten when that could not be stored.
   */
  store(changeShare = CHANGE_SHARE): StoredPage {
    const { stored, entries } = this.#state;
    if (stored !== null && entries.order.length >= stored.count * SERIES_SHARE) {
      const change = encodeChange(this.#state);
      if (change.length <= CHANGE_BYTES_MAX && snappyLength(change) <= stored.bytes * changeShare)
        return { whole: null, change };
    }
    const whole = encodeState(this.#state);
    this.#state = decodeState(whole);
    this.#settled = textsOf(this.#state);
    return { whole, change: null };
  }

  /** Most of what it holds is of series that are gone. What was stored has nothing of them: it should be read again. */
  get isCrowded(): boolean {
    return textsOf(this.#state) > 2 * this.#settled + 2000;
  }

  /** The page as a whole, as bytes that own their buffer: snappy, about a tenth of the body. */
  encode(): Uint8Array<ArrayBuffer> {
    return encodeState(this.#state);
  }

  /**
   * Adds one scrape to `out`: its samples, stale markers for series that are no longer there, and the report series. A scrape that
   * failed, or whose body is not to be taken, marks all series stale and has `up` 0. Never throws for what a target sent. `lastMs` is the
   * timestamp of the last scrape, Unix ms, when the caller knows it: a page that was stored may not.
   */
  scrape(target: PageTarget, external: Labels, result: ScrapeResult, out: RequestBuilder, lastMs = 0): PageScrape {
    const state = this.#state;
    const before = state.entries;
    const context = contextOf(target, external);
    const renewed = context !== state.context;
    const entries = renewed ? new Entries() : before;
    const reading = new Reading(entries);
    const { families } = state;
    const familyCount = families.count;

    let error = result.error;
    let limit = limitOf(result);
    // An empty body is no fault: the target has no series now. What is known of them is kept.
    const read = error === null && result.body !== null && result.body.length > 0;
    if (read) {
      const last = Math.max(state.lastMs, lastMs);
      let present: Uint8Array | null = null;
      const lastOf = (series: number): number => {
        present ??= before.present();
        const known = renewed
          ? before.findLabels(entries.refs, entries.refStart(series), entries.refEnd[series]!)
          : series;
        return known >= 0 && present[known] === 1 ? last : -Infinity;
      };
      const fault = this.#read(result, target, external, entries, reading, lastOf);
      error = fault === null ? null : fault.message;
      if (fault instanceof PageError) limit = fault.limit;
    }
    const taken = read && error === null;
    const health = error === null ? 'up' : 'down';

    const reports = renewed ? reportLabels(reportCount(target), target.labels, external, state.symbols) : state.reports;
    const emitter = new Emitter(out, state.symbols, constantBytes(context));
    if (taken) {
      emitSamples(emitter, entries, reading, state, this.#exemplars.fresh);
    }
    const isOther = renewed || (taken && !isSame(entries, reading));
    const markerMs = Math.max(result.timestampMs, state.lastMs + 1);
    const exemplars = taken ? this.#exemplars.fresh.length : 0;
    if (taken) this.#exemplars.commit();
    let staleMarkers = 0;
    if (state.live && (isOther || !taken)) {
      staleMarkers = emitStale(
        emitter,
        before,
        markerMs,
        (series) => taken && stillThere(before, series, entries, reading),
      );
    }
    if (renewed) staleMarkers += emitReportStale(emitter, state.reports, reports, markerMs);
    emitReports(emitter, reports, target, result, reading, error === null);

    const changed = isOther || state.live !== taken || (taken && state.families.changed);
    if (taken && isOther) turn(entries, reading);
    state.entries = entries;
    if (renewed) state.stored = null;
    state.context = context;
    state.reports = reports;
    state.live = taken;
    state.lastMs = Math.max(state.lastMs, result.timestampMs);
    if (families.count !== familyCount) {
      state.families = families.select(judgedUnder(entries));
    }
    const { scraped: samples, duplicates, outOfBounds } = reading;
    const series = reports.length + (taken ? entries.seriesCount : 0);
    return { changed, samples, error, health, duplicates, outOfBounds, staleMarkers, exemplars, limit, series };
  }

  /** What the target says of its metric families. */
  get families(): Families {
    return this.#state.families;
  }

  /** The target is gone: stale markers for everything, the report series too. The page is as if never scraped. */
  retire(timestampMs: number, out: RequestBuilder): void {
    const state = this.#state;
    const emitter = new Emitter(out, state.symbols, constantBytes(state.context));
    const markerMs = Math.max(timestampMs, state.lastMs + 1);
    if (state.live) emitStale(emitter, state.entries, markerMs, () => false);
    emitReportStale(emitter, state.reports, [], markerMs);
    this.#state = emptyState();
  }

  /** Reads a body; returns what is wrong with it, or null. A fault leaves the page as it was. */
  #read(
    { body, format, timestampMs }: ScrapeResult,
    target: PageTarget,
    external: Labels,
    entries: Entries,
    reading: Reading,
    lastOf: (series: number) => number,
  ): TextError | PageError | null {
    const { families, symbols } = this.#state;
    const entryCount = entries.count;
    const familyCount = families.count;
    try {
      readBody(
        body!,
        format,
        timestampMs,
        {
          entries,
          families,
          symbols,
          exemplars: this.#exemplars,
          target: target.labels,
          external,
          limits: target,
          lastOf,
        },
        reading,
      );
      return null;
    } catch (error) {
      if (!(error instanceof TextError || error instanceof PageError)) throw error;
      entries.truncate(entryCount);
      families.truncate(familyCount);
      reading.seriesAdded = 0;
      return error;
    }
  }
}

const textsOf = ({ symbols, entries }: PageState): number => symbols.count + entries.count;

/** The families of the series that the page has. */
function judgedUnder({ order, judged }: Entries): Set<number> {
  const stamps = new Set<number>();
  for (let i = 0; i < order.length; i++) stamps.add(judged[order[i]!]!);
  return stamps;
}

/** The limit that a scrape was over before its page was looked at. */
function limitOf({ bodyBytes, error }: ScrapeResult): ScrapeLimit | null {
  if (bodyBytes < 0) return 'body_size_limit';
  return error?.startsWith(OVER_TARGET_LIMIT) === true ? 'target_limit' : null;
}

/** All that the labels of the entries were made with, but what was exposed. */
const contextOf = (target: PageTarget, external: Labels): string => {
  const { labels, honorLabels, metricNameValidationScheme, metricRelabelConfigs, labelLimits, extraMetrics } = target;
  return JSON.stringify([
    labels,
    external,
    honorLabels,
    ...(metricNameValidationScheme === 'legacy' ? ['legacy'] : []),
    ...metricRelabelConfigs,
    ...(labelLimits === undefined ? [] : [labelLimits]),
    ...(extraMetrics === undefined ? [] : ['extra']),
  ]);
};

const reportCount = (target: PageTarget): number => (target.extraMetrics === undefined ? REPORT_ALWAYS : REPORT.length);

/** Bytes of labels that are not in a series' text: the context has target and external labels and what rules put in, in a longer spelling. */
const constantBytes = (context: string): number => context.length * 2 + 64;

/** Whether the reading has the same series as before, tracked the same way. */
function isSame(entries: Entries, reading: Reading): boolean {
  const { order, orderCount } = reading;
  if (orderCount !== entries.order.length) return false;
  for (let i = 0; i < orderCount; i++) {
    const series = entries.series[order[i]!]!;
    if (entries.place[order[i]!]! < 0 || reading.trackedAs(series) !== entries.tracked[series]) return false;
  }
  return true;
}

/** What was read is the page now. */
function turn(entries: Entries, reading: Reading): void {
  entries.turn(reading.order.slice(0, reading.orderCount));
  const { order, series, tracked } = entries;
  for (let i = 0; i < order.length; i++) tracked[series[order[i]!]!] = reading.trackedAs(series[order[i]!]!);
}

/** Whether a series of the entries before is in what was read, such that it is not stale. */
function stillThere(before: Entries, series: number, entries: Entries, reading: Reading): boolean {
  let now = series;
  if (entries !== before) {
    now = entries.findLabels(before.refs, before.refStart(series), before.refEnd[series]!);
    if (now < 0) return false;
  }
  return reading.isThere(now);
}

function emitSamples(
  emitter: Emitter,
  entries: Entries,
  reading: Reading,
  state: PageState,
  exemplars: readonly Exemplar[],
): void {
  const { types, helps, units } = state.families;
  const { entry, t, hi, lo, family } = reading;
  const { histogram, messageEnd, messages, startT, zeroT, zeroMessages } = reading;
  let next = 0;
  let withExemplar = exemplars.length > 0 ? exemplars[0]!.sample : -1;
  let message = 0;
  let nextHistogram = histogram.length > 0 ? histogram[0]! : -1;
  for (let i = 0; i < reading.count; i++) {
    const e = entry[i]!;
    const f = family[i]!;
    if (zeroT !== null && (zeroT[i] ?? 0) !== 0) {
      emitZero(emitter, entries, e, zeroT[i]!, zeroMessages.get(i), state.families, f);
    }
    while (i === withExemplar) {
      emitter.exemplars.push(exemplars[next++]!);
      withExemplar = next < exemplars.length ? exemplars[next]!.sample : -1;
    }
    if (i === nextHistogram) {
      emitter.addHistogram(
        entries.refs,
        entries.refStart(e),
        entries.refEnd[e]!,
        entries.keyEnd[e]! - entries.keyStart(e),
        t[i]!,
        messages.bytes,
        message === 0 ? 0 : messageEnd[message - 1]!,
        messageEnd[message]!,
        f < 0 ? 0 : types[f]!,
        f < 0 ? '' : helps[f]!,
        f < 0 ? '' : units[f]!,
      );
      nextHistogram = ++message < histogram.length ? histogram[message]! : -1;
      continue;
    }
    emitter.add(
      entries.refs,
      entries.refStart(e),
      entries.refEnd[e]!,
      entries.keyEnd[e]! - entries.keyStart(e),
      t[i]!,
      hi[i]!,
      lo[i]!,
      f < 0 ? 0 : types[f]!,
      f < 0 ? '' : helps[f]!,
      f < 0 ? '' : units[f]!,
      startT === null ? 0 : (startT[i] ?? 0),
    );
  }
}

/** The sample at `t`, when it began to count, of the series of an entry: 0, or the histogram whose message is given. */
function emitZero(
  emitter: Emitter,
  entries: Entries,
  entry: number,
  t: number,
  message: Uint8Array | undefined,
  { types, helps, units }: Families,
  family: number,
): void {
  const { refs } = entries;
  const [start, end] = [entries.refStart(entry), entries.refEnd[entry]!];
  const keyBytes = entries.keyEnd[entry]! - entries.keyStart(entry);
  const type = types[family] ?? 0;
  const help = helps[family] ?? '';
  const unit = units[family] ?? '';
  if (message === undefined) emitter.add(refs, start, end, keyBytes, t, 0, 0, type, help, unit);
  else emitter.addHistogram(refs, start, end, keyBytes, t, message, 0, message.length, type, help, unit);
}

/** Marks the tracked series of the page stale that are not there any more. Returns how many. */
function emitStale(emitter: Emitter, entries: Entries, t: number, isThere: (series: number) => boolean): number {
  const { order, tracked } = entries;
  const done = new Uint8Array(entries.count);
  let count = 0;
  for (let i = 0; i < order.length; i++) {
    const series = entries.series[order[i]!]!;
    if (tracked[series] === UNTRACKED || done[series] === 1) continue;
    done[series] = 1;
    if (isThere(series)) continue;
    const keyBytes = entries.keyEnd[series]! - entries.keyStart(series);
    emitter.stale(entries.refs, entries.refStart(series), entries.refEnd[series]!, keyBytes, t, tracked[series]);
    count++;
  }
  return count;
}

/** Marks report series stale that have other labels now, or none. Returns how many. */
function emitReportStale(emitter: Emitter, before: Uint32Array[], now: Uint32Array[], t: number): number {
  let count = 0;
  before.forEach((refs, i) => {
    if (now[i]?.join() === refs.join()) return;
    emitter.stale(refs, 0, refs.length, 0, t);
    count++;
  });
  return count;
}

function emitReports(
  emitter: Emitter,
  reports: Uint32Array[],
  target: PageTarget,
  result: ScrapeResult,
  reading: Reading,
  up: boolean,
): void {
  const { scraped, postRelabel, seriesAdded } = reading;
  const values = [up ? 1 : 0, result.durationMs / 1000, scraped, postRelabel, seriesAdded];
  const { extraMetrics } = target;
  if (extraMetrics !== undefined) values.push(extraMetrics.timeoutMs / 1000, target.sampleLimit, result.bodyBytes);
  const bits = { hi: 0, lo: 0 };
  reports.forEach((refs, i) => {
    putBits(values[i]!, bits);
    const { help, unit } = REPORT[i]!;
    emitter.add(refs, 0, refs.length, 0, result.timestampMs, bits.hi, bits.lo, GAUGE, help, unit);
  });
}

keepShape(Page.decode(null));
