/** Requests for properties, and what a decoded request holds, in plain objects. */

import fc from 'fast-check';
import type { Decoded } from '../../../src/encoding/remote-write/decoded.ts';
import { type Bits, bits, double, type Series2 } from './oracle.ts';

/** A byte order mark is text like any other. */
const utf8 = new TextDecoder('utf-8', { fatal: false, ignoreBOM: true });

export interface PlainSeries {
  labels: [name: string, value: string][];
  /** Unix ms, and the bits of the value in hex. */
  samples: [t: number, value: string][];
  exemplars: number;
  histograms: number;
  bad: number;
}

/** What the columns say. Reads every range, so a range outside the message shows. */
export function plain(decoded: Decoded): PlainSeries[] {
  const { message } = decoded;
  const text = (start: number, end: number): string => {
    if (!(start >= 0 && start <= end && end <= message.length))
      throw new Error(`range ${start}–${end} of ${message.length}`);
    return utf8.decode(message.subarray(start, end));
  };
  const out: PlainSeries[] = [];
  for (let s = 0, label = 0, sample = 0; s < decoded.seriesCount; s++) {
    text(decoded.seriesStart[s]!, decoded.seriesEnd[s]!);
    const series: PlainSeries = {
      labels: [],
      samples: [],
      exemplars: decoded.exemplarCount[s]!,
      histograms: decoded.histogramEnd[s]! - decoded.histogramFrom(s),
      bad: decoded.bad[s]!,
    };
    for (; label < decoded.labelEnd[s]!; label++) {
      series.labels.push([
        text(decoded.nameStart[label]!, decoded.nameEnd[label]!),
        text(decoded.valueStart[label]!, decoded.valueEnd[label]!),
      ]);
    }
    for (; sample < decoded.sampleEnd[s]!; sample++) {
      series.samples.push([decoded.t[sample]!, hex(decoded.hi[sample]!, decoded.lo[sample]!)]);
    }
    out.push(series);
  }
  return out;
}

/** Throws unless every range lies within the message and every end is at or above the one before. */
export function expectConsistent(decoded: Decoded): void {
  const { message } = decoded;
  const ranges = (start: Uint32Array, end: Uint32Array, count: number): void => {
    for (let i = 0; i < count; i++) {
      if (start[i]! > end[i]! || end[i]! > message.length)
        throw new Error(`range ${i}: ${start[i]}–${end[i]} of ${message.length}`);
    }
  };
  const ends = (end: Uint32Array, last: number): void => {
    for (let i = 0, before = 0; i < decoded.seriesCount; before = end[i]!, i++) {
      if (end[i]! < before || end[i]! > last) throw new Error(`end ${i}: ${end[i]} after ${before}, of ${last}`);
    }
  };
  ranges(decoded.seriesStart, decoded.seriesEnd, decoded.seriesCount);
  ranges(decoded.nameStart, decoded.nameEnd, decoded.labelCount);
  ranges(decoded.valueStart, decoded.valueEnd, decoded.labelCount);
  ranges(decoded.symbolStart, decoded.symbolEnd, decoded.symbolCount);
  ends(decoded.labelEnd, decoded.labelCount);
  ends(decoded.sampleEnd, decoded.sampleCount);
  ranges(decoded.histogramStart, decoded.histogramStop, decoded.histogramCount);
  ends(decoded.histogramEnd, decoded.histogramCount);
}

export const hex = (high: number, low: number): string =>
  (high >>> 0).toString(16).padStart(8, '0') + (low >>> 0).toString(16).padStart(8, '0');

export const hexOf = (value: Bits): string => hex(value.high, value.low);

export const STALE = bits(0x7ff00000, 2);

export const values: fc.Arbitrary<Bits> = fc.oneof(
  fc.constantFrom(
    STALE,
    bits(0x7ff80000, 1),
    bits(0xfff80000, 0xdeadbeef),
    double(0),
    double(-0),
    double(1),
    double(Infinity),
    double(-Infinity),
    double(5e-324),
  ),
  fc.double().map(double),
  fc.tuple(fc.nat(0xffffffff), fc.nat(0xffffffff)).map(([high, low]) => bits(high, low)),
);

export const times: fc.Arbitrary<number> = fc.oneof(
  fc.constantFrom(
    0,
    1,
    -1,
    127,
    128,
    2 ** 31,
    -(2 ** 31),
    2 ** 32,
    2 ** 49,
    2 ** 53 - 1,
    -(2 ** 53 - 1),
    1763800000000,
  ),
  fc.maxSafeInteger(),
  fc.integer({ min: 1.7e12, max: 1.8e12 }),
);

/** Any text, also beyond the basic plane; sometimes longer than a length of one byte. */
export const text: fc.Arbitrary<string> = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 12 }),
  fc.string({ unit: 'binary', maxLength: 12 }),
  fc.integer({ min: 100, max: 300 }).map((n) => 'x'.repeat(n)),
);

export interface CaseSeries {
  labels: [string, string][];
  samples: { value: Bits; timestamp: number }[];
  exemplars: { labels: [string, string][]; value: Bits; timestamp: number }[];
  histograms: number;
}

const labels = fc.array(fc.tuple(text, text), { maxLength: 6 });

export const cases: fc.Arbitrary<CaseSeries[]> = fc.array(
  fc.record({
    labels,
    samples: fc.array(fc.record({ value: values, timestamp: times }), { maxLength: 4 }),
    exemplars: fc.array(fc.record({ labels, value: values, timestamp: times }), { maxLength: 2 }),
    histograms: fc.nat(2),
  }),
  { maxLength: 6 },
);

/** What must come out of decoding a request made from this. */
export const plainOf = (all: CaseSeries[]): PlainSeries[] =>
  all.map((series) => ({
    labels: series.labels,
    samples: series.samples.map(({ value, timestamp }) => [timestamp, hexOf(value)]),
    exemplars: series.exemplars.length,
    histograms: series.histograms,
    bad: 0,
  }));

/** A case as the messages of the oracle. With `more`, every message also has unknown fields. */
export function asV1(all: CaseSeries[], more: object = {}) {
  const label = ([name, value]: [string, string]) => ({ name, value, ...more });
  return {
    ...more,
    timeseries: all.map((series) => ({
      ...more,
      labels: series.labels.map(label),
      samples: series.samples.map((sample) => ({ ...sample, ...more })),
      exemplars: series.exemplars.map((exemplar) => ({ ...exemplar, labels: exemplar.labels.map(label) })),
      histograms: Array.from({ length: series.histograms }, (_, i) => ({ countInt: i, schema: -3, timestamp: 5 })),
    })),
  };
}

export function asV2(all: CaseSeries[], more: object = {}) {
  const symbols = [''];
  const ref = (text: string): number => {
    const known = symbols.indexOf(text);
    return known >= 0 ? known : symbols.push(text) - 1;
  };
  const timeseries = all.map((series): Series2 => ({
    ...more,
    labelsRefs: series.labels.flat().map(ref),
    samples: series.samples.map((sample) => ({ ...sample, startTimestamp: 17, ...more })),
    exemplars: series.exemplars.map(({ labels, ...rest }) => ({ ...rest, labelsRefs: labels.flat().map(ref) })),
    histograms: Array.from({ length: series.histograms }, (_, i) => ({ countInt: i, schema: -3, timestamp: 5 })),
    metadata: { type: 1, helpRef: ref('help'), unitRef: 0 },
    createdTimestamp: 1763800000000,
  }));
  return { ...more, symbols, timeseries };
}
