import { describe, expect, it } from 'vitest';
import { Digest } from '../../src/digest/digest.ts';
import { MetadataTable, Said } from '../../src/digest/metadata.ts';
import { SeriesTable } from '../../src/digest/series.ts';
import { decodeWrite } from '../../src/encoding/remote-write/decoded.ts';
import { familyName } from '../../src/encoding/remote-write/metadata.ts';
import { Blobs } from '../../src/log/table.ts';
import type { FamilyMetadata } from '../../src/model/metadata.ts';
import { FAMILIES_MAX } from '../../src/receive/limits.ts';
import { double, v1, v2 } from '../encoding/remote-write/oracle.ts';
import { sqlite } from '../log/sqlite.ts';

const DAY_MS = 86_400_000;
const family = (metric: string, over: Partial<FamilyMetadata> = {}): FamilyMetadata => ({
  metric,
  type: 'counter',
  help: 'Help.',
  unit: '',
  ...over,
});

/** Series of these names, each with metadata as given. */
function message2(all: readonly (readonly [name: string, type: number, help: string, unit: string])[]): Uint8Array {
  const symbols = ['', '__name__'];
  const ref = (text: string): number => {
    const known = symbols.indexOf(text);
    return known >= 0 ? known : symbols.push(text) - 1;
  };
  const timeseries = all.map(([name, type, help, unit]) => ({
    labelsRefs: [1, ref(name)],
    samples: [{ value: double(1), timestamp: 1 }],
    metadata: { type, helpRef: ref(help), unitRef: ref(unit) },
  }));
  return v2.encode({ symbols, timeseries });
}

/** Of 1.0, whose metadata is beside the series. */
const NO_SERIES = new SeriesTable(0);

describe('what is said', () => {
  it('in series and beside them is gathered once, by family', () => {
    const digest = new Digest({ samplesMax: 1000, partBytesMax: 1 << 18 });
    for (let i = 0; i < 2; i++) {
      digest.add(
        2,
        message2([
          ['h_bucket', 3, 'H.', 's'],
          ['h_bucket', 3, 'H.', 's'],
          ['h_count', 3, 'H.', 's'],
          ['h_sum', 3, 'H.', 's'],
          ['x_count', 2, '', ''],
          ['nothing', 0, '', ''],
          ['x_count', 2, 'Other.', ''],
        ]),
      );
    }
    digest.add(
      1,
      v1.encode({
        timeseries: [{ labels: [{ name: '__name__', value: 'x' }], samples: [{ value: double(1), timestamp: 1 }] }],
        metadata: [{ type: 1, metricFamilyName: 'h', help: 'Old.' }, { metricFamilyName: '' }],
      }),
    );
    expect(digest.finish().metadata).toEqual({
      families: [
        { metric: 'h', type: 'histogram', help: 'H.', unit: 's' },
        { metric: 'x_count', type: 'gauge', help: '', unit: '' },
        { metric: 'x_count', type: 'gauge', help: 'Other.', unit: '' },
        { metric: 'h', type: 'counter', help: 'Old.', unit: '' },
      ],
      leftOut: 0,
    });
  });

  it('by a series that has no sample, or says another thing now, or has no name, counts too', () => {
    const digest = new Digest({ samplesMax: 1000, partBytesMax: 1 << 18 });
    const one = (help: number, samples: number, name = 1): Uint8Array =>
      v2.encode({
        symbols: ['', '__name__', 'a', 'First.', 'Second.', 'Third.', 'job'],
        timeseries: [
          {
            labelsRefs: [name, 2],
            samples: samples === 0 ? [] : [{ value: double(1), timestamp: samples }],
            metadata: { type: 1, helpRef: help, unitRef: 0 },
          },
        ],
      });
    for (const [help, samples] of [
      [3, 1],
      [4, 2],
      [3, 3],
      [5, 0],
      [5, 0],
    ] as const)
      digest.add(2, one(help, samples));
    digest.add(2, one(5, 1, 6));
    expect(digest.finish().metadata.families).toEqual(
      ['First.', 'Second.', 'Third.'].map((help) => family('a', { help })),
    );
  });

  it('of too many, or in too many words, is counted', () => {
    const said = new Said();
    const add = (message: Uint8Array): void => said.add(decodeWrite(1, message), NO_SERIES);
    add(v1.encode({ metadata: Array.from({ length: FAMILIES_MAX }, (_, i) => ({ metricFamilyName: `m${i}` })) }));
    add(v1.encode({ metadata: [{ metricFamilyName: 'm1' }, { metricFamilyName: 'new' }] }));
    expect([said.families().length, said.leftOut]).toEqual([FAMILIES_MAX, 1]);
    const wordy = new Said();
    wordy.add(decodeWrite(1, v1.encode({ metadata: [{ metricFamilyName: 'w', help: 'x'.repeat(9000) }] })), NO_SERIES);
    expect([wordy.families().length, wordy.leftOut]).toEqual([0, 1]);
  });

  it.each([
    ['a_bucket', 'histogram', 'a'],
    ['a_bucket', 'summary', 'a_bucket'],
    ['a_sum', 'summary', 'a'],
    ['a_gcount', 'gaugehistogram', 'a'],
    ['a_total', 'counter', 'a_total'],
    ['a_info', 'info', 'a'],
    ['_sum', 'summary', '_sum'],
  ])('%s, a %s, is of the family %s', (metric, type, expected) => {
    expect(familyName(metric, type)).toBe(expected);
  });
});

