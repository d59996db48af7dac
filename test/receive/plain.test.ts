/** judgePlain may be silent, but never says what validate() does not. */

import { describe, expect, it } from 'vitest';
import { DecodeError, type Decoded, decodeWrite, type Schema } from '../../src/encoding/remote-write/decoded.ts';
import { DEFAULT_RECEIVE_LIMITS } from '../../src/receive/limits.ts';
import { judgePlain } from '../../src/receive/plain.ts';
import { validate } from '../../src/receive/validate.ts';
import { mutate, Rng } from '../encoding/damage.ts';
import { double } from '../encoding/remote-write/oracle.ts';
import { message1, message2, NOW, series1, series2, type TestLabels } from './receiver.ts';

const LIMITS = DEFAULT_RECEIVE_LIMITS;
const SCHEMAS = [1, 2] as const;
const samples = [NOW - 1000, NOW].map((timestamp) => ({ value: double(timestamp / 7), timestamp }));

const message = (schema: Schema, ...all: TestLabels[]): Uint8Array =>
  schema === 1
    ? message1(...all.map((pairs) => ({ labels: pairs.map(([name, value]) => ({ name, value })), samples })))
    : message2(...all.map((pairs) => ({ labels: pairs, samples })));

const UP: TestLabels = [
  ['__name__', 'up'],
  ['job', 'größe'],
  ['z', 'x'.repeat(300)],
];

const HISTOGRAM = {
  countInt: 7,
  sum: double(1.5),
  schema: 3,
  zeroCountInt: 2,
  positiveSpans: [{ offset: -1, length: 2 }],
  positiveDeltas: [3, -1],
  timestamp: NOW - 500,
};
const EXEMPLAR = { value: double(0.1), timestamp: NOW };

/** Series with samples, with exemplars too, with exemplars alone, with histograms, and with both of these. */
function rich(schema: Schema, histogram = HISTOGRAM): Uint8Array {
  const histograms = [histogram, { ...histogram, timestamp: NOW - 100 }];
  if (schema === 1) {
    const exemplars = [
      { ...EXEMPLAR, labels: [{ name: 'trace_id', value: 'größe' }] },
      { ...EXEMPLAR, labels: [] },
    ];
    return message1(
      series1('a'),
      series1('b', { exemplars }),
      series1('c', { samples: [], exemplars }),
      series1('d', { samples: [], histograms }),
      series1('e', { samples: [], histograms, exemplars }),
    );
  }
  const exemplars = [
    { ...EXEMPLAR, labelsRefs: [1, 2, 3, 4] },
    { ...EXEMPLAR, labelsRefs: [] },
  ];
  return message2(
    series2('a', { metadata: { type: 1, helpRef: 2 } }),
    series2('b', { exemplars }),
    series2('c', { samples: [], exemplars }),
    series2('d', { samples: [], histograms, metadata: { type: 3, unitRef: 3 } }),
    series2('e', { samples: [], histograms, exemplars }),
  );
}

/** What validate() says of all of it; null when anything is refused. */
function whole(schema: Schema, bytes: Uint8Array): object | null {
  let decoded: Decoded;
  try {
    decoded = decodeWrite(schema, bytes);
  } catch (error) {
    if (error instanceof DecodeError) return null;
    throw error;
  }
  const { refused, series, samples: count, histograms, exemplars, histogramT } = validate(decoded, LIMITS, NOW);
  if (refused.length > 0) return null;
  const times = [...decoded.t.subarray(0, decoded.sampleCount), ...histogramT];
  const [minT, maxT] = [Math.min(...times), Math.max(...times)];
  return { series, samples: count, histograms, exemplars, labels: decoded.labelCount, minT, maxT };
}

