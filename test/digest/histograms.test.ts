import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Digest } from '../../src/digest/digest.ts';
import { mergeSegments } from '../../src/digest/merge.ts';
import { DecodeError } from '../../src/encoding/remote-write/decoded.ts';
import { RANGE_MS } from '../../src/model/sample.ts';
import { double, type HistogramMessage, v1, v2 } from '../encoding/remote-write/oracle.ts';
import { histogram, type TestHistogram } from '../model/histograms.ts';
import { textsOf } from '../block/mixed.ts';
import { textOfBytes } from './messages.ts';
import { sourceOf } from './segments.ts';

const T = 1_700_000_000_000 - (1_700_000_000_000 % RANGE_MS);

/** A sample of one series, in the order of arrival: a float, or a histogram with one bucket. */
interface Sample {
  readonly t: number;
  readonly float?: number;
  readonly int?: number;
  readonly gauge?: number;
}

function messageOf({ t, int, gauge }: Sample): HistogramMessage {
  const buckets = { positiveSpans: [{ offset: 1, length: 1 }], sum: double(2), timestamp: t };
  if (int !== undefined) return { ...buckets, countInt: int, positiveDeltas: [int] };
  return { ...buckets, countFloat: double(gauge!), positiveCounts: [double(gauge!)], resetHint: 3 };
}

function histogramOf({ int, gauge }: Sample): TestHistogram {
  if (int !== undefined) return { positive: { 1: int }, sum: 2 };
  return { isFloat: true, positive: { 1: gauge! }, sum: 2, hint: 3 };
}

/** Each sample as a series of its own in the message, so that they arrive in this order. */
function encode(schema: 1 | 2, samples: readonly Sample[]): Uint8Array {
  const series = samples.map((sample) =>
    sample.float !== undefined
      ? { samples: [{ value: double(sample.float), timestamp: sample.t }] }
      : { histograms: [messageOf(sample)] },
  );
  if (schema === 1) {
    return v1.encode({ timeseries: series.map((one) => ({ labels: [{ name: 'a', value: 'b' }], ...one })) });
  }
  return v2.encode({ symbols: ['', 'a', 'b'], timeseries: series.map((one) => ({ labelsRefs: [1, 2], ...one })) });
}

async function merged(segments: readonly (readonly Uint8Array[])[]) {
  const samples: string[] = [];
  const repeats = await mergeSegments(segments.map(sourceOf), (series) => {
    expect(textOfBytes(series.labels)).toBe('[["a","b"]]');
    samples.push(...textsOf(series, series.count));
  });
  return { samples, ...repeats };
}

const textOfSample = (sample: Sample): string =>
  textsOf(
    {
      t: Float64Array.of(sample.t),
      hi: Uint32Array.of(double(sample.float ?? 0).high >>> 0),
      lo: Uint32Array.of(double(sample.float ?? 0).low >>> 0),
      histograms: [sample.float === undefined ? histogram(histogramOf(sample)) : undefined],
    },
    1,
  )[0]!;

describe('a series of floats and histograms', () => {
  const value = fc.nat(3);
  const sample: fc.Arbitrary<Sample> = fc
    .tuple(
      fc.integer({ min: 0, max: 12 }).map((i) => T + i * 15_000),
      fc.oneof(fc.record({ float: value }), fc.record({ int: value }), fc.record({ gauge: value })),
    )
    .map(([t, one]) => ({ t, ...one }));
  const batches = fc.array(
    fc.array(fc.tuple(fc.constantFrom(1 as const, 2 as const), fc.array(sample, { maxLength: 8 })), { maxLength: 3 }),
    { maxLength: 4 },
  );

  test('keeps the first sample of each timestamp, whatever it is', async () => {
    await fc.assert(
      fc.asyncProperty(batches, fc.constantFrom(30, 262_144), async (all, partBytesMax) => {
        const segments: Uint8Array[][] = [];
        let repeats = 0;
        for (const messages of all) {
          const digest = new Digest({ samplesMax: 1, partBytesMax });
          for (const [schema, samples] of messages) digest.add(schema, encode(schema, samples));
          expect(digest.samples).toBe(messages.flatMap(([, samples]) => samples).length);
          const result = digest.finish();
          repeats += result.duplicates + result.conflicts;
          for (const segment of result.segments) {
            segments.push(segment.parts);
            const alone = await merged([segment.parts]);
            expect(alone.samples.length).toBe(segment.samples);
            expect(alone.duplicates + alone.conflicts).toBe(0);
          }
        }
        const arrived = all.flat().flatMap(([, samples]) => samples);
        const first = new Map<number, Sample>();
        for (const one of arrived) if (!first.has(one.t)) first.set(one.t, one);
        const found = await merged(segments);
        const wanted = [...first.values()].sort((a, b) => a.t - b.t).map(textOfSample);
        expect(found.samples).toEqual(wanted);
        expect(repeats + found.duplicates + found.conflicts).toBe(arrived.length - wanted.length);
      }),
      { numRuns: 150 },
    );
  });

  test('tells duplicates from conflicts', () => {
    const digest = new Digest({ samplesMax: 1, partBytesMax: 1000 });
    digest.add(
      1,
      encode(1, [
        { t: T, int: 1 },
        { t: T, int: 1 },
        { t: T, gauge: 1 },
        { t: T, float: 0 },
      ]),
    );
    digest.add(2, encode(2, [{ t: T, int: 2 }]));
    expect(digest.finish()).toMatchObject({
      samples: 1,
      duplicates: 1,
      conflicts: 3,
      conflictExample: `{a="b"} at ${T}: kept a histogram with count 1 and sum 2, refused a float histogram with count 1 and sum 2`,
    });
  });

  test('is in several ranges, and in long fragments', async () => {
    const all = Array.from({ length: 1000 }, (_, i): Sample => ({ t: T + i * 15_000, int: 1000 - (i % 7) }));
    const digest = new Digest({ samplesMax: 1, partBytesMax: 500 });
    digest.add(2, encode(2, all.toReversed()));
    const { segments, samples } = digest.finish();
    expect([samples, segments.length]).toEqual([1000, 3]);
    const found = await Promise.all(segments.map(({ parts }) => merged([parts])));
    expect(found.flatMap(({ samples }) => samples)).toEqual(all.map(textOfSample));
  });
});

test('of a message with a histogram that is not valid nothing is added', () => {
  const digest = new Digest({ samplesMax: 1, partBytesMax: 1000 });
  const bad = v1.encode({
    timeseries: [
      {
        labels: [{ name: 'a', value: 'b' }],
        samples: [{ value: double(1), timestamp: T }],
        histograms: [{ schema: 99 }],
      },
    ],
  });
  expect(() => digest.add(1, bad)).toThrow(DecodeError);
  const far = {
    labels: [{ name: 'a', value: 'b' }],
    histograms: [{ timestamp: { low: 0, high: 1 << 22, unsigned: false } }],
  };
  expect(() => digest.add(1, v1.encode({ timeseries: [far] }))).toThrow('beyond ±2^53 ms');
  expect(digest.samples).toBe(0);
});
