import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Digest } from '../../src/digest/digest.ts';
import { ExemplarRing, selectExemplars } from '../../src/digest/exemplar-ring.ts';
import { type ExemplarPart, Exemplars, EXEMPLARS_MAX } from '../../src/digest/exemplars.ts';
import { decodeWrite, type Schema } from '../../src/encoding/remote-write/decoded.ts';
import { double, v1, v2 } from '../encoding/remote-write/oracle.ts';
import { sqlite } from '../log/sqlite.ts';

interface One {
  readonly series: string;
  readonly t: number;
  readonly value: number;
  readonly trace: string;
}

const T = 1_700_000_000_000;

/** A message of series without samples, an exemplar each. */
function message(schema: Schema, all: readonly One[]): Uint8Array {
  const labels = ({ series }: One): [string, string][] => [
    ['__name__', series],
    ['empty', ''],
    ['job', 'j'],
  ];
  if (schema === 1) {
    return v1.encode({
      timeseries: all.map((one) => ({
        labels: labels(one).map(([name, value]) => ({ name, value })),
        exemplars: [
          {
            labels: one.trace === '' ? [] : [{ name: 'trace_id', value: one.trace }],
            value: double(one.value),
            timestamp: one.t,
          },
        ],
      })),
    });
  }
  const symbols = [''];
  const ref = (text: string): number => {
    const known = symbols.indexOf(text);
    return known >= 0 ? known : symbols.push(text) - 1;
  };
  const timeseries = all.map((one) => ({
    labelsRefs: labels(one).flat().map(ref),
    exemplars: [
      {
        labelsRefs: one.trace === '' ? [] : ['trace_id', one.trace].map(ref),
        value: double(one.value),
        timestamp: one.t,
      },
    ],
  }));
  return v2.encode({ symbols, timeseries });
}

const textOf = ({ series, t, value, trace }: One): string =>
  `{__name__="${series}", job="j"} ${t} ${value} {${trace === '' ? '' : `trace_id="${trace}"`}}`;

function read(parts: readonly Uint8Array[], startMs = -Infinity, endMs = Infinity): string[] {
  return selectExemplars(parts, startMs, endMs, () => true).flatMap(({ labels, exemplars }) =>
    exemplars.map(({ labels: own, t, value }) => {
      const text = (all: typeof own): string => `{${all.map(({ name, value }) => `${name}="${value}"`).join(', ')}}`;
      return `${text(labels)} ${t} ${value} ${text(own)}`;
    }),
  );
}

describe('exemplars of a batch', () => {
  const one = fc.record({
    series: fc.constantFrom('a', 'b', 'c'),
    t: fc.constantFrom(T, T + 1, -5, 2 ** 40),
    value: fc.constantFrom(0, 1.5, -1),
    trace: fc.constantFrom('', 'x', 'é'),
  });

  it('come back, each once, whatever messages they came in', () => {
    const messages = fc.array(
      fc.record({ schema: fc.constantFrom<Schema>(1, 2), all: fc.array(one, { minLength: 1, maxLength: 6 }) }),
      { maxLength: 5 },
    );
    fc.assert(
      fc.property(messages, (given) => {
        const digest = new Digest({ samplesMax: 1000, partBytesMax: 1 << 18 });
        for (const { schema, all } of given) digest.add(schema, message(schema, all));
        const { exemplars } = digest.finish();
        const all = given.flatMap(({ all }) => all);
        const distinct = new Set(all.map(textOf));
        expect(read(exemplars.parts.map(({ body }) => body)).sort()).toEqual([...distinct].sort());
        expect([exemplars.duplicates, exemplars.leftOut]).toEqual([all.length - distinct.size, 0]);
        expect(exemplars.parts.reduce((sum, { count }) => sum + count, 0)).toBe(distinct.size);
      }),
    );
  });

  it('are as many as are kept, in messages of a megabyte; the others are counted', () => {
    const exemplars = new Exemplars();
    for (let from = 0; from < EXEMPLARS_MAX + 5000; from += 5000) {
      const all = Array.from({ length: 5000 }, (_, i) => ({
        series: `s${i % 50}`,
        t: T + from + i,
        value: i,
        trace: `${from + i}`.padStart(32, '0'),
      }));
      exemplars.add(decodeWrite(1, message(1, all)));
    }
    const parts = exemplars.parts();
    expect([exemplars.leftOut, exemplars.duplicates]).toEqual([5000, 0]);
    expect(parts.reduce((sum, { count }) => sum + count, 0)).toBe(EXEMPLARS_MAX);
    expect(parts.length).toBeGreaterThan(4);
    for (const { body } of parts) expect(body.length).toBeLessThan(1_500_000);
    expect(read(parts.map(({ body }) => body))).toHaveLength(EXEMPLARS_MAX);
  });
});

describe('the ring', () => {
  const part = (from: number, count: number): ExemplarPart[] => {
    const exemplars = new Exemplars();
    const all = Array.from({ length: count }, (_, i) => ({ series: 's', t: T + from + i, value: i, trace: '' }));
    exemplars.add(decodeWrite(2, message(2, all)));
    return exemplars.parts();
  };

  it('gives what a time range may hold, and of it what matches', () => {
    const ring = new ExemplarRing(sqlite());
    for (let i = 0; i < 5; i++) expect(ring.put(part(i * 10, 10))).toBe(0);
    expect(ring.count()).toBe(50);
    const found = ring.read(T + 15, T + 22);
    expect(found).toHaveLength(2);
    expect(read(found, T + 15, T + 22)).toHaveLength(8);
    expect(selectExemplars(found, T, T + 100, (labels) => labels.some(({ value }) => value === 'x'))).toEqual([]);
    // What stands in two shards is one.
    expect(read([...found, ...found], T + 15, T + 22)).toHaveLength(8);
  });

  it('lets the oldest messages go, so that not many more are kept than the bound; one row for each that comes', () => {
    const sql = sqlite();
    const ring = new ExemplarRing(sql);
    let evicted = 0;
    for (let i = 0; i < 12; i++) evicted += ring.put(part(i * 10_000, 10_000));
    expect(ring.count() + evicted).toBe(120_000);
    expect(ring.count()).toBe(100_000);
    expect(ring.read(T, T + 19_999)).toEqual([]);
    const before = sql.rowsWritten();
    ring.put(part(200_000, 10));
    expect(sql.rowsWritten() - before).toBe(1);
  });

  it('has so many rows', () => {
    const ring = new ExemplarRing(sqlite());
    const [one] = part(0, 1);
    for (let i = 0; i < 2010; i++) ring.put([one!]);
    expect(ring.count()).toBe(2000);
  });
});