describe.each(SCHEMAS)('schema %i', (schema) => {
  const plain = (bytes: Uint8Array, limits = LIMITS): object | null => {
    const found = judgePlain(schema, bytes, limits, NOW);
    if (found === null) return null;
    const { series, samples: count, histograms, exemplars, labels, minT, maxT } = found;
    return { series, samples: count, histograms, exemplars, labels, minT, maxT };
  };
  const one = (...pairs: TestLabels): object | null => plain(message(schema, pairs));

  it('counts what is plainly good', () => {
    const bytes = message(schema, UP, UP.slice(0, 2), UP);
    expect(plain(bytes)).toEqual({
      series: 3,
      samples: 6,
      histograms: 0,
      exemplars: 0,
      labels: 8,
      minT: NOW - 1000,
      maxT: NOW,
    });
    expect(plain(bytes)).toEqual(whole(schema, bytes));
  });

  it('counts histograms and exemplars', () => {
    const bytes = rich(schema);
    expect(plain(bytes)).toMatchObject({ series: 5, samples: 2, histograms: 4, exemplars: 6, minT: NOW - 500 });
    expect(plain(bytes)).toEqual(whole(schema, bytes));
  });

  it('is silent of a histogram that does not add up, or of another time, and of a series with nothing', () => {
    expect(plain(rich(schema, { ...HISTOGRAM, countInt: 8 }))).toBe(null);
    expect(plain(rich(schema, { ...HISTOGRAM, timestamp: NOW + LIMITS.futureMs + 1 }))).toBe(null);
    const nothing = { samples: [] };
    expect(plain(schema === 1 ? message1(series1('a', nothing)) : message2(series2('a', nothing)))).toBe(null);
  });

  it('is silent of a series with samples and histograms', () => {
    const both = { histograms: [HISTOGRAM] };
    expect(plain(schema === 1 ? message1(series1('a', both)) : message2(series2('a', both)))).toBe(null);
  });

  it('takes a sample of zero, whose value is left out', () => {
    const zero = [{ value: double(0), timestamp: NOW }];
    const bytes = schema === 1 ? message1(series1('a', { samples: zero })) : message2(series2('a', { samples: zero }));
    expect(plain(bytes)).toMatchObject({ series: 1, samples: 1 });
  });

  it.each<[string, TestLabels]>([
    ['no name', [['job', 'x']]],
    ['an empty name', [['', 'x'], ...UP]],
    ['an empty __name__', [['__name__', '']]],
    ['labels that are not sorted', [UP[1]!, UP[0]!]],
    ['a label twice', [UP[0]!, UP[1]!, UP[1]!]],
    ['a name that is too long', [...UP, ['zz'.repeat(LIMITS.nameBytesMax), 'x']]],
    ['a value that is too long', [...UP, ['zz', 'x'.repeat(LIMITS.valueBytesMax + 1)]]],
  ])('is silent of %s, behind what is good too', (_, pairs) => {
    expect(one(...pairs)).toBe(null);
    expect(plain(message(schema, UP, pairs))).toBe(null);
  });

  it('is silent of times beyond the limits, and of too many labels', () => {
    const bytes = message(schema, UP);
    expect(judgePlain(schema, bytes, LIMITS, NOW + LIMITS.pastMs)).toBe(null);
    expect(judgePlain(schema, bytes, LIMITS, NOW - LIMITS.futureMs - 1)).toBe(null);
    expect(plain(bytes, { ...LIMITS, labelsMax: 2 })).toBe(null);
    expect(plain(bytes, { ...LIMITS, labelsMax: 3 })).not.toBe(null);
  });

  it('is silent of bytes that are not UTF-8', () => {
    const bytes = message(schema, UP);
    bytes[Buffer.from(bytes).indexOf('größe') + 2] = 0xff;
    expect(plain(bytes)).toBe(null);
  });

  it('says nothing of damaged messages that validate() does not say', () => {
    let said = 0;
    const seeds = [message(schema, UP, UP), message(schema, UP.slice(0, 1), UP, UP.slice(0, 2)), rich(schema)];
    for (let seed = 0; seed < 90_000; seed++) {
      const bytes = mutate(seeds[seed % 3]!, new Rng(seed));
      const found = plain(bytes);
      if (found === null) continue;
      said++;
      // Another value is as good; an empty message holds nothing.
      if (bytes.length > 0 && (found as { series: number }).series > 0)
        expect(found, `seed ${seed}`).toEqual(whole(schema, bytes));
    }
    expect(said).toBeGreaterThan(1000);
  });
});