describe('the table', () => {
  const open = () => {
    const sql = sqlite();
    const table = new MetadataTable(new Blobs(sql));
    return {
      table,
      rows: (work: () => void) => [sql.rowsWritten(), work(), sql.rowsWritten()] as [number, void, number],
    };
  };

  it('writes a row when something is new, or once a day', () => {
    const { table, rows } = open();
    const put = (nowMs: number, ...families: FamilyMetadata[]): number => {
      const [before, , after] = rows(() => table.put(nowMs, families));
      return after - before;
    };
    expect(put(0, family('a'), family('b'))).toBe(1);
    expect(put(1000, family('a'), family('b'))).toBe(0);
    expect(put(1000, family('b', { help: 'New.' }))).toBe(1);
    expect(put(DAY_MS, family('a'))).toBe(1);
    expect(put(DAY_MS, family('a'))).toBe(0);
    expect(table.get(null)).toEqual([family('a'), family('b'), family('b', { help: 'New.' })]);
    expect(table.get('b')).toHaveLength(2);
    expect(table.get('c')).toEqual([]);
  });

  it('forgets the first of many things said of one metric', () => {
    const { table } = open();
    for (let i = 0; i < 6; i++) table.put(0, [family('a', { help: String(i) })]);
    expect(table.get('a').map(({ help }) => help)).toEqual(['2', '3', '4', '5']);
  });

  it('is bounded; what nobody said for a week makes room', () => {
    const { table } = open();
    const many = Array.from({ length: FAMILIES_MAX }, (_, i) => family(`m${i}`));
    expect(table.put(0, many)).toEqual({ leftOut: 0, families: FAMILIES_MAX });
    expect(table.put(7 * DAY_MS, [family('new'), family('m0')])).toEqual({ leftOut: 1, families: FAMILIES_MAX });
    expect(table.put(8 * DAY_MS, [family('new')])).toEqual({ leftOut: 0, families: 2 });
    expect(table.get(null).map(({ metric }) => metric)).toEqual(['m0', 'new']);
    const wide = Array.from({ length: 1000 }, (_, i) => family(`w${i}`, { help: 'x'.repeat(8000) }));
    const { leftOut, families } = table.put(8 * DAY_MS, wide);
    expect(families).toBeLessThan(255);
    expect(leftOut).toBe(1002 - families);
  });
});
